"""Values as YAML in block style, byte for byte as the library of the original writes them."""

from __future__ import annotations

import re
from functools import cmp_to_key
from typing import Any, Final

from controllers.templating.budget import spend
from controllers.templating.gotemplate.floats import format_verb
from controllers.templating.gotemplate.yamlscalars import NOTHING, is_base_60, is_timestamp, resolve_plain

__all__ = ["emit_yaml"]

_WIDTH: Final = 80
_STEP: Final = 2
_BREAKS: Final = frozenset("\n\r\x85\u2028\u2029")
_UNPRINTABLE: Final = re.compile("[^\n\x20-\x7e\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd]")
_ESCAPED: Final = re.compile('[^\x20-\x7e\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd]|["\\\\\u2028\u2029]')
_FIRST: Final = frozenset("#,[]{}&*!|>'\"%@`")
_SHORT: Final = {
    "\0": "0", "\a": "a", "\b": "b", "\t": "t", "\n": "n", "\v": "v", "\f": "f", "\r": "r", "\x1b": "e", '"': '"',
    "\\": "\\", "\x85": "N", "\xa0": "_", "\u2028": "L", "\u2029": "P",
}  # fmt: skip
# A mapping's key is put on one line with its value up to this many bytes.
_SIMPLE_KEY: Final = 128


class _Shape:
    """Which styles a text can be written in."""

    __slots__ = ("block", "multiline", "plain", "single")

    def __init__(self, text: str) -> None:
        self.multiline = any(char in _BREAKS for char in text)
        special = _UNPRINTABLE.search(text) is not None
        first, last = text[:1], text[-1:]
        edge = first == " " or last == " " or first in _BREAKS or last in _BREAKS if text else False
        break_space = self.multiline and re.search("[\n\r\x85\u2028\u2029] ", text) is not None
        space_break = self.multiline and re.search(" [\n\r\x85\u2028\u2029]", text) is not None
        self.single = not (break_space or space_break or special)
        self.block = bool(text) and not (last == " " or space_break or special)
        self.plain = self.single and not (edge or self.multiline or _indicators(text))


def _indicators(text: str) -> bool:
    """Whether something in the text means more than itself in a plain scalar of block style."""
    first, second = text[:1], text[1:2]
    if first in _FIRST or text.startswith(("---", "...")):
        return bool(text)
    if first in ("?", ":", "-") and second in ("", " ", "\t"):
        return True
    return (
        ": " in text
        or ":\t" in text
        or text.endswith(":")
        or re.search(r"[ \t\n\r\x85\u2028\u2029\0]#", text) is not None
    )


def _natural(left: str, right: str) -> int:
    """The order of keys: digits by their number, letters after everything else."""
    for at, (a, b) in enumerate(zip(left, right, strict=False)):
        if a == b:
            continue
        a_letter, b_letter = a.isalpha(), b.isalpha()
        if a_letter and b_letter:
            return -1 if a < b else 1
        if a_letter or b_letter:
            return -1 if b_letter else 1
        return _by_numbers(left, right, at)
    return len(left) - len(right)


def _by_numbers(left: str, right: str, at: int) -> int:
    """Compares two keys that differ at a position where neither has a letter."""
    start = 0
    if left[at] == "0" or right[at] == "0":
        back = at - 1
        while back >= 0 and left[back].isdecimal():
            if left[back] != "0":
                start = 1
                break
            back -= 1
    ends, numbers = [], []
    for text in (left, right):
        end, number = at, start
        while end < len(text) and text[end].isdecimal():
            number = number * 10 + ord(text[end]) - 48
            end += 1
        ends.append(end)
        numbers.append((number + (1 << 63)) % (1 << 64) - (1 << 63))
    if numbers[0] != numbers[1]:
        return numbers[0] - numbers[1]
    if ends[0] != ends[1]:
        return ends[0] - ends[1]
    return -1 if left[at] < right[at] else 1


