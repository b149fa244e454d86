"""Validation of the OpenAPI schema in a CRD, keyword by keyword, and of the CEL rules in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from eso_core.testing.apiserver.errors import FieldError
from eso_core.testing.apiserver.schema import causes
from eso_core.testing.apiserver.schema.crd_internal import INTERNAL_NAMES, schema_json
from eso_core.testing.apiserver.schema.crd_rules import CRD_COST_LIMIT, RuleContext, TotalCost, cost_text, rule_errors
from eso_core.testing.apiserver.schema.crd_structural import default_errors, structural_errors
from eso_core.testing.apiserver.schema.fieldpath import FieldPathError, resolve
from eso_core.testing.apiserver.schema.node import META_FIELDS

JsonObject = dict[str, Any]

_TYPES: Final = ("array", "boolean", "integer", "number", "object", "string")
_REASONS: Final = ("FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired")
_UNSUPPORTED: Final = (
    ("id", "id is not supported"),
    ("additionalItems", "additionalItems is not supported"),
    ("patternProperties", "patternProperties is not supported"),
    ("definitions", "definitions is not supported"),
    ("dependencies", "dependencies is not supported"),
    ("$ref", "$ref is not supported"),
)
_ROOT_FIELDS: Final = (
    "Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength Pattern "
    "MaxItems MinItems UniqueItems MultipleOf Required Items Properties ExternalDocs Example XPreserveUnknownFields "
    "XValidations"
)
_NEWLINE: Final = re.compile(r"[\n\r]")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the schema we are, as far as it matters for what may stand there.

    ``no_defaults`` says why defaults are forbidden; ``uncorrelated`` is the path of the nearest ancestor whose parts
    cannot be matched with those of the old object, so that rules below must not use ``oldSelf``.
    """

    no_defaults: str | None = None
    inside_meta: bool = False
    uncorrelated: str | None = None


@dataclass(slots=True)
class _Found:
    schema: list[FieldError] = field(default_factory=list)
    rules: list[FieldError] = field(default_factory=list)

    def add(self, other: _Found) -> None:
        self.schema += other.schema
        self.rules += other.rules


def schema_errors(
    validation: JsonObject | None, path: str, *, status: bool, unchanged: bool = False
) -> list[FieldError]:
    """Errors of a version's ``schema``. ``status`` says that the status subresource is on.

    With ``unchanged``, the schema is the stored one and the cost of single rules is not held against it.
    """
    schema = (validation or {}).get("openAPIV3Schema")
    if schema is None:
        return []
    where = f"{path}.openAPIV3Schema"
    errors = _root_errors(schema, path) if status else []
    if schema.get("nullable"):
        errors.append(causes.forbidden(f"{where}.nullable", "nullable cannot be true at the root"))
    # Keywords beyond the structural form keep the server from looking at the form at all.
    foreign = _has_foreign(schema)
    broken = [] if foreign else structural_errors(schema, where) or default_errors(schema, where)
    errors += broken
    total = TotalCost()
    context = None if broken or foreign else RuleContext.root(schema, total, unchanged=unchanged)
    found = _walk(schema, where, _Place(), context, root=True)
    errors += found.schema + found.rules
    if total.cost > CRD_COST_LIMIT:
        detail = "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema"
        errors += [causes.forbidden(rule, detail) for rule in total.most_expensive()]
        name = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema"
        errors.append(causes.forbidden(where, cost_text(name, total.cost, CRD_COST_LIMIT)))
    return errors


def _has_foreign(schema: JsonObject) -> bool:
    """Whether a schema has a keyword anywhere that structural schemas do not know."""
    if any(schema.get(key) for key, _ in _UNSUPPORTED) or isinstance(schema.get("items"), list):
        return True
    below = [branch for _, branch in _children(schema)]
    below += (schema.get("properties") or {}).values()
    below += [schema[key] for key in ("items", "additionalProperties") if isinstance(schema.get(key), dict)]
    return any(map(_has_foreign, below))


def _root_errors(schema: JsonObject, path: str) -> list[FieldError]:
    """Only some keywords may stand at the root, since the schema of status is cut out of it."""
    for key, name in INTERNAL_NAMES.items():
        value = schema.get(key)
        if not value and not (
            isinstance(value, bool | int | float) and key not in ("nullable",) and value is not False
        ):
            continue
        if name == "Type":
            if value != "object":
                detail = 'only "object" is allowed as the type at the root of the schema if the status subresource is enabled'
                return [causes.invalid(f"{path}.openAPIV3Schema.type", value, detail)]
        elif name not in _ROOT_FIELDS.split():
            detail = f"only [{_ROOT_FIELDS}] fields are allowed at the root of the schema if the status subresource is enabled"
            return [causes.invalid(f"{path}.openAPIV3Schema", schema_json(schema), detail)]
    return []


