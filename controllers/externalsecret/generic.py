"""One sync of an ExternalSecret whose target is an object of another kind than Secret (`target.manifest`)."""

from __future__ import annotations

from typing import Final

from controllers.externalsecret.errors import InvalidField, SyncError, TargetRefused, TemplateFailed
from controllers.externalsecret.generictargets import GenericTargets
from controllers.externalsecret.manifest import gvk_of, intact
from controllers.externalsecret.names import DATA_HASH_ANNOTATION, field_manager
from controllers.externalsecret.plan import Plan
from controllers.externalsecret.render import Content
from controllers.externalsecret.report import Reporter
from controllers.externalsecret.status import Message, Reason
from controllers.externalsecret.sync import Sync, Tools
from controllers.externalsecret.target import owned_by
from controllers.templating.redaction import redacted
from eso_core.client import Preconditions
from eso_core.controller import Context, Result
from eso_core.meta import JsonObject
from eso_core.meta.errors import (
    AlreadyExists,
    ApiError,
    BadRequest,
    Conflict,
    EsoCoreError,
    Forbidden,
    Invalid,
    NotFound,
    RequestEntityTooLarge,
    server_words,
)

__all__ = ["GenericSync"]

_AGAIN: Final = Result(requeue=True)


class GenericSync(Sync):
    """One pass over an ExternalSecret with a generic target; the target is read live."""

    error_reason = Reason.RESOURCE_ERROR

    def __init__(self, tools: Tools, ctx: Context, report: Reporter, plan: Plan, targets: GenericTargets) -> None:
        super().__init__(tools, ctx, report, plan)
        self._generic = targets
        self._gvk = gvk_of(plan)

    async def run(self) -> Result | None:
        """Sync the object if it is due; returns when to look again, and raises what back-off may heal."""
        plan = self._plan
        if await self._generic.cluster_scoped(self._gvk):
            text = f"{self._gvk.kind} is a cluster-scoped kind: only objects of the namespace can be targets"
            error = InvalidField("spec.target.manifest.kind", text)
            return await self._fail(Message.GET_RESOURCE, error, retry=False)
        if plan.target.creation != "None":
            self._generic.watch(plan.key, self._gvk)
        try:
            live = await self._read()
        except EsoCoreError as error:
            return await self._fail(Message.GET_RESOURCE, error, retry=True)
        settled = self._generic.settled(self._gvk, plan.target_key)
        if not self._due(live is not None, lambda: live is not None and intact(live, settled)):
            self._note_unapplied_spec()
            return self._later(live is not None)
        return await self._guarded(self._sync_object(live))

    async def _read(self) -> JsonObject | None:
        if self._plan.target.creation == "None":
            return None
        try:
            found: JsonObject = await self._ctx.api.get(self._gvk, self._plan.target_key)
        except NotFound as error:
            if await self._generic.served(self._gvk):
                return None
            raise error
        return found

    async def _sync_object(self, live: JsonObject | None) -> Result | None:
        plan = self._plan
        self._sources_mark = self._tools.changes.pending(plan.key)
        fetched = await self._fetch()
        self._tools.pending.clear(plan.key)
        if fetched.unchanged or plan.target.creation == "None":
            return await self._succeed(Reason.RESOURCE_SYNCED, Message.SYNCED)
        if not fetched.data:
            if plan.deletion_policy == "Retain":
                return await self._succeed(Reason.RESOURCE_SYNCED, Message.RETAINED)
            if plan.deletion_policy == "Delete":
                return await self._delete(live)
        if live is None and plan.target.creation == "Merge":
            return await self._succeed(Reason.RESOURCE_MISSING, Message.RESOURCE_MISSING)
        inherited = Content.plain(plan.owner, {}, self._tools.ignored_annotations).annotations
        try:
            wanted = await self._generic.manifests.build(plan, fetched.data, live, inherited)
        except TargetRefused as error:
            return await self._refuse(error, str(error))
        except SyncError as error:
            retry = isinstance(error, TemplateFailed) and error.retryable
            text = f"could not apply template to manifest: {error}"
            return await self._fail(Message.APPLY_MANIFEST, error, text=text, retry=retry)
        try:
            await self._write(wanted, live)
        except (Conflict, AlreadyExists):
            raise
        except Forbidden as error:
            if error.namespace_terminating:
                return None
            return await self._fail(Message.UPDATE, error, text=server_words(error), retry=True)
        except (ApiError, EsoCoreError) as error:
            retry = not isinstance(error, Invalid | BadRequest | RequestEntityTooLarge)
            text = redacted(
                f"unable to update {self._gvk.kind} {plan.target.name}: {server_words(error)}", fetched.data
            )
            return await self._fail(Message.UPDATE, error, text=text, retry=retry)
        return await self._succeed(Reason.RESOURCE_SYNCED, Message.SYNCED, placed=True)

    async def _write(self, wanted: JsonObject, live: JsonObject | None) -> None:
        """Create or update; neither request nor event when the object is what it should be."""
        plan, key = self._plan, self._plan.target_key
        manager = field_manager(plan.owner.name)
        if live is None:
            written = await self._ctx.api.create(wanted, field_manager=manager)
            self._report.event("Normal", "Created", f"Created {self._gvk.kind} {plan.target.name}")
        else:
            if _same(wanted, live) and intact(live, self._generic.settled(self._gvk, key)):
                return
            body = {**wanted, "metadata": {k: v for k, v in wanted["metadata"].items() if k != "managedFields"}}
            written = await self._ctx.api.update(body, field_manager=manager)
            if written["metadata"]["resourceVersion"] != live["metadata"]["resourceVersion"]:
                self._report.event("Normal", "Updated", f"Updated {self._gvk.kind} {plan.target.name}")
        self._generic.note(self._gvk, written)

    async def _delete(self, live: JsonObject | None) -> Result | None:
        """All values are gone and deletionPolicy is Delete."""
        plan = self._plan
        what = f"unable to delete {self._gvk.kind} {plan.target.name}"
        if plan.target.creation != "Owner":
            error = SyncError(f"{what}: creationPolicy={plan.target.creation} is not Owner")
            return await self._fail(Message.DELETE_RESOURCE, error, retry=False)
        if live is not None:
            if not owned_by(live, plan.owner):
                error = SyncError(f"{what}: this ExternalSecret does not own it")
                return await self._fail(Message.DELETE_RESOURCE, error, retry=False)
            metadata = live["metadata"]
            conditions = Preconditions(metadata["uid"], metadata["resourceVersion"])
            try:
                await self._ctx.api.delete(self._gvk, plan.target_key, preconditions=conditions)
            except NotFound:
                return await self._succeed(Reason.RESOURCE_DELETED, Message.DELETED)
            self._report.event("Normal", "Deleted", f"Deleted {self._gvk.kind} {plan.target.name}")
        return await self._succeed(Reason.RESOURCE_DELETED, Message.DELETED)


def _same(wanted: JsonObject, live: JsonObject) -> bool:
    """Whether content (by its recorded hash) and metadata are those of the last write."""
    left, right = wanted["metadata"], live["metadata"]
    recorded = (right.get("annotations") or {}).get(DATA_HASH_ANNOTATION)
    return bool(
        recorded == left["annotations"][DATA_HASH_ANNOTATION]
        and (left.get("labels") or {}) == (right.get("labels") or {})
        and left["annotations"] == (right.get("annotations") or {})
        and (left.get("ownerReferences") or []) == (right.get("ownerReferences") or [])
    )
