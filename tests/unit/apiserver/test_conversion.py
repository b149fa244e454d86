"""Custom kinds in several versions: conversion by name only, and by webhook."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from eso_core.testing.apiserver.certs import make_certificates
from tests.unit.apiserver.conftest import Caller, definition

JsonObject = dict[str, Any]
GROUP = "/apis/test.example.io"
V1 = f"{GROUP}/v1/namespaces/default/widgets"
V2 = f"{GROUP}/v2/namespaces/default/widgets"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
MERGE = "application/merge-patch+json"


def two_versions(**conversion: Any) -> JsonObject:
    """v1 is stored and has spec.size, v2 has spec.length; v1 is deprecated."""
    crd = definition()
    first = crd["spec"]["versions"][0]
    second = {**first, "name": "v2", "storage": False}
    first |= {"deprecated": True}
    crd["spec"]["versions"] = [first, second]
    if conversion:
        crd["spec"]["conversion"] = conversion
    return crd


def widget(version: str, **spec: Any) -> JsonObject:
    return {"apiVersion": f"test.example.io/{version}", "kind": "Widget", "metadata": {"name": "w"}, "spec": spec}


class Hook:
    """Renames size to length and back."""

    def __init__(self) -> None:
        self.calls = 0
        self.failure = ""
        self.port = 0
        self.ca = ""

    async def handle(self, request: web.Request) -> web.Response:
        review = await request.json()
        asked = review["request"]
        self.calls += 1
        wanted = asked["desiredAPIVersion"]
        old, new = ("size", "length") if wanted.endswith("v2") else ("length", "size")
        objects = [
            {
                **obj,
                "apiVersion": wanted,
                "spec": {new if key == old else key: value for key, value in obj["spec"].items()},
            }
            for obj in asked["objects"]
        ]
        result = {"status": "Failed", "message": self.failure} if self.failure else {"status": "Success"}
        response = {"uid": asked["uid"], "result": result, "convertedObjects": objects}
        return web.json_response({**review, "response": response})


@pytest.fixture
async def hook(call: Caller) -> AsyncIterator[Hook]:
    """A conversion webhook with its definition installed."""
    found, certificates = Hook(), make_certificates("127.0.0.1")
    app = web.Application()
    app.router.add_post("/convert", found.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=certificates.context()).start()
    found.port = runner.addresses[0][1]
    ca = base64.b64encode(certificates.ca_cert.encode()).decode()
    config = {"url": f"https://127.0.0.1:{found.port}/convert", "caBundle": ca}
    webhook = {"clientConfig": config, "conversionReviewVersions": ["v1"]}
    reply = await call("POST", DEFINITIONS, two_versions(strategy="Webhook", webhook=webhook))
    assert reply.status == 201, reply.body
    await call.server.run_gc()
    yield found
    await runner.cleanup()


async def test_without_a_webhook_versions_differ_in_name_only(call: Caller) -> None:
    """T-52: conversion None; deprecated versions warn."""
    assert (await call("POST", DEFINITIONS, two_versions())).status == 201
    await call.server.run_gc()
    created = await call("POST", V1, widget("v1", size=1))
    assert created.header("warning") == ['299 - "test.example.io/v1 Widget is deprecated"']
    read = await call("GET", f"{V2}/w")
    assert (read.body["apiVersion"], read.body["spec"]) == ("test.example.io/v2", {"size": 1})
    assert read.header("warning") == []
    changed = await call("PATCH", f"{V2}/w", {"spec": {"more": 2}}, type=MERGE)
    assert changed.body["apiVersion"] == "test.example.io/v2"
    assert (await call("GET", f"{V1}/w")).body["spec"] == {"size": 1, "more": 2}


async def test_a_webhook_converts_on_read_write_and_list(call: Caller, hook: Hook) -> None:
    """T-52: what is stored is the storage version, whatever was sent."""
    created = await call("POST", V2, widget("v2", length=3))
    assert (created.status, created.body["spec"]) == (201, {"length": 3})
    assert (await call("GET", f"{V1}/w")).body["spec"] == {"size": 3}
    assert (await call("GET", f"{V2}/w")).body["spec"] == {"length": 3}
    assert (await call("GET", V2)).body["items"][0]["spec"] == {"length": 3}
    changed = await call("PATCH", f"{V2}/w", {"spec": {"length": 4}}, type=MERGE)
    assert changed.body["spec"] == {"length": 4}
    stored = call.server.get("test.example.io/v1", "Widget", "w", namespace="default")
    assert stored is not None
    assert stored["spec"] == {"size": 4}
    assert (await call("DELETE", f"{V2}/w")).status == 200


async def test_converted_forms_are_kept(call: Caller, hook: Hook) -> None:
    """Reads of an unchanged object ask the webhook once."""
    await call("POST", V1, widget("v1", size=1))
    for _ in range(5):
        assert (await call("GET", f"{V2}/w")).body["spec"] == {"length": 1}
    assert hook.calls == 1


async def test_a_watch_shows_converted_objects_in_order(call: Caller, hook: Hook) -> None:
    """T-52: initial and later events alike."""
    await call("POST", V1, widget("v1", size=1))
    watch = await call.watch(f"{V2}?watch=1")
    await call("PATCH", f"{V1}/w", {"spec": {"size": 2}}, type=MERGE)
    await call("DELETE", f"{V1}/w")
    for _ in range(200):
        if len(watch.events) == 3:
            break
        await asyncio.sleep(0.01)
    assert [(event["type"], event["object"]["spec"]) for event in watch.events] == [
        ("ADDED", {"length": 1}),
        ("MODIFIED", {"length": 2}),
        ("DELETED", {"length": 2}),
    ]


async def test_a_failing_webhook_is_named_in_the_answer(call: Caller, hook: Hook) -> None:
    """T-52: 500 with the webhook's message; the stored version stays readable."""
    await call("POST", V1, widget("v1", size=1))
    hook.failure = "no idea"
    reply = await call("GET", f"{V2}/w")
    assert reply.status == 500
    assert reply.body["message"] == "conversion webhook for test.example.io/v1, Kind=Widget failed: no idea"
    assert (await call("GET", f"{V1}/w")).status == 200
