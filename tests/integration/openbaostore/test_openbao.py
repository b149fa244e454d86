"""The openBao backend against a real server."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from eso_core.aio import SystemClock
from providers import (
    ClientPool,
    ErrorKind,
    Find,
    InvalidData,
    InvalidSpec,
    NoSecret,
    NotSupported,
    ProviderError,
    ProviderOptions,
    PushData,
    Registry,
    RemoteRef,
    Store,
    find_cause,
)
from providers.openbao import OpenBaoProvider
from providers.testing import Backend, MemoryCluster, ProviderContract
from tests.integration.openbao import BaoServer, openbao

__all__ = ["openbao"]


@pytest.fixture
async def pool() -> AsyncIterator[ClientPool]:
    kube = MemoryCluster()
    kube.put("Secret", "ns", "bao-token", token="root")
    kube.put("Secret", "ns", "user", password="open-sesame")
    kube.put("Secret", "ns", "role", secret="cf-secret-id", id="cf-role-id")
    async with ClientPool(
        Registry(plugins=()), kube, SystemClock(), options=ProviderOptions(request_timeout=10)
    ) as pool:
        yield pool


def store(bao: BaoServer, kind: str = "SecretStore", **spec: Any) -> Store:
    """A store of the server's KV v2 mount `secret`, unless told otherwise."""
    auth = {"tokenSecretRef": {"name": "bao-token", "key": "token"}}
    backend = {"server": bao.url, "path": "secret", "auth": auth, **spec}
    namespace = "" if kind == "ClusterSecretStore" else "ns"
    return Store(
        kind=kind, name="ob", namespace=namespace, uid="u", generation=1, spec={"provider": {"openBao": backend}}
    )


async def get(pool: ClientPool, made: Store, key: str, prop: str = "", version: str = "") -> bytes:
    async with pool.client(made, "ns") as client:
        return await client.get_secret(RemoteRef(key, prop, version))


async def test_secrets_members_and_versions_are_read(pool: ClientPool, openbao: BaoServer) -> None:
    """A property is the name of a member, never a path."""
    made = store(openbao)
    assert json.loads(await get(pool, made, "cf/app/cache")) == {"url": "redis://cache"}
    assert await get(pool, made, "cf/app/db", "dotted.key") == b"literal"
    assert await get(pool, made, "cf/app/db", "pass", "1") == b"old"
    with pytest.raises(InvalidData, match='cannot find secret data for key: "opts.pool.max"'):
        await get(pool, made, "cf/app/db", "opts.pool.max")
    with pytest.raises(InvalidSpec, match=r"invalid Ref\.Version: "):
        await get(pool, made, "cf/app/db", "", "one")
    async with pool.client(made, "ns") as client:
        assert (await client.get_secret_map(RemoteRef("cf/app/db")))["opts"] == b'{"pool":{"max":10},"tags":["a","b"]}'
        assert await client.get_secret_map(RemoteRef("cf/encoded", "doc")) == {"in": b'{"ner":"x"}'}


async def test_what_is_missing_deletes_nothing(pool: ClientPool, openbao: BaoServer) -> None:
    """As in the original it is an error, not "there is no such secret"; a deleted version is null."""
    made = store(openbao)
    with pytest.raises(ProviderError, match="secret not found: at secret/data/cf/none") as caught:
        await get(pool, made, "cf/none")
    assert type(caught.value) is ProviderError and caught.value.kind is ErrorKind.MISSING
    assert await get(pool, made, "cf/gone") == b"null"


async def test_find_lists_one_level_below_its_path(pool: ClientPool, openbao: BaoServer) -> None:
    """Folders are no secrets; names are those of the folder."""
    async with pool.client(store(openbao), "ns") as client:
        found = await client.get_all_secrets(Find(path="cf/app", name_regexp="."))
        assert sorted(found) == ["cache", "db"]
        assert json.loads(found["cache"]) == {"url": "redis://cache"}
        assert await client.get_all_secrets(Find(path="cf/nowhere", name_regexp=".")) == {}
        with pytest.raises(NotSupported, match="tag based search is not implemented"):
            await client.get_all_secrets(Find(tags={"team": "blue"}))
        with pytest.raises(InvalidSpec, match="find.name.regexp"):
            await client.get_all_secrets(Find())


@pytest.mark.parametrize(
    "auth",
    [
        {"userPass": {"path": "cf-userpass", "username": "ines", "secretRef": {"name": "user", "key": "password"}}},
        {"appRole": {"path": "cf-approle", "roleId": "cf-role-id", "secretRef": {"name": "role", "key": "secret"}}},
        {
            "appRole": {
                "path": "cf-approle",
                "roleRef": {"name": "role", "key": "id"},
                "secretRef": {"name": "role", "key": "secret"},
            }
        },
    ],
)
async def test_every_login_works(pool: ClientPool, openbao: BaoServer, auth: dict[str, Any]) -> None:
    """A user, and a role by value and by reference."""
    assert await get(pool, store(openbao, auth=auth), "cf/app/cache", "url") == b"redis://cache"


