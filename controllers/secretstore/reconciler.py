"""Keeps the Ready condition of stores: opens the backend, asks it whether it works, and says so.

One reconciler per kind. A store is checked when its spec changes, when a Secret that its client was opened with changes,
and at its own interval; not when its status changes. What was found valid before this process started is checked at some
moment of its first interval, so that a restart is not a rush on all backends.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Mapping
from typing import Final

from msgspec import Struct

from controllers.metrics import ObjectMetrics
from controllers.secretstore.defects import describe_defect
from controllers.secretstore.holds import FINALIZER, StoreHolds
from controllers.secretstore.interval import InvalidInterval, refresh_interval
from eso_core.client import JsonPatch, MergePatch
from eso_core.controller import Context, Request, Result
from eso_core.events import Recorder
from eso_core.meta import GVK, JsonObject, ObjectKey, set_condition
from eso_core.meta.errors import Conflict, Invalid, NotFound
from eso_core.meta.finalizers import add_finalizer_ops, has_finalizer, remove_finalizer_ops
from providers.errors import ProviderError, UnknownProvider, is_retryable
from providers.interface import Maintenance, Store, StoreKey
from providers.pool import ClientPool
from providers.registry import backend_of

__all__ = ["FINALIZER", "IGNORE_MAINTENANCE", "StoreReconciler"]

IGNORE_MAINTENANCE: Final = "external-secrets.io/ignore-maintenance-checks"

_GENERATION: Final = "observedGeneration"

_MESSAGE_LIMIT: Final = 1024
"""Characters of a condition's message; the event has the rest."""

_MAINTENANCE: Final[Mapping[Maintenance, tuple[str, str]]] = {
    Maintenance.NOT_MAINTAINED: (
        "StoreUnmaintained",
        "store isn't currently maintained. Please plan and prepare accordingly.",
    ),
    Maintenance.DEPRECATED: (
        "StoreDeprecated",
        "store is deprecated and will be removed on the next minor release. Please plan and prepare accordingly.",
    ),
}


class _Verdict(Struct, frozen=True):
    """What a check found out.

    Attributes:
        ready: Status of the condition.
        reason, message: Of the condition.
        detail: Text of the event.
        error: The failure, None without one.
        capabilities: What the backend can do; empty leaves what is recorded.
    """

    ready: bool
    reason: str
    message: str
    detail: str
    error: Exception | None = None
    capabilities: str = ""


def _failed(step: str, error: Exception, *, hint: str = "") -> _Verdict:
    message, detail = _explained(step, error)
    return _Verdict(False, "InvalidProviderConfig", message + hint, detail, error)


def _explained(step: str, error: Exception) -> tuple[str, str]:
    """The condition's message and the event's text: the step as the original words it, then the cause and what to do."""
    detail = str(error)
    return f"{step}: {detail}"[:_MESSAGE_LIMIT], detail


