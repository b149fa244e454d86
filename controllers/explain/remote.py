"""What the stores answer when they are asked from here; values are read and thrown away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from controllers.explain.findings import Explanation
from controllers.externalsecret.fetch import place_of
from controllers.externalsecret.plan import DataEntry, Entry, ExtractEntry, FindEntry, GeneratorEntry, Plan
from controllers.secretstore.access import StoreRef
from eso_core.meta import JsonObject
from providers.errors import ErrorKind, InvalidEntry, ProviderError, find_cause
from providers.interface import SecretsClient, Store
from providers.pool import ClientPool

__all__ = ["ask_stores"]

_ENTRY_FIXES: Final = {
    ErrorKind.MISSING: "put the secret into the store, correct the remote key, or mark the entry with optional: true",
    ErrorKind.SPEC: "correct the field that the message names, in the store or in the entry",
    ErrorKind.REFERENCE: "create what the message names, or correct the reference in the store",
    ErrorKind.CREDENTIALS: "renew the credentials of the store if they have expired, or give them the right to read this key",
    ErrorKind.UNAVAILABLE: "do what the message says; it is tried again by itself",
    ErrorKind.DATA: "correct the entry (property, version, strategies), or the value in the store",
}


async def ask_stores(out: Explanation, pool: ClientPool, plan: Plan, stores: Mapping[StoreRef, JsonObject]) -> None:
    """Open the stores of a plan and look whether each remote key is there.

    Args:
        out: Gets what is found.
        pool: Opens stores.
        plan: Whose entries.
        stores: The stores that may be used.
    """
    closed: set[StoreRef] = set()
    checked: set[StoreRef] = set()
    async with pool.session(plan.owner.namespace) as session:
        for entry in plan.entries:
            if isinstance(entry, GeneratorEntry) or entry.store not in stores or entry.store in closed:
                continue
            try:
                client = await session.client(Store.from_object(stores[entry.store]))
            except ProviderError as error:
                closed.add(entry.store)
                if not any(str(error) in finding.text for finding in out.broken):
                    subject = f"{entry.store.kind} {entry.store.name}"
                    out.bad(subject, f"it cannot be opened from here: {error}", "do what the message says")
                continue
            try:
                size = await _size(client, entry)
            except ProviderError as error:
                fix = (
                    "correct the field of the entry"
                    if find_cause(error, InvalidEntry)
                    else _ENTRY_FIXES.get(error.kind, "do what the message says")
                )
                out.bad(place_of(entry), str(error), fix)
                if error.kind is ErrorKind.CREDENTIALS and entry.store not in checked:
                    checked.add(entry.store)
                    await _check(out, client, entry.store)
            else:
                out.good(place_of(entry), f"the store has it: {size}")


async def _size(client: SecretsClient, entry: Entry) -> str:
    match entry:
        case DataEntry():
            return f"{len(await client.get_secret(entry.ref))} bytes"
        case ExtractEntry():
            return f"{len(await client.get_secret_map(entry.ref))} keys"
        case FindEntry():
            return f"{len(await client.get_all_secrets(entry.find))} secrets"
        case GeneratorEntry():
            return ""


async def _check(out: Explanation, client: SecretsClient, ref: StoreRef) -> None:
    """Whether it is the credentials or their rights that are wrong: the store's own check tells them apart."""
    subject = f"{ref.kind} {ref.name}"
    try:
        await client.validate()
    except ProviderError as error:
        if not any(str(error) in finding.text for finding in out.broken):
            out.bad(
                subject, f"its own check fails as well: {error}", "renew its credentials: see the Secrets that it names"
            )
    else:
        out.note(subject, "its own check passes: the credentials are valid, what they lack is a right")
