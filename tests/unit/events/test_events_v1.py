"""events.k8s.io/v1 events: required fields, limits and series."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from eso_core.aio import TaskScope
from eso_core.events import EventSink, RecorderV1, SeriesCorrelator
from eso_core.meta import ObjectKey
from eso_core.metrics import RuntimeMetrics
from eso_core.testing.clock import FakeClock

SUBJECT = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "ns", "uid": "u"}}


class Kit:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.created: list[dict[str, Any]] = []
        self.patched: list[dict[str, Any]] = []
        metrics = RuntimeMetrics()
        self.sink = EventSink(self, self.clock, dropped=metrics.events_dropped)
        correlator = SeriesCorrelator(self.clock, self.sink)
        self.recorder = RecorderV1("example.io/demo", "pod-1", correlator, dropped=metrics.events_dropped)

    async def create(self, obj: dict[str, Any], /) -> None:
        self.created.append(obj)

    async def patch(self, kind: Any, key: ObjectKey, body: dict[str, Any], /) -> None:
        self.patched.append(body)


@pytest.fixture
async def kit() -> AsyncIterator[Kit]:
    async with TaskScope("test") as scope:
        kit = Kit()
        scope.spawn(kit.sink.run(), name="sink")
        yield kit
        await scope.cancel()


async def test_an_event_has_the_required_fields(kit: Kit) -> None:
    """M-50: time with six digits, controller, instance, action, reason, type, regarding, cut note."""
    related = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "ns"}}
    kit.recorder.event(SUBJECT, "Warning", "Failed", "Sync", "x" * 2000, related=related, annotations={"a": "b"})
    await kit.clock.settle()
    (event,) = kit.created
    assert event["apiVersion"] == "events.k8s.io/v1"
    assert event["metadata"] | {"name": ""} == {"name": "", "namespace": "ns", "annotations": {"a": "b"}}
    assert event["eventTime"] == "2026-01-01T00:00:00.000000Z"
    assert (event["reportingController"], event["reportingInstance"]) == ("example.io/demo", "pod-1")
    assert (event["action"], event["reason"], event["type"]) == ("Sync", "Failed", "Warning")
    assert event["regarding"] == {"apiVersion": "v1", "kind": "Secret", "name": "s", "namespace": "ns", "uid": "u"}
    assert event["related"]["name"] == "p"
    assert len(event["note"]) == 1024
    assert event["note"].endswith("…")
    assert "series" not in event


async def test_the_second_occurrence_makes_a_series_and_quiet_ends_it(kit: Kit) -> None:
    """M-52: written at once with count 2, then every 30 minutes, and once more after six quiet minutes."""
    for _ in range(5):
        kit.recorder.event(SUBJECT, "Normal", "Synced", "Sync", "note")
        await kit.clock.advance(10)
    assert len(kit.created) == 1
    assert [body["series"]["count"] for body in kit.patched] == [2]
    await kit.clock.advance(370)
    assert [body["series"]["count"] for body in kit.patched] == [2, 5]
    assert kit.patched[-1]["series"]["lastObservedTime"] == "2026-01-01T00:00:40.000000Z"
    kit.recorder.event(SUBJECT, "Normal", "Synced", "Sync", "note")
    await kit.clock.settle()
    assert len(kit.created) == 2


async def test_a_long_series_has_a_heartbeat(kit: Kit) -> None:
    """M-52: while it lasts it is written every 30 minutes."""
    for _ in range(70):
        kit.recorder.event(SUBJECT, "Normal", "Synced", "Sync", "note")
        await kit.clock.advance(60)
    assert [body["series"]["count"] for body in kit.patched] == [2, 32, 62]


async def test_bad_arguments_never_raise_from_event(kit: Kit) -> None:
    """M-51: but a recorder without a qualified name or instance cannot be made."""
    kit.recorder.event(SUBJECT, "Normal", "", "Sync", "note")
    kit.recorder.event(object(), "Normal", "R", "Sync", "note")  # type: ignore[arg-type]
    await kit.clock.settle()
    assert kit.created == []
    metrics = RuntimeMetrics()
    correlator = SeriesCorrelator(kit.clock, kit.sink)
    with pytest.raises(ValueError, match="qualified name"):
        RecorderV1("not a name", "pod", correlator, dropped=metrics.events_dropped)
    with pytest.raises(ValueError, match="128"):
        RecorderV1("example.io/demo", "p" * 129, correlator, dropped=metrics.events_dropped)
