"""What makes a schema structural: every field has a type, and logical combinations only restrict what is specified.

Only structural schemas can be pruned and defaulted, so the server accepts no others.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Final, Literal

from eso_core.testing.apiserver.errors import FieldError
from eso_core.testing.apiserver.schema import causes, embedded
from eso_core.testing.apiserver.schema.metafields import CoerceError
from eso_core.testing.apiserver.schema.node import META_FIELDS, Node
from eso_core.testing.apiserver.schema.patterns import PatternError, compile_pattern
from eso_core.testing.apiserver.schema.report import report
from eso_core.testing.apiserver.schema.rules import RuleRun, build_rules
from eso_core.testing.apiserver.schema.values import same

JsonObject = dict[str, Any]
Level = Literal["root", "item", "field"]

_INT_OR_STRING: Final = [{"type": "integer"}, {"type": "string"}]
_UNTYPED: Final[dict[Level, str]] = {
    "root": "must not be empty at the root",
    "item": "must not be empty for specified array items",
    "field": "must not be empty for specified object fields",
}


def structural_errors(schema: JsonObject, path: str) -> list[FieldError]:
    """Everything that keeps a schema from being structural, sorted by text."""
    errors = _invariants(schema, "root", path) + _completeness(schema, schema, path, path)
    return sorted(errors, key=str)


def _invariants(schema: JsonObject, level: Level, path: str) -> list[FieldError]:
    kind = schema.get("type") or ""
    items, properties = schema.get("items"), schema.get("properties") or {}
    additional = schema.get("additionalProperties")
    embeds = bool(schema.get("x-kubernetes-embedded-resource"))
    errors: list[FieldError] = []
    if kind == "array" and items is None:
        errors.append(causes.required(f"{path}.items", "must be specified"))
    if isinstance(items, dict):
        errors += _invariants(items, "item", f"{path}.items")
    for name, sub in properties.items():
        errors += _invariants(sub, "field", f"{path}.properties[{name}]")
    if additional is not None:
        if level == "root":
            errors.append(causes.forbidden(f"{path}.additionalProperties", "must not be used at the root"))
        if isinstance(additional, dict):
            errors += _invariants(additional, "field", f"{path}.additionalProperties")
    errors += _extension_errors(schema, path)
    errors += _restriction_errors(
        schema,
        path,
        skip_any_of=schema.get("anyOf") == _INT_OR_STRING,
        skip_in_all_of=_int_or_string_in_all_of(schema),
    )
    errors += _type_errors(schema, kind, level, path, embeds=embeds)
    errors += _meta_errors(schema, properties, level, path, embeds=embeds)
    if embeds and not schema.get("x-kubernetes-preserve-unknown-fields") and not properties:
        detail = (
            "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields"
        )
        errors.append(causes.required(f"{path}.properties", detail))
    return errors


def _int_or_string_in_all_of(schema: JsonObject) -> bool:
    branches = schema.get("allOf") or []
    return bool(branches) and branches[0].get("anyOf") == _INT_OR_STRING


def _type_errors(schema: JsonObject, kind: str, level: Level, path: str, *, embeds: bool) -> list[FieldError]:
    where = f"{path}.type"
    errors: list[FieldError] = []
    if embeds and kind != "object":
        detail = "must be object if x-kubernetes-embedded-resource is true"
        errors.append(causes.invalid(where, kind, detail) if kind else causes.required(where, detail))
    elif not kind and not (
        schema.get("x-kubernetes-int-or-string") or schema.get("x-kubernetes-preserve-unknown-fields")
    ):
        errors.append(causes.required(where, _UNTYPED[level]))
    if embeds and schema.get("additionalProperties") is not None:
        detail = "must not be used if x-kubernetes-embedded-resource is set"
        errors.append(causes.forbidden(f"{path}.additionalProperties", detail))
    if level == "root" and kind and kind != "object":
        errors.append(causes.invalid(where, kind, "must be object at the root"))
    return errors


def _meta_errors(
    schema: JsonObject, properties: JsonObject, level: Level, path: str, *, embeds: bool
) -> list[FieldError]:
    errors: list[FieldError] = []
    resource = level == "root" or embeds
    for name in ("kind", "apiVersion"):
        if resource and name in properties and properties[name].get("type") != "string":
            where = f"{path}.properties[{name}].type"
            errors.append(causes.invalid(where, properties[name].get("type") or "", "must be string"))
    metadata = properties.get("metadata")
    if metadata is None:
        return errors
    where = f"{path}.properties[metadata]"
    if resource and metadata.get("type") != "object":
        errors.append(causes.invalid(f"{where}.type", metadata.get("type") or "", "must be object"))
    if level == "root":
        rest = {key: value for key, value in metadata.items() if key not in ("type", "default")}
        if set(rest.get("properties") or ()) <= {"name", "generateName"}:
            rest.pop("properties", None)
        if any(key in _GENERIC_KEYWORDS and value for key, value in rest.items()):
            detail = "must not specify anything other than name and generateName, but metadata is implicitly specified"
            errors.append(causes.forbidden(where, detail))
    return errors


_GENERIC_KEYWORDS: Final = frozenset(
    (
        "description",
        "title",
        "nullable",
        "items",
        "properties",
        "additionalProperties",
        "externalDocs",
        "example",
        "x-kubernetes-preserve-unknown-fields",
        "x-kubernetes-embedded-resource",
        "x-kubernetes-int-or-string",
        "x-kubernetes-list-map-keys",
        "x-kubernetes-list-type",
        "x-kubernetes-map-type",
        "x-kubernetes-validations",
    )
) | {
    "format",
    "maximum",
    "exclusiveMaximum",
    "minimum",
    "exclusiveMinimum",
    "maxLength",
    "minLength",
    "pattern",
    "maxItems",
    "minItems",
    "uniqueItems",
    "multipleOf",
    "enum",
    "maxProperties",
    "minProperties",
    "required",
    "allOf",
    "oneOf",
    "anyOf",
    "not",
}


def _extension_errors(schema: JsonObject, path: str) -> list[FieldError]:
    if not schema.get("x-kubernetes-int-or-string"):
        return []
    return [
        causes.invalid(f"{path}.{key}", True, "must be false if x-kubernetes-int-or-string is true")
        for key in ("x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource")
        if schema.get(key)
    ]


def _restriction_errors(schema: JsonObject, path: str, *, skip_any_of: bool, skip_in_all_of: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    if not skip_any_of:
        for index, branch in enumerate(schema.get("anyOf") or []):
            errors += _branch_errors(branch, f"{path}.anyOf[{index}]")
    for index, branch in enumerate(schema.get("allOf") or []):
        skip = skip_in_all_of and index == 0
        errors += _branch_errors(branch, f"{path}.allOf[{index}]", skip_any_of=skip)
    for index, branch in enumerate(schema.get("oneOf") or []):
        errors += _branch_errors(branch, f"{path}.oneOf[{index}]")
    if schema.get("not") is not None:
        errors += _branch_errors(schema["not"], f"{path}.not")
    pattern = schema.get("pattern")
    if pattern:
        try:
            compile_pattern(pattern)
        except PatternError as error:
            detail = f"must be a valid regular expression, but isn't: {error}"
            errors.append(causes.invalid(f"{path}.pattern", pattern, detail))
    return errors


_FORBIDDEN: Final = (
    ("type", "must be empty to be structural"),
    ("additionalProperties", "must be undefined to be structural"),
    ("default", "must be undefined to be structural"),
    ("title", "must be empty to be structural"),
    ("description", "must be empty to be structural"),
    ("nullable", "must be false to be structural"),
    ("externalDocs", "must be undefined to be structural"),
    ("x-kubernetes-preserve-unknown-fields", "must be false to be structural"),
    ("x-kubernetes-embedded-resource", "must be false to be structural"),
    ("x-kubernetes-int-or-string", "must be false to be structural"),
    ("x-kubernetes-list-map-keys", "must be empty to be structural"),
    ("x-kubernetes-list-type", "must be undefined to be structural"),
    ("x-kubernetes-map-type", "must be undefined to be structural"),
)


def _branch_errors(schema: JsonObject, path: str, *, skip_any_of: bool = False) -> list[FieldError]:
    """Errors inside of anyOf, allOf, oneOf and not, where only restrictions may stand."""
    errors = _restriction_errors(schema, path, skip_any_of=skip_any_of, skip_in_all_of=False)
    if isinstance(schema.get("items"), dict):
        errors += _branch_errors(schema["items"], f"{path}.items")
    for name, sub in (schema.get("properties") or {}).items():
        errors += _branch_errors(sub, f"{path}.properties[{name}]")
    for key, text in _FORBIDDEN:
        value = schema.get(key)
        if value or (value is False and key == "additionalProperties") or (value is not None and key == "default"):
            errors.append(causes.forbidden(f"{path}.{key}", text))
    if schema.get("x-kubernetes-validations"):
        errors.append(causes.forbidden(f"{path}.x-kubernetes-validations", "must be empty to be structural"))
    if "metadata" in (schema.get("properties") or {}):
        detail = "must not be specified in a nested context"
        errors.append(causes.forbidden(f"{path}.properties[metadata]", detail))
    return errors


def _completeness(restriction: JsonObject, schema: JsonObject, at: str, defined: str) -> list[FieldError]:
    """Fields that a restriction of ``schema`` speaks of but the schema itself does not specify."""
    errors: list[FieldError] = []
    for key in ("not", "allOf", "anyOf", "oneOf"):
        value = restriction.get(key)
        branches = [(value, f"{defined}.not")] if key == "not" and value is not None else []
        if key != "not":
            branches = [(branch, f"{defined}.{key}[{index}]") for index, branch in enumerate(value or [])]
        for branch, where in branches:
            errors += _completeness(branch, schema, at, where)
            errors += _branch_completeness(branch, schema, at, where)
    return errors


def _branch_completeness(branch: JsonObject, schema: JsonObject, at: str, defined: str) -> list[FieldError]:
    errors: list[FieldError] = []

    def descend(sub: JsonObject, target: Any, where: str, source: str) -> None:
        if not isinstance(target, dict):
            errors.append(causes.required(where, f"because it is defined in {source}"))
            return
        errors.extend(_completeness(sub, target, where, source))
        errors.extend(_branch_completeness(sub, target, where, source))

    if isinstance(branch.get("items"), dict):
        descend(branch["items"], schema.get("items"), f"{at}.items", f"{defined}.items")
    known = schema.get("properties") or {}
    for name, sub in (branch.get("properties") or {}).items():
        suffix = f".properties[{name}]"
        descend(sub, known.get(name), f"{at}{suffix}", f"{defined}{suffix}")
    return errors


def default_errors(schema: JsonObject, path: str) -> list[FieldError]:
    """Defaults that the schema itself or its CEL rules would refuse, or that would be pruned."""
    return _default_errors(schema, path, RuleRun(), root=True)


def _default_errors(
    schema: JsonObject, path: str, run: RuleRun, *, root: bool = False, inside_meta: bool = False
) -> list[FieldError]:
    errors: list[FieldError] = []
    resource = root or bool(schema.get("x-kubernetes-embedded-resource"))
    default = schema.get("default")
    if default is not None and not inside_meta:
        errors += _one_default(schema, default, f"{path}.default", run)
    if isinstance(schema.get("items"), dict):
        errors += _default_errors(schema["items"], f"{path}.items", run, inside_meta=inside_meta)
    for name, sub in (schema.get("properties") or {}).items():
        inside = (inside_meta and not resource) or (resource and name in META_FIELDS)
        errors += _default_errors(sub, f"{path}.properties[{name}]", run, inside_meta=inside)
    return errors


def _one_default(schema: JsonObject, default: Any, path: str, run: RuleRun) -> list[FieldError]:
    node = Node(schema)
    errors: list[FieldError] = []
    pruned = deepcopy(default)
    node.prune(pruned)
    if not same(pruned, default):
        errors.append(causes.invalid(path, default, "must not have unknown fields"))
    try:
        embedded.coerce(node, deepcopy(default), path, [])
    except CoerceError as error:
        field, _, message = str(error).partition(": ")
        return [*errors, FieldError("FieldValueInvalid", field, message)]
    problems = embedded.find_problems(node, default, path)
    if problems:
        return errors + problems
    for problem in report(node, default):
        field = path if problem.field == causes.NO_FIELD else f"{path}.{problem.field}"
        problems.append(FieldError(problem.reason, field, problem.message))
    if not problems and (rules := build_rules(schema, root=False)) is not None:
        run.validate_default(rules, default, path)
        problems, run.errors = run.errors, []
    return errors + problems
