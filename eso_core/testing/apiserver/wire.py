"""The protobuf wire format: numbered fields of numbers and bytes, without knowing what they mean."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

__all__ = [
    "BYTES",
    "FIXED64",
    "ProtobufError",
    "encode_varint",
    "fields",
    "message",
    "put",
    "put_number",
    "put_text",
    "text",
]

VARINT: Final = 0
FIXED64: Final = 1
BYTES: Final = 2
FIXED32: Final = 5


class ProtobufError(ValueError):
    """The bytes are not the protobuf encoding of an object."""


def fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The fields of a message: number, and a number or the bytes.

    Raises:
        ProtobufError: the bytes are cut off or not in this format.
    """
    position, end = 0, len(data)
    while position < end:
        tag, position = _varint(data, position)
        number, wire = tag >> 3, tag & 7
        if wire == VARINT:
            value, position = _varint(data, position)
            yield number, value
            continue
        if wire == BYTES:
            length, position = _varint(data, position)
        elif wire == FIXED64:
            length = 8
        elif wire == FIXED32:
            length = 4
        else:
            raise ProtobufError(f"proto: illegal wireType {wire}")
        if position + length > end:
            raise ProtobufError("unexpected EOF")
        yield number, data[position : position + length]
        position += length


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        if position >= len(data) or shift > 63:
            raise ProtobufError("unexpected EOF" if shift <= 63 else "proto: integer overflow")
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, position
        shift += 7


def message(value: int | memoryview) -> memoryview:
    """A field's bytes. Raises `ProtobufError` when it is a number."""
    if isinstance(value, int):
        raise ProtobufError("reading a protobuf body: a number where bytes belong")
    return value


def text(value: int | memoryview) -> str:
    """A field's text. Raises `ProtobufError` when it is none."""
    try:
        return bytes(message(value)).decode()
    except UnicodeDecodeError as error:
        raise ProtobufError("reading a protobuf body: a text is not UTF-8") from error


def put(number: int, data: bytes) -> bytes:
    """A field of bytes."""
    return encode_varint(number << 3 | BYTES) + encode_varint(len(data)) + data


def put_text(number: int, value: str) -> bytes:
    """A field of text."""
    return put(number, value.encode())


def put_number(number: int, value: int) -> bytes:
    """A field of a whole number or a truth value."""
    return encode_varint(number << 3 | VARINT) + encode_varint(value)


def encode_varint(value: int) -> bytes:
    """A number of up to 64 bits; negative ones in two's complement."""
    value &= (1 << 64) - 1
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
