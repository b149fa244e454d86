"""What a failing ExternalSecret says of itself, and when it is tried again."""

from __future__ import annotations

from eso_core.meta import GVK, ObjectKey, find_condition
from providers.errors import Throttled
from tests.integration.operator.harness import ES, Cluster, JsonObject, running

CRD = GVK("apiextensions.k8s.io", "v1", "CustomResourceDefinition")


def _data(*keys: str) -> list[JsonObject]:
    return [{"secretKey": f"k{index}", "remoteRef": {"key": key}} for index, key in enumerate(keys)]


async def _condition(cluster: Cluster, name: str, type_: str) -> JsonObject:
    """The condition of this type, once it is there."""

    async def look() -> JsonObject:
        obj = await cluster.get(ES, name)
        found = find_condition(((obj or {}).get("status") or {}).get("conditions"), type_)
        assert found is not None, obj
        return found

    return await cluster.eventually(look)


async def test_a_missing_key_is_named_with_its_entry_store_and_next_attempt() -> None:
    """The Ready condition stays the original's; a person or a dashboard reads the second one."""
    async with running() as cluster:
        await cluster.fake({"there": "v"})
        await cluster.es("e", data=_data("there", "missing"))
        stalled = await _condition(cluster, "e", "Stalled")
        ready = await cluster.ready("e")
        assert (ready["status"], ready["reason"]) == ("False", "SecretSyncedError")
        assert ready["message"] == "could not get secret data from provider"
        assert stalled["reason"] == "NotFound"
        assert stalled["message"].startswith(
            'spec.data[1], ClusterSecretStore "fake", key "missing": Secret does not exist; next attempt at 20'
        )
        obj = await cluster.get(ES, "e")
        assert obj is not None
        assert obj["status"]["observedGeneration"] == 1
        await cluster.patch(ES, "e", {"spec": {"data": _data("there")}})
        await cluster.synced("e")
        obj = await cluster.get(ES, "e")
        assert obj is not None
        assert [condition["type"] for condition in obj["status"]["conditions"]] == ["Ready"]
        assert obj["status"]["observedGeneration"] == 2


async def test_a_store_that_throttles_is_asked_again_when_it_said() -> None:
    """Not by back-off: what comes meanwhile makes no request, and all sync once the time is over."""
    async with running() as cluster:
        cluster.probe.failure = Throttled("429: slow down", retry_after=2.0)
        await cluster.fake({"there": "v"})
        await cluster.es("e", data=_data("there"))
        waiting = await _condition(cluster, "e", "Reconciling")
        assert waiting["reason"] == "Throttled"
        assert 'key "there": 429: slow down; next attempt at 20' in waiting["message"]
        asked = len(cluster.probe.reads)
        for number in range(10):
            await cluster.es(f"e{number}", data=_data("there"))
        for number in range(10):
            assert (await _condition(cluster, f"e{number}", "Reconciling"))["reason"] == "Throttled"
        assert len(cluster.probe.reads) == asked
        cluster.probe.failure = None
        for name in ("e", *(f"e{number}" for number in range(10))):
            await cluster.synced(name)


async def test_the_definition_of_the_original_costs_the_second_condition_and_nothing_else() -> None:
    """Its enum of condition types refuses ours: the status is written without, once and for all, and the object works."""
    async with running() as cluster:
        key = ObjectKey("", "externalsecrets.external-secrets.io")
        crd = await cluster.client.get(CRD, key)
        for version in crd["spec"]["versions"]:
            status = version["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]
            status.pop("lastError", None)
            status.pop("observedGeneration", None)
            status["conditions"]["items"]["properties"]["type"]["enum"] = ["Ready", "Deleted"]
        await cluster.client.update(crd)
        await cluster.fake({"there": "v"})
        for name in ("e", "f"):
            await cluster.es(name, data=_data("missing"))
            await cluster.failed(name, "could not get secret data from provider")
        await cluster.patch(ES, "e", {"spec": {"data": _data("there")}})
        await cluster.synced("e")
        assert [line for line in cluster.trace() if line.endswith("422")] == ["patch externalsecrets/status 422"]
