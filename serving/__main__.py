"""`python -m serving`, with the flags of tensorflow_model_server."""

from __future__ import annotations

import sys

from zoo.errors import RunError, UsageError
from zoo.extras import require


def main(argv: list[str] | None = None) -> int:
    """Serve; returns the exit code: 0, 1 (run-time failure) or 2 (wrong use)."""
    try:
        require("serving")
        from .flags import parse
        from .server import serve

        settings = parse(argv)
        if settings is None:
            from importlib.metadata import version

            print(f"phone-zoo {version('phone-zoo')}, serving as tensorflow_model_server does")
            return 0
        serve(settings)
    except (UsageError, RunError) as error:
        print(f"serving: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
