"""Copies in many namespaces: made, changed, removed, and nothing of anybody else's touched."""

from __future__ import annotations

import time

from eso_core.client import ApiRequest, MergePatch
from eso_core.meta import GVK, ObjectKey
from eso_core.meta.wellknown import NAMESPACE, SECRET
from tests.integration.operator.harness import ES, Cluster, JsonObject, failure, running

CES = GVK("external-secrets.io", "v1", "ClusterExternalSecret")
CPS = GVK("external-secrets.io", "v1alpha1", "ClusterPushSecret")
CHILD: JsonObject = {
    "secretStoreRef": {"kind": "ClusterSecretStore", "name": "fake"},
    "refreshInterval": "1h",
    "data": [{"secretKey": "a", "remoteRef": {"key": "k"}}],
}
LABELLED = [{"matchLabels": {"team": "blue"}}]


async def ces(cluster: Cluster, name: str = "c", metadata: JsonObject | None = None, **spec: object) -> JsonObject:
    """Copies in namespaces with the label team=blue, unless the spec says otherwise."""
    body = {"externalSecretSpec": CHILD, "namespaceSelectors": LABELLED, **spec}
    return await cluster.client.create(
        {"apiVersion": CES.api_version, "kind": CES.kind, "metadata": {"name": name, **(metadata or {})}, "spec": body}
    )


async def where(cluster: Cluster, kind: GVK = ES) -> dict[str, str]:
    """Names of the copies by namespace."""
    return {item["metadata"]["namespace"]: item["metadata"]["name"] for item in (await cluster.client.list(kind)).items}


async def are(cluster: Cluster, wanted: dict[str, str]) -> None:
    """Wait until the copies are these."""

    async def check() -> None:
        assert await where(cluster) == wanted

    await cluster.eventually(check)


async def status(cluster: Cluster, name: str = "c") -> JsonObject:
    found: JsonObject = (await cluster.client.get(CES, ObjectKey("", name))).get("status") or {}
    return found


async def label(cluster: Cluster, namespace: str, value: str | None) -> None:
    await cluster.patch(NAMESPACE, namespace, {"metadata": {"labels": {"team": value}}})


async def test_copies_come_and_go_with_labels_and_the_name() -> None:
    """B077: in each selected namespace one, with its Secret; a namespace that does not match any more loses both."""
    async with running() as cluster:
        await cluster.fake({"k": "v"})
        for name in ("n1", "n2"):
            await cluster.namespace(name, team="blue")
        await cluster.namespace("other")
        await ces(cluster)
        await are(cluster, {"n1": "c", "n2": "c"})
        await label(cluster, "other", "blue")
        await are(cluster, {"n1": "c", "n2": "c", "other": "c"})
        await label(cluster, "n1", "red")
        await are(cluster, {"n2": "c", "other": "c"})
        if cluster.kube.in_process:
            await cluster.server.run_gc()

            async def collected() -> None:
                assert await cluster.data("c", namespace="n1") is None

            await cluster.eventually(collected)
        await cluster.client.patch(CES, ObjectKey("", "c"), MergePatch({"spec": {"externalSecretName": "renamed"}}))
        await are(cluster, {"n2": "renamed", "other": "renamed"})

        async def told() -> None:
            known = await status(cluster)
            assert known["provisionedNamespaces"] == ["n2", "other"]
            assert known["externalSecretName"] == "renamed"
            assert known["conditions"] == [{"type": "Ready", "status": "True"}]
            assert "failedNamespaces" not in known
            assert await cluster.data("renamed", namespace="n2") == {"a": "v"}

        await cluster.eventually(told)


