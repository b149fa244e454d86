"""The order of things in an ExternalSecret reconcile: load -> decide -> fetch -> render -> apply -> report.

No path ends for good: a success or a skip names the next instant that matters, a failure that time can heal goes through
the back-off of the queue, one that only a change can heal is tried again at the refresh interval, and the stores,
Secrets and namespaces it waits for wake it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from controllers.externalsecret.decide import conflict_retry_after, next_wake, retry_after, should_refresh
from controllers.externalsecret.errors import (
    FetchFailed,
    InvalidField,
    NotInThisRelease,
    NotOwner,
    OwnedByAnother,
    SyncError,
    TargetImmutable,
    TargetRefused,
)
from controllers.externalsecret.extensions import Extensions
from controllers.externalsecret.fetch import Fetched, Fetcher
from controllers.externalsecret.names import FINALIZER
from controllers.externalsecret.plan import Plan, plan_of, store_refs, target_name
from controllers.externalsecret.render import (
    IGNORED_ANNOTATIONS,
    Content,
    Owner,
    foreign_controller,
    is_intact,
    render_secret,
)
from controllers.externalsecret.report import EXTERNAL_SECRET, Notices, Reporter
from controllers.externalsecret.status import Message, Outcome, Reason, absence_expected, was_refused
from controllers.externalsecret.target import OwnWrites, Target, Targets, key_changes, owned_by
from controllers.externalsecret.watches import REFRESH_PRIORITY
from controllers.metrics import ExternalSecretMetrics
from controllers.secretstore.access import StoreAccess, StoreUnusable
from controllers.secretstore.objects import CLUSTER_STORE_KIND
from eso_core.client import JsonPatch
from eso_core.controller import Context, Request, Result
from eso_core.events import Recorder
from eso_core.meta import JsonObject, ObjectKey
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
)
from eso_core.meta.finalizers import add_finalizer_ops, has_finalizer, remove_finalizer_ops
from eso_core.meta.wellknown import NAMESPACE
from providers.pool import ClientPool

__all__ = ["ExternalSecretReconciler", "Settings"]

_PENDING_GRACE: Final = 2.0
"""Seconds that a store which has never been checked is waited for before that counts as a failure."""

_SHORTEST_WAIT: Final = 0.05
"""Seconds; an interval of a nanosecond must not keep a worker busy."""

_AGAIN: Final = Result(requeue=True)
_DONE: Final = Result()


@dataclass(frozen=True, slots=True)
class Settings:
    """What the operator's flags say about ExternalSecrets.

    Attributes:
        cluster_stores: Whether the ClusterSecretStore controller runs.
        watch_namespaces: Whether namespaces are in the cache (not when the operator serves a single namespace).
        ignored_annotations: Annotations that targets do not inherit.
    """

    cluster_stores: bool = True
    watch_namespaces: bool = True
    ignored_annotations: tuple[str, ...] = IGNORED_ANNOTATIONS


class ExternalSecretReconciler:
    """Reconciles ExternalSecrets.

    Args:
        pool: Open clients of stores.
        access: Says which stores may be used.
        recorder: Where events go.
        metrics: The families of the kind.
        writes: Told of every write to a target.
        extensions: Templates and generators, where there are any.
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
        settings: Settings | None = None,
    ) -> None:
        self._pool = pool
        self._access = access
        self._recorder = recorder
        self._metrics = metrics
        self._writes = writes
        self._extensions = extensions or Extensions()
        self._settings = settings or Settings()
        self._notices = Notices()
        self._waiting: dict[ObjectKey, float] = {}
        self._uids: dict[ObjectKey, str] = {}

    async def __call__(self, ctx: Context, request: Request) -> Result | None:
        """Reconcile one object."""
        started = ctx.clock.monotonic()
        key = request.key
        try:
            obj = await ctx.cache.get(EXTERNAL_SECRET, key)
        except NotFound:
            self._forget(key)
            return None
        self._uids[key] = obj["metadata"].get("uid") or ""
        self._metrics.refine(key, obj["metadata"].get("labels"))
        self._metrics.called(key)
        try:
            return await self._reconcile(ctx, obj)
        finally:
            self._metrics.observe(key, ctx.clock.monotonic() - started)

    def _first_look(self, key: ObjectKey, now: float) -> bool:
        """Whether the object's store was found unchecked only just now: its result wakes the object in a moment."""
        return now - self._waiting.setdefault(key, now) < _PENDING_GRACE

    def _forget(self, key: ObjectKey) -> None:
        self._waiting.pop(key, None)
        self._metrics.gone(key)
        self._notices.forget(self._uids.pop(key, ""))

    async def _reconcile(self, ctx: Context, obj: JsonObject) -> Result | None:
        namespace = obj["metadata"]["namespace"]
        report = Reporter(ctx, self._recorder, obj, self._metrics, self._notices)
        try:
            if self._access.foreign(list(store_refs(obj)), namespace):
                return None
        except StoreUnusable as error:
            return await self._invalid(report, str(error))
        if obj["metadata"].get("deletionTimestamp"):
            return await self._finalize(ctx, report)
        if await self._namespace_terminating(ctx, namespace):
            return None  # the namespace's deletion reaches this object in a moment; nothing can be created any more
        if not has_finalizer(obj, FINALIZER):
            try:
                report.obj = await ctx.client.patch(
                    EXTERNAL_SECRET, report.key, JsonPatch(add_finalizer_ops(obj, FINALIZER))
                )
            except (Conflict, Invalid):
                return _AGAIN  # somebody changed the object; its event is on the way
            except NotFound:
                return None
        try:
            plan = plan_of(report.obj)
            self._check_cluster_stores(plan)
            self._extensions.check(plan)
        except (InvalidField, NotInThisRelease) as error:
            return await self._invalid(report, str(error))
        return await _Sync(self, ctx, report, plan).run()

    async def _invalid(self, report: Reporter, text: str) -> Result | None:
        """The object cannot be worked on as it is written: only an edit helps, and that wakes it."""
        report.failed(text)
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

    async def _finalize(self, ctx: Context, report: Reporter) -> Result | None:
        """Delete the target if the policy says so, then let the object go."""
        obj = report.obj
        if not has_finalizer(obj, FINALIZER):
            return None
        target = (obj.get("spec") or {}).get("target") or {}
        if target.get("deletionPolicy") == "Delete" and not target.get("manifest"):
            owner = Owner(report.key.namespace, report.key.name, obj["metadata"].get("uid") or "")
            targets = Targets(ctx.cache, ctx.client, ctx.api, self._writes)
            found = await targets.find(ObjectKey(owner.namespace, target_name(obj)))
            if found.secret is not None and owned_by(found.secret, owner):
                try:
                    await targets.delete(found.secret)
                except Conflict:
                    return _AGAIN
                report.secret_deleted("deleted managed secret", target_name(obj), "ExternalSecret deleted")
        try:
            await ctx.client.patch(EXTERNAL_SECRET, report.key, JsonPatch(remove_finalizer_ops(obj, FINALIZER)))
        except NotFound:
            return None
        except (Conflict, Invalid):
            return _AGAIN
        return None


