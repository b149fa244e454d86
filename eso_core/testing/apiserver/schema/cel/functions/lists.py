"""Functions on lists and sets."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from operator import ge, gt, le, lt
from typing import Any, Final

from eso_core.testing.apiserver.schema.cel.errors import EvaluationError, NoSuchOverload
from eso_core.testing.apiserver.schema.cel.functions.operators import checked_int, checked_uint
from eso_core.testing.apiserver.schema.cel.overloads import Library
from eso_core.testing.apiserver.schema.cel.values import (
    NONE,
    Duration,
    OptionalValue,
    UInt,
    contains,
    equal,
    hashable,
    runtime_type,
)

LIBRARY: Final = Library()
declare = LIBRARY.declare

_COMPARABLE: Final = ("int", "uint", "double", "bool", "string", "bytes", "timestamp", "duration")


def _methods(name: str, arguments: str = "", result: str = "{}", kinds: tuple[str, ...] = _COMPARABLE) -> list[str]:
    return [f"list({kind}) :: {name}({arguments}) -> {result.format(kind)}" for kind in kinds]


@declare(*_methods("isSorted", result="bool"))
def _is_sorted(items: list[Any]) -> bool:
    return all(left <= right for left, right in itertools.pairwise(items))


@declare(*_methods("sum", kinds=("int", "uint", "double", "duration")))
def _sum(items: list[Any]) -> Any:
    if not items:
        return 0
    first = items[0]
    if isinstance(first, Duration):
        return Duration(sum(item.nanos for item in items))
    if isinstance(first, float):
        return float(sum(items))
    if isinstance(first, UInt):
        return checked_uint(sum(map(int, items)))
    return checked_int(sum(items))


def _extreme(name: str, better: Callable[[Any, Any], bool]) -> None:
    @declare(*_methods(name))
    def find(items: list[Any]) -> Any:
        if not items:
            raise EvaluationError(f"{name} called on empty list")
        return functools.reduce(lambda best, item: item if better(item, best) else best, items)


_extreme("min", lt)
_extreme("max", gt)


@declare("list(A) :: indexOf(A) -> int")
def _index_of(items: list[Any], value: Any) -> int:
    return next((index for index, item in enumerate(items) if equal(item, value)), -1)


@declare("list(A) :: lastIndexOf(A) -> int")
def _last_index_of(items: list[Any], value: Any) -> int:
    return next((index for index in range(len(items) - 1, -1, -1) if equal(items[index], value)), -1)


@declare("list(A) :: slice(int, int) -> list(A)")
def _slice(items: list[Any], start: int, end: int) -> list[Any]:
    if start < 0 or end < 0:
        raise EvaluationError(f"cannot slice({start}, {end}), negative indexes not supported")
    if start > end:
        raise EvaluationError(f"cannot slice({start}, {end}), start index must be less than or equal to end index")
    if len(items) < end:
        raise EvaluationError(f"cannot slice({start}, {end}), list is length {len(items)}")
    return items[start:end]


@declare("list(list(A)) :: flatten() -> list(A)")
def _flatten(items: list[Any]) -> list[Any]:
    return _flattened(items, 1)


@declare("list(dyn) :: flatten(int) -> list(dyn)")
def _flatten_deep(items: list[Any], depth: int) -> list[Any]:
    if depth < 0:
        raise EvaluationError("level must be non-negative")
    return _flattened(items, depth)


def _flattened(items: list[Any], depth: int) -> list[Any]:
    flat: list[Any] = []
    for item in items:
        if isinstance(item, list) and depth > 0:
            flat += _flattened(item, depth - 1)
        else:
            flat.append(item)
    return flat


@declare("lists.range(int) -> list(int)")
def _range(count: int) -> list[int]:
    return list(range(count))


@declare("list(A) :: distinct() -> list(A)")
def _distinct(items: list[Any]) -> list[Any]:
    first: dict[Any, Any] = {}
    for item in items:
        first.setdefault(hashable(item), item)
    return list(first.values())


@declare("list(A) :: reverse() -> list(A)")
def _reverse(items: list[Any]) -> list[Any]:
    return items[::-1]


@declare(*_methods("sort", result="list({})"))
def _sort(items: list[Any]) -> list[Any]:
    if len({runtime_type(item).name for item in items}) > 1:
        raise EvaluationError("list elements must have the same type")
    return sorted(items)


@declare("list(A) :: first() -> optional_type(A)")
def _first(items: list[Any]) -> Any:
    return OptionalValue(items[0]) if items else NONE


@declare("list(A) :: last() -> optional_type(A)")
def _last(items: list[Any]) -> Any:
    return OptionalValue(items[-1]) if items else NONE


@declare("sets.contains(list(A), list(A)) -> bool")
def _set_contains(items: list[Any], wanted: list[Any]) -> bool:
    return all(contains(items, value) for value in wanted)


@declare("sets.equivalent(list(A), list(A)) -> bool")
def _set_equivalent(left: list[Any], right: list[Any]) -> bool:
    return _set_contains(left, right) and _set_contains(right, left)


@declare("sets.intersects(list(A), list(A)) -> bool")
def _set_intersects(left: list[Any], right: list[Any]) -> bool:
    return any(contains(left, value) for value in right)


def _numbers(values: tuple[Any, ...]) -> list[Any]:
    items = list(values[0]) if len(values) == 1 and isinstance(values[0], list) else list(values)
    if not items:
        raise EvaluationError("math.@max(list) argument must not be empty")
    if any(isinstance(item, bool) or not isinstance(item, int | float) for item in items):
        raise NoSuchOverload
    return items


def _declare_math(name: str, better: Callable[[Any, Any], bool]) -> None:
    signatures = [f"math.{name}({', '.join(['dyn'] * count)}) -> dyn" for count in range(1, 7)]

    @declare(*signatures)
    def find(*values: Any) -> Any:
        return functools.reduce(lambda best, item: item if better(item, best) else best, _numbers(values))


_declare_math("greatest", ge)
_declare_math("least", le)
