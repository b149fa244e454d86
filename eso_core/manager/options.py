"""Options of a manager."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from eso_core.aio import TaskScope
from eso_core.cache import CacheScopes, Settings
from eso_core.events import SinkOptions

__all__ = ["LeaderElectionOptions", "ManagerOptions", "MetricsServerOptions"]


@dataclass(frozen=True, slots=True)
class LeaderElectionOptions:
    """How one of several replicas becomes the leader.

    Attributes:
        name: of the Lease.
        namespace: of the Lease; "" means the pod's own.
        lease_duration: seconds that followers wait after they last saw the leader's sign of life.
        renew_deadline: seconds after which a leader that cannot renew gives up.
        retry_period: seconds between tries.
        identity: of this process; "" means host name and a random UUID. Must never be used twice.
        release_on_cancel: hand over at once at a clean stop.
        watch_lease: followers also watch the lease, so that a release is noticed at once.
        labels: put on the Lease.
        own_thread: renew on a thread with a loop of its own, so that a callback that stalls the main loop does not cost the
            lease; one that stalls it for `renew_deadline` still does. Uses the system's clock.
        ready_as_follower: `/readyz` says yes while another process leads; without it only the leader is ready.
        on_started: runs while this process leads, and is cancelled when it does not any more; gets a scope for tasks.
        on_stopped: called when the manager stops, also in a process that never led.
        on_new_leader: told the identity of each new leader.

    Raises:
        ValueError: unless lease_duration > renew_deadline > 1.2 * retry_period > 0 and all are at least 1 s.
    """

    name: str
    namespace: str = ""
    lease_duration: float = 15.0
    renew_deadline: float = 10.0
    retry_period: float = 2.0
    identity: str = ""
    release_on_cancel: bool = True
    watch_lease: bool = True
    labels: dict[str, str] = field(default_factory=dict)
    own_thread: bool = False
    ready_as_follower: bool = True
    on_started: Callable[[TaskScope], Awaitable[None]] | None = None
    on_stopped: Callable[[], None] | None = None
    on_new_leader: Callable[[str], None] | None = None

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("LeaderElectionOptions: name must not be empty")
        if min(self.lease_duration, self.renew_deadline, self.retry_period) < 1:
            raise ValueError(
                "LeaderElectionOptions: lease_duration, renew_deadline and retry_period must be at least 1 s"
            )
        if not self.lease_duration > self.renew_deadline > 1.2 * self.retry_period:
            raise ValueError(
                f"LeaderElectionOptions: lease_duration={self.lease_duration}, renew_deadline={self.renew_deadline} and "
                f"retry_period={self.retry_period} must satisfy lease_duration > renew_deadline > 1.2 * retry_period"
            )


@dataclass(frozen=True, slots=True)
class MetricsServerOptions:
    """How metrics are served.

    Attributes:
        secure: HTTPS; with a self-signed certificate for localhost when no files are given.
        cert_file, key_file: PEM files, read again when they change.
        auth: scrapes need a bearer token that may GET /metrics, by TokenReview and SubjectAccessReview.

    Raises:
        ValueError: auth without secure (tokens would travel in clear text), or only one of the files.
    """

    secure: bool = False
    cert_file: str = ""
    key_file: str = ""
    auth: bool = False

    def __post_init__(self) -> None:
        if self.auth and not self.secure:
            raise ValueError("MetricsServerOptions: auth needs secure: tokens must not travel in clear text")
        if bool(self.cert_file) != bool(self.key_file):
            raise ValueError("MetricsServerOptions: cert_file and key_file belong together")


@dataclass(frozen=True, slots=True)
class ManagerOptions:
    """How a manager runs.

    Attributes:
        leader_election: None means that this process always acts as leader.
        metrics_addr: `host:port` of the metrics server; "0" or "" means none, port 0 any free one.
        metrics_server: how metrics are served.
        health_addr: `host:port` of `/healthz` and `/readyz`; "0" or "" means none.
        debug_addr: `host:port`, on the loopback interface, of `/debug/tasks` and the like; "0" or "" means none.
        namespaces: namespaces that namespaced informers watch; empty means all.
        graceful_shutdown_timeout: seconds for running work at a stop; 0 means none, negative without limit.
        shutdown_delay: seconds between "not ready" and the stop.
        scopes: options of informers by kind and namespace: selectors and transforms, and which namespaces are watched.
        cache_sync_timeout: seconds for the caches to fill before the start fails; for the kinds of a controller its own option of
            this name comes first.
        freeze_gc: keep the garbage collector (of the whole process) from what the caches hold, and let it run less often.
        group_kind_concurrency: reconciles at a time for controllers of a kind, as `Kind.group` (or `Kind` in the core group);
            what a controller's own options say comes first.
        watch_definitions: watch CustomResourceDefinitions (by their metadata), so that a kind that comes or changes is known at
            once, and not ten seconds after somebody asked in vain. Needs the right to list and watch them.
        loop_watchdog: log stalls of the event loop that last longer than so many seconds, with the stack of what it is doing;
            0 is off, 0.1 finds what matters. For debugging: it takes a thread.
        reflector: numbers of the list-and-watch algorithm.
        events: limits of the event sink.
    """

    leader_election: LeaderElectionOptions | None = None
    metrics_addr: str = "0"
    metrics_server: MetricsServerOptions = field(default_factory=MetricsServerOptions)
    health_addr: str = "0"
    debug_addr: str = "0"
    namespaces: tuple[str, ...] = ()
    graceful_shutdown_timeout: float = 30.0
    shutdown_delay: float = 0.0
    scopes: CacheScopes = field(default_factory=CacheScopes)
    cache_sync_timeout: float = 120.0
    freeze_gc: bool = True
    group_kind_concurrency: Mapping[str, int] = field(default_factory=dict)
    watch_definitions: bool = False
    loop_watchdog: float = 0.0
    reflector: Settings | None = None
    events: SinkOptions = field(default_factory=SinkOptions)

    def __post_init__(self) -> None:
        if self.shutdown_delay < 0:
            raise ValueError(f"ManagerOptions: shutdown_delay={self.shutdown_delay} must be 0 or more seconds")
        if self.cache_sync_timeout <= 0:
            raise ValueError(f"ManagerOptions: cache_sync_timeout={self.cache_sync_timeout} must be above 0 seconds")
        if self.loop_watchdog < 0:
            raise ValueError(f"ManagerOptions: loop_watchdog={self.loop_watchdog} must be 0 (off) or more seconds")
        for kind, count in self.group_kind_concurrency.items():
            if count < 1:
                raise ValueError(f"ManagerOptions: group_kind_concurrency[{kind!r}]={count} must be at least 1")
        addresses = {"metrics_addr": self.metrics_addr, "health_addr": self.health_addr, "debug_addr": self.debug_addr}
        for name, value in addresses.items():
            parse_address(value, option=name)


def parse_address(text: str, *, option: str) -> tuple[str, int] | None:
    """Host and port of a listen address such as `:8080`, `127.0.0.1:0` or `[::1]:8080`; None for "" and "0".

    Raises:
        ValueError: the text is no address.
    """
    if text in ("", "0"):
        return None
    host, separator, port = text.rpartition(":")
    if not separator or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{option}={text!r} is no listen address: use host:port, :port, or 0 for none")
    return host.strip("[]"), int(port)
