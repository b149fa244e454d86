"""Metrics of the work queues, with the names of client-go's."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from eso_core.aio import Clock
from eso_core.metrics.families import Counter, CounterChild, Histogram, HistogramChild

__all__ = ["QUEUE_BUCKETS", "QueueFamilies", "QueueMetrics"]

#: 12 buckets from 10 ns, each ten times the one before, with the rounding of repeated multiplication.
QUEUE_BUCKETS: tuple[float, ...] = (
    1e-08, 1e-07, 1e-06, 9.999999999999999e-06, 9.999999999999999e-05, 0.001, 0.01, 0.1, 1.0, 10.0, 100.0, 1000.0
)  # fmt: skip

#: Distinct priorities shown by the depth metric; the rest share one label value.
_MAX_PRIORITIES = 25
_OVERFLOW_LABEL = "exceeded_cardinality_limit"


class QueueMetrics:
    """The series of one queue, named after its controller."""

    __slots__ = ("_clock", "_depths", "_running_since", "adds", "name", "queue_duration", "retries", "work_duration")

    def __init__(self, name: str, families: QueueFamilies) -> None:
        self.name = name
        self.adds: CounterChild = families.adds.labels(name, name)
        self.retries: CounterChild = families.retries.labels(name, name)
        self.queue_duration: HistogramChild = families.queue_duration.labels(name, name)
        self.work_duration: HistogramChild = families.work_duration.labels(name, name)
        self._depths: Callable[[], dict[str, int]] = lambda: {"": 0}
        self._running_since: Callable[[], list[float]] = list
        self._clock: Clock | None = None

    def bind(
        self, depths: Callable[[], dict[str, int]], running_since: Callable[[], list[float]], clock: Clock
    ) -> None:
        """Connects the values that are asked for at each scrape: ready keys by priority, start times of running keys."""
        self._depths = depths
        self._running_since = running_since
        self._clock = clock

    def depths(self) -> dict[str, int]:
        """Ready keys by priority label, at most 25 priorities apart."""
        depths = self._depths()
        if len(depths) <= _MAX_PRIORITIES:
            return depths
        shown = dict(sorted(depths.items(), key=lambda item: -item[1])[:_MAX_PRIORITIES])
        shown[_OVERFLOW_LABEL] = sum(depths.values()) - sum(shown.values())
        return shown

    def unfinished(self) -> tuple[float, float]:
        """Seconds that the keys in processing have run: all together, and the longest."""
        if self._clock is None:
            return 0.0, 0.0
        now = self._clock.monotonic()
        ages = [now - since for since in self._running_since()]
        return sum(ages), max(ages, default=0.0)


class QueueFamilies(Collector):
    """The families of all queues on one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("name", "controller")
        self.adds = Counter(
            "workqueue_adds_total", "Total number of adds handled by workqueue", labels, registry=registry
        )
        self.retries = Counter(
            "workqueue_retries_total", "Total number of retries handled by workqueue", labels, registry=registry
        )
        self.queue_duration = Histogram(
            "workqueue_queue_duration_seconds",
            "How long in seconds an item stays in workqueue before being requested",
            labels,
            buckets=QUEUE_BUCKETS,
            registry=registry,
        )
        self.work_duration = Histogram(
            "workqueue_work_duration_seconds",
            "How long in seconds processing an item from workqueue takes.",
            labels,
            buckets=QUEUE_BUCKETS,
            registry=registry,
        )
        self._queues: dict[str, QueueMetrics] = {}
        registry.register(self)

    def queue(self, name: str) -> QueueMetrics:
        """The series of the queue of controller `name`, starting at zero."""
        metrics = self._queues[name] = QueueMetrics(name, self)
        return metrics

    def drop(self, name: str) -> None:
        """Removes the series of a queue that is gone."""
        self._queues.pop(name, None)
        for family in (self.adds, self.retries, self.queue_duration, self.work_duration):
            family.remove(name, name)

    def describe(self) -> Iterable[Metric]:
        return self._scraped([])

    def collect(self) -> Iterable[Metric]:
        return self._scraped(list(self._queues.values()))

    @staticmethod
    def _scraped(queues: list[QueueMetrics]) -> list[Metric]:
        depth = Metric("workqueue_depth", "Current depth of workqueue by workqueue and priority", "gauge")
        unfinished = Metric(
            "workqueue_unfinished_work_seconds",
            "How many seconds of work has been done that is in progress and hasn't been observed by work_duration.",
            "gauge",
        )
        longest = Metric(
            "workqueue_longest_running_processor_seconds",
            "How many seconds has the longest running processor for workqueue been running.",
            "gauge",
        )
        for queue in queues:
            labels = {"name": queue.name, "controller": queue.name}
            for priority, count in queue.depths().items():
                depth.samples.append(Sample(depth.name, {**labels, "priority": priority}, float(count)))
            total, oldest = queue.unfinished()
            unfinished.samples.append(Sample(unfinished.name, labels, total))
            longest.samples.append(Sample(longest.name, labels, oldest))
        return [depth, unfinished, longest]
