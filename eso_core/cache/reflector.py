"""List-and-watch as a pure state machine.

`step(state, input)` says what the reflector does next; it does no I/O, reads no clock and draws no random number. The
driver (`eso_core.cache.driver`) carries out the effects and reports what happened as the next input. A step returns any
number of store effects and reports, and at most one *command* (list, watch, sleep), always last.

What is subtle:

* The server forgets events. Continuing a watch from a forgotten version is answered with 410, as an HTTP status or as an
  ERROR event, and the same version must not be tried again: the state is read anew, first "at least as new as what we
  have" and, only when the server says that this is gone too, the newest. So the reflector never goes back in time.
* During the initial synthetic ADDED events of a watch the versions are in no order; the first BOOKMARK, MODIFIED or DELETED
  makes them trustworthy again.
* Throttling and refused connections say nothing about our version: they wait and keep it.

States, inputs and effects are msgspec structs: they are made for every watch event, and cost a tenth of a dataclass.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeAlias

import msgspec
from msgspec.structs import replace

__all__ = [
    "Advance",
    "Clear",
    "CloseStream",
    "Closed",
    "Command",
    "Commit",
    "DropStage",
    "Effect",
    "ErrorEvent",
    "Event",
    "EventType",
    "Failed",
    "Failure",
    "FailureKind",
    "Input",
    "Item",
    "ListObjects",
    "Listing",
    "OpenWatch",
    "Opened",
    "Page",
    "ReflectorState",
    "Remove",
    "Report",
    "Restarted",
    "Settings",
    "Sleep",
    "Stage",
    "Streaming",
    "Unstage",
    "Upsert",
    "Waiting",
    "Wake",
    "Watching",
    "initial_state",
    "step",
]


class EventType(StrEnum):
    """Types of watch events that carry an object."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"
    BOOKMARK = "BOOKMARK"


class FailureKind(StrEnum):
    """What a failure means for the reflector."""

    EXPIRED = "expired"
    TOO_LARGE = "resource-version-too-large"
    THROTTLED = "throttled"
    REFUSED = "refused"
    UNSUPPORTED = "unsupported"
    INTERNAL = "internal-error"
    FORBIDDEN = "forbidden"
    ABSENT = "kind-absent"
    BROKEN = "broken-stream"
    UNREADABLE = "unreadable"
    IDLE = "idle"
    OTHER = "error"


class Item(Protocol):
    """What the machine needs to know of an object."""

    @property
    def resource_version(self) -> str: ...


class Failure(msgspec.Struct, frozen=True, gc=False):
    """A failure, classified.

    Attributes:
        kind: what it means.
        message: text for people; holds no object data.
        retry_after: seconds the server asked to wait, 0 when it did not.
    """

    kind: FailureKind
    message: str = ""
    retry_after: float = 0.0


@dataclass(frozen=True, slots=True)
class Settings:
    """Numbers of the algorithm; seconds.

    Attributes:
        watch_list: whether streaming lists are tried.
        page_size: objects per page of a list.
        backoff_initial: first delay; a delay d becomes uniform in [d, 2d).
        backoff_maximum: largest delay before jitter.
        backoff_reset: calm after which delays start over.
        watch_timeout: lower end of the server-side watch limit; the upper end is twice that.
        idle_limit: silence after which a watch is taken for dead: the bookmark period of 60 s and some.
        initial_idle_limit: silence after which a streaming list is taken for not supported.
        short_watch: a watch that ends within this time without an event is a failure.
        internal_error_limit: how long ERROR 500 events are ridden out before the state is read anew.
        absent_retry: delay between looks for a kind that the server does not serve.
        watch_list_retry: time for which streaming lists are not tried after the server refused one.
    """

    watch_list: bool = True
    page_size: int = 500
    backoff_initial: float = 0.8
    backoff_maximum: float = 30.0
    backoff_reset: float = 120.0
    watch_timeout: float = 300.0
    idle_limit: float = 75.0
    initial_idle_limit: float = 15.0
    short_watch: float = 1.0
    internal_error_limit: float = 60.0
    absent_retry: float = 10.0
    watch_list_retry: float = 600.0

    def __post_init__(self) -> None:
        if self.watch_timeout < 1 or self.idle_limit <= 0 or self.page_size < 0:
            raise ValueError("Settings: watch_timeout must be at least 1, idle_limit above 0, page_size 0 or more")
        if not 0 < self.backoff_initial <= self.backoff_maximum:
            raise ValueError("Settings: 0 < backoff_initial <= backoff_maximum is needed")


