"""events.k8s.io/v1 events: an action, a note, and series instead of counts.

The second occurrence within six minutes turns an event into a series and is written at once; after that the series is
written every 30 minutes while it lasts, and once more when it has been quiet for six minutes.
"""

from __future__ import annotations

import re
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from eso_core.aio import Clock
from eso_core.events.checks import check_event, check_word, not_recorded
from eso_core.events.core import EventType, LruMap
from eso_core.events.reference import EventSubject, ObjectReference, reference_of
from eso_core.events.sink import EventSink, clipped, event_name
from eso_core.meta import JsonObject, ObjectKey, format_micro_time
from eso_core.meta.wellknown import EVENT_V1
from eso_core.metrics.families import Counter

__all__ = ["RecorderV1", "SeriesCorrelator"]

_QUIET = 360.0
_HEARTBEAT = 1800.0
_CACHE_SIZE = 4096
_SHORT_LIMIT = 128
_NOTE_LIMIT = 1024
_QUALIFIED_NAME = re.compile(r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")


class _Identity(Struct, frozen=True):
    """What makes two events the same series: everything but the note."""

    controller: str
    instance: str
    action: str
    reason: str
    type: str
    regarding: ObjectReference
    related: ObjectReference | None


class _Series:
    __slots__ = (
        "_body", "_sent", "_written", "count", "created", "finish_timer", "heartbeat_at", "key", "last", "queued", "seen",
    )  # fmt: skip

    gvk = EVENT_V1

    def __init__(self, key: ObjectKey, body: JsonObject, now: datetime, seen: float) -> None:
        self.key = key
        self._body = body
        self.count = 1
        self.last = now
        self.seen = seen
        self.heartbeat_at = 0.0
        self.queued = False
        self.created = False
        self.finish_timer = False
        self._sent = 0
        self._written = 0

    def create_body(self) -> JsonObject:
        self._sent = self.count
        return {**self._body, **self._series()}

    def patch_body(self) -> JsonObject | None:
        if self.count == self._written:
            return None
        self._sent = self.count
        return self._series()

    def written(self) -> None:
        self._written = self._sent

    @property
    def unwritten(self) -> bool:
        return self.count != self._written

    def lost(self) -> None:
        self.created = False

    def _series(self) -> JsonObject:
        if self.count < 2:
            return {}
        return {"series": {"count": self.count, "lastObservedTime": format_micro_time(self.last)}}


class SeriesCorrelator:
    """Folds repeated events into series, and writes them when it is time."""

    def __init__(self, clock: Clock, sink: EventSink) -> None:
        self._clock = clock
        self._sink = sink
        self._series: LruMap[_Series] = LruMap(_CACHE_SIZE)
        self._ticks = 0

    def record(self, identity: _Identity, note: str, annotations: dict[str, str] | None) -> None:
        """Takes one occurrence."""
        now = self._clock.monotonic()
        wall = self._clock.now()
        series = self._series.get(identity)
        if series is None or now - series.seen > _QUIET:
            series = self._new(identity, note, annotations, wall, now)
            self._series.put(identity, series)
            self._sink.submit(series)
            return
        series.count += 1
        series.last = wall
        series.seen = now
        if series.count == 2 or now >= series.heartbeat_at:
            series.heartbeat_at = now + _HEARTBEAT
            self._sink.submit(series)
        if not series.finish_timer:
            series.finish_timer = True
            self._clock.call_later(_QUIET, lambda: self._finish(series))

    def _finish(self, series: _Series) -> None:
        series.finish_timer = False
        quiet_for = self._clock.monotonic() - series.seen
        if quiet_for < _QUIET:
            series.finish_timer = True
            self._clock.call_later(_QUIET - quiet_for, lambda: self._finish(series))
        elif series.unwritten:
            self._sink.submit(series)

    def _new(
        self, identity: _Identity, note: str, annotations: dict[str, str] | None, wall: datetime, now: float
    ) -> _Series:
        self._ticks = max(self._ticks + 1, int(wall.timestamp() * 1e6) * 1000)
        regarding = identity.regarding
        key = ObjectKey(regarding.namespace or "default", event_name(regarding.name, self._ticks))
        metadata: JsonObject = {"name": key.name, "namespace": key.namespace}
        if annotations:
            metadata["annotations"] = dict(annotations)
        body: JsonObject = {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": metadata,
            "eventTime": format_micro_time(wall),
            "reportingController": identity.controller,
            "reportingInstance": identity.instance,
            "action": identity.action,
            "reason": identity.reason,
            "type": identity.type,
            "regarding": regarding.encode(),
            "note": note,
        }
        if identity.related is not None:
            body["related"] = identity.related.encode()
        return _Series(key, body, wall, now)


class RecorderV1:
    """Records events.k8s.io/v1 events of one controller.

    Args:
        controller: a qualified name, such as `example.io/websites`.
        instance: this process, such as its pod's name.

    Raises:
        ValueError: the controller is no qualified name, or one of them is longer than 128 characters.
    """

    def __init__(self, controller: str, instance: str, correlator: SeriesCorrelator, *, dropped: Counter) -> None:
        if not _QUALIFIED_NAME.fullmatch(controller) or len(controller) > 253:
            raise ValueError(f"recording events as {controller!r}: a qualified name is needed, such as example.io/name")
        if not instance or len(instance) > _SHORT_LIMIT:
            raise ValueError(f"recording events from instance {instance!r}: 1 to 128 characters are needed")
        self._controller = controller
        self._instance = instance
        self._correlator = correlator
        self._dropped = dropped

    def event(
        self,
        subject: EventSubject,
        event_type: EventType,
        reason: str,
        action: str,
        note: str,
        *,
        related: EventSubject | None = None,
        annotations: dict[str, str] | None = None,
    ) -> None:
        """Records that `action` led to `reason` for `subject`. Returns at once and never raises."""
        try:
            regarded = reference_of(subject)
            check_event(event_type, reason, regarded.name)
            check_word("action", action)
            identity = _Identity(
                controller=self._controller,
                instance=self._instance,
                action=clipped(action, _SHORT_LIMIT),
                reason=clipped(reason, _SHORT_LIMIT),
                type=event_type,
                regarding=replace(regarded, resource_version=""),
                related=None if related is None else reference_of(related),
            )
            self._correlator.record(identity, clipped(note, _NOTE_LIMIT), annotations)
        except Exception as error:
            self._dropped.labels("invalid").inc()
            not_recorded(error, reason)
