"""Two hundred objects that fail every second: what reaches the API server as events, and the log as lines."""

from __future__ import annotations

import logging
from typing import Any

from eso_core.aio import TaskScope
from eso_core.events import CoreCorrelator, EventSink, Recorder
from eso_core.log.sampling import Sampler
from eso_core.meta import GVK, ObjectKey
from eso_core.metrics import RuntimeMetrics
from eso_core.testing.clock import FakeClock

OBJECTS = 200
SECONDS = 600


class Writer:
    """Counts what is written about each object."""

    def __init__(self) -> None:
        self.by_object: dict[str, int] = {}

    async def create(self, obj: dict[str, Any], /) -> None:
        name = obj["involvedObject"]["name"]
        self.by_object[name] = self.by_object.get(name, 0) + 1

    async def patch(self, kind: GVK, key: ObjectKey, body: dict[str, Any], /) -> None:
        name = key.name.rpartition(".")[0]
        self.by_object[name] = self.by_object.get(name, 0) + 1


async def test_events_of_200_failures_a_second_stay_below_a_tenth_of_the_traffic() -> None:
    """P-50, M-53: 25 writes for each object and one per five minutes, of 120,000 reconciles with a request each."""
    clock, writer, metrics = FakeClock(), Writer(), RuntimeMetrics()
    sink = EventSink(writer, clock, dropped=metrics.events_dropped)
    recorder = Recorder("demo", CoreCorrelator(clock), sink, dropped=metrics.events_dropped)
    subjects = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"o{n}", "namespace": "ns", "uid": f"u{n}"}}
        for n in range(OBJECTS)
    ]
    async with TaskScope("test") as scope:
        scope.spawn(sink.run(), name="sink")
        for _ in range(SECONDS):
            for subject in subjects:
                recorder.event(subject, "Warning", "UpdateFailed", "the provider is down")
            await clock.advance(1)
        await scope.cancel()
    assert set(writer.by_object) == {f"o{n}" for n in range(OBJECTS)}
    assert max(writer.by_object.values()) <= 25 + SECONDS // 300
    assert sum(writer.by_object.values()) <= 0.1 * OBJECTS * SECONDS
    assert len(sink) == 0


def test_the_log_of_200_failures_a_second_is_thinned_out() -> None:
    """P-50, M-63: in each ten seconds 100 lines of a kind and one of each hundred after them, of 2,000; others are all there."""
    now = 0.0
    sampler = Sampler(monotonic=lambda: now)

    def passes(controller: str, event: str) -> bool:
        line: Any = {"controller": controller, "event": event}
        return bool(sampler.filter(logging.LogRecord("t", logging.ERROR, "f", 1, line, None, None)))

    written = others = 0
    for second in range(SECONDS):
        now = float(second)
        written += sum(passes("demo", "Reconciler error") for _ in range(OBJECTS))
        others += passes("demo", "something else") + passes("other", "Reconciler error")
    assert written == SECONDS // 10 * (100 + 19)
    assert others == 2 * SECONDS
