"""The life of clients in the pool."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

import pytest

from eso_core.aio import TaskScope
from eso_core.testing.clock import FakeClock
from providers import (
    ClientPool,
    Find,
    InvalidSpec,
    NoSecret,
    PoolOptions,
    ProviderError,
    RemoteRef,
    StoreKey,
    Throttled,
    Unavailable,
    UnknownProvider,
)


@pytest.fixture
def pool(registry: Any, kube: Any, clock: FakeClock) -> ClientPool:
    return ClientPool(registry, kube, clock)


async def test_a_client_is_opened_once_and_used_by_everybody(pool: Any, recorder: Any, store_of: Any) -> None:
    """A hundred sessions on one store make one open."""
    async with TaskScope("test") as scope:
        for number in range(100):
            scope.spawn(_read(pool, store_of(), "ns", RemoteRef("a")), name=f"reader {number}")
    assert len(recorder.contexts) == 1
    assert pool.statistics()._replace(opened=0) == (1, 0, 0, 0, 0, 0)
    await pool.aclose()
    assert recorder.closed == [1]


async def _read(pool: ClientPool, store: Any, namespace: str, ref: RemoteRef) -> bytes:
    async with pool.session(namespace) as session:
        client = await session.client(store)
        return await client.get_secret(ref)


async def _until(condition: Callable[[], bool]) -> None:
    """Lets the other tasks run until the condition holds."""
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("the condition does not come true")


async def test_a_session_fetches_a_document_once_whatever_number_of_properties(
    pool: Any, recorder: Any, store_of: Any
) -> None:
    """Three properties and an extract of one key are one request; another version is another document."""
    async with pool.session("ns") as session:
        client = await session.client(store_of())
        assert [await client.get_secret(RemoteRef("a", prop)) for prop in ("x", "y", "")] == [b"A/x", b"A/y", b"A"]
        assert await client.get_secret_map(RemoteRef("a", "z")) == {"value": b"A/z"}
        assert recorder.requests == [RemoteRef("a")]
        await client.get_secret(RemoteRef("a", "x", version="2"))
        assert recorder.requests == [RemoteRef("a"), RemoteRef("a", version="2")]
    async with pool.session("ns") as session:
        await (await session.client(store_of())).get_secret(RemoteRef("a"))
    assert len(recorder.requests) == 3, "nothing is remembered from one session to the next"
    await pool.aclose()


async def test_a_missing_secret_is_remembered_within_the_session_but_other_failures_are_not(
    pool: Any, recorder: Any, store_of: Any
) -> None:
    """ "There is no such secret" is an answer; "I cannot tell" is none."""
    async with pool.session("ns") as session:
        client = await session.client(store_of())
        for _ in range(2):
            with pytest.raises(NoSecret, match=r"^Secret does not exist$"):
                await client.get_secret(RemoteRef("gone"))
        assert len(recorder.requests) == 1

        async def fail() -> None:
            raise Unavailable("down")

        recorder.pause = fail
        for _ in range(2):
            with pytest.raises(Unavailable):
                await client.get_secret(RemoteRef("a"))
        assert len(recorder.requests) == 3
    await pool.aclose()


async def test_reads_of_many_sessions_at_the_same_time_are_one_request(pool: Any, recorder: Any, store_of: Any) -> None:
    """Also finds; different properties of one document share it, different stores share nothing."""
    gate = asyncio.Event()
    recorder.pause = gate.wait

    async def find(store: Any) -> dict[str, bytes]:
        async with pool.session("ns") as session:
            found: dict[str, bytes] = await (await session.client(store)).get_all_secrets(Find(name_regexp="."))
            return found

    gate.set()
    for name in ("s", "other"):
        await _read(pool, store_of(name), "ns", RemoteRef("b"))
    recorder.requests.clear()
    gate.clear()
    async with TaskScope("test") as scope:
        reads = [scope.spawn(_read(pool, store_of(), "ns", RemoteRef("a", f"p{n}")), name="read") for n in range(20)]
        others = [scope.spawn(_read(pool, store_of("other"), "ns", RemoteRef("a")), name="read") for _ in range(5)]
        finds = [scope.spawn(find(store_of()), name="find") for _ in range(5)]
        await _until(lambda: len(recorder.requests) >= 2 and len(recorder.finds) >= 1)
        gate.set()
    assert [task.result() for task in reads] == [f"A/p{n}".encode() for n in range(20)]
    assert all(task.result() == b"A" for task in others)
    assert all(task.result() == {"a": b"A", "b": b"B"} for task in finds)
    assert len(recorder.requests) == 2
    assert len(recorder.finds) == 1
    await pool.aclose()


async def test_one_session_that_is_cancelled_does_not_take_the_read_from_the_others(
    pool: Any, recorder: Any, store_of: Any
) -> None:
    """A shared request outlives the caller that began it."""
    await _read(pool, store_of(), "ns", RemoteRef("b"))
    gate = asyncio.Event()
    recorder.pause = gate.wait
    async with TaskScope("test") as scope:
        first = scope.spawn(_read(pool, store_of(), "ns", RemoteRef("a")), name="first")
        await _until(lambda: len(recorder.requests) == 2)
        second = scope.spawn(_read(pool, store_of(), "ns", RemoteRef("a")), name="second")
        await asyncio.sleep(0)
        first.cancel()
        gate.set()
    assert first.cancelled()
    assert second.result() == b"A"
    assert len(recorder.requests) == 2
    await pool.aclose()


async def test_a_new_generation_replaces_the_client_which_is_closed_after_its_last_user(
    pool: Any, recorder: Any, store_of: Any
) -> None:
    """Who has the old one keeps it to the end of the session; a lagging reconcile does not bring it back."""
    async with pool.session("ns") as old:
        before = await old.client(store_of(generation=1))
        async with pool.session("ns") as new:
            await new.client(store_of(generation=2))
            assert len(recorder.contexts) == 2
        assert recorder.closed == []
        assert await before.get_secret(RemoteRef("a")) == b"A"
    assert recorder.closed == [1]
    await _read(pool, store_of(generation=1), "ns", RemoteRef("a"))
    assert recorder.closed == [1, 3], "opened for the one that asked, and closed behind it"
    await _read(pool, store_of(generation=2), "ns", RemoteRef("a"))
    assert len(recorder.contexts) == 3
    await pool.aclose()


async def test_a_recreated_store_of_the_same_name_gets_a_client_of_its_own(
    pool: Any, recorder: Any, store_of: Any
) -> None:
    """The uid tells them apart, since generations start again at 1."""
    await _read(pool, store_of(uid="u1", generation=5), "ns", RemoteRef("a"))
    await _read(pool, store_of(uid="u2", generation=1), "ns", RemoteRef("a"))
    assert recorder.closed == [1]
    await pool.aclose()


async def test_changed_credentials_retire_the_client_and_name_the_store(
    pool: Any, recorder: Any, store_of: Any, kube: Any
) -> None:
    """Only a version other than the one that was read counts."""
    version = kube.put("Secret", "ns", "cred", key="k1")
    store = store_of(provider={"recorder": {"auth": {"name": "cred", "key": "key"}}})
    await _read(pool, store, "ns", RemoteRef("a"))
    assert pool.source_changed("Secret", "ns", "cred", version) == []
    assert pool.source_changed("Secret", "elsewhere", "cred", "99") == []
    assert pool.source_changed("ConfigMap", "ns", "cred", "99") == []
    changed = kube.put("Secret", "ns", "cred", key="k2")
    assert pool.source_changed("Secret", "ns", "cred", changed) == [StoreKey("SecretStore", "ns", "s")]
    await _read(pool, store, "ns", RemoteRef("a"))
    assert len(recorder.contexts) == 2
    assert recorder.closed == [1]
    await pool.aclose()


async def test_credentials_that_change_while_the_client_is_opened_are_not_missed(
    pool: Any, recorder: Any, store_of: Any, kube: Any
) -> None:
    """The open serves those who wait for it and nobody else; a failure of it is not held against the new credentials."""
    kube.put("Secret", "ns", "cred", key="k1")
    store = store_of(provider={"recorder": {"auth": {"name": "cred", "key": "key"}}})
    for failure in (None, Unavailable("old password")):
        gate = asyncio.Event()
        recorder.pause = gate.wait
        recorder.open_failure = failure
        opened = len(recorder.contexts)
        async with TaskScope("test") as scope:
            reader = scope.spawn(_read(pool, store, "ns", RemoteRef("a")), name="reader", on_error=lambda exc: None)
            await _until(lambda opened=opened: len(recorder.contexts) > opened)
            changed = kube.put("Secret", "ns", "cred", key="k2")
            assert pool.source_changed("Secret", "ns", "cred", changed) == [StoreKey("SecretStore", "ns", "s")]
            gate.set()
        recorder.open_failure = None
        assert reader.exception() is failure
        assert pool.statistics().open == 0
        assert await _read(pool, store, "ns", RemoteRef("a")) == b"A"
        assert len(recorder.contexts) == opened + 2
        pool.store_gone(StoreKey("SecretStore", "ns", "s"))
    await pool.aclose()


async def test_a_watch_that_lags_behind_changes_nothing(pool: Any, recorder: Any, store_of: Any, kube: Any) -> None:
    """A version older than the one that was read is no news."""
    old = kube.put("Secret", "ns", "cred", key="k1")
    kube.put("Secret", "ns", "cred", key="k2")
    store = store_of(provider={"recorder": {"auth": {"name": "cred", "key": "key"}}})
    await _read(pool, store, "ns", RemoteRef("a"))
    assert pool.source_changed("Secret", "ns", "cred", old) == []
    assert pool.source_changed("Secret", "ns", "cred", "") == [StoreKey("SecretStore", "ns", "s")], "it was deleted"
    await pool.aclose()


async def test_consumers_of_a_cluster_store_share_a_client_only_when_its_credentials_are_its_own(
    pool: Any, recorder: Any, store_of: Any
) -> None:
    """Per-namespace credentials mean per-namespace clients, and reads are not shared between them."""
    referent = store_of("c", kind="ClusterSecretStore")
    for namespace in ("x", "y", "x", ""):
        await _read(pool, referent, namespace, RemoteRef("a"))
    assert [context.namespace for context in recorder.contexts] == ["x", "y", ""]
    shared = store_of("d", kind="ClusterSecretStore", provider={"recorder": {"shared": True}})
    for namespace in ("x", "y", ""):
        await _read(pool, shared, namespace, RemoteRef("a"))
    assert len(recorder.contexts) == 4
    await pool.aclose()


async def test_a_namespaced_store_never_leaves_its_namespace(pool: Any, recorder: Any, store_of: Any) -> None:
    """Whatever namespace the session has, the store's own counts."""
    await _read(pool, store_of(namespace="own"), "elsewhere", RemoteRef("a"))
    assert recorder.contexts[0].namespace == "own"
    await pool.aclose()


