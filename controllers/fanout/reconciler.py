"""Copies are made, changed and removed, some namespaces at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from msgspec import Struct, field

from controllers.fanout.children import changes, new_child, owned_by, parent_key
from controllers.fanout.kinds import FanOut
from controllers.fanout.selection import BadSelector, Selection
from controllers.metrics import ObjectMetrics
from eso_core.aio import TaskScope
from eso_core.cache import Cache
from eso_core.client import JsonPatch, MergePatch, Preconditions
from eso_core.controller import Context, Request, Result
from eso_core.events import Recorder
from eso_core.meta import JsonObject, ObjectKey, format_time, parse_duration
from eso_core.meta.errors import AlreadyExists, ApiError, Conflict, EsoCoreError, Invalid, NotFound
from eso_core.meta.finalizers import add_finalizer_ops, has_finalizer, remove_finalizer_ops
from eso_core.meta.wellknown import NAMESPACE
from eso_core.queue import LOW_PRIORITY

__all__ = ["PARENT_INDEX", "FanOutReconciler"]

PARENT_INDEX: Final = "parent"
_INTERVAL: Final = 3600.0
_SIDE_BY_SIDE: Final = 16
_FAILED: Final = "one or more namespaces failed"
_NOT_DELETED: Final = "external secret in non matching namespace could not be deleted"
"""Of copies of either kind."""
_AGAIN: Final = Result(requeue=True)

T = TypeVar("T", str, JsonObject)


class _Refused(Exception):
    """A namespace cannot have its copy; the text is shown as its reason."""


class _Pending(Exception):
    """The copy of before is still going; the event of its end wakes the object."""


class _Outcome(Struct):
    """What became of the namespaces."""

    provisioned: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    conflict: bool = False
    retry: bool = False


class FanOutReconciler:
    """Reconciles one object.

    Args:
        fan: Its kind.
        recorder: Where events go.
        metrics: Its series.
    """

    def __init__(self, fan: FanOut, recorder: Recorder, metrics: ObjectMetrics) -> None:
        self._fan = fan
        self._recorder = recorder
        self._metrics = metrics

    async def __call__(self, ctx: Context, request: Request) -> Result | None:
        """Reconcile one object."""
        started = ctx.clock.monotonic()
        key = request.key
        try:
            obj = await ctx.cache.get(self._fan.kind, key)
        except NotFound:
            self._metrics.gone(key)
            return None
        self._metrics.refine(key, obj["metadata"].get("labels"))
        try:
            if obj["metadata"].get("deletionTimestamp"):
                return await self._go(ctx, obj)
            return await self._work(ctx, obj)
        finally:
            self._metrics.observe(key, ctx.clock.monotonic() - started)

    # -- deletion ----------------------------------------------------------------------------------------------------

    async def _go(self, ctx: Context, obj: JsonObject) -> Result | None:
        """Remove all copies, and what the original left on namespaces; then let the object go."""
        fan = self._fan
        if not fan.finalizer or not has_finalizer(obj, fan.finalizer):
            return None  # the copies go by garbage collection
        outcome = _Outcome()
        children = await self._children(ctx.cache, obj)
        await self._each(outcome, children, lambda child: self._delete(ctx, child), _NOT_DELETED)
        await self._each(outcome, self._marked(ctx.cache, obj), lambda name: self._unmark(ctx, obj, name))
        if outcome.failed or outcome.conflict:
            raise EsoCoreError(f"deleting copies: {_told(outcome)}")
        try:
            await ctx.client.patch(fan.kind, ObjectKey.of(obj), JsonPatch(remove_finalizer_ops(obj, fan.finalizer)))
        except NotFound:
            return None
        except (Conflict, Invalid):
            return _AGAIN
        return None

    # -- work --------------------------------------------------------------------------------------------------------

    async def _work(self, ctx: Context, obj: JsonObject) -> Result | None:
        fan = self._fan
        if fan.finalizer and not has_finalizer(obj, fan.finalizer):
            try:
                obj = await ctx.client.patch(
                    fan.kind, ObjectKey.of(obj), JsonPatch(add_finalizer_ops(obj, fan.finalizer))
                )
            except NotFound:
                return None
            except (Conflict, Invalid):
                return _AGAIN
        spec = obj.get("spec") or {}
        try:
            interval = parse_duration(spec["refreshTime"]) if spec.get("refreshTime") else _INTERVAL
            selection = Selection(spec)
        except BadSelector as error:
            await self._report_unlisted(ctx, obj, str(error))
            return None  # only an edit helps, and that is an event
        except ValueError as error:
            await self._report(ctx, obj, None, f"spec.refreshTime: {error}: write it like 1h or 30m")
            return None
        outcome = await self._provision(ctx, obj, selection)
        if not await self._report(ctx, obj, outcome, _FAILED if outcome.failed else ""):
            return None
        if outcome.retry:
            # What the server could not do now it may do in a moment; a name that is taken is no such thing.
            raise EsoCoreError(f"putting copies into namespaces: {_told(outcome)}")
        if outcome.conflict:
            return _AGAIN
        return Result(requeue_after=interval, priority=LOW_PRIORITY) if interval > 0 else None

    async def _provision(self, ctx: Context, obj: JsonObject, selection: Selection) -> _Outcome:
        fan = self._fan
        entries = ctx.cache.informer(NAMESPACE).select()
        going = {entry.key.name for entry in entries if entry.meta.deletion_timestamp is not None}
        wanted = selection.of((entry.key.name, entry.meta.labels) for entry in entries)
        name = fan.child_name(obj)
        children = {ObjectKey.of(child): child for child in await self._children(ctx.cache, obj)}
        stale = [
            child
            for key, child in children.items()
            if (key.name != name or key.namespace not in wanted) and not child["metadata"].get("deletionTimestamp")
        ]
        outcome = _Outcome()
        await self._each(outcome, stale, lambda child: self._delete(ctx, child), _NOT_DELETED)
        await self._each(outcome, self._marked(ctx.cache, obj), lambda found: self._unmark(ctx, obj, found))

        async def put(namespace: str) -> None:
            await self._put(ctx, obj, children.get(ObjectKey(namespace, name)), ObjectKey(namespace, name))
            outcome.provisioned.append(namespace)

        await self._each(outcome, [namespace for namespace in wanted if namespace not in going], put, fan.failure)
        outcome.provisioned.sort()
        return outcome

    async def _put(self, ctx: Context, obj: JsonObject, child: JsonObject | None, key: ObjectKey) -> None:
        """Make a namespace's copy what it should be.

        Raises:
            _Refused: Somebody else has the name.
            _Pending: The copy of before is still being deleted.
            Conflict: It changed under our hands.
        """
        fan = self._fan
        if child is None:
            try:
                child = await ctx.cache.get(fan.child, key)
            except NotFound:
                try:
                    await ctx.client.create(new_child(fan, obj, key.namespace))
                except AlreadyExists as error:
                    raise Conflict.from_response("POST", str(key), 409, b"{}", {}) from error
                except Invalid as error:
                    raise _Refused(f"{fan.failure}: {error.message}") from error
                return
            if not owned_by(child, fan, obj["metadata"]["name"]):
                raise _Refused(fan.taken)
        if child["metadata"].get("deletionTimestamp"):
            raise _Pending
        operations = changes(fan, obj, child)
        if operations:
            try:
                await ctx.client.patch(fan.child, key, JsonPatch(operations))
            except Invalid as error:
                raise _Refused(f"{fan.failure}: {error.message}") from error

    async def _delete(self, ctx: Context, child: JsonObject) -> None:
        metadata = child["metadata"]
        try:
            await ctx.client.delete(
                self._fan.child, ObjectKey.of(child), preconditions=Preconditions(uid=metadata["uid"])
            )
        except NotFound:
            return

    async def _children(self, cache: Cache, obj: JsonObject) -> list[JsonObject]:
        index = (PARENT_INDEX, parent_key(self._fan.kind, obj["metadata"]["name"]))
        found: list[JsonObject] = await cache.list(self._fan.child, index=index)
        return found

    # -- what the original left on namespaces ------------------------------------------------------------------------

    def _marked(self, cache: Cache, obj: JsonObject) -> list[str]:
        """Namespaces with a finalizer that the original put there for this object: it would hold them for ever."""
        if not self._fan.namespace_finalizer:
            return []
        mark = f"{self._fan.namespace_finalizer}{obj['metadata']['name']}"
        return [entry.key.name for entry in cache.informer(NAMESPACE).select() if mark in entry.meta.finalizers]

    async def _unmark(self, ctx: Context, obj: JsonObject, name: str) -> None:
        mark = f"{self._fan.namespace_finalizer}{obj['metadata']['name']}"
        key = ObjectKey("", name)
        namespace = await ctx.cache.get(NAMESPACE, key)
        try:
            await ctx.client.patch(NAMESPACE, key, JsonPatch(remove_finalizer_ops(namespace, mark)))
        except NotFound:
            return

    # -- telling -----------------------------------------------------------------------------------------------------

    async def _each(
        self, outcome: _Outcome, items: Sequence[T], work: Callable[[T], Awaitable[None]], doing: str = ""
    ) -> None:
        """Do the work of every item, some at a time; what fails is in the outcome, with what was being done before it."""
        gate = asyncio.Semaphore(_SIDE_BY_SIDE)

        async def one(item: T) -> None:
            place: str = item if isinstance(item, str) else item["metadata"]["namespace"]
            async with gate:
                try:
                    await work(item)
                except _Pending:
                    return
                except _Refused as refused:
                    outcome.failed[place] = str(refused)
                except (Conflict, AlreadyExists) as error:
                    outcome.conflict = True
                    outcome.failed[place] = _reason(doing, error)
                except EsoCoreError as error:
                    outcome.retry = True
                    outcome.failed[place] = _reason(doing, error)

        async with TaskScope(f"namespaces of {self._fan.name}") as scope:
            for item in items:
                scope.spawn(one(item), name=f"{self._fan.name} namespace")

    async def _report_unlisted(self, ctx: Context, obj: JsonObject, problem: str) -> None:
        """It is not known which namespaces are selected: where copies are is still true."""
        if self._fan.unlisted_reason:
            text = f"failed to get target Namespaces: {problem}"
            await self._report(ctx, obj, None, text, reason=self._fan.unlisted_reason)
        else:
            there = (obj.get("status") or {}).get("provisionedNamespaces") or []
            await self._report(ctx, obj, _Outcome(there, {"unknown": problem}), _FAILED)

    async def _report(
        self, ctx: Context, obj: JsonObject, outcome: _Outcome | None, problem: str, *, reason: str = ""
    ) -> bool:
        """Write the status if it changed; False when the object is not the same any more. None keeps what is known of namespaces."""
        fan = self._fan
        before = obj.get("status") or {}
        after: JsonObject = {**before, f"{fan.member}Name": fan.child_name(obj)}
        after["conditions"] = [self._condition(ctx, before, problem, reason)]
        if outcome is not None:
            after["provisionedNamespaces"] = outcome.provisioned
            after["failedNamespaces"] = [
                {"namespace": name, "reason": reason} for name, reason in sorted(outcome.failed.items())
            ]
        key = ObjectKey.of(obj)
        self._metrics.set_condition(key, "Ready", "False" if problem else "True")
        if problem and _message(before) != problem:
            detail = _told(outcome) if outcome is not None else problem
            self._recorder.event(obj, "Warning", reason or "Failed", detail or problem)
        for name in ("provisionedNamespaces", "failedNamespaces"):
            if not after.get(name):
                after[name] = None
        changed = {name: after[name] for name in after if before.get(name) != after[name]}
        if not changed:
            return True
        patch = MergePatch({"metadata": {"uid": obj["metadata"]["uid"]}, "status": changed})
        try:
            await ctx.client.patch(fan.kind, key, patch, subresource="status")
        except (NotFound, Conflict):
            return False
        return True

    def _condition(self, ctx: Context, before: JsonObject, problem: str, reason: str) -> JsonObject:
        condition: JsonObject = {"type": "Ready", "status": "False" if problem else "True"}
        if reason:
            condition["reason"] = reason
        if problem:
            condition["message"] = problem
        if not self._fan.plain_conditions:
            known: JsonObject = next(
                (entry for entry in before.get("conditions") or () if entry.get("type") == "Ready"), {}
            )
            same = known.get("status") == condition["status"] and known.get("lastTransitionTime")
            condition["lastTransitionTime"] = known["lastTransitionTime"] if same else format_time(ctx.clock.now())
        return condition


def _message(status: JsonObject) -> str:
    return next((entry.get("message") or "" for entry in status.get("conditions") or ()), "")


def _reason(doing: str, error: EsoCoreError) -> str:
    """What the server said, or what else went wrong."""
    text = error.message if isinstance(error, ApiError) and error.message else str(error)
    return f"{doing}: {text}" if doing else text


def _told(outcome: _Outcome) -> str:
    shown = [f"{name}: {reason}" for name, reason in sorted(outcome.failed.items())]
    more = f" and {len(shown) - 5} more" if len(shown) > 5 else ""
    return "; ".join(shown[:5]) + more
