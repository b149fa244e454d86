"""The little of ASN.1's DER that archives and keys need."""

from __future__ import annotations

from typing import Final

__all__ = ["NULL", "DerError", "bit_string", "children", "explicit", "integer", "octets", "oid", "sequence", "set_of", "tagged"]  # fmt: skip

NULL: Final = b"\x05\x00"
_SEQUENCE: Final = 0x30


class DerError(ValueError):
    """The bytes are not DER."""


def tagged(tag: int, content: bytes) -> bytes:
    """An element of a tag."""
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(digits)]) + digits + content


def sequence(*parts: bytes) -> bytes:
    return tagged(_SEQUENCE, b"".join(parts))


def set_of(*parts: bytes) -> bytes:
    return tagged(0x31, b"".join(sorted(parts)))


def octets(content: bytes) -> bytes:
    return tagged(0x04, content)


def bit_string(content: bytes) -> bytes:
    return tagged(0x03, b"\0" + content)


def integer(value: int) -> bytes:
    """A number that is not negative."""
    return tagged(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def explicit(number: int, content: bytes) -> bytes:
    """Something within a context tag."""
    return tagged(0xA0 | number, content)


def oid(dotted: str) -> bytes:
    """An object identifier such as `1.2.840.113549.1.7.1`."""
    first, second, *rest = (int(part) for part in dotted.split("."))
    encoded = bytearray()
    for number in (first * 40 + second, *rest):
        groups = [number & 0x7F]
        while number := number >> 7:
            groups.append(0x80 | (number & 0x7F))
        encoded += bytes(reversed(groups))
    return tagged(0x06, bytes(encoded))


def _element(data: bytes, at: int) -> tuple[int, bytes, int]:
    """Tag, content and end of the element at a position."""
    if at + 2 > len(data):
        raise DerError("an element is cut off")
    tag, size, at = data[at], data[at + 1], at + 2
    if size & 0x80:
        count = size & 0x7F
        if not 1 <= count <= 4 or at + count > len(data):
            raise DerError("a length is wrong")
        size, at = int.from_bytes(data[at : at + count], "big"), at + count
    if at + size > len(data):
        raise DerError("an element is cut off")
    return tag, data[at : at + size], at + size


def children(content: bytes) -> list[tuple[int, bytes]]:
    """Tags and contents of the elements one after the other.

    Raises:
        DerError: the bytes are not made of elements.
    """
    found, at = [], 0
    while at < len(content):
        tag, inner, at = _element(content, at)
        found.append((tag, inner))
    return found
