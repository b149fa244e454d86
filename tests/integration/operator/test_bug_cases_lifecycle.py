"""Defects that users of External Secrets Operator met in the life of an ExternalSecret; none of them may come back."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from controllers.externalsecret.names import data_hash
from controllers.operator import OperatorOptions
from eso_core.client import ApiRequest, ApplyPatch
from eso_core.meta import ObjectKey
from eso_core.meta.wellknown import NAMESPACE, SECRET
from providers.errors import AccessDenied
from tests.integration.operator.harness import CSS, ES, HASH, MANAGED, SS, Cluster, failure, operating, running


def entry(key: str, remote: str | None = None, **more: str) -> dict[str, object]:
    return {"secretKey": key, "remoteRef": {"key": remote or key, **more}}


async def test_b001_a_merge_target_is_written_once() -> None:
    """B001: the hash covers foreign keys too, so the Secret does not look drifted."""
    async with running() as cluster:
        await cluster.fake({"kb": "2"})
        await cluster.secret("x", {"a": "1"})
        await cluster.es("m", target={"name": "x", "creationPolicy": "Merge"}, data=[entry("b", "kb")])
        await cluster.synced("m")
        await cluster.quiet()
        secret = await cluster.get(SECRET, "x")
        assert secret is not None
        assert await cluster.data("x") == {"a": "1", "b": "2"}
        assert secret["metadata"]["annotations"][HASH] == data_hash({"a": b"1", "b": b"2"})
        assert cluster.requests("update", "create", resource="secrets") == 1
        assert len(cluster.probe.reads) == 1


@pytest.mark.parametrize("policy", [{"refreshPolicy": "CreatedOnce"}, {"refreshInterval": "0"}])
@pytest.mark.parametrize("deletion", ["Delete", "Retain"])
async def test_a_target_that_never_was_comes_with_the_next_edit(policy: dict[str, str], deletion: str) -> None:
    """A missing target takes a sync whatever the policy: what is never refreshed would never get its Secret otherwise."""
    async with running() as cluster:
        await cluster.fake({"other": "1"})
        find = [{"find": {"name": {"regexp": "^a$"}}}]
        await cluster.es("app", target={"deletionPolicy": deletion}, dataFrom=find, **policy)
        await cluster.synced("app", reason="SecretDeleted" if deletion == "Delete" else "SecretSynced")
        await cluster.set_fake({"a": "1"})
        await cluster.quiet()
        reads = len(cluster.probe.reads)
        assert await cluster.get(SECRET, "app") is None
        await cluster.poke("app")
        await cluster.has_data("app", {"a": "1"})
        await cluster.quiet()
        assert len(cluster.probe.reads) == reads + 1


async def test_b003_a_key_removed_from_a_merge_goes() -> None:
    """B003: own keys go with their entry, foreign ones stay, and nothing goes with the ExternalSecret."""
    async with running() as cluster:
        await cluster.fake({"p": "1", "q": "2"})
        await cluster.secret("x", {"keep": "0"})
        target = {"name": "x", "creationPolicy": "Merge"}
        await cluster.es("m", target=target, data=[entry("p"), entry("q")])
        await cluster.has_data("x", {"keep": "0", "p": "1", "q": "2"})
        await cluster.patch(ES, "m", {"spec": {"data": [entry("p")]}})
        await cluster.has_data("x", {"keep": "0", "p": "1"})
        await cluster.delete(ES, "m")
        await cluster.eventually(lambda: _gone(cluster, "m"))
        await cluster.server.run_gc()
        assert await cluster.data("x") == {"keep": "0", "p": "1"}


async def _gone(cluster: Cluster, name: str) -> bool:
    return await cluster.get(ES, name) is None


async def test_b004_two_objects_do_not_fight_over_one_target() -> None:
    """B004: the second is refused, names the first, and does not storm."""
    async with running() as cluster:
        await cluster.fake({"k": "1"})
        await cluster.es("one", target={"name": "s"}, data=[entry("a", "k")])
        await cluster.synced("one")
        await cluster.es("two", target={"name": "s", "creationPolicy": "Merge"}, data=[entry("b", "k")])
        await cluster.failed("two", "target is owned by another ExternalSecret")
        await cluster.has_event("two", "Warning", "UpdateFailed", "secret is owned by another ExternalSecret: one")
        await cluster.quiet()
        reads = len(cluster.probe.reads)
        before = await cluster.get(SECRET, "s")
        await cluster.quiet(0.6)
        assert await cluster.data("s") == {"a": "1"}
        assert await cluster.get(SECRET, "s") == before and len(cluster.probe.reads) == reads


async def test_b005_periods_are_measured_from_start_to_start() -> None:
    """B005: a slow backend does not stretch the interval."""
    async with running() as cluster:
        cluster.probe.delay = 0.8
        await cluster.fake({"k": "1"})
        await cluster.es("slow", refreshInterval="2s", data=[entry("a", "k")])

        async def four_reads() -> bool:
            return len(cluster.probe.reads) >= 4

        await cluster.eventually(four_reads, within=15)
        starts = [at for at, _ in cluster.probe.reads[:4]]
        periods = [later - earlier for earlier, later in itertools.pairwise(starts)]
        # Wake-ups between (the status write is none, the Secret's own event is) may be early by what seconds round off.
        assert all(0.9 <= period <= 2.4 for period in periods), periods


async def test_b006_interval_zero_never_refreshes_and_says_so() -> None:
    """B006: a changed spec is not applied but noted; with OnChange both kinds of edit take effect."""
    async with running() as cluster:
        await cluster.fake(
            {},
            provider={
                "data": [
                    {"key": "k", "value": "one", "version": "v1"},
                    {"key": "k", "value": "two", "version": "v2"},
                    {"key": "k", "value": "three", "version": "v3"},
                ]
            },
        )
        await cluster.es("z", refreshInterval="0", data=[entry("a", "k", version="v1")])
        await cluster.has_data("z", {"a": "one"})
        await cluster.patch(ES, "z", {"spec": {"data": [entry("a", "k", version="v2")]}})
        await cluster.has_event("z", "Normal", "ChangeNotApplied", "refreshInterval 0 never applies it")
        await cluster.poke("z")
        await cluster.quiet()
        assert await cluster.data("z") == {"a": "one"}
        obj = await cluster.get(ES, "z")
        assert obj is not None and obj["status"]["syncedResourceVersion"].startswith("1-")
        await cluster.patch(ES, "z", {"spec": {"refreshPolicy": "OnChange"}})
        await cluster.has_data("z", {"a": "two"})
        await cluster.patch(ES, "z", {"spec": {"data": [entry("a", "k", version="v3")]}})
        await cluster.has_data("z", {"a": "three"})


async def test_b008_a_typo_is_a_condition_and_an_event() -> None:
    """B008: the failing entry and the reason are visible, and the process goes on."""
    async with running() as cluster:
        await cluster.fake({"ok": '{"a": "1"}'})
        await cluster.es("t", dataFrom=[{"extract": {"key": "nope"}}])
        await cluster.failed("t", "could not get secret data from provider")
        condition = await cluster.ready("t")
        assert condition["reason"] == "SecretSyncedError"
        message = await cluster.has_event("t", "Warning", "UpdateFailed", "Secret does not exist")
        assert "spec.dataFrom[0].extract" in message
        assert (await cluster.client.get(ES, ObjectKey("t", "t")))["status"]["lastError"] == message
        await cluster.es("fine", dataFrom=[{"extract": {"key": "ok"}}])
        await cluster.has_data("fine", {"a": "1"})


async def test_b009_the_last_remote_key_takes_the_target_along() -> None:
    """B009: find without a match and deletionPolicy Delete delete the target."""
    async with running() as cluster:
        await cluster.fake({"p/a": "1"})
        await cluster.es("d", target={"deletionPolicy": "Delete"}, dataFrom=[{"find": {"name": {"regexp": "^p/"}}}])
        await cluster.has_data("d", {"p_a": "1"})
        await cluster.set_fake({"q": "1"})
        await cluster.poke("d")
        await cluster.has_data("d", None)
        await cluster.synced("d", reason="SecretDeleted")
        await cluster.has_event("d", "Normal", "Deleted", "secret deleted due to DeletionPolicy=Delete")


async def test_b010_a_find_without_match_is_said() -> None:
    """B010: Ready with the documented message, no Secret, and an event that names the entry."""
    async with running() as cluster:
        await cluster.fake({"p/a": "1"})
        await cluster.es("d", dataFrom=[{"find": {"name": {"regexp": "^none"}}}])
        await cluster.synced("d")
        assert (await cluster.ready("d"))["message"] == "secret retained due to DeletionPolicy=Retain"
        assert await cluster.get(SECRET, "d") is None
        await cluster.has_event("d", "Normal", "NothingFound", "spec.dataFrom[0].find")


async def test_b011_a_take_over_is_told() -> None:
    """B011: policy Owner replaces a Secret made by hand, and one event names the keys that go."""
    async with running() as cluster:
        await cluster.fake({"k": "1"})
        await cluster.secret("argocd-secret", {"admin": "x", "other": "y"})
        await cluster.es("o", target={"name": "argocd-secret"}, data=[entry("oidc", "k")])
        await cluster.has_data("argocd-secret", {"oidc": "1"})
        message = await cluster.has_event("o", "Warning", "KeysRemoved")
        assert "admin, other" in message


async def test_b011_a_take_over_can_be_refused() -> None:
    """B011: with --adopt-existing-secrets=false a Secret made by hand stays as it is; Merge still adds to it."""
    async with running(options=OperatorOptions(adopt_existing_secrets=False)) as cluster:
        await cluster.fake({"k": "1"})
        by_hand = await cluster.secret("argocd-secret", {"admin": "x", "other": "y"})
        for name, policy in (("o", "Owner"), ("p", "Orphan")):
            target = {"name": "argocd-secret", "creationPolicy": policy}
            await cluster.es(name, target=target, data=[entry("oidc", "k")])
            await cluster.failed(name, "failed to take ownership of target secret")
            message = await cluster.has_event(name, "Warning", "UpdateFailed")
            assert "argocd-secret is there already" in message and "--adopt-existing-secrets" in message
        assert await cluster.get(SECRET, "argocd-secret") == by_hand
        await cluster.es("m", target={"name": "argocd-secret", "creationPolicy": "Merge"}, data=[entry("oidc", "k")])
        await cluster.has_data("argocd-secret", {"admin": "x", "other": "y", "oidc": "1"})


async def test_b012_b013_metadata_of_a_target_without_template() -> None:
    """B012, B013: labels and annotations are copied, but not those by which tools know their objects."""
    async with running() as cluster:
        await cluster.fake({"k": "1"})
        annotations = {
            "a": "1",
            "kubectl.kubernetes.io/last-applied-configuration": "{}",
            "argocd.argoproj.io/tracking-id": "x",
        }
        await cluster.es("i", metadata={"labels": {"l": "1"}, "annotations": annotations}, data=[entry("a", "k")])
        await cluster.synced("i")
        secret = await cluster.get(SECRET, "i")
        assert secret is not None
        assert set(secret["metadata"]["annotations"]) == {"a", HASH}
        assert secret["metadata"]["labels"]["l"] == "1" and secret["metadata"]["labels"][MANAGED] == "true"


async def test_b014_a_failed_delete_of_the_old_target_is_tried_again() -> None:
    """B014: the renamed target's old Secret goes within the back-off."""
    async with running() as cluster:
        await cluster.fake({"k": "1"})
        await cluster.es("r", target={"name": "a"}, data=[entry("x", "k")])
        await cluster.has_data("a", {"x": "1"})
        refused: list[str] = []

        def fault(request: ApiRequest) -> None:
            if request.method == "DELETE" and request.path.endswith("/secrets/a") and not refused:
                refused.append(request.path)
                raise failure(500, "InternalError", request)

        cluster.fault = fault
        await cluster.patch(ES, "r", {"spec": {"target": {"name": "b"}}})
        await cluster.has_data("b", {"x": "1"})
        await cluster.has_data("a", None)
        assert refused
        await cluster.has_event("r", "Normal", "Deleted", "secret deleted because it was orphaned")


