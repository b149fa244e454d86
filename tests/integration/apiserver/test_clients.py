"""Other people's clients and frameworks work on the server as they do on a cluster."""

from __future__ import annotations

import asyncio
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from eso_core.testing.apiserver.background import BackgroundServer

JsonObject = dict[str, Any]


def widget(name: str, **spec: Any) -> JsonObject:
    return {"apiVersion": "test.example.io/v1", "kind": "Widget", "metadata": {"name": name}, "spec": spec}


def test_the_official_client_creates_watches_patches_and_elects(
    apiserver: BackgroundServer, kubeconfig: Path, kube_namespace: str
) -> None:
    """Typed objects, a watch, a patch, a custom object, a Lease."""
    kubernetes = pytest.importorskip("kubernetes")

    configuration = kubernetes.client.Configuration()
    kubernetes.config.load_kube_config(str(kubeconfig), client_configuration=configuration)
    with kubernetes.client.ApiClient(configuration) as api:
        core = kubernetes.client.CoreV1Api(api)
        meta = kubernetes.client.V1ObjectMeta(name="a", labels={"l": "x"})
        core.create_namespaced_config_map(kube_namespace, kubernetes.client.V1ConfigMap(metadata=meta, data={"k": "1"}))
        core.patch_namespaced_config_map("a", kube_namespace, {"data": {"k": "2"}})
        watch = kubernetes.watch.Watch()
        stream = watch.stream(core.list_namespaced_config_map, kube_namespace, label_selector="l=x", timeout_seconds=5)
        event = next(stream)
        watch.stop()
        stream.close()
        assert (event["type"], event["object"].data) == ("ADDED", {"k": "2"})
        custom = kubernetes.client.CustomObjectsApi(api)
        place = ("test.example.io", "v1", kube_namespace, "widgets")
        custom.create_namespaced_custom_object(*place, widget("w", color="red"))
        custom.patch_namespaced_custom_object_status(*place, "w", {"status": {"phase": "Ready"}})
        assert custom.get_namespaced_custom_object(*place, "w")["status"] == {"phase": "Ready"}
        leases = kubernetes.client.CoordinationV1Api(api)
        spec = kubernetes.client.V1LeaseSpec(holder_identity="one", lease_duration_seconds=15)
        lock = kubernetes.client.V1Lease(metadata=kubernetes.client.V1ObjectMeta(name="lock"), spec=spec)
        held = leases.create_namespaced_lease(kube_namespace, lock)
        held.spec.holder_identity = "two"
        leases.replace_namespaced_lease("lock", kube_namespace, held)
        held.spec.holder_identity = "three"
        with pytest.raises(kubernetes.client.ApiException) as caught:
            leases.replace_namespaced_lease("lock", kube_namespace, held)
        assert caught.value.status == 409


async def test_kubernetes_asyncio_watches_what_it_writes(kubeconfig: Path, kube_namespace: str) -> None:
    """Create, update and delete arrive as events, in order."""
    from kubernetes_asyncio import client, config, watch

    configuration = client.Configuration()
    await config.load_kube_config(str(kubeconfig), client_configuration=configuration)
    async with client.ApiClient(configuration) as api:
        core = client.CoreV1Api(api)
        seen: list[str] = []

        async def follow() -> None:
            async with watch.Watch().stream(core.list_namespaced_secret, kube_namespace, timeout_seconds=20) as events:
                async for event in events:
                    seen.append(event["type"])
                    if event["type"] == "DELETED":
                        return

        following = asyncio.ensure_future(follow())
        secret = client.V1Secret(metadata=client.V1ObjectMeta(name="s"), string_data={"k": "v"})
        created = await core.create_namespaced_secret(kube_namespace, secret)
        assert created.data == {"k": "dg=="}
        created.data = {"k": "dw=="}
        await core.replace_namespaced_secret("s", kube_namespace, created)
        await core.delete_namespaced_secret("s", kube_namespace)
        await asyncio.wait_for(following, 10)
    assert seen[-1] == "DELETED"


def test_lightkube_applies_server_side(kubeconfig: Path, kube_namespace: str) -> None:
    """Two managers of one object, a conflict, force."""
    lightkube = pytest.importorskip("lightkube")
    from lightkube.core.exceptions import ApiError
    from lightkube.models.meta_v1 import ObjectMeta
    from lightkube.resources.core_v1 import ConfigMap

    config = lightkube.KubeConfig.from_file(str(kubeconfig))
    client = lightkube.Client(config=config, namespace=kube_namespace, trust_env=False)

    def wanted(**data: str) -> Any:
        return ConfigMap(apiVersion="v1", kind="ConfigMap", metadata=ObjectMeta(name="a"), data=data)

    with closing(client):
        client.apply(wanted(a="1"), field_manager="one")
        client.apply(wanted(b="2"), field_manager="two")
        with pytest.raises(ApiError, match="conflict with"):
            client.apply(wanted(a="9"), field_manager="two")
        client.apply(wanted(a="9"), field_manager="two", force=True)
        client.apply(wanted(), field_manager="one")
        assert client.get(ConfigMap, "a").data == {"a": "9"}


def test_a_kopf_operator_handles_a_custom_resource(
    apiserver: BackgroundServer, kubeconfig: Path, kube_namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its handler runs, its status is stored, its finalizer comes and goes."""
    kopf = pytest.importorskip("kopf")
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    registry = kopf.OperatorRegistry()
    done, gone = threading.Event(), threading.Event()

    @kopf.on.login(registry=registry)
    def login(**kwargs: Any) -> Any:
        return kopf.login_with_kubeconfig(**kwargs)

    @kopf.on.create("test.example.io", "v1", "widgets", registry=registry)
    def made(patch: Any, **_: Any) -> None:
        patch.status["phase"] = "Made"

    @kopf.on.delete("test.example.io", "v1", "widgets", registry=registry)
    def removed(**_: Any) -> None:
        gone.set()

    ready, stop = threading.Event(), threading.Event()

    def run() -> None:
        asyncio.run(
            kopf.operator(
                registry=registry, standalone=True, namespaces=[kube_namespace], ready_flag=ready, stop_flag=stop
            )
        )

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert ready.wait(20)
        apiserver.call(
            lambda server: server.create(
                "test.example.io/v1", "Widget", widget("k", color="red"), namespace=kube_namespace
            )
        )

        def current() -> JsonObject:
            found = apiserver.call(
                lambda server: server.get("test.example.io/v1", "Widget", "k", namespace=kube_namespace)
            )
            return found or {}

        for _ in range(400):
            if current().get("status"):
                break
            done.wait(0.02)
        assert current()["status"]["phase"] == "Made"
        assert current()["metadata"]["finalizers"]
        apiserver.call(lambda server: server.delete("test.example.io/v1", "Widget", "k", namespace=kube_namespace))
        assert gone.wait(20)
        for _ in range(400):
            if not current():
                break
            done.wait(0.02)
        assert current() == {}
    finally:
        stop.set()
        thread.join(20)
