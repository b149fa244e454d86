"""Dicts: maps from text to anything, shared and changed in place by `set`, `unset` and the merges."""

from __future__ import annotations

from typing import Any

from controllers.templating.budget import allocate, spend
from controllers.templating.functions.registry import FunctionError, function
from controllers.templating.gotemplate.fmt import to_text
from controllers.templating.gotemplate.values import (
    GoObject,
    NilDict,
    StrList,
    StrMap,
    Value,
    kind_of,
    truth,
    type_name,
)

__all__: list[str] = []

GROUP = "Dicts"
Dict = dict[bytes, Any]


@function("dict", "...any", "A dict of keys and values in turn.", group=GROUP,
          example='{{ dict "a" 1 "b" "x" }}', result="map[a:1 b:x]")  # fmt: skip
def make_dict(*pairs: Value) -> Dict:
    allocate(200 + 40 * len(pairs))
    made: Dict = {}
    for at in range(0, len(pairs), 2):
        made[to_text(pairs[at])] = pairs[at + 1] if at + 1 < len(pairs) else b""
    return made


@function("set", "map[string]interface {}, string, any", "Sets an entry in the dict, which is also the result.", group=GROUP,
          example='{{ $d := dict "a" 1 }}{{ $_ := set $d "b" 2 }}{{ $d }}', result="map[a:1 b:2]")  # fmt: skip
def set_entry(target: Dict | None, key: bytes, value: Value) -> Dict:
    if not target and (target is None or type(target) is not dict):
        raise FunctionError("assignment to entry in nil map")
    target[key] = value
    return target


@function("unset", "map[string]interface {}, string", "Removes an entry from the dict, which is also the result.", group=GROUP,
          example='{{ unset (dict "a" 1 "b" 2) "a" }}', result="map[b:2]")  # fmt: skip
def unset(target: Dict | None, key: bytes) -> Dict | None:
    if target:
        target.pop(key, None)
    return target


@function("get", "map[string]interface {}, string", "The value of a key; empty text if there is none.", group=GROUP,
          example='{{ get (dict "a" 1) "a" }}', result="1")  # fmt: skip
def get(source: Dict | None, key: bytes) -> Value:
    return source.get(key, b"") if source else b""


@function("hasKey", "map[string]interface {}, string", "Whether the dict has the key.", group=GROUP,
          example='{{ hasKey (dict "a" 1) "a" }}', result="true")  # fmt: skip
def has_key(source: Dict | None, key: bytes) -> bool:
    return bool(source) and key in (source or {})


@function("keys", "...map[string]interface {}", "The keys of all dicts, those of each in order.", group=GROUP,
          example='{{ keys (dict "b" 1 "a" 2) }}', result="[a b]")  # fmt: skip
def keys(*sources: Dict | None) -> StrList:
    found = StrList(key for source in sources for key in sorted(source or {}))
    allocate(8 * len(found))
    return found


@function("values", "map[string]interface {}", "The values, in the order of their keys.", group=GROUP,
          example='{{ values (dict "b" 1 "a" 2) }}', result="[2 1]")  # fmt: skip
def values(source: Dict | None) -> list[Value]:
    return [source[key] for key in sorted(source)] if source else []


@function("pluck", "string, ...map[string]interface {}", "The values that the dicts have for the key.", group=GROUP,
          example='{{ pluck "a" (dict "a" 1) (dict "b" 2) (dict "a" 3) }}', result="[1 3]")  # fmt: skip
def pluck(key: bytes, *sources: Dict | None) -> list[Value]:
    return [source[key] for source in sources if source and key in source]


@function("pick", "map[string]interface {}, ...string", "A dict of the entries with these keys.", group=GROUP,
          example='{{ pick (dict "a" 1 "b" 2) "a" "x" }}', result="map[a:1]")  # fmt: skip
def pick(source: Dict | None, *wanted: bytes) -> Dict:
    return {key: source[key] for key in wanted if key in source} if source else {}


@function("omit", "map[string]interface {}, ...string", "A dict of the entries without these keys.", group=GROUP,
          example='{{ omit (dict "a" 1 "b" 2) "a" }}', result="map[b:2]")  # fmt: skip
def omit(source: Dict | None, *unwanted: bytes) -> Dict:
    left_out = frozenset(unwanted)
    return {key: value for key, value in (source or {}).items() if key not in left_out}


def _as_dict(value: Value) -> Dict:
    if kind_of(value) == "map" and type_name(value) == "map[string]interface {}":
        return value  # type: ignore[no-any-return]
    actual = "nil" if value is None else type_name(value)
    raise FunctionError(f"interface conversion: interface {{}} is {actual}, not map[string]interface {{}}")


@function("dig", "...any", "The value under nested keys of the dict, which comes last; before it stands a default.", group=GROUP,
          example='{{ dig "a" "b" "none" (dict "a" (dict "b" 5)) }} {{ dig "a" "x" "none" (dict) }}', result="5 none")  # fmt: skip
def dig(*path: Value) -> Value:
    if len(path) < 3:
        raise FunctionError("dig needs at least three arguments")
    current = _as_dict(path[-1])
    names = path[:-2]
    for name in names:
        if not isinstance(name, bytes):
            actual = "nil" if name is None else type_name(name)
            raise FunctionError(f"interface conversion: interface {{}} is {actual}, not string")
    for name in names[:-1]:
        if name not in current:
            return path[-2]
        current = _as_dict(current[name])
    return current.get(names[-1], path[-2])


