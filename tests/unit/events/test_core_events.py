"""core/v1 events: series, aggregation, spam filter, and the sink's retries."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from eso_core.aio import TaskScope
from eso_core.events import CoreCorrelator, EventSink, ObjectReference, Recorder, SinkOptions, reference_of
from eso_core.meta import GVK, ObjectKey, ObjectMeta, PartialObject
from eso_core.meta.errors import (
    AlreadyExists,
    ApiError,
    ConnectionLost,
    Forbidden,
    Invalid,
    NotFound,
    TooManyRequests,
)
from eso_core.metrics import RuntimeMetrics
from eso_core.testing.clock import FakeClock

SUBJECT = {
    "apiVersion": "external-secrets.io/v1",
    "kind": "ExternalSecret",
    "metadata": {"name": "es", "namespace": "ns", "uid": "u-1", "resourceVersion": "7"},
    "spec": {},
}


class Writer:
    """The API server's side."""

    def __init__(self) -> None:
        self.created: list[dict[str, Any]] = []
        self.patched: list[tuple[ObjectKey, dict[str, Any]]] = []
        self.errors: list[Exception] = []
        self.tries = 0

    async def create(self, obj: dict[str, Any], /) -> None:
        self.tries += 1
        if self.errors:
            raise self.errors.pop(0)
        self.created.append(obj)

    async def patch(self, kind: GVK, key: ObjectKey, body: dict[str, Any], /) -> None:
        self.tries += 1
        if self.errors:
            raise self.errors.pop(0)
        self.patched.append((key, body))


class Kit:
    def __init__(self, scope: TaskScope, options: SinkOptions | None = None) -> None:
        self.clock = FakeClock()
        self.metrics = RuntimeMetrics()
        self.writer = Writer()
        dropped = self.metrics.events_dropped
        self.sink = EventSink(self.writer, self.clock, dropped=dropped, options=options)
        self.correlator = CoreCorrelator(self.clock)
        self.recorder = Recorder("external-secrets", self.correlator, self.sink, dropped=dropped)
        self.scope = scope

    def run(self) -> None:
        self.scope.spawn(self.sink.run(), name="sink")

    def dropped(self, reason: str) -> float:
        return self.metrics.registry.get_sample_value("eso_core_events_dropped_total", {"reason": reason}) or 0


@pytest.fixture
async def kit() -> AsyncIterator[Kit]:
    async with TaskScope("test") as scope:
        kit = Kit(scope)
        kit.run()
        yield kit
        await scope.cancel()


async def test_an_event_has_what_kubectl_describe_shows(kit: Kit) -> None:
    """M-50: source component, involved object, times, count 1, in the object's namespace."""
    kit.recorder.event(SUBJECT, "Normal", "Created", "secret created")
    await kit.clock.settle()
    (event,) = kit.writer.created
    name = event["metadata"]["name"]
    assert name.startswith("es.")
    assert int(name.removeprefix("es."), 16) == 1767225600 * 10**9
    assert event == {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": "ns"},
        "involvedObject": {
            "apiVersion": "external-secrets.io/v1",
            "kind": "ExternalSecret",
            "name": "es",
            "namespace": "ns",
            "uid": "u-1",
            "resourceVersion": "7",
        },
        "reason": "Created",
        "type": "Normal",
        "source": {"component": "external-secrets"},
        "reportingComponent": "external-secrets",
        "reportingInstance": "",
        "eventTime": None,
        "firstTimestamp": "2026-01-01T00:00:00Z",
        "lastTimestamp": "2026-01-01T00:00:00Z",
        "message": "secret created",
        "count": 1,
    }


async def test_events_about_cluster_scoped_objects_go_to_default(kit: Kit) -> None:
    """M-50."""
    store = {"apiVersion": "external-secrets.io/v1", "kind": "ClusterSecretStore", "metadata": {"name": "store"}}
    kit.recorder.event(store, "Warning", "Invalid", "no")
    await kit.clock.settle()
    assert kit.writer.created[0]["metadata"]["namespace"] == "default"


