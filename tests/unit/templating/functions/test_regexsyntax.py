"""Patterns are accepted and refused as in Go, in the same words."""

from __future__ import annotations

import pytest

from controllers.templating.functions import regexps
from controllers.templating.functions.regexsyntax import parse
from controllers.templating.functions.registry import FunctionError


@pytest.mark.parametrize(
    ("pattern", "fault"),
    [
        (b"(", "missing closing ): `(`"),
        (b"((a)|b", "missing closing ): `((a)|b`"),
        (b"a)b", "unexpected ): `a)b`"),
        (b"x[a", "missing closing ]: `[a`"),
        (b"[]a", "missing closing ]: `[]a`"),
        (b"x[b-a]c", "invalid character class range: `b-a`"),
        (b"[[:foo:]]", "invalid character class range: `[:foo:]`"),
        (b"[a-\\d]", "invalid escape sequence: `\\d`"),
        (b"\\p{Foo}", "invalid character class range: `\\p{Foo}`"),
        (b"\\pX", "invalid character class range: `\\pX`"),
        (b"\\p{Lu", "invalid character class range: `\\p{Lu`"),
        (b"a**", "invalid nested repetition operator: `**`"),
        (b"a{2}*?b", "invalid nested repetition operator: `{2}*?`"),
        (b"a|*", "missing argument to repetition operator: `*`"),
        (b"(+b", "missing argument to repetition operator: `+`"),
        (b"{2}", "missing argument to repetition operator: `{2}`"),
        (b"a{1001}", "invalid repeat count: `{1001}`"),
        (b"a{2,1}?b", "invalid repeat count: `{2,1}`"),
        (b"(a{100}){100}", "invalid repeat count: `{100}`"),
        (b"((a{500})|b){3}", "invalid repeat count: `{3}`"),
        (b"a\\", "trailing backslash at end of expression: ``"),
        (b"\\8", "invalid escape sequence: `\\8`"),
        (b"(\\C", "invalid escape sequence: `\\C`"),
        (b"\\x{110000}b", "invalid escape sequence: `\\x{110000`"),
        (b"(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
        (b"(?<=a)b", "invalid named capture: `(?<=a)b`"),
        (b"(?P<a-b>x)", "invalid named capture: `(?P<a-b>`"),
        (b"(?P=n)", "invalid or unsupported Perl syntax: `(?P`"),
        (b"(?i-)", "invalid or unsupported Perl syntax: `(?i-)`"),
        (b"a\xffb", "invalid UTF-8: `\ufffdb`"),
    ],
)
def test_faults_name_what_is_wrong(pattern: bytes, fault: str) -> None:
    """The first fault from the left, and the part of the pattern that has it."""
    with pytest.raises(FunctionError) as caught:
        parse(pattern)
    assert str(caught.value) == f"error parsing regexp: {fault}"


@pytest.mark.parametrize(
    "pattern",
    [b"x{,5}", b"x{01}", b"x{1", b"(a{100}){10}", b"(a{0,}){1000}", b"[a-b-c]", b"[]a]", b"[--a]", b"\\Q(\\E*", b"(?)", b"(|)*", b"^*",
     b"\\_", b"[[:^alpha:]-z]", b"\\p{^Greek}", b"\\p{letter}", b"\\p{greek}", b"(?P<1>x)", b"(?P<n>a)(?<n>b)"],
)  # fmt: skip
def test_what_only_looks_wrong_is_accepted(pattern: bytes) -> None:
    """Literal braces, odd classes, names used twice."""
    assert regexps.regex_match(parse(pattern).pattern, b"") in (True, False)
    assert regexps.must_match(pattern, b"zz") in (True, False)


def test_groups_keep_their_names() -> None:
    """The matcher sees none of them; of two groups of one name the one that took part counts."""
    assert parse(b"(?P<a>x)(y)(?<b>z)").names == (b"a", b"", b"b")
    assert regexps.regex_replace(b"(?P<n>a)|(?P<n>b)", b"ab", b"<${n}>") == b"<a><b>"
    assert regexps.regex_replace(b"a", b"a", "$é-${x}$$1${".encode()) == b"-$1${"


def test_invalid_utf8_is_matched_as_one_character() -> None:
    """And is itself in what is found."""
    assert regexps.regex_find(b".b", b"a\xffb") == b"\xffb"
    assert regexps.regex_find_all(b"[^a]", b"a\xff\xfea", -1) == [b"\xff", b"\xfe"]
    assert regexps.regex_replace(b"(\\x{FFFD})", b"\xc3x", b"<$1>") == b"<\xc3>x"
    assert regexps.regex_split(b"x", b"\xffx\xfe", -1) == [b"\xff", b"\xfe"]


def test_a_fault_in_a_loud_function_quotes_the_pattern() -> None:
    """Between back quotes if that is possible."""
    with pytest.raises(
        FunctionError, match=r"^regexp: Compile\(`\(`\): error parsing regexp: missing closing \): `\(`$"
    ):
        regexps.regex_find(b"(", b"")
    with pytest.raises(FunctionError, match=r'^regexp: Compile\("a`\("\): error'):
        regexps.regex_find(b"a`(", b"")
    assert regexps.regex_match(b"(", b"(") is False
