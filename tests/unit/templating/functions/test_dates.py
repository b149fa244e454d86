"""Functions of dates take times, seconds, or anything for now."""

from __future__ import annotations

from typing import Any

import pytest

from controllers.templating.functions import dates as d
from controllers.templating.functions.registry import FunctionError
from controllers.templating.gotemplate.times import clock_at, from_unix
from controllers.templating.gotemplate.values import Int64


def test_a_date_is_a_time_seconds_or_now() -> None:
    """Text, and everything else that is no time, means now; unknown zones are UTC."""
    assert d.date(b"15:04", 1_700_000_000) == b"22:13"
    assert d.html_date(Int64(0)) == b"1970-01-01"
    assert d.html_date_in_zone(from_unix(0), b"America/New_York") == b"1969-12-31"
    assert d.date_in_zone(b"15:04", 1_700_000_000, b"Nope/Zone") == b"22:13"
    with clock_at(lambda: 86_400 * 10**9):
        assert d.html_date(b"2020-05-05") == b"1970-01-02"
        assert d.ago(0) == b"24h0m0s"


@pytest.mark.parametrize(
    ("value", "text"),
    [(95, "0s"), (b"95", "1m35s"), (b"x", "0s"), (b"+5", "5s"), (Int64(3601), "1h0m1s"), (b"99999999999999999999", "-1s"), (1.5, "0s")],
)  # fmt: skip
def test_durations_come_from_text_or_int64(value: Any, text: str) -> None:
    """A plain int counts as nothing; too large numbers overflow as they do in Go."""
    assert d.duration(value) == text.encode()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"2h10m5s", "2h"),
        (b"2400h10m5s", "3mo"),
        (b"9000h", "1y"),
        (b"1h", "60m"),
        (b"-2h10m", "2h"),
        (b"400d", "0s"),
        (5, "0s"),
        (Int64(5 * 10**9), "5s"),
        (b"1s", "0s"),
    ],
)
def test_rounded_durations_show_their_largest_unit(value: Any, text: str) -> None:
    """A unit shows only where there is more than one of it."""
    assert d.duration_round(value) == text.encode()


def test_changed_dates_and_bad_ones() -> None:
    """The plain functions pass over what they cannot read, the strict ones say what."""
    day = d.to_date(b"2006-01-02", b"2024-02-29")
    assert d.unix_epoch(d.date_modify(b"-1.5h", day)) == b"1709159400"
    assert d.date_modify(b"bad", day) == day
    assert d.unix_epoch(d.to_date(b"2006-01-02", b"2023-02-29")) == b"-62135596800"
    with pytest.raises(FunctionError, match='^time: invalid duration "bad"$'):
        d.must_date_modify(b"bad", day)
    with pytest.raises(FunctionError, match="month out of range$"):
        d.must_to_date(b"2006-01-02", b"2023-13-29")