async def test_b015_a_store_replaced_during_its_check_gets_its_own_condition() -> None:
    """B015: what was found out about the old store is not written to the new one."""
    async with running() as cluster:
        cluster.probe.hold = held = asyncio.Event()
        await cluster.fake({"k": "1"}, name="s", kind=SS, namespace="t")
        await cluster.probe.entered.wait()
        await cluster.delete(SS, "s")
        await cluster.fake({"k": "2"}, name="s", kind=SS, namespace="t")
        cluster.probe.hold = None
        held.set()

        async def ready() -> bool:
            return (await cluster.ready("s", kind=SS)).get("status") == "True"

        await cluster.eventually(ready)
        assert len(cluster.probe.validations) <= 3
        assert "patch secretstores/status 409" not in cluster.trace()[-3:]


async def test_b017_a_missing_key_under_merge_is_skipped_and_named() -> None:
    """B017: Retain writes nothing; Merge writes what there is and names the rest."""
    async with running() as cluster:
        await cluster.fake({"ok": "1"})
        data = [entry("a", "ok"), entry("b", "missing")]
        await cluster.es("retain", data=data)
        await cluster.failed("retain", "could not get secret data from provider")
        assert await cluster.get(SECRET, "retain") is None
        await cluster.es("merge", target={"deletionPolicy": "Merge"}, data=data)
        await cluster.has_data("merge", {"a": "1"})
        await cluster.has_event("merge", "Normal", "MissingProviderSecret", "(key=missing)")


