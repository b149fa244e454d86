"""Targets of other kinds than Secret."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from controllers.operator import OperatorOptions
from eso_core.meta import GVK
from eso_core.meta.wellknown import CONFIG_MAP, SECRET
from tests.integration.operator.harness import ES, SS, Cluster, running

JsonObject = dict[str, Any]
DATA = [{"secretKey": "a", "remoteRef": {"key": "k"}}]
OPTIONS = OperatorOptions(allow_generic_targets=True)
MAP = {"apiVersion": "v1", "kind": "ConfigMap"}
STORE = {"apiVersion": "external-secrets.io/v1", "kind": "SecretStore"}


async def becomes(
    cluster: Cluster, name: str, data: JsonObject, kind: GVK = CONFIG_MAP, field: str = "data"
) -> JsonObject:
    """Wait until the object holds exactly this."""

    async def check() -> JsonObject:
        obj = await cluster.get(kind, name)
        assert obj is not None and obj.get(field) == data, obj
        return obj

    return await cluster.eventually(check)


async def reason(cluster: Cluster, name: str, wanted: str) -> None:
    """Wait for the reason of the Ready condition."""

    async def check() -> None:
        condition = await cluster.ready(name)
        assert condition["reason"] == wanted, condition

    await cluster.eventually(check)


async def test_without_the_flag_nothing_is_written() -> None:
    """The condition and the event say which flag it takes."""
    async with running() as cluster:
        await cluster.fake({"k": "1"})
        await cluster.es("app", target={"manifest": MAP}, data=DATA)
        await cluster.failed("app", "invalid generic target")
        await cluster.has_event("app", "Warning", "UpdateFailed", "--unsafe-allow-generic-targets")
        assert await cluster.get(CONFIG_MAP, "app") is None and cluster.probe.reads == []


async def test_drift_is_repaired_and_a_refresh_without_change_writes_nothing() -> None:
    """Edits and deletions are undone; what others put beside the data stays."""
    async with running(options=OPTIONS) as cluster:
        await cluster.fake({"k": "1"})
        await cluster.es("app", target={"manifest": MAP, "template": {"data": {"x": "{{ .a }}"}}}, data=DATA)
        await becomes(cluster, "app", {"x": "1"})
        await reason(cluster, "app", "ResourceSynced")
        await cluster.quiet()
        await cluster.patch(CONFIG_MAP, "app", {"metadata": {"labels": {"their": "s"}}, "data": {"x": "2", "y": "3"}})
        obj = await becomes(cluster, "app", {"x": "1"})
        assert obj["metadata"]["labels"]["their"] == "s"
        await cluster.delete(CONFIG_MAP, "app")
        await becomes(cluster, "app", {"x": "1"})
        await cluster.quiet()
        before = cluster.requests("create", "update", "patch", resource="configmaps")
        await cluster.poke("app")
        await cluster.quiet()
        assert cluster.requests("create", "update", "patch", resource="configmaps") == before


async def test_defaults_of_the_server_are_no_drift() -> None:
    """An object of a kind with defaults is read at its refresh alone."""
    async with running(options=OPTIONS) as cluster:
        await cluster.fake({"k": "1"})
        literal = (
            "refreshInterval: 1h\nsecretStoreRef: {name: none}\ndata: [{secretKey: k, remoteRef: {key: '{{ .a }}'}}]"
        )
        template = {"templateFrom": [{"target": "spec", "literal": literal}]}
        manifest = {"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret"}
        await cluster.es("app", target={"name": "made", "manifest": manifest, "template": template}, data=DATA)
        await reason(cluster, "app", "ResourceSynced")
        made = await cluster.get(ES, "made")
        assert made is not None and made["spec"]["target"]["creationPolicy"] == "Owner"
        await cluster.quiet()
        reads = len(cluster.probe.reads)
        await cluster.patch(ES, "made", {"metadata": {"annotations": {"x": "y"}}})
        await cluster.quiet()
        assert len(cluster.probe.reads) == reads


async def test_a_foreign_object_is_not_taken_and_not_deleted() -> None:
    """Whoever controls it is respected in writing and in deleting."""
    async with running(options=OPTIONS) as cluster:
        await cluster.fake({"k": "1"})
        owner = await cluster.client.create({**MAP, "metadata": {"name": "owner", "namespace": "t"}})
        reference = {**MAP, "name": "owner", "uid": owner["metadata"]["uid"], "controller": True}
        metadata = {"name": "app", "namespace": "t", "ownerReferences": [reference]}
        await cluster.client.create({**MAP, "metadata": metadata, "data": {"x": "theirs"}})
        await cluster.es("app", target={"manifest": MAP, "deletionPolicy": "Delete"}, data=DATA)
        await cluster.failed("app", "failed to take ownership of target secret")
        await cluster.delete(ES, "app")

        async def gone() -> bool:
            return await cluster.get(ES, "app") is None

        await cluster.eventually(gone)
        await becomes(cluster, "app", {"x": "theirs"})


async def test_a_secret_as_manifest_holds_base64() -> None:
    """Kind Secret through the manifest is a Secret that works."""
    async with running(options=OPTIONS) as cluster:
        await cluster.fake({"k": "1"})
        manifest = {"apiVersion": "v1", "kind": "Secret"}
        await cluster.es("plain", target={"manifest": manifest}, data=DATA)
        await cluster.es("shaped", target={"manifest": manifest, "template": {"data": {"x": "<{{ .a }}>"}}}, data=DATA)
        await becomes(cluster, "plain", {"a": base64.b64encode(b"1").decode()}, SECRET)
        await becomes(cluster, "shaped", {"x": base64.b64encode(b"<1>").decode()}, SECRET)


async def test_sources_are_rendered_once_and_go_where_they_are_told() -> None:
    """A ConfigMap's template with a path as target; braces in values are not run."""
    async with running(options=OPTIONS) as cluster:
        await cluster.fake({"k": "{{ .a }}"})
        layout = {"v": "{{ .a | quote }}"}
        await cluster.client.create({**MAP, "metadata": {"name": "layout", "namespace": "t"}, "data": layout})
        source = {"name": "layout", "items": [{"key": "v"}]}
        template = {
            "templateFrom": [
                {"target": "spec.provider.fake.data[0]", "literal": "key: x"},
                {"target": "spec.provider.fake.data[0].value", "configMap": source},
            ]
        }
        await cluster.es("app", target={"name": "made", "manifest": STORE, "template": template}, data=DATA)
        wanted = {"fake": {"data": [{"key": "x", "value": "{{ .a }}"}]}}
        await becomes(cluster, "made", {"provider": wanted}, SS, "spec")


