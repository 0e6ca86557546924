"""The flags of tensorflow_model_server, and a few of our own."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, NoReturn

from zoo.errors import UsageError
from zoo.parsers import Parser

from . import DEFAULT_HOST, DEFAULT_PORT, text_proto
from .batching import BatchingParameters
from .engine import Limits
from .servable import SessionOptions
from .settings import (
    DEFAULT_GRPC_PORT,
    Settings,
    base_config,
)

_METAVARS: dict[Callable[[str], Any], str] = {int: "N", float: "X", str: "TEXT"}


class _Parser(Parser):
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


def flag_parser() -> argparse.ArgumentParser:
    """The parser of `python -m serving`."""
    parser = _Parser(
        prog="python -m serving",
        description="Serve SavedModels over TensorFlow Serving's REST and gRPC interfaces, with "
        "the flags of tensorflow_model_server. A flag that is true or false may be written --flag, "
        "--flag=true or --flag=false.",
        example="python -m serving --model_name=phones --model_base_path=$PWD/exported",
        allow_abbrev=False,
    )
    group: argparse._ArgumentGroup

    def add(
        name: str, kind: Callable[[str], Any], help: str, default: Any, *, shown: str | None = None
    ) -> None:
        shown = str(default).lower() if kind is bool else (shown or str(default))
        text = f"{help} (default: {shown})" if shown else help
        if kind is bool:
            options: dict[str, Any] = {"type": _flag, "nargs": "?", "const": True}
            options["metavar"] = "true|false"
        else:
            options = {"type": _count if kind is int else kind, "metavar": _METAVARS[kind]}
        names = [name, "--rest_api_host"] if name == "--host" else [name]
        group.add_argument(*names, default=default, help=text, **options)

    group = parser.add_argument_group("models")
    add("--model_name", str, "Name of the model in requests", "default")
    add("--model_base_path", str, "Folder of the model's numbered versions", "")
    add(
        "--model_config_file",
        str,
        "File that lists several models, a ModelServerConfig as text; replaces the two above",
        "",
    )
    add(
        "--model_config_file_poll_wait_seconds",
        int,
        "Seconds between two readings of that file; 0: read once",
        0,
    )
    add(
        "--file_system_poll_wait_seconds",
        float,
        "Seconds between two searches for new versions; 0: search once",
        1.0,
        shown="1",
    )
    add("--saved_model_tags", str, "Tags of the graph to load, comma-separated", "", shown="serve")
    add(
        "--allow_version_labels_for_unavailable_models",
        bool,
        "Accept labels of versions that are not loaded yet",
        False,
    )
    add(
        "--enable_model_warmup",
        bool,
        "Run the requests in assets.extra/tf_serving_warmup_requests before a version is served",
        True,
    )
    add("--num_request_iterations_for_warmup", int, "Number of runs of each of them", 1)
    add(
        "--enable_signature_method_name_check",
        bool,
        "Restrict classify and regress to signatures with these method names",
        False,
    )

    group = parser.add_argument_group("network")
    add("--rest_api_port", int, "Port of REST; 0: any free port", DEFAULT_PORT)
    add("--port", int, "Port of gRPC; 0: any free port", DEFAULT_GRPC_PORT)
    add("--host", str, "Address to listen at", DEFAULT_HOST)
    add("--grpc_socket_path", str, "Unix socket on which gRPC is served as well", "")
    add("--grpc_channel_arguments", str, "Options of the gRPC server: key=value,...", "")
    add(
        "--rest_api_enable_cors_support",
        bool,
        "Answer requests from pages of other servers (CORS)",
        False,
    )
    add("--ssl_config_file", str, "TLS for gRPC: file with an SSLConfig as text", "")
    add("--rest_api_ssl_certfile", str, "TLS for REST: file with the certificate, PEM", "")
    add("--rest_api_ssl_keyfile", str, "TLS for REST: file with the certificate's key, PEM", "")
    add("--api_key_file", str, "File of API keys, one a line, one of which is required", "")
    add(
        "--enable_serialization_as_tensor_content",
        bool,
        "Pack the tensors in gRPC answers as bytes (tensor_content)",
        False,
    )

    group = parser.add_argument_group("limits")
    limits = Limits()
    add(
        "--rest_api_timeout_in_ms",
        int,
        "Longest time for a REST request, and for a run of a model with unbounded loops, in "
        "milliseconds; 0: no limit",
        int(limits.timeout_seconds * 1000),
    )
    add("--rest_api_num_threads", int, "Number of models that run at the same time", limits.threads)
    add("--max_body_bytes", int, "Largest REST request in bytes", limits.max_body_bytes)
    add(
        "--max_concurrent_requests",
        int,
        "Largest number of requests at a time; further ones are answered with status 503",
        limits.max_requests,
    )

    group = parser.add_argument_group("running models")
    add("--enable_batching", bool, "Run requests that wait at the same time as one batch", False)
    add(
        "--batching_parameters_file",
        str,
        "File of BatchingParameters as text; with --enable_batching",
        "",
    )
    add(
        "--tensorflow_session_parallelism",
        int,
        "Number of threads of an operation, and of operations at a time; 0: TensorFlow decides",
        0,
    )
    add("--tensorflow_intra_op_parallelism", int, "Number of threads of an operation alone", 0)
    add("--tensorflow_inter_op_parallelism", int, "Number of operations at a time alone", 0)
    add(
        "--per_process_gpu_memory_fraction",
        float,
        "Share of the GPU's memory to take, 0 to 1; 0: TensorFlow decides",
        0.0,
        shown="0",
    )

    group = parser.add_argument_group("monitoring")
    add(
        "--monitoring_config_file",
        str,
        "File with a MonitoringConfig as text, which names the path of the metrics",
        "",
    )
    add("--access_log", bool, "Write a line of JSON for each request to stderr", False)
    parser.add_argument("--version", action="store_true", help="Print the version and exit")
    return parser


def parse(argv: list[str] | None = None) -> Settings | None:
    """The settings that flags ask for; None where only the version was.

    Raises:
        UsageError: a flag is unknown or wrong, or a file that one names.
    """
    args = flag_parser().parse_args(argv)
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
