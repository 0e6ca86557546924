"""Bodies of HTTP requests and answers: size limits, gzip."""

from __future__ import annotations

import gzip
import zlib

from starlette.requests import Request
from starlette.responses import Response

from serving.errors import ServingError, invalid

MIN_COMPRESSED = 4096
"""Answers from this many bytes on are compressed for clients that take it."""

# The largest part of the gain for a tenth of the time of the default level.
_LEVEL = 1


def _too_large(limit: int) -> ServingError:
    return ServingError(
        "INVALID_ARGUMENT",
        f"the request body is larger than {limit} bytes; send fewer instances at a time.",
        status=413,
    )


async def read_body(request: Request, limit: int) -> bytes:
    """A request's body, uncompressed.

    Raises:
        ServingError: it is larger than `limit` bytes, compressed or not, or no valid gzip.
    """
    length = request.headers.get("content-length", "")
    if length.isdecimal() and (len(length) > 18 or int(length) > limit):
        raise _too_large(limit)
    chunks = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        chunks.append(chunk)
    body = b"".join(chunks)
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding != "gzip":
        raise ServingError(
            "INVALID_ARGUMENT",
            f"Content-Encoding {encoding[:40]!r} is not taken; gzip or none is expected.",
            status=415,
        )
    return _gunzip(body, limit)


def _gunzip(body: bytes, limit: int) -> bytes:
    unzip = zlib.decompressobj(wbits=31)
    try:
        # One byte more than allowed shows that there is more, without unpacking all of it.
        data = unzip.decompress(body, limit + 1)
    except zlib.error:
        raise invalid("the request body is not valid gzip, as its Content-Encoding says.") from None
    if len(data) > limit:
        raise _too_large(limit)
    if not unzip.eof:
        raise invalid("the request body is not valid gzip: it ends too early.")
    return data


def compressed(response: Response) -> Response:
    """The answer with gzip, where it is worth it."""
    if len(response.body) < MIN_COMPRESSED:
        return response
    headers = {"content-encoding": "gzip", "vary": "Accept-Encoding"}
    return Response(
        gzip.compress(bytes(response.body), _LEVEL),
        response.status_code,
        headers,
        media_type=response.media_type,
    )
