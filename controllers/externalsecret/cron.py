"""Cron schedules of sync windows: when is the next firing at or after an instant?

Five fields (minute, hour, day of month, month, day of week) with lists, ranges, steps and names, or one of
`@yearly @annually @monthly @weekly @daily @midnight @hourly`, or `@every DURATION`. Day of week is 0-6 from Sunday.
If day-of-month or day-of-week begins with `*` (or is `?`) both must match, else either may.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct

from eso_core.meta import parse_duration

__all__ = ["CronError", "CronSchedule", "EverySchedule", "parse_schedule"]

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_HORIZON_YEARS = 5
"""February 29th on a weekday may be years away; after this the schedule counts as never firing."""


class CronError(ValueError):
    """The schedule text cannot be read; the message says which part."""


class EverySchedule(Struct, frozen=True):
    """`@every D`: not anchored to the clock, so only its period (seconds, at least 1) is known."""

    period: float


class CronSchedule(Struct, frozen=True):
    """A five-field schedule as sets of allowed numbers."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool
    """Day of month or day of week was a star: both must match."""

    def next(self, at: datetime) -> datetime | None:
        """First firing at or after `at` (same time zone), or None if there is none within five years."""
        moment = at.replace(second=0, microsecond=0)
        if moment < at:
            moment += timedelta(minutes=1)
        horizon = moment.year + _HORIZON_YEARS
        while moment.year <= horizon:
            if moment.month not in self.months:
                year, month = divmod(moment.year * 12 + moment.month, 12)
                moment = moment.replace(year=year, month=month + 1, day=1, hour=0, minute=0)
            elif not self._day_matches(moment):
                moment = moment.replace(hour=0, minute=0) + timedelta(days=1)
            elif moment.hour not in self.hours:
                moment = moment.replace(minute=0) + timedelta(hours=1)
            elif moment.minute not in self.minutes:
                moment += timedelta(minutes=1)
            else:
                return moment
        return None

    def previous(self, at: datetime) -> datetime | None:
        """Last firing at or before `at` (same time zone), or None if there is none within five years."""
        moment = at.replace(second=0, microsecond=0)
        horizon = moment.year - _HORIZON_YEARS
        while moment.year >= horizon:
            if moment.month not in self.months:
                moment = moment.replace(day=1, hour=0, minute=0) - timedelta(minutes=1)
            elif not self._day_matches(moment):
                moment = moment.replace(hour=0, minute=0) - timedelta(minutes=1)
            elif moment.hour not in self.hours:
                moment = moment.replace(minute=0) - timedelta(minutes=1)
            elif moment.minute not in self.minutes:
                moment -= timedelta(minutes=1)
            else:
                return moment
        return None

    def _day_matches(self, moment: datetime) -> bool:
        by_day = moment.day in self.days
        by_weekday = (moment.weekday() + 1) % 7 in self.weekdays
        return (by_day and by_weekday) if self.any_day else (by_day or by_weekday)


def parse_schedule(text: str) -> CronSchedule | EverySchedule:
    """Read a schedule.

    Raises:
        CronError: the text is no schedule.
    """
    text = text.strip()
    if text.startswith("@every"):
        try:
            period = parse_duration(text.removeprefix("@every").strip())
        except ValueError as error:
            raise CronError(f"reading schedule {text!r}: {error}") from error
        return EverySchedule(max(1.0, float(int(period))))
    if text.startswith("@"):
        if text not in _ALIASES:
            raise CronError(
                f"reading schedule {text!r}: unknown descriptor: use one of {', '.join(_ALIASES)} or @every DURATION"
            )
        text = _ALIASES[text]
    fields = text.split()
    if len(fields) != 5:
        raise CronError(
            f"reading schedule {text!r}: it has {len(fields)} fields: write minute, hour, day of month, month, day of week"
        )
    minutes, _ = _field(fields[0], 0, 59)
    hours, _ = _field(fields[1], 0, 23)
    days, day_star = _field(fields[2], 1, 31)
    months, _ = _field(fields[3], 1, 12, _MONTHS, 1)
    weekdays, weekday_star = _field(fields[4], 0, 6, _DAYS, 0)
    return CronSchedule(minutes, hours, days, months, weekdays, day_star or weekday_star)


def _field(text: str, low: int, high: int, names: tuple[str, ...] = (), first: int = 0) -> tuple[frozenset[int], bool]:
    numbers: set[int] = set()
    star = False
    for part in text.split(","):
        span, slash, step_text = part.partition("/")
        step = _number(step_text, part) if slash else 1
        if step < 1:
            raise CronError(f"reading schedule field {part!r}: the step must be at least 1")
        begin_text, dash, end_text = span.partition("-")
        if begin_text in ("*", "?"):
            if dash:
                raise CronError(f"reading schedule field {part!r}: a star has no range")
            begin, end = low, high
            star = star or step == 1
        else:
            begin = _named(begin_text, part, names, first)
            if dash:
                end = _named(end_text, part, names, first)
            else:
                end = high if slash else begin
        if begin < low or end > high or begin > end:
            raise CronError(f"reading schedule field {part!r}: allowed are {low} to {high}, ascending")
        numbers.update(range(begin, end + 1, step))
    return frozenset(numbers), star


def _named(text: str, part: str, names: tuple[str, ...], first: int) -> int:
    lowered = text.lower()
    return names.index(lowered) + first if lowered in names else _number(text, part)


def _number(text: str, part: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise CronError(f"reading schedule field {part!r}: {text!r} is not a number")
    return int(text)
