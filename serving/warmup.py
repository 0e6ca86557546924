"""Requests stored with a model, run before it accepts others.

Reference: TensorFlow Serving, g3doc/saved_model_warmup.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zoo.errors import RunError

from .errors import ServingError
from .examples import CLASSIFY, REGRESS, default_task, run_tasks, serialized_examples
from .protos import to_array
from .servable import Servable

FILE_NAME = Path("assets.extra") / "tf_serving_warmup_requests"

MAX_RECORDS = 1000
"""Most requests in such a file, as in TensorFlow Serving."""


def warm_up(servable: Servable, iterations: int = 1) -> int:
    """Run the requests of a SavedModel's warm-up file; returns their number.

    Args:
        servable: the model; without such a file nothing happens.
        iterations: how often to run each.

    Raises:
        RunError: the file is damaged, or the model refuses one of the requests.
    """
    path = servable.path / FILE_NAME
    if not path.is_file():
        return 0
    import tensorflow as tf
    from google.protobuf.message import DecodeError
    from tensorflow_serving.apis import prediction_log_pb2

    count = 0
    try:
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            count += 1
            if count > MAX_RECORDS:
                raise RunError(f"{path} holds more than {MAX_RECORDS} requests.")
            log = prediction_log_pb2.PredictionLog.FromString(record)
            for _ in range(max(1, iterations)):
                _replay(servable, log)
    except (ServingError, DecodeError, tf.errors.OpError) as error:
        reason = (str(error).strip().splitlines() or ["damaged"])[0]
        raise RunError(f"{path}, request {max(1, count)}, cannot be run: {reason}") from error
    return count


def _replay(servable: Servable, log: Any) -> None:
    kind = log.WhichOneof("log_type")
    if kind == "predict_log":
        request = log.predict_log.request
        inputs = {name: to_array(proto, name) for name, proto in request.inputs.items()}
        name, definition = servable.signature(request.model_spec.signature_name)
        if inputs.keys() != definition.inputs.keys():
            raise ServingError("INVALID_ARGUMENT", f"its inputs are not those of {name}.")
        servable.predict(name, inputs, list(request.output_filter) or None)
        return
    if kind == "multi_inference_log":
        request = log.multi_inference_log.request
        tasks = [default_task(t.model_spec.signature_name, t.method_name) for t in request.tasks]
    elif kind in ("classify_log", "regress_log"):
        request = getattr(log, kind).request
        method = CLASSIFY if kind == "classify_log" else REGRESS
        tasks = [default_task(request.model_spec.signature_name, method)]
    else:
        raise ServingError("UNIMPLEMENTED", f"{kind or 'an empty log'} is no request to replay.")
    run_tasks(servable, tasks, lambda: serialized_examples(request.input), strict=False)
