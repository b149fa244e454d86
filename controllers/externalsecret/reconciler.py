"""The shell of an ExternalSecret reconcile: whose object it is, whether it is going, its finalizer, what it asks for.

What follows for an object that can be worked on is in `sync`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from controllers.externalsecret.errors import InvalidField, NotInThisRelease
from controllers.externalsecret.extensions import Extensions
from controllers.externalsecret.generic import GenericSync
from controllers.externalsecret.generictargets import GenericTargets, malformed_version, refusal
from controllers.externalsecret.manifest import gvk_of
from controllers.externalsecret.names import FINALIZER
from controllers.externalsecret.plan import Plan, plan_of, store_refs, target_name
from controllers.externalsecret.render import IGNORED_ANNOTATIONS, Owner
from controllers.externalsecret.report import EXTERNAL_SECRET, Notices, Reporter, StatusForm
from controllers.externalsecret.sources import SourceChanges, TemplateSources
from controllers.externalsecret.status import Message, Outcome, Reason
from controllers.externalsecret.sync import Sync, Tools
from controllers.externalsecret.target import OwnWrites, Targets, owned_by
from controllers.failures import Failure, FailureClass, class_of
from controllers.generating.references import GeneratorRef
from controllers.metrics import ExternalSecretMetrics
from controllers.secretstore.access import StoreAccess, StoreUnusable
from controllers.secretstore.objects import CLUSTER_STORE_KIND
from eso_core.client import JsonPatch, Preconditions
from eso_core.controller import Context, Request, Result
from eso_core.events import Recorder
from eso_core.meta import GVK, JsonObject, ObjectKey, parse_time
from eso_core.meta.errors import Conflict, Invalid, NoKindMatch, NotFound
from eso_core.meta.finalizers import add_finalizer_ops, has_finalizer, remove_finalizer_ops
from eso_core.meta.wellknown import NAMESPACE
from providers.pool import ClientPool

__all__ = ["ExternalSecretReconciler", "Settings"]

FOREIGN_GRACE: Final = 2.0
"""Seconds that the operator of another class has for letting its terminating objects go."""

_AGAIN: Final = Result(requeue=True)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the operator's flags say about ExternalSecrets.

    Attributes:
        cluster_stores: Whether the ClusterSecretStore controller runs.
        watch_namespaces: Whether namespaces are in the cache (not when the operator serves a single namespace).
        ignored_annotations: Annotations that targets do not inherit.
        adopt: Whether a Secret that no ExternalSecret made may be taken over with all its keys.
        minimal_finalizers: Put a finalizer only on objects whose deletion has something to do.
    """

    cluster_stores: bool = True
    watch_namespaces: bool = True
    ignored_annotations: tuple[str, ...] = IGNORED_ANNOTATIONS
    adopt: bool = True
    minimal_finalizers: bool = False


