"""Pocketsphinx with its own model, its phone loop and its aligner, which scripts compare with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

FRAME = 0.01
"""Seconds of a frame."""


def phone_loop(alone: bool = True, **options: Any) -> Any:
    """A decoder of phones with their language model.

    Args:
        alone: phones without their neighbours; False: triphones.
        **options: further ones of `pocketsphinx.Decoder`.

    Raises:
        ImportError: pocketsphinx is not installed.
    """
    from pocketsphinx import Decoder, get_model_path

    model = Path(get_model_path()) / "en-us"
    # Of a language weight of 2, 4 and 6.5, its default, 4 did best on a minute of AN4.
    return Decoder(
        hmm=str(model / "en-us"),
        allphone=str(model / "en-us-phone.lm.bin"),
        allphone_ci=alone,
        lm=None,
        lw=4.0,
        loglevel="FATAL",
        **options,
    )


def hear(decoder: Any, samples: np.ndarray) -> list[str]:
    """The phones of a recording, int16 at 16 kHz, as pocketsphinx calls them."""
    _listen(decoder, samples)
    return [segment.word for segment in decoder.seg()]


def word_aligner() -> Any:
    """A decoder that `align` gives texts to, with a pronouncing dictionary of its own.

    Raises:
        ImportError: pocketsphinx is not installed.
    """
    from pocketsphinx import Decoder, get_model_path

    model = Path(get_model_path()) / "en-us"
    return Decoder(
        hmm=str(model / "en-us"), dict=str(model / "cmudict-en-us.dict"), lm=None, loglevel="FATAL"
    )


def align(
    decoder: Any, samples: np.ndarray, words: Sequence[str]
) -> tuple[list[tuple[str, int, int]], list[tuple[str, int, int]]] | None:
    """Words and phones of a recording, int16 at 16 kHz: names, first frames, frames.

    Phones need a second pass. Pauses and noises are words in brackets. None: it found no way.
    """
    decoder.set_align_text(" ".join(words))
    try:
        _listen(decoder, samples)
        decoder.set_alignment()
        _listen(decoder, samples)
    except RuntimeError:
        return None
    found, phones = [], []
    for word in decoder.get_alignment():
        found.append((word.name, word.start, word.duration))
        phones += [(phone.name, phone.start, phone.duration) for phone in word]
    return found, phones


def _listen(decoder: Any, samples: np.ndarray) -> None:
    decoder.start_utt()
    decoder.process_raw(samples.tobytes(), full_utt=True)
    decoder.end_utt()
