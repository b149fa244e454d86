"""The status of an ExternalSecret after a reconcile. Pure."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final

from msgspec import Struct

from controllers.failures import Failure, set_failure
from eso_core.meta import JsonObject, find_condition, format_time, set_condition

__all__ = [
    "ABSENT",
    "READY",
    "Message",
    "Outcome",
    "Reason",
    "absence_expected",
    "next_status",
    "note_versions",
    "ready_changed",
    "was_refused",
]

READY: Final = "Ready"
_ERROR_LIMIT: Final = 1024


class Reason(StrEnum):
    """Reasons of the Ready condition; printed as a column, matched by health checks of GitOps tools."""

    SYNCED = "SecretSynced"
    ERROR = "SecretSyncedError"
    DELETED = "SecretDeleted"
    MISSING = "SecretMissing"
    PARTIAL = "SecretPartiallySynced"
    RESOURCE_SYNCED = "ResourceSynced"
    RESOURCE_ERROR = "ResourceSyncedError"
    RESOURCE_DELETED = "ResourceDeleted"
    RESOURCE_MISSING = "ResourceMissing"


ABSENT: Final = frozenset({Reason.MISSING, Reason.DELETED, Reason.RESOURCE_MISSING, Reason.RESOURCE_DELETED})
"""Reasons of a sync that went well and left no target."""


class Message(StrEnum):
    """Messages of the Ready condition."""

    SYNCED = "secret synced"
    RETAINED = "secret retained due to DeletionPolicy=Retain"
    DELETED = "secret deleted due to DeletionPolicy=Delete"
    MISSING = "secret will not be created due to CreationPolicy=Merge"
    PROVIDER = "could not get secret data from provider"
    DELETE = "could not delete secret"
    DELETE_ORPHANS = "could not delete orphaned secrets"
    UPDATE = "could not update secret"
    IMMUTABLE = "could not update secret, target is immutable"
    OWNERSHIP = "failed to take ownership of target secret"
    OTHER_OWNER = "target is owned by another ExternalSecret"
    GENERIC_TARGET = "invalid generic target"
    GET_RESOURCE = "could not get target resource"
    DELETE_RESOURCE = "could not delete resource"
    APPLY_MANIFEST = "could not apply template to manifest"
    RESOURCE_MISSING = "resource will not be created due to CreationPolicy=Merge"


class Outcome(Struct, frozen=True):
    """What a reconcile has to say.

    Attributes:
        reason: Reason of the Ready condition; True for every reason but `ERROR`.
        message: Its message.
        synced_at: Start of the sync, when it succeeded; None keeps the last success.
        synced_version: The sync version that `synced_at` belongs to.
        binding: Name of the Secret that was written; None keeps the recorded one.
        synced_own: `synced_version` without the metadata that tools write for themselves, where that is kept.
        next_refresh: When the values expire, if that is before the interval is over.
    """

    reason: Reason
    message: str
    synced_at: datetime | None = None
    synced_version: str = ""
    binding: str | None = None
    synced_own: str = ""
    next_refresh: datetime | None = None

    @property
    def ready(self) -> bool:
        """Status of the Ready condition."""
        return self.reason not in (Reason.ERROR, Reason.RESOURCE_ERROR)


def next_status(
    current: JsonObject | None,
    outcome: Outcome,
    now: datetime,
    *,
    failure: Failure | None = None,
    generation: int = 0,
    extended: bool = True,
) -> JsonObject:
    """The whole status after `outcome`; `binding` is there from the first write on, with an empty name at first.

    `failure` is the whole cause: messages of the Ready condition are fixed texts that people match on, and the event that
    has the cause is gone after an hour. `generation` is the one that was looked at. `extended` is False where the installed
    definition does not know what the original's status has not: then these fields stay as they are.
    """
    status = dict(current or {})
    if extended:
        status.pop("lastError", None)
        if failure is not None:
            status["lastError"] = failure.text[:_ERROR_LIMIT]
        if generation:
            status["observedGeneration"] = max(generation, int(status.get("observedGeneration") or 0))
    if outcome.synced_at is not None:
        status["refreshTime"] = format_time(outcome.synced_at)
        note_versions(status, outcome.synced_version, outcome.synced_own if extended else "")
        if extended:
            status.pop("nextRefreshTime", None)
            if outcome.next_refresh is not None:
                status["nextRefreshTime"] = format_time(outcome.next_refresh)
    if outcome.binding is not None:
        status["binding"] = {"name": outcome.binding}
    elif not isinstance(status.get("binding"), dict):
        status["binding"] = {"name": ""}
    # What is changed here is fresh; the rest is shared with `current`, which stays as it is.
    conditions: list[JsonObject] = [dict(condition) for condition in status.get("conditions") or ()]
    status["conditions"] = conditions
    set_condition(
        conditions,
        type=READY,
        status="True" if outcome.ready else "False",
        reason=outcome.reason,
        message=outcome.message,
        now=now,
    )
    if extended:
        set_failure(conditions, failure, now)
    return status


def note_versions(status: JsonObject, version: str, own: str) -> None:
    """Record what is in step; the own version only where it differs."""
    status["syncedResourceVersion"] = version
    status.pop("syncedOwnVersion", None)
    if own and own != version:
        status["syncedOwnVersion"] = own


def was_refused(status: JsonObject | None) -> bool:
    """Whether the recorded failure is that the object itself could not be read: then the message is the whole cause."""
    ready = find_condition((status or {}).get("conditions") or [], READY) or {}
    return (
        ready.get("status") == "False"
        and bool(ready.get("message"))
        and ready.get("message") == (status or {}).get("lastError")
    )


def ready_changed(before: JsonObject | None, after: JsonObject) -> bool:
    """Whether status or reason of the Ready condition differ."""
    old, new = (find_condition((status or {}).get("conditions"), READY) or {} for status in (before, after))
    return (old.get("status"), old.get("reason")) != (new.get("status"), new.get("reason"))


def absence_expected(status: JsonObject | None) -> bool:
    """Whether the last sync succeeded without leaving a Secret, so that its absence is no drift."""
    ready = find_condition((status or {}).get("conditions"), READY)
    if ready is None or ready.get("status") != "True":
        return False
    if ready.get("reason") in ABSENT:
        return True
    return ready.get("message") == Message.RETAINED
