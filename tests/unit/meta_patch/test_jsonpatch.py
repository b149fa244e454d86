"""JSON patch against RFC 6902, an independent implementation, and its own inverse."""

from __future__ import annotations

import copy
from typing import Any

import jsonpatch as oracle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eso_core.meta import jsonpatch

# The appendix of RFC 6902: document, operations, result.
RFC_EXAMPLES: list[tuple[Any, list[dict[str, Any]], Any]] = [
    ({"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux"}], {"baz": "qux", "foo": "bar"}),
    ({"foo": ["bar", "baz"]}, [{"op": "add", "path": "/foo/1", "value": "qux"}], {"foo": ["bar", "qux", "baz"]}),
    ({"baz": "qux", "foo": "bar"}, [{"op": "remove", "path": "/baz"}], {"foo": "bar"}),
    ({"foo": ["bar", "qux", "baz"]}, [{"op": "remove", "path": "/foo/1"}], {"foo": ["bar", "baz"]}),
    ({"baz": "qux"}, [{"op": "replace", "path": "/baz", "value": "boo"}], {"baz": "boo"}),
    (
        {"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}},
        [{"op": "move", "from": "/foo/waldo", "path": "/qux/thud"}],
        {"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}},
    ),
    (
        {"foo": ["all", "grass", "cows", "eat"]},
        [{"op": "move", "from": "/foo/1", "path": "/foo/3"}],
        {"foo": ["all", "cows", "eat", "grass"]},
    ),
    (
        {"baz": "qux", "foo": ["a", 2, "c"]},
        [{"op": "test", "path": "/baz", "value": "qux"}, {"op": "test", "path": "/foo/1", "value": 2}],
        {"baz": "qux", "foo": ["a", 2, "c"]},
    ),
    (
        {"foo": "bar"},
        [{"op": "add", "path": "/child", "value": {"grandchild": {}}}],
        {"foo": "bar", "child": {"grandchild": {}}},
    ),
    ({"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux", "xyz": 123}], {"foo": "bar", "baz": "qux"}),
    ({"/": 9, "~1": 10}, [{"op": "test", "path": "/~01", "value": 10}], {"/": 9, "~1": 10}),
    ({"foo": ["bar"]}, [{"op": "add", "path": "/foo/-", "value": ["abc", "def"]}], {"foo": ["bar", ["abc", "def"]]}),
    ({"a": 1}, [{"op": "replace", "path": "", "value": [1]}], [1]),
    ({"a": {"b": 1}}, [{"op": "copy", "from": "/a", "path": "/c"}], {"a": {"b": 1}, "c": {"b": 1}}),
]

REFUSED: list[tuple[Any, list[Any]]] = [
    ({"a": 1}, [{"op": "remove", "path": "/b"}]),
    ({"a": 1}, [{"op": "replace", "path": "/b", "value": 1}]),
    ({"a": 1}, [{"op": "add", "path": "/b/c", "value": 1}]),
    ({"a": 1}, [{"op": "add", "path": "/a/c", "value": 1}]),
    ({"a": [1]}, [{"op": "add", "path": "/a/3", "value": 1}]),
    ({"a": [1]}, [{"op": "add", "path": "/a/x", "value": 1}]),
    ({"a": [1]}, [{"op": "replace", "path": "/a/01", "value": 1}]),
    ({"a": [1]}, [{"op": "remove", "path": "/a/-1"}]),
    ({"a": [1]}, [{"op": "remove", "path": "/a/1"}]),
    ({"a": 1}, [{"op": "move", "from": "/b", "path": "/c"}]),
    ({"a": {"b": 1}}, [{"op": "move", "from": "/a", "path": "/a/b"}]),
    ({"a": 1}, [{"op": "copy", "from": "/b", "path": "/c"}]),
    ({"a": 1}, [{"op": "frobnicate", "path": "/a", "value": 1}]),
    ({"a": 1}, [{"op": "add", "path": "a", "value": 1}]),
    ({"a": 1}, [{"op": "add", "path": "/a"}]),
    ({"a": 1}, [{"op": "add", "value": 1}]),
    ({"a": 1}, [{"op": "test", "path": "/b", "value": None}]),
    ({"a": 1}, ["add"]),
]

_values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.text("a/~", max_size=2),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "b", "/", "~", ""]), inner, max_size=3)
    ),
    max_leaves=10,
)


