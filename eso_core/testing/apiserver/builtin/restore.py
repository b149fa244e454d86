"""Why a merged object does not fit a built-in kind, in the words of the converter that strategic patches go through.

JSON bodies are decoded by one decoder (`decode`), the result of a strategic merge patch by another: it follows the
fields of the type instead of those of the object, names no path, and has texts of its own.
"""

from __future__ import annotations

from typing import Any, Final

from eso_core.testing.apiserver.builtin import schemas
from eso_core.testing.apiserver.builtin.decode import WrongType, base64_problem, decode_time
from eso_core.testing.apiserver.builtin.typetable import FieldType, Type

__all__ = ["problem"]

JsonObject = dict[str, Any]

_GO_KINDS: Final = {"string": "string", "bool": "bool", "int32": "int32", "int64": "int64", "float": "float64"}


def problem(kind: Type, obj: JsonObject) -> str:
    """The first thing that does not fit; empty when everything does."""
    for entry in kind.fields.values():
        value = obj.get(entry.name)
        if value is None:
            continue
        text = _field_problem(entry.type, value)
        if text:
            return text
    return ""


def _field_problem(kind: FieldType, value: Any) -> str:
    if kind.shape == "list":
        if not isinstance(value, list):
            return f"cannot restore slice from {_kind_of(value)}"
        return _first(kind, value)
    if kind.shape == "map":
        if not isinstance(value, dict):
            return f"cannot restore map from {_kind_of(value)}"
        return _first(kind, list(value.values()))
    return _value_problem(kind, value)


def _first(kind: FieldType, values: list[Any]) -> str:
    found = (_value_problem(kind, value) for value in values if value is not None)
    return next((text for text in found if text), "")


def _value_problem(kind: FieldType, value: Any) -> str:
    base = kind.base
    if kind.is_struct:
        if not isinstance(value, dict):
            return f"cannot restore struct from: {_kind_of(value)}"
        return problem(schemas.table().types[base], value)
    if base in _GO_KINDS:
        return _scalar_problem(kind, value)
    if base == "bytes":
        if not isinstance(value, str):
            return f"cannot restore slice from {_kind_of(value)}"
        text = base64_problem(value)
        return f"error decoding from json: {text}" if text else ""
    if base in ("time", "microtime"):
        try:
            decode_time(base, value)
        except WrongType as error:
            return str(error)
    return ""


def _scalar_problem(kind: FieldType, value: Any) -> str:
    source, target = _kind_of(value), _GO_KINDS[kind.base]
    if source == target or (source == "int64" and target in ("int32", "float64")):
        return ""
    if source == "float64" and target in ("int32", "int64"):
        return "" if value.is_integer() else f"cannot convert float64 to {kind.go}"
    # Go can turn integers into strings and numbers into each other; the converter forbids that with its own text.
    if source == "int64" and target == "string":
        return f"cannot convert int64 to {kind.go}"
    return f"unrecognized type: {target}"


def _kind_of(value: Any) -> str:
    match value:
        case bool():
            return "bool"
        case int():
            return "int64"
        case float():
            return "float64"
        case str():
            return "string"
        case list():
            return "slice"
        case _:
            return "map"
