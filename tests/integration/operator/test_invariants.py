"""What the operator costs: requests to the API server and to backends, counted."""

from __future__ import annotations

from collections import Counter

import pytest

from controllers.externalsecret.names import FINALIZER
from controllers.operator import OperatorOptions
from eso_core.meta.wellknown import NAMESPACE, SECRET
from tests.integration.operator.harness import AGENT, CSS, ES, MANAGED, SS, Cluster, operating, running

DATA = [{"secretKey": "a", "remoteRef": {"key": "k"}}]


def since(cluster: Cluster, mark: int) -> Counter[str]:
    """What was sent after the mark: `verb resource/subresource code`, watches apart."""
    return Counter(line for line in cluster.trace()[mark:] if not line.startswith("watch"))


async def test_a_new_object_costs_four_requests() -> None:
    """Finalizer, Secret, status, event; not one read."""
    async with running() as cluster:
        await cluster.fake({"k": "1"})
        await cluster.es("first", data=DATA)
        await cluster.synced("first")
        await cluster.quiet()
        mark = len(cluster.trace())
        for number in range(20):
            await cluster.es(f"es-{number}", data=DATA)
        for number in range(20):
            await cluster.synced(f"es-{number}")
        await cluster.quiet()
        assert since(cluster, mark) == {
            "patch externalsecrets 200": 20,
            "create secrets 201": 20,
            "patch externalsecrets/status 200": 20,
            "create events 201": 20,
        }


async def test_an_object_that_is_not_due_costs_nothing() -> None:
    """Events about the object, its Secret's metadata, its store and its namespace send no request and ask no backend."""
    async with running() as cluster:
        await cluster.fake({"k": "1"})
        await cluster.es("app", data=DATA)
        await cluster.synced("app")
        await cluster.quiet()
        mark, reads = len(cluster.trace()), len(cluster.probe.reads)
        await cluster.patch(SECRET, "app", {"metadata": {"labels": {"mine": "1"}, "annotations": {"note": "x"}}})
        await cluster.patch(NAMESPACE, "t", {"metadata": {"labels": {"colour": "red"}}})
        await cluster.patch(ES, "app", {"metadata": {"finalizers": [FINALIZER, "example.com/other"]}})
        await cluster.secret("unrelated", {"x": "1"})
        await cluster.set_fake({"k": "2"})

        async def checked() -> bool:
            return len(cluster.probe.validations) >= 2

        await cluster.eventually(checked)
        await cluster.quiet()
        assert since(cluster, mark) == {"patch clustersecretstores/status 200": 1}, "the generation that was checked"
        assert len(cluster.probe.reads) == reads


async def test_a_refresh_that_changes_nothing_costs_one_status_patch() -> None:
    """No Secret write, no event, no read."""
    async with running() as cluster:
        await cluster.fake({"k": "1"})
        await cluster.es("app", refreshInterval="1s", data=DATA)
        await cluster.synced("app")
        await cluster.quiet(0.1)
        mark, reads = len(cluster.trace()), len(cluster.probe.reads)

        async def three() -> bool:
            return len(cluster.probe.reads) >= reads + 3

        await cluster.eventually(three)
        sent = since(cluster, mark)
        assert set(sent) == {"patch externalsecrets/status 200"}
        assert 2 <= sent["patch externalsecrets/status 200"] <= 4


async def test_a_refresh_that_changes_something_costs_three_requests() -> None:
    """One Secret write, one status patch, one event."""
    async with running() as cluster:
        await cluster.fake({"k": "1"})
        await cluster.es("app", data=DATA)
        await cluster.synced("app")
        await cluster.quiet()
        await cluster.set_fake({"k": "2"})
        await cluster.quiet()
        mark = len(cluster.trace())
        await cluster.poke("app")
        await cluster.has_data("app", {"a": "2"})
        await cluster.quiet()
        assert since(cluster, mark) == {
            "update secrets 200": 1,
            "patch externalsecrets/status 200": 1,
            "create events 201": 1,
        }


async def test_adopting_a_secret_costs_one_read() -> None:
    """A Secret without the managed label is read once, live, when it is taken over."""
    async with running() as cluster:
        await cluster.fake({"k": "1"})
        await cluster.secret("app", {"a": "1", "z": "2"})
        await cluster.es("app", target={"creationPolicy": "CreateOrMerge"}, data=DATA)
        await cluster.synced("app")
        await cluster.quiet()
        assert cluster.requests("get", resource="secrets") == 1
        assert await cluster.data("app") == {"a": "1", "z": "2"}


async def test_identical_reads_of_many_objects_open_one_client() -> None:
    """A store is opened once, whoever reads from it."""
    async with running() as cluster:
        await cluster.fake({"k": "1"})
        for number in range(10):
            await cluster.es(f"es-{number}", data=DATA)
        for number in range(10):
            await cluster.synced(f"es-{number}")
        assert cluster.probe.opened == 1


