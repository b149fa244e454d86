"""Comparison of JSON values: numbers by value, but never a boolean with a number."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any


def same(left: Any, right: Any) -> bool:
    """Deep equality of JSON values. Python alone would take True for 1."""
    if left is right:
        return True
    if isinstance(left, dict):
        return (
            isinstance(right, dict)
            and left.keys() == right.keys()
            and all(same(item, right[key]) for key, item in left.items())
        )
    if isinstance(left, list):
        return isinstance(right, list) and len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, bool) or isinstance(right, bool):
        return False
    return bool(left == right)


def in_enum(value: Any, allowed: Iterable[Any]) -> bool:
    """Whether the value is one of those listed."""
    return any(same(value, item) for item in allowed)


def is_multiple(value: int | float, factor: int | float) -> bool:
    """Whether ``value`` is a whole multiple of ``factor``; integers exactly, others within float precision."""
    if factor <= 0:
        return False
    if isinstance(value, int) and float(factor).is_integer():
        return value % int(factor) == 0
    quotient = value / factor
    return math.isfinite(quotient) and quotient == math.trunc(quotient)
