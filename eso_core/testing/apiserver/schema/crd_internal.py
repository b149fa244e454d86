"""The server's internal form of a CustomResourceDefinition, which its error messages are about.

What all versions have in common is lifted to the top of the spec there, so errors of a CRD with one version are
reported at ``spec.validation`` rather than ``spec.versions[0].schema``. Values are shown with the internal names.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from eso_core.testing.apiserver.schema.gotext import Rendered, struct_json, to_json

JsonObject = dict[str, Any]


@dataclass(slots=True)
class InternalVersion:
    """One version; parts that were lifted to the top are None or empty here."""

    name: str
    raw: JsonObject
    schema: JsonObject | None
    subresources: JsonObject | None
    columns: list[JsonObject]
    selectable: list[JsonObject]


@dataclass(slots=True)
class InternalSpec:
    """A CRD's spec with the common parts of its versions lifted to the top."""

    raw: JsonObject
    version: str = ""
    schema: JsonObject | None = None
    subresources: JsonObject | None = None
    columns: list[JsonObject] = field(default_factory=list)
    selectable: list[JsonObject] = field(default_factory=list)
    versions: list[InternalVersion] = field(default_factory=list)


def to_internal(spec: JsonObject) -> InternalSpec:
    """Lift what all versions have in common."""
    internal = InternalSpec(spec)
    for raw in spec.get("versions") or []:
        internal.versions.append(
            InternalVersion(
                raw.get("name") or "",
                raw,
                raw.get("schema"),
                raw.get("subresources"),
                raw.get("additionalPrinterColumns") or [],
                raw.get("selectableFields") or [],
            )
        )
    versions = internal.versions
    if not versions:
        return internal
    first = versions[0]
    internal.version = first.name
    if all(version.schema == first.schema for version in versions):
        internal.schema = first.schema
        for version in versions:
            version.schema = None
    if all(version.subresources == first.subresources for version in versions):
        internal.subresources = first.subresources
        for version in versions:
            version.subresources = None
    if all(version.columns == first.columns for version in versions):
        internal.columns = first.columns
        for version in versions:
            version.columns = []
    if all(version.selectable == first.selectable for version in versions):
        internal.selectable = first.selectable
        for version in versions:
            version.selectable = []
    return internal


def versions_json(versions: list[InternalVersion]) -> Rendered:
    """All versions as error messages show them."""
    return Rendered(f"[{','.join(_version_json(version) for version in versions)}]")


def _version_json(version: InternalVersion) -> Rendered:
    raw = version.raw
    schema = (version.schema or {}).get("openAPIV3Schema")
    return struct_json(
        {
            "Name": version.name,
            "Served": bool(raw.get("served")),
            "Storage": bool(raw.get("storage")),
            "Deprecated": bool(raw.get("deprecated")),
            "DeprecationWarning": raw.get("deprecationWarning"),
            "Schema": None
            if version.schema is None
            else struct_json({"OpenAPIV3Schema": None if schema is None else schema_json(schema)}),
            "Subresources": None if version.subresources is None else _subresources_json(version.subresources),
            "AdditionalPrinterColumns": _list_json([_column_json(column) for column in version.columns]),
            "SelectableFields": _list_json(
                [struct_json({"JSONPath": item.get("jsonPath") or ""}) for item in version.selectable]
            ),
        }
    )


def _list_json(items: list[Rendered]) -> Rendered:
    return Rendered(f"[{','.join(items)}]" if items else "null")


def _subresources_json(subresources: JsonObject) -> Rendered:
    scale = subresources.get("scale")
    shown = None
    if scale is not None:
        shown = struct_json(
            {
                "SpecReplicasPath": scale.get("specReplicasPath") or "",
                "StatusReplicasPath": scale.get("statusReplicasPath") or "",
                "LabelSelectorPath": scale.get("labelSelectorPath"),
            }
        )
    return struct_json({"Status": None if subresources.get("status") is None else {}, "Scale": shown})


def _column_json(column: JsonObject) -> Rendered:
    names = {
        "Name": "name",
        "Type": "type",
        "Format": "format",
        "Description": "description",
        "Priority": "priority",
        "JSONPath": "jsonPath",
    }
    return struct_json({go: column.get(key) or (0 if key == "priority" else "") for go, key in names.items()})


