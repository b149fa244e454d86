"""What a reconcile tells the world: status, events, metrics, log lines."""

from __future__ import annotations

from typing import Final

from msgspec import Struct, field

from controllers.externalsecret.status import Outcome, Reason, next_status, note_versions, ready_changed
from controllers.externalsecret.target import KeyChanges
from controllers.failures import Failure
from controllers.metrics import ExternalSecretMetrics
from eso_core.client import MergePatch
from eso_core.controller import Context
from eso_core.events import Recorder
from eso_core.events.core import EventType
from eso_core.meta import GVK, JsonObject, ObjectKey
from eso_core.meta.errors import Conflict, Invalid, NotFound

__all__ = ["EXTERNAL_SECRET", "Notices", "Reporter", "StatusForm"]

EXTERNAL_SECRET: Final = GVK("external-secrets.io", "v1", "ExternalSecret")


class Notices(Struct):
    """Remarks that are made once per generation of an object, kept while the process runs."""

    _said: dict[str, tuple[int, set[str]]] = field(default_factory=dict)

    def first(self, uid: str, generation: int, remark: str) -> bool:
        """Whether this remark is new for this generation of the object; remembers it."""
        known, remarks = self._said.get(uid, (generation, set()))
        if known != generation:
            remarks = set()
        self._said[uid] = (generation, remarks)
        if remark in remarks:
            return False
        remarks.add(remark)
        return True

    def forget(self, uid: str) -> None:
        """Drop what is known of an object that is gone."""
        self._said.pop(uid, None)


class StatusForm(Struct):
    """Whether the installed definition takes what our status has beyond the original's; found out at the first write."""

    extended: bool = True


class Reporter:
    """Reports about one ExternalSecret in one reconcile.

    Args:
        ctx: The reconcile's context.
        recorder: Where events go.
        obj: The object as it was read; replaced when its finalizer is written.
        metrics: Where outcomes are counted.
        notices: Remembers remarks between reconciles.
        form: What the installed definition takes, shared by all reconciles.
    """

    def __init__(
        self,
        ctx: Context,
        recorder: Recorder,
        obj: JsonObject,
        metrics: ExternalSecretMetrics,
        notices: Notices,
        form: StatusForm,
    ) -> None:
        self._ctx = ctx
        self._recorder = recorder
        self._metrics = metrics
        self._notices = notices
        self._form = form
        self.obj = obj
        self._failure: Failure | None = None

    @property
    def key(self) -> ObjectKey:
        """Namespace and name of the ExternalSecret."""
        return ObjectKey.of(self.obj)

    def event(self, type_: EventType, reason: str, message: str) -> None:
        """Record an event on the ExternalSecret."""
        self._recorder.event(self.obj, type_, reason, message)

    def notice(self, type_: EventType, reason: str, message: str) -> None:
        """Record an event once per generation of the object."""
        metadata = self.obj["metadata"]
        if self._notices.first(metadata.get("uid") or "", int(metadata.get("generation") or 0), message):
            self.event(type_, reason, message)

    async def status(self, outcome: Outcome) -> None:
        """Write the status if it differs from what the object has.

        A patch of the status alone: the spec and its owners are never touched. The uid keeps the status of a deleted
        object from its successor of the same name.
        """
        before = self.obj.get("status")
        self._metrics.set_condition(self.key, "Ready", "True" if outcome.ready else "False")
        after = self._after(outcome)
        if after == before:
            return
        try:
            await self._write(after)
        except Invalid:
            if not self._form.extended:
                raise
            # The original's definition allows no other types of conditions.
            self._form.extended = False
            after = self._after(outcome)
            if after == before:
                return
            await self._write(after)
        except (NotFound, Conflict):
            return  # deleted, or replaced by another object of this name: what was found out is not about that one
        if ready_changed(before, after):
            what = "deleted secret" if outcome.reason is Reason.DELETED else "reconciled secret"
            self._ctx.log.info(what, ready=outcome.ready, reason=str(outcome.reason), message=str(outcome.message))

    async def noted(self, version: str, own: str) -> None:
        """Nothing but a tool's notes have changed: the object is in step as it is now."""
        after = dict(self.obj.get("status") or {})
        note_versions(after, version, own if self._form.extended else "")
        try:
            await self._write(after)
        except (NotFound, Conflict):
            return  # as in `status`

    def _after(self, outcome: Outcome) -> JsonObject:
        return next_status(
            self.obj.get("status"),
            outcome,
            self._ctx.clock.now(),
            failure=None if outcome.ready else self._failure,
            generation=int(self.obj["metadata"].get("generation") or 0),
            extended=self._form.extended,
        )

    async def _write(self, after: JsonObject) -> None:
        known = self.obj.get("status") or {}
        changed = {name: after.get(name) for name in {**known, **after} if known.get(name) != after.get(name)}
        patch = MergePatch({"metadata": {"uid": self.obj["metadata"]["uid"]}, "status": changed})
        stored = await self._ctx.client.patch(EXTERNAL_SECRET, self.key, patch, subresource="status")
        if "observedGeneration" in changed and "observedGeneration" not in (stored.get("status") or {}):
            self._form.extended = False  # pruned: writing it again and again would change nothing

    def failed(self, failure: Failure) -> None:
        """Record a failure: the event with the full text, and the count. The next status has it as well."""
        self._failure = failure
        text = failure.text
        self._metrics.failed(self.key)
        self.event("Warning", "UpdateFailed", text)

    def keys_changed(self, secret: str, changes: KeyChanges) -> None:
        """Log the names of changed data keys."""
        if changes:
            self._ctx.log.debug(
                "secret data keys changed",
                secret=secret,
                added=list(changes.added),
                updated=list(changes.updated),
                removed=list(changes.removed),
                emptied=list(changes.emptied),
            )

    def secret_deleted(self, what: str, secret: str, reason: str) -> None:
        """Log that a Secret was deleted; `what` is the message that people alert on."""
        self._ctx.log.debug(what, secret=secret, namespace=self.key.namespace, reason=str(reason))
