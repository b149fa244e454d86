"""The status of a PushSecret after a pass. Pure."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from msgspec import Struct

from controllers.failures import Failure, set_failure
from controllers.pushsecret.records import RETAINED, SYNCED, Records
from eso_core.meta import JsonObject, find_condition, format_time, set_condition

__all__ = ["SOURCE_VERSION", "Message", "Outcome", "Reason", "next_status", "reason_of", "told_changed"]

READY: Final = "Ready"
SOURCE_VERSION: Final = "sourceVersion"
LAST_ERROR: Final = "lastError"
GENERATION: Final = "observedGeneration"
OWN_VERSION: Final = "syncedOwnVersion"
NEXT_REFRESH: Final = "nextRefreshTime"

_ERROR_LIMIT: Final = 1024
_MESSAGE_LIMIT: Final = 32_768
"""Characters of a condition's message that the API allows."""


class Reason(StrEnum):
    """Reasons of the Ready condition; printed as a column, matched by health checks of GitOps tools."""

    SYNCED = "Synced"
    ERRORED = "Errored"
    SOURCE_DELETED = "SourceDeleted"


class Message(StrEnum):
    """Messages of the Ready condition."""

    SYNCED = "PushSecret synced successfully"
    SYNCED_UNCHANGED = "PushSecret synced successfully. Existing secrets in providers unchanged."
    SOURCE_DELETED = "source secret deleted; provider secrets cleaned up"


class Outcome(Struct, frozen=True):
    """What a pass has to say.

    Attributes:
        reason, message: Of the Ready condition, which is True for `SYNCED` alone.
        records: What is in the stores; None leaves what is recorded.
        retained: What was left there by deletionPolicy None; None leaves what is recorded.
        synced_at: Start of the pass, when it succeeded.
        synced_version: The sync version that `synced_at` belongs to.
        source_version: The fingerprint of sources and stores that was pushed.
        failure: The whole cause, and when it is tried again.
        synced_own: `synced_version` without the metadata that tools write for themselves, where that is kept.
        next_refresh: When the values expire, if that is before the interval is over.
    """

    reason: Reason
    message: str
    records: Records | None = None
    retained: Records | None = None
    synced_at: datetime | None = None
    synced_version: str = ""
    source_version: str = ""
    failure: Failure | None = None
    synced_own: str = ""
    next_refresh: datetime | None = None

    @property
    def ready(self) -> bool:
        """Status of the Ready condition."""
        return self.reason is Reason.SYNCED


def next_status(
    current: JsonObject | None, outcome: Outcome, now: datetime, *, generation: int = 0, extended: bool = True
) -> JsonObject:
    """The whole status after `outcome`; `current` stays as it is.

    Args:
        current: As it is.
        outcome: What the pass has to say.
        now: Time of a changed condition.
        generation: The one that was looked at.
        extended: False where the installed definition does not know what the original's status has not.
    """
    status: JsonObject = dict(current or {})
    if outcome.records is not None:
        _set(status, SYNCED, outcome.records)
    if outcome.synced_at is not None:
        status["refreshTime"] = format_time(outcome.synced_at)
        status["syncedResourceVersion"] = outcome.synced_version
    if extended:
        if outcome.retained is not None:
            _set(status, RETAINED, outcome.retained)
        if outcome.synced_at is not None:
            _set(status, SOURCE_VERSION, outcome.source_version)
            _set(status, OWN_VERSION, outcome.synced_own if outcome.synced_own != outcome.synced_version else "")
            _set(status, NEXT_REFRESH, format_time(outcome.next_refresh) if outcome.next_refresh is not None else "")
        _set(status, LAST_ERROR, outcome.failure.text[:_ERROR_LIMIT] if outcome.failure is not None else "")
        _set(status, GENERATION, generation)
    # What is changed here is fresh; the rest is shared with `current`.
    conditions: list[JsonObject] = [dict(condition) for condition in status.get("conditions") or ()]
    status["conditions"] = conditions
    set_condition(
        conditions,
        type=READY,
        status="True" if outcome.ready else "False",
        reason=outcome.reason,
        message=outcome.message[:_MESSAGE_LIMIT],
        now=now,
    )
    set_failure(conditions, outcome.failure, now)
    return status


def _set(status: JsonObject, field: str, value: Any) -> None:
    if value:
        status[field] = value
    else:
        status.pop(field, None)


def reason_of(status: JsonObject | None) -> str:
    """Reason of the Ready condition; empty without one."""
    ready = find_condition((status or {}).get("conditions"), READY)
    return str(ready.get("reason") or "") if ready is not None else ""


def told_changed(before: JsonObject | None, after: JsonObject) -> bool:
    """Whether a pass has news: the condition, what is in the stores, or what was pushed there differ."""
    old, new = before or {}, after
    conditions = [find_condition(status.get("conditions"), READY) or {} for status in (old, new)]
    told = [(condition.get("status"), condition.get("reason"), condition.get("message")) for condition in conditions]
    fields = (SYNCED, "syncedResourceVersion", SOURCE_VERSION)
    return told[0] != told[1] or any(old.get(field) != new.get(field) for field in fields)
