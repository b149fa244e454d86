"""Tokens of a template: text, delimiters, and what stands between them.

A pull lexer: `next_item()` gives one token; the states are methods that emit at most one token and name their successor.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from enum import IntEnum, auto
from typing import Any, NamedTuple

from controllers.templating.gotemplate.quoting import characters, decode_rune, encoded, is_print, quote, text

__all__ = ["Item", "Kind", "Lexer"]


class Kind(IntEnum):
    """Token types; those after KEYWORD print as `<word>`."""

    ERROR = auto()
    BOOL = auto()
    CHAR = auto()
    CHAR_CONSTANT = auto()
    COMPLEX = auto()
    ASSIGN = auto()
    DECLARE = auto()
    EOF = auto()
    FIELD = auto()
    IDENTIFIER = auto()
    LEFT_DELIM = auto()
    LEFT_PAREN = auto()
    NUMBER = auto()
    PIPE = auto()
    RAW_STRING = auto()
    RIGHT_DELIM = auto()
    RIGHT_PAREN = auto()
    SPACE = auto()
    STRING = auto()
    TEXT = auto()
    VARIABLE = auto()
    KEYWORD = auto()
    BLOCK = auto()
    BREAK = auto()
    CONTINUE = auto()
    DOT = auto()
    DEFINE = auto()
    ELSE = auto()
    END = auto()
    IF = auto()
    NIL = auto()
    RANGE = auto()
    TEMPLATE = auto()
    WITH = auto()


_KEYWORDS = {
    b".": Kind.DOT, b"block": Kind.BLOCK, b"break": Kind.BREAK, b"continue": Kind.CONTINUE, b"define": Kind.DEFINE,
    b"else": Kind.ELSE, b"end": Kind.END, b"if": Kind.IF, b"range": Kind.RANGE, b"nil": Kind.NIL,
    b"template": Kind.TEMPLATE, b"with": Kind.WITH,
}  # fmt: skip
_State = Callable[[], Any]
_SPACE = b" \t\r\n"
_SPACES = re.compile(rb"[ \t\r\n]+")
_WORD = re.compile(rb"[A-Za-z0-9_]*")
_TERMINATORS = b".,|:)("


class Item(NamedTuple):
    """One token: type, byte offset, text, and the line it starts on (from 1)."""

    kind: Kind
    pos: int
    val: bytes
    line: int

    def describe(self) -> str:
        """As error texts name it."""
        word = text(self.val)
        if self.kind is Kind.EOF:
            return "EOF"
        if self.kind is Kind.ERROR:
            return word
        if self.kind > Kind.KEYWORD:
            return f"<{word}>"
        if len(self.val) > 10:
            return text(quote(encoded(characters(self.val)[:10]))) + "..."
        return text(quote(self.val))


class Lexer:
    """Splits `source` into tokens."""

    def __init__(self, source: bytes, left: bytes = b"{{", right: bytes = b"}}") -> None:
        self._input = source
        self._left = left or b"{{"
        self._right = right or b"}}"
        self._pos = 0
        self._start = 0
        self._line = 1
        self._start_line = 1
        self._parens = 0
        self._inside = False
        self._item: Item | None = None

    def next_item(self) -> Item:
        """The next token; EOF or ERROR for ever at the end."""
        self._item = None
        if self._inside:
            self._inside_action()
        else:
            state: _State | None = self._text
            while state is not None:
                state = state()
        if self._item is None:
            raise AssertionError("a state of the lexer ended without a token")
        return self._item

    # -- emitting

    def _this(self, kind: Kind) -> Item:
        item = Item(kind, self._start, self._input[self._start : self._pos], self._start_line)
        self._start = self._pos
        self._start_line = self._line
        return item

    def _emit(self, kind: Kind) -> None:
        self._item = self._this(kind)

    def _ignore(self) -> None:
        self._line += self._input.count(b"\n", self._start, self._pos)
        self._start = self._pos
        self._start_line = self._line

    def _fail(self, message: str) -> None:
        self._item = Item(Kind.ERROR, self._start, message.encode(), self._start_line)
        self._start = self._pos = len(self._input)
        self._input = b""
        self._start = self._pos = 0

    def _next(self) -> int:
        rune, width = decode_rune(self._input, self._pos)
        self._pos += width
        if rune == 10:
            self._line += 1
        return rune

    # -- outside of actions

    def _text(self) -> _State | None:
        found = self._input.find(self._left, self._pos)
        if found < 0:
            self._pos = len(self._input)
            if self._pos > self._start:
                self._line += self._input.count(b"\n", self._start, self._pos)
                self._emit(Kind.TEXT)
            else:
                self._emit(Kind.EOF)
            return None
        if found > self._pos:
            end = found
            if self._trims_left(found + len(self._left)):
                end = self._start + len(self._input[self._start : found].rstrip(_SPACE))
            self._pos = end
            self._line += self._input.count(b"\n", self._start, self._pos)
            item = self._this(Kind.TEXT)
            self._pos = found
            self._ignore()
            if item.val:
                self._item = item
                return None
        return self._left_delim

    def _trims_left(self, pos: int) -> bool:
        return self._input[pos : pos + 1] == b"-" and self._input[pos + 1 : pos + 2] in (b" ", b"\t", b"\r", b"\n")

    def _at_right(self, pos: int) -> tuple[bool, bool]:
        """Whether the right delimiter stands at `pos`, and whether it trims."""
        char = self._input[pos : pos + 1]
        if (
            char
            and char in _SPACE
            and self._input[pos + 1 : pos + 2] == b"-"
            and self._input.startswith(self._right, pos + 2)
        ):
            return True, True
        return self._input.startswith(self._right, pos), False

    def _left_delim(self) -> _State | None:
        self._pos += len(self._left)
        marker = 2 if self._trims_left(self._pos) else 0
        if self._input.startswith(b"/*", self._pos + marker):
            self._pos += marker
            self._ignore()
            return self._comment
        item = self._this(Kind.LEFT_DELIM)
        self._inside = True
        self._pos += marker
        self._ignore()
        self._parens = 0
        self._item = item
        return None

    def _comment(self) -> _State | None:
        end = self._input.find(b"*/", self._pos + 2)
        if end < 0:
            self._fail("unclosed comment")
            return None
        self._pos = end + 2
        at, trims = self._at_right(self._pos)
        if not at:
            self._fail("comment ends before closing delimiter")
            return None
        self._pos += (2 if trims else 0) + len(self._right)
        if trims:
            self._skip_space()
        self._ignore()
        return self._text

    def _skip_space(self) -> None:
        found = _SPACES.match(self._input, self._pos)
        if found:
            self._pos = found.end()

    # -- inside of actions

    def _right_delim(self) -> None:
        _, trims = self._at_right(self._pos)
        if trims:
            self._pos += 2
            self._ignore()
        self._pos += len(self._right)
        item = self._this(Kind.RIGHT_DELIM)
        if trims:
            self._skip_space()
            self._ignore()
        self._inside = False
        self._item = item

    def _inside_action(self) -> None:
        at, _ = self._at_right(self._pos)
        if at:
            return self._right_delim() if self._parens == 0 else self._fail("unclosed left paren")
        start = self._pos
        rune = self._next()
        char = chr(rune) if rune >= 0 else ""
        if rune < 0:
            return self._fail("unclosed action")
        if char in " \t\r\n":
            return self._space(start)
        match char:
            case "=":
                return self._emit(Kind.ASSIGN)
            case ":":
                return self._emit(Kind.DECLARE) if self._next() == 0x3D else self._fail("expected :=")
            case "|":
                return self._emit(Kind.PIPE)
            case '"':
                return self._quoted(0x22, Kind.STRING, "unterminated quoted string")
            case "`":
                return self._raw()
            case "$":
                return self._field_or_variable(Kind.VARIABLE)
            case "'":
                return self._quoted(0x27, Kind.CHAR_CONSTANT, "unterminated character constant")
            case "(":
                self._parens += 1
                return self._emit(Kind.LEFT_PAREN)
            case ")":
                self._parens -= 1
                return self._fail("unexpected right paren") if self._parens < 0 else self._emit(Kind.RIGHT_PAREN)
        if char == "." and not self._input[self._pos : self._pos + 1].isdigit() and self._pos < len(self._input):
            return self._field_or_variable(Kind.FIELD)
        if char in "+-.0123456789":
            self._pos = start
            return self._number()
        if _is_alnum(rune):
            self._pos = start
            return self._identifier()
        if rune < 0x80 and is_print(rune):
            return self._emit(Kind.CHAR)
        return self._fail(f"unrecognized character in action: {_describe(rune)}")

    def _space(self, start: int) -> None:
        self._pos = start
        self._skip_space()
        self._line += self._input.count(b"\n", start + 1, self._pos)  # the first one is counted
        if self._at_right(self._pos - 1)[1]:
            # The last space belongs to the trim marker.
            self._pos -= 1
            if self._input[self._pos] == 10:
                self._line -= 1
            if self._pos == start:
                return self._right_delim()
        return self._emit(Kind.SPACE)

    def _scan_word(self) -> int:
        """Consume letters, digits and `_`; the rune after them."""
        while True:
            found = _WORD.match(self._input, self._pos)
            self._pos = found.end() if found else self._pos
            rune, width = decode_rune(self._input, self._pos)
            if rune < 0x80 or not _is_alnum(rune):
                return rune
            self._pos += width

    def _identifier(self) -> None:
        rune = self._scan_word()
        word = self._input[self._start : self._pos]
        if not self._at_terminator():
            return self._fail(f"bad character {_describe(rune)}")
        if word in _KEYWORDS:
            return self._emit(_KEYWORDS[word])
        return self._emit(Kind.BOOL if word in (b"true", b"false") else Kind.IDENTIFIER)

    def _field_or_variable(self, kind: Kind) -> None:
        if self._at_terminator():
            return self._emit(kind if kind is Kind.VARIABLE else Kind.DOT)
        rune = self._scan_word()
        if not self._at_terminator():
            return self._fail(f"bad character {_describe(rune)}")
        return self._emit(kind)

    def _at_terminator(self) -> bool:
        if self._pos >= len(self._input):
            return True
        char = self._input[self._pos]
        return char in _SPACE or char in _TERMINATORS or self._input.startswith(self._right, self._pos)

    def _quoted(self, mark: int, kind: Kind, message: str) -> None:
        while True:
            rune = self._next()
            if rune == 0x5C:
                rune = self._next()
                if rune not in (-1, 10):
                    continue
            if rune in (-1, 10):
                return self._fail(message)
            if rune == mark:
                return self._emit(kind)

    def _raw(self) -> None:
        end = self._input.find(b"`", self._pos)
        if end < 0:
            return self._fail("unterminated raw quoted string")
        self._line += self._input.count(b"\n", self._pos, end)
        self._pos = end + 1
        return self._emit(Kind.RAW_STRING)

    def _number(self) -> None:
        if not self._scan_number():
            return self._bad_number()
        if self._input[self._pos : self._pos + 1] in (b"+", b"-"):
            if not self._scan_number() or self._input[self._pos - 1] != 0x69:
                return self._bad_number()
            return self._emit(Kind.COMPLEX)
        return self._emit(Kind.NUMBER)

    def _bad_number(self) -> None:
        self._fail(f"bad number syntax: {text(quote(self._input[self._start : self._pos]))}")

    def _accept(self, chars: bytes) -> bool:
        if self._pos < len(self._input) and self._input[self._pos] in chars:
            self._pos += 1
            return True
        return False

    def _run(self, chars: bytes) -> None:
        while self._accept(chars):
            continue

    def _scan_number(self) -> bool:
        self._accept(b"+-")
        digits, exponent = b"0123456789_", b"eE"
        if self._accept(b"0"):
            if self._accept(b"xX"):
                digits, exponent = b"0123456789abcdefABCDEF_", b"pP"
            elif self._accept(b"oO"):
                digits, exponent = b"01234567_", b""
            elif self._accept(b"bB"):
                digits, exponent = b"01_", b""
        self._run(digits)
        if self._accept(b"."):
            self._run(digits)
        if exponent and self._accept(exponent):
            self._accept(b"+-")
            self._run(b"0123456789_")
        self._accept(b"i")
        rune, width = decode_rune(self._input, self._pos)
        if rune >= 0 and _is_alnum(rune):
            self._pos += width
            return False
        return True


def _is_alnum(rune: int) -> bool:
    return (
        rune == 0x5F
        or (rune >= 0 and unicodedata.category(chr(rune))[0] == "L")
        or (rune >= 0 and unicodedata.category(chr(rune)) == "Nd")
    )


def _describe(rune: int) -> str:
    """As `%#U` prints it."""
    if rune < 0:
        return "U+FFFFFFFFFFFFFFFF"
    return f"U+{rune:04X}" + (f" '{chr(rune)}'" if is_print(rune) else "")
