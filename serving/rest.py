"""TensorFlow Serving's REST interface as an ASGI application."""

from __future__ import annotations

import json
import os
import re
from typing import Any

import anyio
import anyio.to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from serving.codec import decode_inputs, encode_outputs, parse_request
from serving.errors import ServingError, invalid
from serving.models import Models

MAX_BODY_BYTES = 64 * 2**20
"""Largest request body; larger ones are refused with 413."""

_PREDICT = re.compile(r"/v1/models/([^/:]+)(?:/versions/(\d+))?:(\w+)", re.IGNORECASE)
_STATUS = re.compile(r"/v1/models/([^/:]+)(?:/versions/(\d+))?(/metadata)?", re.IGNORECASE)
_MAX_VERSION = 2**63 - 1


def create_app(models: Models, max_body_bytes: int = MAX_BODY_BYTES) -> Starlette:
    """The REST application over loaded models."""
    endpoints = _Endpoints(models, max_body_bytes)
    return Starlette(
        routes=[
            Route("/healthz", endpoints.health, methods=["GET"]),
            Route(
                "/v1/{rest:path}", endpoints.v1, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]
            ),
        ],
        exception_handlers={
            ServingError: _on_serving_error,
            HTTPException: _on_http_error,
            ClientDisconnect: _on_disconnect,
            Exception: _on_failure,
        },
    )


class _Endpoints:
    def __init__(self, models: Models, max_body_bytes: int) -> None:
        self._models = models
        self._max_body_bytes = max_body_bytes
        # More threads than cores would only make every request slower.
        self._limiter = anyio.CapacityLimiter(os.cpu_count() or 1)

    async def health(self, request: Request) -> Response:
        return JSONResponse({"status": "ok", "models": self._models.names})

    async def v1(self, request: Request) -> Response:
        path = request.url.path
        if request.method == "POST" and (match := _PREDICT.fullmatch(path)):
            name, version, verb = match.groups()
            if verb.lower() != "predict":
                raise ServingError("UNIMPLEMENTED", f":{verb} is not offered; use :predict.")
            body = await self._body(request)
            answer = await anyio.to_thread.run_sync(
                self._predict, name, _version(version), body, limiter=self._limiter
            )
            return Response(answer, media_type="application/json")
        if request.method == "GET" and (match := _STATUS.fullmatch(path)):
            name, version, metadata = match.groups()
            show = self._metadata if metadata else self._status
            return JSONResponse(show(name, _version(version)))
        raise invalid(
            f"Malformed request: {request.method} {path}; expected is POST "
            "/v1/models/MODEL[/versions/VERSION]:predict, or GET "
            "/v1/models/MODEL[/versions/VERSION][/metadata]."
        )

    def _predict(self, name: str, version: int | None, body: bytes) -> bytes:
        _, servable = self._models.servable(name, version)
        request = parse_request(body)
        _, signature = servable.signature(request.signature)
        inputs = decode_inputs(request, signature.inputs)
        return encode_outputs(servable.predict(request.signature, inputs), request.row)

    def _status(self, name: str, version: int | None) -> dict[str, Any]:
        if version is not None:
            self._models.servable(name, version)
        versions = self._models.model(name).versions if version is None else [version]
        return {
            "model_version_status": [
                {
                    "version": str(number),
                    "state": "AVAILABLE",
                    "status": {"error_code": "OK", "error_message": ""},
                }
                for number in sorted(versions, reverse=True)
            ]
        }

    def _metadata(self, name: str, version: int | None) -> dict[str, Any]:
        number, servable = self._models.servable(name, version)
        return {
            "model_spec": {"name": name, "signature_name": "", "version": str(number)},
            "metadata": {"signature_def": {"signature_def": servable.signature_defs()}},
        }

    async def _body(self, request: Request) -> bytes:
        limit = self._max_body_bytes
        too_large = ServingError(
            "INVALID_ARGUMENT",
            f"the request body is larger than {limit} bytes; send fewer instances at a time.",
            status=413,
        )
        length = request.headers.get("content-length", "")
        if length.isdecimal() and int(length) > limit:
            raise too_large
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                raise too_large
        return bytes(body)


def _version(text: str | None) -> int | None:
    if text is None:
        return None
    if len(text) > 19 or int(text) > _MAX_VERSION:
        raise invalid(f"Failed to convert version: {text} to numeric.")
    return int(text)


async def _on_serving_error(request: Request, error: Exception) -> Response:
    status = error.status if isinstance(error, ServingError) else 500
    return _error(str(error), status)


async def _on_http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return _error(
        f"{request.method} {request.url.path}: nothing here; see /v1/models/MODEL.", status
    )


async def _on_disconnect(request: Request, error: Exception) -> Response:
    return Response(status_code=499)


async def _on_failure(request: Request, error: Exception) -> Response:
    # The traceback is logged by the server, which sees the exception as well.
    return _error(f"the server failed on this request: {type(error).__name__}.", 500)


def _error(message: str, status: int) -> Response:
    return Response(json.dumps({"error": message}), status, media_type="application/json")
