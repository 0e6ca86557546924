"""One version of one model: a SavedModel in memory, its signatures and their calls."""

from __future__ import annotations

import dataclasses
import functools
import re
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import RunError

from .errors import ServingError, invalid
from .tensors import TensorSpec, type_name

DEFAULT_SIGNATURE = "serving_default"

# Node names and call stacks around the sentence that an operation said.
_ASSERTION = re.compile(r"assertion failed: \[(.*?)\](?: \[[^\n]*\])*\s*(?:\n|\[\[|$)", re.DOTALL)
_NOISE = re.compile(
    r"\s*\[\[(?:\{\{[^}]*\}\}[^\]]*)+\]\]|\s*\[Op:[^\]]*\]|\{\{function_node [^}]*\}\}\s*"
    r"|^Graph execution error:\s*|^Detected at node .*?<stack traces unavailable>\s*"
    r"|\(\d+\) [A-Z_ ]+: |^\d+ root error\(s\) found\.\s*|\d+ successful operations\.\s*"
    r"|\d+ derived errors ignored\.",
    re.DOTALL | re.MULTILINE,
)


@dataclasses.dataclass(frozen=True)
class Signature:
    """A callable of a SavedModel.

    Attributes:
        inputs: name -> what is expected.
        outputs: name -> what is given.
        method: TensorFlow Serving's method name, such as "tensorflow/serving/predict".
    """

    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]
    method: str = ""

    @functools.cached_property
    def batched(self) -> bool:
        """Whether requests may share a run.

        All inputs and outputs must have a free first dimension. If outputs have another free one,
        inputs must have one too, so that their shapes show which requests fit together. Otherwise
        an output's size depends on the contents, such as those of a file, and the largest of a
        batch would pad all others.
        """
        inputs, outputs = list(self.inputs.values()), list(self.outputs.values())
        if not inputs or not all(s.shape and s.shape[0] is None for s in inputs + outputs):
            return False
        given, told = (
            any(None in (spec.shape or ())[1:] for spec in specs) for specs in (inputs, outputs)
        )
        return given or not told


@dataclasses.dataclass(frozen=True)
class SessionOptions:
    """Options for loading and running a SavedModel.

    Attributes:
        tags: tags of the graph to serve; None: the graph with the tag "serve".
        timeout_ms: longest run of a graph that may go on without end, 0 for no limit. Others are
            not interrupted, nor are single operations.
        intra_op_threads: threads inside an operation; 0 for TensorFlow's choice.
        inter_op_threads: operations at the same time; 0 for TensorFlow's choice.
        gpu_memory_fraction: share of a GPU's memory that may be taken; 0 for TensorFlow's choice.
    """

    tags: frozenset[str] | None = None
    timeout_ms: int = 0
    intra_op_threads: int = 0
    inter_op_threads: int = 0
    gpu_memory_fraction: float = 0.0

    def config(self) -> Any:
        """TensorFlow's `ConfigProto`. The one of a process' first session determines the
        threads."""
        import tensorflow as tf

        config = tf.compat.v1.ConfigProto(
            intra_op_parallelism_threads=self.intra_op_threads,
            inter_op_parallelism_threads=self.inter_op_threads,
            allow_soft_placement=True,
        )
        config.gpu_options.per_process_gpu_memory_fraction = self.gpu_memory_fraction
        return config


