"""The operator's own metric families: one set per kind, named and labelled as in External Secrets Operator 2.9.

The series of an object go when the object goes. Two counters have no `_total` suffix; dashboards know them by these names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from prometheus_client import CollectorRegistry

from eso_core.meta import ObjectKey
from eso_core.metrics import Counter, Gauge

__all__ = ["EXTENDED_LABELS", "ExternalSecretMetrics", "ObjectMetrics", "ProviderCallMetrics"]

EXTENDED_LABELS: Final = (
    "app_kubernetes_io_name",
    "app_kubernetes_io_instance",
    "app_kubernetes_io_version",
    "app_kubernetes_io_component",
    "app_kubernetes_io_part_of",
    "app_kubernetes_io_managed_by",
)

_FOREIGN = re.compile(r"[^a-zA-Z0-9 ]+")
_OPPOSITE = {"True": "False", "False": "True"}


class ObjectMetrics:
    """Condition and duration series of one kind.

    Args:
        prefix: The kind in lower case, the start of every family's name.
        extended: Whether series also carry the object's `app.kubernetes.io` labels.
        registry: Where the families are registered.
    """

    def __init__(self, prefix: str, *, extended: bool, registry: CollectorRegistry) -> None:
        self._extra = EXTENDED_LABELS if extended else ()
        # Extended label values by object: an edited label must not leave the old series behind, and a scan of all
        # series at each reconcile would cost more than the reconcile.
        self._known: dict[ObjectKey, tuple[str, ...]] = {}
        self.condition = Gauge(
            f"{prefix}_status_condition",
            f"The status condition of a specific {prefix}",
            ("name", "namespace", "condition", "status", *self._extra),
            registry=registry,
        )
        self.duration = Gauge(
            f"{prefix}_reconcile_duration",
            f"The duration time to reconcile the {prefix}, in nanoseconds",
            ("name", "namespace", *self._extra),
            registry=registry,
        )

    def refine(self, key: ObjectKey, object_labels: Mapping[str, str] | None) -> None:
        """Take the object's labels into account for its series, if extended labels are on.

        Only labels that the families have beyond `name`, `namespace`, `condition` and `status` are filled, so an object
        label called `name` cannot pass the object off as another.
        """
        if not self._extra:
            return
        values = {_FOREIGN.sub("_", label): value for label, value in (object_labels or {}).items()}
        extra = tuple([values.get(label, "") for label in self._extra])
        if self._known.get(key, extra) != extra:
            self._drop(key)
        self._known[key] = extra

    def observe(self, key: ObjectKey, seconds: float) -> None:
        """Record how long the last reconcile took."""
        self.duration.labels(key.name, key.namespace, *self._labels_of(key)).set(round(seconds * 1e9))

    def set_condition(self, key: ObjectKey, type_: str, status: str) -> None:
        """Show `status` (`True` or `False`) of a condition as 1 and its opposite as 0."""
        extra = self._labels_of(key)
        opposite = _OPPOSITE.get(status)
        if opposite is not None:
            self.condition.labels(key.name, key.namespace, type_, opposite, *extra).set(0)
        self.condition.labels(key.name, key.namespace, type_, status, *extra).set(1)

    def gone(self, key: ObjectKey) -> None:
        """Drop all series of an object that does not exist any more."""
        self._drop(key)
        self._known.pop(key, None)

    def _labels_of(self, key: ObjectKey) -> tuple[str, ...]:
        return self._known.get(key) or ("",) * len(self._extra)

    def _drop(self, key: ObjectKey) -> None:
        extra = self._labels_of(key)
        for status in _OPPOSITE:
            self.condition.remove(key.name, key.namespace, "Ready", status, *extra)
        self.duration.remove(key.name, key.namespace, *extra)


class ExternalSecretMetrics(ObjectMetrics):
    """The families of ExternalSecret: those of every kind, and two counters."""

    def __init__(self, *, extended: bool, registry: CollectorRegistry) -> None:
        super().__init__("externalsecret", extended=extended, registry=registry)
        labels = ("name", "namespace", *self._extra)
        self.calls = Counter(
            "externalsecret_sync_calls_total",
            "Total number of the External Secret sync calls",
            labels,
            registry=registry,
        )
        self.errors = Counter(
            "externalsecret_sync_calls_error",
            "Total number of the External Secret sync errors",
            labels,
            registry=registry,
        )

    def called(self, key: ObjectKey) -> None:
        """Count a reconcile."""
        self.calls.labels(key.name, key.namespace, *self._labels_of(key)).inc()

    def failed(self, key: ObjectKey) -> None:
        """Count a failed reconcile."""
        self.errors.labels(key.name, key.namespace, *self._labels_of(key)).inc()

    def _drop(self, key: ObjectKey) -> None:
        super()._drop(key)
        extra = self._labels_of(key)
        for family in (self.calls, self.errors):
            family.remove(key.name, key.namespace, *extra)


class ProviderCallMetrics:
    """Counts the calls that providers make to their backends."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._calls = Counter(
            "externalsecret_provider_api_calls_count",
            "Number of API calls towards the secret provider",
            ("provider", "call", "status"),
            registry=registry,
        )

    def observe(self, provider: str, call: str, error: BaseException | None) -> None:
        """Count one call that ended; `error` is None when it succeeded."""
        self._calls.labels(provider, call, "success" if error is None else "error").inc()
