"""Properties of JSON, YAML, times and durations: what was written reads the same, and nothing else than the known errors comes up."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controllers.templating.budget import Budget, metered
from controllers.templating.functions.yamls import from_yaml, to_yaml
from controllers.templating.gotemplate.durations import DurationError, format_duration, parse_duration
from controllers.templating.gotemplate.errors import LimitExceeded
from controllers.templating.gotemplate.jsondecode import JsonError, decode_json
from controllers.templating.gotemplate.jsonencode import encode_json
from controllers.templating.gotemplate.timeparse import TimeError, parse_time
from controllers.templating.gotemplate.times import Time
from controllers.templating.gotemplate.yamldoc import YamlError, document, text_map
from controllers.templating.gotemplate.zones import UTC

TEXTS = st.text(max_size=12).map(lambda t: t.encode("utf-8", "replace"))
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=12,
)
BYTES = st.binary(max_size=40)
LAYOUTS = st.lists(
    st.sampled_from(["2006", "01", "02", "Jan", "15:04:05", ".000", "MST", "-0700", " ", "T", "PM", "x"]), max_size=6
)


@given(VALUES)
def test_json_reads_what_it_wrote(value: Any) -> None:
    """Compact and pretty alike."""
    compact = encode_json(value)
    assert encode_json(decode_json(compact)) == compact
    assert decode_json(encode_json(value, pretty=True)) == decode_json(compact)


PLAIN_TEXTS = st.text(
    st.characters(
        min_codepoint=32, max_codepoint=0x2FF, exclude_characters="\x7f\x85", exclude_categories=("Cs", "Cc")
    ),
    max_size=90,
)


@given(
    st.dictionaries(
        PLAIN_TEXTS, st.one_of(PLAIN_TEXTS, st.integers(-(2**53), 2**53), st.lists(PLAIN_TEXTS, max_size=3))
    )
)
def test_yaml_reads_what_it_wrote(value: dict[str, Any]) -> None:
    """Keys and texts that look like anything; folded lines come together again."""
    given_value = decode_json(encode_json({k.encode(): _as_bytes(v) for k, v in value.items()}))
    assert from_yaml(to_yaml(given_value)) == given_value


def _as_bytes(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode()
    return [_as_bytes(item) for item in value] if isinstance(value, list) else value


@given(BYTES)
def test_any_bytes_are_read_or_refused(text: bytes) -> None:
    """No error of another kind comes up."""
    for read, error in (
        (decode_json, JsonError),
        (document, YamlError),
        (text_map, YamlError),
        (parse_duration, DurationError),
    ):
        try:
            read(text)
        except error as refused:
            assert str(refused)


@settings(max_examples=50)
@given(
    st.lists(
        st.sampled_from(
            [
                "a: b",
                "- x",
                "? k",
                "<<: *a",
                "&a {x: 1}",
                "*a",
                "[",
                "]",
                "{",
                "}",
                "|",
                ">",
                "!!int x",
                "\t",
                "'",
                '"',
                "#",
                "---",
            ]
        ),
        max_size=8,
    )
)
def test_any_yaml_is_read_or_refused(lines: list[str]) -> None:
    """Neither reading mode lets another error through, and both agree on what is YAML at all."""
    rendered = "\n".join(lines).encode()
    try:
        document(rendered)
    except YamlError:
        with pytest.raises(YamlError):
            text_map(rendered)


@given(LAYOUTS, st.integers(-(10**11), 10**12), st.integers(0, 999_999_999), BYTES)
def test_times_are_read_or_refused(parts: list[str], seconds: int, nanosecond: int, junk: bytes) -> None:
    """What a layout showed reads in the same layout, unless the layout contradicts itself."""
    layout = "".join(parts).encode()
    shown = Time(seconds, nanosecond, UTC).format(layout)
    for text in (shown, junk):
        try:
            assert parse_time(layout, text).format(layout)[:0] == b""
        except TimeError as refused:
            assert str(refused).startswith("parsing time ")


@given(st.integers(-(2**63), 2**63 - 1))
def test_durations_read_what_they_wrote(nanoseconds: int) -> None:
    """Over all of 64 bits."""
    assert parse_duration(format_duration(nanoseconds)) == nanoseconds


def test_numbers_of_any_length_are_taken_or_refused() -> None:
    """Also where Python would not convert them."""
    with pytest.raises(DurationError):
        parse_duration(b"9" * 5000 + b"s")
    assert parse_duration(b"0" * 5000 + b"1s") == 10**9
    assert parse_time(b"MST", b"GMT+" + b"0" * 5000 + b"3").zone.offset == 3 * 3600
    with pytest.raises(TimeError):
        parse_time(b"MST", b"GMT+" + b"9" * 5000)
    assert text_map(b"a: " + b"9" * 5000) == {b"a": b"9" * 5000}


def test_values_that_hold_each_other_many_times_are_bounded() -> None:
    """The text would be larger than a render may make."""
    value: list[Any] = [b"x" * 1000]
    for _ in range(30):
        value = [value, value]
    with metered(Budget()), pytest.raises(LimitExceeded):
        encode_json(value)
