"""lightkube: typed objects, generic resources, server-side apply."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightkube
import pytest
from lightkube.core.exceptions import ApiError
from lightkube.generic_resource import create_namespaced_resource
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import ConfigMap

Gadget = create_namespaced_resource("clients.example.io", "v1", "Gadget", "gadgets")


@pytest.fixture
def client(kubeconfig: Path, kube_namespace: str) -> Iterator[Any]:
    config = lightkube.KubeConfig.from_file(str(kubeconfig))
    made = lightkube.Client(config=config, namespace=kube_namespace, trust_env=False, field_manager="test")
    yield made
    made.close()


def wanted(**data: str) -> Any:
    return ConfigMap(apiVersion="v1", kind="ConfigMap", metadata=ObjectMeta(name="a"), data=data)


def test_two_managers_apply(client: Any) -> None:
    """A conflict, force, and fields that go with their last manager."""
    client.apply(wanted(a="1"), field_manager="one")
    client.apply(wanted(b="2"), field_manager="two")
    with pytest.raises(ApiError, match="conflict with"):
        client.apply(wanted(a="9"), field_manager="two")
    client.apply(wanted(a="9"), field_manager="two", force=True)
    client.apply(wanted(), field_manager="one")
    assert client.get(ConfigMap, "a").data == {"a": "9"}


def test_custom_objects_are_watched(client: Any) -> None:
    """From the version of the list on; the watch ends with the iterator."""
    client.create(Gadget(metadata=ObjectMeta(name="w"), spec={"color": "red"}))
    found = client.get(Gadget, "w")
    client.patch(Gadget, "w", {"spec": {"color": "blue"}}, patch_type=lightkube.types.PatchType.MERGE)
    events = client.watch(Gadget, resource_version=found.metadata.resourceVersion, server_timeout=5)
    kind, changed = next(events)
    events.close()
    assert (kind, changed.spec) == ("MODIFIED", {"color": "blue", "replicas": 1})
    client.delete(Gadget, "w")
    with pytest.raises(ApiError, match='gadgets.clients.example.io "w" not found'):
        client.get(Gadget, "w")