def _children(schema: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    """The schemas of logical combinations, with the path suffix of each."""
    if schema.get("not") is not None:
        yield ".not", schema["not"]
    for key in ("allOf", "oneOf", "anyOf"):
        for index, branch in enumerate(schema.get(key) or []):
            yield f".{key}[{index}]", branch


def _walk(schema: JsonObject, path: str, place: _Place, context: RuleContext | None, *, root: bool = False) -> _Found:
    found = _Found(_keyword_errors(schema, path, place))
    additional, properties, items = (
        schema.get("additionalProperties"),
        schema.get("properties") or {},
        schema.get("items"),
    )
    if schema.get("uniqueItems"):
        detail = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        found.schema.append(causes.forbidden(f"{path}.uniqueItems", detail))
    if additional is not None:
        if properties and additional is not True:
            detail = "additionalProperties and properties are mutual exclusive"
            found.schema.append(causes.forbidden(f"{path}.additionalProperties", detail))
        if isinstance(additional, dict):
            inner = place
            if place.inside_meta:
                inner = replace(place, no_defaults="inside additionalProperties applying to object metadata")
            below = context and context.additional(schema, additional)
            found.add(_walk(additional, f"{path}.additionalProperties", inner, below))
    for name in sorted(properties):
        inner = place
        if (root or schema.get("x-kubernetes-embedded-resource")) and name in META_FIELDS:
            inner = replace(inner, inside_meta=True)
            if root:
                inner = replace(inner, no_defaults=f"in top-level {name}")
        below = context and context.property(schema, name)
        found.add(_walk(properties[name], f"{path}.properties[{name}]", inner, below))
    for suffix, branch in _children(schema):
        found.add(_walk(branch, path + suffix, place, None))
    if isinstance(items, dict):
        inner = place
        if schema.get("x-kubernetes-list-type") != "map" and place.uncorrelated is None:
            inner = replace(place, uncorrelated=path)
        found.add(_walk(items, f"{path}.items", inner, context and context.item(schema, items)))
    found.schema += _extension_errors(schema, path)
    rules = schema.get("x-kubernetes-validations") or []
    for index, rule in enumerate(rules):
        found.schema += _rule_form_errors(schema, rule, f"{path}.x-kubernetes-validations[{index}]")
    # A schema in error may not have a type to check rules against.
    if rules and not found.schema and context is not None:
        found.rules += rule_errors(context, rules, path, place.uncorrelated)
    return found


def _keyword_errors(schema: JsonObject, path: str, place: _Place) -> list[FieldError]:
    kind = schema.get("type") or ""
    errors: list[FieldError] = []
    if kind and kind not in _TYPES:
        errors.append(causes.not_supported(f"{path}.type", kind, _TYPES))
    if schema.get("default") is not None and place.no_defaults is not None:
        errors.append(causes.forbidden(f"{path}.default", f"must not be set {place.no_defaults}"))
    for key, text in _UNSUPPORTED:
        value = schema.get(key)
        if value or (value is not None and key in ("additionalItems", "dependencies", "$ref")):
            errors.append(causes.forbidden(f"{path}.{key}", text))
    if kind == "null":
        errors.append(causes.forbidden(f"{path}.type", "type cannot be set to null, use nullable as an alternative"))
    if isinstance(schema.get("items"), list):
        errors.append(causes.forbidden(f"{path}.items", "items must be a schema object and not an array"))
    if place.inside_meta and schema.get("x-kubernetes-embedded-resource"):
        detail = "must not be used inside of resource meta"
        errors.append(causes.forbidden(f"{path}.x-kubernetes-embedded-resource", detail))
    return errors


def _needs_type(schema: JsonObject, path: str, kind: str, keyword: str) -> list[FieldError]:
    actual, detail = schema.get("type") or "", f"must be {kind} if {keyword} is specified"
    if actual == kind:
        return []
    return [causes.invalid(f"{path}.type", actual, detail) if actual else causes.required(f"{path}.type", detail)]


def _extension_errors(schema: JsonObject, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if schema.get("x-kubernetes-preserve-unknown-fields") is False:
        where = f"{path}.x-kubernetes-preserve-unknown-fields"
        errors.append(causes.invalid(where, False, "must be true or undefined"))
    map_type, list_type = schema.get("x-kubernetes-map-type"), schema.get("x-kubernetes-list-type")
    if map_type is not None:
        errors += _needs_type(schema, path, "object", "x-kubernetes-map-type")
        if map_type not in ("atomic", "granular"):
            errors.append(causes.not_supported(f"{path}.x-kubernetes-map-type", map_type, ["atomic", "granular"]))
    if list_type is not None:
        wrong = _needs_type(schema, path, "array", "x-kubernetes-list-type")
        errors += wrong or (_set_errors(schema, path) if list_type == "set" else [])
        if list_type not in ("atomic", "set", "map"):
            supported = ["atomic", "set", "map"]
            errors.append(causes.not_supported(f"{path}.x-kubernetes-list-type", list_type, supported))
    errors += _list_map_errors(schema, path, list_type)
    if list_type in ("set", "map") and isinstance(schema.get("items"), dict):
        errors += _identity_errors(schema, path, list_type)
    return errors


def _set_errors(schema: JsonObject, path: str) -> list[FieldError]:
    items = schema.get("items")
    if not isinstance(items, dict):
        return []
    detail = "must be atomic as item of a list with x-kubernetes-list-type=set"
    kind, shown = items.get("type"), items.get("x-kubernetes-list-type")
    if kind == "array" and shown not in (None, "atomic"):
        return [causes.invalid(f"{path}.items.x-kubernetes-list-type", shown, detail)]
    if kind == "object" and items.get("x-kubernetes-map-type") != "atomic":
        return [causes.invalid(f"{path}.items.x-kubernetes-map-type", shown, detail)]
    return []


def _list_map_errors(schema: JsonObject, path: str, list_type: str | None) -> list[FieldError]:
    keys, items = schema.get("x-kubernetes-list-map-keys") or [], schema.get("items")
    errors: list[FieldError] = []
    if keys and list_type != "map":
        where, detail = f"{path}.x-kubernetes-list-type", "must be map if x-kubernetes-list-map-keys is non-empty"
        errors.append(causes.required(where, detail) if list_type is None else causes.invalid(where, list_type, detail))
    if list_type != "map":
        return errors
    if not keys:
        detail = "must not be empty if x-kubernetes-list-type is map"
        errors.append(causes.required(f"{path}.x-kubernetes-list-map-keys", detail))
    if items is None:
        errors.append(causes.required(f"{path}.items", "must have a schema if x-kubernetes-list-type is map"))
    if not isinstance(items, dict):
        return errors
    kind = items.get("type") or ""
    if kind != "object":
        detail = "must be object if parent array's x-kubernetes-list-type is map"
        return [*errors, causes.invalid(f"{path}.items.type", kind, detail)]
    properties = items.get("properties") or {}
    seen: set[str] = set()
    for key in keys:
        if key not in properties:
            detail = "entries must all be names of item properties"
            errors.append(causes.invalid(f"{path}.x-kubernetes-list-map-keys", keys, detail))
        elif properties[key].get("type") in ("array", "object"):
            detail = "must be a scalar type if parent array's x-kubernetes-list-type is map"
            errors.append(causes.invalid(f"{path}.items.properties[{key}].type", kind, detail))
        if key in seen:
            detail = "must not contain duplicate entries"
            errors.append(causes.invalid(f"{path}.x-kubernetes-list-map-keys", keys, detail))
        seen.add(key)
    return errors


def _identity_errors(schema: JsonObject, path: str, list_type: str) -> list[FieldError]:
    items = schema["items"]
    errors: list[FieldError] = []
    if items.get("nullable"):
        detail = f"cannot be nullable when x-kubernetes-list-type is {list_type}"
        errors.append(causes.forbidden(f"{path}.items.nullable", detail))
    if list_type == "set":
        return errors
    required, properties = items.get("required") or [], items.get("properties") or {}
    for key in schema.get("x-kubernetes-list-map-keys") or []:
        if key not in properties:
            continue
        where, intro = f"{path}.items.properties[{key}]", "this property is in x-kubernetes-list-map-keys, so it"
        if key not in required and properties[key].get("default") is None:
            errors.append(causes.required(f"{where}.default", f"{intro} must have a default or be a required property"))
        if properties[key].get("nullable"):
            errors.append(causes.forbidden(f"{where}.nullable", f"{intro} cannot be nullable"))
    return errors


def _rule_form_errors(schema: JsonObject, rule: JsonObject, path: str) -> list[FieldError]:
    """Errors of a rule that can be seen without compiling it."""
    text, message, expression, target = (
        rule.get(key) or "" for key in ("rule", "message", "messageExpression", "fieldPath")
    )
    errors: list[FieldError] = []
    if not text.strip():
        errors.append(causes.required(f"{path}.rule", "rule is not specified"))
    elif message and not message.strip():
        errors.append(causes.invalid(f"{path}.message", message, "must be non-empty if specified"))
    elif _NEWLINE.search(message.strip()):
        errors.append(causes.invalid(f"{path}.message", message, "must not contain line breaks"))
    elif _NEWLINE.search(text.strip()) and not message.strip():
        detail = "message must be specified if rule contains line breaks"
        errors.append(causes.required(f"{path}.message", detail))
    if expression and not expression.strip():
        detail = "messageExpression must be non-empty if specified"
        errors.append(causes.required(f"{path}.messageExpression", detail))
    reason = rule.get("reason")
    if reason is not None and reason not in _REASONS:
        errors.append(causes.not_supported(f"{path}.reason", reason, _REASONS))
    if target and not target.strip():
        errors.append(causes.invalid(f"{path}.fieldPath", target, "must be non-empty if specified"))
    if _NEWLINE.search(target):
        errors.append(causes.invalid(f"{path}.fieldPath", target, "must not contain line breaks"))
    if target:
        try:
            resolve(target, schema)
        except FieldPathError:
            errors.append(causes.invalid(f"{path}.fieldPath", target, "must be a valid path"))
    return errors
