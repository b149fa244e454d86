"""Walking a document along a path."""

from __future__ import annotations

import re

from providers.gjson import modifiers
from providers.gjson.path import (
    MODIFIERS,
    Component,
    Query,
    array_component,
    object_component,
    wildcard_match,
)
from providers.gjson.result import (
    Kind,
    Result,
    classify,
    elements,
    end_of_value,
    member_spans,
    members,
    parse,
    quote,
    unquote,
)

__all__ = ["get"]

_FIRST_CONTAINER = re.compile(r"[{\[]")
_INDEX = re.compile(r"[0-9]+\Z", re.ASCII)
_SIMPLE_NAME = re.compile(r"[^\x00-\x1f\[\]{}()<>]+\Z")


def get(document: str, path: str) -> Result | None:
    """What ``path`` finds in ``document``, or None. The empty path is the key ``""``."""
    if len(path) > 1:
        match path[0]:
            case "@":
                found = _modifier(document, path)
                if found is not None:
                    return _continue(*found)
            case "!":
                return _continue(*_literal(path))
            case "[" | "{":
                built = _multipath(document, path)
                if built is not None:
                    return _continue(*built)
    if path.startswith(".."):
        return _walk(_lines(document), Kind.ARRAY, path[2:])
    start = _FIRST_CONTAINER.search(document)
    if start is None:
        # Nothing to walk; only a pipe can still make something of nothing.
        component = object_component(path)
        return get("", component.pipe) if component.pipe is not None else None
    text = document[start.start() :]
    return _walk(text, Kind.OBJECT if text[0] == "{" else Kind.ARRAY, path)


def _continue(value: str, rest: str) -> Result | None:
    if rest[:1] in ("|", "."):
        return get(value, rest[1:])
    found = parse(value)
    if found is not None and found.is_container:
        # What a modifier made is taken as it is, up to the newline at the end of @pretty.
        return Result(found.kind, value[value.index(found.raw[0]) :])
    return found


def _lines(document: str) -> str:
    """A document of JSON lines as the array of them."""
    return "[" + document + "]"


def _walk(text: str, kind: Kind, path: str) -> Result | None:
    found, pipe = _inside(text, kind, path)
    if pipe is None:
        return found
    return get("" if found is None else found.raw, pipe)


def _inside(text: str, kind: Kind, path: str) -> tuple[Result | None, str | None]:
    """The result of the dotted part of a path, and the pipe that is to be applied to it."""
    return _in_object(text, path) if kind is Kind.OBJECT else _in_array(text, path)


def _in_object(text: str, path: str) -> tuple[Result | None, str | None]:
    component = object_component(path)
    pipe = component.pipe
    for raw_name, start, end in member_spans(text):
        name = unquote(raw_name)
        if not component.pattern.covers(name) if component.pattern else name != component.name:
            continue
        value = classify(text[start:end])
        if value is None:
            continue
        if component.rest is None:
            return value, pipe
        if value.is_container:
            found, inner = _inside(value.raw, value.kind, component.rest)
            pipe = inner if inner is not None else pipe
            if found is not None:
                return found, pipe
    return None, pipe


def _in_array(text: str, path: str) -> tuple[Result | None, str | None]:
    component = array_component(path)
    if component.query is not None:
        return _by_query(text, component, component.query), component.pipe
    if component.each is not None:
        found = [inner.raw for item in elements(text) if (inner := get(item.raw, component.each)) is not None]
        return _array(found), component.pipe
    if component.count:
        # A count has no children, so a dotted rest finds nothing.
        count = Result(Kind.NUMBER, str(sum(1 for _ in elements(text))))
        return (count if component.rest is None else None), component.pipe
    if _INDEX.match(component.name) is None:
        return None, component.pipe
    wanted = int(component.name)
    for index, item in enumerate(elements(text)):
        if index < wanted:
            continue
        if component.rest is None:
            return item, component.pipe
        if item.is_container:
            return _inside(item.raw, item.kind, component.rest)
        return None, component.pipe
    return None, component.pipe


def _array(raws: list[str]) -> Result:
    return Result(Kind.ARRAY, f"[{','.join(raws)}]")


def _by_query(text: str, component: Component, query: Query) -> Result | None:
    hits: list[str] = []
    for item in elements(text):
        if not _matches(item, query):
            continue
        value = item if component.rest is None else get(item.raw, component.rest)
        if not query.every:
            return value
        if value is not None:
            hits.append(value.raw)
    return _array(hits) if query.every else None


def _matches(item: Result, query: Query) -> bool:
    if item.is_container:
        value = get(item.raw, query.path)
    elif query.path:
        return False
    else:
        value = item
    wanted = query.value
    if wanted.startswith("~"):
        truth = _truth(value, wanted[1:])
        if truth is None:
            return False
        value, wanted = Result(Kind.TRUE if truth else Kind.FALSE, str(truth).lower()), "true"
    if value is None:
        return False
    if not query.op:
        return True
    match value.kind:
        case Kind.STRING:
            return _compare_text(value.text, query.op, wanted)
        case Kind.NUMBER:
            return _compare_order(value.number, query.op, _double(wanted))
        case Kind.TRUE:
            return {"=": wanted == "true", "!=": wanted != "true", ">": wanted == "false", ">=": True}.get(
                query.op, False
            )
        case Kind.FALSE:
            return {"=": wanted == "false", "!=": wanted != "false", "<": wanted == "true", "<=": True}.get(
                query.op, False
            )
        case _:
            return False


