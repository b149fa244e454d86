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
        ('$.list[?(@.x =~ "^[z]")].v', b"2"),
        ('$.list[?(@.x =~ "^[z]" || @.none == "x")].v', b"2"),
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
    with pytest.raises(InvalidData, match=r"failed to get response path \$\.a\.b\[7\]\.c: there is no \[7\]"):
        pick(DOCUMENT, "$.a.b[7].c")
    with pytest.raises(InvalidSpec, match="failed to get response path"):
        pick(DOCUMENT, "$.list[?(@.x =~ /(/)]")
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
    with pytest.raises(InvalidData, match=r"wrong type: \[\]interface \{\}"):
        as_map([1], "reading")
    with pytest.raises(InvalidData, match="not JSON") as caught:
        as_map("planted-value", "reading")
    assert "planted" not in str(caught.value)


LISTED = {
    "items": [
        {"name": "a", "labels": {"app": "x"}, "on": True, "n": 3, "s": "true"},
        {"name": "b", "labels": {"app": "y"}, "on": False, "n": 0, "s": ""},
        {"name": "c", "on": None},
        {"name": "d"},
    ]
}


@pytest.mark.parametrize(
    ("condition", "names"),
    [
        ('@.labels.app == "x"', ["a"]),
        ('@.labels.app != "x"', ["b"]),
        ("@.on != true", ["b", "c"]),
        ("@.on", ["a"]),
        ("@.n", ["a"]),
        ("@.s", ["a"]),
        ("@.labels", ["a", "b"]),
        ("@.zz == null", []),
        ("@.zz != @.yy", []),
        ("@.n >= 0", ["a", "b"]),
        ("!@.n", ["b", "c", "d"]),
    ],
)
def test_a_comparison_with_what_is_not_there_is_false_and_so_is_a_false_value(condition: str, names: list[str]) -> None:
    """As the language of the original has it, where an element without the member never matches, `!=` included."""
    assert pick(LISTED, f"$.items[?({condition})].name") == names


def test_regular_expressions_cannot_hold_up_the_operator() -> None:
    """A pattern that takes `re` minutes; the functions that would use it are not there."""
    text = "a" * 40 + "b"
    assert pick([{"x": text}], '$[?(@.x =~ "(a+)+c")]') == []
    assert pick([{"x": text}], "$[?(@.x =~ /(a+)+c/)]") == []
    assert pick([{"x": "AB\n"}], "$[?(@.x =~ /ab./is)].x") == ["AB\n"]
    with pytest.raises(InvalidSpec, match="failed to get response path"):
        pick([{"x": text}], '$[?search(@.x, "(a+)+c")]')
    with pytest.raises(InvalidSpec, match="no regular expression of RE2"):
        pick([{"x": text}], '$[?(@.x =~ "(?=a)")]')


def test_a_query_that_takes_too_long_ends_with_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nested descents multiply; and so does nesting itself."""
    monkeypatch.setattr("providers.webhook.dialect._MOST_STEPS", 1000)
    deep: object = "x"
    for _ in range(60):
        deep = [deep]
    with pytest.raises(InvalidData, match="takes more than 1000 steps"):
        pick(deep, "$..*..*..*[?(@.zz)]")  # type: ignore[arg-type]
    wide = {"a": [0] * 1000}
    with pytest.raises(InvalidData, match="takes more than 1000 steps"):
        pick(wide, "$.a[?($.a[?($.a[?(@.z)])])]")  # type: ignore[arg-type]
    with pytest.raises(InvalidSpec, match="more than 16 commas"):
        pick(deep, "$" + "[0,0]" * 40)  # type: ignore[arg-type]
    for _ in range(60):
        deep = [deep]
    with pytest.raises(InvalidData, match="nested too deeply"):
        pick(deep, "$..zz")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "body", [b'{"a": NaN}', b'{"a": Infinity}', '\ufeff{"a": 1}'.encode(), '{"a": 1}'.encode("utf-16")]
)
def test_what_is_json_for_python_alone_is_none(body: bytes) -> None:
    """Go's decoder refuses it."""
    with pytest.raises(InvalidData, match="not JSON"):
        parse(body, "reading")


def test_text_that_utf_8_cannot_hold_becomes_the_replacement_character() -> None:
    """A byte that is none, and half a surrogate pair."""
    assert as_value(pick(parse(b'{"a": "x\xff"}', "reading"), "$.a")) == "x\ufffd".encode()
    assert as_value(pick(parse(b'{"a": "x\\ud800"}', "reading"), "$.a")) == "x\ufffd".encode()


def test_a_text_is_a_text_also_when_it_holds_json() -> None:
    """The library would read it."""
    assert as_value(pick("[1, 2]", "$")) == b"[1, 2]"
    assert as_value(pick("[x", "$")) == b"[x"
    with pytest.raises(InvalidData, match="there is no array"):
        pick("[1, 2]", "$[0]")
    assert pick("[1, 2]", "$..x") == []
