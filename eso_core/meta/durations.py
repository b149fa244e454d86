"""Durations in the syntax of Go's ``time`` package, which Kubernetes objects and flags use."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache

__all__ = ["format_duration", "parse_duration", "parse_duration_ns"]

_UNITS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_MAX = 2**63
_PIECE = re.compile(r"([0-9]*)(\.[0-9]*)?([^.0-9]*)", re.ASCII)


def parse_duration(text: str) -> float:
    """Seconds in a text like ``1h30m``, ``1.5s``, ``-2ms`` or ``0``.

    Raises:
        ValueError: The text is no duration, or passes about 292 years.
    """
    return parse_duration_ns(text) / 1e9


@lru_cache(maxsize=256)
def parse_duration_ns(text: str) -> int:
    """Nanoseconds in a text like ``1h30m``; exact.

    Raises:
        ValueError: As for ``parse_duration``.
    """
    quoted = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    rest = text
    negative = rest.startswith("-")
    if rest[:1] in ("-", "+"):
        rest = rest[1:]
    if rest == "0":
        return 0
    if not rest:
        raise ValueError(f"time: invalid duration {quoted}")
    total = 0
    while rest:
        match = _PIECE.match(rest)
        assert match is not None
        whole, fraction, unit = match.group(1), match.group(2) or "", match.group(3)
        if not whole and len(fraction) < 2:
            raise ValueError(f"time: invalid duration {quoted}")
        if not unit:
            raise ValueError(f"time: missing unit in duration {quoted}")
        scale = _UNITS.get(unit)
        if scale is None:
            raise ValueError(f'time: unknown unit "{unit}" in duration {quoted}')
        total += int(whole or "0") * scale
        if len(fraction) > 1:
            digits = fraction[1:]
            total += int(digits) * scale // 10 ** len(digits)
        if total > _MAX:
            raise ValueError(f"time: invalid duration {quoted}")
        rest = rest[match.end() :]
    if negative:
        return -total
    if total >= _MAX:
        raise ValueError(f"time: invalid duration {quoted}")
    return total


def format_duration(seconds: float) -> str:
    """The canonical text: ``1h0m0s``, ``1.5s``, ``100ms``, ``0s``; exact to the nanosecond."""
    # By way of the decimal text: multiplying a float of many days would show its binary rounding as nanoseconds.
    ns = int((Decimal(repr(seconds)) * 1_000_000_000).to_integral_value())
    if ns == 0:
        return "0s"
    sign = "-" if ns < 0 else ""
    ns = abs(ns)
    if ns < 1_000:
        return f"{sign}{ns}ns"
    if ns < 1_000_000:
        return f"{sign}{_decimal(ns, 3)}µs"
    if ns < 1_000_000_000:
        return f"{sign}{_decimal(ns, 6)}ms"
    total, part = divmod(ns, 1_000_000_000)
    minutes, secs = divmod(total, 60)
    hours, minutes = divmod(minutes, 60)
    text = f"{_decimal(secs * 1_000_000_000 + part, 9)}s"
    if hours:
        return f"{sign}{hours}h{minutes}m{text}"
    if minutes:
        return f"{sign}{minutes}m{text}"
    return sign + text


def _decimal(value: int, places: int) -> str:
    whole, part = divmod(value, 10**places)
    return f"{whole}.{part:0{places}d}".rstrip("0") if part else str(whole)
