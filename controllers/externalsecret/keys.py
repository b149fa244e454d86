"""Keys of fetched maps: rewriting, conversion, validation.

Rewriting with regular expressions takes RE2 patterns and Go's replacement texts. Where two keys end up as one, the last
source key in byte order wins, so that repeated refreshes write the same value; the collision is reported, not hidden.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Protocol

import re2
from msgspec import Struct, field

from controllers.concealed import Concealed
from controllers.externalsecret.errors import KeysRefused
from controllers.externalsecret.merge import MergeRule, merge_values
from providers.errors import InvalidData
from providers.keynames import convert_names, is_kept

__all__ = [
    "Collision",
    "KeyTransform",
    "PatternError",
    "RegexpRule",
    "RewriteRule",
    "Rewritten",
    "TransformRule",
    "compile_pattern",
    "convert_keys",
    "expand_replacement",
    "replace_all",
    "rewrite",
    "valid_keys",
]

_GO_COMPLAINTS = {
    "missing ]": "missing closing ]",
    "missing )": "missing closing )",
    "trailing \\": "trailing backslash at end of expression",
    "no argument for repetition operator": "missing argument to repetition operator",
    "invalid repetition size": "invalid repeat count",
    "bad repetition operator": "invalid nested repetition operator",
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "invalid named capture group": "invalid named capture",
}

_MAX_KEY_BYTES = 253
"""Longest key that the API server takes in `data` of a Secret."""


class KeyTransform(Protocol):
    """Renders one key with a template of `rewrite.transform`."""

    def __call__(self, template: str, key: str) -> str: ...


class RegexpRule(Struct, frozen=True):
    """Replace every match of `source` (RE2) by `target` (Go replacement syntax)."""

    source: str
    target: str


class TransformRule(Struct, frozen=True):
    """Replace each key by what the template makes of it."""

    template: str


RewriteRule = RegexpRule | TransformRule | MergeRule


class Collision(Struct, frozen=True):
    """Several source keys became one; the last of `sources` gave the value."""

    key: str
    sources: tuple[str, ...]


class Rewritten(Concealed, Struct):
    """The outcome of a list of rewrite operations."""

    values: dict[str, bytes]
    collisions: list[Collision] = field(default_factory=list)


def rewrite(rules: Iterable[RewriteRule], values: Mapping[str, bytes], transform: KeyTransform) -> Rewritten:
    """Apply the operations in order.

    Raises:
        KeysRefused: names the operation that failed.
    """
    result = Rewritten(dict(values))
    for index, rule in enumerate(rules):
        try:
            match rule:
                case MergeRule():
                    result.values = merge_values(rule, result.values)
                case RegexpRule():
                    pattern = _compile(rule.source)
                    _rename(result, {key: replace_all(pattern, rule.target, key) for key in result.values})
                case TransformRule():
                    _rename(result, {key: transform(rule.template, key) for key in result.values})
        except KeysRefused as error:
            raise KeysRefused(f"error applying rewrite to keys: failed rewrite operation[{index}]: {error}") from error
    return result


def _rename(result: Rewritten, names: Mapping[str, str]) -> None:
    sources: dict[str, list[str]] = {}
    for old in sorted(names, key=str.encode):
        sources.setdefault(names[old], []).append(old)
    values = result.values
    result.values = {new: values[olds[-1]] for new, olds in sources.items()}
    result.collisions += [Collision(new, tuple(olds)) for new, olds in sources.items() if len(olds) > 1]


class PatternError(ValueError):
    """A text is no regular expression (RE2); the message is Go's."""


def compile_pattern(source: str) -> re2._Regexp:
    """A regular expression of the language that Go knows.

    Raises:
        PatternError: it is none.
    """
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(source, options)
    except re2.error as error:
        raise PatternError(f"error parsing regexp: {_complaint(error)}") from None


def _compile(source: str) -> re2._Regexp:
    try:
        return compile_pattern(source)
    except PatternError as error:
        raise KeysRefused(f"regexp failed with failed to compile: {error}") from None


