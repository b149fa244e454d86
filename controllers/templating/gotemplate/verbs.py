"""What one verb of a format makes of one value."""

from __future__ import annotations

from typing import Any, Final

from controllers.templating.budget import allocate
from controllers.templating.gotemplate.floats import format_verb
from controllers.templating.gotemplate.quoting import (
    can_backquote,
    characters,
    encode_rune,
    encoded,
    is_print,
    quote,
    quote_rune,
)
from controllers.templating.gotemplate.values import GoObject, Uint8, Uint64, Value, is_nil, type_name

__all__ = ["Flags", "print_argument"]

_NIL: Final = b"<nil>"
_ADDRESS: Final = 0xC000010000  # any will do: Go's differ from run to run
_BASES: Final = {
    "b": ("b", "0b"),
    "o": ("o", "0"),
    "O": ("o", "0"),
    "x": ("x", "0x"),
    "X": ("X", "0X"),
    "d": ("d", ""),
    "v": ("d", ""),
}


class Flags:
    """What stood between `%` and the verb."""

    __slots__ = ("minus", "plus", "plus_v", "precision", "sharp", "sharp_v", "space", "width", "zero")

    def __init__(self) -> None:
        self.width: int | None = None
        self.precision: int | None = None
        self.minus = self.plus = self.sharp = self.space = self.zero = False
        self.plus_v = self.sharp_v = False


def _characters(data: bytes) -> int:
    return len(data) if data.isascii() else len(characters(data))


def _pad(out: list[bytes], data: bytes, flags: Flags, *, zeros: bool = True) -> None:
    missing = (flags.width or 0) - _characters(data) if flags.width else 0
    if missing <= 0:
        out.append(data)
    elif flags.minus:
        out += (data, b" " * missing)
    else:
        out += ((b"0" if flags.zero and zeros else b" ") * missing, data)


# --- text ---


def _cut(data: bytes, flags: Flags) -> bytes:
    if flags.precision is None or flags.precision >= len(data):
        return data
    if data.isascii():
        return data[: flags.precision]
    return encoded(characters(data)[: flags.precision])


def _quoted(out: list[bytes], data: bytes, flags: Flags) -> None:
    data = _cut(data, flags)
    if flags.sharp and can_backquote(data):
        _pad(out, b"`" + data + b"`", flags)
    else:
        _pad(out, quote(data, ascii_only=flags.plus), flags)


def _hex_text(out: list[bytes], data: bytes, verb: str, flags: Flags) -> None:
    if flags.precision is not None:
        data = data[: flags.precision]
    mark = (b"0x" if verb == "x" else b"0X") if flags.sharp and data else b""
    allocate(len(data) * 5)
    digits = data.hex(" ").encode() if flags.space else data.hex().encode()
    if verb == "X":
        digits = digits.upper()
    _pad(out, mark + (digits.replace(b" ", b" " + mark) if flags.space else digits), flags)


def _text(out: list[bytes], data: bytes, verb: str, flags: Flags) -> bool:
    if verb == "s" or (verb == "v" and not flags.sharp_v):
        _pad(out, _cut(data, flags), flags)
    elif verb in "vq":
        _quoted(out, data, flags)
    elif verb in "xX":
        _hex_text(out, data, verb, flags)
    else:
        return False
    return True


# --- numbers ---


def _integer(out: list[bytes], value: int, verb: str, flags: Flags, *, prefix: str | None = None) -> None:
    spec, mark = _BASES[verb]
    negative = value < 0
    signed = negative or flags.plus or flags.space
    least = 0
    if flags.precision is not None:
        least = flags.precision
        if least == 0 and value == 0:
            out.append(b" " * (flags.width or 0))
            return
    elif flags.zero and not flags.minus and flags.width is not None:
        least = flags.width - signed
    digits = format(abs(value), spec).rjust(least, "0")
    if prefix is not None:
        digits = prefix + digits
    elif flags.sharp and not (spec == "o" and digits.startswith("0")):
        digits = mark + digits
    if verb == "O":
        digits = "0o" + digits
    sign = "-" if negative else "+" if flags.plus else " " if flags.space else ""
    _pad(out, (sign + digits).encode(), flags, zeros=False)


def _code_point(out: list[bytes], value: int, flags: Flags) -> None:
    number = value & 0xFFFFFFFFFFFFFFFF
    digits = f"{number:X}".rjust(max(4, flags.precision or 0), "0")
    tail = f" '{chr(number)}'" if flags.sharp and is_print(number) else ""
    _pad(out, f"U+{digits}{tail}".encode(), flags, zeros=False)


