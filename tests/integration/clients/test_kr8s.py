"""kr8s: objects that know how to create, patch, watch and delete themselves."""

from __future__ import annotations

from contextlib import aclosing
from pathlib import Path

import kr8s.asyncio
import pytest
from kr8s.asyncio.objects import ConfigMap, new_class


# The server is newer than what kr8s has been tried with.
@pytest.mark.filterwarnings("ignore:Kubernetes version .* is not supported:UserWarning")
async def test_objects_live_their_life(kubeconfig: Path, kube_namespace: str) -> None:
    """Create, label, patch, list by label, watch, delete, and a custom kind with its status."""
    api = await kr8s.asyncio.api(kubeconfig=str(kubeconfig), namespace=kube_namespace)
    resource = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "c", "namespace": kube_namespace},
        "data": {"k": "1"},
    }
    made = await ConfigMap(resource, api=api)
    await made.create()
    await made.label(team="blue")
    await made.patch({"data": {"k": "2"}})
    found = [item async for item in api.get("configmaps", namespace=kube_namespace, label_selector={"team": "blue"})]
    assert [(item.name, item.data) for item in found] == [("c", {"k": "2"})]
    async with aclosing(api.watch("configmaps", namespace=kube_namespace, label_selector="team=blue")) as events:
        kind, item = await anext(events)
    assert (kind, item.name) == ("ADDED", "c")
    Gadget = new_class(kind="Gadget", version="clients.example.io/v1", namespaced=True)
    body = {"metadata": {"name": "w", "namespace": kube_namespace}, "spec": {"color": "red"}}
    gadget = await Gadget(body, api=api)
    await gadget.create()
    await gadget.patch({"status": {"phase": "Ready"}}, subresource="status")
    await gadget.refresh()
    assert gadget.status.phase == "Ready"
    await made.delete()
    assert not await made.exists()
    assert api._session is not None
    await api._session.aclose()  # it has no way to close that is public
