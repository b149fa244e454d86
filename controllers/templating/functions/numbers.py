"""Arithmetic: whole numbers wrap around at 64 bits, fractions are computed in decimal."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

from controllers.templating.budget import allocate
from controllers.templating.functions.conversions import to_float, to_integer, wrapped
from controllers.templating.functions.registry import FunctionError, function
from controllers.templating.gotemplate.floats import format_verb
from controllers.templating.gotemplate.values import Int64, IntList, Value

__all__: list[str] = []

GROUP = "Numbers"
_PLACES = 10**16  # of a decimal quotient


@function("add", "...any", "The sum as an int64.", group=GROUP, example="{{ add 1 2 3 }}", result="6")
def add(*values: Value) -> int:
    return Int64(wrapped(sum(map(to_integer, values))))


@function("add1", "any", "The value and one, as an int64.", group=GROUP, example="{{ add1 4 }}", result="5")
def add1(value: Value) -> int:
    return Int64(wrapped(to_integer(value) + 1))


@function(
    "sub", "any, any", "The first less the second, as an int64.", group=GROUP, example="{{ sub 5 2 }}", result="3"
)
def sub(first: Value, second: Value) -> int:
    return Int64(wrapped(to_integer(first) - to_integer(second)))


@function("mul", "any, ...any", "The product as an int64.", group=GROUP, example="{{ mul 2 3 4 }}", result="24")
def mul(first: Value, *others: Value) -> int:
    product = to_integer(first)
    for value in others:
        product = wrapped(product * to_integer(value))
    return Int64(product)


def _divisor(value: Value) -> int:
    number = to_integer(value)
    if number == 0:
        raise FunctionError("runtime error: integer divide by zero")
    return number


@function(
    "div", "any, any", "The quotient, cut towards zero, as an int64.", group=GROUP, example="{{ div 7 2 }}", result="3"
)
def div(first: Value, second: Value) -> int:
    by, number = _divisor(second), to_integer(first)
    quotient = abs(number) // abs(by)
    return Int64(wrapped(quotient if (number < 0) == (by < 0) else -quotient))


@function("mod", "any, any", "What is left of the division, with the sign of the first, as an int64.", group=GROUP,
          example="{{ mod 7 4 }}", result="3")  # fmt: skip
def mod(first: Value, second: Value) -> int:
    by, number = _divisor(second), to_integer(first)
    rest = abs(number) % abs(by)
    return Int64(rest if number >= 0 else -rest)


@function(
    ["max", "biggest"], "any, ...any", "The largest, as an int64.", group=GROUP, example="{{ max 1 9 3 }}", result="9"
)
def largest(first: Value, *others: Value) -> int:
    return Int64(max(map(to_integer, (first, *others))))


@function("min", "any, ...any", "The smallest, as an int64.", group=GROUP, example="{{ min 4 2 3 }}", result="2")
def smallest(first: Value, *others: Value) -> int:
    return Int64(min(map(to_integer, (first, *others))))


# --- fractions ---


def _exact(value: Value) -> Fraction:
    number = to_float(value)
    if not math.isfinite(number):
        raise FunctionError(f"Cannot create a Decimal from {format_verb(number, 'g')}")
    return Fraction(repr(number))


def _nearest(number: Fraction) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _chain(first: Value, others: tuple[Value, ...], step: Callable[[Fraction, Fraction], Fraction]) -> float:
    result = _exact(first)
    for value in others:
        result = step(result, _exact(value))
        allocate((result.numerator.bit_length() + result.denominator.bit_length()) >> 3)
    return _nearest(result)


def _divided(number: Fraction, by: Fraction) -> Fraction:
    """The quotient to 16 decimal places, halves away from zero."""
    if by == 0:
        raise FunctionError("decimal division by 0")
    quotient = abs(number / by) * _PLACES
    whole = (2 * quotient.numerator + quotient.denominator) // (2 * quotient.denominator)
    return Fraction(whole if (number < 0) == (by < 0) else -whole, _PLACES)


@function("addf", "...any", "The sum, computed in decimal.", group=GROUP, example="{{ addf 0.1 0.2 }}", result="0.3")
def addf(*values: Value) -> float:
    return _chain(0.0, values, lambda a, b: a + b)


@function(
    "add1f", "any", "The value and one, computed in decimal.", group=GROUP, example="{{ add1f 1.5 }}", result="2.5"
)
def add1f(value: Value) -> float:
    return _chain(value, (1,), lambda a, b: a + b)


@function("subf", "any, ...any", "The first less the others, computed in decimal.", group=GROUP,
          example="{{ subf 7.5 2 3 }}", result="2.5")  # fmt: skip
def subf(first: Value, *others: Value) -> float:
    return _chain(first, others, lambda a, b: a - b)


@function(
    "mulf", "any, ...any", "The product, computed in decimal.", group=GROUP, example="{{ mulf 1.5 2 }}", result="3"
)
def mulf(first: Value, *others: Value) -> float:
    return _chain(first, others, lambda a, b: a * b)


@function("divf", "any, ...any", "The first divided by the others, to 16 decimal places.", group=GROUP,
          example="{{ divf 10 4 }}", result="2.5")  # fmt: skip
def divf(first: Value, *others: Value) -> float:
    return _chain(first, others, _divided)


def _extreme(numbers: list[float], *, low: bool) -> float:
    """The largest or the lowest number: not a number if one is none, and minus zero below zero."""
    endless = -math.inf if low else math.inf
    if endless in numbers:
        return endless
    if any(math.isnan(number) for number in numbers):
        return math.nan
    order = [(number, math.copysign(1.0, number)) for number in numbers]
    return (min(order) if low else max(order))[0]


@function("maxf", "any, ...any", "The largest, as a float64.", group=GROUP, example="{{ maxf 1 2.5 }}", result="2.5")
def maxf(first: Value, *others: Value) -> float:
    return _extreme([to_float(value) for value in (first, *others)], low=False)


@function("minf", "any, ...any", "The smallest, as a float64.", group=GROUP, example="{{ minf 1 2.5 }}", result="1")
def minf(first: Value, *others: Value) -> float:
    return _extreme([to_float(value) for value in (first, *others)], low=True)


def _whole(number: float, *, up: bool) -> float:
    if not math.isfinite(number):
        return number
    return math.copysign(float(math.ceil(number) if up else math.floor(number)), number)


@function("floor", "any", "The next whole number below.", group=GROUP, example="{{ floor 1.9 }}", result="1")
def floor(value: Value) -> float:
    return _whole(to_float(value), up=False)


@function("ceil", "any", "The next whole number above.", group=GROUP, example="{{ ceil 1.1 }}", result="2")
def ceil(value: Value) -> float:
    return _whole(to_float(value), up=True)


def _power_of_ten(exponent: int) -> float:
    """By repeated squaring of a mantissa: the last digits of large powers are those that the original has."""
    if abs(exponent) > 400:
        return math.inf if exponent > 0 else 0.0
    result, shift = 1.0, 0
    square, weight = math.frexp(10.0)
    rest = abs(exponent)
    while rest:
        if rest & 1:
            result *= square
            shift += weight
        square, carry = math.frexp(square * square)
        weight = 2 * weight + carry
        rest >>= 1
    if exponent < 0:
        result, shift = 1 / result, -shift
    try:
        return math.ldexp(result, shift)
    except OverflowError:
        return math.inf


@function("round", "any, int, ...float64", "The value with n places; up from a fraction of .5, or of the third argument.",
          group=GROUP, example="{{ round 123.5555 2 }}", result="123.56")  # fmt: skip
def round_to(value: Value, places: int, *threshold: float) -> float:
    number, power = to_float(value), _power_of_ten(places)
    digit = power * number
    if not math.isfinite(digit):
        # The fraction of what is endless is no number, which is not above any threshold.
        return digit / power if power else math.nan
    up = math.modf(digit)[0] >= (threshold[0] if threshold else 0.5)
    whole = _whole(digit, up=up)
    if power == 0:
        return math.nan if whole == 0 else math.copysign(math.inf, whole)
    return whole / power


# --- sequences ---


def _steps(start: int, stop: int, step: int) -> range:
    if (stop < start and step >= 0) or (stop >= start and step <= 0):
        return range(0)
    return range(start, stop, step)


def _numbers(numbers: range) -> IntList:
    allocate(8 * len(numbers))
    return IntList(numbers)


@function(
    "until", "int", "The numbers from 0 to just before n.", group=GROUP, example="{{ until 3 }}", result="[0 1 2]"
)
def until(count: int) -> IntList:
    return _numbers(_steps(0, count, -1 if count < 0 else 1))


@function("untilStep", "int, int, int", "The numbers from start to just before stop, by step.", group=GROUP,
          example="{{ untilStep 0 10 4 }}", result="[0 4 8]")  # fmt: skip
def until_step(start: int, stop: int, step: int) -> IntList:
    return _numbers(_steps(start, stop, step))


@function("seq", "...int", "Numbers with spaces between: to n, from start to end, or with a step in the middle.", group=GROUP,
          example="{{ seq 0 2 6 }}", result="0 2 4 6")  # fmt: skip
def seq(*bounds: int) -> bytes:
    if len(bounds) == 1:
        start, end, step = 1, bounds[0], None
    elif len(bounds) == 2:
        start, end, step = bounds[0], bounds[1], None
    elif len(bounds) == 3:
        start, step, end = bounds
    else:
        return b""
    direction = -1 if end < start else 1
    if step is None:
        step = direction
    elif step > 0 and direction < 0:
        return b""
    numbers = _numbers(_steps(start, end + direction, step))
    return b" ".join(b"%d" % number for number in numbers)