async def test_a_store_that_is_gone_takes_its_clients_with_it(pool: Any, recorder: Any, store_of: Any) -> None:
    """Also a client in use, when its user is done."""
    async with pool.session("ns") as session:
        client = await session.client(store_of())
        pool.store_gone(StoreKey("SecretStore", "ns", "s"))
        assert recorder.closed == []
        assert await client.get_secret(RemoteRef("a")) == b"A"
    assert recorder.closed == [1]


async def test_a_store_that_goes_while_it_is_being_opened_is_closed_behind_its_users(
    pool: Any, recorder: Any, store_of: Any
) -> None:
    """The open that was under way serves who waited for it, and nobody after."""
    gate = asyncio.Event()
    recorder.pause = gate.wait
    async with TaskScope("test") as scope:
        reader = scope.spawn(_read(pool, store_of(), "ns", RemoteRef("a")), name="reader")
        await _until(lambda: len(recorder.contexts) == 1)
        pool.store_gone(StoreKey("SecretStore", "ns", "s"))
        gate.set()
    assert reader.result() == b"A"
    assert recorder.closed == [1]
    assert pool.statistics().open == 0


async def test_idle_clients_are_closed_and_busy_ones_are_not(
    pool: Any, recorder: Any, store_of: Any, clock: FakeClock
) -> None:
    """The background loop closes what nobody used for a while."""
    async with TaskScope("test") as scope:
        scope.spawn(pool.start(), name="pool")
        await clock.advance(0)
        async with pool.session("ns") as session:
            await session.client(store_of("busy"))
            await _read(pool, store_of("idle"), "ns", RemoteRef("a"))
            await clock.advance(899)
            assert recorder.closed == []
            await clock.advance(2)
            assert recorder.closed == [2]
        await clock.advance(899)
        assert recorder.closed == [2]
        await clock.advance(2)
        assert recorder.closed == [2, 1]
        await scope.cancel()
    await pool.aclose()


