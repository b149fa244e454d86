"""Arithmetic, comparison, indexing and size."""

from __future__ import annotations

import math
from collections.abc import Callable
from operator import ge, gt, le, lt
from typing import Any, Final

from eso_core.testing.apiserver.schema.cel.errors import EvaluationError, NoSuchOverload
from eso_core.testing.apiserver.schema.cel.overloads import Library
from eso_core.testing.apiserver.schema.cel.values import (
    INT_MAX,
    INT_MIN,
    NONE,
    UINT_MAX,
    Duration,
    OptionalValue,
    Timestamp,
    UInt,
    concatenate,
    contains,
    equal,
)
from eso_core.testing.apiserver.schema.gotext import quote

LIBRARY: Final = Library()
declare = LIBRARY.declare


def checked_int(value: int) -> int:
    """An int, unless it leaves 64 bits."""
    if INT_MIN <= value <= INT_MAX:
        return value
    raise EvaluationError("integer overflow")


def checked_uint(value: int) -> UInt:
    """A uint, unless it leaves 64 bits."""
    if 0 <= value <= UINT_MAX:
        return UInt(value)
    raise EvaluationError("unsigned integer overflow")


@declare("_+_(int, int) -> int")
def _add_ints(left: int, right: int) -> int:
    return checked_int(left + right)


@declare("_+_(uint, uint) -> uint")
def _add_uints(left: int, right: int) -> UInt:
    return checked_uint(int(left) + int(right))


@declare("_+_(double, double) -> double", "_+_(string, string) -> string", "_+_(bytes, bytes) -> bytes")
def _add(left: Any, right: Any) -> Any:
    return left + right


@declare("_+_(list(A), list(A)) -> list(A)")
def _add_lists(left: list[Any], right: list[Any]) -> list[Any]:
    return concatenate(left, right)


@declare("_+_(duration, duration) -> duration")
def _add_durations(left: Duration, right: Duration) -> Duration:
    return Duration(left.nanos + right.nanos)


@declare("_+_(timestamp, duration) -> timestamp", "_+_(duration, timestamp) -> timestamp")
def _later(left: Timestamp | Duration, right: Timestamp | Duration) -> Timestamp:
    written = left if isinstance(left, Timestamp) else right
    assert isinstance(written, Timestamp)
    return Timestamp(left.nanos + right.nanos, written.offset)


@declare("_-_(int, int) -> int")
def _subtract_ints(left: int, right: int) -> int:
    return checked_int(left - right)


@declare("_-_(uint, uint) -> uint")
def _subtract_uints(left: int, right: int) -> UInt:
    return checked_uint(int(left) - int(right))


@declare("_-_(double, double) -> double")
def _subtract(left: float, right: float) -> float:
    return left - right


@declare("_-_(timestamp, timestamp) -> duration", "_-_(duration, duration) -> duration")
def _between(left: Timestamp | Duration, right: Timestamp | Duration) -> Duration:
    return Duration(left.nanos - right.nanos)


@declare("_-_(timestamp, duration) -> timestamp")
def _earlier(left: Timestamp, right: Duration) -> Timestamp:
    return Timestamp(left.nanos - right.nanos, left.offset)


@declare("_*_(int, int) -> int")
def _multiply_ints(left: int, right: int) -> int:
    return checked_int(left * right)


@declare("_*_(uint, uint) -> uint")
def _multiply_uints(left: int, right: int) -> UInt:
    return checked_uint(int(left) * int(right))


@declare("_*_(double, double) -> double")
def _multiply(left: float, right: float) -> float:
    return left * right


@declare("_/_(int, int) -> int")
def _divide_ints(left: int, right: int) -> int:
    if right == 0:
        raise EvaluationError("division by zero")
    quotient = abs(left) // abs(right)
    return checked_int(quotient if (left < 0) == (right < 0) else -quotient)