def _truth(value: Result | None, name: str) -> bool | None:
    """What ``~name`` says about a value; None for a name it does not know."""
    match name:
        case "*":
            return value is not None
        case "null":
            return value is None or value.kind is Kind.NULL
        case "true":
            return value is not None and _as_bool(value) is True
        case "false":
            return value is None or value.kind is Kind.NULL or _as_bool(value) is False
        case _:
            return None


def _as_bool(value: Result) -> bool | None:
    match value.kind:
        case Kind.TRUE:
            return True
        case Kind.FALSE:
            return False
        case Kind.NUMBER:
            return value.number != 0
        case Kind.STRING:
            return {"1": True, "t": True, "true": True, "0": False, "f": False, "false": False}.get(value.text.lower())
        case _:
            return None


def _double(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _compare_text(text: str, op: str, wanted: str) -> bool:
    if op == "%":
        return wildcard_match(text, wanted)
    if op == "!%":
        return not wildcard_match(text, wanted)
    left, right = text.encode("utf-8", "replace"), wanted.encode("utf-8", "replace")
    match op:
        case "=":
            return left == right
        case "!=":
            return left != right
        case "<":
            return left < right
        case "<=":
            return left <= right
        case ">":
            return left > right
        case ">=":
            return left >= right
        case _:
            return False


def _compare_order(number: float, op: str, wanted: float) -> bool:
    match op:
        case "=":
            return number == wanted
        case "!=":
            return number != wanted
        case "<":
            return number < wanted
        case "<=":
            return number <= wanted
        case ">":
            return number > wanted
        case ">=":
            return number >= wanted
        case _:
            return False


def _modifier(document: str, path: str) -> tuple[str, str] | None:
    """The document after ``@name[:argument]`` and the rest of the path; None when there is no such modifier."""
    end = re.search(r"[:.|]", path)
    name = path[1:] if end is None else path[1 : end.start()]
    if name not in MODIFIERS:
        return None
    rest = "" if end is None else path[end.start() :]
    argument = ""
    if rest.startswith(":"):
        rest = rest[1:]
        if rest[:1] in ("{", "[", '"') and rest:
            cut = end_of_value(rest, 0)
        else:
            pipe = rest.find("|")
            cut = len(rest) if pipe < 0 else pipe
        argument, rest = rest[:cut], rest[cut:]
    if name == "dig":
        return _dig(document, argument), rest
    return modifiers.apply(name, document, argument), rest


def _dig(document: str, path: str) -> str:
    """Every place, at any depth, where ``path`` finds something."""
    found: list[str] = []

    def search(value: Result) -> None:
        hit = get(value.raw, path)
        if hit is not None:
            found.append(hit.raw)
        if value.kind is Kind.OBJECT:
            for _, child in members(value.raw):
                search(child)
        elif value.kind is Kind.ARRAY:
            for child in elements(value.raw):
                search(child)

    start = parse(document)
    if start is not None:
        search(start)
    return _array(found).raw


def _literal(path: str) -> tuple[str, str]:
    """The JSON text after ``!`` and the rest of the path."""
    if path[1:2] in ("{", "[", '"'):
        end = end_of_value(path, 1)
        return path[1:end], path[end:]
    cut = re.search(r"[.|]", path)
    return (path[1:], "") if cut is None else (path[1 : cut.start()], path[cut.start() :])


def _multipath(document: str, path: str) -> tuple[str, str] | None:
    """The object or array that ``{a,"name":b}`` or ``[a,b]`` builds, and the rest; None when brackets do not close."""
    split = _selectors(path)
    if split is None:
        return None
    selectors, rest = split
    parts: list[str] = []
    for name, inner in selectors:
        found = get(document, inner)
        if found is None:
            continue
        if path[0] == "[":
            parts.append(found.raw)
        else:
            parts.append(f"{_member_name(name, inner)}:{found.raw}")
    body = ",".join(parts)
    return (f"[{body}]" if path[0] == "[" else f"{{{body}}}"), rest


def _member_name(name: str, path: str) -> str:
    if name:
        return name if name.startswith('"') and name.endswith('"') and len(name) > 1 else quote(name)
    last = re.split(r"(?<!\\)[.|]", path)[-1]
    return quote(last if _SIMPLE_NAME.match(last) else "_")


def _selectors(path: str) -> tuple[list[tuple[str, str]], str] | None:
    """Names (as written, may be empty) and paths between the brackets, and what follows them."""
    selectors: list[tuple[str, str]] = []
    depth = 1
    start = position = 1
    colon: int | None = None
    in_modifier = False

    def push(end: int) -> None:
        if colon is None:
            selectors.append(("", path[start:end]))
        else:
            selectors.append((path[start:colon], path[colon + 1 : end]))

    while position < len(path):
        match path[position]:
            case "\\":
                position += 1
            case "@" if path[position - 1] in ".|" or position == start:
                in_modifier = True
            case ":" if not in_modifier and depth == 1 and colon is None:
                colon = position
            case "," if depth == 1:
                push(position)
                start, colon, in_modifier = position + 1, None, False
            case '"':
                position = end_of_value(path, position) - 1
            case "[" | "(" | "{":
                depth += 1
            case "]" | ")" | "}":
                depth -= 1
                if depth == 0:
                    push(position)
                    return selectors, path[position + 1 :]
        position += 1
    return None
