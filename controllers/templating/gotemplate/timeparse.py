"""Reading times in a layout, with the words of Go's package time for what does not fit."""

from __future__ import annotations

import re
from typing import Final

from controllers.templating.gotemplate.calendar import DAY_NAMES, MONTH_NAMES, days_before_month, days_in_month, is_leap
from controllers.templating.gotemplate.durations import quote_time_text
from controllers.templating.gotemplate.layouts import chunks
from controllers.templating.gotemplate.times import Time, date
from controllers.templating.gotemplate.zones import LOCAL, UTC, Location, fixed_zone

__all__ = ["TimeError", "parse_time"]


class TimeError(ValueError):
    """The text is no time of the layout; `str()` is Go's message."""


class _Bad(Exception):
    """What stands in the text is not what the layout asks for."""


class _Range(Exception):
    """A number is out of its range; `str()` names it."""


_ZONE_WIDTHS: Final = {3: (-1, -1), 6: (4, -1), 5: (3, -1), 7: (3, 5), 9: (4, 7)}
_INTEGER: Final = re.compile(rb"[+-]?[0-9]+\Z")
_SIGNED_OFFSET: Final = re.compile(rb"[+-][0-9]+")


def _digit(text: bytes, at: int) -> bool:
    return len(text) > at and 48 <= text[at] <= 57


def _integer(text: bytes) -> int:
    if not _INTEGER.match(text):
        raise _Bad
    return int(text)


def _number(text: bytes, fixed: bool) -> tuple[int, bytes]:
    """One or two digits, `fixed` for exactly two."""
    if not _digit(text, 0) or (fixed and not _digit(text, 1)):
        raise _Bad
    width = 2 if _digit(text, 1) else 1
    return int(text[:width]), text[width:]


def _name(names: tuple[str, ...], text: bytes, short: bool) -> tuple[int, bytes]:
    for number, name in enumerate(names):
        wanted = (name[:3] if short else name).lower().encode()
        if text[: len(wanted)].lower() == wanted:
            return number, text[len(wanted) :]
    raise _Bad


def _nanoseconds(text: bytes, width: int) -> int:
    """A separator and digits, `width` in all, of which nine digits count."""
    if text[0] not in b".,":
        raise _Bad
    number = _integer(text[1 : min(width, 10)])
    if number < 0:
        raise _Range("fractional second")
    return int(number * 10 ** (10 - min(width, 10)))


def _skip(text: bytes, literal: bytes) -> bytes:
    """What follows the literal text of a layout; runs of spaces match each other.

    Raises:
        _Bad: it is not there; the argument is what was left of both.
    """
    while literal:
        if literal[0] == 0x20:
            if text and text[0] != 0x20:
                raise _Bad(text)
            literal, text = literal.lstrip(b" "), text.lstrip(b" ")
            continue
        if not text or text[0] != literal[0]:
            raise _Bad(text)
        literal, text = literal[1:], text[1:]
    return text


def _signed_offset(text: bytes) -> int:
    """Width of a sign and an hour up to 23; 0 for anything else."""
    found = _SIGNED_OFFSET.match(text)
    if found is None:
        return 0
    digits = found.group()[1:].lstrip(b"0") or b"0"
    return found.end() if len(digits) <= 2 and int(digits) <= 23 else 0


def _abbreviation(text: bytes) -> int:
    """Width of a zone abbreviation.

    Raises:
        _Bad: it does not look like one.
    """
    if len(text) < 3:
        raise _Bad
    if text[:4] in (b"ChST", b"MeST"):
        return 4
    if text[:3] == b"GMT":
        return 3 + _signed_offset(text[3:])
    if text[0] in b"+-":
        width = _signed_offset(text)
        if not width:
            raise _Bad
        return width
    upper = 0
    while upper < 6 and upper < len(text) and 65 <= text[upper] <= 90:
        upper += 1
    if upper == 3 or (upper == 5 and text[4] == 0x54) or (upper == 4 and (text[3] == 0x54 or text[:4] == b"WITA")):
        return upper
    raise _Bad


