"""Strategic merge patches, as the server applies them to built-in kinds.

Which lists are merged, and by which key, comes from ``x-kubernetes-patch-strategy`` and
``x-kubernetes-patch-merge-key`` in the kind's schema. Directives inside a patch:

=================================  ========================================================================
``$patch: delete | replace``       in an object or a list item: delete it, or replace instead of merging
``$deleteFromPrimitiveList/name``  values to take out of the list ``name``
``$setElementOrder/name``          the order that the items of ``name`` are to have afterwards
``$retainKeys``                    the only keys the object may keep
=================================  ========================================================================
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Final

from eso_core.testing.apiserver import errors
from eso_core.testing.apiserver.builtin import schemas
from eso_core.testing.apiserver.schema import gotext

__all__ = ["PatchError", "apply"]

JsonObject = dict[str, Any]

_PATCH: Final = "$patch"
_RETAIN: Final = "$retainKeys"
_DELETE_FROM: Final = "$deleteFromPrimitiveList/"
_ORDER: Final = "$setElementOrder/"


class PatchError(ValueError):
    """The patch breaks the format; the server answers 400 with this text."""


def apply(document: JsonObject, patch: JsonObject, schema: JsonObject) -> Any:
    """The document after a strategic merge patch; neither argument is changed.

    Args:
        document: the live object.
        patch: the patch.
        schema: OpenAPI schema of the kind; ``$ref`` points to built-in types.

    Raises:
        PatchError: the patch breaks the format of a directive.
        StatusError: 422 for lists in lists, 500 for patches that contradict the schema or themselves.
    """
    return _merge_map(copy.deepcopy(document), copy.deepcopy(patch), schema)


def _merge_map(original: JsonObject, patch: JsonObject, schema: JsonObject) -> JsonObject:
    if _PATCH in patch:
        directive = patch[_PATCH]
        if directive == "replace":
            return {key: value for key, value in patch.items() if key != _PATCH}
        if directive == "delete":
            return {}
        raise _bad_directive(directive, patch)
    _retain_keys(original, patch)
    for key in [key for key in patch if key.startswith(_ORDER)]:
        _set_order(original, patch, key, schema)
    for key, value in patch.items():
        deleting = key.startswith(_DELETE_FROM)
        _merge_key(original, key.removeprefix(_DELETE_FROM) if deleting else key, value, schema, deleting)
    return original


def _merge_key(original: JsonObject, key: str, value: Any, schema: JsonObject, deleting: bool) -> None:
    if value is None:
        original.pop(key, None)
        return
    present: Any = original.get(key)
    if key not in original or type(present) is not type(value):
        if not deleting:
            kept, keep = _plain(_without_nulls(value))
            if keep:
                original[key] = kept
            else:
                original.pop(key, None)
        return
    below = _resolve(_member(schema, key))
    if isinstance(value, dict):
        replace = "replace" in _strategies(_member(schema, key))
        original[key] = value if replace else _merge_map(present, value, below)
    elif isinstance(value, list):
        original[key] = _merge_or_replace(present, value, _member(schema, key), deleting)
    else:
        original[key] = value


def _retain_keys(original: JsonObject, patch: JsonObject) -> None:
    if _RETAIN not in patch:
        return
    retained = patch.pop(_RETAIN)
    if not isinstance(retained, list):
        raise PatchError("invalid patch format of retainKeys")
    for key, value in patch.items():
        if value is not None and not key.startswith((_DELETE_FROM, _ORDER)) and key not in retained:
            raise PatchError("invalid patch format of retainKeys")
    for key in [key for key in original if key not in retained]:
        del original[key]


# -- lists


def _merge_or_replace(original: list[Any], patch: list[Any], schema: JsonObject, deleting: bool) -> list[Any]:
    if deleting or "merge" in _strategies(schema):
        return _merge_list(original, patch, schema, deleting)
    return patch


def _merge_list(original: list[Any], patch: list[Any], schema: JsonObject, deleting: bool) -> list[Any]:
    if not original and not patch:
        return original
    key: str = schema.get("x-kubernetes-patch-merge-key", "")
    if not _holds_objects(original, patch):
        if deleting:
            return [item for item in original if item not in patch]
        merged: list[Any] = []
        for item in [*original, *patch]:
            if item not in merged:
                merged.append(item)
        key = ""
    else:
        if not key:
            name = schema.get("items", {}).get("$ref", "").rpartition(".")[2]
            raise errors.unknown_failure(f"cannot merge lists without merge key for {name}")
        original, patch = _special_items(original, patch, key)
        merged = _merge_items(list(original), patch, key, _resolve(schema.get("items", {})))
    return _ordered(merged, patch, original, key)


def _holds_objects(*lists: list[Any]) -> bool:
    kinds = {type(item) for items in lists for item in items}
    if list in kinds:
        raise errors.rejected()
    if len(kinds) > 1:
        raise errors.unknown_failure(f"list element types are not identical: {_go(list(lists))}")
    return kinds == {dict}


def _special_items(original: list[Any], patch: list[Any], key: str) -> tuple[list[Any], list[Any]]:
    """Carry out the ``$patch`` directives of list items; what is left are the items to merge."""
    plain: list[Any] = []
    replace = False
    for item in patch:
        directive = item.get(_PATCH)
        if _PATCH not in item:
            plain.append(item)
        elif directive == "delete":
            wanted = _key_of(item, key)
            original = [kept for kept in original if kept.get(key) != wanted]
        elif directive == "replace":
            replace = True
        elif directive == "merge":
            raise errors.unknown_failure("merging lists cannot yet be specified in the patch")
        else:
            raise _bad_directive(directive, item)
    return (plain, []) if replace else (original, plain)


def _merge_items(merged: list[Any], patch: list[Any], key: str, schema: JsonObject) -> list[Any]:
    for item in patch:
        wanted = _key_of(item, key)
        for index, present in enumerate(merged):
            if present.get(key) == wanted:
                merged[index] = _merge_map(present, item, schema)
                break
        else:
            merged.append(item)
    return merged


def _key_of(item: JsonObject, key: str) -> Any:
    if key not in item:
        raise errors.unknown_failure(f"map: {_go(item)} does not contain declared merge key: {key}")
    return item[key]


def _set_order(original: JsonObject, patch: JsonObject, directive: str, schema: JsonObject) -> None:
    """Merge a list for which the patch says the order, and bring it into that order."""
    order = patch.pop(directive)
    name = directive.removeprefix(_ORDER)
    live, changed = original.get(name), patch.get(name)
    for value in (order, *([live] if name in original else []), *([changed] if name in patch else [])):
        if not isinstance(value, list):
            raise errors.unknown_failure(f"expected a []interface {{}}, but received a {_go_type(value)}")
    member = _member(schema, name)
    if not member:
        raise errors.unknown_failure(
            f"unable to find api field in struct {_struct_name(schema)} for the json field {gotext.quote(name)}"
        )
    key: str = member.get("x-kubernetes-patch-merge-key", "")
    _check_order(changed or [], order, key)
    if live is None and changed is None:
        return
    if not live and not changed:
        raise errors.unknown_failure("no elements in any of the given slices")
    if changed is None:
        merged: list[Any] = live or []
    elif live is None:
        merged = _plain(changed)[0]
    else:
        merged = _merge_or_replace(live, changed, member, False)
    original[name] = _ordered(merged, order, live or [], key)
    patch.pop(name, None)


def _check_order(changed: list[Any], order: list[Any], key: str) -> None:
    """The items of the patch must come in the order that the directive names."""
    wanted = [item for item in changed if not (isinstance(item, dict) and item.get(_PATCH) == "delete")]
    same = _same_by(key)
    if not order:
        return
    position = 0
    for item in order:
        if position < len(wanted) and same(wanted[position], item):
            position += 1
    if position < len(wanted):
        raise errors.unknown_failure(
            f"The order in patch list:\n{_go(changed)}\n doesn't match $setElementOrder list:\n{_go(order)}\n"
        )


def _same_by(key: str) -> Callable[[Any, Any], bool]:
    if not key:
        return lambda left, right: bool(left == right)

    def same(left: Any, right: Any) -> bool:
        if not isinstance(left, dict) or not isinstance(right, dict):
            return False
        return bool(_key_of(left, key) == _key_of(right, key))

    return same


def _ordered(merged: list[Any], wanted: list[Any], live: list[Any], key: str) -> list[Any]:
    """The merged items: those of ``wanted`` in its order, the others in between as they were in the live list."""
    same = _same_by(key)

    def place(items: list[Any], item: Any) -> int:
        return next((index for index, other in enumerate(items) if same(item, other)), -1)

    named = sorted((item for item in merged if place(wanted, item) >= 0), key=lambda item: place(wanted, item))
    others = [item for item in merged if place(wanted, item) < 0]
    others.sort(key=lambda item: place(live, item))
    result: list[Any] = []
    left = right = 0
    while left < len(others) and right < len(named):
        ours, theirs = place(live, others[left]), place(live, named[right])
        if 0 <= ours < theirs:
            result.append(others[left])
            left += 1
        else:
            result.append(named[right])
            right += 1
    return [*result, *others[left:], *named[right:]]


# -- values that are taken over whole


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


def _plain(value: Any) -> tuple[Any, bool]:
    """A value without directives, and whether to keep it at all: what carries ``$patch`` is dropped."""
    if isinstance(value, dict):
        if _PATCH in value:
            return None, False
        pairs = {key: _plain(item) for key, item in value.items()}
        return {key: item for key, (item, keep) in pairs.items() if keep}, True
    if isinstance(value, list):
        return [item for item, keep in map(_plain, value) if keep], True
    return value, True


# -- the schema


def _resolve(schema: JsonObject) -> JsonObject:
    for candidate in (schema, *schema.get("allOf", ())):
        reference = candidate.get("$ref")
        if reference:
            return schemas.components()[reference.removeprefix(schemas.REFERENCE_PREFIX)]
    return schema


def _member(schema: JsonObject, key: str) -> JsonObject:
    """The schema of a member as declared there (strategy and merge key stand beside the reference)."""
    found = schema.get("properties", {}).get(key) or schema.get("additionalProperties")
    return found if isinstance(found, dict) else {}


def _struct_name(schema: JsonObject) -> str:
    names = (name for name, known in schemas.components().items() if known is schema)
    return next(names, "").rpartition(".")[2]


def _strategies(schema: JsonObject) -> list[str]:
    return str(schema.get("x-kubernetes-patch-strategy", "")).split(",")


# -- texts


def _bad_directive(directive: Any, patch: JsonObject) -> errors.StatusError:
    return errors.unknown_failure(f"unknown patch type: {_go(directive)} in map: {_go(patch)}")


def _go(value: Any) -> str:
    """A value as Go's ``%v`` prints it."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{_go(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(map(_go, value)) + "]"
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _go_type(value: Any) -> str:
    if isinstance(value, dict):
        return "map[string]interface {}"
    return {str: "string", bool: "bool", int: "int64", float: "float64"}.get(type(value), "<nil>")
