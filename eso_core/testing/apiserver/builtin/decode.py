"""JSON objects of built-in kinds brought into the form the server keeps them in.

The real server decodes bodies into Go structs, which decides three visible things, all derived here from the type
tables: which values are refused and with what words, which fields are unknown, and which empty values are left out
when the object is written again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from eso_core.testing.apiserver.builtin import schemas
from eso_core.testing.apiserver.builtin.gotime import BadTime, parse_micro_time, parse_time
from eso_core.testing.apiserver.builtin.typetable import Field, FieldType, Type
from eso_core.testing.apiserver.schema import gotext

__all__ = ["WrongType", "base64_problem", "decode", "decode_time", "normalize"]

JsonObject = dict[str, Any]

_ALPHABET: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
_BASE64: Final = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?", re.ASCII)
_QUANTITY_TEXT: Final = "^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$"
_QUANTITY: Final = re.compile(_QUANTITY_TEXT, re.ASCII)
_LIMITS: Final = {"int32": 1 << 31, "int64": 1 << 63}
_ZERO: Final[dict[str, Any]] = {"string": "", "bool": False, "int32": 0, "int64": 0, "float": 0, "bytes": ""}
_TYPE_META: Final = frozenset({"kind", "apiVersion"})


class WrongType(ValueError):
    """A value cannot be decoded; the text is the decoder's."""


def decode(kind: Type, obj: JsonObject) -> tuple[JsonObject, list[str]]:
    """The object in the server's form, and complaints about fields the kind does not have.

    Unknown fields are dropped, nulls and empty values are left out where Go leaves them out, fields come in the
    kind's order. The object given stays as it is. Complaints read ``unknown field "metadata.junk"``, in the order of
    the object.

    Raises:
        WrongType: a value does not fit its field.
    """
    unknown: list[str] = []
    decoded = _struct(kind, obj, "", unknown)
    return decoded, [f"unknown field {gotext.quote(path)}" for path in unknown]


def normalize(kind: Type, obj: JsonObject) -> JsonObject:
    """The object as `decode` gives it, when it is known to be good.

    Raises:
        WrongType: a value does not fit its field after all.
    """
    return _struct(kind, obj, "", [])


def _struct(kind: Type, obj: JsonObject, path: str, unknown: list[str]) -> JsonObject:
    found: JsonObject = {}
    fields = kind.fields
    for key, value in obj.items():
        entry = fields.get(key)
        if entry is None:
            unknown.append(f"{path}.{key}" if path else key)
        elif value is not None:
            if key in _TYPE_META and isinstance(value, str):
                found[key] = value
            else:
                found[key] = _field(kind, entry, value, f"{path}.{key}" if path else key, unknown)
    return {entry.name: value for entry, value in _present(fields.values(), found)}


def _present(fields: Iterable[Field], found: JsonObject) -> Iterable[tuple[Field, Any]]:
    """The fields that are written, with their values."""
    for entry in fields:
        value = found.get(entry.name)
        kind = entry.type
        if kind.pointer:
            if value is not None or entry.always:
                yield entry, value
        elif kind.shape:
            if value or entry.always:
                yield entry, value or None
        elif kind.base in ("time", "microtime"):
            if value is not None or not entry.omitzero:
                yield entry, value
        elif kind.is_struct:
            if value is None:
                if entry.omitzero:
                    continue
                value = _struct(schemas.table().types[kind.base], {}, "", [])
            yield entry, value
        elif value or entry.always:
            yield entry, _ZERO.get(kind.base) if value is None else value


def _field(owner: Type, entry: Field, value: Any, path: str, unknown: list[str]) -> Any:
    kind = entry.type
    if kind.shape == "list":
        if not isinstance(value, list):
            raise _mismatch(owner, path, value, f"[]{kind.go}")
        return [_item(owner, kind, item, path, f"{path}[{index}]", unknown) for index, item in enumerate(value)]
    if kind.shape == "map":
        if not isinstance(value, dict):
            raise _mismatch(owner, path, value, f"map[string]{kind.go}")
        return {key: _item(owner, kind, item, path, f"{path}.{key}", unknown) for key, item in value.items()}
    return _value(owner, kind, value, path, path, unknown)


def _item(owner: Type, kind: FieldType, value: Any, path: str, shown: str, unknown: list[str]) -> Any:
    if value is None:
        # A null item becomes the zero value of its type.
        return {} if kind.is_struct else _ZERO.get(kind.base)
    return _value(owner, kind, value, path, shown, unknown)