# -- inputs ------------------------------------------------------------------------------------------------------


class Wake(msgspec.Struct, frozen=True, gc=False):
    """The reflector starts, or the sleep it asked for is over."""

    now: float


class Page(msgspec.Struct, frozen=True, gc=False):
    """A page of the list; `continue_` is empty on the last one."""

    now: float
    items: tuple[Item, ...]
    resource_version: str
    continue_: str = ""


class Opened(msgspec.Struct, frozen=True, gc=False):
    """The watch's response headers arrived."""

    now: float


class Event(msgspec.Struct, frozen=True, gc=False):
    """One watch event; `item` is None for bookmarks, `initial_end` marks the bookmark that ends a streaming list."""

    now: float
    type: EventType
    item: Item | None
    resource_version: str
    initial_end: bool = False


class ErrorEvent(msgspec.Struct, frozen=True, gc=False):
    """An ERROR event inside a watch."""

    now: float
    failure: Failure


class Failed(msgspec.Struct, frozen=True, gc=False):
    """The list, the start of the watch, or the stream failed."""

    now: float
    failure: Failure


class Closed(msgspec.Struct, frozen=True, gc=False):
    """The server ended the watch normally."""

    now: float


Input: TypeAlias = Wake | Page | Opened | Event | ErrorEvent | Failed | Closed

# -- effects -----------------------------------------------------------------------------------------------------


class ListObjects(msgspec.Struct, frozen=True, gc=False):
    """Command: read all objects, page by page. `limit` 0 means unpaged."""

    resource_version: str
    limit: int


class OpenWatch(msgspec.Struct, frozen=True, gc=False):
    """Command: open a watch. `idle_limit` None means that silence is no failure."""

    resource_version: str
    initial_events: bool
    timeout: tuple[float, float]
    idle_limit: float | None


class Sleep(msgspec.Struct, frozen=True, gc=False):
    """Command: wait for a time uniform in [low, high]."""

    low: float
    high: float


class CloseStream(msgspec.Struct, frozen=True, gc=False):
    """Leave the current watch stream before the command that follows."""


class Stage(msgspec.Struct, frozen=True, gc=False):
    """Put objects aside for the coming `Commit`."""

    items: tuple[Item, ...]


class Unstage(msgspec.Struct, frozen=True, gc=False):
    """Take an object out of the stage: it was deleted while the initial state streamed."""

    item: Item


class DropStage(msgspec.Struct, frozen=True, gc=False):
    """Forget the stage."""


class Commit(msgspec.Struct, frozen=True, gc=False):
    """Make the stage the state, at this version."""

    resource_version: str


class Upsert(msgspec.Struct, frozen=True, gc=False):
    """Store an object."""

    item: Item


class Remove(msgspec.Struct, frozen=True, gc=False):
    """Delete an object; the item carries its last state."""

    item: Item


class Advance(msgspec.Struct, frozen=True, gc=False):
    """The state is complete up to this version."""

    resource_version: str


class Clear(msgspec.Struct, frozen=True, gc=False):
    """Delete all objects: the kind is gone."""


class Report(msgspec.Struct, frozen=True, gc=False):
    """Tell people about a failure."""

    failure: Failure


class Restarted(msgspec.Struct, frozen=True, gc=False):
    """Count: the watch is opened again, or the state read anew (`relist`), for this reason."""

    reason: str
    relist: bool


