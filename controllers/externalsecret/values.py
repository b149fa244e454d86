"""Fetched values: decoding strategies and the policy on NUL bytes."""

from __future__ import annotations

import binascii
from collections.abc import Mapping

from controllers.externalsecret.errors import ValueRefused

__all__ = ["check_nul", "check_nul_map", "decode", "decode_map"]

_STANDARD = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
_URL = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
_NEWLINES = b"\r\n"


def decode(strategy: str, value: bytes) -> bytes:
    """Apply a decoding strategy to one value; absent and `None` leave it as it is.

    Raises:
        ValueRefused: the value is not in the encoding that the strategy names.
    """
    match strategy:
        case "" | "None":
            return value
        case "Base64":
            decoded, at = _base64(value, _STANDARD)
        case "Base64URL":
            decoded, at = _base64(value, _URL)
        case "Auto":
            for alphabet in (_STANDARD, _URL):
                decoded, _ = _base64(value, alphabet)
                if decoded is not None:
                    return decoded
            return value
        case _:
            raise ValueRefused(
                f"error applying decoding strategy {strategy} to data: decoding strategy {strategy} is not supported"
            )
    if decoded is None:
        raise ValueRefused(
            f"error applying decoding strategy {strategy} to data: illegal base64 data at input byte {at}"
        )
    return decoded


def decode_map(strategy: str, values: Mapping[str, bytes]) -> dict[str, bytes]:
    """Apply a decoding strategy to every value.

    Raises:
        ValueRefused: names the first key, in byte order, whose value cannot be decoded.
    """
    if strategy in ("", "None"):
        return dict(values)
    decoded: dict[str, bytes] = {}
    for key in sorted(values, key=str.encode):
        try:
            decoded[key] = decode(strategy, values[key])
        except ValueRefused as error:
            cause = str(error).removeprefix(f"error applying decoding strategy {strategy} to data: ")
            raise ValueRefused(
                f"error applying decoding strategy {strategy} to data: failure decoding key {key}: {cause}"
            ) from None
    return decoded


def check_nul(policy: str, key: str, value: bytes) -> None:
    """Refuse a value with a NUL byte if the policy says so.

    Raises:
        ValueRefused: policy `Fail` and a NUL byte.
    """
    if policy == "Fail" and b"\0" in value:
        raise ValueRefused(
            f'fetched secret value for key "{key}" contains null bytes; use a text-safe format such as PEM/base64 '
            "or leave nullBytePolicy unset for intentional binary data"
        )


def check_nul_map(policy: str, values: Mapping[str, bytes]) -> None:
    """As `check_nul`, for a map: reports the first key in byte order."""
    if policy == "Fail":
        for key in sorted(values, key=str.encode):
            check_nul(policy, key, values[key])


def _base64(text: bytes, alphabet: frozenset[int]) -> tuple[bytes | None, int]:
    """Strict decoding with padding, CR and LF skipped; on failure None and the offset of the first bad byte."""
    compact = text.translate(None, _NEWLINES)
    if alphabet is _URL:
        if b"+" in compact or b"/" in compact:
            return None, _first_bad(text, alphabet)
        compact = compact.translate(_TO_STANDARD)
    try:
        return binascii.a2b_base64(compact, strict_mode=True), 0
    except binascii.Error:
        return None, _first_bad(text, alphabet)


def _first_bad(text: bytes, alphabet: frozenset[int]) -> int:
    """Offset of the first byte that cannot stand where it stands."""
    digits = 0
    for offset, byte in enumerate(text):
        if byte in alphabet:
            digits += 1
        elif byte not in _NEWLINES:
            if byte != 0x3D or digits % 4 < 2:
                return offset
            break
    else:
        return len(text)
    padding = 0
    for at in range(offset, len(text)):
        if text[at] == 0x3D and (digits + padding) % 4:
            padding += 1
        elif text[at] not in _NEWLINES:
            return at
    return len(text)
