"""The official client, blocking: typed objects, the dynamic client, informers, leader election."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config, dynamic, watch
from kubernetes.client.exceptions import ApiException
from kubernetes.informer import SharedInformer
from kubernetes.leaderelection import electionconfig, leaderelection
from kubernetes.leaderelection.resourcelock.configmaplock import ConfigMapLock

from eso_core.testing.apiserver.background import BackgroundServer
from eso_core.testing.eventually import eventually_sync

PLACE = ("clients.example.io", "v1")


@pytest.fixture
def api(kubeconfig: Path) -> Iterator[Any]:
    configuration = client.Configuration()
    config.load_kube_config(str(kubeconfig), client_configuration=configuration)
    with client.ApiClient(configuration) as made:
        yield made


def gadget(name: str, **spec: Any) -> dict[str, Any]:
    return {"apiVersion": "clients.example.io/v1", "kind": "Gadget", "metadata": {"name": name}, "spec": spec}


def test_typed_objects_are_created_watched_and_patched(api: Any, kube_namespace: str) -> None:
    """A label selector in the watch; a strategic merge patch, which is what this client sends."""
    core = client.CoreV1Api(api)
    meta = client.V1ObjectMeta(name="a", labels={"l": "x"})
    core.create_namespaced_config_map(kube_namespace, client.V1ConfigMap(metadata=meta, data={"k": "1"}))
    core.patch_namespaced_config_map("a", kube_namespace, {"data": {"k": "2"}})
    events = watch.Watch()
    stream = events.stream(core.list_namespaced_config_map, kube_namespace, label_selector="l=x", timeout_seconds=5)
    event = next(stream)
    events.stop()
    stream.close()
    assert (event["type"], event["object"].data) == ("ADDED", {"k": "2"})
    listed = core.list_namespaced_config_map(kube_namespace, limit=1)
    assert listed.metadata._continue
    rest = core.list_namespaced_config_map(kube_namespace, limit=5, _continue=listed.metadata._continue)
    assert {item.metadata.name for item in [*listed.items, *rest.items]} == {"a", "kube-root-ca.crt"}


def test_custom_objects_have_a_status_of_their_own(api: Any, kube_namespace: str) -> None:
    """The status subresource, and the server's refusal of a bad value."""
    custom = client.CustomObjectsApi(api)
    custom.create_namespaced_custom_object(*PLACE, kube_namespace, "gadgets", gadget("w", color="red"))
    custom.patch_namespaced_custom_object_status(
        *PLACE, kube_namespace, "gadgets", "w", {"status": {"phase": "Ready"}, "spec": {"color": "blue"}}
    )
    found = custom.get_namespaced_custom_object(*PLACE, kube_namespace, "gadgets", "w")
    assert (found["spec"], found["status"]) == ({"color": "red", "replicas": 1}, {"phase": "Ready"})
    with pytest.raises(ApiException, match="Unsupported value") as caught:
        custom.create_namespaced_custom_object(*PLACE, kube_namespace, "gadgets", gadget("bad", color="green"))
    assert caught.value.status == 422


def test_the_dynamic_client_discovers_and_applies(api: Any, kube_namespace: str, tmp_path: Path) -> None:
    """Discovery of a kind by its names; two managers in server-side apply."""
    found = dynamic.DynamicClient(api, cache_file=str(tmp_path / "discovery")).resources.get(
        api_version="clients.example.io/v1", kind="Gadget"
    )
    assert (found.namespaced, found.short_names) == (True, ["gd"])
    body = {**gadget("w", color="red"), "metadata": {"name": "w", "namespace": kube_namespace}}
    found.server_side_apply(body=body, name="w", namespace=kube_namespace, field_manager="one")
    other = {**body, "spec": {"color": "blue"}}
    with pytest.raises(dynamic.exceptions.ConflictError):
        found.server_side_apply(body=other, name="w", namespace=kube_namespace, field_manager="two")
    forced = found.server_side_apply(
        body=other, name="w", namespace=kube_namespace, field_manager="two", force_conflicts=True
    )
    assert forced.spec.color == "blue"


def test_an_informer_keeps_its_cache(api: Any, apiserver: BackgroundServer, kube_namespace: str) -> None:
    """Added, changed, deleted: the handlers are told, the cache follows."""
    seen: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
    informer = SharedInformer(list_func=client.CoreV1Api(api).list_namespaced_secret, namespace=kube_namespace)
    for kind in ("ADDED", "MODIFIED", "DELETED"):

        def handler(obj: Any, kind: str = kind) -> None:
            seen.put((kind, obj.metadata.name if hasattr(obj, "metadata") else obj["metadata"]["name"]))

        informer.add_event_handler(kind, handler)
    apiserver.create("v1", "Secret", {"metadata": {"name": "s"}}, namespace=kube_namespace)
    informer.start()
    try:
        assert seen.get(timeout=10) == ("ADDED", "s")
        secrets = client.CoreV1Api(api)
        # The watch may begin after the list only; what happens between the two must not be lost.
        secrets.patch_namespaced_secret("s", kube_namespace, {"stringData": {"k": "v"}})
        assert seen.get(timeout=10) == ("MODIFIED", "s")
        secrets.delete_namespaced_secret("s", kube_namespace)
        assert seen.get(timeout=10) == ("DELETED", "s")
        eventually_sync(lambda: informer.cache.list() == [])
    finally:
        informer.stop()


def test_one_candidate_is_elected(api: Any, kube_namespace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first takes the lock, the second is refused until the holder is gone."""
    monkeypatch.setattr(client.ApiClient, "_default", api, raising=False)

    def candidate(identity: str) -> Any:
        lock = ConfigMapLock("lock", kube_namespace, identity)
        lock.api_instance = client.CoreV1Api(api)
        return leaderelection.LeaderElection(electionconfig.Config(lock, 15, 10, 1, lambda: None, lambda: None))

    assert candidate("one").acquire()
    second = candidate("two")
    assert not second.try_acquire_or_renew()
    client.CoreV1Api(api).delete_namespaced_config_map("lock", kube_namespace)
    assert second.try_acquire_or_renew()
