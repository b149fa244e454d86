"""Taking a path apart: the first component, what follows it, and how they are joined."""

from __future__ import annotations

import re

from msgspec import Struct

from providers.gjson.result import unquote
from providers.gjson.wildcard import ANY, ONE, Wildcard

__all__ = ["MODIFIERS", "Component", "Query", "array_component", "object_component", "split_pipe", "wildcard_match"]

MODIFIERS = frozenset(
    {
        "this",
        "reverse",
        "ugly",
        "pretty",
        "valid",
        "flatten",
        "join",
        "keys",
        "values",
        "tostr",
        "fromstr",
        "group",
        "dig",
    }
)


class Query(Struct, frozen=True):
    """``#(path op value)``; ``every`` for ``#(...)#``."""

    path: str
    op: str
    value: str
    every: bool


class Component(Struct, frozen=True):
    """The first component of a path.

    ``rest`` is what follows after ``.`` and is looked up inside, with backtracking; ``pipe`` is applied to the result.
    None means that there is no such part.
    """

    name: str
    pattern: Wildcard | None = None  # set when the name has wildcards
    rest: str | None = None
    pipe: str | None = None
    query: Query | None = None
    each: str | None = None  # the path after "#."
    count: bool = False  # "#" alone


def starts_other_language(path: str) -> bool:
    """Whether a component is a modifier or multipath rather than a key."""
    if path.startswith("@"):
        return re.split(r"[.|:]", path[1:], maxsplit=1)[0] in MODIFIERS
    return path.startswith(("[", "{"))


def object_component(path: str) -> Component:
    """The first component of a path that meets an object."""
    plain: list[str] = []
    pattern: list[tuple[str, bool]] = []
    wild = False
    position = 0
    rest = pipe = None
    while position < len(path):
        char = path[position]
        if char == "\\":
            position += 1
            if position >= len(path):
                break
            plain.append(path[position])
            pattern.append((path[position], True))
        elif char == "|":
            pipe = path[position + 1 :]
            break
        elif char == ".":
            tail = path[position + 1 :]
            if tail and starts_other_language(tail):
                pipe = tail
            else:
                rest = tail
            break
        else:
            plain.append(char)
            special = char in (ANY, ONE)
            wild = wild or special
            pattern.append((char, not special))
        position += 1
    compiled = Wildcard(pattern) if wild else None
    return Component("".join(plain), pattern=compiled, rest=rest, pipe=pipe)


def array_component(path: str) -> Component:
    """The first component of a path that meets an array."""
    if path.startswith("#"):
        if path.startswith("#."):
            left, right = split_pipe(path[2:])
            return Component("#", each=left, pipe=right)
        if path.startswith(("#(", "#[")):
            return _query_component(path)
    cut = re.search(r"[.|]", path)
    if cut is None:
        return Component(path, count=path == "#")
    name, tail = path[: cut.start()], path[cut.end() :]
    if cut.group() == "|" or (tail and starts_other_language(tail)):
        return Component(name, pipe=tail, count=name == "#")
    return Component(name, rest=tail, count=name == "#")


def _query_component(path: str) -> Component:
    end, operator = _scan_query(path)
    if end is None:
        return Component(path)
    every = path[end : end + 1] == "#"
    after = path[end + 1 :] if every else path[end:]
    inner = path[2 : end - 1]
    if operator is None:
        query = Query(inner.strip(), "", "", every)
    else:
        name, comparison = path[2:operator].strip(), path[operator : end - 1].strip()
        op = next(o for o in ("!=", "!%", "<=", ">=", "==", "=", "<", ">", "%", "!") if comparison.startswith(o))
        value = comparison[len(op) :].strip()
        if len(value) >= 2 and value.startswith('"') and value.endswith('"'):
            value = unquote(value)
        query = Query(name, "=" if op == "==" else op, value, every)
    if not after:
        return Component("#", query=query)
    if after[0] == "|":
        return Component("#", query=query, pipe=after[1:])
    if after[0] == ".":
        left, right = split_pipe(after[1:])
        return Component("#", query=query, rest=left, pipe=right)
    return Component(path)


def _scan_query(path: str) -> tuple[int | None, int | None]:
    """Where a query ends (after its bracket) and where its operator starts."""
    depth = 1
    operator: int | None = None
    position = 2
    while position < len(path):
        char = path[position]
        if depth == 1 and operator is None and char in "!=<>%":
            operator = position
        elif char == "\\":
            position += 1
        elif char in "[(":
            depth += 1
        elif char in "])":
            depth -= 1
            if depth == 0:
                return position + 1, operator
        elif char == '"':
            position = _end_of_quoted(path, position)
        position += 1
    return None, None


def _end_of_quoted(path: str, start: int) -> int:
    position = start + 1
    while position < len(path) and path[position] != '"':
        position += 2 if path[position] == "\\" else 1
    return position


def split_pipe(path: str) -> tuple[str, str | None]:
    """Cuts at the first ``|`` that is not inside brackets, quotes or an escape."""
    depth = 0
    position = 0
    while position < len(path):
        char = path[position]
        if char == "\\":
            position += 1
        elif char in "{[(":
            depth += 1
        elif char in "}])":
            depth -= 1
        elif char == '"':
            position = _end_of_quoted(path, position)
        elif char == "|" and depth <= 0:
            return path[:position], path[position + 1 :]
        position += 1
    return path, None


def wildcard_match(text: str, pattern: str) -> bool:
    """Whether a query's pattern (``*``, ``?``, ``\\`` escapes) covers all of a text."""
    tokens: list[tuple[str, bool]] = []
    position = 0
    while position < len(pattern):
        char = pattern[position]
        if char == "\\" and position + 1 < len(pattern):
            position += 1
            tokens.append((pattern[position], True))
        else:
            tokens.append((char, char not in (ANY, ONE)))
        position += 1
    return Wildcard(tokens).covers(text)
