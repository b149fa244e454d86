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
"""

from __future__ import annotations

from typing import TypeAlias

from msgspec.structs import replace

from eso_core.cache.reflection import (
    Advance,
    Clear,
    Closed,
    CloseStream,
    Commit,
    DropStage,
    Effect,
    ErrorEvent,
    Event,
    EventType,
    Failed,
    Failure,
    FailureKind,
    Input,
    Listing,
    ListObjects,
    Opened,
    OpenWatch,
    Page,
    ReflectorState,
    Remove,
    Report,
    Restarted,
    Settings,
    Sleep,
    Stage,
    Streaming,
    Unstage,
    Upsert,
    Waiting,
    Wake,
    Watching,
)

__all__ = ["initial_state", "step"]

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
