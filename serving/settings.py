"""Settings of a server."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from zoo.errors import UsageError

from . import DEFAULT_HOST, DEFAULT_PORT
from .batching import BatchingParameters
from .engine import Limits
from .model_config import ModelConfig, read_model_config
from .servable import SessionOptions

DEFAULT_GRPC_PORT = 8500


@dataclasses.dataclass(frozen=True)
class Settings:
    """All settings of a server.

    Attributes:
        models: what to serve, unless `model_config_file` says it.
        model_config_file: a ModelServerConfig in text format.
        config_poll_seconds: how often to read that file again; 0 for never.
        poll_seconds: how often to look for new versions; 0 or less for never.
        host: address to listen at.
        port: REST port; 0: any free one.
        grpc_port: gRPC port; 0: any free one; None: no gRPC.
        grpc_socket_path: a Unix socket for gRPC beside its port; empty for none.
        grpc_options: more of gRPC's channel arguments.
        limits: what the server takes upon itself.
        batching: parameters of micro-batching; None for none.
        session: how SavedModels are loaded and run.
        warm_up: whether to run the requests that models bring along; how often each, 0 for never.
        labels_for_unavailable: take new labels of versions that are not loaded.
        strict_methods: classify and regress only signatures of these method names.
        as_content: gRPC answers with packed tensors.
        cors: pages of other servers may ask.
        metrics_path: where Prometheus reads.
        api_key_file: keys of which one is required; empty for none.
        access_log: write one line of JSON for each request to stderr.
        grpc_ssl_config: an SSLConfig in text format for gRPC; empty for plain connections.
        rest_certificate: PEM files of certificate and key for REST; None for plain connections.
    """

    models: Sequence[ModelConfig] = ()
    model_config_file: str = ""
    config_poll_seconds: float = 0
    poll_seconds: float = 1
    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    grpc_port: int | None = None
    grpc_socket_path: str = ""
    grpc_options: Sequence[tuple[str, int | str]] = ()
    limits: Limits = dataclasses.field(default_factory=Limits)
    batching: BatchingParameters | None = None
    session: SessionOptions = dataclasses.field(default_factory=SessionOptions)
    warm_up: int = 1
    labels_for_unavailable: bool = False
    strict_methods: bool = False
    as_content: bool = False
    cors: bool = False
    metrics_path: str = ""
    api_key_file: str = ""
    access_log: bool = False
    grpc_ssl_config: str = ""
    rest_certificate: tuple[str, str] | None = None

    def configs(self) -> list[ModelConfig]:
        """The models to serve.

        Raises:
            UsageError: there are none, or the file that lists them is wrong.
        """
        if self.model_config_file:
            found = read_model_config(self.model_config_file)
        else:
            found = list(self.models)
        if not found:
            raise UsageError(
                "nothing to serve: give --model_base_path, or a --model_config_file that lists "
                "models."
            )
        return found


def base_config(name: str, path: str | Path) -> ModelConfig:
    """The model in a folder of numbered versions, the newest of which is served."""
    return ModelConfig(name, Path(path))
