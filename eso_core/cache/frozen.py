"""Decoded objects that readers share, and that nobody can change."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, NoReturn

from eso_core.cache.store import CachedObject, JsonObject

__all__ = ["FrozenDict", "FrozenObjects", "freeze"]


class FrozenDict(dict[str, Any]):
    """A dict that raises on every change. It compares, prints and serialises like any other."""

    __slots__ = ()

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("changing a shared object of the cache: use cache.get for one of your own")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __copy__(self) -> JsonObject:
        return dict(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> JsonObject:
        return {key: _thaw(value) for key, value in self.items()}


def freeze(value: Any) -> Any:
    """The JSON value with frozen dicts, and tuples for lists."""
    if isinstance(value, dict):
        return FrozenDict({key: freeze(item) for key, item in value.items()})
    if isinstance(value, list):
        return tuple([freeze(item) for item in value])
    return value


def _thaw(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _thaw(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_thaw(item) for item in value]
    return value


class FrozenObjects:
    """The most recently used frozen objects of one cache.

    Raises:
        ValueError: when the size is not positive.
    """

    def __init__(self, size: int = 1000) -> None:
        if size < 1:
            raise ValueError(f"FrozenObjects: size={size} must be at least 1")
        self._size = size
        self._objects: OrderedDict[int, tuple[CachedObject, FrozenDict]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._objects)

    def of(self, entry: CachedObject) -> FrozenDict:
        """The frozen form of a store entry; decoded once as long as it is in use."""
        # The entry is kept with its object, so that the id cannot be taken by another one meanwhile.
        identity = id(entry)
        known = self._objects.get(identity)
        if known is not None:
            self._objects.move_to_end(identity)
            return known[1]
        frozen: FrozenDict = freeze(entry.decode())
        self._objects[identity] = (entry, frozen)
        if len(self._objects) > self._size:
            self._objects.popitem(last=False)
        return frozen
