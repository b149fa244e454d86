"""Debug mode: who changes a shared object is found out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from eso_core.aio import TaskScope
from eso_core.cache import Cache, InformerSpec, Settings
from eso_core.meta import ObjectKey
from eso_core.meta.errors import CacheError
from eso_core.meta.wellknown import CONFIG_MAP
from eso_core.metrics import RuntimeMetrics
from eso_core.testing.clock import FakeClock

KEY = ObjectKey("ns", "a")


@pytest.fixture
async def checked(clock: FakeClock, scope: TaskScope, server: Any, metrics: RuntimeMetrics) -> Cache:
    settings = Settings(check_shared=True)
    cache = Cache(lambda spec, namespace: server, clock, metrics=metrics.cache, settings=settings)
    server.put("a", labels={"app": "x"}, metadata={"annotations": {"note": "n"}}, data={"k": "v"})
    server.put("b", labels={"app": "y"})
    cache.register(InformerSpec(CONFIG_MAP))
    cache.index(CONFIG_MAP, "app", lambda meta, obj: [meta.labels.get("app", "")])
    cache.start(scope)
    await clock.settle()
    return cache


@pytest.mark.parametrize(
    "change",
    [
        lambda meta: meta.labels.update(app="z"),
        lambda meta: meta.labels.clear(),
        lambda meta: meta.annotations.update(note="changed"),
    ],
)
async def test_a_changed_entry_is_named_by_the_next_read(checked: Cache, change: Callable[[Any], None]) -> None:
    """R-41: with kind and key, by every kind of read; what was not changed is read as ever."""
    entry = checked.peek(CONFIG_MAP, KEY)
    assert entry is not None
    change(entry.meta)
    for read in (
        lambda: checked.get(CONFIG_MAP, KEY),
        lambda: checked.list(CONFIG_MAP),
        lambda: checked.list(CONFIG_MAP, "ns", index=("app", "x")),
        lambda: checked.get_frozen(CONFIG_MAP, KEY),
    ):
        with pytest.raises(CacheError, match="reading ConfigMap ns/a from the cache: its labels or annotations were"):
            await read()
    with pytest.raises(CacheError, match="ns/a"):
        checked.peek(CONFIG_MAP, KEY)
    assert (await checked.get(CONFIG_MAP, ("ns", "b")))["metadata"]["name"] == "b"


async def test_changes_of_the_server_are_no_changes_of_readers(checked: Cache, clock: FakeClock, server: Any) -> None:
    """R-41: events, relists and deletions go on as without the check; private copies may be changed."""
    server.put("a", labels={"app": "new"})
    await clock.settle()
    found = await checked.get(CONFIG_MAP, KEY)
    found["metadata"]["labels"]["app"] = "mine"
    assert (await checked.get(CONFIG_MAP, KEY))["metadata"]["labels"] == {"app": "new"}
    server.streams[0].live = False
    server.put("a", labels={"app": "relisted"})
    server.delete("b")
    server.compact()
    server.close_streams()
    await clock.advance(5)
    listed = await checked.list(CONFIG_MAP)
    assert [obj["metadata"]["labels"] for obj in listed] == [{"app": "relisted"}]
    server.delete("a")
    await clock.settle()
    assert await checked.list(CONFIG_MAP) == []
