"""Sync windows: may a periodic refresh run at an instant, and if not, when next?"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec import Struct

from controllers.externalsecret.cron import CronError, CronSchedule, EverySchedule, parse_schedule

__all__ = ["SyncWindows", "Window"]

_SECOND = timedelta(seconds=1)
_MAX_STEPS = 500
"""Ends of windows tried one after the other before a denial counts as lasting for good."""


class Window(Struct, frozen=True):
    """One window: open from each firing of `schedule` for `duration` seconds, both ends included."""

    schedule: CronSchedule | EverySchedule
    duration: float

    def active(self, at: datetime) -> bool:
        """Whether the window is open at `at`."""
        return self.closes(at) is not None

    def closes(self, at: datetime) -> datetime | None:
        """Last instant of the window that is open at `at`; None if none is open.

        Only the latest firing counts: windows longer than their period overlap, and the latest ends last.
        """
        if isinstance(self.schedule, EverySchedule):
            # Not anchored, so "some firing within the duration" holds always or never.
            return datetime.max.replace(tzinfo=at.tzinfo) if self.schedule.period <= self.duration + 1 else None
        firing = self.schedule.previous(at)
        if firing is None:
            return None
        end = firing + timedelta(seconds=self.duration)
        return end if at <= end + _SECOND - timedelta(microseconds=1) else None

    def opens(self, at: datetime) -> datetime | None:
        """First instant at or after `at` at which the window is open; None if there is none."""
        if self.active(at):
            return at
        return None if isinstance(self.schedule, EverySchedule) else self.schedule.next(at)


class SyncWindows(Struct, frozen=True):
    """`spec.syncWindows`. Schedules that cannot be read count as closed; `problems` names them."""

    kind: str
    windows: tuple[Window, ...]
    problems: tuple[str, ...] = ()
    listed: int = 0
    """How many windows the spec lists, with the unreadable ones."""

    @classmethod
    def build(cls, kind: str, entries: Iterable[tuple[str, float]]) -> SyncWindows:
        """From (schedule text, duration in seconds) pairs."""
        windows: list[Window] = []
        problems: list[str] = []
        listed = 0
        for listed, (text, duration) in enumerate(entries, 1):
            try:
                windows.append(Window(parse_schedule(text), duration))
            except CronError as error:
                problems.append(f"spec.syncWindows.windows[{listed - 1}].schedule: {error}")
        return cls(kind, tuple(windows), tuple(problems), listed)

    def allow(self, at: datetime) -> bool:
        """Whether a refresh that has fallen due may run at `at`."""
        if not self.listed or self.kind not in ("allow", "deny"):
            return True
        local = at.astimezone()
        return any(window.active(local) for window in self.windows) == (self.kind == "allow")

    def next_allowed(self, at: datetime) -> datetime | None:
        """First instant at or after `at` at which a refresh may run; None if there is none in sight."""
        if self.allow(at):
            return at
        moment = at.astimezone()
        if self.kind == "allow":
            openings = [opening for window in self.windows if (opening := window.opens(moment)) is not None]
            return min(openings, default=None)
        for _ in range(_MAX_STEPS):
            ends = [end for window in self.windows if (end := window.closes(moment)) is not None]
            if not ends:
                return moment
            end = max(ends)
            if end.year == datetime.max.year:
                return None
            moment = end + _SECOND
        return None
