"""Representations of waveforms in NumPy: their parameters, and fast Fourier transforms of frames.

`zoo.layers` has the same as layers of models, which hold one of these for their parameters.
Preparing a corpus uses these alone. So it needs no Keras, and the numbers do not depend on Keras'
backend; those of a model's own layers differ by rounding.
"""

from __future__ import annotations

import abc
import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from zoo.data.features.filterbanks import (
    MEL_SCALES,
    dct_matrix,
    gammatone_weights,
    mel_weights,
)
from zoo.data.features.representations import STFT_FORMS, WAVEFORM

FLOOR = 1e-20
"""Power below which a coefficient counts as zero: roots and angles have no gradient there."""

FRAMES_A_BLOCK = 512
"""Most frames that are transformed at a time, so that a block stays in a core's own cache."""

BLAS_ALONE = 2**18
"""Multiplications up to which OpenBLAS, NumPy's, multiplies two matrices on the calling thread."""

Shape = tuple[int | None, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Framed(abc.ABC):
    """Base of representations that process a waveform frame by frame.

    Frame `i` is samples `i * hop_length` to `i * hop_length + frame_length`; nothing is centred or
    padded, and samples after the last whole frame are not used.

    Attributes:
        frame_length: samples of a frame (267: 1/60 s at 16 kHz).
        hop_length: samples from one frame's start to the next one's (147).
    """

    frame_length: int = 267
    hop_length: int = 147

    def __post_init__(self) -> None:
        if self.frame_length < 1 or self.hop_length < 1:
            raise ValueError(
                "frame_length and hop_length must be 1 or more; received "
                f"frame_length={self.frame_length}, hop_length={self.hop_length}."
            )

    @property
    @abc.abstractmethod
    def rows(self) -> int:
        """Height F of the representation."""

    @property
    def channels(self) -> int:
        """Number of channels C of the representation."""
        return 1

    def frames(self, samples: int) -> int:
        """Number of whole frames in `samples` samples."""
        return max(0, (samples - self.frame_length) // self.hop_length + 1)

    def shape(self, given: Shape) -> Shape:
        """(N, samples) -> (N, rows, frames, channels)."""
        number, samples = given
        frames = None if samples is None else self.frames(samples)
        return (number, self.rows, frames, self.channels)

    def analyse(self, waveforms: np.ndarray, block: int = FRAMES_A_BLOCK) -> np.ndarray:
        """The representation, computed on the calling thread's core.

        It takes about a third of the work of the models' convolution.

        Args:
            waveforms: (N, samples) floats, full scale 1.
            block: most frames that are transformed at a time.

        Returns:
            (N, rows, frames, channels) float32.
        """
        waveforms = np.asarray(waveforms, "float32")
        number, samples = waveforms.shape
        frames = self.frames(samples)
        out = np.empty((number, self.rows, frames, self.channels), "float32")
        if not out.size:
            return out
        windows, samples_heard = (
            np.lib.stride_tricks.as_strided(
                x,
                (number, frames, self.frame_length),
                (x.strides[0], self.hop_length * x.strides[1], x.strides[1]),
                writeable=False,
            )
            for x in (waveforms, waveforms != 0)
        )
        rows = max(1, block // frames)
        for first in range(0, number, rows):
            for start in range(0, frames, block):
                part = slice(first, first + rows), slice(start, start + block)
                heard = samples_heard[part].any(axis=-1)
                values = np.empty((*heard.shape, self.rows), "float32")
                for channel, found in enumerate(self.analyse_frames(windows[part][heard])):
                    # Segments are padded to one length: frames of zeros are many, and all alike.
                    values[...] = self._silence[channel]
                    values[heard] = found
                    out[part[0], :, part[1], channel] = values.transpose(0, 2, 1)
        return out

    @functools.cached_property
    def _silence(self) -> Sequence[np.ndarray]:
        """The channels of a frame of zeros."""
        return self.analyse_frames(np.zeros((1, self.frame_length), "float32"))

    @abc.abstractmethod
    def analyse_frames(self, frames: np.ndarray) -> Sequence[np.ndarray]:
        """The channels, (frames, rows) each, of unweighted frames (frames, frame_length)."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Frames(Framed):
    """Raw samples, frame by frame, without a window; as `zoo.layers.Frames`."""

    @property
    def rows(self) -> int:
        """Samples of a frame."""
        return self.frame_length

    def analyse_frames(self, frames: np.ndarray) -> Sequence[np.ndarray]:
        """The frames themselves."""
        return [frames]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Transformed(Framed):
    """Base of representations that start from the short-time Fourier transform.

    Attributes:
        fft_length: length of the transform (400: 201 bins).
    """

    fft_length: int = 400

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.frame_length > self.fft_length:
            raise ValueError(
                "0 < frame_length <= fft_length must hold; received "
                f"frame_length={self.frame_length}, fft_length={self.fft_length}."
            )

    @property
    def bins(self) -> int:
        """Number of bins of the transform."""
        return self.fft_length // 2 + 1

    @functools.cached_property
    def _window(self) -> np.ndarray:
        return np.hamming(self.frame_length).astype("float32")

    def fourier(self, frames: np.ndarray) -> np.ndarray:
        """Frames (frames, frame_length) -> windowed transforms (frames, bins) complex64."""
        import scipy.fft

        padded = np.zeros((len(frames), self.fft_length), "float32")
        np.multiply(frames, self._window, out=padded[:, : self.frame_length])
        return scipy.fft.rfft(padded, overwrite_x=True)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Spectrogram(Transformed):
    """The short-time Fourier transform in one of its real forms; as `zoo.layers.Spectrogram`.

    Attributes:
        representation: one of `STFT_FORMS`.
        log_offset: floor of the logarithm, in units of what it is taken of; None becomes 0.01, and
            its square for `"log_power"`.
    """

    representation: str = "real"
    log_offset: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.representation not in STFT_FORMS:
            raise ValueError(
                f"representation must be one of {', '.join(STFT_FORMS)}; "
                f"received {self.representation!r}."
            )
        if self.log_offset is None:
            offset = 1e-4 if self.representation == "log_power" else 0.01
            object.__setattr__(self, "log_offset", offset)

    @property
    def rows(self) -> int:
        """Bins of the transform."""
        return self.bins

    @property
    def channels(self) -> int:
        """2 where the form has a phase or an imaginary part, else 1."""
        return 2 if self.representation in ("magnitude_phase", "real_imaginary") else 1

    def analyse_frames(self, frames: np.ndarray) -> Sequence[np.ndarray]:
        """The channels, (frames, bins) each, of unweighted frames (frames, frame_length)."""
        form, spectra = self.representation, self.fourier(frames)
        if form == "real":
            return [spectra.real]
        if form == "real_imaginary":
            return [spectra.real, spectra.imag]
        magnitude = np.abs(spectra)
        if form == "magnitude_phase":
            silent = np.square(magnitude) <= FLOOR
            return [magnitude, phase(spectra.real, spectra.imag, silent)]
        if form in ("power", "log_power"):
            np.square(magnitude, out=magnitude)
        if form in ("log_magnitude", "log_power"):
            # A model's magnitudes are kept above this, which counts where there is no offset.
            floor = np.sqrt(FLOOR) if form == "log_magnitude" else 0.0
            magnitude += np.float32(max(self.log_offset or 0.0, floor))
            np.log(magnitude, out=magnitude)
        return [magnitude]


def phase(real: Any, imaginary: Any, silent: Any, ops: Any = np) -> Any:
    """Phase in radians, by the functions of NumPy or of `keras.ops`; 0 where `silent`."""
    # A zero of either sign becomes +0: the sign would choose between pi and -pi.
    level = ops.logical_or(silent, ops.equal(imaginary, 0.0))
    return ops.arctan2(ops.where(level, 0.0, imaginary), ops.where(silent, 1.0, real))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bands(Transformed):
    """Log energies of bands, weighted sums of the short-time Fourier transform's power.

    Attributes:
        filters: number of bands.
        low: in Hz, where the bands begin.
        high: in Hz, where they end; None becomes half the sample rate.
        sample_rate: sample rate of the waveform, in Hz.
        log_offset: floor of the logarithm, in units of the power.
    """

    filters: int
    low: float
    high: float | None = None
    sample_rate: int = 16000
    log_offset: float = 1e-4

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "high", self.end)
        if (
            self.filters < 1
            or not 0 <= self.low < self.end <= self.sample_rate / 2
            or not self.log_offset > 0
        ):
            raise ValueError(
                "filters >= 1, 0 <= low < high <= sample_rate / 2 and log_offset > 0 must hold; "
                f"received filters={self.filters}, low={self.low}, high={self.high}, "
                f"sample_rate={self.sample_rate}, log_offset={self.log_offset}."
            )
        empty = int((self.weights.max(axis=0) == 0).sum())
        if empty:
            raise ValueError(
                f"{empty} of {self.filters} bands hold no bin of the transform; "
                "take fewer filters or a larger fft_length."
            )

    @property
    def end(self) -> float:
        """Upper end of the bands, in Hz."""
        return self.sample_rate / 2 if self.high is None else self.high

    @property
    def rows(self) -> int:
        """The bands."""
        return self.filters

    @abc.abstractmethod
    def weights_of_bins(self) -> np.ndarray:
        """Weight of every bin in every band, (bins, filters)."""

    @functools.cached_property
    def weights(self) -> np.ndarray:
        """Weight of every bin in every band, (bins, filters) float32."""
        return self.weights_of_bins().astype("float32")

    def analyse_frames(self, frames: np.ndarray) -> Sequence[np.ndarray]:
        """One channel, (frames, filters), of unweighted frames (frames, frame_length)."""
        power = np.abs(self.fourier(frames))
        energies = on_this_thread(np.square(power, out=power), self.weights)
        energies += np.float32(self.log_offset)
        return [np.log(energies, out=energies)]


@dataclasses.dataclass(frozen=True, kw_only=True)
class LogMel(Bands):
    """Log energies of mel bands; as `zoo.layers.LogMel`.

    Attributes:
        scale: one of `MEL_SCALES`.
    """

    filters: int = 40
    low: float = 20.0
    scale: str = "htk"

    def __post_init__(self) -> None:
        if self.scale not in MEL_SCALES:
            raise ValueError(
                f"scale must be one of {', '.join(MEL_SCALES)}; received {self.scale!r}."
            )
        super().__post_init__()

    def weights_of_bins(self) -> np.ndarray:
        """Triangles, (bins, filters)."""
        return mel_weights(
            self.filters, self.fft_length, self.sample_rate, self.low, self.end, self.scale
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class MFCC(LogMel):
    """Mel-frequency cepstrum, the orthonormal DCT-II of log mel bands; as `zoo.layers.MFCC`.

    Attributes:
        coefficients: how many are kept, the first (c0, the mean log energy) included.
    """

    coefficients: int = 13

    def __post_init__(self) -> None:
        if not 1 <= self.coefficients <= self.filters:
            raise ValueError(
                "1 <= coefficients <= filters must hold; "
                f"received coefficients={self.coefficients}, filters={self.filters}."
            )
        super().__post_init__()

    @property
    def rows(self) -> int:
        """The coefficients."""
        return self.coefficients

    @functools.cached_property
    def cosines(self) -> np.ndarray:
        """The transform from bands to coefficients, (filters, coefficients) float32."""
        return dct_matrix(self.filters, self.coefficients).astype("float32")

    def analyse_frames(self, frames: np.ndarray) -> Sequence[np.ndarray]:
        """One channel, (frames, coefficients), of unweighted frames (frames, frame_length)."""
        (energies,) = super().analyse_frames(frames)
        return [on_this_thread(energies, self.cosines)]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Gammatone(Bands):
    """Log energies of gammatone bands; as `zoo.layers.Gammatone`."""

    filters: int = 64
    low: float = 50.0
    high: float | None = 7500.0

    def weights_of_bins(self) -> np.ndarray:
        """Squared magnitude responses, (bins, filters)."""
        return gammatone_weights(
            self.filters, self.fft_length, self.sample_rate, self.low, self.end
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Deltas:
    """Temporal derivatives, appended as channels; as `zoo.layers.Deltas`.

    Attributes:
        order: 1 for deltas, 2 for deltas and delta-deltas.
        width: frames that a slope is taken over, odd, 3 or more.
    """

    order: int = 1
    width: int = 5

    def __post_init__(self) -> None:
        if self.order not in (1, 2) or self.width < 3 or self.width % 2 == 0:
            raise ValueError(
                "order must be 1 or 2 and width odd, 3 or more; "
                f"received order={self.order!r}, width={self.width!r}."
            )

    def shape(self, given: Shape) -> Shape:
        """(N, F, T, C) -> (N, F, T, C * (order + 1))."""
        *before, channels = given
        return (*before, None if channels is None else channels * (self.order + 1))

    def analyse(self, x: np.ndarray) -> np.ndarray:
        """(N, F, T, C) -> (N, F, T, C * (order + 1)) float32."""
        return self.appended(np.asarray(x, "float32"), np.concatenate)

    def appended(self, x: Any, concatenate: Callable[..., Any]) -> Any:
        """`x` and its slopes, joined by NumPy's function or a backend's."""
        channels = [x]
        for _ in range(self.order):
            channels.append(self._slope(channels[-1], concatenate))
        return concatenate(channels, axis=-1)

    def _slope(self, x: Any, concatenate: Callable[..., Any]) -> Any:
        reach = self.width // 2
        first, last = x[:, :, :1], x[:, :, -1:]
        # Differences are taken of frames shifted within the padded map: its slices keep T unknown
        # where it is.
        padded = concatenate([first] * reach + [x] + [last] * reach, axis=2)
        slope = 0.0
        for n in range(1, reach + 1):
            ahead = padded[:, :, reach + n : (n - reach) or None]
            behind = padded[:, :, reach - n : -reach - n]
            slope = slope + n * (ahead - behind)
        return slope / (2.0 * sum(n * n for n in range(1, reach + 1)))


class Waveform:
    """The samples themselves, as examples of one channel."""

    def shape(self, given: Shape) -> Shape:
        """(N, samples) -> (N, samples, 1)."""
        return (*given, 1)

    def analyse(self, waveforms: np.ndarray) -> np.ndarray:
        """(N, samples) -> (N, samples, 1)."""
        return np.asarray(waveforms, "float32")[..., None]


Step = Framed | Deltas | Waveform
"""A step from levelled waveforms, or the result of the step before, towards a representation."""

_KINDS: dict[str, type[Framed]] = {
    "log_mel": LogMel,
    "mfcc": MFCC,
    "gammatone": Gammatone,
    "frames": Frames,
}


def representation_settings(name: str, deltas: int = 0, **arguments: Any) -> dict[str, Any]:
    """All parameters of a representation as plain values.

    For `representation_steps` here and for `zoo.layers.representation_layers`.

    Args:
        name: one of `zoo.data.features.representations.REPRESENTATIONS`, or `WAVEFORM`.
        deltas: highest order of the temporal derivatives that follow as channels, 0 to 2.
        **arguments: arguments of the representation that differ from its defaults.

    Raises:
        ValueError: the representation does not take these arguments.
    """
    if name == WAVEFORM:
        return {"representation": name}
    kind = _KINDS.get(name, Spectrogram)
    if kind is Spectrogram:
        arguments["representation"] = name
    known = [field.name for field in dataclasses.fields(kind)]
    for argument in arguments:
        if argument not in known:
            raise ValueError(f"{name} takes {', '.join(known)}; received {argument!r}.")
    settings = {"representation": name, **dataclasses.asdict(kind(**arguments))}
    if deltas:
        settings["deltas"] = dataclasses.asdict(Deltas(order=deltas))
    return settings


def representation_steps(settings: dict[str, Any]) -> list[Step]:
    """The steps that turn levelled waveforms into a representation.

    Args:
        settings: as `representation_settings` gives and a front end records them.
    """
    settings = dict(settings)
    deltas = settings.pop("deltas", None)
    name = settings["representation"]
    if name == WAVEFORM:
        return [Waveform()]
    kind = _KINDS.get(name, Spectrogram)
    if kind is not Spectrogram:
        settings.pop("representation")
    first = kind(**settings)
    return [first] if deltas is None else [first, Deltas(**deltas)]


def on_this_thread(rows: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """`rows @ matrix`, in parts so small that BLAS does not spread them over threads of its own.

    Such threads would only get in the way if every core has its own caller.
    """
    inner, columns = matrix.shape
    out = np.empty((len(rows), columns), "float32")
    step = max(1, BLAS_ALONE // matrix.size)
    whole = len(rows) // step * step
    np.matmul(
        rows[:whole].reshape(-1, step, inner), matrix, out=out[:whole].reshape(-1, step, columns)
    )
    np.matmul(rows[whole:], matrix, out=out[whole:])
    return out
