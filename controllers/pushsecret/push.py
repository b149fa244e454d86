"""Writes into stores, and takes back: one value at a time, and one writer at a time for each remote key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager

from msgspec import Struct, field

from controllers.pushsecret.claims import Claims
from controllers.pushsecret.errors import EntriesRefused, KeyMissing, PushError, PushFailed, StoreFailed
from controllers.pushsecret.expand import convert
from controllers.pushsecret.plan import DataEntry
from controllers.pushsecret.records import Records, Stale, record_of, remote_ref, store_name, store_of
from controllers.pushsecret.sources import SourceSecret
from controllers.pushsecret.stores import FoundStore, PushStores
from controllers.secretstore.access import StoreRef
from controllers.secretstore.defects import describe_defect
from eso_core.meta import JsonObject, ObjectKey
from eso_core.meta.errors import EsoCoreError
from providers.errors import ProviderError, is_retryable
from providers.interface import PushData, RemoteRef, SecretsClient, Store, StoreKey
from providers.pool import ClientPool, Session

__all__ = ["Cleared", "Job", "KeyLocks", "Pushed", "Pusher"]


class KeyLocks:
    """One writer at a time for a key of a store.

    Several PushSecrets may write properties of one document, and most backends read it, change it and write it back.
    """

    def __init__(self) -> None:
        self._locks: dict[tuple[StoreKey, str], _Shared] = {}

    @asynccontextmanager
    async def held(self, store: StoreKey, remote_key: str) -> AsyncIterator[None]:
        """Holds the key for the time of the block."""
        slot = (store, remote_key)
        shared = self._locks.setdefault(slot, _Shared())
        shared.users += 1
        try:
            async with shared.lock:
                yield
        finally:
            shared.users -= 1
            if not shared.users:
                del self._locks[slot]


class _Shared(Struct):
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0


class Job(Struct, frozen=True):
    """One entry and the Secret that it is filled from."""

    entry: DataEntry
    source: SourceSecret


class Pushed(Struct):
    """What came of pushing to one store.

    Attributes:
        records: What is there and ours.
        wrote: How many values were handed to the backend.
        error: Why it did not go on.
    """

    records: dict[str, JsonObject] = field(default_factory=dict)
    wrote: int = 0
    error: PushError | None = None


class Cleared(Struct):
    """What came of taking back.

    Attributes:
        gone: Records that need not be kept.
        lost: Names of stores that are not there any more, with how many values they keep.
        error: Why it did not go on.
    """

    gone: Records = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)
    error: PushError | None = None


class Pusher:
    """Pushes and deletes.

    Args:
        pool: Open clients of stores.
        stores: Says which may be used.
        claims: Knows who else writes to a place.
    """

    def __init__(self, pool: ClientPool, stores: PushStores, claims: Claims) -> None:
        self._pool = pool
        self._stores = stores
        self._claims = claims
        self._locks = KeyLocks()

    async def push(
        self,
        session: Session,
        found: FoundStore,
        jobs: Sequence[Job],
        *,
        if_not_exists: bool,
        before: Mapping[str, JsonObject],
    ) -> Pushed:
        """Bring one store in step; stops at the first entry that fails.

        Args:
            session: Of this pass.
            found: The store.
            jobs: What goes there.
            if_not_exists: Leave alone what is there. It is ours only if `before` says so.
            before: The records of the store.
        """
        done = Pushed()
        try:
            # Also for no entries at all: a store that may not be used is told, whatever the keys are.
            store = self._stores.open(found.ref, session.namespace)
            client = await _opened(session, store, found.ref.name)
            for job in jobs:
                async with self._locks.held(store.identity, job.entry.remote_key):
                    await self._push(client, found.ref.name, job, done, if_not_exists=if_not_exists, before=before)
        except PushError as error:
            done.error = error
        return done

    async def copies(
        self, session: Session, found: FoundStore, sources: Sequence[SourceSecret], before: Mapping[str, JsonObject]
    ) -> set[str]:
        """Names of the sources that are what was pushed to this store before: a store may be the PushSecret's own namespace, and a
        copy has the labels by which its source was selected.
        """
        places = {ref.key: ref for ref in map(remote_ref, before.values())}
        suspects = [source for source in sources if source.name in places]
        copies: set[str] = set()
        if not suspects:
            return copies
        store = self._stores.open(found.ref, session.namespace)
        client = await _opened(session, store, found.ref.name)
        for source in suspects:
            try:
                if await client.is_object(places[source.name], source.uid):
                    copies.add(source.name)
            except (ProviderError, EsoCoreError) as error:
                raise PushFailed(
                    f"could not verify if secret exists in store: {error}", retryable=is_retryable(error)
                ) from error
        return copies

    async def _push(
        self,
        client: SecretsClient,
        store: str,
        job: Job,
        done: Pushed,
        *,
        if_not_exists: bool,
        before: Mapping[str, JsonObject],
    ) -> None:
        entry, source = job.entry, job.source
        values = _values(entry, source)
        if if_not_exists:
            try:
                ref = RemoteRef(entry.remote_key, property=entry.property, metadata=entry.metadata)
                there = await client.secret_exists(ref)
            except (ProviderError, EsoCoreError) as error:
                raise PushFailed(
                    f"could not verify if secret exists in store: {error}", retryable=is_retryable(error)
                ) from error
            if there:
                if entry.place in before:
                    done.records[entry.place] = record_of(entry)
                return
        data = PushData(
            remote_key=entry.remote_key,
            secret_key=entry.secret_key,
            property=entry.property,
            metadata=entry.metadata,
            secret_type=source.type,
            labels=source.labels,
            annotations=source.annotations,
            source_uid=source.uid,
        )
        try:
            await client.push_secret(values, data)
        except (ProviderError, EsoCoreError) as error:
            raise _not_written(entry, store, str(error), retryable=is_retryable(error)) from error
        except Exception as error:
            # A defect of a backend. Its text may hold anything.
            raise _not_written(entry, store, describe_defect(error), retryable=True) from None
        done.wrote += 1
        done.records[entry.place] = record_of(entry)

    async def clear(self, owner: ObjectKey, stale: Iterable[Stale]) -> Cleared:
        """Delete what is not wanted any more; stops at the first failure.

        A store that is not there cannot be asked, now or ever: its values stay where they are, and the records go. What another
        PushSecret has written to is its own now.
        """
        done = Cleared()
        namespace = owner.namespace
        async with self._pool.session(namespace) as session:
            for one in stale:
                ref = store_of(one.store)
                if ref is not None and not one.covered:
                    if not self._stores.exists(ref, namespace):
                        done.lost[one.store] = done.lost.get(one.store, 0) + 1
                    elif not self._claims.held_by_another(owner, ref, one):
                        try:
                            await self._delete(session, ref, one.ref)
                        except PushError as error:
                            done.error = error
                            return done
                        self._claims.deleted(owner, ref, one.ref.key)
                done.gone.setdefault(one.store, {})[one.place] = {}
        return done

    async def _delete(self, session: Session, ref: StoreRef, remote: RemoteRef) -> None:
        called = store_name(ref.kind, ref.name)  # as the record has it
        store = self._stores.open(ref, session.namespace, called=called)
        client = await _opened(session, store, called)
        async with self._locks.held(store.identity, remote.key):
            try:
                await client.delete_secret(remote)
            except (ProviderError, EsoCoreError) as error:
                raise _not_deleted(remote, ref.name, str(error), retryable=is_retryable(error)) from error
            except Exception as error:
                raise _not_deleted(remote, ref.name, describe_defect(error), retryable=True) from None


def _not_written(entry: DataEntry, store: str, why: str, *, retryable: bool) -> PushFailed:
    """The condition names the key of the Secret, so nothing for a whole one; the event says where that was to go."""
    end = f"to target secretstore {store}: {why}"
    return PushFailed(
        f"could not write remote ref {entry.secret_key} {end}",
        detail=f"could not write remote ref {entry.secret_key or entry.remote_key} {end}",
        retryable=retryable,
    )


def _not_deleted(remote: RemoteRef, store: str, why: str, *, retryable: bool) -> PushFailed:
    """The condition has the reason alone; the event says which value it is about."""
    return PushFailed(
        why, detail=f"could not delete remote ref {remote.key} from secretstore {store}: {why}", retryable=retryable
    )


async def _opened(session: Session, store: Store, called: str) -> SecretsClient:
    try:
        return await session.client(store)
    except (ProviderError, EsoCoreError) as error:
        text = f"could not get secrets client for store {called}: {error}"
        raise StoreFailed(text, retryable=is_retryable(error)) from error
    except Exception as error:
        text = f"could not get secrets client for store {called}: {describe_defect(error)}"
        raise StoreFailed(text, retryable=True) from None


def _values(entry: DataEntry, source: SourceSecret) -> dict[str, bytes]:
    """What the backend gets to see of the Secret."""
    try:
        values = convert(entry.conversion, source.data)
    except EntriesRefused as error:
        raise EntriesRefused(f"could not apply conversion strategy to keys: {error}") from None
    if entry.keys is not None:
        values = {key: value for key, value in values.items() if key in entry.keys}
    if entry.secret_key and entry.secret_key not in values:
        there = ", ".join(sorted(values)) or "no keys"
        text = f"secret key {entry.secret_key} does not exist"
        raise KeyMissing(text, detail=f"{text}: {source.name} has {there}")
    return values
