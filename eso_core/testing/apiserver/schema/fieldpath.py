"""Paths to a field of a schema, such as ``.spec.color`` or ``.labels['a.b/c']``, as CRDs use them."""

from __future__ import annotations

import re
from typing import Any, Final

JsonObject = dict[str, Any]

_TOKENS = re.compile(r"'(?:[^'\\]|\\.)*'|[.\[\]]|[^.\[\]]+", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED: Final = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "'": "'",
    "\\": "\\",
}


class FieldPathError(ValueError):
    """A path is malformed or leads to no field. The message is the server's."""


def resolve(path: str, schema: JsonObject, *, keys: bool = True) -> tuple[str, JsonObject]:
    """Follow ``path`` through ``schema``.

    Returns the path in the form of error messages (no leading dot, map keys in brackets) and the schema it leads to.
    Without ``keys`` the bracket notation is refused.

    Raises:
        FieldPathError: the path does not lead to a field.
    """
    tokens = _TOKENS.findall(path)
    shown = ""
    position = 0

    def following() -> str:
        nonlocal position
        position += 1
        if position >= len(tokens):
            raise FieldPathError("unexpected end of JSON path")
        token: str = tokens[position]
        return token

    while position < len(tokens):
        token = tokens[position]
        if token == "[":
            if not keys:
                raise FieldPathError("array notation is not allowed")
            quoted = following()
            if len(quoted) < 2 or quoted[0] != "'" or quoted[-1] != "'":
                raise FieldPathError(f"expected single quoted string but got {quoted}")
            name = _unescape(quoted[1:-1])
            shown, schema = _step(shown, schema, name)
            closing = following()
            if closing != "]":
                raise FieldPathError(f"expected ] but got {closing}")
        elif token == ".":
            shown, schema = _step(shown, schema, following())
        else:
            raise FieldPathError(f"expected [ or . but got: {token}")
        position += 1
    return shown, schema


def _unescape(text: str) -> str:
    def replace(match: re.Match[str]) -> str:
        if match[1] not in _ESCAPED:
            raise FieldPathError(f"invalid string literal: invalid escape char {match[0]}")
        return _ESCAPED[match[1]]

    return _ESCAPE.sub(replace, text)


def _step(shown: str, schema: JsonObject, name: str) -> tuple[str, JsonObject]:
    properties, additional = schema.get("properties"), schema.get("additionalProperties")
    if properties:
        if name not in properties:
            raise FieldPathError("does not refer to a valid field")
        return (f"{shown}.{name}" if shown else name), properties[name]
    if not isinstance(additional, dict):
        raise FieldPathError("does not refer to a valid field")
    return f"{shown}[{name}]", additional
