"""`eso explain KIND/NAME`: why an object is not Ready, from it to its stores, their credentials, the remote keys and the target."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import datetime
from typing import Final

from controllers.cli.live import Connection, connected, default_namespace, get_or_none, stores_of
from controllers.cli.manifests import ManifestError
from controllers.explain.findings import Explanation, Grade
from controllers.explain.links import (
    credentials,
    explain_failure,
    explain_namespace,
    explain_own,
    explain_store,
    explain_target,
)
from controllers.externalsecret.errors import InvalidField
from controllers.externalsecret.fetch import place_of
from controllers.externalsecret.plan import (
    DataEntry,
    ExtractEntry,
    FindEntry,
    GeneratorEntry,
    Plan,
    plan_of,
    store_refs,
)
from controllers.externalsecret.report import EXTERNAL_SECRET
from controllers.fanout.kinds import CLUSTER_EXTERNAL_SECRETS, CLUSTER_PUSH_SECRETS
from controllers.generating.references import CLUSTER_GENERATOR, GeneratorRef
from controllers.pushsecret.plan import PUSH_SECRET
from controllers.secretstore.access import StoreRef
from controllers.secretstore.objects import CLUSTER_STORE, STORE
from eso_core.aio import SystemClock
from eso_core.meta import GVK, JsonObject, ObjectKey
from eso_core.meta.errors import EsoCoreError, Forbidden
from eso_core.meta.wellknown import EVENT, NAMESPACE, SECRET
from generators.interface import GROUP, VERSION
from providers.errors import ProviderError
from providers.interface import Store

__all__ = ["add_arguments", "run"]

_KINDS: Final = {
    "externalsecret": EXTERNAL_SECRET, "externalsecrets": EXTERNAL_SECRET, "es": EXTERNAL_SECRET,
    "pushsecret": PUSH_SECRET, "pushsecrets": PUSH_SECRET, "ps": PUSH_SECRET,
    "secretstore": STORE, "secretstores": STORE, "ss": STORE,
    "clustersecretstore": CLUSTER_STORE, "clustersecretstores": CLUSTER_STORE, "css": CLUSTER_STORE,
    "clusterexternalsecret": CLUSTER_EXTERNAL_SECRETS.kind, "clusterexternalsecrets": CLUSTER_EXTERNAL_SECRETS.kind,
    "ces": CLUSTER_EXTERNAL_SECRETS.kind,
    "clusterpushsecret": CLUSTER_PUSH_SECRETS.kind, "clusterpushsecrets": CLUSTER_PUSH_SECRETS.kind, "cps": CLUSTER_PUSH_SECRETS.kind,
}  # fmt: skip
_CLUSTER_WIDE: Final = frozenset({CLUSTER_STORE, CLUSTER_EXTERNAL_SECRETS.kind, CLUSTER_PUSH_SECRETS.kind})
_MARKS: Final = {Grade.GOOD: "ok ", Grade.BAD: "BAD", Grade.UNKNOWN: "?  ", Grade.NOTE: "   "}
_EVENTS: Final = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `eso explain` to `parser`."""
    parser.add_argument("object", help="KIND/NAME, such as es/app, ps/app, ss/vault, css/vault, ces/app, cps/app")
    parser.add_argument("-n", "--namespace", help="(default: that of the kubeconfig)")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="(default text)")
    parser.add_argument(
        "--ask-store", action="store_true", help="open the stores from here and look whether each remote key is there"
    )
    parser.add_argument("--kubeconfig", help="kubeconfig file")
    parser.add_argument("--context", help="context of the kubeconfig")


async def run(args: argparse.Namespace) -> int:
    """Print the explanation; returns 0 when nothing is wrong, 1 otherwise.

    Raises:
        ManifestError: there is no such object, or the argument names no kind.
    """
    word, slash, name = args.object.partition("/")
    kind = _KINDS.get(word.lower())
    if kind is None or not slash or not name:
        raise ManifestError(f"{args.object}: write KIND/NAME with a kind of: {', '.join(sorted(_KINDS))}")
    async with connected(args.kubeconfig, args.context, agent="eso-explain") as connection:
        namespace = "" if kind in _CLUSTER_WIDE else default_namespace(args.namespace, connection.client)
        key = ObjectKey(namespace, name)
        obj = await get_or_none(connection.client, kind, key)
        if obj is None:
            raise ManifestError(f"{kind.kind} {key}: there is none")
        out = Explanation(f"{kind.kind} {key}")
        look = _Look(connection, out, ask=args.ask_store, now=SystemClock().now())
        await look.at(kind, {**obj, "apiVersion": kind.api_version, "kind": kind.kind})
    _print(out, args.output)
    return 1 if out.broken else 0