async def test_the_number_of_idle_clients_is_bounded(
    registry: Any, recorder: Any, kube: Any, clock: FakeClock, store_of: Any
) -> None:
    """Above the bound the least recently used go first."""
    pool = ClientPool(registry, kube, clock, pool=PoolOptions(max_clients=2))
    for name in ("one", "two", "one", "three"):
        await _read(pool, store_of(name), "ns", RemoteRef("a"))
    assert recorder.closed == [2]
    assert pool.statistics().open == 2
    await pool.aclose()


async def test_a_close_that_fails_or_hangs_does_not_hold_up_the_rest(
    registry: Any, recorder: Any, kube: Any, clock: FakeClock, store_of: Any
) -> None:
    """Every client is closed, whatever the first one does."""
    pool = ClientPool(registry, kube, clock)
    for name in ("one", "two"):
        await _read(pool, store_of(name), "ns", RemoteRef("a"))
    recorder.close_failure = ProviderError("error while revoking token: no")
    opened = pool.statistics().opened
    assert opened == 2
    await pool.aclose()
    assert sorted(recorder.closed) == [1, 2]
    with pytest.raises(ProviderError, match="the client pool is closed"):
        await _read(pool, store_of(), "ns", RemoteRef("a"))


async def test_clients_are_closed_side_by_side_and_for_a_bounded_time(
    registry: Any, recorder: Any, kube: Any, clock: FakeClock, store_of: Any
) -> None:
    """A server that does not answer the revocation costs its time limit once, not once for each client."""
    pool = ClientPool(registry, kube, clock, pool=PoolOptions(close_timeout=10.0))
    for number in range(12):
        await _read(pool, store_of(f"s{number}"), "ns", RemoteRef("a"))
    recorder.close_pause = asyncio.Event().wait
    async with TaskScope("test") as scope:
        closing = scope.spawn(pool.aclose(), name="close")
        await clock.advance(9.9)
        assert not closing.done()
        assert len(recorder.closed) == 12
        await clock.advance(0.2)
        assert closing.done()


