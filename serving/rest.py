"""TensorFlow Serving's REST interface as an ASGI application.

Reference: TensorFlow Serving, g3doc/api_rest.md and model_servers/http_rest_api_util.cc.
"""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from serving.access import Access
from serving.answers import encode_outputs, encode_results
from serving.bodies import compressed, read_body
from serving.codec import decode_inputs, parse_request
from serving.engine import Engine
from serving.errors import ServingError, invalid
from serving.examples import CLASSIFY, REGRESS, default_task, parse_examples
from serving.metrics import CONTENT_TYPE
from serving.models import ModelRef
from serving.signature_json import signature_defs

METRICS_PATH = "/monitoring/prometheus/metrics"
STATIC = Path(__file__).with_name("static")

_SMALL = 256 * 2**10
"""Bodies up to this many bytes are decoded in the event loop where their run is batched."""

# As in TensorFlow Serving, the case of the path is free, that of the verb is not.
_NAME = r"(?i:/v1/models/)([^/:]+)(?:(?i:/versions/)([0-9]+)|(?i:/labels/)([^/:]+))?"
_CALL = re.compile(_NAME + ":(classify|regress|predict)")
_SHOW = re.compile(_NAME + "((?i:/metadata))?")
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_MAX_VERSION = 2**63 - 1
_CORS = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "POST, GET",
    "access-control-allow-headers": "Content-Type",
}


def create_app(
    engine: Engine, access: Access | None = None, cors: bool = False, metrics_path: str = ""
) -> Starlette:
    """The REST application.

    Args:
        engine: what answers.
        access: who may ask, and what is logged of it; by default all, and nothing.
        cors: whether pages of other servers may ask.
        metrics_path: where the metrics are; `METRICS_PATH` by default.
    """
    endpoints = _Endpoints(engine, access or Access(), cors)
    routes: list[BaseRoute] = [
        Route("/v1/{rest:path}", endpoints.v1, methods=_METHODS),
        Route("/V1/{rest:path}", endpoints.v1, methods=_METHODS),
        Route("/healthz", endpoints.health, methods=["GET"]),
        Route("/readyz", endpoints.ready, methods=["GET"]),
        Route(metrics_path or METRICS_PATH, endpoints.metrics, methods=["GET"]),
    ]
    if (STATIC / "index.html").is_file():
        routes.append(Mount("/", StaticFiles(directory=STATIC, html=True)))
    return Starlette(
        routes=routes,
        exception_handlers={
            HTTPException: _on_http_error,
            ClientDisconnect: _on_disconnect,
            Exception: _on_failure,
        },
    )


