"""Text to lists and maps of texts, and back."""

from __future__ import annotations

from controllers.templating.budget import allocate
from controllers.templating.functions.conversions import text_list
from controllers.templating.functions.registry import function
from controllers.templating.gotemplate.quoting import characters as characters_of
from controllers.templating.gotemplate.quoting import encoded
from controllers.templating.gotemplate.values import StrList, StrMap, Value

__all__: list[str] = []

GROUP = "Text"


def _split(value: bytes, separator: bytes, count: int) -> list[bytes]:
    """At most `count` pieces, all for a negative count; an empty separator makes single characters."""
    if count == 0:
        return []
    if separator:
        allocate(64 * value.count(separator) + len(value))
        return value.split(separator, count - 1 if count > 0 else -1)
    allocate(64 * len(value))
    characters = [encoded(char) for char in characters_of(value)]
    if 0 < count < len(characters):
        characters[count - 1 :] = [b"".join(characters[count - 1 :])]
    return characters


def _numbered(pieces: list[bytes]) -> StrMap:
    return StrMap((b"_%d" % at, piece) for at, piece in enumerate(pieces))


@function("split", "string, string", "The pieces between separators as a map with keys _0, _1...", group=GROUP,
          example='{{ (split "," "a,b")._1 }}', result="b")  # fmt: skip
def split(separator: bytes, value: bytes) -> StrMap:
    return _numbered(_split(value, separator, -1))


@function("splitn", "string, int, string", "As split, into n pieces at most.", group=GROUP,
          example='{{ (splitn "," 2 "a,b,c")._1 }}', result="b,c")  # fmt: skip
def splitn(separator: bytes, count: int, value: bytes) -> StrMap:
    return _numbered(_split(value, separator, count))


@function("splitList", "string, string", "The pieces between separators as a list.", group=GROUP,
          example='{{ splitList "," "a,b" }}', result="[a b]")  # fmt: skip
def split_list(separator: bytes, value: bytes) -> StrList:
    return StrList(_split(value, separator, -1))


@function("join", "string, any", "The elements as text with a separator between; nil is left out.", group=GROUP,
          example='{{ list "a" 1 nil "b" | join "," }}', result="a,1,b")  # fmt: skip
def join(separator: bytes, values: Value) -> bytes:
    pieces = text_list(values)
    allocate(sum(map(len, pieces)) + len(separator) * len(pieces))
    return separator.join(pieces)


@function("sortAlpha", "any", "The elements as texts, in the order of their bytes.", group=GROUP,
          example='{{ sortAlpha (list "b" "a" 3) }}', result="[3 a b]")  # fmt: skip
def sort_alpha(values: Value) -> StrList:
    if not isinstance(values, list):
        return StrList(text_list([values]) if values is not None else [b"<nil>"])
    texts = text_list(values)
    # A list of texts is itself sorted, as callers can see.
    texts.sort()
    return texts
