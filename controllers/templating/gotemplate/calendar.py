"""The Gregorian calendar without bounds: days since 1970-01-01 for any year, before Christ as well."""

from __future__ import annotations

__all__ = ["DAY_NAMES", "MONTH_NAMES", "civil_from_days", "days_before_month", "days_from_civil", "days_in_month", "is_leap", "normalized"]  # fmt: skip

MONTH_NAMES = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
)  # fmt: skip
DAY_NAMES = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_BEFORE = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365)


def is_leap(year: int) -> bool:
    """Whether February has 29 days."""
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def days_before_month(month: int) -> int:
    """Days of a common year before its month 1..13."""
    return _BEFORE[month - 1]


def days_in_month(month: int, year: int) -> int:
    """Days of a month 1..12."""
    return 29 if month == 2 and is_leap(year) else _BEFORE[month] - _BEFORE[month - 1]


def days_from_civil(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01. The month is 1..12; the day may be any number."""
    past = year - 1
    days = past * 365 + past // 4 - past // 100 + past // 400 - 719_162
    return days + _BEFORE[month - 1] + (1 if month > 2 and is_leap(year) else 0) + day - 1


def civil_from_days(days: int) -> tuple[int, int, int, int]:
    """Year, month, day, and day of the year counted from 1."""
    days += 719_162
    cycles, rest = divmod(days, 146_097)
    centuries = min(rest // 36_524, 3)
    rest -= centuries * 36_524
    quads, rest = divmod(rest, 1_461)
    years = min(rest // 365, 3)
    rest -= years * 365
    year = cycles * 400 + centuries * 100 + quads * 4 + years + 1
    month = min(rest // 28 + 1, 12)
    leap = is_leap(year)

    def before(number: int) -> int:
        return _BEFORE[number - 1] + (1 if leap and number > 2 else 0)

    while before(month) > rest:
        month -= 1
    return year, month, rest - before(month) + 1, rest + 1


def normalized(high: int, low: int, base: int) -> tuple[int, int]:
    """`high * base + low` with `low` brought into 0..base-1."""
    carry, low = divmod(low, base)
    return high + carry, low
