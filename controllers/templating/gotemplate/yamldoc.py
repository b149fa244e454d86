"""Rendered text read as YAML: text to text for keys and values, any shape for paths of a manifest."""

from __future__ import annotations

import math
from typing import Any

from controllers.templating.budget import spend
from controllers.templating.gotemplate.jsondecode import json_place
from controllers.templating.gotemplate.jsonencode import JsonEncodeError, json_float
from controllers.templating.gotemplate.quoting import text as readable
from controllers.templating.gotemplate.yamlload import YamlError, load_yaml
from controllers.templating.gotemplate.yamlscalars import short_float

__all__ = ["YamlError", "document", "mapping", "text_map"]

_CONVERTING = "error converting YAML to JSON: "
_DECODING = "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal "


def _load(rendered: bytes) -> object:
    try:
        return load_yaml(rendered)
    except YamlError as error:
        raise YamlError(_CONVERTING + str(error)) from None


def _kind(value: object) -> str:
    """What JSON calls a value."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


def _clean(text: str) -> bytes:
    """Text as JSON would carry it: bytes that are no UTF-8 become U+FFFD."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return readable(text.encode("utf-8", "surrogateescape")).encode()


def _refuse_root(value: object, wanted: str) -> YamlError:
    return YamlError(f"{_DECODING}{_kind(value)} into Go value of type {wanted}")


def text_map(rendered: bytes) -> dict[bytes, bytes]:
    """A mapping with keys and values as text; scalars that are no text are rewritten as Go writes them.

    Raises:
        YamlError: it is no YAML, no mapping, or a value is a collection.
    """
    root = _load(rendered)
    if root is None:
        return {}
    if not isinstance(root, dict):
        _finite(root)
        raise _refuse_root(root, "map[string]string")
    result: dict[bytes, bytes] = {}
    refused = ""
    for key in sorted(root, key=_clean):
        value, name = root[key], _clean(key)
        if isinstance(value, list | dict):
            _finite(value)
            refused = refused or f"{_DECODING}{_kind(value)} into {json_place([name])} of type string"
        elif value is None:
            result[name] = b""
        elif isinstance(value, bool):
            result[name] = b"true" if value else b"false"
        elif isinstance(value, float):
            result[name] = short_float(value).encode()
        else:
            result[name] = _clean(value) if isinstance(value, str) else b"%d" % value
    if refused:
        raise YamlError(refused)
    return result


def _finite(root: object) -> None:
    """Refuses numbers that JSON does not have."""
    for value in _walk(root):
        if isinstance(value, float) and not math.isfinite(value):
            try:
                json_float(value)
            except JsonEncodeError as error:
                raise YamlError(_CONVERTING + str(error)) from None


def _walk(root: object) -> list[object]:
    """All values below and with the root, each use of a shared one."""
    found, waiting = [], [root]
    while waiting:
        value = waiting.pop()
        found.append(value)
        spend()
        if isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    return found


def _rebuilt(root: object, number: Any, text: Any, key: Any) -> Any:
    """A copy without recursion; every leaf is converted by its kind."""
    holder: list[Any] = [None]
    waiting: list[tuple[Any, Any, object]] = [(holder, 0, root)]
    while waiting:
        into, place, value = waiting.pop()
        spend()
        if isinstance(value, dict):
            copy: dict[Any, Any] = {}
            into[place] = copy
            for name in sorted(value, key=_clean):
                copy[key(name)] = None
            waiting.extend((copy, key(name), value[name]) for name in value)
        elif isinstance(value, list):
            into[place] = items = [None] * len(value)
            waiting.extend((items, at, item) for at, item in enumerate(value))
        elif isinstance(value, str):
            into[place] = text(value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            into[place] = number(value)
        else:
            into[place] = value
    return holder[0]


def _json_number(value: float) -> int | float:
    """A number as JSON readers take it: whole floats in plain notation are integers."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1 << 63:
        return int(value)
    return value


def document(rendered: bytes) -> object:
    """A document of any shape as JSON values (None, bool, int, float, str, list, dict).

    Raises:
        YamlError: it is no YAML, or has a number that JSON cannot express.
    """
    root = _load(rendered)
    _finite(root)
    return _rebuilt(root, _json_number, lambda t: _clean(t).decode(), lambda t: _clean(t).decode())


def mapping(rendered: bytes) -> dict[bytes, Any]:
    """A mapping as a template value: text as bytes, numbers as float64; an empty document is an empty mapping.

    Raises:
        YamlError: it is no YAML or no mapping.
    """
    root = _load(rendered)
    if root is None:
        return {}
    _finite(root)
    if not isinstance(root, dict):
        raise _refuse_root(root, "map[string]interface {}")
    result: dict[bytes, Any] = _rebuilt(root, float, _clean, _clean)
    return result
