"""Values seen through a schema: checking them, and the sets of fields they have or differ in.

Everything here walks one value (or two side by side) along an `Atom`. Atomic lists and maps count as one field.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable
from typing import Any, Final

import orjson

from eso_core.meta.jsonpatch import equal
from eso_core.testing.apiserver.managedfields.atoms import ABSENT, Atom, ListAtom, MapAtom, deduce
from eso_core.testing.apiserver.managedfields.fieldset import Node, format_path, with_member
from eso_core.testing.apiserver.schema import gotext

__all__ = ["BadItem", "Comparison", "collapse", "compare", "fields_of", "item_step", "problems"]

JsonObject = dict[str, Any]
_LEAF: Final[Node] = {}


class BadItem(ValueError):
    """An item of a set or map list cannot be named: it is null, of another type, or lacks its keys."""


def item_step(kind: ListAtom, item: Any) -> str:
    """The path step that names an item of a set or map list.

    Raises:
        BadItem: the item has no name.
    """
    if not kind.keys:
        if isinstance(item, str):
            return f"v:{_json(item)}"
        if isinstance(item, dict):
            raise BadItem("associative list without keys has an element that's a map type")
        if isinstance(item, list):
            raise BadItem("not supported: associative list with lists as elements")
        if item is None:
            raise BadItem("associative list without keys has an element that's an explicit null")
        return f"v:{_json(item)}"
    if item is None:
        raise BadItem("associative list with keys may not have a null element")
    if not isinstance(item, dict):
        raise BadItem("associative list with keys may not have non-map elements")
    keys = {}
    for key in kind.keys:
        if key in item:
            keys[key] = item[key]
        elif kind.defaults.get(key) is not None:
            keys[key] = kind.defaults[key]
    if not keys:
        names = " ".join(gotext.quote(key) for key in kind.keys)
        raise BadItem(
            f"associative list with keys has an element that omits all key fields [{names}] "
            "(and doesn't have default values for any key fields)"
        )
    return f"k:{_json(keys)}"


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


# -- checking


def problems(atom: Atom, value: Any, *, allow_duplicates: bool = False) -> list[str]:
    """What is wrong with a value, as ``<path>: <text>`` each; empty when it fits."""
    found: list[tuple[tuple[str, ...], str]] = []
    _check(atom, value, (), found, allow_duplicates)
    return [f"{format_path(path)}: {text}" if path else text for path, text in found]


def _check(
    atom: Atom, value: Any, path: tuple[str, ...], found: list[tuple[tuple[str, ...], str]], duplicates: bool
) -> None:
    shape, known = deduce(atom, value)
    if value is None:
        return
    if isinstance(known, MapAtom):
        if not isinstance(value, dict):
            found.append((path, f"expected map, got {_go_value(value)}"))
            return
        for key, item in value.items():
            element = known.fields.get(key) or known.element
            if element is None:
                found.append(((*path, f"f:{key}"), "field not declared in schema"))
                return
            # Most values are texts where texts are due: nothing to complain of, and no path to make.
            if type(item) is not str or element.scalar != "string":
                _check(element, item, (*path, f"f:{key}"), found, duplicates)
    elif isinstance(known, ListAtom):
        if not isinstance(value, list):
            found.append((path, f"expected list, got {_go_value(value)}"))
            return
        _check_list(known, value, path, found, duplicates)
    elif shape == "scalar" and isinstance(known, str):
        text = _scalar_problem(known, value)
        if text:
            found.append((path, text))


def _check_list(
    known: ListAtom,
    value: list[Any],
    path: tuple[str, ...],
    found: list[tuple[tuple[str, ...], str]],
    duplicates: bool,
) -> None:
    seen: set[str] = set()
    for index, item in enumerate(value):
        step = f"i:{index}"
        if not known.atomic:
            try:
                step = item_step(known, item)
            except BadItem as error:
                found.append((path, f"element {index}: {error}"))
                return
            if step in seen and not duplicates:
                found.append((path, f"duplicate entries for key {format_path((step,))}"))
            seen.add(step)
        _check(known.element, item, (*path, step), found, duplicates)


def _scalar_problem(scalar: str, value: Any) -> str:
    if scalar == "numeric" and (isinstance(value, bool) or not isinstance(value, int | float)):
        return f"expected numeric (int or float), got {_go_type(value)}"
    if scalar == "string" and not isinstance(value, str):
        return f"expected string, got &value.valueUnstructured{{Value:{_go_syntax(value)}}}"
    if scalar == "boolean" and not isinstance(value, bool):
        return f"expected boolean, got {_go_value(value)}"
    if scalar == "untyped" and isinstance(value, dict | list):
        return f"expected any scalar, got {_go_value(value)}"
    return ""


def _go_type(value: Any) -> str:
    match value:
        case bool():
            return "bool"
        case str():
            return "string"
        case list():
            return "[]interface {}"
        case _:
            return "map[string]interface {}"


def _go_value(value: Any) -> str:
    return f"&{{{_go_plain(value)}}}"


def _go_plain(value: Any) -> str:
    """A value as Go prints it without types."""
    match value:
        case None:
            return "<nil>"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return gotext.number(value)
        case dict():
            return "map[" + " ".join(f"{key}:{_go_plain(value[key])}" for key in sorted(value)) + "]"
        case list():
            return "[" + " ".join(map(_go_plain, value)) + "]"
        case _:
            return str(value)


def _go_syntax(value: Any) -> str:
    """A value as Go source shows it."""
    match value:
        case None:
            return "interface {}(nil)"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return gotext.number(value)
        case dict():
            inner = ", ".join(f"{gotext.quote(key)}:{_go_syntax(value[key])}" for key in sorted(value))
            return f"map[string]interface {{}}{{{inner}}}"
        case list():
            return f"[]interface {{}}{{{', '.join(map(_go_syntax, value))}}}"
        case _:
            return gotext.quote(str(value))


# -- the fields a value has


def fields_of(atom: Atom, value: Any) -> Node:
    """The set of fields that an applied object claims: its leaves, list items, and objects that are empty."""
    return _fields(atom, value) or {}


def _fields(atom: Atom, value: Any) -> Node | None:
    _, known = deduce(atom, value)
    if isinstance(known, MapAtom):
        if not isinstance(value, dict):
            return None
        if known.atomic:
            return _LEAF
        below: Node = {}
        for key, item in value.items():
            declared = known.fields.get(key)
            element = declared or known.element
            if element is None:
                node = None
            elif type(item) is str and element.scalar:
                node = _LEAF
            else:
                node = _fields(element, item)
            if item is None or item == {} or declared is None:
                node = with_member(node)
            if node is not None:
                below[f"f:{key}"] = node
        return below or None
    if isinstance(known, ListAtom):
        if not isinstance(value, list):
            return None
        if known.atomic:
            return _LEAF
        items: Node = {}
        for item in value:
            try:
                step = item_step(known, item)
            except BadItem:
                continue
            node = with_member(_fields(known.element, item))
            items[step] = node if step not in items else _LEAF
        return items or None
    return _LEAF


# -- what two values differ in


class Comparison:
    """The fields that are only in the new value, only in the old one, or in both with different values."""

    __slots__ = ("added", "modified", "removed")

    def __init__(self, added: Node, removed: Node, modified: Node) -> None:
        self.added = added
        self.removed = removed
        self.modified = modified

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.modified)


_Triple = tuple[Node | None, Node | None, Node | None]
_SAME: Final[_Triple] = (None, None, None)


def compare(atom: Atom, old: Any, new: Any, *, free: bool = True) -> Comparison:
    """The fields in which two values differ. ``free`` tells that some of them have no declared type."""
    added, removed, modified = _compare(atom, old, new, strictly_same if free else operator.eq)
    return Comparison(added or {}, removed or {}, modified or {})


_Same = Callable[[Any, Any], bool]


def strictly_same(old: Any, new: Any) -> bool:
    """Whether two JSON values are the same; true is not 1."""
    # The quick comparison takes true for 1; whatever it finds equal is looked at again: as text, which is quickest, and
    # one by one where the texts differ, as those of 1 and 1.0 do.
    if old != new:
        return False
    if type(old) is str:
        return True
    try:
        if orjson.dumps(old, option=orjson.OPT_SORT_KEYS) == orjson.dumps(new, option=orjson.OPT_SORT_KEYS):
            return True
    except TypeError:  # an integer beyond 64 bits has no text
        return equal(old, new)
    return equal(old, new)


def _compare(atom: Atom, old: Any, new: Any, same: _Same) -> _Triple:
    if old is ABSENT:
        return whole(atom, new), None, None
    if new is ABSENT:
        return None, whole(atom, old), None
    if old is new or same(old, new):
        return _SAME
    old_way, new_way = deduce(atom, old), deduce(atom, new)
    result = _compare_as(new_way[1], old, new, same)
    if old_way[0] == new_way[0]:
        return result
    return _join(_compare_as(old_way[1], old, new, same), result)


def _join(left: _Triple, right: _Triple) -> _Triple:
    joined = []
    for one, other in zip(left, right, strict=True):
        if one is None or other is None:
            joined.append(other if one is None else one)
        else:
            # Both are below the same path; an empty one is that path itself.
            joined.append(with_member({**one, **other}) if not one or not other else {**one, **other})
    return joined[0], joined[1], joined[2]


def _compare_as(known: ListAtom | MapAtom | str | None, old: Any, new: Any, same: _Same) -> _Triple:
    if isinstance(known, MapAtom):
        left = old if isinstance(old, dict) else {}
        right = new if isinstance(new, dict) else {}
        if known.atomic or not (left or right):
            return None, None, _LEAF
        return _compare_maps(known, left, right, same)
    if isinstance(known, ListAtom):
        first = old if isinstance(old, list) else []
        second = new if isinstance(new, list) else []
        if known.atomic or not (first or second):
            return None, None, _LEAF
        return _compare_lists(known, first, second, same)
    return None, None, _LEAF


def _compare_maps(known: MapAtom, old: JsonObject, new: JsonObject, same: _Same) -> _Triple:
    added: Node = {}
    removed: Node = {}
    modified: Node = {}
    fields, other = known.fields, known.element
    for key, value in new.items():
        before = old.get(key, ABSENT)
        if before is value or same(before, value):
            continue
        element = fields.get(key) or other
        if element is not None:
            _put(f"f:{key}", _compare(element, before, value, same), added, removed, modified)
    for key, value in old.items():
        if key not in new:
            element = fields.get(key) or other
            if element is not None:
                removed[f"f:{key}"] = whole(element, value)
    return added or None, removed or None, modified or None


def _put(step: str, triple: _Triple, added: Node, removed: Node, modified: Node) -> None:
    if triple[0] is not None:
        added[step] = triple[0]
    if triple[1] is not None:
        removed[step] = triple[1]
    if triple[2] is not None:
        modified[step] = triple[2]


def _compare_lists(known: ListAtom, old: list[Any], new: list[Any], same: _Same) -> _Triple:
    added: Node = {}
    removed: Node = {}
    modified: Node = {}
    before, after = _by_step(known, old), _by_step(known, new)
    for step in {**before, **after}:
        left, right = before.get(step, []), after.get(step, [])
        if len(left) > 1 and len(right) > 1:
            if left != right:
                modified[step] = _LEAF
        elif len(left) > 1:
            # Items that shared a name are owned as one; the one that is left starts afresh.
            removed[step] = _LEAF
            if right:
                added[step] = whole(known.element, right[0])
        elif len(right) > 1:
            if left:
                removed[step] = whole(known.element, left[0])
            added[step] = _LEAF
        else:
            triple = _compare(known.element, left[0] if left else ABSENT, right[0] if right else ABSENT, same)
            _put(step, triple, added, removed, modified)
    return added or None, removed or None, modified or None


def _by_step(known: ListAtom, items: list[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for item in items:
        try:
            found.setdefault(item_step(known, item), []).append(item)
        except BadItem:
            continue
    return found


def whole(atom: Atom, value: Any) -> Node:
    """A value with everything in it: the node of a field that comes or goes."""
    _, known = deduce(atom, value)
    if isinstance(known, MapAtom) and not known.atomic and isinstance(value, dict) and value:
        node: Node = {".": _LEAF}
        fields, other = known.fields, known.element
        for key, item in value.items():
            element = fields.get(key) or other
            if element is not None:
                node[f"f:{key}"] = whole(element, item)
        return node
    if isinstance(known, ListAtom) and not known.atomic and isinstance(value, list) and value:
        node = {".": _LEAF}
        for step, items in _by_step(known, value).items():
            node[step] = whole(known.element, items[0]) if len(items) == 1 else _LEAF
        return node
    return _LEAF


# -- after a schema has changed


def collapse(atom: Atom, node: Node) -> Node:
    """A set with what is below atomic values taken together.

    A list or map that was owned part by part and has become atomic since is then owned as one value.
    """
    if not node:
        return node
    if atom.map is not None and atom.list is None:
        if atom.map.atomic:
            return _LEAF
        return _collapse_fields(atom.map, node)
    if atom.list is not None and atom.map is None:
        if atom.list.atomic:
            return _LEAF
        element = atom.list.element
        return {key: below if key == "." or not below else collapse(element, below) for key, below in node.items()}
    return node


def _collapse_fields(known: MapAtom, node: Node) -> Node:
    changed: Node | None = None
    for key, below in node.items():
        if not below or key[0] != "f":
            continue
        element = known.fields.get(key[2:]) or known.element
        if element is None:
            continue
        collapsed = collapse(element, below)
        if collapsed is not below:
            changed = dict(node) if changed is None else changed
            changed[key] = collapsed
    return node if changed is None else changed
