"""TensorFlow Serving's gRPC interface: PredictionService and ModelService.

Reference: TensorFlow Serving, apis/*.proto, servables/tensorflow/predict_util.cc and
model_servers/model_service_impl.cc.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from zoo.errors import RunError, UsageError

from .access import Access
from .engine import Engine
from .errors import ServingError, invalid
from .examples import CLASSIFY, REGRESS, Task, default_task, serialized_examples
from .model_config import model_configs
from .models import ModelRef
from .protos import fill, to_array
from .servable import DEFAULT_SIGNATURE, Servable, Signature, check_types


@dataclasses.dataclass
class _Call:
    size: int = 0


class _Service:
    """What both services share: keys, measurements, errors as gRPC status."""

    def __init__(self, engine: Engine, access: Access) -> None:
        self._engine = engine
        self._access = access

    @contextlib.asynccontextmanager
    async def _call(self, context: Any, name: str, api: str) -> AsyncIterator[_Call]:
        start = time.perf_counter()
        metadata = dict(context.invocation_metadata() or ())
        request_id = self._access.request_id(metadata.get("x-request-id"))
        status = "CANCELLED"
        call = _Call()
        try:
            self._access.check(metadata.get)
            with self._engine.admitted(name, api, "GRPC"):
                yield call
            status = "OK"
        except ServingError as error:
            status = error.code
            await context.abort(getattr(grpc.StatusCode, error.code), error.message)
        finally:
            if self._access.logs:
                self._access.log(
                    "gRPC", "POST", api, status, start, request_id, context.peer(), call.size
                )


def _ref(request: Any) -> ModelRef:
    if not request.HasField("model_spec"):
        raise invalid("Missing ModelSpec")
    return _spec_ref(request.model_spec)


def _spec_ref(spec: Any) -> ModelRef:
    if not spec.name:
        raise invalid("ModelSpec has no name specified.")
    choice = spec.WhichOneof("version_choice")
    return ModelRef(
        spec.name,
        spec.version.value if choice == "version" else None,
        spec.version_label if choice == "version_label" else None,
    )


def _fill_spec(spec: Any, name: str, signature: str, version: int) -> None:
    spec.name, spec.signature_name = name, signature
    spec.version.value = version


class PredictionService(_Service, prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict, Classify, Regress, MultiInference and GetModelMetadata.

    Args:
        engine: what answers.
        access: who may ask, and what is logged of it.
        as_content: answer with packed tensors (`tensor_content`).
    """

    def __init__(self, engine: Engine, access: Access, as_content: bool = False) -> None:
        super().__init__(engine, access)
        self._as_content = as_content

    async def Predict(self, request: Any, context: Any) -> Any:
        """Tensors in, tensors out."""
        async with self._call(context, request.model_spec.name, "Predict") as call:
            ref = _ref(request)
            with self._engine.models.use(ref) as (number, servable):
                name, signature = _signature(servable, request.model_spec.signature_name)
                _check_outputs(request.output_filter, signature)
                inputs = _inputs(request, signature)
                outputs = await self._engine.predict(
                    ref.name, servable, name, inputs, list(request.output_filter) or None
                )
            response = predict_pb2.PredictResponse()
            _fill_spec(response.model_spec, ref.name, name, number)
            for key, array in outputs.items():
                fill(response.outputs[key], array, self._as_content)
            call.size = response.ByteSize()
        return response

    async def Classify(self, request: Any, context: Any) -> Any:
        """Examples in, labels and scores out."""
        response = classification_pb2.ClassificationResponse()
        await self._examples(request, context, "Classify", CLASSIFY, response)
        return response

    async def Regress(self, request: Any, context: Any) -> Any:
        """Examples in, values out."""
        response = regression_pb2.RegressionResponse()
        await self._examples(request, context, "Regress", REGRESS, response)
        return response

    async def _examples(
        self, request: Any, context: Any, api: str, method: str, response: Any
    ) -> None:
        async with self._call(context, request.model_spec.name, api) as call:
            ref = _ref(request)
            task = default_task(request.model_spec.signature_name, method)
            read = functools.partial(serialized_examples, request.input)
            number, (answer,) = await self._engine.examples(ref, [task], read, api)
            _fill_spec(response.model_spec, ref.name, task.signature, number)
            _fill_result(response.result, answer, method)
            call.size = response.ByteSize()

    async def MultiInference(self, request: Any, context: Any) -> Any:
        """Several classifications and regressions of the same examples."""
        response = inference_pb2.MultiInferenceResponse()
        name = request.tasks[0].model_spec.name if request.tasks else ""
        async with self._call(context, name, "MultiInference") as call:
            ref, tasks = _tasks(request)
            read = functools.partial(serialized_examples, request.input)
            number, answers = await self._engine.examples(ref, tasks, read, "MultiInference")
            for task, answer in zip(tasks, answers, strict=True):
                result = response.results.add()
                _fill_spec(result.model_spec, ref.name, task.signature, number)
                kind = "classification" if task.method == CLASSIFY else "regression"
                _fill_result(getattr(result, f"{kind}_result"), answer, task.method)
            call.size = response.ByteSize()
        return response

    async def GetModelMetadata(self, request: Any, context: Any) -> Any:
        """A model's signatures."""
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        async with self._call(context, request.model_spec.name, "GetModelMetadata"):
            ref = _ref(request)
            if not request.metadata_field:
                raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
            for field in request.metadata_field:
                if field != "signature_def":
                    raise invalid(
                        f"Metadata field {field} is not supported; there is: signature_def."
                    )
            definitions = get_model_metadata_pb2.SignatureDefMap()
            with self._engine.models.use(ref) as (number, servable):
                for name, definition in servable.signature_defs.items():
                    definitions.signature_def[name].CopyFrom(definition)
            response.model_spec.name = ref.name
            response.model_spec.version.value = number
            response.metadata["signature_def"].Pack(definitions)
        return response