class _Look:
    """One look along the chain.

    Args:
        connection: To the cluster.
        out: What is found.
        ask: Whether stores are opened from here.
        now: This instant.
    """

    def __init__(self, connection: Connection, out: Explanation, *, ask: bool, now: datetime) -> None:
        self._client = connection.client
        self._pool = connection.pool
        self._out = out
        self._ask = ask
        self._now = now

    async def at(self, kind: GVK, obj: JsonObject) -> None:
        """Look at an object of one of our kinds."""
        ready = explain_own(self._out, obj, self._now)
        namespace = obj["metadata"].get("namespace") or ""
        if namespace:
            found = await self._read(NAMESPACE, ObjectKey("", namespace))
            explain_namespace(self._out, found, namespace)
        if kind == EXTERNAL_SECRET:
            await self._external_secret(obj, ready=ready)
        elif kind == PUSH_SECRET:
            await self._push_secret(obj)
        elif kind in (STORE, CLUSTER_STORE):
            await self._credentials(obj, namespace)
        else:
            self._fan_out(kind, obj)
        if not ready:
            if not self._out.broken:
                explain_failure(self._out, obj)
            await self._events(obj)

    # -- kinds -------------------------------------------------------------------------------------------------------

    async def _external_secret(self, obj: JsonObject, *, ready: bool) -> None:
        namespace = obj["metadata"]["namespace"]
        try:
            plan = plan_of(obj)
        except InvalidField as error:
            self._out.bad(error.path, str(error), "correct the field; nothing else is looked at before")
            return
        usable = await self._stores(dict.fromkeys(store_refs(obj)), namespace)
        for entry in plan.entries:
            if isinstance(entry, GeneratorEntry):
                await self._generator(entry.ref, namespace, place_of(entry))
        if self._ask:
            await self._remote_keys(plan, usable)
        elif not ready:
            self._out.unknown("remote keys", "the stores were not asked", "look from here with --ask-store")
        if plan.manifest is None:
            explain_target(self._out, plan, await self._read(SECRET, plan.target_key), ready=ready)

    async def _push_secret(self, obj: JsonObject) -> None:
        namespace = obj["metadata"]["namespace"]
        spec = obj.get("spec") or {}
        refs = [
            StoreRef(ref.get("kind") or "SecretStore", ref["name"])
            for ref in spec.get("secretStoreRefs") or ()
            if ref.get("name")
        ]
        await self._stores(dict.fromkeys(refs), namespace)
        selector = spec.get("selector") or {}
        name = (selector.get("secret") or {}).get("name")
        if name:
            source = await self._read(SECRET, ObjectKey(namespace, name))
            if source is None:
                self._out.bad(
                    f"Secret {name}", "the source is not there", "create it, or correct spec.selector.secret.name"
                )
            else:
                keys = set(source.get("data") or {})
                wanted = {
                    match["secretKey"]
                    for match in ((entry.get("match") or {}) for entry in spec.get("data") or ())
                    if match.get("secretKey")
                }
                missing = sorted(wanted - keys) if not spec.get("template") else []
                if missing:
                    self._out.bad(
                        f"Secret {name}",
                        f"the source has no key {', '.join(missing)}",
                        f"it has: {', '.join(sorted(keys)) or 'none'}",
                    )
                else:
                    self._out.good(f"Secret {name}", f"the source is there, with {len(keys)} keys")
        if selector.get("generatorRef"):
            await self._generator(GeneratorRef.of(selector["generatorRef"]), namespace, "spec.selector.generatorRef")
        for store, entries in ((obj.get("status") or {}).get("syncedPushSecrets") or {}).items():
            self._out.note(store, f"{len(entries)} entries have been pushed")

    def _fan_out(self, kind: GVK, obj: JsonObject) -> None:
        status = obj.get("status") or {}
        provisioned, failed = status.get("provisionedNamespaces") or [], status.get("failedNamespaces") or []
        self._out.note("namespaces", f"{len(provisioned)} have their copy")
        if not provisioned and not failed:
            self._out.bad(
                "selectors", "they match no namespace", "compare them with: kubectl get namespaces --show-labels"
            )
        for failure in failed:
            self._out.bad(
                f"Namespace {failure.get('namespace')}",
                str(failure.get("reason") or "its copy could not be made"),
                "where the name is taken, rename either object, or delete the other one",
            )

    # -- links -------------------------------------------------------------------------------------------------------

    async def _stores(self, refs: dict[StoreRef, None], namespace: str) -> dict[StoreRef, JsonObject]:
        known = await stores_of(self._client, refs, namespace)
        entry = known.peek(NAMESPACE, ObjectKey("", namespace))
        labels = dict(((entry.body if entry is not None else {}).get("metadata") or {}).get("labels") or {})
        usable: dict[StoreRef, JsonObject] = {}
        for ref in refs:
            if ref.kind not in (STORE.kind, CLUSTER_STORE.kind):
                self._out.bad(
                    f"{ref.kind} {ref.name}", "there is no such kind of store", "use SecretStore or ClusterSecretStore"
                )
                continue
            found = known.peek(ref.gvk, ref.key(namespace))
            store = None if found is None else {**found.body, "kind": ref.kind}
            ready = explain_store(self._out, ref, store, namespace, labels)
            if store is not None:
                usable[ref] = store
                if not ready:
                    await self._credentials(store, namespace)
        return usable

    async def _credentials(self, store: JsonObject, namespace: str) -> None:
        """The Secrets that a store logs in with."""
        for path, where, name, secret_key in credentials(store, namespace):
            if not where:
                self._out.note(path, "it is read in the namespace of each consumer")
                continue
            subject = f"Secret {where}/{name}"
            try:
                secret = await get_or_none(self._client, SECRET, ObjectKey(where, name))
            except Forbidden:
                self._out.unknown(subject, f"{path} names it; you may not read it")
                continue
            if secret is None:
                self._out.bad(
                    subject, f"{path} names it, and it is not there", "create it: the store is checked at once"
                )
            elif secret_key and secret_key not in (secret.get("data") or {}):
                there = ", ".join(sorted(secret.get("data") or {})) or "no keys"
                self._out.bad(
                    subject, f'{path} names its key "{secret_key}", which it does not have', f"it has: {there}"
                )
            else:
                self._out.good(subject, f"{path}: it is there")

    async def _generator(self, ref: GeneratorRef, namespace: str, place: str) -> None:
        cluster = ref.kind == CLUSTER_GENERATOR.kind
        key = ObjectKey("" if cluster else namespace, ref.name)
        subject = f"{ref.kind} {ref.name}"
        try:
            found = await get_or_none(self._client, GVK(GROUP, VERSION, ref.kind), key)
        except EsoCoreError as error:
            self._out.unknown(subject, f"{place} names it: {error}")
            return
        if found is None:
            self._out.bad(subject, f"{place} names it, and it is not there", "create it, or correct the reference")
        else:
            self._out.good(subject, f"{place}: it is there")

    async def _remote_keys(self, plan: Plan, stores: dict[StoreRef, JsonObject]) -> None:
        """Whether the stores have what the entries ask for; values are read and thrown away."""
        async with self._pool.session(plan.owner.namespace) as session:
            for entry in plan.entries:
                if isinstance(entry, GeneratorEntry) or entry.store not in stores:
                    continue
                place = place_of(entry)
                try:
                    client = await session.client(Store.from_object(stores[entry.store]))
                    match entry:
                        case DataEntry():
                            size = f"{len(await client.get_secret(entry.ref))} bytes"
                        case ExtractEntry():
                            size = f"{len(await client.get_secret_map(entry.ref))} keys"
                        case FindEntry():
                            size = f"{len(await client.get_all_secrets(entry.find))} secrets"
                except ProviderError as error:
                    fix = (
                        "correct the entry, or put the value into the store"
                        if not error.retryable
                        else "see that the store answers"
                    )
                    self._out.bad(place, f"{error}", fix)
                else:
                    self._out.good(place, f"the store has it: {size}")

    async def _events(self, obj: JsonObject) -> None:
        """The newest warnings about the object."""
        uid, namespace = obj["metadata"].get("uid") or "", obj["metadata"].get("namespace") or "default"
        try:
            listed = await self._client.list(EVENT, namespace, field_selector=f"involvedObject.uid={uid}")
        except EsoCoreError as error:
            self._out.unknown("events", str(error))
            return
        warnings = [event for event in listed.items if event.get("type") == "Warning"]
        warnings.sort(key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or ""))
        for event in warnings[-_EVENTS:]:
            self._out.note("event", f"{event.get('reason')}: {event.get('message')}")

    async def _read(self, kind: GVK, key: ObjectKey) -> JsonObject | None:
        try:
            return await get_or_none(self._client, kind, key)
        except Forbidden:
            self._out.unknown(f"{kind.kind} {key}", "you may not read it")
            return None


def _print(out: Explanation, output: str) -> None:
    if output == "json":
        findings = [
            {"grade": str(finding.grade), "subject": finding.subject, "text": finding.text, "fix": finding.fix}
            for finding in out.findings
        ]
        sys.stdout.write(
            json.dumps({"object": out.title, "verdict": out.verdict, "findings": findings}, indent=2) + "\n"
        )
        return
    sys.stdout.write(f"{out.title}: {out.verdict}\n")
    for finding in out.findings:
        sys.stdout.write(f"  {_MARKS[finding.grade]} {finding.subject}: {finding.text}\n")
        if finding.fix:
            sys.stdout.write(f"      fix: {finding.fix}\n")
