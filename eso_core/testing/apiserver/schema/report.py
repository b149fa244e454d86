"""The thorough half of validation: every error of a value, in the server's words.

With an old value, errors are ratcheted: a part of the object that did not change, and can be told to be the same part,
passes whatever its errors. Parts correspond by field name, and in lists of type ``map`` by key; any other list is one
part.
"""

from __future__ import annotations

from typing import Any

from eso_core.testing.apiserver.errors import FieldError
from eso_core.testing.apiserver.schema import causes, listtypes
from eso_core.testing.apiserver.schema.formats import number_in_range, string_check
from eso_core.testing.apiserver.schema.gotext import number, quote, to_json, type_name
from eso_core.testing.apiserver.schema.node import ABSENT, META_FIELDS, Node
from eso_core.testing.apiserver.schema.values import in_enum, is_multiple, same


def report(node: Node, value: Any, path: str = "", old: Any = ABSENT) -> list[FieldError]:
    """All errors of ``value`` at ``path``; ``old`` is its former self, if it has one to compare with."""
    if value is None:
        errors = _type_errors(node, value, path) + _enum_errors(node, value, path)
    else:
        errors = [
            *_type_errors(node, value, path),
            *_branch_errors(node, value, path),
            *_scalar_errors(node, value, path),
        ]
        if isinstance(value, list):
            errors += _list_errors(node, value, path, old)
        errors += _enum_errors(node, value, path)
        if isinstance(value, dict):
            errors += _object_errors(node, value, path, old)
    if errors and old is not ABSENT and same(value, old):
        return []
    return errors


def _field(path: str) -> str:
    return causes.field_name(path.removeprefix("."))


def _type_errors(node: Node, value: Any, path: str) -> list[FieldError]:
    types, format_ = node.types, node.format
    if not types:
        return []
    kind = type_name(value)
    if value is None:
        return [] if node.nullable else [_wrong_type(path, ",".join(types), kind)]
    as_number = "number" in types or "integer" in types
    fits = (
        kind in types
        or (kind == "integer" and "number" in types)
        or (kind == "number" and "integer" in types and float(value).is_integer())
    )
    if not fits and format_ and not isinstance(value, str | list):
        width = {"integer": "int64", "number": "float64"}.get(kind, "")
        if width != format_:
            return [_wrong_type(path, format_, width)]
    if not as_number and format_ and isinstance(value, str | list):
        return []
    return [] if fits else [_wrong_type(path, ",".join(types), kind)]


def _wrong_type(path: str, wanted: str, value: str) -> FieldError:
    return causes.type_invalid(_field(path), value, f'{path} in body must be of type {wanted}: "{value}"')


def _enum_errors(node: Node, value: Any, path: str) -> list[FieldError]:
    allowed = node.raw.get("enum")
    if not allowed or in_enum(value, allowed):
        return []
    names = [item if isinstance(item, str) else to_json(item) for item in allowed]
    return [causes.not_supported(_field(path), value, names)]


def _scalar_errors(node: Node, value: Any, path: str) -> list[FieldError]:
    if isinstance(value, str):
        return _string_errors(node, value, path)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number_errors(node, value, path)
    return []


def _string_errors(node: Node, value: str, path: str) -> list[FieldError]:
    raw = node.raw
    errors: list[FieldError] = []
    low, high = raw.get("minLength", 0), raw.get("maxLength")
    if high is not None and len(value) > high:
        errors.append(causes.too_long(_field(path), high))
    if len(value) < low:
        detail = f"{path} in body should be at least {low} chars long"
        errors.append(causes.invalid(_field(path), value, detail))
    if node.pattern is not None and not node.pattern(value):
        errors.append(causes.invalid(_field(path), value, f"{path} in body should match '{raw['pattern']}'"))
    # The server stops at the first of these three.
    errors = errors[:1]
    check = string_check(node.format)
    if check is not None and not check(value):
        detail = f"{path} in body must be of type {node.format}: {quote(value)}"
        errors.append(causes.type_invalid(_field(path), value, detail))
    return errors


def _number_errors(node: Node, value: int | float, path: str) -> list[FieldError]:
    raw, types, format_ = node.raw, node.types, node.format
    errors: list[FieldError] = []
    if not number_in_range(value, types, format_):
        kind = "integer" if "integer" in types else "number"
        width = f"with format {format_}" if format_ else "(default format)"
        errors.append(causes.invalid(causes.NO_FIELD, "", f"Checked value must be of type {kind} {width} in {path}"))

    def refuse(rule: str) -> None:
        errors.append(causes.invalid(_field(path), value, f"{path} in body should be {rule}"))

    factor, low, high = raw.get("multipleOf"), raw.get("minimum"), raw.get("maximum")
    if factor is not None and not is_multiple(value, factor):
        refuse(f"a multiple of {number(factor)}")
    if high is not None:
        if raw.get("exclusiveMaximum"):
            if value >= high:
                refuse(f"less than {number(high)}")
        elif value > high:
            refuse(f"less than or equal to {number(high)}")
    if low is not None:
        if raw.get("exclusiveMinimum"):
            if value <= low:
                refuse(f"greater than {number(low)}")
        elif value < low:
            refuse(f"greater than or equal to {number(low)}")
    return errors


