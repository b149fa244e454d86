"""One value found in a document, and a scanner that finds where values end without judging them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from enum import StrEnum

from msgspec import Struct

from providers.gojson import format_double

__all__ = [
    "Kind",
    "Result",
    "classify",
    "elements",
    "end_of_value",
    "member_spans",
    "members",
    "parse",
    "quote",
    "unquote",
]

_BLANK = re.compile(r"[\x00-\x20]*")
_SEPARATORS = re.compile(r"[\x00-\x20,]*")
_COLON = re.compile(r"[\x00-\x20:]*")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"?', re.DOTALL)
_BARE = re.compile(r"[^\x00-\x20,:\]}\"\[{]+")
_STRUCTURE = re.compile(r'"(?:[^"\\]|\\.)*"?|[{}\[\]]', re.DOTALL)  # strings, so that brackets inside do not count
_INTEGER = re.compile(r"-?[0-9]*\Z")
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})|\\(.)", re.DOTALL)
_DECODER = json.JSONDecoder(strict=False)
_SIMPLE_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_FOR_HTML = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})


class Kind(StrEnum):
    """The JSON type of a result."""

    NULL = "null"
    FALSE = "false"
    TRUE = "true"
    NUMBER = "number"
    STRING = "string"
    OBJECT = "object"
    ARRAY = "array"


class Result(Struct, frozen=True):
    """A value that exists. ``raw`` is its JSON text as it stands in the document; repr shows only its length."""

    kind: Kind
    raw: str

    @property
    def text(self) -> str:
        """Strings unescaped, integers as written, other numbers as a double in plain decimal, null empty."""
        match self.kind:
            case Kind.NULL:
                return ""
            case Kind.STRING:
                return unquote(self.raw)
            case Kind.NUMBER:
                return self.raw if _INTEGER.match(self.raw) else format_double(self.number)
            case Kind.TRUE | Kind.FALSE:
                return self.kind.value
            case _:
                return self.raw

    @property
    def number(self) -> float:
        """The value as a double; 0 when it is not one."""
        try:
            return float(self.raw)
        except ValueError:
            return 0.0

    @property
    def is_container(self) -> bool:
        return self.kind in (Kind.OBJECT, Kind.ARRAY)

    def __repr__(self) -> str:
        return f"Result({self.kind.value}, {len(self.raw)} characters)"


def parse(text: str) -> Result | None:
    """The value that a text starts with, or None when it starts with none."""
    start = _skip(_BLANK, text, 0)
    end = end_of_value(text, start)
    if end == start:
        return None
    return classify(text[start:end])


def classify(raw: str) -> Result | None:
    """The value whose text is exactly this."""
    match raw[0]:
        case "{":
            return Result(Kind.OBJECT, raw)
        case "[":
            return Result(Kind.ARRAY, raw)
        case '"':
            return Result(Kind.STRING, raw)
        case "t":
            return Result(Kind.TRUE, raw)
        case "f":
            return Result(Kind.FALSE, raw)
        case "n" if raw[1:2] == "u":
            return Result(Kind.NULL, raw)
        case first if first in "+-0123456789iIN" or raw.startswith("nan"):
            return Result(Kind.NUMBER, raw)
        case _:
            return None


def end_of_value(text: str, start: int) -> int:
    """Where the value at ``start`` ends; ``start`` itself when there is none."""
    first = text[start : start + 1]
    if first == '"':
        return _skip(_STRING, text, start)
    if first in ("{", "[") and first:
        return _end_of_container(text, start)
    return _skip(_BARE, text, start)


def _end_of_container(text: str, start: int) -> int:
    try:
        # The C scanner skips valid JSON more than ten times as fast as the loop below.
        return _DECODER.raw_decode(text, start)[1]
    except (ValueError, RecursionError):
        return _end_of_invalid_container(text, start)


def _end_of_invalid_container(text: str, start: int) -> int:
    depth = 0
    for found in _STRUCTURE.finditer(text, start):
        bracket = found.group()
        if bracket in "{[":
            depth += 1
        elif bracket in "}]":
            depth -= 1
            if depth <= 0:
                return found.end()
    return len(text)


def member_spans(text: str) -> Iterator[tuple[str, int, int]]:
    """Raw names (with quotes) of an object's members and where their values are, in order, as far as can be made out."""
    position = 1
    size = len(text)
    while True:
        position = _skip(_SEPARATORS, text, position)
        while position < size and text[position] not in '"}':
            position += 1
        if position >= size or text[position] == "}":
            return
        end = _skip(_STRING, text, position)
        name = text[position:end]
        start = _skip(_COLON, text, end)
        position = end_of_value(text, start)
        if position > start:
            yield name, start, position
        else:
            position += 1


def members(text: str) -> Iterator[tuple[str, Result]]:
    """Raw names and values of an object's members."""
    for name, start, end in member_spans(text):
        value = classify(text[start:end])
        if value is not None:
            yield name, value


def elements(text: str) -> Iterator[Result]:
    """The elements of an array, in order, as far as they can be made out."""
    position = 1
    while True:
        position = _skip(_SEPARATORS, text, position)
        if position >= len(text) or text[position] == "]":
            return
        end = end_of_value(text, position)
        if end == position:
            position += 1
            continue
        value = classify(text[position:end])
        if value is not None:
            yield value
        position = end


def _skip(pattern: re.Pattern[str], text: str, position: int) -> int:
    found = pattern.match(text, position)
    return position if found is None else found.end()


def unquote(raw: str) -> str:
    """The text of a JSON string literal; wrong escapes end it, since nothing was validated."""
    body = raw[1:-1] if len(raw) > 1 and raw.endswith('"') else raw[1:]
    if "\\" not in body:
        return body
    text = _ESCAPE.sub(_unescape, body)
    try:
        # Escaped surrogate pairs become the character they stand for, lone ones U+FFFD.
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    except UnicodeError:
        return text


def _unescape(found: re.Match[str]) -> str:
    if found.group(1):
        return chr(int(found.group(1), 16))
    return _SIMPLE_ESCAPES.get(found.group(2), found.group(2))


def quote(text: str) -> str:
    """A JSON string literal with HTML characters escaped."""
    return json.dumps(text, ensure_ascii=False).translate(_FOR_HTML)
