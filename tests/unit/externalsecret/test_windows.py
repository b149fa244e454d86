"""Cron schedules and sync windows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controllers.externalsecret.cron import CronError, CronSchedule, EverySchedule, parse_schedule
from controllers.externalsecret.windows import SyncWindows


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def cron(text: str) -> CronSchedule:
    schedule = parse_schedule(text)
    assert isinstance(schedule, CronSchedule)
    return schedule


@pytest.mark.parametrize(
    ("schedule", "now", "following", "before"),
    [
        ("* * * * *", "2026-01-01T00:00:30", "2026-01-01T00:01", "2026-01-01T00:00"),
        ("0 22 * * 1-5", "2026-11-28T00:00", "2026-11-30T22:00", "2026-11-27T22:00"),
        ("*/15 * * * *", "2026-01-01T00:16", "2026-01-01T00:30", "2026-01-01T00:15"),
        ("5/20 * * * *", "2026-01-01T00:26", "2026-01-01T00:45", "2026-01-01T00:25"),
        ("0 0 29 FEB *", "2026-01-01T00:00", "2028-02-29T00:00", "2024-02-29T00:00"),
        ("0 0 13 * FRI", "2026-01-01T00:00", "2026-01-02T00:00", "2025-12-26T00:00"),
        ("0 0 * * mon", "2026-01-01T00:00", "2026-01-05T00:00", "2025-12-29T00:00"),
        ("0 0 */2 * 1", "2026-01-01T12:00", "2026-01-03T00:00", "2026-01-01T00:00"),
        ("0 3 1,15 * ?", "2026-01-02T00:00", "2026-01-15T03:00", "2026-01-01T03:00"),
        ("@yearly", "2026-06-01T00:00", "2027-01-01T00:00", "2026-01-01T00:00"),
        ("@weekly", "2026-01-01T00:00", "2026-01-04T00:00", "2025-12-28T00:00"),
        ("@hourly", "2026-01-01T00:00", "2026-01-01T00:00", "2026-01-01T00:00"),
        ("0 12 31 12 *", "2026-12-31T12:00", "2026-12-31T12:00", "2026-12-31T12:00"),
    ],
)
def test_firings_around_an_instant(schedule: str, now: str, following: str, before: str) -> None:
    """The next firing at or after, and the last at or before."""
    assert cron(schedule).next(at(now)) == at(following)
    assert cron(schedule).previous(at(now)) == at(before)


def test_a_day_that_never_comes_never_fires() -> None:
    """February 30th has no firing."""
    assert cron("0 0 30 2 *").next(at("2026-01-01T00:00")) is None
    assert cron("0 0 30 2 *").previous(at("2026-01-01T00:00")) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "* * * *",
        "60 * * * *",
        "* * * * 7",
        "a * * * *",
        "5-1 * * * *",
        "*/0 * * * *",
        "@fortnightly",
        "@every x",
        "*-3 * * * *",
    ],
)
def test_bad_schedules_are_named(text: str) -> None:
    """An unreadable schedule is an error that says what is wrong."""
    with pytest.raises(CronError, match="reading schedule"):
        parse_schedule(text)


def test_every_has_a_period() -> None:
    """`@every` keeps whole seconds and at least one."""
    assert parse_schedule("@every 1h30m") == EverySchedule(5400.0)
    assert parse_schedule("@every 10ms") == EverySchedule(1.0)


@given(
    st.sampled_from(["* * * * *", "*/7 3 * * *", "0 0 1 * *", "30 12 * * 2", "@monthly"]),
    st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2030, 1, 1)),
)
def test_nothing_fires_between_previous_and_next(text: str, naive: datetime) -> None:
    """No firing lies strictly between the last one before and the next one after an instant."""
    now = naive.replace(tzinfo=UTC)
    schedule = cron(text)
    before, after = schedule.previous(now), schedule.next(now)
    assert before is not None and after is not None and before <= now <= after
    if before != after:
        assert schedule.next(before + timedelta(seconds=1)) == after
        assert schedule.previous(after - timedelta(seconds=1)) == before


def test_a_window_includes_both_ends() -> None:
    """An allow window is open at its firing and at its last second."""
    windows = SyncWindows.build("allow", [("0 22 * * *", 3600.0)])
    assert not windows.allow(at("2026-01-01T21:59:59"))
    assert windows.allow(at("2026-01-01T22:00"))
    assert windows.allow(at("2026-01-01T23:00"))
    assert not windows.allow(at("2026-01-01T23:00:01"))


def test_windows_longer_than_their_period_have_no_gap() -> None:
    """Overlapping firings keep the window open across every boundary."""
    windows = SyncWindows.build("allow", [("*/5 * * * *", 600.0)])
    start = at("2026-01-01T00:00")
    assert all(windows.allow(start + timedelta(milliseconds=250 * n)) for n in range(4000))


def test_deny_is_the_opposite() -> None:
    """A deny window blocks while it is open."""
    windows = SyncWindows.build("deny", [("0 8 * * *", 3600.0), ("30 8 * * *", 3600.0)])
    assert windows.allow(at("2026-01-01T07:59:59"))
    assert not windows.allow(at("2026-01-01T09:15"))
    assert windows.allow(at("2026-01-01T09:30:01"))


def test_the_next_allowed_instant_is_where_waiting_ends() -> None:
    """A blocked refresh sleeps to the first opening, or past the end of all denials."""
    allow = SyncWindows.build("allow", [("0 22 * * *", 60.0), ("0 20 * * *", 60.0)])
    assert allow.next_allowed(at("2026-01-01T12:00")) == at("2026-01-01T20:00")
    assert allow.next_allowed(at("2026-01-01T20:00:30")) == at("2026-01-01T20:00:30")
    deny = SyncWindows.build("deny", [("0 8 * * *", 3600.0), ("30 8 * * *", 3600.0)])
    assert deny.next_allowed(at("2026-01-01T08:10")) == at("2026-01-01T09:30:01")
    assert SyncWindows.build("deny", [("* * * * *", 7200.0)]).next_allowed(at("2026-01-01T08:10")) is None
    assert SyncWindows.build("allow", [("0 0 30 2 *", 60.0)]).next_allowed(at("2026-01-01T08:10")) is None


def test_every_is_open_always_or_never() -> None:
    """A schedule that is not anchored counts by its period alone."""
    now = at("2026-01-01T00:00")
    assert SyncWindows.build("allow", [("@every 1m", 59.0)]).allow(now)
    assert not SyncWindows.build("allow", [("@every 1m", 58.0)]).allow(now)
    assert SyncWindows.build("allow", [("@every 1m", 58.0)]).next_allowed(now) is None
    assert SyncWindows.build("deny", [("@every 1m", 60.0)]).next_allowed(now) is None


def test_unreadable_schedules_are_closed_and_named() -> None:
    """An unreadable entry blocks an allow list and is reported with its path; unknown kinds and empty lists permit."""
    windows = SyncWindows.build("allow", [("99 * * * *", 60.0)])
    assert not windows.allow(at("2026-01-01T00:00"))
    assert windows.problems[0].startswith("spec.syncWindows.windows[0].schedule: reading schedule field '99'")
    assert SyncWindows.build("deny", [("99 * * * *", 60.0)]).allow(at("2026-01-01T00:00"))
    assert SyncWindows.build("sometimes", [("* * * * *", 60.0)]).allow(at("2026-01-01T00:00"))
    assert SyncWindows.build("allow", []).allow(at("2026-01-01T00:00"))
