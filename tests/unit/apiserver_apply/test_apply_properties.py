"""Laws of server-side apply that hold for all configurations."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from eso_core.testing.apiserver.managedfields import apply, record_update

_text = st.sampled_from(["x", "y"])
_ports = st.lists(
    st.fixed_dictionaries({"port": st.integers(1, 3)}, optional={"name": _text}),
    max_size=3,
    unique_by=lambda port: port["port"],
)
_specs = st.fixed_dictionaries(
    {},
    optional={
        "color": _text,
        "tags": st.lists(_text, max_size=2, unique=True),
        "words": st.lists(_text, max_size=2),
        "ports": _ports,
        "options": st.dictionaries(_text, _text, max_size=2),
        "sealed": st.dictionaries(st.sampled_from("ab"), _text, max_size=2),
        "free": st.dictionaries(_text, st.integers(0, 1) | st.dictionaries(_text, _text, max_size=1), max_size=2),
        "nested": st.fixed_dictionaries(
            {}, optional={"x": _text, "y": st.fixed_dictionaries({}, optional={"z": _text})}
        ),
    },
)


def run(schema: Any, live: Any, spec: Any, manager: str, time: str = "t") -> Any:
    body = {"apiVersion": "t/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": spec}
    return apply(live, body, manager=manager, api_version="t/v1", kind="Widget", time=time, schema=schema, force=True)


def content(obj: Any) -> Any:
    """The object without empty and null values, which the server may or may not keep."""
    if isinstance(obj, dict):
        kept = {key: content(value) for key, value in obj.items() if key != "managedFields"}
        return {key: value for key, value in kept.items() if value not in (None, {}, [])}
    if isinstance(obj, list):
        return [content(item) for item in obj]
    return obj


@settings(max_examples=150, deadline=None)
@given(first=_specs, second=_specs)
def test_applying_twice_is_applying_once(widget: Any, first: Any, second: Any) -> None:
    """The second time changes nothing, whatever was there before and whoever owned it."""
    live = run(widget, run(widget, None, first, "other"), second, "m")
    assert run(widget, live, second, "m", time="later") == live


@settings(max_examples=150, deadline=None)
@given(base=_specs, mine=_specs)
def test_giving_up_everything_restores_the_others_object(widget: Any, base: Any, mine: Any) -> None:
    """What a manager added goes with it; what it only shared stays. Without force, nothing of others is touched."""
    live = run(widget, None, base, "other")
    same = {key: base[key] for key in mine if key in base}
    live = run(widget, live, same, "m")
    assert content(run(widget, live, {}, "m")["spec"]) == content(base)


@settings(max_examples=150, deadline=None)
@given(left=st.dictionaries(st.sampled_from("abc"), _text), right=st.dictionaries(st.sampled_from("xyz"), _text))
def test_managers_of_disjoint_fields_commute(widget: Any, left: Any, right: Any) -> None:
    """The order in which they apply does not matter, for the object or for who owns what."""
    one = run(widget, run(widget, None, {"options": left}, "l"), {"options": right}, "r")
    other = run(widget, run(widget, None, {"options": right}, "r"), {"options": left}, "l")
    assert content(one) == content(other)
    entries = [
        sorted(obj["metadata"].get("managedFields", []), key=lambda entry: entry["manager"]) for obj in (one, other)
    ]
    fields = [[(entry["manager"], entry["fieldsV1"]) for entry in found] for found in entries]
    assert fields[0] == fields[1]


@settings(max_examples=150, deadline=None)
@given(old=_specs, new=_specs)
def test_an_apply_that_replaces_everything_leaves_what_a_fresh_one_would(widget: Any, old: Any, new: Any) -> None:
    """The sole manager's object is always its last configuration."""
    live = run(widget, run(widget, None, old, "m"), new, "m")
    fresh = run(widget, None, new, "m")
    assert sort_lists(content(live)) == sort_lists(content(fresh))
    assert own(live) == own(fresh)


def own(obj: Any) -> Any:
    """What the manager m owns."""
    return [entry["fieldsV1"] for entry in obj["metadata"].get("managedFields", []) if entry["manager"] == "m"]


def sort_lists(spec: Any) -> Any:
    """Merged lists keep some of the old order; compare them without order (words are replaced, hence kept)."""
    inner = spec.get("spec", {})
    for key in ("tags", "ports"):
        if key in inner:
            inner[key] = sorted(inner[key], key=lambda item: json.dumps(item, sort_keys=True))
    return spec


@settings(max_examples=100, deadline=None)
@given(old=_specs, new=_specs)
def test_every_field_that_an_update_sets_has_an_owner(widget: Any, old: Any, new: Any) -> None:
    """After create and update the union of all entries covers a fresh entry of the object, leaf by leaf."""

    def record(live: Any, spec: Any, manager: str) -> Any:
        obj = {"apiVersion": "t/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": spec}
        return record_update(live, obj, manager=manager, api_version="t/v1", time="t", schema=widget)

    live = record(None, old, "a")
    changed = record(live, new, "b")
    owners = changed["metadata"].get("managedFields", [])
    wanted = record(None, new, "c")["metadata"].get("managedFields", [{"fieldsV1": {}}])[0]["fieldsV1"]
    assert leaves(wanted) <= set().union(*(leaves(entry["fieldsV1"]) for entry in owners), set())


def leaves(node: Any, prefix: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    """Paths of a trie that end in an empty node."""
    found: set[tuple[str, ...]] = set()
    for key, below in node.items():
        found |= leaves(below, (*prefix, key)) if below else {(*prefix, key)}
    return {path for path in found if path[-1] != "."}