def _complaint(error: re2.error) -> str:
    """RE2's complaint in the words of Go's implementation of the same language."""
    raw = error.args[0] if error.args else b"internal error"
    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
    code, _, argument = text.partition(": ")
    return f"{_GO_COMPLAINTS.get(code, code)}: `{argument}`" if argument else _GO_COMPLAINTS.get(code, code)


def replace_all(pattern: re2._Regexp, replacement: str, text: str) -> str:
    """Go's `ReplaceAllString`: every match that does not overlap the one before, replacement expanded."""
    out: list[str] = []
    done = 0
    previous_end = -1
    for match in pattern.finditer(text):
        begin, end = match.span()
        if begin == end == previous_end:
            continue  # Go takes no empty match directly after a match
        out.append(text[done:begin])
        out.append(expand_replacement(match, replacement))
        done = previous_end = end
    out.append(text[done:])
    return "".join(out)


def expand_replacement(match: re2._Match, replacement: str) -> str:
    """Go's `Expand`: `$name` and `${name}`, `$$` for a dollar sign, unknown groups empty."""
    out: list[str] = []
    rest = replacement
    while rest:
        before, dollar, rest = rest.partition("$")
        out.append(before)
        if not dollar:
            break
        if rest.startswith("$"):
            out.append("$")
            rest = rest[1:]
            continue
        name, length = _group_name(rest)
        if not length:
            out.append("$")  # malformed: the dollar stands for itself
            continue
        rest = rest[length:]
        out.append(_group(match, name))
    return "".join(out)


def _group_name(text: str) -> tuple[str, int]:
    """Name at the start of `text`, and how many characters it takes there; length 0 if there is none."""
    braced = text.startswith("{")
    body = text[1:] if braced else text
    size = 0
    while size < len(body) and (body[size] == "_" or unicodedata.category(body[size]) in _WORD):
        size += 1
    if size == 0:
        return "", 0
    if not braced:
        return body[:size], size
    return (body[:size], size + 2) if body[size : size + 1] == "}" else ("", 0)


_WORD = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "Nd"})


def _group(match: re2._Match, name: str) -> str:
    if name.isascii() and name.isdigit():
        if len(name) > 1 and name.startswith("0"):
            return ""  # a number with leading zeros is a name in Go, and no group has such a name
        number = int(name)
        return (match.group(number) or "") if number <= match.re.groups else ""
    return (match.group(name) or "") if name in match.re.groupindex else ""


def convert_keys(strategy: str, values: Mapping[str, bytes]) -> dict[str, bytes]:
    """Make keys acceptable: `Default` (also when absent) puts `_` for each foreign character, `Unicode` its code.

    Raises:
        KeysRefused: two keys convert to the same one.
    """
    try:
        return convert_names(strategy, values)
    except InvalidData as error:
        raise KeysRefused(f"error applying conversion strategy {strategy or 'Default'} to keys: {error}") from error


def valid_keys(values: Mapping[str, bytes]) -> dict[str, bytes]:
    """The map without the empty key.

    Raises:
        KeysRefused: a key is too long, or has a character that conversion would have replaced. (Letters and digits of
            other scripts pass: a template may pick the value up under another key. The API server refuses the rest.)
    """
    tip = "invalid secret keys (TIP: use rewrite or conversionStrategy to change keys): "
    for key in sorted(values, key=str.encode):
        size = len(key.encode())
        if size > _MAX_KEY_BYTES:
            shown = key.encode()[:_MAX_KEY_BYTES].decode("utf-8", "ignore")
            raise KeysRefused(
                f"{tip}key has length {size} but max is {_MAX_KEY_BYTES}: (following is truncated): {shown}"
            )
        for char in key:
            if not is_kept(char):
                raise KeysRefused(
                    f"{tip}key has invalid character {char}, only alphanumeric, '-', '.' and '_' are allowed: {key}"
                )
    return {key: value for key, value in values.items() if key}