async def test_a_name_that_is_taken_is_reported_and_left_alone() -> None:
    """B079: for its namespace; the others get their copies, and so does this one as soon as the name is free."""
    async with running() as cluster:
        await cluster.fake({"k": "v"})
        for name in ("n1", "n2"):
            await cluster.namespace(name, team="blue")
        mine = await cluster.es("c", namespace="n1", data=[{"secretKey": "mine", "remoteRef": {"key": "k"}}])
        await ces(cluster)

        async def told() -> None:
            known = await status(cluster)
            assert known["provisionedNamespaces"] == ["n2"]
            assert known["failedNamespaces"] == [
                {"namespace": "n1", "reason": "external secret already exists in namespace"}
            ]
            assert known["conditions"] == [
                {"type": "Ready", "status": "False", "message": "one or more namespaces failed"}
            ]

        await cluster.eventually(told)
        kept = await cluster.get(ES, "c", namespace="n1")
        assert kept is not None and kept["metadata"]["uid"] == mine["metadata"]["uid"]
        assert kept["spec"]["data"][0]["secretKey"] == "mine" and "ownerReferences" not in kept["metadata"]
        message = await _event(cluster, "c", "Failed")
        assert message == "n1: external secret already exists in namespace"
        await cluster.delete(ES, "c", namespace="n1")

        async def free() -> None:
            assert (await status(cluster))["provisionedNamespaces"] == ["n1", "n2"]

        # The name is free without an event of a copy of ours: the next look at the object sees it.
        await cluster.client.patch(CES, ObjectKey("", "c"), MergePatch({"metadata": {"annotations": {"poke": "1"}}}))
        await cluster.eventually(free)


async def test_a_copy_that_is_edited_or_deleted_is_put_right() -> None:
    """Spec, labels and annotations; its finalizer and status stay its own."""
    async with running() as cluster:
        await cluster.fake({"k": "v"})
        await cluster.namespace("n1", team="blue")
        # The annotation that forces a sync comes from the object alone.
        template = {"labels": {"l": "1"}, "annotations": {"a": "1", "external-secrets.io/force-sync": "template"}}
        await ces(cluster, externalSecretMetadata=template)
        await are(cluster, {"n1": "c"})
        edit = {"metadata": {"labels": {"l": "2", "x": "y"}}, "spec": {"refreshInterval": "5m"}}
        await cluster.patch(ES, "c", edit, namespace="n1")

        async def right() -> None:
            child = await cluster.get(ES, "c", namespace="n1")
            assert child is not None
            assert child["metadata"]["labels"] == {"l": "1"} and child["metadata"]["annotations"] == {"a": "1"}
            assert child["spec"]["refreshInterval"] == "1h"
            assert child["metadata"]["finalizers"]

        await cluster.eventually(right)
        await cluster.delete(ES, "c", namespace="n1")
        await cluster.eventually(right)
        await cluster.client.patch(
            CES,
            ObjectKey("", "c"),
            MergePatch({"metadata": {"annotations": {"external-secrets.io/force-sync": "now"}}}),
        )

        async def mirrored() -> None:
            child = await cluster.get(ES, "c", namespace="n1")
            assert child is not None
            assert child["metadata"]["annotations"] == {"a": "1", "external-secrets.io/force-sync": "now"}

        await cluster.eventually(mirrored)


async def test_deletion_removes_all_copies_and_what_the_original_left_on_namespaces() -> None:
    """Also copies that the status does not know, and finalizers of namespaces that do not match any more."""
    async with running() as cluster:
        await cluster.fake({"k": "v"})
        mark = "externalsecrets.external-secrets.io/ces-c"
        foreign = "externalsecrets.external-secrets.io/ces-other"
        await cluster.namespace("n1", team="blue")
        await cluster.patch(NAMESPACE, "n1", {"metadata": {"finalizers": [mark, foreign]}})
        await cluster.namespace("old")
        await cluster.patch(NAMESPACE, "old", {"metadata": {"finalizers": [mark]}})
        made = await ces(cluster)
        await are(cluster, {"n1": "c"})

        async def clean() -> None:
            for name, left in (("n1", [foreign]), ("old", [])):
                namespace = await cluster.get(NAMESPACE, name)
                assert namespace is not None
                assert (namespace["metadata"].get("finalizers") or []) == left

        await cluster.eventually(clean)
        # An orphan of a crash: owned, and in no status.
        owner = {
            "apiVersion": CES.api_version, "kind": CES.kind, "name": "c", "uid": made["metadata"]["uid"], "controller": True,
        }  # fmt: skip
        await cluster.client.patch(CES, ObjectKey("", "c"), MergePatch({"spec": {"namespaceSelectors": []}}))
        await are(cluster, {})
        await cluster.es("lost", namespace="old", metadata={"ownerReferences": [owner]}, data=CHILD["data"])
        await are(cluster, {})
        await cluster.client.delete(CES, ObjectKey("", "c"))

        async def gone() -> None:
            assert not (await cluster.client.list(CES)).items

        await cluster.eventually(gone)


