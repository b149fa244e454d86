"""What all passes over generic targets share: which kinds are watched, and how their objects were left."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any, Final

from controllers.externalsecret.manifest import Manifests, content_digest
from controllers.externalsecret.names import MANAGED_LABEL, MANAGED_VALUE
from controllers.externalsecret.report import EXTERNAL_SECRET
from eso_core.cache import Cache, Change, ChangeType, Informer, InformerSpec
from eso_core.client import Client
from eso_core.controller import Enqueue, Request
from eso_core.meta import GVK, JsonObject, ObjectKey, Partial
from eso_core.meta.errors import EsoCoreError

__all__ = ["GENERIC_INDEX", "GenericTargets", "by_generic_target", "malformed_version", "refusal"]

GENERIC_INDEX: Final = "generictarget"
_VIEW: Final = "generic-targets"


def by_generic_target(meta: Any, obj: JsonObject) -> Iterable[str]:
    """Index function: ExternalSecrets by kind and key of their generic target."""
    target = (obj.get("spec") or {}).get("target") or {}
    manifest = target.get("manifest")
    if manifest:
        metadata = obj["metadata"]
        name = target.get("name") or metadata["name"]
        yield f"{manifest.get('apiVersion')}/{manifest.get('kind')}/{metadata.get('namespace', '')}/{name}"


def refusal(manifest: JsonObject, *, allowed: bool) -> str:
    """Why a manifest cannot be a target, empty if it can."""
    if not allowed:
        return "generic targets are disabled. Enable with --unsafe-allow-generic-targets flag"
    for field in ("apiVersion", "kind"):
        if not manifest.get(field):
            return f"target.manifest.{field} is required"
    return ""


def malformed_version(manifest: JsonObject) -> str:
    """Why the apiVersion of a manifest can belong to no kind, empty if it can."""
    try:
        GVK.parse(manifest["apiVersion"], manifest["kind"])
    except ValueError as error:
        return f"target.manifest.apiVersion: {error}"
    return ""


class GenericTargets:
    """Watches kinds while an ExternalSecret uses them.

    Args:
        cache: Where informers are registered.
        api: Knows which kinds are served.
        manifests: Builds objects.
        namespaces: Where targets are watched; empty means everywhere.
    """

    def __init__(self, cache: Cache, api: Client, manifests: Manifests, *, namespaces: tuple[str, ...] = ()) -> None:
        self._cache = cache
        self._api = api
        self._namespaces = namespaces
        self.manifests = manifests
        self._used: dict[ObjectKey, GVK] = {}
        self._informers: dict[GVK, Informer] = {}
        self._settled: dict[tuple[GVK, ObjectKey], tuple[str, str]] = {}
        self._queue: Enqueue | None = None

    def attach(self, enqueue: Enqueue) -> None:
        """The start function of a source of the ExternalSecret controller."""
        self._queue = enqueue

    def watch(self, user: ObjectKey, gvk: GVK) -> None:
        """Watch the managed objects of a kind, metadata only, for an ExternalSecret that has a target of it."""
        self._used[user] = gvk
        if gvk in self._informers:
            return
        spec = InformerSpec(
            Partial(gvk),
            namespaces=self._namespaces,
            label_selector=f"{MANAGED_LABEL}={MANAGED_VALUE}",
            view=_VIEW,
        )
        informer = self._cache.register(spec)
        self._informers[gvk] = informer
        informer.subscribe(partial(self._changed, gvk), name="generic targets")

    async def release(self, user: ObjectKey, keep: GVK | None = None) -> None:
        """The ExternalSecret is gone, or uses `keep` now; kinds without users are not watched any more."""
        gvk = self._used.get(user)
        if gvk is None or gvk == keep:
            return
        del self._used[user]
        if gvk in self._used.values():
            return
        for slot in [slot for slot in self._settled if slot[0] == gvk]:
            del self._settled[slot]
        await self._cache.unregister(self._informers.pop(gvk))

    def note(self, gvk: GVK, written: JsonObject) -> None:
        """Remember how the server has what was written: with its defaults, which are no drift."""
        version = written["metadata"]["resourceVersion"]
        self._settled[gvk, ObjectKey.of(written)] = (content_digest(written), version)

    def settled(self, gvk: GVK, key: ObjectKey) -> str:
        """`content_digest` of the object as the last write left it, empty if not known."""
        return self._settled.get((gvk, key), ("", ""))[0]

    async def served(self, gvk: GVK) -> bool:
        """Whether the server has the kind, for objects in namespaces."""
        try:
            return (await self._api.mapper.mapping(gvk)).namespaced
        except EsoCoreError:
            return False

    async def cluster_scoped(self, gvk: GVK) -> bool:
        """Whether objects of the kind are in no namespace; not of one that is not served."""
        try:
            return not (await self._api.mapper.mapping(gvk)).namespaced
        except EsoCoreError:
            return False

    def _changed(self, gvk: GVK, change: Change) -> None:
        key = change.object.key
        if self._queue is None or change.initial or change.type is ChangeType.UNCHANGED:
            return
        if change.new is None:
            self._settled.pop((gvk, key), None)
        elif self._settled.get((gvk, key), ("", ""))[1] == change.new.resource_version:
            return  # the echo of our own write
        index = (GENERIC_INDEX, f"{gvk.api_version}/{gvk.kind}/{key}")
        for entry in self._queue.cache.informer(EXTERNAL_SECRET).select(index=index):
            self._queue.add(Request(entry.key.namespace, entry.key.name))
