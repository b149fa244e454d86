"""One pass over a PushSecret: due? -> sources -> stores -> entries -> push -> take back what is stale -> report.

No path ends for good: a success or a skip names the next instant that matters, a failure that time can heal is raised for
the back-off of the queue, and one that only a change can heal is tried again at the refresh interval.
"""

from __future__ import annotations

import hashlib
from collections.abc import Coroutine, Iterable, Mapping
from typing import Any, Final

from msgspec import Struct, field
from msgspec.structs import replace

from controllers.externalsecret.decide import expiry_due, spread
from controllers.externalsecret.watches import REFRESH_PRIORITY
from controllers.pushsecret.claims import Claims
from controllers.pushsecret.errors import (
    NO_SOURCE,
    EntriesRefused,
    InvalidField,
    PushError,
    PushFailed,
    SourceFailed,
    SourceMissing,
)
from controllers.pushsecret.expand import entries_for
from controllers.pushsecret.generated import Generated, Generators
from controllers.pushsecret.plan import GeneratorSource, NamedSource, PushPlan, SelectedSource
from controllers.pushsecret.push import Job, Pusher
from controllers.pushsecret.records import RETAINED, Records, is_empty, merged, recorded, stale, store_of, without
from controllers.pushsecret.report import Reporter
from controllers.pushsecret.sources import SourceReader, SourceSecret
from controllers.pushsecret.status import SOURCE_VERSION, Message, Outcome, Reason, reason_of
from controllers.pushsecret.stores import FoundStore, PushStores
from controllers.pushsecret.templates import PushTemplates
from controllers.pushsecret.templatesources import TemplateWatch
from eso_core.aio import shielded
from eso_core.controller import Context, Result
from eso_core.meta import ObjectKey
from eso_core.meta.errors import EsoCoreError
from providers.errors import Throttled, find_cause
from providers.pool import Asker, ClientPool, Session

__all__ = ["PushSync", "PushTools"]

_GENERATED: Final = "___generated-secret"
"""What the Secret is called that values of a generator are pushed as; no real one can have the name."""

_SETTLE_SECONDS: Final = 30.0
"""How long remembering or taking back what a generator made may take when the pass is cancelled."""

_EVENT_WITHIN: Final = 1.0
"""Seconds after which to look again where a Secret is gone and its event, which wakes the object, has not come yet."""

_SHORTEST_WAIT: Final = 0.05
"""Seconds; an interval of a nanosecond must not keep a worker busy."""


class PushTools(Struct, frozen=True):
    """What all passes share.

    Attributes:
        pool: Open clients of stores.
        stores: Finds stores.
        sources: Finds and reads Secrets.
        templates: Renders templates.
        watch: Watches what templates read.
        pusher: Writes and deletes.
        claims: Knows who else writes to a place.
        generators: Makes values; None where there are none.
        pushed: Fingerprint of what was pushed last by object, for clusters whose definition has no field for it.
    """

    pool: ClientPool
    stores: PushStores
    sources: SourceReader
    templates: PushTemplates
    watch: TemplateWatch
    pusher: Pusher
    claims: Claims
    generators: Generators | None = None
    pushed: dict[ObjectKey, str] = field(default_factory=dict)


