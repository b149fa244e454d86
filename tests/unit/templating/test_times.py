"""Times are shown, read and reckoned as Go's package time does."""

from __future__ import annotations

from typing import Any

import pytest

from controllers.templating.gotemplate.layouts import chunks
from controllers.templating.gotemplate.timeparse import TimeError, parse_time
from controllers.templating.gotemplate.times import Time, clock_at, date, from_unix, now
from controllers.templating.gotemplate.values import Duration, Int64
from controllers.templating.gotemplate.zones import UTC, UnknownZone, fixed_zone, load_zone

SAMPLE = date(2024, 2, 9, 15, 4, 5, 120_450_000, UTC)


@pytest.mark.parametrize(
    ("layout", "text"),
    [
        ("Mon Monday Jan January 1 01 2 02 _2 002 __2 06 2006", "Fri Friday Feb February 2 02 9 09  9 040  40 24 2024"),
        ("3 03 15 4 04 5 05 PM pm", "3 03 15 4 04 5 05 PM pm"),
        (".000 .999999999 ,00 .0001", ".120 .12045 ,12 .0002"),
        ("-07 -0700 -07:00 Z07 Z0700 Z07:00 Z07:00:00 MST", "+00 +0000 +00:00 Z Z Z Z UTC"),
        ("_2006 Janet Mond PMST 2006.01.02", "_2024 Janet Mond PMST 2024.02.09"),
        ("", ""),
        ("é\\", "é\\"),
    ],
)
def test_layouts_show_the_reference_time_in_place_of_their_elements(layout: str, text: str) -> None:
    """Everything that is no element is literal text."""
    assert SAMPLE.format(layout.encode()) == text.encode()


def test_offsets_below_a_minute_keep_the_sign_of_their_seconds() -> None:
    """Go's own form of a rare case; whole hours and minutes are plain."""
    odd = date(2024, 2, 9, 0, 0, 0, 0, fixed_zone("", -30))
    assert odd.format(b"-07:00:00 Z070000 MST") == b"+00:00:-30 +0000-30 +0000"
    assert date(2024, 1, 1, 0, 0, 0, 0, fixed_zone("", -12_600)).format(b"Z07:00 MST") == b"-03:30 -0330"


def test_a_layout_is_cut_into_literals_and_elements() -> None:
    """Longest elements first; a fraction is none when a digit follows."""
    assert [c.element for c in chunks(b"2006-002 .0009 .999")] == [b"2006", b"002", b".999", b""]


@pytest.mark.parametrize(
    ("layout", "text", "shown"),
    [
        ("2006-01-02", "2024-02-29", "2024-02-29 00:00:00 +0000 UTC"),
        ("2006-01-02T15:04:05Z07:00", "2024-02-29T01:02:03.5+02:00", "2024-02-29 01:02:03.5 +0200 +0200"),
        ("3:04PM", "12:30AM", "0000-01-01 00:30:00 +0000 UTC"),
        ("2006 MST", "2024 GMT+3", "2024-01-01 00:00:00 +0300 GMT+3"),
        ("2006 MST", "2024 EST", "2024-01-01 00:00:00 +0000 EST"),
        ("2006 002", "2024 366", "2024-12-31 00:00:00 +0000 UTC"),
        ("Jan _2  06", "feb  3 69", "1969-02-03 00:00:00 +0000 UTC"),
        ("05.000", "03.456", "0000-01-01 00:00:03.456 +0000 UTC"),
    ],
)
def test_times_are_read_in_the_form_of_a_layout(layout: str, text: str, shown: str) -> None:
    """Names in any case, fractions that the layout does not mention, zones by offset or abbreviation."""
    assert parse_time(layout.encode(), text.encode()).text() == shown.encode()


