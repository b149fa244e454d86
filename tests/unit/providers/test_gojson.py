"""JSON in the original's byte-exact form."""

from __future__ import annotations

import pytest

from providers.errors import InvalidData
from providers.gojson import Number, decode, encode, format_double, map_value_bytes, raw_members, value_bytes


def test_members_are_sorted_and_html_characters_escaped() -> None:
    """The default dialect: compact, sorted, ``<``, ``>``, ``&`` and line separators as escapes."""
    value = decode('{"b": [1, 2.50, true, null], "a": "<&>\u2028", "é": {}}')
    assert encode(value) == '{"a":"\\u003c\\u0026\\u003e\\u2028","b":[1,2.50,true,null],"é":{}}'
    assert encode(value, html=False) == '{"a":"<&>\\u2028","b":[1,2.50,true,null],"é":{}}'


def test_numbers_keep_their_digits() -> None:
    """A double would lose the last digits of a large integer."""
    assert encode(decode('{"id":8019210420527506405}')) == '{"id":8019210420527506405}'
    assert value_bytes(Number("8019210420527506405")) == b"8019210420527506405"
    assert map_value_bytes(Number("8019210420527506405")) == b"8019210420527506405"
    assert map_value_bytes(Number("1.50")) == b"1.5"
    assert map_value_bytes(Number("1e3")) == b"1000"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.50", "1.5"),
        ("1e3", "1000"),
        ("1e21", "1e+21"),
        ("123456789e15", "1.23456789e+23"),
        ("0.000001", "0.000001"),
        ("1e-7", "1e-7"),
        ("1.5e-10", "1.5e-10"),
        ("0.0", "0"),
    ],
)
def test_doubles_inside_objects_print_as_go_prints_them(text: str, expected: str) -> None:
    """Very large and very small numbers have an exponent, everything else has none."""
    assert encode({"n": Number(text)}, doubles=True) == f'{{"n":{expected}}}'


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, b""),
        (True, b"true"),
        (False, b"false"),
        ("text", b"text"),
        ([1, "x"], b'[1,"x"]'),
        ({"b": 1, "a": "<"}, b'{"a":"\\u003c","b":1}'),
        (1.5, b"1.5"),
        (1e21, b"1000000000000000000000"),
    ],
)
def test_byte_forms(value: object, expected: bytes) -> None:
    """What a parsed value becomes in a Secret."""
    assert value_bytes(value) == expected  # type: ignore[arg-type]


def test_raw_members_keep_the_text_as_written() -> None:
    """Strings are unquoted, null is empty, everything else is untouched; the last duplicate wins."""
    raw = b'{"t": "a\\nb", "i": 42, "f": 1.50, "n": null, "o": {"b": 1, "a": "<&>"}, "l": [1, "x"], "t": "last"}'
    assert raw_members(raw, "unable to unmarshal secret") == {
        "t": b"last",
        "i": b"42",
        "f": b"1.50",
        "n": b"",
        "o": b'{"b": 1, "a": "<&>"}',
        "l": b'[1, "x"]',
    }


@pytest.mark.parametrize(
    "payload", [b'{"a":' + b"[" * 100_000, b"hunter2", b'{"k": hunter2}', b"[1]", b'"hunter2"', b"\xff\xfe"]
)
def test_what_is_no_object_is_refused_without_quoting_it(payload: bytes) -> None:
    """The error says that JSON is expected, and nothing about the value."""
    with pytest.raises(InvalidData, match=r"^unable to unmarshal secret: invalid JSON format") as caught:
        raw_members(payload, "unable to unmarshal secret")
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_lone_surrogates_become_replacement_characters() -> None:
    """What cannot be written as UTF-8 is replaced, not refused."""
    assert value_bytes(decode('"\\ud800x"')) == "\ufffdx".encode()
    assert encode(decode('{"\\udfffk":"\\ud800x"}')) == '{"\ufffdk":"\ufffdx"}'
    assert format_double(float("inf")) == "+Inf"


def test_what_is_nested_too_deeply_is_no_json() -> None:
    """An error like any other, not a crash."""
    with pytest.raises(ValueError, match="nested too deeply"):
        decode("[" * 200_000 + "]" * 200_000)