async def test_stores_without_exactly_one_known_backend_are_refused(pool: Any, store_of: Any) -> None:
    """The texts are those of the original, and nothing is opened."""
    for provider, found in (({}, 0), ({"fake": {"data": []}, "vault": {"server": "x"}}, 2)):
        with pytest.raises(InvalidSpec) as caught:
            await _read(pool, store_of("n", provider=provider), "ns", RemoteRef("a"))
        assert str(caught.value) == (
            f"store error for n: secret stores must only have exactly one backend specified, found {found}"
        )
    with pytest.raises(UnknownProvider) as unknown:
        await _read(pool, store_of("n", provider={"aws": {}}), "ns", RemoteRef("a"))
    assert str(unknown.value).startswith("failed to find registered store backend for type: aws, name: n")


async def test_client_gives_one_client_for_one_use(pool: Any, recorder: Any, store_of: Any) -> None:
    """The short form for callers with a single read."""
    async with pool.client(store_of(), "ns") as client:
        assert await client.get_secret(RemoteRef("b")) == b"B"
    await pool.aclose()
    assert recorder.closed == [1]


@pytest.mark.parametrize("seed", range(8))
async def test_whatever_happens_no_client_is_used_after_its_close_and_each_is_closed_once(
    registry: Any, recorder: Any, kube: Any, store_of: Any, seed: int
) -> None:
    """Sessions, new generations, changed credentials, deleted stores, failures and cancellations in random order."""
    rng = random.Random(seed)
    clock = FakeClock()
    options = PoolOptions(max_clients=3, idle_close=5.0, first_hold=0.5, longest_hold=1.0)
    pool = ClientPool(registry, kube, clock, pool=options)
    generations = dict.fromkeys(("s", "t", "u", "v"), 1)
    kube.put("Secret", "ns", "cred", key="k")

    async def hesitate() -> None:
        for _ in range(rng.randrange(4)):
            await asyncio.sleep(0)
        if rng.random() < 0.1:
            raise Unavailable("now and then")

    recorder.pause = hesitate

    async def work(name: str) -> None:
        provider = {"recorder": {"auth": {"name": "cred", "key": "key"}, "shared": name == "v"}}
        kind = "ClusterSecretStore" if name in ("u", "v") else "SecretStore"
        store = store_of(name, kind=kind, generation=generations[name], provider=provider)
        async with pool.session("ns") as session:
            for _ in range(rng.randrange(1, 4)):
                try:
                    client = await session.client(store)
                    await client.get_secret(RemoteRef(rng.choice("ab"), rng.choice(["", "x"])))
                except ProviderError:
                    await hesitate_quietly()

    async def hesitate_quietly() -> None:
        for _ in range(rng.randrange(3)):
            await asyncio.sleep(0)

    async with TaskScope("stress") as scope:
        keeper = scope.spawn(pool.start(), name="pool")
        workers: list[Any] = []
        for _ in range(400):
            name = rng.choice("stuv")
            match rng.randrange(12):
                case 0:
                    generations[name] += 1
                case 1:
                    pool.source_changed("Secret", "ns", "cred", kube.put("Secret", "ns", "cred", key="k"))
                case 2:
                    kind, namespace = ("ClusterSecretStore", "") if name in "uv" else ("SecretStore", "ns")
                    pool.store_gone(StoreKey(kind, namespace, name))
                case 3:
                    await clock.advance(rng.random() * 3)
                case 4 if workers:
                    rng.choice(workers).cancel()
                case _:
                    workers.append(scope.spawn(work(name), name="worker"))
            await hesitate_quietly()
        await asyncio.wait(workers)
        failed = [worker.exception() for worker in workers if not worker.cancelled() and worker.exception()]
        assert failed == []
        keeper.cancel()
    await pool.aclose()
    statistics = pool.statistics()
    assert (statistics.open, statistics.in_use, statistics.retired) == (0, 0, 0)
    assert statistics.opened == statistics.closed == len(recorder.closed) > 20
    assert len(set(recorder.closed)) == len(recorder.closed)


