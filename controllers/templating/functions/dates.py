"""Dates and durations."""

from __future__ import annotations

import re
from typing import Any

from controllers.templating.functions.registry import FunctionError, function
from controllers.templating.gotemplate.durations import (
    HOUR,
    MINUTE,
    SECOND,
    DurationError,
    format_duration,
    parse_duration,
    round_duration,
    wrap64,
)
from controllers.templating.gotemplate.timeparse import TimeError, parse_time
from controllers.templating.gotemplate.times import ZERO_TIME, Time, from_unix, now, since
from controllers.templating.gotemplate.values import Int64
from controllers.templating.gotemplate.zones import UTC, UnknownZone, load_zone

__all__: list[str] = []

GROUP = "Dates"
_DECIMAL = re.compile(rb"[+-]?[0-9]+\Z")
_DAY = 24 * HOUR


def _moment(value: Any) -> Time:
    """A time, or Unix seconds; anything else means now."""
    if type(value) is Time:
        return value
    return from_unix(int(value)) if type(value) in (int, Int64) else now()


@function("now", "", "The current time.", group=GROUP, example='{{ now | date "2006" }}', check="[0-9]{4}", pure=False)
def current() -> Time:
    return now()


@function(
    ["dateInZone", "date_in_zone"],
    "string, any, string",
    "A time (or Unix seconds; anything else is now) in the form of a layout, in a time zone; unknown zones are UTC.",
    group=GROUP,
    example='{{ dateInZone "2006-01-02 15:04 MST" 1700000000 "Europe/Berlin" }}',
    result="2023-11-14 23:13 CET",
    pure=False,
)
def date_in_zone(layout: bytes, value: Any, zone: bytes) -> bytes:
    try:
        location = load_zone(zone)
    except UnknownZone:
        location = UTC
    return _moment(value).in_zone(location).format(layout)


@function(
    "date",
    "string, any",
    "A time (or Unix seconds; anything else is now) in the form of a layout.",
    group=GROUP,
    example='{{ date "02 Jan 06 15:04" 1700000000 }}',
    result="14 Nov 23 22:13",
    pure=False,
)
def date(layout: bytes, value: Any) -> bytes:
    return date_in_zone(layout, value, b"Local")


@function("htmlDate", "any", "The date as 2006-01-02.", group=GROUP, example="{{ htmlDate 0 }}",
          result="1970-01-01", pure=False)  # fmt: skip
def html_date(value: Any) -> bytes:
    return date_in_zone(b"2006-01-02", value, b"Local")


@function("htmlDateInZone", "any, string", "The date in a time zone as 2006-01-02.", group=GROUP,
          example='{{ htmlDateInZone 0 "America/New_York" }}', result="1969-12-31", pure=False)  # fmt: skip
def html_date_in_zone(value: Any, zone: bytes) -> bytes:
    return date_in_zone(b"2006-01-02", value, zone)


@function(
    ["mustDateModify", "must_date_modify"],
    "string, time.Time",
    "The time later by a duration.",
    group=GROUP,
    example='{{ (toDate "2006-01-02" "2024-02-28" | mustDateModify "24h").Day }}',
    result="29",
)
def must_date_modify(duration: bytes, moment: Time) -> Time:
    try:
        return moment.add(parse_duration(duration))
    except DurationError as error:
        raise FunctionError(str(error)) from None


@function(
    ["dateModify", "date_modify"],
    "string, time.Time",
    "The time later by a duration; unchanged if that is none.",
    group=GROUP,
    example='{{ (toDate "2006-01-02" "2024-02-28" | dateModify "-1.5h").Day }}',
    result="27",
)
def date_modify(duration: bytes, moment: Time) -> Time:
    try:
        return moment.add(parse_duration(duration))
    except DurationError:
        return moment


@function("mustToDate", "string, string", "The time that a text names in the form of a layout.", group=GROUP,
          example='{{ (mustToDate "2006-01-02" "2024-02-29").Weekday }}', result="Thursday")  # fmt: skip
def must_to_date(layout: bytes, text: bytes) -> Time:
    try:
        return parse_time(layout, text)
    except TimeError as error:
        raise FunctionError(str(error)) from None


@function("toDate", "string, string", "The time that a text names in the form of a layout, else the year 1.", group=GROUP,
          example='{{ toDate "2006-01-02" "2024-02-29" }}', result="2024-02-29 00:00:00 +0000 UTC")  # fmt: skip
def to_date(layout: bytes, text: bytes) -> Time:
    try:
        return parse_time(layout, text)
    except TimeError:
        return ZERO_TIME


@function("unixEpoch", "time.Time", "Seconds since 1970 as text.", group=GROUP,
          example='{{ toDate "2006-01-02" "2024-02-29" | unixEpoch }}', result="1709164800")  # fmt: skip
def unix_epoch(moment: Time) -> bytes:
    return b"%d" % moment.seconds


@function("ago", "any", "The duration since a time, in whole seconds.", group=GROUP, example="{{ ago now }}",
          result="0s", pure=False)  # fmt: skip
def ago(value: Any) -> bytes:
    return format_duration(round_duration(since(_moment(value)), SECOND))


@function("duration", "any", "Seconds, as text or int64, as a duration.", group=GROUP, example='{{ duration "95" }}',
          result="1m35s")  # fmt: skip
def duration(value: Any) -> bytes:
    seconds = 0
    if type(value) is Int64:
        seconds = int(value)
    elif type(value) is bytes and _DECIMAL.match(value):
        # Text beyond 64 bits counts as the nearest number that fits.
        seconds = min(max(int(value) if len(value) < 64 else int(value[:63]), -(1 << 63)), (1 << 63) - 1)
    return format_duration(wrap64(seconds * SECOND))


@function("durationRound", "any", "A duration (text, int64 nanoseconds, or since a time) in its largest unit.",
          group=GROUP, example='{{ durationRound "2400h10m5s" }}', result="3mo", pure=False)  # fmt: skip
def duration_round(value: Any) -> bytes:
    amount = 0
    if type(value) is bytes:
        try:
            amount = parse_duration(value)
        except DurationError:
            amount = 0
    elif type(value) is Int64:
        amount = int(value)
    elif type(value) is Time:
        amount = since(value)
    amount = abs(amount)
    for unit, name in (
        (365 * _DAY, b"y"),
        (30 * _DAY, b"mo"),
        (_DAY, b"d"),
        (HOUR, b"h"),
        (MINUTE, b"m"),
        (SECOND, b"s"),
    ):
        if amount > unit:
            return b"%d%s" % (amount // unit, name)
    return b"0s"
