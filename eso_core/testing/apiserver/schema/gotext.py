"""Values written the way a Go program writes them, since the server's messages are made of such texts."""

from __future__ import annotations

import json
import math
from typing import Any

_ESCAPES = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    "\\": "\\\\",
    '"': '\\"',
}
_HTML = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def quote(text: str) -> str:
    """The text in double quotes, as the ``%q`` verb prints it."""
    if text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    out = ['"']
    for char in text:
        if char in _ESCAPES:
            out.append(_ESCAPES[char])
        elif char.isprintable():
            out.append(char)
        else:
            code = ord(char)
            out.append(f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
    out.append('"')
    return "".join(out)


def number(value: int | float, *, low: int = -4) -> str:
    """A number as the ``%v`` verb prints it: shortest form, exponents from 1e21 up and below 10**low."""
    if isinstance(value, int):
        return str(value)
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    digits, exponent = _shortest(abs(value))
    sign = "-" if value < 0 else ""
    if exponent < low or exponent >= 21:
        mantissa = digits[0] + (f".{digits[1:]}" if len(digits) > 1 else "")
        return f"{sign}{mantissa}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"
    if exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    whole, rest = digits[: exponent + 1].ljust(exponent + 1, "0"), digits[exponent + 1 :]
    return f"{sign}{whole}{'.' + rest if rest else ''}"


def _shortest(value: float) -> tuple[str, int]:
    """The fewest digits that read back as ``value``, and the exponent of the first one."""
    mantissa, _, exponent = f"{value!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    power = int(exponent or 0)
    digits = (whole + fraction).lstrip("0")
    lead = len(whole) if whole.strip("0") else -(len(fraction) - len(fraction.lstrip("0")))
    return digits.rstrip("0") or "0", power + lead - 1


def to_json(value: Any) -> str:
    """Compact JSON with sorted keys, HTML characters escaped and numbers in Go's form."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            text = number(value, low=-6)
            return text.replace("e-0", "e-") if "e-0" in text else text
        case str():
            text = json.dumps(value, ensure_ascii=False)
            for char, escaped in _HTML.items():
                if char in text:
                    text = text.replace(char, escaped)
            return text
        case dict():
            return "{" + ",".join(f"{to_json(key)}:{to_json(value[key])}" for key in sorted(value)) + "}"
        case list() | tuple():
            return "[" + ",".join(map(to_json, value)) + "]"
    raise TypeError(f"writing a value as JSON: {type(value).__name__} is no JSON type")


class Rendered(str):
    """A value that is already in the form in which it is to be shown."""

    __slots__ = ()


def struct_json(fields: dict[str, Any]) -> Rendered:
    """The JSON of a struct: like `to_json`, but the fields keep their order. Values may be `Rendered`."""
    parts = (f"{to_json(key)}:{item if isinstance(item, Rendered) else to_json(item)}" for key, item in fields.items())
    return Rendered("{" + ",".join(parts) + "}")


def shown(value: Any) -> str:
    """A value as field errors show it: strings quoted, numbers and booleans plain, everything else as JSON."""
    if isinstance(value, Rendered):
        return value
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, float):
        return number(value)
    return to_json(value)


def type_name(value: Any) -> str:
    """The JSON type the server names for a value.

    What was written as ``3.0`` is a ``number``, even where it is kept as an integer (of a class of its own).
    """
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer" if type(value) is int else "number"
        case float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"
