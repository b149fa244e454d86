"""Types of values that follow a structural schema, and the names their fields have in expressions."""

from __future__ import annotations

import itertools
from typing import Any, Final

from eso_core.testing.apiserver.schema.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    STRING,
    TIMESTAMP,
    FieldDecl,
    ObjectType,
    SchemaListType,
    Type,
    list_of,
    map_of,
)

JsonObject = dict[str, Any]

_RESERVED: Final = frozenset(
    [
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    ]
)
_SYMBOLS: Final = (("__", "__underscores__"), (".", "__dot__"), ("-", "__dash__"), ("/", "__slash__"))
_META: Final[JsonObject] = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "generateName": {"type": "string"}},
}
_serial = itertools.count(1)


def escape(name: str) -> str | None:
    """The name of a property in expressions, or None if it has none: only letters, digits and ``_.-/`` can be named."""
    if not name or name[0].isdigit():
        return None
    if name in _RESERVED:
        return f"__{name}__"
    for symbol, word in _SYMBOLS:
        name = name.replace(symbol, word)
    return name if name.isascii() and name.replace("_", "a").isalnum() else None


def with_meta(schema: JsonObject) -> JsonObject:
    """The schema of a resource with the fields that every resource has."""
    properties = dict(schema.get("properties") or {})
    metadata = dict(properties.get("metadata") or {})
    metadata = {**_META, **metadata, "properties": {**_META["properties"], **(metadata.get("properties") or {})}}
    properties |= {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {**metadata, "type": "object"},
    }
    return {**schema, "properties": properties}


def schema_type(schema: JsonObject, *, resource: bool = False) -> Type | None:
    """The type of values of a schema, or None for values that expressions cannot see (unknown fields)."""
    if schema.get("x-kubernetes-int-or-string"):
        return DYN
    if resource or schema.get("x-kubernetes-embedded-resource"):
        schema = with_meta(schema)
    kind = schema.get("type")
    if kind == "array":
        items = schema.get("items")
        element = schema_type(items) if isinstance(items, dict) else None
        if element is None:
            return None
        list_type = schema.get("x-kubernetes-list-type")
        if list_type in ("set", "map"):
            return SchemaListType("list", (element,), list_type, tuple(schema.get("x-kubernetes-list-map-keys") or ()))
        return list_of(element)
    if kind == "object":
        return _object_type(schema)
    if kind == "string":
        return {"byte": BYTES, "duration": DURATION, "date": TIMESTAMP, "date-time": TIMESTAMP}.get(
            schema.get("format", ""), STRING
        )
    scalars = {"boolean": BOOL, "number": DOUBLE, "integer": INT}
    return scalars.get(kind) if isinstance(kind, str) else None


def _object_type(schema: JsonObject) -> Type | None:
    additional = schema.get("additionalProperties")
    if isinstance(additional, dict):
        value = schema_type(additional)
        return None if value is None else map_of(STRING, value)
    if additional is True and not schema.get("properties"):
        return None
    fields: dict[str, FieldDecl] = {}
    for name, sub in (schema.get("properties") or {}).items():
        cel_name, type_ = escape(name), schema_type(sub)
        if cel_name is not None and type_ is not None:
            fields[cel_name] = FieldDecl(type_, name)
    return ObjectType(f"object{next(_serial)}", (), fields)
