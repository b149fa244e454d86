"""Durations are written, read and rounded as Go does."""

from __future__ import annotations

import pytest

from controllers.templating.gotemplate.durations import DurationError, format_duration, parse_duration
from controllers.templating.gotemplate.values import Duration, Int64, Month, Weekday


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0s"),
        (1, "1ns"),
        (1_100, "1.1µs"),
        (2_200_000, "2.2ms"),
        (3_300_000_000, "3.3s"),
        (245_000_000_000, "4m5s"),
        (3_600_000_000_000, "1h0m0s"),
        (-5_400_000_000_000, "-1h30m0s"),
        ((1 << 63) - 1, "2562047h47m16.854775807s"),
        (-(1 << 63), "-2562047h47m16.854775808s"),
    ],
)
def test_durations_are_written_in_their_largest_units(nanoseconds: int, text: str) -> None:
    """Below a second in ns, µs or ms, above in hours, minutes and seconds; what was written can be read."""
    assert format_duration(nanoseconds) == text.encode()
    assert parse_duration(text.encode()) == nanoseconds


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [("0", 0), ("-0", 0), ("+5s", 5 * 10**9), ("1.", None), (".5s", 5 * 10**8), ("5.s", 5 * 10**9), ("1h15m30.918273645s", 4_530_918_273_645),
     ("0.3333333333333333333h", 1_200_000_000_000), ("9007199254740993ns", 9007199254740993), ("10us", 10_000), ("10μs", 10_000),
     ("0.100000000000000000000h", 360 * 10**9)],
)  # fmt: skip
def test_durations_are_read(text: str, nanoseconds: int | None) -> None:
    """Signs, fractions of any length, both signs for micro."""
    if nanoseconds is None:
        with pytest.raises(DurationError):
            parse_duration(text.encode())
    else:
        assert parse_duration(text.encode()) == nanoseconds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 'time: invalid duration ""'),
        ("3", 'time: missing unit in duration "3"'),
        ("-", 'time: invalid duration "-"'),
        ("s", 'time: invalid duration "s"'),
        (".", 'time: invalid duration "."'),
        (".s", 'time: invalid duration ".s"'),
        ("1d", 'time: unknown unit "d" in duration "1d"'),
        ("1h 2m", 'time: unknown unit "h " in duration "1h 2m"'),
        ("9223372036854775808ns", 'time: invalid duration "9223372036854775808ns"'),
        ("3000000h", 'time: invalid duration "3000000h"'),
        ('1"ä', 'time: unknown unit "\\"\\xc3\\xa4" in duration "1\\"\\xc3\\xa4"'),
    ],
)
def test_bad_durations_are_refused_with_gos_words(text: str, message: str) -> None:
    """The message quotes the text."""
    with pytest.raises(DurationError) as raised:
        parse_duration(text.encode())
    assert str(raised.value) == message


def test_durations_have_gos_methods() -> None:
    """Units as floats, small units as int64, rounding half away from zero."""
    call = Duration.methods
    ninety = Duration(90_500_000_000)
    assert call["Minutes"][1](ninety) == 1.5083333333333333
    assert type(call["Milliseconds"][1](ninety)) is Int64
    assert call["Round"][1](ninety, Duration(10**9)) == 91 * 10**9
    assert call["Round"][1](Duration(-ninety), Duration(10**9)) == -91 * 10**9
    assert call["Truncate"][1](Duration(-ninety), Duration(10**9)) == -90 * 10**9
    assert call["Truncate"][1](ninety, Duration(0)) == ninety
    assert call["String"][1](ninety) == b"1m30.5s"
    assert Month.methods["String"][1](Month(2)) == b"February"
    assert Weekday.methods["String"][1](Weekday(8)) == b"%!Weekday(8)"