async def test_what_cannot_be_read_is_named_and_removes_nothing() -> None:
    """A duration, a selector: the copies that are there stay."""
    async with running() as cluster:
        await cluster.fake({"k": "v"})
        await cluster.namespace("n1", team="blue")
        await ces(cluster)
        await are(cluster, {"n1": "c"})
        await cluster.client.patch(CES, ObjectKey("", "c"), MergePatch({"spec": {"refreshTime": "1d"}}))

        async def told() -> None:
            (condition,) = (await status(cluster))["conditions"]
            assert condition["status"] == "False"
            assert condition["message"].startswith("spec.refreshTime: ") and "write it like 1h" in condition["message"]

        await cluster.eventually(told)
        bad = [{"matchExpressions": [{"key": "team", "operator": "Like", "values": ["b"]}]}]
        await cluster.client.patch(
            CES, ObjectKey("", "c"), MergePatch({"spec": {"refreshTime": None, "namespaceSelectors": bad}})
        )

        async def named() -> None:
            known = await status(cluster)
            assert known["conditions"] == [
                {"type": "Ready", "status": "False", "message": "one or more namespaces failed"}
            ]
            (failed,) = known["failedNamespaces"]
            assert failed["namespace"] == "unknown" and failed["reason"].startswith("spec.namespaceSelectors[0]: ")
            assert known["provisionedNamespaces"] == ["n1"]

        await cluster.eventually(named)
        assert await where(cluster) == {"n1": "c"}


async def test_a_copy_that_the_server_refuses_is_told_in_its_words() -> None:
    """Only an edit helps: nothing is tried again before."""
    async with running() as cluster:
        await cluster.fake({"k": "v"})
        await cluster.namespace("n1", team="blue")
        await ces(cluster, externalSecretMetadata={"labels": {"not a label": "x"}})

        async def told() -> None:
            known = await status(cluster)
            assert known["conditions"] == [
                {"type": "Ready", "status": "False", "message": "one or more namespaces failed"}
            ]
            (failed,) = known["failedNamespaces"]
            text = 'could not create or update ExternalSecret: ExternalSecret.external-secrets.io "c" is invalid: metadata.labels: '
            assert failed["namespace"] == "n1" and failed["reason"].startswith(text), failed

        await cluster.eventually(told)
        assert cluster.requests("create", resource="externalsecrets") == 1
        edit = {"spec": {"externalSecretMetadata": {"labels": None}}}
        await cluster.client.patch(CES, ObjectKey("", "c"), MergePatch(edit))
        await are(cluster, {"n1": "c"})


async def test_a_namespace_that_failed_for_a_moment_is_tried_again_at_once() -> None:
    """Not an hour later: the server refuses one create and one delete."""
    async with running() as cluster:
        await cluster.fake({"k": "v"})
        await cluster.namespace("n1", team="blue")
        refused: list[str] = []

        def fault(request: ApiRequest) -> None:
            if (
                "externalsecrets" in request.path
                and request.method in ("POST", "DELETE")
                and request.method not in refused
            ):
                refused.append(request.method)
                raise failure(500, "InternalError", request)

        cluster.fault = fault
        await ces(cluster)
        await are(cluster, {"n1": "c"})
        await label(cluster, "n1", None)
        await are(cluster, {})
        assert refused == ["POST", "DELETE"]


