"""All values of an ExternalSecret: entries are fetched side by side and merged in the order of the spec."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol, assert_never

from controllers.externalsecret.errors import FetchFailed, SyncError
from controllers.externalsecret.extensions import Extensions, Making
from controllers.externalsecret.keys import Collision, convert_keys, rewrite, valid_keys
from controllers.externalsecret.plan import DataEntry, Entry, ExtractEntry, FindEntry, GeneratorEntry, Plan
from controllers.externalsecret.values import check_nul, check_nul_map, decode, decode_map
from controllers.secretstore.access import StoreRef, StoreUnusable
from controllers.secretstore.defects import describe_defect
from eso_core.aio import TaskScope
from eso_core.meta.errors import EsoCoreError
from providers.errors import NoSecret, NotModified, ProviderError, find_cause, is_retryable
from providers.interface import SecretsClient, Store

__all__ = ["Access", "Fetched", "Fetcher", "Session"]

_SIDE_BY_SIDE: Final = 8
"""Entries of one object fetched at once: a store is asked by many objects at the same time already."""


class Session(Protocol):
    """Clients of stores for the time of one reconcile."""

    async def client(self, store: Store) -> SecretsClient: ...


class Access(Protocol):
    """Says which stores may be used; `StoreAccess` on a cluster."""

    def open(self, ref: StoreRef, namespace: str) -> Store: ...


@dataclass(slots=True)
class Fetched:
    """What the stores gave.

    Attributes:
        data: The merged values by the keys of the Secret.
        missing: Entries whose secret does not exist, as events name them (only if the deletion policy lets them pass).
        left_out: Optional entries whose secret does not exist, as conditions name them.
        empty_finds: Entries with `find` that matched nothing.
        collisions: Keys that a rewrite made of several, by entry.
        unchanged: A backend said that nothing changed, so the target stays as it is.
    """

    data: dict[str, bytes] = field(default_factory=dict, repr=False)
    missing: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    empty_finds: list[str] = field(default_factory=list)
    collisions: list[tuple[str, Collision]] = field(default_factory=list)
    unchanged: bool = False


@dataclass(frozen=True, slots=True)
class _Part:
    values: dict[str, bytes] = field(default_factory=dict, repr=False)
    collisions: tuple[Collision, ...] = ()
    found_nothing: bool = False


class Fetcher:
    """Fetches the entries of one plan.

    Args:
        session: Clients for this reconcile.
        access: Says which stores may be used.
        extensions: Key templates.
        making: The generators of this pass; None without any.
    """

    def __init__(self, session: Session, access: Access, extensions: Extensions, making: Making | None = None) -> None:
        self._session = session
        self._access = access
        self._extensions = extensions
        self._making = making
        self._stores: dict[StoreRef, Store] = {}
        self._gate = asyncio.Semaphore(_SIDE_BY_SIDE)

    async def fetch(self, plan: Plan) -> Fetched:
        """Values of all entries; the first failing entry in the order of the spec decides.

        Raises:
            FetchFailed: names the entry and what went wrong.
        """
        self._check_stores(plan)
        results: list[_Part | Exception] = [_Part()] * len(plan.entries)
        stored = [n for n, entry in enumerate(plan.entries) if not isinstance(entry, GeneratorEntry)]
        made = [n for n, entry in enumerate(plan.entries) if isinstance(entry, GeneratorEntry)]
        await self._attempt_all(plan, stored, results)
        # What generators make may be a new user somewhere: not for an object whose other entries fail anyway.
        if not any(_fails(plan, plan.entries[position], results[position]) for position in stored):
            await self._attempt_all(plan, made, results)
        return _merge(plan, results)

    async def _attempt_all(self, plan: Plan, positions: list[int], results: list[_Part | Exception]) -> None:
        if len(positions) == 1:
            results[positions[0]] = await self._attempt(plan, plan.entries[positions[0]])
        elif positions:
            async with TaskScope(f"entries of {plan.key}") as scope:
                for position in positions:
                    entry = plan.entries[position]
                    scope.spawn(self._into(results, position, plan, entry), name=f"{plan.key} {entry.label}")

    def _check_stores(self, plan: Plan) -> None:
        """Look all stores up first: an unusable one must not cost requests to the others."""
        for entry in plan.entries:
            if isinstance(entry, GeneratorEntry) or entry.store in self._stores:
                continue
            try:
                self._stores[entry.store] = self._access.open(entry.store, plan.owner.namespace)
            except StoreUnusable as error:
                raise FetchFailed(
                    f"error processing {entry.label}, err: {error}",
                    retryable=False,
                    pending=error.pending,
                    place=place_of(entry),
                ) from error

    async def _into(self, results: list[_Part | Exception], position: int, plan: Plan, entry: Entry) -> None:
        async with self._gate:
            results[position] = await self._attempt(plan, entry)

    async def _attempt(self, plan: Plan, entry: Entry) -> _Part | Exception:
        try:
            return await self._entry(plan, entry)
        except Exception as error:
            return error

    async def _entry(self, plan: Plan, entry: Entry) -> _Part:
        match entry:
            case DataEntry():
                return await self._data(entry)
            case ExtractEntry():
                client = await self._session.client(self._stores[entry.store])
                return self._treat(entry, await client.get_secret_map(entry.ref))
            case FindEntry():
                return await self._find(entry)
            case GeneratorEntry():
                if self._making is None:
                    raise SyncError("this operator has no generators")
                return self._treat(entry, await self._making.generate(entry.ref))
            case _:
                assert_never(entry)

    async def _data(self, entry: DataEntry) -> _Part:
        client = await self._session.client(self._stores[entry.store])
        value = decode(entry.treatment.decoding, await client.get_secret(entry.ref))
        check_nul(entry.treatment.nul_policy, entry.secret_key, value)
        return _Part({entry.secret_key: value})

    async def _find(self, entry: FindEntry) -> _Part:
        client = await self._session.client(self._stores[entry.store])
        try:
            values = await client.get_all_secrets(entry.find)
        except ProviderError as error:
            raise FetchFailed(f"error getting all secrets: {error}", retryable=is_retryable(error)) from error
        return self._treat(entry, values, found_nothing=not values)

    def _treat(
        self,
        entry: ExtractEntry | FindEntry | GeneratorEntry,
        values: Mapping[str, bytes],
        *,
        found_nothing: bool = False,
    ) -> _Part:
        treatment = entry.treatment
        collisions: tuple[Collision, ...] = ()
        made = isinstance(entry, GeneratorEntry)
        if treatment.rewrite:
            rewritten = rewrite(treatment.rewrite, values, self._extensions.transform)
            values, collisions = rewritten.values, tuple(rewritten.collisions)
        elif not made:
            values = convert_keys(treatment.conversion, values)
        values = valid_keys(values)
        if not made:
            values = decode_map(treatment.decoding, values)
            check_nul_map(treatment.nul_policy, values)
        return _Part(dict(values), collisions, found_nothing)


def _fails(plan: Plan, entry: Entry, result: _Part | Exception) -> bool:
    """Whether the result of an entry fails the whole object."""
    if isinstance(result, _Part) or find_cause(result, NotModified) is not None:
        return False
    missing = find_cause(result, NoSecret) is not None
    return not (missing and (entry.optional or plan.deletion_policy != "Retain"))


def _merge(plan: Plan, results: list[_Part | Exception]) -> Fetched:
    fetched = Fetched()
    for entry, result in zip(plan.entries, results, strict=True):
        if isinstance(result, _Part):
            fetched.data.update(result.values)
            fetched.collisions += [(entry.label, collision) for collision in result.collisions]
            if result.found_nothing:
                fetched.empty_finds.append(entry.label)
        elif find_cause(result, NotModified) is not None:
            fetched.unchanged = True
        elif entry.optional and find_cause(result, NoSecret) is not None:
            fetched.left_out.append(entry.title)
        elif find_cause(result, NoSecret) is not None and plan.deletion_policy != "Retain":
            fetched.missing.append(entry.missing)
        else:
            raise _failure(entry, result)
    return fetched


def _failure(entry: Entry, error: Exception) -> FetchFailed:
    prefix, place = f"error processing {entry.label}, err: ", place_of(entry)
    if isinstance(error, FetchFailed):
        failure = FetchFailed(f"{prefix}{error}", retryable=error.retryable, place=place)
    elif isinstance(error, SyncError):
        failure = FetchFailed(f"{prefix}{error}", retryable=False, place=place)
    elif isinstance(error, ProviderError | EsoCoreError):
        failure = FetchFailed(f"{prefix}{error}", retryable=is_retryable(error), place=place)
    else:
        # A defect in a provider. Its text may hold anything, so only its type and place are shown, and no cause is kept.
        return FetchFailed(f"{prefix}{describe_defect(error)}", retryable=True, place=place)
    failure.__cause__ = error
    return failure


def place_of(entry: Entry) -> str:
    """Where an entry stands and what it asks for, in words: the field, the store, the remote key."""
    match entry:
        case DataEntry(index=index, ref=ref) | ExtractEntry(index=index, ref=ref):
            field_name = "data" if isinstance(entry, DataEntry) else "dataFrom"
            asked = f'key "{ref.key}"'
            if ref.property:
                asked += f', property "{ref.property}"'
            if ref.version:
                asked += f', version "{ref.version}"'
            return f'spec.{field_name}[{index}], {entry.store.kind} "{entry.store.name}", {asked}'
        case FindEntry():
            return f'spec.dataFrom[{entry.index}], {entry.store.kind} "{entry.store.name}", find'
        case GeneratorEntry():
            return f'spec.dataFrom[{entry.index}], {entry.ref.kind} "{entry.ref.name}"'
        case _:
            assert_never(entry)
