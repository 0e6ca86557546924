"""Errors of the model server, named as gRPC names them, and their HTTP status codes."""

from __future__ import annotations

HTTP_STATUS = {
    "CANCELLED": 499,
    "UNKNOWN": 500,
    "INVALID_ARGUMENT": 400,
    "DEADLINE_EXCEEDED": 504,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "PERMISSION_DENIED": 403,
    "RESOURCE_EXHAUSTED": 429,
    "FAILED_PRECONDITION": 400,
    "ABORTED": 409,
    "OUT_OF_RANGE": 400,
    "UNIMPLEMENTED": 501,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DATA_LOSS": 500,
    "UNAUTHENTICATED": 401,
}
"""Code -> HTTP status, as TensorFlow Serving answers."""


class ServingError(Exception):
    """A request cannot be answered.

    Args:
        code: a key of `HTTP_STATUS`.
        message: what was wrong, and what was expected.
        status: HTTP status, where it is not the code's.

    Attributes:
        from_model: whether the message is the model author's own sentence.
    """

    def __init__(self, code: str, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.from_model = False
        self.status = HTTP_STATUS[code] if status is None else status


def invalid(message: str) -> ServingError:
    """The client's request is wrong: 400."""
    return ServingError("INVALID_ARGUMENT", message)
