"""The registry of one manager and the runtime's families on it."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from eso_core.metrics.cache import CacheMetrics
from eso_core.metrics.controller import ControllerMetrics
from eso_core.metrics.families import Counter, Gauge, Histogram
from eso_core.metrics.process import ProcessExtras
from eso_core.metrics.queue import QueueFamilies

__all__ = ["RuntimeMetrics", "new_registry"]


def new_registry(*, process: bool = True) -> CollectorRegistry:
    """A registry of its own; with `process` it has the process, interpreter and garbage collector figures."""
    registry = CollectorRegistry(auto_describe=False)
    if process:
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        registry.register(ProcessExtras())
    return registry


class RuntimeMetrics:
    """All families of the runtime on one registry; made once per registry.

    Raises:
        ValueError: when the registry has them already.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry if registry is not None else new_registry(process=False)
        self.controller = ControllerMetrics(self.registry)
        self.queue = QueueFamilies(self.registry)
        self.cache = CacheMetrics(self.registry)
        self.leader_status = Gauge(
            "leader_election_master_status",
            "Gauge of if the reporting system is master of the relevant lease, 0 indicates backup, 1 indicates master.",
            ("name",),
            registry=self.registry,
        )
        self.leader_slowpath = Counter(
            "leader_election_slowpath_total",
            "Total number of slow path exercised in renewing leader leases.",
            ("name",),
            registry=self.registry,
        )
        self.events_dropped = Counter(
            "eso_core_events_dropped_total", "Events that were not recorded", ("reason",), registry=self.registry
        )
        self.loop_stalls = Histogram(
            "eso_core_event_loop_stall_seconds",
            "Times in which the event loop ran nothing else",
            buckets=(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
            registry=self.registry,
        ).labels()
        self.cert_reads = Counter(
            "certwatcher_read_certificate_total", "Total number of certificate reads", registry=self.registry
        ).labels()
        self.cert_read_errors = Counter(
            "certwatcher_read_certificate_errors_total",
            "Total number of certificate read errors",
            registry=self.registry,
        ).labels()
