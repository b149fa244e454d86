"""Putting an applied value over a live one, and taking fields out of a value.

Results share unchanged parts with the values they are made of.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from eso_core.testing.apiserver.managedfields.atoms import ABSENT, Atom, ListAtom, MapAtom, deduce
from eso_core.testing.apiserver.managedfields.fieldset import Node, is_member, with_member
from eso_core.testing.apiserver.managedfields.typed import BadItem, item_step

__all__ = ["merge", "name_fields", "remove"]

JsonObject = dict[str, Any]


def merge(atom: Atom, live: Any, applied: Any) -> Any:
    """The live value with the applied one over it.

    Objects merge field by field, set and map lists item by item, everything else is replaced. The order of list
    items is that of the applied list as far as it goes, with the live items in between where they were.
    """
    merged = _merge(atom, live, applied)
    return None if merged is ABSENT else merged


def _merge(atom: Atom, live: Any, applied: Any) -> Any:
    if applied is ABSENT:
        return live
    _, known = deduce(atom, applied)
    if live is not ABSENT and applied is None:
        _, known = deduce(atom, live)
    if isinstance(known, MapAtom):
        left = live if isinstance(live, dict) else {}
        right = applied if isinstance(applied, dict) else {}
        if known.atomic or not (left or right):
            return applied
        return _merge_maps(known, left, right) or ABSENT
    if isinstance(known, ListAtom):
        first = live if isinstance(live, list) else []
        second = applied if isinstance(applied, list) else []
        if known.atomic or not (first or second):
            return applied
        return _merge_lists(known, first, second) or ABSENT
    return applied


def _merge_maps(known: MapAtom, live: JsonObject, applied: JsonObject) -> JsonObject:
    merged = dict(live)
    for key, value in applied.items():
        element = known.fields.get(key) or known.element
        before = live.get(key, ABSENT)
        result = value if element is None else _merge(element, before, value)
        if result is ABSENT:
            merged.pop(key, None)
        else:
            merged[key] = result
    return merged


def _steps(known: ListAtom, items: list[Any]) -> list[str]:
    found = []
    for index, item in enumerate(items):
        try:
            found.append(item_step(known, item))
        except BadItem:
            # Live lists may hold what today's schema refuses; such items keep a name of their own.
            found.append(f"i:{index}")
    return found


def _merge_lists(known: ListAtom, live: list[Any], applied: list[Any]) -> list[Any]:
    live_steps, applied_steps = _steps(known, live), _steps(known, applied)
    # A name that occurs twice in the live list matches no applied item: the item replaces all of them.
    once = {step: item for step, item in zip(live_steps, live, strict=True) if live_steps.count(step) == 1}
    wanted = dict(zip(applied_steps, applied, strict=True))
    present = set(live_steps)
    shared = iter([step for step in applied_steps if step in present])
    next_shared = next(shared, None)
    out: list[Any] = []

    def take(step: str) -> None:
        merged = _merge(known.element, once.get(step, ABSENT), wanted[step])
        if merged is not ABSENT:
            out.append(merged)

    taken: set[str] = set()
    left = right = 0
    while left < len(live) or right < len(applied):
        if left < len(live) and right < len(applied):
            step = live_steps[left]
            if step == applied_steps[right]:
                take(step)
                taken.add(step)
                left, right = left + 1, right + 1
                next_shared = next(shared, None)
                continue
            if step in wanted and next_shared is not None and next_shared != step:
                left += 1  # Its place is where the applied list has it.
                continue
        if left < len(live):
            step = live_steps[left]
            if step not in wanted:
                out.append(live[left])
                left += 1
                continue
            if step in taken:
                left += 1
        if right < len(applied):
            step = applied_steps[right]
            take(step)
            taken.add(step)
            right += 1
            if next_shared == step:
                next_shared = next(shared, None)
    return out


def remove(atom: Atom, value: Any, unwanted: Node) -> Any:
    """The value without the fields of a set. An object or list that loses all its content becomes null."""
    if not unwanted:
        return value
    _, known = deduce(atom, value)
    if isinstance(known, MapAtom):
        return _remove_fields(known, value, unwanted) if isinstance(value, dict) else None
    if isinstance(known, ListAtom):
        return _remove_items(known, value, unwanted) if isinstance(value, list) else None
    return value


def _remove_fields(known: MapAtom, value: JsonObject, unwanted: Node) -> JsonObject | None:
    if known.atomic or not value:
        return None
    kept: JsonObject = {}
    for key, item in value.items():
        node = unwanted.get(f"f:{key}")
        if node is None:
            kept[key] = item
        elif not is_member(node):
            element = known.fields.get(key) or known.element
            kept[key] = item if element is None else remove(element, item, node)
    return kept or None


def _remove_items(known: ListAtom, value: list[Any], unwanted: Node) -> list[Any] | None:
    if known.atomic or not value:
        return None
    kept = []
    for step, item in zip(_steps(known, value), value, strict=True):
        node = unwanted.get(step)
        if node is None:
            kept.append(item)
        elif not is_member(node):
            kept.append(remove(known.element, item, node))
    return kept or None


def name_fields(atom: Atom | None, node: Node) -> Node:
    """A set to which every declared field that something of the set is below is added.

    Removing ``spec.a`` must also remove ``spec`` when nothing else is in it; for that ``spec`` must be in the set.
    """
    return dict(_named(atom, node))


def _named(atom: Atom | None, node: Node) -> Iterator[tuple[str, Node]]:
    for key, below in node.items():
        if not below:
            yield key, below
            continue
        inner = _element(atom, key)
        extended = dict(_named(inner, below))
        declared = key[0] == "f" and atom is not None and atom.map is not None and key[2:] in atom.map.fields
        yield key, with_member(extended) if declared else extended


def _element(atom: Atom | None, key: str) -> Atom | None:
    if atom is None:
        return None
    if key[0] == "f" and atom.map is not None:
        return atom.map.fields.get(key[2:]) or atom.map.element
    if key[0] == "k" and atom.list is not None:
        return atom.list.element
    return None
