"""Whether two objects mean the same to the API server."""

from __future__ import annotations

from typing import Any

from eso_core.meta.jsonpatch import equal
from eso_core.meta.quantity import Quantity
from eso_core.meta.time import parse_time

__all__ = ["semantic_equal"]

# Fields that hold maps. Elsewhere an empty object can mean something, like `emptyDir: {}`.
_MAPS = frozenset(
    {
        "annotations",
        "binaryData",
        "data",
        "labels",
        "limits",
        "matchLabels",
        "nodeSelector",
        "requests",
        "stringData",
    }
)
# Maps whose values are quantities.
_QUANTITIES = frozenset({"allocatable", "capacity", "hard", "limits", "requests", "used"})


def semantic_equal(a: Any, b: Any) -> bool:
    """Whether two values of an object mean the same.

    Null and empty lists count as absent, empty maps too in fields that are known to hold maps (labels, data, …). Quantities
    in resource lists and times in fields named ``…Time`` or ``…Timestamp`` are compared by value. Everything else must be
    equal; numbers and booleans are told apart.
    """
    return _equal(a, b, "", "")


def _equal(a: Any, b: Any, field: str, parent: str) -> bool:
    if isinstance(a, dict) and isinstance(b, dict):
        return all(_equal(a.get(key), b.get(key), key, field) for key in a.keys() | b.keys())
    if _absent(a, field) and _absent(b, field):
        return True
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(_equal(x, y, field, parent) for x, y in zip(a, b, strict=True))
    if equal(a, b):
        return True
    if parent in _QUANTITIES and isinstance(a, str | int) and isinstance(b, str | int):
        return _same(Quantity, str(a), str(b))
    if field.endswith(("Time", "Timestamp")) and isinstance(a, str) and isinstance(b, str):
        return _same(parse_time, a, b)
    return False


def _absent(value: Any, field: str) -> bool:
    return value is None or value == [] or (value == {} and field in _MAPS)


def _same(read: Any, a: str, b: str) -> bool:
    try:
        return bool(read(a) == read(b))
    except ValueError:
        return False
