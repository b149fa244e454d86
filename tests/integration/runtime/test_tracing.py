"""Traces of reconciles, events and requests."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest

from eso_core.aio import TaskScope
from eso_core.client import MergePatch
from eso_core.controller import Context, Request, Result
from eso_core.manager import Manager, ManagerOptions
from eso_core.meta.wellknown import CONFIG_MAP
from eso_core.metrics import new_registry, render
from eso_core.testing.eventually import eventually
from tests.integration.cluster import cluster

sdk = pytest.importorskip("opentelemetry.sdk.trace", reason="needs the OpenTelemetry SDK")


async def test_a_reconcile_is_a_span_with_its_requests_and_a_link_to_the_event() -> None:
    """M-64: attributes, result, queue wait, child spans, links, exemplars; an error is told by its class, not its text."""
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    from eso_core.tracing.otel import OpenTelemetryTracer

    exporter = InMemorySpanExporter()
    provider = sdk.TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    registry = new_registry(process=False)
    runs = 0

    async def reconcile(ctx: Context, request: Request) -> Result | None:
        nonlocal runs
        if request.name != "a":
            return None
        runs += 1
        if runs == 1:
            raise RuntimeError("pl4nted value")
        await ctx.client.patch(CONFIG_MAP, request.key, MergePatch({"data": {"seen": "yes"}}))
        return Result.after(3600)

    async with cluster() as kube:
        manager = Manager(
            kube.config,
            registry=registry,
            options=ManagerOptions(freeze_gc=False),
            tracer=OpenTelemetryTracer(provider),
        )
        manager.controller(reconcile, name="traced").for_(CONFIG_MAP, namespaces=("default",))
        async with TaskScope("test") as scope:
            scope.spawn(manager.run(), name="manager")
            await eventually(lambda: manager.ready, 10.0, 0.02)
            metadata = {"name": "a", "namespace": "default"}
            await manager.api.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
            await eventually(lambda: len(_about_a(exporter)) >= 2, 10.0, 0.02)
            manager.stop()
    failed, done = _about_a(exporter)[:2]
    [added] = [
        span
        for span in _named(exporter, "event ConfigMap")
        if _about(span, "a") and span.attributes["eso_core.event"] == "added"
    ]
    assert failed.attributes["eso_core.result"] == "error"
    assert failed.attributes["error.type"] == "RuntimeError"
    assert failed.attributes["eso_core.attempt"] == 1
    assert failed.links[0].context == added.context
    assert done.attributes["eso_core.result"] == "requeue_after"
    assert done.attributes["eso_core.attempt"] == 2
    assert done.attributes["eso_core.queue_wait"] >= 0
    [patch] = [span for span in exporter.get_finished_spans() if span.parent == done.context]
    assert patch.name == "PATCH ConfigMap"
    assert patch.attributes["http.response.status_code"] == 200
    assert "pl4nted" not in "".join(span.to_json() for span in exporter.get_finished_spans())
    text, _ = render(registry, "application/openmetrics-text")
    shown = set(re.findall(r'span_id="([0-9a-f]{16})"', text.decode()))
    assert shown
    assert shown <= {f"{span.context.span_id:016x}" for span in _named(exporter, "reconcile traced")}


async def test_without_a_tracer_nothing_of_it_is_imported() -> None:
    """M-64: an extra that is not installed, or not asked for, costs nothing."""
    program = "import sys, eso_core.manager, eso_core.builder; print([m for m in sys.modules if 'opentelemetry' in m])"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def _named(exporter: Any, name: str) -> list[Any]:
    return [span for span in exporter.get_finished_spans() if span.name == name]


def _about_a(exporter: Any) -> list[Any]:
    return [span for span in _named(exporter, "reconcile traced") if _about(span, "a")]


def _about(span: Any, name: str) -> bool:
    return bool(span.attributes["k8s.object.name"] == name)
