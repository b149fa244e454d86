"""Output that stays the same while it still fits: salted functions keep the result of the last render.

A function such as `bcrypt` gives another text at every call, so that each refresh would change the Secret though nothing
changed. The render stage puts the last values of the target around a render:

    with stable.previous({"auth": b"admin:$2a$10$..."}):
        rendered = render(template, data)

A salted function then looks for results of its kind in these texts, in order, and returns the first that it can verify
against its arguments; each is used once per render, so that two calls with equal arguments keep two results. A changed
password verifies against none of them and gets a new salt. Texts within base64 are found as well. Without the block, or
with `previous(None)`, every call is new, as in the original.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from controllers.templating.budget import Meter, current

__all__ = ["keep", "previous"]

# Verifying costs as much as making anew; texts with more candidates were not made by a template.
_MOST_CANDIDATES: Final = 64
_LARGEST_TEXT: Final = 4 * 1024 * 1024
# Base64 is opened this often: `htpasswd | b64enc` within a Secret that holds base64 already.
_DEPTH: Final = 2
_WRAPPED: Final = re.compile(rb"[A-Za-z0-9+/]{40,}={0,2}")


class _Previous:
    """The texts of the last render, and which results were taken from them."""

    __slots__ = ("render", "taken", "texts")

    def __init__(self, values: Mapping[str, bytes]) -> None:
        self.texts = [text for _, value in sorted(values.items()) for text in _opened(value, _DEPTH)]
        # Archives are kept in base64, and Secrets hold them decoded.
        self.texts += [
            base64.b64encode(v) for _, v in sorted(values.items()) if not v.isascii() and len(v) < _LARGEST_TEXT
        ]
        self.taken: set[tuple[int, int]] = set()
        self.render: Meter | None = None


def _opened(text: bytes, depth: int) -> Iterator[bytes]:
    """The text, and what stands in it as base64."""
    if len(text) > _LARGEST_TEXT:
        return
    yield text
    if depth == 0:
        return
    for found in _WRAPPED.finditer(text):
        try:
            yield from _opened(base64.b64decode(found.group(), validate=True), depth - 1)
        except binascii.Error:
            continue


_current: ContextVar[_Previous | None] = ContextVar("template_previous", default=None)


@contextmanager
def previous(values: Mapping[str, bytes] | None) -> Iterator[None]:
    """Lets salted functions keep their results of the last render inside of the block.

    Args:
        values: texts that were rendered last time, by key; None has every function make new results.
    """
    token = _current.set(None if values is None else _Previous(values))
    try:
        yield
    finally:
        _current.reset(token)


def keep(pattern: re.Pattern[bytes], verify: Callable[[bytes], bool]) -> bytes | None:
    """The first result of the last render that has the form of the pattern, was not taken yet, and verifies; else None."""
    last = _current.get()
    if last is None:
        return None
    if last.render is not current():
        # Another render, perhaps the same template that starts over off the event loop: it may take everything again.
        last.render = current()
        last.taken.clear()
    tried = 0
    for number, text in enumerate(last.texts):
        for found in pattern.finditer(text):
            place = (number, found.start())
            if place in last.taken:
                continue
            tried += 1
            if tried > _MOST_CANDIDATES:
                return None
            if verify(found.group()):
                last.taken.add(place)
                return found.group()
    return None
