"""Options of the server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from eso_core.aio import Clock, SystemClock
from eso_core.testing.apiserver.authn.user import AUTHENTICATED, User
from eso_core.testing.apiserver.storage.statefile import Snapshot


@dataclass(frozen=True, slots=True)
class ApiServerOptions:
    """How an `ApiServer` runs.

    ``port`` 0 picks a free one. ``token`` is the administrator's (group ``system:masters``); a random one when empty.
    ``services`` maps ``namespace/name`` of a Service to the ``host:port`` where webhooks that name it are served.
    ``tokens`` maps further static bearer tokens to users. ``state_file`` keeps objects and keys over restarts;
    ``snapshot`` is a state to begin with, and excludes ``state_file``. ``audit_log`` gets one JSON line per request.
    ``max_body`` is in bytes, ``bookmark_interval`` and ``window_age`` (how long changes can be resumed from) in
    seconds, ``request_log`` is how many requests `ApiServer.requests` remembers. More than ``max_in_flight``
    requests that wait for webhooks are answered 429. Events are deleted ``event_ttl`` seconds after their last write;
    0 keeps them. Without ``listen`` there is no socket: requests come through `ApiServer.handle`. Without
    ``garbage_collection`` dependents go when `ApiServer.run_gc` is called. Raises `ValueError` for values out of
    range.
    """

    host: str = "127.0.0.1"
    port: int = 0
    tls: bool = True
    state_file: Path | None = None
    snapshot: Snapshot | None = None
    audit_log: Path | None = None
    clock: Clock = field(default_factory=SystemClock)
    token: str = ""
    tokens: Mapping[str, User] = field(default_factory=dict)
    services: Mapping[str, str] = field(default_factory=dict)
    anonymous: bool = True
    max_body: int = 3 * 1024 * 1024
    bookmark_interval: float = 60.0
    window_age: float = 75.0
    window_changes: int = 102_400
    request_log: int = 10_000
    max_in_flight: int = 600
    event_ttl: float = 3600.0
    listen: bool = True
    garbage_collection: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ValueError(f"starting the API server: port is {self.port}: use 0 to 65535")
        if self.state_file is not None and self.snapshot is not None:
            raise ValueError("starting the API server: state_file and snapshot: give one of them")
        if self.max_body < 1024:
            raise ValueError(f"starting the API server: max_body is {self.max_body}: use at least 1024")
        if self.bookmark_interval <= 0 or self.window_age < 0 or self.window_changes < 1 or self.event_ttl < 0:
            raise ValueError("starting the API server: intervals and window sizes must be positive")

    def static_tokens(self, admin_token: str) -> dict[str, User]:
        """All static tokens with their users."""
        admin = User("kubernetes-admin", groups=("system:masters", AUTHENTICATED))
        return {admin_token: admin, **self.tokens}
