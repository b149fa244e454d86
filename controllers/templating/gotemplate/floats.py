"""Floats as text, in the forms of Go's `strconv.FormatFloat`."""

from __future__ import annotations

import math

__all__ = ["decimal_digits", "format_float", "format_verb"]


def decimal_digits(value: float) -> tuple[str, int]:
    """The fewest digits that identify the absolute value of a finite float, and the place of the point: `0.DIGITS * 10**place`."""
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    place = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    return (digits, place) if digits else ("0", 1)


def _exponent_form(digits: str, exponent: int, letter: str) -> str:
    tail = "." + digits[1:] if len(digits) > 1 else ""
    return f"{digits[0]}{tail}{letter}{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def _plain_form(digits: str, place: int) -> str:
    if place <= 0:
        return "0." + "0" * -place + digits if digits != "0" else "0"
    if len(digits) <= place:
        return digits.ljust(place, "0")
    return digits[:place] + "." + digits[place:]


def _hex_form(value: float, precision: int) -> str:
    """`0x1.8p+01`; `precision` counts hex digits after the point, -1 for as many as are needed."""
    if value == 0:
        mantissa, exponent = 0, 0
    else:
        fraction, exponent = math.frexp(value)
        mantissa, exponent = int(fraction * (1 << 53)), exponent - 1
    bits = 52
    if 0 <= precision < 13:
        drop = bits - 4 * precision
        kept, rest, half = mantissa >> drop, mantissa & ((1 << drop) - 1), 1 << (drop - 1)
        kept += rest > half or (rest == half and kept & 1)
        mantissa = kept << drop
        if mantissa >> 53:
            mantissa, exponent = mantissa >> 1, exponent + 1
    digits = f"{mantissa & ((1 << bits) - 1):013x}"
    digits = digits.rstrip("0") if precision < 0 else digits[:precision].ljust(precision, "0")
    point = "." + digits if digits else ""
    return f"0x{mantissa >> bits}{point}p{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def _binary_form(value: float) -> str:
    if value == 0:
        return "0p-1074"
    exponent = max(math.frexp(value)[1] - 53, -1074)
    return f"{int(math.ldexp(value, -exponent))}p{exponent:+d}"


def _shortest(magnitude: float, verb: str) -> str:
    digits, place = decimal_digits(magnitude)
    if verb in "fF":
        return _plain_form(digits, place)
    if verb in "eE" or not -4 < place < 7:
        return _exponent_form(digits, place - 1, "E" if verb in "EG" else "e")
    return _plain_form(digits, place)


def format_verb(value: float, verb: str, precision: int = -1) -> str:
    """A float with verb `e E f F g G b x X`; a precision of -1 takes the fewest digits that identify the value."""
    if value != value:
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    sign = "-" if math.copysign(1.0, value) < 0 else ""
    magnitude = abs(value)
    if verb == "b":
        return sign + _binary_form(magnitude)
    if verb in "xX":
        text = sign + _hex_form(magnitude, precision)
        return text.upper() if verb == "X" else text
    if precision < 0:
        return sign + _shortest(magnitude, verb)
    if verb in "gG":
        precision = precision or 1
    return sign + f"%.{precision}{verb}" % magnitude


def format_float(value: float) -> bytes:
    """A float as `%v` prints it."""
    if -1e6 < value < 1e6 and value.is_integer():
        return repr(value)[:-2].encode()
    return format_verb(value, "g").encode()
