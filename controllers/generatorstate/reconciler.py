"""Finalizer, deadline and cleanup of GeneratorStates."""

from __future__ import annotations

from typing import Final

from controllers.generating.making import GeneratorService
from controllers.generating.references import source_of
from controllers.generating.states import GENERATOR_STATE
from controllers.secretstore.defects import describe_defect
from eso_core.client import JsonPatch, MergePatch, Preconditions
from eso_core.controller import Context, Request, Result
from eso_core.events import Recorder
from eso_core.meta import JsonObject, ObjectKey, parse_time, set_condition
from eso_core.meta.errors import Conflict, Invalid, NotFound
from eso_core.meta.finalizers import add_finalizer_ops, has_finalizer, remove_finalizer_ops
from generators.errors import GeneratorFailed, UnknownGenerator
from providers.errors import ProviderError, is_retryable

__all__ = ["FINALIZER", "GeneratorStateReconciler"]

FINALIZER: Final = "generatorstate.externalsecrets.io/finalizer"
_AGAIN: Final = Result(requeue=True)


class GeneratorStateReconciler:
    """Looks after one GeneratorState.

    Args:
        service: Knows the generators.
        recorder: Where events go.
    """

    def __init__(self, service: GeneratorService, recorder: Recorder) -> None:
        self._service = service
        self._recorder = recorder

    async def __call__(self, ctx: Context, request: Request) -> Result | None:
        """Reconcile one object."""
        try:
            obj = await ctx.cache.get(GENERATOR_STATE, request.key)
        except NotFound:
            return None
        try:
            if obj["metadata"].get("deletionTimestamp"):
                return await self._clean_up(ctx, request.key, obj)
            if not has_finalizer(obj, FINALIZER):
                obj = await ctx.client.patch(GENERATOR_STATE, request.key, JsonPatch(add_finalizer_ops(obj, FINALIZER)))
            return await self._watch_deadline(ctx, request.key, obj)
        except NotFound:
            return None
        except (Conflict, Invalid):
            return _AGAIN  # somebody changed the object; its event is on the way

    async def _watch_deadline(self, ctx: Context, key: ObjectKey, obj: JsonObject) -> Result | None:
        text = (obj.get("spec") or {}).get("garbageCollectionDeadline")
        if not text:
            await self._report(ctx, key, obj, "True", "Created", "GeneratorState created")
            return None
        try:
            deadline = parse_time(text)
        except ValueError as error:
            await self._report(ctx, key, obj, "False", "Error", f"spec.garbageCollectionDeadline: {error}")
            return None
        rest = (deadline - ctx.clock.now()).total_seconds()
        if rest > 0:
            await self._report(ctx, key, obj, "True", "Created", "GeneratorState created")
            return Result(requeue_after=rest)
        metadata = obj["metadata"]
        await ctx.client.delete(GENERATOR_STATE, key, preconditions=Preconditions(uid=metadata["uid"]))
        return None

    async def _clean_up(self, ctx: Context, key: ObjectKey, obj: JsonObject) -> Result | None:
        if not has_finalizer(obj, FINALIZER):
            return None
        spec = obj.get("spec") or {}
        try:
            await self._take_back(key, spec.get("resource"), spec.get("state"))
        except ProviderError as error:
            text = f"could not cleanup generator state: {error}"
            await self._report(ctx, key, obj, "False", "Error", text)
            self._recorder.event(obj, "Warning", "Error", text)
            if is_retryable(error):
                raise
            raise ProviderError(text, kind=error.kind, retryable=True) from error
        await ctx.client.patch(GENERATOR_STATE, key, JsonPatch(remove_finalizer_ops(obj, FINALIZER)))
        return None

    async def _take_back(self, key: ObjectKey, resource: object, state: object) -> None:
        """Have the generator take back what it made. The snapshot of one that never makes anything need not even be readable."""
        source = source_of(resource)
        try:
            if not source.kind or not isinstance(resource, dict):
                raise UnknownGenerator("generator not found: spec.resource names no kind")
            await self._service.registry.preload(source.kind)
            generator = self._service.registry.get(source.kind)
            if not generator.cleans_up:
                return
            generator, parsed = self._service.registry.parse(source.kind, resource.get("spec"))
        except ProviderError as error:
            raise ProviderError(f"could not get generator: {error}", kind=error.kind, retryable=True) from error
        context = self._service.context(key.namespace, source.name)
        try:
            await generator.cleanup(parsed, state if isinstance(state, dict) else {}, context)
        except ProviderError:
            raise
        except Exception as error:
            # A defect. Its text may hold anything, so only its type and place are shown, and no cause is kept.
            raise GeneratorFailed(describe_defect(error), retryable=True) from None

    async def _report(
        self, ctx: Context, key: ObjectKey, obj: JsonObject, status: str, reason: str, message: str
    ) -> None:
        """Write the condition if it says something new. The kind has no status subresource."""
        conditions = [dict(entry) for entry in (obj.get("status") or {}).get("conditions") or ()]
        if not set_condition(
            conditions, type="Ready", status=status, reason=reason, message=message, now=ctx.clock.now()
        ):
            return
        patch = MergePatch({"metadata": {"uid": obj["metadata"]["uid"]}, "status": {"conditions": conditions}})
        await ctx.client.patch(GENERATOR_STATE, key, patch)
