"""Durations, times, quantities."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eso_core.meta import Quantity, format_duration, format_micro_time, format_time, parse_duration, parse_time
from eso_core.meta.durations import parse_duration_ns


@pytest.mark.parametrize(
    ("text", "seconds", "canonical"),
    [
        ("0", 0, "0s"),
        ("1h", 3600, "1h0m0s"),
        ("1h30m", 5400, "1h30m0s"),
        ("90s", 90, "1m30s"),
        ("1.5s", 1.5, "1.5s"),
        ("100ms", 0.1, "100ms"),
        ("1us", 1e-6, "1µs"),
        ("1µs", 1e-6, "1µs"),
        ("1μs", 1e-6, "1µs"),
        ("1500ns", 1.5e-6, "1.5µs"),
        ("-2m", -120, "-2m0s"),
        ("+5s", 5, "5s"),
        (".5h", 1800, "30m0s"),
        ("1.h", 3600, "1h0m0s"),
        ("24h", 86400, "24h0m0s"),
        ("1h1h", 7200, "2h0m0s"),
    ],
)
def test_durations_are_read_and_written_as_go_does(text: str, seconds: float, canonical: str) -> None:
    """Text to seconds and back to the canonical form."""
    assert parse_duration(text) == pytest.approx(seconds)
    assert format_duration(parse_duration(text)) == canonical


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 'time: invalid duration ""'),
        ("abc", 'time: invalid duration "abc"'),
        ("3", 'time: missing unit in duration "3"'),
        ("3x", 'time: unknown unit "x" in duration "3x"'),
        ("1d", 'time: unknown unit "d" in duration "1d"'),
        (".", 'time: invalid duration "."'),
        ("-", 'time: invalid duration "-"'),
        ("1h ", 'time: unknown unit "h " in duration "1h "'),
        ("9999999h", 'time: invalid duration "9999999h"'),
    ],
)
def test_bad_durations_have_gos_messages(text: str, message: str) -> None:
    """Users know these texts from other tools."""
    with pytest.raises(ValueError) as info:  # the whole text is compared
        parse_duration(text)
    assert str(info.value) == message


@given(st.integers(min_value=-(10**15), max_value=10**15))
def test_every_duration_survives_its_text(microseconds: int) -> None:
    """Writing and reading gives the same number of nanoseconds."""
    assert parse_duration_ns(format_duration(microseconds / 1e6)) == microseconds * 1_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31T12:00:00.123456789Z", datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)),
        ("2026-01-31T12:00:00.5+02:00", datetime(2026, 1, 31, 10, 0, 0, 500000, tzinfo=UTC)),
        ("2026-01-31t12:00:00-05:30", datetime(2026, 1, 31, 17, 30, tzinfo=UTC)),
    ],
)
def test_times_are_read_in_utc(text: str, expected: datetime) -> None:
    """Zones are converted, digits beyond the microsecond are cut."""
    assert parse_time(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-01-31",
        "2026-01-31T12:00:00",
        "2026-13-01T00:00:00Z",
        "x2026-01-31T12:00:00Z",
        # Of the length that the server's have, which are read another way.
        "2026-01-31T24:00:00Z",
        "2026-01-31T12:00:60Z",
        "2026-W05-6T12:00:00Z",
        "2026-01-31T12:00:+1Z",
        "\u0662026-01-31T12:00:00Z",
    ],
)
def test_bad_times_are_refused(text: str) -> None:
    """Without a zone it is no instant."""
    with pytest.raises(ValueError, match="reading time"):
        parse_time(text)


@given(st.datetimes(timezones=st.just(UTC)))
def test_every_second_survives_its_text(value: datetime) -> None:
    """The server's own form is read as all others are, and its zone is UTC itself."""
    text = format_time(value)
    read = parse_time(text)
    assert read == value.replace(microsecond=0) == parse_time(text.lower())
    assert read.tzinfo is UTC


def test_times_are_written_in_utc() -> None:
    """Whole seconds, or exactly six digits."""
    value = datetime(2026, 1, 31, 12, 0, 0, 5, tzinfo=timezone(timedelta(hours=2)))
    assert format_time(value) == "2026-01-31T10:00:00Z"
    assert format_micro_time(value) == "2026-01-31T10:00:00.000005Z"
    assert format_micro_time(value.replace(microsecond=0)) == "2026-01-31T10:00:00.000000Z"
    with pytest.raises(ValueError, match="use an aware datetime"):
        format_time(datetime(2026, 1, 1))


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("0", "0"),
        ("100m", "100m"),
        ("0.1", "100m"),
        ("1.5Gi", "1536Mi"),
        ("1024Ki", "1Mi"),
        ("1000", "1k"),
        ("1234", "1234"),
        ("2e3", "2e3"),
        ("12e6", "12e6"),
        ("1E", "1E"),
        ("0.5Ki", "512"),
        ("100k", "100k"),
        ("-1.5", "-1500m"),
        ("+3", "3"),
        (".5", "500m"),
        ("1.", "1"),
        ("1n", "1n"),
        ("0.1n", "1n"),
        ("1000m", "1"),
    ],
)
def test_quantities_have_one_canonical_form(text: str, canonical: str) -> None:
    """The suffix family is kept, fractions go away."""
    assert str(Quantity(text)) == canonical


def test_quantities_compare_by_value() -> None:
    """Different texts of the same number are equal and hash alike."""
    assert Quantity("1k") == Quantity("1000") == Quantity("1e3")
    assert hash(Quantity("1Ki")) == hash(Quantity("1024"))
    assert Quantity("999m") < Quantity("1") <= Quantity("1")
    assert Quantity(5) > Quantity("4999m")
    assert Quantity("1") != "1"


@pytest.mark.parametrize("text", ["", "x", "1 Gi", "1KI", "--1", "1e", "1.2.3", "Gi"])
def test_bad_quantities_are_refused(text: str) -> None:
    """The message gives an example."""
    with pytest.raises(ValueError, match="like 500m or 1Gi"):
        Quantity(text)
