"""The operator on an API server, without a cluster."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kopf
import kubernetes
import painter  # registers the operator's handlers
import pytest

from eso_core.testing.apiserver.background import BackgroundServer
from eso_core.testing.eventually import eventually_sync


@pytest.fixture
def operator(kubeconfig: Path, kube_namespace: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The operator, running on one namespace."""
    assert painter.paint
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    ready, stop = threading.Event(), threading.Event()
    running = kopf.operator(standalone=True, namespaces=[kube_namespace], ready_flag=ready, stop_flag=stop)
    thread = threading.Thread(target=lambda: asyncio.run(running))
    thread.start()
    assert ready.wait(20)
    yield
    stop.set()
    thread.join()


def test_a_widget_gets_its_config_map(operator: None, apiserver: BackgroundServer, kube_namespace: str) -> None:
    """Created, changed, and collected with its widget."""
    apiserver.create(
        "test.example.io/v1", "Widget", {"metadata": {"name": "w"}, "spec": {"color": "red"}}, namespace=kube_namespace
    )

    def config_map() -> Any:
        return apiserver.get("v1", "ConfigMap", "w", namespace=kube_namespace)

    eventually_sync(lambda: config_map()["data"] == {"color": "red"})
    widgets = kubernetes.client.CustomObjectsApi()
    place = ("test.example.io", "v1", kube_namespace, "widgets", "w")
    eventually_sync(lambda: widgets.get_namespaced_custom_object(*place)["status"] == {"painted": "red"})

    widgets.patch_namespaced_custom_object(*place, {"spec": {"color": "blue"}})
    eventually_sync(lambda: config_map()["data"] == {"color": "blue"})

    widgets.delete_namespaced_custom_object(*place)
    eventually_sync(lambda: config_map() is None)  # garbage collection follows the owner reference


def test_the_server_refuses_what_the_schema_forbids(
    operator: None, apiserver: BackgroundServer, kube_namespace: str
) -> None:
    """The schema of the definition is enforced, with the messages of a real server."""
    widgets = kubernetes.client.CustomObjectsApi()
    body = {"apiVersion": "test.example.io/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"color": "pink"}}
    with pytest.raises(kubernetes.client.ApiException, match="Unsupported value"):
        widgets.create_namespaced_custom_object("test.example.io", "v1", kube_namespace, "widgets", body)
    assert [exchange.code for exchange in apiserver.requests(verb="create", resource="widgets")][-1] == 422
