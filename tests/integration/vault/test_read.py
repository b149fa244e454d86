"""Reading from a real OpenBao server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from providers import (
    ErrorKind,
    Find,
    InvalidData,
    InvalidSpec,
    MetadataPolicy,
    NoSecret,
    NotSupported,
    ProviderError,
    RemoteRef,
    find_cause,
)

WHOLE = (
    '{"dotted.key":"literal","html":"\\u003c\\u0026\\u003e","none":null,'
    '"opts":{"pool":{"max":10},"tags":["a","b"]},"pass":"new","port":5432,"ratio":0.25,"tls":true,"user":"ines"}'
)


async def get(pool: Any, store: Any, key: str, prop: str = "", version: str = "", fetch: bool = False) -> bytes:
    policy = MetadataPolicy.FETCH if fetch else MetadataPolicy.NONE
    async with pool.client(store, "ns") as client:
        value: bytes = await client.get_secret(RemoteRef(key, prop, version, policy))
        return value


async def extract(pool: Any, store: Any, key: str, prop: str = "") -> dict[str, bytes]:
    async with pool.client(store, "ns") as client:
        members: dict[str, bytes] = await client.get_secret_map(RemoteRef(key, prop))
        return members


async def find(pool: Any, store: Any, **what: Any) -> dict[str, bytes]:
    async with pool.client(store, "ns") as client:
        found: dict[str, bytes] = await client.get_all_secrets(Find(**what))
        return found


@pytest.mark.parametrize(
    ("prop", "expected"),
    [
        ("", WHOLE),
        ("user", "ines"),
        ("port", "5432"),
        ("tls", "true"),
        ("ratio", "0.25"),
        ("opts", '{"pool":{"max":10},"tags":["a","b"]}'),
        ("opts.pool.max", "10"),
        ("opts.tags.1", "b"),
        ("dotted.key", "literal"),
        ("none", ""),
        ("html", "<&>"),
    ],
)
async def test_a_document_and_its_properties(pool: Any, vault_store: Any, prop: str, expected: str) -> None:
    """A key of that very name comes before a path; numbers keep their digits."""
    assert await get(pool, vault_store(), "cf/app/db", prop) == expected.encode()


async def test_versions(pool: Any, vault_store: Any) -> None:
    """An old one, the current one by number, and one that never was."""
    assert await get(pool, vault_store(), "cf/app/db", "pass", "1") == b"old"
    assert await get(pool, vault_store(), "cf/app/db", "pass", "2") == b"new"
    with pytest.raises(NoSecret):
        await get(pool, vault_store(), "cf/app/db", "pass", "99")


@pytest.mark.parametrize("key", ["cf/none", "cf/gone"])
async def test_a_missing_or_deleted_secret_is_no_secret(pool: Any, vault_store: Any, key: str) -> None:
    """For reads, extracts and in both KV versions; nothing else is."""
    with pytest.raises(NoSecret, match=r"^Secret does not exist$"):
        await get(pool, vault_store(), key, "k")
    with pytest.raises(NoSecret):
        await extract(pool, vault_store(), key)
    with pytest.raises(NoSecret):
        await extract(pool, vault_store(path="cf-kv1", version="v1"), key)


async def test_a_mount_that_is_not_there_is_no_missing_secret(pool: Any, vault_store: Any) -> None:
    """The Secrets of a store whose mount was disabled, or mistyped, stay under deletionPolicy Delete."""
    for read in (get(pool, vault_store(path="gone"), "app"), find(pool, vault_store(path="gone"), name_regexp=".")):
        with pytest.raises(ProviderError, match="no handler for route .*check the mount") as caught:
            await read
        assert find_cause(caught.value, NoSecret) is None and caught.value.kind is ErrorKind.SPEC
    with pytest.raises(InvalidData, match="versioned K/V secrets engine.*check spec.provider.vault.version"):
        await get(pool, vault_store("v1", version="v1"), "app")


async def test_a_missing_property_is_an_ordinary_error_that_names_it(pool: Any, vault_store: Any) -> None:
    """Deletion policies do not see it."""
    with pytest.raises(InvalidData, match=r'^cannot find secret data for key: "nope.x"$') as caught:
        await get(pool, vault_store(), "cf/app/db", "nope.x")
    assert find_cause(caught.value, NoSecret) is None
    assert not caught.value.retryable


async def test_what_the_token_may_not_read_is_never_missing(pool: Any, vault_store: Any, cluster: Any) -> None:
    """Access denied must not delete anybody's Secret."""
    cluster.put("Secret", "ns", "password", p="open-sesame")
    store = vault_store(
        auth={"userPass": {"path": "cf-userpass", "username": "ines", "secretRef": {"name": "password", "key": "p"}}}
    )
    with pytest.raises(ProviderError) as caught:
        await get(pool, store, "cf/tagged/one")
    assert str(caught.value).startswith("cannot read secret data from Vault: GET http")
    assert "403: " in str(caught.value)
    assert "permission denied" in str(caught.value)
    assert caught.value.kind is ErrorKind.CREDENTIALS
    assert not caught.value.retryable
    assert find_cause(caught.value, NoSecret) is None


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("secret", "cf/app/db"),
        ("secret", "secret/cf/app/db"),
        ("secret", "secret/data/cf/app/db"),
        ("secret", "cf//app/db/"),
        (None, "secret/cf/app/db"),
        (None, "secret/data/cf/app/db"),
    ],
)
async def test_ways_to_write_a_key(pool: Any, vault_store: Any, path: str | None, key: str) -> None:
    """With and without the mount in the store or in the key."""
    assert await get(pool, vault_store(path=path), key, "user") == b"ines"