Command: TypeAlias = ListObjects | OpenWatch | Sleep
Effect: TypeAlias = (
    Command
    | CloseStream
    | Stage
    | Unstage
    | DropStage
    | Commit
    | Upsert
    | Remove
    | Advance
    | Clear
    | Report
    | Restarted
)

# -- states ------------------------------------------------------------------------------------------------------


class Listing(msgspec.Struct, frozen=True, gc=False):
    """A list is being read."""

    paged: bool


class Streaming(msgspec.Struct, frozen=True, gc=False):
    """The initial state arrives on a watch."""


class Watching(msgspec.Struct, frozen=True, gc=False):
    """Changes arrive. `opened` is None until the server answered; `ordered` is False while versions mean nothing."""

    opened: float | None = None
    events: int = 0
    ordered: bool = True


class Waiting(msgspec.Struct, frozen=True, gc=False):
    """Asleep; afterwards the state is read (`relist`) or the watch resumed."""

    relist: bool


class ReflectorState(msgspec.Struct, frozen=True, gc=False):
    """Where the reflector is, and what it remembers.

    Attributes:
        phase: what is going on.
        rv: the version the store has, "" when unknown.
        rv_unavailable: the server told that `rv` is gone; read the newest.
        failures: consecutive failures that were backed off.
        last_failure: when the last of them happened.
        watch_list_blocked_until: streaming lists are not tried before this instant.
        paged_from_cache: a list at "0" came back in pages, so paging is honoured there.
        internal_since: when the current series of ERROR 500 events began.
        idle_cuts: watches in a row that were cut without any event.
        last_expired: when a watch last told that its version is gone.
    """

    phase: Listing | Streaming | Watching | Waiting
    settings: Settings
    rv: str = ""
    rv_unavailable: bool = False
    failures: int = 0
    last_failure: float = float("-inf")
    watch_list_blocked_until: float = float("-inf")
    paged_from_cache: bool = False
    internal_since: float | None = None
    idle_cuts: int = 0
    last_expired: float = float("-inf")


Outcome: TypeAlias = tuple[ReflectorState, list[Effect]]


def initial_state(settings: Settings | None = None) -> ReflectorState:
    """A reflector that has read nothing; a `Wake` starts it."""
    return ReflectorState(phase=Waiting(relist=True), settings=settings or Settings())


def step(state: ReflectorState, given: Input) -> Outcome:
    """The next state and what to do. Inputs that do not belong to the phase are bugs of the driver and raise TypeError."""
    phase = state.phase
    if type(phase) is Watching:  # first, for this is the hot path
        return _watching(state, phase, given)
    if type(phase) is Streaming:
        return _streaming(state, given)
    if type(phase) is Listing:
        return _listing(state, phase, given)
    if type(phase) is Waiting and type(given) is Wake:
        return _read(state, given.now) if phase.relist else _resume(state)
    raise TypeError(f"reflector in {phase!r} got {type(given).__name__}: the driver broke the protocol")


# -- reading the whole state -------------------------------------------------------------------------------------


def _read(state: ReflectorState, now: float) -> Outcome:
    settings = state.settings
    if settings.watch_list and now >= state.watch_list_blocked_until:
        rv = "" if state.rv_unavailable else state.rv
        timeout = (settings.watch_timeout, 2 * settings.watch_timeout)
        command = OpenWatch(rv, initial_events=True, timeout=timeout, idle_limit=settings.initial_idle_limit)
        return replace(state, phase=Streaming()), [command]
    rv = "" if state.rv_unavailable else (state.rv or "0")
    # At an exact-or-newer version the server answers from its cache and ignores the limit, so asking for pages there
    # would only make it fall back to the database.
    paged = rv in ("", "0") or state.paged_from_cache
    return replace(state, phase=Listing(paged)), [ListObjects(rv, settings.page_size if paged else 0)]