class Servable:
    """A SavedModel, loaded into a session of its own, as TensorFlow Serving loads it.

    A session takes SavedModels of TensorFlow 1 and 2 alike, runs without Python's lock, and gives
    all its memory back when it is closed.

    Args:
        path: its folder, the one with `saved_model.pb`.
        options: how to load and run it.

    Raises:
        RunError: it cannot be loaded.
    """

    def __init__(self, path: str | Path, options: SessionOptions = SessionOptions()) -> None:
        self.path = Path(path)
        self._session, self.meta_graph = _load(self.path, options)
        self._callables: dict[tuple[tuple[str, ...], tuple[str, ...]], Any] = {}
        self._lock = threading.Lock()
        self._timeout_ms = options.timeout_ms
        self.signature_defs = dict(self.meta_graph.signature_def)
        self.signatures = {
            name: Signature(
                _specs(definition.inputs), _specs(definition.outputs), definition.method_name
            )
            for name, definition in self.signature_defs.items()
            # TensorFlow 2 lists its initialisation here: nothing to call.
            if not name.startswith("__saved_model_")
        }

    def signature(self, name: str | None) -> tuple[str, Signature]:
        """The signature `name` (None or empty: the default one) and its full name.

        Raises:
            ServingError: there is none.
        """
        name = name or DEFAULT_SIGNATURE
        if name not in self.signatures:
            valid = ", ".join(sorted(self.signatures)) or "none"
            raise invalid(
                f'Serving signature name: "{name}" not found in signature def; there are: {valid}.'
            )
        return name, self.signatures[name]

    def predict(
        self,
        signature: str | None,
        inputs: Mapping[str, np.ndarray],
        outputs: Sequence[str] | None = None,
    ) -> dict[str, np.ndarray]:
        """Call a signature with arrays of its inputs' types.

        Args:
            signature: its name, None for the default one.
            inputs: name -> array, strings as object arrays of bytes.
            outputs: which outputs to compute; None for all.

        Returns:
            Output name -> array, sorted by name.

        Raises:
            ServingError: there is no such signature, or the model refuses the inputs.
        """
        name, definition = self.signature(signature)
        inputs = {key: inputs[key] for key in definition.inputs}
        infos = self.signature_defs[name]
        wanted = sorted(definition.outputs if outputs is None else outputs)
        feeds = {infos.inputs[key].name: value for key, value in inputs.items()}
        fetches = [infos.outputs[key].name for key in wanted]
        try:
            results = self.run(feeds, fetches)
        except ServingError as error:
            raise _explained(error, inputs, definition) from error
        return dict(zip(wanted, results, strict=True))

    def run(self, feeds: Mapping[str, np.ndarray], fetches: Sequence[str]) -> list[np.ndarray]:
        """Run the graph from tensors to tensors, by their names in it.

        Raises:
            ServingError: an operation fails, or takes too long.
        """
        import tensorflow as tf

        try:
            call = self._callable(tuple(feeds), tuple(fetches))
            results = call(*feeds.values())
        except tf.errors.OpError as error:
            raise _refusal(error) from error
        return [
            np.array(value, object) if isinstance(value, bytes) else np.asarray(value)
            for value in results
        ]

    def close(self) -> None:
        """Free the memory; the servable cannot be called afterwards."""
        with self._lock:
            self._callables.clear()
            self._session.close()

    def _callable(self, feeds: tuple[str, ...], fetches: tuple[str, ...]) -> Any:
        from tensorflow.core.protobuf import config_pb2

        key = (feeds, fetches)
        with self._lock:
            if key not in self._callables:
                # A run with a time limit that fails loses some 700 bytes in TensorFlow, for good.
                endless = _may_be_endless(self.meta_graph.graph_def, fetches)
                limit = self._timeout_ms if endless else 0
                run_options = config_pb2.RunOptions(timeout_in_ms=limit)
                options = config_pb2.CallableOptions(
                    feed=feeds, fetch=fetches, run_options=run_options
                )
                # The public Session.make_callable falls back to Session.run, which costs more and
                # refuses shapes that TensorFlow Serving lets the model judge.
                self._callables[key] = self._session._make_callable_from_options(options)
            return self._callables[key]


def _load(path: Path, options: SessionOptions) -> tuple[Any, Any]:
    import logging

    import tensorflow as tf
    from tensorflow.core.protobuf import saved_model_pb2

    graph = tf.Graph()
    session = tf.compat.v1.Session(graph=graph, config=options.config())
    # The loader of sessions is the right one here, whatever the deprecation warning says.
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        proto = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
        tags = _tags(proto, path, options.tags)
        with graph.as_default():
            return session, tf.compat.v1.saved_model.load(session, tags, str(path))
    except RunError:
        session.close()
        raise
    except Exception as error:
        session.close()
        # A damaged protocol buffer raises an error of the protobuf implementation in use.
        if "DecodeError" in type(error).__name__:
            raise RunError(f"{path} holds a damaged saved_model.pb.") from error
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise RunError(f"{path} cannot be loaded as a SavedModel: {lines[0]}") from error
    finally:
        logger.setLevel(level)


