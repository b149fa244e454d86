"""Reading source Secrets: from memory while their version is known, many with one list."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from controllers.externalsecret.target import MANAGED_VIEW, SECRETS
from controllers.pushsecret import sources
from controllers.pushsecret.errors import SourceFailed, SourceMissing
from controllers.pushsecret.plan import PUSH_SECRET
from controllers.pushsecret.sources import SOURCE_INDEX, SourceReader, SourceSecret
from controllers.pushsecret.watches import by_source
from eso_core.aio import SystemClock, TaskScope
from eso_core.cache import Cache, InformerSpec
from eso_core.cache.source import ClientSources
from eso_core.client import MergePatch
from eso_core.meta import JsonObject, LabelSelector, ObjectKey
from eso_core.meta.errors import Forbidden
from eso_core.meta.wellknown import SECRET
from eso_core.testing.fakeclient import FakeClient, Interceptor, declare


def secret(name: str, value: str, **metadata: object) -> JsonObject:
    data = {"k": base64.b64encode(value.encode()).decode()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": "t", **metadata},
        "type": "Opaque",
        "data": data,
    }


def user(name: str) -> JsonObject:
    return {
        "apiVersion": PUSH_SECRET.api_version,
        "kind": PUSH_SECRET.kind,
        "metadata": {"name": f"p-{name}", "namespace": "t"},
        "spec": {"secretStoreRefs": [{"name": "s"}], "selector": {"secret": {"name": name}}},
    }


class Reads:
    """A reader on a fake cluster, and what it asked."""

    def __init__(self, client: FakeClient, reader: SourceReader, cache: Cache) -> None:
        self.client = client
        self.reader = reader
        self.cache = cache
        self.before = 0

    async def asked(self) -> list[str]:
        """Reads of Secrets since the caches were filled."""
        return (await self._reads())[self.before :]

    async def settle(self) -> None:
        self.before = len(await self._reads())

    async def _reads(self) -> list[str]:
        sent = await self.client.requests()
        return [one.verb for one in sent if "/secrets" in one.uri and one.verb in ("get", "list")]

    async def change(self, name: str, value: str) -> None:
        data = {"k": base64.b64encode(value.encode()).decode()}
        changed = await self.client.patch(SECRET, ObjectKey("t", name), MergePatch({"data": data}))
        version = changed["metadata"]["resourceVersion"]
        clock = SystemClock()
        async with clock.timeout(5.0):
            while self.reader.version(ObjectKey("t", name)) != version:
                await clock.sleep(0.005)


@asynccontextmanager
async def reading(*objects: JsonObject, interceptor: Interceptor | None = None) -> AsyncIterator[Reads]:
    definition = declare(PUSH_SECRET, "pushsecrets", namespaced=True)
    async with FakeClient(*objects, kinds=(definition,), namespaces=("t",), interceptor=interceptor) as client:
        cache = Cache(ClientSources(client), SystemClock())
        cache.register(InformerSpec(SECRETS))
        cache.register(InformerSpec(SECRET, view=MANAGED_VIEW, label_selector="managed=true", values=True))
        cache.register(InformerSpec(PUSH_SECRET))
        cache.index(PUSH_SECRET, SOURCE_INDEX, by_source)
        async with TaskScope("cache") as scope:
            cache.start(scope)
            await cache.wait_for_sync(10.0)
            reads = Reads(client, SourceReader(cache, client, SystemClock()), cache)
            await reads.settle()
            yield reads
            await scope.cancel()


async def test_a_version_is_read_once() -> None:
    """And again when it has changed."""
    async with reading(
        secret("a", "1"), secret("b", "1"), secret("c", "1"), secret("d", "1"), secret("e", "1")
    ) as reads:
        first = await reads.reader.read("t", "a")
        assert (first.data, first.type) == ({"k": b"1"}, "Opaque")
        assert await reads.reader.read("t", "a") is first
        assert await reads.asked() == ["get"]
        await reads.change("a", "2")
        assert (await reads.reader.read("t", "a")).data == {"k": b"2"}
        assert await reads.asked() == ["get", "get"]


async def test_a_managed_secret_is_whole_in_the_cache_already() -> None:
    """Its marks are not part of what is pushed."""
    labels = {"managed": "true", "reconcile.external-secrets.io/managed": "true", "team": "blue"}
    notes = {"kubectl.kubernetes.io/last-applied-configuration": "{}", "note": "x"}
    async with reading(secret("a", "1", labels=labels, annotations=notes)) as reads:
        found = await reads.reader.read("t", "a")
        assert found.data == {"k": b"1"}
        assert found.labels == {"managed": "true", "team": "blue"}
        assert found.annotations == {"note": "x"}
        assert await reads.asked() == []


async def test_many_sources_come_with_one_list() -> None:
    """What no PushSecret names is not kept."""
    names = [f"s{number}" for number in range(8)]
    objects = [*(secret(name, name) for name in names), secret("other", "x"), *(user(name) for name in names)]
    async with reading(*objects) as reads:
        for name in names:
            assert (await reads.reader.read("t", name)).data == {"k": name.encode()}
        assert await reads.asked() == ["list"]
        await reads.reader.read("t", "other")
        assert await reads.asked() == ["list", "get"]


async def test_few_sources_among_many_secrets_are_read_one_by_one() -> None:
    """A list would read all the others for nothing."""
    objects = [*(secret(f"x{number}", "x") for number in range(40)), *(secret(f"s{n}", "1") for n in range(4))]
    async with reading(*objects, *(user(f"s{n}") for n in range(4))) as reads:
        for n in range(4):
            await reads.reader.read("t", f"s{n}")
        assert await reads.asked() == ["get"] * 4


async def test_a_secret_that_the_watch_has_not_seen_is_asked_for() -> None:
    """It may have been made just before; and on its absence values are deleted."""
    async with reading() as reads:
        await reads.client.create(secret("a", "1"))
        assert (await reads.reader.read("t", "a")).data == {"k": b"1"}
        with pytest.raises(SourceMissing) as missing:
            await reads.reader.read("t", "none")
        assert (str(missing.value), missing.value.detail) == (
            "could not get source secret",
            'could not get source secret: secrets "none" not found',
        )
        assert not missing.value.retryable, "its event wakes the object"


async def test_a_refused_read_is_no_absence() -> None:
    """Nothing may be deleted for it."""

    async def refuse(*_: object, **__: object) -> JsonObject:
        raise Forbidden("not allowed")

    async with reading(secret("a", "1"), interceptor=Interceptor(get=refuse)) as reads:
        with pytest.raises(SourceFailed, match="could not get source secret") as refused:
            await reads.reader.read("t", "a")
        assert not isinstance(refused.value, SourceMissing)
        assert refused.value.retryable


async def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest go first."""
    monkeypatch.setattr(sources, "_KEPT_BYTES", 1000)
    async with reading(*(secret(f"s{n}", "x" * 200) for n in range(3))) as reads:
        for n in (0, 1, 2, 2, 0):
            await reads.reader.read("t", f"s{n}")
        assert await reads.asked() == ["get"] * 4


async def test_selection_is_by_labels_and_leaves_out_what_is_being_deleted() -> None:
    """In the order of names."""
    labels = {"labels": {"push": "me"}}
    going = secret("c", "1", finalizers=["example.com/wait"], **labels)
    async with reading(secret("b", "1", **labels), secret("a", "1", **labels), going, secret("d", "1")) as reads:
        await reads.client.delete(SECRET, ObjectKey("t", "c"))
        clock = SystemClock()
        async with clock.timeout(5.0):
            while reads.reader.matching("t", LabelSelector.parse("push=me")) != ["a", "b"]:
                await clock.sleep(0.005)


def test_no_repr_shows_a_value() -> None:
    """Nor a log line that has one."""
    assert "secret" not in repr(SourceSecret("a", data={"k": b"secret"}))


async def test_values_of_an_old_version_do_not_stay_in_memory() -> None:
    """Nor those of a Secret that is gone; a later echo of the same version drops nothing."""
    async with reading(secret("a", "1")) as reads:
        key = ObjectKey("t", "a")
        found = await reads.reader.read("t", "a")
        reads.reader.changed(key, found.version)
        assert await reads.reader.read("t", "a") is found
        reads.reader.changed(key, "")
        assert await reads.reader.read("t", "a") is not found
