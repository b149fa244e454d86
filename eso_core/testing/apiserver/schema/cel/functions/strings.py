"""The extended string functions and ``format``."""

from __future__ import annotations

import math
import re
from typing import Any, Final

from eso_core.testing.apiserver.schema.cel.errors import EvaluationError
from eso_core.testing.apiserver.schema.cel.functions.conversions import duration_seconds_text, timestamp_text, to_text
from eso_core.testing.apiserver.schema.cel.overloads import Library
from eso_core.testing.apiserver.schema.cel.values import Duration, Timestamp, TypeValue, runtime_type
from eso_core.testing.apiserver.schema.gotext import number, quote

LIBRARY: Final = Library()
declare = LIBRARY.declare

_UPPER: Final = {code: code - 32 for code in range(ord("a"), ord("z") + 1)}
_LOWER: Final = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


@declare("string :: charAt(int) -> string")
def _char_at(text: str, index: int) -> str:
    if not 0 <= index <= len(text):
        raise EvaluationError(f"index out of range: {index}")
    return text[index : index + 1]


@declare("string :: indexOf(string) -> int", "string :: indexOf(string, int) -> int")
def _index_of(text: str, part: str, start: int = 0) -> int:
    if not 0 <= start <= len(text):
        raise EvaluationError(f"index out of range: {start}")
    return text.find(part, start)


@declare("string :: lastIndexOf(string) -> int", "string :: lastIndexOf(string, int) -> int")
def _last_index_of(text: str, part: str, start: int | None = None) -> int:
    if start is None:
        return text.rfind(part)
    if not 0 <= start <= len(text):
        raise EvaluationError(f"index out of range: {start}")
    return text.rfind(part, 0, start + len(part))


@declare("string :: lowerAscii() -> string")
def _lower(text: str) -> str:
    return text.translate(_LOWER)


@declare("string :: upperAscii() -> string")
def _upper(text: str) -> str:
    return text.translate(_UPPER)


@declare("string :: replace(string, string) -> string", "string :: replace(string, string, int) -> string")
def _replace(text: str, old: str, new: str, limit: int = -1) -> str:
    return text.replace(old, new, limit)


@declare("string :: split(string) -> list(string)", "string :: split(string, int) -> list(string)")
def _split(text: str, separator: str, limit: int = -1) -> list[str]:
    if limit == 0:
        return []
    if not separator:
        return list(text) if limit < 0 or limit >= len(text) else [*text[: limit - 1], text[limit - 1 :]]
    return text.split(separator, limit - 1 if limit > 0 else -1)


@declare("string :: substring(int) -> string", "string :: substring(int, int) -> string")
def _substring(text: str, start: int, end: int | None = None) -> str:
    if not 0 <= start <= len(text):
        raise EvaluationError(f"index out of range: {start}")
    if end is None:
        return text[start:]
    if not 0 <= end <= len(text):
        raise EvaluationError(f"index out of range: {end}")
    if start > end:
        raise EvaluationError(f"invalid substring range. start: {start}, end: {end}")
    return text[start:end]


@declare("string :: trim() -> string")
def _trim(text: str) -> str:
    return text.strip()


@declare("string :: reverse() -> string")
def _reverse(text: str) -> str:
    return text[::-1]


@declare("list(string) :: join() -> string", "list(string) :: join(string) -> string")
def _join(parts: list[str], separator: str = "") -> str:
    return separator.join(parts)


_CLAUSE: Final = re.compile(r"%(?:%|(?:\.(?P<precision>\d*))?(?P<verb>.))", re.DOTALL)


@declare("string :: format(list(dyn)) -> string")
def _format(pattern: str, arguments: list[Any]) -> str:
    used = 0

    def clause(match: re.Match[str]) -> str:
        nonlocal used
        if match.group() == "%%":
            return "%"
        if used >= len(arguments):
            raise EvaluationError(f"index {used} out of range")
        value = arguments[used]
        used += 1
        precision = match["precision"]
        return _render(match["verb"], value, None if precision is None else int(precision or 0))

    text = _CLAUSE.sub(clause, pattern)
    if pattern.count("%") % 2 and pattern.endswith("%") and not pattern.endswith("%%"):
        raise EvaluationError("unexpected end of string")
    return text


def _render(verb: str, value: Any, precision: int | None) -> str:
    name = runtime_type(value).name
    match verb:
        case "s":
            return _show(value)
        case "d":
            if isinstance(value, float) and not math.isfinite(value):
                return _special(value)
            if not isinstance(value, int) or isinstance(value, bool):
                raise EvaluationError(
                    f"error during formatting: decimal clause can only be used on integers, was given {name}"
                )
            return str(int(value))
        case "f" | "e":
            return _float(verb, value, 6 if precision is None else precision, name)
        case "b":
            if isinstance(value, bool):
                return "1" if value else "0"
            if isinstance(value, int):
                return f"{int(value):b}"
            raise EvaluationError(
                f"error during formatting: only integers and bools can be formatted as binary, was given {name}"
            )
        case "x" | "X":
            return _hex(verb, value, name)
        case "o":
            if isinstance(value, int) and not isinstance(value, bool):
                return f"{int(value):o}"
            raise EvaluationError(
                f"error during formatting: octal clause can only be used on integers, was given {name}"
            )
    raise EvaluationError(f'could not parse formatting clause: unrecognized formatting clause "{verb}"')


def _special(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _float(verb: str, value: Any, precision: int, name: str) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        kind = "fixed-point" if verb == "f" else "scientific"
        raise EvaluationError(f"error during formatting: {kind} clause can only be used on doubles, was given {name}")
    if not math.isfinite(value):
        return _special(float(value))
    return f"{value:.{precision}f}" if verb == "f" else f"{value:.{precision}e}"


def _hex(verb: str, value: Any, name: str) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        text = f"{int(value):x}"
    elif isinstance(value, str):
        text = value.encode().hex()
    elif isinstance(value, bytes):
        text = value.hex()
    else:
        raise EvaluationError(
            "error during formatting: only integers, byte buffers, and strings can be formatted as hex, "
            f"was given {name}"
        )
    return text.upper() if verb == "X" else text


def _show(value: Any, *, nested: bool = False) -> str:
    match value:
        case str():
            return quote(value) if nested else value
        case None:
            return "null"
        case float():
            return number(value) if math.isfinite(value) else _special(value)
        case bool() | int() | bytes():
            return to_text(value)
        case Timestamp():
            text = timestamp_text(value)
            return f'timestamp("{text}")' if nested else text
        case Duration():
            text = f"{duration_seconds_text(value)}s"
            return f'duration("{text}")' if nested else text
        case list():
            return f"[{', '.join(_show(item, nested=True) for item in value)}]"
        case dict():
            entries = sorted((_show(key, nested=True), _show(item, nested=True)) for key, item in value.items())
            return f"{{{', '.join(f'{key}:{item}' for key, item in entries)}}}"
        case TypeValue():
            return str(value.type)
    raise EvaluationError(
        "error during formatting: string clause can only be used on strings, bools, bytes, ints, doubles, maps, "
        f"lists, types, durations, and timestamps, was given {runtime_type(value).name}"
    )
