"""Regular expressions in RE2 syntax: linear time, so that a pattern from a template cannot hang the operator."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Iterator
from typing import Any

from controllers.templating.budget import allocate, spend
from controllers.templating.functions.regexsyntax import parse
from controllers.templating.functions.registry import FunctionError, function
from controllers.templating.gotemplate.quoting import can_backquote, decode_rune, encode_rune, quote, spans
from controllers.templating.gotemplate.quoting import text as text_of
from controllers.templating.gotemplate.values import NilStrList, StrList

__all__: list[str] = []

GROUP = "Regular expressions"
_SPECIAL = frozenset(b"\\.+*?()|[]{}^$")
_MEMORY = 64 * 1024 * 1024  # of one compiled pattern: every pattern that the syntax allows within reason


class _Pattern:
    """A compiled pattern, with the numbers of its groups by name: several groups may have one name."""

    __slots__ = ("compiled", "groups", "named")

    def __init__(self, compiled: Any, names: tuple[bytes, ...]) -> None:
        self.compiled = compiled
        self.groups = len(names)
        self.named: dict[bytes, list[int]] = {}
        for number, name in enumerate(names, 1):
            if name:
                self.named.setdefault(name, []).append(number)


@functools.lru_cache(maxsize=256)
def _compile(pattern: bytes) -> _Pattern:
    import re2

    parsed = parse(pattern)
    options = re2.Options()
    options.log_errors = False  # the pattern may hold a secret
    options.max_mem = _MEMORY
    try:
        return _Pattern(re2.compile(parsed.pattern, options), parsed.names)
    except re2.error:
        raise FunctionError(f"error parsing regexp: expression too large: `{text_of(pattern)}`") from None


def _loud(pattern: bytes) -> _Pattern:
    """Compiles for the functions whose fault names the pattern."""
    try:
        return _compile(pattern)
    except FunctionError as error:
        quoted = b"`" + pattern + b"`" if can_backquote(pattern) else quote(pattern)
        raise FunctionError(f"regexp: Compile({quoted.decode()}): {error}") from None


def _valid(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


class _Subject:
    """Text to search in. Each invalid byte is a U+FFFD to the matcher, and itself in what is found."""

    __slots__ = ("places", "searched", "text")

    def __init__(self, text: bytes) -> None:
        self.text = self.searched = text
        self.places: dict[int, int] | None = None
        if not _valid(text):
            allocate(64 * len(text))
            pieces, self.places, at, original = [], {0: 0}, 0, 0
            for rune, raw in spans(text):
                pieces.append(encode_rune(rune))
                at += len(pieces[-1])
                original += len(raw)
                self.places[at] = original
            self.searched = b"".join(pieces)

    def width(self, at: int) -> int:
        """Bytes of the character that is searched at `at`."""
        lead = self.searched[at]
        return 1 if lead < 0x80 else 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4

    def span(self, found: Any, group: int = 0) -> tuple[int, int]:
        """Where a group is in the text; (-1, -1) if it took no part."""
        start, end = found.span(group)
        if self.places is None or start < 0:
            return start, end
        return self.places[start], self.places[end]


def _search(pattern: _Pattern, subject: _Subject, at: int = 0) -> Any:
    """The first match from `at` on. The matcher sees empty matches of `\\B` within a character, which are none."""
    searched = subject.searched
    while True:
        found = pattern.compiled.search(searched, at)
        if found is None:
            return None
        start, end = found.span()
        if start != end or start == len(searched) or searched[start] & 0xC0 != 0x80:
            return found
        at = start + 1
        while at < len(searched) and searched[at] & 0xC0 == 0x80:
            at += 1


def _matches(pattern: _Pattern, subject: _Subject) -> Iterator[Any]:
    """Matches from left to right; an empty one never directly after another match."""
    at, previous = 0, -1
    searched = subject.searched
    while at <= len(searched):
        spend()
        found = _search(pattern, subject, at)
        if found is None:
            return
        start, end = found.span()
        if end > start or start != previous:
            yield found
        previous = end
        if end > at:
            at = end
        else:
            at += subject.width(at) if at < len(searched) else 1


def _name_end(replacement: bytes, at: int) -> int:
    """The position after the letters, digits and underscores."""
    while at < len(replacement):
        rune, width = decode_rune(replacement, at)
        if rune != 0x5F and unicodedata.category(chr(rune))[0] != "L" and unicodedata.category(chr(rune)) != "Nd":
            break
        at += width
    return at


def _template(replacement: bytes, pattern: _Pattern) -> list[bytes | list[int]]:
    """Literal pieces, and for each reference the numbers of its groups; unknown ones are left out."""
    pieces: list[bytes | list[int]] = []
    at = 0
    while True:
        dollar = replacement.find(b"$", at)
        if dollar < 0:
            pieces.append(replacement[at:])
            return pieces
        pieces.append(replacement[at:dollar])
        rest = dollar + 1
        if replacement[rest : rest + 1] == b"$":
            pieces.append(b"$")
            at = rest + 1
            continue
        braced = replacement[rest : rest + 1] == b"{"
        start = rest + braced
        end = _name_end(replacement, start)
        name = replacement[start:end]
        if not name or (braced and replacement[end : end + 1] != b"}"):
            pieces.append(b"$")
            at = rest
            continue
        if name.isdigit() and len(name) < 9 and (name == b"0" or name[0] != 0x30):
            pieces.append([int(name)] if int(name) <= pattern.groups else [])
        else:
            pieces.append(pattern.named.get(name, []))
        at = end + braced


def _replace(pattern: _Pattern, text: bytes, pieces: list[bytes | list[int]]) -> bytes:
    subject = _Subject(text)
    parts: list[bytes] = []
    copied = size = 0
    for found in _matches(pattern, subject):
        start, end = subject.span(found)
        made = [text[copied:start]]
        for piece in pieces:
            if isinstance(piece, bytes):
                made.append(piece)
                continue
            for group in piece:
                first, last = subject.span(found, group)
                if first >= 0:
                    made.append(text[first:last])
                    break
        size += sum(map(len, made))
        allocate(size)
        parts += made
        copied = end
    parts.append(text[copied:])
    return b"".join(parts)


@function("regexMatch", "string, string", "Whether the text holds a match; false for a bad pattern.", group=GROUP,
          example='{{ regexMatch "^a+$" "aaa" }}', result="true")  # fmt: skip
def regex_match(pattern: bytes, text: bytes) -> bool:
    try:
        return must_match(pattern, text)
    except FunctionError:
        return False


@function("mustRegexMatch", "string, string", "Whether the text holds a match; a bad pattern fails.", group=GROUP,
          example='{{ mustRegexMatch "b" "abc" }}', result="true")  # fmt: skip
def must_match(pattern: bytes, text: bytes) -> bool:
    return _search(_compile(pattern), _Subject(text)) is not None


def _find(pattern: _Pattern, text: bytes) -> bytes:
    subject = _Subject(text)
    found = _search(pattern, subject)
    if found is None:
        return b""
    start, end = subject.span(found)
    return text[start:end]


def _find_all(pattern: _Pattern, text: bytes, count: int) -> StrList:
    subject = _Subject(text)
    pieces = StrList()
    for found in _matches(pattern, subject):
        if 0 <= count <= len(pieces):
            break
        start, end = subject.span(found)
        pieces.append(text[start:end])
        allocate(64 * len(pieces))
    return pieces or NilStrList()


def _split(compiled: _Pattern, text: bytes, count: int, pattern: bytes) -> StrList:
    if count == 0:
        return NilStrList()
    if pattern and not text:
        return StrList([b""])
    subject = _Subject(text)
    pieces = StrList()
    begin = end = 0
    for found in _matches(compiled, subject):
        if 0 < count == len(pieces) + 1:
            break
        end, following = subject.span(found)
        if following != 0:
            pieces.append(text[begin:end])
        begin = following
        allocate(64 * len(pieces))
    if end != len(text):
        pieces.append(text[begin:])
    return pieces


@function("regexFind", "string, string", "The first match, or empty text.", group=GROUP,
          example='{{ regexFind "[a-z]+[0-9]" "x ab1" }}', result="ab1")  # fmt: skip
def regex_find(pattern: bytes, text: bytes) -> bytes:
    return _find(_loud(pattern), text)


@function("mustRegexFind", "string, string", "The first match, or empty text; a bad pattern fails.", group=GROUP,
          example='{{ mustRegexFind "[0-9]+" "a12" }}', result="12")  # fmt: skip
def must_find(pattern: bytes, text: bytes) -> bytes:
    return _find(_compile(pattern), text)


@function("regexFindAll", "string, string, int", "The first n matches, all for a negative n.", group=GROUP,
          example='{{ regexFindAll "[0-9]" "a1b2c3" 2 }}', result="[1 2]")  # fmt: skip
def regex_find_all(pattern: bytes, text: bytes, count: int) -> StrList:
    return _find_all(_loud(pattern), text, count)


@function("mustRegexFindAll", "string, string, int", "The first n matches; a bad pattern fails.", group=GROUP,
          example='{{ mustRegexFindAll "[0-9]" "a1b2c3" -1 }}', result="[1 2 3]")  # fmt: skip
def must_find_all(pattern: bytes, text: bytes, count: int) -> StrList:
    return _find_all(_compile(pattern), text, count)


def _expand(pattern: _Pattern, text: bytes, replacement: bytes) -> bytes:
    return _replace(pattern, text, _template(replacement, pattern))


@function("regexReplaceAll", "string, string, string", "Replaces matches; $1 and ${name} stand for groups.", group=GROUP,
          example='{{ regexReplaceAll "a(x*)b" "-ab-axxb-" "${1}W" }}', result="-W-xxW-")  # fmt: skip
def regex_replace(pattern: bytes, text: bytes, replacement: bytes) -> bytes:
    return _expand(_loud(pattern), text, replacement)


@function("mustRegexReplaceAll", "string, string, string", "Replaces matches; a bad pattern fails.", group=GROUP,
          example='{{ mustRegexReplaceAll "a" "banana" "o" }}', result="bonono")  # fmt: skip
def must_replace(pattern: bytes, text: bytes, replacement: bytes) -> bytes:
    return _expand(_compile(pattern), text, replacement)


@function("regexReplaceAllLiteral", "string, string, string", "Replaces matches by the text as it is.", group=GROUP,
          example='{{ regexReplaceAllLiteral "a" "banana" "$1" }}', result="b$1n$1n$1")  # fmt: skip
def regex_replace_literal(pattern: bytes, text: bytes, replacement: bytes) -> bytes:
    return _replace(_loud(pattern), text, [replacement])


@function("mustRegexReplaceAllLiteral", "string, string, string", "Replaces matches literally; a bad pattern fails.",
          group=GROUP, example='{{ mustRegexReplaceAllLiteral "a" "ba" "$" }}', result="b$")  # fmt: skip
def must_replace_literal(pattern: bytes, text: bytes, replacement: bytes) -> bytes:
    return _replace(_compile(pattern), text, [replacement])


@function("regexSplit", "string, string, int", "Cuts the text at matches into n pieces at most.", group=GROUP,
          example='{{ regexSplit "z+" "pizza" -1 }}', result="[pi a]")  # fmt: skip
def regex_split(pattern: bytes, text: bytes, count: int) -> StrList:
    return _split(_loud(pattern), text, count, pattern)


@function("mustRegexSplit", "string, string, int", "Cuts the text at matches; a bad pattern fails.", group=GROUP,
          example='{{ mustRegexSplit "a" "banana" 2 }}', result="[b nana]")  # fmt: skip
def must_split(pattern: bytes, text: bytes, count: int) -> StrList:
    return _split(_compile(pattern), text, count, pattern)


@function("regexQuoteMeta", "string", "The text as a pattern that matches it.", group=GROUP,
          example='{{ regexQuoteMeta "a.b" }}', result="a\\.b")  # fmt: skip
def regex_quote(text: bytes) -> bytes:
    return b"".join(b"\\%c" % c if c in _SPECIAL else b"%c" % c for c in text)
