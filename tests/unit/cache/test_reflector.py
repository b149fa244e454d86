"""The reflector's decisions, without any I/O."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

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
    Unstage,
    Upsert,
    Wake,
)
from eso_core.cache.reflector import initial_state, step


@dataclass(frozen=True)
class Thing:
    resource_version: str


class Driven:
    """A reflector that is fed by hand."""

    def __init__(self, **settings: object) -> None:
        self.state: ReflectorState = initial_state(Settings(**settings))  # type: ignore[arg-type]
        self.effects: list[Effect] = []

    def feed(self, given: Input) -> list[Effect]:
        self.state, self.effects = step(self.state, given)
        return self.effects

    @property
    def command(self) -> Effect:
        return self.effects[-1]

    def listed(self, now: float = 0.0, rv: str = "100") -> Driven:
        """Reads everything by a list and opens the watch."""
        self.feed(Wake(now))
        self.feed(Page(now, (Thing("90"),), rv))
        self.feed(Opened(now))
        return self


def added(now: float, rv: str) -> Event:
    return Event(now, EventType.ADDED, Thing(rv), rv)


def failure(kind: FailureKind, retry_after: float = 0.0) -> Failure:
    return Failure(kind, kind.value, retry_after)


def test_without_streaming_lists_it_lists_from_the_cache_and_watches_from_there() -> None:
    """2.2 B and C: list at "0" in pages, commit at the list's version, watch from it with bookmarks."""
    reflector = Driven(watch_list=False)
    assert reflector.feed(Wake(0)) == [ListObjects("0", 500)]
    assert reflector.feed(Page(0, (Thing("1"),), "100", continue_="more")) == [Stage((Thing("1"),))]
    effects = reflector.feed(Page(0, (Thing("2"),), "100"))
    assert effects[:2] == [Stage((Thing("2"),)), Commit("100")]
    assert effects[2] == OpenWatch("100", initial_events=False, timeout=(300.0, 600.0), idle_limit=75.0)


def test_a_streaming_list_is_committed_at_its_end_bookmark_and_goes_on_as_watch() -> None:
    """2.2 A: ADDED are staged, DELETED leave the stage, plain bookmarks mean nothing, the end bookmark commits."""
    reflector = Driven()
    (command,) = reflector.feed(Wake(0))
    assert isinstance(command, OpenWatch)
    assert (command.resource_version, command.initial_events) == ("", True)
    assert reflector.feed(Opened(0)) == []
    assert reflector.feed(added(0, "7")) == [Stage((Thing("7"),))]
    assert reflector.feed(Event(0, EventType.DELETED, Thing("8"), "8")) == [Unstage(Thing("8"))]
    assert reflector.feed(Event(0, EventType.BOOKMARK, None, "9")) == []
    assert reflector.feed(Event(0, EventType.BOOKMARK, None, "10", initial_end=True)) == [Commit("10")]
    assert reflector.feed(added(1, "11")) == [Upsert(Thing("11"))]
    assert reflector.state.rv == "11"


def test_events_become_store_changes_and_move_the_version() -> None:
    """2.2 C: upserts, removals, bookmarks; the version follows each of them."""
    reflector = Driven(watch_list=False).listed()
    assert reflector.feed(added(1, "101")) == [Upsert(Thing("101"))]
    assert reflector.feed(Event(1, EventType.MODIFIED, Thing("102"), "102")) == [Upsert(Thing("102"))]
    assert reflector.feed(Event(1, EventType.DELETED, Thing("103"), "103")) == [Remove(Thing("103"))]
    assert reflector.feed(Event(1, EventType.BOOKMARK, None, "120")) == [Advance("120")]
    assert reflector.state.rv == "120"


def test_a_normal_end_resumes_at_once_from_the_last_version() -> None:
    """2.2 C: closed by the server after events: no delay, no list."""
    reflector = Driven(watch_list=False).listed()
    reflector.feed(added(1, "101"))
    effects = reflector.feed(Closed(400))
    assert effects[0] == Restarted("closed", relist=False)
    assert isinstance(effects[1], OpenWatch)
    assert effects[1].resource_version == "101"


