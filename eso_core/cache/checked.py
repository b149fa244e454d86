"""A store that finds out when somebody changes what is shared; for tests and for finding a bug, as it costs on each read."""

from __future__ import annotations

from collections.abc import Iterable

from eso_core.cache.store import CachedObject, Change, IndexErrorReport, JsonObject, Store
from eso_core.meta import ObjectKey
from eso_core.meta.errors import CacheError

__all__ = ["CheckedStore"]


class CheckedStore(Store):
    """A `Store` whose entries are compared, when they are read, with what they were when they came.

    Bodies are bytes, which nobody can change; labels and annotations are dicts that all readers share.

    Args:
        kind: for the error's text.
        on_index_error: as for `Store`.

    Raises:
        CacheError: by every read that meets an entry that was changed.
    """

    def __init__(self, kind: str, on_index_error: IndexErrorReport) -> None:
        super().__init__(on_index_error)
        self._kind = kind
        self._known: dict[ObjectKey, tuple[CachedObject, int]] = {}

    def upsert(self, entry: CachedObject, decoded: JsonObject | None = None) -> list[Change]:
        changes = super().upsert(entry, decoded)
        if changes:
            self._known[entry.key] = (entry, _digest(entry))
        return changes

    def stage(self, entry: CachedObject, decoded: JsonObject | None = None) -> None:
        super().stage(entry, decoded)
        present = self._current.objects.get(entry.key)
        if present is None:
            self._known[entry.key] = (entry, _digest(entry))

    def get(self, key: tuple[str, str]) -> CachedObject | None:
        entry = super().get(key)
        if entry is not None:
            self._verify((entry,))
        return entry

    def entries(self, namespace: str | None = None) -> list[CachedObject]:
        return self._verify(super().entries(namespace))

    def by_index(self, name: str, value: str) -> list[CachedObject]:
        return self._verify(super().by_index(name, value))

    def remove(self, last: CachedObject) -> list[Change]:
        changes = super().remove(last)
        if changes:
            self._known.pop(last.key, None)
        return changes

    def clear(self) -> list[Change]:
        self._known.clear()
        return super().clear()

    def _verify(self, entries: Iterable[CachedObject]) -> list[CachedObject]:
        found = list(entries)
        for entry in found:
            known, digest = self._known.get(entry.key, (None, 0))
            if known is not entry:
                self._known[entry.key] = (entry, _digest(entry))
            elif digest != _digest(entry):
                raise CacheError(
                    f"reading {self._kind} {entry.key} from the cache: its labels or annotations were changed by a reader: "
                    "copy what handlers, index functions and peek() give before changing it"
                )
        return found


def _digest(entry: CachedObject) -> int:
    meta = entry.meta
    return hash((tuple(meta.labels.items()), tuple(meta.annotations.items())))
