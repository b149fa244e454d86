"""JSON patch (RFC 6902): `apply` operations to a document, or `diff` two documents into operations.

`apply` never changes the document it is given. With ``lenient=True`` it follows the dialect of the Kubernetes API
server, which is laxer than the RFC in a few places: ``replace`` of an absent key adds it, ``test`` of an absent key
against null succeeds, an operation without ``value`` means null, and negative list indexes count from the end. It is
stricter in one: of the whole document only ``replace`` and ``test`` are possible.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import Any, Final

from eso_core.meta.errors import EsoCoreError

__all__ = ["JsonPatchError", "JsonPatchTestFailed", "apply", "diff", "equal", "parse_pointer"]

JsonObject = dict[str, Any]

_ABSENT: Final = object()


class JsonPatchError(EsoCoreError):
    """An operation cannot be applied. ``index`` is its place in the patch."""

    def __init__(self, index: int, reason: str) -> None:
        super().__init__(f"applying JSON patch: operation {index}: {reason}")
        self.index = index
        self.reason = reason


class JsonPatchTestFailed(JsonPatchError):
    """A ``test`` operation found another value."""


class _Refused(Exception):
    """Carries the reason up to where the operation's index is known."""


def parse_pointer(pointer: str) -> list[str]:
    """The unescaped segments of a JSON pointer (RFC 6901).

    Raises:
        ValueError: the pointer is neither empty nor begins with a slash.
    """
    if not pointer:
        return []
    if not pointer.startswith("/"):
        raise ValueError(f"JSON pointer {pointer!r} does not begin with '/'")
    return [segment.replace("~1", "/").replace("~0", "~") for segment in pointer[1:].split("/")]


def equal(left: Any, right: Any) -> bool:
    """JSON equality. Unlike ``==``, true is not 1 and false is not 0."""
    if isinstance(left, dict):
        if not isinstance(right, dict) or len(left) != len(right):
            return False
        return all(key in right and equal(value, right[key]) for key, value in left.items())
    if isinstance(left, list):
        if not isinstance(right, list) or len(left) != len(right):
            return False
        return all(map(equal, left, right))
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return bool(left == right)


def apply(document: Any, operations: Sequence[JsonObject], *, lenient: bool = False) -> Any:
    """A new document with all operations applied in order.

    Raises:
        JsonPatchTestFailed: a ``test`` operation did not hold.
        JsonPatchError: an operation is malformed or its path does not exist.
    """
    root = copy.deepcopy(document)
    for index, operation in enumerate(operations):
        try:
            if not isinstance(operation, dict):
                raise _Refused("not an object")
            if operation.get("op") == "test":
                holds = _test(root, operation, lenient)
                if not holds:
                    raise JsonPatchTestFailed(index, f"test of {operation.get('path')!r} failed")
            else:
                root = _change(root, operation, lenient)
        except (_Refused, ValueError) as error:
            raise JsonPatchError(index, str(error)) from error
    return root


def _pointer(operation: JsonObject, key: str) -> list[str]:
    pointer = operation.get(key)
    if not isinstance(pointer, str):
        raise _Refused(f"{key!r} is missing or not a string")
    return parse_pointer(pointer)


def _value(operation: JsonObject, lenient: bool) -> Any:
    if "value" in operation:
        return copy.deepcopy(operation["value"])
    if lenient:
        return None
    raise _Refused("'value' is missing")


def _test(root: Any, operation: JsonObject, lenient: bool) -> bool:
    path = _pointer(operation, "path")
    wanted = _value(operation, lenient)
    found = _find(root, path, lenient)
    if found is _ABSENT:
        if not lenient:
            raise _Refused(f"{operation['path']!r} does not exist")
        return wanted is None
    return equal(found, wanted)


def _change(root: Any, operation: JsonObject, lenient: bool) -> Any:
    kind = operation.get("op")
    path = _pointer(operation, "path")
    if kind == "add":
        return _add(root, path, _value(operation, lenient), lenient)
    if kind == "remove":
        return _remove(root, path, lenient)[0]
    if kind == "replace":
        return _replace(root, path, _value(operation, lenient), lenient)
    if kind == "move":
        source = _pointer(operation, "from")
        if path[: len(source)] == source and len(path) > len(source):
            raise _Refused(f"cannot move {operation['from']!r} into itself")
        root, moved = _remove(root, source, lenient)
        return _add(root, path, moved, lenient)
    if kind == "copy":
        found = _find(root, _pointer(operation, "from"), lenient)
        if found is _ABSENT:
            raise _Refused(f"{operation['from']!r} does not exist")
        return _add(root, path, copy.deepcopy(found), lenient)
    raise _Refused(f"unknown operation {kind!r}")


