"""Process figures that prometheus_client does not export."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Iterable
from pathlib import Path

from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

__all__ = ["LoopCollector", "ProcessExtras"]


class ProcessExtras(Collector):
    """Address space limit and network traffic, from `/proc`; empty where that does not exist."""

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self._netstat = proc / "self" / "net" / "netstat"

    def collect(self) -> Iterable[Metric]:
        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        ceiling = Metric(
            "process_virtual_memory_max_bytes", "Maximum amount of virtual memory available in bytes.", "gauge"
        )
        # An unlimited address space is shown as the largest value, as other exporters do.
        ceiling.samples.append(Sample(ceiling.name, {}, float(2**64 - 1 if limit == resource.RLIM_INFINITY else limit)))
        metrics = [ceiling]
        octets = self._octets()
        for field, direction, text in (
            ("InOctets", "receive", "Number of bytes received by the process over the network."),
            ("OutOctets", "transmit", "Number of bytes sent by the process over the network."),
        ):
            if field in octets:
                metric = Metric(f"process_network_{direction}_bytes_total", text, "counter")
                metric.samples.append(Sample(metric.name, {}, float(octets[field])))
                metrics.append(metric)
        return metrics

    def _octets(self) -> dict[str, int]:
        # Pairs of lines "IpExt: name name ..." and "IpExt: 1 2 ...".
        try:
            lines = [line.split() for line in self._netstat.read_text().splitlines()]
        except OSError:
            return {}
        for names, values in zip(lines[::2], lines[1::2], strict=False):
            if names and names[0] == "IpExt:" and values[0] == "IpExt:":
                return {name: int(value) for name, value in zip(names[1:], values[1:], strict=False)}
        return {}


class LoopCollector(Collector):
    """Number of tasks of one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def collect(self) -> Iterable[Metric]:
        metric = Metric("eso_core_tasks", "Tasks of the event loop", "gauge")
        metric.samples.append(Sample(metric.name, {}, float(len(asyncio.all_tasks(self._loop)))))
        return [metric]

    def describe(self) -> Iterable[Metric]:
        return [Metric("eso_core_tasks", "Tasks of the event loop", "gauge")]
