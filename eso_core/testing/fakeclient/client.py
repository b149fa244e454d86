"""``FakeClient``: the client's verbs on objects in memory."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

from eso_core.aio import Clock
from eso_core.client import ApplyPatch, Client, ClientConfig, Kind, ObjectList, Patch, RawPage, RawWatch, Subresource
from eso_core.client.agent import user_agent as full_agent
from eso_core.client.client import _document
from eso_core.client.kinds import gvk_of_kind
from eso_core.client.mapper import RESTMapper
from eso_core.client.server_warnings import WarningHandler
from eso_core.meta.gvk import JsonObject
from eso_core.meta.keys import ObjectKey
from eso_core.testing.apiserver.record import Exchange
from eso_core.testing.fakeclient.interceptor import Hook, Interceptor
from eso_core.testing.fakeclient.memory import IndexFunction, MemoryServer, definition_of
from eso_core.testing.fakeclient.transport import MemoryTransport

__all__ = ["FakeClient"]


class FakeClient(Client):
    """A ``Client`` whose objects are in memory: same verbs, same errors, no HTTP.

    The rules are those of ``eso_core.testing.apiserver``: conflicts, generations, status subresources, finalizers,
    selectors, patches, field ownership, dry run, watches. Close it with ``async with`` or ``aclose``.

    Args:
        objects: What is there from the start, at resource version 999; the first write gets 1000. Their namespaces
            are there too.
        kinds: Custom kinds besides those of typed objects: ``Resource`` classes, or definitions as manifests, such as
            ``declare`` makes.
        namespaces: Further namespaces; those that every cluster has are there anyway.
        interceptor: Hooks for verbs.
        clock: Time and waiting, of the server's side as well.
        garbage_collection: Whether dependents go with their owners by themselves; otherwise by ``run_gc``.

    The first verb raises ``ValueError``, ``LookupError`` or a ``StatusError`` when the objects cannot have come into
    being.
    """

    def __init__(
        self,
        *objects: Any,
        kinds: Iterable[Any] = (),
        namespaces: Iterable[str] = (),
        interceptor: Interceptor | None = None,
        clock: Clock | None = None,
        user_agent: str = "eso/0.1",
        field_manager: str | None = None,
        on_warning: WarningHandler | None = None,
        garbage_collection: bool = False,
    ) -> None:
        config = ClientConfig("http://fake.invalid", request_timeout=0.0)
        super().__init__(config, clock=clock, user_agent=user_agent, field_manager=field_manager, environ={})
        documents = [_document(obj)[1] for obj in objects]
        types = [type(obj) for obj in objects if not isinstance(obj, dict)]
        definitions = _definitions([*types, *kinds])
        wanted = tuple(namespaces)

        async def start() -> MemoryServer:
            return await MemoryServer.begin(
                self.clock, definitions, documents, wanted, garbage_collection=garbage_collection
            )

        self._memory = MemoryTransport(
            config, clock=self.clock, user_agent=full_agent(user_agent), on_warning=on_warning, start=start
        )
        self._transport = self._memory
        self._send = self._memory.send
        self.mapper = RESTMapper(self._memory.send, self.clock)
        self._hooks = interceptor or Interceptor()

    # -- for tests

    def intercept(self, **hooks: Hook | None) -> None:
        """Sets or, with None, takes away hooks; the names are those of ``Interceptor``."""
        self._hooks = dataclasses.replace(self._hooks, **hooks)

    async def index(self, kind: Kind, name: str, function: IndexFunction) -> None:
        """Makes ``name`` a key for field selectors of a kind, with the text that ``function(meta, obj)`` gives."""
        gvk = gvk_of_kind(kind)
        (await self._memory.server()).index(gvk.api_version, gvk.kind, name, function)

    async def install(self, *kinds: Any) -> None:
        """Adds custom kinds: ``Resource`` classes or definitions."""
        server = await self._memory.server()
        for definition in _definitions(kinds):
            server.install(definition)
        self.mapper.invalidate()

    async def run_gc(self) -> None:
        """Deletes dependents whose owners are gone, and finishes the deletion of namespaces."""
        await (await self._memory.server()).run_gc()

    async def compact(self) -> None:
        """Forgets all history: watches and lists at earlier versions raise ``Gone`` from now on."""
        (await self._memory.server()).compact()

    def drop_watches(self) -> None:
        """Breaks all open watches, as a lost connection does."""
        self._memory.drop_streams()

    async def requests(self, *, verb: str | None = None, resource: str | None = None) -> Sequence[Exchange]:
        """What was sent so far, oldest first."""
        return (await self._memory.server()).requests(verb=verb, resource=resource)

    # -- verbs

    def _plain(self) -> FakeClient:
        plain = self._variant()
        plain._hooks = Interceptor()
        return plain

    async def get(self, kind: Any, key: ObjectKey, **options: Any) -> Any:
        if self._hooks.get is not None:
            return await self._hooks.get(self._plain(), kind, key, **options)
        return await super().get(kind, key, **options)

    async def list(self, kind: Any, namespace: str | None = None, **options: Any) -> Any:
        if self._hooks.list is not None:
            return await self._hooks.list(self._plain(), kind, namespace, **options)
        found: ObjectList[Any] = await super().list(kind, namespace, **options)
        return found

    async def list_raw(self, kind: Kind, namespace: str | None = None, **options: Any) -> AsyncIterator[RawPage]:
        if self._hooks.list is not None:
            await self._hooks.list(self._plain(), kind, namespace, **options)
        async for page in super().list_raw(kind, namespace, **options):
            yield page

    def watch_raw(self, kind: Kind, namespace: str | None = None, **options: Any) -> RawWatch:
        opened = super().watch_raw(kind, namespace, **options)
        hook = self._hooks.watch
        if hook is None:
            return opened
        request = opened._make_request

        async def after_hook() -> Any:
            await hook(self._plain(), kind, namespace, **options)
            return await request()

        opened._make_request = after_hook
        return opened

    async def create(self, obj: Any, **options: Any) -> Any:
        if self._hooks.create is not None:
            return await self._hooks.create(self._plain(), obj, **options)
        return await super().create(obj, **options)

    async def update(self, obj: Any, *, subresource: str = "", **options: Any) -> Any:
        if subresource and self._hooks.subresource_update is not None:
            kind, body = _document(obj)
            key = ObjectKey.of(body)
            answer = await self._hooks.subresource_update(self._plain(), kind, subresource, key, body, **_set(options))
            return await self._decoded(kind, answer)
        if not subresource and self._hooks.update is not None:
            return await self._hooks.update(self._plain(), obj, **options)
        return await super().update(obj, subresource=subresource, **options)

    async def patch(self, kind: Any, key: ObjectKey, patch: Patch, *, subresource: str = "", **options: Any) -> Any:
        hooks = self._hooks
        if subresource:
            if hooks.subresource_patch is not None:
                answer = await hooks.subresource_patch(self._plain(), kind, subresource, key, patch, **_set(options))
                return await self._decoded(kind, answer)
        elif isinstance(patch, ApplyPatch):
            if hooks.apply is not None:
                given = _set(options)
                owner = given.pop("field_manager", self._defaults.field_manager)
                given.setdefault("force", False)
                return await self._decoded(kind, await hooks.apply(self._plain(), patch.body, owner, **given))
        elif hooks.patch is not None:
            return await hooks.patch(self._plain(), kind, key, patch, **options)
        return await super().patch(kind, key, patch, subresource=subresource, **options)

    async def delete(self, kind: Kind, key: ObjectKey, **options: Any) -> JsonObject:
        if self._hooks.delete is not None:
            answer: JsonObject = await self._hooks.delete(self._plain(), kind, key, **options)
            return answer
        return await super().delete(kind, key, **options)

    async def delete_all_of(self, kind: Kind, namespace: str | None = None, **options: Any) -> None:
        if self._hooks.delete_all_of is not None:
            await self._hooks.delete_all_of(self._plain(), kind, namespace, **options)
            return
        await super().delete_all_of(kind, namespace, **options)

    def subresource(self, kind: Kind, name: str) -> Subresource:
        return _HookedSubresource(self, kind, name)

    def status(self, kind: Kind) -> Subresource:
        return self.subresource(kind, "status")

    async def _decoded(self, kind: Kind, answer: Any) -> Any:
        if not isinstance(answer, dict):
            return answer
        binding = self._bindings.get(kind) or await self._bind(kind)
        return binding.decode_item(answer)


class _HookedSubresource(Subresource):
    """A subresource behind the client's hooks."""

    def __init__(self, client: FakeClient, kind: Kind, name: str) -> None:
        super().__init__(client, kind, name)
        self._fake = client

    async def get(self, key: ObjectKey, **options: Any) -> JsonObject:
        hook = self._fake._hooks.subresource_get
        return await (super().get(key, **options) if hook is None else self._ask(hook, key, **options))

    async def create(self, key: ObjectKey, body: JsonObject, **options: Any) -> JsonObject:
        hook = self._fake._hooks.subresource_create
        return await (super().create(key, body, **options) if hook is None else self._ask(hook, key, body, **options))

    async def update(self, key: ObjectKey, body: JsonObject, **options: Any) -> JsonObject:
        hook = self._fake._hooks.subresource_update
        return await (super().update(key, body, **options) if hook is None else self._ask(hook, key, body, **options))

    async def patch(self, key: ObjectKey, patch: Patch, **options: Any) -> JsonObject:
        hook = self._fake._hooks.subresource_patch
        return await (super().patch(key, patch, **options) if hook is None else self._ask(hook, key, patch, **options))

    async def _ask(self, hook: Hook, *arguments: Any, **options: Any) -> JsonObject:
        answer: JsonObject = await hook(self._fake._plain(), self._kind, self._name, *arguments, **options)
        return answer


def _definitions(kinds: Iterable[Any]) -> list[JsonObject]:
    """Definitions of these kinds, each once."""
    found: dict[str, JsonObject] = {}
    for kind in kinds:
        definition = definition_of(kind)
        found.setdefault(definition["metadata"]["name"], definition)
    return [*found.values()]


def _set(options: dict[str, Any]) -> dict[str, Any]:
    """The options that say something; verbs pass the others on at their defaults."""
    return {name: value for name, value in options.items() if value is not None and value is not False}
