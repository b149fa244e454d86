"""Letter case and white space as Go's `unicode` package has them: one character to one character."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from typing import Final

from controllers.templating.gotemplate.quoting import text

__all__ = [
    "SPACES", "is_lower", "is_space", "is_title", "is_upper", "joined", "lower", "map_text", "title", "trim_space", "upper",
]  # fmt: skip

SPACES: Final = frozenset(
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)
_SPACES_TEXT: Final = "".join(SPACES)
# Characters whose upper case is one character, though Python's full mapping has two: Greek letters with iota.
_IOTA: Final = frozenset(
    [*range(0x1F80, 0x1F88), *range(0x1F90, 0x1F98), *range(0x1FA0, 0x1FA8), 0x1FB3, 0x1FC3, 0x1FF3]
)


def upper(char: str) -> str:
    """The upper case of one character; itself if it has none of one character."""
    changed = char.upper()
    return changed if len(changed) == 1 else char.title() if ord(char) in _IOTA else char


def lower(char: str) -> str:
    """The lower case of one character."""
    return "i" if char == "\u0130" else char.lower()


def title(char: str) -> str:
    """The title case of one character; itself if it has none of one character."""
    changed = char.title()
    return changed if len(changed) == 1 else char


def is_upper(char: str) -> bool:
    return unicodedata.category(char) == "Lu"


def is_lower(char: str) -> bool:
    return unicodedata.category(char) == "Ll"


def is_title(char: str) -> bool:
    return unicodedata.category(char) == "Lt"


def is_space(char: str) -> bool:
    """Unicode white space."""
    return char in SPACES


def joined(characters: Iterable[str]) -> bytes:
    """Characters as UTF-8."""
    return "".join(characters).encode()


def map_text(data: bytes, change: Callable[[str], str]) -> bytes:
    """Each character changed; invalid bytes become U+FFFD."""
    return joined(map(change, text(data)))


def trim_space(data: bytes) -> bytes:
    """Without Unicode white space at both ends."""
    data = data.strip(b"\t\n\v\f\r ")
    if not data or (data[0] < 0x80 and data[-1] < 0x80):
        return data
    characters = data.decode("utf-8", "surrogateescape").strip(_SPACES_TEXT)
    return characters.encode("utf-8", "surrogateescape")