class PushSync:
    """One pass over a PushSecret that can be worked on.

    Args:
        tools: What all passes share.
        ctx: The reconcile's context.
        report: Tells the world.
        plan: The object, read.
    """

    def __init__(self, tools: PushTools, ctx: Context, report: Reporter, plan: PushPlan) -> None:
        self._tools = tools
        self._ctx = ctx
        self._report = report
        self._plan = plan
        self._start = ctx.clock.now()
        self._records = recorded(plan.status)
        self._retained = recorded(plan.status, RETAINED)
        self._templates: list[str] = []
        self._wrote = 0

    async def run(self) -> Result | None:
        """Push if it is due; returns when to look again, and raises what back-off may heal."""
        plan = self._plan
        await self._tools.watch.ensure_watched(plan.template)
        self._templates = self._tools.watch.versions(plan.key.namespace, plan.template)
        if not self._due():
            return _wake_in(plan.due.wait(self._start))
        if (wait := self._source_replaced()) > 0:
            return Result(requeue_after=wait)
        try:
            return await self._push()
        except SourceMissing as error:
            if (wait := self._source_vanishing()) > 0:
                return Result(requeue_after=wait)
            if not plan.deletes or not self._forgotten():
                return await self._fail(error)
            return await self._source_deleted()
        except PushError as error:
            return await self._fail(error)

    # -- is there anything to do? --------------------------------------------------------------------------------

    def _due(self) -> bool:
        plan, tools = self._plan, self._tools
        woken = tools.claims.take_woken(plan.key)
        if woken or plan.due.now(self._start) or reason_of(plan.status) == Reason.ERRORED:
            return True
        namespace = plan.key.namespace
        match plan.source:
            case NamedSource(name):
                names = [name]
            case SelectedSource(selector):
                names = tools.sources.matching(namespace, selector)
            case GeneratorSource():
                names = []
        versions = {name: tools.sources.version(ObjectKey(namespace, name)) for name in names}
        fingerprint = self._fingerprint(versions, tools.stores.find(plan.stores, namespace))
        # Without anything to compare with - an object that another operator synced - the interval alone decides.
        return tools.pushed.setdefault(plan.key, plan.status.get(SOURCE_VERSION) or fingerprint) != fingerprint

    def _source_replaced(self) -> float:
        """Seconds to wait for a source that was deleted a moment ago and may be made anew."""
        namespace, sources = self._plan.key.namespace, self._tools.sources
        match self._plan.source:
            case NamedSource(name):
                return sources.may_come_back(namespace, name)
            case SelectedSource(selector):
                return sources.may_come_back(namespace, selector)
            case GeneratorSource():
                return 0.0

    def _source_vanishing(self) -> float:
        """Seconds to wait where a source is gone before its event has come."""
        key, source = self._plan.key, self._plan.source
        if not isinstance(source, NamedSource) or not self._tools.sources.version(
            ObjectKey(key.namespace, source.name)
        ):
            return 0.0
        return _EVENT_WITHIN

    def _fingerprint(self, secrets: Mapping[str, str], stores: Iterable[FoundStore]) -> str:
        """Changes with every change of a source, of what a template reads, and of a store."""
        parts = [store.identity for store in stores]
        parts += [f"Secret/{name}@{version}" for name, version in secrets.items()]
        parts += self._templates
        return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()[:16]

    # -- the work ------------------------------------------------------------------------------------------------

    async def _push(self) -> Result | None:
        plan, tools = self._plan, self._tools
        if isinstance(plan.source, GeneratorSource):
            return await self._push_generated(plan.source)
        sources = await self._read()
        if not sources and plan.deletes and self._forgotten():
            return await self._source_deleted()
        stores = tools.stores.resolve(plan)
        await self._push_all(sources, stores)
        if tools.generators is not None:
            await self._settled(tools.generators.unused(self._report.obj), "let go")
        return await self._succeed({source.name: source.version for source in sources}, stores)

    async def _push_generated(self, source: GeneratorSource) -> Result | None:
        """Push fresh values. What was made for them outside stays if they have arrived anywhere, and is taken back else."""
        plan, tools = self._plan, self._tools
        if tools.generators is None:
            raise InvalidField("spec.selector.generatorRef: generators are not in this release yet")
        stores = tools.stores.resolve(plan)
        try:
            generated = await tools.generators.generate(self._report.obj, source.ref)
        except PushError as error:
            detail = f"{NO_SOURCE}: {error.detail}"
            raise SourceFailed(NO_SOURCE, detail=detail, retryable=error.retryable) from error
        try:
            await self._push_all([SourceSecret(name=_GENERATED, data=generated.values)], stores)
        finally:
            await self._settle(generated)
        return await self._succeed({}, stores, lifetime=generated.lifetime if self._wrote else None)

    async def _settle(self, generated: Generated) -> None:
        """Remember or take back."""
        if self._wrote:
            await self._settled(generated.commit(), "recorded")
        else:
            await self._settled(generated.discard(), "taken back")

    async def _settled(self, work: Coroutine[Any, Any, None], what: str) -> None:
        """Do that, also when the pass is cancelled; a failure is told and does not undo the push."""
        try:
            await shielded(work, seconds=_SETTLE_SECONDS, clock=self._ctx.clock)
        except (EsoCoreError, TimeoutError) as error:
            text = f"what the generator made could not be {what}: {error or 'it took too long'}"
            self._report.event("Warning", "GeneratorState", text)

    async def _read(self) -> list[SourceSecret]:
        plan, tools = self._plan, self._tools
        namespace = plan.key.namespace
        match plan.source:
            case NamedSource(name):
                return [await tools.sources.read(namespace, name)]
            case SelectedSource(selector):
                found = []
                for name in tools.sources.matching(namespace, selector):
                    try:
                        found.append(await tools.sources.read(namespace, name))
                    except SourceMissing:
                        continue  # deleted a moment ago: its event is on the way
                return found
            case GeneratorSource():
                return []

    async def _push_all(self, sources: list[SourceSecret], found: list[FoundStore]) -> None:
        """Push everything everywhere and take back what is stale.

        A store that fails does not keep the others from getting theirs; the first failure is told.
        """
        plan, tools = self._plan, self._tools
        stores = [store for store in found if not store.foreign]
        usable = [store for store in stores if not store.going]
        if not usable:
            going = ", ".join(store.name for store in stores)
            raise PushError(
                f"no store is left to push to: {going} is being deleted"
                if going
                else "no store is left to push to: spec.secretStoreRefs matches none"
            )
        if plan.template is not None:
            sources = [await tools.templates.apply(plan.key, plan.template, source) for source in sources]
        before, self._records = self._records, {}
        first: PushError | None = None
        asker = Asker(plan.due.uid, plan.due.current)
        async with tools.pool.session(plan.key.namespace, asker=asker) as session:
            if isinstance(plan.source, SelectedSource):
                try:
                    sources = await self._without_copies(session, usable, sources, merged(before, self._retained))
                except PushError as error:
                    self._records = before
                    raise _set_failed(error) from error
            # Without a Secret no store is asked, and none is recorded.
            for store in usable if sources else ():
                mine = before.get(store.name, {})
                try:
                    jobs = self._jobs(store, sources)
                except EntriesRefused as error:
                    self._records[store.name] = {}
                    first = first or error
                    continue
                done = await tools.pusher.push(session, store, jobs, if_not_exists=plan.if_not_exists, before=mine)
                self._records[store.name] = done.records
                self._wrote += done.wrote
                first = first or done.error
        now = self._records
        self._records = merged(before, now)
        self._retained = without(self._retained, now)
        if first is not None:
            raise _set_failed(first)
        await self._take_back(before, self._with_foreign(before, now))

    async def _without_copies(
        self, session: Session, stores: list[FoundStore], sources: list[SourceSecret], written: Records
    ) -> list[SourceSecret]:
        """The selected Secrets that are not this object's own work.

        One that nobody but itself writes to is a source that gets another key, not a copy.
        """
        copies: set[str] = set()
        for store in stores:
            found = await self._tools.pusher.copies(session, store, sources, written.get(store.name, {}))
            if found:
                writers = self._writers(store, sources)
                copies |= {name for name in found if writers.get(name) != {name}}
        if copies:
            names = ", ".join(sorted(copies))
            self._report.notice(
                "Warning", "OwnOutputFound", f"the selector matches what was pushed before ({names}), left out"
            )
        return [source for source in sources if source.name not in copies]

    def _writers(self, store: FoundStore, sources: list[SourceSecret]) -> dict[str, set[str]]:
        """Which Secrets are to be written to a remote key."""
        writers: dict[str, set[str]] = {}
        for source in sources:
            naming = self._tools.templates.naming(self._plan.key, source.name, templates=True)
            try:
                entries = entries_for(self._plan, store.facts, source.data, naming)
            except EntriesRefused:
                continue  # told when it is pushed
            for entry in entries:
                writers.setdefault(entry.remote_key, set()).add(source.name)
        return writers

    def _jobs(self, store: FoundStore, sources: list[SourceSecret]) -> list[Job]:
        """What goes to one store.

        Raises:
            EntriesRefused: entries cannot be made, or two Secrets would write to the same place.
        """
        plan = self._plan
        selected = isinstance(plan.source, SelectedSource)
        jobs: list[Job] = []
        writers: dict[tuple[str, str], str] = {}
        for source in sources:
            naming = self._tools.templates.naming(plan.key, source.name, templates=selected)
            for entry in entries_for(plan, store.facts, source.data, naming):
                other = writers.setdefault((entry.remote_key, entry.property), source.name)
                if other != source.name:
                    within = f' with property "{entry.property}"' if entry.property else ""
                    raise EntriesRefused(
                        f'remote key "{entry.remote_key}"{within} would be written by both Secrets "{other}" and '
                        f'"{source.name}": select one of them, or put {{{{ .secretName }}}} into the remote key'
                    )
                jobs.append(Job(entry, source))
        return jobs

    def _with_foreign(self, before: Records, now: Records) -> Records:
        """The records of stores that another operator serves are its own business."""
        namespace = self._plan.key.namespace
        kept = dict(now)
        for name, entries in before.items():
            ref = store_of(name)
            if name not in kept and ref is not None and self._tools.stores.is_foreign(ref, namespace):
                kept[name] = entries
        return kept

    async def _take_back(self, before: Records, now: Records) -> None:
        """Delete what was pushed and no longer is, or remember it where deletionPolicy None leaves it."""
        gone_from_spec = without(before, now)
        if not self._plan.deletes:
            self._records = now
            self._retained = without(merged(self._retained, gone_from_spec), now)
            return
        await self._clear(merged(before, self._retained), now)

    async def _clear(self, before: Records, now: Records) -> None:
        """Delete the records of `before` that `now` does not have.

        Raises:
            PushError: something could not be deleted; what could is not recorded any more.
        """
        cleared = await self._tools.pusher.clear(self._plan.key, list(stale(before, now)))
        self._records = merged(without(before, cleared.gone), now)
        self._retained = {}
        for store, count in cleared.lost.items():
            text = f"{store} is gone: {count} of its values can no longer be deleted and stay where they are"
            self._report.event("Warning", "NotDeleted", text)
        if cleared.error is not None:
            raise clearing_failed(cleared.error)

    # -- what comes of it ----------------------------------------------------------------------------------------

    def _forgotten(self) -> bool:
        """Whether a missing source means that it was deleted: there is something to clean up, or that has been done."""
        return (
            not is_empty(self._records)
            or not is_empty(self._retained)
            or reason_of(self._plan.status) == Reason.SOURCE_DELETED
        )

    async def _source_deleted(self) -> Result | None:
        """Delete everything that was pushed; the Secret's return wakes the object."""
        try:
            await self._clear(merged(self._records, self._retained), {})
        except PushError as error:
            return await self._fail(error)
        self._tools.pushed.pop(self._plan.key, None)
        await self._report.status(Outcome(Reason.SOURCE_DELETED, Message.SOURCE_DELETED, {}, {}))
        return None

    async def _succeed(
        self, secrets: Mapping[str, str], stores: Iterable[FoundStore], *, lifetime: float | None = None
    ) -> Result:
        """All stores are in step with these versions of these Secrets, and stay so for a lifetime."""
        plan = self._plan
        expires = expiry_due(self._start, lifetime, plan.due.interval, plan.due.uid)
        fingerprint = self._fingerprint(secrets, stores)
        message = Message.SYNCED_UNCHANGED if plan.if_not_exists else Message.SYNCED
        self._tools.pushed[plan.key] = fingerprint
        await self._report.status(
            Outcome(
                Reason.SYNCED,
                message,
                self._records,
                self._retained,
                synced_at=self._start,
                synced_version=plan.due.current,
                source_version=fingerprint,
                synced_own=plan.due.own,
                next_refresh=expires,
            )
        )
        done = replace(plan.due, synced=plan.due.current, refresh_time=self._start, expires=expires)
        return _wake_in(done.wait(self._ctx.clock.now()))

    async def _fail(self, error: PushError) -> Result:
        wait = self._plan.due.retry
        throttled = find_cause(error, Throttled)
        if throttled is not None and throttled.retry_after > 0:
            # The store says when: back-off would ask too early, or far too late.
            wait = throttled.retry_after + spread(throttled.retry_after, self._plan.due.uid)
            error.retryable = False
        await self._report.failed(error, records=self._records, retained=self._retained, wait=wait)
        if error.retryable:
            raise error
        return _wake_in(wait)


def _set_failed(error: PushError) -> PushFailed:
    made = PushFailed(
        f"set secret failed: {error}", detail=f"set secret failed: {error.detail}", retryable=error.retryable
    )
    made.__cause__ = error
    return made


def clearing_failed(error: PushError) -> PushFailed:
    """A failure to delete, as the condition tells it."""
    text = "Failed to Delete Secrets from Provider: "
    made = PushFailed(text + str(error), detail=text + error.detail, retryable=error.retryable)
    made.__cause__ = error
    return made


def _wake_in(seconds: float | None) -> Result:
    """Look again after this time, behind what people change meanwhile."""
    if seconds is None:
        return Result()
    return Result(requeue_after=max(seconds, _SHORTEST_WAIT), priority=REFRESH_PRIORITY)
