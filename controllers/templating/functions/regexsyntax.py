"""The syntax of regular expressions as templates have it: what is refused, in which words, and how groups are called."""

from __future__ import annotations

import functools
import re
from typing import Final

from msgspec import Struct

from controllers.templating.functions.registry import FunctionError
from controllers.templating.gotemplate.quoting import RUNE_ERROR, decode_rune, text

__all__ = ["Parsed", "parse"]

_MOST_REPEATS: Final = 1000
_REPEAT: Final = re.compile(rb"\{(0|[1-9][0-9]*)(,(0|[1-9][0-9]*)?)?\}")
_CLASSES: Final = frozenset(
    [
        "alnum",
        "alpha",
        "ascii",
        "blank",
        "cntrl",
        "digit",
        "graph",
        "lower",
        "print",
        "punct",
        "space",
        "upper",
        "word",
        "xdigit",
    ]
)
_CATEGORIES: Final = {
    "C": "Other", "Cc": "Control Cntrl", "Cf": "Format", "Co": "Private_Use", "Cs": "Surrogate", "L": "Letter", "Ll": "Lowercase_Letter",
    "Lm": "Modifier_Letter", "Lo": "Other_Letter", "Lt": "Titlecase_Letter", "Lu": "Uppercase_Letter", "M": "Mark Combining_Mark",
    "Mc": "Spacing_Mark", "Me": "Enclosing_Mark", "Mn": "Nonspacing_Mark", "N": "Number", "Nd": "Decimal_Number Digit",
    "Nl": "Letter_Number", "No": "Other_Number", "P": "Punctuation Punct", "Pc": "Connector_Punctuation", "Pd": "Dash_Punctuation",
    "Pe": "Close_Punctuation", "Pf": "Final_Punctuation", "Pi": "Initial_Punctuation", "Po": "Other_Punctuation",
    "Ps": "Open_Punctuation", "S": "Symbol", "Sc": "Currency_Symbol", "Sk": "Modifier_Symbol", "Sm": "Math_Symbol",
    "So": "Other_Symbol", "Z": "Separator", "Zl": "Line_Separator", "Zp": "Paragraph_Separator", "Zs": "Space_Separator", "Any": "",
}  # fmt: skip


def _plain_name(name: str) -> str:
    return re.sub("[ _-]", "", name).lower()


_ALIASES: Final = {_plain_name(alias): name for name, more in _CATEGORIES.items() for alias in [name, *more.split()]}


class Parsed(Struct, frozen=True):
    """A pattern that is in order.

    Attributes:
        pattern: the same for the matcher, without names of groups.
        names: the name of each group, from the first on; empty for one without.
    """

    pattern: bytes
    names: tuple[bytes, ...]


class _Bad(Exception):
    def __init__(self, kind: str, part: bytes) -> None:
        super().__init__(kind, part)
        self.kind = kind
        self.part = part


def parse(pattern: bytes) -> Parsed:
    """Checks a pattern.

    Raises:
        FunctionError: it is not in order: `error parsing regexp: missing closing ): `...``.
    """
    try:
        return _Parser(pattern).parse()
    except _Bad as bad:
        raise FunctionError(f"error parsing regexp: {bad.kind}: `{text(bad.part)}`") from None


class _Group(Struct):
    """What is written so far in an open group.

    Attributes:
        last: how often the last item is written out when all repeats are; None if nothing stands there to be repeated.
        most: the largest such number of the items before.
    """

    last: int | None = None
    most: int = 1

    def add(self, weight: int) -> None:
        self.close()
        self.last = weight

    def close(self) -> int:
        self.most = max(self.most, self.last or 1)
        self.last = None
        return self.most


