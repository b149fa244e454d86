"""Quantities, semantic versions and named formats."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from functools import total_ordering
from typing import Any, Final

from eso_core.meta.quantity import Quantity
from eso_core.testing.apiserver.builtin.validation_names import (
    dns_1035_label,
    dns_label,
    dns_subdomain,
    label_name,
    label_value,
    qualified_name,
    subdomain_name,
)
from eso_core.testing.apiserver.schema.cel.errors import EvaluationError
from eso_core.testing.apiserver.schema.cel.overloads import Library
from eso_core.testing.apiserver.schema.cel.types import Type
from eso_core.testing.apiserver.schema.cel.values import INT_MAX, INT_MIN, NONE, OptionalValue, register_type
from eso_core.testing.apiserver.schema.formats import FORMATS

LIBRARY: Final = Library()
declare = LIBRARY.declare

_QUANTITY_ERROR: Final = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"

register_type(Quantity, Type("kubernetes.Quantity"))


@declare("quantity(string) -> kubernetes.Quantity")
def _quantity(text: str) -> Quantity:
    try:
        return Quantity(text)
    except ValueError as error:
        raise EvaluationError(_QUANTITY_ERROR) from error


@declare("isQuantity(string) -> bool")
def _is_quantity(text: str) -> bool:
    try:
        Quantity(text)
    except ValueError:
        return False
    return True


def _whole(value: Quantity) -> int | None:
    number = value.value
    if number != number.to_integral_value() or not INT_MIN <= number <= INT_MAX:
        return None
    return int(number)


@declare("kubernetes.Quantity :: isInteger() -> bool")
def _is_integer(value: Quantity) -> bool:
    return _whole(value) is not None


@declare("kubernetes.Quantity :: asInteger() -> int")
def _as_integer(value: Quantity) -> int:
    whole = _whole(value)
    if whole is None:
        raise EvaluationError("cannot convert value to integer")
    return whole


@declare("kubernetes.Quantity :: asApproximateFloat() -> double")
def _as_float(value: Quantity) -> float:
    return float(value.value)


@declare("kubernetes.Quantity :: sign() -> int")
def _sign(value: Quantity) -> int:
    return int(value.value > 0) - int(value.value < 0)


@declare("kubernetes.Quantity :: add(kubernetes.Quantity) -> kubernetes.Quantity")
@declare("kubernetes.Quantity :: add(int) -> kubernetes.Quantity")
def _add(left: Quantity, right: Quantity | int) -> Quantity:
    return _from_number(left.value + _number(right))


@declare("kubernetes.Quantity :: sub(kubernetes.Quantity) -> kubernetes.Quantity")
@declare("kubernetes.Quantity :: sub(int) -> kubernetes.Quantity")
def _subtract(left: Quantity, right: Quantity | int) -> Quantity:
    return _from_number(left.value - _number(right))


def _number(value: Quantity | int) -> Decimal:
    return value.value if isinstance(value, Quantity) else Decimal(value)


def _from_number(value: Decimal) -> Quantity:
    return Quantity(format(value, "f"))


@total_ordering
class Semver:
    """A semantic version; build metadata does not count in comparisons."""

    __slots__ = ("build", "numbers", "prerelease")

    def __init__(self, numbers: tuple[int, ...], prerelease: tuple[str, ...], build: str) -> None:
        self.numbers = numbers
        self.prerelease = prerelease
        self.build = build

    def _order(self) -> tuple[Any, ...]:
        parts = tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in self.prerelease)
        return (self.numbers, not self.prerelease, parts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Semver) and self._order() == other._order()

    def __lt__(self, other: Semver) -> bool:
        return self._order() < other._order()

    def __hash__(self) -> int:
        return hash(self._order())


register_type(Semver, Type("kubernetes.Semver"))

_NUMBER: Final = r"(?:0|[1-9]\d*)"
_SEMVER: Final = re.compile(
    rf"({_NUMBER})\.({_NUMBER})\.({_NUMBER})"
    rf"(?:-((?:{_NUMBER}|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:{_NUMBER}|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?"
    r"(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?",
    re.ASCII,
)


def _normalized(text: str) -> str:
    """Without a leading v and leading zeros, and with all three numbers."""
    text = text.removeprefix("v")
    core, rest = re.fullmatch(r"([^-+]*)(.*)", text, re.DOTALL).groups()  # type: ignore[union-attr]
    parts = core.split(".")
    parts += ["0"] * (3 - len(parts))
    return ".".join(part.lstrip("0") or "0" if part.isdigit() else part for part in parts) + rest


def _parse_semver(text: str, *, normalize: bool = False) -> Semver | None:
    match = _SEMVER.fullmatch(_normalized(text) if normalize else text)
    if match is None:
        return None
    major, minor, patch, prerelease, build = match.groups()
    labels = tuple(prerelease.split(".")) if prerelease else ()
    return Semver((int(major), int(minor), int(patch)), labels, build or "")


@declare("semver(string) -> kubernetes.Semver", "semver(string, bool) -> kubernetes.Semver")
def _semver(text: str, normalize: bool = False) -> Semver:
    parsed = _parse_semver(text, normalize=normalize)
    if parsed is None:
        raise EvaluationError("No Major.Minor.Patch elements found")
    return parsed


@declare("isSemver(string) -> bool", "isSemver(string, bool) -> bool")
def _is_semver(text: str, normalize: bool = False) -> bool:
    return _parse_semver(text, normalize=normalize) is not None


def _declare_part(name: str, index: int) -> None:
    @declare(f"kubernetes.Semver :: {name}() -> int")
    def part(value: Semver) -> int:
        return value.numbers[index]


for _index, _name in enumerate(("major", "minor", "patch")):
    _declare_part(_name, _index)


def _declare_comparisons(kind: str) -> None:
    @declare(f"{kind} :: compareTo({kind}) -> int")
    def compare(left: Any, right: Any) -> int:
        return int(left > right) - int(left < right)

    @declare(f"{kind} :: isGreaterThan({kind}) -> bool")
    def greater(left: Any, right: Any) -> bool:
        return bool(left > right)

    @declare(f"{kind} :: isLessThan({kind}) -> bool")
    def less(left: Any, right: Any) -> bool:
        return bool(left < right)


_declare_comparisons("kubernetes.Quantity")
_declare_comparisons("kubernetes.Semver")


class NamedFormat:
    """A format that strings can be held against; ``validate`` gives its complaints."""

    __slots__ = ("complaints", "name")

    def __init__(self, name: str, complaints: Callable[[str], list[str]]) -> None:
        self.name = name
        self.complaints = complaints


register_type(NamedFormat, Type("kubernetes.NamedFormat"))


def _from_check(name: str, complaint: str) -> NamedFormat:
    check = FORMATS[name]
    return NamedFormat(name, lambda text: [] if check(text) else [complaint])


_FORMATS: Final = {
    found.name: found
    for found in (
        NamedFormat("dns1123Label", dns_label),
        NamedFormat("dns1123Subdomain", dns_subdomain),
        NamedFormat("dns1035Label", dns_1035_label),
        NamedFormat("qualifiedName", qualified_name),
        NamedFormat("dns1123LabelPrefix", lambda text: label_name(text, True)),
        NamedFormat("dns1123SubdomainPrefix", lambda text: subdomain_name(text, True)),
        NamedFormat("dns1035LabelPrefix", lambda text: dns_1035_label(text[:-2] + "a" if text.endswith("-") else text)),
        NamedFormat("labelValue", label_value),
        _from_check("uri", "invalid URI"),
        _from_check("uuid", "does not match the UUID format"),
        _from_check("byte", "invalid base64"),
        _from_check("date", "invalid date"),
        NamedFormat("datetime", _from_check("date-time", "invalid datetime").complaints),
    )
}


def _declare_format(name: str) -> None:
    @declare(f"format.{name}() -> kubernetes.NamedFormat")
    def get() -> NamedFormat:
        return _FORMATS[name]


for _name in _FORMATS:
    _declare_format(_name)


@declare("format.named(string) -> optional_type(kubernetes.NamedFormat)")
def _named(name: str) -> OptionalValue:
    found = _FORMATS.get(name)
    return NONE if found is None else OptionalValue(found)


@declare("kubernetes.NamedFormat :: validate(string) -> optional_type(list(string))")
def _validate(named: NamedFormat, text: str) -> OptionalValue:
    complaints = named.complaints(text)
    return OptionalValue(complaints) if complaints else NONE
