"""Owner references: dependents go when their owners are gone, owners wait for or let go of their dependents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eso_core.testing.apiserver.internal import InternalCalls
from eso_core.testing.apiserver.resources import ResourceRegistry, ResourceType
from eso_core.testing.apiserver.rest.delete import FOREGROUND, ORPHAN
from eso_core.testing.apiserver.storage.entry import Entry
from eso_core.testing.apiserver.storage.store import Change, Store, Table

JsonObject = dict[str, Any]
Reference = tuple[str, str]


class GarbageCollector:
    """Follows every change; what it has to do runs soon after, outside the write.

    An owner counts as absent when no object of its uid exists where the reference may point: in the dependent's own
    namespace, or cluster-wide.
    """

    def __init__(
        self,
        store: Store,
        registry: ResourceRegistry,
        calls: InternalCalls,
        schedule: Callable[[Callable[[], None]], None],
    ) -> None:
        self._store = store
        self._registry = registry
        self._calls = calls
        self._schedule = schedule
        self._where: dict[str, Reference] = {}
        self._dependents: dict[str, dict[Reference, None]] = {}
        self._pending: dict[Reference, None] = {}
        store.subscribe(self._on_change)

    def start(self) -> None:
        """Take in what the store holds already."""
        for table in self._store.tables.values():
            for entry in table.entries():
                self._learn(table.path, entry)
                if entry.owners or _held(entry):
                    self._touch((table.path, entry.key))

    def _learn(self, path: str, entry: Entry) -> None:
        reference = (path, entry.key)
        self._where[entry.uid] = reference
        for owner in entry.owners:
            self._dependents.setdefault(owner, {})[reference] = None

    def _on_change(self, table: Table, change: Change) -> None:
        entry, previous = change.current, change.previous
        reference = (table.path, entry.key)
        if (previous is not None and previous.owners != entry.owners) or change.deleted:
            for owner in (previous or entry).owners:
                self._forget(owner, reference)
        if change.deleted:
            self._where.pop(entry.uid, None)
            for dependent in self._dependents.get(entry.uid, ()):
                self._touch(dependent)
            for owner in entry.owners:
                if owner in self._where:
                    self._touch(self._where[owner])
            return
        self._learn(table.path, entry)
        if (entry.owners and (previous is None or previous.owners != entry.owners)) or _held(entry):
            self._touch(reference)
        if previous is not None:
            for owner in previous.owners:
                if owner not in entry.owners and owner in self._where:
                    self._touch(self._where[owner])

    def _forget(self, owner: str, reference: Reference) -> None:
        known = self._dependents.get(owner)
        if known is not None:
            known.pop(reference, None)
            if not known:
                del self._dependents[owner]

    def _touch(self, reference: Reference) -> None:
        if not self._pending:
            self._schedule(self.run)
        self._pending[reference] = None

    @property
    def idle(self) -> bool:
        """Whether nothing is due."""
        return not self._pending

    def run(self) -> None:
        """Do what is due, cascades included."""
        while self._pending:
            reference = next(iter(self._pending))
            del self._pending[reference]
            self._process(reference)

    def _entry(self, reference: Reference) -> Entry | None:
        table = self._store.tables.get(reference[0])
        return table.get(reference[1]) if table is not None else None

    def _resource(self, path: str) -> ResourceType | None:
        return next((found for found in self._registry.all() if found.path == path), None)

    def _process(self, reference: Reference) -> None:
        entry = self._entry(reference)
        resource = self._resource(reference[0])
        if entry is None or resource is None:
            return
        if _held(entry):
            self._release(resource, entry)
            entry = self._entry(reference)
        if entry is not None and entry.owners:
            self._collect(resource, entry)

    # -- owners in deletion

    def _release(self, resource: ResourceType, entry: Entry) -> None:
        meta = entry.decode()["metadata"]
        if not meta.get("deletionTimestamp"):
            return
        finalizers = meta.get("finalizers") or []
        dependents = list(self._dependents.get(entry.uid, ()))
        if ORPHAN in finalizers:
            for dependent in dependents:
                self._drop_reference(dependent, entry.uid)
            self._remove_finalizer(resource, entry, ORPHAN)
        elif FOREGROUND in finalizers:
            blocked = False
            for dependent in dependents:
                blocked = self._delete_dependent(dependent, entry.uid) or blocked
            if not blocked:
                self._remove_finalizer(resource, entry, FOREGROUND)

    def _delete_dependent(self, dependent: Reference, owner: str) -> bool:
        """Delete a dependent in the foreground; true when it still blocks its owner."""
        found = self._entry(dependent)
        resource = self._resource(dependent[0])
        if found is None or resource is None:
            return False
        meta = found.decode()["metadata"]
        if not meta.get("deletionTimestamp"):
            others = [uid for uid in found.owners if uid != owner and uid in self._where]
            if others:
                self._drop_reference(dependent, owner)
                return False
            nested = "Foreground" if self._dependents.get(found.uid) else "Background"
            self._calls.delete(resource, found, nested)
            found = self._entry(dependent)
            if found is None:
                return False
        return any(
            reference.get("uid") == owner and reference.get("blockOwnerDeletion")
            for reference in meta.get("ownerReferences") or []
        )

    def _drop_reference(self, dependent: Reference, owner: str) -> None:
        found = self._entry(dependent)
        resource = self._resource(dependent[0])
        if found is not None and resource is not None:
            self._calls.change(resource, found, lambda obj: _without_owners(obj, {owner}))

    def _remove_finalizer(self, resource: ResourceType, entry: Entry, name: str) -> None:
        def change(obj: JsonObject) -> JsonObject:
            meta = dict(obj["metadata"])
            meta["finalizers"] = [item for item in meta.get("finalizers") or [] if item != name]
            if not meta["finalizers"]:
                del meta["finalizers"]
            return {**obj, "metadata": meta}

        self._calls.change(resource, entry, change)

    # -- dependents

    def _collect(self, resource: ResourceType, entry: Entry) -> None:
        meta = entry.decode()["metadata"]
        if meta.get("deletionTimestamp"):
            return
        references = meta.get("ownerReferences") or []
        absent = {item["uid"] for item in references if not self._exists(item, entry)}
        if not absent:
            return
        if len(absent) < len({item["uid"] for item in references}):
            self._calls.change(resource, entry, lambda obj: _without_owners(obj, absent))
            return
        self._calls.delete(resource, entry, "" if _held(entry) else "Background")

    def _served(self, reference: JsonObject) -> bool:
        group, _, version = str(reference.get("apiVersion", "")).rpartition("/")
        resource = self._registry.by_kind(group, str(reference.get("kind", "")))
        return resource is not None and version in resource.versions

    def _exists(self, reference: JsonObject, dependent: Entry) -> bool:
        where = self._where.get(reference["uid"])
        if where is None:
            # An owner of a kind that is not served cannot be looked up, so nothing is known about it.
            return not self._served(reference)
        owner = self._entry(where)
        if owner is None or owner.name != reference.get("name"):
            return False
        return not owner.namespace or owner.namespace == dependent.namespace


def _held(entry: Entry) -> bool:
    return b'"foregroundDeletion"' in entry.body or b'"orphan"' in entry.body


def _without_owners(obj: JsonObject, uids: set[str]) -> JsonObject:
    meta = dict(obj["metadata"])
    left = [item for item in meta.get("ownerReferences") or [] if item.get("uid") not in uids]
    if left:
        meta["ownerReferences"] = left
    else:
        meta.pop("ownerReferences", None)
    return {**obj, "metadata": meta}
