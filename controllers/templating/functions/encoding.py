"""Base64, base32, hex and digests. Decoders do not fail: the fault is their result."""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from typing import Final

from controllers.templating.budget import allocate
from controllers.templating.functions.registry import function
from controllers.templating.gotemplate.fmt import sprintf

__all__ = ["Corrupt", "decode_base32", "decode_base64"]

GROUP = "Encoding and digests"
_PAD: Final = 0x3D
_BASE64: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
_BASE32: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
_HEX: Final = b"0123456789abcdefABCDEF"
_NEWLINES: Final = b"\r\n"


class Corrupt(Exception):
    """Text that is not in the encoding; `str()` is `illegal base64 data at input byte N`."""

    def __init__(self, encoding: str, at: int) -> None:
        super().__init__(f"illegal {encoding} data at input byte {at}")


def decode_base64(value: bytes) -> bytes:
    """Standard base64 with padding; line ends count for nothing, bits that are left over may be anything.

    Raises:
        Corrupt: something else stands there, or something is missing.
    """
    text = value.translate(None, _NEWLINES)
    try:
        if len(text) % 4 or text.endswith(b"==="):
            raise Corrupt("base64", _bad_base64(value))
        return binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error:
        raise Corrupt("base64", _bad_base64(value)) from None


def _skip(value: bytes, at: int) -> int:
    while at < len(value) and value[at] in _NEWLINES:
        at += 1
    return at


def _bad_base64(value: bytes) -> int:
    """Where the fault is: at the start of a quantum that is not complete, or at what may not stand there."""
    have = 0
    for at, char in enumerate(value):
        if char in _BASE64:
            have = (have + 1) % 4
        elif char not in _NEWLINES:
            if char != _PAD or have < 2:
                return at
            after = _skip(value, at + 1)
            if have == 2:
                if after == len(value):
                    return after
                if value[after] != _PAD:
                    return after - 1
                after = _skip(value, after + 1)
            return after
    return len(value) - have


def decode_base32(value: bytes) -> bytes:
    """Standard base32 with padding, as `decode_base64`; positions do not count line ends.

    Raises:
        Corrupt: something else stands there, or something is missing.
    """
    value = value.translate(None, _NEWLINES)
    size = len(value)
    for at, char in enumerate(value):
        have = at % 8
        if char == _PAD and have >= 2 and size - at <= 8:
            missing = 7 - have
            if size - at - 1 < missing:
                raise Corrupt("base32", size)
            for place in range(at + 1, at + 1 + missing):
                if value[place] != _PAD:
                    raise Corrupt("base32", place - 1)
            if have in (3, 6):
                raise Corrupt("base32", at)
            return base64.b32decode(value[: at + 1 + missing])
        if char not in _BASE32:
            raise Corrupt("base32", at)
    if size % 8:
        raise Corrupt("base32", size - size % 8)
    return base64.b32decode(value)


@function("b64enc", "string", "The text in base64.", group=GROUP, example='{{ b64enc "hello" }}', result="aGVsbG8=")
def b64enc(value: bytes) -> bytes:
    allocate(len(value) * 4 // 3)
    return base64.b64encode(value)


@function(
    "b64dec",
    "string",
    "The text that base64 stands for.",
    group=GROUP,
    example='{{ b64dec "aGVsbG8=" }}',
    result="hello",
)
def b64dec(value: bytes) -> bytes:
    try:
        return decode_base64(value)
    except Corrupt as fault:
        return str(fault).encode()


@function("b32enc", "string", "The text in base32.", group=GROUP, example='{{ b32enc "hello" }}', result="NBSWY3DP")
def b32enc(value: bytes) -> bytes:
    allocate(len(value) * 8 // 5)
    return base64.b32encode(value)


@function(
    "b32dec",
    "string",
    "The text that base32 stands for.",
    group=GROUP,
    example='{{ b32dec "NBSWY3DP" }}',
    result="hello",
)
def b32dec(value: bytes) -> bytes:
    try:
        return decode_base32(value)
    except Corrupt as fault:
        return str(fault).encode()


@function("hexdec", "string", "The text that hexadecimal digits stand for.", group=GROUP,
          example='{{ hexdec "68656c6c6f" }}', result="hello")  # fmt: skip
def hexdec(value: bytes) -> bytes:
    bad = value.translate(None, _HEX)
    if bad:
        return sprintf(b"encoding/hex: invalid byte: %#U", [bad[0]])
    if len(value) % 2:
        return b"encoding/hex: odd length hex string"
    return binascii.unhexlify(value)


@function("sha1sum", "string", "The SHA-1 digest in hex.", group=GROUP,
          example='{{ sha1sum "a" }}', result="86f7e437faa5a7fce15d1ddcb9eaeaea377667b8")  # fmt: skip
def sha1sum(value: bytes) -> bytes:
    return hashlib.sha1(value, usedforsecurity=False).hexdigest().encode()


@function(
    "sha256sum",
    "string",
    "The SHA-256 digest in hex.",
    group=GROUP,
    example='{{ sha256sum "a" | trunc 12 }}',
    result="ca978112ca1b",
)
def sha256sum(value: bytes) -> bytes:
    return hashlib.sha256(value).hexdigest().encode()


@function(
    "sha512sum",
    "string",
    "The SHA-512 digest in hex.",
    group=GROUP,
    example='{{ sha512sum "a" | trunc 12 }}',
    result="1f40fc92da24",
)
def sha512sum(value: bytes) -> bytes:
    return hashlib.sha512(value).hexdigest().encode()


@function("adler32sum", "string", "The Adler-32 checksum, in decimal.", group=GROUP,
          example='{{ adler32sum "Wikipedia" }}', result="300286872")  # fmt: skip
def adler32sum(value: bytes) -> bytes:
    return b"%d" % zlib.adler32(value)
