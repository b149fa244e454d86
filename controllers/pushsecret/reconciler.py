"""The shell of a PushSecret reconcile: whose object it is, whether it is going, its finalizer and its holds on stores.

What follows for an object that can be worked on is in `sync`.
"""

from __future__ import annotations

from typing import Final

from controllers.externalsecret.report import Notices, StatusForm
from controllers.metrics import ObjectMetrics
from controllers.pushsecret.errors import InvalidField, PushError
from controllers.pushsecret.plan import FINALIZER, PUSH_SECRET, deletes, plan_of, store_choices
from controllers.pushsecret.records import RETAINED, merged, recorded, stale, store_of, without
from controllers.pushsecret.report import Reporter
from controllers.pushsecret.sync import PushSync, PushTools, clearing_failed
from controllers.secretstore.holds import StoreHolds
from eso_core.client import JsonPatch
from eso_core.controller import Context, Request, Result
from eso_core.events import Recorder
from eso_core.meta import JsonObject, ObjectKey
from eso_core.meta.errors import Conflict, Invalid, NotFound
from eso_core.meta.finalizers import add_finalizer_ops, has_finalizer, remove_finalizer_ops
from eso_core.meta.wellknown import NAMESPACE
from providers.errors import BrokenReference, NotSupported, find_cause
from providers.interface import StoreKey

__all__ = ["PushSecretReconciler"]

_AGAIN: Final = Result(requeue=True)


class PushSecretReconciler:
    """Reconciles PushSecrets.

    Args:
        tools: What all passes share.
        holds: Keeps stores that are needed for deletion.
        recorder: Where events go.
        metrics: The families of the kind.
        watch_namespaces: Whether namespaces are in the cache (not when the operator serves a single namespace).
    """

    def __init__(
        self,
        tools: PushTools,
        holds: StoreHolds,
        recorder: Recorder,
        metrics: ObjectMetrics,
        *,
        watch_namespaces: bool = True,
    ) -> None:
        self._tools = tools
        self._holds = holds
        self._recorder = recorder
        self._metrics = metrics
        self._watch_namespaces = watch_namespaces
        self._notices = Notices()
        self._form = StatusForm()
        self._uids: dict[ObjectKey, str] = {}
        self._held: dict[ObjectKey, set[StoreKey]] = {}

    async def __call__(self, ctx: Context, request: Request) -> Result | None:
        """Reconcile one object."""
        started = ctx.clock.monotonic()
        key = request.key
        try:
            obj = await ctx.cache.get(PUSH_SECRET, key)
        except NotFound:
            await self._forget(key)
            return None
        self._uids[key] = obj["metadata"].get("uid") or ""
        self._metrics.refine(key, obj["metadata"].get("labels"))
        report = Reporter(ctx, self._recorder, obj, self._metrics, self._notices, self._form)
        try:
            return await self._reconcile(ctx, report)
        finally:
            self._metrics.observe(key, ctx.clock.monotonic() - started)

    async def _forget(self, key: ObjectKey) -> None:
        self._tools.pushed.pop(key, None)
        self._tools.claims.take_woken(key)
        self._tools.templates.forget(key)
        self._metrics.gone(key)
        self._notices.forget(self._uids.pop(key, ""))
        for store in self._held.pop(key, ()):
            await self._holds.release(store, besides=key)

    async def _reconcile(self, ctx: Context, report: Reporter) -> Result | None:
        obj, key = report.obj, report.key
        stores = self._tools.stores.find(store_choices(obj), key.namespace)
        if stores and all(store.foreign for store in stores):
            return None  # another operator's object: two conditions would fight
        if obj["metadata"].get("deletionTimestamp"):
            return await self._finalize(ctx, report)
        if self._is_terminating(ctx, key.namespace):
            return None  # the namespace's deletion reaches this object in a moment
        if has_finalizer(obj, FINALIZER) != deletes(obj):
            change = add_finalizer_ops if deletes(obj) else remove_finalizer_ops
            try:
                report.obj = await ctx.client.patch(PUSH_SECRET, key, JsonPatch(change(obj, FINALIZER)))
            except (Conflict, Invalid):
                return _AGAIN  # somebody changed the object; its event is on the way
            except NotFound:
                return None
        await self._hold(report.obj)
        try:
            try:
                plan = plan_of(report.obj)
            except InvalidField as error:
                # Only an edit helps, and that wakes the object.
                await report.failed(error, wait=None)
                return None
            return await PushSync(self._tools, ctx, report, plan).run()
        finally:
            await self._let_go(report.obj)

    # -- stores that must stay -----------------------------------------------------------------------------------

    async def _hold(self, obj: JsonObject) -> None:
        """Make sure that what is pushed now can be deleted later."""
        if not deletes(obj):
            return
        held = self._held.setdefault(ObjectKey.of(obj), set())
        for store in sorted(self._holds.held_by(obj)):
            await self._holds.hold(store)
            held.add(store)

    async def _let_go(self, obj: JsonObject) -> None:
        """Release the stores that the object held before this pass and no longer does."""
        key = ObjectKey.of(obj)
        before = self._held.get(key)
        if not before:
            return
        now = self._holds.held_by(obj)
        for store in sorted(before - now):
            await self._holds.release(store, besides=key)
            before.discard(store)

    # -- the end -------------------------------------------------------------------------------------------------

    async def _finalize(self, ctx: Context, report: Reporter) -> Result | None:
        """Delete what was pushed if the policy says so, then let the object go. Nothing is pushed any more."""
        if not has_finalizer(report.obj, FINALIZER):
            return None
        if deletes(report.obj):
            self._held.setdefault(report.key, set()).update(self._holds.held_by(report.obj))
            await self._clear(ctx, report)
        try:
            await ctx.client.patch(PUSH_SECRET, report.key, JsonPatch(remove_finalizer_ops(report.obj, FINALIZER)))
        except NotFound:
            return None
        except (Conflict, Invalid):
            return _AGAIN
        return None

    async def _clear(self, ctx: Context, report: Reporter) -> None:
        namespace = report.key.namespace
        status = report.status_before
        before = merged(recorded(status, RETAINED), recorded(status))
        foreign = {
            name: entries
            for name, entries in before.items()
            if (ref := store_of(name)) is not None and self._tools.stores.is_foreign(ref, namespace)
        }
        cleared = await self._tools.pusher.clear(report.key, list(stale(before, foreign)))
        for store, count in cleared.lost.items():
            text = f"{store} is gone: {count} of its values can no longer be deleted and stay where they are"
            report.event("Warning", "NotDeleted", text)
        if cleared.error is None:
            return
        if self._is_terminating(ctx, namespace) and find_cause(cleared.error, BrokenReference) is not None:
            # The credentials went with the namespace and cannot come back: waiting would keep the namespace for ever.
            report.event("Warning", "NotDeleted", f"the namespace is going: {cleared.error.detail}")
            return
        error: PushError = clearing_failed(cleared.error)
        if find_cause(cleared.error, NotSupported) is not None:
            error.detail += "; set spec.deletionPolicy to None to let the PushSecret go without that"
        error.retryable = True  # there is no interval any more
        await report.failed(error, records=without(before, cleared.gone), retained={}, wait=None)
        raise error

    def _is_terminating(self, ctx: Context, namespace: str) -> bool:
        if not self._watch_namespaces:
            return False
        entry = ctx.cache.peek(NAMESPACE, ObjectKey("", namespace))
        return entry is not None and entry.meta.deletion_timestamp is not None
