"""What a reconcile is given beside its request."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from eso_core.aio import Clock
    from eso_core.cache import Cache
    from eso_core.cache.client import CachedClient
    from eso_core.client import Client
    from eso_core.events import Recorder
    from eso_core.tracing import Tracer

__all__ = ["Context", "Environment", "FencingToken", "current_context"]


class FencingToken(Struct, frozen=True):
    """Which leadership a write belongs to, for systems that can refuse those of an earlier one.

    Attributes:
        identity: the holder named in the Lease.
        transitions: `leaseTransitions`: grows with each change of the leader.
    """

    identity: str
    transitions: int


def _no_token() -> FencingToken | None:
    return None


class Environment(Struct, frozen=True):
    """What all reconciles of a manager share.

    Attributes:
        client: reads from the cache, writes to the server, and waits for own writes before reading.
        api: the live client.
        cache: the informers.
        recorder: records events about objects.
        clock: time and waiting.
        fencing: the token of this process's leadership; None where there is no election.
        tracer: makes spans of reconciles and events; None for none.
    """

    client: CachedClient
    api: Client
    cache: Cache
    recorder: Recorder
    clock: Clock
    fencing: Callable[[], FencingToken | None] = _no_token
    tracer: Tracer | None = None


class Context(Struct, frozen=True):
    """One reconcile's surroundings.

    Attributes:
        client, api, cache, recorder, clock: as in `Environment`.
        log: a logger; every line carries the controller, the object and the reconcile id.
        reconcile_id: a fresh UUID, for finding all lines of one run.
        attempt: 1 for the first run, one more for each failure since the last success.
        priority: the priority the key was queued with.
        deadline: monotonic instant at which the run is cancelled; None when it may take any time.
        fencing: the leadership that the run began under; None without election.
    """

    client: CachedClient
    api: Client
    cache: Cache
    recorder: Recorder
    clock: Clock
    log: FilteringBoundLogger
    reconcile_id: str
    attempt: int
    priority: int
    deadline: float | None
    fencing: FencingToken | None = None


#: The context of the reconcile that the current task belongs to.
current_context: ContextVar[Context] = ContextVar("eso_core.controller.context")
