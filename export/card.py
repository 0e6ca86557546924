"""Files with an exported model: its labels and its card, for people and for programs."""

from __future__ import annotations

import datetime
import functools
import hashlib
from pathlib import Path
from typing import Any

from zoo.files import make_folder, sha256, write_json, write_text
from zoo.given_audio import MAX_CHANNELS
from zoo.inference import CARD_NAME, LABELS_NAME, fixed_length
from zoo.ops.resampling import MAX_RATE
from zoo.runs import DECODER, Run
from zoo.settings import as_record

from .exportable import decoder_of

CARD_TEXT_NAME = "card.md"

_CLASSIFIER = """\
- Classes: {count}, in the order of `probabilities`; `labels.json` maps each to the group that it
  is scored in.
"""
_SIGNATURES = """
Signatures:

- `serving_default`: `spectrogram` (N, {shape}) float32, the representation{normalized}, with
  the mean not yet subtracted;
- `waveform`: `waveform` (N, samples) float32 with full scale 1, at {sample_rate} Hz, one segment a
  row, up to {seconds} s;
- `waveform_lengths`: the same and `lengths` (N,) int32, the samples that count from each row's
  start (0: the whole row), so that segments of unequal length share a batch;
- `wav_bytes`: `wav` (N,) strings, one segment a row: the contents of a RIFF/WAVE file of 16-bit
  PCM, {min_rate} to {max_rate} Hz, up to {channels} channels (averaged) and {seconds} s;
- `encode`, where the network has a code: `spectrogram` -> `code`;
"""
_CLASSIFIER_OUTPUTS = """\
- `classify`, for TensorFlow Serving's Classify: `inputs` (N,) serialised tf.Example with the
  feature `waveform` (floats) or `wav` (bytes) -> `classes` (N, {count}) best first, `scores`.

Outputs: `probabilities` (N, {count}), `phones` (N, 5) best first, `scores` (N, 5).
"""
_SEGMENTS = """\
- `segments`: `wav` (), the contents of one recording's file of up to {recording_seconds} s, and
  `starts`, `ends` (S,) float32, seconds of segments within it -> the outputs below with a row for
  each segment{by_recording}. In the column format alone (`inputs`); never part of a batch.
"""
_FRAMES = """\
- Frames: one each {hop} samples; frame i has its centre at sample (i + 1/2) {hop}, zeros surround
  the recording.{window}
- Decoder (`viterbi.json`): priors to the power {prior_exponent:g}, bigram times {bigram_weight:g},
  penalty {insertion_penalty:g} on every phone, at least {min_duration} frames a phone. Silences
  that touch are one interval, `sil`.
"""
_TRANSCRIBER = """
Signatures:

- `transcribe`: `wav` (N,) strings, one recording a row: the contents of a RIFF/WAVE file of 16-bit
  PCM, {min_rate} to {max_rate} Hz (resampled), up to {channels} channels (averaged) and
  {recording_seconds} s -> `phones` (N, M), `starts`, `ends` (N, M) in seconds, `scores` (N, M), the
  mean posterior of each, `alternatives` (N, M, {best}) and `alternative_scores`, the most probable
  classes of each interval, and `counts` (N,) int32: how many intervals of a row count; what follows
  them is "" and 0. Every recording is normalised and decoded by itself.
- `align`: `wav` (), the contents of one recording's file as above, and `phones` (W,) strings, the
  phones of each word with spaces between them, in this network's classes{alphabets}; up to
  {max_phones} phones -> `phones` (M,) as given, with `sil` for silence before, between and after
  words, `words` (M,) int32, the number of each phone's word from 0 on, -1 for a silence, `starts`,
  `ends`, `scores`, `alternatives`, `alternative_scores` as above, and `score` (), how well phones
  and recording agree, 0 to 1. In the column format alone (`inputs`); never part of a batch.
{pronounce}- `frames`: `waveform` (N, samples) float32 with full scale 1, at {sample_rate} Hz, one
  recording a row, up to {recording_seconds} s -> `probabilities` (N, T, {count}) of every frame,
  not decoded;
- `serving_default`: `spectrogram` (N, {shape}) float32, the representation{normalized}, with
  the mean not yet subtracted -> `probabilities` {outputs};
- `encode`, where the network has a code: `spectrogram` -> `code`.
"""
_PRONOUNCE = """\
- `pronounce`: `words` (N,) strings -> `phones` (N,), of each word as `align` takes them, its first
  pronunciation; "" of an unknown word. Case and punctuation around a word do not matter.
"""
_AUTOENCODER_OUTPUTS = """\
- `reconstruct`: the same as `serving_default`.

Outputs: `reconstruction` (N, {shape}), the mean added again, and `distance` (N,), Euclidean;
from audio also `spectrogram`, what was reconstructed.
"""


