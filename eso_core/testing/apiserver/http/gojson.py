"""Why a text is not JSON, in the words of Go's decoder."""

from __future__ import annotations

from typing import Final

_ESCAPED: Final = '"\\/bfnrt'
_HEX: Final = "0123456789abcdefABCDEF"
_SPACE: Final = " \t\r\n"


class _Problem(Exception):
    pass


def json_problem(text: bytes) -> str:
    """The first problem of an invalid JSON text; empty when it is valid."""
    # The decoder works on bytes and names the offending byte as a character.
    scanner = _Scanner(text.decode("latin-1"))
    try:
        scanner.value("looking for beginning of value")
        scanner.skip_space()
        if scanner.position < len(scanner.text):
            scanner.fail("after top-level value")
    except _Problem as problem:
        return str(problem)
    except RecursionError:
        return "exceeded max depth"
    return ""


def shown(char: str) -> str:
    """A character as the decoder quotes it."""
    if char == "'":
        return "'\\''"
    if char == '"':
        return "'\"'"
    if char in "\\\n\r\t\b\f\v\a":
        escapes = {
            "\\": "\\\\",
            "\n": "\\n",
            "\r": "\\r",
            "\t": "\\t",
            "\b": "\\b",
            "\f": "\\f",
            "\v": "\\v",
            "\a": "\\a",
        }
        return f"'{escapes[char]}'"
    if char.isprintable():
        return f"'{char}'"
    code = ord(char)
    return f"'\\x{code:02x}'" if code < 0x80 else f"'\\u{code:04x}'"


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0

    def fail(self, context: str) -> None:
        if self.position >= len(self.text):
            raise _Problem("unexpected end of JSON input")
        raise _Problem(f"invalid character {shown(self.text[self.position])} {context}")

    def peek(self) -> str:
        return self.text[self.position] if self.position < len(self.text) else ""

    def skip_space(self) -> None:
        while self.position < len(self.text) and self.text[self.position] in _SPACE:
            self.position += 1

    def value(self, context: str) -> None:
        self.skip_space()
        char = self.peek()
        if char == "{":
            self._object()
        elif char == "[":
            self._array()
        elif char == '"':
            self._string()
        elif char == "-" or (char and char in "0123456789"):
            self._number()
        elif char and char in "tfn":
            self._word({"t": "true", "f": "false", "n": "null"}[char])
        else:
            self.fail(context)

    def _object(self) -> None:
        self.position += 1
        self.skip_space()
        if self.peek() == "}":
            self.position += 1
            return
        while True:
            self.skip_space()
            if self.peek() != '"':
                self.fail("looking for beginning of object key string")
            self._string()
            self.skip_space()
            if self.peek() != ":":
                self.fail("after object key")
            self.position += 1
            self.value("looking for beginning of value")
            self.skip_space()
            char = self.peek()
            if char == "}":
                self.position += 1
                return
            if char != ",":
                self.fail("after object key:value pair")
            self.position += 1

    def _array(self) -> None:
        self.position += 1
        self.skip_space()
        if self.peek() == "]":
            self.position += 1
            return
        while True:
            self.value("looking for beginning of value")
            self.skip_space()
            char = self.peek()
            if char == "]":
                self.position += 1
                return
            if char != ",":
                self.fail("after array element")
            self.position += 1

    def _string(self) -> None:
        self.position += 1
        while True:
            char = self.peek()
            if char == "":
                self.fail("")
            if char == '"':
                self.position += 1
                return
            if char < " ":
                self.fail("in string literal")
            self.position += 1
            if char == "\\":
                self._escape()

    def _escape(self) -> None:
        char = self.peek()
        if char == "u":
            self.position += 1
            for _ in range(4):
                if self.peek() not in _HEX or not self.peek():
                    self.fail("in \\u hexadecimal character escape")
                self.position += 1
        elif char and char in _ESCAPED:
            self.position += 1
        else:
            self.fail("in string escape code")

    def _digits(self, context: str) -> None:
        if not self.peek().isdigit():
            self.fail(context)
        while self.peek().isdigit():
            self.position += 1

    def _number(self) -> None:
        if self.peek() == "-":
            self.position += 1
            if not self.peek().isdigit():
                self.fail("in numeric literal")
        if self.peek() == "0":
            self.position += 1
        else:
            self._digits("in numeric literal")
        if self.peek() == ".":
            self.position += 1
            self._digits("after decimal point in numeric literal")
        if self.peek() and self.peek() in "eE":
            self.position += 1
            if self.peek() and self.peek() in "+-":
                self.position += 1
            self._digits("in exponent of numeric literal")

    def _word(self, word: str) -> None:
        for index, expected in enumerate(word):
            if self.peek() != expected:
                self.fail(f"in literal {word} (expecting {shown(word[index])})")
            self.position += 1