@pytest.mark.parametrize("stage", ["event", "status"])
def test_gone_relists_once_at_the_last_version_and_never_watches_it_again(stage: str) -> None:
    """R-11, R-12, P-05: 410 as event or as HTTP status is one path, and leads to one full read."""
    reflector = Driven(watch_list=False).listed()
    reflector.feed(added(1, "101"))
    gone = failure(FailureKind.EXPIRED)
    effects = reflector.feed(ErrorEvent(50, gone) if stage == "event" else Failed(50, gone))
    assert (effects[0] == CloseStream()) == (stage == "event")
    assert Restarted("expired", relist=True) in effects
    assert effects[-1] == ListObjects("101", 0)


def test_a_version_that_is_gone_from_the_list_too_is_read_as_newest() -> None:
    """R-11: `""` only after the server said that our version is gone."""
    reflector = Driven(watch_list=False).listed()
    reflector.feed(ErrorEvent(50, failure(FailureKind.EXPIRED)))
    effects = reflector.feed(Failed(50, failure(FailureKind.EXPIRED)))
    assert effects == [DropStage(), Restarted("expired", relist=True), ListObjects("", 500)]
    reflector.feed(Page(51, (), "500"))
    assert reflector.state.rv_unavailable is False
    assert reflector.state.rv == "500"


def test_a_server_that_is_behind_is_read_as_newest_after_a_refusal() -> None:
    """P-14: "too large resource version" at the list makes the next one ask for the newest state."""
    reflector = Driven(watch_list=False).listed()
    reflector.feed(ErrorEvent(50, failure(FailureKind.EXPIRED)))
    reflector.feed(Failed(51, failure(FailureKind.TOO_LARGE)))
    assert reflector.command == ListObjects("", 500)


def test_a_server_that_expires_everything_at_once_is_not_read_in_a_loop() -> None:
    """A second 410 right after the first one is backed off."""
    reflector = Driven(watch_list=False).listed()
    reflector.feed(ErrorEvent(50, failure(FailureKind.EXPIRED)))
    reflector.feed(Page(50, (), "101"))
    effects = reflector.feed(Failed(50.1, failure(FailureKind.EXPIRED)))
    assert effects[-1] == Sleep(0.8, 1.6)


@pytest.mark.parametrize("kind", [FailureKind.THROTTLED, FailureKind.REFUSED])
def test_throttling_and_refused_connections_keep_the_version(kind: FailureKind) -> None:
    """R-13, P-09: no list; the wait is at least what the server asked for."""
    reflector = Driven(watch_list=False).listed()
    reflector.feed(added(1, "101"))
    reflector.feed(Closed(400))
    effects = reflector.feed(Failed(401, failure(kind, retry_after=7.0)))
    assert effects[-1] == Sleep(7.0, 7.0)
    (command,) = reflector.feed(Wake(408))
    assert isinstance(command, OpenWatch)
    assert command.resource_version == "101"


def test_delays_double_up_to_their_maximum_and_start_over_after_calm() -> None:
    """2.2: 0.8 s doubling to 30 s, each uniform in [d, 2d); 120 s without failure start over."""
    reflector = Driven(watch_list=False)
    reflector.feed(Wake(0))
    lows = []
    now = 0.0
    for _ in range(8):
        reflector.feed(Failed(now, failure(FailureKind.OTHER)))
        command = reflector.command
        assert isinstance(command, Sleep)
        assert command.high == 2 * command.low
        lows.append(command.low)
        now += command.high
        reflector.feed(Wake(now))
    assert lows == pytest.approx([0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0])
    reflector.feed(Failed(now + 121, failure(FailureKind.OTHER)))
    assert reflector.command == Sleep(0.8, 1.6)