def _index(segment: str, length: int, lenient: bool) -> int:
    """The place a segment names in a list of ``length`` items; may be past its end."""
    digits = segment[1:] if lenient and segment.startswith("-") else segment
    if not (digits.isascii() and digits.isdigit()) or (not lenient and len(digits) > 1 and digits[0] == "0"):
        raise _Refused(f"{segment!r} is not a list index")
    index = int(segment)
    if index < 0:
        index += length
        if index < 0:
            raise _Refused(f"list index {segment} is out of range")
    return index


def _find(root: Any, path: list[str], lenient: bool) -> Any:
    """The value at a path; `_ABSENT` when the last key of it is not there."""
    node = root
    for depth, segment in enumerate(path):
        last = depth == len(path) - 1
        if isinstance(node, dict):
            if segment not in node:
                if last:
                    return _ABSENT
                raise _Refused(f"{segment!r} does not exist")
            node = node[segment]
        elif isinstance(node, list):
            index = _index(segment, len(node), lenient)
            if index >= len(node):
                raise _Refused(f"list index {segment} is out of range")
            node = node[index]
        else:
            raise _Refused(f"{segment!r} is below a value that has no members")
    return node


def _container(root: Any, path: list[str], lenient: bool) -> Any:
    found = _find(root, path[:-1], lenient)
    if not isinstance(found, dict | list):
        raise _Refused(f"the parent of {path[-1]!r} does not exist or has no members")
    return found


def _add(root: Any, path: list[str], value: Any, lenient: bool) -> Any:
    if not path:
        if lenient:
            raise _Refused("cannot add the whole document")
        return value
    parent = _container(root, path, lenient)
    if isinstance(parent, dict):
        parent[path[-1]] = value
    elif path[-1] == "-":
        parent.append(value)
    else:
        # Adding counts one place more than the list has: its end.
        index = _index(path[-1], len(parent) + 1, lenient)
        if index > len(parent):
            raise _Refused(f"list index {path[-1]} is out of range")
        parent.insert(index, value)
    return root


def _remove(root: Any, path: list[str], lenient: bool) -> tuple[Any, Any]:
    if not path:
        if lenient:
            raise _Refused("cannot remove the whole document")
        return None, root
    parent = _container(root, path, lenient)
    if isinstance(parent, dict):
        if path[-1] not in parent:
            raise _Refused(f"{path[-1]!r} does not exist")
        return root, parent.pop(path[-1])
    index = _index(path[-1], len(parent), lenient)
    if index >= len(parent):
        raise _Refused(f"list index {path[-1]} is out of range")
    return root, parent.pop(index)


def _replace(root: Any, path: list[str], value: Any, lenient: bool) -> Any:
    if not path:
        return value
    parent = _container(root, path, lenient)
    if isinstance(parent, dict):
        if path[-1] not in parent and not lenient:
            raise _Refused(f"{path[-1]!r} does not exist")
        parent[path[-1]] = value
        return root
    index = _index(path[-1], len(parent), lenient)
    if index >= len(parent):
        raise _Refused(f"list index {path[-1]} is out of range")
    parent[index] = value
    return root


def diff(old: Any, new: Any) -> list[JsonObject]:
    """Operations that turn ``old`` into ``new``: only add, remove and replace; empty when they are equal.

    Lists are compared place by place after their common beginning and end are set aside, which keeps patches for
    an inserted or deleted item small without a quadratic search.
    """
    return list(_diff("", old, new))


def _escape(segment: str) -> str:
    return segment.replace("~", "~0").replace("/", "~1")


def _diff(path: str, old: Any, new: Any) -> Iterable[JsonObject]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in old:
            if key not in new:
                yield {"op": "remove", "path": f"{path}/{_escape(key)}"}
        for key, value in new.items():
            if key in old:
                yield from _diff(f"{path}/{_escape(key)}", old[key], value)
            else:
                yield {"op": "add", "path": f"{path}/{_escape(key)}", "value": value}
    elif isinstance(old, list) and isinstance(new, list):
        yield from _diff_lists(path, old, new)
    elif not equal(old, new):
        yield {"op": "replace", "path": path, "value": new}


def _diff_lists(path: str, old: list[Any], new: list[Any]) -> Iterable[JsonObject]:
    shorter = min(len(old), len(new))
    head = 0
    while head < shorter and equal(old[head], new[head]):
        head += 1
    tail = 0
    while tail < shorter - head and equal(old[-1 - tail], new[-1 - tail]):
        tail += 1
    old_middle, new_middle = old[head : len(old) - tail], new[head : len(new) - tail]
    both = min(len(old_middle), len(new_middle))
    for offset in range(both):
        yield from _diff(f"{path}/{head + offset}", old_middle[offset], new_middle[offset])
    # From the end backwards, so that earlier removals do not move later ones.
    for offset in range(len(old_middle) - 1, both - 1, -1):
        yield {"op": "remove", "path": f"{path}/{head + offset}"}
    for offset in range(both, len(new_middle)):
        yield {"op": "add", "path": f"{path}/{head + offset}", "value": new_middle[offset]}
