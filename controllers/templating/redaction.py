"""Error texts without values: functions such as `fail`, and decoders, quote what they were given."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from controllers.templating.gotemplate.errors import ParseError, TemplateError

__all__ = ["HIDDEN", "redacted"]

HIDDEN: Final = "[hidden]"

# Shorter texts are hidden where they stand alone: `1` must not disappear from `template: a:1:3`.
_INSIDE_WORDS: Final = 4
# So many characters in a row that a quoted text and a value have in common are no chance.
_SHARED: Final = 6
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)+"|`[^`]+`|\'[^\']+\'')
_LONGEST_QUOTED: Final = 256
_LITERAL_FAIL: Final = re.compile(r'fail "(?:[^"\\]|\\.)*"|fail `[^`]*`')


def redacted(error: TemplateError | str, data: Mapping[str, bytes], *, parsed: bool = False) -> str:
    """The text of an error with the values of `data` hidden, whole, by line, quoted, or decoded from base64.

    Of what functions and, where the text is from one (`parsed`), parsers quote, pieces of values are hidden as well: they quote
    what they could not read.

    What a parser says, what it says about a missing key, and a literal text given to `fail` is the template's own.
    """
    text = str(error)
    if isinstance(error, TemplateError):
        place = error.place
        if isinstance(error, ParseError) or place.missing_key is not None or _LITERAL_FAIL.fullmatch(place.node):
            return text
        if place.message and text.endswith(place.message):
            return text.removesuffix(place.message) + _hide(place.message, data.values(), pieces=True)
    return _hide(text, data.values(), pieces=parsed)


def _hide(text: str, values: Iterable[bytes], *, pieces: bool) -> str:
    forms = {form for value in values for form in _forms(value)}
    # The longest first: a value may be part of another.
    for form in sorted(forms, key=lambda form: (-len(form), form)):
        if len(form) >= _INSIDE_WORDS:
            text = text.replace(form, HIDDEN)
        elif form in text:
            text = re.sub(rf"(?<!\w){re.escape(form)}(?!\w)", HIDDEN, text)
    return _QUOTED.sub(lambda quoted: _without_pieces(quoted.group(), forms), text) if pieces else text


def _without_pieces(quoted: str, forms: Iterable[str]) -> str:
    """A quoted text, hidden if it is a piece of a value, or has one."""
    mark, text = quoted[0], quoted[1:-1]
    if len(text) > _LONGEST_QUOTED:
        return f"{mark}{HIDDEN}{mark}"
    runs = {text[start : start + _SHARED] for start in range(len(text) - _SHARED + 1)}
    if len(text) >= _INSIDE_WORDS:
        runs.add(text)
    shown = not any(run in form for form in forms for run in runs)
    return quoted if shown else f"{mark}{HIDDEN}{mark}"


def _forms(value: bytes) -> Iterator[str]:
    """How a value may look in a text."""
    yield from _written(value)
    try:
        yield from _written(base64.b64decode(value, validate=True))
    except binascii.Error:
        return


def _written(value: bytes) -> Iterator[str]:
    whole = value.decode("utf-8", "replace")
    for part in (whole, whole.strip(), *whole.splitlines()):
        if part.strip():
            yield part
            yield part.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