def _whole(out: list[bytes], value: int, verb: str, flags: Flags) -> bool:
    if verb == "v" and flags.sharp_v and isinstance(value, Uint8 | Uint64):
        _integer(out, value, "x", flags, prefix="0x")
    elif verb in _BASES:
        _integer(out, value, verb, flags)
    elif verb == "c":
        _pad(out, encode_rune(value), flags)
    elif verb == "q":
        _pad(out, quote_rune(value, ascii_only=flags.plus), flags)
    elif verb == "U":
        _code_point(out, value, flags)
    else:
        return False
    return True


def _with_zeros(number: str, verb: str, precision: int) -> str:
    """The `#` flag: always a point, and for `g` and `x` as many digits as the precision says."""
    missing = 0
    if verb in "gGxX" and verb != "X":
        missing = 6 if precision < 0 else precision
    marks = "pP" if verb in "xX" else "eE"
    cut = next((at for at, c in enumerate(number) if c in marks), len(number))
    body, tail = number[:cut], number[cut:]
    significant = body.replace(".", "").lstrip("0") if verb not in "xX" else body.replace(".", "")[1:]
    missing -= len(significant)
    if "." not in body:
        missing -= body == "0"
        body += "."
    return body + "0" * max(missing, 0) + tail


def _float_text(value: float, verb: str, precision: int, flags: Flags) -> str:
    """The number with its sign, `+` included."""
    if flags.precision is not None:
        precision = flags.precision
    number = format_verb(value, verb, precision)
    sign = number[0] if number[0] in "+-" else "+"
    number = number.lstrip("+-")
    if flags.sharp and verb != "b" and number[0] not in "IN":
        number = _with_zeros(number, verb, precision)
    return sign + number


def _float(out: list[bytes], value: float, verb: str, precision: int, flags: Flags) -> None:
    number = _float_text(value, verb, precision, flags)
    if flags.space and number[0] == "+" and not flags.plus:
        number = " " + number[1:]
    if number[1] in "IN":
        if number[1] == "N" and not flags.space and not flags.plus:
            number = number[1:]
        _pad(out, number.encode(), flags, zeros=False)
        return
    if flags.plus or number[0] != "+":
        if flags.zero and not flags.minus and flags.width is not None and flags.width > len(number):
            number = number[0] + number[1:].rjust(flags.width - 1, "0")
        _pad(out, number.encode(), flags)
    else:
        _pad(out, number[1:].encode(), flags)


def _fraction(out: list[bytes], value: float, verb: str, flags: Flags) -> bool:
    if verb in "vbgGxX":
        _float(out, value, "g" if verb == "v" else verb, -1, flags)
    elif verb in "eEfF":
        _float(out, value, "f" if verb == "F" else verb, 6, flags)
    else:
        return False
    return True


def _complex(out: list[bytes], value: complex, verb: str, flags: Flags) -> bool:
    if verb not in "vbgGxXfFeE":
        return False
    plus = flags.plus
    out.append(b"(")
    _fraction(out, value.real, verb, flags)
    flags.plus = True
    _fraction(out, value.imag, verb, flags)
    out.append(b"i)")
    flags.plus = plus
    return True


# --- values ---


def _bad(out: list[bytes], value: Value, verb: str, flags: Flags) -> None:
    out.append(b"%!" + verb.encode() + b"(")
    if value is None:
        out.append(_NIL)
    else:
        out.append(type_name(value).encode() + b"=")
        print_argument(out, value, "v", flags, raw=True)
    out.append(b")")


def _basic(out: list[bytes], value: Value, verb: str, flags: Flags) -> bool | None:
    """Prints a value of a basic kind; False if the verb is not for it, None if it is of another kind."""
    if isinstance(value, bytes):
        return _text(out, value, verb, flags)
    if isinstance(value, bool):
        if verb not in "tv":
            return False
        _pad(out, b"true" if value else b"false", flags)
        return True
    if isinstance(value, int):
        return _whole(out, value, verb, flags)
    if isinstance(value, float):
        return _fraction(out, value, verb, flags)
    if isinstance(value, complex):
        return _complex(out, value, verb, flags)
    return None


