"""YAML is read and written as the original's library does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from controllers.templating.functions.yamls import from_yaml, to_yaml
from controllers.templating.gotemplate.jsonencode import encode_json
from controllers.templating.gotemplate.yamldoc import YamlError, document, text_map
from controllers.templating.gotemplate.yamlscalars import resolve_plain, short_float

VECTORS = yaml.load((Path(__file__).parent / "vectors" / "template-vectors.yaml").read_text(), Loader=yaml.CSafeLoader)[
    "vectors"
]
PLAIN = [v for v in VECTORS if v.get("yaml") and "{{" not in v["template"]]


@pytest.mark.parametrize("vector", PLAIN, ids=[v["id"] for v in PLAIN])
def test_recorded_documents_read_the_same(vector: dict[str, Any]) -> None:
    """Documents without actions among the vectors: their mapping, their value, or their error."""
    rendered = vector["template"].encode()
    if "error" in vector:
        with pytest.raises(YamlError) as raised:
            text_map(rendered)
        assert str(raised.value) == vector["message"]
    elif vector["yaml"] == "map":
        assert text_map(rendered) == {k.encode(): v.encode() for k, v in vector["expect_map"].items()}
    else:
        found = document(rendered)
        assert found == vector["expect_json"]
        assert json.dumps(found, sort_keys=True) == json.dumps(vector["expect_json"], sort_keys=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: !!int x", "error converting YAML to JSON: yaml: cannot decode !!str `x` as a !!int"),
        ('a: "\\/"', "error converting YAML to JSON: yaml: found unknown escape character"),
        ("a: !!binary '!'", "error converting YAML to JSON: yaml: !!binary value contains invalid base64 data"),
        ("[a]: b", 'error converting YAML to JSON: yaml: invalid map key: []interface {}{"a"}'),
        ("9223372036854775808: x", 'error converting YAML to JSON: unsupported map key of type: uint64, key: 0x8000000000000000, value: "x"'),
        ("<<: 1", "error converting YAML to JSON: yaml: map merge requires map or sequence of maps as the value"),
        ("a: &x [*x]", "error converting YAML to JSON: yaml: anchor 'x' value contains itself"),
        ("1.5: []", "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array into .1.5 of type string"),
        ("12", "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal number into Go value of type map[string]string"),
        ("a: [.nan]", "error converting YAML to JSON: json: unsupported value: NaN"),
        ("a: 1\n<<: \n - x: [", "error converting YAML to JSON: yaml: line 3: did not find expected node content"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_the_originals_words(text: str, message: str) -> None:
    """Syntax first, then the content of values, then keys, then shapes."""
    with pytest.raises(YamlError) as raised:
        text_map(text.encode())
    assert str(raised.value) == message


def test_merges_override_what_stands_before_them() -> None:
    """Of several sources the first wins; later members win over merged ones."""
    found = document(b"b: &b {x: 1}\nc: &c {x: 2, z: 3}\nd: {x: 0, <<: [*b, *c], z: 4}\n")
    assert found == {"b": {"x": 1}, "c": {"x": 2, "z": 3}, "d": {"x": 1, "z": 4}}


def test_documents_that_grow_by_aliases_are_refused() -> None:
    """Nine levels of nine aliases each would be a billion values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    with pytest.raises(YamlError, match="excessive aliasing"):
        document("\n".join(lines).encode())
    with pytest.raises(YamlError, match="exceeded maximum nesting depth"):
        document(b"[" * 10_001)