class _Reader:
    """One run of a layout over a text."""

    def __init__(self) -> None:
        self.year = self.hour = self.minute = self.second = self.nanosecond = 0
        self.month = self.day = self.year_day = -1
        self.afternoon: bool | None = None
        self.zone: Location | None = None
        self.offset: int | None = None
        self.abbreviation = b""
        self.value = b""

    def element(self, element: bytes, following: bytes) -> None:
        """Reads what one element stands for; `following` is the element after it."""
        value = self.value
        if element in (b"06", b"2006"):
            width = len(element)
            if len(value) < width or (width == 4 and not _digit(value, 0)):
                raise _Bad
            self.value = value[width:]
            year = _integer(value[:width])
            self.year = year if width == 4 else year + (1900 if year >= 69 else 2000)
        elif element in (b"January", b"Jan"):
            month, self.value = _name(MONTH_NAMES, value, element == b"Jan")
            self.month = month + 1
        elif element in (b"01", b"1"):
            self.month, self.value = _number(value, element == b"01")
            if not 1 <= self.month <= 12:
                raise _Range("month")
        elif element in (b"Monday", b"Mon"):
            _, self.value = _name(DAY_NAMES, value, element == b"Mon")
        elif element in (b"2", b"_2", b"02"):
            if element == b"_2" and value[:1] == b" ":
                value = value[1:]
            self.day, self.value = _number(value, element == b"02")
        elif element in (b"__2", b"002"):
            self.read_year_day(value, element == b"002")
        elif element in (b"PM", b"pm"):
            if len(value) < 2:
                raise _Bad
            half, self.value = value[:2], value[2:]
            if half not in ((b"AM", b"PM") if element == b"PM" else (b"am", b"pm")):
                raise _Bad
            # Either half once said stays; the later half of the day wins.
            self.afternoon = half in (b"PM", b"pm") or self.afternoon is True
        elif element == b"MST":
            self.read_abbreviation(value)
        elif element[0] in b".,":
            self.read_fraction(value, element)
        elif element[0] in b"-Z":
            self.read_offset(value, element)
        else:
            self.read_clock(value, element, following)

    def read_year_day(self, value: bytes, fixed: bool) -> None:
        if not fixed:
            value = value[1:] if value[:1] == b" " else value
            value = value[1:] if value[:1] == b" " else value
        width = 0
        while width < 3 and _digit(value, width):
            width += 1
        if width == 0 or (fixed and width != 3):
            raise _Bad
        self.year_day, self.value = int(value[:width]), value[width:]

    def read_clock(self, value: bytes, element: bytes, following: bytes) -> None:
        number, self.value = _number(value, element in (b"03", b"04", b"05"))
        if element in (b"15", b"03", b"3"):
            self.hour = number
            if number > (23 if element == b"15" else 12):
                raise _Range("hour")
        elif element in (b"04", b"4"):
            self.minute = number
            if number > 59:
                raise _Range("minute")
        else:
            self.second = number
            if number > 59:
                raise _Range("second")
            rest = self.value
            if rest[:1] in (b".", b",") and _digit(rest, 1) and following[:1] not in (b".", b","):
                # A fraction that the layout does not mention.
                width = 2
                while _digit(rest, width):
                    width += 1
                self.nanosecond = _nanoseconds(rest, width)
                self.value = rest[width:]

    def read_fraction(self, value: bytes, element: bytes) -> None:
        if element[1] == 0x30:
            width = len(element)
            if len(value) < width:
                raise _Bad
        else:
            if len(value) < 2 or value[0] not in b".," or not _digit(value, 1):
                return
            width = 1
            while _digit(value, width):
                width += 1
        self.nanosecond = _nanoseconds(value, width)
        self.value = value[width:]

    def read_abbreviation(self, value: bytes) -> None:
        if value[:3] == b"UTC":
            self.zone, self.value = UTC, value[3:]
            return
        width = _abbreviation(value)
        self.abbreviation, self.value = value[:width], value[width:]

    def read_offset(self, value: bytes, element: bytes) -> None:
        if element[0] == 0x5A and value[:1] == b"Z":
            self.zone, self.value = UTC, value[1:]
            return
        width = len(element)
        minutes_at, seconds_at = _ZONE_WIDTHS[width]
        if len(value) < width or any(value[i] != 0x3A for i in range(width) if element[i] == 0x3A):
            raise _Bad
        self.value = value[width:]
        parts = [0, 0, 0]
        good = True
        for number, at in enumerate((1, minutes_at, seconds_at)):
            if at > 0 and good:
                digits = value[at : at + 2]
                good = digits.isdigit()
                parts[number] = int(digits) if good else 0
        # A number out of range is reported rather than what is no number.
        for number, unit in ((2, "second"), (1, "minute"), (0, "hour")):
            if parts[number] > (60 if number else 24):
                raise _Range(f"time zone offset {unit}")
        if not good or value[0] not in b"+-":
            raise _Bad
        offset = (parts[0] * 60 + parts[1]) * 60 + parts[2]
        self.offset = -offset if value[0] == 0x2D else offset

    def settle_day(self, refuse: str) -> None:
        """Month and day from the day of the year, or 1 where the layout has none.

        Raises:
            TimeError: they contradict each other, or there is no such day; `refuse` begins the message.
        """
        if self.year_day >= 0:
            month, day, number = 0, 0, self.year_day
            if is_leap(self.year):
                if number == 60:
                    month, day = 2, 29
                elif number > 60:
                    number -= 1
            if not 1 <= number <= 365:
                raise TimeError(refuse + ": day-of-year out of range")
            if not month:
                month = (number - 1) // 31 + 1
                if days_before_month(month + 1) < number:
                    month += 1
                day = number - days_before_month(month)
            if self.month >= 0 and self.month != month:
                raise TimeError(refuse + ": day-of-year does not match month")
            if self.day >= 0 and self.day != day:
                raise TimeError(refuse + ": day-of-year does not match day")
            self.month, self.day = month, day
        self.month = 1 if self.month < 0 else self.month
        self.day = 1 if self.day < 0 else self.day
        if not 1 <= self.day <= days_in_month(self.month, self.year):
            raise TimeError(refuse + ": day out of range")

    def time(self) -> Time:
        """What was read, as a time."""
        clock = (self.hour, self.minute, self.second, self.nanosecond)
        if self.zone is not None:
            return date(self.year, self.month, self.day, *clock, self.zone)
        moment = date(self.year, self.month, self.day, *clock, UTC)
        name = self.abbreviation.decode("utf-8", "surrogateescape")
        if self.offset is not None and self.offset != -1:
            moment = Time(moment.seconds - self.offset, moment.nanosecond, UTC)
            local_name, local_offset, _ = LOCAL.lookup(moment.seconds)
            if local_offset == self.offset and name in ("", local_name):
                return moment.in_zone(LOCAL)
            return moment.in_zone(fixed_zone(name, self.offset))
        if name:
            hours = int(name[4:].lstrip("0") or "0") if len(name) > 3 and name[:3] == "GMT" else 0
            offset = (-hours if name[3:4] == "-" else hours) * 3600
            return Time(moment.seconds - offset, moment.nanosecond, fixed_zone(name, offset))
        return date(self.year, self.month, self.day, *clock, LOCAL)


