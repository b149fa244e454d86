"""The state behind a ``FakeClient``: the API server's storage and rules, without a socket."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, cast

from eso_core.aio import Clock
from eso_core.meta.gvk import GVK, JsonObject, gvk_of
from eso_core.meta.object import ObjectMeta
from eso_core.model import crd_for
from eso_core.testing.apiserver import errors
from eso_core.testing.apiserver.options import ApiServerOptions
from eso_core.testing.apiserver.resources import ResourceType, Version
from eso_core.testing.apiserver.server import ApiServer
from eso_core.testing.apiserver.strategy import Strategy

__all__ = ["IndexFunction", "MemoryServer", "declare"]

IndexFunction = Callable[[ObjectMeta, JsonObject], str]

GIVEN_REVISION: Final = 999
"""The resource version of what is there from the start; the first write is the next one."""

_ANY: Final[JsonObject] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def declare(gvk: GVK, plural: str, *, namespaced: bool = True, status: bool = True) -> JsonObject:
    """A definition of a custom kind that takes any content, for tests that have no schema of it.

    Args:
        status: Whether it has a status subresource.
    """
    version: JsonObject = {"name": gvk.version, "served": True, "storage": True, "schema": {"openAPIV3Schema": _ANY}}
    if status:
        version["subresources"] = {"status": {}}
    names = {"plural": plural, "singular": gvk.kind.lower(), "kind": gvk.kind, "listKind": f"{gvk.kind}List"}
    scope = "Namespaced" if namespaced else "Cluster"
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{gvk.group}"},
        "spec": {"group": gvk.group, "scope": scope, "names": names, "versions": [version]},
    }


class _Indexed:
    """A kind's strategy with further field selector keys."""

    def __init__(self, inner: Strategy) -> None:
        self.inner = inner
        self.indexes: dict[str, IndexFunction] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def field_labels(self, version: Version) -> frozenset[str]:
        return self.inner.field_labels(version) | self.indexes.keys()

    def field_value(self, obj: JsonObject, key: str) -> str:
        function = self.indexes.get(key)
        return self.inner.field_value(obj, key) if function is None else function(ObjectMeta.of(obj), obj)


class MemoryServer(ApiServer):
    """An API server that nobody connects to, which begins with given objects."""

    @classmethod
    async def begin(
        cls,
        clock: Clock,
        definitions: Iterable[JsonObject],
        objects: Sequence[JsonObject],
        namespaces: Iterable[str],
        *,
        garbage_collection: bool,
    ) -> MemoryServer:
        """A server with these kinds, objects and namespaces (those of the objects besides).

        Raises:
            ValueError: An object cannot have come into being, or is given twice.
            LookupError: The kind of an object is not known.
            StatusError: An object or a definition is not valid.
        """
        server = cls(ApiServerOptions(tls=False, listen=False, garbage_collection=garbage_collection, clock=clock))
        try:
            await server._open()
            await server._fill(definitions, objects, namespaces)
        except BaseException:
            await server.aclose()
            raise
        return server

    async def _fill(
        self, definitions: Iterable[JsonObject], objects: Sequence[JsonObject], namespaces: Iterable[str]
    ) -> None:
        for definition in definitions:
            self.install(definition)
        for name in namespaces_of(objects, namespaces):
            if self._store.table("namespaces").get(name) is None:
                self._calls.create("", "v1", "namespaces", "", {"metadata": {"name": name}})
        # What the server makes by itself is there before, so that the first write of a test is number 1000.
        await self.run_gc()
        if self._store.revision >= GIVEN_REVISION:
            raise ValueError("starting a fake client: there are too many definitions and namespaces: give fewer")
        for obj in objects:
            self._give(obj)
        self._store.revision = GIVEN_REVISION
        self._store.compact()

    def _give(self, given: JsonObject) -> None:
        gvk = gvk_of(given)
        obj = copy.deepcopy(given)
        meta = obj.setdefault("metadata", {})
        doing = f"giving {gvk.kind} {meta.get('name')!r} to a fake client"
        resource, version = self._served(gvk.api_version, gvk.kind)
        if not meta.get("name"):
            raise ValueError(f"{doing}: it has no name")
        if resource.namespaced and not meta.get("namespace"):
            raise ValueError(f"{doing}: it has no namespace")
        if meta.get("deletionTimestamp") and not meta.get("finalizers"):
            raise ValueError(f"{doing}: it is being deleted and has no finalizer: it would be gone: add a finalizer")
        kept = {key: meta[key] for key in _KEPT if key in meta}
        status = obj.get("status")
        meta.pop("resourceVersion", None)
        call = self._calls._call(resource, version, meta.get("namespace", ""), meta["name"])
        strategy = resource.strategy
        strategy.decode(call.version, obj)
        strategy.default(call.version, obj)
        strategy.prepare_create(call, obj)
        if status is not None:
            obj["status"] = status
        meta = obj["metadata"]
        meta.update({"uid": str(uuid.uuid4()), "creationTimestamp": call.timestamp})
        if resource.generation:
            meta["generation"] = 1
        meta.update(kept)
        if meta.get("deletionTimestamp"):
            meta.setdefault("deletionGracePeriodSeconds", 0)
        found = strategy.validate_create(call, obj)
        if found:
            raise errors.invalid(resource.kind, resource.error_group, meta["name"], found)
        table = self._store.table(resource.path)
        key = f"{call.namespace}/{meta['name']}" if resource.namespaced else meta["name"]
        stored = strategy.store(resource, call.version, obj)
        self._store.revision = GIVEN_REVISION - 1
        before = table.get(key)
        if before is None:
            table.create(stored, strategy.tag(call.version))
        elif int(before.revision) == GIVEN_REVISION:
            raise ValueError(f"{doing}: it is given twice")
        else:
            # A namespace that was made for its objects, or what a namespace begins with.
            table.update(before, stored, strategy.tag(call.version))

    def index(self, api_version: str, kind: str, name: str, function: IndexFunction) -> None:
        """Makes ``name`` a field selector key of a kind."""
        resource, _ = self._served(api_version, kind)
        indexed = _indexed(resource)
        indexed.indexes[name] = function


_KEPT: Final = ("uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds")


def _indexed(resource: ResourceType) -> _Indexed:
    strategy: Any = resource.strategy
    if not isinstance(strategy, _Indexed):
        strategy = _Indexed(resource.strategy)
        resource.strategy = cast(Strategy, strategy)
    return cast(_Indexed, strategy)


def namespaces_of(objects: Iterable[JsonObject], more: Iterable[str]) -> list[str]:
    """The namespaces that these objects need, and more, each once."""
    found = [(obj.get("metadata") or {}).get("namespace", "") for obj in objects]
    return [name for name in dict.fromkeys([*found, *more]) if name]


def definition_of(kind: Any) -> JsonObject:
    """The definition of a kind: made from a ``Resource`` class, or given as a manifest."""
    return cast(JsonObject, kind) if isinstance(kind, dict) else crd_for(kind)