class _Parser:
    __slots__ = ("at", "groups", "names", "out", "text")

    def __init__(self, text: bytes) -> None:
        self.text = text
        self.at = 0
        self.out: list[bytes] = []
        self.names: list[bytes] = []
        self.groups = [_Group()]

    def parse(self) -> Parsed:
        text = self.text
        last_repeat: int | None = None
        while self.at < len(text):
            start, char = self.at, text[self.at : self.at + 1]
            repeat: int | None = None
            counted = _REPEAT.match(text, start) if char == b"{" else None
            if char == b"(":
                self.open()
            elif char == b")":
                if len(self.groups) == 1:
                    raise _Bad("unexpected )", text)
                weight = self.groups.pop().close()
                self.groups[-1].add(weight)
                self.copy(1)
            elif char == b"|":
                self.groups[-1].close()
                self.copy(1)
            elif counted is not None or char in (b"*", b"+", b"?"):
                self.repeat(counted, last_repeat)
                repeat = start
            elif char == b"[":
                self.bracket()
                self.groups[-1].add(1)
            elif text.startswith(b"\\Q", start):
                self.quotation()
            else:
                if char == b"\\":
                    self.escaped()
                else:
                    self.rune()
                    self.out.append(text[start : self.at])
                self.groups[-1].add(1)
            last_repeat = repeat
        if len(self.groups) > 1:
            raise _Bad("missing closing )", text)
        return Parsed(b"".join(self.out), tuple(self.names))

    def copy(self, count: int) -> None:
        self.out.append(self.text[self.at : self.at + count])
        self.at += count

    def rune(self) -> str:
        """The next character, empty at the end; refuses what is no UTF-8."""
        rune, width = decode_rune(self.text, self.at)
        if rune == RUNE_ERROR and width == 1:
            raise _Bad("invalid UTF-8", self.text[self.at :])
        self.at += width
        return chr(rune) if width else ""

    def open(self) -> None:
        if self.text[self.at + 1 : self.at + 2] != b"?":
            self.names.append(b"")
            self.groups.append(_Group())
            self.copy(1)
        elif not self.named():
            self.flags()

    def named(self) -> bool:
        """`(?P<name>` or `(?<name>`; the matcher gets the group without its name."""
        text, start = self.text, self.at
        rest = text[start:]
        if len(rest) > 4 and rest.startswith(b"(?P<"):
            begin = start + 4
        elif len(rest) > 3 and rest.startswith(b"(?<"):
            begin = start + 3
        else:
            return False
        end = text.find(b">", begin)
        if end < 0:
            _check_utf8(rest)
            raise _Bad("invalid named capture", rest)
        name = text[begin:end]
        _check_utf8(name)
        if not re.fullmatch(rb"[A-Za-z0-9_]+", name):
            raise _Bad("invalid named capture", text[start : end + 1])
        self.names.append(name)
        self.groups.append(_Group())
        self.out.append(b"(")
        self.at = end + 1
        return True

    def flags(self) -> None:
        """`(?i)`, `(?s-m:`, `(?:`."""
        start = self.at
        self.at += 2
        negative = seen = False
        while char := self.rune():
            if char in "imsU":
                seen = True
            elif char == "-" and not negative:
                negative, seen = True, False
            elif char in ":)" and (seen or not negative):
                if char == ":":
                    self.groups.append(_Group())
                self.out.append(self.text[start : self.at])
                return
            else:
                break
        raise _Bad("invalid or unsupported Perl syntax", self.text[start : self.at])

    def repeat(self, counted: re.Match[bytes] | None, last_repeat: int | None) -> None:
        text, start = self.text, self.at
        least, most = 0, 0
        self.at = start + 1
        if counted is not None:
            self.at = counted.end()
            least = int(counted[1][:9])
            most = least if counted[2] is None else int(counted[3][:9]) if counted[3] else -1
            if least > _MOST_REPEATS or most > _MOST_REPEATS or 0 <= most < least:
                raise _Bad("invalid repeat count", counted[0])
        if text[self.at : self.at + 1] == b"?":
            self.at += 1
        if last_repeat is not None:
            raise _Bad("invalid nested repetition operator", text[last_repeat : self.at])
        group = self.groups[-1]
        if group.last is None:
            raise _Bad("missing argument to repetition operator", text[start : self.at])
        if counted is not None:
            group.last *= 0 if most == 0 else max(most if most > 0 else least, 1)
            if (least >= 2 or most >= 2) and group.last > _MOST_REPEATS:
                raise _Bad("invalid repeat count", text[start : self.at])
        self.out.append(text[start : self.at])

    def quotation(self) -> None:
        start = self.at
        end = self.text.find(b"\\E", start + 2)
        literal = self.text[start + 2 : end if end >= 0 else len(self.text)]
        _check_utf8(literal)
        self.at = end + 2 if end >= 0 else len(self.text)
        self.out.append(self.text[start : self.at])
        if literal:
            self.groups[-1].add(1)

    def escaped(self) -> None:
        """What begins with a backslash outside of brackets."""
        start = self.at
        following = self.text[start + 1 : start + 2]
        if following == b"C":
            raise _Bad("invalid escape sequence", self.text[start : start + 2])
        if following and following in b"AbBz":
            self.copy(2)
        elif not self.class_escape():
            self.escape()
            self.out.append(self.text[start : self.at])

    def class_escape(self) -> bool:
        """`\\d`, `\\pL`, `\\p{Greek}` and the like."""
        start = self.at
        following = self.text[start + 1 : start + 2]
        if self.text[start : start + 1] != b"\\" or not following:
            return False
        if following in b"dswDSW":
            self.copy(2)
            return True
        if following not in b"pP":
            return False
        self.at += 2
        name = self.rune()
        if name == "{":
            end = self.text.find(b"}", self.at)
            if end < 0:
                _check_utf8(self.text[start:])
                raise _Bad("invalid character class range", self.text[start:])
            _check_utf8(self.text[self.at : end])
            name = self.text[self.at : end].decode()
            self.at = end + 1
        negated = name.startswith("^")
        known = _unicode_name(name[negated:])
        if known is None:
            raise _Bad("invalid character class range", self.text[start : self.at])
        self.out.append(b"\\" + following + f"{{{'^' * negated}{known}}}".encode())
        return True

    def escape(self) -> None:
        """An escape of one character."""
        start = self.at
        self.at += 1
        if self.at == len(self.text):
            raise _Bad("trailing backslash at end of expression", b"")
        char = self.rune()
        if char.isascii() and not char.isalnum():
            return
        if char in "01234567":
            octal = re.compile(rb"[0-7]{0,2}").match(self.text, self.at)
            if octal is not None and (octal[0] or char == "0"):
                self.at = octal.end()
                return
        elif char == "x":
            if self.hex_digits():
                return
        elif char in "afnrtv":
            return
        raise _Bad("invalid escape sequence", self.text[start : self.at])

    def hex_digits(self) -> bool:
        """Whether two digits follow, or any number of them in braces; the position is behind what was looked at."""
        char = self.rune()
        if char != "{":
            return bool(char) and _is_hex(char) & _is_hex(self.rune())
        value, count = 0, 0
        while (char := self.rune()) != "}":
            if not char or not _is_hex(char):
                return False
            value = value * 16 + int(char, 16)
            count += 1
            if value > 0x10FFFF:
                return False
        return count > 0

    def bracket(self) -> None:
        """A class in brackets."""
        text, start = self.text, self.at
        self.copy(2 if text[start + 1 : start + 2] == b"^" else 1)
        first = True
        while first or text[self.at : self.at + 1] != b"]":
            first = False
            here = self.at
            named = re.compile(rb"\[:\^?(.*?):\]", re.DOTALL).match(text, here)
            if named is not None:
                if named[1].decode("utf-8", "replace") not in _CLASSES:
                    raise _Bad("invalid character class range", named[0])
                self.copy(len(named[0]))
            elif not self.class_escape():
                low = self.class_character(start)
                high = low
                if text[self.at : self.at + 1] == b"-" and text[self.at + 1 : self.at + 2] not in (b"", b"]"):
                    self.at += 1
                    high = self.class_character(start)
                if high < low:
                    raise _Bad("invalid character class range", text[here : self.at])
                self.out.append(text[here : self.at])
        self.copy(1)

    def class_character(self, bracket: int) -> int:
        text, start = self.text, self.at
        if start == len(text):
            raise _Bad("missing closing ]", text[bracket:])
        if text[start : start + 1] != b"\\":
            return ord(self.rune())
        self.escape()
        return _escaped_value(text[start + 1 : self.at])


def _check_utf8(part: bytes) -> None:
    try:
        part.decode()
    except UnicodeDecodeError as error:
        raise _Bad("invalid UTF-8", part[error.start :]) from None


def _is_hex(char: str) -> bool:
    return char != "" and char in "0123456789abcdefABCDEF"


def _escaped_value(escape: bytes) -> int:
    letter = escape[:1]
    if letter == b"x":
        return int(escape[1:].strip(b"{}"), 16)
    if letter.isdigit():
        return int(escape, 8)
    return {b"a": 7, b"f": 12, b"n": 10, b"r": 13, b"t": 9, b"v": 11}.get(letter, escape[0])


@functools.lru_cache(256)
def _unicode_name(name: str) -> str | None:
    """The category or script as the matcher calls it; letter case, spaces, hyphens and underscores count for nothing."""
    known = _ALIASES.get(_plain_name(name)) if name else None
    if known is not None or not name.isascii():
        return known
    for candidate in (name, "_".join(word.capitalize() for word in re.split("[ _-]", name))):
        if re.fullmatch("[A-Za-z_]+", candidate) and _knows(candidate):
            return candidate
    return None


def _knows(name: str) -> bool:
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(f"\\p{{{name}}}", options)
    except re2.error:
        return False
    return True
