"""One sync of an ExternalSecret: decide -> fetch -> render -> apply -> report.

No path ends for good: a success or a skip names the next instant that matters, a failure that time can heal is raised for
the back-off of the queue, and one that only a change can heal is tried again at the refresh interval.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any, Final

from msgspec import Struct, field, structs

from controllers.externalsecret.decide import (
    absent_wake,
    conflict_retry_after,
    due_at,
    expiry_due,
    follows_sources,
    never_applied,
    next_wake,
    retry_after,
    seeks_absent,
    should_refresh,
    spread,
)
from controllers.externalsecret.errors import (
    FetchFailed,
    NotAdopted,
    NotOwner,
    OwnedByAnother,
    SyncError,
    TargetImmutable,
    TargetRefused,
    TemplateFailed,
)
from controllers.externalsecret.extensions import Extensions, Making
from controllers.externalsecret.fetch import Fetched, Fetcher
from controllers.externalsecret.loops import find_echo
from controllers.externalsecret.plan import FindEntry, Plan
from controllers.externalsecret.render import (
    Content,
    decode_data,
    foreign_controller,
    has_written,
    is_intact,
    render_secret,
)
from controllers.externalsecret.report import Reporter
from controllers.externalsecret.sources import SourceChanges
from controllers.externalsecret.status import ABSENT, Message, Outcome, Reason, absence_expected, was_refused
from controllers.externalsecret.target import OwnWrites, Target, Targets, key_changes, owned_by
from controllers.externalsecret.watches import REFRESH_PRIORITY
from controllers.failures import Failure, at, class_of, next_retry
from controllers.secretstore.access import StoreAccess
from controllers.templating.redaction import redacted
from eso_core.aio import shielded
from eso_core.controller import Context, Result
from eso_core.meta import JsonObject, ObjectKey, format_time, parse_time
from eso_core.meta.errors import (
    AlreadyExists,
    ApiError,
    BadRequest,
    Conflict,
    EsoCoreError,
    Forbidden,
    Invalid,
    RequestEntityTooLarge,
    server_words,
)
from providers.errors import Throttled, find_cause
from providers.pool import Asker, ClientPool

__all__ = ["PENDING_GRACE", "Expiries", "PendingStores", "Sync", "Tools"]

PENDING_GRACE: Final = 1.0
"""Seconds that a store which has never been checked is waited for before that counts as a failure."""

_SHORTEST_WAIT: Final = 0.05
"""Seconds; an interval of a nanosecond must not keep a worker busy."""

_MESSAGE_LIMIT: Final = 32_768
"""Characters of a condition's message that the API allows."""

_AGAIN: Final = Result(requeue=True)
_DONE: Final = Result()
_TAKE_BACK: Final = 30.0
"""How long taking back what generators made may take when the pass is cancelled, seconds."""


class PendingStores:
    """Objects whose store has not been checked yet: its result wakes them in a moment, so that is no failure at first."""

    def __init__(self) -> None:
        self._since: dict[ObjectKey, float] = {}

    def first_look(self, key: ObjectKey, now: float) -> bool:
        """Whether the object's store was found unchecked only just now; `now` is monotonic."""
        return now - self._since.setdefault(key, now) < PENDING_GRACE

    def clear(self, key: ObjectKey) -> None:
        """The store could be used, or the object is gone."""
        self._since.pop(key, None)


class Expiries:
    """When values expire, for definitions whose status has no room for it."""

    def __init__(self) -> None:
        self._at: dict[ObjectKey, datetime] = {}

    def record(self, key: ObjectKey, expires: datetime | None) -> None:
        """A sync succeeded."""
        if expires is None:
            self._at.pop(key, None)
        else:
            self._at[key] = expires

    def known_to(self, plan: Plan) -> Plan:
        """The plan, with what its object does not say."""
        expires = self._at.get(plan.key)
        if expires is None or plan.refresh.expires is not None:
            return plan
        return dataclasses.replace(plan, refresh=structs.replace(plan.refresh, expires=expires))


class Tools(Struct, frozen=True):
    """What all passes share.

    Attributes:
        pool: Open clients of stores.
        access: Says which stores may be used.
        writes: Told of every write to a target.
        extensions: Templates and generators, where there are any.
        ignored_annotations: Annotations that targets do not inherit.
        adopt: Whether a Secret that no ExternalSecret made may be taken over with all its keys.
        pending: Objects that wait for the first check of their store.
        changes: Objects whose template sources changed.
        expiries: When values expire.
    """

    pool: ClientPool
    access: StoreAccess
    writes: OwnWrites
    extensions: Extensions
    ignored_annotations: tuple[str, ...]
    adopt: bool = True
    pending: PendingStores = field(default_factory=PendingStores)
    changes: SourceChanges = field(default_factory=SourceChanges)
    expiries: Expiries = field(default_factory=Expiries)


