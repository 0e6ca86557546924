"""Pocketsphinx's phone loop with its own model, which several scripts compare with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np


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
    decoder.start_utt()
    decoder.process_raw(samples.tobytes(), full_utt=True)
    decoder.end_utt()
    return [segment.word for segment in decoder.seg()]
