"""How long a server asks to be left alone: the `Retry-After` header (RFC 9110, 10.2.3)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

__all__ = ["retry_after"]

_LONGEST: Final = 3600.0
"""Longer waits are cut, so that a server's mistake does not stop a store for a day."""


def retry_after(headers: Mapping[str, str], now: datetime) -> float:
    """Seconds that the header asks for, as a number or as a date; 0 without one that can be read, at most an hour."""
    text = headers.get("Retry-After", "").strip()
    if not text:
        return 0.0
    try:
        if text.isdigit():
            seconds = float(text)
        else:
            until = parsedate_to_datetime(text)
            seconds = ((until if until.tzinfo else until.replace(tzinfo=UTC)) - now).total_seconds()
    except ValueError:
        return 0.0
    return min(max(seconds, 0.0), _LONGEST)
