"""The vocabulary of the reflector: inputs it is told, effects it asks for, states it is in.

They are msgspec structs: they are made for every watch event, and cost a tenth of a dataclass.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeAlias

import msgspec

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
        check_streams: list once more at the same version after each streaming list, and tell of differences; for finding
            defects of servers, at the price of a second read.
        check_shared: compare shared objects with what they were whenever they are read, and raise when somebody changed one;
            for finding that bug, at the price of slow reads.
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
    check_streams: bool = False
    check_shared: bool = False

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
