"""JSON is read and written in Go's dialect."""

from __future__ import annotations

from typing import Any

import pytest

from controllers.templating.functions import jsons
from controllers.templating.functions.registry import FunctionError
from controllers.templating.gotemplate.jsondecode import JsonError, decode_json
from controllers.templating.gotemplate.jsonencode import JsonEncodeError, encode_json
from controllers.templating.gotemplate.times import date
from controllers.templating.gotemplate.values import Duration, Int64, NilStrList, StrList, StrMap, Uint8
from controllers.templating.gotemplate.zones import UTC


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (NilStrList(), "null"),
        (StrList(), "[]"),
        ({}, "{}"),
        (True, "true"),
        ([1, Int64(2), Uint8(3), Duration(4)], "[1,2,3,4]"),
        ([1.0, 1e20, 1e21, 1e-6, 1e-7, 1.5e-10, -0.0, 123456789.5], "[1,100000000000000000000,1e+21,0.000001,1e-7,1.5e-10,-0,123456789.5]"),
        (StrMap({b"b": b"<&>", b"a": "é\u2028\x01\x7f".encode()}), '{"a":"é\\u2028\\u0001\x7f","b":"\\u003c\\u0026\\u003e"}'),
        ({b"b10": 1, b"b2": 2, b"B": 3}, '{"B":3,"b10":1,"b2":2}'),
        (b"\xff\xe2\x80", '"\ufffd\ufffd\ufffd"'),
        (date(2024, 2, 29, 0, 0, 0, 5_000_000, UTC), '"2024-02-29T00:00:00.005Z"'),
    ],
)  # fmt: skip
def test_values_are_written_as_go_writes_them(value: Any, text: str) -> None:
    """Keys in the order of their bytes, floats in their own form, nil lists as null."""
    assert encode_json(value) == text.encode()


def test_pretty_and_raw_forms() -> None:
    """Two spaces per level, nothing within empty containers; raw keeps the characters of HTML but not U+2028."""
    assert encode_json({b"a": [1, []], b"b": {}}, pretty=True) == b'{\n  "a": [\n    1,\n    []\n  ],\n  "b": {}\n}'
    assert encode_json("<\u2028>".encode(), html=False) == b'"<\\u2028>"'
    assert jsons.to_raw_json({b"c": b"<"}) == b'{"c":"<"}'


def test_values_without_a_json_form_are_refused() -> None:
    """Numbers that are none, complex numbers, a dict within itself, years of five digits."""
    cyclic: dict[bytes, Any] = {}
    cyclic[b"a"] = [cyclic]
    late = date(10_000, 1, 1, 0, 0, 0, 0, UTC)
    for value, message in [
        ([float("nan")], "json: unsupported value: NaN"),
        (1j, "json: unsupported type: complex128"),
        (cyclic, "json: unsupported value: encountered a cycle via "),
        (late, "json: error calling MarshalJSON for type *time.Time: "),
    ]:
        with pytest.raises(JsonEncodeError) as raised:
            encode_json(value)
        assert str(raised.value).startswith(message)
        assert jsons.to_json(value) == jsons.to_pretty_json(value) == b""
        with pytest.raises(FunctionError):
            jsons.must_to_json(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (' {"a": [1, "x", null, true, 1.5e3]} ', {b"a": [1.0, b"x", None, True, 1500.0]}),
        ('{"a": 1, "a": 2}', {b"a": 2.0}),
        ('"\\ud83d\\ude00\\ud83d\\n"', "😀\ufffd\n".encode()),
        ("12345678901234567890", 12345678901234567890.0),
    ],
)
def test_documents_are_read(text: str, value: Any) -> None:
    """All numbers are floats, equal keys keep the last value, halves of pairs become U+FFFD."""
    assert decode_json(text.encode()) == value
    assert str(decode_json(b"-0")) == "-0.0"
    assert decode_json(b'"\xff\xc3"') == "\ufffd\ufffd".encode()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "unexpected end of JSON input"),
        (b'{"a":', "unexpected end of JSON input"),
        (b"tru", "unexpected end of JSON input"),
        (b"{bad", "invalid character 'b' looking for beginning of object key string"),
        (b"[1,]", "invalid character ']' looking for beginning of value"),
        (b'{"a" 1}', "invalid character '1' after object key"),
        (b"[1 2]", "invalid character '2' after array element"),
        (b'{"a":1 "b":2}', "invalid character '\"' after object key:value pair"),
        (b"01", "invalid character '1' after top-level value"),
        (b"1.x", "invalid character 'x' in numeric literal"),
        (b"trux", "invalid character 'x' in literal true (expecting 'e')"),
        (b'"a\nb"', "invalid character '\\n' in string"),
        (b'"\\x"', "invalid escape sequence `\\x` in string"),
        (b'"\\u12\xff4"', 'invalid escape sequence "\\\\u12\\xff4" in string'),
        (b"\xff", "invalid character '\\xff' looking for beginning of value"),
        (b"[" * 10_001, "exceeded max depth"),
    ],
)
def test_what_is_no_json_is_refused_with_gos_words(text: bytes, message: str) -> None:
    """`mustFromJson` fails with the message, `fromJson` gives nil."""
    with pytest.raises(FunctionError) as raised:
        jsons.must_from_json(text)
    assert str(raised.value) == message
    assert jsons.from_json(text) is None


def test_numbers_beyond_float64_are_named_and_clamped() -> None:
    """The error says where the first one is; the silent function goes on with the largest float."""
    with pytest.raises(JsonError) as raised:
        decode_json(b'{"a":[1,-1e400,1e500]}')
    assert str(raised.value) == "json: cannot unmarshal number -1e400 into .a.1 of type float64"
    assert jsons.from_json(b"[1e400]") == [1.7976931348623157e308]


def test_deep_documents_come_back() -> None:
    """Ten thousand levels are read and written without recursion."""
    deep = b"[" * 10_000 + b"]" * 10_000
    value = decode_json(deep)
    assert encode_json(value) == deep
    while value:  # taken apart from the outside, as the interpreter would recurse
        value = value.pop()