async def test_kinds_are_watched_while_they_are_used() -> None:
    """No watch before, one with the first user, none after the last."""
    async with running(options=OPTIONS) as cluster:
        await cluster.fake({"k": "1"})
        assert cluster.requests("list", "watch", resource="configmaps") == 0
        await cluster.es("app", target={"manifest": MAP}, data=DATA)
        await becomes(cluster, "app", {"a": "1"})
        await cluster.quiet()
        assert cluster.requests("watch", resource="configmaps") >= 1
        await cluster.delete(ES, "app")

        async def unwatched() -> bool:
            assert cluster.operator is not None
            return all(i.spec.view != "generic-targets" for i in cluster.operator.manager.cache.informers())

        await cluster.eventually(unwatched)


async def test_a_kind_that_is_not_served_is_said() -> None:
    """The condition is there, and the object heals when the kind is."""
    async with running(options=OPTIONS) as cluster:
        await cluster.fake({"k": "1"})
        await cluster.es("app", target={"manifest": {"apiVersion": "no.such/v1", "kind": "Thing"}}, data=DATA)
        await cluster.failed("app", "could not get target resource")


async def test_a_cluster_scoped_kind_is_no_target() -> None:
    """The condition says so, no such object is made, and the object can be deleted."""
    async with running(options=OPTIONS) as cluster:
        await cluster.fake({"k": "1"})
        manifest = {"apiVersion": "v1", "kind": "Namespace"}
        await cluster.es("app", target={"name": "n", "manifest": manifest, "deletionPolicy": "Delete"}, data=DATA)
        await cluster.failed("app", "could not get target resource")
        await reason(cluster, "app", "ResourceSyncedError")
        await cluster.has_event(
            "app", "Warning", "UpdateFailed", "spec.target.manifest.kind: Namespace is a cluster-scoped"
        )
        assert cluster.requests("create", resource="namespaces") == 0 and cluster.probe.reads == []
        await cluster.delete(ES, "app")

        async def gone() -> None:
            assert await cluster.get(ES, "app") is None

        await cluster.eventually(gone)


