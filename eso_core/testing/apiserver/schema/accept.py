"""The fast half of validation: functions that say whether a value is free of errors.

They agree with `eso_core.testing.apiserver.schema.report`, which lists the errors; a property test holds the two
together. Nearly every write is valid, so this half is compiled into closures and builds no paths and no texts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eso_core.testing.apiserver.schema import embedded, listtypes
from eso_core.testing.apiserver.schema.formats import number_in_range, string_check
from eso_core.testing.apiserver.schema.node import META_FIELDS, Node
from eso_core.testing.apiserver.schema.values import in_enum, is_multiple

Valid = Callable[[Any], bool]


def _always(value: Any) -> bool:
    return True


class _Checks(dict[str, "Valid"]):
    """The check of each field of an object; fields without one get `_always`."""

    __slots__ = ("node",)

    def __init__(self, node: Node) -> None:
        super().__init__()
        self.node = node

    def __missing__(self, key: str) -> Valid:
        known = self.node.properties.find(key)
        if known is None:
            additional = self.node.additional
            return additional.valid if additional is not None else _always
        check = self[key] = known.valid
        return check


def compile_valid(node: Node) -> Valid:
    """The check of a node. A null is checked for its type and the enum, but not by anyOf and its kin."""
    by_type, enum, combined = _by_type(node), _enum(node), _combined(node)
    if combined is None:
        if enum is None:
            return by_type
        return lambda value: by_type(value) and enum(value)

    def valid(value: Any) -> bool:
        return by_type(value) and (enum is None or enum(value)) and (value is None or combined(value))

    return valid


def _enum(node: Node) -> Valid | None:
    allowed = node.raw.get("enum")
    if not allowed:
        return None
    if all(isinstance(item, str) for item in allowed):
        texts = frozenset(allowed)
        return lambda value: type(value) is str and value in texts
    return lambda value: in_enum(value, allowed)


def _combined(node: Node) -> Valid | None:
    raw = node.raw
    if not (raw.get("allOf") or raw.get("anyOf") or raw.get("oneOf") or raw.get("not") is not None):
        return None
    all_of = [Node(branch) for branch in raw.get("allOf") or ()]
    any_of = [Node(branch) for branch in raw.get("anyOf") or ()]
    one_of = [Node(branch) for branch in raw.get("oneOf") or ()]
    negated = Node(raw["not"]) if raw.get("not") is not None else None

    def combined(value: Any) -> bool:
        if not all(branch.valid(value) for branch in all_of):
            return False
        if any_of and not any(branch.valid(value) for branch in any_of):
            return False
        if one_of and sum(branch.valid(value) for branch in one_of) != 1:
            return False
        return negated is None or not negated.valid(value)

    return combined


def _by_type(node: Node) -> Valid:
    types = node.types
    if types == ("string",) and not node.format:
        return _nullable(node, _string(node))
    if types == ("object",):
        return _nullable(node, _object(node))
    if types == ("array",):
        return _nullable(node, _array(node))
    if types == ("boolean",):
        return _nullable(node, lambda value: value is True or value is False)
    if types in (("integer",), ("number",)):
        return _nullable(node, _number(node))
    return _any(node)


def _nullable(node: Node, check: Valid) -> Valid:
    if not node.nullable:
        return check
    return lambda value: value is None or check(value)


def _any(node: Node) -> Valid:
    """No type, several, or a format: each kind of value meets the rules for its kind."""
    types = node.types
    # Where a string has a format, the server takes lists as well.
    listed = bool(node.format) and not set(types) & {"integer", "number"}
    string, number, mapping, sequence = _string(node), _number(node), _object(node), _array(node)

    def valid(value: Any) -> bool:
        kind = type(value)
        if value is None:
            return node.nullable or not types
        if kind is str:
            return (not types or "string" in types) and string(value)
        if kind is bool:
            return not types or "boolean" in types
        if kind is dict:
            return (not types or "object" in types) and mapping(value)
        if kind is list:
            return (not types or "array" in types or listed) and sequence(value)
        if not types:
            return number(value)
        if "number" in types or ("integer" in types and (isinstance(value, int) or value.is_integer())):
            return number(value)
        return False

    return valid


def _is_string(value: Any) -> bool:
    return type(value) is str


def _string(node: Node) -> Valid:
    raw = node.raw
    low, high, pattern = raw.get("minLength", 0), raw.get("maxLength"), node.pattern
    format_ = string_check(node.format)
    if format_ is None and pattern is None and high is None and not low:
        return _is_string
    if format_ is None and pattern is None:
        top = high if high is not None else float("inf")
        return lambda value: type(value) is str and low <= len(value) <= top

    def valid(value: Any) -> bool:
        return (
            type(value) is str
            and len(value) >= low
            and (high is None or len(value) <= high)
            and (pattern is None or bool(pattern(value)))
            and (format_ is None or format_(value))
        )

    return valid


def _number(node: Node) -> Valid:
    raw, types = node.raw, node.types
    low, high, factor = raw.get("minimum"), raw.get("maximum"), raw.get("multipleOf")
    above, below = bool(raw.get("exclusiveMinimum")), bool(raw.get("exclusiveMaximum"))
    integer = "integer" in types and "number" not in types
    format_ = node.format

    def valid(value: Any) -> bool:
        kind = type(value)
        if kind is float:
            if integer and not value.is_integer():
                return False
        elif kind is not int and (kind is bool or not isinstance(value, int)):
            return False
        if low is not None and (value <= low if above else value < low):
            return False
        if high is not None and (value >= high if below else value > high):
            return False
        if factor is not None and not is_multiple(value, factor):
            return False
        return number_in_range(value, types, format_)

    return valid


def _array(node: Node) -> Valid:
    raw = node.raw
    low, high, unique = raw.get("minItems", 0), raw.get("maxItems"), bool(raw.get("uniqueItems"))
    listed = node.list_type in ("set", "map")

    def valid(value: Any) -> bool:
        if type(value) is not list:
            return False
        count = len(value)
        if count < low or (high is not None and count > high):
            return False
        items = node.items
        if items is not None:
            check = items.valid
            for item in value:
                if not check(item):
                    return False
        if unique and listtypes.repeats(value):
            return False
        return not listed or not listtypes.duplicates(node, value, "")

    return valid


def _object(node: Node) -> Valid:
    raw = node.raw
    required = tuple(raw.get("required") or ())
    low, high = raw.get("minProperties"), raw.get("maxProperties")
    checks = _Checks(node)
    is_embedded = node.embedded
    known = frozenset(raw.get("properties") or ()) | (META_FIELDS if node.root else frozenset())
    plain = not raw.get("properties") and not isinstance(raw.get("additionalProperties"), dict)

    def valid(value: Any) -> bool:
        if type(value) is not dict:
            return False
        for name in required:
            if name not in value:
                return False
        if low is not None and len(value) < low:
            return False
        if high is not None and len(value) > high:
            return False
        if node.closed and not value.keys() <= known:
            return False
        if not plain:
            for key, item in value.items():
                if not checks[key](item):
                    return False
        return not is_embedded or not embedded.problems(value, "")

    return valid
