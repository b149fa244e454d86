"""What a pass tells the world: status, events, metrics, log lines."""

from __future__ import annotations

from controllers.externalsecret.report import Notices, StatusForm
from controllers.failures import Failure, at, class_of, next_retry
from controllers.metrics import ObjectMetrics
from controllers.pushsecret.errors import PushError
from controllers.pushsecret.plan import PUSH_SECRET
from controllers.pushsecret.records import Records
from controllers.pushsecret.status import GENERATION, READY, Outcome, Reason, next_status, reason_of, told_changed
from eso_core.client import MergePatch
from eso_core.controller import Context
from eso_core.events import Recorder
from eso_core.events.core import EventType
from eso_core.meta import JsonObject, ObjectKey, mergepatch
from eso_core.meta.errors import Conflict, NotFound
from providers.errors import Throttled, find_cause

__all__ = ["Reporter"]


class Reporter:
    """Reports about one PushSecret in one pass.

    Args:
        ctx: The reconcile's context.
        recorder: Where events go.
        obj: The object as it was read; replaced when finalizer or status are written.
        metrics: The families of the kind.
        notices: Remembers remarks between passes.
        form: What the installed definition takes, shared by all passes.
    """

    def __init__(
        self,
        ctx: Context,
        recorder: Recorder,
        obj: JsonObject,
        metrics: ObjectMetrics,
        notices: Notices,
        form: StatusForm,
    ) -> None:
        self._ctx = ctx
        self._recorder = recorder
        self._metrics = metrics
        self._notices = notices
        self._form = form
        self.obj = obj

    @property
    def key(self) -> ObjectKey:
        """Namespace and name of the PushSecret."""
        return ObjectKey.of(self.obj)

    @property
    def status_before(self) -> JsonObject:
        """The status as it is."""
        return self.obj.get("status") or {}

    def event(self, type_: EventType, reason: str, message: str) -> None:
        """Record an event on the PushSecret."""
        self._recorder.event(self.obj, type_, reason, message)

    def notice(self, type_: EventType, reason: str, message: str) -> None:
        """Record an event once per generation of the object."""
        metadata = self.obj["metadata"]
        if self._notices.first(metadata.get("uid") or "", int(metadata.get("generation") or 0), message):
            self.event(type_, reason, message)

    async def failed(
        self, error: PushError, *, records: Records | None = None, retained: Records | None = None, wait: float | None
    ) -> None:
        """Tell of a failure: conditions, event with the whole cause, log.

        Args:
            error: What went wrong.
            records: What is in the stores; None leaves what is recorded.
            retained: Likewise, of what was left there.
            wait: Seconds until it is looked at again where back-off does not do that; None for never by itself.
        """
        now = self._ctx.clock.now()
        shown = next_retry(self._ctx.attempt) if error.retryable else at(now, wait)
        retried = error.retryable or find_cause(error, Throttled) is not None
        failure = Failure(class_of(error), error.detail, retried=retried, next_attempt=shown)
        self.event("Warning", Reason.ERRORED, error.detail)
        await self.status(Outcome(Reason.ERRORED, str(error), records, retained, failure=failure))

    async def status(self, outcome: Outcome) -> None:
        """Write the status if it differs from what the object has, and tell of a success that has news.

        A patch of the status alone: the spec and its owners are never touched. The uid keeps the status of a deleted
        object from its successor of the same name.
        """
        before = self.obj.get("status") or {}
        generation = int(self.obj["metadata"].get("generation") or 0)
        after = next_status(before, outcome, self._ctx.clock.now(), generation=generation, extended=self._form.extended)
        self._metrics.set_condition(self.key, READY, "True" if outcome.ready else "False")
        if after == before:
            return
        body = {"metadata": {"uid": self.obj["metadata"]["uid"]}, "status": mergepatch.diff(before, after)}
        try:
            stored = await self._ctx.client.patch(PUSH_SECRET, self.key, MergePatch(body), subresource="status")
        except (NotFound, Conflict):
            return  # deleted, or replaced by another object of this name: what was found out is not about that one
        if GENERATION in after and GENERATION not in (stored.get("status") or {}):
            self._form.extended = False  # pruned: writing it again and again would change nothing
        self.obj = {**self.obj, "status": after}
        if outcome.reason is not Reason.ERRORED and told_changed(before, after):
            self.event("Normal", outcome.reason, outcome.message)
        if reason_of(before) != reason_of(after):
            self._ctx.log.info("reconciled", ready=outcome.ready, reason=str(outcome.reason), message=outcome.message)