async def test_a_store_that_asks_for_fewer_requests_gets_none_until_its_time_is_over(
    pool: Any, recorder: Any, store_of: Any, clock: FakeClock
) -> None:
    """Of all namespaces: the refusal is one answer for everybody; an edited store is asked at once."""

    async def refuse() -> None:
        raise Throttled("429: slow down", retry_after=30)

    store = store_of(kind="ClusterSecretStore")
    assert await _read(pool, store, "ns", RemoteRef("a"))
    calm, recorder.pause = recorder.pause, refuse
    with pytest.raises(Throttled):
        await _read(pool, store, "ns", RemoteRef("a"))
    recorder.pause = calm
    asked, opened = len(recorder.requests), len(recorder.contexts)
    await clock.advance(20)
    for namespace in ("ns", "other"):
        with pytest.raises(Throttled, match="slow down") as caught:
            await _read(pool, store, namespace, RemoteRef("b"))
        assert caught.value.retry_after == 10
    assert (len(recorder.requests), len(recorder.contexts)) == (asked, opened)
    await clock.advance(10)
    assert await _read(pool, store, "other", RemoteRef("b")) == b"B"
    recorder.pause = refuse
    with pytest.raises(Throttled):
        await _read(pool, store, "ns", RemoteRef("a"))
    recorder.pause = calm
    assert await _read(pool, store_of(kind="ClusterSecretStore", generation=2), "ns", RemoteRef("a")) == b"A"
    await pool.aclose()


