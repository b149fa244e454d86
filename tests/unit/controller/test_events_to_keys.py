"""Predicates, handlers and sources: which keys an event puts into the queue."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from eso_core.cache import CachedObject, InformerSpec
from eso_core.cache.codec import Codec
from eso_core.controller import (
    Channel,
    ControllerBuilder,
    Event,
    EventKind,
    KindSource,
    Request,
    enqueue_indexed,
    enqueue_mapped,
    enqueue_object,
    enqueue_owner,
    predicates,
)
from eso_core.controller.predicates import Predicate
from eso_core.meta import GVK, LabelSelector
from eso_core.meta.wellknown import CONFIG_MAP, DEPLOYMENT, EVENT, EVENT_V1, LEASE, NAMESPACE, SECRET, SERVICE_ACCOUNT
from eso_core.queue import LOW_PRIORITY
from eso_core.testing.clock import FakeClock


def entry(name: str = "a", namespace: str = "ns", **metadata: Any) -> CachedObject:
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"color": "red"}}
    body["metadata"] = {"name": name, "namespace": namespace, "uid": "u", "resourceVersion": "1", **metadata}
    return Codec(DEPLOYMENT).decode(orjson.dumps(body)).entry


def owner(kind: str, name: str, group: str = "apps/v1", controller: bool = True) -> dict[str, Any]:
    return {"apiVersion": group, "kind": kind, "name": name, "uid": name, "controller": controller}


class Queue:
    """Takes keys."""

    def __init__(self, kit: Any) -> None:
        self.cache = kit.cache
        self.clock = kit.clock
        self.keys: list[tuple[Request, int]] = []

    def add(self, request: Request, *, priority: int = 0) -> None:
        self.keys.append((request, priority))

    @property
    def names(self) -> list[str]:
        return sorted(str(request) for request, _ in self.keys)


def update(old: CachedObject, new: CachedObject, **flags: bool) -> Event:
    return Event(EventKind.UPDATE, new, old, **flags)


PLAIN = entry()


@pytest.mark.parametrize(
    ("predicate", "changed"),
    [
        (predicates.generation_changed, entry(generation=2)),
        (predicates.resource_version_changed, entry(resourceVersion="2")),
        (predicates.labels_changed, entry(labels={"a": "b"})),
        (predicates.annotations_changed, entry(annotations={"a": "b"})),
        (predicates.finalizers_changed, entry(finalizers=["x/y"])),
        (predicates.deletion_started, entry(deletionTimestamp="2026-01-01T00:00:00Z")),
    ],
)
def test_comparing_predicates_pass_their_change_and_everything_but_updates(
    predicate: Predicate, changed: CachedObject
) -> None:
    """4.3, K-21, K-22: an unchanged update is dropped; Create, Delete and Generic pass."""
    assert predicate(update(PLAIN, changed))
    assert not predicate(update(PLAIN, PLAIN))
    for kind in (EventKind.CREATE, EventKind.DELETE, EventKind.GENERIC):
        assert predicate(Event(kind, PLAIN))


@pytest.mark.parametrize(
    "changed",
    [
        {"generation": 2},
        {"labels": {"a": "b"}},
        {"annotations": {"a": "b"}},
        {"finalizers": ["x/y"]},
        {"deletionTimestamp": "2026-01-01T00:00:00Z"},
        {"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "u"}]},
    ],
)
def test_a_write_of_the_status_alone_is_told_apart(changed: dict[str, Any]) -> None:
    """K-21: what else changes counts, the finalizer of the first run too; a resync is no write."""
    test = predicates.more_than_status
    assert not test(update(PLAIN, entry(resourceVersion="2")))
    assert test(update(PLAIN, entry(resourceVersion="2", **changed)))
    assert test(update(PLAIN, PLAIN, resync=True))
    for kind in (EventKind.CREATE, EventKind.DELETE, EventKind.GENERIC):
        assert test(Event(kind, PLAIN))
    assert test.needs_generation


def test_predicates_combine() -> None:
    """4.3: and, or, not; names show the expression."""
    labelled = entry(labels={"app": "x"})
    both = predicates.labels_changed & predicates.label_selector("app=x")
    either = predicates.generation_changed | predicates.labels_changed
    assert both(update(PLAIN, labelled))
    assert not both(update(labelled, PLAIN))
    assert either(update(PLAIN, labelled))
    assert (~either)(update(PLAIN, PLAIN))
    assert repr(~either) == "Predicate(~(generation_changed | labels_changed))"
    assert either.needs_generation
    assert not both.needs_generation


def test_state_predicates_look_at_the_newest_state() -> None:
    """4.3: selector and namespace apply to all kinds of events."""
    selected = predicates.label_selector(LabelSelector.parse("app in (x, y)"))
    assert selected(Event(EventKind.DELETE, entry(labels={"app": "y"})))
    assert not selected(Event(EventKind.CREATE, PLAIN))
    system = predicates.namespace(lambda name: name.startswith("kube-"))
    assert system(Event(EventKind.CREATE, entry(namespace="kube-system")))
    assert not system(Event(EventKind.CREATE, PLAIN))
    assert predicates.fn(lambda event: event.tombstone)(Event(EventKind.DELETE, PLAIN, tombstone=True))


def test_the_object_itself(kit: Any) -> None:
    """K-10, Q-20: initial and resync events come at low priority, all others at 0."""
    queue = Queue(kit)
    enqueue_object(Event(EventKind.CREATE, PLAIN, initial=True), queue)
    enqueue_object(update(PLAIN, PLAIN, resync=True), queue)
    enqueue_object(update(PLAIN, PLAIN), queue)
    enqueue_object(Event(EventKind.DELETE, PLAIN), queue)
    assert [priority for _, priority in queue.keys] == [LOW_PRIORITY, LOW_PRIORITY, 0, 0]
    assert {request for request, _ in queue.keys} == {Request("ns", "a")}


def test_both_owners_learn_of_a_move(kit: Any) -> None:
    """4.2, P-26: the former owner too; version is ignored, group and kind are not."""
    queue = Queue(kit)
    handler = enqueue_owner(GVK("apps", "v1", "Deployment"))
    old = entry(ownerReferences=[owner("Deployment", "old", group="apps/v1beta1")])
    new = entry(
        ownerReferences=[owner("Deployment", "new"), owner("Deployment", "x", group="other/v1"), owner("Job", "y")]
    )
    handler(update(old, new), queue)
    assert queue.names == ["ns/new", "ns/old"]


def test_owners_that_do_not_control_and_cluster_scoped_owners(kit: Any) -> None:
    """4.2: only controllers by default; a cluster-scoped owner has no namespace."""
    plain_owner = entry(ownerReferences=[owner("Deployment", "d", controller=False)])
    queue = Queue(kit)
    enqueue_owner(DEPLOYMENT)(Event(EventKind.CREATE, plain_owner), queue)
    assert queue.keys == []
    enqueue_owner(DEPLOYMENT, only_controller=False)(Event(EventKind.CREATE, plain_owner), queue)
    in_namespace = entry(ownerReferences=[owner("Namespace", "team", group="v1")])
    enqueue_owner(NAMESPACE)(Event(EventKind.CREATE, in_namespace), queue)
    assert queue.names == ["ns/d", "team"]


async def test_mapped_keys_of_old_and_new_state_come_once(kit: Any) -> None:
    """4.2: sync and async map functions; each key once per event."""
    queue = Queue(kit)

    def by_label(meta: Any, obj: dict[str, Any]) -> list[Request]:
        assert obj["spec"] == {"color": "red"}
        return [Request("ns", meta.labels["to"]), Request("ns", "always")]

    async def slowly(meta: Any, obj: dict[str, Any]) -> list[Request]:
        return by_label(meta, obj)

    event = update(entry(labels={"to": "x"}), entry(labels={"to": "y"}))
    for fn in (by_label, slowly):
        pending = enqueue_mapped(fn)(event, queue)
        if pending is not None:
            await pending
        assert queue.names == ["ns/always", "ns/x", "ns/y"]
        queue.keys.clear()


async def test_a_failing_map_function_is_tried_five_times(kit: Any, clock: FakeClock) -> None:
    """4.2: with growing delays; then the event is dropped loudly."""
    calls: list[float] = []

    def fails(times: int) -> Any:
        def fn(meta: Any, obj: dict[str, Any]) -> list[Request]:
            calls.append(clock.elapsed)
            if len(calls) <= times:
                raise RuntimeError("not now")
            return [Request("ns", "found")]

        return fn

    queue = Queue(kit)
    pending = enqueue_mapped(fails(3))(Event(EventKind.CREATE, PLAIN), queue)
    task = kit.scope.spawn(pending, name="map")
    await clock.advance(20)
    assert queue.names == ["ns/found"]
    assert calls == [0, 0.5, 1.5, 3.5]
    calls.clear()
    pending = enqueue_mapped(fails(99))(Event(EventKind.CREATE, PLAIN), queue)
    task = kit.scope.spawn(pending, name="map", on_error=lambda error: None)
    await clock.advance(60)
    assert len(calls) == 5
    assert isinstance(task.exception(), RuntimeError)


async def test_a_large_fan_out_comes_in_batches_at_low_priority(kit: Any) -> None:
    """K-11, P-49: more than 1,000 keys of one event do not block the loop, and each comes once."""
    queue = Queue(kit)
    handler = enqueue_mapped(lambda meta, obj: [Request("ns", str(n)) for n in range(5000)])
    pending = handler(Event(EventKind.CREATE, PLAIN), queue)
    assert pending is not None
    await pending
    assert len(queue.keys) == 5000
    assert {priority for _, priority in queue.keys} == {LOW_PRIORITY}


async def test_indexed_references_are_followed_backwards(kit: Any, clock: FakeClock) -> None:
    """4.2: a changed Secret enqueues the objects whose index names it."""
    kit.sources = {"ConfigMap": kit.load_server("ConfigMap"), "Secret": kit.load_server("Secret")}
    for name, secret in (("a", "one"), ("b", "two"), ("c", "one")):
        kit.sources["ConfigMap"].put(name, data={"secret": secret})
    kit.cache.register(InformerSpec(CONFIG_MAP))
    kit.cache.index(CONFIG_MAP, "secret", lambda meta, obj: [f"{meta.namespace}/{obj['data']['secret']}"])
    runs: list[str] = []

    async def reconcile(ctx: Any, request: Request) -> None:
        runs.append(request.name)

    controller = kit.controller(reconcile)
    controller.add_source(KindSource(kit.cache, InformerSpec(SECRET), enqueue_indexed(CONFIG_MAP, "secret")))
    kit.cache.start(kit.scope)
    kit.start(controller)
    await clock.settle()
    kit.sources["Secret"].put("one")
    await clock.settle()
    assert sorted(runs) == ["a", "c"]


async def test_a_kind_source_filters_and_feeds(kit: Any, clock: FakeClock) -> None:
    """K-20, K-23: predicates run before the handler; one that raises lets the event pass."""
    server = kit.sources["ConfigMap"] = kit.load_server("ConfigMap")
    server.put("initial")

    def picky(event: Event) -> bool:
        if event.object.key.name == "odd":
            raise RuntimeError("bug")
        return event.object.key.name != "dropped"

    runs: list[tuple[str, int]] = []

    async def reconcile(ctx: Any, request: Request) -> None:
        runs.append((request.name, ctx.priority))

    controller = kit.controller(reconcile)
    source = KindSource(kit.cache, InformerSpec(CONFIG_MAP), enqueue_object, [predicates.fn(picky)], primary=True)
    controller.add_source(source)
    kit.cache.start(kit.scope)
    kit.start(controller)
    await clock.settle()
    for name in ("dropped", "odd", "kept"):
        server.put(name)
    await clock.settle()
    assert runs == [("initial", LOW_PRIORITY), ("odd", 0), ("kept", 0)]


async def test_a_new_generation_forgives_failures(kit: Any, clock: FakeClock) -> None:
    """K-35: a fixed spec starts with a fresh back-off; a status change does not."""
    server = kit.sources["ConfigMap"] = kit.load_server("ConfigMap")
    server.put("a", metadata={"generation": 1})

    async def reconcile(ctx: Any, request: Request) -> None:
        raise RuntimeError("still broken")

    controller = kit.controller(reconcile)
    controller.add_source(KindSource(kit.cache, InformerSpec(CONFIG_MAP), enqueue_object, primary=True))
    kit.cache.start(kit.scope)
    kit.start(controller)
    await clock.advance(3)
    before = controller.queue.failures(Request("ns", "a"))
    assert before > 5
    server.put("a", metadata={"generation": 1})
    await clock.settle()
    assert controller.queue.failures(Request("ns", "a")) == before + 1
    server.put("a", metadata={"generation": 2})
    await clock.settle()
    assert controller.queue.failures(Request("ns", "a")) == 1
    server.delete("a")
    await clock.settle()
    assert controller.queue.failures(Request("ns", "a")) <= 1


async def test_a_channel_feeds_from_any_iterator(kit: Any, clock: FakeClock) -> None:
    """4.1: an async iterator of requests."""
    runs: list[str] = []

    async def reconcile(ctx: Any, request: Request) -> None:
        runs.append(request.name)

    async def events() -> Any:
        for number in range(3):
            await clock.sleep(1)
            yield Request("ns", str(number))

    controller = kit.controller(reconcile)
    controller.add_source(Channel(events()))
    kit.start(controller)
    await clock.advance(5)
    assert runs == ["0", "1", "2"]


class Host:
    """A manager as the builder sees one."""

    cache_sync_timeout = 120.0

    def __init__(self, kit: Any) -> None:
        self.cache = kit.cache
        self.metrics = kit.metrics
        self._kit = kit
        self.names: list[str] = []
        self.controllers: list[Any] = []

    def environment(self, recorder: Any) -> Any:
        return self._kit.environment

    def recorder(self, component: str) -> Any:
        return self._kit.recorder

    def claim_name(self, name: str) -> None:
        if name in self.names:
            raise ValueError(f"{name} is taken")
        self.names.append(name)

    def add_controller(self, controller: Any) -> None:
        self.controllers.append(controller)


async def noop(ctx: Any, request: Request) -> None:
    return None


def test_the_builder_names_registers_and_builds_once(kit: Any) -> None:
    """K-40, K-41: informers at once, the controller at the end, its name from the kind."""
    kit.sources = {kind: kit.load_server(kind) for kind in ("Deployment", "ConfigMap", "Secret")}
    host = Host(kit)
    builder = ControllerBuilder(host, noop).for_(DEPLOYMENT, predicates=[predicates.generation_changed])
    builder.owns(CONFIG_MAP).watches(SECRET, enqueue_object).workers(4)
    assert len(kit.cache.informers()) == 3
    assert host.controllers == []
    controller = builder.complete()
    assert builder.complete() is controller
    assert host.controllers == [controller]
    assert controller.name == "deployment"
    assert controller.options.max_concurrent == 4
    with pytest.raises(ValueError, match="taken"):
        ControllerBuilder(host, noop).for_(DEPLOYMENT).complete()
    namesake = ControllerBuilder(host, noop).for_(DEPLOYMENT).workers(1).options(skip_name_validation=True).complete()
    assert namesake.name == "deployment"


def test_the_builder_refuses_what_cannot_work(kit: Any) -> None:
    """K-21, K-41: a second primary kind, owning nothing, generations of kinds that have none, nothing at all."""
    kit.sources = {kind: kit.load_server(kind) for kind in ("Deployment", "ConfigMap", "Secret")}
    host = Host(kit)
    with pytest.raises(ValueError, match="exactly one"):
        ControllerBuilder(host, noop).for_(DEPLOYMENT).for_(CONFIG_MAP)
    with pytest.raises(ValueError, match="for_ first"):
        ControllerBuilder(host, noop).owns(CONFIG_MAP)
    for kind in (CONFIG_MAP, SECRET, SERVICE_ACCOUNT, EVENT, EVENT_V1, LEASE):
        with pytest.raises(ValueError, match="no generation"):
            ControllerBuilder(host, noop).for_(kind, predicates=[predicates.generation_changed])
    with pytest.raises(ValueError, match="needs a source"):
        ControllerBuilder(host, noop).named("x").complete()


def test_registered_informers_decide_what_a_builder_watches(kit: Any) -> None:
    """R-50: a kind that is registered with a selector is watched with it, not a second time."""
    kit.sources = {"Secret": kit.load_server("Secret")}
    registered = kit.cache.register(InformerSpec(SECRET, label_selector="a=b"))
    ControllerBuilder(Host(kit), noop).for_(SECRET)
    assert kit.cache.informers() == [registered]