async def test_with_nothing_to_do_nothing_is_written() -> None:
    """B078: not the status, not the copies; the object keeps its version."""
    async with running() as cluster:
        await cluster.fake({"k": "v"})
        for name in ("n3", "n1", "n2"):
            await cluster.namespace(name, team="blue")
        await ces(cluster)
        await are(cluster, {"n1": "c", "n2": "c", "n3": "c"})
        await cluster.quiet()
        before = await cluster.client.get(CES, ObjectKey("", "c"))
        assert before["status"]["provisionedNamespaces"] == ["n1", "n2", "n3"]
        sent = len(cluster.trace())
        # Somebody else's namespace, and a label that selects nothing else, are no reason to write.
        await cluster.namespace("other")
        await cluster.patch(NAMESPACE, "n1", {"metadata": {"labels": {"more": "x"}}})
        await cluster.quiet()
        assert [line for line in cluster.trace()[sent:] if not line.startswith("watch")] == []
        assert await cluster.client.get(CES, ObjectKey("", "c")) == before


async def test_sixty_namespaces_cost_five_requests_each_and_a_few_statuses() -> None:
    """One create of ours, and of the copy: Secret, status, two events; nothing is read."""
    async with running() as cluster:
        await cluster.fake({"k": "v"})
        for number in range(60):
            await cluster.namespace(f"n{number:02}", team="blue")
        await cluster.quiet()
        before = len(cluster.trace())
        started = time.monotonic()
        await ces(cluster)

        async def done() -> bool:
            return (
                len(
                    (
                        await cluster.client.list(SECRET, label_selector="reconcile.external-secrets.io/managed=true")
                    ).items
                )
                == 60
            )

        await cluster.eventually(done, within=30)
        await cluster.quiet()
        sent = [line for line in cluster.trace()[before:] if not line.startswith("watch")]
        assert len(sent) / 60 <= 5.1, sent
        assert [line for line in sent if line.startswith(("get", "list"))] == []
        assert len([line for line in sent if "clusterexternalsecrets/status" in line]) <= 5
        assert time.monotonic() - started < 30


async def test_cluster_push_secrets_push_from_every_namespace() -> None:
    """Their copies go by garbage collection; a name that is taken is reported."""
    async with running() as cluster:
        await cluster.fake({})
        for name in ("n1", "n2"):
            await cluster.namespace(name, team="blue")
            await cluster.secret("source", {"k": "v"}, namespace=name)
        spec = {
            "pushSecretSpec": {
                "secretStoreRefs": [{"name": "fake", "kind": "ClusterSecretStore"}],
                "selector": {"secret": {"name": "source"}},
                "data": [{"match": {"secretKey": "k", "remoteRef": {"remoteKey": "copy"}}}],
            },
            "namespaceSelectors": LABELLED,
        }
        await cluster.client.create(
            {"apiVersion": CPS.api_version, "kind": CPS.kind, "metadata": {"name": "p"}, "spec": spec}
        )

        async def told() -> None:
            known = (await cluster.client.get(CPS, ObjectKey("", "p")))["status"]
            assert known["provisionedNamespaces"] == ["n1", "n2"] and known["pushSecretName"] == "p"
            assert known["conditions"][0]["status"] == "True" and known["conditions"][0]["lastTransitionTime"]

        await cluster.eventually(told)
        assert await where(cluster, GVK("external-secrets.io", "v1alpha1", "PushSecret")) == {"n1": "p", "n2": "p"}
        bad = [{"matchExpressions": [{"key": "team", "operator": "Like", "values": ["b"]}]}]
        await cluster.client.patch(CPS, ObjectKey("", "p"), MergePatch({"spec": {"namespaceSelectors": bad}}))

        async def errored() -> None:
            known = (await cluster.client.get(CPS, ObjectKey("", "p")))["status"]
            (condition,) = known["conditions"]
            assert (condition["status"], condition["reason"]) == ("False", "Errored")
            assert condition["message"].startswith("failed to get target Namespaces: spec.namespaceSelectors[0]: ")
            assert known["provisionedNamespaces"] == ["n1", "n2"] and "failedNamespaces" not in known

        await cluster.eventually(errored)
        assert (await _event(cluster, "p", "Errored")).startswith("failed to get target Namespaces: ")


async def _event(cluster: Cluster, name: str, reason: str) -> str:
    async def look() -> str:
        for item in (await cluster.client.list(GVK("", "v1", "Event"))).items:
            if item["involvedObject"]["name"] == name and item["reason"] == reason:
                found: str = item["message"]
                return found
        raise AssertionError(f"no event {reason}")

    return await cluster.eventually(look)
