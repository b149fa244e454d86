"""JSON as values, with the strictness and the words of Go's encoding/json."""

from __future__ import annotations

import math
import re
import sys
from typing import Any, Final

import orjson

from controllers.templating.budget import spend
from controllers.templating.gotemplate.quoting import decode_rune, quote, quote_rune
from controllers.templating.gotemplate.quoting import text as readable
from controllers.templating.gotemplate.values import Value

__all__ = ["JsonError", "decode_json", "decode_json_prefix", "json_place"]

_SPACE: Final = re.compile(rb"[ \t\r\n]*")
_INTEGER: Final = re.compile(rb"-?(?:0|[1-9][0-9]*)")
_FRACTION: Final = re.compile(rb"\.[0-9]+")
_EXPONENT: Final = re.compile(rb"[eE][+-]?[0-9]+")
_PLAIN: Final = re.compile(rb'[^"\\\x00-\x1f]*')
_HEX: Final = frozenset(b"0123456789abcdefABCDEF")
_ESCAPES: Final = {0x22: '"', 0x5C: "\\", 0x2F: "/", 0x62: "\b", 0x66: "\f", 0x6E: "\n", 0x72: "\r", 0x74: "\t"}
_LITERALS: Final = {0x74: (b"true", True), 0x66: (b"false", False), 0x6E: (b"null", None)}
_MAX_DEPTH: Final = 10_000
# Nested deeper than this, a document takes the way that does not recurse.
_RECURSION: Final = 64
_MISSING: Final = object()


class JsonError(ValueError):
    """The text is no JSON, or has a number beyond float64; `str()` is Go's message.

    Attributes:
        partial: what Go decodes nevertheless: None after an error of syntax, else the value with the numbers clamped.
    """

    def __init__(self, message: str, partial: Value = None) -> None:
        super().__init__(message)
        self.partial = partial


class _TooDeep(Exception):
    """The short way would recurse too deep."""


def _converted(value: Any, depth: int) -> Value:
    """Python's decoding as template values: text as bytes, numbers as float."""
    kind = type(value)
    if kind is str:
        return value.encode()
    if kind is int:
        return float(value)
    if kind is dict:
        if depth > _RECURSION:
            raise _TooDeep
        return {key.encode(): _converted(item, depth + 1) for key, item in value.items()}
    if kind is list:
        if depth > _RECURSION:
            raise _TooDeep
        return [_converted(item, depth + 1) for item in value]
    return value


def json_place(names: list[bytes]) -> str:
    """Where a value stands, in the words of Go's messages; the names of members lead there from the root."""
    place = readable(b".".join(name.replace(b"~", b"~0").replace(b"/", b"~1") for name in names))
    if not place:
        return "Go value"
    last = place.rpartition(".")[2]
    return f".{place}" if last.isascii() and last.isdigit() else f"Go struct field .{place}"