async def _read_since(pool: ClientPool, store: Any, ref: RemoteRef, since: Any) -> bytes:
    async with pool.session("ns", since=since) as session:
        return await (await session.client(store)).get_secret(ref)


async def test_who_was_due_before_a_request_began_shares_its_answer(
    pool: Any, recorder: Any, store_of: Any, clock: FakeClock
) -> None:
    """Fifty objects that are due together are one request; who needs a newer value asks anew, and then serves others."""
    due = clock.now()
    await clock.advance(1)
    for _ in range(50):
        assert await _read_since(pool, store_of(), RemoteRef("a"), due) == b"A"
    assert len(recorder.requests) == 1
    await clock.advance(2)
    recorder.values["a"] = "new"
    # Forced now: nothing that began earlier will do.
    assert await _read_since(pool, store_of(), RemoteRef("a"), clock.now()) == b"new"
    assert len(recorder.requests) == 2
    assert await _read_since(pool, store_of(), RemoteRef("a"), due) == b"new"
    assert len(recorder.requests) == 2
    assert await _read(pool, store_of(), "ns", RemoteRef("a")) == b"new"  # without an instant, never from memory
    assert len(recorder.requests) == 3
    await pool.aclose()


async def test_a_request_under_way_that_began_too_early_is_not_joined(
    pool: Any, recorder: Any, store_of: Any, clock: FakeClock
) -> None:
    """A value that changed after it began may not be in its answer."""
    gate = asyncio.Event()
    calm = recorder.pause

    async def wait() -> None:
        await gate.wait()

    await _read(pool, store_of(), "ns", RemoteRef("b"))
    recorder.requests.clear()
    recorder.pause = wait
    async with TaskScope("test") as scope:
        scope.spawn(_read(pool, store_of(), "ns", RemoteRef("a")), name="early")
        await _until(lambda: len(recorder.requests) == 1)
        await clock.advance(1)
        late = scope.spawn(_read_since(pool, store_of(), RemoteRef("a"), clock.now()), name="late")
        await _until(lambda: len(recorder.requests) == 2)
        same = scope.spawn(_read_since(pool, store_of(), RemoteRef("a"), clock.now()), name="same")
        await asyncio.sleep(0)
        gate.set()
        assert await late == await same == b"A"
    recorder.pause = calm
    assert len(recorder.requests) == 2
    await pool.aclose()


async def test_answers_do_not_stay_in_memory(pool: Any, recorder: Any, store_of: Any, clock: FakeClock) -> None:
    """Ten seconds, also when nobody asks again."""
    due = clock.now()
    await _read_since(pool, store_of(), RemoteRef("a"), due)
    (entry,) = pool._entries.values()
    assert len(entry.reads._kept) == 1
    await clock.advance(21)
    assert len(entry.reads._kept) == 0
    await _read_since(pool, store_of(), RemoteRef("a"), due)
    assert len(recorder.requests) == 2
    await pool.aclose()
