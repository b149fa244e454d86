"""Merging JSON documents."""

from __future__ import annotations

import json

import pytest

from controllers.externalsecret.errors import KeysRefused
from controllers.externalsecret.merge import MergeRule, merge_values


def test_extract_gives_a_flat_map() -> None:
    """Members become keys: strings raw, numbers plain, null empty, objects compact with escaped HTML characters."""
    values = {
        "a": b'{"s": "x<y", "n": 3, "on": true, "none": null}',
        "b": b'{"log": {"note": "a<b&c", "day": 3}, "l": [1, "2"]}',
    }
    assert merge_values(MergeRule(), values) == {
        "s": b"x<y",
        "n": b"3",
        "on": b"true",
        "none": b"",
        "log": b'{"day":3,"note":"a\\u003cb\\u0026c"}',
        "l": b'[1,"2"]',
    }


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("8019210420527506405", b"8019210420527506405"),
        ("1e3", b"1000"),
        ("1.50", b"1.5"),
        ("2.0", b"2"),
        ("-0", b"0"),
        ("1E-3", b"0.001"),
        ("1e999999", b"1e999999"),
        ("1e400", b"1e400"),
        ("1e22", b"10000000000000000000000"),
        ("123456789.123456789", b"123456789.12345679"),
        ("0.10000000000000000555", b"0.1"),
    ],
)
def test_b042_numbers_keep_their_digits(number: str, expected: bytes) -> None:
    """B042: integers are not sent through a float; what has a fraction is a double, and there is no exponent in the text."""
    assert merge_values(MergeRule(), {"s": f'{{"id": {number}}}'.encode()}) == {"id": expected}


def test_json_keeps_the_input_and_adds_one_document() -> None:
    """Strategy JSON writes compact JSON with sorted members and no HTML escaping under `into`."""
    values = {"a": b'{"z": 1.0, "s": "a<b\xe2\x80\xa8"}', "b": b'{"c": {"y": 1, "x": "\\u00fc"}}'}
    merged = merge_values(MergeRule(strategy="JSON", into="all.json"), values)
    assert merged["a"] == values["a"]
    assert merged["all.json"] == '{"c":{"x":"ü","y":1},"s":"a<b\\u2028","z":1}'.encode()
    assert json.loads(merged["all.json"])["c"] == {"y": 1, "x": "ü"}
    with pytest.raises(KeysRefused, match="merge failed with missing 'into' field"):
        merge_values(MergeRule(strategy="JSON"), values)


@pytest.mark.parametrize(
    ("number", "written"),
    [
        ("1.50", "1.5"),
        ("1e3", "1000"),
        ("8019210420527506405", "8019210420527506405"),
        ("1e-9", "1e-9"),
        ("1e999", "1e999"),
    ],
)
def test_numbers_inside_of_documents_are_those_of_the_original(number: str, written: str) -> None:
    """B042: integers keep all digits; others print as the double they stand for."""
    values = {"s": f'{{"o": {{"n": {number}}}}}'.encode()}
    assert merge_values(MergeRule(), values) == {"o": f'{{"n":{written}}}'.encode()}
    assert merge_values(MergeRule(strategy="JSON", into="s"), values) == {"s": f'{{"o":{{"n":{written}}}}}'.encode()}


@pytest.mark.parametrize(
    ("document", "flat"),
    [
        ('{"a": "x\\ud800y"}', {"a": "x\ufffdy"}),
        ('{"a\\udfff": "1"}', {"a\ufffd": "1"}),
        ('{"o": {"\\ud800": ["\\udc00"]}}', {"o": '{"\ufffd":["\ufffd"]}'}),
        ('{"a": "\\ud83d\\ude00"}', {"a": "\U0001f600"}),
    ],
)
def test_half_a_surrogate_pair_is_a_replacement_character(document: str, flat: dict[str, str]) -> None:
    """As in Go; no text of UTF-8 can hold it, and it is no failure of the provider."""
    values = {"s": document.encode()}
    assert merge_values(MergeRule(), values) == {key: text.encode() for key, text in flat.items()}
    merged = merge_values(MergeRule(strategy="JSON", into="s"), values)["s"].decode()
    assert json.loads(merged).keys() == flat.keys()
    twice = {"a": values["s"], "b": values["s"]}
    with pytest.raises(KeysRefused, match="merge failed with conflicts: "):
        merge_values(MergeRule(), twice)


@pytest.mark.parametrize("depth", [600, 5000])
@pytest.mark.parametrize("rule", [MergeRule(), MergeRule(strategy="JSON", into="all")])
def test_a_document_nested_too_deeply_is_refused(depth: int, rule: MergeRule) -> None:
    """It is the value's fault, not the provider's."""
    document = '{"a":' * depth + "1" + "}" * depth
    with pytest.raises(KeysRefused, match="nested too deeply"):
        merge_values(rule, {"s": document.encode()})


def test_conflicts_are_errors_unless_ignored() -> None:
    """Members that occur twice are named; with Ignore the later document wins."""
    values = {"b": b'{"cook": "B", "deck": "B"}', "a": b'{"cook": "A", "deck": "A"}'}
    with pytest.raises(KeysRefused, match="merge failed with conflicts: cook, deck"):
        merge_values(MergeRule(), values)
    assert merge_values(MergeRule(conflict_policy="Ignore"), values)["cook"] == b"B"
    assert merge_values(MergeRule(conflict_policy="Ignore", priority=("a",)), values)["cook"] == b"A"


def test_a_priority_key_listed_twice_conflicts_with_itself() -> None:
    """The second mention overwrites the first."""
    with pytest.raises(KeysRefused, match="conflicts: x"):
        merge_values(MergeRule(priority=("a", "a")), {"a": b'{"x": 1}'})


def test_missing_priority_keys_follow_their_policy() -> None:
    """Strict names the key, IgnoreNotFound skips it."""
    with pytest.raises(KeysRefused, match='key "nope" not found in input map'):
        merge_values(MergeRule(priority=("nope",)), {"a": b"{}"})
    assert merge_values(MergeRule(priority=("nope",), priority_policy="IgnoreNotFound"), {"a": b'{"x": 1}'}) == {
        "x": b"1"
    }


@pytest.mark.parametrize(
    "value", [b"hunter2", b'{"k": hunter2}', b'"hunter2"', b'["hunter2"]', b"", b"true", b"7", b'{"a": NaN}']
)
def test_b085_errors_do_not_quote_the_value(value: bytes) -> None:
    """What is no JSON object is refused without its text."""
    with pytest.raises(KeysRefused) as caught:
        merge_values(MergeRule(), {"a": value})
    assert "hunter2" not in str(caught.value)
    assert "failed to unmarshal JSON" in str(caught.value)
    assert caught.value.__cause__ is None


def test_null_is_an_empty_document() -> None:
    """JSON null contributes nothing."""
    assert merge_values(MergeRule(), {"a": b"null", "b": b'{"x": "1"}'}) == {"x": b"1"}
