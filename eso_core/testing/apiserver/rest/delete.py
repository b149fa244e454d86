"""Delete: at once, or by mark and finalizers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from eso_core.testing.apiserver import errors
from eso_core.testing.apiserver.conversion import Converter
from eso_core.testing.apiserver.rest.options import DeleteOptions
from eso_core.testing.apiserver.rest.write import Admission
from eso_core.testing.apiserver.storage.entry import Entry
from eso_core.testing.apiserver.storage.store import Store
from eso_core.testing.apiserver.strategy import Call

JsonObject = dict[str, Any]

FOREGROUND: Final = "foregroundDeletion"
ORPHAN: Final = "orphan"
_TRIES: Final = 5


@dataclass(slots=True)
class Deleted:
    """What a delete left: ``gone`` tells removed from marked; ``obj`` is the last state."""

    obj: JsonObject
    gone: bool


class Deleter:
    """Deletes objects of every kind."""

    def __init__(self, store: Store, admission: Admission, converter: Converter) -> None:
        self._store = store
        self._converter = converter
        self._admission = admission

    async def delete(self, call: Call, options: DeleteOptions) -> Deleted:
        """Delete one object. Raises `StatusError` when it is absent or a precondition fails."""
        resource = call.resource
        table = self._store.table(resource.path)
        key = f"{call.namespace}/{call.name}" if resource.namespaced else call.name
        for _ in range(_TRIES):
            entry = table.get(key)
            if entry is None:
                raise errors.not_found(resource.plural, resource.group, call.name)
            self._check_preconditions(call, options, entry)
            if resource.conversion is not None:
                await self._converter.prepare(resource, call.version.name, [entry])
            old = resource.strategy.read(resource, call.version, entry)
            await self._admission.validate(call, "DELETE", None, old)
            if table.get(key) is entry:
                return await self._delete(call, options, entry, old)
        raise errors.conflict(resource.plural, resource.group, call.name, errors.MODIFIED)

    def _check_preconditions(self, call: Call, options: DeleteOptions, entry: Entry) -> None:
        resource = call.resource
        shown = resource.kind
        if options.uid is not None and options.uid != entry.uid:
            text = (
                f"the UID in the precondition ({options.uid}) does not match the UID in record ({entry.uid}). "
                "The object might have been deleted and then recreated"
            )
            raise errors.conflict(shown, resource.group, call.name, text)
        version = options.resource_version
        if version is not None and version != str(entry.revision):
            text = (
                f"the ResourceVersion in the precondition ({version}) does not match the ResourceVersion in record "
                f"({entry.revision}). The object might have been modified"
            )
            raise errors.conflict(shown, resource.group, call.name, text)

    async def _delete(self, call: Call, options: DeleteOptions, entry: Entry, old: JsonObject) -> Deleted:
        resource = call.resource
        table = self._store.table(resource.path)
        obj = resource.strategy.read(resource, call.version, entry)
        meta = obj["metadata"]
        finalizers = self._finalizers(options, meta.get("finalizers") or [])
        own = resource.strategy.deletion_finalizer()
        if own and not meta.get("deletionTimestamp") and own not in finalizers:
            finalizers = [*finalizers, own]
        if not finalizers and not resource.strategy.holds_deletion(obj):
            if options.dry_run:
                return Deleted(old, True)
            last = table.delete(entry)
            old["metadata"]["resourceVersion"] = str(last.revision)
            return Deleted(old, True)
        if finalizers:
            meta["finalizers"] = finalizers
        else:
            meta.pop("finalizers", None)
        if not meta.get("deletionTimestamp"):
            meta["deletionTimestamp"] = call.timestamp
            if resource.strategy.grace_period is not None:
                meta["deletionGracePeriodSeconds"] = resource.strategy.grace_period
            if resource.generation and meta.get("generation", 0) > 0:
                meta["generation"] += 1
            resource.strategy.after_delete_marked(obj)
        if options.dry_run or obj == old:
            return Deleted(obj, False)
        if resource.conversion is not None:
            stored = await self._converter.stored(resource, call.version.name, obj)
            if table.get(entry.key) is not entry:
                raise errors.conflict(resource.plural, resource.group, call.name, errors.MODIFIED)
        else:
            stored = resource.strategy.store(resource, call.version, obj)
        table.update(entry, stored, resource.strategy.tag(call.version))
        return Deleted(obj, False)

    @staticmethod
    def _finalizers(options: DeleteOptions, present: list[str]) -> list[str]:
        """The finalizers after the propagation policy has its say; without one those present decide."""
        wanted = [name for name in present if name not in (FOREGROUND, ORPHAN)]
        if options.propagation == "Foreground":
            return [*wanted, FOREGROUND]
        if options.propagation == "Orphan":
            return [*wanted, ORPHAN]
        if options.propagation == "Background":
            return wanted
        return present
