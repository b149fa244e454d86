"""Writes that the server itself makes: its controllers go through the same pipeline as clients, minus HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from eso_core.aio import Clock
from eso_core.testing.apiserver.authn.user import SERVER
from eso_core.testing.apiserver.errors import StatusError
from eso_core.testing.apiserver.resources import ResourceRegistry, ResourceType
from eso_core.testing.apiserver.rest.delete import Deleter
from eso_core.testing.apiserver.rest.options import IGNORE, DeleteOptions, WriteOptions
from eso_core.testing.apiserver.rest.write import Writer, Written
from eso_core.testing.apiserver.storage.entry import Entry
from eso_core.testing.apiserver.storage.store import Store
from eso_core.testing.apiserver.strategy import Call

JsonObject = dict[str, Any]
T = TypeVar("T")

MANAGER = "kube-controller-manager"
# Definitions are looked after by the API server itself, everything else by its companion.
_API_SERVER = "kube-apiserver"


def run_now(coroutine: Coroutine[Any, Any, T] | Awaitable[T]) -> T:
    """Drive a coroutine that never suspends to its end. Raises `RuntimeError` when it does suspend."""
    iterator = coroutine.__await__()
    try:
        next(iterator)
    except StopIteration as stop:
        result: T = stop.value
        return result
    raise RuntimeError("an internal write waited for something outside the server")


class InternalCalls:
    """Creates, updates and deletes objects in the name of the server. Admission webhooks are not asked."""

    def __init__(
        self, store: Store, registry: ResourceRegistry, writer: Writer, deleter: Deleter, clock: Clock
    ) -> None:
        self._store = store
        self._registry = registry
        self._writer = writer
        self._deleter = deleter
        self._clock = clock

    def timestamp(self) -> str:
        return self._clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")

    def _call(self, resource: ResourceType, version: str, namespace: str, name: str, subresource: str = "") -> Call:
        options = WriteOptions(field_validation=IGNORE)
        return Call(
            resource,
            resource.versions[version],
            namespace,
            name,
            subresource,
            SERVER,
            _API_SERVER if resource.group == "apiextensions.k8s.io" else MANAGER,
            options,
            self._clock.now(),
            internal=True,
        )

    def _find(self, group: str, version: str, plural: str) -> ResourceType:
        resource = self._registry.find(group, version, plural)
        if resource is None:
            raise LookupError(f"writing {plural}.{group}/{version}: the server does not serve it")
        return resource

    def create(self, group: str, version: str, plural: str, namespace: str, obj: JsonObject) -> Written:
        """Create an object from its metadata and content."""
        resource = self._find(group, version, plural)
        full = {"apiVersion": resource.api_version(version), "kind": resource.kind, **obj}
        call = self._call(resource, version, namespace, obj["metadata"].get("name", ""))
        resource.strategy.decode(call.version, full)
        resource.strategy.default(call.version, full)
        return run_now(self._writer.create(call, full))

    def update(
        self,
        group: str,
        version: str,
        plural: str,
        namespace: str,
        name: str,
        change: Callable[[JsonObject], JsonObject],
        *,
        subresource: str = "",
    ) -> Written | None:
        """Change an object; None when it is gone."""
        resource = self._find(group, version, plural)
        call = self._call(resource, version, namespace, name, subresource)
        try:
            return run_now(self._writer.update(call, change, patching=True))
        except StatusError as error:
            if error.reason == "NotFound":
                return None
            raise

    def delete(self, resource: ResourceType, entry: Entry, propagation: str = "") -> None:
        """Delete an object if it is still the one given."""
        version = (
            resource.storage_version if resource.storage_version in resource.versions else next(iter(resource.versions))
        )
        call = self._call(resource, version, entry.namespace, entry.name)
        try:
            run_now(self._deleter.delete(call, DeleteOptions(propagation=propagation, uid=entry.uid)))
        except StatusError as error:
            if error.reason not in ("NotFound", "Conflict"):
                raise

    def delete_older(self, plural: str, limit: float) -> None:
        """Delete the core objects of one sort that were last written before ``limit`` (monotonic seconds)."""
        resource = self._find("", "v1", plural)
        old = [entry for entry in self._store.table(resource.path).entries() if entry.written < limit]
        for entry in old:
            self.delete(resource, entry)

    def change(
        self, resource: ResourceType, entry: Entry, change: Callable[[JsonObject], JsonObject]
    ) -> Written | None:
        """Change a stored object in its storage version."""
        return self.update(
            resource.group, resource.storage_version, resource.plural, entry.namespace, entry.name, change
        )