def _list_errors(node: Node, value: list[Any], path: str, old: Any) -> list[FieldError]:
    raw = node.raw
    errors: list[FieldError] = []
    if node.items is not None:
        former = _former_items(node, old)
        for index, item in enumerate(value):
            errors += report(node.items, item, f"{path}[{index}]", former(item))
    low, high = raw.get("minItems", 0), raw.get("maxItems")
    if len(value) < low:
        detail = f"{path} in body should have at least {low} items"
        errors.append(causes.invalid(_field(path), len(value), detail))
    if high is not None and len(value) > high:
        errors.append(causes.too_many(_field(path), len(value), high))
    if raw.get("uniqueItems") and listtypes.repeats(value):
        errors.append(causes.invalid(_field(path), "", f"{path} in body shouldn't contain duplicates"))
    return errors


def _former_items(node: Node, old: Any) -> Any:
    """Finds the old item that an item was, in lists whose items have an identity."""
    if node.list_type != "map" or not isinstance(old, list):
        return lambda item: ABSENT
    keys = node.list_keys

    def identity(item: Any) -> Any:
        return tuple(to_json(item.get(key)) for key in keys) if isinstance(item, dict) else None

    by_key = {identity(item): item for item in reversed(old)}
    return lambda item: by_key.get(identity(item), ABSENT)


def _object_errors(node: Node, value: dict[str, Any], path: str, old: Any) -> list[FieldError]:
    raw = node.raw
    low, high = raw.get("minProperties"), raw.get("maxProperties")
    if low is not None and len(value) < low:
        detail = f"{path} in body should have at least {low} properties"
        return [causes.invalid(_field(path), len(value), detail)]
    if high is not None and len(value) > high:
        return [causes.too_many(_field(path), len(value), high)]
    errors: list[FieldError] = []
    before = old if isinstance(old, dict) else {}
    for key in sorted(value):
        known = node.properties.find(key)
        if known is not None:
            where = f"{path}.{key}" if path else key
            # The version in which an object is read is no property of the object.
            former = ABSENT if node.root and key in ("apiVersion", "kind") else before.get(key, ABSENT)
            errors += report(known, value[key], where, former)
        elif node.additional is not None:
            errors += report(node.additional, value[key], f"{path}.{key}", before.get(key, ABSENT))
        elif node.closed and not (node.root and key in META_FIELDS):
            errors.append(causes.invalid(_field(path), key, f"{path}.{key} in body is a forbidden property"))
    for name in raw.get("required") or ():
        if name not in value:
            errors.append(causes.required(_field(f"{path}.{name}")))
    return errors


def _branch_errors(node: Node, value: Any, path: str) -> list[FieldError]:
    raw = node.raw
    errors: list[FieldError] = []

    def fail(rule: str) -> None:
        errors.append(causes.invalid(causes.NO_FIELD, "", f'"{path}" must {rule}'))

    if raw.get("anyOf"):
        branches = [Node(branch) for branch in raw["anyOf"]]
        if not any(branch.valid(value) for branch in branches):
            fail("validate at least one schema (anyOf)")
            errors += _closest(branches, value, path)
    if raw.get("oneOf"):
        branches = [Node(branch) for branch in raw["oneOf"]]
        matches = sum(branch.valid(value) for branch in branches)
        if matches != 1:
            found = f"Found {matches} valid alternatives" if matches else "Found none valid"
            fail(f"validate one and only one schema (oneOf). {found}")
            if not matches:
                errors += _closest(branches, value, path)
    if raw.get("allOf"):
        branches = [Node(branch) for branch in raw["allOf"]]
        failures = [failure for branch in branches if (failure := report(branch, value, path))]
        for failure in failures:
            errors += failure
        if failures:
            fail(f"validate all the schemas (allOf){'. None validated' if len(failures) == len(branches) else ''}")
    if raw.get("not") is not None and Node(raw["not"]).valid(value):
        fail("not validate the schema (not)")
    return errors


def _closest(branches: list[Node], value: Any, path: str) -> list[FieldError]:
    """The errors of the branch in which most checks were made; of the first of these."""
    best = max(branches, key=lambda branch: _checks_made(branch, value))
    return report(best, value, path)


def _checks_made(node: Node, value: Any) -> int:
    """How many checks of the schema apply to the value: the deeper a branch reaches into it, the more."""
    if value is None:
        return 1
    count = 3 + (not _type_errors(node, value, ""))
    if isinstance(value, dict):
        for key, item in value.items():
            known = node.properties.find(key) or node.additional
            if known is not None:
                count += 1 + _checks_made(known, item)
    elif isinstance(value, list) and node.items is not None:
        count += sum(1 + _checks_made(node.items, item) for item in value)
    return count