def test_a_watch_that_ends_at_once_without_events_is_backed_off() -> None:
    """P-10: the request rate of an always closing server settles at one per 30 to 60 s."""
    reflector = Driven(watch_list=False).listed()
    now = 0.0
    for _ in range(10):
        reflector.feed(Closed(now + 0.1))
        command = reflector.command
        assert isinstance(command, Sleep)
        now += command.low
        reflector.feed(Wake(now))
        reflector.feed(Opened(now))
    assert command.low == 30.0
    assert command.high == 60.0


def test_a_broken_stream_resumes_at_once_when_it_had_worked() -> None:
    """R-14: reset after events: rewatch from the last version, no list, no delay."""
    reflector = Driven(watch_list=False).listed()
    reflector.feed(added(1, "101"))
    effects = reflector.feed(Failed(2, failure(FailureKind.BROKEN)))
    assert isinstance(effects[-1], OpenWatch)
    assert effects[-1].resource_version == "101"
    reflector.feed(Opened(2))
    assert isinstance(reflector.feed(Failed(2.1, failure(FailureKind.BROKEN)))[-1], Sleep)


def test_an_unreadable_line_is_backed_off_and_keeps_the_version() -> None:
    """P-07: no crash loop hotter than the back-off."""
    reflector = Driven(watch_list=False).listed()
    reflector.feed(added(1, "101"))
    effects = reflector.feed(Failed(2, failure(FailureKind.UNREADABLE)))
    assert Report(failure(FailureKind.UNREADABLE)) in effects
    assert isinstance(effects[-1], Sleep)
    reflector.feed(Wake(4))
    assert isinstance(reflector.command, OpenWatch)


def test_error_500_events_are_ridden_out_for_a_minute() -> None:
    """P-08: rewatch for 59 s of them; at 61 s the state is read anew."""
    reflector = Driven(watch_list=False).listed()
    for now in (10.0, 40.0, 69.0):
        reflector.feed(ErrorEvent(now, failure(FailureKind.INTERNAL)))
        reflector.feed(Wake(now + 0.5))
        assert isinstance(reflector.command, OpenWatch)
        reflector.feed(Opened(now + 0.5))
    reflector.feed(ErrorEvent(71, failure(FailureKind.INTERNAL)))
    reflector.feed(Wake(72))
    assert isinstance(reflector.command, ListObjects)


def test_an_event_ends_a_series_of_error_500_events() -> None:
    """P-08: the minute counts from the first of consecutive errors."""
    reflector = Driven(watch_list=False).listed()
    reflector.feed(ErrorEvent(10, failure(FailureKind.INTERNAL)))
    reflector.feed(Wake(11))
    reflector.feed(Opened(11))
    reflector.feed(added(12, "101"))
    reflector.feed(ErrorEvent(200, failure(FailureKind.INTERNAL)))
    reflector.feed(Wake(202))
    assert isinstance(reflector.command, OpenWatch)


def test_two_silent_cuts_in_a_row_lift_the_idle_limit() -> None:
    """R-31, P-04: a server without bookmarks is cut twice, then trusted; an event restores the limit."""
    reflector = Driven(watch_list=False).listed()
    limits = []
    for cut in range(3):
        reflector.feed(Failed(75.0 * (cut + 1), failure(FailureKind.IDLE)))
        command = reflector.command
        assert isinstance(command, OpenWatch)
        limits.append(command.idle_limit)
        reflector.feed(Opened(75.0 * (cut + 1)))
    assert limits == [75.0, None, None]
    reflector.feed(added(300, "101"))
    reflector.feed(Closed(310))
    assert isinstance(reflector.command, OpenWatch)
    assert reflector.command.idle_limit == 75.0


