"""Bodies of HTTP requests and answers: size limits, gzip."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from .errors import ServingError, invalid

MIN_COMPRESSED = 4096
"""Answers from this many bytes on are compressed for clients that take it."""

Header = Callable[[str], str | None]
"""Gives the value of a header by its lower-case name, None where it was not sent."""

# The largest part of the gain for a tenth of the time of the default level.
_LEVEL = 1


def _too_large(limit: int) -> ServingError:
    return ServingError(
        "INVALID_ARGUMENT",
        f"the request body is larger than {limit} bytes; send fewer instances at a time.",
        status=413,
    )


async def read_body(header: Header, receive: Receive, limit: int) -> bytes:
    """A request's body, uncompressed.

    Args:
        header: header of the request.
        receive: gives the body piece by piece, as in ASGI.
        limit: most bytes of it.

    Raises:
        ServingError: it is larger than `limit`, compressed or not, or no valid gzip.
        ClientDisconnect: the client went before it was sent.
    """
    length = header("content-length") or ""
    if length.isdecimal() and (len(length) > 18 or int(length) > limit):
        raise _too_large(limit)
    chunks = []
    size = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > limit:
            raise _too_large(limit)
        more = message.get("more_body", False)
    body = b"".join(chunks)
    encoding = (header("content-encoding") or "identity").strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding != "gzip":
        raise ServingError(
            "INVALID_ARGUMENT",
            f"Content-Encoding {encoding[:40]!r} is not supported; gzip or none is expected.",
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


def compressed(body: bytes) -> bytes:
    """An answer with gzip."""
    return gzip.compress(body, _LEVEL)
