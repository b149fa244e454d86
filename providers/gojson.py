"""JSON as a Go program reads and writes it.

Users compare what we write byte for byte with what External Secrets Operator 2.9 wrote, so the details count: members
are sorted by their UTF-8 bytes, there is no white space, ``<``, ``>``, ``&`` are escaped in the default dialect, and
numbers keep the digits they came with. Python's ``json`` differs in each of these.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from decimal import Decimal

import msgspec

from providers.errors import InvalidData

__all__ = ["JsonValue", "Number", "decode", "encode", "format_double", "raw_members", "value_bytes", "well_formed"]


@dataclass(frozen=True, slots=True)
class Number:
    """A JSON number as it was written, since a double would lose digits of large integers. repr shows no digits."""

    text: str = field(repr=False)

    def __str__(self) -> str:
        return self.text


JsonValue = None | bool | int | float | str | Number | list["JsonValue"] | dict[str, "JsonValue"]

_INTEGER = re.compile(r"-?[0-9]+\Z")
_SURROGATE = re.compile("[\ud800-\udfff]")
_ALWAYS = str.maketrans({"\u2028": "\\u2028", "\u2029": "\\u2029"})
_HTML = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})


def _refuse(token: str) -> JsonValue:
    raise ValueError(f"{token} is not JSON")


_DECODER = json.JSONDecoder(parse_int=Number, parse_float=Number, parse_constant=_refuse, strict=True)


def decode(raw: bytes | str) -> JsonValue:
    """The value of a JSON text, numbers as ``Number``; the last of duplicate members wins.

    Raises:
        ValueError: It is not JSON. The message may quote the text: do not show it.
    """
    text = raw if isinstance(raw, str) else raw.decode("utf-8", "replace")
    try:
        value: JsonValue = _DECODER.decode(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return value


def encode(value: JsonValue, *, html: bool = True, doubles: bool = False) -> str:
    """Compact JSON with sorted members and no final newline.

    Args:
        value: What ``decode`` gives, or plain Python values.
        html: Escape ``<``, ``>`` and ``&``, as Go's default encoder does.
        doubles: Print numbers other than integers as the double they stand for; integers always keep their digits.
    """
    out: list[str] = []
    _write(value, out, _HTML if html else _ALWAYS, doubles)
    return "".join(out)


def _write(value: JsonValue, out: list[str], escapes: dict[int, str], doubles: bool) -> None:
    match value:
        case None:
            out.append("null")
        case bool():
            out.append("true" if value else "false")
        case str():
            out.append(_quote(value, escapes))
        case Number():
            out.append(_number(value.text) if doubles else value.text)
        case int():
            out.append(str(value))
        case float():
            out.append(_exponent_form(value))
        case list():
            out.append("[")
            for index, item in enumerate(value):
                if index:
                    out.append(",")
                _write(item, out, escapes, doubles)
            out.append("]")
        case dict():
            out.append("{")
            for index, key in enumerate(sorted(value, key=_utf8)):
                if index:
                    out.append(",")
                out.append(_quote(key, escapes))
                out.append(":")
                _write(value[key], out, escapes, doubles)
            out.append("}")


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _quote(text: str, escapes: dict[int, str]) -> str:
    quoted = json.dumps(text, ensure_ascii=False).translate(escapes)
    return well_formed(quoted)


def well_formed(text: str) -> str:
    """The text with U+FFFD for each half of a surrogate pair, which JSON can spell and UTF-8 cannot hold; as Go reads it."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def _number(text: str) -> str:
    return text if _INTEGER.match(text) else _exponent_form(float(text))


def _exponent_form(value: float) -> str:
    """A double as Go's JSON encoder prints it: plain, except for very large and very small ones."""
    if not math.isfinite(value):
        raise ValueError("JSON has no infinities")
    size = abs(value)
    if size != 0 and (size < 1e-6 or size >= 1e21):
        mantissa, _, exponent = repr(value).partition("e")
        if not exponent:
            mantissa, _, exponent = f"{Decimal(repr(value)):e}".partition("e")
            mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
        mantissa = mantissa.removesuffix(".0")
        sign = "-" if exponent.startswith("-") else "+"
        digits = exponent.lstrip("+-").lstrip("0")
        return f"{mantissa}e{sign}{digits.rjust(1 if sign == '-' else 2, '0')}"
    return format_double(value)


def format_double(value: float) -> str:
    """A double in decimal without exponent, with as few digits as read back to the same double."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    text = repr(value)
    if "e" in text:
        text = format(Decimal(text), "f")
    return text.removesuffix(".0")


def value_bytes(value: JsonValue) -> bytes:
    """The bytes that a parsed value becomes in a Secret: strings as they are, null empty, objects as compact JSON."""
    match value:
        case None:
            return b""
        case bool():
            return b"true" if value else b"false"
        case str():
            return well_formed(value).encode()
        case Number():
            return value.text.encode()
        case float():
            return format_double(value).encode()
        case int():
            return str(value).encode()
        case _:
            return encode(value).encode()


def map_value_bytes(value: JsonValue) -> bytes:
    """``value_bytes`` for members of a map, where numbers print as doubles but integers keep all their digits."""
    match value:
        case Number():
            text = value.text
            return (text if _INTEGER.match(text) else format_double(float(text))).encode()
        case list() | dict():
            return encode(value, doubles=True).encode()
        case _:
            return value_bytes(value)


def raw_members(raw: bytes, failure: str) -> dict[str, bytes]:
    """The members of a JSON object: strings unquoted, null empty, everything else as it was written.

    Args:
        raw: The payload.
        failure: Text of the error when it is not a JSON object; the payload is never quoted.

    Raises:
        InvalidData: It is not a JSON object.
    """
    try:
        members = msgspec.json.decode(raw, type=dict[str, msgspec.Raw] | None)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidData(f"{failure}: invalid JSON format: an object is expected") from None
    return {name: _raw_value(bytes(member)) for name, member in (members or {}).items()}


def _raw_value(member: bytes) -> bytes:
    if member == b"null":
        return b""
    if member.startswith(b'"'):
        return well_formed(str(json.loads(member))).encode()
    return member
