"""Which backends there are."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from providers import InvalidSpec, Registry, UnknownProvider
from providers.registry import BUILT_IN


class Entry:
    """An entry point that gives an object, or fails."""

    def __init__(self, name: str, loaded: Any) -> None:
        self.name = name
        self.loaded = loaded
        self.loads = 0

    def load(self) -> Any:
        self.loads += 1
        if isinstance(self.loaded, Exception):
            raise self.loaded
        return self.loaded


def test_built_in_backends_are_there_and_each_registry_has_its_own() -> None:
    """Two operators in one process share no provider object."""
    first, second = Registry(plugins=()), Registry(plugins=())
    assert first.names == sorted(BUILT_IN)
    assert {"fake", "kubernetes", "vault"} <= set(first.names)
    assert first.get("fake") is first.get("fake")
    assert first.get("fake") is not second.get("fake")


def test_a_plug_in_is_imported_at_its_first_use(recorder: Any) -> None:
    """Not before, and once."""
    entry = Entry("recorder", type(recorder))
    registry = Registry(plugins=[entry])
    assert entry.loads == 0
    assert isinstance(registry.get("recorder"), type(recorder))
    registry.get("recorder")
    assert entry.loads == 1


@pytest.mark.parametrize("broken", [ImportError("no module named ghost"), dict])
def test_a_broken_plug_in_concerns_only_the_stores_that_name_it(broken: Any) -> None:
    """It is reported as an unknown backend with the reason; the others work."""
    entry = Entry("ghost", broken)
    registry = Registry(plugins=[entry])
    for _ in range(2):
        with pytest.raises(UnknownProvider, match="for type: ghost, name: s: its plug-in cannot be loaded: ") as caught:
            registry.get("ghost", store="s")
        assert caught.value.provider == "ghost"
    assert entry.loads == 1
    assert registry.get("vault").name == "vault"


async def test_a_backend_is_imported_on_a_thread_before_it_is_needed(recorder: Any, store_of: Any) -> None:
    """Once, however many stores ask; the loop goes on, and what is wrong is told at the first use."""
    on_loop: list[bool] = []

    class Watched(Entry):
        def load(self) -> Any:
            on_loop.append(threading.current_thread() is threading.main_thread())
            return super().load()

    good, ghost = Watched("recorder", type(recorder)), Watched("ghost", ImportError("no module named ghost"))
    registry = Registry(plugins=[good, ghost])
    for name in ("recorder", "ghost", "vault", "unknown"):
        store = store_of(provider={name: {}})
        await asyncio.gather(*(registry.preload(store) for _ in range(3)))
    assert (good.loads, ghost.loads, on_loop) == (1, 1, [False, False])
    assert isinstance(registry.get("recorder"), type(recorder))
    with pytest.raises(UnknownProvider, match="no module named ghost"):
        registry.get("ghost", store="s")
    assert (good.loads, ghost.loads) == (1, 1)


def test_a_plug_in_cannot_take_the_name_of_a_built_in_backend(recorder: Any) -> None:
    """Otherwise an installed package could collect every store's credentials."""
    entry = Entry("vault", type(recorder))
    assert type(Registry(plugins=[entry]).get("vault")).__name__ == "VaultProvider"
    assert entry.loads == 0


def test_a_spec_that_does_not_fit_is_refused_with_its_path_and_without_its_value(registry: Any, store_of: Any) -> None:
    """The value may be a credential in the wrong field."""
    store = store_of("s", provider={"recorder": {"auth": "hunter2-in-the-wrong-place"}})
    with pytest.raises(InvalidSpec) as caught:
        registry.for_store(store)
    assert "store error for s: spec.provider.recorder.auth: " in str(caught.value)
    assert "hunter2" not in str(caught.value)
