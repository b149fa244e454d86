"""What templates of PushSecrets read: which ConfigMaps and Secrets, in which version, and word when they change.

ConfigMaps are watched, as metadata, from the first object on whose template names one: an operator whose users have none
needs no right to list them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from controllers.externalsecret.target import SECRETS
from controllers.pushsecret.plan import PUSH_SECRET
from controllers.pushsecret.sources import SOURCE_INDEX
from eso_core.aio import Clock
from eso_core.cache import Cache, CachedObject, Change, ChangeType, InformerSpec
from eso_core.controller import Enqueue, Request
from eso_core.meta import JsonObject, ObjectKey, Partial
from eso_core.meta.wellknown import CONFIG_MAP

__all__ = ["TemplateWatch", "template_sources"]

_CONFIG_MAPS: Final = Partial(CONFIG_MAP)
_FIRST_LIST: Final = 2.0
"""Seconds that the first list of ConfigMaps is waited for, so that their versions are known when they are compared."""


def template_sources(template: JsonObject | None) -> Iterator[tuple[str, str]]:
    """Kind and name of everything that a template names."""
    for entry in (template or {}).get("templateFrom") or ():
        for member, kind in (("configMap", "ConfigMap"), ("secret", "Secret")):
            name = (entry.get(member) or {}).get("name")
            if name:
                yield kind, name


class TemplateWatch:
    """Knows the versions of what templates read.

    Args:
        cache: Has the informers.
        clock: Time.
        namespaces: Where ConfigMaps are watched; empty means everywhere.
    """

    def __init__(self, cache: Cache, clock: Clock, *, namespaces: tuple[str, ...] = ()) -> None:
        self._cache = cache
        self._clock = clock
        self._spec = InformerSpec(_CONFIG_MAPS, namespaces=namespaces)
        self._queue: Enqueue | None = None
        self._watching = False

    def attach(self, enqueue: Enqueue) -> None:
        """The start function of a source of the PushSecret controller."""
        self._queue = enqueue

    async def ensure_watched(self, template: JsonObject | None) -> None:
        """Begin to watch ConfigMaps if the template names one."""
        if self._watching or not any(kind == "ConfigMap" for kind, _ in template_sources(template)):
            return
        self._watching = True
        informer = self._cache.register(self._spec)
        informer.subscribe(self._changed, name="templates of PushSecrets")
        try:
            async with self._clock.timeout(_FIRST_LIST):
                await informer.wait_synced()
        except TimeoutError:
            return  # not allowed, perhaps: rendering reads what it needs and says what is wrong

    def versions(self, namespace: str, template: JsonObject | None) -> list[str]:
        """Each source with its version as the watch has it."""
        return [f"{kind}/{name}@{self._version(kind, namespace, name)}" for kind, name in template_sources(template)]

    def _version(self, kind: str, namespace: str, name: str) -> str:
        watched = SECRETS if kind == "Secret" else _CONFIG_MAPS
        if self._cache.find(watched) is None:
            return ""
        entry: CachedObject | None = self._cache.peek(watched, ObjectKey(namespace, name))
        return entry.resource_version if entry is not None else ""

    def _changed(self, change: Change) -> None:
        queue = self._queue
        if queue is None or change.initial or change.type is ChangeType.UNCHANGED:
            return
        key = change.object.key
        value = f"ConfigMap/{key.namespace}/{key.name}"
        for entry in queue.cache.informer(PUSH_SECRET).select(index=(SOURCE_INDEX, value)):
            queue.add(Request(entry.key.namespace, entry.key.name))
