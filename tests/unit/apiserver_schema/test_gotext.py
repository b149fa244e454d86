"""Values are written as the server's error messages show them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eso_core.testing.apiserver.schema import gotext


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"),
        (1.5, "1.5"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1e-5, "1e-05"),
        (0.0001, "0.0001"),
        (-2.5, "-2.5"),
        (7, "7"),
    ],
)
def test_numbers_use_the_shortest_form_and_exponents_only_at_the_extremes(value: float, text: str) -> None:
    """1e21 is the first number written with an exponent; 0.0001 the last small one without."""
    assert gotext.number(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_reads_back_as_itself(value: float) -> None:
    """The text always names the same number."""
    assert float(gotext.number(value)) == value
    assert float(json.loads(gotext.to_json(value))) == value


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("plain", '"plain"'),
        ('say "hi"\\', '"say \\"hi\\"\\\\"'),
        ("line\nbreak\ttab", '"line\\nbreak\\ttab"'),
        ("\x01\x7f", '"\\x01\\x7f"'),
        ("é✓", '"é✓"'),
        ("\u200b", '"\\u200b"'),
    ],
)
def test_strings_are_quoted_with_escapes_for_what_cannot_be_printed(text: str, quoted: str) -> None:
    """Quotes and backslashes are escaped, unprintable characters become escapes, others stay."""
    assert gotext.quote(text) == quoted


def test_json_sorts_keys_and_escapes_html() -> None:
    """Maps are shown in the order of their keys, and characters that matter to HTML as escapes."""
    assert gotext.to_json({"b": [1, 2.0, None, True], "a": "<&>"}) == (
        '{"a":"\\u003c\\u0026\\u003e","b":[1,2,null,true]}'
    )


def test_structs_keep_the_order_of_their_fields() -> None:
    """Unlike maps, structs are not sorted, and rendered parts go in as they are."""
    inner = gotext.struct_json({"Z": 1, "A": "x"})
    assert gotext.struct_json({"Outer": inner, "None": None}) == '{"Outer":{"Z":1,"A":"x"},"None":null}'