def _may_be_endless(graph_def: Any, fetches: Sequence[str]) -> bool:
    """Whether a loop without bounds takes part in what is fetched, or in functions called for it.

    Loops over a dimension, as in `tf.map_fn` and recurrent layers, have bounds.
    """
    functions = {function.signature.name: function for function in graph_def.library.function}
    nodes = _needed(graph_def, fetches)
    called: set[str] = set()
    while nodes:
        node = nodes.pop()
        if node.op == "LoopCond" or (
            node.op in ("While", "StatelessWhile")
            and not _has_bound(functions[node.attr["cond"].func.name])
        ):
            return True
        names = {node.op, *(attribute.func.name for attribute in node.attr.values())}
        names |= {one.name for attribute in node.attr.values() for one in attribute.list.func}
        for name in names & functions.keys() - called:
            called.add(name)
            nodes += functions[name].node_def
    return False


def _needed(graph_def: Any, fetches: Sequence[str]) -> list[Any]:
    """The nodes of a graph that what is fetched depends on."""
    nodes = {node.name: node for node in graph_def.node}
    waiting = {name.partition(":")[0] for name in fetches}
    needed: dict[str, Any] = {}
    while waiting:
        name = waiting.pop()
        needed[name] = nodes[name]
        # They read "name", "name:1" or, where only its end counts, "^name".
        inputs = {one.lstrip("^").partition(":")[0] for one in nodes[name].input}
        waiting |= inputs - needed.keys()
    return list(needed.values())


def _has_bound(condition: Any) -> bool:
    # tf.while_loop's first two variables are its own: rounds so far, and the most there may be.
    variables = [argument.name for argument in condition.signature.input_arg[:2]]
    return any(node.op == "Less" and list(node.input) == variables for node in condition.node_def)


def _tags(proto: Any, path: Path, wanted: frozenset[str] | None) -> list[str]:
    found = [list(graph.meta_info_def.tags) for graph in proto.meta_graphs]
    for tags in found:
        if set(tags) == wanted if wanted is not None else "serve" in tags:
            return tags
    asked = "the tags " + ", ".join(sorted(wanted)) if wanted is not None else "the tag 'serve'"
    raise RunError(
        f"{path} cannot be served: none of its graphs has {asked}; there are: "
        f"{'; '.join(', '.join(tags) or 'no tags' for tags in found) or 'no graphs'}."
    )


def _specs(infos: Mapping[str, Any]) -> dict[str, TensorSpec]:
    import tensorflow as tf

    specs = {}
    for name in sorted(infos):
        shape = infos[name].tensor_shape
        dims = (
            None if shape.unknown_rank else tuple(None if d.size < 0 else d.size for d in shape.dim)
        )
        dtype = np.dtype(tf.as_dtype(infos[name].dtype).as_numpy_dtype)
        specs[name] = TensorSpec(name, dtype, dims)
    return specs


def _refusal(error: Any) -> ServingError:
    from tensorflow.core.protobuf import error_codes_pb2

    code = error_codes_pb2.Code.Name(error.error_code)
    said = _ASSERTION.search(error.message)
    if said:
        refusal = ServingError(code, said.group(1).strip())
        refusal.from_model = True
        return refusal
    if code == "DEADLINE_EXCEEDED":
        return ServingError(code, "the model took longer than the server allows.")
    lines = _NOISE.sub("", error.message).strip().splitlines()
    # Graphs of several errors repeat the same sentence for each.
    return ServingError(code, "; ".join(dict.fromkeys(filter(None, map(str.strip, lines)))))


def _explained(
    error: ServingError, inputs: Mapping[str, np.ndarray], definition: Signature
) -> ServingError:
    """The error with what the signature expected; a wrong shape is the client's fault."""
    wrong = [
        f"input {name!r} has the shape [{','.join(map(str, inputs[name].shape))}]; expected is "
        f"{spec}"
        for name, spec in definition.inputs.items()
        if not spec.fits(inputs[name].shape)
    ]
    if wrong and error.code != "DEADLINE_EXCEEDED":
        return invalid(f"{'; '.join(wrong)} ({error.message})")
    if error.code in ("DEADLINE_EXCEEDED", "CANCELLED") or error.from_model:
        return error
    expected = "; ".join(str(spec) for spec in definition.inputs.values())
    return ServingError(
        error.code, f"{error.message} (the signature's inputs are {expected})", error.status
    )


def check_types(inputs: Mapping[str, np.ndarray], definition: Signature) -> None:
    """Check that `inputs` have the signature's types.

    Raises:
        ServingError: one is not.
    """
    for number, (name, spec) in enumerate(definition.inputs.items()):
        if inputs[name].dtype != spec.dtype:
            raise invalid(
                f"Expects arg[{number}] to be {type_name(spec.dtype)} but "
                f"{type_name(inputs[name].dtype)} is provided; expected is {spec}."
            )
