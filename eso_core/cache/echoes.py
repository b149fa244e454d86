"""Which events are echoes of own writes, with nothing foreign in them.

That a version is one's own is proven only by a write that named the version it was based on: the server refuses it when
anything came in between, and answers the same version when it changed nothing. A patch without a version proves nothing,
since its answer may be a foreign version that it left unchanged; its event is never taken for an echo. An event whose old
state is not the one that the write was based on is not either, nor is one that was found by reading everything anew.
"""

from __future__ import annotations

from collections import OrderedDict

from eso_core.cache.store import Change, ChangeType
from eso_core.meta import GVK, ObjectKey

__all__ = ["OwnEchoes"]

#: Writes that are remembered; the event of a forgotten one is not recognised, which costs one reconcile.
_REMEMBERED = 10_000


class OwnEchoes:
    """Own finished writes of the kinds whose echoes somebody wants to skip."""

    def __init__(self) -> None:
        self._kinds: set[GVK] = set()
        self._writes: OrderedDict[tuple[GVK, ObjectKey, str], str] = OrderedDict()

    def follow(self, gvk: GVK) -> None:
        """Begins to remember the writes of a kind."""
        self._kinds.add(gvk)

    def wrote(self, gvk: GVK, key: ObjectKey, based_on: str, version: str) -> None:
        """A write that named `based_on` was answered with `version`."""
        if gvk not in self._kinds or not based_on or not version or based_on == version:
            return
        self._writes[gvk, key, version] = based_on
        if len(self._writes) > _REMEMBERED:
            self._writes.popitem(last=False)

    def is_echo(self, gvk: GVK, change: Change) -> bool:
        """Whether a change is exactly one own write."""
        old, new = change.old, change.new
        if change.type is not ChangeType.UPDATED or change.relisted or old is None or new is None:
            return False
        return self._writes.get((gvk, new.key, new.resource_version)) == old.resource_version
