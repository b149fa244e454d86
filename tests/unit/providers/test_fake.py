"""The fake backend."""

from __future__ import annotations

from typing import Any

import pytest

from eso_core.testing.clock import FakeClock
from providers import (
    ClientPool,
    Find,
    InvalidData,
    InvalidSpec,
    Maintenance,
    NoSecret,
    NotSupported,
    ProviderError,
    PushData,
    Registry,
    RemoteRef,
    ValidationState,
)

DATA = [
    {"key": "pin", "value": "0000"},
    {"key": "pin", "value": "1111", "version": "1"},
    {"key": "pin", "value": "2222", "version": "2"},
    {
        "key": "doc",
        "value": '{"name": "N", "n": 1.50, "big": 8019210420527506405, "foo.bar": "flat", "foo": {"bar": "deep"}}',
    },
    {"key": "deep", "value": '{"foo": {"bar": "deep"}}'},
    {"key": "path/to/user", "value": "u"},
]


@pytest.fixture
def pool(kube: Any, clock: FakeClock) -> ClientPool:
    return ClientPool(Registry(plugins=()), kube, clock)


def fake(store_of: Any, name: str = "s", data: Any = DATA, result: int | None = None, **more: Any) -> Any:
    spec: dict[str, Any] = {"data": data}
    if result is not None:
        spec["validationResult"] = result
    return store_of(name, provider={"fake": spec}, **more)


async def test_values_versions_and_properties(pool: Any, store_of: Any) -> None:
    """The version has to be exactly the one that is named; a missing property counts as a missing secret."""
    async with pool.client(fake(store_of), "ns") as client:
        assert await client.get_secret(RemoteRef("pin")) == b"0000"
        assert await client.get_secret(RemoteRef("pin", version="2")) == b"2222"
        assert await client.get_secret(RemoteRef("doc", "foo.bar")) == b"flat"
        assert await client.get_secret(RemoteRef("doc", r"foo\.bar")) == b"flat"
        assert await client.get_secret(RemoteRef("deep", "foo.bar")) == b"deep"
        for missing in (
            RemoteRef("nope"),
            RemoteRef("pin", version="3"),
            RemoteRef("pin1"),
            RemoteRef("doc", "nope"),
        ):
            with pytest.raises(NoSecret, match=r"^Secret does not exist$"):
                await client.get_secret(missing)


async def test_extract_keeps_the_text_of_members(pool: Any, store_of: Any) -> None:
    """Also of numbers that no double can hold."""
    async with pool.client(fake(store_of), "ns") as client:
        assert await client.get_secret_map(RemoteRef("doc")) == {
            "name": b"N",
            "n": b"1.50",
            "big": b"8019210420527506405",
            "foo.bar": b"flat",
            "foo": b'{"bar": "deep"}',
        }
        assert await client.get_secret_map(RemoteRef("doc", "foo")) == {"bar": b"deep"}
        with pytest.raises(InvalidData, match=r"^unable to unmarshal secret: invalid JSON format") as caught:
            await client.get_secret_map(RemoteRef("path/to/user"))
        assert not caught.value.retryable


async def test_find_takes_the_greatest_version_and_leaves_names_as_they_are(pool: Any, store_of: Any) -> None:
    """Rewrite rules see the slashes; tags and path do not count beside a name."""
    async with pool.client(fake(store_of), "ns") as client:
        assert await client.get_all_secrets(Find(name_regexp="^(pin|path/.*)$", path="x", tags={"a": "b"})) == {
            "pin": b"2222",
            "path/to/user": b"u",
        }
        assert await client.get_all_secrets(Find(name_regexp="submarine")) == {}
        with pytest.raises(NotSupported, match=r"^unsupported find operator: tags given"):
            await client.get_all_secrets(Find(tags={"a": "b"}))
        with pytest.raises(InvalidSpec, match=r"^could not compile find\.name\.regexp \[\(\]: missing \)"):
            await client.get_all_secrets(Find(name_regexp="("))
        with pytest.raises(InvalidSpec, match="could not compile"):
            await client.get_all_secrets(Find(name_regexp="a(?=b)"))


async def test_what_is_pushed_survives_a_new_generation_of_the_store(pool: Any, store_of: Any) -> None:
    """It belongs to the store's name; a key of the store itself wins over it and cannot be overwritten."""
    async with pool.client(fake(store_of), "ns") as client:
        await client.push_secret({"k": b"pushed"}, PushData("new", "k"))
        await client.push_secret({"k": b"pushed"}, PushData("empty"))
        assert await client.get_secret(RemoteRef("new")) == b"pushed"
        assert await client.get_secret(RemoteRef("empty")) == b""
        assert await client.secret_exists(RemoteRef("new"))
        assert not await client.secret_exists(RemoteRef("nope"))
        with pytest.raises(ProviderError, match=r"^key already exists$"):
            await client.push_secret({"k": b"x"}, PushData("doc", "k"))
        await client.delete_secret(RemoteRef("new"))
    async with pool.client(fake(store_of, generation=2), "ns") as client:
        assert await client.get_secret(RemoteRef("new")) == b"pushed"
    grown = [*DATA, {"key": "new", "value": "own"}]
    async with pool.client(fake(store_of, data=grown, generation=3), "ns") as client:
        assert await client.get_secret(RemoteRef("new")) == b"own"
    async with pool.client(fake(store_of, "other"), "ns") as client:
        with pytest.raises(NoSecret):
            await client.get_secret(RemoteRef("new"))


async def test_stores_of_one_name_in_two_namespaces_do_not_hide_each_others_values(pool: Any, store_of: Any) -> None:
    """Opening the second leaves the first as it is."""
    first = fake(store_of, data=[{"key": "k", "value": "first"}], namespace="a")
    second = fake(store_of, data=[{"key": "k", "value": "second"}], namespace="b")
    async with pool.client(first, "a") as one, pool.client(second, "b") as two:
        assert await one.get_secret(RemoteRef("k")) == b"first"
        assert await two.get_secret(RemoteRef("k")) == b"second"
        assert await one.get_all_secrets(Find(name_regexp=".")) == {"k": b"first"}


async def test_validation_says_what_the_store_tells_it_to(pool: Any, store_of: Any) -> None:
    """Ready, unknown or an error."""
    async with pool.client(fake(store_of, "ready", result=0), "ns") as client:
        assert (await client.validate()).state is ValidationState.READY
    async with pool.client(fake(store_of, "unknown", result=1), "ns") as client:
        validation = await client.validate()
        assert (validation.state, str(validation.error)) == (ValidationState.UNKNOWN, "unable to validate")
    async with pool.client(fake(store_of, "error", result=2), "ns") as client:
        with pytest.raises(ProviderError, match=r"^unable to validate$"):
            await client.validate()


def test_the_static_check_names_the_entry(store_of: Any) -> None:
    """By its index."""
    registry = Registry(plugins=())
    assert registry.get("fake").maintenance is Maintenance.NOT_MAINTAINED
    for data, text in (
        ([{"key": "a", "value": "x"}, {"key": "", "value": "x"}], "key must be set in data 1"),
        ([{"key": "a", "value": ""}], "at least one value must be set in data 0"),
    ):
        store = fake(store_of, data=data)
        provider, spec = registry.for_store(store)
        with pytest.raises(InvalidSpec, match=f"^{text}$"):
            provider.validate_spec(spec, store)
    store = fake(store_of)
    provider, spec = registry.for_store(store)
    assert provider.validate_spec(spec, store) == []
