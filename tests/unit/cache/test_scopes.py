"""Options by namespace and kind."""

from __future__ import annotations

from typing import Any

import pytest
from cache_fake_source import FakeServer

from eso_core.aio import TaskScope
from eso_core.cache import OTHERS, Cache, CacheScopes, InformerSpec, KindScopes, Scope
from eso_core.meta import Partial
from eso_core.meta.wellknown import CONFIG_MAP, NAMESPACE, SECRET
from eso_core.metrics import RuntimeMetrics
from eso_core.testing.clock import FakeClock


def upper(obj: dict[str, Any]) -> dict[str, Any]:
    return obj


def lower(obj: dict[str, Any]) -> dict[str, Any]:
    return obj


class Asked:
    """Remembers what each reflector was to read."""

    def __init__(self) -> None:
        self.specs: dict[tuple[str, str], InformerSpec] = {}
        self.servers: dict[str, FakeServer] = {}

    def __call__(self, spec: InformerSpec, namespace: str) -> Any:
        self.specs[spec.gvk.kind, namespace] = spec
        return self.servers.setdefault(namespace, FakeServer())


@pytest.fixture
def asked() -> Asked:
    return Asked()


def cache_of(asked: Asked, clock: FakeClock, metrics: RuntimeMetrics, **options: Any) -> Cache:
    return Cache(asked, clock, metrics=metrics.cache, **options)


def test_the_most_particular_option_wins_each_for_itself(
    asked: Asked, clock: FakeClock, metrics: RuntimeMetrics
) -> None:
    """R-60: per kind per namespace, then per kind, then per namespace, then the defaults."""
    scopes = CacheScopes(
        options=Scope(label_selector="level=default", field_selector="metadata.name!=d", transform=lower),
        namespaces={"one": Scope(label_selector="level=namespace", field_selector="metadata.name!=n"), "two": Scope()},
        kinds={
            SECRET: KindScopes(
                Scope(label_selector="level=kind"), {"one": Scope(label_selector="level=both"), "three": Scope()}
            )
        },
    )
    cache = cache_of(asked, clock, metrics, scopes=scopes)
    cache.register(InformerSpec(SECRET, transform=upper))
    cache.register(InformerSpec(CONFIG_MAP))
    cache.register(InformerSpec(NAMESPACE))
    told = {place: (spec.label_selector, spec.field_selector, spec.transform) for place, spec in asked.specs.items()}
    assert told == {
        ("Secret", "one"): ("level=both", "metadata.name!=n", upper),
        ("Secret", "three"): ("level=kind", "metadata.name!=d", upper),
        ("ConfigMap", "one"): ("level=namespace", "metadata.name!=n", lower),
        ("ConfigMap", "two"): ("level=default", "metadata.name!=d", lower),
        ("Namespace", ""): ("level=default", "metadata.name!=d", lower),
    }


def test_what_a_spec_says_goes_before_what_is_said_of_its_kind(
    asked: Asked, clock: FakeClock, metrics: RuntimeMetrics
) -> None:
    """R-60: a controller that asks for a selection gets it."""
    kinds = {CONFIG_MAP: KindScopes(Scope(label_selector="a=b", transform=lower))}
    cache = cache_of(asked, clock, metrics, scopes=CacheScopes(kinds=kinds))
    cache.register(InformerSpec(CONFIG_MAP, label_selector="c=d"))
    assert asked.specs["ConfigMap", ""].label_selector == "c=d"
    assert asked.specs["ConfigMap", ""].transform is lower


async def test_all_others_are_read_without_the_named_ones(
    asked: Asked, clock: FakeClock, metrics: RuntimeMetrics, scope: TaskScope
) -> None:
    """R-59: each object is read by one reflector, with the options of its namespace."""
    namespaces = {"a": Scope(label_selector="x=y"), "b": Scope(), OTHERS: Scope(field_selector="metadata.name!=z")}
    cache = cache_of(asked, clock, metrics, scopes=CacheScopes(namespaces=namespaces))
    asked.servers = {name: FakeServer() for name in ("a", "b", OTHERS)}
    asked.servers["a"].put("of-a", namespace="a")
    asked.servers[OTHERS].put("of-c", namespace="c")
    informer = cache.register(InformerSpec(CONFIG_MAP))
    others = asked.specs["ConfigMap", OTHERS]
    assert others.field_selector == "metadata.name!=z,metadata.namespace!=a,metadata.namespace!=b"
    assert others.label_selector == ""
    assert asked.specs["ConfigMap", "a"].label_selector == "x=y"
    assert asked.specs["ConfigMap", "b"].field_selector == ""
    cache.start(scope)
    await clock.advance(1)
    assert informer.synced
    assert [key.name for key in await cache.keys(CONFIG_MAP)] == ["of-a", "of-c"]
    assert [obj["metadata"]["name"] for obj in await cache.list(CONFIG_MAP, "c")] == ["of-c"]
    assert informer.selects("a", {"x": "y"})
    assert not informer.selects("a", {})
    assert informer.selects("c", {})


def test_scopes_of_namespaces_that_are_not_watched_are_refused() -> None:
    """A misspelt namespace would silently not be watched."""
    with pytest.raises(ValueError, match=r"scopes of \['b'\]: these namespaces are not watched"):
        InformerSpec(Partial(SECRET), namespaces=("a",), scopes={"b": Scope()})
