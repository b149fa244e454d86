"""Reads of generators: each kind is watched from its first use on, so that a refresh costs no request.

An operator whose users have no generators of a kind needs no watch of it, and no right to it. Until the first list is there, and where the
kind may not be watched, the object is asked for.
"""

from __future__ import annotations

from typing import Final

from controllers.generating.references import CLUSTER_GENERATOR
from eso_core.cache import Cache, InformerSpec
from eso_core.client import Client
from eso_core.meta import GVK, JsonObject, ObjectKey
from eso_core.meta.errors import NotFound

__all__ = ["GeneratorLookup"]

_EVERYWHERE: Final[tuple[str, ...]] = ()


class GeneratorLookup:
    """Reads generators; `controllers.generating.references.Lookup` is its protocol.

    Args:
        cache: Gets an informer for each kind in use.
        api: Live reads.
        namespaces: Where namespaced kinds are watched; empty means everywhere.
    """

    def __init__(self, cache: Cache, api: Client, *, namespaces: tuple[str, ...] = ()) -> None:
        self._cache = cache
        self._api = api
        self._namespaces = namespaces

    async def get(self, kind: GVK, key: ObjectKey) -> JsonObject:
        """The object.

        Raises:
            NotFound: There is none.
            EsoCoreError: It cannot be read.
        """
        informer = self._cache.find(kind)
        if informer is None:
            found: JsonObject = await self._api.get(kind, key)
            # Only a kind that is served and has been read is worth a watch.
            cluster_wide = kind == CLUSTER_GENERATOR
            self._cache.register(InformerSpec(kind, namespaces=_EVERYWHERE if cluster_wide else self._namespaces))
            return found
        if not informer.synced:
            return await self._api.get(kind, key)
        try:
            cached: JsonObject = await self._cache.get(kind, key)
        except NotFound:
            # It may have been made a moment ago, by whoever made the object that names it.
            return await self._api.get(kind, key)
        return cached
