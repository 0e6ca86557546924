"""What travels beside an exported model: its labels and its card, for people and for programs."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Sequence
from pathlib import Path

from export.wav import MAX_SECONDS, MIN_RATE
from zoo.data.frontend import Frontend
from zoo.data.prepared import classes_and_groups
from zoo.files import make_folder, read_json, sha256, write_json, write_text
from zoo.inference import CARD_NAME, EXTRA_FOLDER, LABELS_NAME, MAX_CHANNELS
from zoo.ops.resampling import MAX_RATE
from zoo.saving import model_path

_TEXT = """# {model}

A phone classifier of the {family} family, exported from the zoo.

- Classes: {count}, in the order of `probabilities`; `labels.json` maps each to the group that it
  is scored in.
- Preprocessing (inside the model): {sample_rate} Hz, {length} samples (zeros on both sides, or a
  centre crop), level `{level}`, representation `{representation}`, the training set's mean
  subtracted.

Signatures:

- `serving_default`: `spectrogram` (N, {f}, {t}, {c}) float32, the representation with the mean not
  yet subtracted;
- `waveform`: `waveform` (N, samples) float32 with full scale 1, at {sample_rate} Hz, one segment a
  row;
- `wav_bytes`: `wav` (N,) strings, one segment a row: the contents of a RIFF/WAVE file of 16-bit
  PCM, {min_rate} to {max_rate} Hz, up to {channels} channels (averaged) and {seconds} s.

Outputs: `probabilities` (N, {count}), `phones` (N, 5) best first, `scores` (N, 5).
"""


def model_fingerprint(run: str | Path) -> str:
    """SHA-256 over a run's network and front end, which tells exports of one run apart."""
    digest = hashlib.sha256(sha256(model_path(run)).encode())
    digest.update(Frontend.load(run).fingerprint.encode())
    return digest.hexdigest()


def write_card(
    folder: str | Path, run: str | Path, frontend: Frontend, classes: Sequence[str]
) -> None:
    """Write labels and card into `folder`/assets.extra, where TensorFlow Serving ignores them."""
    import keras
    import tensorflow as tf

    config = read_json(Path(run) / "config.json")
    extra = make_folder(Path(folder) / EXTRA_FOLDER)
    groups = classes_and_groups({"classes": classes, **config})[1]
    write_json(extra / LABELS_NAME, {"classes": list(classes), "groups": groups})
    card = {
        "model": config.get("model", "model"),
        "family": config.get("family", "classifier"),
        "sample_rate": frontend.sample_rate,
        "length": frontend.length,
        "frontend": {**frontend.settings, "fingerprint": frontend.fingerprint},
        "fingerprint": model_fingerprint(run),
        "config": config,
        "exported": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
    }
    write_json(extra / CARD_NAME, card)
    f, t, c = frontend.shape
    text = _TEXT.format(
        **{k: card[k] for k in ("model", "family", "sample_rate", "length")},
        count=len(classes),
        level=frontend.level,
        representation=frontend.kind,
        f=f,
        t=t,
        c=c,
        min_rate=MIN_RATE,
        max_rate=MAX_RATE,
        channels=MAX_CHANNELS,
        seconds=MAX_SECONDS,
    )
    write_text(extra / "card.md", text)
