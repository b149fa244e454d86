"""Defaults of a structural schema, and what becomes of nulls where none are allowed.

A null in a non-nullable field counts as absent: it gives way to the default, or is removed if there is none.
Defaults inside an object apply only if the object is there (or is itself defaulted).
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from eso_core.testing.apiserver.schema.node import ABSENT, Node

Fill = Callable[[Any], None]


def _nothing(value: Any) -> None:
    """Nothing below can have a default."""


class _Fills(dict[str, "Fill | None"]):
    """The fill function per field; None where nothing below has defaults."""

    __slots__ = ("node",)

    def __init__(self, node: Node) -> None:
        super().__init__()
        self.node = node

    def __missing__(self, key: str) -> Fill | None:
        known = self.node.properties.find(key)
        if known is None:
            return self.node.additional.fill if self.node.additional is not None else None
        fill = self[key] = None if known.fill is _nothing else known.fill
        return fill


def _copier(default: Any) -> Callable[[], Any]:
    if isinstance(default, dict | list):
        return lambda: deepcopy(default)
    return lambda: default


def compile_fill(node: Node) -> Fill:
    """The fill function of a node. It removes stray nulls and sets defaults in one pass."""
    raw = node.raw
    if "items" not in raw and "properties" not in raw and "additionalProperties" not in raw:
        return _nothing
    properties = raw.get("properties") or {}
    defaults = [
        (name, _copier(schema["default"]), bool(schema.get("nullable")))
        for name, schema in properties.items()
        if schema.get("default") is not None
    ]
    fills = _Fills(node)

    def fill(value: Any) -> None:
        if type(value) is not dict:
            if type(value) is list:
                _fill_list(node, value)
            return
        for name, make, nullable in defaults:
            current = value.get(name, ABSENT)
            if current is ABSENT or (current is None and not nullable):
                value[name] = make()
        stray = False
        for key, item in value.items():
            if item is None:
                stray = True
            elif type(item) is dict or type(item) is list:
                step = fills[key]
                if step is not None:
                    step(item)
        if stray:
            _settle_nulls(node, value)

    return fill


def _settle_nulls(node: Node, value: dict[str, Any]) -> None:
    """Nulls that may not be: they become the default, or go."""
    for key in [key for key, item in value.items() if item is None]:
        known = node.properties.find(key) or node.additional
        if known is None or known.nullable:
            continue
        if known.default is ABSENT:
            del value[key]
        else:
            value[key] = deepcopy(known.default)
            known.fill(value[key])


def _fill_list(node: Node, value: list[Any]) -> None:
    items = node.items
    if items is None:
        return
    step = items.fill
    for index, item in enumerate(value):
        if item is None:
            if items.nullable or items.default is ABSENT:
                continue
            value[index] = item = deepcopy(items.default)
        if type(item) is dict or type(item) is list:
            step(item)
