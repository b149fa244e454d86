"""Optional values."""

from __future__ import annotations

from typing import Any, Final

from eso_core.testing.apiserver.schema.cel.errors import EvaluationError
from eso_core.testing.apiserver.schema.cel.overloads import Library
from eso_core.testing.apiserver.schema.cel.values import NONE, Duration, OptionalValue, Timestamp, UInt

LIBRARY: Final = Library()
declare = LIBRARY.declare


@declare("optional.of(A) -> optional_type(A)")
def _of(value: Any) -> OptionalValue:
    return OptionalValue(value)


@declare("optional.none() -> optional_type(A)")
def _none() -> OptionalValue:
    return NONE


@declare("optional.ofNonZeroValue(A) -> optional_type(A)")
def _of_non_zero(value: Any) -> OptionalValue:
    match value:
        case Duration() | Timestamp():
            empty = value.nanos == 0
        case OptionalValue():
            empty = not value.present
        case None | bool() | int() | float() | str() | bytes() | list() | dict() | UInt():
            empty = not value
        case _:
            empty = False
    return NONE if empty else OptionalValue(value)


@declare("optional_type(A) :: hasValue() -> bool")
def _has_value(value: OptionalValue) -> bool:
    return value.present


@declare("optional_type(A) :: value() -> A")
def _value(value: OptionalValue) -> Any:
    if not value.present:
        raise EvaluationError("optional.none() dereference")
    return value.value


@declare("optional.unwrap(list(optional_type(A))) -> list(A)", "list(optional_type(A)) :: unwrapOpt() -> list(A)")
def _unwrap(values: list[OptionalValue]) -> list[Any]:
    return [value.value for value in values if value.present]
