"""PushSecrets with a real OpenBao server: what arrives, in how many versions, and what goes again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from controllers.externalsecret.names import sync_version
from eso_core.meta import GVK
from eso_core.meta.wellknown import SECRET
from tests.integration.openbao import BaoServer
from tests.integration.operator.harness import Cluster, running

PS = GVK("external-secrets.io", "v1alpha1", "PushSecret")
EXAMPLES = Path(__file__).parents[3] / "docs" / "examples" / "push"


async def prepare(cluster: Cluster, server: str, *, name: str = "bao", namespace: str = "t") -> None:
    """A namespaced store with the root token."""
    await cluster.secret("bao-token", {"token": "root"}, namespace=namespace)
    auth = {"tokenSecretRef": {"name": "bao-token", "key": "token"}}
    await cluster.client.create(
        {
            "apiVersion": "external-secrets.io/v1",
            "kind": "SecretStore",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"provider": {"vault": {"server": server, "path": "secret", "version": "v2", "auth": auth}}},
        }
    )


async def push(cluster: Cluster, name: str, *data: dict[str, Any], **spec: Any) -> None:
    body = {
        "refreshInterval": "1h",
        "secretStoreRefs": [{"name": "bao"}],
        "selector": {"secret": {"name": "src"}},
        "data": list(data),
        **spec,
    }
    metadata = {"name": name, "namespace": "t"}
    await cluster.client.create({"apiVersion": PS.api_version, "kind": PS.kind, "metadata": metadata, "spec": body})


def entry(secret_key: str, remote_key: str, property: str = "") -> dict[str, Any]:
    ref = {"remoteKey": remote_key, **({"property": property} if property else {})}
    return {"match": {"secretKey": secret_key, "remoteRef": ref}}


async def synced(cluster: Cluster, name: str, *, namespace: str = "t") -> None:
    async def check() -> None:
        obj = await cluster.get(PS, name, namespace=namespace)
        assert obj is not None
        metadata, status = obj["metadata"], obj["status"]
        wanted = sync_version(metadata["generation"], metadata.get("labels"), metadata.get("annotations"))
        assert status["conditions"][0]["reason"] == "Synced", status
        assert status["syncedResourceVersion"] == wanted

    await cluster.eventually(check)


def there(server: BaoServer, key: str) -> tuple[Any, int] | None:
    """Document and version of a key; None when there is none."""
    try:
        found = server.call("GET", f"secret/data/{key}")["data"]
    except RuntimeError:
        return None
    return found["data"], found["metadata"]["version"]


async def until(cluster: Cluster, check: Callable[[], bool]) -> None:
    async def now() -> bool:
        return check()

    await cluster.eventually(now)


async def test_the_example_puts_three_documents_there_and_takes_them_away(openbao: BaoServer) -> None:
    """As the manifest is written; the values are JSON objects, as the backend wants them."""
    values = {"api-key": {"key": "k"}, "db-url": {"url": "postgres://db"}, "redis-url": {"url": "redis://cache"}}
    async with running() as cluster:
        await cluster.namespace("production")
        await prepare(cluster, openbao.url, name="vault-backend", namespace="production")
        texts = {key: json.dumps(value) for key, value in values.items()}
        await cluster.secret("app-config", texts, namespace="production")
        manifest = yaml.safe_load((EXAMPLES / "many-keys.yaml").read_text())
        await cluster.client.create(manifest)
        name = manifest["metadata"]["name"]
        await synced(cluster, name, namespace="production")
        assert there(openbao, "production/app/api-key") == (values["api-key"], 1)
        assert there(openbao, "production/app/database-url") == (values["db-url"], 1)
        assert there(openbao, "production/app/redis-url") == (values["redis-url"], 1)
        await cluster.delete(PS, name, namespace="production")
        await until(cluster, lambda: there(openbao, "production/app/redis-url") is None)
        assert there(openbao, "production/app/api-key") is None
        assert there(openbao, "production/app/database-url") is None


async def test_an_unchanged_value_makes_no_new_version(openbao: BaoServer) -> None:
    """B050: order and spaces of the JSON do not count; a changed member does, once."""
    async with running() as cluster:
        await prepare(cluster, openbao.url)
        await cluster.secret("src", {"doc": '{ "b": "1",  "a": "2" }'})
        await push(cluster, "p", entry("doc", "ps/order"), refreshInterval="1s")
        await synced(cluster, "p")
        assert there(openbao, "ps/order") == ({"a": "2", "b": "1"}, 1)
        await cluster.patch(SECRET, "src", {"stringData": {"doc": '{"a":"2","b":"1"}'}})
        await cluster.patch(PS, "p", {"metadata": {"annotations": {"poke": "1"}}})
        await synced(cluster, "p")
        assert there(openbao, "ps/order") == ({"a": "2", "b": "1"}, 1)
        await cluster.patch(SECRET, "src", {"stringData": {"doc": '{"a":"3"}'}})
        await until(cluster, lambda: there(openbao, "ps/order") == ({"a": "3"}, 2))


async def test_the_first_property_makes_the_document_with_our_mark(openbao: BaoServer) -> None:
    """B051: nothing is there yet."""
    async with running() as cluster:
        await prepare(cluster, openbao.url)
        await cluster.secret("src", {"user": "ines"})
        await push(cluster, "p", entry("user", "ps/first", "username"))
        await synced(cluster, "p")
        assert there(openbao, "ps/first") == ({"username": "ines"}, 1)
        marks = openbao.call("GET", "secret/metadata/ps/first")["data"]["custom_metadata"]
        assert marks == {"managed-by": "external-secrets"}


async def test_push_secrets_that_share_a_document_lose_nothing(openbao: BaoServer) -> None:
    """Ten objects write a property each at the same time; all arrive, without a failure on the way."""
    async with running() as cluster:
        await prepare(cluster, openbao.url)
        await cluster.secret("src", {f"k{number}": f"v{number}" for number in range(10)})
        for number in range(10):
            await push(cluster, f"p{number}", entry(f"k{number}", "ps/shared", f"k{number}"), deletionPolicy="Delete")
        for number in range(10):
            await synced(cluster, f"p{number}")
        found = there(openbao, "ps/shared")
        assert found is not None
        assert found[0] == {f"k{number}": f"v{number}" for number in range(10)}
        for number in range(10):
            await cluster.has_event(f"p{number}", "Normal", "Synced")
            assert [reason for _, reason, _ in await cluster.events(f"p{number}")] == ["Synced"]
        for number in range(9):
            await cluster.delete(PS, f"p{number}")
        await until(cluster, lambda: (there(openbao, "ps/shared") or ({}, 0))[0] == {"k9": "v9"})
        await cluster.delete(PS, "p9")
        await until(cluster, lambda: there(openbao, "ps/shared") is None)


async def test_somebody_elses_secret_is_left_alone(openbao: BaoServer) -> None:
    """Neither written nor, at the end, deleted."""
    openbao.call("PUT", "secret/data/ps/theirs", {"data": {"k": "theirs"}})
    async with running() as cluster:
        await prepare(cluster, openbao.url)
        await cluster.secret("src", {"k": "ours"})
        await push(cluster, "p", entry("k", "ps/theirs", "k"), deletionPolicy="Delete")

        async def refused() -> None:
            condition = await cluster.ready("p", kind=PS)
            assert condition["status"] == "False"
            assert "secret not managed by external-secrets" in condition["message"]

        await cluster.eventually(refused)
        await cluster.delete(PS, "p")

        async def gone() -> bool:
            return await cluster.get(PS, "p") is None

        await cluster.eventually(gone)
        assert there(openbao, "ps/theirs") == ({"k": "theirs"}, 1)
