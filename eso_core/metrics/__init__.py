"""Metrics on an injected registry.

A *family* is one metric name with its label names; a *child* is one series of it. Children are plain Python numbers, so
that moving one costs a fraction of a microsecond; the exposition formats are produced when a scrape asks for them. Families
keep the exact name they are given: a counter may or may not end in `_total`, and there are no `_created` series.
"""

from eso_core.metrics.cache import CacheMetrics
from eso_core.metrics.controller import ControllerMetrics, ControllerSeries
from eso_core.metrics.exposition import render
from eso_core.metrics.families import Counter, Gauge, Histogram
from eso_core.metrics.queue import QueueFamilies, QueueMetrics
from eso_core.metrics.registry import RuntimeMetrics, new_registry

__all__ = [
    "CacheMetrics",
    "ControllerMetrics",
    "ControllerSeries",
    "Counter",
    "Gauge",
    "Histogram",
    "QueueFamilies",
    "QueueMetrics",
    "RuntimeMetrics",
    "new_registry",
    "render",
]
