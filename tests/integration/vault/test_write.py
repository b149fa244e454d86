"""Pushing into a real OpenBao server."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from providers import ErrorKind, InvalidData, ProviderError, PushData, RemoteRef
from tests.integration.openbao import BaoServer


async def push(pool: Any, store: Any, values: dict[str, bytes], key: str, secret_key: str = "", prop: str = "") -> None:
    async with pool.client(store, "ns") as client:
        await client.push_secret(values, PushData(key, secret_key=secret_key, property=prop))


async def delete(pool: Any, store: Any, key: str, prop: str = "") -> None:
    async with pool.client(store, "ns") as client:
        await client.delete_secret(RemoteRef(key, prop))


async def exists(pool: Any, store: Any, key: str, prop: str = "") -> bool:
    async with pool.client(store, "ns") as client:
        found: bool = await client.secret_exists(RemoteRef(key, prop))
        return found


def look(bao: BaoServer, path: str) -> Any:
    """What is at a path, None when there is nothing."""
    try:
        return bao.call("GET", path)["data"]
    except RuntimeError as error:
        if f"{path}: 404" in str(error):
            return None
        raise


def stored(bao: BaoServer, key: str) -> Any:
    """Members of a secret, None when it is gone."""
    return (look(bao, f"secret/data/{key}") or {}).get("data")


def metadata(bao: BaoServer, key: str) -> Any:
    """What KV v2 knows of a secret, None when it is gone."""
    return look(bao, f"secret/metadata/{key}")


async def test_all_keys_a_document_and_properties_are_written_with_our_mark(
    pool: Any, vault_store: Any, openbao: BaoServer
) -> None:
    """And every one once: what is there already makes no new version."""
    store = vault_store()
    values = {"user": b"ines", "doc": b'{ "b": {"c": ["d", 1.50]}, "a": 12 }'}
    for _ in range(3):
        await push(pool, store, values, "w/whole")
        await push(pool, store, values, "w/doc", "doc")
        await push(pool, store, values, "w/props", "user", "name")
        await push(pool, store, values, "w/props", "", "all")
    assert stored(openbao, "w/whole") == {"user": "ines", "doc": '{ "b": {"c": ["d", 1.50]}, "a": 12 }'}
    assert stored(openbao, "w/doc") == {"a": 12, "b": {"c": ["d", 1.5]}}
    assert stored(openbao, "w/props") == {
        "name": "ines",
        "all": json.dumps({"doc": values["doc"].decode(), "user": "ines"}, separators=(",", ":")),
    }
    for key, versions in (("w/whole", 1), ("w/doc", 1), ("w/props", 2)):
        known = metadata(openbao, key)
        assert known["custom_metadata"] == {"managed-by": "external-secrets"}
        assert known["current_version"] == versions, key


async def test_a_number_that_the_server_rounds_makes_no_version_at_every_interval(
    pool: Any, vault_store: Any, openbao: BaoServer
) -> None:
    """B050: KV v2 of OpenBao keeps doubles."""
    store = vault_store()
    for _ in range(3):
        await push(pool, store, {"doc": b'{"big": 8019210420527506405}'}, "w/big", "doc")
    assert metadata(openbao, "w/big")["current_version"] == 1
    await push(pool, store, {"doc": b'{"big": 8019210420527999999}'}, "w/big", "doc")
    assert metadata(openbao, "w/big")["current_version"] == 2


async def test_other_order_and_spaces_are_no_change(pool: Any, vault_store: Any, openbao: BaoServer) -> None:
    """B050: documents are compared, not their texts."""
    store = vault_store()
    await push(pool, store, {"doc": b'{ "b": "1",  "a": "2" }'}, "w/order", "doc")
    await push(pool, store, {"doc": b'{"a":"2","b":"1"}'}, "w/order", "doc")
    assert metadata(openbao, "w/order")["current_version"] == 1


async def test_a_property_replaces_what_is_no_text(pool: Any, vault_store: Any, openbao: BaoServer) -> None:
    """B128: one new version, the other members as they were."""
    store = vault_store()
    await push(pool, store, {"doc": b'{"port": 5432, "host": "h"}'}, "w/port", "doc")
    for _ in range(2):
        await push(pool, store, {"p": b"5433"}, "w/port", "p", "port")
    assert stored(openbao, "w/port") == {"port": "5433", "host": "h"}
    assert metadata(openbao, "w/port")["current_version"] == 2


async def test_what_is_not_ours_is_neither_overwritten_nor_deleted(
    pool: Any, vault_store: Any, openbao: BaoServer
) -> None:
    """The error names the key and the two ways out."""
    store = vault_store()
    openbao.call("PUT", "secret/data/w/foreign", {"data": {"theirs": "1"}})
    with pytest.raises(InvalidData, match='secret not managed by external-secrets: "w/foreign"'):
        await push(pool, store, {"a": b"x"}, "w/foreign")
    with pytest.raises(InvalidData, match="not managed"):
        await push(pool, store, {"a": b"x"}, "w/foreign", "a", "mine")
    await delete(pool, store, "w/foreign")
    await delete(pool, store, "w/foreign", "theirs")
    assert stored(openbao, "w/foreign") == {"theirs": "1"}
    assert metadata(openbao, "w/foreign")["current_version"] == 1


async def test_custom_metadata_of_others_stays(pool: Any, vault_store: Any, openbao: BaoServer) -> None:
    """Tags that somebody put on our secret are not wiped by the next push."""
    store = vault_store()
    await push(pool, store, {"a": b"1"}, "w/tags")
    openbao.call(
        "PUT", "secret/metadata/w/tags", {"custom_metadata": {"managed-by": "external-secrets", "team": "blue"}}
    )
    await push(pool, store, {"a": b"2"}, "w/tags")
    assert stored(openbao, "w/tags") == {"a": "2"}
    assert metadata(openbao, "w/tags")["custom_metadata"] == {"managed-by": "external-secrets", "team": "blue"}


async def test_properties_are_taken_back_one_by_one_and_the_secret_with_the_last(
    pool: Any, vault_store: Any, openbao: BaoServer
) -> None:
    """With its metadata and all versions; what is gone already is fine."""
    store = vault_store()
    await push(pool, store, {"a": b"1"}, "w/props2", "a", "one")
    await push(pool, store, {"a": b"2"}, "w/props2", "a", "two")
    assert await exists(pool, store, "w/props2")
    assert await exists(pool, store, "w/props2", "one")
    assert not await exists(pool, store, "w/props2", "three")
    await delete(pool, store, "w/props2", "three")
    await delete(pool, store, "w/props2", "one")
    assert stored(openbao, "w/props2") == {"two": "2"}
    await delete(pool, store, "w/props2", "two")
    assert metadata(openbao, "w/props2") is None
    await delete(pool, store, "w/props2", "two")
    await delete(pool, store, "w/props2")
    assert not await exists(pool, store, "w/props2")


async def test_a_secret_whose_latest_version_was_deleted_is_written_again(
    pool: Any, vault_store: Any, openbao: BaoServer
) -> None:
    """Check-and-set wants the number of the deleted version then."""
    store = vault_store(checkAndSet={"required": True})
    await push(pool, store, {"a": b"1"}, "w/deleted")
    openbao.call("DELETE", "secret/data/w/deleted")
    assert not await exists(pool, store, "w/deleted")
    await push(pool, store, {"a": b"2"}, "w/deleted")
    assert stored(openbao, "w/deleted") == {"a": "2"}
    assert metadata(openbao, "w/deleted")["current_version"] == 2


async def test_writers_of_different_properties_do_not_undo_each_other(
    pool: Any, vault_store: Any, openbao: BaoServer
) -> None:
    """Two stores are two clients, as two operators would be: check-and-set makes the slower one begin anew."""
    stores = [vault_store("one"), vault_store("two")]
    await push(pool, stores[0], {"v": b"0"}, "w/raced", "v", "p0")
    await asyncio.gather(
        *(push(pool, stores[number % 2], {"v": b"x"}, "w/raced", "v", f"p{number}") for number in range(1, 5))
    )
    assert stored(openbao, "w/raced") == {"p0": "0", "p1": "x", "p2": "x", "p3": "x", "p4": "x"}


async def test_the_mark_of_kv_v1_is_inside_of_the_secret(pool: Any, vault_store: Any, openbao: BaoServer) -> None:
    """It is no member when values are compared, and goes with the last of them."""
    store = vault_store(path="cf-kv1", version="v1")
    for _ in range(2):
        await push(pool, store, {"a": b"1"}, "w/one", "a", "p")
    assert look(openbao, "cf-kv1/w/one") == {"p": "1", "custom_metadata": {"managed-by": "external-secrets"}}
    with pytest.raises(InvalidData, match="not managed"):
        await push(pool, store, {"a": b"1"}, "app/db", "a", "p")
    await delete(pool, store, "w/one", "p")
    assert look(openbao, "cf-kv1/w/one") is None


@pytest.mark.parametrize(
    ("values", "secret_key", "prop", "message"),
    [
        ({"a": b"no json"}, "a", "", "error unmarshalling vault secret: invalid JSON format"),
        ({"a": b"[1]"}, "a", "", "error unmarshalling vault secret: invalid JSON format"),
        ({"a": b"\xff\xfe"}, "a", "p", 'the value of "a" is not UTF-8 text'),
        ({"a": b"\xff\xfe"}, "", "", 'the value of "a" is not UTF-8 text'),
        ({"a": b"x"}, "b", "p", "failed to find secret key in secret with key: b"),
    ],
)
async def test_what_does_not_fit_is_refused_without_its_value(
    pool: Any, vault_store: Any, openbao: BaoServer, values: dict[str, bytes], secret_key: str, prop: str, message: str
) -> None:
    """Nothing is written, not even the mark."""
    with pytest.raises(InvalidData) as caught:
        await push(pool, vault_store(), values, "w/refused", secret_key, prop)
    assert str(caught.value).startswith(message)
    assert "no json" not in str(caught.value)
    assert metadata(openbao, "w/refused") is None


async def test_a_policy_that_forbids_writing_is_named(pool: Any, vault_store: Any, cluster: Any) -> None:
    """Denied is nobody's secret."""
    cluster.put("Secret", "ns", "approle", secret="cf-secret-id")
    auth = {
        "appRole": {"path": "cf-approle", "roleId": "cf-role-id", "secretRef": {"name": "approle", "key": "secret"}}
    }
    with pytest.raises(ProviderError, match="403") as caught:
        await push(pool, vault_store(auth=auth), {"a": b"1"}, "cf/app/denied")
    assert caught.value.kind is ErrorKind.CREDENTIALS


async def test_nothing_is_pushed_into_a_mount_that_is_not_there(pool: Any, vault_store: Any) -> None:
    """And that is not called done, in either version."""
    for version in ("v1", "v2"):
        with pytest.raises(ProviderError, match="no handler for route"):
            await push(pool, vault_store(version, path="gone", version=version), {"k": b"v"}, "a", "k", "p")
