"""Protobuf bodies of the built-in kinds, read into the same objects that JSON bodies give.

kubectl's ``create`` and ``auth`` commands send protobuf without asking. A body is four magic bytes and an envelope
with apiVersion, kind and the encoded object. Field numbers come from the type tables, so every kind written down
there can be read. `encode` is the inverse; tests and other tools use it.
"""

from __future__ import annotations

import base64
import json
import struct
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from eso_core.testing.apiserver import wire
from eso_core.testing.apiserver.builtin import schemas
from eso_core.testing.apiserver.builtin.tables_workloads import JSON_ONLY
from eso_core.testing.apiserver.builtin.typetable import Field, FieldType, Type
from eso_core.testing.apiserver.wire import ProtobufError

__all__ = ["MAGIC", "ProtobufError", "UnknownKind", "decode", "encode"]

JsonObject = dict[str, Any]

MAGIC: Final = b"k8s\x00"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class UnknownKind(ProtobufError):
    """The body is an object of a kind that has no protobuf encoding here."""


def decode(body: bytes) -> JsonObject:
    """The object in a protobuf body, with apiVersion and kind; empty fields are left out.

    Raises:
        UnknownKind: no table describes the kind.
        ProtobufError: the bytes are no such encoding.
    """
    # These three texts are the original's: they go into its answers as they are.
    if not body:
        raise ProtobufError("empty data")
    if not body.startswith(MAGIC):
        prefix = " ".join(map(str, MAGIC))
        raise ProtobufError(f"provided data does not appear to be a protobuf message, expected prefix [{prefix}]")
    if len(body) == len(MAGIC):
        raise ProtobufError("empty body")
    api_version = kind = ""
    raw = b""
    for number, value in wire.fields(memoryview(body)[len(MAGIC) :]):
        if number == 1:
            for inner, text in wire.fields(wire.message(value)):
                if inner == 1:
                    api_version = wire.text(text)
                elif inner == 2:
                    kind = wire.text(text)
        elif number == 2:
            raw = bytes(wire.message(value))
    group, _, version = api_version.rpartition("/")
    found = schemas.type_for(group, version, kind)
    if found is None and kind == "DeleteOptions":
        # Options may be sent in the version of the resource they are about.
        found = schemas.type_for("", "v1", kind)
    if found is None or (group, version, kind) in JSON_ONLY:
        raise UnknownKind(f"reading a protobuf body: no kind {kind!r} in {api_version!r}")
    return {"kind": kind, "apiVersion": api_version, **_decode_struct(found, memoryview(raw))}


def _decode_struct(kind: Type, data: memoryview) -> JsonObject:
    by_number = {entry.number: entry for entry in kind.fields.values() if entry.number}
    found: JsonObject = {}
    for number, value in wire.fields(data):
        entry = by_number.get(number)
        if entry is None:
            continue  # A field of a newer client: what JSON does with unknown fields by default.
        if entry.type.shape == "list":
            found.setdefault(entry.name, []).append(_decode_value(entry.type, value))
        elif entry.type.shape == "map":
            key, item = _decode_pair(entry.type, wire.message(value))
            found.setdefault(entry.name, {})[key] = item
        else:
            decoded = _decode_value(entry.type, value)
            if entry.type.pointer or decoded not in ("", 0, None):
                found[entry.name] = decoded
    return {name: found[name] for name in kind.fields if name in found}


def _decode_pair(kind: FieldType, data: memoryview) -> tuple[str, Any]:
    key, item = "", _empty(kind)
    for number, value in wire.fields(data):
        if number == 1:
            key = wire.text(value)
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
            return _decode_json(wire.message(value))
        return _decode_struct(schemas.table().types[base], wire.message(value))
    if base == "string":
        return wire.text(value)
    if base == "bytes":
        return base64.b64encode(wire.message(value)).decode()
    if base in ("bool", "int32", "int64"):
        return _decode_number(base, value)
    if base == "float":
        return struct.unpack("<d", wire.message(value))[0]
    if base in ("time", "microtime"):
        return _decode_time(base, wire.message(value))
    if base == "quantity":
        return next((wire.text(item) for number, item in wire.fields(wire.message(value)) if number == 1), "0")
    if base == "strings":
        return [wire.text(item) for number, item in wire.fields(wire.message(value)) if number == 1]
    if base == "intorstring":
        parts = dict(wire.fields(wire.message(value)))
        return wire.text(parts.get(3, memoryview(b""))) if parts.get(1) else _decode_number("int32", parts.get(2, 0))
    return _decode_json(wire.message(value))


def _decode_json(data: memoryview) -> Any:
    raw = next((bytes(wire.message(value)) for number, value in wire.fields(data) if number == 1), b"null")
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
    parts = dict(wire.fields(data))
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
    meta = wire.put(1, obj["apiVersion"].encode()) + wire.put(2, obj["kind"].encode())
    return MAGIC + wire.put(1, meta) + wire.put(2, _encode_struct(found, obj)) + wire.put(3, b"") + wire.put(4, b"")


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
        pairs = (wire.put(1, key.encode()) + _encode_value(2, kind, item) for key, item in value.items())
        return b"".join(wire.put(entry.number, pair) for pair in pairs)
    return _encode_value(entry.number, kind, value)


def _encode_value(number: int, kind: FieldType, value: Any) -> bytes:
    base = kind.base
    if kind.is_struct:
        if base == "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1":
            return wire.put(number, wire.put(1, json.dumps(value).encode()))
        return wire.put(number, _encode_struct(schemas.table().types[base], value))
    if base == "string":
        return wire.put(number, value.encode())
    if base == "bytes":
        return wire.put(number, base64.b64decode(value))
    if base in ("bool", "int32", "int64"):
        return wire.put_number(number, int(value))
    if base == "float":
        return wire.encode_varint(number << 3 | wire.FIXED64) + struct.pack("<d", value)
    if base in ("time", "microtime"):
        moment = datetime.fromisoformat(value) - _EPOCH
        seconds = moment.days * 86400 + moment.seconds
        return wire.put(number, wire.put_number(1, seconds) + wire.put_number(2, moment.microseconds * 1000))
    if base == "quantity":
        return wire.put(number, wire.put_text(1, value))
    if base == "strings":
        return wire.put(number, b"".join(wire.put(1, item.encode()) for item in value))
    if base == "intorstring":
        if isinstance(value, str):
            return wire.put(number, wire.put_number(1, 1) + wire.put_number(2, 0) + wire.put(3, value.encode()))
        return wire.put(number, wire.put_number(1, 0) + wire.put_number(2, value) + wire.put(3, b""))
    return wire.put(number, wire.put(1, json.dumps(value).encode()))
