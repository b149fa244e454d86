"""Create and update: from a decoded object to a stored one.

Coroutines here run to their end without suspending unless an admission webhook is called; what they read is checked
again after such a call, so a write is always based on the state it replaces.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import orjson

from eso_core.testing.apiserver import errors
from eso_core.testing.apiserver.conversion import Converter
from eso_core.testing.apiserver.errors import StatusError
from eso_core.testing.apiserver.rest import metadata, ownership
from eso_core.testing.apiserver.schema import causes
from eso_core.testing.apiserver.storage.entry import Entry
from eso_core.testing.apiserver.storage.store import Store, Table, TooLarge
from eso_core.testing.apiserver.strategy import Call

JsonObject = dict[str, Any]

_TRIES: Final = 8
_CONFLICT_TRIES: Final = 5


class Admission(Protocol):
    """Decides about writes before they are stored; may change the object."""

    async def mutate(self, call: Call, operation: str, obj: JsonObject, old: JsonObject | None) -> JsonObject: ...
    async def validate(self, call: Call, operation: str, obj: JsonObject | None, old: JsonObject | None) -> None: ...


@dataclass(slots=True)
class Written:
    """What a write left: the object in the requested version, and its entry unless it was a dry run."""

    obj: JsonObject
    entry: Entry | None
    created: bool


Transform = Callable[[JsonObject], JsonObject]


class Writer:
    """Creates and updates objects of every kind."""

    def __init__(
        self,
        store: Store,
        admission: Admission,
        converter: Converter,
        namespace_phase: Callable[[str], str | None],
    ) -> None:
        self._store = store
        self._converter = converter
        self._admission = admission
        self._namespace_phase = namespace_phase

    def table(self, call: Call) -> Table:
        return self._store.table(call.resource.path)

    # -- create

    async def create(self, call: Call, obj: JsonObject, *, applied: bool = False) -> Written:
        """Store a new object. ``applied`` tells that field ownership is recorded already."""
        self._check_namespace(call, obj)
        if call.resource.terminating:
            text = "create not allowed while custom resource definition is terminating"
            raise errors.forbidden(call.resource.plural, call.resource.group, obj["metadata"].get("name", ""), text)
        obj = await self._admission.mutate(call, "CREATE", obj, None)
        resource, strategy = call.resource, call.resource.strategy
        if obj["metadata"].get("resourceVersion"):
            raise StatusError(500, "", "resourceVersion should not be set on objects to be created")
        generated = not obj["metadata"].get("name") and bool(obj["metadata"].get("generateName"))
        metadata.prepare_create(call, obj)
        if not applied:
            # Before the kind adds fields of its own: nobody owns those.
            obj = ownership.record_create(call, obj)
        strategy.prepare_create(call, obj)
        found = strategy.validate_create(call, obj)
        if found:
            raise errors.invalid(resource.kind, resource.error_group, obj["metadata"].get("name", ""), found)
        for text in strategy.warnings(call, obj, None):
            call.warn(text)
        await self._admission.validate(call, "CREATE", obj, None)
        key = self._free_key(call, obj, generated)
        meta = obj["metadata"]
        if call.options.dry_run:
            meta.pop("resourceVersion", None)
            return Written(obj, None, True)
        stored = await self._stored(call, obj)
        if self.table(call).get(key) is not None:
            raise errors.already_exists(resource.plural, resource.group, meta["name"])
        try:
            entry = self.table(call).create(stored, strategy.tag(call.version))
        except TooLarge as error:
            raise StatusError(500, "", str(error)) from error
        return Written(obj, self._keep(call, obj, entry), True)

    async def _stored(self, call: Call, obj: JsonObject) -> JsonObject:
        """The form in which an object is stored."""
        if call.resource.conversion is not None:
            return await self._converter.stored(call.resource, call.version.name, obj)
        return call.resource.strategy.store(call.resource, call.version, obj)

    @staticmethod
    def _keep(call: Call, obj: JsonObject, entry: Entry) -> Entry:
        """Spare the next reader the conversion that would give back what was written."""
        if call.resource.conversion is not None and call.version.name != call.resource.storage_version:
            obj["metadata"]["resourceVersion"] = str(entry.revision)
            entry.converted = {call.version.name: bytes(memoryview(orjson.dumps(obj)))}
        return entry

    def _free_key(self, call: Call, obj: JsonObject, generated: bool) -> str:
        table, meta = self.table(call), obj["metadata"]
        for _ in range(_TRIES):
            name = meta["name"]
            key = f"{call.namespace}/{name}" if call.resource.namespaced else name
            entry = table.get(key)
            if entry is None:
                return key
            if not generated:
                break
            meta["name"] = metadata.generate_name(meta["generateName"])
        suffix = ", the server was not able to generate a unique name for the object" if generated else ""
        error = errors.already_exists(call.resource.plural, call.resource.group, name, suffix)
        if not generated and entry is not None and b'"deletionTimestamp"' in entry.body:
            if entry.decode()["metadata"].get("deletionTimestamp"):
                error.message = f"object is being deleted: {error.message}"
        raise error

    def _check_namespace(self, call: Call, obj: JsonObject) -> None:
        if not call.resource.namespaced:
            return
        phase = self._namespace_phase(call.namespace)
        if phase is None:
            raise errors.not_found("namespaces", "", call.namespace)
        if phase == "Terminating" and not call.subresource:
            text = f"unable to create new content in namespace {call.namespace} because it is being terminated"
            cause = {
                "reason": "NamespaceTerminating",
                "message": f"namespace {call.namespace} is being terminated",
                "field": "metadata.namespace",
            }
            name = obj["metadata"].get("name", "")
            raise errors.forbidden(call.resource.plural, call.resource.group, name, text, [cause])

    # -- update

    async def update(
        self, call: Call, transform: Transform, *, applied: bool = False, patching: bool = False
    ) -> Written:
        """Change an existing object.

        ``transform`` gets the live object in the requested version and returns the wanted one. With ``patching`` a
        write that names no resourceVersion is tried again when another one came between.
        """
        for _ in range(_CONFLICT_TRIES):
            written = await self._try_update(call, transform, applied=applied, patching=patching)
            if written is not None:
                return written
        raise errors.conflict(call.resource.plural, call.resource.group, call.name, errors.MODIFIED)

    async def _try_update(self, call: Call, transform: Transform, *, applied: bool, patching: bool) -> Written | None:
        resource, strategy = call.resource, call.resource.strategy
        table = self.table(call)
        key = f"{call.namespace}/{call.name}" if resource.namespaced else call.name
        entry = table.get(key)
        if entry is None:
            raise errors.not_found(resource.plural, resource.group, call.name)
        if resource.conversion is not None:
            await self._converter.prepare(resource, call.version.name, [entry])
        old = strategy.read(resource, call.version, entry)
        obj = transform(strategy.read(resource, call.version, entry))
        self._check_versions(call, obj, entry, patching=patching)
        metadata.keep_server_fields(call, obj, old)
        obj["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
        obj = await self._admission.mutate(call, "UPDATE", obj, old)
        strategy.prepare_update(call, obj, old)
        if resource.generation:
            metadata.bump_generation(call, obj, old)
        if not applied:
            obj = ownership.record_update(call, obj, old)
        found = strategy.validate_update(call, obj, old)
        if found:
            raise errors.invalid(resource.kind, resource.error_group, call.name, found)
        for text in strategy.warnings(call, obj, old):
            call.warn(text)
        await self._admission.validate(call, "UPDATE", obj, old)
        stored = await self._stored(call, obj)
        if table.get(key) is not entry:
            return None
        return self._commit(call, table, entry, obj, old, stored)

    def _commit(
        self, call: Call, table: Table, entry: Entry, obj: JsonObject, old: JsonObject, stored: JsonObject
    ) -> Written:
        strategy = call.resource.strategy
        meta = obj["metadata"]
        if call.options.dry_run:
            return Written(obj, None, False)
        if meta.get("deletionTimestamp") and not meta.get("finalizers") and not strategy.holds_deletion(obj):
            # The last finalizer is gone: the object goes with it. The answer shows it at its old version.
            table.delete(entry)
            return Written(obj, None, False)
        if metadata.same_content(obj, old):
            return Written(old, entry, False)
        try:
            changed = table.update(entry, stored, strategy.tag(call.version))
        except TooLarge as error:
            raise StatusError(500, "", str(error)) from error
        return Written(obj, self._keep(call, obj, changed), False)

    def _check_versions(self, call: Call, obj: JsonObject, entry: Entry, *, patching: bool) -> None:
        resource = call.resource
        meta = obj["metadata"]
        uid = meta.get("uid")
        if uid and uid != entry.uid and not patching:
            raise wrong_uid(call, uid, entry.key, entry.uid)
        text = meta.get("resourceVersion") or ""
        if not text or text == "0":
            if patching or resource.strategy.unconditional_update:
                return
            wrong = causes.invalid("metadata.resourceVersion", 0, "must be specified for an update")
            raise errors.invalid(resource.plural, resource.group, call.name, [wrong])
        if not (text.isascii() and text.isdigit()):
            raise StatusError(500, "", f'strconv.ParseUint: parsing "{text}": invalid syntax')
        if int(text) != entry.revision:
            raise errors.conflict(resource.plural, resource.group, call.name, errors.MODIFIED)


def wrong_uid(call: Call, uid: str, key: str, found: str) -> StatusError:
    """409: the object that PUT names by ``uid`` is another one, or none when ``found`` is empty."""
    resource = call.resource
    prefixed = resource.custom or resource.group == "apiextensions.k8s.io"
    group = f"{resource.group}/" if prefixed else ""
    text = (
        f"StorageError: invalid object, Code: 4, Key: /registry/{group}{resource.plural}/{key}, "
        f"ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: {uid}, "
        f"UID in object meta: {found}"
    )
    return errors.conflict(resource.plural, resource.group, call.name, text)
