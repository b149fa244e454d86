"""The status after a pass."""

from __future__ import annotations

from datetime import UTC, datetime

from controllers.failures import Failure, FailureClass
from controllers.pushsecret.status import Message, Outcome, Reason, next_status, reason_of, told_changed

NOW = datetime(2030, 1, 1, tzinfo=UTC)
FAILURE = Failure(FailureClass.INVALID_REFERENCE, "x" * 2000, next_attempt="when the object changes")
RECORDS = {"SecretStore/s": {"a": {"match": {"remoteRef": {"remoteKey": "a"}}}}}


def test_a_success_says_what_was_pushed_and_when() -> None:
    """An old error goes."""
    before = {"lastError": "no", "conditions": []}
    outcome = Outcome(Reason.SYNCED, Message.SYNCED, RECORDS, {}, NOW, "1-a", "fp")
    assert next_status(before, outcome, NOW) == {
        "syncedPushSecrets": RECORDS,
        "refreshTime": "2030-01-01T00:00:00Z",
        "syncedResourceVersion": "1-a",
        "sourceVersion": "fp",
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "reason": "Synced",
                "message": "PushSecret synced successfully",
                "lastTransitionTime": "2030-01-01T00:00:00Z",
            }
        ],
    }
    assert before == {"lastError": "no", "conditions": []}


def test_a_failure_keeps_what_is_recorded_and_has_the_whole_cause() -> None:
    """The last success stays, so that the next pass knows what is due."""
    good = next_status(None, Outcome(Reason.SYNCED, Message.SYNCED, RECORDS, {}, NOW, "1-a", "fp"), NOW)
    bad = next_status(good, Outcome(Reason.ERRORED, "could not get source secret", failure=FAILURE), NOW, generation=3)
    assert bad["syncedPushSecrets"] == RECORDS
    assert (bad["syncedResourceVersion"], bad["sourceVersion"]) == ("1-a", "fp")
    assert bad["lastError"] == "x" * 1024
    assert bad["observedGeneration"] == 3
    assert [(entry["type"], entry["reason"]) for entry in bad["conditions"]] == [
        ("Ready", "Errored"),
        ("Stalled", "InvalidReference"),
    ]
    assert reason_of(bad) == "Errored"
    assert told_changed(good, bad)


def test_a_comparison_that_found_nothing_new_is_no_news() -> None:
    """Its time alone changed; a new version of the source is news."""
    first = next_status(None, Outcome(Reason.SYNCED, Message.SYNCED, RECORDS, {}, NOW, "1-a", "fp"), NOW)
    later = NOW.replace(hour=1)
    second = next_status(first, Outcome(Reason.SYNCED, Message.SYNCED, RECORDS, {}, later, "1-a", "fp"), later)
    assert second != first
    assert not told_changed(first, second)
    third = next_status(second, Outcome(Reason.SYNCED, Message.SYNCED, RECORDS, {}, later, "1-a", "new"), later)
    assert told_changed(second, third)


def test_when_all_was_taken_back_no_record_is_left() -> None:
    """Not even an empty one."""
    good = next_status(None, Outcome(Reason.SYNCED, Message.SYNCED, RECORDS, RECORDS, NOW, "1-a", "fp"), NOW)
    assert good["retainedPushSecrets"] == RECORDS
    gone = next_status(good, Outcome(Reason.SOURCE_DELETED, Message.SOURCE_DELETED, {}, {}), NOW)
    assert "syncedPushSecrets" not in gone and "retainedPushSecrets" not in gone
    assert not Outcome(Reason.SOURCE_DELETED, "").ready