class _Endpoints:
    def __init__(self, engine: Engine, access: Access, cors: bool) -> None:
        self._engine = engine
        self._access = access
        self._cors = cors

    async def health(self, request: Request) -> Response:
        return _json({"status": "ok", "models": self._engine.models.names})

    async def ready(self, request: Request) -> Response:
        served = self._engine.models.served()
        if self._engine.draining:
            return _json({"status": "stopping", "models": served}, 503)
        if not self._engine.models.ready():
            return _json({"status": "loading", "models": served}, 503)
        return _json({"status": "ready", "models": served})

    async def metrics(self, request: Request) -> Response:
        try:
            self._access.check(request.headers.get)
        except ServingError as error:
            return _error(error.message, error.status)
        return Response(self._engine.metrics.text(), headers={"content-type": CONTENT_TYPE})

    async def v1(self, request: Request) -> Response:
        start = time.perf_counter()
        request_id = self._access.request_id(request.headers.get("x-request-id"))
        # What was sent, not yet unquoted: a name may hold a quoted slash.
        raw = request.scope.get("raw_path") or request.url.path.encode()
        path = raw.decode("latin-1").partition("?")[0]
        size = 0
        try:
            async with asyncio.timeout(self._engine.limits.timeout_seconds or None):
                if request.method == "OPTIONS" and self._cors:
                    response = Response(status_code=200)
                else:
                    self._access.check(request.headers.get)
                    response = await self._answer(request, path)
        except ServingError as error:
            response = _error(error.message, error.status)
        except TimeoutError:
            response = _error(
                f"Timed out: no answer within {self._engine.limits.timeout_seconds:g} s.", 504
            )
        size = len(response.body)
        if size and "gzip" in request.headers.get("accept-encoding", ""):
            response = compressed(response)
        response.headers["x-request-id"] = request_id
        if self._cors:
            response.headers.update(_CORS)
        if self._access.logs:
            peer = request.client.host if request.client else ""
            self._access.log(
                "REST", request.method, path, response.status_code, start, request_id, peer, size
            )
        return response

    async def _answer(self, request: Request, path: str) -> Response:
        if request.method == "POST" and (match := _CALL.fullmatch(path)):
            ref, verb = _ref(*match.groups()[:3]), match[4]
            api = verb.capitalize()
            async with self._engine.admitted(ref.name, api, "REST"):
                body = await read_body(request, self._engine.limits.max_body_bytes)
                if verb == "predict":
                    return _body(await self._predict(ref, body))
                return _body(await self._examples(ref, body, verb))
        if request.method in ("GET", "HEAD"):
            if match := _SHOW.fullmatch(path):
                ref = _ref(*match.groups()[:3])
                return self._metadata(ref) if match[4] else self._status(ref)
            if re.fullmatch("/v1/models(/metadata)?/?", path, re.IGNORECASE):
                raise invalid(
                    "Missing model name in request; the models here are: "
                    f"{', '.join(self._engine.models.names)}."
                )
        raise invalid(
            f"Malformed request: {request.method} {path}; expected is POST "
            "/v1/models/MODEL[/versions/VERSION|/labels/LABEL]:predict (or :classify, :regress), "
            "or GET /v1/models/MODEL[/versions/VERSION|/labels/LABEL][/metadata]."
        )

    async def _predict(self, ref: ModelRef, body: bytes) -> bytes:
        engine = self._engine
        small = len(body) <= _SMALL
        request = parse_request(body) if small else await engine.thread(lambda: parse_request(body))
        with engine.models.use(ref) as (_, servable):
            name, signature = servable.signature(request.signature)
            decode = lambda: decode_inputs(request, signature.inputs)  # noqa: E731
            if not engine.batches(servable, name):

                def work() -> bytes:
                    outputs = engine.predict_now(ref.name, servable, name, decode())
                    return encode_outputs(outputs, request.row)

                return await engine.thread(work)
            inputs = decode() if small else await engine.thread(decode)
            outputs = await engine.predict(ref.name, servable, name, inputs)
            return encode_outputs(outputs, request.row)

    async def _examples(self, ref: ModelRef, body: bytes, verb: str) -> bytes:
        name, examples = await self._engine.thread(lambda: parse_examples(body))
        task = default_task(name, CLASSIFY if verb == "classify" else REGRESS)
        _, (answer,) = await self._engine.examples(ref, [task], examples, verb.capitalize())
        return encode_results(answer)

    def _status(self, ref: ModelRef) -> Response:
        versions = self._engine.models.status(ref)
        return _json(
            {
                "model_version_status": [
                    {
                        "version": str(version.number),
                        "state": version.state.name,
                        "status": {
                            "error_code": "UNKNOWN" if version.error else "OK",
                            "error_message": version.error,
                        },
                    }
                    for version in versions
                ]
            }
        )

    def _metadata(self, ref: ModelRef) -> Response:
        with self._engine.models.use(ref) as (number, servable):
            definitions = signature_defs(servable.signature_defs)
        return _json(
            {
                "model_spec": {"name": ref.name, "signature_name": "", "version": str(number)},
                "metadata": {"signature_def": {"signature_def": definitions}},
            }
        )


def _ref(name: str, version: str | None, label: str | None) -> ModelRef:
    if version is not None and (len(version) > 19 or int(version) > _MAX_VERSION):
        raise invalid(f"Failed to convert version: {version[:40]} to numeric.")
    return ModelRef(
        unquote(name),
        int(version) if version is not None else None,
        unquote(label) if label is not None else None,
    )


def _body(content: bytes) -> Response:
    return Response(content, media_type="application/json")


def _json(value: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status, media_type="application/json")


def _error(message: str, status: int) -> Response:
    # A lone surrogate in what the client sent has no UTF-8.
    text = message.encode(errors="replace").decode()
    return _json({"error": text}, status)


async def _on_http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return _error(
        f"{request.method} {request.url.path[:200]}: nothing here; see /v1/models/MODEL.", status
    )


async def _on_disconnect(request: Request, error: Exception) -> Response:
    return Response(status_code=499)


async def _on_failure(request: Request, error: Exception) -> Response:
    # The traceback is logged by the server, which sees the exception as well.
    return _error(f"the server failed on this request: {type(error).__name__}.", 500)
