"""Label and field selectors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eso_core.meta import FieldSelector, LabelSelector
from eso_core.meta.errors import SelectorError
from eso_core.meta.selectors import Requirement


@pytest.mark.parametrize(
    ("text", "labels", "expected"),
    [
        ("", {}, True),
        ("a=b", {"a": "b"}, True),
        ("a==b", {"a": "b"}, True),
        ("a=b", {"a": "c"}, False),
        ("a=b", {}, False),
        ("a!=b", {}, True),
        ("a!=b", {"a": "b"}, False),
        ("a", {"a": ""}, True),
        ("a", {}, False),
        ("!a", {}, True),
        ("! a", {"a": "x"}, False),
        ("a in (b,c)", {"a": "c"}, True),
        ("a in (b, c)", {}, False),
        ("a notin (b,c)", {}, True),
        ("a notin (b,c)", {"a": "b"}, False),
        ("a in (,b)", {"a": ""}, True),
        ("a=", {"a": ""}, True),
        ("a=,b=c", {"a": "", "b": "c"}, True),
        ("a>1", {"a": "2"}, True),
        ("a>1", {"a": "x"}, False),
        ("a<1", {"a": "0"}, True),
        ("a<1", {}, False),
        ("a=b,c!=d", {"a": "b", "c": "d"}, False),
        ("example.com/x = y", {"example.com/x": "y"}, True),
        ("in in (in)", {"in": "in"}, True),
    ],
)
def test_label_selectors_match_as_the_server_does(text: str, labels: dict[str, str], expected: bool) -> None:
    """Every operator, present and absent."""
    assert LabelSelector.parse(text).matches(labels) is expected


@pytest.mark.parametrize(
    "text",
    [
        ",",
        "a,",
        "a==",
        "a in b",
        "a in (b",
        "a in (b c)",
        "a b",
        "=a",
        "!",
        "a=b=c",
        "a>x",
        "a!b",
        "-a=b",
        "a=b_",
        "Bad_Domain/x=y",
        "a" * 64,
        f"a={'b' * 64}",
        "a in ((b))",
        "a=b)",
    ],
)
def test_bad_label_selectors_are_refused(text: str) -> None:
    """Errors are SelectorErrors, which are ValueErrors too. (``a==`` is valid: the empty value.)"""
    if text == "a==":
        assert LabelSelector.parse(text).matches({"a": ""})
        return
    with pytest.raises(SelectorError):
        LabelSelector.parse(text)


def test_selectors_in_objects() -> None:
    """None matches nothing, an empty one everything; labels and expressions are all needed."""
    assert not LabelSelector.from_object(None).matches({"a": "b"})
    assert LabelSelector.from_object({}).everything
    assert LabelSelector.from_object({}).matches({})
    selector = LabelSelector.from_object(
        {
            "matchLabels": {"a": "b"},
            "matchExpressions": [
                {"key": "c", "operator": "In", "values": ["d", "e"]},
                {"key": "f", "operator": "Exists"},
                {"key": "g", "operator": "DoesNotExist"},
                {"key": "h", "operator": "NotIn", "values": ["i"]},
            ],
        }
    )
    assert selector.matches({"a": "b", "c": "e", "f": ""})
    assert not selector.matches({"a": "b", "c": "e", "f": "", "h": "i"})
    assert str(selector) == "a=b,c in (d,e),f,!g,h notin (i)"
    assert LabelSelector.from_labels({"x": "y"}).matches({"x": "y"})


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ({"key": "a", "operator": "Equals"}, "is not a valid label selector operator"),
        ({"key": "a", "operator": "In"}, "values set can't be empty"),
        ({"key": "a", "operator": "Exists", "values": ["b"]}, "values set must be empty"),
        ({"key": "", "operator": "Exists"}, "name part must consist of"),
        ({"key": "a", "operator": "In", "values": ["!"]}, "a valid label must be"),
    ],
)
def test_bad_expressions_are_refused(expression: dict[str, object], message: str) -> None:
    """The message follows the server's."""
    with pytest.raises(SelectorError, match=message):
        LabelSelector.from_object({"matchExpressions": [expression]})


_NAMES = st.from_regex(r"[a-z][a-z0-9]{0,5}", fullmatch=True)


@given(
    st.lists(
        st.one_of(
            st.builds(lambda k, v: Requirement(k, "=", (v,)), _NAMES, _NAMES),
            st.builds(lambda k, v: Requirement(k, "!=", (v,)), _NAMES, _NAMES),
            st.builds(lambda k, v: Requirement(k, "in", tuple(dict.fromkeys(v))), _NAMES, st.lists(_NAMES, min_size=1)),
            st.builds(lambda k: Requirement(k, "exists"), _NAMES),
            st.builds(lambda k: Requirement(k, "!"), _NAMES),
        )
    ),
    st.dictionaries(_NAMES, _NAMES),
)
def test_the_text_of_a_selector_means_the_same(requirements: list[Requirement], labels: dict[str, str]) -> None:
    """Writing and reading a selector does not change what it matches."""
    selector = LabelSelector(tuple(requirements))
    assert LabelSelector.parse(str(selector)).matches(labels) == selector.matches(labels)


def test_field_selectors_match_paths() -> None:
    """Equality, inequality, escapes; an absent field is empty."""
    fields = {"metadata.name": "a,b=c", "status.phase": "Running"}
    selector = FieldSelector.parse(r"metadata.name=a\,b\=c,status.phase!=Failed,spec.x=")
    assert selector.matches(fields.get)
    assert str(selector) == r"metadata.name=a\,b\=c,status.phase!=Failed,spec.x="
    assert not FieldSelector.parse("status.phase==Failed").matches(fields.get)
    assert FieldSelector.parse("").matches(fields.get)


@pytest.mark.parametrize("text", ["metadata.name", r"a=\x", "a=b=c"])
def test_bad_field_selectors_are_refused(text: str) -> None:
    """No operator, an unknown escape, an unescaped separator."""
    with pytest.raises(SelectorError):
        FieldSelector.parse(text)
