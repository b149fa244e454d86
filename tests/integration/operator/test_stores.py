"""Stores: conditions, events, intervals, credentials, finalizers, metrics."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from controllers.externalsecret import reconciler
from controllers.operator import OperatorOptions
from eso_core.client import MergePatch
from eso_core.meta import ObjectKey
from eso_core.meta.wellknown import NAMESPACE, SECRET
from eso_core.metrics import render
from providers.errors import Unavailable
from providers.fake import FakeProvider
from providers.fake.spec import FakeSpec
from providers.interface import RemoteRef, SecretsClient, StoreContext, Validation
from providers.registry import Registry
from providers.spec import ProviderSpec
from tests.integration.operator.harness import CSS, ES, SS, Cluster, Probe, operating, running

DATA = [{"secretKey": "a", "remoteRef": {"key": "k"}}]


class _Selector:
    name: ClassVar[str] = "credential"
    key: ClassVar[str] = "token"
    namespace: ClassVar[str | None] = None


class _TokenClient(SecretsClient):
    def __init__(self, token: bytes) -> None:
        self._token = token

    async def get_secret(self, ref: RemoteRef) -> bytes:
        return self._token

    async def get_secret_map(self, ref: RemoteRef) -> dict[str, bytes]:
        return {}

    async def get_all_secrets(self, find: Any) -> dict[str, bytes]:
        return {}

    async def validate(self) -> Validation:
        if self._token != b"good":
            raise Unavailable("the backend refuses the token", retryable=False)
        return Validation()


class TokenProvider(FakeProvider):
    """Opens with a token from Secret `credential`, and accepts the token `good` only."""

    spec: ClassVar[type[ProviderSpec]] = FakeSpec

    def __init__(self, probe: Probe) -> None:
        super().__init__()

    async def open(self, spec: ProviderSpec, ctx: StoreContext) -> Any:
        return _TokenClient(await ctx.resolver.secret_value(_Selector()))


async def is_ready(cluster: Cluster, status: str, reason: str, *, name: str = "s", within: float = 10.0) -> None:
    async def check() -> None:
        condition = await cluster.ready(name, kind=SS)
        assert (condition["status"], condition["reason"]) == (status, reason), condition

    await cluster.eventually(check, within=within)


async def test_a_valid_store_says_what_it_can_do_and_says_it_once() -> None:
    """Condition and capabilities, one event for the result and one for the maintenance status, however often it is checked."""
    async with running() as cluster:
        await cluster.fake({"k": "1"}, name="s", kind=SS, namespace="t", refreshInterval="1s")
        await is_ready(cluster, "True", "Valid")

        async def checked() -> bool:
            return len(cluster.probe.validations) >= 4

        await cluster.eventually(checked)
        store = await cluster.get(SS, "s")
        assert store is not None and store["status"]["capabilities"] == "ReadWrite"
        events = [(type_, reason) for type_, reason, _ in await cluster.events("s")]
        assert events == [("Normal", "Valid"), ("Warning", "StoreUnmaintained")]
        assert cluster.requests("patch", resource="secretstores") == 1


async def test_the_ignore_annotation_silences_the_maintenance_event() -> None:
    """Any value of the annotation will do."""
    async with running() as cluster:
        await cluster.client.create(
            {
                "apiVersion": "external-secrets.io/v1",
                "kind": "SecretStore",
                "metadata": {
                    "name": "s",
                    "namespace": "t",
                    "annotations": {"external-secrets.io/ignore-maintenance-checks": ""},
                },
                "spec": {"provider": {"fake": {"data": []}}},
            }
        )
        await is_ready(cluster, "True", "Valid")
        await cluster.quiet()
        assert [reason for _, reason, _ in await cluster.events("s")] == ["Valid"]


async def test_an_unknown_result_is_ready_and_tells_capabilities() -> None:
    """ValidationUnknown passes the flood gate."""
    async with running() as cluster:
        await cluster.fake({"k": "1"}, provider={"validationResult": 1})
        await cluster.es("app", data=DATA)
        await cluster.synced("app")
        store = await cluster.get(CSS, "fake")
        assert store is not None
        assert store["status"]["conditions"][0]["reason"] == "ValidationUnknown"
        assert store["status"]["capabilities"] == "ReadWrite"


async def test_a_bad_interval_is_a_condition_that_names_the_field() -> None:
    """The store is not ready until the text can be read."""
    async with running() as cluster:
        await cluster.fake({"k": "1"}, name="s", kind=SS, namespace="t", refreshInterval="1d")
        await is_ready(cluster, "False", "InvalidProviderConfig")
        assert "spec.refreshInterval" in (await cluster.ready("s", kind=SS))["message"]
        await cluster.patch(SS, "s", {"spec": {"refreshInterval": 60}})
        await is_ready(cluster, "True", "Valid")


async def test_a_corrected_credential_wakes_store_and_users() -> None:
    """B018 by way of a Secret: the missing credential appears, then changes, and everything follows at once."""
    async with running(provider=TokenProvider) as cluster:
        await cluster.fake({}, name="s", kind=SS, namespace="t")
        await is_ready(cluster, "False", "InvalidProviderConfig")
        await cluster.has_event("s", "Warning", "InvalidProviderConfig", 'secrets "credential" not found')
        store = {"name": "s", "kind": "SecretStore"}
        await cluster.es("app", secretStoreRef=store, data=DATA)
        await cluster.failed("app", "could not get secret data from provider")
        await cluster.secret("credential", {"token": "bad"})
        await cluster.has_event("s", "Warning", "InvalidProviderConfig", "refuses the token", within=3)
        await cluster.patch(SECRET, "credential", {"stringData": {"token": "good"}})
        await is_ready(cluster, "True", "Valid", within=3)
        await cluster.synced("app", within=3)


async def test_a_store_that_no_push_secret_needs_loses_our_finalizer_only() -> None:
    """At its first pass, or at its end; those of others stay."""
    async with running() as cluster:
        await cluster.client.create(
            {
                "apiVersion": "external-secrets.io/v1",
                "kind": "SecretStore",
                "metadata": {
                    "name": "s",
                    "namespace": "t",
                    "finalizers": ["example.com/other", "secretstore.externalsecrets.io/finalizer"],
                },
                "spec": {"provider": {"fake": {"data": []}}},
            }
        )
        await is_ready(cluster, "True", "Valid")

        async def released() -> bool:
            found = await cluster.get(SS, "s")
            assert found is not None
            return bool(found["metadata"]["finalizers"] == ["example.com/other"])

        await cluster.eventually(released)
        await cluster.delete(SS, "s")
        await cluster.quiet()
        assert await released()


async def test_the_last_good_secret_outlives_its_store() -> None:
    """Neither an invalid nor a deleted store takes the Secret along."""
    async with running() as cluster:
        await cluster.fake({"k": "1"})
        await cluster.es("app", data=DATA)
        await cluster.synced("app")
        await cluster.delete(CSS, "fake")
        await cluster.poke("app")
        await cluster.failed("app", "could not get secret data from provider")
        assert await cluster.data("app") == {"a": "1"}


async def test_a_namespace_label_opens_a_cluster_store() -> None:
    """B084 and the watch of namespaces: an object denied by condition goes on when its namespace is relabelled."""
    async with running() as cluster:
        selector = {"matchExpressions": [{"key": "env", "operator": "In", "values": ["prod"]}]}
        await cluster.fake({"k": "1"}, conditions=[{"namespaceSelector": selector}])
        await cluster.es("app", data=DATA)
        await cluster.has_event("app", "Warning", "UpdateFailed", "denied by spec.condition")
        await cluster.patch(NAMESPACE, "t", {"metadata": {"labels": {"env": "prod"}}})
        await cluster.synced("app", within=3)


async def test_an_unknown_backend_is_named() -> None:
    """A store of a backend that is not built in says so, and so do its users."""
    async with running() as cluster:
        await cluster.client.create(
            {
                "apiVersion": "external-secrets.io/v1",
                "kind": "SecretStore",
                "metadata": {"name": "s", "namespace": "t"},
                "spec": {"provider": {"volcengine": {"region": "cn"}}},
            }
        )
        await is_ready(cluster, "False", "InvalidProviderConfig")
        message = await cluster.has_event("s", "Warning", "InvalidProviderConfig")
        assert message == "failed to find registered store backend for type: volcengine, name: s"
        condition = await cluster.ready("s", kind=SS)
        known = ", ".join(Registry(plugins=()).names)
        assert {"fake", "vault"} <= set(known.split(", "))
        assert condition["message"] == f"unable to create client: {message}; this operator has: {known}"


async def test_metric_series_live_as_long_as_their_objects() -> None:
    """Conditions, counts and durations appear, flip and go with the object."""
    async with running(options=OperatorOptions(extended_metric_labels=True)) as cluster:
        assert cluster.operator is not None
        registry = cluster.operator.manager.registry
        await cluster.fake({"k": "1"})
        labels = {"app.kubernetes.io/name": "shop", "name": "impostor"}
        await cluster.es("app", metadata={"labels": labels}, data=DATA)
        await cluster.synced("app")
        await cluster.quiet()
        text = render(registry)[0].decode()
        series = [line for line in text.splitlines() if line.startswith("externalsecret_")]
        ready = [line for line in series if 'condition="Ready",status="True"' in line]
        assert len(ready) == 1 and ready[0].endswith(" 1") and 'app_kubernetes_io_name="shop"' in ready[0]
        assert 'name="impostor"' not in text
        assert any(line.startswith("externalsecret_sync_calls_total{") for line in series)
        assert any(line.startswith("clustersecretstore_status_condition{") for line in text.splitlines())
        await cluster.patch(ES, "app", {"metadata": {"labels": {"app.kubernetes.io/name": "store"}}})
        await cluster.synced("app")
        assert 'app_kubernetes_io_name="shop"' not in render(registry)[0].decode()
        await cluster.delete(ES, "app")
        await cluster.delete(CSS, "fake")

        async def gone() -> bool:
            lines = render(registry)[0].decode().splitlines()
            return not [line for line in lines if 'name="app"' in line or 'name="fake"' in line]

        await cluster.eventually(gone)


async def _checked(cluster: Cluster, times: int) -> None:
    async def check() -> None:
        assert len(cluster.probe.validations) >= times

    await cluster.eventually(check)


async def _has_checked(cluster: Cluster, store: str) -> None:
    async def check() -> None:
        assert store in cluster.probe.validations

    await cluster.eventually(check)


async def test_a_restart_asks_no_backend_whether_what_was_valid_still_is() -> None:
    """The first check is at some moment of the interval; an edit of the store, or its interval, brings it as ever."""
    async with running(start=False) as cluster:
        async with operating(cluster):
            await cluster.fake({"k": "1"})
            await cluster.fake({"k": "1"}, name="often", refreshInterval=1)
            await _checked(cluster, 2)
            await cluster.quiet()
        store = await cluster.get(CSS, "fake")
        assert store is not None
        assert store["status"]["observedGeneration"] == store["metadata"]["generation"] == 1
        cluster.probe.validations.clear()
        async with operating(cluster) as operator:
            await _checked(cluster, 2)
            assert set(cluster.probe.validations) == {"often"}
            labels = {"condition": "Ready", "name": "fake", "namespace": "", "status": "True"}
            gauge = operator.manager.registry.get_sample_value("clustersecretstore_status_condition", labels)
            assert gauge == 1.0
            await cluster.set_fake({"k": "2"})
            await _has_checked(cluster, "fake")


async def test_a_store_that_changed_while_no_operator_ran_is_checked_at_its_start() -> None:
    """Its status is about another generation; so is one that an operator without the field left."""
    async with running(start=False) as cluster:
        async with operating(cluster):
            await cluster.fake({"k": "1"})
            await cluster.fake({"k": "1"}, name="plain")
            await _checked(cluster, 2)
            await cluster.quiet()
        await cluster.set_fake({"k": "2"})
        status = {"status": {"observedGeneration": None}}
        await cluster.client.patch(CSS, ObjectKey("", "plain"), MergePatch(status), subresource="status")
        cluster.probe.validations.clear()
        async with operating(cluster):
            await _has_checked(cluster, "fake")
            await _has_checked(cluster, "plain")
            await cluster.quiet()
        store = await cluster.get(CSS, "fake")
        assert store is not None
        assert store["status"]["observedGeneration"] == store["metadata"]["generation"] == 2


async def test_a_terminating_object_of_another_class_goes_when_nobody_lets_it_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """That class's operator has the first turn; without one, the object and its namespace would stay for ever."""
    monkeypatch.setattr(reconciler, "FOREIGN_GRACE", 3600.0)
    async with running() as cluster:
        await cluster.fake({"k": "1"})
        await cluster.es("app", target={"name": "target", "deletionPolicy": "Delete"}, data=DATA)
        await cluster.synced("app")
        await cluster.patch(CSS, "fake", {"spec": {"controller": "other"}})
        await cluster.quiet()
        await cluster.delete(ES, "app")
        await cluster.quiet()
        assert await cluster.get(ES, "app") is not None
        monkeypatch.setattr(reconciler, "FOREIGN_GRACE", 0.0)
        await cluster.patch(ES, "app", {"metadata": {"labels": {"look": "again"}}})

        async def gone() -> None:
            assert await cluster.get(ES, "app") is None and await cluster.get(SECRET, "target") is None

        await cluster.eventually(gone)
