"""Source text to tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from eso_core.testing.apiserver.schema.cel.errors import Issue
from eso_core.testing.apiserver.schema.cel.values import UInt


@dataclass(frozen=True, slots=True)
class Token:
    """A token: ``kind`` is the symbol itself, or one of the names below, or ``<EOF>``."""

    kind: str
    text: str
    position: int
    value: Any = None


_SPEC: Final = re.compile(
    r"""
      (?P<space>[\t\r\n\f ]+|//[^\n]*)
    | (?P<raw>[rR][bB]?|[bB][rR])(?=["'])
    | (?P<NUM_FLOAT>\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?)
    | (?P<NUM_UINT>(?:0x[0-9a-fA-F]+|\d+)[uU])
    | (?P<NUM_INT>0x[0-9a-fA-F]+|\d+)
    | (?P<IDENTIFIER>[a-zA-Z_][a-zA-Z0-9_]*)
    | (?P<ESC_IDENTIFIER>`[a-zA-Z0-9_.\-/ ]+`)
    | (?P<symbol>==|!=|<=|>=|&&|\|\||[<>\[\]{}().,\-!?:+*/%])
    """,
    re.VERBOSE,
)
_PREFIX: Final = re.compile(r"(?P<prefix>[rR][bB]?|[bB][rR]?)?(?P<quote>\"\"\"|'''|\"|')")
_SIMPLE: Final = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    '"': '"',
    "'": "'",
    "\\": "\\",
    "?": "?",
    "`": "`",
}
_ESCAPE: Final = re.compile(
    r"\\(?:([abfnrtv\"'\\?`])|[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2}))"
)
_WORDS: Final = frozenset(("true", "false", "null", "in"))


def tokenize(source: str) -> tuple[list[Token], list[Issue]]:
    """The tokens, ending with ``<EOF>``, and what could not be read. Unreadable text is skipped."""
    tokens: list[Token] = []
    issues: list[Issue] = []
    position = 0
    while position < len(source):
        match = _PREFIX.match(source, position)
        if match:
            token = _string(source, position, match)
            if token is None:
                issues.append(Issue(position, f"Syntax error: token recognition error at: '{source[position:]}'"))
                break
            tokens.append(token)
            position += len(token.text)
            continue
        match = _SPEC.match(source, position)
        if match is None or match.lastgroup == "raw":
            end = position + 1
            if source[position] in "&|=" and source[end : end + 1] == " ":
                end += 1  # a lone half of an operator takes the character that made it wrong along
            issues.append(Issue(position, f"Syntax error: token recognition error at: '{source[position:end]}'"))
            position = end
            continue
        kind, text = str(match.lastgroup), match.group()
        if kind != "space":
            if kind == "symbol" or (kind == "IDENTIFIER" and text in _WORDS):
                kind = text
            value = _number(kind, text, position, issues)
            tokens.append(Token(kind, text, position, value))
        position = match.end()
    tokens.append(Token("<EOF>", "<EOF>", len(source)))
    return tokens, issues


def _number(kind: str, text: str, position: int, issues: list[Issue]) -> Any:
    if kind == "NUM_FLOAT":
        return float(text)
    if kind == "NUM_INT":
        # The sign belongs to another token; the parser puts the smallest integer together.
        value = int(text, 16) if text.startswith("0x") else int(text)
        if value > 2**63:
            issues.append(Issue(position, "Syntax error: invalid int literal"))
        return value
    if kind == "NUM_UINT":
        digits = text[:-1]
        value = int(digits, 16) if digits.startswith("0x") else int(digits)
        if value >= 2**64:
            issues.append(Issue(position, "Syntax error: invalid uint literal"))
            return UInt(0)
        return UInt(value)
    return None


def _string(source: str, position: int, match: re.Match[str]) -> Token | None:
    prefix, quote = (match["prefix"] or "").lower(), match["quote"]
    raw, cursor = "r" in prefix, match.end()
    while True:
        if cursor >= len(source):
            return None
        if source.startswith(quote, cursor):
            break
        if source[cursor] == "\\" and not raw:
            escape = _ESCAPE.match(source, cursor)
            if escape is None:
                return None
            cursor = escape.end()
            continue
        if len(quote) == 1 and source[cursor] in "\r\n":
            return None
        cursor += 1
    body = source[match.end() : cursor]
    text = source[position : cursor + len(quote)]
    if "b" in prefix:
        return Token("BYTES", text, position, body.encode() if raw else _unescape_bytes(body))
    return Token("STRING", text, position, body if raw else _ESCAPE.sub(_character, body))


def _character(match: re.Match[str]) -> str:
    simple, hex_, short, long, octal = match.groups()
    if simple:
        return _SIMPLE[simple]
    return chr(int(octal, 8)) if octal else chr(int(hex_ or short or long, 16))


def _unescape_bytes(body: str) -> bytes:
    out, last = bytearray(), 0
    for match in _ESCAPE.finditer(body):
        out += body[last : match.start()].encode()
        hex_, octal = match[2], match[5]
        # In bytes these two name a byte; in strings they name a character.
        out += bytes([int(hex_, 16)]) if hex_ else bytes([int(octal, 8)]) if octal else _character(match).encode()
        last = match.end()
    return bytes(out + body[last:].encode())
