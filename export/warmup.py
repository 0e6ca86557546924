"""Requests that a server runs before it takes others, so that no client waits for the first one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.files import make_folder, replacing
from zoo.inference import fixed_length, wav_contents

from .exportable import decoder_of

if TYPE_CHECKING:
    from zoo.runs import Run

EXTRA_FOLDER = "assets.extra"
WARMUP_NAME = "tf_serving_warmup_requests"

_SEED = 0

_FRAMES = 100
"""Of a recording's representation."""


def write_warmup(folder: str | Path, run: Run) -> None:
    """Write a request for each signature that clients call most into `folder`/assets.extra."""
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2 as logs

    rate = run.frontend.sample_rate
    samples = _samples(rate if run.transcribes else fixed_length(run.frontend))
    wav = wav_contents(samples, rate)
    waveform = {"waveform": samples[None]}
    shape = [_FRAMES if size is None else size for size in run.model.input_shape[1:]]
    requests: dict[str, dict[str, Any]] = {
        "serving_default": {"spectrogram": np.zeros((1, *shape), "float32")}
    }
    if run.transcribes:
        from zoo.alignment.phonesets import PhoneSet

        follows = decoder_of(run).bigram.follows
        phone = run.classes[PhoneSet.trained(run.classes, run.groups, follows).seen[0]]
        requests |= {
            "frames": waveform,
            "transcribe": {"wav": np.array([wav], object)},
            "align": {"wav": np.array(wav, object), "phones": np.array([phone], object)},
        }
    else:
        requests |= {
            "waveform": waveform,
            "waveform_lengths": {**waveform, "lengths": np.array([len(samples) // 2], "int32")},
            "wav_bytes": {"wav": np.array([wav], object)},
        }
    records = []
    for signature, inputs in requests.items():
        log = logs.PredictionLog()
        request = log.predict_log.request
        request.model_spec.signature_name = signature
        for name, value in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
        records.append(log)
    if not (run.is_autoencoder or run.transcribes):
        log = logs.PredictionLog()
        request = log.classify_log.request
        request.model_spec.signature_name = "classify"
        example = request.input.example_list.examples.add()
        example.features.feature["wav"].bytes_list.value.append(wav)
        records.append(log)
    path = make_folder(Path(folder) / EXTRA_FOLDER) / WARMUP_NAME
    with replacing(path) as temporary, tf.io.TFRecordWriter(str(temporary)) as writer:
        for record in records:
            writer.write(record.SerializeToString())


def _samples(length: int) -> np.ndarray:
    noise = np.random.default_rng(_SEED).normal(0, 0.1, length)
    return noise.clip(-1, 1).astype("float32")
