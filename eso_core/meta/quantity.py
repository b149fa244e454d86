"""Quantities like ``500m``, ``1.5Gi`` and ``2e3``: exact values with a preferred way of writing."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Context, Decimal
from functools import total_ordering

__all__ = ["Quantity"]

_SYNTAX = re.compile(r"([+-]?)(\d+(?:\.\d*)?|\.\d+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?", re.ASCII)
_BINARY = {"": 0, "Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_DECIMAL_NAMES = {power: name for name, power in _DECIMAL.items()}
_BINARY_NAMES = {power: name for name, power in _BINARY.items()}
_NANO = Decimal("1e-9")
_EXACT = Context(prec=200)


@total_ordering
class Quantity:
    """An exact number. Comparison and hashing go by value: ``Quantity("1k") == Quantity("1000")``.

    Values finer than a billionth are rounded up, as the API server does.

    Raises:
        ValueError: The text is no quantity.
    """

    __slots__ = ("_style", "value")

    def __init__(self, text: str | int) -> None:
        text = str(text)
        match = _SYNTAX.fullmatch(text)
        if match is None:
            raise ValueError(
                f"reading quantity {text!r}: it must be a number with an optional suffix, like 500m or 1Gi"
            )
        sign, digits, suffix = match.group(1), match.group(2), match.group(3) or ""
        number = Decimal(digits)
        if suffix in _BINARY and suffix:
            self._style = "binary"
            number = _EXACT.multiply(number, Decimal(1024) ** _BINARY[suffix])
        elif suffix in _DECIMAL:
            self._style = "decimal"
            number = _EXACT.scaleb(number, _DECIMAL[suffix])
        else:
            self._style = "exponent"
            number = _EXACT.scaleb(number, int(suffix[1:]))
        number = number.quantize(_NANO, rounding=ROUND_CEILING, context=_EXACT)
        self.value: Decimal = -number if sign == "-" else number

    def __str__(self) -> str:
        """The canonical form: the largest suffix that leaves no fraction, and no fraction at all."""
        value = self.value
        if value == 0:
            return "0"
        if self._style == "binary" and value == value.to_integral_value() and abs(value) >= 1024:
            return self._binary(int(value))
        mantissa, power = self._decimal(value)
        if self._style == "exponent":
            return f"{mantissa}e{power}" if power else str(mantissa)
        return f"{mantissa}{_DECIMAL_NAMES[power]}"

    @staticmethod
    def _binary(value: int) -> str:
        power = 0
        while power < 6 and value % 1024 == 0:
            value //= 1024
            power += 1
        return f"{value}{_BINARY_NAMES[power]}"

    @staticmethod
    def _decimal(value: Decimal) -> tuple[int, int]:
        for power in range(18, -10, -3):
            scaled = _EXACT.scaleb(value, -power)
            if scaled == scaled.to_integral_value(context=_EXACT):
                return int(scaled), power
        raise AssertionError("a value in whole billionths always fits the smallest power")

    def __eq__(self, other: object) -> bool:
        return self.value == other.value if isinstance(other, Quantity) else NotImplemented

    def __lt__(self, other: Quantity) -> bool:
        return self.value < other.value

    def __hash__(self) -> int:
        return hash(self.value)

    def __repr__(self) -> str:
        return f"Quantity({str(self)!r})"
