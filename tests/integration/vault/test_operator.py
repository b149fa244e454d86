"""The operator with stores of a real OpenBao server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from eso_core.aio import TaskScope
from eso_core.meta.wellknown import SECRET
from tests.integration.openbao import BaoServer
from tests.integration.operator.harness import ES, SS, Cluster, running


async def store(cluster: Cluster, server: str, *, name: str = "bao", auth: dict[str, Any] | None = None) -> None:
    """A SecretStore in namespace ``t`` with the root token unless told otherwise."""
    vault = {
        "server": server,
        "path": "secret",
        "auth": auth or {"tokenSecretRef": {"name": "bao-token", "key": "token"}},
    }
    await cluster.client.create(
        {
            "apiVersion": "external-secrets.io/v1",
            "kind": "SecretStore",
            "metadata": {"name": name, "namespace": "t"},
            "spec": {"provider": {"vault": vault}, "retrySettings": {"maxRetries": 0}},
        }
    )


def entry(key: str, prop: str = "", secret_key: str = "k") -> dict[str, Any]:
    ref = {"key": key} | ({"property": prop} if prop else {})
    return {"secretKey": secret_key, "remoteRef": ref}


async def es(cluster: Cluster, name: str, *data: dict[str, Any], store: str = "bao", **spec: Any) -> None:
    reference = {"kind": "SecretStore", "name": store}
    await cluster.es(name, secretStoreRef=reference, data=list(data), **spec)


def count(cluster: Cluster, call: str, status: str = "success") -> float:
    """How many requests the operator counted."""
    assert cluster.operator is not None
    labels = {"provider": "HashiCorp/Vault", "call": call, "status": status}
    value = cluster.operator.manager.registry.get_sample_value("externalsecret_provider_api_calls_count", labels)
    return value or 0.0


async def ready(cluster: Cluster, kind: Any, name: str, status: str) -> None:
    async def check() -> None:
        condition = await cluster.ready(name, kind=kind)
        assert condition.get("status") == status, condition

    await cluster.eventually(check)


async def test_values_become_a_secret(openbao: BaoServer) -> None:
    """Properties, an extract and a find, into one Secret each."""
    async with running() as cluster:
        await cluster.secret("bao-token", {"token": "root"})
        await store(cluster, openbao.url)
        await es(cluster, "data", entry("cf/app/db", "user"), entry("cf/app/db", "opts.pool.max", "max"))
        await es(cluster, "extract", dataFrom=[{"extract": {"key": "cf/app/cache"}}])
        await es(cluster, "find", dataFrom=[{"find": {"path": "cf/tagged", "tags": {"team": "blue"}}}])
        await cluster.has_data("data", {"k": "ines", "max": "10"})
        await cluster.has_data("extract", {"url": "redis://cache"})
        await cluster.has_data("find", {"cf_tagged_one": '{"n":"1"}', "cf_tagged_two": '{"n":"2"}'})


async def test_b099_properties_of_one_key_are_read_once_per_object_at_most(openbao: BaoServer) -> None:
    """Fifty objects with three properties each: at most fifty reads; one login for all of them."""
    async with running() as cluster:
        await cluster.secret("approle", {"id": "cf-secret-id"})
        role = {"path": "cf-approle", "roleId": "cf-role-id", "secretRef": {"name": "approle", "key": "id"}}
        await store(cluster, openbao.url, auth={"appRole": role})
        await ready(cluster, SS, "bao", "True")
        entries = [entry("cf/app/db", prop, prop) for prop in ("user", "pass", "port")]
        async with TaskScope("test") as scope:
            for number in range(50):
                scope.spawn(es(cluster, f"u{number}", *entries), name="create")
        for number in range(50):
            await cluster.synced(f"u{number}", within=20)
        assert await cluster.data("u7") == {"user": "ines", "pass": "new", "port": "5432"}
        assert 1 <= count(cluster, "ReadSecretData") <= 50
        assert count(cluster, "Login") == 1


async def test_b090_refreshes_leave_no_tokens_behind(tmp_path: Path) -> None:
    """One token while the operator runs, none after it stopped."""
    server = BaoServer.start(tmp_path)
    try:
        server.seed()
        before = server.accessors()
        async with running() as cluster:
            await cluster.secret("approle", {"id": "cf-secret-id"})
            role = {"path": "cf-approle", "roleId": "cf-role-id", "secretRef": {"name": "approle", "key": "id"}}
            await store(cluster, server.url, auth={"appRole": role})
            for number in range(10):
                await es(cluster, f"u{number}", entry("cf/app/db", "user"))
            for number in range(10):
                await cluster.synced(f"u{number}")
                await cluster.poke(f"u{number}")
                await cluster.synced(f"u{number}")
            assert len(server.accessors() - before) == 1
        assert server.accessors() == before
    finally:
        server.stop()


async def test_b091_missing_and_forbidden_are_told_apart(openbao: BaoServer) -> None:
    """Only what is missing counts for the deletion policy; the last good Secret stays otherwise."""
    async with running() as cluster:
        await cluster.secret("password", {"p": "open-sesame"})
        login = {"path": "cf-userpass", "username": "ines", "secretRef": {"name": "password", "key": "p"}}
        await store(cluster, openbao.url, auth={"userPass": login})
        path = "secret/data/cf/app/passing"
        openbao.call("PUT", path, {"data": {"k": "v"}})
        policy = {"deletionPolicy": "Delete"}
        await es(cluster, "deleted", entry("cf/app/passing", "k"), target=policy)
        await es(cluster, "forbidden", entry("cf/app/passing", "k"), target=policy)
        await cluster.has_data("deleted", {"k": "v"})
        await cluster.has_data("forbidden", {"k": "v"})
        await cluster.patch(ES, "forbidden", {"spec": {"data": [entry("cf/tagged/one", "n")]}})
        await cluster.failed("forbidden", "could not get secret data from provider")
        await cluster.has_event("forbidden", "Warning", "UpdateFailed", "permission denied")
        openbao.call("DELETE", path)
        await cluster.poke("deleted")
        await cluster.has_data("deleted", None)
        assert await cluster.data("forbidden") == {"k": "v"}


async def test_a_store_recovers_with_its_credentials_within_a_second_or_so(openbao: BaoServer) -> None:
    """A missing token Secret, then a wrong one, then the right one; what waits goes on by itself."""
    async with running() as cluster:
        await store(cluster, openbao.url)
        await es(cluster, "app", entry("cf/app/db", "user"))
        await ready(cluster, SS, "bao", "False")
        await cluster.has_event("bao", "Warning", "InvalidProviderConfig", 'secrets "bao-token" not found')
        await cluster.secret("bao-token", {"token": "nonsense"})
        await cluster.has_event("bao", "Warning", "InvalidProviderConfig", "permission denied")
        await cluster.patch(SECRET, "bao-token", {"stringData": {"token": "root"}})
        await cluster.has_data("app", {"k": "ines"}, within=5)
        await ready(cluster, SS, "bao", "True")


async def test_a_rotated_secret_id_is_used_without_a_failed_refresh(openbao: BaoServer) -> None:
    """The old token goes with the old client, the new one comes with a new login."""
    role = "auth/cf-approle/role/app/custom-secret-id"
    openbao.call("PUT", role, {"secret_id": "first-rotating-id"})
    openbao.call("PUT", role, {"secret_id": "second-rotating-id"})
    async with running() as cluster:
        await cluster.secret("approle", {"id": "first-rotating-id"})
        auth = {"path": "cf-approle", "roleId": "cf-role-id", "secretRef": {"name": "approle", "key": "id"}}
        await store(cluster, openbao.url, auth={"appRole": auth})
        await es(cluster, "app", entry("cf/app/db", "user"))
        await cluster.synced("app")
        await cluster.patch(SECRET, "approle", {"stringData": {"id": "second-rotating-id"}})

        async def again() -> bool:
            return count(cluster, "Login") == 2

        await cluster.eventually(again)
        await cluster.poke("app")
        await cluster.synced("app")
        assert count(cluster, "Login", "error") == 0
        assert count(cluster, "RevokeSelf") == 1


async def test_a_server_that_is_sealed_keeps_the_last_good_secret_and_recovers(tmp_path: Path) -> None:
    """The condition says what to do; unsealed, everything goes on by itself."""
    server = BaoServer.start(tmp_path)
    try:
        server.seed()
        key = server.unseal_key()
        async with running() as cluster:
            await cluster.secret("bao-token", {"token": "root"})
            await store(cluster, server.url)
            await es(cluster, "app", entry("cf/app/db", "user"), refreshInterval="1s")
            await cluster.has_data("app", {"k": "ines"})
            server.call("PUT", "sys/seal")
            await cluster.has_event("app", "Warning", "UpdateFailed", "Vault is sealed: unseal the Vault at")
            assert await cluster.data("app") == {"k": "ines"}
            server.call("PUT", "sys/unseal", {"key": key})
            await cluster.synced("app", within=15)
    finally:
        server.stop()