def parse_time(layout: bytes, text: bytes) -> Time:
    """A time that is written in the form of the layout.

    Raises:
        TimeError: it is not.
    """
    reader = _Reader()
    reader.value = text
    pieces = chunks(layout)
    refuse = f"parsing time {quote_time_text(text)}"

    def mismatch(value: bytes, element: bytes) -> TimeError:
        return TimeError(
            f"{refuse} as {quote_time_text(layout)}: cannot parse {quote_time_text(value)} as {quote_time_text(element)}"
        )

    for number, (prefix, element) in enumerate(pieces):
        try:
            reader.value = _skip(reader.value, prefix)
        except _Bad as bad:
            raise mismatch(bad.args[0], prefix) from None
        if not element:
            if reader.value:
                raise TimeError(f"{refuse}: extra text: {quote_time_text(reader.value)}")
            break
        before = reader.value
        try:
            reader.element(element, pieces[number + 1].element)
        except _Range as out:
            raise TimeError(f"{refuse}: {out} out of range") from None
        except _Bad:
            raise mismatch(before, element) from None
    if reader.afternoon and reader.hour < 12:
        reader.hour += 12
    elif reader.afternoon is False and reader.hour == 12:
        reader.hour = 0
    reader.settle_day(refuse)
    return reader.time()
