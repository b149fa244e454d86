"""Times as Go reads and writes them: RFC 3339, in whole seconds or with exactly six digits after the point.

`parse_time` and `parse_micro_time` give back the text the server writes, in UTC; their errors have the words of Go's
``time.Parse``, which walks the layout element by element and names the first that does not fit.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from eso_core.testing.apiserver.schema.gotext import quote

__all__ = ["BadTime", "parse_micro_time", "parse_time"]

_SECONDS: Final = "2006-01-02T15:04:05Z07:00"
_MICRO: Final = "2006-01-02T15:04:05.000000Z07:00"
_PLAIN: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_PLAIN_MICRO: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
_DAYS: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class BadTime(ValueError):
    """The text is no such time; the message is Go's."""


def parse_time(text: str) -> str:
    """A time in whole seconds; a fraction is allowed and dropped. Raises `BadTime`."""
    if _PLAIN.fullmatch(text) and _exists(text):
        return text
    return _Parser(text, _SECONDS).parse().strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_micro_time(text: str) -> str:
    """A time with six digits after the point, no fewer and no more. Raises `BadTime`."""
    if _PLAIN_MICRO.fullmatch(text) and _exists(text):
        return text
    return _Parser(text, _MICRO).parse().strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _exists(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


class _Parser:
    """One walk along a layout."""

    def __init__(self, text: str, layout: str) -> None:
        self.text = text
        self.layout = layout
        self.rest = text

    def fail(self, element: str, rest: str) -> BadTime:
        return BadTime(
            f"parsing time {quote(self.text)} as {quote(self.layout)}: cannot parse {quote(rest)} as {quote(element)}"
        )

    def out_of_range(self, what: str) -> BadTime:
        return BadTime(f"parsing time {quote(self.text)}: {what} out of range")

    def literal(self, element: str) -> None:
        if not self.rest.startswith(element):
            raise self.fail(element, self.rest)
        self.rest = self.rest[len(element) :]

    def number(self, element: str, name: str, allowed: Callable[[int], bool], *, one_digit: bool = False) -> int:
        width = 2 if _digits(self.rest[:2], 2) else 1 if one_digit and _digits(self.rest[:1], 1) else 0
        if not width:
            raise self.fail(element, self.rest)
        value = int(self.rest[:width])
        self.rest = self.rest[width:]
        if not allowed(value):
            raise self.out_of_range(name)
        return value

    def parse(self) -> datetime:
        if not _digits(self.rest[:4], 4):
            raise self.fail("2006", self.rest)
        year, self.rest = int(self.rest[:4]), self.rest[4:]
        self.literal("-")
        month = self.number("01", "month", lambda value: 1 <= value <= 12)
        self.literal("-")
        day = self.number("02", "day", lambda value: True)
        self.literal("T")
        hour = self.number("15", "hour", lambda value: value < 24, one_digit=True)
        self.literal(":")
        minute = self.number("04", "minute", lambda value: value < 60)
        self.literal(":")
        second = self.number("05", "second", lambda value: value < 60)
        micro = self.fraction()
        offset = self.zone()
        if self.rest:
            raise BadTime(f"parsing time {quote(self.text)}: extra text: {quote(self.rest)}")
        leap = month == 2 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        if not 1 <= day <= _DAYS[month - 1] + leap:
            raise self.out_of_range("day")
        moment = datetime.fromisoformat(
            f"{max(year, 1):04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{offset}"
        )
        return moment.replace(microsecond=micro).astimezone(UTC)

    def fraction(self) -> int:
        if self.layout == _MICRO:
            if not re.fullmatch(r"\.\d{6}", self.rest[:7], re.ASCII):
                raise self.fail(".000000", self.rest)
            micro, self.rest = int(self.rest[1:7]), self.rest[7:]
            return micro
        found = re.match(r"[.,]\d+", self.rest, re.ASCII)
        if found is not None:
            self.rest = self.rest[found.end() :]
        return 0

    def zone(self) -> str:
        if self.rest.startswith("Z"):
            self.rest = self.rest[1:]
            return "+00:00"
        offset = self.rest[:6]
        if not re.fullmatch(r"[+-]\d\d:\d\d", offset, re.ASCII):
            raise self.fail("Z07:00", self.rest)
        if int(offset[1:3]) > 23 or int(offset[4:6]) > 59:
            raise self.out_of_range("time zone offset hour" if int(offset[1:3]) > 23 else "time zone offset minute")
        self.rest = self.rest[6:]
        return offset


def _digits(text: str, width: int) -> bool:
    return len(text) == width and text.isascii() and text.isdigit()
