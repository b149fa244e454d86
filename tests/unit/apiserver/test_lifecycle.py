"""Owners, dependents and namespaces: what goes with what."""

from __future__ import annotations

from typing import Any

import pytest

from eso_core.testing.apiserver.options import ApiServerOptions
from eso_core.testing.apiserver.server import ApiServer
from eso_core.testing.clock import FakeClock
from tests.unit.apiserver.conftest import Caller, config_map

JsonObject = dict[str, Any]
MAPS = "/api/v1/namespaces/default/configmaps"
MERGE = "application/merge-patch+json"


async def make(call: Caller, name: str, *owners: JsonObject, block: bool = False, **meta: Any) -> JsonObject:
    """A ConfigMap owned by others."""
    references = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"],
            "blockOwnerDeletion": block,
        }
        for owner in owners
    ]
    body = {**config_map(name), "metadata": {"name": name, "ownerReferences": references, **meta}}
    reply = await call("POST", MAPS, body)
    assert reply.status == 201, reply.body
    found: JsonObject = reply.body
    return found


async def names(call: Caller) -> list[str]:
    items = (await call("GET", MAPS)).body["items"]
    return [item["metadata"]["name"] for item in items if item["metadata"]["name"] != "kube-root-ca.crt"]


async def test_a_whole_tree_goes_with_its_root(call: Caller, server: ApiServer) -> None:
    """T-44: background, three levels deep."""
    root = await make(call, "root")
    child = await make(call, "child", root)
    await make(call, "grandchild", child)
    await make(call, "other")
    await call("DELETE", f"{MAPS}/root")
    await server.run_gc()
    assert await names(call) == ["other"]


async def test_a_dependent_of_two_owners_outlives_one(call: Caller, server: ApiServer) -> None:
    """T-44: it loses the reference to the one that is gone."""
    first, second = await make(call, "first"), await make(call, "second")
    await make(call, "both", first, second)
    await call("DELETE", f"{MAPS}/first")
    await server.run_gc()
    assert await names(call) == ["both", "second"]
    left = (await call("GET", f"{MAPS}/both")).body["metadata"]["ownerReferences"]
    assert [reference["name"] for reference in left] == ["second"]
    await call("DELETE", f"{MAPS}/second")
    await server.run_gc()
    assert await names(call) == []


async def test_foreground_deletion_goes_from_the_leaves_up(call: Caller, server: ApiServer) -> None:
    """T-44: the owner waits for blocking dependents, and they for theirs."""
    root = await make(call, "root")
    child = await make(call, "child", root, block=True)
    await make(call, "leaf", child, block=True, finalizers=["example.io/f"])
    await call("DELETE", f"{MAPS}/root", {"propagationPolicy": "Foreground"})
    await server.run_gc()
    assert await names(call) == ["child", "leaf", "root"]
    await call("PATCH", f"{MAPS}/leaf", {"metadata": {"finalizers": None}}, type=MERGE)
    await server.run_gc()
    assert await names(call) == []


async def test_an_owner_in_another_namespace_counts_as_absent(call: Caller, server: ApiServer) -> None:
    """T-44: references do not cross namespaces."""
    await call("POST", "/api/v1/namespaces", {"metadata": {"name": "other"}})
    owner = (await call("POST", "/api/v1/namespaces/other/configmaps", config_map("owner"))).body
    await make(call, "dependent", owner)
    await server.run_gc()
    assert await names(call) == []


async def test_an_owner_of_a_kind_that_is_not_served_is_left_alone(call: Caller, server: ApiServer) -> None:
    """T-44: nothing is known about it."""
    reference = {"apiVersion": "unknown.io/v1", "kind": "Thing", "name": "x", "uid": "u"}
    body = {**config_map("dependent"), "metadata": {"name": "dependent", "ownerReferences": [reference]}}
    await call("POST", MAPS, body)
    await server.run_gc()
    assert await names(call) == ["dependent"]


async def test_orphans_stay_without_their_reference(call: Caller, server: ApiServer) -> None:
    """T-44: propagation Orphan."""
    root = await make(call, "root")
    await make(call, "child", root)
    await call("DELETE", f"{MAPS}/root?propagationPolicy=Orphan")
    await server.run_gc()
    assert await names(call) == ["child"]
    assert "ownerReferences" not in (await call("GET", f"{MAPS}/child")).body["metadata"]


