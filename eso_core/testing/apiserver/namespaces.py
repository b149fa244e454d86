"""Namespace lifecycle: what every namespace contains, and how one is emptied and removed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from eso_core.testing.apiserver.internal import InternalCalls
from eso_core.testing.apiserver.resources import ResourceRegistry, ResourceType
from eso_core.testing.apiserver.storage.store import Change, Store, Table

JsonObject = dict[str, Any]

BUILTIN_NAMESPACES: Final = ("default", "kube-system", "kube-public", "kube-node-lease")
ROOT_CA: Final = "kube-root-ca.crt"
_OURS: Final = frozenset({("serviceaccounts", "default"), ("configmaps", ROOT_CA)})
ROOT_CA_TEXT: Final = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the "
    "internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes "
    "clusters."
)
"""The original's description annotation of the ConfigMap; clients compare it."""

_CONDITIONS: Final = (
    ("NamespaceDeletionDiscoveryFailure", "ResourcesDiscovered", "All resources successfully discovered"),
    ("NamespaceDeletionGroupVersionParsingFailure", "ParsedGroupVersions", "All legacy kube types successfully parsed"),
    (
        "NamespaceDeletionContentFailure",
        "ContentDeleted",
        "All content successfully deleted, may be waiting on finalization",
    ),
)