def _value(owner: Type, kind: FieldType, value: Any, path: str, shown: str, unknown: list[str]) -> Any:
    base = kind.base
    if kind.is_struct:
        if not isinstance(value, dict):
            raise _mismatch(owner, path, value, kind.go)
        inner = schemas.table().types[base]
        if not inner.fields:
            return value
        return _struct(inner, value, shown, unknown)
    if base == "string":
        if not isinstance(value, str):
            raise _mismatch(owner, path, value, kind.go)
    elif base == "bool":
        if not isinstance(value, bool):
            raise _mismatch(owner, path, value, "bool")
    elif base in _LIMITS:
        return _integer(owner, kind, value, path)
    elif base == "float":
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _mismatch(owner, path, value, "float64")
    elif base == "bytes":
        if not isinstance(value, str):
            raise _mismatch(owner, path, value, kind.go)
        problem = base64_problem(value)
        if problem:
            raise WrongType(problem)
        return value.replace("\n", "").replace("\r", "") if "\n" in value or "\r" in value else value
    elif base in ("time", "microtime"):
        return decode_time(base, value)
    elif base == "strings":
        if not isinstance(value, list):
            raise _mismatch(owner, path, value, kind.go)
        for item in value:
            if not isinstance(item, str):
                raise _mismatch(owner, path, item, "string")
    elif base == "quantity":
        return _quantity(value)
    elif base == "schemas":
        return _schemas(value, shown, unknown)
    return value


def _integer(owner: Type, kind: FieldType, value: Any, path: str) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _mismatch(owner, path, value, kind.go)
    limit = _LIMITS[kind.base]
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, float) or not -limit <= value < limit:
        raise WrongType(
            f"json: cannot unmarshal number {gotext.to_json(value)} into Go struct field {owner.go}.{path} of type {kind.go}"
        )
    return value


def decode_time(base: str, value: Any) -> str:
    """A ``time`` or ``microtime`` in the server's form. Raises `WrongType`."""
    if not isinstance(value, str):
        raise WrongType(f"json: cannot unmarshal {_json_type(value)} into Go value of type string")
    try:
        return parse_time(value) if base == "time" else parse_micro_time(value)
    except BadTime as error:
        raise WrongType(str(error)) from error


def _quantity(value: Any) -> str:
    text = value if isinstance(value, str) else gotext.to_json(value)
    if isinstance(value, dict | list | bool) or not _QUANTITY.fullmatch(text):
        raise WrongType(f"quantities must match the regular expression '{_QUANTITY_TEXT}'")
    return text


def _schemas(value: Any, shown: str, unknown: list[str]) -> Any:
    """A JSON schema, a list of them, or a value of another type that may stand in its place."""
    props = schemas.table().types["io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps"]
    if isinstance(value, dict):
        return _struct(props, value, shown, unknown)
    if isinstance(value, list):
        return [
            _struct(props, item, f"{shown}[{index}]", unknown) if isinstance(item, dict) else item
            for index, item in enumerate(value)
        ]
    return value


def _json_type(value: Any) -> str:
    match value:
        case bool():
            return "bool"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def _mismatch(owner: Type, path: str, value: Any, go: str) -> WrongType:
    # The decoder names the innermost struct and the path from the outermost one, without indexes or map keys.
    plain = re.sub(r"\[\d+\]", "", path)
    return WrongType(f"json: cannot unmarshal {_json_type(value)} into Go struct field {owner.go}.{plain} of type {go}")


def base64_problem(text: str) -> str:
    """Why a text is not standard padded base64, in the words of Go's decoder; empty when it is. Line ends are allowed."""
    if _BASE64.fullmatch(text):
        return ""
    position = _base64_offence(text.encode())
    return "" if position is None else f"illegal base64 data at input byte {position}"


def _base64_offence(data: bytes) -> int | None:
    position, filled = 0, 0
    while position < len(data):
        byte = data[position]
        if byte in b"\r\n":
            position += 1
            continue
        if byte in _ALPHABET:
            filled = (filled + 1) % 4
            position += 1
            continue
        if byte != ord("=") or filled < 2:
            return position
        return _padding_offence(data, position + 1, needed=3 - filled)
    # The text ends inside a group of four: the decoder names the place where that group began.
    return len(data) - filled if filled else None


def _padding_offence(data: bytes, position: int, needed: int) -> int | None:
    for _ in range(needed):
        while position < len(data) and data[position] in b"\r\n":
            position += 1
        if position == len(data):
            return position
        if data[position] != ord("="):
            return position - 1
        position += 1
    while position < len(data) and data[position] in b"\r\n":
        position += 1
    return position if position < len(data) else None
