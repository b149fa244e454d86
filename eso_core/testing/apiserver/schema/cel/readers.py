"""From JSON values to the values of expressions, by type.

Most JSON values are their own CEL values. A reader is needed where JSON writes a value differently (timestamps and
bytes are strings, 3.0 may be an integer), and where a list's items have an identity. Objects are read field by field
as an expression gets to them.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any

from eso_core.testing.apiserver.schema.cel.errors import EvaluationError
from eso_core.testing.apiserver.schema.cel.functions.conversions import parse_duration, parse_timestamp
from eso_core.testing.apiserver.schema.cel.types import ObjectType, SchemaListType, Type
from eso_core.testing.apiserver.schema.cel.values import MapList, SetList

Reader = Callable[[Any], Any]


def _integer(value: Any) -> Any:
    return int(value) if type(value) is float and value.is_integer() else value


def _double(value: Any) -> Any:
    return float(value) if type(value) is int else value


def _bytes(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return base64.b64decode(value)
    except binascii.Error as error:
        raise EvaluationError(f"byte formatted string failed to decode: {error}") from error


def _duration(value: Any) -> Any:
    return parse_duration(value) if isinstance(value, str) else value


def _timestamp(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return parse_timestamp(value if "T" in value.upper() else f"{value}T00:00:00Z")


_SCALARS: dict[str, Reader] = {
    "int": _integer,
    "double": _double,
    "bytes": _bytes,
    "google.protobuf.Duration": _duration,
    "google.protobuf.Timestamp": _timestamp,
}


def reader(type_: Type, *, deep: bool = False, inside: bool = False) -> Reader | None:
    """How to read values of a type; None if they are fine as they are.

    Integers alone need no reader inside of lists and maps: 3.0 there compares and computes like 3. With ``deep``
    objects are read through and through, as comparisons need it.
    """
    if isinstance(type_, ObjectType):
        return _object_reader(type_) if deep else None
    if type_.name == "list" and type_.parameters:
        return _list_reader(type_, reader(type_.parameters[0], deep=deep, inside=True))
    if type_.name == "map" and type_.parameters:
        return _map_reader(reader(type_.parameters[1], deep=deep, inside=True))
    if inside and type_.name == "int":
        return None
    return _SCALARS.get(type_.name)


def _list_reader(type_: Type, item: Reader | None) -> Reader | None:
    if isinstance(type_, SchemaListType):
        make: Reader = SetList if type_.list_type == "set" else lambda items: MapList(items, type_.keys)
    elif item is None:
        return None
    else:
        make = list

    def read(value: Any) -> Any:
        if not isinstance(value, list):
            return value
        return make(value if item is None else map(item, value))

    return read


def _map_reader(item: Reader | None) -> Reader | None:
    if item is None:
        return None
    return lambda value: {key: item(inner) for key, inner in value.items()} if isinstance(value, dict) else value


def _object_reader(type_: ObjectType) -> Reader | None:
    fields = {
        field.key: read
        for field in type_.fields.values()
        if (read := reader(field.type, deep=True, inside=True)) is not None
    }
    if not fields:
        return None

    def read_object(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {key: fields[key](item) if key in fields else item for key, item in value.items()}

    return read_object
