"""Text: trimming, cutting, joining, asking. Positions count bytes, as Go's do."""

from __future__ import annotations

from controllers.templating.budget import allocate
from controllers.templating.functions.registry import FunctionError, function
from controllers.templating.gotemplate.casing import is_space, lower, map_text, title, trim_space, upper
from controllers.templating.gotemplate.fmt import to_text
from controllers.templating.gotemplate.quoting import characters as characters_of
from controllers.templating.gotemplate.quoting import encoded, quote, text
from controllers.templating.gotemplate.values import Value

__all__ = ["replace_all"]

GROUP = "Text"
_WORD = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")


@function(
    "trim",
    "string",
    "The text without white space at both ends.",
    group=GROUP,
    example='{{ trim "  a b " }}',
    result="a b",
)
def trim(value: bytes) -> bytes:
    return trim_space(value)


@function(["trimAll", "trimall"], "string, string", "The text without the given characters at both ends.", group=GROUP,
          example='{{ "$5.00$" | trimAll "$" }}', result="5.00")  # fmt: skip
def trim_all(characters: bytes, value: bytes) -> bytes:
    if characters.isascii():
        return value.strip(characters) if characters else value
    unwanted = text(characters)
    if "\ufffd" in unwanted:
        unwanted += "".join(map(chr, range(0xDC80, 0xDD00)))  # invalid bytes count as U+FFFD
    return encoded(characters_of(value).strip(unwanted))


@function("trimSuffix", "string, string", "The text without the ending, if it has it.", group=GROUP,
          example='{{ trimSuffix ".example" "db.example" }}', result="db")  # fmt: skip
def trim_suffix(ending: bytes, value: bytes) -> bytes:
    return value.removesuffix(ending)


@function("trimPrefix", "string, string", "The text without the beginning, if it has it.", group=GROUP,
          example='{{ trimPrefix "v" "v1.2" }}', result="1.2")  # fmt: skip
def trim_prefix(beginning: bytes, value: bytes) -> bytes:
    return value.removeprefix(beginning)


@function("upper", "string", "The text in upper case.", group=GROUP, example='{{ upper "straße" }}', result="STRAßE")
def upper_case(value: bytes) -> bytes:
    return value.upper() if value.isascii() else map_text(value, upper)


@function("lower", "string", "The text in lower case.", group=GROUP, example='{{ lower "ÄB" }}', result="äb")
def lower_case(value: bytes) -> bytes:
    return value.lower() if value.isascii() else map_text(value, lower)


def _separates(char: str) -> bool:
    return char not in _WORD if char < "\x80" else is_space(char)


@function("title", "string", "The first letter of each word in title case.", group=GROUP,
          example='{{ title "hello big-world" }}', result="Hello Big-World")  # fmt: skip
def title_case(value: bytes) -> bytes:
    allocate(8 * len(value))
    before = " "
    changed = []
    for char in text(value):
        changed.append(title(char) if _separates(before) else char)
        before = char
    return "".join(changed).encode()


@function("untitle", "string", "The first letter of each word in lower case.", group=GROUP,
          example='{{ untitle "Hello World" }}', result="hello world")  # fmt: skip
def untitle(value: bytes) -> bytes:
    allocate(8 * len(value))
    starts = True
    changed = []
    for char in text(value):
        space = is_space(char)
        changed.append(lower(char) if starts and not space else char)
        starts = space
    return "".join(changed).encode()


@function("repeat", "int, string", "The text n times.", group=GROUP, example='{{ repeat 3 "ab" }}', result="ababab")
def repeat(count: int, value: bytes) -> bytes:
    if count < 0:
        raise FunctionError("strings: negative Repeat count")
    if count * len(value) >= 1 << 63:
        raise FunctionError("strings: Repeat output length overflow")
    allocate(count * len(value))
    return value * count


@function("substr", "int, int, string", "The bytes from start to end; to the end of the text if end is negative.", group=GROUP,
          example='{{ substr 0 5 "hello world" }}', result="hello")  # fmt: skip
