"""Conversions and arithmetic: Go's rules for text, wrapping at 64 bits, decimal fractions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from controllers.templating.budget import Budget, metered
from controllers.templating.functions import conversions, numbers
from controllers.templating.functions.registry import FunctionError
from controllers.templating.gotemplate.errors import LimitExceeded
from controllers.templating.gotemplate.values import Duration, Int64, IntList, Month, StrList, Uint8

HIGHEST, LOWEST = (1 << 63) - 1, -(1 << 63)
INF, NAN = math.inf, math.nan


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"1.9", 1), (b"-1.9", -1), (b".5", 0), (b"+.5", 0), (b"5.", 5), (b"-", 0), (b"", 0), (b"1e3", 0), (b"0x1F", 31), (b"0b11", 3),
        (b"0o17", 15), (b"010", 8), (b"08", 0), (b"007.5", 7), (b"0010.7", 8), (b"1_000", 1000), (b"1__0", 0), (b"0x_1", 1), (b"0_7", 7),
        (b" 1", 0), (b"+5", 5), (b"1.5.5", 0), (b"0x1.8", 0), (b"9223372036854775807", HIGHEST), (b"9223372036854775808", 0),
        (b"-9223372036854775808", LOWEST), (b"9" * 5000, 0), (b"0" * 5000 + b"7", 7), (1.9, 1), (-1.9, -1), (1e30, LOWEST), (NAN, LOWEST),
        (True, 1), (None, 0), ([1], 0), (1j, 0), (Uint8(97), 97), (Int64(5), 5), (Duration(7), 7), (Month(3), 3),
    ],
)  # fmt: skip
def test_anything_becomes_an_integer(value: Any, expected: int) -> None:
    """Base prefixes count, a fraction is dropped, what is none is 0."""
    assert conversions.as_int(value) == expected
    assert type(conversions.as_int(value)) is int
    assert type(conversions.as_int64(value)) is Int64


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"0x10", 0.0), (b"0x1p4", 16.0), (b"0x1.8p1", 3.0), (b"1_000", 1000.0), (b"1e400", 0.0), (b"-1e400", 0.0), (b" 1", 0.0), (b"", 0.0),
        (b"Infinity", INF), (b"+inf", INF), (b"-INF", -INF), (b"-nan", 0.0), (b"1.", 1.0), (b".5", 0.5), (b".", 0.0), (b"1e", 0.0),
        (b"1E+5", 100000.0), (b"0b1", 0.0), (True, 1.0), (None, 0.0), ([1], 0.0), (Int64(3), 3.0), (1j, 0.0), (b"0x1p9999", 0.0),
    ],
)  # fmt: skip
def test_anything_becomes_a_float(value: Any, expected: float) -> None:
    """Go's syntax of floats, what is none is 0."""
    assert conversions.as_float64(value) == expected


def test_other_conversions() -> None:
    """Decimal, octal, and lists of text."""
    assert [conversions.atoi(v) for v in (b"010", b"-5", b"1_0", b" 1", b"9" * 20, b"-" + b"9" * 20)] == [
        10,
        -5,
        0,
        0,
        HIGHEST,
        LOWEST,
    ]
    octal = [conversions.to_decimal(v) for v in (b"777", 777, b"-17", b"8", b"0o7", b"7" * 25, None, True, b"+7")]
    assert octal == [511, 511, -15, 0, 0, 0, 0, 0, 7]
    assert conversions.to_strings([1, None, b"a", [None]]) == StrList([b"1", b"a", b"[<nil>]"])
    assert conversions.to_strings(None) == StrList()
    assert conversions.to_strings({b"a": 1}) == StrList([b"map[a:1]"])
    assert math.isnan(conversions.as_float64(b"NaN"))


@pytest.mark.parametrize(
    ("call", "args", "expected"),
    [
        (numbers.add, [], 0),
        (numbers.add, [b"a", 1.9, True, None, b"3"], 5),
        (numbers.add, [HIGHEST, 1], LOWEST),
        (numbers.add1, [HIGHEST], LOWEST),
        (numbers.sub, [LOWEST, 1], HIGHEST),
        (numbers.mul, [HIGHEST, 2], -2),
        (numbers.mul, [b"3"], 3),
        (numbers.div, [-7, 2], -3),
        (numbers.div, [LOWEST, -1], LOWEST),
        (numbers.mod, [-7, 2], -1),
        (numbers.mod, [7, -2], 1),
        (numbers.largest, [1, b"9", 3], 9),
        (numbers.smallest, [1, -2, b"x"], -2),
    ],
)
def test_whole_numbers_wrap_around(call: Callable[..., Any], args: list[Any], expected: int) -> None:
    """Each argument is converted first; the result is an int64."""
    assert call(*args) == expected
    assert type(call(*args)) is Int64


