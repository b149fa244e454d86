"""A backend in memory that keeps a record of writes, and the cluster of the operator's tests around it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from controllers.externalsecret.names import sync_version
from controllers.operator import OperatorOptions
from eso_core.meta import GVK
from generators.registry import GeneratorRegistry
from providers.errors import NoSecret, NotSupported, ProviderError
from providers.fake import FakeProvider
from providers.interface import Find, PushData, RemoteRef, SecretsClient, StoreContext
from providers.spec import ProviderSpec
from tests.integration.operator.harness import SS, Cluster, JsonObject, running

PS = GVK("external-secrets.io", "v1alpha1", "PushSecret")
FINALIZER = "pushsecret.externalsecrets.io/finalizer"
HOLD = "secretstore.externalsecrets.io/finalizer"


class Backend:
    """What all stores of a test hold, by store, remote key and property (empty for a whole value)."""

    def __init__(self) -> None:
        self.stores: dict[str, dict[str, dict[str, Any]]] = {}
        #: (what, store, remote key, property) of everything that changed something.
        self.writes: list[tuple[str, str, str, str]] = []
        self.looks = 0
        self.failure: Exception | None = None
        self.broken: set[str] = set()
        #: Remote keys that are Secrets of the cluster.
        self.objects: set[str] = set()

    def held(self, store: str = "s") -> dict[str, dict[str, Any]]:
        return self.stores.setdefault(store, {})


class _Client(SecretsClient):
    def __init__(self, backend: Backend, store: str) -> None:
        self._backend = backend
        self._store = store

    async def get_secret(self, ref: RemoteRef) -> bytes:
        raise NoSecret

    async def get_secret_map(self, ref: RemoteRef) -> dict[str, bytes]:
        raise NoSecret

    async def get_all_secrets(self, find: Find) -> dict[str, bytes]:
        return {}

    async def push_secret(self, values: Mapping[str, bytes], data: PushData) -> None:
        backend = self._backend
        backend.looks += 1
        if backend.failure is not None:
            raise backend.failure
        if data.remote_key in backend.broken:
            raise ProviderError(f"{data.remote_key} is refused")
        held = backend.held(self._store).setdefault(data.remote_key, {})
        if data.secret_key:
            value: Any = values[data.secret_key].decode()
        else:
            value = {key: text.decode() for key, text in values.items()}
        if held.get(data.property) != value:
            held[data.property] = value
            backend.writes.append(("push", self._store, data.remote_key, data.property))

    async def delete_secret(self, ref: RemoteRef) -> None:
        backend = self._backend
        if backend.failure is not None:
            raise backend.failure
        if ref.key in backend.broken:
            raise NotSupported("this backend does not delete")
        held = backend.held(self._store)
        if ref.key not in held:
            return
        if ref.property:
            held[ref.key].pop(ref.property, None)
        else:
            held[ref.key].clear()
        if not held[ref.key]:
            del held[ref.key]
        backend.writes.append(("delete", self._store, ref.key, ref.property))

    async def secret_exists(self, ref: RemoteRef) -> bool:
        return ref.property in self._backend.held(self._store).get(ref.key, {})

    async def is_object(self, ref: RemoteRef, uid: str) -> bool:
        return bool(uid) and ref.key in self._backend.objects


class MemoryProvider(FakeProvider):
    """Stores of the kind `fake` that hold what is pushed."""

    def __init__(self, backend: Backend) -> None:
        super().__init__()
        self._backend = backend

    async def open(self, spec: ProviderSpec, ctx: StoreContext) -> Any:
        return _Client(self._backend, ctx.store.name)


class PushCluster:
    """The cluster, its backend, and what tests do with PushSecrets."""

    def __init__(self, cluster: Cluster, backend: Backend) -> None:
        self.cluster = cluster
        self.backend = backend

    async def store(
        self, name: str = "s", *, kind: GVK = SS, labels: dict[str, str] | None = None, **spec: Any
    ) -> None:
        metadata: JsonObject = {"name": name, "labels": labels or {}}
        if kind is SS:
            metadata["namespace"] = "t"
        body = {"provider": {"fake": {"data": []}}, **spec}
        await self.cluster.client.create(
            {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, "spec": body}
        )

    async def push(self, name: str = "p", *, metadata: JsonObject | None = None, **spec: Any) -> JsonObject:
        """A PushSecret of the Secret `src` to the store `s`, unless the spec says otherwise."""
        body = {
            "refreshInterval": "1h",
            "secretStoreRefs": [{"name": "s"}],
            "selector": {"secret": {"name": "src"}},
            **spec,
        }
        obj = {
            "apiVersion": PS.api_version,
            "kind": PS.kind,
            "metadata": {"name": name, "namespace": "t", **(metadata or {})},
            "spec": {key: value for key, value in body.items() if value is not None},
        }
        return await self.cluster.client.create(obj)

    async def status(self, name: str = "p") -> JsonObject:
        obj = await self.cluster.get(PS, name)
        assert obj is not None
        status: JsonObject = obj.get("status") or {}
        return status

    async def synced(self, name: str = "p", *, within: float = 10.0) -> JsonObject:
        """Wait until the PushSecret as it is now has been pushed; its status."""

        async def check() -> JsonObject:
            obj = await self.cluster.get(PS, name)
            assert obj is not None
            metadata, status = obj["metadata"], obj["status"]
            wanted = sync_version(metadata["generation"], metadata.get("labels"), metadata.get("annotations"))
            assert status["syncedResourceVersion"] == wanted, status
            assert (await self.cluster.ready(name, kind=PS))["reason"] == "Synced", status
            found: JsonObject = status
            return found

        return await self.cluster.eventually(check, within=within)

    async def failed(self, part: str, name: str = "p", *, reason: str = "Errored") -> JsonObject:
        """Wait until the PushSecret is not Ready, for this reason and with this in its message; the condition."""

        async def check() -> JsonObject:
            condition = await self.cluster.ready(name, kind=PS)
            assert (condition["status"], condition["reason"]) == ("False", reason), condition
            assert part in condition["message"], condition
            return condition

        return await self.cluster.eventually(check)

    async def holds(self, wanted: Mapping[str, Any], store: str = "s", *, within: float = 10.0) -> None:
        """Wait until the store holds exactly this."""

        async def check() -> None:
            assert self.backend.held(store) == wanted

        await self.cluster.eventually(check, within=within)

    async def gone(self, name: str = "p") -> None:
        """Wait until there is no such PushSecret."""

        async def check() -> bool:
            return await self.cluster.get(PS, name) is None

        await self.cluster.eventually(check)


@asynccontextmanager
async def pushing(
    *, options: OperatorOptions | None = None, start: bool = True, generators: GeneratorRegistry | None = None
) -> AsyncIterator[PushCluster]:
    """A cluster with namespace `t` and an operator whose stores are in memory."""
    backend = Backend()
    async with running(
        options=options, provider=lambda probe: MemoryProvider(backend), start=start, generators=generators
    ) as cluster:
        yield PushCluster(cluster, backend)


def entry(secret_key: str, remote_key: str, property: str = "", **more: Any) -> JsonObject:
    """One entry of `data`; an empty key means the whole Secret."""
    ref = {"remoteKey": remote_key, **({"property": property} if property else {})}
    return {"match": {**({"secretKey": secret_key} if secret_key else {}), "remoteRef": ref}, **more}
