"""OpenAPI version 2 documents in the protobuf form that kubectl downloads.

The message types are those of gnostic's OpenAPIv2.proto. Only what our documents contain is written: schemas, paths
with their operations and parameters, and the ``x-`` extensions (as YAML texts, for which JSON will do).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any, Final

import orjson

from eso_core.testing.apiserver import wire

__all__ = ["MEDIA_TYPES", "encode"]

JsonObject = dict[str, Any]

MEDIA_TYPES: Final = (
    "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
    "application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
)
"""What clients ask for. Answers carry the first: the second, with its @, is no valid media type."""

_METHODS: Final = {"get": 2, "put": 3, "post": 4, "delete": 5, "options": 6, "head": 7, "patch": 8}
_SCHEMA_TEXTS: Final = {"$ref": 1, "format": 2, "title": 3, "description": 4, "pattern": 13}
_SCHEMA_NUMBERS: Final = {
    "exclusiveMaximum": 8,
    "exclusiveMinimum": 10,
    "maxLength": 11,
    "minLength": 12,
    "maxItems": 14,
    "minItems": 15,
    "uniqueItems": 16,
    "maxProperties": 17,
    "minProperties": 18,
}
_SCHEMA_FLOATS: Final = {"multipleOf": 6, "maximum": 7, "minimum": 9}
# Numbers of: required, in, description, name, type, unique_items; they differ by where a parameter stands.
_PARAMETER: Final = {"query": (3, 1, 2, 3, 4, 6, 20), "path": (4, 1, 2, 3, 4, 5, 19)}


def encode(document: JsonObject) -> bytes:
    """The document as an ``openapi.v2.Document`` message."""
    info = document["info"]
    out = wire.put_text(1, document["swagger"])
    out += wire.put(2, wire.put_text(1, info["title"]) + wire.put_text(2, info["version"]))
    out += wire.put(8, b"".join(_named(2, path, _path(item)) for path, item in document["paths"].items()))
    out += wire.put(9, _schemas(document["definitions"]))
    return out


def _named(number: int, name: str, value: bytes) -> bytes:
    return wire.put(number, wire.put_text(1, name) + wire.put(2, value))


def _any(value: Any) -> bytes:
    return wire.put_text(2, orjson.dumps(value).decode() + "\n")


def _extensions(number: int, node: JsonObject) -> bytes:
    return b"".join(_named(number, key, _any(value)) for key, value in node.items() if key.startswith("x-"))


def _path(item: JsonObject) -> bytes:
    operations = (wire.put(number, _operation(item[key])) for key, number in _METHODS.items() if key in item)
    return b"".join(operations) + _parameters(9, item.get("parameters", ())) + _extensions(10, item)


def _operation(operation: JsonObject) -> bytes:
    out = wire.put_text(3, operation["description"]) if "description" in operation else b""
    out += wire.put_text(5, operation["operationId"]) if operation.get("operationId") else b""
    out += b"".join(wire.put_text(6, media) for media in operation.get("produces", ()))
    out += b"".join(wire.put_text(7, media) for media in operation.get("consumes", ()))
    out += _parameters(8, operation.get("parameters", ()))
    responses = operation.get("responses", {})
    out += wire.put(9, b"".join(_named(1, code, wire.put(1, _response(answer))) for code, answer in responses.items()))
    return out + _extensions(13, operation)


def _response(answer: JsonObject) -> bytes:
    out = wire.put_text(1, answer.get("description", ""))
    return out + wire.put(2, wire.put(1, _schema(answer["schema"]))) if "schema" in answer else out


def _parameters(number: int, parameters: Iterable[JsonObject]) -> bytes:
    return b"".join(wire.put(number, wire.put(1, _parameter(parameter))) for parameter in parameters)


def _parameter(parameter: JsonObject) -> bytes:
    if parameter["in"] == "body":
        out = wire.put_text(2, parameter["name"]) + wire.put_text(3, "body")
        out += wire.put_number(4, bool(parameter.get("required")))
        return wire.put(1, out + wire.put(5, _schema(parameter.get("schema", {}))))
    place, required, where, description, name, kind, unique = _PARAMETER[parameter["in"]]
    out = wire.put_number(required, True) if parameter.get("required") else b""
    out += wire.put_text(where, parameter["in"])
    out += wire.put_text(description, parameter["description"]) if "description" in parameter else b""
    out += wire.put_text(name, parameter["name"]) + wire.put_text(kind, parameter.get("type", "string"))
    out += wire.put_number(unique, True) if parameter.get("uniqueItems") else b""
    return wire.put(2, wire.put(place, out))


def _schemas(named: JsonObject) -> bytes:
    return b"".join(_named(1, name, _schema(schema)) for name, schema in named.items())


def _schema(schema: JsonObject) -> bytes:
    out = bytearray()
    for key, value in schema.items():
        if key in _SCHEMA_TEXTS:
            out += wire.put_text(_SCHEMA_TEXTS[key], value)
        elif key in _SCHEMA_NUMBERS:
            out += wire.put_number(_SCHEMA_NUMBERS[key], int(value))
        elif key in _SCHEMA_FLOATS:
            out += wire.encode_varint(_SCHEMA_FLOATS[key] << 3 | wire.FIXED64) + struct.pack("<d", value)
        else:
            out += _schema_part(key, value)
    return bytes(out) + _extensions(31, schema)


def _schema_part(key: str, value: Any) -> bytes:
    match key:
        case "default":
            return wire.put(5, _any(value))
        case "required":
            return b"".join(wire.put_text(19, name) for name in value)
        case "enum":
            return b"".join(wire.put(20, _any(item)) for item in value)
        case "additionalProperties" if isinstance(value, bool):
            return wire.put(21, wire.put_number(2, value))
        case "additionalProperties":
            return wire.put(21, wire.put(1, _schema(value)))
        case "type":
            names = value if isinstance(value, list) else [value]
            return wire.put(22, b"".join(wire.put_text(1, name) for name in names))
        case "items":
            return wire.put(23, wire.put(1, _schema(value)))
        case "allOf":
            return b"".join(wire.put(24, _schema(item)) for item in value)
        case "properties":
            return wire.put(25, _schemas(value))
        case "example":
            return wire.put(30, _any(value))
    return b""
