"""When an ExternalSecret is due, and when to look at it again. Pure: objects and an instant in, a decision out."""

from __future__ import annotations

import hashlib
import math
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

from msgspec import Struct

from controllers.externalsecret.windows import SyncWindows

__all__ = [
    "DEFAULT_INTERVAL",
    "JITTER",
    "RefreshFacts",
    "absent_wake",
    "conflict_retry_after",
    "due_at",
    "expiry_due",
    "follows_sources",
    "jitter",
    "never_applied",
    "next_wake",
    "retry_after",
    "seeks_absent",
    "should_refresh",
]

DEFAULT_INTERVAL: Final = 3600.0
"""Seconds; stands for an interval that is not set."""

JITTER: Final = 0.1
"""Largest share of the interval by which a refresh runs early, so that equal intervals spread out."""

LIFETIME_SHARE: Final = 2 / 3
"""Values that expire are made anew after this share of their life: what is left is for retries, and for who uses them."""

_SLOWEST_RETRY: Final = 60.0
"""Seconds; failures that only another object's change can heal are not retried more often than this."""


class RefreshFacts(Struct, frozen=True):
    """What the decision rests on.

    Attributes:
        policy: `CreatedOnce`, `OnChange`, `Periodic`; empty means `Periodic`.
        interval: Seconds between refreshes; zero and below mean never.
        synced: `status.syncedResourceVersion`, empty before the first sync.
        current: The sync version of the object as it is now.
        refresh_time: Start of the last successful sync.
        uid: Decides this object's share of jitter.
        windows: When periodic refreshes may run; None for always.
        own: `current` without the metadata that tools write for themselves; empty where that counts as a change like any other.
        synced_own: The `own` of the last sync, empty if it was the same as `synced`.
        expires: When a periodic object has to be refreshed, whatever its interval: its values do not last longer.
    """

    policy: str
    interval: float
    synced: str
    current: str
    refresh_time: datetime | None
    uid: str
    windows: SyncWindows | None = None
    own: str = ""
    synced_own: str = ""
    expires: datetime | None = None

    @property
    def period(self) -> float:
        """Seconds between refreshes, zero for an object that is not refreshed periodically."""
        return 0.0 if self.policy in ("CreatedOnce", "OnChange") else max(self.interval, 0.0)

    @property
    def changed(self) -> bool:
        """Whether spec, labels or annotations are not those of the last sync."""
        if self.synced == self.current:
            return False
        # An object that had no foreign metadata has recorded its own version as the whole one.
        return not self.own or self.own != (self.synced_own or self.synced)


def should_refresh(facts: RefreshFacts, now: datetime) -> bool:
    """Whether the values must be fetched now (an intact target assumed)."""
    never_synced = not facts.synced or facts.refresh_time is None
    if facts.policy == "CreatedOnce":
        return never_synced
    if facts.policy == "OnChange":
        return never_synced or facts.changed
    if facts.interval <= 0 and facts.synced:
        return False
    if facts.changed or facts.refresh_time is None or facts.refresh_time > now:
        return True
    if now < _due(facts, facts.refresh_time):
        return False
    return facts.windows is None or facts.windows.allow(now)


def seeks_absent(facts: RefreshFacts, now: datetime) -> bool:
    """Whether a target that the last sync left absent, as it should, is to be looked after now although nothing is refreshed.

    No target is no valid one, and an invalid target takes a full sync whatever the policy says: when the object changes,
    and at its interval if it has one.
    """
    wait = absent_wake(facts, now)
    return facts.changed or wait == 0.0


def absent_wake(facts: RefreshFacts, now: datetime) -> float | None:
    """Seconds until `seeks_absent`, None if only a change brings it or a refresh does it anyway."""
    if facts.policy not in ("CreatedOnce", "OnChange") or facts.interval <= 0 or facts.refresh_time is None:
        return None
    return max(0.0, (due_at(facts.refresh_time, facts.interval, facts.uid) - now).total_seconds())


def follows_sources(facts: RefreshFacts) -> bool:
    """Whether a changed source of its template renders the object anew: as a changed spec would."""
    return facts.policy == "OnChange" or (facts.policy != "CreatedOnce" and facts.interval > 0)


def never_applied(facts: RefreshFacts) -> str:
    """Why a change of the object since its last sync is never applied; empty where it is, or where there is none."""
    if not facts.changed or not facts.synced or facts.policy == "OnChange":
        return ""
    if facts.policy == "CreatedOnce":
        return "refreshPolicy CreatedOnce never applies it"
    return "" if facts.interval > 0 else "refreshInterval 0 never applies it: set refreshPolicy OnChange for that"


def next_wake(facts: RefreshFacts, now: datetime) -> float | None:
    """Seconds until an object that needs nothing now may need something; None if only an event can tell.

    A refresh held back by a sync window is next wanted at the first instant that the windows allow.
    """
    if facts.policy in ("CreatedOnce", "OnChange") or facts.interval <= 0:
        return None
    if facts.refresh_time is None:
        return facts.interval
    wanted = max(now, _due(facts, facts.refresh_time))
    if facts.windows is not None:
        allowed = facts.windows.next_allowed(wanted)
        if allowed is None:
            return None
        wanted = allowed
    return max(0.0, (wanted - now).total_seconds())


def _due(facts: RefreshFacts, refresh_time: datetime) -> datetime:
    due = due_at(refresh_time, facts.interval, facts.uid)
    return due if facts.expires is None else min(due, facts.expires)


def expiry_due(start: datetime, lifetime: float | None, interval: float, uid: str) -> datetime | None:
    """When values made at `start` have to be made anew because they expire; None where the interval is short enough.

    Args:
        start: Start of the sync.
        lifetime: Of the values, seconds; None where it is not known.
        interval: Between refreshes. An object without one keeps what it has, as its user wants.
        uid: Decides the object's share of jitter.
    """
    if lifetime is None or lifetime <= 0 or interval <= 0:
        return None
    share = lifetime * LIFETIME_SHARE
    if share >= interval:
        return None
    # Whole seconds, as they are recorded.
    due = start + timedelta(seconds=max(1.0, math.floor(share - jitter(share, uid))))
    return due if due < due_at(start, interval, uid) else None


def due_at(refresh_time: datetime, interval: float, uid: str) -> datetime:
    """The instant at which a periodic object is due again."""
    return refresh_time + timedelta(seconds=interval - jitter(interval, uid))


def jitter(interval: float, uid: str) -> float:
    """Seconds by which this object refreshes early: less than a tenth of the interval, the same every time.

    Whole seconds, because `status.refreshTime` has no finer ones: below ten seconds there is none.
    """
    if interval <= 0:
        return 0.0
    return float(math.floor(_share(uid) * interval * JITTER))


def spread(seconds: float, uid: str) -> float:
    """Seconds by which this object waits longer than others that were sent away together: up to a tenth of the time."""
    return _share(uid) * seconds * JITTER


@lru_cache(maxsize=1024)
def _share(uid: str) -> float:
    return int.from_bytes(hashlib.blake2b(uid.encode(), digest_size=8).digest(), "big") / 2**64


def retry_after(facts: RefreshFacts, *, at_least: float = 0.0) -> float:
    """Seconds until a failure that back-off cannot heal is tried again: the refresh interval, or an hour without one."""
    return max(facts.period or DEFAULT_INTERVAL, at_least)


def conflict_retry_after(facts: RefreshFacts) -> float:
    """As `retry_after`, for a target that another object holds: at most once a minute."""
    return retry_after(facts, at_least=_SLOWEST_RETRY)
