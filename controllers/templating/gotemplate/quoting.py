"""Go string literals and UTF-8 as Go reads it: invalid bytes are runes of one byte."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from controllers.templating.budget import allocate

__all__ = [
    "can_backquote",
    "decode_rune",
    "encode_rune",
    "is_print",
    "quote",
    "quote_rune",
    "runes",
    "text",
    "unquote",
    "unquote_char",
]

RUNE_ERROR = 0xFFFD
_SIMPLE = {7: "\\a", 8: "\\b", 12: "\\f", 10: "\\n", 13: "\\r", 9: "\\t", 11: "\\v"}
_ESCAPES = {97: 7, 98: 8, 102: 12, 110: 10, 114: 13, 116: 9, 118: 11, 92: 92}
_INVALID = re.compile("[\udc80-\udcff]")
_PLAIN = re.compile(rb"[ !#-\[\]-~]*")
_ASCII = re.compile(rb"[ -~]*")
_USUAL = ((b"\\", b"\\\\"), (b'"', b'\\"'), (b"\n", b"\\n"), (b"\t", b"\\t"), (b"\r", b"\\r"))
_TO_ESCAPE = re.compile(r"[^ !#-\[\]-~]")
_PRINTABLE = frozenset("LMNPS")
# Printable since Unicode 15, which Python 3.11 does not know yet.
_NEWER = (
    (0xCF3, 0xCF3), (0xECE, 0xECE), (0x10EFD, 0x10EFF), (0x1123F, 0x11241), (0x11B00, 0x11B09), (0x11F00, 0x11F10),
    (0x11F12, 0x11F3A), (0x11F3E, 0x11F59), (0x1342F, 0x1342F), (0x13440, 0x13455), (0x1B132, 0x1B132), (0x1B155, 0x1B155),
    (0x1D2C0, 0x1D2D3), (0x1DF25, 0x1DF2A), (0x1E030, 0x1E06D), (0x1E08F, 0x1E08F), (0x1E4D0, 0x1E4F9), (0x1F6DC, 0x1F6DC),
    (0x1F774, 0x1F776), (0x1F77B, 0x1F77F), (0x1F7D9, 0x1F7D9), (0x1FA75, 0x1FA77), (0x1FA87, 0x1FA88), (0x1FAAD, 0x1FAAF),
    (0x1FABB, 0x1FABD), (0x1FABF, 0x1FABF), (0x1FACE, 0x1FACF), (0x1FADA, 0x1FADB), (0x1FAE8, 0x1FAE8), (0x1FAF7, 0x1FAF8),
    (0x2B739, 0x2B739), (0x31350, 0x323AF),
)  # fmt: skip


def decode_rune(data: bytes, pos: int) -> tuple[int, int]:
    """Rune and its width at `pos`; U+FFFD with width 1 for an invalid byte, (-1, 0) at the end."""
    if pos >= len(data):
        return -1, 0
    first = data[pos]
    if first < 0x80:
        return first, 1
    width = 2 if 0xC2 <= first < 0xE0 else 3 if 0xE0 <= first < 0xF0 else 4 if 0xF0 <= first < 0xF5 else 0
    if width and pos + width <= len(data):
        try:
            return ord(data[pos : pos + width].decode()), width
        except UnicodeDecodeError:
            return RUNE_ERROR, 1
    return RUNE_ERROR, 1


def encode_rune(rune: int) -> bytes:
    """UTF-8 of a rune; U+FFFD for what is none."""
    if 0 <= rune < 0xD800 or 0xE000 <= rune < 0x110000:
        return chr(rune).encode()
    return b"\xef\xbf\xbd"


def characters(data: bytes) -> str:
    """The text as characters; each invalid byte is a lone surrogate, so that `encoded` gives the same bytes again."""
    return data.decode("utf-8", "surrogateescape")


def encoded(characters: str) -> bytes:
    """The bytes of what `characters` gave."""
    return characters.encode("utf-8", "surrogateescape")


def runes(data: bytes) -> list[int]:
    """All runes, as `range` over a Go string gives them."""
    return [ord(c) for c in text(data)]


def spans(data: bytes) -> list[tuple[int, bytes]]:
    """Runes with the bytes that they were read from. A list of large pieces: for short texts."""
    return [(RUNE_ERROR if "\ud800" <= c < "\ue000" else ord(c), encoded(c)) for c in characters(data)]


def text(data: bytes) -> str:
    """The characters, U+FFFD for each invalid byte."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return _INVALID.sub("\ufffd", characters(data))


