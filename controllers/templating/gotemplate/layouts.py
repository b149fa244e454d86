"""Layouts of Go's package time: a layout is the reference time `Mon Jan 2 15:04:05 MST 2006` in the wanted form."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple

from controllers.templating.gotemplate.calendar import DAY_NAMES, MONTH_NAMES

__all__ = ["Chunk", "Moment", "chunks", "format_layout"]


class Chunk(NamedTuple):
    """Literal text, then one element of the reference time.

    Attributes:
        prefix: the literal text.
        element: what is in the layout, for example `2006` or `.000`; empty at the end of the layout.
    """

    prefix: bytes
    element: bytes


class Moment(NamedTuple):
    """A time as a layout shows it; `abbreviation` may be empty, `offset` is in seconds east of UTC."""

    year: int
    month: int
    day: int
    year_day: int
    weekday: int
    hour: int
    minute: int
    second: int
    nanosecond: int
    abbreviation: str
    offset: int


# In the order in which they are tried at one position. A short name does not stand before a lower-case letter, and
# a fraction not before a further digit.
_ELEMENT: Final = re.compile(
    rb"January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|0[1-6]|002|15|1|2006|2|_2(?!006)|__2|3|4|5|PM|pm"
    rb"|[-Z]070000|[-Z]07:00:00|[-Z]0700|[-Z]07:00|[-Z]07|[.,](?:0+|9+)(?![0-9])"
)


@lru_cache(1024)
def chunks(layout: bytes) -> tuple[Chunk, ...]:
    """The layout in pieces; the last one has no element."""
    found, at = [], 0
    for match in _ELEMENT.finditer(layout):
        found.append(Chunk(layout[at : match.start()], match.group()))
        at = match.end()
    found.append(Chunk(layout[at:], b""))
    return tuple(found)


def _offset(element: bytes, offset: int) -> bytes:
    if element[:1] == b"Z" and offset == 0:
        return b"Z"
    minutes = abs(offset) // 60
    text = b"%s%02d" % (b"-" if offset < 0 and minutes else b"+", minutes // 60)
    # An offset of less than a minute has no sign of its own, and its seconds keep theirs.
    seconds = abs(offset) % 60 if minutes or offset >= 0 else -(abs(offset) % 60)
    colon = b":" if b":" in element else b""
    if len(element) > 3:
        text += b"%s%02d" % (colon, minutes % 60)
    if len(element) > 6:
        text += colon + (b"%02d" % seconds if seconds >= 0 else b"-%02d" % -seconds)
    return text


def _fraction(element: bytes, nanosecond: int) -> bytes:
    digits = len(element) - 1
    trimmed = element[1:2] == b"9"
    if trimmed and nanosecond == 0:
        return b""
    text = (b"%09d" % nanosecond)[:digits]
    if trimmed:
        text = text.rstrip(b"0")
    return element[:1] + text if text else b""


def _year(year: int) -> bytes:
    return b"-%04d" % -year if year < 0 else b"%04d" % year


def _zone(moment: Moment) -> bytes:
    return moment.abbreviation.encode() or _offset(b"-0700", moment.offset)


_WRITERS: Final[dict[bytes, Callable[[Moment], bytes]]] = {
    b"January": lambda m: MONTH_NAMES[m.month - 1].encode(),
    b"Jan": lambda m: MONTH_NAMES[m.month - 1][:3].encode(),
    b"Monday": lambda m: DAY_NAMES[m.weekday].encode(),
    b"Mon": lambda m: DAY_NAMES[m.weekday][:3].encode(),
    b"MST": _zone,
    b"01": lambda m: b"%02d" % m.month,
    b"1": lambda m: b"%d" % m.month,
    b"02": lambda m: b"%02d" % m.day,
    b"_2": lambda m: b"%2d" % m.day,
    b"2": lambda m: b"%d" % m.day,
    b"002": lambda m: b"%03d" % m.year_day,
    b"__2": lambda m: b"%3d" % m.year_day,
    b"06": lambda m: b"%02d" % (max(m.year, 0) % 100),
    b"2006": lambda m: _year(m.year),
    b"15": lambda m: b"%02d" % m.hour,
    b"03": lambda m: b"%02d" % (m.hour % 12 or 12),
    b"3": lambda m: b"%d" % (m.hour % 12 or 12),
    b"04": lambda m: b"%02d" % m.minute,
    b"4": lambda m: b"%d" % m.minute,
    b"05": lambda m: b"%02d" % m.second,
    b"5": lambda m: b"%d" % m.second,
    b"PM": lambda m: b"PM" if m.hour >= 12 else b"AM",
    b"pm": lambda m: b"pm" if m.hour >= 12 else b"am",
}


def format_layout(layout: bytes, moment: Moment) -> bytes:
    """The moment in the form of the layout."""
    parts = []
    for prefix, element in chunks(layout):
        parts.append(prefix)
        if not element:
            continue
        writer = _WRITERS.get(element)
        if writer is not None:
            parts.append(writer(moment))
        elif element[0] in b".,":
            parts.append(_fraction(element, moment.nanosecond))
        else:
            parts.append(_offset(element, moment.offset))
    return b"".join(parts)
