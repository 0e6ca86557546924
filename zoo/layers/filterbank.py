"""A filterbank whose filters are learnt with the rest of the network."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from zoo.plain import plain


def mel_filters(filters: int, taps: int, sample_rate: int) -> np.ndarray:
    """Windowed sines and cosines at mel-spaced frequencies, (taps, 1, 2 * filters).

    The cosines come first. Centres run from 60 Hz to nine tenths of the Nyquist frequency.
    """
    low, high = 2595 * np.log10(1 + np.array([60.0, 0.45 * sample_rate]) / 700)
    centres = 700 * (10 ** (np.linspace(low, high, filters) / 2595) - 1)
    time = (np.arange(taps) - (taps - 1) / 2)[:, None] / sample_rate
    phase = 2 * np.pi * time * centres
    window = np.hanning(taps + 2)[1:-1, None]
    window = window / window.sum()
    waves = np.concatenate([window * np.cos(phase), window * np.sin(phase)], axis=1)
    return waves[:, None, :].astype("float32")


@keras.saving.register_keras_serializable(package="zoo")
class LearnableFilterbank(keras.layers.Layer):
    """Log energies of filters over a waveform, starting as a mel filterbank and trainable.

    Every filter is a pair, initially a windowed cosine and sine, whose squared outputs add up to an
    energy without ripple.

    Args:
        filters: number of energies a frame.
        taps: length of every filter in samples.
        hop_length: samples from one frame to the next.
        sample_rate: sample rate of the waveform, in Hz; it sets the first filters' frequencies.
        log_offset: floor of the logarithm, in units of the energy.
        **kwargs: name, dtype and so on, as for any Keras layer.

    Input shape:
        (N, samples, 1), full scale 1; samples known or not, at least `taps`.

    Output shape:
        (N, filters, frames, 1), frames = (samples - taps) // hop_length + 1.

    Reference:
        Aalto University, ELEC-C5220, lecture 3, "Towards convolution neural networks".
    """

    def __init__(
        self,
        filters: int = 40,
        taps: int = 200,
        hop_length: int = 80,
        sample_rate: int = 8000,
        log_offset: float = 1e-6,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        filters, taps, hop_length, sample_rate, log_offset = plain(
            (filters, taps, hop_length, sample_rate, log_offset)
        )
        counts = {
            "filters": filters,
            "taps": taps,
            "hop_length": hop_length,
            "sample_rate": sample_rate,
        }
        if any(not isinstance(n, int) or n < 1 for n in counts.values()) or not log_offset > 0:
            given = ", ".join(f"{k}={v!r}" for k, v in counts.items())
            raise ValueError(
                f"{', '.join(counts)} must be whole numbers from 1 on and log_offset above 0; "
                f"received {given}, log_offset={log_offset!r}."
            )
        self.filters = filters
        self.taps = taps
        self.hop_length = hop_length
        self.sample_rate = sample_rate
        self.log_offset = log_offset

    def build(self, input_shape: Any) -> None:
        """Create the filters."""
        if len(input_shape) != 3 or input_shape[-1] != 1:
            raise ValueError(
                f"{self.name} needs an input of shape (N, samples, 1); "
                f"received {tuple(input_shape)}."
            )
        waves = mel_filters(self.filters, self.taps, self.sample_rate)
        self.kernel = self.add_weight(
            name="kernel",
            shape=waves.shape,
            initializer=lambda shape, dtype=None: ops.convert_to_tensor(waves, dtype=dtype),
        )

    def call(self, waveform: Any) -> Any:
        """(N, samples, 1) -> (N, filters, frames, 1)."""
        x = ops.conv(
            waveform, self.kernel, strides=self.hop_length, data_format="channels_last"
        )  # (N, T, 2 * filters)
        # The squares of quiet filters vanish in half precision.
        x = ops.square(ops.cast(x, "float32"))
        x = ops.log(x[..., : self.filters] + x[..., self.filters :] + self.log_offset)
        x = ops.cast(ops.transpose(x, (0, 2, 1)), self.compute_dtype)
        return ops.expand_dims(x, -1)  # (N, F, T, 1)

    def compute_output_shape(self, input_shape):
        """(N, samples, 1) -> (N, filters, frames, 1)."""
        samples = input_shape[1]
        frames = None if samples is None else (samples - self.taps) // self.hop_length + 1
        return (input_shape[0], self.filters, frames, 1)

    def get_config(self) -> dict[str, Any]:
        """Every argument of the constructor."""
        return {
            **super().get_config(),
            "filters": self.filters,
            "taps": self.taps,
            "hop_length": self.hop_length,
            "sample_rate": self.sample_rate,
            "log_offset": self.log_offset,
        }
