"""Values as text, in the forms of Go's `fmt`: mistakes in a format are printed, never raised."""

from __future__ import annotations

from typing import Any, Final

from controllers.templating.budget import allocate
from controllers.templating.gotemplate.floats import format_float
from controllers.templating.gotemplate.quoting import decode_rune
from controllers.templating.gotemplate.values import Value, type_name
from controllers.templating.gotemplate.verbs import Flags, print_argument

__all__ = ["format_float", "print_values", "println_values", "sprintf", "to_text"]

_LIMIT: Final = 1_000_000


def to_text(value: Value) -> bytes:
    """A value as `%v` prints it; nil is `<nil>`."""
    kind = type(value)
    if kind is bytes:
        return value  # type: ignore[no-any-return]
    if kind is int:
        return b"%d" % value
    if kind is float:
        return format_float(value)
    out: list[bytes] = []
    print_argument(out, value, "v", Flags())
    return _joined(out)


def _joined(pieces: list[bytes]) -> bytes:
    allocate(sum(map(len, pieces)))
    return b"".join(pieces)


def print_values(values: list[Value] | tuple[Value, ...]) -> bytes:
    """All values; a space between two of which none is text."""
    out: list[bytes] = []
    after_text = True
    for value in values:
        is_text = type(value) is bytes
        if not is_text and not after_text:
            out.append(b" ")
        out.append(to_text(value))
        after_text = is_text
    return _joined(out)


def println_values(values: list[Value] | tuple[Value, ...]) -> bytes:
    """All values with spaces between, and a newline."""
    texts = [to_text(value) for value in values]
    allocate(sum(map(len, texts)))
    return b" ".join(texts) + b"\n"


def _number(text: bytes, start: int, end: int) -> tuple[int | None, int]:
    """The decimal number at `start`, None if there is none or if it is too large, and the position after it."""
    pos, number = start, 0
    while pos < end and 48 <= text[pos] <= 57:
        if number > _LIMIT:
            return None, end
        number = number * 10 + text[pos] - 48
        pos += 1
    return (number if pos > start else None), pos


class _Format:
    """One run over a format: where it is in the text and in the arguments."""

    __slots__ = ("args", "at", "good", "out", "pos", "reordered", "text")

    def __init__(self, text: bytes, args: tuple[Value, ...]) -> None:
        self.text = text
        self.args = args
        self.out: list[bytes] = []
        self.pos = 0
        self.at = 0
        self.good = True
        self.reordered = False

    def index(self) -> bool:
        """Reads `[n]`; whether one was there that could be read."""
        text, start = self.text, self.pos
        if text[start : start + 1] != b"[":
            return False
        self.reordered = True
        close = text.find(b"]", start + 1) if len(text) - start >= 3 else -1
        if close < 0:
            self.good = False
            self.pos = start + 1
            return False
        number, after = _number(text, start + 1, close)
        self.pos = close + 1
        if number is None or after != close:
            self.good = False
            return False
        if 1 <= number <= len(self.args):
            self.at = number - 1
            return True
        self.good = False
        return True

    def argument_number(self) -> int | None:
        """The integer argument that a `*` stands for."""
        if self.at >= len(self.args):
            return None
        value = self.args[self.at]
        self.at += 1
        if not isinstance(value, int) or isinstance(value, bool) or abs(value) > _LIMIT:
            return None
        return int(value)

    def width(self, flags: Flags) -> bool:
        """Reads the width; whether an index that counts for the verb still stands."""
        indexed = self.index()
        if self.text[self.pos : self.pos + 1] == b"*":
            self.pos += 1
            number = self.argument_number()
            if number is None:
                self.out.append(b"%!(BADWIDTH)")
            elif number < 0:
                number, flags.minus, flags.zero = -number, True, False
            flags.width = number
            return False
        flags.width, self.pos = _number(self.text, self.pos, len(self.text))
        if indexed and flags.width is not None:
            self.good = False
        return indexed

    def precision(self, flags: Flags, indexed: bool) -> bool:
        """Reads the precision, as `width` does."""
        if self.text[self.pos : self.pos + 1] != b"." or self.pos + 1 == len(self.text):
            return indexed  # a point at the very end is the verb
        self.pos += 1
        if indexed:
            self.good = False
        indexed = self.index()
        if self.text[self.pos : self.pos + 1] == b"*":
            self.pos += 1
            flags.precision = self.argument_number()
            if flags.precision is None or flags.precision < 0:
                flags.precision = None
                self.out.append(b"%!(BADPREC)")
            return False
        number, self.pos = _number(self.text, self.pos, len(self.text))
        flags.precision = number or 0
        return indexed

    def directive(self) -> None:
        """Prints what one `%` asks for; the position is behind it."""
        text = self.text
        flags = Flags()
        self.good = True
        while self.pos < len(text) and (flag := text[self.pos]) in b"#0+- ":
            self.pos += 1
            if flag == 0x23:
                flags.sharp = True
            elif flag == 0x30:
                flags.zero = True
            elif flag == 0x2B:
                flags.plus = True
            elif flag == 0x2D:
                flags.minus = True
            else:
                flags.space = True
        indexed = self.precision(flags, self.width(flags))
        if not indexed:
            self.index()
        if self.pos >= len(text):
            self.out.append(b"%!(NOVERB)")
            return
        rune, width = decode_rune(text, self.pos)
        self.pos += width
        verb = chr(rune)
        if verb == "%":
            self.out.append(b"%")
        elif not self.good:
            self.out.append(b"%!" + verb.encode() + b"(BADINDEX)")
        elif self.at >= len(self.args):
            self.out.append(b"%!" + verb.encode() + b"(MISSING)")
        else:
            allocate(max(flags.width or 0, flags.precision or 0))
            if verb in "vw":
                flags.sharp_v, flags.sharp, flags.plus_v, flags.plus = flags.sharp, False, flags.plus, False
            print_argument(self.out, self.args[self.at], verb, flags)
            self.at += 1

    def run(self) -> bytes:
        text, out = self.text, self.out
        while True:
            percent = text.find(b"%", self.pos)
            if percent < 0:
                out.append(text[self.pos :])
                break
            out.append(text[self.pos : percent])
            self.pos = percent + 1
            self.directive()
        if not self.reordered and self.at < len(self.args):
            out.append(b"%!(EXTRA ")
            for turn, value in enumerate(self.args[self.at :]):
                out.append(b", " if turn else b"")
                out.append(b"<nil>" if value is None else type_name(value).encode() + b"=" + to_text(value))
            out.append(b")")
        return _joined(out)


def sprintf(format: bytes, args: list[Any] | tuple[Any, ...]) -> bytes:
    """The arguments in a format of verbs, flags, widths, precisions and argument indexes."""
    return _Format(format, tuple(args)).run()
