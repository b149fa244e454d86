"""Metrics of the controllers and webhooks, with the names of controller-runtime's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from msgspec import Struct
from prometheus_client import CollectorRegistry

from eso_core.metrics.families import Counter, CounterChild, Gauge, GaugeChild, Histogram, HistogramChild

__all__ = ["RECONCILE_BUCKETS", "ControllerMetrics", "ControllerSeries", "ResultLabel"]

ResultLabel = Literal["success", "error", "requeue", "requeue_after"]

_RESULTS: tuple[ResultLabel, ...] = ("success", "error", "requeue", "requeue_after")

# fmt: off
RECONCILE_BUCKETS = (
    0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.25, 1.5, 1.75,
    2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 60.0,
)
# fmt: on


class ControllerSeries(Struct, frozen=True):
    """The series of one controller."""

    results: dict[ResultLabel, CounterChild]
    errors: CounterChild
    terminal_errors: CounterChild
    panics: CounterChild
    timeouts: CounterChild
    conflicts: CounterChild
    hot_loops: CounterChild
    time: HistogramChild
    max_concurrent: GaugeChild
    active_workers: GaugeChild


class ControllerMetrics:
    """The families of all controllers on one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("controller",)
        prefix = "controller_runtime_"
        self.total = Counter(
            prefix + "reconcile_total",
            "Total number of reconciliations per controller",
            ("controller", "result"),
            registry=registry,
        )
        self.errors = Counter(
            prefix + "reconcile_errors_total",
            "Total number of reconciliation errors per controller",
            labels,
            registry=registry,
        )
        self.terminal_errors = Counter(
            prefix + "terminal_reconcile_errors_total",
            "Total number of terminal reconciliation errors per controller",
            labels,
            registry=registry,
        )
        self.panics = Counter(
            prefix + "reconcile_panics_total",
            "Total number of reconciliation panics per controller",
            labels,
            registry=registry,
        )
        self.timeouts = Counter(
            prefix + "reconcile_timeouts_total",
            "Total number of reconciliation timeouts due to the reconcile timeout per controller",
            labels,
            registry=registry,
        )
        self.time = Histogram(
            prefix + "reconcile_time_seconds",
            "Length of time per reconciliation per controller",
            labels,
            buckets=RECONCILE_BUCKETS,
            registry=registry,
        )
        self.max_concurrent = Gauge(
            prefix + "max_concurrent_reconciles",
            "Maximum number of concurrent reconciles per controller",
            labels,
            registry=registry,
        )
        self.active_workers = Gauge(
            prefix + "active_workers", "Number of currently used workers per controller", labels, registry=registry
        )
        self.conflicts = Counter(
            "eso_core_reconcile_conflicts_total",
            "Reconciliations that ended with a write conflict, per controller",
            labels,
            registry=registry,
        )
        self.hot_loops = Counter(
            "eso_core_hot_loop_total",
            "Keys that ran over and over without an outside change, per controller",
            labels,
            registry=registry,
        )
        self.webhook_requests = Counter(
            prefix + "webhook_requests_total",
            "Total number of admission requests by HTTP status code.",
            ("webhook", "code"),
            registry=registry,
        )
        self.webhook_in_flight = Gauge(
            prefix + "webhook_requests_in_flight",
            "Current number of admission requests being served.",
            ("webhook",),
            registry=registry,
        )
        self.webhook_latency = Histogram(
            prefix + "webhook_latency_seconds",
            "Histogram of the latency of processing admission requests",
            ("webhook",),
            buckets=tuple(10.0**exponent for exponent in range(-8, 4)),
            registry=registry,
        )
        self.webhook_panics = Counter(
            prefix + "webhook_panics_total", "Total number of webhook panics", registry=registry
        ).labels()
        self.conversion_panics = Counter(
            prefix + "conversion_webhook_panics_total", "Total number of conversion webhook panics", registry=registry
        ).labels()

    def controller(self, name: str, max_concurrent: int) -> ControllerSeries:
        """The series of controller `name`; all of them exist from now on, at zero."""
        series = ControllerSeries(
            results={result: self.total.labels(name, result) for result in _RESULTS},
            errors=self.errors.labels(name),
            terminal_errors=self.terminal_errors.labels(name),
            panics=self.panics.labels(name),
            timeouts=self.timeouts.labels(name),
            conflicts=self.conflicts.labels(name),
            hot_loops=self.hot_loops.labels(name),
            time=self.time.labels(name),
            max_concurrent=self.max_concurrent.labels(name),
            active_workers=self.active_workers.labels(name),
        )
        series.max_concurrent.set(max_concurrent)
        return series

    def webhook(self, path: str) -> tuple[GaugeChild, HistogramChild, Callable[[int], CounterChild]]:
        """The series of the webhook at `path`: in flight, latency, and requests by code; 200 and 500 exist from now on."""
        for code in ("200", "500"):
            self.webhook_requests.labels(path, code)
        return (
            self.webhook_in_flight.labels(path),
            self.webhook_latency.labels(path),
            lambda code: self.webhook_requests.labels(path, str(code)),
        )

    def drop(self, name: str) -> None:
        """Removes the series of a controller that is gone."""
        for result in _RESULTS:
            self.total.remove(name, result)
        for family in (
            self.errors, self.terminal_errors, self.panics, self.timeouts, self.conflicts, self.hot_loops,
            self.time, self.max_concurrent, self.active_workers,
        ):  # fmt: skip
            family.remove(name)