def _own_text(value: Value, verb: str, flags: Flags) -> bytes | None:
    """The text that a value makes of itself for this verb, if it does."""
    text = getattr(value, "text", None)
    if text is None or (isinstance(value, GoObject) and "String" not in value.methods):
        return None
    if flags.sharp_v:
        source = getattr(value, "go_string", None)
        return None if source is None else bytes(source())
    return bytes(text()) if verb in "vsxXq" else None


def _parts(value: Value, flags: Flags) -> list[Any]:
    """What a list, map or struct is printed as: texts (as they are) in `_Raw`, and values, in order."""
    sharp = flags.sharp_v
    name = type_name(value).encode()
    if isinstance(value, dict):
        if sharp and is_nil(value):
            return [_Raw(name + b"(nil)")]
        parts: list[Any] = [_Raw(name + b"{" if sharp else b"map[")]
        for turn, key in enumerate(sorted(value)):
            parts += (_Raw((b", " if sharp else b" ") if turn else b""), key, _Raw(b":"), value[key])
        parts.append(_Raw(b"}" if sharp else b"]"))
        return parts
    if isinstance(value, list):
        if sharp and is_nil(value):
            return [_Raw(name + b"(nil)")]
        parts = [_Raw(name + b"{" if sharp else b"[")]
        for turn, element in enumerate(value):
            parts += (_Raw((b", " if sharp else b" ") if turn else b""), element)
        parts.append(_Raw(b"}" if sharp else b"]"))
        return parts
    pointer = value.go_kind == "ptr"
    parts = [_Raw(b"&" * pointer + (name.lstrip(b"*") if sharp else b"") + b"{")]
    for turn, (field, content) in enumerate(_fields(value)):
        label = field.encode() + b":" if sharp or flags.plus_v else b""
        parts += (_Raw((b", " if sharp else b" ") * bool(turn) + label), content)
    parts.append(_Raw(b"}"))
    return parts


def _fields(value: GoObject) -> list[tuple[str, Value]]:
    inner = getattr(value, "parts", None)
    if inner is not None:
        return list(inner())
    return [(name, getattr(value, name, None)) for name in value.fields]


class _Raw:
    """Text between the parts of a list, map or struct."""

    __slots__ = ("text",)

    def __init__(self, text: bytes) -> None:
        self.text = text


def print_argument(out: list[bytes], value: Value, verb: str, flags: Flags, *, raw: bool = False) -> None:
    """Adds what `verb` makes of `value`; `raw` leaves out the texts that values make of themselves.

    Raises:
        LimitExceeded: the text is larger than a render may make; a map that holds itself ends so.
    """
    if value is None:
        if verb in "vT":
            _pad(out, _NIL, flags)
        else:
            _bad(out, value, verb, flags)
        return
    if verb == "T":
        _pad(out, _cut(type_name(value).encode(), flags), flags)
        return
    if verb == "p":
        _pointer(out, value, flags)
        return
    if verb == "w" and not isinstance(value, bytes | int | float | complex):
        _bad(out, value, verb, flags)  # for errors alone, which templates do not have
        return
    # A stack in place of recursion: data may be nested as deep as it likes.
    stack: list[Any] = [value]
    size = 0
    while stack:
        item = stack.pop()
        if type(item) is _Raw:
            out.append(item.text)
            continue
        if item is None:
            out.append(b"interface {}(nil)" if flags.sharp_v else _NIL)
            continue
        if not raw and (own := _own_text(item, verb, flags)) is not None:
            if flags.sharp_v:
                _pad(out, _cut(own, flags), flags)
            else:
                _text(out, own, verb, flags)
            continue
        done = _basic(out, item, verb, flags)
        if done is False:
            _bad(out, item, verb, flags)
        elif done is None and item is not value and isinstance(item, GoObject) and item.go_kind == "ptr":
            _integer(out, _ADDRESS, verb if verb in "bodxX" else "x", flags, prefix=None if verb in "bodxX" else "0x")
        elif done is None:
            parts = _parts(item, flags)
            size += len(parts)
            allocate(size)
            parts.reverse()
            stack += parts


def _pointer(out: list[bytes], value: Value, flags: Flags) -> None:
    if not isinstance(value, list | dict) and not (isinstance(value, GoObject) and value.go_kind == "ptr"):
        _bad(out, value, "p", flags)
        return
    address = 0 if is_nil(value) else _ADDRESS
    _integer(out, address, "x", flags, prefix=None if flags.sharp else "0x")