async def test_the_same_event_again_raises_its_count(kit: Kit) -> None:
    """M-53: one Event object whose count, last time and nothing else changes, also when the object's version did."""
    for number in range(3):
        subject = {**SUBJECT, "metadata": {**SUBJECT["metadata"], "resourceVersion": str(number)}}  # type: ignore[dict-item]
        kit.recorder.event(subject, "Warning", "UpdateFailed", "no such key")
        await kit.clock.advance(10)
    assert len(kit.writer.created) == 1
    name = kit.writer.created[0]["metadata"]["name"]
    assert kit.writer.patched == [
        (ObjectKey("ns", name), {"message": "no such key", "count": 2, "lastTimestamp": "2026-01-01T00:00:10Z"}),
        (ObjectKey("ns", name), {"message": "no such key", "count": 3, "lastTimestamp": "2026-01-01T00:00:20Z"}),
    ]


async def test_repeats_that_wait_to_be_written_are_one_write() -> None:
    """A burst of the same event costs one request."""
    async with TaskScope("test") as scope:
        kit = Kit(scope)
        for _ in range(20):
            kit.recorder.event(SUBJECT, "Warning", "UpdateFailed", "x")
        kit.run()
        await kit.clock.settle()
        assert kit.writer.tries == 1
        assert kit.writer.created[0]["count"] == 20
        await scope.cancel()


async def test_many_similar_events_are_combined(kit: Kit) -> None:
    """M-53: from the 11th different message within ten minutes on, one Event stands for all."""
    for number in range(14):
        kit.recorder.event(SUBJECT, "Warning", "UpdateFailed", f"message {number}")
        await kit.clock.settle()
    assert [event["message"] for event in kit.writer.created] == [
        *[f"message {number}" for number in range(10)],
        "(combined from similar events): message 10",
    ]
    assert [body["message"] for _, body in kit.writer.patched] == [
        f"(combined from similar events): message {number}" for number in (11, 12, 13)
    ]
    await kit.clock.advance(601)
    kit.recorder.event(SUBJECT, "Warning", "UpdateFailed", "later")
    await kit.clock.settle()
    assert kit.writer.created[-1]["message"] == "later"


async def test_a_flood_about_one_object_is_cut(kit: Kit) -> None:
    """M-53, P-50: 25 at once, then one per five minutes; other objects are not affected."""
    for _ in range(100):
        kit.recorder.event(SUBJECT, "Warning", "UpdateFailed", "x")
        await kit.clock.settle()
    assert kit.writer.tries == 25
    assert kit.dropped("spam") == 75
    other = {**SUBJECT, "metadata": {"name": "other", "namespace": "ns"}}
    kit.recorder.event(other, "Normal", "Created", "y")
    await kit.clock.advance(301)
    kit.recorder.event(SUBJECT, "Warning", "UpdateFailed", "x")
    await kit.clock.settle()
    assert kit.writer.tries == 27
    assert kit.writer.patched[-1][1]["count"] == 101


async def test_memory_for_series_is_bounded(kit: Kit) -> None:
    """M-53: the least recently used series is forgotten beyond 4,096."""
    for number in range(5000):
        kit.recorder.event({**SUBJECT, "metadata": {"name": f"o{number}"}}, "Normal", "R", "m")
        if number % 1000 == 0:
            await kit.clock.settle()
    assert len(kit.correlator._series) == 4096
    assert len(kit.correlator._buckets) == 4096


@pytest.mark.parametrize(
    ("subject", "event_type", "reason", "said"),
    [
        (object(), "Normal", "R", "recording an event about object: give an object or a reference to one"),
        (SUBJECT, "Strange", "R", "its type is 'Strange': give 'Normal' or 'Warning'"),
        (SUBJECT, "Normal", "", "its reason is empty: give one CamelCase word of at most 128 characters"),
        (SUBJECT, "Normal", None, "its reason is NoneType, not a text: give one CamelCase word"),
        ({"kind": "X"}, "Normal", "R", "the object it is about has no name: give an object that was read"),
    ],
)
async def test_recording_never_raises(kit: Kit, subject: Any, event_type: Any, reason: Any, said: str) -> None:
    """M-51: nonsense is counted, and logged with the rule that it breaks, without a stack."""
    with capture_logs() as logs:
        kit.recorder.event(subject, event_type, reason, "m")
    assert kit.dropped("invalid") == 1
    (line,) = logs
    assert (line["log_level"], line["event"], line["reason"]) == ("error", "event not recorded", reason)
    assert said in line["error"]
    assert "exc_info" not in line


