"""TLS for gRPC, from the file that tensorflow_model_server takes."""

from __future__ import annotations

import grpc

from zoo.errors import UsageError

from . import text_proto


def grpc_credentials(path: str) -> grpc.ServerCredentials:
    """The credentials in an `--ssl_config_file`, an SSLConfig in text format.

    Raises:
        UsageError: the file is missing or wrong.
    """
    fields: text_proto.Fields = {
        "server_key": (1, "string"),
        "server_cert": (2, "string"),
        "custom_ca": (3, "string"),
        "client_verify": (4, "bool"),
    }
    config = text_proto.read(path, text_proto.define("SSLConfig", fields))
    if not (config.server_key and config.server_cert):
        raise UsageError(f"{path} must hold server_key and server_cert, as PEM.")
    if config.client_verify and not config.custom_ca:
        raise UsageError(f"{path}: client_verify needs custom_ca.")
    return grpc.ssl_server_credentials(
        [(config.server_key.encode(), config.server_cert.encode())],
        config.custom_ca.encode() or None,
        config.client_verify,
    )
