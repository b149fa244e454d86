"""Store and reflector against a model: whatever fails in between, in the end the store equals the server."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import orjson
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from eso_core.aio import TaskScope
from eso_core.cache import Cache, Change, ChangeType, InformerSpec, Store
from eso_core.cache.codec import Codec
from eso_core.meta import ObjectKey
from eso_core.meta.errors import ConnectionLost, TooManyRequests
from eso_core.meta.wellknown import CONFIG_MAP
from eso_core.queue import WorkQueue
from eso_core.testing.clock import FakeClock
from tests.nightly import whole_or

NAMES = st.sampled_from("abcd")
NAMESPACES = st.sampled_from(["one", "two"])
LABELS = st.sampled_from(["x", "y", ""])


def body(name: str, namespace: str, uid: int, version: int, label: str) -> bytes:
    metadata: dict[str, Any] = {"name": name, "namespace": namespace, "uid": str(uid), "resourceVersion": str(version)}
    if label:
        metadata["labels"] = {"l": label}
    return orjson.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})


class StoreMachine(RuleBasedStateMachine):
    """R-40, R-46..R-48, R-56: contents, namespaces, indexes and emitted changes equal a plain dict's."""

    def __init__(self) -> None:
        super().__init__()
        self.codec = Codec(CONFIG_MAP)
        self.store = Store(lambda name, key, error: None)
        self.store.add_index("label", lambda meta, obj: [meta.labels["l"]] if meta.labels else [])
        self.model: dict[ObjectKey, tuple[int, int, str]] = {}  # uid, version, label
        self.seen: dict[ObjectKey, int] = {}  # what a handler would believe: version by key
        self.version = 0
        self.uids = 0

    def apply(self, changes: Any) -> None:
        for change in changes:
            assert isinstance(change, Change)
            key = change.object.key
            if change.type is ChangeType.DELETED:
                del self.seen[key]
            elif change.type is ChangeType.ADDED:
                assert key not in self.seen
                self.seen[key] = int(change.object.resource_version)
            else:
                assert key in self.seen
                self.seen[key] = int(change.object.resource_version)

    @rule(name=NAMES, namespace=NAMESPACES, label=LABELS)
    def put(self, name: str, namespace: str, label: str) -> None:
        key = ObjectKey(namespace, name)
        self.version += 1
        if key not in self.model:
            self.uids += 1
        uid = self.model[key][0] if key in self.model else self.uids
        self.model[key] = (uid, self.version, label)
        decoded = self.codec.decode(body(name, namespace, uid, self.version, label))
        self.apply(self.store.upsert(decoded.entry, decoded.obj))

    @rule(name=NAMES, namespace=NAMESPACES)
    def recreate(self, name: str, namespace: str) -> None:
        """The deletion was missed; the new object comes as a change."""
        key = ObjectKey(namespace, name)
        self.version += 2
        self.uids += 1
        self.model[key] = (self.uids, self.version, "")
        decoded = self.codec.decode(body(name, namespace, self.uids, self.version, ""))
        self.apply(self.store.upsert(decoded.entry, decoded.obj))

    @rule(name=NAMES, namespace=NAMESPACES)
    def delete(self, name: str, namespace: str) -> None:
        key = ObjectKey(namespace, name)
        self.version += 1
        uid, _, label = self.model.pop(key, (0, 0, ""))
        decoded = self.codec.decode(body(name, namespace, uid, self.version, label))
        self.apply(self.store.remove(decoded.entry))

    @rule(name=NAMES, namespace=NAMESPACES)
    def stale(self, name: str, namespace: str) -> None:
        """An event from the past changes nothing."""
        key = ObjectKey(namespace, name)
        if key in self.model:
            decoded = self.codec.decode(body(name, namespace, self.model[key][0], 0, "x"))
            assert self.store.upsert(decoded.entry, decoded.obj) == []
            again = self.codec.decode(body(name, namespace, *self.model[key]))
            assert self.store.upsert(again.entry, again.obj) == []

    @rule(data=st.data())
    def relist(self, data: st.DataObject) -> None:
        """A full read after unseen changes."""
        for key in list(self.model):
            fate = data.draw(st.sampled_from(["same", "changed", "gone", "anew"]))
            uid, version, label = self.model[key]
            self.version += 1
            if fate == "changed":
                self.model[key] = (uid, self.version, label)
            elif fate == "gone":
                del self.model[key]
            elif fate == "anew":
                self.uids += 1
                self.model[key] = (self.uids, self.version, "y")
        for key, state in self.model.items():
            decoded = self.codec.decode(body(key.name, key.namespace, *state))
            self.store.stage(decoded.entry, decoded.obj)
        self.apply(self.store.commit(str(self.version)))

    @invariant()
    def equal(self) -> None:
        found = {entry.key: entry for entry in self.store.entries()}
        assert {key: int(entry.resource_version) for key, entry in found.items()} == {
            key: state[1] for key, state in self.model.items()
        }
        assert self.seen == {key: state[1] for key, state in self.model.items()}
        assert self.store.bytes == sum(len(entry.body) for entry in found.values())
        for namespace in ("one", "two"):
            names = {entry.key.name for entry in self.store.entries(namespace)}
            assert names == {key.name for key in self.model if key.namespace == namespace}
        for label in ("x", "y"):
            keys = {entry.key for entry in self.store.by_index("label", label)}
            assert keys == {key for key, state in self.model.items() if state[2] == label}


