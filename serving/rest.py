"""TensorFlow Serving's REST interface as an ASGI application.

Reference: TensorFlow Serving, g3doc/api_rest.md and model_servers/http_rest_api_util.cc.
"""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from .access import Access
from .answers import encode_outputs, encode_results
from .bodies import MIN_COMPRESSED, Header, compressed, read_body
from .codec import decode_inputs, parse_request
from .engine import Engine
from .errors import ServingError, invalid
from .examples import CLASSIFY, REGRESS, default_task, parse_examples
from .metrics import CONTENT_TYPE
from .models import ModelRef
from .signature_json import signature_defs

METRICS_PATH = "/monitoring/prometheus/metrics"
STATIC = Path(__file__).with_name("static")

_SMALL = 2**20
"""Bodies up to this many bytes are decoded in the event loop where their run is batched.

It takes a millisecond or two, in which a thread would keep Python's lock all the same.
"""

# As in TensorFlow Serving, the case of the path is free, that of the verb is not.
_NAME = r"(?i:/v1/models/)([^/:]+)(?:(?i:/versions/)([0-9]+)|(?i:/labels/)([^/:]+))?"
_CALL = re.compile(_NAME + ":(classify|regress|predict)")
_SHOW = re.compile(_NAME + "((?i:/metadata))?")
_MAX_VERSION = 2**63 - 1
_METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]
_CORS = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"POST, GET"),
    (b"access-control-allow-headers", b"Content-Type"),
]


def create_app(
    engine: Engine, access: Access | None = None, cors: bool = False, metrics_path: str = ""
) -> ASGIApp:
    """The REST application.

    Args:
        engine: what answers.
        access: who may ask, and what is logged of it; by default all, and nothing.
        cors: whether pages of other servers may ask.
        metrics_path: where the metrics are; `METRICS_PATH` by default.
    """
    access = access or Access()
    endpoints = _Endpoints(engine, access)
    routes: list[BaseRoute] = [
        Route("/healthz", endpoints.health, methods=["GET"]),
        Route("/readyz", endpoints.ready, methods=["GET"]),
        Route(metrics_path or METRICS_PATH, endpoints.metrics, methods=_METHODS),
    ]
    if (STATIC / "index.html").is_file():
        routes.append(Mount("/", StaticFiles(directory=STATIC, html=True)))
    others = Starlette(
        routes=routes,
        exception_handlers={HTTPException: _on_http_error, Exception: _on_failure},
    )
    models = _Models(engine, access, cors)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        # Routing and middleware would take a sixth of the time of a request for a model.
        models_asked = scope["type"] == "http" and scope["path"][:4] in ("/v1/", "/V1/")
        await (models if models_asked else others)(scope, receive, send)

    return app


class _Endpoints:
    """What is there besides models."""

    def __init__(self, engine: Engine, access: Access) -> None:
        self._engine = engine
        self._access = access

    async def health(self, request: Request) -> Response:
        return _response(_json({"status": "ok", "models": self._engine.models.names}))

    async def ready(self, request: Request) -> Response:
        served = self._engine.models.served()
        if self._engine.draining:
            return _response(_json({"status": "stopping", "models": served}, 503))
        if not self._engine.models.ready():
            return _response(_json({"status": "loading", "models": served}, 503))
        return _response(_json({"status": "ready", "models": served}))

    async def metrics(self, request: Request) -> Response:
        try:
            self._access.check(request.headers.get)
        except ServingError as error:
            return _response(_refusal(error.message, error.status))
        return Response(self._engine.metrics.text(), headers={"content-type": CONTENT_TYPE})


class _Reply(NamedTuple):
    """JSON, and the status that it is sent with."""

    body: bytes
    status: int = 200


