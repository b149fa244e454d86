"""Requests in traces: what they carry, and what spans never say."""

from __future__ import annotations

import json
import re

import pytest
from aiohttp import web

from eso_core.client import Client, ClientConfig
from eso_core.meta import ObjectKey
from eso_core.meta.errors import Invalid
from eso_core.meta.wellknown import SECRET

sdk = pytest.importorskip("opentelemetry.sdk.trace", reason="needs the OpenTelemetry SDK")


async def test_a_request_carries_its_span_and_tells_no_value(server) -> None:
    """M-64: `traceparent` names the request's own span; a refused Secret shows its class and status, no byte of its data."""
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    from eso_core.tracing.otel import OpenTelemetryTracer

    exporter = InMemorySpanExporter()
    provider = sdk.TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    carried: list[str] = []

    async def refuse(request: web.Request, body: bytes) -> web.StreamResponse:
        carried.append(request.headers["traceparent"])
        status = {"kind": "Status", "code": 422, "reason": "Invalid", "message": f"invalid: {body.decode()}"}
        return web.json_response(status, status=422)

    server.answers = [refuse]
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "namespace": "ns"},
        "data": {"k": "cGw0bnRlZA=="},
    }
    config = ClientConfig(server.url)
    async with Client(config, tracer=OpenTelemetryTracer(provider)) as client:
        with pytest.raises(Invalid):
            await client.create(secret)
    [span] = exporter.get_finished_spans()
    [header] = carried
    match = re.fullmatch(r"00-([0-9a-f]{32})-([0-9a-f]{16})-0[13]", header)
    assert match is not None
    assert match.groups() == (f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}")
    assert span.attributes["error.type"] == "Invalid"
    assert "cGw0bnRlZA" not in json.dumps(json.loads(span.to_json()))


async def test_without_a_tracer_nothing_is_carried(server) -> None:
    """M-64: off means off."""
    seen: list[str | None] = []

    async def answer(request: web.Request, body: bytes) -> web.StreamResponse:
        seen.append(request.headers.get("traceparent"))
        return web.json_response({"metadata": {"name": "a"}})

    server.answers = [answer]
    async with Client(ClientConfig(server.url)) as client:
        await client.get(SECRET, ObjectKey("ns", "a"))
    assert seen == [None]