class ExternalSecretReconciler:
    """Reconciles ExternalSecrets.

    Args:
        pool: Open clients of stores.
        access: Says which stores may be used.
        recorder: Where events go.
        metrics: The families of the kind.
        writes: Told of every write to a target.
        extensions: Templates and generators, where there are any.
        sources: Watches what templates read.
        generic: Writes objects of other kinds; None where that is not allowed.
        settings: Flags.
    """

    def __init__(
        self,
        pool: ClientPool,
        access: StoreAccess,
        recorder: Recorder,
        metrics: ExternalSecretMetrics,
        *,
        writes: OwnWrites,
        extensions: Extensions | None = None,
        sources: TemplateSources | None = None,
        generic: GenericTargets | None = None,
        settings: Settings | None = None,
    ) -> None:
        self._recorder = recorder
        self._metrics = metrics
        self._settings = settings or Settings()
        self._tools = Tools(
            pool,
            access,
            writes,
            extensions or Extensions(),
            self._settings.ignored_annotations,
            adopt=self._settings.adopt,
            changes=sources.changes if sources is not None else SourceChanges(),
        )
        self._sources = sources
        self._generic = generic
        self._notices = Notices()
        self._form = StatusForm()
        self._uids: dict[ObjectKey, str] = {}

    async def __call__(self, ctx: Context, request: Request) -> Result | None:
        """Reconcile one object."""
        started = ctx.clock.monotonic()
        key = request.key
        try:
            obj = await ctx.cache.get(EXTERNAL_SECRET, key)
        except NotFound:
            self._forget(key)
            if self._generic is not None:
                await self._generic.release(key)
            return None
        self._uids[key] = obj["metadata"].get("uid") or ""
        self._metrics.refine(key, obj["metadata"].get("labels"))
        self._metrics.called(key)
        try:
            return await self._reconcile(ctx, obj)
        finally:
            self._metrics.observe(key, ctx.clock.monotonic() - started)

    def _forget(self, key: ObjectKey) -> None:
        self._tools.pending.clear(key)
        self._tools.changes.forget(key)
        self._tools.expiries.record(key, None)
        self._metrics.gone(key)
        self._notices.forget(self._uids.pop(key, ""))

    async def _reconcile(self, ctx: Context, obj: JsonObject) -> Result | None:
        namespace = obj["metadata"]["namespace"]
        report = Reporter(ctx, self._recorder, obj, self._metrics, self._notices, self._form)
        going = bool(obj["metadata"].get("deletionTimestamp"))
        try:
            if self._tools.access.foreign(list(store_refs(obj)), namespace):
                return await self._release(ctx, report) if going else None
        except StoreUnusable as error:
            if not going:
                return await self._invalid(report, error)
        if await self._foreign_generator(obj, namespace):
            return await self._release(ctx, report) if going else None
        if going:
            return await self._finalize(ctx, report)
        if await self._namespace_terminating(ctx, namespace):
            return None  # the namespace's deletion reaches this object in a moment; nothing can be created any more
        if has_finalizer(obj, FINALIZER) != self._wants_finalizer(obj):
            change = remove_finalizer_ops if has_finalizer(obj, FINALIZER) else add_finalizer_ops
            try:
                report.obj = await ctx.client.patch(EXTERNAL_SECRET, report.key, JsonPatch(change(obj, FINALIZER)))
            except (Conflict, Invalid):
                return _AGAIN  # somebody changed the object; its event is on the way
            except NotFound:
                return None
        try:
            plan = plan_of(report.obj)
            self._check_cluster_stores(plan)
            self._tools.extensions.check(plan)
        except (InvalidField, NotInThisRelease) as error:
            return await self._invalid(report, error)
        refused = refusal(plan.manifest, allowed=self._generic is not None) if plan.manifest is not None else ""
        malformed = malformed_version(plan.manifest) if plan.manifest is not None and not refused else ""
        if self._sources is not None:
            self._sources.ensure_watched(report.obj)
        if self._generic is not None:
            usable = plan.manifest is not None and not refused and not malformed
            await self._generic.release(plan.key, gvk_of(plan) if usable else None)
        if plan.manifest is None:
            return await Sync(self._tools, ctx, report, plan).run()
        if refused or self._generic is None:
            report.failed(Failure(FailureClass.INVALID_SPEC, refused, next_attempt="when the object changes"))
            await report.status(Outcome(Reason.ERROR, Message.GENERIC_TARGET))
            return None
        if malformed:
            report.failed(Failure(FailureClass.INVALID_SPEC, malformed, next_attempt="when the object changes"))
            await report.status(Outcome(Reason.RESOURCE_ERROR, Message.GET_RESOURCE))
            return None
        return await GenericSync(self._tools, ctx, report, plan, self._generic).run()

    async def _foreign_generator(self, obj: JsonObject, namespace: str) -> bool:
        """Whether a generator of the object is another operator's, and with it the object."""
        generators = self._tools.extensions.generators
        if generators is None:
            return False
        for entry in (obj.get("spec") or {}).get("dataFrom") or ():
            reference = (entry.get("sourceRef") or {}).get("generatorRef")
            if reference and await generators.foreign(GeneratorRef.of(reference), namespace):
                return True
        return False

    def _wants_finalizer(self, obj: JsonObject) -> bool:
        if not self._settings.minimal_finalizers:
            return True
        target = (obj.get("spec") or {}).get("target") or {}
        # What carries our owner mark is garbage collected; all other policies leave the target alone.
        return target.get("deletionPolicy") == "Delete"

    async def _invalid(self, report: Reporter, error: Exception) -> Result | None:
        """The object cannot be worked on as it is written: only an edit helps, and that wakes it."""
        text = str(error)
        report.failed(Failure(class_of(error), text, next_attempt="when the object changes"))
        await report.status(Outcome(Reason.ERROR, text))
        return None

    def _check_cluster_stores(self, plan: Plan) -> None:
        if self._settings.cluster_stores:
            return
        for ref in plan.stores:
            if ref.kind == CLUSTER_STORE_KIND:
                raise NotInThisRelease(
                    f'ClusterSecretStore "{ref.name}" cannot be used: the operator runs without its ClusterSecretStore controller'
                )

    async def _namespace_terminating(self, ctx: Context, namespace: str) -> bool:
        if not self._settings.watch_namespaces:
            return False
        entry = ctx.cache.peek(NAMESPACE, ObjectKey("", namespace))
        return entry is not None and entry.meta.deletion_timestamp is not None

    async def _release(self, ctx: Context, report: Reporter) -> Result | None:
        """Let a terminating object of another operator go, if that one does not: it may be gone, or never have been there.

        Both would do the same, so that it does no harm when both do.
        """
        if not has_finalizer(report.obj, FINALIZER):
            return None
        since = parse_time(report.obj["metadata"]["deletionTimestamp"])
        left = FOREIGN_GRACE - (ctx.clock.now() - since).total_seconds()
        return Result(requeue_after=left) if left > 0 else await self._finalize(ctx, report)

    async def _finalize(self, ctx: Context, report: Reporter) -> Result | None:
        """Delete the target if the policy says so, then let the object go."""
        obj = report.obj
        if not has_finalizer(obj, FINALIZER):
            return None
        target = (obj.get("spec") or {}).get("target") or {}
        if target.get("deletionPolicy") == "Delete" and not target.get("manifest"):
            owner = Owner(report.key.namespace, report.key.name, obj["metadata"].get("uid") or "")
            targets = Targets(ctx.cache, ctx.client, ctx.api, self._tools.writes)
            found = await targets.find(ObjectKey(owner.namespace, target_name(obj)))
            if found.secret is not None and owned_by(found.secret, owner):
                try:
                    await targets.delete(found.secret)
                except Conflict:
                    return _AGAIN
                report.secret_deleted("deleted managed secret", target_name(obj), "ExternalSecret deleted")
        elif target.get("deletionPolicy") == "Delete" and not refusal(
            target["manifest"], allowed=self._generic is not None
        ):
            try:
                await self._delete_generic(ctx, report, target["manifest"])
            except Conflict:
                return _AGAIN
        try:
            await ctx.client.patch(EXTERNAL_SECRET, report.key, JsonPatch(remove_finalizer_ops(obj, FINALIZER)))
        except NotFound:
            return None
        except (Conflict, Invalid):
            return _AGAIN
        return None

    async def _delete_generic(self, ctx: Context, report: Reporter, manifest: JsonObject) -> None:
        """Delete the object of another kind that the ExternalSecret owns; whoever else's stays."""
        if malformed_version(manifest):
            return
        gvk = GVK.parse(manifest["apiVersion"], manifest["kind"])
        key = ObjectKey(report.key.namespace, target_name(report.obj))
        owner = Owner(report.key.namespace, report.key.name, report.obj["metadata"].get("uid") or "")
        try:
            if self._generic is not None and await self._generic.cluster_scoped(gvk):
                return  # never written
            found = await ctx.api.get(gvk, key)
            if not owned_by(found, owner):
                return
            metadata = found["metadata"]
            await ctx.api.delete(gvk, key, preconditions=Preconditions(metadata["uid"], metadata["resourceVersion"]))
        except (NotFound, NoKindMatch):
            return  # of a kind that is not served any more there are no objects
        report.event("Normal", "Deleted", f"Deleted {gvk.kind} {key.name}")
