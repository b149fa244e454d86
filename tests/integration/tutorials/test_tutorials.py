"""Manifests as tutorials write them, v1beta1 and numbers for durations included: they work as they are."""

from __future__ import annotations

import json
import re
import uuid
from pathlib import Path
from typing import Any

import pytest
import yaml

from eso_core.meta import GVK, ObjectKey
from eso_core.meta.wellknown import NAMESPACE
from tests.integration.openbao import BaoServer, openbao
from tests.integration.operator.harness import Cluster, JsonObject, operating, running

__all__ = ["openbao"]

MANIFESTS = Path(__file__).parent / "manifests"
PS = GVK("external-secrets.io", "v1alpha1", "PushSecret")


async def apply(cluster: Cluster, name: str) -> None:
    """Create every document of a manifest."""
    for document in yaml.safe_load_all((MANIFESTS / name).read_text()):
        await cluster.client.create(document)


async def vault_store(cluster: Cluster, bao: BaoServer, kind: str, name: str, *, path: str = "secret") -> None:
    """A store of the server's KV v2, in `production` or for the cluster."""
    where = {} if kind == "ClusterSecretStore" else {"namespace": "production"}
    await cluster.secret("root-token", {"token": "root"}, namespace="production")
    token = {"name": "root-token", "key": "token", **({"namespace": "production"} if not where else {})}
    provider = {"vault": {"server": bao.url, "path": path, "version": "v2", "auth": {"tokenSecretRef": token}}}
    await cluster.client.create(
        {
            "apiVersion": "external-secrets.io/v1",
            "kind": kind,
            "metadata": {"name": name, **where},
            "spec": {"provider": provider},
        }
    )


def stored(bao: BaoServer, key: str) -> Any:
    """Members of a secret, None when it is gone."""
    try:
        return bao.call("GET", f"secret/data/{key}")["data"]["data"]
    except RuntimeError as error:
        if "404" in str(error):
            return None
        raise


async def test_many_keys_go_into_vault_and_go_with_the_object(openbao: BaoServer) -> None:
    """Three paths, each a document; deleted there when the PushSecret is deleted."""
    documents = {"api-key": {"key": "k1"}, "db-url": {"url": "u"}, "redis-url": {"url": "r", "port": "6379"}}
    async with running() as cluster:
        await cluster.namespace("production")
        await vault_store(cluster, openbao, "SecretStore", "vault-backend")
        values = {name: json.dumps(document) for name, document in documents.items()}
        await cluster.secret("app-config", values, namespace="production")
        await apply(cluster, "push-many-keys.yaml")
        paths = {"api-key": "api-key", "db-url": "database-url", "redis-url": "redis-url"}

        async def there() -> None:
            for name, path in paths.items():
                assert stored(openbao, f"production/app/{path}") == documents[name]

        await cluster.eventually(there)
        await cluster.delete(PS, "push-all-app-secrets", namespace="production")

        async def gone() -> None:
            assert all(stored(openbao, f"production/app/{path}") is None for path in paths.values())

        await cluster.eventually(gone)


async def test_plain_text_without_a_property_names_the_mistake(openbao: BaoServer) -> None:
    """Vault keeps documents: the condition says which field helps."""
    async with running() as cluster:
        await cluster.namespace("production")
        await vault_store(cluster, openbao, "SecretStore", "vault-backend")
        values = {"api-key": "planted-value", "db-url": "planted-value", "redis-url": "planted-value"}
        await cluster.secret("app-config", values, namespace="production")
        await apply(cluster, "push-many-keys.yaml")

        async def told() -> None:
            condition = await cluster.ready("push-all-app-secrets", kind=PS, namespace="production")
            assert condition["status"] == "False"
            assert "set remoteRef.property to write it as one member" in condition["message"]
            assert "planted-value" not in json.dumps(
                await cluster.get(PS, "push-all-app-secrets", namespace="production")
            )

        await cluster.eventually(told)


async def test_a_password_is_made_once_although_its_interval_is_a_number() -> None:
    """32 characters, 6 digits, 4 of the symbols; `refreshInterval: 0` is accepted as `"0"`."""
    async with running() as cluster:
        await cluster.namespace("production")
        await apply(cluster, "password.yaml")
        await cluster.synced("generated-db-password", namespace="production")
        made = await cluster.data("db-password", namespace="production")
        assert made is not None and list(made) == ["password"]
        password = made["password"]
        assert len(password) == 32
        assert sum(sign.isdigit() for sign in password) == 6
        assert sum(sign in "!@#$%^&*" for sign in password) == 4
        await cluster.poke("generated-db-password", namespace="production")
        await cluster.quiet()
        assert await cluster.data("db-password", namespace="production") == made


async def test_an_identifier_survives_a_restart_of_the_operator() -> None:
    """A version 4 UUID, made once."""
    async with running() as cluster:
        await cluster.namespace("production")
        await apply(cluster, "uuid.yaml")
        await cluster.synced("service-identity", namespace="production")
        made = await cluster.data("service-id", namespace="production")
    assert made is not None
    assert uuid.UUID(made["uuid"]).version == 4 and re.fullmatch("[0-9a-f-]{36}", made["uuid"])
    async with running(start=False) as cluster:
        await cluster.namespace("production")
        await apply(cluster, "uuid.yaml")
        async with operating(cluster):
            await cluster.synced("service-identity", namespace="production")
            first = await cluster.data("service-id", namespace="production")
        async with operating(cluster):
            await cluster.quiet()
            assert await cluster.data("service-id", namespace="production") == first


@pytest.mark.parametrize("late", [False, True])
async def test_registry_credentials_are_in_every_production_namespace(openbao: BaoServer, late: bool) -> None:
    """Soon after a new one appears; removed when the label goes."""
    auth = '{"auths": {"registry.example.org": {"auth": "cm9ib3Q6dG9rZW4="}}}'
    openbao.call("PUT", "secret/data/shared/registry-auth", {"data": {"dockerconfig": auth}})
    async with running() as cluster:
        await cluster.namespace("production", env="production")
        await vault_store(cluster, openbao, "ClusterSecretStore", "central-vault")
        if not late:
            await cluster.namespace("second", env="production")
        await apply(cluster, "cluster-external-secret.yaml")
        if late:
            await cluster.synced("shared-registry-creds", namespace="production")
            await cluster.namespace("second", env="production")

        async def there() -> None:
            for namespace in ("production", "second"):
                assert await cluster.data("registry-credentials", namespace=namespace) == {".dockerconfigjson": auth}

        await cluster.eventually(there)
        await cluster.patch(NAMESPACE, "second", {"metadata": {"labels": {"env": None}}})

        async def gone() -> None:
            es = GVK("external-secrets.io", "v1", "ExternalSecret")
            assert await cluster.get(es, "shared-registry-creds", namespace="second") is None

        await cluster.eventually(gone)
        known: JsonObject = await cluster.client.get(
            GVK("external-secrets.io", "v1", "ClusterExternalSecret"), ObjectKey("", "shared-registry-creds")
        )
        assert known["spec"]["namespaceSelector"] == {"matchLabels": {"env": "production"}}
