"""Rewriting, converting and validating keys."""

from __future__ import annotations

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from controllers.externalsecret.errors import KeysRefused
from controllers.externalsecret.keys import (
    Collision,
    RegexpRule,
    RewriteRule,
    TransformRule,
    convert_keys,
    replace_all,
    rewrite,
    valid_keys,
)
from controllers.externalsecret.merge import MergeRule


def upper(template: str, key: str) -> str:
    return template + key.upper()


def run(rules: list[RewriteRule], values: dict[str, bytes]) -> dict[str, bytes]:
    return rewrite(rules, values, upper).values


@pytest.mark.parametrize(
    ("pattern", "replacement", "text", "expected"),
    [
        ("^app_", "", "app_user", "user"),
        ("^([a-z]+)_([a-z]+)$", "${2}.$1", "app_user", "user.app"),
        ("(a)", "$1x", "a", ""),
        ("(a)", "${1}x", "a", "ax"),
        ("a", "$$", "banana", "b$n$n$"),
        ("a", "$", "a", "$"),
        ("a", "${", "a", "${"),
        ("a", "$2", "a", ""),
        ("(?P<word>a)(z)?", "[$word$2]", "a", "[a]"),
        ("(?P<word>a)", "$nope!", "a", "!"),
        ("x*", "-", "abc", "-a-b-c-"),
        ("x*", "-", "xab", "-a-b-"),
        ("a|b", "$0$0", "ab", "aabb"),
        ("é", "e", "café", "cafe"),
        ("(a)", "$01", "a", ""),
    ],
)
def test_replacement_follows_go(pattern: str, replacement: str, text: str, expected: str) -> None:
    """Group names, numbers, dollars and empty matches behave as Go's ReplaceAllString."""
    assert replace_all(re2.compile(pattern), replacement, text) == expected


def test_operations_run_in_order_over_the_whole_map() -> None:
    """The second operation sees the keys of the first; keys that do not match stay."""
    rules: list[RewriteRule] = [RegexpRule("^team/", ""), TransformRule("X_"), RegexpRule("/", ".")]
    assert run(rules, {"team/a": b"1", "other": b"2"}) == {"X_A": b"1", "X_OTHER": b"2"}


def test_b038_rewrite_sees_the_keys_of_the_provider() -> None:
    """B038: slashes are still slashes when a pattern looks at them."""
    values = {"path/to/my/user": b"u", "path/to/my/pass": b"p"}
    assert run([RegexpRule("path/to/my/(.*)", "$1")], values) == {"user": b"u", "pass": b"p"}


def test_b040_collisions_resolve_to_the_last_source_key() -> None:
    """B040: the value of the last key in byte order survives, and the collision is reported."""
    for values in ({"x.pw": b"1", "y.pw": b"2"}, {"y.pw": b"2", "x.pw": b"1"}):
        result = rewrite([RegexpRule(r"^.*\.", "")], values, upper)
        assert result.values == {"pw": b"2"}
        assert result.collisions == [Collision("pw", ("x.pw", "y.pw"))]


@pytest.mark.parametrize(
    ("pattern", "complaint"),
    [
        ("(", "missing closing ): `(`"),
        ("[a", "missing closing ]: `[a`"),
        ("*", "missing argument to repetition operator: `*`"),
        ("a(?=b)", "invalid or unsupported Perl syntax: `(?=`"),
        (r"a\1", r"invalid escape sequence: `\1`"),
    ],
)
def test_a_bad_pattern_names_the_operation(pattern: str, complaint: str) -> None:
    """The failing operation and RE2's complaint are in the message, in Go's words."""
    with pytest.raises(KeysRefused) as caught:
        run([RegexpRule("a", "b"), RegexpRule(pattern, "x")], {"k": b"v"})
    assert str(caught.value) == (
        "error applying rewrite to keys: failed rewrite operation[1]: "
        f"regexp failed with failed to compile: error parsing regexp: {complaint}"
    )


def test_merge_is_one_of_the_operations() -> None:
    """A merge replaces the map, and its failure names the operation."""
    assert run([MergeRule()], {"a": b'{"x": 1}'}) == {"x": b"1"}
    with pytest.raises(KeysRefused, match=r"failed rewrite operation\[0\]: merge failed with"):
        run([MergeRule()], {"a": b"[]"})


@pytest.mark.parametrize(
    ("strategy", "key", "expected"),
    [
        ("", "a/b", "a_b"),
        ("Default", "k[0]", "k_0_"),
        ("Unicode", "a/b", "a_U002f_b"),
        ("Unicode", "k[0]", "k_U005b_0_U005d_"),
        ("Unicode", "😀", "_U1f600_"),
        ("Default", "grüße-1.x_²", "grüße-1.x_²"),
    ],
)
def test_b039_conversion_table(strategy: str, key: str, expected: str) -> None:
    """B039: foreign characters become `_` or their code; letters and numbers of any script stay."""
    assert convert_keys(strategy, {key: b"v"}) == {expected: b"v"}


def test_b039_conversion_collisions_are_errors() -> None:
    """B039: two keys that convert to one are refused."""
    with pytest.raises(KeysRefused) as caught:
        convert_keys("", {"a/b": b"1", "a_b": b"2"})
    assert str(caught.value) == (
        "error applying conversion strategy Default to keys: secret name collision during conversion: a_b"
    )


def test_validation_drops_the_empty_key_and_refuses_what_the_api_refuses() -> None:
    """Keys that a Secret cannot hold are named; the empty one is dropped."""
    assert valid_keys({"": b"x", "a.B_c-1": b"y"}) == {"a.B_c-1": b"y"}
    with pytest.raises(KeysRefused, match=r"key has invalid character /, only alphanumeric, .* are allowed: a/b$"):
        valid_keys({"a/b": b""})
    with pytest.raises(KeysRefused, match="invalid character €"):
        valid_keys({"5€": b""})
    assert valid_keys({"müll²": b"y"}) == {"müll²": b"y"}
    with pytest.raises(KeysRefused, match="key has length 254 but max is 253"):
        valid_keys({"k" * 254: b""})
    assert len(valid_keys({"k" * 253: b""})) == 1


@given(st.dictionaries(st.text(max_size=5), st.binary(max_size=3), max_size=6))
def test_rewriting_does_not_depend_on_the_order_of_the_map(values: dict[str, bytes]) -> None:
    """The result is the same for every insertion order."""
    rules: list[RewriteRule] = [RegexpRule("[^a-c]", "")]
    assert run(rules, values) == run(rules, dict(reversed(list(values.items()))))
