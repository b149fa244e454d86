"""Go's time.Duration: its text form, its parser, and the methods that templates may call.

Importing this module gives `Duration`, `Month` and `Weekday` their methods.
"""

from __future__ import annotations

import re
from typing import Final

from controllers.templating.gotemplate.values import Duration, Int64, Month, Weekday

__all__ = [
    "HOUR", "MICROSECOND", "MILLISECOND", "MINUTE", "SECOND", "DurationError", "format_duration", "parse_duration",
    "quote_time_text", "remainder", "round_duration", "truncate_duration", "wrap64",
]  # fmt: skip

MICROSECOND: Final = 1_000
MILLISECOND: Final = 1_000_000
SECOND: Final = 1_000_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
_LOWEST: Final = -(1 << 63)
_HIGHEST: Final = (1 << 63) - 1

_UNITS: Final = {
    b"ns": 1,
    b"us": MICROSECOND,
    "µs".encode(): MICROSECOND,  # micro sign
    "μs".encode(): MICROSECOND,  # Greek mu
    b"ms": MILLISECOND,
    b"s": SECOND,
    b"m": MINUTE,
    b"h": HOUR,
}
_PIECE: Final = re.compile(rb"([0-9]*)(\.?)([0-9]*)([^0-9.]*)")


class DurationError(ValueError):
    """Text is no duration; `str()` is Go's message."""


def wrap64(number: int) -> int:
    """The number in 64 bits with sign, as Go's arithmetic wraps it."""
    return ((number - _LOWEST) & 0xFFFF_FFFF_FFFF_FFFF) + _LOWEST


def remainder(number: int, divisor: int) -> int:
    """Go's `%`: the sign is the dividend's."""
    rest = abs(number) % abs(divisor)
    return -rest if number < 0 else rest


def _quotient(number: int, divisor: int) -> int:
    return -(-number // divisor) if number < 0 else number // divisor


def quote_time_text(text: bytes) -> str:
    """Text in quotes as package time writes it in messages: every byte that is not printable ASCII as `\\xNN`."""
    parts = ['"']
    for byte in text:
        if byte in b'"\\':
            parts.append("\\" + chr(byte))
        elif 0x20 <= byte < 0x80:
            parts.append(chr(byte))
        else:
            parts.append(f"\\x{byte:02x}")
    parts.append('"')
    return "".join(parts)


def _fraction(value: int, digits: int) -> tuple[int, str]:
    """The whole part of `value / 10**digits`, and the rest as `.ddd` without trailing zeros."""
    whole, rest = divmod(value, 10**digits)
    tail = f"{rest:0{digits}d}".rstrip("0") if digits else ""
    return whole, "." + tail if tail else ""


def format_duration(nanoseconds: int) -> bytes:
    """Text such as `1h0m1.5s`, `2ms`, `0s`."""
    sign, amount = ("-", -nanoseconds) if nanoseconds < 0 else ("", int(nanoseconds))
    if amount == 0:
        return b"0s"
    if amount < SECOND:
        digits, unit = (0, "ns") if amount < MICROSECOND else (3, "µs") if amount < MILLISECOND else (6, "ms")
        whole, tail = _fraction(amount, digits)
        return f"{sign}{whole}{tail}{unit}".encode()
    whole, tail = _fraction(amount, 9)
    minutes, seconds = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{sign}{hours}h{minutes}m{seconds}{tail}s".encode()
    return f"{sign}{minutes}m{seconds}{tail}s".encode() if minutes else f"{sign}{seconds}{tail}s".encode()


def _leading_fraction(digits: bytes) -> tuple[int, float]:
    """Fraction digits as a number and its scale; digits beyond 63 bits are dropped."""
    number, scale = 0, 1.0
    for byte in digits:
        if number > _HIGHEST // 10:
            break
        grown = number * 10 + byte - 48
        if grown > 1 << 63:
            break
        number, scale = grown, scale * 10
    return number, scale


def parse_duration(text: bytes) -> Duration:
    """Text such as `-1.5h`, `2h45m`, `300ms`.

    Raises:
        DurationError: it is none, or beyond 64 bits of nanoseconds.
    """
    invalid = f"time: invalid duration {quote_time_text(text)}"
    negative = text[:1] == b"-"
    rest = text[1:] if text[:1] in (b"-", b"+") else text
    if rest == b"0":
        return Duration(0)
    if not rest:
        raise DurationError(invalid)
    total = pos = 0
    while pos < len(rest):
        found = _PIECE.match(rest, pos)
        assert found is not None  # every part of the pattern may be empty
        whole, _, tail, unit = found.groups()
        digits = whole.lstrip(b"0")
        number = int(digits or b"0") if len(digits) <= 19 else 1 << 64
        if not (whole or tail) or number > 1 << 63:
            raise DurationError(invalid)
        pos = found.end()
        if not unit:
            raise DurationError(f"time: missing unit in duration {quote_time_text(text)}")
        factor = _UNITS.get(unit)
        if factor is None:
            raise DurationError(f"time: unknown unit {quote_time_text(unit)} in duration {quote_time_text(text)}")
        if number > (1 << 63) // factor:
            raise DurationError(invalid)
        number *= factor
        if tail:
            fraction, scale = _leading_fraction(tail)
            if fraction:
                number += int(float(fraction) * (float(factor) / scale))
        total += number
        if number > 1 << 63 or total > 1 << 63:
            raise DurationError(invalid)
    if not negative and total > _HIGHEST:
        raise DurationError(invalid)
    return Duration(-total if negative else total)


def truncate_duration(duration: int, step: int) -> Duration:
    """Rounded towards zero to a multiple of `step`; unchanged for a step below one."""
    return Duration(duration if step <= 0 else duration - remainder(duration, step))


def round_duration(duration: int, step: int) -> Duration:
    """Rounded half away from zero to a multiple of `step`; unchanged for a step below one, clamped to 64 bits."""
    if step <= 0:
        return Duration(duration)
    rest = remainder(abs(duration), step)
    grown = abs(duration) - rest + (0 if rest + rest < step else step)
    return Duration(max(-grown, _LOWEST) if duration < 0 else min(grown, _HIGHEST))


def _in_units(duration: int, unit: int) -> float:
    # Whole units and rest apart, as the sum of both loses less than one division.
    return float(_quotient(duration, unit)) + float(remainder(duration, unit)) / float(unit)


Duration.methods = {
    "Abs": ((), lambda d: Duration(min(abs(d), _HIGHEST))),
    "Hours": ((), lambda d: _in_units(d, HOUR)),
    "Minutes": ((), lambda d: _in_units(d, MINUTE)),
    "Seconds": ((), lambda d: _in_units(d, SECOND)),
    "Milliseconds": ((), lambda d: Int64(_quotient(d, MILLISECOND))),
    "Microseconds": ((), lambda d: Int64(_quotient(d, MICROSECOND))),
    "Nanoseconds": ((), Int64),
    "Round": (("time.Duration",), round_duration),
    "String": ((), format_duration),
    "Truncate": (("time.Duration",), truncate_duration),
}
Month.methods = {"String": ((), Month.text)}
Weekday.methods = {"String": ((), Weekday.text)}