async def test_names_are_encoded_in_the_url(pool: Any, vault_store: Any) -> None:
    """Blanks, percent and plus signs reach the server as they are."""
    assert await get(pool, vault_store(), "odd/name with%20 blank+plus", "k") == b"odd"
    found = await find(pool, vault_store(), path="odd", name_regexp="blank")
    assert found == {"odd/name with%20 blank+plus": b'{"k":"odd"}'}


@pytest.mark.parametrize("key", ["", "/", "../sys/mounts", "cf/../../sys/mounts"])
async def test_keys_that_leave_the_mount_are_refused(pool: Any, vault_store: Any, key: str) -> None:
    """Before anything is sent."""
    with pytest.raises(ProviderError) as caught:
        await get(pool, vault_store(), key)
    assert caught.value.kind is ErrorKind.SPEC


async def test_extract_gives_the_members(pool: Any, vault_store: Any) -> None:
    """All JSON types in their byte form, of the document, a nested object, or JSON in a text."""
    assert await extract(pool, vault_store(), "cf/app/db") == {
        "user": b"ines",
        "pass": b"new",
        "port": b"5432",
        "tls": b"true",
        "ratio": b"0.25",
        "opts": b'{"pool":{"max":10},"tags":["a","b"]}',
        "dotted.key": b"literal",
        "none": b"",
        "html": b"<&>",
    }
    assert await extract(pool, vault_store(), "cf/app/db", "opts.pool") == {"max": b"10"}
    assert await extract(pool, vault_store(), "cf/encoded", "doc") == {"in": b'{"ner":"x"}'}


async def test_extract_of_something_that_is_no_object_does_not_quote_it(pool: Any, vault_store: Any) -> None:
    """The message names key and property."""
    with pytest.raises(InvalidData) as caught:
        await extract(pool, vault_store(), "cf/app/db", "user")
    assert 'property "user" of secret "cf/app/db" is not a JSON object' in str(caught.value)
    assert "ines" not in str(caught.value)


async def test_kv_version_1(pool: Any, vault_store: Any) -> None:
    """Reads, nested properties, extract and find without ``data`` and ``metadata`` in the paths."""
    store = vault_store(path="cf-kv1", version="v1")
    assert await get(pool, store, "app/db", "user") == b"one"
    assert await get(pool, store, "app/db", "nested.x", version="7") == b"y"
    assert await extract(pool, store, "app/db") == {"user": b"one", "nested": b'{"x":"y"}'}
    everything = {"app/db": b'{"nested":{"x":"y"},"user":"one"}', "app/other": b'{"k":"v"}'}
    assert await find(pool, store, path="app", name_regexp=".*") == everything
    assert await find(pool, store, name_regexp="^app/") == everything
    assert sorted(await find(pool, store)) == ["app/db", "app/other", "numbers"]
    with pytest.raises(NotSupported, match=r"^cannot perform find by tag operations with kv version v1$"):
        await find(pool, store, tags={"team": "blue"})
    with pytest.raises(NotSupported, match=r"^cannot perform metadata fetch operations with kv version v1$"):
        await get(pool, store, "app/db", fetch=True)
    no_mount = vault_store("bare", path=None, version="v1")
    assert await get(pool, no_mount, "cf-kv1/app/db", "user") == b"one"
    assert sorted(await find(pool, no_mount, path="cf-kv1/app", name_regexp="db$")) == ["cf-kv1/app/db"]


async def test_integers_keep_all_their_digits(pool: Any, vault_store: Any) -> None:
    """No number passes through a double on its way."""
    store = vault_store(path="cf-kv1", version="v1")
    assert await get(pool, store, "numbers", "big") == b"8019210420527506405"
    assert await get(pool, store, "numbers", "nested.big") == b"8019210420527506405"
    assert await extract(pool, store, "numbers") == {
        "big": b"8019210420527506405",
        "nested": b'{"big":8019210420527506405,"f":1.5}',
    }


