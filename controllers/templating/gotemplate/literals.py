"""Number literals: what each can be taken for."""

from __future__ import annotations

import math
import re
from typing import Final

from controllers.templating.gotemplate.nodes import Number
from controllers.templating.gotemplate.quoting import quote, text, unquote_char

__all__ = ["parse_complex", "parse_float", "parse_integer", "read_character", "read_complex", "read_number"]

_LOWEST: Final = -(1 << 63)
_UINT: Final = 1 << 64
_INTEGER: Final = re.compile(
    rb"([+-]?)(?:0[xX](_?[0-9a-fA-F][0-9a-fA-F_]*)|0[bB](_?[01][01_]*)|0[oO](_?[0-7][0-7_]*)|0([0-7_]+)|(0|[1-9][0-9_]*))"
)
_BASES: Final = (16, 2, 8, 8, 10)
_DECIMAL: Final = re.compile(rb"[+-]?(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9][0-9_]*)?")
_HEX: Final = re.compile(
    rb"[+-]?0[xX](?:_?[0-9a-fA-F][0-9a-fA-F_]*\.?[0-9a-fA-F_]*|\.[0-9a-fA-F][0-9a-fA-F_]*)[pP][+-]?[0-9][0-9_]*"
)


def _underscores_fit(source: bytes) -> bool:
    """Whether each underscore stands between two digits, or between the prefix of the base and a digit."""
    if b"_" not in source:
        return True
    body = source.lstrip(b"+-").lower()
    digits = b"0123456789"
    before_is_digit = False
    if body[:2] in (b"0x", b"0b", b"0o"):
        digits = b"0123456789abcdef" if body[1:2] == b"x" else digits
        body = body[2:]
        before_is_digit = True
    for at, char in enumerate(body):
        if char == 0x5F and not (before_is_digit and at + 1 < len(body) and body[at + 1] in digits):
            return False
        before_is_digit = char in digits
    return True


def parse_integer(source: bytes) -> int | None:
    """A Go integer literal with an optional sign, of any size; None for anything else."""
    found = _INTEGER.fullmatch(source)
    if found is None or not _underscores_fit(source):
        return None
    for base, digits in zip(_BASES, found.groups()[1:], strict=True):
        if digits is not None:
            plain = digits.replace(b"_", b"").lstrip(b"0")
            if len(plain) > 70:
                return -_UINT if found[1] == b"-" else _UINT  # out of every range
            number = int(plain or b"0", base)
            return -number if found[1] == b"-" else number
    return None


def parse_float(source: bytes) -> float | None:
    """A Go float literal, decimal or hexadecimal; None for anything else, and for numbers that are too large."""
    if not _underscores_fit(source):
        return None
    if _DECIMAL.fullmatch(source):
        number = float(source.replace(b"_", b""))
        return None if math.isinf(number) else number
    if _HEX.fullmatch(source):
        try:
            return float.fromhex(source.replace(b"_", b"").decode())
        except OverflowError:
            return None
    return None


def parse_complex(source: bytes) -> complex:
    """`1+2i`.

    Raises:
        ValueError: one of the parts is no number.
    """
    for at in range(len(source) - 2, 0, -1):
        if source[at : at + 1] in (b"+", b"-") and source[at - 1 : at] not in (b"e", b"E", b"p", b"P"):
            real, imaginary = _part(source[:at]), source[at:-1]
            if len(imaginary) == 1:
                break
            return complex(real, _part(imaginary))
    raise ValueError("syntax error scanning complex number")


def _part(source: bytes) -> float:
    number = parse_float(source)
    if number is None and b"x" in source.lower():
        whole = parse_integer(source)
        number = None if whole is None else float(whole)
    if number is None:
        reason = "value out of range" if _DECIMAL.fullmatch(source) or _HEX.fullmatch(source) else "invalid syntax"
        raise ValueError(f"strconv.ParseFloat: parsing {text(quote(source))}: {reason}")
    return number


def read_character(pos: int, source: bytes) -> Number:
    """A character constant.

    Raises:
        ValueError: it is none.
    """
    _, rune, after = unquote_char(source, 1, 0x27)
    if source[after:] != b"'":
        raise ValueError(f"malformed character constant: {text(source)}")
    return Number(pos, text(source), rune, rune, float(rune))


def read_complex(pos: int, source: bytes) -> Number:
    """A complex constant of two parts.

    Raises:
        ValueError: it is none.
    """
    return _simplified(pos, source, parse_complex(source))


def _simplified(pos: int, source: bytes, value: complex) -> Number:
    number = Number(pos, text(source), as_complex=value)
    if value.imag == 0:
        number.as_float = value.real
        number.as_int, number.as_uint = _whole(value.real)
    return number


def _whole(number: float) -> tuple[int | None, int | None]:
    """The float as an int and as a uint, each None where that would lose something."""
    if not number.is_integer():
        return None, None
    whole = int(number)
    return (whole if _LOWEST <= whole < -_LOWEST else None), (whole if 0 <= whole < _UINT else None)


def read_number(pos: int, source: bytes) -> Number:
    """An integer, float or imaginary constant.

    Raises:
        ValueError: it is none, or too large.
    """
    if source.endswith(b"i"):
        imaginary = parse_float(source[:-1])
        if imaginary is not None:
            return _simplified(pos, source, complex(0, imaginary))
    number = Number(pos, text(source))
    whole = parse_integer(source)
    if whole is not None:
        if _LOWEST <= whole < -_LOWEST:
            number.as_int = whole
        if 0 <= whole < _UINT and (source[:1] not in b"+-" or whole == 0):
            number.as_uint = whole
    if number.as_int is not None:
        number.as_float = float(number.as_int)
    elif number.as_uint is not None:
        number.as_float = float(number.as_uint)
    else:
        number.as_float = parse_float(source)
        if number.as_float is None:
            raise ValueError(f"illegal number syntax: {text(quote(source))}")
        if not any(char in b".eEpP" for char in source):
            raise ValueError(f"integer overflow: {text(quote(source))}")
        number.as_int, number.as_uint = _whole(number.as_float)
    return number
