"""Functions of text: positions count bytes, invalid UTF-8 passes through or becomes U+FFFD, as in Go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from controllers.templating.budget import Budget, metered
from controllers.templating.functions import pieces, text, words
from controllers.templating.functions.registry import FunctionError
from controllers.templating.gotemplate.errors import LimitExceeded
from controllers.templating.gotemplate.values import StrList, StrMap

UMLAUTS = "éàü öß".encode()


@pytest.mark.parametrize(
    ("call", "args", "expected"),
    [
        (text.trim, [" \t\n\u00a0a b\u3000".encode()], b"a b"),
        (text.trim, [b"\xa0a\xff "], b"\xa0a\xff"),
        (text.trim_all, [b"", b" a"], b" a"),
        (text.trim_all, ["éa".encode(), "aéxéa".encode()], b"x"),
        (text.trim_all, [b"\xff", b"\xffa\xfe"], b"a"),
        (text.trim_suffix, [b"a", b"aaa"], b"aa"),
        (text.trim_prefix, [b"a", b"aaa"], b"aa"),
        (text.upper_case, ["straße ÿ ǆ".encode()], "STRAßE Ÿ Ǆ".encode()),
        (text.upper_case, [b"a\xff\xfe"], "A\ufffd\ufffd".encode()),
        (text.lower_case, ["ÀÉİ".encode()], "àéi".encode()),
        (text.title_case, ["it's o.k. x_y éa ǆ".encode()], "It'S O.K. X_y Éa ǅ".encode()),
        (text.untitle, [b"ABC DEF.G"], b"aBC dEF.G"),
        (text.repeat, [0, b"ab"], b""),
        (text.substr, [-1, 2, b"abc"], b"ab"),
        (text.substr, [1, -1, b"abc"], b"bc"),
        (text.substr, [1, 9, b"abc"], b"bc"),
        (text.substr, [0, 1, UMLAUTS], b"\xc3"),
        (text.trunc, [-3, b"abc"], b"abc"),
        (text.trunc, [-2, b"abc"], b"bc"),
        (text.trunc, [1, UMLAUTS], b"\xc3"),
        (text.trunc, [-(1 << 63), b"abc"], b"abc"),
        (text.abbrev, [3, b"abcde"], b"abcde"),
        (text.abbrev, [4, b"abcde"], b"a..."),
        (text.abbrev_both, [5, 10, b"1234 5678 9123"], b"...5678..."),
        (text.abbrev_both, [100, 10, b"1234 5678 9123"], b"...78 9123"),
        (text.abbrev_both, [1, 6, b"abcdefghij"], b"abcdefghij"),
        (text.initials, ["éàü öß".encode()], "ÃÃÃ".encode()),
        (text.initials, [b"a  b-c\td"], b"abd"),
        (text.nospace, ["é b".encode()], "Ã©b".encode()),
        (text.nospace, [UMLAUTS[:2]], UMLAUTS[:2]),
        (text.quoted, [b'a"b', 1, None, [1, b"b"]], b'"a\\"b" "1" "[1 b]"'),
        (text.quoted, [], b""),
        (text.single_quoted, [1, None, b"a'"], b"'1' 'a''"),
        (text.cat, [b" a ", None, 1, b""], b" a  1 "),
        (text.replace, [b"", b"-", "aé\xff".encode("latin-1")], b"-a-\xe9-\xff-"),
        (text.replace, [b"a", b"", b"banana"], b"bnn"),
        (text.indent, [2, b"a\n\nb\n"], b"  a\n  \n  b\n  "),
        (text.nindent, [1, b"a"], b"\n a"),
        (text.plural, [b"one", b"many", -1], b"many"),
        (text.wrap, [5, b"aa\nbb cc  dd ee"], b"aa\nbb\ncc \ndd ee"),
        (text.wrap, [0, b"ab cd"], b"ab\ncd"),
        (text.wrap, [3, b"abcdef gh"], b"abcdef\ngh"),
        (text.wrap_with, [3, b"", b"abcdefg"], b"abc\ndef\ng"),
        (text.wrap_with, [3, b"-", "éàü".encode()], b"\xc3\xa9\xc3-\xa0\xc3\xbc"),
        (words.swapcase, [b"aBc dEF"], b"AbC Def"),
        (words.snakecase, [b"HTTPServer"], b"http_server"),
        (words.snakecase, [b"a1B AB1c2D"], b"a1_b_ab_1c2_d"),
        (words.snakecase, ["AB中c a.b -x".encode()], "ab_中_c_a.b__x".encode()),
        (words.snakecase, [b"A\xff"], "a\ufffd".encode()),
        (words.kebabcase, [b"fooBar_baz qux"], b"foo-bar-baz-qux"),
        (words.camelcase, [b"fooBAR_bazQux"], b"FooBARBazQux"),
        (words.camelcase, [b"__a__b_"], b"__A_B_"),
        (words.camelcase, [b"_"], b"__"),
        (words.camelcase, [b"ABc_DEf"], b"AbcDef"),
        (words.camelcase, [b""], b""),
        (pieces.split, [b",", b"a,b"], StrMap({b"_0": b"a", b"_1": b"b"})),
        (pieces.splitn, [b",", 0, b"a,b"], StrMap()),
        (pieces.splitn, [b"", 2, "éab".encode()], StrMap({b"_0": "é".encode(), b"_1": b"ab"})),
        (pieces.split_list, [b"", b"a\xffb"], StrList([b"a", b"\xff", b"b"])),
        (pieces.split_list, [b",", b""], StrList([b""])),
        (pieces.join, [b",", [1, None, b"a"]], b"1,a"),
        (pieces.join, [b",", None], b""),
        (pieces.join, [b",", {b"a": 1}], b"map[a:1]"),
        (pieces.sort_alpha, [[b"b", b"a", 1, None]], StrList([b"1", b"a", b"b"])),
        (pieces.sort_alpha, [None], StrList([b"<nil>"])),
    ],
)  # fmt: skip
def test_text_becomes_what_go_makes_of_it(call: Callable[..., Any], args: list[Any], expected: Any) -> None:
    """Edges of every function: empty, negative, too large, not ASCII, no UTF-8."""
    result = call(*args)
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("call", "args", "message"),
    [
        (text.substr, [-1, -1, b"abc"], "runtime error: slice bounds out of range [:-1]"),
        (text.substr, [-1, 9, b"abc"], "runtime error: slice bounds out of range [:9] with length 3"),
        (text.substr, [2, 1, b"abc"], "runtime error: slice bounds out of range [2:1]"),
        (text.substr, [5, -1, b"abc"], "runtime error: slice bounds out of range [5:3]"),
        (text.repeat, [-1, b"a"], "strings: negative Repeat count"),
        (text.repeat, [(1 << 63) - 1, b"ab"], "strings: Repeat output length overflow"),
        (text.indent, [-1, b"a"], "strings: negative Repeat count"),
        (text.nindent, [-1, b"a"], "strings: negative Repeat count"),
    ],
)
def test_what_panics_in_go_fails_with_the_same_words(call: Callable[..., Any], args: list[Any], message: str) -> None:
    """Bounds and negative counts."""
    with pytest.raises(FunctionError) as caught:
        call(*args)
    assert str(caught.value) == message


def test_sorting_a_list_of_texts_sorts_the_list_itself() -> None:
    """As templates can see."""
    names = StrList([b"c", b"a"])
    assert pieces.sort_alpha(names) == [b"a", b"c"]
    assert names == [b"a", b"c"]


@pytest.mark.parametrize(
    "grow",
    [
        lambda: text.repeat(10**12, b"a"),
        lambda: text.indent(10**12, b"a"),
        lambda: text.replace(b"", b"x" * 500, b"abc"),
        lambda: text.replace(b"a", b"x" * 500, b"aaa"),
        lambda: text.wrap_with(1, b"x" * 400, b"abcd"),
        lambda: pieces.join(b"x" * 500, [b"a", b"b", b"c"]),
        lambda: pieces.split_list(b",", b"," * 900),
    ],
)
def test_large_results_are_refused_before_they_are_made(grow: Callable[[], object]) -> None:
    """The budget of the render is asked first."""
    with metered(Budget(output_bytes=1000)), pytest.raises(LimitExceeded):
        grow()