_STRING: Final = ""
_FIELDS: Final[tuple[tuple[str, str, Any], ...]] = (
    ("ID", "id", _STRING),
    ("Schema", "$schema", _STRING),
    ("Ref", "$ref", None),
    ("Description", "description", _STRING),
    ("Type", "type", _STRING),
    ("Nullable", "nullable", False),
    ("Format", "format", _STRING),
    ("Title", "title", _STRING),
    ("Default", "default", None),
    ("Maximum", "maximum", None),
    ("ExclusiveMaximum", "exclusiveMaximum", False),
    ("Minimum", "minimum", None),
    ("ExclusiveMinimum", "exclusiveMinimum", False),
    ("MaxLength", "maxLength", None),
    ("MinLength", "minLength", None),
    ("Pattern", "pattern", _STRING),
    ("MaxItems", "maxItems", None),
    ("MinItems", "minItems", None),
    ("UniqueItems", "uniqueItems", False),
    ("MultipleOf", "multipleOf", None),
    ("Enum", "enum", None),
    ("MaxProperties", "maxProperties", None),
    ("MinProperties", "minProperties", None),
    ("Required", "required", None),
    ("Items", "items", None),
    ("AllOf", "allOf", None),
    ("OneOf", "oneOf", None),
    ("AnyOf", "anyOf", None),
    ("Not", "not", None),
    ("Properties", "properties", None),
    ("AdditionalProperties", "additionalProperties", None),
    ("PatternProperties", "patternProperties", None),
    ("Dependencies", "dependencies", None),
    ("AdditionalItems", "additionalItems", None),
    ("Definitions", "definitions", None),
    ("ExternalDocs", "externalDocs", None),
    ("Example", "example", None),
    ("XPreserveUnknownFields", "x-kubernetes-preserve-unknown-fields", None),
    ("XEmbeddedResource", "x-kubernetes-embedded-resource", False),
    ("XIntOrString", "x-kubernetes-int-or-string", False),
    ("XListMapKeys", "x-kubernetes-list-map-keys", None),
    ("XListType", "x-kubernetes-list-type", None),
    ("XMapType", "x-kubernetes-map-type", None),
    ("XValidations", "x-kubernetes-validations", None),
)

INTERNAL_NAMES: Final[dict[str, str]] = {key: go for go, key, _ in _FIELDS}
"""The internal name of each schema keyword, in the order in which the server looks at them."""


def schema_json(schema: JsonObject) -> Rendered:
    """A schema as error messages show it: every field, by its internal name."""
    return struct_json({go: _schema_value(key, schema.get(key, empty)) for go, key, empty in _FIELDS})


def _schema_value(key: str, value: Any) -> Any:
    if not value and value is not False and value != 0 and value != "":
        return None if not isinstance(value, dict) or key not in ("items", "not") else schema_json(value)
    match key:
        case "items":
            return struct_json({"Schema": schema_json(value), "JSONSchemas": None})
        case "not":
            return schema_json(value)
        case "allOf" | "oneOf" | "anyOf":
            return _list_json([schema_json(item) for item in value])
        case "properties" | "patternProperties" | "definitions":
            parts = (f"{to_json(name)}:{schema_json(value[name])}" for name in sorted(value))
            return Rendered("{" + ",".join(parts) + "}")
        case "additionalProperties" | "additionalItems":
            if isinstance(value, bool):
                return struct_json({"Allows": value, "Schema": None})
            return struct_json({"Allows": True, "Schema": schema_json(value)})
        case "x-kubernetes-validations":
            return _list_json([rule_json(rule) for rule in value])
    return value


def rule_json(rule: JsonObject) -> Rendered:
    """A CEL rule as error messages show it."""
    return struct_json(
        {
            "Rule": rule.get("rule") or "",
            "Message": rule.get("message") or "",
            "MessageExpression": rule.get("messageExpression") or "",
            "Reason": rule.get("reason"),
            "FieldPath": rule.get("fieldPath") or "",
            "OptionalOldSelf": rule.get("optionalOldSelf"),
        }
    )
