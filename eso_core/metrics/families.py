"""Metric families: counters, gauges and histograms that are cheap to move.

prometheus_client's own children take a lock and look up their buckets linearly, append `_total` to counter names and add
`_created` series. These families are collectors for the same registry without that: moving a child is a few bytecodes on
the event loop, and the samples are built when the registry is scraped (possibly on another thread: reading a number or
copying a dict is atomic in CPython).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Generic, TypeVar

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar, Sample
from prometheus_client.utils import floatToGoString

__all__ = ["Counter", "CounterChild", "Gauge", "GaugeChild", "Histogram", "HistogramChild", "go_float"]

C = TypeVar("C")


def go_float(value: float) -> str:
    """A number as Go prints it, which scrapers compare as text in bucket labels."""
    return str(floatToGoString(value))  # type: ignore[no-untyped-call]


class CounterChild:
    """One counter series."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def inc(self, amount: float = 1.0) -> None:
        """Adds `amount`, which must not be negative."""
        self.value += amount


class GaugeChild:
    """One gauge series: a number, or a function asked at each scrape."""

    __slots__ = ("_function", "_value")

    def __init__(self) -> None:
        self._value = 0.0
        self._function: Callable[[], float] | None = None

    @property
    def value(self) -> float:
        return self._value if self._function is None else self._function()

    def set(self, value: float) -> None:
        self._value = value

    def inc(self, amount: float = 1.0) -> None:
        self._value += amount

    def dec(self, amount: float = 1.0) -> None:
        self._value -= amount

    def set_function(self, function: Callable[[], float]) -> None:
        """Makes every scrape call `function`."""
        self._function = function


class HistogramChild:
    """One histogram series."""

    __slots__ = ("_bounds", "counts", "exemplars", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0
        self.exemplars: dict[int, Exemplar] = {}

    def observe(self, value: float, exemplar: Mapping[str, str] | None = None) -> None:
        """Counts a value.

        Args:
            value: in the unit of the family.
            exemplar: labels that lead to an example, such as `trace_id`; the last one of each bucket is shown.
        """
        if exemplar is not None:
            self.exemplars[bisect_left(self._bounds, value)] = Exemplar(dict(exemplar), value)
        self.counts[bisect_left(self._bounds, value)] += 1
        self.sum += value

    @property
    def count(self) -> int:
        return sum(self.counts)


class _Family(Collector, Generic[C]):
    """Children by label values, and the registration of the name."""

    kind = ""

    def __init__(
        self, name: str, documentation: str, labels: Sequence[str] = (), *, registry: CollectorRegistry
    ) -> None:
        self.name = name
        self.documentation = documentation
        self.label_names = tuple(labels)
        self._children: dict[tuple[str, ...], C] = {}
        registry.register(self)

    def _new_child(self) -> C:
        raise NotImplementedError

    def _samples(self, child: C, labels: dict[str, str]) -> Iterator[Sample]:
        raise NotImplementedError

    def labels(self, *values: str, **named: str) -> C:
        """The child for these label values, made when it does not exist.

        Raises:
            ValueError: when the values do not match the family's label names.
        """
        if named:
            if values or set(named) != set(self.label_names):
                raise ValueError(f"metric {self.name}: labels {sorted(named)} given, {list(self.label_names)} needed")
            values = tuple([named[label] for label in self.label_names])
        elif len(values) != len(self.label_names):
            raise ValueError(f"metric {self.name}: {len(values)} label values given for {list(self.label_names)}")
        child = self._children.get(values)
        if child is None:
            child = self._children[values] = self._new_child()
        return child

    def remove(self, *values: str) -> bool:
        """Drops the series with exactly these label values; False when there is none."""
        return self._children.pop(values, None) is not None

    def remove_matching(self, **named: str) -> int:
        """Drops all series whose labels have these values, and returns how many there were."""
        wanted = [(self.label_names.index(label), value) for label, value in named.items()]
        gone = [values for values in self._children if all(values[i] == value for i, value in wanted)]
        for values in gone:
            del self._children[values]
        return len(gone)

    def series(self) -> Mapping[tuple[str, ...], C]:
        """The children by label values, as they are now."""
        return dict(self._children)

    def clear(self) -> None:
        """Drops all series."""
        self._children.clear()

    def describe(self) -> Iterable[Metric]:
        # Asked once at registration; the registry claims the names it finds here, so they must be exact.
        return [Metric(self.name, self.documentation, self.kind)]

    def collect(self) -> Iterable[Metric]:
        metric = Metric(self.name, self.documentation, self.kind)
        for values, child in list(self._children.items()):
            metric.samples.extend(self._samples(child, dict(zip(self.label_names, values, strict=True))))
        return [metric]


class Counter(_Family[CounterChild]):
    """A counter family; the name is used as given, with or without `_total`."""

    kind = "counter"

    def _new_child(self) -> CounterChild:
        return CounterChild()

    def _samples(self, child: CounterChild, labels: dict[str, str]) -> Iterator[Sample]:
        yield Sample(self.name, labels, child.value)


class Gauge(_Family[GaugeChild]):
    """A gauge family."""

    kind = "gauge"

    def _new_child(self) -> GaugeChild:
        return GaugeChild()

    def _samples(self, child: GaugeChild, labels: dict[str, str]) -> Iterator[Sample]:
        yield Sample(self.name, labels, float(child.value))


class Histogram(_Family[HistogramChild]):
    """A histogram family with fixed upper bounds (`+Inf` is implied).

    Raises:
        ValueError: when the bounds are not ascending.
    """

    kind = "histogram"

    def __init__(
        self,
        name: str,
        documentation: str,
        labels: Sequence[str] = (),
        *,
        buckets: Sequence[float],
        registry: CollectorRegistry,
    ) -> None:
        self._bounds = tuple(float(bound) for bound in buckets)
        if not self._bounds or list(self._bounds) != sorted(set(self._bounds)):
            raise ValueError(f"metric {name}: buckets must be ascending and not empty")
        self._bound_labels = [go_float(bound) for bound in self._bounds] + ["+Inf"]
        super().__init__(name, documentation, labels, registry=registry)

    def _new_child(self) -> HistogramChild:
        return HistogramChild(self._bounds)

    def _samples(self, child: HistogramChild, labels: dict[str, str]) -> Iterator[Sample]:
        total = 0
        for bucket, (bound, count) in enumerate(zip(self._bound_labels, list(child.counts), strict=True)):
            total += count
            yield Sample(
                self.name + "_bucket", {**labels, "le": bound}, float(total), None, child.exemplars.get(bucket)
            )
        yield Sample(self.name + "_count", labels, float(total))
        yield Sample(self.name + "_sum", labels, child.sum)