class _Writer:
    """The text so far and where the next character goes."""

    def __init__(self) -> None:
        self.out: list[str] = []
        self.column = 0
        self.whitespace = True
        self.indention = True

    def put(self, text: str) -> None:
        self.out.append(text)
        self.column += len(text)

    def line(self) -> None:
        self.out.append("\n")
        self.column = 0

    def indent(self, depth: int) -> None:
        """Goes to the column, on a new line unless only white space stands before it."""
        depth = max(depth, 0)
        if not self.indention or self.column > depth or (self.column == depth and not self.whitespace):
            self.line()
        if self.column < depth:
            self.put(" " * (depth - self.column))
        self.whitespace = self.indention = True

    def indicator(self, mark: str, *, spaced: bool, whitespace: bool = False, indention: bool = False) -> None:
        if spaced and not self.whitespace:
            self.put(" ")
        self.put(mark)
        self.whitespace = whitespace
        self.indention = self.indention and indention

    def scalar_done(self) -> None:
        self.whitespace = self.indention = False

    def plain(self, text: str, depth: int, fold: bool) -> None:
        if not self.whitespace:
            self.put(" ")
        if not fold or self.column + len(text) <= _WIDTH:
            self.put(text)
        else:
            for at, run in enumerate(re.split("( +)", text)):
                if at % 2 and run == " " and self.column > _WIDTH:
                    self.indent(depth)
                    continue
                self.put(run)
                self.indention = self.indention and at % 2 == 1
        self.scalar_done()

    def single(self, text: str, depth: int, fold: bool) -> None:
        self.indicator("'", spaced=True)
        spaces = breaks = False
        for at, char in enumerate(text):
            if char == " ":
                following = text[at + 1 : at + 2]
                if fold and not spaces and self.column > _WIDTH and 0 < at < len(text) - 1 and following != " ":
                    self.indent(depth)
                else:
                    self.put(char)
                spaces = True
            elif char in _BREAKS:
                self.out.append(char)
                self.column = 0
                self.indention = breaks = True
            else:
                if breaks:
                    self.indent(depth)
                self.put("''" if char == "'" else char)
                self.indention = spaces = breaks = False
        self.indicator("'", spaced=False)
        self.scalar_done()

    def double(self, text: str, depth: int, fold: bool) -> None:
        self.indicator('"', spaced=True)
        spaces = False
        # After a byte order mark the original escapes everything.
        marked = text[:1] == "\ufeff"
        for at, char in enumerate(text):
            if marked or _ESCAPED.match(char):
                code = ord(char)
                short = _SHORT.get(char)
                self.put(
                    "\\"
                    + (
                        short
                        or (f"x{code:02X}" if code < 0x100 else f"u{code:04X}" if code < 0x10000 else f"U{code:08X}")
                    )
                )
                spaces = False
            elif char == " ":
                if fold and not spaces and self.column > _WIDTH and 0 < at < len(text) - 1:
                    self.indent(depth)
                    if text[at + 1] == " ":
                        self.put("\\")
                else:
                    self.put(char)
                spaces = True
            else:
                self.put(char)
                spaces = False
        self.indicator('"', spaced=False)
        self.scalar_done()

    def literal(self, text: str, depth: int) -> None:
        self.indicator("|", spaced=True)
        if text[0] == " " or text[0] in _BREAKS:
            self.indicator(str(_STEP), spaced=False)
        if text[-1] not in _BREAKS:
            self.indicator("-", spaced=False)
        elif len(text) == 1 or text[-2] in _BREAKS:
            self.indicator("+", spaced=False)
        self.line()
        self.whitespace = self.indention = True
        breaks = True
        for char in text:
            if char in _BREAKS:
                self.out.append(char)
                self.column = 0
                self.indention = breaks = True
            else:
                if breaks:
                    self.indent(depth)
                self.put(char)
                self.indention = breaks = False


class _Emitter:
    """Writes one document; nested collections wait on a stack."""

    def __init__(self) -> None:
        self.writer = _Writer()
        # (collection's iterator, its indentation, whether it is a mapping)
        self.stack: list[tuple[Any, int, bool]] = []

    def text(self, text: str, depth: int, key: bool) -> None:
        """A string in the first style that can hold it."""
        writer, shape = self.writer, _Shape(text)
        inner = depth + _STEP if depth >= 0 else _STEP
        if "\n" in text:
            if not key and shape.block:
                writer.literal(text, inner)
            else:
                writer.double(text, inner, not key)
        elif resolve_plain(text) is not NOTHING or is_timestamp(text) or is_base_60(text):
            writer.double(text, inner, not key)
        elif shape.plain:
            writer.plain(text, inner, not key)
        elif shape.single and not (key and shape.multiline):
            writer.single(text, inner, not key)
        else:
            writer.double(text, inner, not key)

    def node(self, value: object, depth: int, *, in_mapping: bool) -> None:
        """A value whose surroundings are indented by `depth` (-1 at the root)."""
        writer = self.writer
        if isinstance(value, str):
            self.text(value, depth, False)
        elif isinstance(value, dict) and value:
            keys = sorted(value, key=cmp_to_key(_natural))
            self.stack.append((iter([(key, value[key]) for key in keys]), depth + _STEP if depth >= 0 else 0, True))
        elif isinstance(value, list) and value:
            level = depth + _STEP if depth >= 0 else 0
            if in_mapping and not writer.indention:
                level = depth
            self.stack.append((iter([(item,) for item in value]), level, False))
        elif isinstance(value, dict | list):
            writer.indicator("{" if isinstance(value, dict) else "[", spaced=True, whitespace=True)
            writer.indicator("}" if isinstance(value, dict) else "]", spaced=False)
        else:
            writer.plain(_word(value), depth, False)

    def pair(self, key: str, value: object, depth: int) -> None:
        writer = self.writer
        if len(key.encode()) <= _SIMPLE_KEY and not any(char in _BREAKS for char in key):
            self.text(key, depth, True)
            writer.indicator(":", spaced=False)
        else:
            writer.indicator("?", spaced=True, indention=True)
            self.text(key, depth, False)
            writer.indent(depth)
            writer.indicator(":", spaced=True, indention=True)
        self.node(value, depth, in_mapping=True)

    def document(self, root: object) -> str:
        self.node(root, -1, in_mapping=False)
        while self.stack:
            members, depth, mapping = self.stack[-1]
            member = next(members, None)
            if member is None:
                self.stack.pop()
                continue
            spend()
            self.writer.indent(depth)
            if mapping:
                self.pair(member[0], member[1], depth)
            else:
                self.writer.indicator("-", spaced=True, indention=True)
                self.node(member[0], depth, in_mapping=False)
        self.writer.indent(0)
        return "".join(self.writer.out)


def _word(value: object) -> str:
    """A scalar that is no text."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else format_verb(float(value), "g")  # type: ignore[arg-type]


def emit_yaml(root: object) -> bytes:
    """A document of JSON values with text keys, ending in a newline."""
    return _Emitter().document(root).encode()
