"""Times in Go's form: what is accepted, what comes back, and the words of refusal."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eso_core.testing.apiserver.builtin.gotime import BadTime, parse_micro_time, parse_time


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("2024-05-01T10:00:00Z", "2024-05-01T10:00:00Z"),
        ("2024-05-01T10:00:00.999Z", "2024-05-01T10:00:00Z"),
        ("2024-05-01T12:00:00+02:00", "2024-05-01T10:00:00Z"),
        ("2024-02-29T23:30:00-01:00", "2024-03-01T00:30:00Z"),
        ("2024-05-01T1:00:00Z", "2024-05-01T01:00:00Z"),
    ],
)
def test_times_come_back_in_utc_and_whole_seconds(text: str, result: str) -> None:
    """Fractions are dropped, zones converted."""
    assert parse_time(text) == result


def test_micro_times_keep_six_digits() -> None:
    """They need exactly as many."""
    assert parse_micro_time("2024-05-01T10:00:00.000001Z") == "2024-05-01T10:00:00.000001Z"
    assert parse_micro_time("2024-05-01T12:00:00.500000+02:00") == "2024-05-01T10:00:00.500000Z"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", 'cannot parse "" as "2006"'),
        ("x", 'cannot parse "x" as "2006"'),
        ("24-05-01T10:00:00Z", 'cannot parse "24-05-01T10:00:00Z" as "2006"'),
        ("2024/05/01", 'cannot parse "/05/01" as "-"'),
        ("2024-5-01T10:00:00Z", 'cannot parse "5-01T10:00:00Z" as "01"'),
        ("2024-05-01", 'cannot parse "" as "T"'),
        ("2024-05-01 10:00:00Z", 'cannot parse " 10:00:00Z" as "T"'),
        ("2024-05-01T10:00:00", 'cannot parse "" as "Z07:00"'),
        ("2024-05-01T10:00:00+2", 'cannot parse "+2" as "Z07:00"'),
    ],
)
def test_the_first_element_that_does_not_fit_is_named(text: str, problem: str) -> None:
    """With what is left of the text at that point."""
    with pytest.raises(BadTime) as caught:
        parse_time(text)
    assert str(caught.value) == f'parsing time "{text}" as "2006-01-02T15:04:05Z07:00": {problem}'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("2024-13-01T10:00:00Z", "month out of range"),
        ("2024-00-01T10:00:00Z", "month out of range"),
        ("2024-02-30T10:00:00Z", "day out of range"),
        ("2023-02-29T10:00:00Z", "day out of range"),
        ("2024-05-01T24:00:00Z", "hour out of range"),
        ("2024-05-01T10:60:00Z", "minute out of range"),
        ("2024-05-01T10:00:60Z", "second out of range"),
        ("2024-05-01T10:00:00Zx", 'extra text: "x"'),
    ],
)
def test_values_out_of_range_are_named_without_the_layout(text: str, problem: str) -> None:
    """So is text after the end."""
    with pytest.raises(BadTime) as caught:
        parse_time(text)
    assert str(caught.value) == f'parsing time "{text}": {problem}'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("2024-05-01T10:00:00Z", 'cannot parse "Z" as ".000000"'),
        ("2024-05-01T10:00:00.1Z", 'cannot parse ".1Z" as ".000000"'),
        ("2024-05-01T10:00:00.123456789Z", 'cannot parse "789Z" as "Z07:00"'),
    ],
)
def test_micro_times_with_other_fractions_are_refused(text: str, problem: str) -> None:
    """A well-known trap for clients."""
    with pytest.raises(BadTime) as caught:
        parse_micro_time(text)
    assert str(caught.value) == f'parsing time "{text}" as "2006-01-02T15:04:05.000000Z07:00": {problem}'


@given(st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)))
def test_canonical_times_are_left_alone(moment: datetime) -> None:
    """Whatever the server wrote it reads unchanged."""
    aware = moment.replace(tzinfo=UTC)
    text = f"{aware.year:04}-{aware.month:02}-{aware.day:02}T{aware.hour:02}:{aware.minute:02}:{aware.second:02}"
    assert parse_time(f"{text}Z") == f"{text}Z"
    assert parse_micro_time(f"{text}.{aware.microsecond:06}Z") == f"{text}.{aware.microsecond:06}Z"


@given(st.text("0123456789-:TZ.+ ", max_size=30))
def test_garbage_is_refused_with_a_bad_time_only(text: str) -> None:
    """No other error escapes."""
    for parse in (parse_time, parse_micro_time):
        try:
            assert parse(text).endswith("Z")
        except BadTime:
            continue
