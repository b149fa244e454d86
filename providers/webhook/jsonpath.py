"""Picking the value out of a JSON response by a JSONPath. Pure functions.

The dialect is Goessner's, as python-jsonpath has it: names, indices, wildcards, descent, slices, unions, filters with comparison,
`&&`, `||` and `=~`. Arithmetic in filters is not part of it.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from providers.errors import InvalidData, InvalidSpec
from providers.gojson import JsonValue, encode, well_formed

__all__ = ["as_map", "as_value", "last_name", "parse", "pick"]

_LONGEST: Final = 4096
_MOST_ZEROS: Final = 400
"""A number with a larger exponent keeps its own spelling: written out it would fill memory."""


class _Sent(float):
    """A number with a fraction or an exponent, which also knows how it was spelled."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> _Sent:
        number = super().__new__(cls, text)
        number.text = text
        return number


def parse(body: bytes, where: str) -> JsonValue:
    """The document of a response.

    Raises:
        InvalidData: It is not JSON; the body is not quoted.
    """
    try:
        # As a text: of bytes Python guesses the encoding. Bytes that are no UTF-8 become U+FFFD, as in Go.
        document: JsonValue = json.loads(body.decode("utf-8", "replace"), parse_float=_Sent, parse_constant=_refused)
    except (ValueError, RecursionError):
        raise InvalidData(f"{where}: the response is not JSON") from None
    return document


def _refused(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def pick(document: JsonValue, path: str) -> JsonValue:
    """What the path finds: the value of a definite path, a list for all others.

    Raises:
        InvalidSpec: It is no path.
        InvalidData: A definite path names a key that an object does not have.
    """
    from providers.webhook.dialect import visit  # not needed by an operator without webhook stores

    compiled = _compiled(path)
    # A text has no members. The library would read it as JSON.
    found = visit(compiled, None if isinstance(document, str) else document, path)
    if isinstance(document, str) and found == [None]:
        found = [document]
    if not compiled.singular_query():
        return found
    if found:
        value: JsonValue = found[0]
        return value
    _check_keys(compiled, document, path)
    return None  # an index out of range


def last_name(path: str) -> str:
    """The name that a definite path ends in; empty where it ends in an index, or is not definite.

    Raises:
        InvalidSpec: It is no path.
    """
    compiled = _compiled(path)
    if not compiled.singular_query() or not compiled.segments:
        return ""
    (selector,) = compiled.segments[-1].selectors
    return str(getattr(selector, "name", None) or "")


@lru_cache(256)
def _compiled(path: str) -> Any:
    from providers.webhook.dialect import Dialect, JSONPathError

    try:
        if len(path) > _LONGEST:
            raise InvalidSpec(f"failed to get response path: it is longer than {_LONGEST} characters")
        return Dialect().compile(path)
    except (JSONPathError, RecursionError, re.error) as exc:
        reason = str(exc).splitlines()[0] if str(exc) else type(exc).__name__
        raise InvalidSpec(f"failed to get response path {path}: {reason}") from None


def _check_keys(compiled: Any, document: JsonValue, path: str) -> None:
    value: Any = document
    for position, segment in enumerate(compiled.segments, 1):
        (selector,) = segment.selectors
        name, index = getattr(selector, "name", None), getattr(selector, "index", None)
        if index is not None:
            if not isinstance(value, list):
                raise InvalidData(f"failed to get response path {path}: there is no array to take [{index}] of")
            if not -len(value) <= index < len(value):
                if position < len(compiled.segments):
                    raise InvalidData(f"failed to get response path {path}: there is no [{index}] to go on from")
                return
            value = value[index]
        else:
            if not isinstance(value, dict) or name not in value:
                raise InvalidData(f"failed to get response path {path}: unknown key {name}")
            value = value[name]


def as_value(value: JsonValue) -> bytes:
    """A single value: the first element of an array, numbers with the digits that were sent, objects as compact JSON.

    Raises:
        InvalidData: The array is empty.
    """
    match value:
        case None:
            return b""
        case bool():
            return b"true" if value else b"false"
        case str():
            return _utf8(value)
        case int():
            return str(value).encode()
        case float():
            return _digits(value.text if isinstance(value, _Sent) else repr(value)).encode()
        case list():
            if not value:
                raise InvalidData("filter worked but didn't get any result")
            return as_value(value[0])
        case _:
            return encode(value).encode()


def as_map(value: JsonValue, where: str) -> dict[str, bytes]:
    """The members of an object, or of a text that holds one.

    Raises:
        InvalidData: It is something else.
    """
    if isinstance(value, str):
        value = parse(_utf8(value), f"{where}: failed to parse response json from jsonpath")
    if not isinstance(value, dict):
        raise InvalidData(f"{where}: failed to get response (wrong type: {_kind(value)}): it has to be a JSON object")
    return {name: _member(member) for name, member in value.items()}


def _utf8(text: str) -> bytes:
    return well_formed(text).encode()


def _member(value: JsonValue) -> bytes:
    match value:
        case bool() | None | str() | int():
            return as_value(value)
        case float():
            return _text(value)
        case _:
            return encode(value).encode()


def _text(value: float) -> bytes:
    """All needed digits, no exponent."""
    text = format(Decimal(repr(value)), "f")
    return (text.rstrip("0").rstrip(".") if "." in text else text).encode()


def _digits(text: str) -> str:
    """A number as it was sent; with its exponent written out."""
    if "e" not in text.lower():
        return text
    number = Decimal(text)
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or abs(exponent) > _MOST_ZEROS:
        return text
    plain = format(number, "f")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def _kind(value: JsonValue) -> str:
    """The type's name in Go, as the original's message has it."""
    names = {type(None): "<nil>", bool: "bool", str: "string", list: "[]interface {}"}
    return names.get(type(value), "float64")
