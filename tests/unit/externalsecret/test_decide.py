"""When an ExternalSecret is due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from controllers.externalsecret.decide import (
    RefreshFacts,
    absent_wake,
    conflict_retry_after,
    due_at,
    expiry_due,
    jitter,
    next_wake,
    retry_after,
    seeks_absent,
    should_refresh,
)
from controllers.externalsecret.windows import SyncWindows

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
SYNCED = RefreshFacts(
    policy="", interval=5.0, synced="1-a", current="1-a", refresh_time=NOW - timedelta(seconds=2), uid="u"
)


def facts(**changes: object) -> RefreshFacts:
    return replace(SYNCED, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "due"),
    [
        ({}, False),
        ({"refresh_time": NOW - timedelta(seconds=5)}, True),
        ({"current": "2-a"}, True),
        ({"refresh_time": None}, True),
        ({"refresh_time": NOW + timedelta(seconds=1)}, True),
        ({"interval": 0.0, "current": "2-a"}, False),
        ({"interval": -1.0, "refresh_time": None}, False),
        ({"interval": 0.0, "synced": ""}, True),
        ({"policy": "CreatedOnce", "current": "2-a", "refresh_time": NOW - timedelta(days=9)}, False),
        ({"policy": "CreatedOnce", "synced": ""}, True),
        ({"policy": "CreatedOnce", "refresh_time": None}, True),
        ({"policy": "OnChange", "refresh_time": NOW - timedelta(days=9)}, False),
        ({"policy": "OnChange", "current": "2-a"}, True),
        ({"policy": "OnChange", "synced": ""}, True),
        ({"policy": "Periodic", "synced": "", "current": "1-a"}, True),
    ],
)
def test_the_decision_table(changes: dict[str, object], due: bool) -> None:
    """Each refresh policy falls due by its own rule."""
    assert should_refresh(facts(**changes), NOW) is due


@pytest.mark.parametrize(
    ("changes", "sought", "wake"),
    [
        ({"policy": "CreatedOnce"}, False, 3.0),
        ({"policy": "CreatedOnce", "refresh_time": NOW - timedelta(seconds=6)}, True, 0.0),
        ({"policy": "CreatedOnce", "current": "2-a"}, True, 3.0),
        ({"policy": "CreatedOnce", "interval": 0.0}, False, None),
        ({"policy": "OnChange", "refresh_time": NOW - timedelta(seconds=6)}, True, 0.0),
        ({"interval": 0.0}, False, None),
        ({"interval": 0.0, "current": "2-a"}, True, None),
        ({"refresh_time": NOW - timedelta(seconds=6)}, False, None),
    ],
)
def test_a_target_that_is_rightly_absent_is_sought_now_and_then(
    changes: dict[str, object], sought: bool, wake: float | None
) -> None:
    """Spec 1.4: an invalid target takes a sync whatever the policy; there is one per change and interval."""
    assert seeks_absent(facts(**changes), NOW) is sought
    assert absent_wake(facts(**changes), NOW) == wake


def test_a_closed_window_holds_back_the_clock_but_not_an_edit() -> None:
    """Windows are asked last: a changed object syncs at once."""
    closed = SyncWindows.build("deny", [("* * * * *", 7200.0)])
    overdue = NOW - timedelta(hours=1)
    assert not should_refresh(facts(windows=closed, refresh_time=overdue), NOW)
    assert should_refresh(facts(windows=closed, refresh_time=overdue, current="2-a"), NOW)


@pytest.mark.parametrize(
    ("changes", "seconds"),
    [
        ({}, 3.0),
        ({"interval": 0.0}, None),
        ({"policy": "OnChange"}, None),
        ({"policy": "CreatedOnce"}, None),
        ({"refresh_time": None}, 5.0),
        ({"refresh_time": NOW - timedelta(seconds=60)}, 0.0),
        ({"windows": SyncWindows.build("allow", [("0 13 * * *", 60.0)])}, 3600.0),
        ({"windows": SyncWindows.build("deny", [("* * * * *", 7200.0)])}, None),
    ],
)
def test_the_next_look_is_at_the_next_instant_that_matters(changes: dict[str, object], seconds: float | None) -> None:
    """Objects that only an event can make due have no timer; a closed window is slept through."""
    assert next_wake(facts(**changes), NOW) == seconds


@given(st.floats(min_value=0.1, max_value=1e6), st.uuids())
def test_jitter_is_early_bounded_and_steady(interval: float, uid: object) -> None:
    """An object refreshes at most a tenth of its interval early, by the same share each time."""
    early = jitter(interval, str(uid))
    assert 0 <= early <= interval * 0.1
    assert early == jitter(interval, str(uid))
    assert due_at(NOW, interval, str(uid)) <= NOW + timedelta(seconds=interval)


def test_jitter_spreads_equal_intervals() -> None:
    """Two thousand objects with ten minutes each are spread over the tenth they may be early."""
    spread = [jitter(600.0, f"uid-{n}") for n in range(2000)]
    assert min(spread) < 3 and max(spread) > 56
    per_ten_seconds = [sum(1 for early in spread if low <= early < low + 10) for low in range(0, 60, 10)]
    assert max(per_ten_seconds) < 2 * min(per_ten_seconds)


def test_the_sleep_ends_when_the_decision_turns() -> None:
    """Waking after the announced time finds the object due, and a moment earlier not."""
    for n in range(50):
        sample = facts(interval=600.0, uid=str(n))
        wait = next_wake(sample, NOW)
        assert wait is not None
        assert should_refresh(sample, NOW + timedelta(seconds=wait))
        assert not should_refresh(sample, NOW + timedelta(seconds=wait - 0.01))


def test_permanent_failures_wait_for_the_refresh_interval() -> None:
    """Without an interval they wait an hour; a target held by another object is tried at most once a minute."""
    assert retry_after(facts(interval=30.0)) == 30.0
    assert retry_after(facts(interval=0.0)) == 3600.0
    assert retry_after(facts(policy="CreatedOnce")) == 3600.0
    assert conflict_retry_after(facts(interval=5.0)) == 60.0
    assert conflict_retry_after(facts(interval=600.0)) == 600.0


def test_values_that_expire_are_due_before_their_interval_is_over() -> None:
    """B075: at two thirds of their life at the latest; the timer agrees with the decision."""
    expires = expiry_due(NOW, 60.0, 3600.0, "u")
    assert expires is not None and timedelta(seconds=34) <= expires - NOW <= timedelta(seconds=40)
    sample = facts(interval=3600.0, uid="u", refresh_time=NOW, expires=expires)
    wait = next_wake(sample, NOW)
    assert wait == (expires - NOW).total_seconds()
    assert not should_refresh(sample, NOW + timedelta(seconds=wait - 1))
    assert should_refresh(sample, NOW + timedelta(seconds=wait))


@pytest.mark.parametrize("lifetime", [None, 0.0, -1.0, 1e300, float("inf"), 5400.0, 1e9])
def test_values_that_last_long_enough_keep_the_interval(lifetime: float | None) -> None:
    """So do those whose life is not known."""
    assert expiry_due(NOW, lifetime, 3600.0, "u") is None


@pytest.mark.parametrize("changes", [{"interval": 0.0}, {"policy": "OnChange"}, {"policy": "CreatedOnce"}])
def test_an_object_that_is_never_refreshed_is_not_for_its_values_either(changes: dict[str, object]) -> None:
    """Its user wants it so."""
    assert expiry_due(NOW, 60.0, facts(**changes).period, "u") is None


@pytest.mark.parametrize(
    ("changes", "changed"),
    [
        ({"current": "1-b"}, True),
        ({"current": "1-b", "own": "1-a"}, False),
        ({"current": "1-b", "own": "1-o", "synced_own": "1-o"}, False),
        ({"current": "1-b", "own": "1-p", "synced_own": "1-o"}, True),
        ({"current": "2-a", "own": "2-o", "synced_own": "1-o"}, True),
        ({"own": "1-o"}, False),
    ],
)
def test_notes_of_tools_are_no_change_where_they_are_told_apart(changes: dict[str, object], changed: bool) -> None:
    """B076: what was recorded without them is compared without them; an equal version is always in step."""
    assert facts(synced="1-a", **{"current": "1-a", **changes}).changed is changed