async def test_a_refused_object_gets_no_binding_and_says_once_what_failed() -> None:
    """`status.binding` is the name of a Secret; the condition has the cause once."""
    async with running(options=OPTIONS) as cluster:
        await cluster.fake({"k": "1"})
        await cluster.es("one", target={"name": "conf", "manifest": MAP}, data=DATA)
        await becomes(cluster, "conf", {"a": "1"})
        await cluster.es("two", target={"name": "conf", "manifest": MAP}, data=DATA)
        await cluster.failed("two", "target is owned by another ExternalSecret")
        two = await cluster.get(ES, "two")
        assert two is not None and two["status"]["binding"] == {"name": ""}
        template = {"data": {"x": "{{ .nope }}"}}
        await cluster.es("three", target={"name": "other", "manifest": MAP, "template": template}, data=DATA)
        await reason(cluster, "three", "ResourceSyncedError")
        message = (await cluster.ready("three"))["message"]
        assert message.startswith("could not apply template to manifest: could not execute template: ")


@pytest.mark.parametrize(
    ("target", "literal"),
    [
        ("metadata.namespace", "other"),
        ("metadata.name", "other"),
        ("metadata.resourceVersion", "'1'"),
        ("kind", "Secret"),
        ("apiVersion", "rbac.authorization.k8s.io/v1"),
        ("metadata", "{labels: {a: b}}"),
        ("metadata", "text"),
        ("metadata.labels", "text"),
        ("metadata.annotations", "[a]"),
        ("metadata.ownerReferences", "{a: b}"),
        ("metadata.ownerReferences[1]", "text"),
        ("metadata.finalizers", "text"),
    ],
)
async def test_a_template_does_not_say_which_object_the_target_is(target: str, literal: str) -> None:
    """Spec 1.12: it is always the one of spec.target in the ExternalSecret's namespace; what is no metadata is an error."""
    async with running(options=OPTIONS) as cluster:
        await cluster.namespace("other")
        await cluster.fake({"k": "1"})
        template = {"templateFrom": [{"target": target, "literal": literal}, {"target": "labels", "literal": "x: y"}]}
        await cluster.es("app", target={"manifest": MAP, "template": template}, data=DATA)
        await reason(cluster, "app", "ResourceSyncedError")
        text = await cluster.has_event("app", "Warning", "UpdateFailed", "could not apply template to manifest: ")
        assert "metadata" in text
        assert await cluster.get(CONFIG_MAP, "app") is None and cluster.requests("create", resource="configmaps") == 0


async def test_a_template_may_write_all_of_the_metadata() -> None:
    """As long as it is the same object's; our own marks are there in any case."""
    async with running(options=OPTIONS) as cluster:
        await cluster.fake({"k": "1"})
        template = {"templateFrom": [{"target": "metadata", "literal": "{name: app, namespace: t, labels: {a: b}}"}]}
        await cluster.es("app", target={"manifest": MAP, "template": template}, data=DATA)
        await reason(cluster, "app", "ResourceSynced")
        made = await cluster.get(CONFIG_MAP, "app")
        assert made is not None
        assert made["metadata"]["labels"]["a"] == "b"
        assert made["metadata"]["labels"]["reconcile.external-secrets.io/managed"] == "true"
        assert "reconcile.external-secrets.io/data-hash" in made["metadata"]["annotations"]
        assert made["metadata"]["ownerReferences"][0]["name"] == "app"


async def test_what_the_server_refuses_is_told_in_its_words() -> None:
    """Without method, path and code of the request."""
    async with running(options=OPTIONS) as cluster:
        await cluster.fake({"k": "1"})
        template = {"data": {"a b": "1"}}
        await cluster.es("app", target={"manifest": MAP, "template": template}, data=DATA)
        text = await cluster.has_event("app", "Warning", "UpdateFailed", 'ConfigMap "app" is invalid: data[a b]')
        assert text.startswith('unable to update ConfigMap app: ConfigMap "app" is invalid: ')


async def test_a_kind_that_cannot_be_keeps_nobody() -> None:
    """A version that is none is said, and neither it nor a kind that is not served holds back the deletion."""
    async with running(options=OPTIONS) as cluster:
        await cluster.fake({"k": "1"})
        for name, version in (("malformed", "a/b/c"), ("unserved", "no.such/v1")):
            manifest = {"apiVersion": version, "kind": "Thing"}
            await cluster.es(name, target={"manifest": manifest, "deletionPolicy": "Delete"}, data=DATA)
            await cluster.failed(name, "could not get target resource")
            await reason(cluster, name, "ResourceSyncedError")
            await cluster.delete(ES, name)

            async def gone(name: str = name) -> None:
                assert await cluster.get(ES, name) is None

            await cluster.eventually(gone)