def _listing(state: ReflectorState, phase: Listing, given: Input) -> Outcome:
    match given:
        case Page():
            effects: list[Effect] = [Stage(given.items)]
            if given.continue_:
                if phase.paged and state.rv == "" and not state.rv_unavailable:
                    state = replace(state, paged_from_cache=True)
                return state, effects
            return _synced(state, given.resource_version, effects, opened=None)
        case Failed(now=now, failure=failure):
            if failure.kind in (FailureKind.EXPIRED, FailureKind.TOO_LARGE) and not state.rv_unavailable:
                return _read_newest(state, now, failure)
            return _fail(state, now, failure, relist=True, before=[DropStage()])
    raise TypeError(f"reflector while listing got {type(given).__name__}: the driver broke the protocol")


def _streaming(state: ReflectorState, given: Input) -> Outcome:
    match given:
        case Opened():
            return state, []
        case Event(type=EventType.BOOKMARK):
            if not given.initial_end:
                return state, []
            synced = replace(state, rv=given.resource_version, rv_unavailable=False, internal_since=None)
            return (
                replace(synced, phase=Watching(opened=given.now, events=1), idle_cuts=0),
                [Commit(given.resource_version)],
            )
        case Event(item=item) if item is not None:
            return state, [Unstage(item) if given.type is EventType.DELETED else Stage((item,))]
        case Closed(now=now):
            # A server under pressure may end any watch: start over, and slow down if it goes on.
            return _fail(state, now, Failure(FailureKind.BROKEN, "the initial stream ended early"), relist=True,
                         before=[DropStage()], quiet=True)  # fmt: skip
        case Failed(now=now, failure=failure) | ErrorEvent(now=now, failure=failure):
            before: list[Effect] = [CloseStream()] if isinstance(given, ErrorEvent) else []
            if failure.kind in (FailureKind.EXPIRED, FailureKind.TOO_LARGE) and not state.rv_unavailable:
                after, effects = _read_newest(state, now, failure)
                return after, [*before, *effects]
            if failure.kind in (FailureKind.UNSUPPORTED, FailureKind.IDLE):
                blocked = replace(state, watch_list_blocked_until=now + state.settings.watch_list_retry)
                after, effects = _read(blocked, now)
                return after, [*before, DropStage(), Restarted("watch-list-unsupported", True), *effects]
            return _fail(state, now, failure, relist=True, before=[*before, DropStage()])
    raise TypeError(f"reflector while streaming got {type(given).__name__}: the driver broke the protocol")


def _read_newest(state: ReflectorState, now: float, failure: Failure) -> Outcome:
    after, effects = _read(replace(state, rv_unavailable=True), now)
    return after, [DropStage(), Restarted(failure.kind.value, True), *effects]


def _synced(state: ReflectorState, rv: str, effects: list[Effect], *, opened: float | None) -> Outcome:
    effects.append(Commit(rv))
    after, more = _resume(replace(state, rv=rv, rv_unavailable=False, internal_since=None))
    return after, [*effects, *more]


# -- watching ----------------------------------------------------------------------------------------------------


def _resume(state: ReflectorState) -> Outcome:
    settings = state.settings
    # Two silent cuts in a row with nothing missed: this server sends no bookmarks, so silence proves nothing.
    idle_limit = settings.idle_limit if state.idle_cuts < 2 else None
    timeout = (settings.watch_timeout, 2 * settings.watch_timeout)
    command = OpenWatch(state.rv, initial_events=False, timeout=timeout, idle_limit=idle_limit)
    return replace(state, phase=Watching(ordered=state.rv not in ("", "0"))), [command]


def _watching(state: ReflectorState, phase: Watching, given: Input) -> Outcome:
    match given:
        case Event():
            return _event(state, phase, given)
        case Opened(now=now):
            return replace(state, phase=replace(phase, opened=now)), []
        case Closed(now=now):
            if phase.events == 0 and (phase.opened is None or now - phase.opened < state.settings.short_watch):
                failure = Failure(FailureKind.BROKEN, "the watch ended at once without any event")
                return _fail(state, now, failure, relist=False)
            after, effects = _resume(state)
            return after, [Restarted("closed", False), *effects]
        case ErrorEvent(now=now, failure=failure):
            after, effects = _watch_failed(state, phase, now, failure, started=True)
            return after, [CloseStream(), *effects]
        case Failed(now=now, failure=failure):
            return _watch_failed(state, phase, now, failure, started=phase.opened is not None)
    raise TypeError(f"reflector while watching got {type(given).__name__}: the driver broke the protocol")


