"""The time that a server asks to be left alone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from providers.throttling import retry_after

NOW = datetime(2026, 11, 26, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("7", 7.0),
        (" 120 ", 120.0),
        ("Thu, 26 Nov 2026 12:00:30 GMT", 30.0),
        ("Thu, 26 Nov 2026 11:00:00 GMT", 0.0),
        ("86400", 3600.0),
        ("soon", 0.0),
        ("-5", 0.0),
        ("", 0.0),
    ],
)
def test_seconds_and_dates_are_read(text: str, wanted: float) -> None:
    """RFC 9110, 10.2.3; what cannot be read asks for nothing."""
    assert retry_after({"Retry-After": text} if text else {}, NOW) == wanted
