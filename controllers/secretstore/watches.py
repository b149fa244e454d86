"""What makes a store worth another check."""

from __future__ import annotations

from eso_core.controller import Event, EventKind

__all__ = ["store_matters"]


def store_matters(event: Event) -> bool:
    """Spec, annotations, labels or deletion of a store changed; its own status does not count."""
    if event.kind is not EventKind.UPDATE or event.old is None:
        return True
    old, new = event.old.meta, event.object.meta
    return (
        event.resync
        or old.generation != new.generation
        or old.uid != new.uid
        or old.labels != new.labels
        or old.annotations != new.annotations
        or old.deletion_timestamp != new.deletion_timestamp
    )
