"""Uniqueness in lists of type ``set`` and ``map``."""

from __future__ import annotations

from typing import Any

from eso_core.testing.apiserver.errors import FieldError
from eso_core.testing.apiserver.schema import causes
from eso_core.testing.apiserver.schema.gotext import to_json
from eso_core.testing.apiserver.schema.node import Node


def _token(value: Any) -> Any:
    """A hashable stand-in: equal for equal values and different for 1, 1.0 and true."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict | list):
        return ("json", to_json(value))
    return (type(value), value)


def repeats(values: list[Any]) -> list[int]:
    """The index of the second appearance of each value that appears more than once."""
    if len(values) < 2:
        return []
    seen: dict[Any, int] = {}
    found: list[int] = []
    for index, value in enumerate(values):
        token = _token(value)
        count = seen.get(token, 0)
        if count == 1:
            found.append(index)
        seen[token] = count + 1
    return found


def duplicates(node: Node, value: list[Any], path: str) -> list[FieldError]:
    """The duplicates of one list whose node is of type ``set`` or ``map``."""
    if node.list_type == "set":
        return [causes.duplicate(f"{path}[{index}]", value[index]) for index in repeats(value)]
    for index, item in enumerate(value):
        if item is not None and not isinstance(item, dict):
            return [causes.invalid(f"{path}[{index}]", item, "must be an object for an array of list-type map")]
    keys = [{name: item[name] for name in node.list_keys if name in item} if item else {} for item in value]
    return [causes.duplicate(f"{path}[{index}]", keys[index]) for index in repeats(keys)]


def find_duplicates(node: Node, value: Any, path: str) -> list[FieldError]:
    """All duplicates in a value and below."""
    found: list[FieldError] = []
    if isinstance(value, list):
        if node.list_type in ("set", "map"):
            found += duplicates(node, value, path)
        if node.items is not None:
            for index, item in enumerate(value):
                found += find_duplicates(node.items, item, f"{path}[{index}]")
    elif isinstance(value, dict):
        for key in sorted(value):
            known = node.properties.find(key)
            if known is not None:
                found += find_duplicates(known, value[key], causes.child(path, key))
            elif node.additional is not None:
                found += find_duplicates(node.additional, value[key], f"{path}[{key}]")
    return found
