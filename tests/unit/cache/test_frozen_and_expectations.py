"""Shared read-only objects, and expectations of controllers that generate names."""

from __future__ import annotations

import copy
from typing import Any

import orjson
import pytest

from eso_core.aio import TaskScope
from eso_core.cache import Cache, Expectations, InformerSpec
from eso_core.cache.frozen import FrozenObjects, freeze
from eso_core.meta.errors import NotFound
from eso_core.meta.wellknown import CONFIG_MAP
from eso_core.testing.clock import FakeClock


async def test_frozen_objects_are_shared_until_they_change(
    cache: Cache, spec: InformerSpec, scope: TaskScope, clock: FakeClock, server: Any
) -> None:
    """R-41: the same object for all readers; a new state is a new object; missing ones are NotFound."""
    server.put("a", data={"k": "v"}, items=[{"x": 1}])
    cache.register(spec)
    cache.start(scope)
    first = await cache.get_frozen(CONFIG_MAP, ("ns", "a"))
    assert await cache.get_frozen(CONFIG_MAP, ("ns", "a")) is first
    assert first["data"] == {"k": "v"}
    assert orjson.loads(orjson.dumps(first)) == await cache.get(CONFIG_MAP, ("ns", "a"))
    server.put("a", data={"k": "w"})
    await clock.settle()
    assert (await cache.get_frozen(CONFIG_MAP, ("ns", "a")))["data"] == {"k": "w"}
    assert first["data"] == {"k": "v"}
    with pytest.raises(NotFound):
        await cache.get_frozen(CONFIG_MAP, ("ns", "none"))


def test_every_way_to_change_a_frozen_object_raises() -> None:
    """R-41, P-47: at any depth; copies may be changed."""
    frozen = freeze({"a": {"b": 1}, "list": [{"c": 2}]})
    attempts = (
        lambda: frozen.update(x=1),
        lambda: frozen.pop("a"),
        lambda: frozen.popitem(),
        lambda: frozen.setdefault("x", 1),
        lambda: frozen.clear(),
        lambda: frozen.__setitem__("x", 1),
        lambda: frozen.__delitem__("a"),
        lambda: frozen.__ior__({"x": 1}),
        lambda: frozen["a"].__setitem__("b", 2),
        lambda: frozen["list"][0].__setitem__("c", 3),
    )
    for attempt in attempts:
        with pytest.raises(TypeError, match=r"cache\.get"):
            attempt()
    assert frozen == {"a": {"b": 1}, "list": ({"c": 2},)}
    own = copy.deepcopy(frozen)
    own["a"]["b"] = 5
    own["list"].append(7)
    assert frozen["a"]["b"] == 1


def test_only_the_most_recently_used_are_kept() -> None:
    """R-41: the number of decoded objects is bounded."""
    from eso_core.cache.codec import Codec

    objects = FrozenObjects(size=2)
    codec = Codec(CONFIG_MAP)
    bodies = [orjson.dumps({"kind": "ConfigMap", "metadata": {"name": name, "uid": name}}) for name in "abc"]
    a, b, c = [codec.decode(body).entry for body in bodies]
    first = objects.of(a)
    objects.of(b)
    assert objects.of(a) is first
    objects.of(c)
    assert len(objects) == 2
    assert objects.of(a) is first
    with pytest.raises(ValueError, match="size"):
        FrozenObjects(size=0)


async def test_expectations_hold_until_observed_or_expired() -> None:
    """R-75: creations by count, deletions by uid, both given up after five minutes."""
    clock = FakeClock()
    expectations = Expectations(clock)
    assert expectations.satisfied("k")
    expectations.expect_creations("k", 2)
    expectations.expect_deletions("k", {"u1"})
    expectations.created("k")
    expectations.created("other")
    assert not expectations.satisfied("k")
    expectations.created("k")
    assert not expectations.satisfied("k")
    expectations.deleted("k", "u2")
    assert not expectations.satisfied("k")
    expectations.deleted("k", "u1")
    assert expectations.satisfied("k")
    assert len(expectations) == 0
    expectations.expect_creations("k", 1)
    await clock.advance(299)
    assert not expectations.satisfied("k")
    await clock.advance(2)
    assert expectations.satisfied("k")
    expectations.expect_creations("k", 1)
    expectations.forget("k")
    assert expectations.satisfied("k")
    with pytest.raises(ValueError, match="expiry"):
        Expectations(clock, expiry=0)
