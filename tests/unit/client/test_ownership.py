"""Reading and changing field ownership, and retries after conflicts."""

from __future__ import annotations

from typing import Any

import pytest

from eso_core.client.conflicts import retry_on_conflict
from eso_core.client.ownership import csa_upgrade, extract
from eso_core.meta.errors import Conflict
from eso_core.testing.clock import FakeClock


def deployment(*entries: dict[str, Any]) -> dict[str, Any]:
    """An object with several owners."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "d",
            "namespace": "n",
            "resourceVersion": "5",
            "labels": {"a": "1", "b": "2"},
            "finalizers": ["x/y", "z/w"],
            "managedFields": list(entries),
        },
        "spec": {
            "replicas": 3,
            "containers": [{"name": "c1", "image": "i1", "tty": True}, {"name": "c2", "image": "i2"}],
        },
    }


def entry(manager: str, fields: dict[str, Any], operation: str = "Apply", subresource: str = "") -> dict[str, Any]:
    """One entry of managedFields."""
    made = {"manager": manager, "operation": operation, "apiVersion": "apps/v1", "fieldsV1": fields}
    return made | ({"subresource": subresource} if subresource else {})


def test_extract_gives_what_the_owner_applied() -> None:
    """C-52: maps, keyed lists and sets are followed; the rest stays out."""
    fields = {
        "f:metadata": {"f:labels": {"f:a": {}}, "f:finalizers": {'v:"z/w"': {}}},
        "f:spec": {"f:containers": {'k:{"name":"c1"}': {".": {}, "f:image": {}}}},
    }
    found = extract(deployment(entry("me", fields), entry("other", {"f:spec": {"f:replicas": {}}})), "me")
    assert found == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d", "namespace": "n", "labels": {"a": "1"}, "finalizers": ["z/w"]},
        "spec": {"containers": [{"name": "c1", "image": "i1"}]},
    }


def test_extract_tells_owners_operations_and_subresources_apart() -> None:
    """C-52: only Apply entries of this manager and subresource count."""
    obj = deployment(
        entry("me", {"f:spec": {}}, "Update"), entry("me", {"f:spec": {"f:replicas": {}}}, subresource="status")
    )
    assert extract(obj, "me") is None
    found = extract(obj, "me", "status")
    assert found is not None
    assert found["spec"] == {"replicas": 3}


def test_csa_upgrade_moves_updates_to_apply() -> None:
    """C-52: old update entries become part of one apply entry, guarded by the resource version."""
    obj = deployment(
        entry("new", {"f:spec": {"f:replicas": {}}}),
        entry("old", {"f:spec": {"f:paused": {}}}, "Update"),
        entry("old", {"f:status": {}}, "Update", "status"),
        entry("kubectl", {"f:x": {}}, "Update"),
    )
    patch = csa_upgrade(obj, ["old"], "new")
    assert patch is not None
    test, replace = patch.ops
    assert test == {"op": "test", "path": "/metadata/resourceVersion", "value": "5"}
    assert replace["path"] == "/metadata/managedFields"
    assert [(e["manager"], e["operation"], e["fieldsV1"]) for e in replace["value"]] == [
        ("new", "Apply", {"f:spec": {"f:replicas": {}, "f:paused": {}}}),
        ("old", "Update", {"f:status": {}}),
        ("kubectl", "Update", {"f:x": {}}),
    ]
    assert csa_upgrade(obj, ["nobody"], "new") is None


def test_csa_upgrade_needs_the_live_object() -> None:
    """Without a resource version there is nothing to guard with."""
    obj = deployment(entry("old", {}, "Update"))
    del obj["metadata"]["resourceVersion"]
    with pytest.raises(ValueError, match="no resourceVersion"):
        csa_upgrade(obj, ["old"], "new")


async def test_conflicts_are_retried_five_times() -> None:
    """C-42: five tries about 10 ms apart; the last conflict is raised."""
    clock = FakeClock(auto=True)
    calls = 0

    async def write(good: int) -> str:
        nonlocal calls
        calls += 1
        if calls < good:
            raise Conflict("changed")
        return "done"

    assert await retry_on_conflict(lambda: write(5), clock=clock) == "done"
    assert 0.04 <= clock.elapsed <= 0.044
    calls = 0
    with pytest.raises(Conflict):
        await retry_on_conflict(lambda: write(6), clock=clock)
    assert calls == 5
    with pytest.raises(ValueError, match="tries must be at least 1"):
        await retry_on_conflict(lambda: write(1), tries=0)
