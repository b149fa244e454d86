"""Values as JSON, byte for byte as Go's encoding/json writes them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, Final

from controllers.templating.budget import allocate, spend
from controllers.templating.gotemplate.floats import format_verb
from controllers.templating.gotemplate.quoting import text as readable
from controllers.templating.gotemplate.values import GoObject, Value, is_nil, type_name

__all__ = ["JsonEncodeError", "encode_json", "json_float", "json_string"]

_SPECIAL: Final = re.compile(r'[\x00-\x1f"\\\u2028\u2029]')
_SPECIAL_HTML: Final = re.compile(r'[\x00-\x1f"\\<>&\u2028\u2029]')
_SHORT: Final = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
# Go looks for cycles only below this depth.
_CYCLE_DEPTH: Final = 1000
# The budget is asked whenever so many bytes have been added.
_PORTION: Final = 65_536


class JsonEncodeError(ValueError):
    """A value has no JSON form; `str()` is Go's message."""


def _escape(found: re.Match[str]) -> str:
    char = found.group()
    return _SHORT.get(char) or f"\\u{ord(char):04x}"


def json_string(value: bytes, *, html: bool = True) -> bytes:
    """Text in quotes; invalid bytes become U+FFFD each; `html` escapes `<`, `>` and `&` too."""
    return b'"' + (_SPECIAL_HTML if html else _SPECIAL).sub(_escape, readable(value)).encode() + b'"'


def json_float(value: float) -> bytes:
    """The shortest form that identifies the number; exponents below 1e-6 and from 1e21 on.

    Raises:
        JsonEncodeError: it is no finite number.
    """
    if not math.isfinite(value):
        raise JsonEncodeError(f"json: unsupported value: {format_verb(value, 'g')}")
    if value != 0 and not 1e-6 <= abs(value) < 1e21:
        text = format_verb(value, "e")
        return (text[:-2] + text[-1] if text[-4:-1] == "e-0" else text).encode()
    return format_verb(value, "f").encode()


def _scalar(value: Value, html: bool) -> bytes | None:
    """The JSON of what is no container; None for containers."""
    if isinstance(value, bytes):
        return json_string(value, html=html)
    if is_nil(value):
        return b"null"
    if isinstance(value, bool):
        return b"true" if value else b"false"
    if isinstance(value, int):
        return b"%d" % value
    if isinstance(value, float):
        return json_float(value)
    if isinstance(value, list | dict):
        return None
    write = getattr(value, "json_text", None)
    if write is not None:
        try:
            return json_string(write(), html=html)
        except ValueError as error:
            raise JsonEncodeError(f"json: error calling MarshalJSON for type *{type_name(value)}: {error}") from None
    if isinstance(value, GoObject):
        return None
    raise JsonEncodeError(f"json: unsupported type: {type_name(value)}")


class _Frame:
    """A container whose members are being written."""

    __slots__ = ("close", "first", "identity", "members")

    def __init__(self, container: Any, html: bool, space: bytes) -> None:
        self.identity = id(container)
        self.first = True
        if isinstance(container, list):
            self.close = b"]"
            self.members: Iterator[tuple[bytes, Value]] = ((b"", item) for item in container)
            return
        self.close = b"}"
        if isinstance(container, dict):
            pairs = [(json_string(key, html=html) + space, container[key]) for key in sorted(container)]
        else:
            pairs = [(json_string(n.encode(), html=html) + space, getattr(container, n)) for n in container.fields]
        self.members = iter(pairs)


def encode_json(value: Value, *, html: bool = True, pretty: bool = False) -> bytes:
    """JSON with sorted keys, compact or with an indentation of two spaces.

    Raises:
        JsonEncodeError: something in the value has no JSON form, or contains itself.
    """
    scalar = _scalar(value, html)
    if scalar is not None:
        return scalar
    space = b": " if pretty else b":"
    out = [b"[" if isinstance(value, list) else b"{"]
    frames = [_Frame(value, html, space)]
    open_ids: set[int] = set()
    size, unseen = 0, _PORTION
    while frames:
        frame = frames[-1]
        pair = next(frame.members, None)
        if pair is None:
            if pretty and not frame.first:
                out.append(b"\n" + b"  " * (len(frames) - 1))
            out.append(frame.close)
            open_ids.discard(frame.identity)
            frames.pop()
            continue
        prefix, member = pair
        if not frame.first:
            out.append(b",")
        frame.first = False
        if pretty:
            out.append(b"\n" + b"  " * len(frames))
        scalar = _scalar(member, html)
        if scalar is not None:
            out.append(prefix + scalar)
            size += len(prefix) + len(scalar) + len(frames)
            if size > unseen:
                # A list may hold another many times over, so that its text grows without its memory.
                allocate(size)
                unseen = size + _PORTION
            continue
        spend()
        size += len(frames) + len(prefix)
        if len(frames) > _CYCLE_DEPTH:
            if id(member) in open_ids:
                raise JsonEncodeError(f"json: unsupported value: encountered a cycle via {type_name(member)}")
            open_ids.add(id(member))
        out.append(prefix + (b"[" if isinstance(member, list) else b"{"))
        frames.append(_Frame(member, html, space))
    return b"".join(out)