def _event(state: ReflectorState, phase: Watching, event: Event) -> Outcome:
    ordered = phase.ordered or event.type is not EventType.ADDED
    state = ReflectorState(
        phase=Watching(phase.opened, phase.events + 1, ordered),
        settings=state.settings,
        rv=event.resource_version if ordered and event.resource_version else state.rv,
        failures=state.failures,
        last_failure=state.last_failure,
        watch_list_blocked_until=state.watch_list_blocked_until,
        paged_from_cache=state.paged_from_cache,
        last_expired=state.last_expired,
    )
    item = event.item
    if item is None:
        return state, [Advance(event.resource_version)]
    return state, [Remove(item) if event.type is EventType.DELETED else Upsert(item)]


def _watch_failed(state: ReflectorState, phase: Watching, now: float, failure: Failure, *, started: bool) -> Outcome:
    match failure.kind:
        case FailureKind.EXPIRED:
            # A server that forgets what it just told would otherwise be read in a tight loop.
            if now - state.last_expired < state.settings.backoff_initial + state.settings.short_watch:
                return _fail(state, now, failure, relist=True)
            after, effects = _read(replace(state, last_expired=now), now)
            return after, [Restarted(failure.kind.value, True), *effects]
        case FailureKind.TOO_LARGE:
            return _read_newest(state, now, failure)
        case FailureKind.THROTTLED | FailureKind.REFUSED:
            return _fail(state, now, failure, relist=False)
        case FailureKind.IDLE:
            after, effects = _resume(replace(state, idle_cuts=state.idle_cuts + 1 if phase.events == 0 else 0))
            return after, [Restarted(failure.kind.value, False), *effects]
        case FailureKind.BROKEN if phase.events > 0 or (
            phase.opened is not None and now - phase.opened >= state.settings.short_watch
        ):
            after, effects = _resume(state)
            return after, [Restarted(failure.kind.value, False), *effects]
        case FailureKind.BROKEN | FailureKind.UNREADABLE:
            return _fail(state, now, failure, relist=False)
        case FailureKind.INTERNAL if started:
            since = state.internal_since if state.internal_since is not None else now
            if now - since <= state.settings.internal_error_limit:
                return _fail(replace(state, internal_since=since), now, failure, relist=False)
            return _fail(replace(state, internal_since=None), now, failure, relist=True)
        case _:
            return _fail(state, now, failure, relist=True)


# -- backing off -------------------------------------------------------------------------------------------------


def _fail(
    state: ReflectorState,
    now: float,
    failure: Failure,
    *,
    relist: bool,
    before: list[Effect] | None = None,
    quiet: bool = False,
) -> Outcome:
    settings = state.settings
    effects: list[Effect] = [*(before or [])]
    if not quiet:
        effects.append(Report(failure))
    effects.append(Restarted(failure.kind.value, relist))
    if failure.kind is FailureKind.ABSENT:
        # The kind is gone and its objects with it. When it returns its versions start elsewhere.
        gone = replace(state, phase=Waiting(relist=True), rv="", rv_unavailable=False, last_failure=now)
        return gone, [*effects, Clear(), Sleep(settings.absent_retry, settings.absent_retry)]
    failures = 0 if now - state.last_failure > settings.backoff_reset else state.failures
    delay = min(settings.backoff_initial * 2.0 ** min(failures, 32), settings.backoff_maximum)
    after = replace(state, phase=Waiting(relist), failures=failures + 1, last_failure=now)
    return after, [*effects, Sleep(max(delay, failure.retry_after), max(2 * delay, failure.retry_after))]
