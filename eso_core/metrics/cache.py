"""Metrics of reflectors, informers and the read-your-writes guard."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from eso_core.metrics.families import Counter, Gauge, Histogram

__all__ = ["CacheMetrics"]

_LIST_BUCKETS = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
_WAIT_BUCKETS = (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)
_PROCESSING_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class CacheMetrics:
    """The families of all informers on one registry. `kind` is the informer's name, never an object's."""

    def __init__(self, registry: CollectorRegistry) -> None:
        kind = ("kind",)
        prefix = "eso_core_"
        self.objects = Gauge(prefix + "cache_objects", "Objects in the cache", kind, registry=registry)
        self.bytes = Gauge(prefix + "cache_bytes", "Bytes of object bodies in the cache", kind, registry=registry)
        self.events = Counter(
            prefix + "watch_events_total", "Watch events received", ("kind", "type"), registry=registry
        )
        self.restarts = Counter(
            prefix + "watch_restarts_total", "Watches that were opened again", ("kind", "reason"), registry=registry
        )
        self.idle_timeouts = Counter(
            prefix + "watch_idle_timeouts_total", "Watches cut because nothing arrived", kind, registry=registry
        )
        self.stale_events = Counter(
            prefix + "watch_stale_events_total", "Watch events older than the stored object", kind, registry=registry
        )
        self.relists = Counter(prefix + "relists_total", "Full reads of a kind", ("kind", "reason"), registry=registry)
        self.inconsistencies = Counter(
            prefix + "cache_inconsistencies_total",
            "Streamed lists that differed from a list at the same version",
            kind,
            registry=registry,
        )
        self.list_duration = Histogram(
            prefix + "list_duration_seconds", "Time of a full read", kind, buckets=_LIST_BUCKETS, registry=registry
        )
        self.progress_age = Gauge(
            prefix + "watch_progress_age_seconds", "Time since the server last sent something", kind, registry=registry
        )
        self.synced = Gauge(
            prefix + "informer_synced", "Whether the informer holds a complete state", kind, registry=registry
        )
        self.handler_depth = Gauge(
            prefix + "handler_queued_events", "Events that wait for their handler", kind, registry=registry
        )
        self.handler_errors = Counter(
            prefix + "handler_errors_total", "Event handlers that raised", kind, registry=registry
        )
        self.transform_errors = Counter(
            prefix + "transform_errors_total", "Objects that could not be read, transformed or indexed", kind,
            registry=registry,
        )  # fmt: skip
        informer = ("name", "group", "version", "resource")
        self.queued_items = Gauge(
            "informer_queued_items", "Number of items in the queue of the informer", informer, registry=registry
        )
        self.processing_latency = Histogram(
            "informer_processing_latency_seconds",
            "Time taken to process an item by the handlers of the informer",
            informer,
            buckets=_PROCESSING_BUCKETS,
            registry=registry,
        )
        self.store_version = Gauge(
            "informer_store_resource_version",
            "The last 15 digits of the resource version that the store has reached",
            informer,
            registry=registry,
        )
        self.write_wait = Histogram(
            prefix + "read_your_writes_wait_seconds",
            "Time that reads waited for an own write to arrive",
            buckets=_WAIT_BUCKETS,
            registry=registry,
        ).labels()
        self.write_timeouts = Counter(
            prefix + "read_your_writes_timeouts_total",
            "Reads that went to the server because an own write did not arrive in time",
            registry=registry,
        ).labels()
