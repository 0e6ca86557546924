"""`zoo serve`: exported models over TensorFlow Serving's REST and gRPC interfaces."""

from __future__ import annotations

import argparse

from zoo.errors import UsageError
from zoo.extras import require
from zoo.siblings import sibling


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    """Describe the command's arguments."""
    parser.add_argument(
        "--model",
        action="append",
        required=True,
        metavar="NAME=PATH",
        help="name in the URL and folder of exported versions; may be given several times",
    )
    parser.add_argument(
        "--port", type=int, default=8501, help="0 for a free one (default: %(default)s)"
    )
    parser.add_argument(
        "--grpc-port", type=int, metavar="PORT", help="0 for a free one (default: no gRPC)"
    )
    parser.add_argument(
        "--batching", action="store_true", help="run requests that wait at the same time together"
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen at (default: %(default)s)"
    )


def run(args: argparse.Namespace) -> None:
    """Serve until the process is told to stop."""
    paths = {}
    for model in args.model:
        name, separator, path = model.partition("=")
        if not (name and separator and path):
            raise UsageError(
                f"--model takes NAME=PATH, such as phones=exported; received {model!r}."
            )
        if name in paths:
            raise UsageError(f"--model names {name!r} twice; every model needs its own name.")
        paths[name] = path
    require("serving")
    settings = sibling("serving.settings")
    sibling("serving.server").serve(
        settings.Settings(
            models=[settings.base_config(name, path) for name, path in paths.items()],
            host=args.host,
            port=args.port,
            grpc_port=args.grpc_port,
            batching=sibling("serving.batching").BatchingParameters() if args.batching else None,
        )
    )