async def test_b017_an_optional_entry_that_is_missing_is_left_out_and_named() -> None:
    """B017: under Retain, the rest is written; the reason is its own and the message names what is missing."""
    async with running() as cluster:
        await cluster.fake({"ok": "1"})
        optional = {**entry("b", "missing"), "optional": True}
        await cluster.es(
            "p", data=[entry("a", "ok"), optional], dataFrom=[{"extract": {"key": "nope"}, "optional": True}]
        )
        await cluster.has_data("p", {"a": "1"})
        await cluster.synced("p", reason="SecretPartiallySynced")
        message = (await cluster.ready("p"))["message"]
        assert message == "secret synced, without optional spec.dataFrom[0].extract, b (key: missing)"
        await cluster.has_event("p", "Normal", "MissingProviderSecret", "b (key: missing)")
        await cluster.set_fake({"ok": "1", "missing": "2", "nope": "{}"})
        await cluster.poke("p")
        await cluster.has_data("p", {"a": "1", "b": "2"})
        await cluster.synced("p")
        # Only absence is optional: an entry that cannot be read fails the object as always.
        await cluster.set_fake({"ok": "1", "missing": "2", "nope": "no json"})
        await cluster.poke("p", "2")
        await cluster.failed("p", "could not get secret data from provider")
        await cluster.has_data("p", {"a": "1", "b": "2"})


