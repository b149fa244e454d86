"""The recent changes of one kind: what watches resume from and what past states are rebuilt from."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from eso_core.testing.apiserver.storage.entry import Entry


class TooOld(Exception):
    """The revision asked for has left the window; ``oldest`` is the earliest one that can still be served."""

    def __init__(self, oldest: int) -> None:
        super().__init__(f"revisions before {oldest} are gone")
        self.oldest = oldest


class Change:
    """One write: ``current`` is the state after it (for a deletion: the last state, at the deletion's revision).

    ``previous`` is None for a creation, ``deleted`` tells a deletion. ``lines`` caches the change encoded for
    watchers, by representation.
    """

    __slots__ = ("current", "deleted", "lines", "previous", "revision", "time")

    def __init__(self, revision: int, current: Entry, previous: Entry | None, deleted: bool, time: float) -> None:
        self.revision = revision
        self.current = current
        self.previous = previous
        self.deleted = deleted
        self.time = time
        self.lines: dict[object, bytes] | None = None


class Window:
    """A bounded log of changes.

    Holds at least ``min_changes``, at most ``max_changes`` and at most ``max_bytes`` of superseded bodies; within
    these bounds changes older than ``max_age`` seconds (monotonic clock of the caller) are dropped.
    """

    __slots__ = ("_bytes", "_changes", "max_age", "max_bytes", "max_changes", "min_changes", "oldest")

    def __init__(
        self,
        start: int,
        *,
        min_changes: int = 100,
        max_changes: int = 102_400,
        max_age: float = 75.0,
        max_bytes: int = 32 * 1024 * 1024,
    ) -> None:
        self._changes: deque[Change] = deque()
        self._bytes = 0
        self.oldest = start
        self.min_changes = min_changes
        self.max_changes = max_changes
        self.max_age = max_age
        self.max_bytes = max_bytes

    def __len__(self) -> int:
        return len(self._changes)

    def append(self, change: Change) -> None:
        """Add the newest change, dropping the oldest where the bounds ask for it."""
        self._changes.append(change)
        if change.previous is not None:
            self._bytes += len(change.previous.body)
        self.trim(change.time)

    def trim(self, now: float) -> None:
        """Drop what the bounds no longer allow."""
        changes = self._changes
        limit = now - self.max_age
        while len(changes) > self.min_changes and (
            changes[0].time < limit or len(changes) > self.max_changes or self._bytes > self.max_bytes
        ):
            self._drop_first()

    def _drop_first(self) -> None:
        first = self._changes.popleft()
        if first.previous is not None:
            self._bytes -= len(first.previous.body)
        self.oldest = first.revision

    def compact(self, revision: int) -> None:
        """Forget every change up to and including ``revision``."""
        while self._changes and self._changes[0].revision <= revision:
            self._drop_first()
        self.oldest = max(self.oldest, revision)

    def entries(self) -> Iterator[Entry]:
        """Every state that the changes mention."""
        for change in self._changes:
            yield change.current
            if change.previous is not None:
                yield change.previous

    def since(self, revision: int) -> list[Change]:
        """The changes after ``revision``, oldest first. Raises `TooOld`."""
        if revision < self.oldest:
            raise TooOld(self.oldest)
        found = list(self._newer(revision))
        found.reverse()
        return found

    def undo(self, revision: int) -> dict[str, Entry | None]:
        """What differs from the present at ``revision``: key to the entry of then, or None. Raises `TooOld`."""
        if revision < self.oldest:
            raise TooOld(self.oldest)
        return {change.current.key: change.previous for change in self._newer(revision)}

    def _newer(self, revision: int) -> Iterator[Change]:
        for change in reversed(self._changes):
            if change.revision <= revision:
                return
            yield change