async def test_a_drifted_target_is_repaired_with_two_writes_and_an_event() -> None:
    """An edit of the data, and a removed managed label, are undone at once."""
    async with running() as cluster:
        await cluster.fake({"k": "1"})
        await cluster.es("app", data=DATA)
        await cluster.synced("app")
        await cluster.quiet()
        mark = len(cluster.trace())
        await cluster.patch(SECRET, "app", {"stringData": {"a": "tampered"}})
        await cluster.has_data("app", {"a": "1"})
        await cluster.quiet()
        assert since(cluster, mark)["update secrets 200"] == 1
        assert not [line for line in since(cluster, mark) if line.startswith(("get", "list"))]
        await cluster.patch(SECRET, "app", {"metadata": {"labels": {MANAGED: None}}})

        async def labelled() -> None:
            secret = await cluster.get(SECRET, "app")
            assert secret is not None and secret["metadata"]["labels"][MANAGED] == "true"

        await cluster.eventually(labelled)


async def test_policy_none_touches_no_secret() -> None:
    """A Secret of the target's name stays as it is under creationPolicy None, label and all."""
    async with running() as cluster:
        await cluster.fake({"k": "1"})
        await cluster.secret("app", {"x": "1"})
        before = await cluster.get(SECRET, "app")
        await cluster.es("app", target={"creationPolicy": "None"}, data=DATA)
        await cluster.synced("app")
        await cluster.quiet()
        assert await cluster.get(SECRET, "app") == before
        assert cluster.requests("get", "update", "create", "patch", resource="secrets") == 0


async def test_a_secret_that_is_not_ours_is_not_deleted() -> None:
    """deletionPolicy Delete leaves a Secret alone that somebody else made, and the condition says why."""
    async with running() as cluster:
        await cluster.fake({})
        await cluster.secret("app", {"x": "1"})
        await cluster.es("app", target={"deletionPolicy": "Delete"}, data=DATA)
        await cluster.failed("app", "could not delete secret")
        await cluster.has_event("app", "Warning", "UpdateFailed", "this ExternalSecret does not own it")
        await cluster.delete(ES, "app")

        async def gone() -> bool:
            return await cluster.get(ES, "app") is None

        await cluster.eventually(gone)
        assert await cluster.data("app") == {"x": "1"}


async def test_a_copied_secret_is_no_orphan() -> None:
    """A copy of an owned Secret with its labels but without its owner survives a renamed target."""
    async with running() as cluster:
        await cluster.fake({"k": "1"})
        await cluster.es("app", target={"name": "old"}, data=DATA)
        await cluster.has_data("old", {"a": "1"})
        owned = await cluster.get(SECRET, "old")
        assert owned is not None
        metadata = {"name": "copy", "namespace": "t", "labels": owned["metadata"]["labels"]}
        await cluster.client.create({**owned, "metadata": metadata})
        await cluster.patch(ES, "app", {"spec": {"target": {"name": "new"}}})
        await cluster.has_data("new", {"a": "1"})
        await cluster.has_data("old", None)
        assert await cluster.data("copy") == {"a": "1"}


async def test_another_class_is_left_alone() -> None:
    """No finalizer, no status, no event for objects of a store of another controller class."""
    async with running() as cluster:
        await cluster.fake({"k": "1"}, controller="somebody-else")
        created = await cluster.es("app", data=DATA)
        await cluster.quiet(0.5)
        assert await cluster.get(ES, "app") == created
        assert (await cluster.ready("fake", kind=CSS)) == {}
        assert cluster.requests("create", "update", "patch") == 0


async def test_what_this_release_cannot_do_is_said_before_anything_happens() -> None:
    """A generator of a kind that is not built in leaves the target untouched and is named."""
    async with running() as cluster:
        await cluster.secret("app", {"x": "1"})
        metadata = {"name": "g", "namespace": "t"}
        kind = {"apiVersion": "generators.external-secrets.io/v1alpha1", "kind": "STSSessionToken"}
        await cluster.client.create({**kind, "metadata": metadata, "spec": {"region": "eu"}})
        await cluster.es("app", dataFrom=[{"sourceRef": {"generatorRef": {**kind, "name": "g"}}}])
        await cluster.failed("app", "could not get secret data from provider")
        message = await cluster.has_event("app", "Warning", "UpdateFailed")
        assert "generator not found: this operator has no STSSessionToken; it has: Fake, MFA, Password" in message
        await cluster.quiet()
        assert await cluster.data("app") == {"x": "1"} and cluster.probe.reads == []


