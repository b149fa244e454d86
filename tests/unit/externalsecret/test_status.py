"""The status after a reconcile."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from controllers.externalsecret.status import Message, Outcome, Reason, absence_expected, next_status, ready_changed
from controllers.failures import Failure, FailureClass

NOW = datetime(2026, 1, 1, 12, 0, 0, 700_000, tzinfo=UTC)
SYNCED = Outcome(Reason.SYNCED, Message.SYNCED, NOW, "1-a", "target")
FAILED = Outcome(Reason.ERROR, Message.PROVIDER)


def test_a_first_failure_has_an_empty_binding_and_no_refresh_time() -> None:
    """A status that was never synced says so by what it lacks."""
    assert next_status(None, FAILED, NOW) == {
        "binding": {"name": ""},
        "conditions": [
            {
                "type": "Ready",
                "status": "False",
                "reason": "SecretSyncedError",
                "message": "could not get secret data from provider",
                "lastTransitionTime": "2026-01-01T12:00:00Z",
            }
        ],
    }


def test_success_records_start_version_and_binding() -> None:
    """Refresh time is the start of the sync, in whole seconds."""
    status = next_status(None, SYNCED, NOW + timedelta(seconds=3))
    assert status["refreshTime"] == "2026-01-01T12:00:00Z"
    assert status["syncedResourceVersion"] == "1-a"
    assert status["binding"] == {"name": "target"}
    assert status["conditions"][0]["reason"] == "SecretSynced"


def test_a_failure_keeps_what_the_last_success_left() -> None:
    """Refresh time, version and binding survive; the transition time moves with the status only."""
    good = next_status(None, SYNCED, NOW)
    bad = next_status(good, FAILED, NOW + timedelta(seconds=5))
    assert {name: bad[name] for name in ("refreshTime", "syncedResourceVersion", "binding")} == {
        name: good[name] for name in ("refreshTime", "syncedResourceVersion", "binding")
    }
    assert bad["conditions"][0]["lastTransitionTime"] == "2026-01-01T12:00:05Z"
    again = next_status(bad, Outcome(Reason.ERROR, Message.UPDATE), NOW + timedelta(seconds=9))
    assert again["conditions"][0]["lastTransitionTime"] == "2026-01-01T12:00:05Z"
    assert next_status(bad, FAILED, NOW + timedelta(seconds=60)) == bad


def test_unknown_status_fields_survive() -> None:
    """Fields and conditions of a newer operator stay."""
    current = {"extra": 1, "conditions": [{"type": "Other", "status": "True"}]}
    status = next_status(current, SYNCED, NOW)
    assert status["extra"] == 1 and status["conditions"][0] == {"type": "Other", "status": "True"}
    assert current == {"extra": 1, "conditions": [{"type": "Other", "status": "True"}]}


def test_only_status_and_reason_make_a_change_worth_a_log_line() -> None:
    """Another message or time is no change."""
    good = next_status(None, SYNCED, NOW)
    assert ready_changed(None, good)
    assert not ready_changed(good, next_status(good, SYNCED, NOW + timedelta(seconds=60)))
    assert ready_changed(good, next_status(good, FAILED, NOW))


def test_a_missing_target_is_no_drift_when_the_policy_left_none() -> None:
    """Deleted, retained and never created targets are expected to be absent; synced and failed ones are not."""
    for reason, message in (
        (Reason.MISSING, Message.MISSING),
        (Reason.DELETED, Message.DELETED),
        (Reason.SYNCED, Message.RETAINED),
    ):
        assert absence_expected(next_status(None, Outcome(reason, message, NOW, "1-a"), NOW))
    assert not absence_expected(next_status(None, SYNCED, NOW))
    assert not absence_expected(next_status(None, FAILED, NOW))
    assert not absence_expected(None)


def test_the_whole_cause_stays_as_long_as_the_failure() -> None:
    """Set with a failure, cut to a kilobyte, gone with the next success; the second condition goes with it."""
    failure = Failure(FailureClass.NOT_FOUND, "x" * 2000)
    failed = next_status(None, Outcome(Reason.ERROR, Message.PROVIDER), NOW, failure=failure)
    assert failed["lastError"] == "x" * 1024
    assert failed["conditions"][0]["message"] == "could not get secret data from provider"
    assert (failed["conditions"][1]["type"], failed["conditions"][1]["reason"]) == ("Stalled", "NotFound")
    good = next_status(failed, Outcome(Reason.SYNCED, Message.SYNCED, NOW, "1-a", "s"), NOW)
    assert "lastError" not in good
    assert [condition["type"] for condition in good["conditions"]] == ["Ready"]


def test_the_observed_generation_never_goes_back() -> None:
    """A status that was computed for an older spec must not hide a newer one."""
    seen = next_status(None, SYNCED, NOW, generation=3)
    assert seen["observedGeneration"] == 3
    assert next_status(seen, SYNCED, NOW, generation=2)["observedGeneration"] == 3


def test_a_definition_of_the_original_gets_the_status_of_the_original() -> None:
    """It would refuse a condition of another type, and drop every other field."""
    failure = Failure(FailureClass.NOT_FOUND, "x")
    status = next_status(
        None, Outcome(Reason.ERROR, Message.PROVIDER), NOW, failure=failure, generation=3, extended=False
    )
    assert set(status) == {"binding", "conditions"}
    assert [condition["type"] for condition in status["conditions"]] == ["Ready"]