async def test_the_check_looks_at_the_mount(pool: ClientPool, openbao: BaoServer) -> None:
    """Its type and version; a store without credentials of its own is not checked."""
    async with pool.client(store(openbao), "ns") as client:
        assert str((await client.validate()).state) == "Ready"
    for path, version, text in (
        ("cf-kv1", "v2", "expected kv engine version 2 found version 1"),
        ("cubbyhole", "v2", 'expected mount type "kv" found "cubbyhole"'),
        ("nowhere", "v2", "error while validating"),
    ):
        made = store(openbao, path=path, version=version)
        made = Store(
            **{name: getattr(made, name) for name in ("kind", "namespace", "generation", "spec")}, name=path, uid=path
        )
        async with pool.client(made, "ns") as client:
            with pytest.raises(ProviderError, match=text):
                await client.validate()
    async with pool.client(store(openbao, "ClusterSecretStore"), "") as client:
        assert str((await client.validate()).state) == "Unknown"


async def test_kv_v1_has_no_versions(pool: ClientPool, openbao: BaoServer) -> None:
    """And its paths have no data segment."""
    made = store(openbao, path="cf-kv1", version="v1")
    assert await get(pool, made, "app/db", "user") == b"one"
    with pytest.raises(NotSupported, match="do not support versioning"):
        await get(pool, made, "app/db", "user", "1")


async def test_it_only_reads(pool: ClientPool, openbao: BaoServer) -> None:
    """Pushing and deleting say so."""
    async with pool.client(store(openbao), "ns") as client:
        with pytest.raises(NotSupported, match="push secret is not supported"):
            await client.push_secret({"a": b"b"}, PushData("x"))
        with pytest.raises(NotSupported, match="delete secret is not supported"):
            await client.delete_secret(RemoteRef("x"))
        with pytest.raises(NotSupported, match="^not implemented$"):
            await client.secret_exists(RemoteRef("x"))


async def test_a_selector_into_another_namespace_is_refused(pool: ClientPool, openbao: BaoServer) -> None:
    """Of a SecretStore; the message has the original's name of the field."""
    auth = {"tokenSecretRef": {"name": "bao-token", "key": "token", "namespace": "other"}}
    with pytest.raises(InvalidSpec, match=r"invalid Auth\.TokenSecretRef: "):
        await get(pool, store(openbao, auth=auth), "cf/app/cache")


class TestOpenBao(ProviderContract):
    """The contract of all backends."""

    @pytest.fixture
    async def backend(self, openbao: BaoServer) -> AsyncIterator[Backend]:
        prefix = uuid.uuid4().hex

        async def put(key: str, value: bytes) -> None:
            async with aiohttp.ClientSession(openbao.url, headers={"X-Vault-Token": "root"}) as session:
                async with session.post(f"/v1/secret/data/{key}", json={"data": json.loads(value)}) as answer:
                    assert answer.status == 200

        def spec(server: str = openbao.url, secret: str = "login") -> dict[str, object]:
            return {"server": server, "path": "secret", "auth": {"tokenSecretRef": {"name": secret, "key": "token"}}}

        yield Backend(
            OpenBaoProvider(),
            spec(),
            put,
            secrets={"login": {"token": b"root"}, "wrong": {"token": b"no-token-of-this-server"}},
            denied=spec(secret="wrong"),
            unreachable=spec(server="http://127.0.0.1:9"),
            key=lambda word: f"{prefix}/{word}",
            documents=True,
        )

    async def test_a_missing_secret_is_told_as_such(self, backend: Backend) -> None:
        """An ordinary error, as users of the original know it: nothing is ever deleted because of it."""
        async with backend.open() as client:
            with pytest.raises(ProviderError) as caught:
                await client.get_secret(RemoteRef(backend.key("never-stored")))
        assert find_cause(caught.value, NoSecret) is None
        assert not caught.value.retryable

    async def test_a_server_that_is_down_names_the_field_of_this_backend(self, backend: Backend) -> None:
        """It shares the client with `vault`, but not its place in the store."""
        async with backend.open(backend.unreachable) as client:
            with pytest.raises(ProviderError, match=r"check spec\.provider\.openBao\.server"):
                await client.get_secret(RemoteRef("k"))

    async def test_secrets_are_found_by_name(self, backend: Backend) -> None:
        """One level below the path: the contract's keys are in a folder of their own."""
        for word, value in {"find-a": b"1", "find-b": b"2", "other": b"x"}.items():
            await backend.keep(word, value)
        folder = backend.key("").rstrip("/")
        async with backend.open() as client:
            found = await client.get_all_secrets(Find(path=folder, name_regexp="find-"))
            assert {name: json.loads(value) for name, value in found.items()} == {
                "find-a": {"value": "1"},
                "find-b": {"value": "2"},
            }
            assert await client.get_all_secrets(Find(path=folder, name_regexp="^no-such-name$")) == {}
