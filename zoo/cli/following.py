"""The last line of a command's summary: what to do with what it made."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoo.data.sets.prepared import Prepared


def print_next(*words: str | Path) -> None:
    """Print a command that follows, with its words quoted where a shell asks for it."""
    print("next: zoo", shlex.join(map(str, words)))


def print_training(prepared: Prepared) -> None:
    """Print how to train on a set, if some model of the zoo suits it without further choices."""
    model = _model_for(prepared)
    if model is not None:
        print_next("train", model, "--data", prepared.path, "--out", Path("runs", model))


def _model_for(prepared: Prepared) -> str | None:
    if "train" not in prepared.splits or prepared.kind == "pairs" or len(prepared.shape) < 3:
        return None
    if prepared.kind == "frames":
        return "tdnn"
    if prepared.shape[1] is None:
        return "spectrogram_any"
    return "tdnn_segments" if prepared.frontend.context else "freq_fullpad"


def print_serving(folder: str | Path) -> None:
    """Print how to serve the export in a folder."""
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", Path(folder).resolve().name) or "model"
    print_next("serve", "--model", f"{name}={folder}")