def substr(start: int, end: int, value: bytes) -> bytes:
    size = len(value)
    if start < 0:
        if end < 0:
            raise FunctionError(f"runtime error: slice bounds out of range [:{end}]")
        if end > size:
            raise FunctionError(f"runtime error: slice bounds out of range [:{end}] with length {size}")
        return value[:end]
    if end < 0 or end > size:
        end = size
    if start > end:
        raise FunctionError(f"runtime error: slice bounds out of range [{start}:{end}]")
    return value[start:end]


@function("trunc", "int, string", "The first n bytes, or the last ones for a negative n.", group=GROUP,
          example='{{ trunc 5 "hello world" }}{{ trunc -5 "hello world" }}', result="helloworld")  # fmt: skip
def trunc(count: int, value: bytes) -> bytes:
    if count >= 0:
        return value[:count]
    return value[count:] if len(value) + count > 0 else value


def _abbreviate(value: bytes, offset: int, width: int) -> bytes:
    size = len(value)
    if size <= width:
        return value
    offset = min(offset, size)
    if size - offset < width - 3:
        offset = size - (width - 3)
    if offset <= 4:
        return value[: width - 3] + b"..."
    if width < 7:
        return b""
    if offset + width - 3 < size:
        return b"..." + _abbreviate(value[offset:], 0, width - 3)
    return b"..." + value[size - (width - 3) :]


@function("abbrev", "int, string", "The text cut to a width, three points at its end included.", group=GROUP,
          example='{{ abbrev 8 "hello world" }}', result="hello...")  # fmt: skip
def abbrev(width: int, value: bytes) -> bytes:
    return value if width < 4 else _abbreviate(value, 0, width)


@function("abbrevboth", "int, int, string", "The text from an offset, cut to a width at both ends.", group=GROUP,
          example='{{ abbrevboth 5 10 "1234 5678 9123" }}', result="...5678...")  # fmt: skip
def abbrev_both(left: int, right: int, value: bytes) -> bytes:
    return value if right < 4 or (left > 0 and right < 7) else _abbreviate(value, left, right)


@function("contains", "string, string", "Whether the second text holds the first.", group=GROUP,
          example='{{ contains "cat" "concatenate" }}', result="true")  # fmt: skip
def contains(part: bytes, value: bytes) -> bool:
    return part in value


@function("hasPrefix", "string, string", "Whether the second text begins with the first.", group=GROUP,
          example='{{ hasPrefix "post" "postgres" }}', result="true")  # fmt: skip
def has_prefix(beginning: bytes, value: bytes) -> bool:
    return value.startswith(beginning)


@function("hasSuffix", "string, string", "Whether the second text ends with the first.", group=GROUP,
          example='{{ hasSuffix "sql" "mysql" }}', result="true")  # fmt: skip
def has_suffix(ending: bytes, value: bytes) -> bool:
    return value.endswith(ending)


def _spaced(pieces: list[bytes]) -> bytes:
    allocate(sum(map(len, pieces)) + len(pieces))
    return b" ".join(pieces)


@function("quote", "...any", "The values in double quotes, as a Go literal; nil is left out.", group=GROUP,
          example='{{ quote "a\\"b" 1 nil }}', result='"a\\"b" "1"')  # fmt: skip
def quoted(*values: Value) -> bytes:
    if len(values) == 1 and type(values[0]) is bytes:
        return quote(values[0])
    return _spaced([quote(to_text(value)) for value in values if value is not None])


@function("squote", "...any", "The values in single quotes, as they are; nil is left out.", group=GROUP,
          example='{{ squote "a" 1 }}', result="'a' '1'")  # fmt: skip
def single_quoted(*values: Value) -> bytes:
    return _spaced([b"'" + to_text(value) + b"'" for value in values if value is not None])


@function("cat", "...any", "The values with spaces between; nil is left out.", group=GROUP,
          example='{{ cat "a" 1 nil "b" }}', result="a 1 b")  # fmt: skip
def cat(*values: Value) -> bytes:
    return _spaced([to_text(value) for value in values if value is not None])


