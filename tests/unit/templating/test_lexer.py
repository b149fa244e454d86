"""Tokens of templates."""

from __future__ import annotations

import pytest

from controllers.templating.gotemplate.lexer import Item, Kind, Lexer


def tokens(source: bytes, left: bytes = b"{{", right: bytes = b"}}") -> list[Item]:
    """All tokens up to the end or the first error, without spaces."""
    lexer = Lexer(source, left, right)
    found = []
    while True:
        item = lexer.next_item()
        if item.kind is not Kind.SPACE:
            found.append(item)
        if item.kind in (Kind.EOF, Kind.ERROR):
            return found


def words(source: bytes, left: bytes = b"{{", right: bytes = b"}}") -> list[bytes]:
    return [item.val for item in tokens(source, left, right)[:-1]]


def kinds(source: bytes) -> list[Kind]:
    return [item.kind for item in tokens(source)]


def error(source: bytes) -> str:
    last = tokens(source)[-1]
    assert last.kind is Kind.ERROR
    return last.val.decode()


def test_text_is_one_token_and_keeps_its_bytes() -> None:
    """Outside of actions everything is text, also a lone closing delimiter and bytes that are no UTF-8."""
    assert words(b"a }} \xff\x00 { b") == [b"a }} \xff\x00 { b"]


def test_an_action_is_split_into_its_words() -> None:
    """Delimiters, fields, variables, numbers, text and punctuation are tokens of their own."""
    assert words(b'{{ $x := .a.b | printf "%d" 1 }}') == [
        b"{{", b"$x", b":=", b".a", b".b", b"|", b"printf", b'"%d"', b"1", b"}}",
    ]  # fmt: skip


def test_words_of_the_language_have_kinds_of_their_own() -> None:
    """Keywords, booleans and names are told apart, and a field may be called like a keyword."""
    assert kinds(b"{{ if true x .if }}")[1:5] == [Kind.IF, Kind.BOOL, Kind.IDENTIFIER, Kind.FIELD]


@pytest.mark.parametrize(
    ("source", "texts"),
    [
        (b"a \n\t {{- 1 -}} \r\n b", [b"a", b"b"]),
        (b"a {{-1}} b", [b"a ", b" b"]),
        (b"a\xc2\xa0{{- 1 -}}\xc2\xa0b", [b"a\xc2\xa0", b"\xc2\xa0b"]),
        (b"a {{- /* c */ -}} b", [b"a", b"b"]),
        (b"a {{/* c\n }} */}} b", [b"a ", b" b"]),
    ],
)
def test_trim_markers_remove_ascii_space_of_the_text_beside_them(source: bytes, texts: list[bytes]) -> None:
    """Space, tab and line ends go, other spaces stay, and a minus before a digit is a sign."""
    assert [item.val for item in tokens(source) if item.kind is Kind.TEXT] == texts


def test_the_right_delimiter_may_stand_in_text_literals() -> None:
    """Quotes protect it."""
    assert words(b'{{ "}}" }}{{ `}}` }}') == [b"{{", b'"}}"', b"}}", b"{{", b"`}}`", b"}}"]


def test_delimiters_can_be_others() -> None:
    """Then the usual ones are text."""
    assert words(b"{{ x }} <% .a %>", b"<%", b"%>") == [b"{{ x }} ", b"<%", b".a", b"%>"]


def test_lines_count_from_one_and_follow_newlines_in_actions() -> None:
    """Each token knows the line that it begins on."""
    assert [item.line for item in tokens(b"a\n{{ 1\n2 }}\n{{ `\n` }}b")] == [1, 2, 2, 3, 3, 3, 4, 4, 5, 5, 5]


@pytest.mark.parametrize(
    "source", [b"1", b"-1", b"+1", b"0x1F", b"0b11", b"0o17", b"1_000", b"1.5", b".5", b"1e-7", b"0x1p4", b"2i"]
)
def test_numbers_are_single_tokens(source: bytes) -> None:
    """In all forms that literals have."""
    assert words(b"{{" + source + b"}}") == [b"{{", source, b"}}"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (b"{{ .a ", "unclosed action"),
        (b"{{/* c }}", "unclosed comment"),
        (b"{{/* c */ .a}}", "comment ends before closing delimiter"),
        (b"{{ (1 }}", "unclosed left paren"),
        (b"{{ 1) }}", "unexpected right paren"),
        (b'{{ "a }}', "unterminated quoted string"),
        (b'{{ "a\n" }}', "unterminated quoted string"),
        (b"{{ `a }}", "unterminated raw quoted string"),
        (b"{{ 'a }}", "unterminated character constant"),
        (b"{{ .my-key }}", "bad character U+002D '-'"),
        (b"{{ $x+2 }}", "bad character U+002B '+'"),
        (b"{{ 12abc }}", 'bad number syntax: "12a"'),
        (b"{{ 1-1 }}", 'bad number syntax: "1-1"'),
        (b"{{ : }}", "expected :="),
        ("{{ → }}".encode(), "unrecognized character in action: U+2192 '→'"),
        (b"{{ \x01 }}", "unrecognized character in action: U+0001"),
    ],
)
def test_faults_are_told_in_the_words_of_go(source: bytes, message: str) -> None:
    """A fault is a token whose text says what it is."""
    assert error(source) == message


def test_long_tokens_are_cut_in_messages() -> None:
    """After ten characters, not bytes."""
    assert Item(Kind.CHAR, 0, "ööööööööööö".encode(), 1).describe() == '"öööööööööö"...'
    assert Item(Kind.CHAR, 0, b"\xff", 1).describe() == '"\\xff"'
    assert Item(Kind.EOF, 0, b"", 1).describe() == "EOF"
    assert Item(Kind.IF, 0, b"if", 1).describe() == "<if>"
