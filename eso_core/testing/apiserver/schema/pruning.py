"""Removal of the fields that a structural schema does not know.

A removed subtree is reported once, by its topmost field. Where unknown fields are preserved, the known ones below
are still pruned. Most objects have nothing to remove, so paths are only put together on the way back from a removal.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eso_core.testing.apiserver.schema.node import META_FIELDS, Node

Prune = Callable[[Any], "list[str] | None"]
"""Prunes a value in place; gives the paths of what was removed, relative to it and with a leading dot or bracket."""


def _nothing(value: Any) -> list[str] | None:
    return None


def drop_all(value: Any) -> list[str] | None:
    """Where the schema says nothing, objects lose every field."""
    removed: list[str] = []
    if type(value) is dict:
        removed = [f".{key}" for key in value]
        value.clear()
    elif type(value) is list:
        for index, item in enumerate(value):
            removed += [f"[{index}]{path}" for path in drop_all(item) or ()]
    return removed or None


class _Steps(dict[str, "Prune | None"]):
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
        if not (node.embedded or node.root):
            # A value of another type is refused by validation anyway, but it is emptied like any other.
            return drop_all
    steps = _Steps(node)

    def prune(value: Any) -> list[str] | None:
        if type(value) is not dict:
            return _prune_list(node, value) if type(value) is list else None
        removed: list[str] | None = None
        gone: list[str] | None = None
        for key, item in value.items():
            step = steps[key]
            if step is None:
                gone = [*(gone or ()), key]
            elif type(item) is dict or type(item) is list:
                below = step(item)
                if below is not None:
                    removed = [*(removed or ()), *(f".{key}{path}" for path in below)]
        if gone is None:
            return removed
        for key in gone:
            del value[key]
        return [*(removed or ()), *(f".{key}" for key in gone)]

    return prune


def _prune_list(node: Node, value: list[Any]) -> list[str] | None:
    items = node.items
    if items is None:
        return None if node.preserve else drop_all(value)
    step = items.prune
    removed: list[str] | None = None
    for index, item in enumerate(value):
        if type(item) is dict or type(item) is list:
            below = step(item)
            if below is not None:
                removed = [*(removed or ()), *(f"[{index}]{path}" for path in below)]
    return removed