class NamespaceController:
    """Keeps namespaces as they should be. ``schedule`` runs a function soon, outside the write that asked for it."""

    def __init__(
        self,
        store: Store,
        registry: ResourceRegistry,
        calls: InternalCalls,
        ca_pem: Callable[[], str],
        schedule: Callable[[Callable[[], None]], None],
    ) -> None:
        self._store = store
        self._registry = registry
        self._calls = calls
        self._ca_pem = ca_pem
        self._schedule = schedule
        self._pending: dict[str, None] = {}
        store.subscribe(self._on_change)

    def phase(self, name: str) -> str | None:
        """``Active`` or ``Terminating``; None when there is no such namespace."""
        entry = self._store.table("namespaces").get(name)
        if entry is None:
            return None
        return "Terminating" if b'"deletionTimestamp"' in entry.body and self._terminating(entry.decode()) else "Active"

    @staticmethod
    def _terminating(obj: JsonObject) -> bool:
        return bool(obj["metadata"].get("deletionTimestamp"))

    def start(self) -> None:
        """Make the namespaces that always exist and look after all others."""
        for name in BUILTIN_NAMESPACES:
            if self._store.table("namespaces").get(name) is None:
                self._calls.create("", "v1", "namespaces", "", {"metadata": {"name": name}})
        for entry in list(self._store.table("namespaces").entries()):
            self._touch(entry.name)
        self.run()

    def _on_change(self, table: Table, change: Change) -> None:
        if table.path == "namespaces":
            self._touch(change.current.name)
            return
        namespace = change.current.namespace
        emptied = change.deleted and namespace and self.phase(namespace) == "Terminating"
        if emptied or (table.path, change.current.name) in _OURS:
            self._touch(namespace)

    def _touch(self, name: str) -> None:
        if not self._pending:
            self._schedule(self.run)
        self._pending[name] = None

    @property
    def idle(self) -> bool:
        """Whether nothing is due."""
        return not self._pending

    def run(self) -> None:
        """Do what is due."""
        while self._pending:
            name = next(iter(self._pending))
            del self._pending[name]
            self._reconcile(name)

    def _reconcile(self, name: str) -> None:
        phase = self.phase(name)
        if phase == "Active":
            self._fill(name)
        elif phase == "Terminating":
            self._empty(name)

    def _fill(self, name: str) -> None:
        if self._store.table("serviceaccounts").get(f"{name}/default") is None:
            self._calls.create("", "v1", "serviceaccounts", name, {"metadata": {"name": "default"}})
        wanted = {"ca.crt": self._ca_pem()}
        entry = self._store.table("configmaps").get(f"{name}/{ROOT_CA}")
        if entry is None:
            metadata = {"name": ROOT_CA, "annotations": {"kubernetes.io/description": ROOT_CA_TEXT}}
            self._calls.create("", "v1", "configmaps", name, {"metadata": metadata, "data": wanted})
        elif entry.decode().get("data") != wanted:
            self._calls.update("", "v1", "configmaps", name, ROOT_CA, lambda obj: {**obj, "data": wanted})

    # -- deletion

    def _empty(self, name: str) -> None:
        resources = {found.path: found for found in self._registry.all() if found.namespaced}.values()
        for resource in resources:
            self._delete_all(resource, name)
        remaining: dict[str, int] = {}
        finalizers: dict[str, int] = {}
        for resource in resources:
            for obj in self._objects(resource, name):
                kind = f"{resource.plural}.{resource.group}"
                remaining[kind] = remaining.get(kind, 0) + 1
                for finalizer in obj["metadata"].get("finalizers") or []:
                    finalizers[finalizer] = finalizers.get(finalizer, 0) + 1
        if not remaining:
            self._finish(name)
        else:
            self._report(name, remaining, finalizers)

    def _objects(self, resource: ResourceType, name: str) -> list[JsonObject]:
        table = self._store.table(resource.path)
        return [entry.decode() for entry in table.snapshot(self._store.revision, f"{name}/")]

    def _delete_all(self, resource: ResourceType, name: str) -> None:
        table = self._store.table(resource.path)
        for entry in list(table.snapshot(self._store.revision, f"{name}/")):
            self._calls.delete(resource, entry)

    def _finish(self, name: str) -> None:
        """Nothing is left: take our finalizer away, and the namespace if no one else holds it."""

        def drop(obj: JsonObject) -> JsonObject:
            spec = dict(obj.get("spec") or {})
            spec.pop("finalizers", None)
            return {**obj, "spec": spec}

        table = self._store.table("namespaces")
        entry = table.get(name)
        if entry is None:
            return
        obj = entry.decode()
        if (obj.get("spec") or {}).get("finalizers"):
            self._report(name, {}, {})
            self._calls.update("", "v1", "namespaces", "", name, drop, subresource="finalize")
            entry = table.get(name)
        if entry is not None and not entry.decode()["metadata"].get("finalizers"):
            table.delete(entry)

    def _report(self, name: str, remaining: dict[str, int], finalizers: dict[str, int]) -> None:
        self._calls.update(
            "",
            "v1",
            "namespaces",
            "",
            name,
            lambda obj: {**obj, "status": self._status(obj, remaining, finalizers)},
            subresource="status",
        )

    def _status(self, obj: JsonObject, remaining: dict[str, int], finalizers: dict[str, int]) -> JsonObject:
        before = {item["type"]: item for item in (obj.get("status") or {}).get("conditions") or []}
        conditions = [self._condition(before, kind, False, reason, text) for kind, reason, text in _CONDITIONS]
        if remaining:
            parts = ", ".join(f"{kind} has {count} resource instances" for kind, count in sorted(remaining.items()))
            reason, text = "SomeResourcesRemain", f"Some resources are remaining: {parts}"
        else:
            reason, text = "ContentRemoved", "All content successfully removed"
        conditions.append(self._condition(before, "NamespaceContentRemaining", bool(remaining), reason, text))
        if finalizers:
            parts = ", ".join(f"{kind} in {count} resource instances" for kind, count in sorted(finalizers.items()))
            reason, text = "SomeFinalizersRemain", f"Some content in the namespace has finalizers remaining: {parts}"
        else:
            reason, text = "ContentHasNoFinalizers", "All content-preserving finalizers finished"
        conditions.append(self._condition(before, "NamespaceFinalizersRemaining", bool(finalizers), reason, text))
        return {**(obj.get("status") or {}), "phase": "Terminating", "conditions": conditions}

    def _condition(self, before: dict[str, JsonObject], kind: str, status: bool, reason: str, text: str) -> JsonObject:
        shown = "True" if status else "False"
        old = before.get(kind)
        since = old["lastTransitionTime"] if old and old["status"] == shown else self._calls.timestamp()
        return {"type": kind, "status": shown, "lastTransitionTime": since, "reason": reason, "message": text}