@pytest.mark.parametrize(
    ("layout", "text", "message"),
    [
        ("2006-01-02", "2023-13-29", 'parsing time "2023-13-29": month out of range'),
        ("2006-01-02", "2023-02-29", 'parsing time "2023-02-29": day out of range'),
        ("2006-01-02", "2023-1-29", 'parsing time "2023-1-29" as "2006-01-02": cannot parse "1-29" as "01"'),
        ("2006", "2023 x", 'parsing time "2023 x": extra text: " x"'),
        ("15:04", "24:00", 'parsing time "24:00": hour out of range'),
        ("2006 002", "2023 366", 'parsing time "2023 366": day-of-year out of range'),
        ("01 002", "03 001", 'parsing time "03 001": day-of-year does not match month'),
        ("-07:00", "+25:00", 'parsing time "+25:00": time zone offset hour out of range'),
        ("x2", "é", 'parsing time "\\xc3\\xa9" as "x2": cannot parse "\\xc3\\xa9" as "x"'),
    ],
)
def test_text_that_does_not_fit_is_refused_with_gos_words(layout: str, text: str, message: str) -> None:
    """The message names what is left of the text and the element that does not fit."""
    with pytest.raises(TimeError) as raised:
        parse_time(layout.encode(), text.encode())
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("zone", "seconds", "shown"),
    [
        ("America/New_York", 1_700_000_000, "2023-11-14 17:13:20 -0500 EST"),
        ("America/New_York", 1_690_000_000, "2023-07-22 00:26:40 -0400 EDT"),
        ("Europe/Berlin", 300_000_000_000, "11476-08-15 07:20:00 +0200 CEST"),
        ("Europe/Berlin", -90_000_000_000, "-0882-01-06 08:53:28 +0053 LMT"),
    ],
)
def test_zones_follow_their_rules_at_any_time(zone: str, seconds: int, shown: str) -> None:
    """Also in years that Python's datetime does not know; zones for which no rule is known use their first."""
    assert (
        from_unix(seconds).in_zone(load_zone(zone.encode())).format(b"2006-01-02 15:04:05 -0700 MST") == shown.encode()
    )


@pytest.mark.parametrize("name", ["Nope/Zone", "../etc/passwd", "/etc/localtime", "Europe", "é", "a b"])
def test_zones_are_names_of_the_database(name: str) -> None:
    """No paths out of it, no directories."""
    with pytest.raises(UnknownZone):
        load_zone(name.encode())


def call(moment: Time, method: str, *args: Any) -> Any:
    """A method as a template calls it."""
    return Time.methods[method][1](moment, *args)


def test_times_are_reckoned_with() -> None:
    """Calendar steps run over the ends of months; rounding counts from the year 1; differences are clamped."""
    leap = date(2024, 2, 29, 13, 30, 0, 0, UTC)
    assert call(leap, "AddDate", 1, 0, 0).format(b"2006-01-02") == b"2025-03-01"
    assert call(leap, "AddDate", 0, -14, 1).format(b"2006-01-02") == b"2022-12-30"
    assert call(leap, "Truncate", Duration(86_400 * 10**9)).text() == b"2024-02-29 00:00:00 +0000 UTC"
    assert call(leap, "Round", Duration(86_400 * 10**9)).text() == b"2024-03-01 00:00:00 +0000 UTC"
    assert call(leap, "Sub", date(1, 1, 1, 0, 0, 0, 0, UTC)) == (1 << 63) - 1
    assert call(leap, "Before", call(leap, "Add", Duration(1))) is True
    assert type(call(leap, "Unix")) is Int64
    assert [call(leap, m) for m in ("Year", "YearDay", "Hour", "IsZero")] == [2024, 60, 13, False]
    assert call(leap, "Weekday").text() == b"Thursday"
    assert call(leap, "GoString") == b"time.Date(2024, time.February, 29, 13, 30, 0, 0, time.UTC)"


def test_the_current_time_has_a_monotonic_reading_until_it_is_recast() -> None:
    """The text shows it; a change of zone or of calendar drops it."""
    with clock_at(lambda: 1_700_000_000_000_000_005):
        moment = now()
    assert moment.text().startswith(b"2023-11-14 22:13:20.000000005 +0000 UTC m=+")
    assert call(moment, "UTC").text() == b"2023-11-14 22:13:20.000000005 +0000 UTC"
    assert b"m=" in call(moment, "Add", Duration(5)).text()
    assert call(moment, "AddDate", 0, 0, 0).monotonic is None


def test_years_that_json_cannot_express_are_refused() -> None:
    """RFC 3339 has four digits."""
    assert SAMPLE.json_text() == b"2024-02-09T15:04:05.12045Z"
    with pytest.raises(ValueError, match="year outside of range"):
        date(10_000, 1, 1, 0, 0, 0, 0, UTC).json_text()
