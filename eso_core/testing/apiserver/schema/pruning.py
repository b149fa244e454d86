"""Removal of the fields that a structural schema does not know.

A removed subtree is reported once, by its topmost field. Where unknown fields are preserved, the known ones below
are still pruned.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eso_core.testing.apiserver.schema.node import META_FIELDS, Node

Prune = Callable[[Any, str, list[str]], None]


def _nothing(value: Any, path: str, removed: list[str]) -> None:
    """A scalar has no fields."""


def drop_all(value: Any, path: str, removed: list[str]) -> None:
    """Where the schema says nothing, objects lose every field."""
    if type(value) is dict:
        removed.extend(f"{path}.{key}" if path else key for key in value)
        value.clear()
    elif type(value) is list:
        for index, item in enumerate(value):
            drop_all(item, f"{path}[{index}]", removed)


class _Step(dict[str, "Prune | None"]):
    """What to do with each field of an object: a function, or None for fields that go."""

    __slots__ = ("node",)

    def __init__(self, node: Node) -> None:
        super().__init__()
        self.node = node

    def __missing__(self, key: str) -> Prune | None:
        node = self.node
        step: Prune | None
        if (node.embedded or node.root) and key in META_FIELDS:
            step = _nothing
        elif (known := node.properties.find(key)) is not None:
            step = known.prune
        elif node.additional is not None:
            return node.additional.prune  # not kept: the keys of a map are without number
        else:
            return _nothing if node.preserve else None
        self[key] = step
        return step


def compile_prune(node: Node) -> Prune:
    """The prune function of a node."""
    raw = node.raw
    if "items" not in raw and "properties" not in raw and "additionalProperties" not in raw:
        if node.preserve:
            return _nothing
        if node.types and not set(node.types) & {"object", "array"}:
            # A scalar: a value of another type is refused by validation anyway, but it is emptied like any other.
            return _prune_scalar
        if not (node.embedded or node.root):
            return drop_all
    steps = _Step(node)

    def prune_object(value: dict[str, Any], path: str, removed: list[str]) -> None:
        gone: list[str] | None = None
        for key, item in value.items():
            step = steps[key]
            if step is None:
                if gone is None:
                    gone = [key]
                else:
                    gone.append(key)
            elif type(item) is dict or type(item) is list:
                step(item, f"{path}.{key}" if path else key, removed)
        if gone is not None:
            for key in gone:
                del value[key]
                removed.append(f"{path}.{key}" if path else key)

    def prune(value: Any, path: str, removed: list[str]) -> None:
        if type(value) is dict:
            prune_object(value, path, removed)
        elif type(value) is list:
            items = node.items
            if items is None:
                if not node.preserve:
                    drop_all(value, path, removed)
                return
            step = items.prune
            for index, item in enumerate(value):
                if type(item) is dict or type(item) is list:
                    step(item, f"{path}[{index}]", removed)

    return prune


def _prune_scalar(value: Any, path: str, removed: list[str]) -> None:
    if type(value) is dict or type(value) is list:
        drop_all(value, path, removed)
