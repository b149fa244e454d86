"""The functions that the template language itself has. `and` and `or` look at their operands one by one: see the compiler."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from msgspec import Struct

from controllers.templating.budget import allocate
from controllers.templating.gotemplate.arguments import ANY, VALUE
from controllers.templating.gotemplate.errors import FunctionError
from controllers.templating.gotemplate.fmt import print_values, println_values, sprintf, to_text
from controllers.templating.gotemplate.quoting import characters, encoded, is_print, text
from controllers.templating.gotemplate.run import NIL
from controllers.templating.gotemplate.values import (
    StrMap,
    Uint8,
    Value,
    is_nil,
    kind_of,
    type_name,
)

__all__ = ["BUILTINS", "Builtin"]


class Builtin(Struct, frozen=True):
    """As `registry.Function`, with what the engine needs alone.

    Attributes:
        params: types of the parameters; the last may begin with `...`.
        call: the implementation.
    """

    params: tuple[str, ...]
    call: Callable[..., Any]
    heavy: bool = False
    pure: bool = True


_KINDS: Final = {
    "bool": "bool", "int": "int", "int64": "int", "uint8": "uint", "uint32": "uint", "uint64": "uint", "float64": "float",
    "complex128": "complex", "string": "string",
}  # fmt: skip


def _length(value: Value) -> int:
    if value is NIL:
        raise FunctionError("len of nil pointer")
    if value is None:
        raise FunctionError("reflect: call of reflect.Value.Type on zero Value")
    if isinstance(value, bytes | list | dict):
        return len(value)
    raise FunctionError(f"len of type {type_name(value).lstrip('*')}")


def _position(index: Value, length: int) -> int:
    if isinstance(index, int) and not isinstance(index, bool):
        if index < 0 or index > length:
            raise FunctionError(f"index out of range: {int(index)}")
        return int(index)
    if index is None:
        raise FunctionError("cannot index slice/array with nil")
    raise FunctionError(f"cannot index slice/array with type {type_name(index)}")


def _element(item: Value, index: Value) -> Value:
    if isinstance(item, dict):
        if index is None:
            raise FunctionError("value is nil; should be of type string")
        if type(index) is not bytes:
            raise FunctionError(f"value has type {type_name(index)}; should be string")
        return item.get(index, b"" if isinstance(item, StrMap) else None)
    if isinstance(item, bytes | list):
        at = _position(index, len(item))
        if at == len(item):
            what = "string" if isinstance(item, bytes) else "slice"
            raise FunctionError(f"reflect: {what} index out of range")
        return Uint8(item[at]) if isinstance(item, bytes) else item[at]
    raise FunctionError(f"can't index item of type {type_name(item).lstrip('*')}")


def _index(item: Value, *indexes: Value) -> Value:
    if item is None or item is NIL:
        raise FunctionError("index of untyped nil")
    for index in indexes:
        if item is None:
            raise FunctionError("index of nil pointer")
        item = _element(item, None if index is NIL else index)
    return item


def _comparable(value: Value) -> bool:
    return not isinstance(value, list | dict)


def _same(left: Value, right: Value) -> bool:
    kind, other = _KINDS.get(kind_of(left)), _KINDS.get(kind_of(right))
    if kind != other:
        if {kind, other} == {"int", "uint"}:
            return bool(left == right)
        if left is not None and right is not None:
            raise FunctionError(f"incompatible types for comparison: {type_name(left)} and {type_name(right)}")
        return False
    if kind is not None:
        return bool(left == right)
    if kind_of(left) != kind_of(right) and left is not None and right is not None:
        left_text, right_text = text(sprintf(b"%s", [left])), text(to_text(right))
        raise FunctionError(f"non-comparable types {left_text}: {type_name(left)}, {type_name(right)}: {right_text}")
    if is_nil(left) or is_nil(right):
        return is_nil(left) == is_nil(right)
    if not _comparable(right):
        raise FunctionError(f"non-comparable type {text(sprintf(b'%s', [right]))}: {type_name(right)}")
    return type(left) is type(right) and (left is right or (kind_of(left) != "ptr" and bool(left == right)))


def _equal(first: Value, *others: Value) -> bool:
    if not others:
        raise FunctionError("missing argument for comparison")
    first = None if first is NIL else first
    return any(_same(first, None if other is NIL else other) for other in others)


def _not_equal(first: Value, second: Value) -> bool:
    return not _equal(first, second)


def _basic(value: Value) -> str:
    kind = None if value is None or value is NIL else _KINDS.get(kind_of(value))
    if kind is None:
        raise FunctionError("invalid type for comparison")
    return kind


def _less(left: Value, right: Value) -> bool:
    kind, other = _basic(left), _basic(right)
    if kind != other:
        if {kind, other} == {"int", "uint"}:
            return bool(left < right)
        raise FunctionError(f"incompatible types for comparison: {type_name(left)} and {type_name(right)}")
    if kind in ("bool", "complex"):
        raise FunctionError("invalid type for comparison")
    return bool(left < right)


def _less_or_equal(left: Value, right: Value) -> bool:
    return _less(left, right) or _equal(left, right)


def _greater(left: Value, right: Value) -> bool:
    return not _less_or_equal(left, right)


def _greater_or_equal(left: Value, right: Value) -> bool:
    return not _less(left, right)


def _negated(value: Value) -> bool:
    return not value


def _joined(values: tuple[Value, ...]) -> bytes:
    """As `print`, but nil reads as in the output of actions."""
    if len(values) == 1 and type(values[0]) is bytes:
        return values[0]
    return print_values([b"<no value>" if value is None else value for value in values])


_HTML: Final = {0: b"\xef\xbf\xbd", 34: b"&#34;", 38: b"&amp;", 39: b"&#39;", 60: b"&lt;", 62: b"&gt;"}
_HTML_SPECIAL: Final = re.compile(rb"[\x00\"&'<>]")


def _html(*values: Value) -> bytes:
    value = _joined(values)
    allocate(len(value))
    return _HTML_SPECIAL.sub(lambda found: _HTML[found[0][0]], value)


_JS: Final = {
    "\\": "\\\\", "'": "\\'", '"': '\\"', "<": "\\u003C", ">": "\\u003E", "&": "\\u0026", "=": "\\u003D",
}  # fmt: skip
_JS_SPECIAL: Final = re.compile("[\\\\'\"<>&=\x00-\x1f]|[^\x00-\x7f]")


def _js_escaped(char: str) -> str:
    if char in _JS:
        return _JS[char]
    rune = ord(char)
    if rune < 0x20:
        return f"\\u00{rune:02X}"
    if 0xDC80 <= rune < 0xDD00:
        return char
    return char if is_print(rune) else f"\\u{rune:04X}"


def _js(*values: Value) -> bytes:
    value = _joined(values)
    allocate(2 * len(value))
    return encoded(_JS_SPECIAL.sub(lambda found: _js_escaped(found[0]), characters(value)))


_URL_SPECIAL: Final = re.compile(rb"[^A-Za-z0-9_.~-]")


def _urlquery(*values: Value) -> bytes:
    value = _joined(values)
    allocate(3 * len(value))
    return _URL_SPECIAL.sub(lambda found: b"+" if found[0] == b" " else b"%%%02X" % found[0][0], value)


def _print(*values: Value) -> bytes:
    return print_values(values)


def _println(*values: Value) -> bytes:
    return println_values(values)


def _printf(format: bytes, *values: Value) -> bytes:
    return sprintf(format, values)


BUILTINS: Final[dict[str, Builtin]] = {
    "eq": Builtin((VALUE, "..." + VALUE), _equal),
    "ge": Builtin((VALUE, VALUE), _greater_or_equal),
    "gt": Builtin((VALUE, VALUE), _greater),
    "html": Builtin(("..." + ANY,), _html),
    "index": Builtin((VALUE, "..." + VALUE), _index),
    "js": Builtin(("..." + ANY,), _js),
    "le": Builtin((VALUE, VALUE), _less_or_equal),
    "len": Builtin((VALUE,), _length),
    "lt": Builtin((VALUE, VALUE), _less),
    "ne": Builtin((VALUE, VALUE), _not_equal),
    "not": Builtin((VALUE,), _negated),
    "print": Builtin(("..." + ANY,), _print),
    "printf": Builtin(("string", "..." + ANY), _printf),
    "println": Builtin(("..." + ANY,), _println),
    "urlquery": Builtin(("..." + ANY,), _urlquery),
}
"""Without `and`, `or` and `call`, which the compiler knows, and without `slice`, which is the list function."""