async def test_b018_objects_go_on_when_their_store_recovers() -> None:
    """B018: a store that turns ready, and one that is created, wake what waits for them."""
    async with running() as cluster:
        await cluster.fake({"k": "1"}, provider={"validationResult": 2})
        await cluster.es("waits", data=[entry("a", "k")])
        await cluster.es("absent", secretStoreRef={"name": "later", "kind": "SecretStore"}, data=[entry("a", "k")])
        await cluster.failed("waits", "could not get secret data from provider")
        await cluster.failed("absent", "could not get secret data from provider")
        await cluster.quiet()
        await cluster.patch(CSS, "fake", {"spec": {"provider": {"fake": {"validationResult": 0}}}})
        await cluster.synced("waits", within=2)
        await cluster.fake({"k": "2"}, name="later", kind=SS, namespace="t")
        await cluster.synced("absent", within=2)


async def test_b022_nothing_is_created_in_a_terminating_namespace() -> None:
    """B022: targets of a dying namespace are not written again, and it goes."""
    async with running() as cluster:
        await cluster.fake({"k": "1"})
        await cluster.namespace("dying")
        for number in range(10):
            await cluster.es(f"es-{number}", namespace="dying", data=[entry("a", "k")])
        for number in range(10):
            await cluster.synced(f"es-{number}", namespace="dying")
        await cluster.quiet()
        creates = cluster.requests("create", resource="secrets")
        await cluster.delete(NAMESPACE, "dying")

        async def gone() -> bool:
            await cluster.server.run_gc()
            return await cluster.get(NAMESPACE, "dying") is None

        await cluster.eventually(gone, within=15)
        assert cluster.requests("create", resource="secrets") == creates
        assert not [line for line in cluster.trace() if line.endswith(" 403")]