@lru_cache(4096)
def is_print(rune: int) -> bool:
    """Letters, marks, numbers, punctuation, symbols and the ASCII space."""
    if rune == 0x20:
        return True
    if not 0 <= rune < 0x110000:
        return False
    return unicodedata.category(chr(rune))[0] in _PRINTABLE or any(low <= rune <= high for low, high in _NEWER)


def _escaped(char: str, mark: str, ascii_only: bool) -> str:
    rune = ord(char)
    if 0xDC80 <= rune < 0xDD00:
        return f"\\x{rune - 0xDC00:02x}"
    if char == mark or char == "\\":
        return "\\" + char
    if (rune < 0x80 or not ascii_only) and is_print(rune):
        return char
    if rune in _SIMPLE:
        return _SIMPLE[rune]
    if rune < 0x20 or rune == 0x7F:
        return f"\\x{rune:02x}"
    return f"\\u{rune:04x}" if rune < 0x10000 else f"\\U{rune:08x}"


def quote(data: bytes, *, ascii_only: bool = False) -> bytes:
    """A double-quoted Go literal, as `%q` prints it."""
    allocate(len(data) + 2)
    if _PLAIN.fullmatch(data):
        return b'"' + data + b'"'
    # What texts mostly hold, in a few passes: the general way below takes its time for each character.
    usual = data
    for char, escape in _USUAL:
        usual = usual.replace(char, escape)
    allocate(len(usual) + 2)
    if _ASCII.fullmatch(usual):
        return b'"' + usual + b'"'
    body = _TO_ESCAPE.sub(lambda found: _escaped(found[0], '"', ascii_only), characters(data))
    return f'"{body}"'.encode()


def can_backquote(data: bytes) -> bool:
    """Whether the text can stand between back quotes as it is."""
    try:
        characters = data.decode()
    except UnicodeDecodeError:
        return False
    return all((c >= " " or c == "\t") and c not in "`\x7f\ufeff" for c in characters)


def quote_rune(rune: int, *, ascii_only: bool = False) -> bytes:
    """A single-quoted Go literal."""
    if not (0 <= rune < 0xD800 or 0xE000 <= rune < 0x110000):
        rune = RUNE_ERROR
    return ("'" + _escaped(chr(rune), "'", ascii_only) + "'").encode()


def unquote_char(data: bytes, pos: int, mark: int) -> tuple[bytes, int, int]:
    """One character of a literal quoted by `mark`: its bytes, its value, and the position after it.

    Raises:
        ValueError: invalid syntax.
    """
    rune, width = decode_rune(data, pos)
    if rune == -1 or rune == mark:
        raise ValueError("invalid syntax")
    if rune != 0x5C:
        return data[pos : pos + width], rune, pos + width
    if pos + 1 >= len(data):
        raise ValueError("invalid syntax")
    kind = data[pos + 1]
    pos += 2
    if kind in _ESCAPES:
        return bytes([_ESCAPES[kind]]), _ESCAPES[kind], pos
    if kind in b"xuU":
        size = {0x78: 2, 0x75: 4, 0x55: 8}[kind]
        digits = data[pos : pos + size]
        if len(digits) < size or not all(c in b"0123456789abcdefABCDEF" for c in digits):
            raise ValueError("invalid syntax")
        value = int(digits, 16)
        if kind == 0x78:
            return bytes([value]), value, pos + size
        if value > 0x10FFFF or 0xD800 <= value < 0xE000:
            raise ValueError("invalid syntax")
        return encode_rune(value), value, pos + size
    if kind in b"01234567":
        digits = data[pos - 1 : pos + 2]
        if len(digits) < 3 or not all(c in b"01234567" for c in digits) or int(digits, 8) > 255:
            raise ValueError("invalid syntax")
        return bytes([int(digits, 8)]), int(digits, 8), pos + 2
    if kind in b"'\"" and kind == mark:
        return bytes([kind]), kind, pos
    raise ValueError("invalid syntax")


def unquote(literal: bytes) -> bytes:
    """The value of a `"..."` or backquoted literal.

    Raises:
        ValueError: invalid syntax.
    """
    if len(literal) < 2 or literal[0] != literal[-1]:
        raise ValueError("invalid syntax")
    body = literal[1:-1]
    if literal[0] == 0x60:
        return body.replace(b"\r", b"")
    if b"\\" not in body and b"\n" not in body:
        return body
    parts, pos = [], 0
    while pos < len(body):
        char, _, pos = unquote_char(body, pos, 0x22)
        parts.append(char)
    return b"".join(parts)
