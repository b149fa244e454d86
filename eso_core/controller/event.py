"""What sources produce: an event about one object."""

from __future__ import annotations

from enum import Enum

import msgspec

from eso_core.cache import CachedObject

__all__ = ["Event", "EventKind"]


class EventKind(Enum):
    """What happened. GENERIC comes from channels and tickers, not from the API server."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    GENERIC = "generic"


class Event(msgspec.Struct, frozen=True, gc=False):
    """One event of a source.

    Attributes:
        kind: what happened.
        object: the newest state; for DELETE the last one.
        old: the state before an UPDATE.
        initial: part of the first list after a start.
        resync: nothing changed; the object is shown again.
        tombstone: the deletion was inferred from a list.
    """

    kind: EventKind
    object: CachedObject
    old: CachedObject | None = None
    initial: bool = False
    resync: bool = False
    tombstone: bool = False
