"""OpenAPI v3 schemas of the built-in kinds, made from the type tables.

Besides plain OpenAPI they carry the extensions that give lists and maps their meaning: ``x-kubernetes-list-type``,
``x-kubernetes-list-map-keys``, ``x-kubernetes-map-type``, ``x-kubernetes-patch-strategy``,
``x-kubernetes-patch-merge-key`` and ``x-kubernetes-group-version-kind``.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from eso_core.testing.apiserver.builtin.tables_access import ACCESS
from eso_core.testing.apiserver.builtin.tables_core import CORE
from eso_core.testing.apiserver.builtin.tables_extensions import EXTENSIONS
from eso_core.testing.apiserver.builtin.tables_meta import META
from eso_core.testing.apiserver.builtin.tables_workloads import WORKLOADS
from eso_core.testing.apiserver.builtin.typetable import Field, FieldType, Table, Type, parse_tables

__all__ = ["OBJECT_META", "REFERENCE_PREFIX", "component_names", "components", "schema_for", "table", "type_for"]

JsonObject = dict[str, Any]

REFERENCE_PREFIX: Final = "#/components/schemas/"
OBJECT_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"

_ALIASES: Final = {
    "meta": "io.k8s.apimachinery.pkg.apis.meta.v1",
    "core": "io.k8s.api.core.v1",
}
_TIME: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.Time"
_MICRO_TIME: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime"
_QUANTITY: Final = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_PLAIN: Final[dict[str, JsonObject]] = {
    "string": {"type": "string"},
    "strings": {"type": "array", "items": {"type": "string", "default": ""}},
    "bool": {"type": "boolean"},
    "int32": {"type": "integer", "format": "int32"},
    "int64": {"type": "integer", "format": "int64"},
    "float": {"type": "number", "format": "double"},
    "bytes": {"type": "string", "format": "byte"},
    "intorstring": {"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]},
    "raw": {"type": "object"},
}
_EXTENSIONS: Final = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1"
# Types that any JSON value fits: they have no type, and a name so that tools can show something.
_ANY: Final = {
    "JSON": "Any JSON value.",
    "JSONSchemaPropsOrArray": "A JSON schema, or a list of them.",
    "JSONSchemaPropsOrBool": "A JSON schema, or true or false.",
    "JSONSchemaPropsOrStringArray": "A JSON schema, or a list of names.",
}
_ZERO: Final[dict[str, Any]] = {"string": "", "bool": False, "int32": 0, "int64": 0, "float": 0}


@cache
def table() -> Table:
    """All built-in types."""
    return parse_tables(_ALIASES, META, CORE, ACCESS, EXTENSIONS, WORKLOADS)


@cache
def components() -> dict[str, JsonObject]:
    """``components.schemas`` of all built-in types by name. Shared: do not change it."""
    found = {name: _schema(kind) for name, kind in table().types.items()}
    found[_TIME] = {"description": "A time in RFC 3339 form.", "type": "string", "format": "date-time"}
    found[_MICRO_TIME] = {
        "description": "A time in RFC 3339 form with microseconds.",
        "type": "string",
        "format": "date-time",
    }
    found[_QUANTITY] = {
        "description": "An amount, such as 500m, 2 or 1Gi.",
        "oneOf": [{"type": "string"}, {"type": "number"}],
    }
    for name, text in _ANY.items():
        found[f"{_EXTENSIONS}.{name}"] = {"description": text}
    return dict(sorted(found.items()))


def type_for(group: str, version: str, kind: str) -> Type | None:
    """The type table entry of a built-in kind."""
    return table().kinds.get((group, version, kind))


def schema_for(group: str, version: str, kind: str) -> JsonObject:
    """The schema of a built-in kind, with ``$ref`` into `components`.

    Raises:
        KeyError: there is no such built-in kind.
    """
    return components()[table().kinds[(group, version, kind)].name]


def component_names(*roots: str) -> list[str]:
    """The names of ``roots`` and of everything they refer to, sorted: what a document must contain."""
    seen: set[str] = set()
    pending = list(roots)
    while pending:
        name = pending.pop()
        if name not in seen:
            seen.add(name)
            pending += _references(components()[name])
    return sorted(seen)


def _references(node: Any) -> list[str]:
    if isinstance(node, list):
        return [name for item in node for name in _references(item)]
    if not isinstance(node, dict):
        return []
    reference = node.get("$ref")
    found = [reference.removeprefix(REFERENCE_PREFIX)] if isinstance(reference, str) else []
    return found + [name for value in node.values() for name in _references(value)]


def _schema(kind: Type) -> JsonObject:
    schema: JsonObject = {"description": kind.description, "type": "object"}
    required = [name for name, entry in kind.fields.items() if entry.required]
    if kind.fields:
        schema["properties"] = {name: _property(entry) for name, entry in kind.fields.items()}
    if required:
        schema["required"] = required
    if kind.atomic:
        schema["x-kubernetes-map-type"] = "atomic"
    if kind.kind:
        schema["x-kubernetes-group-version-kind"] = [
            {"group": kind.group, "kind": kind.kind, "version": kind.version},
        ]
    elif kind.go == "RawExtension":
        del schema["type"]
    return schema


def _property(entry: Field) -> JsonObject:
    schema = _value(entry.type, entry)
    described: JsonObject = {"description": entry.description} if entry.description else {}
    described.update(schema)
    if entry.default is not None:
        described["default"] = entry.default
    if entry.list_keys:
        described["x-kubernetes-list-map-keys"] = list(entry.list_keys)
    if entry.list_type:
        described["x-kubernetes-list-type"] = entry.list_type
    if entry.map_atomic:
        described["x-kubernetes-map-type"] = "atomic"
    if entry.merge_key:
        described["x-kubernetes-patch-merge-key"] = entry.merge_key
    if entry.merge or entry.retain_keys:
        strategies = ["merge"] * entry.merge + ["retainKeys"] * entry.retain_keys
        described["x-kubernetes-patch-strategy"] = ",".join(strategies)
    return described


def _value(kind: FieldType, entry: Field) -> JsonObject:
    if kind.shape == "list":
        return {"type": "array", "items": _item(kind)}
    if kind.shape == "map":
        return {"type": "object", "additionalProperties": _item(kind)}
    schema = _single(kind)
    if "$ref" in schema:
        # A reference may have no siblings in OpenAPI 3.0; description and extensions go beside an allOf.
        schema = {"allOf": [schema]}
        if kind.is_struct and not kind.pointer:
            schema["default"] = {}
    elif entry.always and kind.base in _ZERO:
        schema["default"] = _ZERO[kind.base]
    return schema


def _item(kind: FieldType) -> JsonObject:
    schema = _single(kind)
    if "$ref" in schema:
        return {"allOf": [schema], "default": {}} if kind.is_struct else schema
    return {**schema, "default": _ZERO[kind.base]} if kind.base in _ZERO else schema


def _single(kind: FieldType) -> JsonObject:
    if kind.base == "time":
        return {"$ref": REFERENCE_PREFIX + _TIME}
    if kind.base == "microtime":
        return {"$ref": REFERENCE_PREFIX + _MICRO_TIME}
    if kind.base == "quantity":
        return {"$ref": REFERENCE_PREFIX + _QUANTITY}
    if kind.base in ("json", "schemas"):
        name = "JSON" if kind.base == "json" else kind.go.rpartition(".")[2]
        return {"$ref": f"{REFERENCE_PREFIX}{_EXTENSIONS}.{name}"}
    if kind.is_struct:
        return {"$ref": REFERENCE_PREFIX + kind.base}
    return dict(_PLAIN[kind.base])