class Sync:
    """One pass over an ExternalSecret that can be worked on.

    Args:
        tools: What all passes share.
        ctx: The reconcile's context.
        report: Tells the world.
        plan: The object, read.
    """

    error_reason = Reason.ERROR

    def __init__(self, tools: Tools, ctx: Context, report: Reporter, plan: Plan) -> None:
        self._tools = tools
        self._ctx = ctx
        self._report = report
        self._plan = tools.expiries.known_to(plan)
        self._targets = Targets(ctx.cache, ctx.client, ctx.api, tools.writes)
        self._start = ctx.clock.now()
        self._left_out: list[str] = []
        self._making: Making | None = None
        self._sources_mark = 0
        self._reported: Exception | None = None

    async def run(self) -> Result | None:
        """Sync the object if it is due; returns when to look again, and raises what back-off may heal."""
        plan = self._plan
        target = await self._targets.find(plan.target_key)
        if not self._due(target.exists, lambda: is_intact(target.secret)):
            self._note_unapplied_spec()
            await self._note_foreign_metadata()
            if was_refused(self._report.obj.get("status")):
                # The edit that could not be read is gone, and the Secret is as it was before it.
                await self._report.status(Outcome(Reason.SYNCED, Message.SYNCED))
            return self._later(target.exists)
        return await self._guarded(self._sync(target))

    async def _guarded(self, work: Coroutine[Any, Any, Result | None]) -> Result | None:
        """Do the work of a pass; what can go wrong anywhere in it is told here."""
        generators = self._tools.extensions.generators
        if generators is not None:
            self._making = generators.begin(self._report.obj, uses=bool(self._plan.generators))
        try:
            return await self._told(work)
        finally:
            # Of a pass that succeeded nothing is left to take back.
            if self._making is not None and self._making.pending:
                await shielded(self._making.discard(), seconds=_TAKE_BACK, clock=self._ctx.clock)

    async def _told(self, work: Coroutine[Any, Any, Result | None]) -> Result | None:
        try:
            return await work
        except FetchFailed as error:
            if error.pending and self._tools.pending.first_look(self._plan.key, self._ctx.clock.monotonic()):
                return Result(requeue_after=PENDING_GRACE)
            return await self._fail(Message.PROVIDER, error, retry=error.retryable)
        except (Conflict, AlreadyExists):
            return _AGAIN
        except Forbidden as error:
            if error is self._reported:
                raise
            if error.namespace_terminating:
                return None
            return await self._fail(Message.UPDATE, error, retry=True)

    def _due(self, exists: bool, intact: Callable[[], bool]) -> bool:
        """Whether there is anything to do: the refresh decision, changed sources, or a target that is not as it was left."""
        plan = self._plan
        if should_refresh(plan.refresh, self._start):
            return True
        if self._tools.changes.pending(plan.key) and follows_sources(plan.refresh):
            return True
        if plan.target.creation in ("Orphan", "None"):
            return False
        if not exists:
            return not absence_expected(self._report.obj.get("status")) or seeks_absent(plan.refresh, self._start)
        return not intact()

    def _note_unapplied_spec(self) -> None:
        why = never_applied(self._plan.refresh)
        if why:
            self._report.notice("Normal", "ChangeNotApplied", f"the object has changed since the last sync, and {why}")

    async def _note_foreign_metadata(self) -> None:
        """A tool's note to itself changes no generated value; what is recorded as in step is the object with the note."""
        refresh = self._plan.refresh
        if refresh.synced and refresh.synced != refresh.current and not refresh.changed:
            await self._report.noted(refresh.current, refresh.own)

    def _later(self, exists: bool) -> Result:
        wait = next_wake(self._plan.refresh, self._start)
        if wait is None and not exists and self._plan.target.creation not in ("Orphan", "None"):
            wait = absent_wake(self._plan.refresh, self._start)
        return _wake_in(wait)

    async def _sync(self, target: Target) -> Result | None:
        plan, report = self._plan, self._report
        self._sources_mark = self._tools.changes.pending(plan.key)
        if plan.generators and not plan.refresh.changed and plan.target.immutable and is_intact(target.secret):
            # It takes no new values: what a generator makes would be for nobody, and what was made for it stays.
            self._making = None
            return await self._succeed(Reason.SYNCED, Message.SYNCED, binding=plan.target.name)
        for problem in plan.refresh.windows.problems if plan.refresh.windows else ():
            report.notice("Warning", "InvalidSyncWindow", problem)
        fetched = await self._fetch()
        self._tools.pending.clear(plan.key)
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
            if existing is not None and not self._tools.adopt and plan.target.creation in ("Owner", "Orphan"):
                name = plan.target.name
                text = (
                    f"secret {name} is there already and no ExternalSecret made it: name another with spec.target.name, add to it "
                    "with creationPolicy Merge, or run the operator with --adopt-existing-secrets"
                )
                return await self._refuse(NotAdopted(text), text)
        if existing is None and plan.target.creation == "Merge":
            return await self._succeed(Reason.MISSING, Message.MISSING)
        if plan.target.creation == "Owner" and not await self._delete_orphans():
            return None
        return await self._apply(fetched, existing)

    async def _fetch(self) -> Fetched:
        tools, plan, report = self._tools, self._plan, self._report
        asker = Asker(plan.owner.uid, plan.refresh.current)
        async with tools.pool.session(plan.owner.namespace, since=self._needed_since(), asker=asker) as session:
            fetched = await Fetcher(session, tools.access, tools.extensions, self._making).fetch(plan)
        self._left_out = fetched.left_out
        for left_out in fetched.left_out:
            report.notice("Normal", "MissingProviderSecret", f"secret does not exist at provider, optional: {left_out}")
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

    def _needed_since(self) -> datetime:
        """Values as of which instant this pass needs: of an object that was forced or edited, of now."""
        refresh = self._plan.refresh
        if self._ctx.attempt > 1 or self._tools.changes.pending(self._plan.key):
            return self._start
        if not refresh.synced:
            metadata = self._report.obj["metadata"]
            made = metadata.get("creationTimestamp")
            untouched = self._plan.generation <= 1 and not (self._report.obj.get("status") or {}).get("conditions")
            # It has whole seconds, cut off.
            return min(parse_time(made) + timedelta(seconds=1), self._start) if made and untouched else self._start
        if refresh.synced == refresh.current and refresh.refresh_time is not None and refresh.interval > 0:
            return min(due_at(refresh.refresh_time, refresh.interval, refresh.uid), self._start)
        return self._start

    async def _apply(self, fetched: Fetched, existing: JsonObject | None) -> Result | None:
        plan, report = self._plan, self._report
        name = plan.target.name
        if existing is not None and self._goes_in_circles(fetched, existing):
            return await self._succeed(Reason.SYNCED, Message.SYNCED)
        # A Secret that is there is the one meant, whether or not it can be written.
        bound = name if existing is not None else None
        settled = existing is not None and has_written(plan.owner, plan.target, existing)
        try:
            content = await self._content(fetched, existing)
            rendered = render_secret(plan.owner, plan.target, content, existing)
        except TargetRefused as error:
            return await self._refuse(error, f"unable to mutate secret {name}: {error}")
        except SyncError as error:
            text = f"unable to mutate secret {name}: {error}"
            retry = isinstance(error, TemplateFailed) and error.retryable
            return await self._fail(Message.UPDATE, error, text=text, retry=retry, binding=bound)
        try:
            if existing is None:
                await self._targets.create(rendered.secret, plan.owner)
                event = ("Created", "secret created")
                written = True
            else:
                event = ("Updated", "secret updated")
                written = await self._targets.update(rendered.secret, existing, plan.owner, written=settled)
        except TargetImmutable as error:
            return await self._refuse(error, str(error))
        except (Conflict, AlreadyExists):
            raise
        except Forbidden as error:
            if error.namespace_terminating:
                return None
            return await self._fail(
                Message.UPDATE, error, text=_unwritten(name, error, existing), retry=True, binding=bound
            )
        except (ApiError, EsoCoreError) as error:
            # What the server finds wrong with the Secret stays wrong until something changes; all else may pass.
            retry = not isinstance(error, Invalid | BadRequest | RequestEntityTooLarge)
            # The server quotes labels and annotations that it refuses, and a template may have put values there.
            text = redacted(_unwritten(name, error, existing), fetched.data)
            return await self._fail(Message.UPDATE, error, text=text, retry=retry, binding=bound)
        if written:
            report.keys_changed(name, key_changes(existing, rendered.secret))
            report.event("Normal", *event)
        if rendered.taken_over:
            report.event(
                "Warning",
                "KeysRemoved",
                f"secret {name} was taken over: it no longer has the keys {', '.join(rendered.taken_over)}",
            )
        placed = not (plan.target.immutable and settled)
        return await self._succeed(Reason.SYNCED, Message.SYNCED, binding=name, placed=placed)

    def _goes_in_circles(self, fetched: Fetched, existing: JsonObject) -> bool:
        """Whether what was found was made of the target, which then stays as it is; the target itself is left out."""
        if not any(isinstance(entry, FindEntry) for entry in self._plan.entries):
            return False
        echo = find_echo(fetched.data, decode_data(existing), self._plan.target.name)
        advice = "find by a name or tags that the targets of ExternalSecrets do not have"
        if echo.own:
            found = ", ".join(echo.own)
            self._report.notice(
                "Warning", "OwnOutputFound", f"find matches the target itself ({found}), left out: {advice}"
            )
            for key in echo.own:
                del fetched.data[key]
        if echo.passed_on:
            found = ", ".join(echo.passed_on)
            text = f"find matches Secrets that hold a copy of the target ({found}), which is left as it is: {advice}"
            self._report.notice("Warning", "OwnOutputFound", text)
        return bool(echo.passed_on)

    async def _content(self, fetched: Fetched, existing: JsonObject | None) -> Content:
        plan, extensions = self._plan, self._tools.extensions
        if plan.template is not None and extensions.templates is not None:
            previous = decode_data(existing) if existing is not None else None
            return await extensions.templates.content(plan, fetched.data, previous)
        return Content.plain(plan.owner, fetched.data, self._tools.ignored_annotations)

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

    async def _succeed(
        self, reason: Reason, message: str, *, binding: str | None = None, placed: bool = False
    ) -> Result | None:
        """The pass is over. `placed` says that the values are in the target, so that what was made for them stays."""
        if self._making is not None:
            if not placed:
                await self._making.discard()
            try:
                await self._making.commit()
            except EsoCoreError as error:
                text = f"recording what generators made: {error}"
                return await self._fail(Message.PROVIDER, error, text=text, retry=True)
        self._tools.changes.done(self._plan.key, self._sources_mark)
        refresh = self._plan.refresh
        lifetime = self._making.lifetime if self._making is not None and placed else None
        expires = expiry_due(self._start, lifetime, refresh.period, refresh.uid)
        self._tools.expiries.record(self._plan.key, expires)
        if self._left_out and reason is Reason.SYNCED:
            reason, message = Reason.PARTIAL, f"{message}, without optional {', '.join(self._left_out)}"
        await self._report.status(Outcome(reason, message, self._start, refresh.current, binding, refresh.own, expires))
        done = structs.replace(
            refresh, synced=refresh.current, synced_own=refresh.own, refresh_time=self._start, expires=expires
        )
        now = self._ctx.clock.now()
        wait = next_wake(done, now)
        if wait is None and (reason in ABSENT or message == Message.RETAINED):
            wait = absent_wake(done, now)
        return _wake_in(wait)

    async def _refuse(self, error: TargetRefused, text: str) -> Result | None:
        match error:
            case OwnedByAnother():
                message = Message.OTHER_OWNER
            case NotOwner() | NotAdopted():
                message = Message.OWNERSHIP
            case TargetImmutable():
                message = Message.IMMUTABLE
            case _:
                message = Message.UPDATE
        wait = conflict_retry_after(self._plan.refresh)
        self._report.failed(Failure(class_of(error), text, next_attempt=at(self._ctx.clock.now(), wait)))
        # A Secret that is there is the one meant; of other objects the status never has the name.
        bound = None if isinstance(error, NotAdopted) or self._plan.manifest is not None else self._plan.target.name
        await self._report.status(Outcome(self.error_reason, message, binding=bound))
        return _wake_in(wait)

    async def _fail(
        self, message: Message, error: Exception, *, retry: bool, text: str = "", binding: str | None = None
    ) -> Result | None:
        """Report a failure; raises it when back-off may heal it, else says when to look again."""
        detail = text or str(error)
        throttled = find_cause(error, Throttled)
        wait = retry_after(self._plan.refresh)
        now = self._ctx.clock.now()
        if throttled is not None and throttled.retry_after > 0:
            # The store says when: back-off would ask too early, or far too late.
            wait = throttled.retry_after + spread(throttled.retry_after, self._plan.owner.uid)
            shown_next, retry = f"at {format_time(now + timedelta(seconds=wait))}", False
        else:
            shown_next = next_retry(self._ctx.attempt) if retry else at(now, wait)
        place = error.place if isinstance(error, FetchFailed) else ""
        self._report.failed(Failure(class_of(error), detail, place, retry or throttled is not None, shown_next))
        shown = str(message)
        if isinstance(error, TemplateFailed):
            # Whoever writes a template looks at the condition: key, place and what there is belong there.
            shown = f"{message}: {detail.removeprefix(f'{message}: ')}"[:_MESSAGE_LIMIT]
        await self._report.status(Outcome(self.error_reason, shown, binding=binding))
        if retry:
            self._reported = error
            raise error
        return _wake_in(wait)


def _unwritten(secret: str, error: EsoCoreError, existing: JsonObject | None) -> str:
    """What an event says of a write that failed: the server's words, and of which Secret unless they say it."""
    words = server_words(error)
    return words if existing is None and words != str(error) else f"unable to update secret {secret}: {words}"


def _wake_in(seconds: float | None) -> Result:
    """Look again after this time, behind what people change meanwhile."""
    if seconds is None:
        return _DONE
    return Result(requeue_after=max(seconds, _SHORTEST_WAIT), priority=REFRESH_PRIORITY)
