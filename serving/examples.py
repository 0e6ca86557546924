"""Classification and regression: tf.Example in, labels with scores or values out.

Reference: TensorFlow Serving, util/json_tensor.cc, servables/tensorflow/classifier.cc and
regressor.cc, whose error messages the ones here begin with.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .codec import brief, decode_base64, is_b64, parse_object, signature_name
from .errors import ServingError, invalid
from .servable import DEFAULT_SIGNATURE, Servable
from .tensors import to_floating

CLASSIFY = "tensorflow/serving/classify"
REGRESS = "tensorflow/serving/regress"

Classes = list[tuple[bytes, float]]
"""Labels and scores of one example; an empty label or a score of 0 where the model has none."""


@dataclasses.dataclass(frozen=True)
class Task:
    """A task of a model's signature.

    Attributes:
        signature: its name.
        method: `CLASSIFY` or `REGRESS`; of a MultiInference also what nobody offers.
    """

    signature: str
    method: str


def parse_examples(body: bytes) -> tuple[str | None, list[bytes]]:
    """Read the JSON of a :classify or :regress request.

    Returns:
        The signature's name (None for the default one) and the examples, serialised.

    Raises:
        ServingError: the JSON is not what is expected.
    """
    document = parse_object(body)
    name = signature_name(document)
    context = b""
    if "context" in document:
        context = _example(document["context"]).SerializeToString()
    if "examples" not in document:
        raise invalid(
            "JSON Value: When method is classify, key 'examples' is expected and was not found; "
            'classify and regress take {"examples": [{...}]}.'
        )
    examples = document["examples"]
    if not isinstance(examples, list):
        raise invalid(
            f"JSON Value: {brief(examples)} Expecting 'examples' value to be an list/array"
        )
    if not examples:
        raise invalid("JSON Value: 'examples' value is an empty array")
    # Joining messages merges them: an example's own features win over the context's.
    return name, [context + _example(value).SerializeToString() for value in examples]


def _example(value: Any) -> Any:
    from tensorflow.core.example import example_pb2

    if not isinstance(value, dict) or is_b64(value):
        raise invalid(
            f"Example must be JSON object but got JSON {brief(value)}; it maps features' names to "
            "values or lists of them."
        )
    example = example_pb2.Example()
    for name, content in value.items():
        feature = example.features.feature[_utf8(name, name)]
        _fill_feature(feature, name, content if isinstance(content, list) else [content])
    return example


def _utf8(text: str, name: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise invalid(f"Feature: {brief(name)} is not valid Unicode.") from None
    return text


def _fill_feature(feature: Any, name: str, values: list[Any]) -> None:
    kinds = {_kind(value, name) for value in values}
    if len(kinds) > 1:
        first = _kind(values[0], name).removesuffix("_list")
        raise invalid(
            f"Unexpected element type in feature: {brief(name)} expecting type: {first}; all "
            "values of a feature are of one type."
        )
    if not kinds:
        return
    kind = kinds.pop()
    if kind == "bytes_list":
        feature.bytes_list.value.extend(
            decode_base64(v["b64"], f"feature {brief(name)}")
            if is_b64(v)
            else _utf8(v, name).encode()
            for v in values
        )
    elif kind == "float_list":
        # Protocol buffers would refuse some of what is beyond single precision.
        singles = to_floating(np.array(values, np.float64), np.dtype(np.float32))
        feature.float_list.value.extend(singles.tolist())
    else:
        for value in values:
            if value >= 2**63:
                raise invalid(
                    f"Feature: {brief(name)} has uint64 element. Only int64 is supported."
                )
        feature.int64_list.value.extend(map(int, values))


def _kind(value: Any, name: str) -> str:
    if isinstance(value, (bool, int)):
        return "int64_list"
    if isinstance(value, float):
        return "float_list"
    if isinstance(value, str) or is_b64(value):
        return "bytes_list"
    raise invalid(
        f"Feature: {brief(name)} has element with unexpected JSON type: {brief(value)}; numbers, "
        'strings, booleans and {"b64": ...} are taken.'
    )


def serialized_examples(proto: Any) -> list[bytes]:
    """The examples of a gRPC request's Input, serialised, each with the context.

    Raises:
        ServingError: there are none.
    """
    kind = proto.WhichOneof("kind")
    if kind == "example_list":
        examples = [e.SerializeToString() for e in proto.example_list.examples]
    elif kind == "example_list_with_context":
        context = proto.example_list_with_context.context.SerializeToString()
        examples = [
            context + e.SerializeToString() for e in proto.example_list_with_context.examples
        ]
    else:
        examples = []
    if not examples:
        raise invalid("Input is empty.")
    return examples


def plan(servable: Servable, task: Task, strict: bool) -> tuple[str, dict[str, str]]:
    """Tensors of the graph for a task: the one to feed, and output name -> the one to fetch.

    Args:
        servable: the model.
        task: what is asked.
        strict: also require the signature's method name to be the task's.

    Raises:
        ServingError: there is no such signature, or it is of another kind.
    """
    word = "classification" if task.method == CLASSIFY else "regression"
    definition = servable.signature_defs.get(task.signature)
    if definition is None or task.signature not in servable.signatures:
        raise invalid(
            f"No signature was found with the name: {task.signature}; there are: "
            f"{', '.join(sorted(servable.signatures)) or 'none'}."
        )
    if task.method not in (CLASSIFY, REGRESS):
        raise ServingError(
            "UNIMPLEMENTED",
            f"Unsupported signature method_name: {task.method}; {CLASSIFY} and {REGRESS} are "
            "offered.",
        )
    if strict and definition.method_name != task.method:
        raise invalid(
            f"Expected {word} signature method_name to be {task.method}. Was: "
            f"{definition.method_name}"
        )
    if len(definition.inputs) != 1:
        raise invalid(
            f"Expected one input Tensor; the signature {task.signature} has "
            f"{len(definition.inputs)}."
        )
    names = {"classes", "scores"} if task.method == CLASSIFY else {"outputs"}
    if not 1 <= len(definition.outputs) <= len(names):
        raise invalid(
            f"Expected one {'or two output Tensors' if len(names) > 1 else 'output Tensor'}, found "
            f"{len(definition.outputs)}."
        )
    if "inputs" not in definition.inputs:
        raise invalid(
            f"No {word} inputs found in SignatureDef: the input must be called 'inputs', it is "
            f"{', '.join(definition.inputs)!r}."
        )
    found = {key: definition.outputs[key].name for key in sorted(names & set(definition.outputs))}
    if not found:
        there = ", ".join(sorted(definition.outputs))
        if task.method == REGRESS:
            raise invalid(
                "No regression outputs found in SignatureDef: the output must be called "
                f"'outputs', it is {there!r}."
            )
        raise invalid(
            "Expected classification signature outputs to contain at least one of "
            f'"classes" or "scores"; there are: {there}.'
        )
    return definition.inputs["inputs"].name, found


def run_tasks(
    servable: Servable, tasks: list[Task], read: Callable[[], list[bytes]], strict: bool
) -> list[list[Classes] | list[float]]:
    """Answer tasks on the same examples with one run of the graph.

    Args:
        servable: the model.
        tasks: one or more.
        read: gives serialised tf.Example messages; called once the signatures are known to fit.
        strict: see `plan`.

    Returns:
        For each task, labels and scores or a value for each example.

    Raises:
        ServingError: a signature is of another kind, or the model refuses the examples.
    """
    plans = [plan(servable, task, strict) for task in tasks]
    feeds = {feed for feed, _ in plans}
    if len(feeds) > 1:
        raise invalid(
            "Input tensor must be the same for all Signatures; those asked for are fed at "
            f"{', '.join(sorted(feeds))}."
        )
    examples = read()
    column = np.empty(len(examples), object)
    column[:] = examples
    fetches = sorted({tensor for _, outputs in plans for tensor in outputs.values()})
    results = servable.run(dict.fromkeys(feeds, column), fetches)
    found = dict(zip(fetches, results, strict=True))
    return [
        _answer(task, {key: found[tensor] for key, tensor in outputs.items()}, len(examples))
        for task, (_, outputs) in zip(tasks, plans, strict=True)
    ]


def _answer(
    task: Task, outputs: Mapping[str, np.ndarray], count: int
) -> list[Classes] | list[float]:
    if task.method == CLASSIFY:
        return _classes(outputs.get("classes"), outputs.get("scores"), count)
    values = outputs["outputs"]
    shape = list(values.shape)
    if shape not in ([count], [count, 1]):
        raise invalid(
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got "
            f"{shape} for {count} examples."
        )
    if values.dtype != np.float32:
        raise invalid(f"Expected output Tensor of DT_FLOAT.  Got: {values.dtype}")
    return values.ravel().tolist()


def _classes(labels: np.ndarray | None, scores: np.ndarray | None, count: int) -> list[Classes]:
    for name, array, dtype in (("classes", labels, "DT_STRING"), ("scores", scores, "DT_FLOAT")):
        if array is None:
            continue
        if array.ndim != 2:
            raise invalid(
                f"Expected Tensor shape: [batch_size num_classes] but got {list(array.shape)} "
                f"for {name}."
            )
        if array.dtype != (object if name == "classes" else np.float32):
            raise invalid(f"Expected {name} Tensor of {dtype}. Got: {array.dtype}")
        if len(array) != count:
            raise invalid(f"Expected {name} output batch size of {count}. Got: {len(array)}")
    if labels is not None and scores is not None and labels.shape != scores.shape:
        raise invalid(
            f"Tensors class and score should match in dim_size(1). Got {labels.shape[1]} vs. "
            f"{scores.shape[1]}"
        )
    # One of the two is always there: `plan` has seen to it.
    if labels is None and scores is not None:
        labels = np.full(scores.shape, b"", object)
    elif scores is None and labels is not None:
        scores = np.zeros(labels.shape, np.float32)
    if labels is None or scores is None:
        raise ValueError("a classification has classes or scores")
    return [
        list(zip(row, values, strict=True))
        for row, values in zip(labels.tolist(), scores.tolist(), strict=True)
    ]


def default_task(signature: str | None, method: str) -> Task:
    """The task of a request that may name no signature."""
    return Task(signature or DEFAULT_SIGNATURE, method)
