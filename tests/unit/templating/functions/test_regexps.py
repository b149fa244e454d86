"""Regular expressions of templates behave as RE2's."""

from __future__ import annotations

import pytest

from controllers.templating.functions import regexps as r
from controllers.templating.functions.registry import FunctionError
from controllers.templating.gotemplate.values import NilStrList


@pytest.mark.parametrize(
    ("pattern", "text", "new", "expected"),
    [
        (b"", b"abc", b"-", b"-a-b-c-"),
        (b"x*", b"axb", b"-", b"-a-b-"),
        (b"b*", b"abb", b"-", b"-a-"),
        (b"a(x*)b", b"-ab-axxb-", b"$1W", b"---"),
        (b"a(x*)b", b"-ab-axxb-", b"${1}W", b"-W-xxW-"),
        (rb"(?P<k>\w+)=(?P<v>\w+)", b"a=1 b=2", b"$v:${k}", b"1:a 2:b"),
        (rb"(?<k>\w)", b"a", b"[$k]", b"[a]"),
        (b"a", b"banana", b"$$", b"b$n$n$"),
        (b"a", b"banana", b"$", b"b$n$n$"),
        (b"a", b"banana", rb"\1", rb"b\1n\1n\1"),
        (b"", "é!".encode(), b"-", "-é-!-".encode()),
    ],
)
def test_replacement_expands_groups_and_never_matches_twice_at_one_place(
    pattern: bytes, text: bytes, new: bytes, expected: bytes
) -> None:
    """Dollar signs, the longest name, and empty matches."""
    assert r.regex_replace(pattern, text, new) == expected


def test_splitting_counts_pieces() -> None:
    """Zero is nil, a negative count all, empty text one empty piece."""
    assert r.regex_split(b"z+", b"pizza", -1) == [b"pi", b"a"]
    assert r.regex_split(b"a", b"banana", 2) == [b"b", b"nana"]
    assert r.regex_split(b"", b"abc", -1) == [b"a", b"b", b"c"]
    assert r.regex_split(b"x", b"", -1) == [b""]
    assert isinstance(r.regex_split(b"a", b"banana", 0), NilStrList)
    assert len(r.regex_split(b"a", b"a", -1)) == 2


def test_finding_all_gives_a_nil_list_without_matches() -> None:
    """A list that has a type but nothing in it is nil."""
    assert r.regex_find_all(b"[0-9]", b"a1b2c3", 2) == [b"1", b"2"]
    assert isinstance(r.regex_find_all(b"x", b"abc", -1), NilStrList)
    assert len(r.regex_find_all(b"", b"ab", -1)) == 3


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        (b"[", "missing closing ]: `[`"),
        (b"(", "missing closing ): `(`"),
        (rb"(a)\1", r"invalid escape sequence: `\1`"),
        (rb"\C", r"invalid escape sequence: `\C`"),
        (b"a++", "invalid nested repetition operator: `++`"),
    ],
)
def test_a_bad_pattern_is_named_without_noise(pattern: bytes, reason: str, capfd: pytest.CaptureFixture[str]) -> None:
    """The fault is raised, nothing goes to stderr, and the quiet form is false."""
    with pytest.raises(FunctionError) as caught:
        r.must_match(pattern, b"x")
    assert str(caught.value) == f"error parsing regexp: {reason}"
    assert r.regex_match(pattern, b"x") is False
    assert capfd.readouterr().err == ""