class _Models:
    """Everything below /v1, as an ASGI application."""

    def __init__(self, engine: Engine, access: Access, cors: bool) -> None:
        self._engine = engine
        self._access = access
        self._cors = cors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = time.perf_counter()
        # Of a header that comes twice, the first counts.
        headers = dict(reversed(scope["headers"]))

        def header(name: str) -> str | None:
            value = headers.get(name.encode())
            return None if value is None else value.decode("latin-1")

        request_id = self._access.request_id(header("x-request-id"))
        # What was sent, not yet unquoted: a name may hold a quoted slash.
        raw = scope.get("raw_path") or scope["path"].encode()
        path = raw.decode("latin-1").partition("?")[0]
        try:
            reply = await self._reply(scope["method"], path, header, receive)
        except ClientDisconnect:
            return
        except Exception as error:
            await self._send(send, _failure(error), header, request_id)
            raise
        await self._send(send, reply, header, request_id)
        if self._access.logs:
            self._access.log(
                protocol="REST",
                method=scope["method"],
                path=path,
                status=reply.status,
                start=start,
                request_id=request_id,
                peer=scope["client"][0] if scope.get("client") else "",
                size=len(reply.body),
            )

    async def _reply(self, method: str, path: str, header: Header, receive: Receive) -> _Reply:
        seconds = self._engine.limits.timeout_seconds
        try:
            async with asyncio.timeout(seconds or None):
                if method == "OPTIONS":
                    # Before the key is asked for: browsers send none with this.
                    return _preflight(header("origin") or "")
                self._access.check(header)
                return await self._answer(method, path, header, receive)
        except ServingError as error:
            return _refusal(error.message, error.status)
        except TimeoutError:
            return _refusal(f"Timed out: no answer within {seconds:g} s.", 504)

    async def _send(self, send: Send, reply: _Reply, header: Header, request_id: str) -> None:
        body = reply.body
        headers = [(b"content-type", b"application/json"), (b"x-request-id", request_id.encode())]
        if len(body) >= MIN_COMPRESSED and "gzip" in (header("accept-encoding") or ""):
            body = compressed(body)
            headers += [(b"content-encoding", b"gzip"), (b"vary", b"Accept-Encoding")]
        headers.append((b"content-length", str(len(body)).encode()))
        if self._cors:
            headers += _CORS
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, method: str, path: str, header: Header, receive: Receive) -> _Reply:
        if method == "POST" and (match := _CALL.fullmatch(path)):
            ref, verb = _ref(*match.groups()[:3]), match[4]
            with self._engine.admitted(ref.name, verb.capitalize(), "REST"):
                body = await read_body(header, receive, self._engine.limits.max_body_bytes)
                if verb == "predict":
                    return _Reply(await self._predict(ref, body))
                return _Reply(await self._examples(ref, body, verb))
        if method == "GET":
            if match := _SHOW.fullmatch(path):
                ref = _ref(*match.groups()[:3])
                return _json(self._metadata(ref) if match[4] else self._status(ref))
            if re.fullmatch("/v1/models(/metadata)?/?", path, re.IGNORECASE):
                raise invalid(
                    "Missing model name in request; the models here are: "
                    f"{', '.join(self._engine.models.names)}."
                )
        raise invalid(
            f"Malformed request: {method} {path}; expected is POST "
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
        _, (answer,) = await self._engine.examples(ref, [task], lambda: examples, verb.capitalize())
        return encode_results(answer)

    def _status(self, ref: ModelRef) -> dict[str, Any]:
        return {
            "model_version_status": [
                {
                    "version": str(version.number),
                    "state": version.state.name,
                    "status": {
                        "error_code": "UNKNOWN" if version.error else "OK",
                        "error_message": version.error,
                    },
                }
                for version in self._engine.models.status(ref)
            ]
        }

    def _metadata(self, ref: ModelRef) -> dict[str, Any]:
        with self._engine.models.use(ref) as (number, servable):
            definitions = signature_defs(servable.signature_defs)
        return {
            "model_spec": {"name": ref.name, "signature_name": "", "version": str(number)},
            "metadata": {"signature_def": {"signature_def": definitions}},
        }


def _ref(name: str, version: str | None, label: str | None) -> ModelRef:
    if version is not None and (len(version) > 19 or int(version) > _MAX_VERSION):
        raise invalid(f"Failed to convert version: {version[:40]} to numeric.")
    return ModelRef(
        unquote(name),
        int(version) if version is not None else None,
        unquote(label) if label is not None else None,
    )


def _preflight(origin: str) -> _Reply:
    if not re.search("https?://", origin):
        raise ServingError(
            "FAILED_PRECONDITION",
            "Origin header is missing in CORS preflight; http:// or https:// and a host were "
            "expected.",
        )
    # Whether that page may ask, the headers say: there are none where it may not.
    return _Reply(b"")


def _json(value: Any, status: int = 200) -> _Reply:
    return _Reply(orjson.dumps(value), status)


def _refusal(message: str, status: int) -> _Reply:
    # A lone surrogate in what the client sent has no UTF-8.
    return _json({"error": message.encode(errors="replace").decode()}, status)


def _failure(error: Exception) -> _Reply:
    # The traceback is logged by the server, which sees the exception as well.
    return _refusal(f"the server failed on this request: {type(error).__name__}.", 500)


def _response(reply: _Reply) -> Response:
    return Response(reply.body, reply.status, media_type="application/json")


async def _on_http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 405:
        # TensorFlow Serving knows no path outside /v1 but that of the metrics, by any method.
        status = 404
    message = f"{request.method} {request.url.path[:200]}: nothing here; see /v1/models/MODEL."
    return _response(_refusal(message, status))


async def _on_failure(request: Request, error: Exception) -> Response:
    return _response(_failure(error))