StoreMachine.TestCase.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)
TestStoreModel = StoreMachine.TestCase


@settings(max_examples=whole_or(2_500, 40), deadline=None)
@example(seed=49805424)
@given(seed=st.integers(0, 2**32))
def test_after_any_faults_the_store_equals_the_server(seed: int) -> None:
    """P-20, P-27: random changes and faults; then store = server, and each handler's last word is the truth.

    Every key is reconciled after its last change. 100,000 steps nightly, 1,600 otherwise.
    """
    asyncio.run(_random_history(seed))


async def _random_history(seed: int) -> None:
    from cache_fake_source import FakeServer  # the folder's conftest made it importable

    rng = random.Random(seed)
    clock, server = FakeClock(), FakeServer()
    server.watch_list = rng.random() < 0.5
    cache = Cache(lambda spec, namespace: server, clock)
    informer = cache.register(InformerSpec(CONFIG_MAP))
    believed: dict[ObjectKey, str] = {}
    reconciled: dict[ObjectKey, str] = {}  # what the last run of each key found, "" for nothing
    queue: WorkQueue[ObjectKey] = WorkQueue(clock)

    async def reconcile() -> None:
        while (taken := await queue.get()) is not None:
            found = informer.lookup(taken.key)
            reconciled[taken.key] = found.resource_version if found is not None else ""
            await clock.sleep(rng.choice([0.0, 0.01, 1.0]))
            queue.done(taken.key)

    def listen(change: Change) -> None:
        queue.add(change.object.key)
        if change.type is ChangeType.DELETED:
            believed.pop(change.object.key, None)
        else:
            believed[change.object.key] = change.object.resource_version

    informer.subscribe(listen)
    async with TaskScope("test") as scope:
        cache.start(scope)
        for number in range(2):
            scope.spawn(reconcile(), name=f"worker {number}")
        for _ in range(rng.randint(20, 60)):
            action = rng.choice(
                ["put", "put", "put", "delete", "close", "reset", "gone", "compact", "throttle", "mute", "wait"]
            )
            if action == "put":
                server.put(rng.choice("abcde"), data={"n": str(rng.random())})
            elif action == "delete" and server.objects:
                namespace, name = rng.choice(sorted(server.objects))
                server.delete(name, namespace)
            elif action == "close":
                server.close_streams()
            elif action == "reset":
                server.break_streams(ConnectionLost("reset"))
            elif action == "gone":
                server.error({"code": 410, "reason": "Expired", "message": "too old resource version"})
            elif action == "compact":
                server.compact()
            elif action == "throttle":
                server.watch_errors.append(TooManyRequests("later", retry_after=rng.choice([None, 2.0])))
            elif action == "mute":
                for stream in server.streams:
                    stream.live = False
            else:
                await clock.advance(rng.choice([0.1, 2.0, 40.0]))
            if rng.random() < 0.5:
                await clock.settle()
        while server.watch_errors:  # each may cost a whole back-off
            await clock.advance(60)
        await clock.advance(400)
        truth = {ObjectKey(*key): obj["metadata"]["resourceVersion"] for key, obj in server.objects.items()}
        assert {entry.key: entry.resource_version for entry in informer.select()} == truth
        assert believed == truth
        assert {key: version for key, version in reconciled.items() if version} == truth
        await scope.cancel()