@pytest.mark.parametrize(("document", "operations", "result"), RFC_EXAMPLES)
def test_apply_agrees_with_the_examples_of_the_rfc(document: Any, operations: Any, result: Any) -> None:
    """Every example gives the printed result, in both dialects, and the document stays as it was."""
    before = copy.deepcopy(document)
    assert jsonpatch.apply(document, operations) == result
    assert jsonpatch.apply(document, operations, lenient=True) == result
    assert document == before


@pytest.mark.parametrize(("document", "operations"), REFUSED)
def test_what_cannot_be_applied_is_refused_with_the_operations_index(document: Any, operations: Any) -> None:
    """The error names the operation, and earlier operations leave no trace in the document."""
    before = copy.deepcopy(document)
    with pytest.raises(jsonpatch.JsonPatchError) as caught:
        jsonpatch.apply(document, [{"op": "add", "path": "/ok", "value": 1}, *operations])
    assert caught.value.index == 1
    assert document == before


def test_a_test_that_fails_has_its_own_error() -> None:
    """A failed test is told apart from a malformed patch; true is not 1."""
    with pytest.raises(jsonpatch.JsonPatchTestFailed):
        jsonpatch.apply({"a": 1}, [{"op": "test", "path": "/a", "value": True}])


@pytest.mark.parametrize(
    ("document", "operation", "result"),
    [
        ({}, {"op": "replace", "path": "/a", "value": 1}, {"a": 1}),
        ({}, {"op": "test", "path": "/a", "value": None}, {}),
        ({}, {"op": "add", "path": "/a"}, {"a": None}),
        ({"a": [1, 2]}, {"op": "remove", "path": "/a/-1"}, {"a": [1]}),
        ({"a": [1, 2]}, {"op": "replace", "path": "/a/-2", "value": 3}, {"a": [3, 2]}),
        ({"a": [1, 2]}, {"op": "add", "path": "/a/-1", "value": 3}, {"a": [1, 2, 3]}),
    ],
)
def test_the_servers_dialect_accepts_more(document: Any, operation: Any, result: Any) -> None:
    """What the API server lets pass, the lenient dialect lets pass with the same result."""
    assert jsonpatch.apply(document, [operation], lenient=True) == result


@pytest.mark.parametrize(
    ("document", "operation"),
    [
        ({"a": [1]}, {"op": "replace", "path": "/a/1", "value": 1}),
        ({"a": [1]}, {"op": "remove", "path": "/a/-2"}),
        ({}, {"op": "remove", "path": "/a"}),
        ({}, {"op": "remove", "path": ""}),
        ({}, {"op": "add", "path": "", "value": {}}),
        ({}, {"op": "test", "path": "/a/b", "value": None}),
    ],
)
def test_the_servers_dialect_still_refuses_what_makes_no_sense(document: Any, operation: Any) -> None:
    """Indexes out of range, absent keys on remove, and absent parents stay errors."""
    with pytest.raises(jsonpatch.JsonPatchError):
        jsonpatch.apply(document, [operation], lenient=True)


@given(_values, _values)
def test_the_diff_of_two_documents_applied_to_the_first_gives_the_second(old: Any, new: Any) -> None:
    """diff is the inverse of apply, and the independent implementation agrees on the result."""
    operations = jsonpatch.diff(old, new)
    assert jsonpatch.equal(jsonpatch.apply(old, operations), new)
    assert jsonpatch.apply(old, operations, lenient=True) == new
    assert oracle.apply_patch(copy.deepcopy(old), operations) == new


@given(_values, _values)
def test_apply_agrees_with_an_independent_implementation(old: Any, new: Any) -> None:
    """Patches made by the other implementation (they use move and copy too) give the same result here."""
    operations = list(oracle.make_patch(old, new))
    assert jsonpatch.apply(old, operations) == new


@given(_values)
def test_the_diff_of_equal_documents_is_empty(document: Any) -> None:
    """Nothing is sent when nothing changed."""
    assert jsonpatch.diff(document, copy.deepcopy(document)) == []


def test_an_item_inserted_into_a_list_is_one_operation() -> None:
    """The common beginning and end of a list are left alone."""
    assert jsonpatch.diff({"a": [1, 2, 3]}, {"a": [1, 9, 2, 3]}) == [{"op": "add", "path": "/a/1", "value": 9}]
    assert jsonpatch.diff({"a": [1, 2, 3]}, {"a": [1, 3]}) == [{"op": "remove", "path": "/a/1"}]