class _Parser:
    """Reads one document without recursion."""

    def __init__(self, text: bytes) -> None:
        self.text = text
        self.pos = 0
        self.overflow = ""

    def end(self) -> JsonError:
        return JsonError("unexpected end of JSON input")

    def bad(self, pos: int, where: str) -> JsonError:
        """The character at a position does not belong there."""
        if pos >= len(self.text):
            return self.end()
        rune, width = decode_rune(self.text, pos)
        shown = f"'\\x{self.text[pos]:02x}'" if rune == 0xFFFD and width == 1 else quote_rune(rune).decode()
        return JsonError(f"invalid character {shown} {where}")

    def space(self) -> int:
        """Skips white space; the byte that follows, -1 at the end."""
        found = _SPACE.match(self.text, self.pos)
        self.pos = found.end() if found else self.pos
        return self.text[self.pos] if self.pos < len(self.text) else -1

    def escape(self, pos: int) -> tuple[str, int]:
        """The character that the backslash at a position begins, a single surrogate as it is."""
        text = self.text
        if pos + 1 >= len(text):
            raise self.end()
        kind = text[pos + 1]
        if kind in _ESCAPES:
            return _ESCAPES[kind], pos + 2
        width = 2
        if kind == 0x75:
            width = 6
            for at in range(pos + 2, pos + 6):
                if at >= len(text):
                    raise self.end()
                if text[at] not in _HEX:
                    break
            else:
                return chr(int(text[pos + 2 : pos + 6], 16)), pos + 6
        found = text[pos : pos + width]
        plain = b"`" not in found and b" " not in found and _printable(found)
        shown = "`" + found.decode() + "`" if plain else quote(found).decode()
        raise JsonError(f"invalid escape sequence {shown} in string")

    def string(self) -> bytes:
        """The text whose opening quote is at the position."""
        text, pos = self.text, self.pos + 1
        parts: list[str] = []
        high = ""
        while True:
            found = _PLAIN.match(text, pos)
            end = found.end() if found else pos
            if end > pos:
                parts.append(("\ufffd" if high else "") + readable(text[pos:end]))
                high, pos = "", end
            if pos >= len(text):
                raise self.end()
            if text[pos] == 0x22:
                break
            if text[pos] != 0x5C:
                raise self.bad(pos, "in string")
            char, pos = self.escape(pos)
            if "\ud800" <= char <= "\udbff":
                if high:
                    parts.append("\ufffd")
                high = char
                continue
            if "\udc00" <= char <= "\udfff":
                low = ord(char) - 0xDC00
                char = chr(0x10000 + ((ord(high) - 0xD800) << 10) + low) if high else "\ufffd"
            elif high:
                char = "\ufffd" + char
            high = ""
            parts.append(char)
        self.pos = pos + 1
        if high:
            parts.append("\ufffd")
        return "".join(parts).encode()

    def number(self, path: list[bytes | int]) -> float:
        text, start = self.text, self.pos
        found = _INTEGER.match(text, start)
        if found is None:
            raise self.bad(start + 1, "in numeric literal")
        pos = found.end()
        for pattern, marks in ((_FRACTION, b"."), (_EXPONENT, b"eE")):
            if pos < len(text) and text[pos] in marks:
                found = pattern.match(text, pos)
                if found is None:
                    pos += 1
                    if marks == b"eE" and text[pos : pos + 1] in (b"+", b"-"):
                        pos += 1
                    raise self.bad(pos, "in numeric literal")
                pos = found.end()
        self.pos = pos
        value = float(text[start:pos])
        if math.isinf(value):
            if not self.overflow:
                names = [b"%d" % n if isinstance(n, int) else n for n in path]
                shown = text[start:pos].decode()
                self.overflow = f"json: cannot unmarshal number {shown} into {json_place(names)} of type float64"
            return math.copysign(sys.float_info.max, value)
        return value

    def scalar(self, first: int, path: list[bytes | int]) -> Value:
        """A value that is no container."""
        if first == 0x22:
            return self.string()
        if first in _LITERALS:
            word, value = _LITERALS[first]
            for at, wanted in enumerate(word):
                if self.text[self.pos + at : self.pos + at + 1] != bytes([wanted]):
                    raise self.bad(self.pos + at, f"in literal {word.decode()} (expecting '{chr(wanted)}')")
            self.pos += len(word)
            return value
        if first == 0x2D or 0x30 <= first <= 0x39:
            return self.number(path)
        raise self.bad(self.pos, "looking for beginning of value")

    def key(self, first: int) -> bytes:
        """A member's name and the colon."""
        if first != 0x22:
            raise self.bad(self.pos, "looking for beginning of object key string")
        name = self.string()
        if self.space() != 0x3A:
            raise self.bad(self.pos, "after object key")
        self.pos += 1
        return name

    def document(self) -> Value:
        """The first value of the text."""
        stack: list[Any] = []
        path: list[bytes | int] = []
        value: Any = _MISSING
        while True:
            if value is _MISSING:
                first = self.space()
                if first in (0x5B, 0x7B):
                    if len(stack) >= _MAX_DEPTH:
                        raise JsonError("exceeded max depth")
                    spend()
                    self.pos += 1
                    container: Any = [] if first == 0x5B else {}
                    following = self.space()
                    if following == (0x5D if first == 0x5B else 0x7D):
                        self.pos += 1
                        value = container
                    else:
                        stack.append(container)
                        path.append(0 if first == 0x5B else self.key(following))
                        continue
                else:
                    value = self.scalar(first, path)
            if not stack:
                break
            container = stack[-1]
            name = path[-1]
            if isinstance(name, int):
                container.append(value)
            else:
                container[name] = value
            value = _MISSING
            following = self.space()
            if following == 0x2C:
                self.pos += 1
                path[-1] = name + 1 if isinstance(name, int) else self.key(self.space())
            elif following == (0x5D if isinstance(name, int) else 0x7D):
                self.pos += 1
                value = stack.pop()
                path.pop()
            else:
                raise self.bad(
                    self.pos, "after array element" if isinstance(name, int) else "after object key:value pair"
                )
        return value

    def finish(self) -> None:
        """Refuses anything after the value."""
        if self.space() != -1:
            raise self.bad(self.pos, "after top-level value")


def _printable(text: bytes) -> bool:
    """Whether the text can stand between back quotes."""
    try:
        return text.decode().isprintable()
    except UnicodeDecodeError:
        return False


def decode_json(text: bytes) -> Value:
    """A JSON document: objects as dicts, numbers as float64, the last of equal keys.

    Raises:
        JsonError: it is none, is nested deeper than 10000, or has a number beyond float64.
    """
    # The short way: strict as well, but silent about the sign of a zero.
    if b"-0" not in text:
        try:
            return _converted(orjson.loads(text), 0)
        except (orjson.JSONDecodeError, _TooDeep):
            spend()
    parser = _Parser(text)
    value = parser.document()
    parser.finish()
    if parser.overflow:
        raise JsonError(parser.overflow, value)
    return value


def decode_json_prefix(text: bytes) -> Value:
    """The JSON value that a text begins with, whatever follows it.

    Raises:
        JsonError: it begins with none.
    """
    return _Parser(text).document()
