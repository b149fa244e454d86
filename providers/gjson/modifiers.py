"""The ``@`` modifiers: from one JSON text to another."""

from __future__ import annotations

from collections.abc import Callable

from providers.gjson.result import Kind, Result, elements, members, parse, quote, unquote
from providers.gojson import decode

__all__ = ["apply"]


def apply(name: str, document: str, argument: str) -> str:
    """The document after modifier ``name``; empty when nothing is left of it."""
    return _FUNCTIONS[name](document, argument)


def _option(argument: str, name: str) -> Result | None:
    value = parse(argument)
    if value is None or value.kind is not Kind.OBJECT:
        return None
    return next((option for key, option in members(value.raw) if unquote(key) == name), None)


def _is_set(argument: str, name: str) -> bool:
    value = _option(argument, name)
    return value is not None and value.kind is Kind.TRUE


def _this(document: str, argument: str) -> str:
    return document


def _reverse(document: str, argument: str) -> str:
    value = parse(document)
    if value is None:
        return document
    if value.kind is Kind.ARRAY:
        return f"[{','.join(item.raw for item in reversed(list(elements(value.raw))))}]"
    if value.kind is Kind.OBJECT:
        return f"{{{','.join(f'{key}:{item.raw}' for key, item in reversed(list(members(value.raw))))}}}"
    return document


def _ugly(document: str, argument: str) -> str:
    value = parse(document)
    return "" if value is None else _compact(value)


def _compact(value: Result) -> str:
    if value.kind is Kind.OBJECT:
        return f"{{{','.join(f'{key}:{_compact(item)}' for key, item in members(value.raw))}}}"
    if value.kind is Kind.ARRAY:
        return f"[{','.join(_compact(item) for item in elements(value.raw))}]"
    return value.raw


def _pretty(document: str, argument: str) -> str:
    value = parse(document)
    if value is None:
        return ""
    indent = _option(argument, "indent")
    prefix = _option(argument, "prefix")
    width = _option(argument, "width")
    printer = _Printer(
        indent="  " if indent is None else indent.text,
        prefix="" if prefix is None else prefix.text,
        width=80 if width is None else int(width.number),
        sort_keys=_is_set(argument, "sortKeys"),
    )
    return f"{printer.prefix}{printer.show(value, 0, len(printer.prefix))}\n"


class _Printer:
    """Two-space indentation; arrays without objects stay on one line when they fit."""

    def __init__(self, *, indent: str, prefix: str, width: int, sort_keys: bool) -> None:
        self.indent = indent
        self.prefix = prefix
        self.width = width
        self.sort_keys = sort_keys

    def show(self, value: Result, depth: int, column: int) -> str:
        """The text of a value that starts in ``column`` of its line."""
        if value.kind is Kind.ARRAY:
            line = self._one_line(value)
            if line is not None and column + len(line) <= self.width:
                return line
            parts = [
                self._margin(depth + 1) + self.show(item, depth + 1, self._column(depth + 1))
                for item in elements(value.raw)
            ]
            return self._block("[", parts, "]", depth)
        if value.kind is Kind.OBJECT:
            pairs = list(members(value.raw))
            if self.sort_keys:
                pairs.sort(key=lambda pair: unquote(pair[0]).encode("utf-8", "replace"))
            shown = []
            for key, item in pairs:
                head = f"{key}: "
                shown.append(
                    self._margin(depth + 1) + head + self.show(item, depth + 1, self._column(depth + 1) + len(head))
                )
            return self._block("{", shown, "}", depth)
        return value.raw

    def _one_line(self, value: Result) -> str | None:
        parts = []
        for item in elements(value.raw):
            if item.kind is Kind.OBJECT:
                return None
            part = self._one_line(item) if item.kind is Kind.ARRAY else item.raw
            if part is None:
                return None
            parts.append(part)
        return f"[{', '.join(parts)}]"

    def _block(self, start: str, parts: list[str], end: str, depth: int) -> str:
        if not parts:
            return start + end
        return start + "\n" + ",\n".join(parts) + "\n" + self._margin(depth) + end

    def _margin(self, depth: int) -> str:
        return self.prefix + self.indent * depth

    def _column(self, depth: int) -> int:
        return len(self.prefix) + len(self.indent) * depth


def _valid(document: str, argument: str) -> str:
    try:
        decode(document)
    except ValueError:
        return ""
    return document


def _flatten(document: str, argument: str) -> str:
    value = parse(document)
    if value is None or value.kind is not Kind.ARRAY:
        return document
    deep = _is_set(argument, "deep")
    return f"[{','.join(_flat(value, deep=deep))}]"


def _flat(value: Result, *, deep: bool) -> list[str]:
    out: list[str] = []
    for item in elements(value.raw):
        if item.kind is not Kind.ARRAY:
            out.append(item.raw)
        elif deep:
            out.extend(_flat(item, deep=True))
        else:
            out.extend(inner.raw for inner in elements(item.raw))
    return out


def _join(document: str, argument: str) -> str:
    value = parse(document)
    if value is None or value.kind is not Kind.ARRAY:
        return document
    pairs = [pair for item in elements(value.raw) if item.kind is Kind.OBJECT for pair in members(item.raw)]
    if not _is_set(argument, "preserve"):
        last = {unquote(key): (key, item) for key, item in pairs}
        pairs = list(last.values())
    return f"{{{','.join(f'{key}:{item.raw}' for key, item in pairs)}}}"


def _keys(document: str, argument: str) -> str:
    value = parse(document)
    if value is None:
        return "[]"
    if value.kind is Kind.OBJECT:
        return f"[{','.join(key for key, _ in members(value.raw))}]"
    count = sum(1 for _ in elements(value.raw)) if value.kind is Kind.ARRAY else 1
    return f"[{','.join(['null'] * count)}]"


def _values(document: str, argument: str) -> str:
    value = parse(document)
    if value is None:
        return "[]"
    if value.kind is Kind.OBJECT:
        return f"[{','.join(item.raw for _, item in members(value.raw))}]"
    return document if value.kind is Kind.ARRAY else f"[{value.raw}]"


def _tostr(document: str, argument: str) -> str:
    return quote(document)


def _fromstr(document: str, argument: str) -> str:
    if not _valid(document, ""):
        return ""
    value = parse(document)
    return "" if value is None else value.text


def _group(document: str, argument: str) -> str:
    value = parse(document)
    if value is None or value.kind is not Kind.OBJECT:
        return ""
    rows: list[list[str]] = []
    for key, column in members(value.raw):
        if column.kind is not Kind.ARRAY:
            continue
        for index, item in enumerate(elements(column.raw)):
            if index == len(rows):
                rows.append([])
            rows[index].append(f"{key}:{item.raw}")
    return f"[{','.join(f'{{{chr(44).join(row)}}}' for row in rows)}]"


_FUNCTIONS: dict[str, Callable[[str, str], str]] = {
    "this": _this,
    "reverse": _reverse,
    "ugly": _ugly,
    "pretty": _pretty,
    "valid": _valid,
    "flatten": _flatten,
    "join": _join,
    "keys": _keys,
    "values": _values,
    "tostr": _tostr,
    "fromstr": _fromstr,
    "group": _group,
}
