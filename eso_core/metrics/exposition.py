"""The two formats of a scrape.

prometheus_client's text writer prints the TYPE line of every counter with `_total` appended, which would not match the
samples of counters without that suffix; this writer prints the name the samples have.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.samples import Sample

from eso_core.metrics.families import go_float

__all__ = ["OPENMETRICS_TYPE", "TEXT_TYPE", "render"]

TEXT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS_TYPE = openmetrics.CONTENT_TYPE_LATEST


def render(registry: CollectorRegistry, accept: str = "") -> tuple[bytes, str]:
    """The registry's metrics and their content type, in the format that the `Accept` header asks for."""
    if "application/openmetrics-text" in accept:
        text: bytes = openmetrics.generate_latest(_OpenMetricsView(registry))  # type: ignore[no-untyped-call]
        return text, OPENMETRICS_TYPE
    return "".join(_text(registry)).encode(), TEXT_TYPE


class _OpenMetricsView:
    """The registry as OpenMetrics allows it: a counter must end in `_total`, others are of unknown type."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        for metric in self._registry.collect():
            if metric.type != "counter":
                yield metric
                continue
            total = all(sample.name.endswith("_total") for sample in metric.samples) and metric.samples
            base = metric.name.removesuffix("_total")
            view = Metric(base if total else metric.name, metric.documentation, "counter" if total else "unknown")
            view.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield view


def _text(registry: CollectorRegistry) -> Iterator[str]:
    for metric in registry.collect():
        name = _text_name(metric)
        kind = {"unknown": "untyped", "info": "gauge", "stateset": "gauge", "gaugehistogram": "histogram"}.get(
            metric.type, metric.type
        )
        documentation = metric.documentation.replace("\\", r"\\").replace("\n", r"\n")
        yield f"# HELP {name} {documentation}\n# TYPE {name} {kind}\n"
        for sample in metric.samples:
            if not sample.name.endswith("_created") or metric.type == "gauge":
                yield _line(sample)


def _text_name(metric: Metric) -> str:
    if metric.type == "info":
        return metric.name + "_info"
    if metric.type == "counter" and metric.samples:
        # Collectors of prometheus_client name the family without the suffix of its samples.
        first: str = metric.samples[0].name
        return first if first.startswith(metric.name) and not first.endswith("_created") else metric.name + "_total"
    return metric.name


def _line(sample: Sample) -> str:
    number = sample.value
    # Most values are small counts, which need none of the care for exponents.
    value = str(int(number)) if 0 <= number < 1e6 and number == int(number) else _short(go_float(number))
    if not sample.labels:
        return f"{sample.name} {value}\n"
    return f"{sample.name}{{{','.join([_pair(*label) for label in sample.labels.items()])}}} {value}\n"


@lru_cache(maxsize=8192)
def _pair(label: str, text: str) -> str:
    # The same few pairs come in each scrape, most of them many times.
    return f'{label}="{_escaped(_short(text) if label == "le" else text)}"'


def _short(number: str) -> str:
    # In this format Go prints whole numbers without a fraction, and queries compare bucket bounds as text.
    return number.removesuffix(".0")


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
