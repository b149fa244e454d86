"""What a JSONPath picks out of an answer, and the bytes that become of it."""

from __future__ import annotations

import json

import pytest

from providers import InvalidData, InvalidSpec
from providers.webhook.jsonpath import as_map, as_value, parse, pick

DOCUMENT = {
    "a": {"b": [1, 2, {"c": "x"}], "k.x": "dot"},
    "list": [{"x": "y", "v": 1}, {"x": "z", "v": 2}],
    "price": 1.5,
    "none": None,
}


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("$.a.b[2].c", b"x"),
        ("$.a.b[-1].c", b"x"),
        ("$['a']['k.x']", b"dot"),
        ("$.a.b", b"1"),
        ("$.a.b[7]", b""),
        ("$.none", b""),
        ("$.price", b"1.5"),
        ('$.list[?(@.x == "z")].v', b"2"),
        ("$.list[?(@.v > 1 && @.x =~ /z/)].x", b"z"),
        ("$.list[*].x", b"y"),
        ("$..v", b"1"),
        ("$.list[0]", b'{"v":1,"x":"y"}'),
        ("$.list[0:2].x", b"y"),
    ],
)
def test_definite_paths_give_a_value_all_others_the_first_of_what_they_find(path: str, wanted: bytes) -> None:
    """Names, indices from either end, filters, wildcards, descent, slices."""
    assert as_value(pick(DOCUMENT, path)) == wanted


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        ('"s"', b"s"),
        ("5", b"5"),
        ("true", b"true"),
        ("null", b""),
        ('{"a":1}', b'{"a":1}'),
        ('["x","y"]', b"x"),
        ("5.7", b"5.7"),
        ("0.1", b"0.1"),
        ("1.50", b"1.50"),
        ("2.50e1", b"25"),
        ("1e3", b"1000"),
        ("1e-2", b"0.01"),
        ("1e9999", b"1e9999"),
        ("[2.50]", b"2.50"),
        ('{"a":2.50}', b'{"a":2.5}'),
        ("8019210420527506405", b"8019210420527506405"),
        ("1e300", b"1" + b"0" * 300),
    ],
)
def test_answers_of_every_type(answer: str, wanted: bytes) -> None:
    """B096, B125: numbers with the digits that were sent, arrays as their first element, objects as JSON."""
    assert as_value(pick(parse(answer.encode(), "reading"), "$")) == wanted


def test_what_a_path_cannot_find_is_named() -> None:
    """B096: an empty array; a key that is not there; a path that is none."""
    with pytest.raises(InvalidData, match="filter worked but didn't get any result"):
        as_value(pick([], "$"))
    with pytest.raises(InvalidData, match=r"failed to get response path \$\.a\.zzz: unknown key zzz"):
        pick(DOCUMENT, "$.a.zzz")
    with pytest.raises(InvalidData, match="unknown key x"):
        pick(DOCUMENT, "$.price.x")
    with pytest.raises(InvalidSpec, match="failed to get response path"):
        pick(DOCUMENT, "$.[")
    with pytest.raises(InvalidSpec, match="longer than"):
        pick(DOCUMENT, "$." + "a" * 5000)


def test_a_map_is_an_object_or_a_text_that_holds_one() -> None:
    """B096: each member in byte form, numbers with all digits."""
    document = json.loads(
        '{"v": {"a": 1, "b": "2", "c": 1.25, "d": [1, {"e": null}], "f": null, "g": 1e21, "h": false}}'
    )
    assert as_map(pick(document, "$.v"), "reading") == {
        "a": b"1",
        "b": b"2",
        "c": b"1.25",
        "d": b'[1,{"e":null}]',
        "f": b"",
        "g": b"1000000000000000000000",
        "h": b"false",
    }
    assert as_map('{"x": "y"}', "reading") == {"x": b"y"}
    with pytest.raises(InvalidData, match="wrong type: array"):
        as_map([1], "reading")
    with pytest.raises(InvalidData, match="not JSON") as caught:
        as_map("planted-value", "reading")
    assert "planted" not in str(caught.value)
