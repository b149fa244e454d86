"""What an informer keeps of an object: ready-made transforms for `InformerSpec(transform=...)`.

All are pure and idempotent: an object that went through one of them comes out of it again as it was.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from eso_core.cache.codec import Transform
from eso_core.cache.store import JsonObject

__all__ = ["DATA_HASH", "chain", "drop_values", "hash_values", "keep_paths", "lacks_values"]

#: Top-level field of a cached object whose values were replaced by a hash of them.
DATA_HASH = "dataHash"

_VALUES = ("data", "stringData", "binaryData")
#: Hashes are compared within this process only; without the key a guess cannot be tried on a memory dump.
_KEY = secrets.token_bytes(32)


def drop_values(obj: JsonObject) -> JsonObject:
    """Drops the values of a Secret or ConfigMap and keeps the rest."""
    return {field: value for field, value in obj.items() if field not in _VALUES}


def hash_values(obj: JsonObject) -> JsonObject:
    """Replaces the values of a Secret or ConfigMap by one keyed hash, `dataHash`, which changes when a value does.

    The key is drawn anew by each process.
    """
    values = {field: obj[field] for field in _VALUES if obj.get(field)}
    if not values and DATA_HASH in obj:
        return obj
    text = orjson.dumps(values, option=orjson.OPT_SORT_KEYS)
    return {**drop_values(obj), DATA_HASH: hashlib.blake2b(text, digest_size=16, key=_KEY).hexdigest()}


def lacks_values(obj: object) -> bool:
    """Whether the values of this object were replaced by a hash: writing it whole would erase them."""
    fields = obj if isinstance(obj, Mapping) else getattr(obj, "model_extra", None)
    return fields is not None and DATA_HASH in fields


def keep_paths(*paths: str) -> Transform:
    """Keeps apiVersion, kind, metadata and what is at these dotted paths, such as `spec.replicas`.

    Raises:
        ValueError: no path, or an empty one.
    """
    wanted = [path.split(".") for path in paths]
    if not wanted or not all(all(parts) for parts in wanted):
        raise ValueError(f"keep_paths{paths}: names fields by dotted paths, such as spec.replicas")

    def keep(obj: JsonObject) -> JsonObject:
        kept: JsonObject = {field: obj[field] for field in ("apiVersion", "kind", "metadata") if field in obj}
        for parts in wanted:
            _copy(obj, kept, parts)
        return kept

    return keep


def _copy(source: Any, target: JsonObject, parts: list[str]) -> None:
    for part in parts[:-1]:
        source = source.get(part) if isinstance(source, dict) else None
        if not isinstance(source, dict):
            return
        target = target.setdefault(part, {})
    if parts[-1] in source:
        target[parts[-1]] = source[parts[-1]]


def chain(*transforms: Transform | None) -> Transform | None:
    """Several transforms, one after the other; None stands for no change."""
    steps = [step for step in transforms if step is not None]
    if len(steps) < 2:
        return steps[0] if steps else None
    return _Chain(steps)


class _Chain:
    __slots__ = ("_steps",)

    def __init__(self, steps: Iterable[Transform]) -> None:
        self._steps = tuple(steps)

    def __call__(self, obj: JsonObject) -> JsonObject | None:
        result: JsonObject | None = obj
        for step in self._steps:
            if result is None:
                return None
            result = step(result)
        return result
