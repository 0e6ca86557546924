"""Which models to serve: flags, `--model_config_file`, and configurations sent over gRPC."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.errors import UsageError

from . import text_proto
from .versions import VersionPolicy

_PLATFORM = "tensorflow"


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """One model to serve.

    Attributes:
        name: in requests.
        base_path: folder of its numbered versions.
        policy: which of them to serve.
        labels: label -> version, for requests.

    Raises:
        UsageError: the name cannot be part of an address.
    """

    name: str
    base_path: Path
    policy: VersionPolicy = dataclasses.field(default_factory=VersionPolicy)
    labels: Mapping[str, int] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.name or "/" in self.name or ":" in self.name:
            raise UsageError(f"the model name {self.name!r} must not be empty or hold '/' or ':'.")


def read_model_config(path: str | Path) -> list[ModelConfig]:
    """The models of a `--model_config_file`, a ModelServerConfig in text format.

    Raises:
        UsageError: the file is missing or wrong.
    """
    from tensorflow_serving.config import model_server_config_pb2

    return model_configs(text_proto.read(path, model_server_config_pb2.ModelServerConfig()))


def model_configs(config: Any) -> list[ModelConfig]:
    """The models of a ModelServerConfig.

    Raises:
        UsageError: it is no list of models, lists one twice, or asks for what there is not.
    """
    if config.WhichOneof("config") != "model_config_list":
        raise UsageError(
            "ServerModelConfig type not supported: only model_config_list is currently supported."
        )
    models: dict[str, ModelConfig] = {}
    for entry in config.model_config_list.config:
        if entry.name in models:
            raise UsageError(f"Illegal to list model {entry.name} multiple times in config list.")
        # The number 1 is TensorFlow in the enumeration that model_platform replaced.
        if entry.model_platform not in ("", _PLATFORM) or entry.model_type not in (0, 1):
            raise UsageError(
                f"Model {entry.name} requests unsupported platform {entry.model_platform}; "
                f'model_platform must be "{_PLATFORM}".'
            )
        if not entry.base_path:
            raise UsageError(f"model {entry.name} has no base_path.")
        models[entry.name] = ModelConfig(
            entry.name,
            Path(entry.base_path),
            _policy(entry.model_version_policy),
            dict(entry.version_labels),
        )
    return list(models.values())


def _policy(proto: Any) -> VersionPolicy:
    choice = proto.WhichOneof("policy_choice")
    if choice == "all":
        return VersionPolicy(latest=None)
    if choice == "specific":
        if not proto.specific.versions:
            raise UsageError("model_version_policy: specific needs one version or more.")
        return VersionPolicy(specific=frozenset(proto.specific.versions))
    return VersionPolicy(latest=proto.latest.num_versions or 1)