def replace_all(value: bytes, old: bytes, new: bytes) -> bytes:
    """Every `old` replaced; an empty one stands between all characters."""
    if old:
        allocate(len(value) + max(len(new) - len(old), 0) * (value.count(old) if len(new) > len(old) else 0))
        return value.replace(old, new)
    pieces = characters_of(value)
    allocate(len(value) + len(new) * (len(pieces) + 1))
    return encoded("".join(f"{characters_of(new)}{piece}" for piece in pieces)) + new


@function("replace", "string, string, string", "The third text with every first one replaced by the second.", group=GROUP,
          example='{{ "I am here" | replace " " "-" }}', result="I-am-here")  # fmt: skip
def replace(old: bytes, new: bytes, value: bytes) -> bytes:
    return replace_all(value, old, new)


def _indent(spaces: int, value: bytes) -> bytes:
    if spaces < 0:
        raise FunctionError("strings: negative Repeat count")
    allocate(len(value) + spaces * (value.count(b"\n") + 1))
    pad = b" " * spaces
    return pad + value.replace(b"\n", b"\n" + pad)


@function("indent", "int, string", "Every line indented by n spaces.", group=GROUP,
          example='{{ indent 2 "a\\nb" }}', result="  a\n  b")  # fmt: skip
def indent(spaces: int, value: bytes) -> bytes:
    return _indent(spaces, value)


@function("nindent", "int, string", "A new line, then every line indented by n spaces.", group=GROUP,
          example='key:{{ nindent 2 "a\\nb" }}', result="key:\n  a\n  b")  # fmt: skip
def nindent(spaces: int, value: bytes) -> bytes:
    return b"\n" + _indent(spaces, value)


@function("plural", "string, string, int", "The first text for the count of one, the second for every other.", group=GROUP,
          example='{{ 3 | plural "one key" "many keys" }}', result="many keys")  # fmt: skip
def plural(one: bytes, many: bytes, count: int) -> bytes:
    return one if count == 1 else many


def _latin(value: bytes) -> str:
    """Each byte as the character of its number: what the two functions below take text for."""
    return value.decode("latin-1")


@function("initials", "string", "The first character of each word.", group=GROUP,
          example='{{ initials "First Try" }}', result="FT")  # fmt: skip
def initials(value: bytes) -> bytes:
    starts = True
    kept = []
    for char in _latin(value):
        space = is_space(char)
        if starts and not space:
            kept.append(char)
        starts = space
    return "".join(kept).encode()


@function(
    "nospace", "string", "The text without white space.", group=GROUP, example='{{ nospace "a b  c" }}', result="abc"
)
def nospace(value: bytes) -> bytes:
    kept = [char for char in _latin(value) if not is_space(char)]
    return "".join(kept).encode() if len(kept) < len(value) else value


def _wrap(value: bytes, width: int, separator: bytes, *, cut: bool) -> bytes:
    width = max(width, 1)
    size, at, made = len(value), 0, 0
    lines: list[bytes] = []
    while size - at > width:
        if value[at] == 0x20:
            at += 1
            continue
        space = value.rfind(b" ", at, at + width + 1)
        following = at + width
        if space >= at:
            following = space + 1
        elif cut:
            space = following
        else:
            space = value.find(b" ", at + width)
            if space < 0:
                break
            following = space + 1
        lines.append(value[at:space])
        made += len(separator) + space - at
        allocate(made)
        at = following
    lines.append(value[at:])
    return separator.join(lines)


@function("wrap", "int, string", "Lines of at most n bytes, broken at spaces.", group=GROUP,
          example='{{ wrap 7 "hello big world" }}', result="hello\nbig\nworld")  # fmt: skip
def wrap(width: int, value: bytes) -> bytes:
    return _wrap(value, width, b"\n", cut=False)


@function("wrapWith", "int, string, string", "Pieces of at most n bytes with a separator; long words are cut.", group=GROUP,
          example='{{ wrapWith 5 "|" "HelloWorld" }}', result="Hello|World")  # fmt: skip
def wrap_with(width: int, separator: bytes, value: bytes) -> bytes:
    return _wrap(value, width, separator or b"\n", cut=True)


@function("hello", "", "A greeting, to try templates with.", group=GROUP, example="{{ hello }}", result="Hello!")
def hello() -> bytes:
    return b"Hello!"