async def test_find_by_name_searches_below_the_path_recursively(pool: Any, vault_store: Any) -> None:
    """The pattern is not anchored and sees the whole path; values are whole documents."""
    found = await find(pool, vault_store(), path="cf/app", name_regexp="db$|er$")
    assert found == {"cf/app/db": WHOLE.encode(), "cf/app/deep/er": b'{"k":"deep"}'}
    assert sorted(await find(pool, vault_store(), name_regexp="^cf/tagged/t")) == ["cf/tagged/three", "cf/tagged/two"]
    assert await find(pool, vault_store(), path="cf/app", name_regexp="nothing like it") == {}


async def test_find_by_tags_wants_all_of_them(pool: Any, vault_store: Any) -> None:
    """Custom metadata and the system's own; a name given too makes tags irrelevant."""
    store = vault_store()
    assert sorted(await find(pool, store, path="cf/tagged", tags={"team": "blue"})) == [
        "cf/tagged/one",
        "cf/tagged/two",
    ]
    assert await find(pool, store, path="cf/tagged", tags={"team": "blue", "stage": "live"}) == {
        "cf/tagged/two": b'{"n":"2"}'
    }
    assert sorted(await find(pool, store, path="cf/app", tags={"current_version": "2"})) == ["cf/app/db"]
    by_name = await find(pool, store, path="cf/tagged", name_regexp="three", tags={"team": "blue"})
    assert sorted(by_name) == ["cf/tagged/three"]


async def test_find_skips_deleted_secrets_and_keeps_empty_ones(pool: Any, vault_store: Any) -> None:
    """One of them does not spoil the rest."""
    assert await find(pool, vault_store(), path="mixed") == {"mixed/s1": b'{"a":"1"}', "mixed/s2": b"{}"}


async def test_find_in_a_folder_that_does_not_exist_is_no_secret(pool: Any, vault_store: Any) -> None:
    """As the original, so that deletion policies see it."""
    with pytest.raises(NoSecret):
        await find(pool, vault_store(), path="cf/nowhere", name_regexp=".*")


async def test_a_bad_pattern_is_named_before_anything_is_listed(pool: Any, vault_store: Any, calls: Any) -> None:
    """The user can find it in the manifest."""
    with pytest.raises(InvalidSpec, match=r"^could not compile find.name.regexp \[\(\]: "):
        await find(pool, vault_store(), name_regexp="(")
    assert calls.total("ListSecrets") == 0


async def test_a_folder_called_data_without_a_mount_path(pool: Any, vault_store: Any) -> None:
    """The mount ends at the segment ``data``, not at the first text like it."""
    store = vault_store(path=None)
    assert await get(pool, store, "appdata/data/svc", "k") == b"service"
    assert await get(pool, store, "appdata/data/svc", "team", fetch=True) == b"red"
    assert await find(pool, store, path="appdata/data", tags={"team": "red"}) == {
        "appdata/data/svc": b'{"k":"service"}'
    }
    with pytest.raises(InvalidSpec, match="provided Path isn't a valid kv v2 path"):
        await get(pool, store, "appdata/svc", "team", fetch=True)


async def test_metadata_instead_of_the_value(pool: Any, vault_store: Any) -> None:
    """Version, times and custom metadata, whole or by property; a missing secret is an ordinary error."""
    store = vault_store()
    assert await get(pool, store, "cf/tagged/one", "team", fetch=True) == b"blue"
    whole = json.loads(await get(pool, store, "cf/tagged/one", fetch=True))
    assert set(whole) == {"created_time", "current_version", "delete_version_after", "team", "stage"}
    assert whole["current_version"] == "1"
    with pytest.raises(InvalidData, match=r'^cannot find secret data for key: "team"$'):
        await get(pool, store, "cf/tagged/three", "team", fetch=True)
    with pytest.raises(InvalidData, match=r"^secret not found$"):
        await get(pool, store, "cf/none", fetch=True)


async def test_the_wrong_kv_version_is_explained(pool: Any, vault_store: Any, openbao: Any) -> None:
    """A v1 mount whose path looks like one of v2 answers without the inner object."""
    openbao.call("PUT", "cf-kv1/data/plain", {"k": "v"})
    try:
        with pytest.raises(InvalidData, match=r"failed to find data field.*check spec\.provider\.vault\.version"):
            await get(pool, vault_store(path="cf-kv1"), "plain", "k")
        with pytest.raises(InvalidData, match=r"\(Invalid path for a versioned K/V secrets engine"):
            await get(pool, vault_store("odd", path=None), "secret/cf/data/x")
    finally:
        openbao.call("DELETE", "cf-kv1/data/plain")


async def test_properties_of_one_key_are_one_request(pool: Any, vault_store: Any, calls: Any) -> None:
    """Within a session, and the counter says so."""
    async with pool.session("ns") as session:
        client = await session.client(vault_store())
        for prop in ("user", "pass", "opts.pool.max"):
            await client.get_secret(RemoteRef("cf/app/db", prop))
        await client.get_secret_map(RemoteRef("cf/app/db"))
    assert calls.seen == {("HashiCorp/Vault", "ReadSecretData", "success"): 1}
