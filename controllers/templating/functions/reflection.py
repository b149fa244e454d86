"""Types of values, and whether two values are the same."""

from __future__ import annotations

from controllers.templating.budget import spend
from controllers.templating.functions.registry import function
from controllers.templating.gotemplate.quoting import text
from controllers.templating.gotemplate.values import GoObject, Value, is_nil, kind_of, type_name

__all__ = ["deep_equal"]

GROUP = "Types"


def deep_equal(left: Value, right: Value) -> bool:
    """Whether both have the same type and content. A list or map is the same as itself, whatever it holds."""
    pairs = [(left, right)]
    # Pairs that are being compared need no second look: maps may hold themselves.
    seen: set[tuple[int, int]] = set()
    while pairs:
        spend()
        one, other = pairs.pop()
        if type_name(one) != type_name(other):
            return False
        if isinstance(one, list | dict):
            if is_nil(one) != is_nil(other) or len(one) != len(other):
                return False
            mark = (id(one), id(other))
            if one is other or mark in seen:
                continue
            seen.add(mark)
            if isinstance(one, list):
                pairs += zip(one, other, strict=True)
            elif one.keys() != other.keys():
                return False
            else:
                pairs += ((content, other[key]) for key, content in one.items())
        elif isinstance(one, GoObject):
            if one is not other and one != other:
                return False
        elif one != other:
            return False
    return True


@function("deepEqual", "any, any", "Whether both have the same type and content.", group=GROUP,
          example='{{ deepEqual (list 1 "a") (list 1 "a") }} {{ deepEqual 1 1.0 }}', result="true false")  # fmt: skip
def equal(left: Value, right: Value) -> bool:
    return deep_equal(left, right)


@function("typeOf", "any", "The Go type.", group=GROUP, example="{{ typeOf (list 1) }}", result="[]interface {}")
def type_of(value: Value) -> bytes:
    return type_name(value).encode()


@function("typeIs", "string, any", "Whether the value has this Go type.", group=GROUP,
          example='{{ typeIs "int" 5 }}', result="true")  # fmt: skip
def type_is(name: bytes, value: Value) -> bool:
    return text(name) == type_name(value)


@function("typeIsLike", "string, any", "Whether the value has this Go type or is a pointer to it.", group=GROUP,
          example='{{ typeIsLike "string" "x" }}', result="true")  # fmt: skip
def type_is_like(name: bytes, value: Value) -> bool:
    actual = type_name(value)
    return actual in (text(name), "*" + text(name))


@function("kindOf", "any", "The Go kind: string, int, slice, map, struct...", group=GROUP,
          example="{{ kindOf (list 1) }} {{ kindOf (dict) }}", result="slice map")  # fmt: skip
def kind(value: Value) -> bytes:
    return kind_of(value).encode()


@function("kindIs", "string, any", "Whether the value is of this Go kind.", group=GROUP,
          example='{{ kindIs "int" 5 }}', result="true")  # fmt: skip
def kind_is(name: bytes, value: Value) -> bool:
    return text(name) == kind_of(value)
