"""Access to the server: API keys, request ids and the access log."""

from __future__ import annotations

import hmac
import json
import random
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO

from zoo.errors import UsageError

from .errors import ServingError

_ID = re.compile(r"[\x21-\x7e]{1,128}")


def read_api_keys(path: str | Path) -> list[str]:
    """The keys in a file, one a line.

    Raises:
        UsageError: the file cannot be read or holds no key.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read as a file of API keys ({error}).") from None
    keys = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not keys:
        raise UsageError(f"{path} holds no API key; one a line is expected.")
    return keys


class Access:
    """Checks keys and writes the access log.

    Args:
        keys: any of these is required, as `Authorization: Bearer KEY` or `X-API-Key: KEY`; none
            for a server that answers everyone.
        log: where to write one line of JSON for each request; None for no log.
    """

    def __init__(self, keys: Sequence[str] = (), log: TextIO | None = None) -> None:
        self._keys = [key.encode() for key in keys]
        self._log = log

    @property
    def logs(self) -> bool:
        """Whether requests are logged."""
        return self._log is not None

    def check(self, header: Callable[[str], str | None]) -> None:
        """Check that a request has a valid key.

        Args:
            header: value of a header (or of gRPC metadata) by its lower-case name.

        Raises:
            ServingError: it carries none, or a wrong one.
        """
        if not self._keys:
            return
        scheme, _, bearer = (header("authorization") or "").partition(" ")
        given = bearer.strip() if scheme.lower() == "bearer" else header("x-api-key") or ""
        # Every key is compared, in constant time: nothing can be learnt from how long it takes.
        if not sum(hmac.compare_digest(given.encode(), key) for key in self._keys):
            raise ServingError(
                "UNAUTHENTICATED",
                "an API key is required: Authorization: Bearer KEY, or X-API-Key: KEY.",
            )

    def request_id(self, given: str | None) -> str:
        """The client's own id of a request if it is printable, else a new one."""
        return given if given and _ID.fullmatch(given) else f"{random.getrandbits(128):032x}"

    def log(
        self,
        protocol: str,
        method: str,
        path: str,
        status: int | str,
        start: float,
        request_id: str,
        peer: str,
        size: int,
    ) -> None:
        """Log one request.

        Args:
            protocol: "REST" or "gRPC".
            method: HTTP method; "POST" for gRPC.
            path: what was asked for.
            status: status of the answer.
            start: `time.perf_counter` when the request came.
            request_id: its id.
            peer: who asked.
            size: bytes of the answer.
        """
        entry = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "protocol": protocol,
            "method": method,
            "path": path[:500],
            "status": status,
            "milliseconds": round((time.perf_counter() - start) * 1e3, 3),
            "bytes": size,
            "peer": peer,
            "request_id": request_id,
        }
        print(json.dumps(entry), file=self._log or sys.stderr, flush=True)
