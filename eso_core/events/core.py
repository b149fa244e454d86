"""core/v1 events: a recorder per source component, with the aggregation and the spam filter of client-go.

* The same event (source, object, type, reason, message) again is the same Event with a higher `count`.
* More than ten different messages of one (source, object, type, reason) within ten minutes become one Event whose message
  begins with "(combined from similar events): ".
* Each (source, object) may write 25 times at once and then once per five minutes; what is beyond that is dropped.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from datetime import datetime
from typing import Generic, Literal, TypeVar

from eso_core.aio import Clock
from eso_core.events.checks import check_event, not_recorded
from eso_core.events.reference import EventSubject, ObjectReference, reference_of
from eso_core.events.sink import EventSink, clipped, event_name
from eso_core.meta import JsonObject, ObjectKey, format_time
from eso_core.meta.wellknown import EVENT
from eso_core.metrics.families import Counter

__all__ = ["CoreCorrelator", "EventType", "Recorder"]

EventType = Literal["Normal", "Warning"]

_CACHE_SIZE = 4096
_SIMILAR_LIMIT = 10
_SIMILAR_WINDOW = 600.0
_SPAM_BURST = 25.0
_SPAM_REFILL = 1 / 300.0
_PREFIX = "(combined from similar events): "

#: Longer messages are cut. The API server does not limit them for this version, but a list of events should be readable.
_MESSAGE_LIMIT = 10_240

V = TypeVar("V")


class LruMap(Generic[V]):
    """A dict of bounded size that forgets what was used least recently."""

    __slots__ = ("_entries", "_size")

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: OrderedDict[Hashable, V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Hashable) -> V | None:
        value = self._entries.get(key)
        if value is not None:
            self._entries.move_to_end(key)
        return value

    def put(self, key: Hashable, value: V) -> None:
        self._entries[key] = value
        self._entries.move_to_end(key)
        if len(self._entries) > self._size:
            self._entries.popitem(last=False)


class _Similar:
    __slots__ = ("last", "messages")

    def __init__(self, now: float) -> None:
        self.messages: set[str] = set()
        self.last = now


class _Bucket:
    __slots__ = ("tokens", "updated")

    def __init__(self, now: float) -> None:
        self.tokens = _SPAM_BURST
        self.updated = now

    def take(self, now: float) -> bool:
        self.tokens = min(_SPAM_BURST, self.tokens + (now - self.updated) * _SPAM_REFILL)
        self.updated = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


class _CoreSeries:
    """One Event object: what it should say, and how much of that the server has."""

    __slots__ = ("_body", "_sent", "_written", "count", "created", "key", "last", "message", "queued")

    gvk = EVENT

    def __init__(self, key: ObjectKey, body: JsonObject, message: str, now: datetime) -> None:
        self.key = key
        self._body = body
        self.message = message
        self.last = now
        self.count = 1
        self.queued = False
        self.created = False
        self._sent = 0
        self._written = 0

    def again(self, message: str, now: datetime) -> None:
        self.count += 1
        self.message = message
        self.last = now

    def create_body(self) -> JsonObject:
        self._sent = self.count
        return {**self._body, **self._changing()}

    def patch_body(self) -> JsonObject | None:
        if self.count == self._written:
            return None
        self._sent = self.count
        return self._changing()

    def written(self) -> None:
        self._written = self._sent

    def lost(self) -> None:
        # The name of an expired event is free again.
        self.created = False

    def _changing(self) -> JsonObject:
        return {"message": self.message, "count": self.count, "lastTimestamp": format_time(self.last)}


class CoreCorrelator:
    """Decides which Event object, if any, a recorded event goes to. Pure apart from its memory."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._similar: LruMap[_Similar] = LruMap(_CACHE_SIZE)
        self._series: LruMap[_CoreSeries] = LruMap(_CACHE_SIZE)
        self._buckets: LruMap[_Bucket] = LruMap(_CACHE_SIZE)
        self._ticks = 0

    def correlate(
        self, component: str, subject: ObjectReference, event_type: str, reason: str, message: str
    ) -> _CoreSeries | None:
        """The series the event belongs to, counted; None when it is spam."""
        now = self._clock.monotonic()
        # Not the version: the same thing happening to a changed object is still the same thing.
        identity = (component, subject.api_version, subject.kind, subject.namespace, subject.name, subject.uid)
        group = (identity, event_type, reason)
        similar = self._similar.get(group)
        if similar is None or now - similar.last > _SIMILAR_WINDOW:
            similar = _Similar(now)
            self._similar.put(group, similar)
        similar.last = now
        if len(similar.messages) < _SIMILAR_LIMIT or message in similar.messages:
            similar.messages.add(message)
            key: Hashable = (group, message)
        else:
            key = group
            message = _PREFIX + message
        bucket = self._buckets.get(identity)
        if bucket is None:
            bucket = _Bucket(now)
            self._buckets.put(identity, bucket)
        wall = self._clock.now()
        series = self._series.get(key)
        if series is not None:
            series.again(message, wall)
        else:
            series = self._new_series(component, subject, event_type, reason, message, wall)
            self._series.put(key, series)
        return series if bucket.take(now) else None

    def _new_series(
        self, component: str, subject: ObjectReference, event_type: str, reason: str, message: str, now: datetime
    ) -> _CoreSeries:
        # Nanoseconds since the epoch, and never the same twice.
        self._ticks = max(self._ticks + 1, int(now.timestamp() * 1e6) * 1000)
        key = ObjectKey(subject.namespace or "default", event_name(subject.name, self._ticks))
        body: JsonObject = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": key.name, "namespace": key.namespace},
            "involvedObject": subject.encode(),
            "reason": reason,
            "type": event_type,
            "source": {"component": component},
            "firstTimestamp": format_time(now),
            "eventTime": None,
            "reportingComponent": component,
            "reportingInstance": "",
        }
        return _CoreSeries(key, body, message, now)


class Recorder:
    """Records core/v1 events of one component.

    Args:
        component: the event's source, shown by `kubectl describe` in the From column.
        correlator: shared by the recorders of a manager.
        sink: where events go.
        dropped: counts what was not recorded, by reason.
    """

    def __init__(self, component: str, correlator: CoreCorrelator, sink: EventSink, *, dropped: Counter) -> None:
        self.component = component
        self._correlator = correlator
        self._sink = sink
        self._dropped = dropped

    def event(self, subject: EventSubject, event_type: EventType, reason: str, message: str) -> None:
        """Records that something happened to `subject`. Returns at once and never raises.

        `message` must not hold secret values: everybody who may list events reads it.
        """
        try:
            reference = reference_of(subject)
            check_event(event_type, reason, reference.name)
            series = self._correlator.correlate(
                self.component, reference, event_type, reason, clipped(message, _MESSAGE_LIMIT)
            )
        except Exception as error:
            self._dropped.labels("invalid").inc()
            not_recorded(error, reason)
            return
        if series is None:
            self._dropped.labels("spam").inc()
        else:
            self._sink.submit(series)