async def test_a_full_queue_drops_the_newest() -> None:
    """M-54: with a counter."""
    async with TaskScope("test") as scope:
        kit = Kit(scope, SinkOptions(queue_size=3))
        for number in range(5):
            kit.recorder.event({**SUBJECT, "metadata": {"name": f"o{number}"}}, "Normal", "R", "m")
        assert kit.dropped("queue-full") == 2
        kit.run()
        await kit.clock.settle()
        assert [event["involvedObject"]["name"] for event in kit.writer.created] == ["o0", "o1", "o2"]
        await scope.cancel()


@pytest.mark.parametrize(
    "error", [ConnectionLost("reset"), TooManyRequests("later"), ApiError("down", code=503), ApiError("bug", code=500)]
)
async def test_a_server_that_is_unwell_is_tried_again(kit: Kit, error: Exception) -> None:
    """M-54: about every 10 s, twelve times."""
    kit.writer.errors = [error] * 11
    kit.recorder.event(SUBJECT, "Normal", "Created", "m")
    await kit.clock.advance(5)
    assert kit.writer.tries == 1
    await kit.clock.advance(8)
    assert kit.writer.tries == 2
    await kit.clock.advance(150)
    assert kit.writer.tries == 12
    assert len(kit.writer.created) == 1
    kit.writer.errors = [error] * 12
    kit.recorder.event(SUBJECT, "Normal", "Other", "m")
    await kit.clock.advance(200)
    assert kit.dropped("unavailable") == 1


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Invalid("bad"), "refused"),
        (Forbidden("no"), "refused"),
        (
            Forbidden("terminating", details={"causes": [{"reason": "NamespaceTerminating"}]}),
            "namespace-terminating",
        ),
        (NotFound("namespaces not found"), "namespace-terminating"),
    ],
)
async def test_refusals_are_final(kit: Kit, error: Exception, reason: str) -> None:
    """M-54: other 4xx are dropped at once."""
    kit.writer.errors = [error]
    kit.recorder.event(SUBJECT, "Normal", "Created", "m")
    await kit.clock.advance(60)
    assert kit.writer.tries == 1
    assert kit.dropped(reason) == 1


async def test_an_expired_event_is_created_anew(kit: Kit) -> None:
    """A count for an Event that the server has dropped creates it again with the whole count."""
    kit.recorder.event(SUBJECT, "Normal", "Created", "m")
    await kit.clock.settle()
    kit.writer.errors = [NotFound("gone")]
    kit.recorder.event(SUBJECT, "Normal", "Created", "m")
    await kit.clock.settle()
    assert [event["count"] for event in kit.writer.created] == [1, 2]


async def test_an_event_that_exists_already_counts_as_written(kit: Kit) -> None:
    """An earlier try arrived although its answer was lost."""
    kit.writer.errors = [AlreadyExists("exists")]
    kit.recorder.event(SUBJECT, "Normal", "Created", "m")
    await kit.clock.settle()
    kit.recorder.event(SUBJECT, "Normal", "Created", "m")
    await kit.clock.settle()
    assert kit.writer.patched[0][1]["count"] == 2


async def test_flush_waits_for_what_is_queued_within_its_limit(kit: Kit) -> None:
    """M-54: at most 5 s at the stop."""
    kit.recorder.event(SUBJECT, "Normal", "Created", "m")
    assert await kit.sink.flush() is True
    assert len(kit.writer.created) == 1
    kit.writer.errors = [ConnectionLost("down")] * 50
    kit.recorder.event(SUBJECT, "Normal", "Other", "m")
    flushing = kit.scope.spawn(kit.sink.flush(), name="flush")
    await kit.clock.advance(5.1)
    assert flushing.result() is False


def test_references_come_from_all_forms_of_objects() -> None:
    """Dicts, references as dicts, metadata objects, typed resources."""

    class Metadata:
        name, namespace, uid, resource_version = "es", "ns", "u-1", "7"

    class Typed:
        gvk = GVK("external-secrets.io", "v1", "ExternalSecret")
        metadata = Metadata()

    expected = ObjectReference("external-secrets.io/v1", "ExternalSecret", "es", "ns", "u-1", "7")
    flat = {"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", **SUBJECT["metadata"]}  # type: ignore[dict-item]
    meta = ObjectMeta(name="es", namespace="ns", uid="u-1", resource_version="7")
    for subject in (SUBJECT, flat, expected, Typed(), PartialObject(Typed.gvk, meta)):
        assert reference_of(subject) == expected  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="str"):
        reference_of("es")  # type: ignore[arg-type]