@declare("_/_(uint, uint) -> uint")
def _divide_uints(left: int, right: int) -> UInt:
    if right == 0:
        raise EvaluationError("division by zero")
    return UInt(int(left) // int(right))


@declare("_/_(double, double) -> double")
def _divide(left: float, right: float) -> float:
    if right == 0:
        if left == 0 or math.isnan(left):
            return math.nan
        return math.copysign(math.inf, left) * math.copysign(1, right)
    return left / right


@declare("_%_(int, int) -> int")
def _modulo_ints(left: int, right: int) -> int:
    if right == 0:
        raise EvaluationError("modulus by zero")
    rest = abs(left) % abs(right)
    return -rest if left < 0 else rest


@declare("_%_(uint, uint) -> uint")
def _modulo_uints(left: int, right: int) -> UInt:
    if right == 0:
        raise EvaluationError("modulus by zero")
    return UInt(int(left) % int(right))


@declare("-_(int) -> int")
def _negate_int(value: int) -> int:
    return checked_int(-value)


@declare("-_(double) -> double")
def _negate(value: float) -> float:
    return -value


@declare("!_(bool) -> bool")
def _not(value: bool) -> bool:
    return not value


@declare("_==_(A, A) -> bool")
def _equals(left: Any, right: Any) -> bool:
    return equal(left, right)


@declare("_!=_(A, A) -> bool")
def _differs(left: Any, right: Any) -> bool:
    return not equal(left, right)


_ORDERED: Final = ("bool", "int", "uint", "double", "string", "bytes", "timestamp", "duration")
_NUMBERS: Final = ("int", "uint", "double")


def _declare_comparison(symbol: str, compare: Callable[[Any, Any], bool]) -> None:
    pairs = [(name, name) for name in _ORDERED]
    pairs += [(left, right) for left in _NUMBERS for right in _NUMBERS if left != right]
    declare(*(f"_{symbol}_({left}, {right}) -> bool" for left, right in pairs))(compare)


for _symbol, _compare in (("<", lt), ("<=", le), (">", gt), (">=", ge)):
    _declare_comparison(_symbol, _compare)


@declare("@in(A, list(A)) -> bool")
def _in_list(value: Any, items: list[Any]) -> bool:
    return contains(items, value)


@declare("@in(A, map(A, B)) -> bool")
def _in_map(key: Any, items: dict[Any, Any]) -> bool:
    return find(items, key) is not NONE


def find(items: dict[Any, Any], key: Any) -> OptionalValue:
    """The value of a map's key, whose number type does not matter."""
    if isinstance(key, float) and key.is_integer():
        key = int(key)
    if isinstance(key, list | dict):
        raise NoSuchOverload
    if key in items:
        value = items[key]
        if isinstance(key, bool) == any(isinstance(other, bool) for other in items if other == key):
            return OptionalValue(value)
    return NONE


def show_key(key: Any) -> str:
    """A key as errors name it."""
    return key if isinstance(key, str) else str(key).lower() if isinstance(key, bool) else str(key)


@declare("_[_](list(A), int) -> A")
def index_list(items: list[Any], index: Any) -> Any:
    """An element of a list.

    Raises:
        EvaluationError: the index is out of bounds.
    """
    if isinstance(index, float):
        if not index.is_integer():
            raise EvaluationError(f"unsupported index value: {index}")
        index = int(index)
    if not isinstance(index, int) or isinstance(index, bool):
        raise NoSuchOverload
    if 0 <= index < len(items):
        return items[index]
    raise EvaluationError(f"index out of bounds: {index}")


@declare("_[_](map(A, B), A) -> B")
def index_map(items: dict[Any, Any], key: Any) -> Any:
    """The value of a key.

    Raises:
        EvaluationError: there is no such key.
    """
    found = find(items, key)
    if found is NONE:
        raise EvaluationError(f"no such key: {show_key(key)}")
    return found.value


@declare("_[?_](list(A), int) -> optional_type(A)")
def _index_list_optional(items: list[Any], index: Any) -> OptionalValue:
    return OptionalValue(items[index]) if 0 <= index < len(items) else NONE


@declare("_[?_](map(A, B), A) -> optional_type(B)")
def _index_map_optional(items: dict[Any, Any], key: Any) -> OptionalValue:
    return find(items, key)


@declare(
    "_[?_](optional_type(list(A)), int) -> optional_type(A)", "_[?_](optional_type(map(A, B)), A) -> optional_type(B)"
)
def _index_optional(items: OptionalValue, key: Any) -> OptionalValue:
    if not items.present:
        return NONE
    if isinstance(items.value, list):
        return _index_list_optional(items.value, key)
    return find(items.value, key)


@declare(
    "_[_](optional_type(list(A)), int) -> optional_type(A)", "_[_](optional_type(map(A, B)), A) -> optional_type(B)"
)
def _index_of_optional(items: OptionalValue, key: Any) -> OptionalValue:
    return _index_optional(items, key)


@declare(
    "size(string) -> int",
    "size(bytes) -> int",
    "size(list(A)) -> int",
    "size(map(A, B)) -> int",
    "string :: size() -> int",
    "bytes :: size() -> int",
    "list(A) :: size() -> int",
    "map(A, B) :: size() -> int",
)
def _size(value: Any) -> int:
    return len(value)


@declare("string :: contains(string) -> bool")
def _contains(text: str, part: str) -> bool:
    return part in text


@declare("string :: startsWith(string) -> bool")
def _starts_with(text: str, prefix: str) -> bool:
    return text.startswith(prefix)


@declare("string :: endsWith(string) -> bool")
def _ends_with(text: str, suffix: str) -> bool:
    return text.endswith(suffix)


@declare("strings.quote(string) -> string")
def _quote(text: str) -> str:
    return quote(text)
