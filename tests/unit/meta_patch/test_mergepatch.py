"""JSON merge patch against the examples of RFC 7386 and its own inverse."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eso_core.meta import mergepatch

# The appendix of RFC 7386: document, patch, result.
RFC_EXAMPLES: list[tuple[Any, Any, Any]] = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]

_scalars = st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=2)
_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.sampled_from("abcd"), _values, max_size=4)


@pytest.mark.parametrize(("document", "patch", "result"), RFC_EXAMPLES)
def test_apply_agrees_with_the_examples_of_the_rfc(document: Any, patch: Any, result: Any) -> None:
    """Every example of the appendix gives the printed result, and the inputs stay as they were."""
    before = copy.deepcopy((document, patch))
    assert mergepatch.apply(document, patch) == result
    assert (document, patch) == before


@given(objects, objects)
def test_the_diff_of_two_objects_applied_to_the_first_gives_the_second(old: Any, new: Any) -> None:
    """diff is the inverse of apply for documents without nulls."""
    assert mergepatch.apply(old, mergepatch.diff(old, new)) == new


@given(objects)
def test_the_diff_of_equal_objects_is_empty(document: Any) -> None:
    """Nothing is sent when nothing changed."""
    assert mergepatch.diff(document, copy.deepcopy(document)) == {}


def test_a_diff_names_only_what_changed() -> None:
    """Unchanged siblings, at any depth, are not part of the patch."""
    old = {"metadata": {"labels": {"a": "1", "b": "2"}, "name": "x"}, "spec": {"list": [1, 2]}}
    new = {"metadata": {"labels": {"a": "1"}, "name": "x"}, "spec": {"list": [1, 2, 3]}}
    assert mergepatch.diff(old, new) == {"metadata": {"labels": {"b": None}}, "spec": {"list": [1, 2, 3]}}


def test_a_diff_tells_true_from_one() -> None:
    """Python's equality of True and 1 does not hide a change of type."""
    assert mergepatch.diff({"a": 1}, {"a": True}) == {"a": True}