async def test_a_terminating_namespace_says_what_holds_it(call: Caller, server: ApiServer) -> None:
    """T-46: conditions, refusal of new content, the end."""
    await call("POST", "/api/v1/namespaces", {"metadata": {"name": "x"}})
    held = {**config_map("held"), "metadata": {"name": "held", "finalizers": ["example.io/f"]}}
    await call("POST", "/api/v1/namespaces/x/configmaps", held)
    await call("DELETE", "/api/v1/namespaces/x")
    await server.run_gc()
    status = (await call("GET", "/api/v1/namespaces/x")).body["status"]
    remaining = {item["type"]: item["message"] for item in status["conditions"] if item["status"] == "True"}
    assert remaining == {
        "NamespaceContentRemaining": "Some resources are remaining: configmaps. has 1 resource instances",
        "NamespaceFinalizersRemaining": (
            "Some content in the namespace has finalizers remaining: example.io/f in 1 resource instances"
        ),
    }
    refused = await call("POST", "/api/v1/namespaces/x/configmaps", config_map("late"))
    assert (refused.status, refused.body["details"]["causes"][0]["reason"]) == (403, "NamespaceTerminating")
    patch = {"metadata": {"finalizers": None}}
    await call("PATCH", "/api/v1/namespaces/x/configmaps/held", patch, type=MERGE)
    await server.run_gc()
    assert (await call("GET", "/api/v1/namespaces/x")).status == 404


async def test_what_every_namespace_has_comes_back(call: Caller, server: ApiServer) -> None:
    """T-46: the default account and the root certificate, restored when changed or deleted."""
    await call("DELETE", "/api/v1/namespaces/default/serviceaccounts/default")
    await call("PATCH", f"{MAPS}/kube-root-ca.crt", {"data": {"ca.crt": "changed"}}, type=MERGE)
    await server.run_gc()
    assert (await call("GET", "/api/v1/namespaces/default/serviceaccounts/default")).status == 200
    assert (await call("GET", f"{MAPS}/kube-root-ca.crt")).body["data"]["ca.crt"] != "changed"


@pytest.mark.parametrize("name", ["default", "kube-system", "kube-public"])
async def test_the_first_namespaces_cannot_be_deleted(call: Caller, name: str) -> None:
    """T-46: 403."""
    assert (await call("DELETE", f"/api/v1/namespaces/{name}")).status == 403


async def test_events_go_an_hour_after_their_last_write() -> None:
    """T-51: as soon as the server tidies up."""
    clock = FakeClock()
    async with await ApiServer.start(ApiServerOptions(tls=False, clock=clock)) as server:
        call = Caller(server)
        path = "/api/v1/namespaces/default/events"
        for name in ("old", "renewed"):
            target = {"kind": "ConfigMap", "name": "a", "namespace": "default"}
            await call("POST", path, {"metadata": {"name": name}, "involvedObject": target})
        await clock.advance(3000)
        await call("PATCH", f"{path}/renewed", {"count": 2}, type=MERGE)
        await clock.advance(900)
        assert [item["metadata"]["name"] for item in (await call("GET", path)).body["items"]] == ["renewed"]


async def test_a_put_of_what_is_gone_is_a_conflict_when_it_names_the_uid(call: Caller) -> None:
    """T-39: so that a controller reads again, and does not bring the object back."""
    leases = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
    for path, body in ((MAPS, config_map("a")), (leases, {"metadata": {"name": "a"}})):
        created = await call("POST", path, body)
        await call("DELETE", f"{path}/a")
        again = await call("PUT", f"{path}/a", created.body)
        assert (again.status, again.body["reason"]) == (409, "Conflict")
        assert again.body["message"].endswith(
            f"Precondition failed: UID in precondition: {created.body['metadata']['uid']}, UID in object meta: "
        )
        del created.body["metadata"]["uid"]
    again = await call("PUT", f"{leases}/a", created.body)
    assert again.status == 201
