"""Any value as text, as a number or as a list of texts, by rules that never fail."""

from __future__ import annotations

import math
import re
from typing import Final

from controllers.templating.functions.registry import function
from controllers.templating.gotemplate.fmt import print_values, to_text
from controllers.templating.gotemplate.values import Int64, StrList, Value

__all__ = ["text_list", "to_float", "to_integer", "wrapped"]

GROUP = "Conversions"
_LOWEST: Final = -(1 << 63)
_HIGHEST: Final = (1 << 63) - 1
_WITH_POINT: Final = re.compile(rb"([-+]?[0-9]*)(\.[0-9]*)?")
_WHOLE: Final = re.compile(
    rb"([-+]?)(?:0[xX]((?:_?[0-9a-fA-F])+)|0[bB]((?:_?[01])+)|0[oO]?((?:_?[0-7])+)|(0|[1-9](?:_?[0-9])*))"
)
_BASES: Final = (16, 2, 8, 10)
_DECIMAL: Final = re.compile(
    rb"[-+]?(?:[0-9](?:_?[0-9])*(?:\.(?:[0-9](?:_?[0-9])*)?)?|\.[0-9](?:_?[0-9])*)(?:[eE][-+]?[0-9](?:_?[0-9])*)?"
)
_HEX: Final = re.compile(
    rb"[-+]?0[xX](?:(?:_?[0-9a-fA-F])+(?:\.(?:[0-9a-fA-F](?:_?[0-9a-fA-F])*)?)?|\.[0-9a-fA-F](?:_?[0-9a-fA-F])*)[pP][-+]?[0-9](?:_?[0-9])*"
)
_ENDLESS: Final = re.compile(rb"[-+]?inf(?:inity)?|nan", re.IGNORECASE)


def wrapped(number: int) -> int:
    """The number in 64 bits, wrapped around."""
    return ((number + (1 << 63)) & 0xFFFFFFFFFFFFFFFF) - (1 << 63)


def _read_integer(value: bytes) -> int:
    pointed = _WITH_POINT.fullmatch(value)
    if pointed is not None:
        value = pointed[1]
    found = _WHOLE.fullmatch(value)
    if found is None:
        return 0
    for base, digits in zip(_BASES, found.groups()[1:], strict=True):
        if digits is not None:
            if len(digits) > 200:  # out of range unless these are zeros, which is not worth the time
                digits = digits.lstrip(b"0_")[:200]
            number = int(digits.replace(b"_", b"") or b"0", base)
            number = -number if found[1] == b"-" else number
            return number if _LOWEST <= number <= _HIGHEST else 0
    return 0


def to_integer(value: Value) -> int:
    """The value as a 64-bit integer; 0 for what is none."""
    if isinstance(value, int):
        return int(value)
    if isinstance(value, bytes):
        return _read_integer(value)
    if isinstance(value, float):
        return int(value) if -9.3e18 < value < 9.3e18 and _LOWEST <= int(value) <= _HIGHEST else _LOWEST
    return 0


def _read_float(value: bytes) -> float:
    if _DECIMAL.fullmatch(value) or _ENDLESS.fullmatch(value):
        number = float(value)
        return 0.0 if math.isinf(number) and value.strip(b"+-")[:1] not in b"iI" else number
    if _HEX.fullmatch(value):
        try:
            return float.fromhex(value.decode().replace("_", ""))
        except OverflowError:
            return 0.0
    return 0.0


def to_float(value: Value) -> float:
    """The value as a 64-bit float; 0 for what is none."""
    if isinstance(value, int | float):
        return float(value)
    return _read_float(value) if isinstance(value, bytes) else 0.0


def text_list(value: Value) -> StrList:
    """The elements as texts, without nil; a value that is no list is one element."""
    if isinstance(value, StrList):
        return value
    if isinstance(value, list):
        return StrList(to_text(element) for element in value if element is not None)
    return StrList() if value is None else StrList([to_text(value)])


@function("int", "any", "The value as an int: text with a base prefix, floats cut, 0 for anything else.", group=GROUP,
          example='{{ int "3.75" }} {{ int "0x1F" }}', result="3 31")  # fmt: skip
def as_int(value: Value) -> int:
    return to_integer(value)


@function("int64", "any", "The value as an int64, by the rules of int.", group=GROUP,
          example="{{ int64 5.9 }}", result="5")  # fmt: skip
def as_int64(value: Value) -> int:
    return Int64(to_integer(value))


@function("float64", "any", "The value as a float64; 0 for what is no number.", group=GROUP,
          example='{{ float64 "1.5e3" }}', result="1500")  # fmt: skip
def as_float64(value: Value) -> float:
    return to_float(value)


@function("atoi", "string", "A decimal number in text as an int; 0 for anything else.", group=GROUP,
          example='{{ atoi "010" }}', result="10")  # fmt: skip
def atoi(value: bytes) -> int:
    if not re.fullmatch(rb"[-+]?[0-9]+", value):
        return 0
    digits = value.lstrip(b"+-").lstrip(b"0")[:20] or b"0"
    number = -int(digits) if value[:1] == b"-" else int(digits)
    return min(max(number, _LOWEST), _HIGHEST)


@function("toDecimal", "any", "An octal number, as in file modes, as an int64; 0 for anything else.", group=GROUP,
          example='{{ toDecimal "0644" }}', result="420")  # fmt: skip
def to_decimal(value: Value) -> int:
    digits = print_values([value])
    if not re.fullmatch(rb"[-+]?[0-7]+", digits):
        return Int64(0)
    magnitude = digits.lstrip(b"+-").lstrip(b"0")[:24] or b"0"
    number = -int(magnitude, 8) if digits[:1] == b"-" else int(magnitude, 8)
    return Int64(number if _LOWEST <= number <= _HIGHEST else 0)


@function("toString", "any", "The value as text.", group=GROUP,
          example='{{ toString 5 | typeOf }} {{ list 1 "a" | toString }}', result="string [1 a]")  # fmt: skip
def to_string(value: Value) -> bytes:
    return to_text(value)


@function("toStrings", "any", "A list of texts from a list of anything; nil elements are left out.", group=GROUP,
          example='{{ list 1 nil "a" | toStrings }}', result="[1 a]")  # fmt: skip
def to_strings(value: Value) -> StrList:
    return text_list(value)
