"""Label and field selectors as the server reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eso_core.testing.apiserver.errors import StatusError
from eso_core.testing.apiserver.rest.selectors import labels_from_object, parse_fields, parse_labels

LABELS = {"app": "x", "tier": "1", "empty": ""}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("app=x", True),
        ("app == x", True),
        ("app!=x", False),
        ("other!=x", True),
        ("app in (x, y)", True),
        ("app notin (x,y)", False),
        ("other notin (x)", True),
        ("app", True),
        ("!app", False),
        ("!other", True),
        ("empty=", True),
        ("tier>0", True),
        ("tier<1", False),
        ("app=x,tier=1", True),
        ("app=x,tier=2", False),
        ("example.com/a!=b", True),
        ("app in (x),!other,tier", True),
    ],
)
def test_label_selectors_match_as_documented(text: str, matches: bool) -> None:
    """R-58: ``!=`` and ``notin`` match objects without the key."""
    assert parse_labels(text).matches(LABELS) is matches


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a=b=c", "found '=', expected: ',' or 'end of string'"),
        ("a in x", "unable to parse requirement: found 'x' expected: '('"),
        (",", "found ',', expected: !, identifier, or 'end of string'"),
        ("a,", "found '', expected: identifier after ','"),
        ("!", "unable to parse requirement: found '', expected: identifier"),
        (
            "a>b",
            "unable to parse requirement: values[0]: Invalid value: \"b\": for 'Gt', 'Lt' operators, the value must be an integer",
        ),
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
    ],
)
def test_unreadable_label_selectors_say_where(text: str, message: str) -> None:
    """T-62: 400 with the parser's sentence."""
    with pytest.raises(StatusError) as caught:
        parse_labels(text)
    assert (caught.value.code, caught.value.message) == (400, message)


def test_selector_objects_mean_the_same_as_texts() -> None:
    """matchLabels and matchExpressions."""
    selector = {
        "matchLabels": {"app": "x"},
        "matchExpressions": [
            {"key": "tier", "operator": "In", "values": ["1", "2"]},
            {"key": "no", "operator": "DoesNotExist"},
        ],
    }
    assert labels_from_object(selector).matches(LABELS)
    assert not labels_from_object(selector).matches({"app": "x"})
    assert labels_from_object(None).matches({})


def test_field_selectors_compare_with_equality_only() -> None:
    """Escapes are undone; several terms must all hold."""
    fields = parse_fields(r"a.b=x\,y,c!=z,d==w")
    values = {"a.b": "x,y", "c": "q", "d": "w"}
    assert fields.matches(values.__getitem__)
    assert not fields.matches({**values, "c": "z"}.__getitem__)
    assert fields.exact("a.b") == "x,y"
    assert fields.exact("c") is None
    with pytest.raises(StatusError, match="can't understand 'a'"):
        parse_fields("a")


keys = st.sampled_from(["a", "b", "c"])
values = st.sampled_from(["x", "y", ""])


@given(st.dictionaries(keys, values), keys, values)
def test_an_equality_and_its_negation_never_agree(labels: dict[str, str], key: str, value: str) -> None:
    """Exactly one of ``k=v`` and ``k!=v`` matches, and sets behave as their terms."""
    equal, unequal = parse_labels(f"{key}={value}"), parse_labels(f"{key}!={value}")
    assert equal.matches(labels) != unequal.matches(labels)
    assert parse_labels(f"{key} in ({value})").matches(labels) == equal.matches(labels)
    assert parse_labels(f"{key} notin ({value})").matches(labels) == unequal.matches(labels)
