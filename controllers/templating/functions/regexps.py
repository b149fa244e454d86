"""Regular expressions in RE2 syntax: linear time, so that a pattern from a template cannot hang the operator."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

from controllers.templating.budget import allocate, spend
from controllers.templating.functions.registry import FunctionError, function
from controllers.templating.gotemplate.values import NilStrList, StrList

__all__: list[str] = []

GROUP = "Regular expressions"
_NAME = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_SPECIAL = frozenset(b"\\.+*?()|[]{}^$")
# RE2's words for a fault, and the words that users of Go's regexp know.
_FAULTS = {
    "missing ]": "missing closing ]",
    "missing )": "missing closing )",
    "no argument for repetition operator": "missing argument to repetition operator",
    "invalid repetition size": "invalid repeat count",
    "bad repetition operator": "invalid nested repetition operator",
    "trailing \\": "trailing backslash at end of expression",
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "invalid character class range": "invalid character class range",
    "invalid named capture group": "invalid named capture",
}


def _single_byte_escape(pattern: bytes) -> bool:
    """Whether `\\C` occurs outside of a `\\Q...\\E` quotation: RE2 takes it, templates may not."""
    at = 0
    while (at := pattern.find(b"\\", at)) >= 0:
        following = pattern[at + 1 : at + 2]
        if following == b"C":
            return True
        if following == b"Q":
            at = pattern.find(b"\\E", at + 2)
            if at < 0:
                return False
        at += 2
    return False


def _fault(reason: str) -> str:
    for theirs, ours in _FAULTS.items():
        if reason == theirs or reason.startswith(theirs + ": "):
            return f"error parsing regexp: {ours}: `{reason[len(theirs) + 2 :]}`"
    kind, _, rest = reason.partition(": ")
    return f"error parsing regexp: {kind}: `{rest}`"


@functools.lru_cache(maxsize=256)
def _compile(pattern: bytes) -> Any:
    import re2

    if _single_byte_escape(pattern):
        raise FunctionError("error parsing regexp: invalid escape sequence: `\\C`")
    options = re2.Options()
    options.log_errors = False  # the pattern may hold a secret
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise FunctionError(_fault(text)) from None


def _loud(pattern: bytes) -> Any:
    """Compiles for the functions whose fault names the pattern."""
    try:
        return _compile(pattern)
    except FunctionError as error:
        quoted = f"`{pattern.decode('utf-8', 'replace')}`" if b"`" not in pattern else '"' + pattern.decode() + '"'
        raise FunctionError(f"regexp: Compile({quoted}): {error}") from None


def _width(text: bytes, at: int) -> int:
    """Bytes of the character at `at`; an invalid one is one wide."""
    lead = text[at]
    size = 1 if lead < 0xC2 else 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4 if lead < 0xF5 else 1
    if size == 1:
        return 1
    try:
        text[at : at + size].decode("utf-8")
    except UnicodeDecodeError:
        return 1
    return size


def _matches(compiled: Any, text: bytes) -> Iterator[Any]:
    """Matches from left to right; an empty one never directly after another match."""
    at, previous = 0, -1
    while at <= len(text):
        spend()
        found = compiled.search(text, at)
        if found is None:
            return
        start, end = found.span()
        if end > start or start != previous:
            yield found
        previous = end
        if end > at:
            at = end
        else:
            at += _width(text, at) if at < len(text) else 1


def _template(replacement: bytes, names: dict[bytes, int], groups: int) -> list[bytes | int]:
    """Literal pieces and group numbers; unknown groups are left out."""
    pieces: list[bytes | int] = []
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
        start = end = rest + braced
        while end < len(replacement) and replacement[end] in _NAME:
            end += 1
        name = replacement[start:end]
        if not name or (braced and replacement[end : end + 1] != b"}"):
            pieces.append(b"$")
            at = rest
            continue
        number = int(name) if name.isdigit() and len(name) < 9 and (name == b"0" or name[0] != 48) else names.get(name)
        if number is not None and number <= groups:
            pieces.append(number)
        at = end + braced


def _replace(compiled: Any, text: bytes, pieces: list[bytes | int]) -> bytes:
    parts: list[bytes] = []
    copied = size = 0
    for found in _matches(compiled, text):
        start, end = found.span()
        parts.append(text[copied:start])
        parts += [piece if isinstance(piece, bytes) else found.group(piece) or b"" for piece in pieces]
        size += end - start + sum(len(piece) for piece in pieces if isinstance(piece, bytes))
        allocate(size)
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
    return _compile(pattern).search(text) is not None


def _find(compiled: Any, text: bytes) -> bytes:
    found = compiled.search(text)
    return bytes(found.group()) if found is not None else b""


def _find_all(compiled: Any, text: bytes, count: int) -> StrList:
    found = StrList()
    for match in _matches(compiled, text):
        if 0 <= count <= len(found):
            break
        found.append(match.group())
    return found or NilStrList()


def _split(compiled: Any, text: bytes, count: int, pattern: bytes) -> StrList:
    if count == 0:
        return NilStrList()
    if pattern and not text:
        return StrList([b""])
    pieces = StrList()
    begin = end = 0
    for match in _matches(compiled, text):
        if 0 < count == len(pieces) + 1:
            break
        end = match.start()
        if match.end() != 0:
            pieces.append(text[begin:end])
        begin = match.end()
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


def _expand(compiled: Any, text: bytes, replacement: bytes) -> bytes:
    names = {k if isinstance(k, bytes) else k.encode(): v for k, v in compiled.groupindex.items()}
    return _replace(compiled, text, _template(replacement, names, compiled.groups))


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
