"""Patterns with ``*`` and ``?``, matched in time that grows with text times pattern.

As one regular expression ``*a*a*a*a*b`` takes longer than anyone waits on a text of many ``a``; whoever may write a property
could stop the operator with it. The parts between the stars are looked for one after the other instead: the leftmost place
of each is as good as any, so nothing is tried twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

__all__ = ["ANY", "ONE", "Wildcard"]

ANY: Final = "*"
ONE: Final = "?"


class Wildcard:
    """A compiled pattern.

    Args:
        tokens: characters, each with whether it stands for itself; one that does not is `ANY` or `ONE`.
    """

    __slots__ = ("_lengths", "_parts")

    def __init__(self, tokens: Iterable[tuple[str, bool]]) -> None:
        parts: list[list[str]] = [[]]
        for char, literal in tokens:
            if literal:
                parts[-1].append(re.escape(char))
            elif char == ONE:
                parts[-1].append(".")
            else:
                parts.append([])
        # No repetition in them: each is matched in one go.
        self._parts = tuple(re.compile("".join(part), re.DOTALL) for part in parts)
        self._lengths = tuple(map(len, parts))

    def covers(self, text: str) -> bool:
        """Whether it matches all of a text."""
        first, *middle = self._parts
        if not middle:
            return first.fullmatch(text) is not None
        last = middle.pop()
        found = first.match(text)
        if found is None:
            return False
        position = found.end()
        for part in middle:
            found = part.search(text, position)
            if found is None:
                return False
            position = found.end()
        start = len(text) - self._lengths[-1]
        return start >= position and last.match(text, start) is not None
