"""ConfigMaps and Secrets that templates name: read when needed, watched so that a change renders anew.

The watch is of metadata alone; content is read when its version is one that has not been read before, and kept in a bounded
cache, so that a thousand objects with one layout cost one read. ConfigMaps are watched from the first object on that names
one: an operator whose users have none needs no right to list them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from controllers.externalsecret.render import decode_data
from controllers.externalsecret.report import EXTERNAL_SECRET
from controllers.externalsecret.target import MANAGED_VIEW, SECRETS
from controllers.templating.stage import StageFailed
from eso_core.aio import SingleFlight
from eso_core.cache import Cache, Change, ChangeType, InformerSpec
from eso_core.cache.store import is_older
from eso_core.client import Client
from eso_core.controller import Enqueue, Event, EventKind, Request
from eso_core.meta import GVK, JsonObject, ObjectKey, Partial
from eso_core.meta.errors import ApiError, EsoCoreError, Forbidden, NotFound
from eso_core.meta.wellknown import CONFIG_MAP, SECRET

__all__ = ["SOURCE_INDEX", "SourceChanges", "TemplateSources", "by_source", "source_refs"]

SOURCE_INDEX: Final = "templatesource"
_CACHE_BYTES: Final = 8 * 1024 * 1024
_KINDS: Final[Mapping[str, GVK]] = {"ConfigMap": CONFIG_MAP, "Secret": SECRET}
_PLURALS: Final = {"ConfigMap": "configmaps", "Secret": "secrets"}

_Key = tuple[str, str, str]


def source_refs(obj: JsonObject) -> Iterator[tuple[str, str]]:
    """Kind and name of everything that the template of an ExternalSecret names."""
    target = (obj.get("spec") or {}).get("target") or {}
    for entry in (target.get("template") or {}).get("templateFrom") or ():
        for member, kind in (("configMap", "ConfigMap"), ("secret", "Secret")):
            name = (entry.get(member) or {}).get("name")
            if name:
                yield kind, name


def by_source(meta: Any, obj: JsonObject) -> Iterable[str]:
    """Index function: ExternalSecrets by the sources of their templates, their own target apart.

    An object that reads its own target would wake itself with every write.
    """
    target = (obj.get("spec") or {}).get("target") or {}
    if not target.get("template"):
        return ()
    metadata = obj["metadata"]
    own = ("Secret", target.get("name") or metadata["name"])
    return {f"{kind}/{metadata.get('namespace', '')}/{name}" for kind, name in source_refs(obj) if (kind, name) != own}


class SourceChanges:
    """Which objects have sources that changed after they were rendered; kept until they have been rendered again."""

    def __init__(self) -> None:
        self._pending: dict[ObjectKey, int] = {}
        self._count = 0

    def note(self, key: ObjectKey) -> None:
        """A source of this object changed."""
        self._count += 1
        self._pending[key] = self._count

    def pending(self, key: ObjectKey) -> int:
        """A mark of the latest change, 0 without one."""
        return self._pending.get(key, 0)

    def done(self, key: ObjectKey, mark: int) -> None:
        """The object has been rendered since `mark` was asked for; a later change stays pending."""
        if self._pending.get(key) == mark:
            del self._pending[key]

    def forget(self, key: ObjectKey) -> None:
        """The object is gone."""
        self._pending.pop(key, None)


class TemplateSources:
    """Reads and watches sources of templates.

    Args:
        cache: Has the informers.
        api: Live reads.
        namespaces: Where ConfigMaps are watched; empty means everywhere.

    Attributes:
        changes: Objects to render anew.
    """

    def __init__(self, cache: Cache, api: Client, *, namespaces: tuple[str, ...] = ()) -> None:
        self._cache = cache
        self._api = api
        self._namespaces = namespaces
        self.changes = SourceChanges()
        self._flights: SingleFlight[_Key, tuple[str, dict[str, bytes]]] = SingleFlight()
        self._kept: OrderedDict[_Key, tuple[str, dict[str, bytes], int]] = OrderedDict()
        self._weight = 0
        self._seen: dict[_Key, str] = {}
        self._queue: Enqueue | None = None
        self._watching = False

    def attach(self, enqueue: Enqueue) -> None:
        """The start function of a source of the ExternalSecret controller."""
        self._queue = enqueue

    def secret_changed(self, event: Event, enqueue: Enqueue) -> None:
        """Handler for events of all Secrets."""
        version = "" if event.kind is EventKind.DELETE else event.object.resource_version
        self._changed("Secret", event.object.key, version, initial=event.initial, enqueue=enqueue)

    def ensure_watched(self, obj: JsonObject) -> None:
        """Begin to watch ConfigMaps if the object names one."""
        if self._watching or not any(kind == "ConfigMap" for kind, _ in source_refs(obj)):
            return
        self._watching = True
        spec = InformerSpec(Partial(CONFIG_MAP), namespaces=self._namespaces)
        self._cache.register(spec).subscribe(self._config_map_changed, name="template sources")

    def _config_map_changed(self, change: Change) -> None:
        entry = change.object
        version = entry.resource_version if change.new is not None else ""
        if self._queue is not None and change.type is not ChangeType.UNCHANGED:
            self._changed("ConfigMap", entry.key, version, initial=change.initial, enqueue=self._queue)

    def _changed(self, kind: str, key: ObjectKey, version: str, *, initial: bool, enqueue: Enqueue) -> None:
        slot = (kind, key.namespace, key.name)
        seen = self._seen.get(slot)
        # What the first list tells is news only where it differs from what has been read before the list.
        if seen == version or (initial and seen is None):
            return
        users = enqueue.cache.informer(EXTERNAL_SECRET).select(index=(SOURCE_INDEX, "/".join(slot)))
        if not users:
            self._seen.pop(slot, None)
            self._drop(slot)
            return
        for entry in users:
            self.changes.note(entry.key)
            enqueue.add(Request(entry.key.namespace, entry.key.name))

    async def read(self, kind: str, namespace: str, name: str) -> Mapping[str, bytes]:
        """The `data` of a ConfigMap or Secret, as its latest known version has it.

        Raises:
            StageFailed: it is not there, or cannot be read.
        """
        slot = (kind, namespace, name)
        known = self._known_version(kind, ObjectKey(namespace, name))
        kept = self._kept.get(slot)
        if known and kept is not None and kept[0] == known:
            self._kept.move_to_end(slot)
            return kept[1]
        if kind == "Secret":
            managed = self._cache.peek(SECRET, ObjectKey(namespace, name), view=MANAGED_VIEW)
            if managed is not None and managed.resource_version == known:
                self._seen[slot] = known
                return decode_data(managed.decode())
        try:
            version, data = await self._flights.do(slot, lambda: self._get(kind, namespace, name))
            if known and is_older(version, known):
                # Shared with a read that began before the change.
                version, data = await self._get(kind, namespace, name)
        except NotFound:
            self._seen[slot] = ""
            self._drop(slot)
            raise StageFailed(f'{_PLURALS[kind]} "{name}" not found', retryable=not self._watched(kind)) from None
        except EsoCoreError as error:
            permanent = isinstance(error, Forbidden)
            code = f"reading {kind} {namespace}/{name}: " if not isinstance(error, ApiError) else ""
            raise StageFailed(f"{code}{error}", retryable=not permanent) from error
        self._seen[slot] = version
        self._keep(slot, version, data)
        return data

    async def _get(self, kind: str, namespace: str, name: str) -> tuple[str, dict[str, bytes]]:
        obj: JsonObject = await self._api.get(_KINDS[kind], ObjectKey(namespace, name))
        if kind == "Secret":
            data = decode_data(obj)
        else:
            data = {key: value.encode("utf-8", "surrogatepass") for key, value in (obj.get("data") or {}).items()}
        return obj["metadata"]["resourceVersion"], data

    def _known_version(self, kind: str, key: ObjectKey) -> str:
        """The version that the watch has seen, empty if it has seen none."""
        watched = SECRETS if kind == "Secret" else Partial(CONFIG_MAP)
        if not self._watched(kind):
            return ""
        entry = self._cache.peek(watched, key)
        return entry.resource_version if entry is not None else ""

    def _watched(self, kind: str) -> bool:
        informer = self._cache.find(SECRETS if kind == "Secret" else Partial(CONFIG_MAP))
        return informer is not None and informer.synced

    def _keep(self, slot: _Key, version: str, data: dict[str, bytes]) -> None:
        self._drop(slot)
        weight = sum(len(key) + len(value) for key, value in data.items())
        self._kept[slot] = (version, data, weight)
        self._weight += weight
        while self._weight > _CACHE_BYTES:
            self._drop(next(iter(self._kept)))

    def _drop(self, slot: _Key) -> None:
        gone = self._kept.pop(slot, None)
        if gone is not None:
            self._weight -= gone[2]