class _Sync:
    """One pass over an ExternalSecret that can be worked on."""

    def __init__(self, parent: ExternalSecretReconciler, ctx: Context, report: Reporter, plan: Plan) -> None:
        self._parent = parent
        self._ctx = ctx
        self._report = report
        self._plan = plan
        self._targets = Targets(ctx.cache, ctx.client, ctx.api, parent._writes)
        self._start = ctx.clock.now()

    async def run(self) -> Result | None:
        plan = self._plan
        target = await self._targets.find(plan.target_key)
        if not self._due(target):
            self._note_unapplied_spec()
            if was_refused(self._report.obj.get("status")):
                # The edit that could not be read is gone, and the Secret is as it was before it.
                await self._report.status(Outcome(Reason.SYNCED, Message.SYNCED))
            return self._later()
        try:
            return await self._sync(target)
        except FetchFailed as error:
            if error.pending and self._parent._first_look(plan.key, self._ctx.clock.monotonic()):
                return Result(requeue_after=_PENDING_GRACE)
            return await self._fail(Message.PROVIDER, error, retry=error.retryable)
        except (Conflict, AlreadyExists):
            return _AGAIN
        except Forbidden as error:
            if error.namespace_terminating:
                return None
            return await self._fail(Message.UPDATE, error, retry=True)

    def _due(self, target: Target) -> bool:
        plan = self._plan
        if should_refresh(plan.refresh, self._start):
            return True
        if plan.target.creation in ("Orphan", "None"):
            return False
        if not target.exists:
            return not absence_expected(self._report.obj.get("status"))
        return not is_intact(target.secret)

    def _note_unapplied_spec(self) -> None:
        refresh = self._plan.refresh
        if refresh.synced == refresh.current or refresh.policy == "OnChange":
            return
        if refresh.policy == "CreatedOnce":
            why = "refreshPolicy CreatedOnce never applies it"
        elif refresh.interval <= 0:
            why = "refreshInterval 0 never applies it: set refreshPolicy OnChange for that"
        else:
            return
        self._report.notice("Normal", "ChangeNotApplied", f"the object has changed since the last sync, and {why}")

    def _later(self) -> Result:
        return _wake_in(next_wake(self._plan.refresh, self._start))

    async def _sync(self, target: Target) -> Result | None:
        plan, report = self._plan, self._report
        for problem in plan.refresh.windows.problems if plan.refresh.windows else ():
            report.notice("Warning", "InvalidSyncWindow", problem)
        fetched = await self._fetch()
        self._parent._waiting.pop(plan.key, None)
        if fetched.unchanged:
            return await self._succeed(Reason.SYNCED, Message.SYNCED)
        if not fetched.data:
            if plan.deletion_policy == "Retain":
                return await self._succeed(Reason.SYNCED, Message.RETAINED)
            if plan.deletion_policy == "Delete":
                return await self._delete_target(target)
        if plan.target.creation == "None":
            return await self._succeed(Reason.SYNCED, Message.SYNCED)
        existing = target.secret
        if target.foreign:
            existing = await self._targets.read(plan.target_key)
        if existing is None and plan.target.creation == "Merge":
            return await self._succeed(Reason.MISSING, Message.MISSING)
        if plan.target.creation == "Owner" and not await self._delete_orphans():
            return None
        return await self._apply(fetched, existing)

    async def _fetch(self) -> Fetched:
        parent, plan, report = self._parent, self._plan, self._report
        async with parent._pool.session(plan.owner.namespace) as session:
            fetched = await Fetcher(session, parent._access, parent._extensions).fetch(plan)
        for missing in fetched.missing:
            report.event("Normal", "MissingProviderSecret", f"secret does not exist at provider using {missing}")
        for label in fetched.empty_finds:
            report.notice("Normal", "NothingFound", f"{label} matches no secret of the provider")
        for label, collision in fetched.collisions:
            sources = ", ".join(f'"{source}"' for source in collision.sources)
            report.notice(
                "Warning",
                "KeyCollision",
                f'{label}: rewrite makes "{collision.key}" of {sources}: the value of "{collision.sources[-1]}" is used',
            )
        return fetched

    async def _apply(self, fetched: Fetched, existing: JsonObject | None) -> Result | None:
        plan, report = self._plan, self._report
        name = plan.target.name
        try:
            content = await self._content(fetched)
            rendered = render_secret(plan.owner, plan.target, content, existing)
        except TargetRefused as error:
            return await self._refuse(error, f"unable to mutate secret {name}: {error}")
        except SyncError as error:
            return await self._fail(Message.UPDATE, error, text=f"unable to mutate secret {name}: {error}", retry=False)
        try:
            if existing is None:
                await self._targets.create(rendered.secret, plan.owner)
                event = ("Created", "secret created")
                written = True
            else:
                event = ("Updated", "secret updated")
                written = await self._targets.update(rendered.secret, existing, plan.owner)
        except TargetImmutable as error:
            return await self._refuse(error, str(error))
        except (Conflict, AlreadyExists):
            raise
        except Forbidden as error:
            if error.namespace_terminating:
                return None
            return await self._fail(Message.UPDATE, error, text=f"unable to update secret {name}: {error}", retry=True)
        except (ApiError, EsoCoreError) as error:
            # What the server finds wrong with the Secret stays wrong until something changes; all else may pass.
            retry = not isinstance(error, Invalid | BadRequest | RequestEntityTooLarge)
            return await self._fail(Message.UPDATE, error, text=f"unable to update secret {name}: {error}", retry=retry)
        if written:
            report.keys_changed(name, key_changes(existing, rendered.secret))
            report.event("Normal", *event)
        if rendered.taken_over:
            report.event(
                "Warning",
                "KeysRemoved",
                f"secret {name} was taken over: it no longer has the keys {', '.join(rendered.taken_over)}",
            )
        return await self._succeed(Reason.SYNCED, Message.SYNCED, binding=name)

    async def _content(self, fetched: Fetched) -> Content:
        plan, extensions = self._plan, self._parent._extensions
        if plan.template is not None and extensions.templates is not None:
            return await extensions.templates.content(plan, fetched.data)
        return Content.plain(plan.owner, fetched.data, self._parent._settings.ignored_annotations)

    async def _delete_target(self, target: Target) -> Result | None:
        """All values are gone and deletionPolicy is Delete."""
        plan, report = self._plan, self._report
        name = plan.target.name
        if plan.target.creation != "Owner":
            text = f"unable to delete secret {name}: creationPolicy={plan.target.creation} is not Owner"
            return await self._fail(Message.DELETE, SyncError(text), retry=False)
        if target.exists:
            secret = target.secret
            if secret is None or not owned_by(secret, plan.owner):
                holder = foreign_controller(secret["metadata"], plan.owner) if secret is not None else ""
                whose = f"it is controlled by {holder}" if holder else "this ExternalSecret does not own it"
                return await self._fail(
                    Message.DELETE, SyncError(f"unable to delete secret {name}: {whose}"), retry=False
                )
            try:
                await self._targets.delete(secret)
            except Conflict:
                raise
            except EsoCoreError as error:
                text = f"unable to delete secret {name}: {error}"
                return await self._fail(Message.DELETE, error, text=text, retry=True)
            report.secret_deleted("deleted secret", name, Message.DELETED)
            report.event("Normal", "Deleted", Message.DELETED)
        return await self._succeed(Reason.DELETED, Message.DELETED)

    async def _delete_orphans(self) -> bool:
        """Delete what this object owns under other names; False when that failed and was reported."""
        for secret in await self._targets.orphans(self._plan):
            name = secret["metadata"]["name"]
            try:
                await self._targets.delete(secret)
            except Conflict:
                raise
            except EsoCoreError as error:
                await self._fail(
                    Message.DELETE_ORPHANS, error, text=f"unable to delete secret {name}: {error}", retry=True
                )
                return False
            self._report.secret_deleted("deleted orphaned secret", name, "target changed")
            self._report.event("Normal", "Deleted", "secret deleted because it was orphaned")
        return True

    async def _succeed(self, reason: Reason, message: str, *, binding: str | None = None) -> Result:
        refresh = self._plan.refresh
        await self._report.status(Outcome(reason, message, self._start, refresh.current, binding))
        done = replace(refresh, synced=refresh.current, refresh_time=self._start)
        wait = next_wake(done, self._ctx.clock.now())
        return _wake_in(wait)

    async def _refuse(self, error: TargetRefused, text: str) -> Result | None:
        match error:
            case OwnedByAnother():
                message = Message.OTHER_OWNER
            case NotOwner():
                message = Message.OWNERSHIP
            case TargetImmutable():
                message = Message.IMMUTABLE
            case _:
                message = Message.UPDATE
        self._report.failed(text)
        await self._report.status(Outcome(Reason.ERROR, message, binding=self._plan.target.name))
        return _wake_in(conflict_retry_after(self._plan.refresh))

    async def _fail(self, message: Message, error: Exception, *, retry: bool, text: str = "") -> Result | None:
        """Report a failure; raises it when back-off may heal it, else says when to look again."""
        self._report.failed(text or str(error))
        await self._report.status(Outcome(Reason.ERROR, message))
        if retry:
            raise error
        return _wake_in(retry_after(self._plan.refresh))


def _wake_in(seconds: float | None) -> Result:
    """Look again after this time, behind what people change meanwhile."""
    if seconds is None:
        return _DONE
    return Result(requeue_after=max(seconds, _SHORTEST_WAIT), priority=REFRESH_PRIORITY)
