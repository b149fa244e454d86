"""Go's value model in Python.

A Go string is `bytes`, for Go strings are bytes. `int`, `float`, `bool`, `complex`, `list` ([]interface {}) and `dict`
(map[string]interface {}, keys `bytes`) stand for themselves; what Go keeps apart from these has a subclass here. `None`
is nil. A nil list or map that has a type is an instance of a `Nil...` class: empty, false, but `null` in JSON.
"""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = [
    "Duration", "GoObject", "Int64", "IntList", "ListList", "Month", "NilDict", "NilIntList", "NilList", "NilStrList", "StrList",
    "StrMap", "Uint8", "Uint64", "Value", "Weekday", "is_nil", "kind_of", "truth", "type_name",
]  # fmt: skip

Value = Any


class Int64(int):
    __slots__ = ()


class Uint8(int):
    __slots__ = ()


class Uint64(int):
    __slots__ = ()


class StrMap(dict[bytes, bytes]):
    """map[string]string: the root data, and what `split` makes."""

    __slots__ = ()


class NilDict(dict[bytes, Value]):
    __slots__ = ()


class NilList(list[Value]):
    __slots__ = ()


class StrList(list[bytes]):
    """[]string."""

    __slots__ = ()


class NilStrList(StrList):
    __slots__ = ()


class IntList(list[int]):
    """[]int."""

    __slots__ = ()


class NilIntList(IntList):
    __slots__ = ()


class ListList(list[Value]):
    """[][]interface {}."""

    __slots__ = ()


class GoObject:
    """A struct or pointer that templates can hold: a time, a version, a certificate."""

    __slots__ = ()
    go_type = ""
    go_kind = "struct"
    # Method name to (parameter type names, function of self and the arguments); see signatures.py for the names.
    methods: ClassVar[dict[str, tuple[tuple[str, ...], Any]]] = {}
    fields: tuple[str, ...] = ()

    def text(self) -> bytes:
        """What `%v` prints."""
        raise NotImplementedError


class _Named(int):
    """An integer type with a text form and methods."""

    __slots__ = ()
    methods: ClassVar[dict[str, tuple[tuple[str, ...], Any]]] = {}

    def text(self) -> bytes:
        raise NotImplementedError


class Duration(_Named):
    """time.Duration, in nanoseconds."""

    __slots__ = ()

    def text(self) -> bytes:
        from controllers.templating.gotemplate.durations import format_duration

        return format_duration(self)


_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")


class Month(_Named):
    __slots__ = ()

    def text(self) -> bytes:
        return _MONTHS[self - 1].encode() if 1 <= self <= 12 else b"%%!Month(%d)" % self


class Weekday(_Named):
    __slots__ = ()

    def text(self) -> bytes:
        return _DAYS[self].encode() if 0 <= self <= 6 else b"%%!Weekday(%d)" % self


_TYPES: dict[type, tuple[str, str]] = {
    bytes: ("string", "string"),
    int: ("int", "int"),
    bool: ("bool", "bool"),
    float: ("float64", "float64"),
    complex: ("complex128", "complex128"),
    Int64: ("int64", "int64"),
    Uint8: ("uint8", "uint8"),
    Uint64: ("uint64", "uint64"),
    Duration: ("time.Duration", "int64"),
    Month: ("time.Month", "int"),
    Weekday: ("time.Weekday", "int"),
    list: ("[]interface {}", "slice"),
    NilList: ("[]interface {}", "slice"),
    StrList: ("[]string", "slice"),
    NilStrList: ("[]string", "slice"),
    IntList: ("[]int", "slice"),
    NilIntList: ("[]int", "slice"),
    ListList: ("[][]interface {}", "slice"),
    dict: ("map[string]interface {}", "map"),
    NilDict: ("map[string]interface {}", "map"),
    StrMap: ("map[string]string", "map"),
    type(None): ("<nil>", "invalid"),
}


def type_name(value: Value) -> str:
    """The Go type, as `%T` prints it."""
    known = _TYPES.get(type(value))
    return known[0] if known is not None else str(value.go_type)


def kind_of(value: Value) -> str:
    """The Go kind: `string`, `int`, `slice`, `map`, `struct`, `ptr`, `invalid`..."""
    known = _TYPES.get(type(value))
    return known[1] if known is not None else str(value.go_kind)


def truth(value: Value) -> bool:
    """False are false, zero, empty text, lists and maps, and nil; objects are true."""
    return bool(value) if not isinstance(value, GoObject) else True


def is_nil(value: Value) -> bool:
    """Nil with or without a type."""
    return value is None or isinstance(value, NilDict | NilList | NilStrList | NilIntList)
