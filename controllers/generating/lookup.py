"""Reads of generators: each kind is watched from its first use on, so that a refresh costs no request.

An operator whose users have no generators of a kind needs no watch of it, and no right to it. The first reads ask for their objects; all
others wait for the first list, so that a thousand objects after a restart cost one list. Where a kind may not be watched, each is asked for.
"""

from __future__ import annotations

from typing import Final

from controllers.generating.references import CLUSTER_GENERATOR
from eso_core.aio import Clock
from eso_core.cache import Cache, Informer, InformerSpec
from eso_core.client import Client
from eso_core.meta import GVK, JsonObject, ObjectKey
from eso_core.meta.errors import NotFound

__all__ = ["GeneratorLookup"]

_EVERYWHERE: Final[tuple[str, ...]] = ()
_FIRST_LIST: Final = 5.0
"""Seconds that the first list of a kind is waited for; without the right to it, it never comes."""


class GeneratorLookup:
    """Reads generators; `controllers.generating.references.Lookup` is its protocol.

    Args:
        cache: Gets an informer for each kind in use.
        api: Live reads.
        clock: Time.
        namespaces: Where namespaced kinds are watched; empty means everywhere.
    """

    def __init__(self, cache: Cache, api: Client, clock: Clock, *, namespaces: tuple[str, ...] = ()) -> None:
        self._cache = cache
        self._api = api
        self._clock = clock
        self._namespaces = namespaces
        self._not_waited_for: set[GVK] = set()

    async def get(self, kind: GVK, key: ObjectKey) -> JsonObject:
        """The object.

        Raises:
            NotFound: There is none.
            EsoCoreError: It cannot be read.
        """
        informer = self._cache.find(kind)
        if informer is None:
            return await self._first(kind, key)
        if not informer.synced and not await self._arrives(kind, informer):
            return await self._api.get(kind, key)
        try:
            cached: JsonObject = await self._cache.get(kind, key)
        except NotFound:
            # It may have been made a moment ago, by whoever made the object that names it.
            return await self._api.get(kind, key)
        return cached

    async def _first(self, kind: GVK, key: ObjectKey) -> JsonObject:
        """Ask for the object. Only a kind that is served and may be read is worth a watch."""
        try:
            found: JsonObject = await self._api.get(kind, key)
        except NotFound:
            self._watch(kind)
            raise
        self._watch(kind)
        return found

    def _watch(self, kind: GVK) -> None:
        cluster_wide = kind == CLUSTER_GENERATOR
        self._cache.register(InformerSpec(kind, namespaces=_EVERYWHERE if cluster_wide else self._namespaces))

    async def _arrives(self, kind: GVK, informer: Informer) -> bool:
        """Whether the first list of a kind comes in time; who did not come once is not waited for again."""
        if kind in self._not_waited_for:
            return False
        try:
            async with self._clock.timeout(_FIRST_LIST):
                await informer.wait_synced()
        except TimeoutError:
            self._not_waited_for.add(kind)
            return False
        return True
