"""Metrics of API requests."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from prometheus_client import CollectorRegistry

from eso_core.metrics.families import Counter, CounterChild, Gauge, Histogram, HistogramChild

__all__ = ["RestMetrics"]

_SECONDS = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
_BYTES = (64, 256, 512, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216)
_ROTATION = (
    600, 1800, 3600, 14400, 86400, 604800, 2592000, 7776000, 15552000, 31104000, 124416000,
)  # fmt: skip


class RestMetrics:
    """The families of all clients on one registry; made once per registry.

    Args:
        registry: Where to register.
        extended: Also durations, sizes, limiter waits and retries by verb and host.

    Raises:
        ValueError: The registry has them already.
    """

    def __init__(self, registry: CollectorRegistry, *, extended: bool = False) -> None:
        self._registry = registry
        self.requests = Counter(
            "rest_client_requests_total",
            "Number of HTTP requests, partitioned by status code, method, and host.",
            ("code", "method", "host"),
            registry=registry,
        )
        self._children: dict[tuple[int | str, str, str], CounterChild] = {}
        self.duration: Histogram | None = None
        self.limiter: Histogram | None = None
        self.request_size: Histogram | None = None
        self.response_size: Histogram | None = None
        self.retries: Counter | None = None
        if extended:
            by_verb = ("verb", "host")
            self.duration = Histogram(
                "rest_client_request_duration_seconds",
                "Request latency in seconds. Broken down by verb, and host.",
                by_verb,
                buckets=_SECONDS,
                registry=registry,
            )
            self.limiter = Histogram(
                "rest_client_rate_limiter_duration_seconds",
                "Client side rate limiter latency in seconds. Broken down by verb, and host.",
                by_verb,
                buckets=_SECONDS,
                registry=registry,
            )
            self.request_size = Histogram(
                "rest_client_request_size_bytes",
                "Request size in bytes. Broken down by verb and host.",
                by_verb,
                buckets=_BYTES,
                registry=registry,
            )
            self.response_size = Histogram(
                "rest_client_response_size_bytes",
                "Response size in bytes. Broken down by verb and host.",
                by_verb,
                buckets=_BYTES,
                registry=registry,
            )
            self.retries = Counter(
                "rest_client_request_retries_total",
                "Number of request retries, partitioned by status code, verb, and host.",
                ("code", "verb", "host"),
                registry=registry,
            )
        self._exec_calls: Counter | None = None
        self._exec_rotation: HistogramChild | None = None

    def observe(self, code: int | str, method: str, host: str, seconds: float, sent: int, received: int) -> None:
        """Counts one attempt. ``code`` is ``<error>`` when there was no response."""
        child = self._children.get((code, method, host))
        if child is None:
            child = self._children[code, method, host] = self.requests.labels(str(code), method, host)
        child.inc()
        if self.duration is not None and self.request_size is not None and self.response_size is not None:
            self.duration.labels(method, host).observe(seconds)
            self.request_size.labels(method, host).observe(sent)
            self.response_size.labels(method, host).observe(received)

    def retried(self, code: int | str, method: str, host: str) -> None:
        """Counts one retry."""
        if self.retries is not None:
            self.retries.labels(str(code), method, host).inc()

    def waited(self, method: str, host: str, seconds: float) -> None:
        """Records a wait for the client-side limiter."""
        if self.limiter is not None:
            self.limiter.labels(method, host).observe(seconds)

    def exec_plugin(
        self, expires: Callable[[], datetime | None], now: Callable[[], datetime]
    ) -> tuple[Callable[[str, str], None], Callable[[float], None]]:
        """Adds the families of credential plugins.

        Returns:
            What to call after each run, with its exit code and outcome; and when a certificate is replaced, with the
            seconds it was in use.
        """
        if self._exec_calls is None:
            self._exec_calls = Counter(
                "rest_client_exec_plugin_call_total",
                "Number of calls to an exec plugin, partitioned by the type of event encountered and an optional exit code.",
                ("code", "call_status"),
                registry=self._registry,
            )
            self._exec_rotation = Histogram(
                "rest_client_exec_plugin_certificate_rotation_age",
                "Histogram of the number of seconds the last auth exec plugin client certificate lived before being rotated.",
                buckets=_ROTATION,
                registry=self._registry,
            ).labels()
            ttl = Gauge(
                "rest_client_exec_plugin_ttl_seconds",
                "Gauge of the shortest TTL (time-to-live) of the client certificate(s) managed by the auth exec plugin.",
                registry=self._registry,
            ).labels()

            def remaining() -> float:
                end = expires()
                return float("inf") if end is None else (end - now()).total_seconds()

            ttl.set_function(remaining)
        calls, rotation = self._exec_calls, self._exec_rotation
        assert rotation is not None
        return lambda code, status: calls.labels(code, status).inc(), rotation.observe