@pytest.mark.parametrize(
    ("call", "args", "expected"),
    [
        (numbers.addf, [], 0.0),
        (numbers.addf, [0.1, 0.2], 0.3),
        (numbers.addf, [b"x", b"1.5", 1, True], 3.5),
        (numbers.add1f, [1.5], 2.5),
        (numbers.subf, [0.3, 0.1], 0.2),
        (numbers.mulf, [1e308, 1e308], INF),
        (numbers.mulf, [-1e308, 1e308], -INF),
        (numbers.mulf, [1e-200, 1e-200], 0.0),
        (numbers.divf, [10, 3], 3.3333333333333335),
        (numbers.divf, [2, 3], 0.6666666666666667),
        (numbers.divf, [5, -3], -1.6666666666666667),
        (numbers.divf, [1, 3, 7], 0.0476190476190476),
        (numbers.divf, [1e-300, 7], 0.0),
        (numbers.maxf, [1, 2.5, b"7.5"], 7.5),
        (numbers.minf, [1, -INF], -INF),
        (numbers.floor, [-1.5], -2.0),
        (numbers.ceil, [b"x"], 0.0),
        (numbers.ceil, [1e300], 1e300),
        (numbers.round_to, [123.555555, 3], 123.556),
        (numbers.round_to, [123.555555, 3, 0.6], 123.555),
        (numbers.round_to, [-0.4, 0], -1.0),
        (numbers.round_to, [-2.25, 1], -2.3),
        (numbers.round_to, [1e300, 5], 1.0000000000000002e300),
        (numbers.round_to, [1234.5, -2], 1200.0),
        (numbers.round_to, [0.1, 20], 0.1),
    ],
)
def test_fractions_are_computed_in_decimal(call: Callable[..., Any], args: list[Any], expected: float) -> None:
    """Results are float64; a quotient has 16 decimal places; negatives are rounded down."""
    assert call(*args) == expected
    assert type(call(*args)) is float


def test_signs_of_zero_and_what_is_no_number() -> None:
    """Minus zero stays where Go keeps it."""
    assert math.copysign(1, numbers.ceil(-0.5)) == -1
    assert math.copysign(1, numbers.mulf(-1, 0)) == 1
    assert math.copysign(1, numbers.maxf(0.0, -0.0)) == 1
    assert math.copysign(1, numbers.minf(0.0, -0.0)) == -1
    assert math.isnan(numbers.maxf(NAN, 1))
    assert numbers.maxf(NAN, INF) == INF
    assert math.isnan(numbers.round_to(1.5, 400))
    assert math.isnan(numbers.round_to(1.5, -400))


@pytest.mark.parametrize(
    ("call", "args", "message"),
    [
        (numbers.div, [1, 0], "runtime error: integer divide by zero"),
        (numbers.mod, [1, b"x"], "runtime error: integer divide by zero"),
        (numbers.divf, [1, 0], "decimal division by 0"),
        (numbers.addf, [NAN, 1], "Cannot create a Decimal from NaN"),
        (numbers.addf, [-INF], "Cannot create a Decimal from -Inf"),
    ],
)
def test_impossible_arithmetic_fails_with_gos_words(call: Callable[..., Any], args: list[Any], message: str) -> None:
    """Division by zero and endless numbers."""
    with pytest.raises(FunctionError) as caught:
        call(*args)
    assert str(caught.value) == message


def test_sequences() -> None:
    """A step of the wrong sign or of zero gives nothing."""
    assert numbers.until(-3) == IntList([0, -1, -2])
    assert numbers.until_step(0, 10, 3) == [0, 3, 6, 9]
    assert numbers.until_step(10, 0, -3) == [10, 7, 4, 1]
    assert [numbers.until_step(*b) for b in ((0, 10, -1), (10, 0, 1), (0, 10, 0), (3, 3, 0))] == [[], [], [], []]
    cases = {
        (5,): b"1 2 3 4 5", (-3,): b"1 0 -1 -2 -3", (0,): b"1 0", (5, 2): b"5 4 3 2", (0, 2, 10): b"0 2 4 6 8 10", (10, -3, 0): b"10 7 4 1",
        (10, 3, 0): b"", (0, -1, 10): b"", (): b"", (1, 2, 3, 4): b"", (3, 1, 3): b"3", (3, -1, 3): b"",
    }  # fmt: skip
    assert {bounds: numbers.seq(*bounds) for bounds in cases} == cases
    with metered(Budget(output_bytes=1000)), pytest.raises(LimitExceeded):
        numbers.until(10**15)
