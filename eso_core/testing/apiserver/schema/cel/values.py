"""Values at run time.

Most are Python's own: int, float, bool, str, bytes, None, list, dict. The types here are those that Python lacks or
would confuse with others.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from eso_core.testing.apiserver.schema.cel.errors import EvaluationError
from eso_core.testing.apiserver.schema.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    NULL,
    STRING,
    TIMESTAMP,
    UINT,
    Type,
    list_of,
    map_of,
    optional_of,
    type_of,
)

INT_MIN: Final = -(2**63)
INT_MAX: Final = 2**63 - 1
UINT_MAX: Final = 2**64 - 1
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)  # noqa: UP017 - the name reads better beside utcoffset
_TIMESTAMP_MIN: Final = -62135596800
_TIMESTAMP_MAX: Final = 253402300799
NANOS: Final = 1_000_000_000


class UInt(int):
    """An unsigned 64 bit integer. Equal to an int of the same value, but of another type."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A span of time in nanoseconds, within 64 bits."""

    nanos: int

    def __post_init__(self) -> None:
        if not INT_MIN <= self.nanos <= INT_MAX:
            raise EvaluationError("integer overflow")


@dataclass(frozen=True, slots=True, order=True)
class Timestamp:
    """An instant in nanoseconds since 1970, within the years 1 to 9999.

    ``offset`` is the seconds east of UTC that it was written with; only its text shows it.
    """

    nanos: int
    offset: int = field(default=0, compare=False)

    def __post_init__(self) -> None:
        if not _TIMESTAMP_MIN <= self.nanos // NANOS <= _TIMESTAMP_MAX:
            raise EvaluationError("timestamp overflow")

    @classmethod
    def of(cls, value: datetime) -> Timestamp:
        """From an aware datetime."""
        return cls((value - _EPOCH) // timedelta(microseconds=1) * 1000)

    def to_datetime(self) -> datetime:
        """In UTC; what is below a microsecond is cut off."""
        return _EPOCH + timedelta(microseconds=self.nanos // 1000)


class OptionalValue:
    """A value or its absence."""

    __slots__ = ("present", "value")

    def __init__(self, value: Any, *, present: bool = True) -> None:
        self.value = value
        self.present = present

    def __repr__(self) -> str:
        return f"optional.of({self.value!r})" if self.present else "optional.none()"


NONE: Final = OptionalValue(None, present=False)


@dataclass(frozen=True, slots=True)
class TypeValue:
    """A type as a value, as ``type(x)`` gives it."""

    type: Type


class SetList(list[Any]):
    """A list of type ``set``: its order does not count in comparisons, and adding merges."""

    __slots__ = ()


class MapList(list[Any]):
    """A list of type ``map``: items are identified by their keys; order does not count, and adding replaces."""

    __slots__ = ("keys",)

    def __init__(self, items: Iterable[Any], keys: tuple[str, ...]) -> None:
        super().__init__(items)
        self.keys = keys

    def identity(self, item: Any) -> tuple[Any, ...]:
        """What identifies an item."""
        return tuple(hashable(item.get(key)) for key in self.keys)


def hashable(value: Any) -> Any:
    """A stand-in for a value that can be hashed and is equal for equal values."""
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, list):
        return ("list", tuple(map(hashable, value)))
    if isinstance(value, dict):
        return ("map", frozenset((hashable(key), hashable(item)) for key, item in value.items()))
    return value


_TYPES: Final[dict[type, Type]] = {
    bool: BOOL,
    int: INT,
    UInt: UINT,
    float: DOUBLE,
    str: STRING,
    bytes: BYTES,
    type(None): NULL,
    Duration: DURATION,
    Timestamp: TIMESTAMP,
    list: list_of(DYN),
    SetList: list_of(DYN),
    MapList: list_of(DYN),
    dict: map_of(DYN, DYN),
    OptionalValue: optional_of(DYN),
    TypeValue: type_of(DYN),
}


def register_type(python: type, cel: Type) -> None:
    """Make known which CEL type a class of values has."""
    _TYPES[python] = cel


def runtime_type(value: Any) -> Type:
    """The type of a value, without the types of what it contains."""
    return _TYPES.get(type(value), DYN)


def equal(left: Any, right: Any) -> bool:
    """Equality of values of any types: numbers by value, lists and maps by content, different types are unequal."""
    if left is right:
        return not (isinstance(left, float) and left != left)
    if isinstance(left, bool) or isinstance(right, bool):
        return isinstance(left, bool) and isinstance(right, bool) and left == right
    if isinstance(left, list):
        return isinstance(right, list) and _equal_lists(left, right)
    if isinstance(left, dict):
        if not isinstance(right, dict) or len(left) != len(right):
            return False
        return all(key in right and equal(item, right[key]) for key, item in left.items())
    if isinstance(left, OptionalValue):
        if not isinstance(right, OptionalValue) or left.present != right.present:
            return False
        return not left.present or equal(left.value, right.value)
    return bool(left == right)


def _equal_lists(left: list[Any], right: list[Any]) -> bool:
    if len(left) != len(right):
        return False
    if isinstance(left, SetList) or isinstance(right, SetList):
        return {hashable(item) for item in left} == {hashable(item) for item in right}
    owner = left if isinstance(left, MapList) else right if isinstance(right, MapList) else None
    if owner is not None:
        by_key = {owner.identity(item): item for item in right}
        return all((key := owner.identity(item)) in by_key and equal(item, by_key[key]) for item in left)
    return all(map(equal, left, right))


def concatenate(left: list[Any], right: list[Any]) -> list[Any]:
    """``left + right``; lists with identity merge instead."""
    if isinstance(left, SetList):
        seen = {hashable(item) for item in left}
        return SetList([*left, *(item for item in right if hashable(item) not in seen)])
    if isinstance(left, MapList):
        replaced = {left.identity(item): item for item in right}
        merged = [replaced.pop(left.identity(item), item) for item in left]
        return MapList([*merged, *replaced.values()], left.keys)
    return [*left, *right]


def contains(items: Iterable[Any], value: Any) -> bool:
    """Whether a value is among the items."""
    return any(equal(item, value) for item in items)