async def test_b023_deletions_come_before_failing_refreshes() -> None:
    """B023: with one worker and failing stores a namespace empties at once."""
    async with running(options=OperatorOptions(concurrent=1)) as cluster:
        cluster.probe.failure = AccessDenied("403", retryable=True)
        cluster.probe.delay = 0.02
        await cluster.fake({"k": "1"})
        await cluster.namespace("dying")
        for number in range(40):
            await cluster.es(f"es-{number}", namespace="dying", data=[entry("a", "k")])
        await cluster.delete(NAMESPACE, "dying")

        async def gone() -> bool:
            await cluster.server.run_gc()
            return await cluster.get(NAMESPACE, "dying") is None

        await cluster.eventually(gone, within=5)


async def test_b023_an_object_that_needs_no_clean_up_can_do_without_finalizer() -> None:
    """B023: with --minimal-finalizers only deletionPolicy Delete has one; those that are there already go."""
    async with running(options=OperatorOptions(minimal_finalizers=True)) as cluster:
        await cluster.fake({"k": "1"})
        ours = "externalsecrets.external-secrets.io/externalsecret-cleanup"
        await cluster.es("retain", data=[entry("a", "k")])
        await cluster.es("delete", target={"deletionPolicy": "Delete"}, data=[entry("a", "k")])
        await cluster.es("old", metadata={"finalizers": [ours, "example.org/theirs"]}, data=[entry("a", "k")])
        finalizers = {}
        for name in ("retain", "delete", "old"):
            await cluster.synced(name)
            found = await cluster.get(ES, name)
            assert found is not None
            finalizers[name] = found["metadata"].get("finalizers")
        assert finalizers == {"retain": None, "delete": [ours], "old": ["example.org/theirs"]}


async def test_b024_the_finalizer_takes_no_ownership_of_the_spec() -> None:
    """B024: the interval keeps its text, and no entry of the operator covers a field of the spec."""
    async with running() as cluster:
        await cluster.fake({"k": "1"})
        applied = {
            "apiVersion": "external-secrets.io/v1",
            "kind": "ExternalSecret",
            "metadata": {"name": "g", "namespace": "t"},
            "spec": {
                "refreshInterval": "24h",
                "secretStoreRef": {"kind": "ClusterSecretStore", "name": "fake"},
                "data": [entry("a", "k")],
            },
        }
        key = ObjectKey("t", "g")
        await cluster.client.patch(ES, key, ApplyPatch(applied), field_manager="flux")
        await cluster.synced("g")
        await cluster.client.patch(ES, key, ApplyPatch(applied), field_manager="flux")
        obj = await cluster.get(ES, "g")
        assert obj is not None and obj["spec"]["refreshInterval"] == "24h"
        own = [item for item in obj["metadata"]["managedFields"] if item["manager"].startswith("external-secrets")]
        assert own and all("f:spec" not in item["fieldsV1"] for item in own)