def _signature(servable: Servable, name: str) -> tuple[str, Signature]:
    name = name or DEFAULT_SIGNATURE
    if name not in servable.signatures:
        there = ", ".join(sorted(servable.signatures)) or "none"
        raise ServingError(
            "FAILED_PRECONDITION", f'Serving signature key "{name}" not found. There are: {there}.'
        )
    return name, servable.signatures[name]


def _check_outputs(wanted: Sequence[str], signature: Signature) -> None:
    for number, name in enumerate(wanted):
        if name not in signature.outputs:
            raise invalid(
                f"output tensor alias not found in signature: {name} Outputs expected to be in "
                f"the set {{{','.join(sorted(signature.outputs))}}}."
            )
        if name in wanted[:number]:
            raise invalid(f"duplicate output tensor alias: {name}")


def _inputs(request: Any, signature: Signature) -> dict[str, Any]:
    given, wanted = set(request.inputs), set(signature.inputs)
    if len(given) != len(wanted):
        raise invalid(
            f"input size does not match signature: {len(given)}!={len(wanted)} "
            f"len({{{','.join(sorted(given))}}}) != len({{{','.join(sorted(wanted))}}}). Sent "
            f"extra: {{{','.join(sorted(given - wanted))}}}. Missing but required: "
            f"{{{','.join(sorted(wanted - given))}}}."
        )
    for name in sorted(given - wanted):
        raise invalid(
            f"input tensor alias not found in signature: {name}. Inputs expected to be in the set "
            f"{{{','.join(sorted(wanted))}}}."
        )
    inputs = {name: to_array(request.inputs[name], name) for name in sorted(given)}
    check_types(inputs, signature)
    return inputs


def _tasks(request: Any) -> tuple[ModelRef, list[Task]]:
    if not request.tasks:
        raise invalid("Inference request must have at least one task.")
    tasks: list[Task] = []
    refs = [_spec_ref(task.model_spec) for task in request.tasks]
    for proto in request.tasks:
        if proto.model_spec.name != refs[0].name:
            raise invalid(
                "All ModelSpecs in a MultiInferenceRequest must access the same model name."
            )
        task = default_task(proto.model_spec.signature_name, proto.method_name)
        if task.signature in {known.signature for known in tasks}:
            raise invalid(f"Duplicate evaluation of signature: {task.signature}")
        tasks.append(task)
    if len(set(refs)) > 1:
        raise invalid("All ModelSpecs in a MultiInferenceRequest must access the same version.")
    return refs[0], tasks


def _fill_result(result: Any, answer: Any, method: str) -> None:
    if method == REGRESS:
        for value in answer:
            result.regressions.add(value=value)
        return
    for classes in answer:
        row = result.classifications.add()
        for label, score in classes:
            try:
                row.classes.add(label=label.decode(), score=score)
            except UnicodeDecodeError:
                raise invalid("a class label of the model is not UTF-8.") from None


class ModelService(_Service, model_service_pb2_grpc.ModelServiceServicer):
    """GetModelStatus and HandleReloadConfigRequest."""

    async def GetModelStatus(self, request: Any, context: Any) -> Any:
        """States of a model's versions."""
        response = get_model_status_pb2.GetModelStatusResponse()
        async with self._call(context, request.model_spec.name, "GetModelStatus"):
            for version in self._engine.models.status(_ref(request)):
                status = response.model_version_status.add(
                    version=version.number, state=int(version.state)
                )
                if version.error:
                    # UNKNOWN, as for every reason that has no code of its own.
                    status.status.error_code = 2
                status.status.error_message = version.error
        return response

    async def HandleReloadConfigRequest(self, request: Any, context: Any) -> Any:
        """Serve another list of models."""
        response = model_management_pb2.ReloadConfigResponse()
        async with self._call(context, "", "HandleReloadConfigRequest"):
            try:
                configs = model_configs(request.config)
            except UsageError as error:
                raise invalid(str(error)) from error
            loop = asyncio.get_running_loop()
            # Loading takes its time; requests go on meanwhile.
            await loop.run_in_executor(None, self._engine.models.reload, configs)
            response.status.error_code = 0
        return response


def create_server(
    engine: Engine,
    access: Access,
    addresses: Sequence[str],
    credentials: grpc.ServerCredentials | None = None,
    options: Sequence[tuple[str, Any]] = (),
    as_content: bool = False,
) -> tuple[grpc.aio.Server, list[int]]:
    """A gRPC server, not yet started, and its ports.

    Args:
        engine: what answers.
        access: who may ask, and what is logged of it.
        addresses: each "host:port" (port 0 for a free one) or "unix:path".
        credentials: for TLS; None for plain connections.
        options: more of gRPC's channel arguments.
        as_content: answer with packed tensors.

    Raises:
        RunError: an address is in use.
    """
    limits = [
        ("grpc.max_receive_message_length", 2**31 - 1),
        ("grpc.max_send_message_length", 2**31 - 1),
        # Two servers on one port would each take half of the requests.
        ("grpc.so_reuseport", 0),
    ]
    server = grpc.aio.server(options=[*limits, *options])
    prediction = PredictionService(engine, access, as_content)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(prediction, server)
    model = ModelService(engine, access)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(model, server)
    ports = []
    for address in addresses:
        try:
            if credentials is None:
                ports.append(server.add_insecure_port(address))
            else:
                ports.append(server.add_secure_port(address, credentials))
        except RuntimeError:
            raise RunError(
                f"gRPC cannot listen at {address}; is it in use? Choose another --port (0 for any "
                "free one)."
            ) from None
    return server, ports