async def test_an_unreadable_interval_is_a_condition_and_hurts_nobody_else() -> None:
    """B020 for ExternalSecrets: the field and its text are in the condition; the others sync."""
    async with running() as cluster:
        await cluster.fake({"k": "1"})
        await cluster.es("bad", refreshInterval="1d", data=DATA)
        await cluster.es("good", data=DATA)
        await cluster.synced("good")

        async def said() -> None:
            condition = await cluster.ready("bad")
            assert condition["status"] == "False"
            assert "spec.refreshInterval" in condition["message"] and "1d" in condition["message"]

        await cluster.eventually(said)
        await cluster.delete(ES, "bad")

        async def gone() -> bool:
            return await cluster.get(ES, "bad") is None

        await cluster.eventually(gone)


@pytest.mark.parametrize("interval", ["1h", 0])
async def test_a_corrected_object_is_ready_again_although_it_is_not_due(interval: str | int) -> None:
    """The refusal goes with its cause, without a read of the backend."""
    async with running() as cluster:
        await cluster.fake({"k": "1"})
        await cluster.es("app", refreshInterval=interval, data=DATA)
        await cluster.synced("app")
        reads = len(cluster.probe.reads)
        await cluster.patch(ES, "app", {"spec": {"refreshInterval": "1d"}})

        async def is_ready(status: str) -> None:
            assert (await cluster.ready("app"))["status"] == status

        await cluster.eventually(lambda: is_ready("False"))
        await cluster.patch(ES, "app", {"spec": {"refreshInterval": "0"}})
        await cluster.eventually(lambda: is_ready("True"))
        found = await cluster.get(ES, "app")
        assert found is not None and "lastError" not in found["status"]
        assert len(cluster.probe.reads) == reads


async def test_b106_a_single_namespace_is_never_left() -> None:
    """B106: no list or watch of namespaced kinds outside the namespace."""
    options = OperatorOptions(namespace="t", enable_cluster_store_reconciler=False)
    async with running(options=options) as cluster:
        await cluster.namespace("other")
        await cluster.fake({"k": "1"}, kind=SS, namespace="t", name="s")
        await cluster.fake({"k": "1"}, kind=SS, namespace="other", name="s")
        store = {"name": "s", "kind": "SecretStore"}
        await cluster.es("app", secretStoreRef=store, data=DATA)
        await cluster.es("app", namespace="other", secretStoreRef=store, data=DATA)
        await cluster.synced("app")
        await cluster.quiet()
        assert (await cluster.ready("app", namespace="other")) == {}
        for exchange in cluster.server.requests(user_agent=AGENT):
            target = exchange.target
            assert target is None or target.namespace == "t" or exchange.verb not in ("list", "watch"), exchange.uri


async def test_disabled_cluster_stores_are_said() -> None:
    """An object that names a ClusterSecretStore is told that this operator does without them."""
    async with running(options=OperatorOptions(enable_cluster_store_reconciler=False)) as cluster:
        await cluster.fake({"k": "1"})
        await cluster.es("app", data=DATA)
        await cluster.has_event("app", "Warning", "UpdateFailed", 'ClusterSecretStore "fake" cannot be used')
        assert (await cluster.ready("app"))["status"] == "False"


async def test_two_operators_share_a_process() -> None:
    """Two operators with different classes in one event loop serve their own objects only."""
    async with running() as cluster:
        await cluster.fake({"k": "1"})
        await cluster.fake({"k": "2"}, name="theirs", controller="second")
        await cluster.es("ours", data=DATA)
        await cluster.es("theirs", secretStoreRef={"name": "theirs", "kind": "ClusterSecretStore"}, data=DATA)
        await cluster.synced("ours")
        assert (await cluster.ready("theirs")) == {}
        async with operating(cluster, OperatorOptions(controller_class="second")):
            await cluster.synced("theirs")
        assert await cluster.data("theirs") == {"a": "2"}


async def test_annotations_of_kubectl_count_and_survive() -> None:
    """kubectl's annotation is part of the sync version of an object, and one on a merged Secret is kept by our writes."""
    applied = "kubectl.kubernetes.io/last-applied-configuration"
    async with running(start=False) as cluster:
        async with operating(cluster):
            await cluster.fake({"k": "1"})
            await cluster.client.create(
                {
                    "apiVersion": "v1",
                    "kind": "Secret",
                    "metadata": {"name": "app", "namespace": "t", "annotations": {applied: "{}"}},
                    "data": {"z": "eg=="},
                }
            )
            annotations = {applied: '{"kind":"ExternalSecret"}'}
            await cluster.es(
                "app", metadata={"annotations": annotations}, target={"creationPolicy": "Merge"}, data=DATA
            )
            await cluster.synced("app")
            await cluster.set_fake({"k": "2"})
            await cluster.poke("app")
            await cluster.has_data("app", {"a": "2", "z": "z"})
            await cluster.synced("app")
            await cluster.quiet()
            secret = await cluster.get(SECRET, "app")
            assert secret is not None and secret["metadata"]["annotations"][applied] == "{}"
            reads = len(cluster.probe.reads)
        async with operating(cluster):
            await cluster.quiet(0.5)
        assert len(cluster.probe.reads) == reads, "the version of the cached object is that of the object"
