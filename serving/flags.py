"""The flags of tensorflow_model_server, and a few of our own."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, NoReturn

from zoo.errors import UsageError

from . import DEFAULT_HOST, DEFAULT_PORT, text_proto
from .batching import BatchingParameters
from .engine import Limits
from .servable import SessionOptions
from .settings import (
    DEFAULT_GRPC_PORT,
    Settings,
    base_config,
)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        # One line: the list of all flags is what --help is for.
        raise UsageError(f"{message}; see --help.")


def _flag(text: str) -> bool:
    known = {"true": True, "1": True, "false": False, "0": False}
    if text.lower() not in known:
        raise argparse.ArgumentTypeError(f"true or false is expected, received {text!r}")
    return known[text.lower()]


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"a whole number from 0 on is expected, received {text!r}")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m serving",
        description="Serve SavedModels over TensorFlow Serving's REST and gRPC interfaces.",
        allow_abbrev=False,
    )

    def add(
        group: argparse._ArgumentGroup, name: str, kind: Callable[[str], Any], **options: Any
    ) -> None:
        if kind is bool:
            # --flag, --flag=true and --flag=false, as tensorflow_model_server takes them.
            group.add_argument(name, type=_flag, nargs="?", const=True, default=False, **options)
        else:
            group.add_argument(name, type=_count if kind is int else kind, **options)

    models = parser.add_argument_group("models")
    add(models, "--model_name", str, default="default", help="name in requests (%(default)s)")
    add(models, "--model_base_path", str, default="", help="folder of its numbered versions")
    add(models, "--model_config_file", str, default="", help="several models: a ModelServerConfig")
    add(models, "--model_config_file_poll_wait_seconds", int, default=0,
        help="read that file again this often; 0: never")  # fmt: skip
    add(models, "--file_system_poll_wait_seconds", float, default=1.0,
        help="look for new versions this often; 0: never (%(default)g)")  # fmt: skip
    add(models, "--saved_model_tags", str, default="", help="comma-separated; default: serve")
    add(models, "--allow_version_labels_for_unavailable_models", bool,
        help="take new labels of versions that are not loaded")  # fmt: skip
    models.add_argument("--enable_model_warmup", type=_flag, nargs="?", const=True, default=True,
        help="run assets.extra/tf_serving_warmup_requests (true)")  # fmt: skip
    add(models, "--num_request_iterations_for_warmup", int, default=1, help="times each (1)")
    add(models, "--enable_signature_method_name_check", bool,
        help="classify and regress only signatures of these method names")  # fmt: skip

    network = parser.add_argument_group("network")
    add(network, "--rest_api_port", int, default=DEFAULT_PORT, help="0: a free one (%(default)s)")
    add(
        network,
        "--port",
        int,
        default=DEFAULT_GRPC_PORT,
        help="of gRPC; 0: a free one (%(default)s)",
    )
    network.add_argument("--host", "--rest_api_host", default=DEFAULT_HOST,
        help="address to listen at (%(default)s)")  # fmt: skip
    add(network, "--grpc_socket_path", str, default="", help="a Unix socket for gRPC as well")
    add(network, "--grpc_channel_arguments", str, default="", help="key=value,... for gRPC")
    add(network, "--rest_api_enable_cors_support", bool, help="let other servers' pages ask")
    add(network, "--ssl_config_file", str, default="", help="TLS for gRPC: an SSLConfig")
    add(network, "--rest_api_ssl_certfile", str, default="", help="TLS for REST: certificate, PEM")
    add(network, "--rest_api_ssl_keyfile", str, default="", help="TLS for REST: its key, PEM")
    add(network, "--api_key_file", str, default="", help="require one of these keys, one a line")
    add(network, "--enable_serialization_as_tensor_content", bool,
        help="gRPC answers with packed tensors")  # fmt: skip

    limits = parser.add_argument_group("limits")
    default = Limits()
    add(limits, "--rest_api_timeout_in_ms", int, default=int(default.timeout_seconds * 1000),
        help="longest REST request, and run of a model whose loops have no bound; 0: no limit "
        "(%(default)s)")  # fmt: skip
    add(limits, "--rest_api_num_threads", int, default=default.threads,
        help="models that run at the same time (%(default)s)")  # fmt: skip
    add(limits, "--max_body_bytes", int, default=default.max_body_bytes, help="(%(default)s)")
    add(limits, "--max_concurrent_requests", int, default=default.max_requests,
        help="more are answered 503 (%(default)s)")  # fmt: skip

    running = parser.add_argument_group("running models")
    add(running, "--enable_batching", bool, help="run requests that wait together")
    add(running, "--batching_parameters_file", str, default="", help="BatchingParameters, as text")
    add(running, "--tensorflow_session_parallelism", int, default=0,
        help="threads in an operation and operations at a time; 0: chosen")  # fmt: skip
    add(running, "--tensorflow_intra_op_parallelism", int, default=0, help="the former alone")
    add(running, "--tensorflow_inter_op_parallelism", int, default=0, help="the latter alone")
    add(running, "--per_process_gpu_memory_fraction", float, default=0.0, help="0: chosen")

    watching = parser.add_argument_group("monitoring")
    add(watching, "--monitoring_config_file", str, default="", help="a MonitoringConfig: its path")
    add(watching, "--access_log", bool, help="a line of JSON for each request, to stderr")
    parser.add_argument("--version", action="store_true", help="show the version and end")
    return parser


def parse(argv: list[str] | None = None) -> Settings | None:
    """The settings that flags ask for; None where only the version was.

    Raises:
        UsageError: a flag is unknown or wrong, or a file that one names.
    """
    args = _parser().parse_args(argv)
    if args.version:
        return None
    if not args.model_base_path and not args.model_config_file:
        raise UsageError("--model_base_path or --model_config_file is required; see --help.")
    if bool(args.rest_api_ssl_certfile) != bool(args.rest_api_ssl_keyfile):
        raise UsageError("--rest_api_ssl_certfile and --rest_api_ssl_keyfile go together.")
    if args.batching_parameters_file and not args.enable_batching:
        raise UsageError("--batching_parameters_file needs --enable_batching.")
    batching = None
    if args.enable_batching:
        file = args.batching_parameters_file
        batching = BatchingParameters.read(file) if file else BatchingParameters()
    # With a configuration file, the flags of a single model are ignored.
    models = [] if args.model_config_file else [base_config(args.model_name, args.model_base_path)]
    threads = args.tensorflow_session_parallelism
    return Settings(
        models=models,
        model_config_file=args.model_config_file,
        config_poll_seconds=args.model_config_file_poll_wait_seconds,
        poll_seconds=args.file_system_poll_wait_seconds,
        host=args.host,
        port=args.rest_api_port,
        grpc_port=args.port,
        grpc_socket_path=args.grpc_socket_path,
        grpc_options=_channel_arguments(args.grpc_channel_arguments),
        limits=Limits(
            threads=max(1, args.rest_api_num_threads),
            timeout_seconds=args.rest_api_timeout_in_ms / 1000,
            max_body_bytes=args.max_body_bytes,
            max_requests=args.max_concurrent_requests,
        ),
        batching=batching,
        session=SessionOptions(
            tags=frozenset(args.saved_model_tags.split(",")) if args.saved_model_tags else None,
            timeout_ms=args.rest_api_timeout_in_ms,
            intra_op_threads=args.tensorflow_intra_op_parallelism or threads,
            inter_op_threads=args.tensorflow_inter_op_parallelism or threads,
            gpu_memory_fraction=args.per_process_gpu_memory_fraction,
        ),
        warm_up=args.num_request_iterations_for_warmup if args.enable_model_warmup else 0,
        labels_for_unavailable=args.allow_version_labels_for_unavailable_models,
        strict_methods=args.enable_signature_method_name_check,
        as_content=args.enable_serialization_as_tensor_content,
        cors=args.rest_api_enable_cors_support,
        metrics_path=_metrics_path(args.monitoring_config_file),
        api_key_file=args.api_key_file,
        access_log=args.access_log,
        grpc_ssl_config=args.ssl_config_file,
        rest_certificate=(
            (args.rest_api_ssl_certfile, args.rest_api_ssl_keyfile)
            if args.rest_api_ssl_certfile
            else None
        ),
    )


def _channel_arguments(text: str) -> list[tuple[str, int | str]]:
    options: list[tuple[str, int | str]] = []
    for part in filter(None, text.split(",")):
        key, separator, value = part.partition("=")
        if not (key and separator):
            raise UsageError(f"--grpc_channel_arguments takes key=value,...; received {part!r}.")
        options.append((key, int(value) if value.lstrip("-").isdecimal() else value))
    return options


def _metrics_path(file: str) -> str:
    if not file:
        return ""
    prometheus = {"enable": (1, "bool"), "path": (2, "string")}
    config = text_proto.define("MonitoringConfig", {"prometheus_config": (1, prometheus)})
    path = text_proto.read(file, config).prometheus_config.path
    if path and not path.startswith("/"):
        raise UsageError(f"{file}: the path must begin with '/'; received {path!r}.")
    return path