@pytest.mark.parametrize(
    ("text", "value"),
    [("0x1F", 31), ("010", 8), ("0o17", 15), ("0b11", 3), ("0b-1", -1), ("1_000", 1000), ("089", 89.0), ("1e3", 1000.0), (".5", 0.5),
     ("+.5e3", 500.0), ("Yes", True), ("oFF", ...), ("2024-01-01", ...), ("12:30", ...), ("1e", ...), ("9e999", ...), ("", None)],
)  # fmt: skip
def test_plain_text_resolves_as_in_yaml_1_1(text: str, value: Any) -> None:
    """`...` stands for text that is just text."""
    found = resolve_plain(text)
    if value is ...:
        assert text.lower() not in ("yes", "no")
        assert not isinstance(found, bool | int | float)
        assert found is not None
    else:
        assert found == value and type(found) is type(value)


def test_floats_have_the_digits_of_32_bits() -> None:
    """As keys and as text values; beyond their range they are infinite."""
    assert [short_float(x) for x in (1.5, 123456789.12, 1e39, 1e-7, 16777217.0, 0.1, 3.4028235e38)] == [
        "1.5", "1.2345679e+08", "+Inf", "1e-07", "1.6777216e+07", "0.1", "3.4028235e+38",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({b"b": [1, {b"c": None, b"d": []}], b"a": {}}, "a: {}\nb:\n- 1\n- c: null\n  d: []"),
        ([[1, [2]], b"x"], "- - 1\n  - - 2\n- x"),
        ({b"b10": 1, b"b2": 2, b"B": 3, b"a": 4, b"10": 5, b"9": 6}, '"9": 6\n"10": 5\nB: 3\na: 4\nb2: 2\nb10: 1'),
        ([1e6, 1e20, 1e21, 0.1, 1e-7, 1.0], "- 1000000\n- 1e+20\n- 1e+21\n- 0.1\n- 1e-07\n- 1"),
        ([b"y", b"1:30", b"", b" a", b"a: b", b"a\tb", b"it's", b"- x"], "- \"y\"\n- \"1:30\"\n- \"\"\n- ' a'\n- 'a: b'\n- \"a\\tb\"\n- it's\n- '- x'"),
        ({b"k": b"a\n\n", b"l": b"  x\ny", b"m": b"x \n"}, 'k: |+\n  a\n\nl: |2-\n    x\n  y\nm: "x \\n"'),
        ({b"x" * 129: 1}, "? " + "x" * 129 + "\n: 1"),
        ({b"k": b"word " * 17 + b"end"}, "k: " + "word " * 15 + "word\n  word end"),
        ({b"k": b"it's: " * 20}, "k: '" + "it''s: " * 11 + "it''s:\n  " + "it''s: " * 8 + "'"),
        ("\ufeffa b".encode(), '"\\uFEFF\\x61\\x20\\x62"'),
        ("a\u2028b😀".encode(), '"a\\Lb\\U0001F600"'),
        (b"del\x7f", ""),
        (float("nan"), ""),
    ],
)  # fmt: skip
def test_values_are_written_in_block_style(value: Any, text: str) -> None:
    """Quoting, folding, order of keys; what YAML cannot carry gives empty text."""
    assert to_yaml(value) == text.encode()


def test_what_was_written_reads_the_same() -> None:
    """Text of all kinds comes back."""
    texts = [
        "a",
        " a ",
        "a\n",
        "\n",
        "'\"",
        "# x",
        "a #b",
        "- ",
        "?",
        "é\u200b",
        "\t",
        "x" * 100 + " y",
        "012",
        "~",
        "a\\",
    ]
    value = {b"k%d" % n: t.encode() for n, t in enumerate(texts)}
    assert encode_json(from_yaml(to_yaml(value))) == encode_json(value)


def test_the_template_function_says_what_is_wrong_under_a_key() -> None:
    """It never fails; an empty document is an empty mapping."""
    assert from_yaml(b"a: [1, yes, 2024-01-01, ~]\n1: x") == {b"a": [1.0, True, b"2024-01-01", None], b"1": b"x"}
    assert from_yaml(b"a: [1") == {
        b"Error": b"error converting YAML to JSON: yaml: line 1: did not find expected ',' or ']'"
    }
    assert encode_json(from_yaml(b"")) == b"{}"
