"""Protobuf bodies of the built-in kinds, read into the same objects that JSON bodies give.

kubectl's ``create`` and ``auth`` commands send protobuf without asking. A body is four magic bytes and an envelope
with apiVersion, kind and the encoded object. Field numbers come from the type tables, so every kind written down
there can be read. `encode` is the inverse; tests and other tools use it.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from eso_core.testing.apiserver.builtin import schemas
from eso_core.testing.apiserver.builtin.typetable import Field, FieldType, Type

__all__ = ["MAGIC", "ProtobufError", "UnknownKind", "decode", "encode"]

JsonObject = dict[str, Any]

MAGIC: Final = b"k8s\x00"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class ProtobufError(ValueError):
    """The body is not the protobuf encoding of an object."""


class UnknownKind(ProtobufError):
    """The body is an object of a kind that has no protobuf encoding here."""


def decode(body: bytes) -> JsonObject:
    """The object in a protobuf body, with apiVersion and kind; empty fields are left out.

    Raises:
        UnknownKind: no table describes the kind.
        ProtobufError: the bytes are no such encoding.
    """
    if not body.startswith(MAGIC):
        raise ProtobufError("reading a protobuf body: it does not begin with the magic bytes 6b 38 73 00")
    api_version = kind = ""
    raw = b""
    for number, value in _fields(memoryview(body)[len(MAGIC) :]):
        if number == 1:
            for inner, text in _fields(_message(value)):
                if inner == 1:
                    api_version = _text(text)
                elif inner == 2:
                    kind = _text(text)
        elif number == 2:
            raw = bytes(_message(value))
    group, _, version = api_version.rpartition("/")
    found = schemas.type_for(group, version, kind)
    if found is None and kind == "DeleteOptions":
        # Options may be sent in the version of the resource they are about.
        found = schemas.type_for("", "v1", kind)
    if found is None:
        raise UnknownKind(f"reading a protobuf body: no kind {kind!r} in {api_version!r}")
    return {"kind": kind, "apiVersion": api_version, **_decode_struct(found, memoryview(raw))}


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    position, end = 0, len(data)
    while position < end:
        tag, position = _varint(data, position)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            value, position = _varint(data, position)
            yield number, value
            continue
        if wire == _BYTES:
            length, position = _varint(data, position)
        elif wire == _FIXED64:
            length = 8
        elif wire == _FIXED32:
            length = 4
        else:
            raise ProtobufError(f"reading a protobuf body: wire type {wire} of field {number} is not supported")
        if position + length > end:
            raise ProtobufError(f"reading a protobuf body: field {number} is cut off")
        yield number, data[position : position + length]
        position += length


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        if position >= len(data) or shift > 63:
            raise ProtobufError("reading a protobuf body: a number is cut off or too long")
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, position
        shift += 7


def _message(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise ProtobufError("reading a protobuf body: a number where bytes belong")
    return value


def _text(value: int | memoryview) -> str:
    try:
        return bytes(_message(value)).decode()
    except UnicodeDecodeError as error:
        raise ProtobufError("reading a protobuf body: a text is not UTF-8") from error


def _decode_struct(kind: Type, data: memoryview) -> JsonObject:
    by_number = {entry.number: entry for entry in kind.fields.values() if entry.number}
    found: JsonObject = {}
    for number, value in _fields(data):
        entry = by_number.get(number)
        if entry is None:
            continue  # A field of a newer client: what JSON does with unknown fields by default.
        if entry.type.shape == "list":
            found.setdefault(entry.name, []).append(_decode_value(entry.type, value))
        elif entry.type.shape == "map":
            key, item = _decode_pair(entry.type, _message(value))
            found.setdefault(entry.name, {})[key] = item
        else:
            decoded = _decode_value(entry.type, value)
            if entry.type.pointer or decoded not in ("", 0, None):
                found[entry.name] = decoded
    return {name: found[name] for name in kind.fields if name in found}


def _decode_pair(kind: FieldType, data: memoryview) -> tuple[str, Any]:
    key, item = "", _empty(kind)
    for number, value in _fields(data):
        if number == 1:
            key = _text(value)
        elif number == 2:
            item = _decode_value(kind, value)
    return key, item


def _empty(kind: FieldType) -> Any:
    if kind.is_struct:
        return {}
    return {"strings": [], "bool": False, "int32": 0, "int64": 0, "float": 0.0}.get(kind.base, "")


def _decode_value(kind: FieldType, value: int | memoryview) -> Any:
    base = kind.base
    if kind.is_struct:
        if base == "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1":
            return _decode_json(_message(value))
        return _decode_struct(schemas.table().types[base], _message(value))
    if base == "string":
        return _text(value)
    if base == "bytes":
        return base64.b64encode(_message(value)).decode()
    if base in ("bool", "int32", "int64"):
        return _decode_number(base, value)
    if base == "float":
        return struct.unpack("<d", _message(value))[0]
    if base in ("time", "microtime"):
        return _decode_time(base, _message(value))
    if base == "strings":
        return [_text(item) for number, item in _fields(_message(value)) if number == 1]
    if base == "intorstring":
        parts = dict(_fields(_message(value)))
        return _text(parts.get(3, memoryview(b""))) if parts.get(1) else _decode_number("int32", parts.get(2, 0))
    return _decode_json(_message(value))


def _decode_json(data: memoryview) -> Any:
    raw = next((bytes(_message(value)) for number, value in _fields(data) if number == 1), b"null")
    try:
        return json.loads(raw)
    except ValueError as error:
        raise ProtobufError("reading a protobuf body: embedded JSON cannot be read") from error


def _decode_number(base: str, value: int | memoryview) -> int | bool:
    if not isinstance(value, int):
        raise ProtobufError("reading a protobuf body: bytes where a number belongs")
    if base == "bool":
        return value != 0
    return value - (1 << 64) if value >= 1 << 63 else value


def _decode_time(base: str, data: memoryview) -> str | None:
    if not len(data):
        return None
    parts = dict(_fields(data))
    seconds, nanos = _decode_number("int64", parts.get(1, 0)), _decode_number("int32", parts.get(2, 0))
    try:
        moment = _EPOCH + timedelta(seconds=seconds)
    except OverflowError as error:
        raise ProtobufError("reading a protobuf body: a time is out of range") from error
    whole = moment.strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}Z" if base == "time" else f"{whole}.{nanos // 1000:06d}Z"


def encode(obj: JsonObject) -> bytes:
    """The protobuf body of an object with apiVersion and kind.

    Raises:
        UnknownKind: no table describes the kind.
    """
    group, _, version = obj.get("apiVersion", "").rpartition("/")
    found = schemas.type_for(group, version, obj.get("kind", ""))
    if found is None:
        raise UnknownKind(f"writing a protobuf body: no kind {obj.get('kind')!r} in {obj.get('apiVersion')!r}")
    meta = _put(1, obj["apiVersion"].encode()) + _put(2, obj["kind"].encode())
    return MAGIC + _put(1, meta) + _put(2, _encode_struct(found, obj)) + _put(3, b"") + _put(4, b"")


def _put(number: int, data: bytes) -> bytes:
    return _encode_varint(number << 3 | _BYTES) + _encode_varint(len(data)) + data


def _put_number(number: int, value: int) -> bytes:
    return _encode_varint(number << 3 | _VARINT) + _encode_varint(value)


def _encode_varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _encode_struct(kind: Type, obj: JsonObject) -> bytes:
    out = bytearray()
    for entry in kind.fields.values():
        value = obj.get(entry.name)
        if entry.number and value is not None:
            out += _encode_field(entry, value)
    return bytes(out)


def _encode_field(entry: Field, value: Any) -> bytes:
    kind = entry.type
    if kind.shape == "list":
        return b"".join(_encode_value(entry.number, kind, item) for item in value)
    if kind.shape == "map":
        pairs = (_put(1, key.encode()) + _encode_value(2, kind, item) for key, item in value.items())
        return b"".join(_put(entry.number, pair) for pair in pairs)
    return _encode_value(entry.number, kind, value)


def _encode_value(number: int, kind: FieldType, value: Any) -> bytes:
    base = kind.base
    if kind.is_struct:
        if base == "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1":
            return _put(number, _put(1, json.dumps(value).encode()))
        return _put(number, _encode_struct(schemas.table().types[base], value))
    if base == "string":
        return _put(number, value.encode())
    if base == "bytes":
        return _put(number, base64.b64decode(value))
    if base in ("bool", "int32", "int64"):
        return _put_number(number, int(value))
    if base == "float":
        return _encode_varint(number << 3 | _FIXED64) + struct.pack("<d", value)
    if base in ("time", "microtime"):
        moment = datetime.fromisoformat(value) - _EPOCH
        seconds = moment.days * 86400 + moment.seconds
        return _put(number, _put_number(1, seconds) + _put_number(2, moment.microseconds * 1000))
    if base == "strings":
        return _put(number, b"".join(_put(1, item.encode()) for item in value))
    if base == "intorstring":
        if isinstance(value, str):
            return _put(number, _put_number(1, 1) + _put_number(2, 0) + _put(3, value.encode()))
        return _put(number, _put_number(1, 0) + _put_number(2, value) + _put(3, b""))
    return _put(number, _put(1, json.dumps(value).encode()))
