"""Go's time.Time: an instant with nanoseconds, a zone to show it in, and for the current time a monotonic reading."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ClassVar, Final

from controllers.templating.gotemplate.calendar import MONTH_NAMES, civil_from_days, days_from_civil, normalized
from controllers.templating.gotemplate.durations import SECOND
from controllers.templating.gotemplate.errors import SignatureError
from controllers.templating.gotemplate.layouts import Moment, format_layout
from controllers.templating.gotemplate.values import Duration, GoObject, Int64, Month, Uint64, Weekday
from controllers.templating.gotemplate.zones import LOCAL, UTC, Location

__all__ = ["RFC3339_NANO", "ZERO_TIME", "Time", "clock_at", "date", "from_unix", "now", "since"]  # fmt: skip

RFC3339_NANO: Final = b"2006-01-02T15:04:05.999999999Z07:00"
_TEXT_LAYOUT: Final = b"2006-01-02 15:04:05.999999999 -0700 MST"
_YEAR_ONE: Final = -62_135_596_800
_LOWEST: Final = -(1 << 63)
_HIGHEST: Final = (1 << 63) - 1
_started: Final = time.monotonic_ns()


class Time(GoObject):
    """time.Time.

    Attributes:
        seconds: since 1970-01-01 UTC, without bounds.
        nanosecond: 0..999999999.
        zone: what the calendar fields are shown in.
        monotonic: nanoseconds since the process started, for a time that comes from `now`.
    """

    __slots__ = ("monotonic", "nanosecond", "seconds", "zone")
    go_type = "time.Time"
    go_kind = "struct"

    def __init__(self, seconds: int, nanosecond: int, zone: Location, monotonic: int | None = None) -> None:
        self.seconds = seconds
        self.nanosecond = nanosecond
        self.zone = zone
        self.monotonic = monotonic

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Time):
            return NotImplemented
        mine = (self.seconds, self.nanosecond, self.zone, self.monotonic)
        return mine == (other.seconds, other.nanosecond, other.zone, other.monotonic)

    def __hash__(self) -> int:
        return hash((self.seconds, self.nanosecond))

    def moment(self) -> Moment:
        """The calendar fields in the zone."""
        name, offset, _ = self.zone.lookup(self.seconds)
        days, rest = divmod(self.seconds + offset, 86_400)
        year, month, day, year_day = civil_from_days(days)
        hour, rest = divmod(rest, 3600)
        minute, second = divmod(rest, 60)
        return Moment(
            year, month, day, year_day, (days + 4) % 7, hour, minute, second, self.nanosecond, name, offset
        )  # fmt: skip

    def format(self, layout: bytes) -> bytes:
        """The time in the form of a layout."""
        return format_layout(layout, self.moment())

    def text(self) -> bytes:
        shown = self.format(_TEXT_LAYOUT)
        if self.monotonic is None:
            return shown
        seconds, rest = divmod(abs(self.monotonic), SECOND)
        return shown + b" m=%s%d.%09d" % (b"-" if self.monotonic < 0 else b"+", seconds, rest)

    def json_text(self) -> bytes:
        """The time as a JSON text without quotes.

        Raises:
            ValueError: RFC 3339 cannot express it; the message is Go's.
        """
        moment = self.moment()
        if not 0 <= moment.year <= 9999:
            raise ValueError("Time.MarshalJSON: year outside of range [0,9999]")
        if abs(moment.offset) >= 86_400:
            raise ValueError("Time.MarshalJSON: timezone hour outside of range [0,23]")
        return self.format(RFC3339_NANO)

    def parts(self) -> list[tuple[str, object]]:
        """The fields of the struct, for verbs that have no use for its text; UTC is a nil pointer."""
        zone: object = Uint64(0) if self.zone == UTC else self.zone
        return [("wall", Uint64(self.nanosecond)), ("ext", Int64(self.seconds - _YEAR_ONE)), ("loc", zone)]

    def in_zone(self, zone: Location) -> Time:
        """The same instant, shown in another zone."""
        return Time(self.seconds, self.nanosecond, zone)

    def total(self) -> int:
        """Nanoseconds since 1970-01-01 UTC."""
        return self.seconds * SECOND + self.nanosecond

    def add(self, duration: int) -> Time:
        """The time that much later."""
        carry, nanosecond = divmod(self.nanosecond + duration, SECOND)
        monotonic = None if self.monotonic is None else self.monotonic + duration
        return Time(self.seconds + carry, nanosecond, self.zone, monotonic)

    def sub(self, other: Time) -> Duration:
        """How much later this is than `other`, clamped to 64 bits; by the monotonic clock if both have a reading."""
        if self.monotonic is not None and other.monotonic is not None:
            return Duration(self.monotonic - other.monotonic)
        return Duration(min(max(self.total() - other.total(), _LOWEST), _HIGHEST))

    def compare(self, other: Time) -> int:
        """-1, 0 or 1: this is before, at, or after `other`."""
        if self.monotonic is not None and other.monotonic is not None:
            mine, theirs = self.monotonic, other.monotonic
        else:
            mine, theirs = self.total(), other.total()
        return (mine > theirs) - (mine < theirs)

    def add_date(self, years: int, months: int, days: int) -> Time:
        """The same clock time on another day; a day beyond its month runs into the next."""
        m = self.moment()
        return date(
            m.year + years, m.month + months, m.day + days, m.hour, m.minute, m.second, m.nanosecond, self.zone
        )  # fmt: skip

    def truncate(self, step: int) -> Time:
        """Rounded down to a multiple of `step` since the year 1; loses the monotonic reading."""
        rest = (self.total() - _YEAR_ONE * SECOND) % step if step > 0 else 0
        return Time(self.seconds, self.nanosecond, self.zone).add(-rest)

    def round(self, step: int) -> Time:
        """Rounded half up to a multiple of `step` since the year 1; loses the monotonic reading."""
        plain = Time(self.seconds, self.nanosecond, self.zone)
        if step <= 0:
            return plain
        rest = (self.total() - _YEAR_ONE * SECOND) % step
        return plain.add(-rest if rest + rest < step else step - rest)

    def go_string(self) -> bytes:
        """The time as Go source."""
        m = self.moment()
        zone = "UTC" if self.zone == UTC else f'Location("{self.zone.name}")'
        month = MONTH_NAMES[m.month - 1]
        fields = f"{m.year}, time.{month}, {m.day}, {m.hour}, {m.minute}, {m.second}, {m.nanosecond}"
        return f"time.Date({fields}, time.{zone})".encode()

    methods: ClassVar[dict[str, tuple[tuple[str, ...], Any]]] = {}


def date(year: int, month: int, day: int, hour: int, minute: int, second: int, nanosecond: int, zone: Location) -> Time:
    """The time at which a clock in the zone shows this; months and days out of range run over."""
    year, month = normalized(year, month - 1, 12)
    seconds = days_from_civil(year, month + 1, day) * 86_400 + hour * 3600 + minute * 60 + second
    offset = zone.lookup(seconds)[1]
    if offset:
        # The offset was that of a slightly different instant; near a change of the clocks it may be another one.
        offset = zone.lookup(seconds - offset)[1]
    return Time(seconds - offset, nanosecond, zone)


ZERO_TIME: Final = Time(_YEAR_ONE, 0, UTC)

_source: ContextVar[Callable[[], int] | None] = ContextVar("template_clock", default=None)


@contextmanager
def clock_at(nanoseconds: Callable[[], int]) -> Iterator[None]:
    """Takes the current time from `nanoseconds` (since 1970 UTC) inside of the block."""
    token = _source.set(nanoseconds)
    try:
        yield
    finally:
        _source.reset(token)


def now() -> Time:
    """The current time in the zone of the process, with a monotonic reading."""
    source = _source.get()
    seconds, nanosecond = divmod(time.time_ns() if source is None else source(), SECOND)
    return Time(seconds, nanosecond, LOCAL, time.monotonic_ns() - _started)


def from_unix(seconds: int) -> Time:
    """A Unix time in the zone of the process."""
    return Time(seconds, 0, LOCAL)


def since(moment: Time) -> Duration:
    """How long ago `moment` is."""
    return now().sub(moment)


def _returns(name: str, count: int, second: str = "") -> Callable[[Time], Any]:
    """A method that Go has and templates cannot call, as it returns several values."""
    message = (
        f"invalid function signature for {name}: second return value should be error; is {second}"
        if count == 2
        else f"function {name} has {count} return values; should be 1 or 2"
    )

    def refuse(_: Time) -> Any:
        raise SignatureError(message)

    return refuse


Time.methods = {
    "Add": (("time.Duration",), Time.add),
    "AddDate": (("int", "int", "int"), Time.add_date),
    "After": (("time.Time",), lambda t, other: t.compare(other) > 0),
    "Before": (("time.Time",), lambda t, other: t.compare(other) < 0),
    "Clock": ((), _returns("Clock", 3)),
    "Compare": (("time.Time",), Time.compare),
    "Date": ((), _returns("Date", 3)),
    "Day": ((), lambda t: t.moment().day),
    "Equal": (("time.Time",), lambda t, other: t.compare(other) == 0),
    "Format": (("string",), Time.format),
    "GoString": ((), Time.go_string),
    "Hour": ((), lambda t: t.moment().hour),
    "ISOWeek": ((), _returns("ISOWeek", 2, "int")),
    "In": (("*time.Location",), Time.in_zone),
    "IsDST": ((), lambda t: t.zone.lookup(t.seconds)[2]),
    "IsZero": ((), lambda t: t.seconds == _YEAR_ONE and t.nanosecond == 0),
    "Local": ((), lambda t: t.in_zone(LOCAL)),
    "Location": ((), lambda t: t.zone),
    "Minute": ((), lambda t: t.moment().minute),
    "Month": ((), lambda t: Month(t.moment().month)),
    "Nanosecond": ((), lambda t: t.nanosecond),
    "Round": (("time.Duration",), Time.round),
    "Second": ((), lambda t: t.moment().second),
    "String": ((), Time.text),
    "Sub": (("time.Time",), Time.sub),
    "Truncate": (("time.Duration",), Time.truncate),
    "UTC": ((), lambda t: t.in_zone(UTC)),
    "Unix": ((), lambda t: Int64(t.seconds)),
    "UnixMicro": ((), lambda t: Int64(t.total() // 1000)),
    "UnixMilli": ((), lambda t: Int64(t.total() // 1_000_000)),
    "UnixNano": ((), lambda t: Int64((t.total() - _LOWEST) % (1 << 64) + _LOWEST)),
    "Weekday": ((), lambda t: Weekday(t.moment().weekday)),
    "Year": ((), lambda t: t.moment().year),
    "YearDay": ((), lambda t: t.moment().year_day),
    "Zone": ((), _returns("Zone", 2, "int")),
    "ZoneBounds": ((), _returns("ZoneBounds", 2, "time.Time")),
}
