"""A page of spectrograms as pictures and sounds to play, in one file."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo import pages
from zoo.files import replacing

PEAK = 0.9
"""Largest sample of a sound on the page; full scale is 1."""


@dataclasses.dataclass(frozen=True)
class Tile:
    """A spectrogram with its sound and caption.

    Attributes:
        image: PNG.
        sound: WAV, or None where there is no way back to sound.
        caption: one line.
        others: what further WAVs are called, and they.
    """

    image: bytes
    sound: bytes | None
    caption: str
    others: Sequence[tuple[str, bytes]] = ()


@dataclasses.dataclass(frozen=True)
class Section:
    """A part of the page: a heading, and any of the other fields.

    Attributes:
        heading: heading of the section.
        text: a paragraph.
        table: headings and rows, as text.
        picture: SVG or WebP.
        columns: headings of the grid of tiles.
        rows: label and tiles of each row of the grid.
        wide: whether the tiles show whole sentences.
    """

    heading: str
    text: str = ""
    table: tuple[Sequence[str], Sequence[Sequence[str]]] | None = None
    picture: bytes | None = None
    columns: Sequence[str] = ()
    rows: Sequence[tuple[str, Sequence[Tile]]] = ()
    wide: bool = False

    @property
    def picture_type(self) -> str:
        """Media type of the picture."""
        webp = self.picture is not None and self.picture.startswith(b"RIFF")
        return "image/webp" if webp else "image/svg+xml"


def write_page(path: str | Path, title: str, lead: str, sections: Sequence[Section]) -> None:
    """Write one self-contained HTML file.

    Raises:
        RunError: it cannot be written.
    """
    pages.write_page(
        path, Path(__file__).with_name("page.html"), title=title, lead=lead, sections=sections
    )


def spectrogram_png(picture: np.ndarray) -> bytes:
    """A spectrogram, low frequencies below, a pixel an element: red above 0, blue below.

    Colours go by the square root of the magnitude, so that faint parts show; the largest magnitude
    is darkest.

    Args:
        picture: (F, T).
    """
    from matplotlib.image import imsave

    shown = np.sign(picture) * np.sqrt(np.abs(picture))
    limit = float(np.abs(shown).max()) or 1.0
    file = io.BytesIO()
    nameless: dict[str, Any] = {"Software": None}
    imsave(
        file,
        shown,
        vmin=-limit,
        vmax=limit,
        cmap="RdBu_r",
        origin="lower",
        format="png",
        # Without matplotlib's version, so that one picture is always one file.
        metadata=nameless,
    )
    return file.getvalue()


def sentence_png(magnitudes: np.ndarray, loudest: float) -> bytes:
    """Magnitudes of a whole recording, low frequencies below, a pixel an element, over 60 dB.

    Args:
        magnitudes: (F, T), 0 or more.
        loudest: magnitude that is brightest, the same for pictures that are to be compared.
    """
    from matplotlib.image import imsave

    decibels = 20 * np.log10(np.maximum(magnitudes, 1e-3 * loudest) / loudest)
    file = io.BytesIO()
    nameless: dict[str, Any] = {"Software": None}
    imsave(
        file,
        decibels,
        vmin=-60,
        vmax=0,
        cmap="magma",
        origin="lower",
        format="png",
        metadata=nameless,
    )
    return file.getvalue()


def heard(wave: np.ndarray) -> np.ndarray:
    """A waveform (samples,) scaled to be heard; silence stays."""
    largest = np.abs(wave).max(initial=0.0)
    return (wave * (PEAK / largest if largest > 0 else 1.0)).astype("float32")


def wav_bytes(wave: np.ndarray, rate: int) -> bytes:
    """A waveform (samples,) as a WAV of 16 bits."""
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, wave, rate, format="WAV", subtype="PCM_16")
    return file.getvalue()


def write_wav(path: str | Path, wave: np.ndarray, rate: int) -> None:
    """Write a waveform (samples,) as a WAV of 16 bits.

    Raises:
        RunError: it cannot be written.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(wav_bytes(wave, rate))


def tiles(
    pictures: np.ndarray, waves: np.ndarray | None, rate: int, captions: Sequence[str]
) -> list[Tile]:
    """Tiles of spectrograms, each on a scale of its own, which its caption names.

    Args:
        pictures: (N, F, T, C), of which the first channel is shown.
        waves: (N, samples), or None.
        rate: sample rate of the waves.
        captions: caption of each picture.
    """
    sounds: list[Any] = [None] * len(pictures) if waves is None else list(waves)
    return [
        Tile(
            spectrogram_png(picture[..., 0]),
            None if wave is None else wav_bytes(heard(wave), rate),
            f"{caption} (± {np.abs(picture[..., 0]).max():.3g})",
        )
        for picture, wave, caption in zip(pictures, sounds, captions, strict=True)
    ]
