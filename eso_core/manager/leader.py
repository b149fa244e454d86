"""Leader election on a Lease.

Safety rests on two rules. A follower judges the leader dead only by its own monotonic clock, counted from the moment when
it last saw the record *change*: the times inside the record are never compared with the local clock, so wall clocks may
differ as they like. And a leader stops itself `renew_deadline` seconds after the *start* of its last successful renewal,
which is before any follower's `lease_duration` has passed, as long as the clocks' rates differ by less than
`lease_duration / renew_deadline`.

The election has a client and connections of its own, so that an exhausted pool cannot cost the lease.
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
import uuid
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Literal, Protocol

import structlog
from msgspec import Struct

from eso_core.aio import Clock, TaskScope
from eso_core.client import Client
from eso_core.manager.options import LeaderElectionOptions
from eso_core.meta import JsonObject, ObjectKey, format_micro_time
from eso_core.meta.errors import AlreadyExists, ApiError, ConfigError, Conflict, Forbidden, NotFound, TransportError
from eso_core.meta.wellknown import LEASE
from eso_core.metrics import RuntimeMetrics

__all__ = ["LeaderElector", "LeaseClient", "LeaseRecorder", "lease_client"]

_log = structlog.get_logger("eso_core.manager")

_JITTER = 1.2
_NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_RULE = (
    '- apiGroups: ["coordination.k8s.io"]\n'
    '  resources: ["leases"]\n'
    '  verbs: ["get", "list", "watch", "create", "update", "patch"]'
)


class LeaseRecorder(Protocol):
    """Records events; an `eso_core.events.Recorder` is one."""

    def event(self, subject: JsonObject, event_type: Literal["Normal"], reason: str, message: str) -> None: ...


class LeaseClient(Protocol):
    """Access to one Lease. Errors are those of the client."""

    @property
    def key(self) -> ObjectKey: ...
    async def get(self) -> JsonObject: ...
    async def create(self, lease: JsonObject) -> JsonObject: ...
    async def update(self, lease: JsonObject) -> JsonObject: ...

    def changes(self) -> AbstractAsyncContextManager[Any]:
        """A watch of this one object: an async iterator of anything, one item per change."""
        ...

    async def aclose(self) -> None: ...


class _Record(Struct, frozen=True):
    """The parts of a Lease's spec that decide."""

    holder: str
    duration: float
    renew_time: str
    acquire_time: str
    transitions: int

    @classmethod
    def of(cls, lease: JsonObject) -> _Record:
        spec = lease.get("spec") or {}
        return cls(
            holder=spec.get("holderIdentity") or "",
            duration=float(spec.get("leaseDurationSeconds") or 0),
            renew_time=spec.get("renewTime") or "",
            acquire_time=spec.get("acquireTime") or "",
            transitions=int(spec.get("leaseTransitions") or 0),
        )


