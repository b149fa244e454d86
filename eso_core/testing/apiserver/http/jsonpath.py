"""The subset of JSONPath that printer columns and selectable fields use.

Dotted fields, quoted fields, indexes, slices, wildcards, ``..`` is not part of it; filters compare a path with a
literal (``?(@.type=="Ready")``) or test that a path exists.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

Step = Callable[[list[Any]], list[Any]]

_FIELD: Final = re.compile(r"[^.\[\]\s{}]+")
_FILTER: Final = re.compile(r"\?\(\s*(?P<left>@[^=!<>]*?)\s*(?:(?P<op>==|!=|<=|>=|<|>)\s*(?P<right>.+?)\s*)?\)\Z", re.S)


class PathError(ValueError):
    """The path cannot be read."""


def _field(name: str) -> Step:
    def step(nodes: list[Any]) -> list[Any]:
        return [node[name] for node in nodes if isinstance(node, dict) and name in node]

    return step


def _wildcard(nodes: list[Any]) -> list[Any]:
    found: list[Any] = []
    for node in nodes:
        if isinstance(node, list):
            found.extend(node)
        elif isinstance(node, dict):
            found.extend(node[key] for key in sorted(node))
    return found


def _index(index: int) -> Step:
    def step(nodes: list[Any]) -> list[Any]:
        return [node[index] for node in nodes if isinstance(node, list) and -len(node) <= index < len(node)]

    return step


def _slice(piece: slice) -> Step:
    def step(nodes: list[Any]) -> list[Any]:
        return [item for node in nodes if isinstance(node, list) for item in node[piece]]

    return step


def _literal(text: str) -> Any:
    text = text.strip()
    if text[:1] in ("'", '"') and text[-1:] == text[:1] and len(text) > 1:
        return text[1:-1]
    try:
        return json.loads(text)
    except ValueError as error:
        raise PathError(f"unreadable literal {text}") from error


_ORDER: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}


def _compare(name: str, left: Any, right: Any) -> bool:
    if name in ("==", "!="):
        return bool(left == right) == (name == "==")
    comparable = (str, str) if isinstance(left, str) else (int | float, int | float)
    if isinstance(left, bool) or not (isinstance(left, comparable[0]) and isinstance(right, comparable[1])):
        return False
    return bool(_ORDER[name](left, right))


def _filter(text: str) -> Step:
    match = _FILTER.match(text)
    if match is None:
        raise PathError(f"unreadable filter {text}")
    left = compile_path(match["left"][1:])
    name = match["op"]
    right = _literal(match["right"]) if name else None

    def keep(item: Any) -> bool:
        found = left(item)
        if not name:
            return bool(found)
        return bool(found) and _compare(name, found[0], right)

    def step(nodes: list[Any]) -> list[Any]:
        return [item for node in nodes if isinstance(node, list) for item in node if keep(item)]

    return step


def _bracket_end(text: str, start: int) -> int:
    quote = ""
    depth = 0
    for position in range(start, len(text)):
        char = text[position]
        if quote:
            if char == quote:
                quote = ""
        elif char in "'\"":
            quote = char
        elif char == "[":
            depth += 1
        elif char == "]":
            depth -= 1
            if depth == 0:
                return position
    raise PathError("unterminated array")


def _bracket(text: str) -> Step:
    if text == "*":
        return _wildcard
    if text[:1] in ("'", '"') and text[-1:] == text[:1] and len(text) > 1:
        return _field(text[1:-1])
    if text.startswith("?"):
        return _filter(text)
    parts = text.split(":")
    try:
        numbers = [int(part) if part.strip() else None for part in parts]
    except ValueError as error:
        raise PathError(f"invalid array index {text}") from error
    if len(parts) == 1:
        if numbers[0] is None:
            raise PathError(f"invalid array index {text}")
        return _index(numbers[0])
    return _slice(slice(*numbers))


@lru_cache(maxsize=4096)
def compile_path(path: str) -> Callable[[Any], list[Any]]:
    """A function that gives every value at the path. Raises `PathError`."""
    text = path.strip()
    if text.startswith("{") and text.endswith("}"):
        text = text[1:-1].strip()
    text = text.removeprefix("$")
    steps: list[Step] = []
    position = 0
    while position < len(text):
        char = text[position]
        if char == ".":
            position += 1
            if text.startswith("*", position):
                steps.append(_wildcard)
                position += 1
        elif char == "[":
            end = _bracket_end(text, position)
            steps.append(_bracket(text[position + 1 : end].strip()))
            position = end + 1
        else:
            match = _FIELD.match(text, position)
            if match is None:
                raise PathError(f"unrecognized character {char}")
            name = match.group()
            while name.endswith("\\") and position + len(name) < len(text):
                rest = _FIELD.match(text, position + len(name) + 1)
                name += "." + (rest.group() if rest else "")
            position += len(name)
            steps.append(_field(name.replace("\\.", ".")))

    def evaluate(value: Any) -> list[Any]:
        nodes = [value]
        for step in steps:
            nodes = step(nodes)
            if not nodes:
                break
        return nodes

    return evaluate
