"""kopf: an operator with handlers, and two operators of which one pauses."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import kopf
import pytest

from eso_core.testing.apiserver.background import BackgroundServer
from eso_core.testing.eventually import eventually_sync

JsonObject = dict[str, Any]
GADGETS = ("clients.example.io", "v1", "gadgets")
PEERING = {
    "metadata": {"name": "kopfpeerings.kopf.dev"},
    "spec": {
        "group": "kopf.dev",
        "scope": "Namespaced",
        "names": {"kind": "KopfPeering", "plural": "kopfpeerings", "singular": "kopfpeering"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {"status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
                    }
                },
            }
        ],
    },
}

# kopf does not close all of its connections when it stops.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """What kopf leaves open is found here, where it is known, and not in whatever test the collector runs next."""
    yield
    gc.collect()


@pytest.fixture(autouse=True)
def credentials(kubeconfig: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))


def new_registry() -> Any:
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    def login(**kwargs: Any) -> Any:
        return kopf.login_with_kubeconfig(**kwargs)

    return registry


@contextmanager
def operating(registry: Any, namespace: str, **options: Any) -> Iterator[None]:
    """An operator in a thread of its own for the time of the block."""
    ready, stop = threading.Event(), threading.Event()
    running = kopf.operator(registry=registry, namespaces=[namespace], ready_flag=ready, stop_flag=stop, **options)
    thread = threading.Thread(target=lambda: asyncio.run(running), name="kopf")
    thread.start()
    try:
        assert ready.wait(20)
        yield
    finally:
        stop.set()
        thread.join(20)


def test_an_operator_handles_a_custom_resource(apiserver: BackgroundServer, kube_namespace: str) -> None:
    """Handlers run, the status is stored, an Event is posted, the finalizer comes and goes."""
    registry = new_registry()

    @kopf.on.create(*GADGETS, registry=registry)
    def made(patch: Any, body: Any, **_: Any) -> None:
        patch.status["phase"] = "Made"
        kopf.info(body, reason="Made", message="it is there")

    @kopf.on.update(*GADGETS, field="spec.color", registry=registry)
    def painted(patch: Any, new: str, **_: Any) -> None:
        patch.status["color"] = new

    @kopf.on.delete(*GADGETS, registry=registry)
    def removed(name: str, **_: Any) -> None:
        gone.append(name)

    gone: list[str] = []

    def current() -> JsonObject:
        return apiserver.get("clients.example.io/v1", "Gadget", "k", namespace=kube_namespace) or {}

    def events() -> list[str]:
        return [
            exchange.uri
            for exchange in apiserver.requests(verb="create", resource="events")
            if f"/namespaces/{kube_namespace}/" in exchange.uri and exchange.code == 201
        ]

    with operating(registry, kube_namespace, standalone=True):
        gadget = {"metadata": {"name": "k"}, "spec": {"color": "red"}}
        apiserver.create("clients.example.io/v1", "Gadget", gadget, namespace=kube_namespace)
        eventually_sync(lambda: current()["status"]["phase"] == "Made")
        assert current()["metadata"]["finalizers"] == ["kopf.zalando.org/KopfFinalizerMarker"]
        eventually_sync(events)
        apiserver.delete("clients.example.io/v1", "Gadget", "k", namespace=kube_namespace)
        eventually_sync(lambda: current() == {})
    assert gone == ["k"]


def test_the_operator_of_lower_priority_pauses(
    apiserver: BackgroundServer, kube_namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    """kopf's leader election: peers know each other by the status of a KopfPeering."""
    caplog.set_level(logging.INFO)
    apiserver.install(PEERING)
    apiserver.create("kopf.dev/v1", "KopfPeering", {"metadata": {"name": "default"}}, namespace=kube_namespace)
    handled: list[str] = []

    def registry(identity: str) -> Any:
        made = new_registry()

        @kopf.on.create(*GADGETS, registry=made)
        def create(name: str, **_: Any) -> None:
            handled.append(f"{identity} {name}")

        return made

    def peers() -> JsonObject:
        peering = apiserver.get("kopf.dev/v1", "KopfPeering", "default", namespace=kube_namespace) or {}
        return peering.get("status") or {}

    def create(name: str) -> None:
        body = {"metadata": {"name": name}, "spec": {"color": "red"}}
        apiserver.create("clients.example.io/v1", "Gadget", body, namespace=kube_namespace)

    with operating(registry("low"), kube_namespace, peering_name="default", priority=1):
        # It must be at work first: one that finds the other at its start says nothing about a pause.
        eventually_sync(lambda: "Resuming operations" in caplog.text)
        with operating(registry("high"), kube_namespace, peering_name="default", priority=2):
            eventually_sync(lambda: sorted(peer["priority"] for peer in peers().values()) == [1, 2])
            eventually_sync(lambda: "Pausing operations in favour of" in caplog.text)
            create("one")
            eventually_sync(lambda: handled)
        create("two")
        eventually_sync(lambda: len(handled) == 2)
    assert handled == ["high one", "low two"]