async def test_b025_events_have_the_documented_order_and_words() -> None:
    """B025: Created, Updated, Deleted; a refresh that changes nothing says nothing."""
    async with running() as cluster:
        await cluster.fake({"k": "1"})
        await cluster.es("e", target={"deletionPolicy": "Delete"}, data=[entry("a", "k")])
        await cluster.has_data("e", {"a": "1"})
        await cluster.set_fake({"k": "2"})
        await cluster.patch(ES, "e", {"spec": {"refreshInterval": "2h"}})
        await cluster.has_data("e", {"a": "2"})
        await cluster.patch(ES, "e", {"spec": {"refreshInterval": "3h"}})
        await cluster.synced("e")
        await cluster.set_fake({"other": "2"})
        await cluster.patch(ES, "e", {"spec": {"refreshInterval": "4h"}})
        await cluster.has_data("e", None)
        await cluster.has_event("e", "Normal", "Deleted")
        reasons = [reason for _, reason, _ in await cluster.events("e")]
        assert [reason for reason in reasons if reason != "MissingProviderSecret"] == ["Created", "Updated", "Deleted"]


async def test_b026_no_defaults_are_written_into_specs() -> None:
    """B026: strategies and policies stay absent after creation and refresh."""
    async with running() as cluster:
        await cluster.fake({"k": "1", "m": '{"x": "1"}'})
        find = {"find": {"name": {"regexp": "k"}}}
        await cluster.es("g", data=[entry("a", "k")], dataFrom=[{"extract": {"key": "m"}}, find])
        await cluster.synced("g")
        await cluster.poke("g")
        await cluster.synced("g")
        obj = await cluster.get(ES, "g")
        assert obj is not None
        for name in ("conversionStrategy", "decodingStrategy", "metadataPolicy", "nullBytePolicy"):
            assert name not in str(obj["spec"])


async def test_b122_a_restart_writes_nothing_and_asks_nobody() -> None:
    """B122: after a restart settled objects cost no write and no provider call."""
    async with running(start=False) as cluster:
        async with operating(cluster):
            await cluster.fake({"k": "1"})
            for number in range(10):
                await cluster.es(f"es-{number}", data=[entry("a", "k")])
            for number in range(10):
                await cluster.synced(f"es-{number}")
            await cluster.quiet()
        before = len(cluster.trace())
        reads = len(cluster.probe.reads)
        async with operating(cluster):
            await cluster.quiet(0.5)
        later = cluster.trace()[before:]
        assert not [line for line in later if line.split()[0] in ("create", "update", "patch", "delete")], later
        assert len(cluster.probe.reads) == reads


@pytest.mark.parametrize("policy", ["Owner", "Orphan", "CreateOrMerge"])
async def test_b124_a_deleted_target_comes_back(policy: str) -> None:
    """B124: deletion of a managed target is repaired, except under Orphan, where only a refresh does."""
    async with running() as cluster:
        await cluster.fake({"k": "1"})
        await cluster.es("e", target={"creationPolicy": policy}, data=[entry("a", "k")])
        await cluster.has_data("e", {"a": "1"})
        await cluster.quiet()
        await cluster.delete(SECRET, "e")
        if policy == "Orphan":
            await cluster.quiet()
            assert await cluster.data("e") is None
            await cluster.poke("e")
        await cluster.has_data("e", {"a": "1"}, within=5)
