"""`python -m serving`, with the flags of tensorflow_model_server."""

from __future__ import annotations

import argparse
import sys

from zoo.errors import RunError, UsageError


def main(argv: list[str] | None = None) -> int:
    """Serve one model; returns the exit code: 0, 1 (run-time failure) or 2 (wrong use)."""
    from serving.server import DEFAULT_HOST, DEFAULT_PORT, serve

    parser = argparse.ArgumentParser(
        prog="python -m serving",
        description="Serve a SavedModel over TensorFlow Serving's REST interface.",
        allow_abbrev=False,
    )
    parser.add_argument("--model_name", default="default", help="name in the URL (%(default)s)")
    parser.add_argument(
        "--model_base_path", required=True, help="folder of numbered SavedModels; the highest one"
    )
    parser.add_argument(
        "--rest_api_port", type=int, default=DEFAULT_PORT, help="0 for a free one (%(default)s)"
    )
    parser.add_argument(
        "--rest_api_host", default=DEFAULT_HOST, help="address to listen at (%(default)s)"
    )
    args = parser.parse_args(argv)
    try:
        serve({args.model_name: args.model_base_path}, args.rest_api_host, args.rest_api_port)
    except (UsageError, RunError) as error:
        print(f"serving: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
