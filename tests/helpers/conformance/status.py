"""What there is of a model, over REST."""

from tests.helpers.conformance.paths import ADDS, HALF


def status(*versions):
    good = {"error_code": "OK", "error_message": ""}
    return {
        "model_version_status": [
            {"version": str(number), "state": "AVAILABLE", "status": good} for number in versions
        ]
    }


STATUS = [
    ("GET", HALF, None, status(123)),
    ("GET", f"{HALF}/versions/123", None, status(123)),
    ("GET", ADDS, None, status(3, 2)),
    ("GET", f"{ADDS}/versions/2", None, status(2)),
    ("GET", f"{ADDS}/labels/stable", None, status(2)),
]
