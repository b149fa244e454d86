"""Sets of field paths, kept in the form in which managedFields shows them (FieldsV1).

A set is a trie of dicts. A key is one step of a path: ``f:name`` a field, ``k:{"port":80}`` the item of a list with
these key values, ``v:"x"`` that value of a set, ``i:0`` an index. Below the root, a node is itself a member of the set
when it is empty or has the key ``.``; otherwise only what is below it is. The empty root is the empty set.

Sets are never changed in place and share nodes freely, so a set read from an object may be part of another one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from eso_core.testing.apiserver.schema import gotext

__all__ = [
    "DOT",
    "EMPTY",
    "difference",
    "field_set",
    "format_path",
    "intersection",
    "is_member",
    "paths",
    "recursive_difference",
    "union",
    "valid",
    "with_member",
]

Node = dict[str, Any]

DOT: Final = "."
EMPTY: Final[Node] = {}
_LEAF: Final[Node] = {}
_KINDS: Final = {"f": 0, "k": 1, "v": 2, "i": 3}


def is_member(node: Node) -> bool:
    """Whether a node below the root is itself in the set."""
    return not node or DOT in node


def with_member(node: Node | None) -> Node:
    """The node with its own path added."""
    if not node:
        return _LEAF
    return node if DOT in node else {DOT: _LEAF, **node}


def field_set(*wanted: str | tuple[str, ...]) -> Node:
    """A set of plain fields, each as ``metadata.labels`` or as a tuple of names; nothing below them is in it."""
    root: Node = {}
    for path in wanted:
        root = union(root, _single(path.split(".") if isinstance(path, str) else list(path)))
    return root


def _single(names: list[str]) -> Node:
    node: Node = _LEAF
    for name in reversed(names):
        node = {f"f:{name}": node}
    return node


def union(left: Node, right: Node) -> Node:
    """What is in either set."""
    if not left or left is right:
        return right
    if not right:
        return left
    merged = dict(left)
    for key, node in right.items():
        other = merged.get(key)
        merged[key] = node if other is None else _union_below(other, node)
    return merged


def _union_below(left: Node, right: Node) -> Node:
    if not left:
        return with_member(right)
    if not right:
        return with_member(left)
    return union(left, right)


def difference(left: Node, right: Node) -> Node:
    """What is in ``left`` but not in ``right``. A path in ``right`` takes away that path, not what is below it."""
    if not left or not right:
        return left
    kept: Node = {}
    for key, node in left.items():
        other = right.get(key)
        remaining = node if other is None else _difference_below(node, other)
        if remaining is not None:
            kept[key] = remaining
    return kept


def _difference_below(left: Node, right: Node) -> Node | None:
    member = is_member(left) and not is_member(right)
    below = {key: node for key, node in difference(left, right).items() if key != DOT}
    return _node(member, below)


def _node(member: bool, below: Node) -> Node | None:
    if not below:
        return _LEAF if member else None
    return {DOT: _LEAF, **below} if member else below


def recursive_difference(left: Node, right: Node) -> Node:
    """What is in ``left`` and neither in ``right`` nor below a path of it."""
    if not left or not right:
        return left
    kept: Node = {}
    for key, node in left.items():
        other = right.get(key)
        if other is None:
            kept[key] = node
        elif not is_member(other):
            below = recursive_difference({name: inner for name, inner in node.items() if name != DOT}, other)
            remaining = _node(is_member(node), below)
            if remaining is not None:
                kept[key] = remaining
    return kept


def intersection(left: Node, right: Node) -> Node:
    """What is in both sets."""
    common: Node = {}
    for key, node in left.items():
        other = right.get(key)
        if other is None or key == DOT:
            continue
        remaining = _node(is_member(node) and is_member(other), intersection(node, other))
        if remaining is not None:
            common[key] = remaining
    return common


def valid(node: Any) -> bool:
    """Whether a value read from outside is a set: dicts all the way down, with keys of the four kinds."""
    if not isinstance(node, dict):
        return False
    for key, inner in node.items():
        if key == DOT:
            if inner != {}:
                return False
        elif key[:2] in ("k:", "v:"):
            if not _readable(key) or not valid(inner):
                return False
        elif key[:2] == "i:":
            if not key[2:].lstrip("-").isdigit() or not valid(inner):
                return False
        elif key[:2] != "f:" or not valid(inner):
            return False
    return True


def _readable(key: str) -> bool:
    try:
        value = json.loads(key[2:])
    except ValueError:
        return False
    return key[0] == "v" or (isinstance(value, dict) and bool(value))


def paths(root: Node) -> Iterator[tuple[str, ...]]:
    """All paths of a set, in the order in which conflicts are listed: at each level members first, then what is below."""
    yield from _paths(root, ())


def _paths(node: Node, prefix: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    keys = sorted((key for key in node if key != DOT), key=_order)
    for key in keys:
        if is_member(node[key]):
            yield (*prefix, key)
    for key in keys:
        if node[key]:
            yield from _paths(node[key], (*prefix, key))


def _order(key: str) -> tuple[int, Any]:
    kind = _KINDS[key[0]]
    if kind == 0:
        return kind, key
    value = json.loads(key[2:])
    if kind == 1:
        return kind, [(name, _value_order(value[name])) for name in sorted(value)]
    return kind, _value_order(value)


def _value_order(value: Any) -> tuple[int, Any]:
    match value:
        case bool():
            return 2, value
        case int() | float():
            return 0, value
        case str():
            return 1, value
        case _:
            return 3, json.dumps(value, sort_keys=True)


def format_path(path: tuple[str, ...]) -> str:
    """A path as messages show it: ``.spec.ports[port=80,protocol="TCP"].name``."""
    return "".join(map(_format_step, path))


def _format_step(key: str) -> str:
    kind, rest = key[0], key[2:]
    if kind == "f":
        return f".{rest}"
    if kind == "i":
        return f"[{rest}]"
    value = json.loads(rest)
    if kind == "v":
        return f"[={_show(value)}]"
    return "[" + ",".join(f"{name}={_show(value[name])}" for name in sorted(value)) + "]"


def _show(value: Any) -> str:
    return gotext.quote(value) if isinstance(value, str) else gotext.to_json(value)
