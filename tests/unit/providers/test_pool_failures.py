"""Stores that cannot be opened: told from memory for a while, and who ends that."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from eso_core.testing.clock import FakeClock
from providers import ClientPool, ProviderError, RemoteRef, StoreKey, Unavailable
from providers.pool import Asker


@pytest.fixture
def pool(registry: Any, kube: Any, clock: FakeClock) -> ClientPool:
    return ClientPool(registry, kube, clock)


async def test_a_failed_open_is_answered_from_memory_for_a_short_while(
    pool: Any, recorder: Any, store_of: Any, clock: FakeClock
) -> None:
    """One attempt per while, which doubles up to a bound; success ends it."""
    recorder.open_failure = Unavailable("server down")
    for _ in range(50):
        with pytest.raises(Unavailable, match="server down"):
            await _read(pool, store_of(), "ns", RemoteRef("a"))
    assert len(recorder.contexts) == 1
    for wait, attempts in ((1.0, 2), (1.0, 2), (1.0, 3), (4.0, 4), (8.0, 5), (8.0, 6)):
        await clock.advance(wait)
        with pytest.raises(Unavailable):
            await _read(pool, store_of(), "ns", RemoteRef("a"))
        assert len(recorder.contexts) == attempts
    recorder.open_failure = None
    await clock.advance(8.0)
    assert await _read(pool, store_of(), "ns", RemoteRef("a")) == b"A"
    assert pool.statistics().failed == 6
    await pool.aclose()


async def test_a_change_of_store_or_credentials_gives_a_failed_open_another_chance_at_once(
    pool: Any, recorder: Any, store_of: Any, kube: Any
) -> None:
    """Also a Secret that was not there when it was looked for."""
    provider = {"recorder": {"auth": {"name": "cred", "key": "key"}}}
    with pytest.raises(ProviderError, match='cannot get Kubernetes secret "cred" from namespace "ns"'):
        await _read(pool, store_of(provider=provider), "ns", RemoteRef("a"))
    version = kube.put("Secret", "ns", "cred", key="k")
    assert pool.source_changed("Secret", "ns", "cred", version) == [StoreKey("SecretStore", "ns", "s")]
    assert await _read(pool, store_of(provider=provider), "ns", RemoteRef("a")) == b"A"

    recorder.open_failure = Unavailable("no")
    with pytest.raises(Unavailable):
        await _read(pool, store_of("t", generation=1), "ns", RemoteRef("a"))
    recorder.open_failure = None
    assert await _read(pool, store_of("t", generation=2), "ns", RemoteRef("a")) == b"A"
    await pool.aclose()


async def test_who_comes_back_edited_gives_a_failed_open_another_chance_at_once(
    pool: Any, recorder: Any, store_of: Any
) -> None:
    """Whoever has not been told of the failure, or has not changed since, is answered from memory."""

    async def attempt(name: str, version: str) -> bool:
        """Whether the backend was asked."""
        before = len(recorder.contexts)
        async with pool.session("ns", asker=Asker(name, version)) as session:
            with pytest.raises(Unavailable):
                await session.client(store_of())
        return len(recorder.contexts) > before

    recorder.open_failure = Unavailable("no")
    assert await attempt("a", "1")
    assert not await attempt("a", "1")
    assert not await attempt("b", "1")
    assert await attempt("b", "2")
    assert not await attempt("b", "2")
    assert not await attempt("c", "9")
    assert await attempt("a", "2")
    recorder.open_failure = None
    async with pool.session("ns", asker=Asker("a", "3")) as session:
        await session.client(store_of())
    await pool.aclose()


async def test_annotating_a_store_gives_a_failed_open_another_chance_at_once(
    pool: Any, recorder: Any, store_of: Any
) -> None:
    """Users annotate a store to have it checked now."""
    store = store_of()
    recorder.open_failure = Unavailable("no")
    with pytest.raises(Unavailable):
        await _read(pool, store, "ns", RemoteRef("a"))
    recorder.open_failure = None
    with pytest.raises(Unavailable):
        await _read(pool, store, "ns", RemoteRef("a"))
    assert await _read(pool, replace(store, annotations={"poke": "1"}), "ns", RemoteRef("a")) == b"A"
    await pool.aclose()


async def _read(pool: ClientPool, store: Any, namespace: str, ref: RemoteRef) -> bytes:
    async with pool.session(namespace) as session:
        client = await session.client(store)
        return await client.get_secret(ref)