def _copied(value: Value) -> Value:
    """A copy that shares no list or dict; made with a stack, for data may be nested as deep as it likes."""
    made: list[Value] = [value]
    open_places: list[tuple[Any, Any]] = [(made, 0)]
    size = 0
    while open_places:
        holder, place = open_places.pop()
        source = holder[place]
        if isinstance(source, dict):
            size += 64 + 64 * len(source)
            allocate(size)
            copy: Any = type(source)(source)
            open_places += ((copy, key) for key in copy)
        elif isinstance(source, list):
            size += 64 + 8 * len(source)
            allocate(size)
            copy = type(source)(source)
            open_places += ((copy, at) for at in range(len(copy)))
        else:
            copied = getattr(source, "deep_copied", None)
            copy = copied() if copied is not None else source
        holder[place] = copy
    return made[0]


@function(["deepCopy", "mustDeepCopy"], "any", "A copy that shares nothing with the value.", group=GROUP,
          example='{{ $d := dict "a" (dict "b" 1) }}{{ $_ := set (deepCopy $d).a "b" 2 }}{{ $d.a.b }}', result="1")  # fmt: skip
def deep_copy(value: Value) -> Value:
    if value is None:
        raise FunctionError("reflect: call of reflect.Value.Type on zero Value")
    return _copied(value)


class _Mismatch(Exception):
    """A version or the like stands where a dict is to be merged in."""


def _merge(target: Dict, source: Dict, *, overwrite: bool) -> None:
    open_pairs = [(target, source)]
    seen: set[tuple[int, int]] = set()
    while open_pairs:
        into, origin = open_pairs.pop()
        if (id(into), id(origin)) in seen:
            continue
        seen.add((id(into), id(origin)))
        spend(1 + len(origin))
        for key, value in list(origin.items()):
            present = into.get(key)
            if isinstance(into, StrMap) and not isinstance(origin, StrMap):
                if overwrite or (value is not None and not present):
                    given = type_name(value) if isinstance(value, list) else "interface {}"
                    raise FunctionError(
                        f"reflect.Value.SetMapIndex: value of type {given} is not assignable to type string"
                    )
            elif value is None:
                if overwrite:
                    into[key] = None
            elif isinstance(value, dict) and isinstance(present, dict) and type(present) is not NilDict:
                if present or any(content is not None for content in value.values()) or (overwrite and value):
                    open_pairs.append((present, value))
                else:  # nothing to copy: the dict itself takes the empty place
                    into[key] = value
            elif (
                not overwrite
                and isinstance(present, GoObject)
                and present.go_kind == "ptr"
                and _holds_fields(value, present)
            ):
                raise _Mismatch
            elif overwrite or key not in into or not truth(present):
                into[key] = value


def _holds_fields(value: Value, present: Value) -> bool:
    return kind_of(value) in ("map", "struct", "ptr") and type_name(value) != type_name(present)


def _merged(target: Dict | None, sources: tuple[Dict | None, ...], *, overwrite: bool) -> Dict:
    made: Dict = target if target or type(target) is dict else NilDict()
    for source in sources:
        if type(made) is NilDict and source is not None and type(source) is not NilDict:
            made = {}
        if source:
            _merge(made, source, overwrite=overwrite)
    return made


def _quiet(target: Dict | None, sources: tuple[Dict | None, ...], *, overwrite: bool) -> Value:
    try:
        return _merged(target, sources, overwrite=overwrite)
    except _Mismatch:
        return b""


def _loud(target: Dict | None, sources: tuple[Dict | None, ...], *, overwrite: bool) -> Value:
    try:
        return _merged(target, sources, overwrite=overwrite)
    except _Mismatch:
        raise FunctionError("src and dst must be of same type") from None


_MERGE = "map[string]interface {}, ...map[string]interface {}"


@function("merge", _MERGE, "The first dict with what it lacks from the others; it is changed.", group=GROUP,
          example='{{ merge (dict "a" 1) (dict "a" 2 "b" 3) }}', result="map[a:1 b:3]")  # fmt: skip
def merge(target: Dict | None, *sources: Dict | None) -> Value:
    return _quiet(target, sources, overwrite=False)


@function("mustMerge", _MERGE, "As merge; values that cannot be merged fail.", group=GROUP,
          example='{{ mustMerge (dict "a" "") (dict "a" 2) }}', result="map[a:2]")  # fmt: skip
def must_merge(target: Dict | None, *sources: Dict | None) -> Value:
    return _loud(target, sources, overwrite=False)


@function("mergeOverwrite", _MERGE, "The first dict with the entries of the others, later ones first; it is changed.", group=GROUP,
          example='{{ mergeOverwrite (dict "a" 1) (dict "a" 2 "b" 3) }}', result="map[a:2 b:3]")  # fmt: skip
def merge_overwrite(target: Dict | None, *sources: Dict | None) -> Value:
    return _quiet(target, sources, overwrite=True)


@function("mustMergeOverwrite", _MERGE, "As mergeOverwrite; values that cannot be merged fail.", group=GROUP,
          example='{{ mustMergeOverwrite (dict "a" 1) (dict "a" nil) }}', result="map[a:<nil>]")  # fmt: skip
def must_merge_overwrite(target: Dict | None, *sources: Dict | None) -> Value:
    return _loud(target, sources, overwrite=True)
