"""Field sets: the algebra of paths in their FieldsV1 form, against sets of tuples."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eso_core.testing.apiserver.managedfields import fieldset

_steps = st.sampled_from(["f:a", "f:b", 'k:{"n":1}', 'v:"x"', "i:0"])
_paths = st.sets(st.lists(_steps, min_size=1, max_size=3).map(tuple), max_size=6)


def build(paths: set[tuple[str, ...]]) -> dict[str, Any]:
    root: dict[str, Any] = {}
    for path in paths:
        single: dict[str, Any] = {}
        for step in reversed(path):
            single = {step: single}
        root = fieldset.union(root, single)
    return root


@given(_paths)
def test_a_set_has_exactly_the_paths_it_was_built_from(paths: Any) -> None:
    """Building and listing are inverse."""
    assert set(fieldset.paths(build(paths))) == paths


@given(_paths, _paths)
def test_set_operations_agree_with_those_of_plain_sets(left: Any, right: Any) -> None:
    """Union, difference and intersection work path by path and leave no empty shells behind."""
    one, other = build(left), build(right)
    assert fieldset.union(one, other) == build(left | right)
    assert fieldset.difference(one, other) == build(left - right)
    assert fieldset.intersection(one, other) == build(left & right)


@given(_paths, _paths)
def test_recursive_difference_also_takes_what_is_below(left: Any, right: Any) -> None:
    """A path takes away everything that begins with it."""
    kept = {path for path in left if not any(path[: len(gone)] == gone for gone in right)}
    assert fieldset.recursive_difference(build(left), build(right)) == build(kept)


@given(_paths)
def test_valid_accepts_every_set(paths: Any) -> None:
    """What we make ourselves can be read back."""
    assert fieldset.valid(build(paths))


@pytest.mark.parametrize(
    "node", [[], {"x": {}}, {"f:a": 1}, {".": {"f:a": {}}}, {"k:{": {}}, {"k:[1]": {}}, {"i:x": {}}]
)
def test_valid_refuses_what_is_no_set(node: Any) -> None:
    """Keys of other kinds, values that are no objects, and unreadable keys are refused."""
    assert not fieldset.valid(node)


def test_paths_are_shown_as_in_conflicts() -> None:
    """Fields, keyed items (numbers bare, texts quoted), set values and indexes have their own forms."""
    path = ("f:spec", 'k:{"port":80,"protocol":"TCP"}', "f:a.b", 'v:"x"', "i:3")
    assert fieldset.format_path(path) == '.spec[port=80,protocol="TCP"].a.b[="x"][3]'


def test_members_of_a_level_come_before_what_is_below_it() -> None:
    """Conflicts list the leaves of an object before the leaves of its parts, each in order; numbers sort as numbers."""
    node = {"f:b": {"f:x": {}}, "f:c": {}, "f:a": {}, 'k:{"n":10}': {}, 'k:{"n":9}': {}}
    shown = [fieldset.format_path(path) for path in fieldset.paths(node)]
    assert shown == [".a", ".c", "[n=9]", "[n=10]", ".b.x"]


def test_plain_fields_are_given_by_dotted_path_or_by_names() -> None:
    """Both spellings name the same set."""
    assert fieldset.field_set("metadata.labels", "spec") == fieldset.field_set(("metadata", "labels"), ("spec",))
