"""Words of identifiers: snake case, kebab case, camel case, and the case of letters swapped."""

from __future__ import annotations

import unicodedata
from enum import Enum, auto
from functools import lru_cache

from controllers.templating.budget import allocate
from controllers.templating.functions.registry import function
from controllers.templating.gotemplate.casing import is_lower, is_space, is_title, is_upper, lower, title, upper
from controllers.templating.gotemplate.quoting import RUNE_ERROR, spans, text

__all__: list[str] = []

GROUP = "Text"
# Ideographs stand alone, apart from letters.
_IDEOGRAPHS = ((0x3400, 0x4D85), (0x4E00, 0x9FCC), (0x20000, 0x2B81D))


class _Kind(Enum):
    """What a character, or a word, is to those around it."""

    UPPER = auto()
    CAPITALISED = auto()
    LETTER = auto()
    NUMBER = auto()
    CONNECTOR = auto()
    PUNCTUATION = auto()
    OTHER = auto()


@lru_cache(4096)
def _kind(char: str) -> _Kind:
    category = unicodedata.category(char)
    if char in "-_" or is_space(char):
        return _Kind.CONNECTOR
    if category == "Lu":
        return _Kind.UPPER
    if category[0] == "L":
        point = ord(char)
        return _Kind.OTHER if any(low <= point <= high for low, high in _IDEOGRAPHS) else _Kind.LETTER
    if category[0] == "N":
        return _Kind.NUMBER
    if category[0] == "P":
        return _Kind.PUNCTUATION
    return _Kind.OTHER


Word = tuple[_Kind, list[tuple[str, bytes]]]
_REWRITTEN = (_Kind.UPPER, _Kind.CAPITALISED, _Kind.CONNECTOR)


def _characters(value: bytes) -> list[tuple[str, bytes]]:
    """Characters with their bytes; invalid bytes go with the character that follows, at the end with the one before."""
    found: list[tuple[str, bytes]] = []
    carried = b""
    for rune, raw in spans(value):
        if rune == RUNE_ERROR:
            carried += raw
        else:
            found.append((chr(rune), carried + raw))
            carried = b""
    if carried:
        char, raw = found.pop() if found else ("\0", b"")
        found.append((char, raw + carried))
    return found


def _words(value: bytes) -> list[Word]:
    """Runs of one kind. Of several upper-case letters the last belongs to the lower-case ones that follow."""
    words: list[Word] = []
    for char, raw in _characters(value):
        kind = _kind(char)
        before = words[-1][0] if words else None
        if (
            before is kind
            or (before is _Kind.CAPITALISED and kind is _Kind.LETTER)
            or (before is _Kind.PUNCTUATION and char in "-_")
        ):
            words[-1][1].append((char, raw))
        elif before is _Kind.UPPER and kind is _Kind.LETTER:
            capital = words[-1][1].pop()
            if not words[-1][1]:
                words.pop()
            words.append((_Kind.CAPITALISED, [capital, (char, raw)]))
        else:
            words.append((kind, [(char, raw)]))
    return words


def _lowered(char: str, connector: str) -> str:
    kind = _kind(char)
    return connector if kind is _Kind.CONNECTOR else lower(char) if kind is _Kind.UPPER else char


def _written(word: Word, connector: bytes) -> bytes:
    kind, characters = word
    raw = b"".join(raw for _, raw in characters)
    if kind not in _REWRITTEN:
        return raw
    mark = connector.decode()
    return "".join(_lowered(char, mark) for char in text(raw)).encode()


def _separated(value: bytes, connector: bytes) -> bytes:
    """The words in lower case with a connector between. A number belongs to the word before it, or to the letters after it."""
    allocate(32 * len(value))
    words = _words(value)
    out: list[bytes] = []
    at = 0

    def joins(place: int) -> bool:
        return place >= len(words) or words[place][0] in (_Kind.CONNECTOR, _Kind.PUNCTUATION)

    def number_and_letters(place: int) -> int:
        while place < len(words) and words[place][0] in (_Kind.LETTER, _Kind.NUMBER):
            out.append(_written(words[place], connector))
            place += 1
        return place

    while at < len(words):
        kind = words[at][0]
        if kind is _Kind.NUMBER:
            at = number_and_letters(at)
        else:
            out.append(_written(words[at], connector))
            at += 1
            if kind in (_Kind.CONNECTOR, _Kind.PUNCTUATION):
                continue
            if at < len(words) and words[at][0] is _Kind.NUMBER:
                if at + 1 < len(words) and words[at + 1][0] is _Kind.LETTER:
                    out.append(connector)
                    at = number_and_letters(at)
                else:
                    out.append(_written(words[at], connector))
                    at += 1
        if not joins(at):
            out.append(connector)
    return b"".join(out)


@function("snakecase", "string", "The words in lower case with underscores between.", group=GROUP,
          example='{{ snakecase "FirstName" }} {{ snakecase "HTTPServer" }}', result="first_name http_server")  # fmt: skip
def snakecase(value: bytes) -> bytes:
    return _separated(value, b"_")


@function("kebabcase", "string", "The words in lower case with hyphens between.", group=GROUP,
          example='{{ kebabcase "FirstName" }}', result="first-name")  # fmt: skip
def kebabcase(value: bytes) -> bytes:
    return _separated(value, b"-")


def _is_connector(char: str) -> bool:
    return _kind(char) is _Kind.CONNECTOR


@function("camelcase", "string", "The words joined, each with a capital letter.", group=GROUP,
          example='{{ camelcase "http_server" }} {{ camelcase "FOO_BAR" }}', result="HttpServer FooBar")  # fmt: skip
def camelcase(value: bytes) -> bytes:
    allocate(8 * len(value))
    characters = text(value)
    start = 0
    while start < len(characters) and _is_connector(characters[start]):
        start += 1
    out = list(characters[:start])
    if start == len(characters):
        return "".join([*out, *characters[-1:]]).encode()
    at = start
    while at < len(characters):
        end = at
        while end < len(characters) and not _is_connector(characters[end]):
            end += 1
        out.append(upper(characters[at]))
        lowering = is_upper(characters[at])
        for char in characters[at + 1 : end]:
            lowering = lowering and is_upper(char)
            out.append(lower(char) if lowering else char)
        at = end
        while at < len(characters) and _is_connector(characters[at]):
            at += 1
        # Connectors between two words lose one of them; those at the end stay.
        out += characters[end : at - 1 if at < len(characters) else at]
    return "".join(out).encode()


@function("swapcase", "string", "Lower case for upper, and the other way; a lower-case word begins with title case.", group=GROUP,
          example='{{ swapcase "This Is" }}', result="tHIS iS")  # fmt: skip
def swapcase(value: bytes) -> bytes:
    allocate(8 * len(value))
    starts = True
    changed = []
    for char in text(value):
        if is_upper(char) or is_title(char):
            changed.append(lower(char))
            starts = False
        elif is_lower(char):
            changed.append(title(char) if starts else upper(char))
            starts = False
        else:
            changed.append(char)
            starts = is_space(char)
    return "".join(changed).encode()