@pytest.mark.parametrize("kind", [FailureKind.UNSUPPORTED, FailureKind.IDLE])
def test_a_server_without_streaming_lists_is_listed_for_ten_minutes(kind: FailureKind) -> None:
    """2.2 A: 400, 422 or no data: lists at once, and streaming is tried again after ten minutes."""
    reflector = Driven()
    reflector.feed(Wake(0))
    effects = reflector.feed(Failed(3, failure(kind)))
    assert effects[-1] == ListObjects("0", 500)
    reflector.feed(Page(3, (), "100"))
    reflector.feed(ErrorEvent(500, failure(FailureKind.EXPIRED)))
    assert isinstance(reflector.command, ListObjects)
    reflector.feed(Page(500, (), "200"))
    reflector.feed(ErrorEvent(700, failure(FailureKind.EXPIRED)))
    assert isinstance(reflector.command, OpenWatch)
    assert reflector.command.initial_events is True


def test_a_streaming_list_that_ends_early_starts_over_quietly() -> None:
    """2.2 A: drop what was staged and try again; that is no error to report."""
    reflector = Driven()
    reflector.feed(Wake(0))
    reflector.feed(Opened(0))
    reflector.feed(added(0, "7"))
    effects = reflector.feed(Closed(1))
    assert effects[0] == DropStage()
    assert not any(isinstance(effect, Report) for effect in effects)
    reflector.feed(Wake(2))
    assert isinstance(reflector.command, OpenWatch)
    assert reflector.command.initial_events is True


@pytest.mark.parametrize("listing", [True, False])
def test_an_absent_kind_empties_the_store_and_is_looked_for_every_ten_seconds(listing: bool) -> None:
    """R-15, P-12: the objects of a deleted definition are deleted; its successor is found within 10 s."""
    reflector = Driven(watch_list=False)
    if listing:
        reflector.feed(Wake(0))
    else:
        reflector.listed()
    effects = reflector.feed(Failed(5, failure(FailureKind.ABSENT)))
    assert effects[-2:] == [Clear(), Sleep(10.0, 10.0)]
    assert reflector.feed(Wake(15)) == [ListObjects("0", 500)]


def test_forbidden_is_reported_and_retried_with_growing_delays() -> None:
    """R-15: the loop never gives up."""
    reflector = Driven(watch_list=False)
    reflector.feed(Wake(0))
    effects = reflector.feed(Failed(0, failure(FailureKind.FORBIDDEN)))
    assert Report(failure(FailureKind.FORBIDDEN)) in effects
    reflector.feed(Wake(2))
    effects = reflector.feed(Failed(2, failure(FailureKind.FORBIDDEN)))
    assert effects[-1] == Sleep(1.6, 3.2)


def test_versions_of_synthetic_events_are_not_remembered() -> None:
    """R-16, P-23: after a list without version, ADDED events are in no order until something else came."""
    reflector = Driven(watch_list=False).listed(rv="0")
    reflector.feed(added(1, "55"))
    reflector.feed(added(1, "33"))
    assert reflector.state.rv == "0"
    reflector.feed(Event(1, EventType.MODIFIED, Thing("60"), "60"))
    reflector.feed(added(1, "61"))
    assert reflector.state.rv == "61"


def test_lists_that_come_in_pages_at_zero_are_paged_later_too() -> None:
    """2.2 B: a server that pages at "0" honours limits at its versions."""
    reflector = Driven(watch_list=False)
    reflector.feed(Wake(0))
    reflector.feed(Page(0, (), "100", continue_="more"))
    reflector.feed(Page(0, (), "100"))
    reflector.feed(ErrorEvent(50, failure(FailureKind.EXPIRED)))
    assert reflector.command == ListObjects("100", 500)


def test_inputs_out_of_place_are_bugs() -> None:
    """A driver that breaks the protocol is told so."""
    with pytest.raises(TypeError, match="broke the protocol"):
        step(initial_state(), Closed(0))


def test_bad_settings_are_refused() -> None:
    """G-08."""
    with pytest.raises(ValueError, match="backoff"):
        Settings(backoff_initial=5, backoff_maximum=1)
    with pytest.raises(ValueError, match="watch_timeout"):
        Settings(watch_timeout=0)
