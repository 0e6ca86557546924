"""`zoo serve`: exported models over TensorFlow Serving's REST and gRPC interfaces."""

from __future__ import annotations

import dataclasses

from zoo.errors import UsageError
from zoo.extras import require
from zoo.settings import between, option
from zoo.siblings import sibling


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """Options of `zoo serve`."""

    model: list[str] = option(
        metavar="NAME=PATH",
        help="Name of a model in the URL, and its export folder; may be given several times",
    )
    port: int = option(
        sibling("serving").DEFAULT_PORT,
        check=between(0, 65535),
        help="Port of REST; 0: any free port",
    )
    grpc_port: int | None = option(
        None,
        metavar="PORT",
        check=between(0, 65535),
        help="Port of gRPC; 0: any free port",
        shown="gRPC is disabled",
    )
    batching: bool = option(False, help="Run requests that wait at the same time as one batch")
    host: str = option(sibling("serving").DEFAULT_HOST, help="Address to listen at")


def run(options: Options) -> None:
    """Serve until the process is told to stop."""
    paths = {}
    for model in options.model:
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
            host=options.host,
            port=options.port,
            grpc_port=options.grpc_port,
            batching=sibling("serving.batching").BatchingParameters() if options.batching else None,
        )
    )