class StoreReconciler:
    """Reconciles SecretStores or ClusterSecretStores.

    Args:
        kind: Which of the two.
        pool: Opens clients.
        recorder: Where events go.
        metrics: The families of the kind.
        controller_class: Stores with another `spec.controller` are left alone.
        interval: Seconds between checks of a store that names no interval of its own.
        holds: Says which stores PushSecrets still need; None where there are no PushSecrets.
        draw: Uniform in [0, 1), for the first check of a store that was valid already.
    """

    def __init__(
        self,
        kind: GVK,
        pool: ClientPool,
        recorder: Recorder,
        metrics: ObjectMetrics,
        *,
        controller_class: str,
        interval: float,
        holds: StoreHolds | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._kind = kind
        self._pool = pool
        self._recorder = recorder
        self._metrics = metrics
        self._class = controller_class
        self._interval = interval
        self._holds = holds
        self._draw = draw
        # Stores by name, with the uid, that this process has looked at.
        self._seen: dict[ObjectKey, str] = {}
        self._prunes = False
        # The last failure of each store by uid: a condition has a short text, so a new cause shows in the event alone.
        self._failures: dict[ObjectKey, str] = {}

    async def __call__(self, ctx: Context, request: Request) -> Result | None:
        """Check one store."""
        started = ctx.clock.monotonic()
        key = request.key
        try:
            obj = await ctx.cache.get(self._kind, key)
        except NotFound:
            self._pool.store_gone(StoreKey(self._kind.kind, key.namespace, key.name))
            self._metrics.gone(key)
            self._failures.pop(key, None)
            self._seen.pop(key, None)
            return None
        if (obj.get("spec") or {}).get("controller", "") not in ("", self._class):
            return None
        self._metrics.refine(key, obj["metadata"].get("labels"))
        try:
            if obj["metadata"].get("deletionTimestamp"):
                return await self._release(ctx, key, obj)
            if has_finalizer(obj, FINALIZER) != self._is_held(key, obj):
                mended = await self._mend_finalizer(ctx, key, obj)
                if mended is None:
                    return Result(requeue=True)
                obj = mended
            return await self._check(ctx, key, obj)
        finally:
            self._metrics.observe(key, ctx.clock.monotonic() - started)

    async def _release(self, ctx: Context, key: ObjectKey, obj: JsonObject) -> Result | None:
        """Let a terminating store go, unless a PushSecret needs it to take back what it pushed; its end wakes the store."""
        if not has_finalizer(obj, FINALIZER) or self._is_held(key, obj):
            return None
        return None if await self._mend_finalizer(ctx, key, obj) is not None else Result(requeue=True)

    def _is_held(self, key: ObjectKey, obj: JsonObject) -> bool:
        if self._holds is None:
            return False
        store = StoreKey(self._kind.kind, key.namespace, key.name)
        return self._holds.is_held(store, obj["metadata"].get("labels") or {})

    async def _mend_finalizer(self, ctx: Context, key: ObjectKey, obj: JsonObject) -> JsonObject | None:
        """Put the finalizer on or take it off; the store as it is then, None if it has changed meanwhile."""
        change = remove_finalizer_ops if has_finalizer(obj, FINALIZER) else add_finalizer_ops
        try:
            changed: JsonObject = await ctx.client.patch(self._kind, key, JsonPatch(change(obj, FINALIZER)))
        except NotFound:
            return obj
        except (Conflict, Invalid):
            return None
        return changed

    async def _check(self, ctx: Context, key: ObjectKey, obj: JsonObject) -> Result | None:
        try:
            interval = refresh_interval(obj, self._interval)
        except InvalidInterval as error:
            await self._report(ctx, key, obj, _Verdict(False, "InvalidProviderConfig", str(error), str(error), error))
            return None  # only an edit helps, and that is an event
        store = Store.from_object({**obj, "kind": self._kind.kind})
        uid = obj["metadata"]["uid"]
        first = self._seen.get(key) != uid
        self._seen[key] = uid
        if first and _is_proven(obj):
            self._metrics.set_condition(key, "Ready", "True")
            # The first edit of what uses the store should not have to wait for it.
            await self._pool.registry.preload(store)
            return Result(requeue_after=interval * (0.1 + 0.9 * self._draw()))
        verdict = await self._validate(store)
        if not await self._report(ctx, key, obj, verdict):
            return None
        if verdict.error is not None and not verdict.ready and is_retryable(verdict.error):
            raise verdict.error
        return Result(requeue_after=max(interval, 0.0))

    async def _validate(self, store: Store) -> _Verdict:
        try:
            async with self._pool.session(store.namespace) as session:
                try:
                    client = await session.client(store)
                except UnknownProvider as error:
                    there = ", ".join(self._pool.registry.names)
                    return _failed("unable to create client", error, hint=f"; this operator has: {there}")
                except ProviderError as error:
                    return _failed("unable to create client", error)
                try:
                    validation = await client.validate()
                except ProviderError as error:
                    return _failed("unable to validate store", error)
        except Exception as error:
            # A defect of a backend concerns its own stores only.
            return _failed("unable to validate store", ProviderError(describe_defect(error), retryable=True))
        capabilities = str(self._pool.registry.get(backend_of(store)[0], store=store.name).capabilities)
        if validation.error is not None:
            message, text = _explained("could not determine validation status", validation.error)
            return _Verdict(True, "ValidationUnknown", message, text, validation.error, capabilities)
        return _Verdict(True, "Valid", "store validated", "store validated", None, capabilities)

    async def _report(self, ctx: Context, key: ObjectKey, obj: JsonObject, verdict: _Verdict) -> bool:
        """Write the status if it changed and tell of a changed result; False when the store is not the same any more."""
        before = obj.get("status") or {}
        after = copy.deepcopy(before)
        changed = set_condition(
            after.setdefault("conditions", []),
            type="Ready",
            status="True" if verdict.ready else "False",
            reason=verdict.reason,
            message=verdict.message,
            now=ctx.clock.now(),
        )
        if verdict.capabilities:
            after["capabilities"] = verdict.capabilities
        if not self._prunes:
            after[_GENERATION] = obj["metadata"].get("generation") or 0
        self._metrics.set_condition(key, "Ready", "True" if verdict.ready else "False")
        if after != before:
            patch = MergePatch({"metadata": {"uid": obj["metadata"]["uid"]}, "status": after})
            try:
                stored = await ctx.client.patch(self._kind, key, patch, subresource="status")
            except (NotFound, Conflict):
                return False  # deleted or replaced while it was checked; the successor has an event of its own
            # The original's definitions do not have the field: writing it again and again would change nothing.
            self._prunes = _GENERATION not in (stored.get("status") or {})
        self._tell(ctx, key, obj, verdict, changed)
        return True

    def _tell(self, ctx: Context, key: ObjectKey, obj: JsonObject, verdict: _Verdict, changed: bool) -> None:
        failing = verdict.error is not None
        known = self._failures.get(key)
        if failing:
            self._failures[key] = verdict.detail
        else:
            self._failures.pop(key, None)
        if not (changed or (failing and known is not None and known != verdict.detail)):
            return
        self._recorder.event(obj, "Warning" if failing else "Normal", verdict.reason, verdict.detail)
        ctx.log.info("store checked", ready=verdict.ready, reason=verdict.reason, detail=verdict.detail)
        if not failing and IGNORE_MAINTENANCE not in (obj["metadata"].get("annotations") or {}):
            store = Store.from_object({**obj, "kind": self._kind.kind})
            maintenance = self._pool.registry.get(backend_of(store)[0], store=store.name).maintenance
            if maintenance in _MAINTENANCE:
                self._recorder.event(obj, "Warning", *_MAINTENANCE[maintenance])


def _is_proven(store: JsonObject) -> bool:
    """Whether its status says that it was valid as it is now."""
    status = store.get("status") or {}
    valid = any(
        condition.get("type") == "Ready" and condition.get("status") == "True" and condition.get("reason") == "Valid"
        for condition in status.get("conditions") or ()
    )
    return valid and bool(status.get("capabilities")) and status.get(_GENERATION) == store["metadata"].get("generation")
