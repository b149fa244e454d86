"""What plain text means in YAML: YAML 1.1 as Go's YAML library reads it."""

from __future__ import annotations

import math
import re
import struct
from typing import Final

from controllers.templating.gotemplate.floats import format_verb
from controllers.templating.gotemplate.timeparse import TimeError, parse_time

__all__ = ["NOTHING", "is_base_60", "is_timestamp", "parse_integer", "resolve_plain", "short_float"]

NOTHING: Final = object()
"""`resolve_plain` says with it that the text is just text."""

_WORDS: Final[dict[str, object]] = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
for _value, _names in ((True, ("y", "yes", "true", "on")), (False, ("n", "no", "false", "off"))):
    for _name in _names:
        _WORDS.update({_name: _value, _name.capitalize(): _value, _name.upper(): _value})
for _sign, _number in (("", math.inf), ("+", math.inf), ("-", -math.inf)):
    _WORDS.update({f"{_sign}.inf": _number, f"{_sign}.Inf": _number, f"{_sign}.INF": _number})
_WORDS.update({".nan": math.nan, ".NaN": math.nan, ".NAN": math.nan})

_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_POINT_FLOAT: Final = re.compile(r"\.[0-9]+(?:[eE][-+]?[0-9]+)?\Z")
_BASE_60: Final = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?\Z")
_YEAR: Final = re.compile(r"[0-9]{4}-")
_TIMESTAMPS: Final = (
    b"2006-1-2T15:4:5.999999999Z07:00",
    b"2006-1-2t15:4:5.999999999Z07:00",
    b"2006-1-2 15:4:5.999999999",
    b"2006-1-2",
)
_INTEGER: Final = re.compile(r"([-+]?)(0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+|0[0-7]+|0|[1-9][0-9]*)\Z")
_BINARY: Final = re.compile(r"(-?)0b([-+]?)([01]+)\Z")
_LARGEST: Final = 3.4028235677973366e38  # half a step beyond the largest float of 32 bits
_LEADING: Final = frozenset("+-.~yYnNtTfFoO0123456789")


def parse_integer(text: str) -> int | None:
    """An integer with the prefix of its base, within 64 bits signed or unsigned; None for anything else."""
    found = _INTEGER.match(text)
    if found is not None:
        sign, digits = found.groups()
        mark = digits[1:2]
        if len(digits) > 80:
            return None
        base = {"x": 16, "X": 16, "o": 8, "O": 8, "b": 2, "B": 2}.get(mark, 8 if digits[0] == "0" else 10)
        number = int(digits[2:] if mark and mark in "xXoObB" else digits, base)
        if sign:
            number = -number if sign == "-" else number
            return number if -(1 << 63) <= number < 1 << 63 else None
        return number if number < 1 << 64 else None
    return None


def _signed_binary(text: str) -> int | None:
    """`0b` before a sign, which no other base allows."""
    found = _BINARY.match(text)
    if found is None or (found.group(1) and found.group(2)) or len(found.group(3)) > 64:
        return None
    number = int(found.group(3), 2)
    number = -number if "-" in (found.group(1), found.group(2)) else number
    return number if -(1 << 63) <= number < 1 << 63 else None


def is_timestamp(text: str) -> bool:
    """Whether the text is a date, or date and time."""
    if not _YEAR.match(text):
        return False
    for layout in _TIMESTAMPS:
        try:
            parse_time(layout, text.encode())
        except TimeError:
            continue
        return True
    return False


def is_base_60(text: str) -> bool:
    """Whether older readers take the text for a number such as `190:20:30`."""
    return ":" in text and _BASE_60.match(text) is not None


def resolve_plain(text: str, *, dates: bool = True) -> object:
    """None, a bool, an int or a float if the text stands for one, else `NOTHING`; dates are text."""
    if text and text[0] not in _LEADING:
        return NOTHING
    if text in _WORDS:
        return _WORDS[text]
    first = text[0]
    if first == ".":
        number = float(text) if _POINT_FLOAT.match(text) else math.inf
        return number if math.isfinite(number) else NOTHING
    if first not in "+-0123456789" or (dates and is_timestamp(text)):
        return NOTHING
    plain = text.replace("_", "")
    integer = parse_integer(plain)
    if integer is not None:
        return integer
    if _FLOAT.match(plain):
        number = float(plain)
        if math.isfinite(number):
            return number
    integer = _signed_binary(plain)
    return NOTHING if integer is None else integer


def short_float(value: float) -> str:
    """A float with the fewest digits that identify it among floats of 32 bits."""
    if math.isfinite(value):
        try:
            packed = struct.pack("<f", value)
        except OverflowError:
            value = math.copysign(math.inf, value)
        else:
            exact = struct.unpack("<f", packed)[0]
            for digits in range(9):
                # The shortest decimal that reads as the same 32 bits also reads as a 64-bit float with these digits.
                candidate = float(f"{exact:.{digits}e}")
                if abs(candidate) <= _LARGEST and struct.pack("<f", candidate) == packed:
                    return format_verb(candidate, "g")
    return format_verb(value, "g")
