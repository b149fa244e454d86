"""The store: one counter, windows of changes, states of the past."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eso_core.testing.apiserver.storage.store import Change, Store, TooOld, WindowLimits

JsonObject = dict[str, Any]


def make(name: str, value: str = "", namespace: str = "ns") -> JsonObject:
    metadata = {"name": name, "namespace": namespace, "uid": f"uid-{name}"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"k": value}}


def new_store(**limits: Any) -> Store:
    return Store(lambda: 0.0, WindowLimits(**limits))


def test_all_tables_share_one_counter_and_objects_carry_their_last_write() -> None:
    """T-38: versions grow by one with every write of any kind."""
    store = new_store()
    first = store.table("a").create(make("x"))
    second = store.table("b").create(make("x"))
    third = store.table("a").update(first, make("x", "1"))
    assert (first.revision, second.revision, third.revision) == (2, 3, 4)
    assert third.decode()["metadata"]["resourceVersion"] == "4"


def test_a_deletion_has_a_version_of_its_own() -> None:
    """T-38: the last state is shown at the version of the deletion."""
    store = new_store()
    entry = store.table("a").create(make("x"))
    last = store.table("a").delete(entry)
    assert last.revision == 3
    assert last.decode()["metadata"]["resourceVersion"] == "3"
    assert store.table("a").get("ns/x") is None


def test_listing_order_is_that_of_the_paths() -> None:
    """T-35: the objects of namespace ``x-a`` come before those of ``x``."""
    table = new_store().table("a")
    for namespace in ("x", "x-a", "a"):
        table.create(make("o", namespace=namespace))
    assert [entry.namespace for entry in table.snapshot(4)] == ["a", "x-a", "x"]


def test_an_old_state_is_rebuilt_from_the_window_until_compaction() -> None:
    """T-35: a snapshot shows what was there, whatever happened since."""
    store = new_store()
    table = store.table("a")
    first = table.create(make("a", "1"))
    table.create(make("b"))
    then = store.revision
    table.update(first, make("a", "2"))
    gone = table.get("ns/b")
    assert gone is not None
    table.delete(gone)
    table.create(make("c"))
    seen = {entry.name: entry.decode()["data"]["k"] for entry in table.snapshot(then)}
    assert seen == {"a": "1", "b": ""}
    store.compact()
    with pytest.raises(TooOld) as caught:
        table.snapshot(then)
    assert caught.value.oldest == store.revision


def test_a_window_keeps_its_bounds_in_number_and_bytes() -> None:
    """T-37: old changes go when there are too many; a hundred always stay."""
    store = new_store(max_changes=150)
    table = store.table("a")
    entry = table.create(make("a"))
    for number in range(300):
        entry = table.update(entry, make("a", str(number)))
    assert len(table.window) == 150
    assert [change.revision for change in table.window.since(entry.revision - 2)] == [
        entry.revision - 1,
        entry.revision,
    ]
    small = new_store(max_bytes=1)
    table = small.table("a")
    entry = table.create(make("a"))
    for number in range(300):
        entry = table.update(entry, make("a", str(number)))
    assert len(table.window) == 100


def test_aged_changes_go_when_nothing_is_written_any_more() -> None:
    """T-37: the window is trimmed by time too."""
    now = [0.0]
    store = Store(lambda: now[0], WindowLimits(max_age=75.0))
    table = store.table("a")
    for number in range(200):
        table.create(make(f"o{number}"))
    now[0] = 76.0
    store.trim()
    assert len(table.window) == 100


def test_watchers_see_changes_within_the_write() -> None:
    """T-37: in order, before the write returns."""
    table = new_store().table("a")
    seen: list[tuple[int, bool]] = []

    class Watcher:
        def on_change(self, change: Change) -> None:
            seen.append((change.revision, change.deleted))

        def end(self) -> None:
            seen.append((0, False))

    table.watchers[Watcher()] = None
    entry = table.create(make("a"))
    table.delete(entry)
    table.end_watches()
    assert seen == [(2, False), (3, True), (0, False)]


writes = st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), max_size=40)


@given(writes)
def test_every_past_state_within_the_window_is_what_it_was(steps: list[tuple[str, bool]]) -> None:
    """T-35: undoing changes gives exactly the states that were."""
    store = new_store()
    table = store.table("a")
    states: dict[int, dict[str, str]] = {store.revision: {}}
    for number, (name, remove) in enumerate(steps):
        entry = table.get(f"ns/{name}")
        if entry is None:
            table.create(make(name, str(number)))
        elif remove:
            table.delete(entry)
        else:
            table.update(entry, make(name, str(number)))
        states[store.revision] = {item.name: item.decode()["data"]["k"] for item in table.entries()}
    for revision, state in states.items():
        found = list(table.snapshot(revision))
        assert {item.name: item.decode()["data"]["k"] for item in found} == state
        assert [item.key for item in found] == sorted(item.key for item in found)