@functools.cache
def code_fingerprint() -> str:
    """SHA-256 over the Python files of `zoo` and `export`."""
    digest = hashlib.sha256()
    for package in ("zoo", "export"):
        folder = Path(__file__).parents[1] / package
        for file in sorted(folder.rglob("*.py")):
            digest.update(f"{package}/{file.relative_to(folder).as_posix()}\0".encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()


def model_fingerprint(run: Run) -> str:
    """SHA-256 over a run's network, its front end and the code that exports them."""
    digest = hashlib.sha256(sha256(run.network).encode())
    digest.update(run.frontend.fingerprint.encode())
    digest.update(code_fingerprint().encode())
    return digest.hexdigest()


def make_card(run: Run) -> dict[str, Any]:
    """The card of an exported run, as plain values."""
    import keras
    import tensorflow as tf

    from .wav import MAX_TRANSCRIBE_SECONDS

    card = {
        "model": run.model_name,
        "family": run.family,
        "sample_rate": run.frontend.sample_rate,
        "length": None if run.transcribes else fixed_length(run.frontend),
        "frontend": {**run.frontend.settings, "fingerprint": run.frontend.fingerprint},
        "fingerprint": model_fingerprint(run),
        "fingerprints": {"network": sha256(run.network), "code": code_fingerprint()},
        "config": run.config,
        "exported": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
    }
    if run.transcribes:
        card |= {
            "window": run.window,
            "hop": run.frontend.hop,
            "decoder": as_record(decoder_of(run).settings),
            "max_seconds": MAX_TRANSCRIBE_SECONDS,
        }
    return card


def write_card(
    folder: str | Path, run: Run, signatures: bool = True, dictionary: bool = False
) -> list[Path]:
    """Write `card.json`, `card.md`, a classifier's `labels.json` and a decoder into `folder`.

    Args:
        folder: made if needed.
        run: what is exported.
        signatures: whether `card.md` explains those of a SavedModel.
        dictionary: whether one of them looks up words.

    Returns:
        The files.
    """
    folder = make_folder(folder)
    card = make_card(run)
    write_json(folder / CARD_NAME, card)
    write_text(folder / CARD_TEXT_NAME, _text(run, signatures, dictionary))
    files = [folder / CARD_NAME, folder / CARD_TEXT_NAME]
    if run.transcribes:
        write_json(folder / DECODER, decoder_of(run).as_dict())
        files.append(folder / DECODER)
    if not run.is_autoencoder:
        write_json(folder / LABELS_NAME, {"classes": list(run.classes), "groups": run.groups})
        files.append(folder / LABELS_NAME)
    return files


def _text(run: Run, signatures: bool, dictionary: bool) -> str:
    from .signatures import TOP
    from .wav import MAX_SECONDS, MAX_TRANSCRIBE_SECONDS, MIN_RATE

    frontend = run.frontend
    kind = "autoencoder" if run.is_autoencoder else "phone classifier"
    if run.transcribes:
        kind = "recogniser of phones in whole recordings"
    length = (
        ""
        if run.transcribes
        else f"{fixed_length(frontend)} samples (zeros on\n  both sides, or a centre crop), "
    )
    outside = run.transcribes and not signatures
    where = "before the model, but for the mean" if outside else "inside the model"
    normalized = "every recording's mean and deviation of each bin and " * frontend.by_recording
    text = (
        f"# {run.model_name}\n\nA trained {kind}, exported from the zoo.\n\n"
        + ("" if run.is_autoencoder else _CLASSIFIER)
        + f"- Preprocessing ({where}): {frontend.sample_rate} Hz, {length}level "
        f"`{frontend.level}`, representation `{frontend.kind}`,\n  {normalized}the training set's "
        "mean subtracted.\n"
    )
    shape = [size or run.window or "T" for size in frontend.shape]
    values: dict[str, Any] = {
        "count": len(run.classes),
        "sample_rate": frontend.sample_rate,
        "shape": ", ".join(map(str, shape)),
        "min_rate": MIN_RATE,
        "max_rate": MAX_RATE,
        "channels": MAX_CHANNELS,
        "seconds": MAX_SECONDS,
        "recording_seconds": MAX_TRANSCRIBE_SECONDS,
        "normalized": ",\n  normalised by its recording" if frontend.by_recording else "",
        "by_recording": ",\n  normalised by all of the recording" if frontend.by_recording else "",
    }
    if run.transcribes:
        from zoo.alignment.phonesets import PhoneSet

        from .alignment import MAX_PHONES

        phones = PhoneSet(run.classes, run.groups)
        values |= {
            **as_record(decoder_of(run).settings),
            "hop": frontend.hop,
            "best": min(TOP, len(run.classes)),
            "max_phones": MAX_PHONES,
            "alphabets": ", ARPABET, TIMIT's labels or IPA" if phones.english else "",
            "pronounce": _PRONOUNCE if dictionary else "",
            "window": f"\n- Each frame is classified with those around it, {run.window} in all."
            if run.window
            else "",
            "outputs": "(N, {count}), `phones`, `scores` (N, {best})"
            if run.window
            else "(N, T, {count})",
        }
        text += _FRAMES
    if signatures and run.transcribes:
        text += _TRANSCRIBER.replace("{outputs}", values["outputs"])
    elif signatures and run.is_autoencoder:
        text += _SIGNATURES + _AUTOENCODER_OUTPUTS
    elif signatures:
        text += _SIGNATURES + _SEGMENTS + _CLASSIFIER_OUTPUTS
    return text.format(**values)
