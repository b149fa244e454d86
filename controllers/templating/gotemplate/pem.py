"""PEM blocks as Go's encoding/pem finds and writes them."""

from __future__ import annotations

import base64
import binascii
from typing import Final, NamedTuple

__all__ = ["PemBlock", "decode_all", "decode_pem", "encode_pem", "next_block"]

_BEGIN: Final = b"-----BEGIN "
_END: Final = b"-----END "
_DASHES: Final = b"-----"
_NOT_BASE64: Final = b" \t\r\n"


class PemBlock(NamedTuple):
    """One block: its type, its headers by name, and its content."""

    kind: bytes
    headers: dict[bytes, bytes]
    content: bytes

    def pem(self) -> bytes:
        """The block as text."""
        return encode_pem(self.kind, self.content, self.headers)


def encode_pem(kind: bytes, content: bytes, headers: dict[bytes, bytes] | None = None) -> bytes:
    """One block with lines of 64 columns; `Proc-Type` comes first of the headers, the others by name."""
    body = base64.b64encode(content)
    lines = b"".join(body[i : i + 64] + b"\n" for i in range(0, len(body), 64))
    shown = b""
    if headers:
        names = sorted(headers, key=lambda name: (name != b"Proc-Type", name))
        shown = b"".join(name + b": " + headers[name] + b"\n" for name in names) + b"\n"
    return b"-----BEGIN %s-----\n%s%s-----END %s-----\n" % (kind, shown, lines, kind)


def _line(text: bytes, at: int) -> tuple[bytes, int]:
    """The line at a position without white space at its end, and the position of the next one."""
    end = text.find(b"\n", at)
    if end < 0:
        return text[at:].rstrip(b" \t"), len(text)
    line = text[at:end]
    return line.removesuffix(b"\r").rstrip(b" \t"), end + 1


def _body(text: bytes, at: int, kind: bytes) -> tuple[PemBlock, int] | None:
    """What follows a BEGIN line; None if it is no block."""
    headers: dict[bytes, bytes] = {}
    while True:
        if at >= len(text):
            raise EOFError
        line, following = _line(text, at)
        name, colon, value = line.partition(b":")
        if not colon:
            break
        headers[name.strip()] = value.strip()
        at = following
    if not headers and text.startswith(_END, at):
        end = trailer = at
    else:
        end = text.find(b"\n" + _END, at)
        if end < 0:
            return None
        trailer = end + 1
    trailer += len(_END)
    if not text.startswith(kind + _DASHES, trailer):
        return None
    rest, following = _line(text, trailer + len(kind) + len(_DASHES))
    if rest:
        return None
    encoded = text[at:end].translate(None, _NOT_BASE64)
    try:
        if len(encoded) % 4:
            return None
        return PemBlock(kind, headers, binascii.a2b_base64(encoded, strict_mode=True) if encoded else b""), following
    except binascii.Error:
        return None


def next_block(text: bytes, at: int = 0) -> tuple[PemBlock | None, int]:
    """The first block from a position on that begins a line there, and where it ends; the position itself if there is none."""
    start = at
    first = True
    while True:
        if first and text.startswith(_BEGIN, at):
            at += len(_BEGIN)
        else:
            found = text.find(b"\n" + _BEGIN, at)
            if found < 0:
                return None, start
            at = found + 1 + len(_BEGIN)
        first = True
        line, at = _line(text, at)
        if not line.endswith(_DASHES):
            continue
        try:
            block = _body(text, at, line.removesuffix(_DASHES))
        except EOFError:
            return None, start
        if block is not None:
            return block


def decode_pem(text: bytes) -> PemBlock | None:
    """The first block of a text, None if there is none."""
    return next_block(text)[0]


def decode_all(text: bytes, *, mid_line: bool = False) -> tuple[list[PemBlock], bytes]:
    """All blocks, and what is left after the last one.

    Args:
        text: PEM with anything between blocks.
        mid_line: the first block may begin within a line.
    """
    at = max(text.find(_BEGIN.rstrip()), 0) if mid_line else 0
    blocks: list[PemBlock] = []
    while True:
        block, at = next_block(text, at)
        if block is None:
            return blocks, text[at:]
        blocks.append(block)