class LeaderElector:
    """Competes for a Lease, and keeps it.

    Args:
        options: names and times.
        client: access to the Lease.
        clock: time and waiting; only `monotonic` decides.
        metrics: the runtime's families.
        recorder: events about the Lease.
        on_started: awaited when this process has become the leader.
        on_lost: called when it is the leader no more and did not resign; elected work must stop at once.
        on_new_leader: told each new leader's identity.
        alive: whether the work that the lease is for still runs; a lease of what hangs is not renewed.
        draw: uniform in [0, 1), for the jitter.
    """

    def __init__(
        self,
        options: LeaderElectionOptions,
        client: LeaseClient,
        clock: Clock,
        *,
        metrics: RuntimeMetrics,
        recorder: LeaseRecorder | None = None,
        on_started: Callable[[], Awaitable[None]],
        on_lost: Callable[[], None],
        on_new_leader: Callable[[str], None] | None = None,
        alive: Callable[[], bool] = lambda: True,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._options = options
        self._client = client
        self._clock = clock
        self._recorder = recorder
        self._on_started = on_started
        self._on_lost = on_lost
        self._on_new_leader = on_new_leader
        self._alive = alive
        self._draw = draw
        self.identity = options.identity or f"{socket.gethostname()}_{uuid.uuid4()}"
        self._status = metrics.leader_status.labels(options.name)
        self._status.set(0)
        self._slowpath = metrics.leader_slowpath.labels(options.name)
        self._lease: JsonObject | None = None
        self._record: _Record | None = None
        self._observed_at = 0.0
        self._renewed_at = 0.0
        self._leading = False
        self._resigned = False
        self._released = asyncio.Event()
        self._has_lost = False
        self._reported_leader = ""
        self._wake = asyncio.Event()
        self._forbidden_reported = False

    @property
    def is_leader(self) -> bool:
        """Whether this process holds the lease and may act on it, by the clock and not by the last answer."""
        return self._leading and self._clock.monotonic() < self._renewed_at + self._options.renew_deadline

    @property
    def expired(self) -> bool:
        """Whether this process led, and did not give the lease back, but may not act on it any more."""
        return self._has_lost or (self._leading and not self.is_leader)

    @property
    def leader(self) -> str:
        """The last known holder's identity; "" when nobody holds the lease."""
        return self._record.holder if self._record is not None else ""

    @property
    def transitions(self) -> int:
        """How often the lease changed hands: with the identity a fencing token."""
        return self._record.transitions if self._record is not None else 0

    @property
    def overdue(self) -> float:
        """Seconds by which a held lease is past its duration and 20 s: the health check's limit."""
        if not self._leading:
            return 0.0
        limit = self._renewed_at + self._options.lease_duration + 20.0
        return max(0.0, self._clock.monotonic() - limit)

    # -- running -------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Competes, leads, and returns when leadership was lost (after `on_lost`)."""
        try:
            await self._run()
        finally:
            if self._resigned:
                # The lease is being given back with this client, on this loop.
                await self._released.wait()
            await self._client.aclose()

    async def _run(self) -> None:
        async with TaskScope("leader election") as scope:
            if self._options.watch_lease:
                scope.spawn(self._watch(), name="lease watch")
            await self._acquire()
            self._leading = True
            self._status.set(1)
            self._event("became leader")
            _log.info("became leader", lease=str(self._client.key), identity=self.identity)
            guard = scope.spawn(self._stop_in_time(), name="lease deadline")
            await self._on_started()
            await self._renew()
            guard.cancel()
            if not self._resigned:
                self._lose()
            await scope.cancel()

    async def resign(self) -> None:
        """Gives the lease up, when all elected work has ended.

        A lease that has run out is not given back but lost: another process may have it.
        """
        if self.expired:
            self._lose()
        if not self._leading:
            await self._client.aclose()
            return
        self._resigned = True
        self._leading = False
        self._status.set(0)
        self._event("stopped leading")
        try:
            if self._options.release_on_cancel:
                await self._release()
        except (ApiError, TransportError) as error:
            _log.info("lease not released: it expires by itself", error=str(error))
        finally:
            self._released.set()
            await self._client.aclose()

    async def _acquire(self) -> None:
        while not await self._try():
            self._wake.clear()
            delay = self._options.retry_period * (1 + self._draw() * _JITTER)
            try:
                async with self._clock.timeout(delay):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _renew(self) -> None:
        """Renews until the deadline passes without success, or the process resigned."""
        while not self._resigned:
            await self._clock.sleep(self._options.retry_period)
            while not self._resigned:
                if not self._alive():
                    _log.error("the main loop hangs: giving the leadership up", lease=str(self._client.key))
                    return
                remaining = self._renewed_at + self._options.renew_deadline - self._clock.monotonic()
                if remaining <= 0:
                    return
                try:
                    async with self._clock.timeout(remaining):
                        if await self._try():
                            break
                except TimeoutError:
                    return
                if self._record is not None and self._record.holder not in ("", self.identity):
                    return  # somebody else has it: waiting for the deadline would only endanger them
                await self._clock.sleep(min(self._options.retry_period, max(remaining, 0.0)))

    async def _stop_in_time(self) -> None:
        # A renewal that hangs, or a process that was suspended, must not lead beyond the deadline.
        while self._leading:
            remaining = self._renewed_at + self._options.renew_deadline - self._clock.monotonic()
            if remaining <= 0:
                self._lose()
                return
            await self._clock.sleep(remaining)

    def _lose(self) -> None:
        if not self._leading:
            return
        self._leading = False
        self._has_lost = True
        self._status.set(0)
        self._event("stopped leading")
        _log.error("leadership lost", lease=str(self._client.key), identity=self.identity)
        self._on_lost()

    # -- one try -------------------------------------------------------------------------------------------------

    async def _try(self) -> bool:
        """One attempt to get or keep the lease."""
        limit = max(1.0, self._options.renew_deadline / 2)
        try:
            async with self._clock.timeout(limit):
                return await self._attempt()
        except (ApiError, TransportError, TimeoutError) as error:
            self._report(error)
            return False

    async def _attempt(self) -> bool:
        started = self._clock.monotonic()
        record, lease = self._record, self._lease
        if (
            record is not None
            and lease is not None
            and record.holder == self.identity
            and started < self._observed_at + self._options.lease_duration
        ):
            try:
                self._observe(await self._client.update(self._renewed(lease, record)))
            except (ApiError, TransportError) as error:
                _log.debug("lease not renewed on the fast path", error=str(error))
            else:
                self._renewed_at = started
                return True
        self._slowpath.inc()
        try:
            lease = await self._client.get()
        except NotFound:
            if self._held_by_another(self._clock.monotonic()):
                # Deleted under a leader that may not know it yet, and will make it again.
                return False
            try:
                self._observe(await self._client.create(self._new_lease()))
            except AlreadyExists:
                return False
            self._renewed_at = started
            return True
        self._observe(lease)
        record = self._record
        assert record is not None
        if self._held_by_another(self._clock.monotonic()):
            return False
        try:
            self._observe(await self._client.update(self._renewed(lease, record)))
        except Conflict:
            return False
        self._renewed_at = started
        return True

    def _held_by_another(self, now: float) -> bool:
        record = self._record
        return (
            record is not None
            and record.holder not in ("", self.identity)
            and self._observed_at + record.duration > now
        )

    def _observe(self, lease: JsonObject) -> None:
        self._lease = lease
        record = _Record.of(lease)
        if record != self._record:
            self._record = record
            self._observed_at = self._clock.monotonic()
        if record.holder and record.holder != self._reported_leader:
            self._reported_leader = record.holder
            if record.holder != self.identity:
                _log.info("new leader", lease=str(self._client.key), leader=record.holder)
            if self._on_new_leader is not None:
                self._on_new_leader(record.holder)

    def _renewed(self, lease: JsonObject, record: _Record) -> JsonObject:
        now = format_micro_time(self._clock.now())
        mine = record.holder == self.identity
        spec = {
            **(lease.get("spec") or {}),
            "holderIdentity": self.identity,
            "leaseDurationSeconds": max(1, int(self._options.lease_duration)),
            "renewTime": now,
            "acquireTime": record.acquire_time if mine and record.acquire_time else now,
            "leaseTransitions": record.transitions if mine else record.transitions + 1,
        }
        return self._labelled({**lease, "spec": spec})

    def _new_lease(self) -> JsonObject:
        now = format_micro_time(self._clock.now())
        key = self._client.key
        return self._labelled(
            {
                "apiVersion": LEASE.api_version,
                "kind": LEASE.kind,
                "metadata": {"name": key.name, "namespace": key.namespace},
                "spec": {
                    "holderIdentity": self.identity,
                    "leaseDurationSeconds": max(1, int(self._options.lease_duration)),
                    "renewTime": now,
                    "acquireTime": now,
                    "leaseTransitions": 0,
                },
            }
        )

    def _labelled(self, lease: JsonObject) -> JsonObject:
        if not self._options.labels:
            return lease
        metadata = dict(lease["metadata"])
        metadata["labels"] = {**(metadata.get("labels") or {}), **self._options.labels}
        return {**lease, "metadata": metadata}

    async def _release(self) -> None:
        limit = max(1.0, self._options.renew_deadline / 2)
        async with self._clock.timeout(limit):
            for _ in range(3):
                lease = await self._client.get()
                record = _Record.of(lease)
                if record.holder != self.identity:
                    return
                now = format_micro_time(self._clock.now())
                spec = {
                    **lease["spec"],
                    "holderIdentity": "",
                    "leaseDurationSeconds": 1,
                    "renewTime": now,
                    "acquireTime": now,
                }
                try:
                    await self._client.update({**lease, "spec": spec})
                except Conflict:
                    continue
                return

    # -- watching and reporting ----------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Wakes the polling when the lease changes; every decision still comes from a read and a write."""
        delay = self._options.retry_period
        while not self._leading:
            try:
                async with self._client.changes() as changes:
                    async for _ in changes:
                        self._wake.set()
                        if self._leading:
                            return
            except Forbidden:
                _log.info("lease watch is forbidden: polling instead")
                return
            except (ApiError, TransportError) as error:
                _log.debug("lease watch failed", error=str(error))
            await self._clock.sleep(delay * (1 + self._draw()))

    def _report(self, error: Exception) -> None:
        if isinstance(error, Forbidden):
            if not self._forbidden_reported:
                self._forbidden_reported = True
                _log.warning(
                    "leader election is forbidden: the service account needs a rule", rule=_RULE, error=str(error)
                )
            return
        _log.info("lease not acquired or renewed", error=str(error) or type(error).__name__)

    def _event(self, what: str) -> None:
        if self._recorder is None:
            return
        key = self._client.key
        uid = ((self._lease or {}).get("metadata") or {}).get("uid") or ""
        reference = {
            "apiVersion": LEASE.api_version,
            "kind": LEASE.kind,
            "metadata": {"name": key.name, "namespace": key.namespace, "uid": uid},
        }
        self._recorder.event(reference, "Normal", "LeaderElection", f"{self.identity} {what}")


class _ClientLease:
    """A Lease through a client of its own."""

    def __init__(self, client: Client, key: ObjectKey) -> None:
        self._client = client
        self._key = key

    @property
    def key(self) -> ObjectKey:
        return self._key

    async def get(self) -> JsonObject:
        return await self._client.get(LEASE, self._key)

    async def create(self, lease: JsonObject) -> JsonObject:
        return await self._client.create(lease)

    async def update(self, lease: JsonObject) -> JsonObject:
        return await self._client.update(lease)

    def changes(self) -> AbstractAsyncContextManager[Any]:
        return self._client.watch(
            LEASE, self._key.namespace, field_selector=f"metadata.name={self._key.name}", timeout_seconds=300
        )

    async def aclose(self) -> None:
        await self._client.aclose()


def lease_client(
    client: Client, user_agent: str, options: LeaderElectionOptions, *, clock: Clock | None = None
) -> LeaseClient:
    """Access to the Lease of `options` through a new client with the configuration of `client`.

    Raises:
        ConfigError: no namespace is given and this process does not run in a pod.
    """
    own = Client(client.config, clock=clock or client.clock, user_agent=f"{user_agent}/leader-election")
    return _ClientLease(own, ObjectKey(options.namespace or _own_namespace(), options.name))


def _own_namespace() -> str:
    try:
        return _NAMESPACE_FILE.read_text().strip()
    except OSError:
        namespace = os.environ.get("POD_NAMESPACE", "")
        if not namespace:
            raise ConfigError(
                "electing a leader: not running in a pod: say in which namespace the lease is: "
                "LeaderElectionOptions(name, namespace=...) or the environment variable POD_NAMESPACE"
            ) from None
        return namespace
