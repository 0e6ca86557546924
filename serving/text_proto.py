"""Files in protocol buffers' text format."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.errors import UsageError

# Numbers of the types in FieldDescriptorProto.
_SCALARS = {"string": 9, "bool": 8, "int64": 3}


def read(path: str | Path, message: Any) -> Any:
    """Fill `message` from a file and return it.

    Raises:
        UsageError: the file is missing, or not such a message.
    """
    from google.protobuf import text_format

    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not a text file.") from None
    try:
        return text_format.Parse(text, message)
    except text_format.ParseError as error:
        raise UsageError(
            f"Invalid protobuf file: {path!s}, line {error}; a {type(message).__name__} in text "
            "format is expected."
        ) from None


Fields = Mapping[str, "tuple[int, str | Fields]"]
"""Field name -> (number, type): a scalar, "repeated int64", "Int64Value", or a message's fields."""


def define(name: str, fields: Fields) -> Any:
    """An empty message of a kind that TensorFlow Serving's Python packages leave out.

    Args:
        name: name of the message.
        fields: what it is made of.
    """
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, wrappers_pb2

    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    file = descriptor_pb2.FileDescriptorProto(
        name=f"{name}.proto", package="serving", syntax="proto3"
    )
    file.dependency.append(wrappers_pb2.DESCRIPTOR.name)
    _add_message(file, name, fields)
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"serving.{name}"))()


def _add_message(file: Any, name: str, fields: Fields) -> None:
    message = file.message_type.add(name=name)
    for field_name, (number, kind) in fields.items():
        field = message.field.add(name=field_name, number=number, label=1)
        if not isinstance(kind, str):
            inner = f"{name}_{field_name}"
            _add_message(file, inner, kind)
            field.type, field.type_name = 11, f".serving.{inner}"
            continue
        if kind.startswith("repeated "):
            kind = kind.removeprefix("repeated ")
            field.label = 3
        if kind == "Int64Value":
            field.type, field.type_name = 11, ".google.protobuf.Int64Value"
        else:
            field.type = _SCALARS[kind]
