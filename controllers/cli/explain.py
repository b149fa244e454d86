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
from controllers.explain.remote import ask_stores
from controllers.externalsecret.decide import never_applied
from controllers.externalsecret.errors import InvalidField
from controllers.externalsecret.fetch import place_of
from controllers.externalsecret.plan import GeneratorEntry, Plan, plan_of, store_refs
from controllers.externalsecret.report import EXTERNAL_SECRET
from controllers.failures import RECONCILING, STALLED, FailureClass
from controllers.fanout.kinds import CLUSTER_EXTERNAL_SECRETS, CLUSTER_PUSH_SECRETS
from controllers.generating.references import GeneratorRef, resolve
from controllers.pushsecret.plan import PUSH_SECRET
from controllers.secretstore.access import StoreRef
from controllers.secretstore.objects import CLUSTER_STORE, STORE
from eso_core.aio import SystemClock
from eso_core.meta import GVK, JsonObject, ObjectKey, find_condition, format_duration, parse_time
from eso_core.meta.errors import EsoCoreError, Forbidden
from eso_core.meta.wellknown import EVENT, NAMESPACE, SECRET
from generators.errors import InvalidGenerator, UnknownGenerator
from generators.registry import GeneratorRegistry
from providers.errors import ProviderError, find_cause

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
        self._generators = GeneratorRegistry()
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
            text = str(error).removeprefix(f"{error.path}: ")
            self._out.bad(error.path, text, "correct the field; nothing else is looked at before")
            return
        self._unapplied(plan)
        usable = await self._stores(
            dict.fromkeys(store_refs(obj)), namespace, denied=_reason(obj) == FailureClass.DENIED
        )
        for entry in plan.entries:
            if isinstance(entry, GeneratorEntry):
                await self._generator(entry.ref, namespace, place_of(entry))
        if self._ask:
            await ask_stores(self._out, self._pool, plan, usable)
        elif not ready:
            self._out.unknown("remote keys", "the stores were not asked", "look from here with --ask-store")
        if plan.manifest is None:
            explain_target(self._out, plan, await self._read(SECRET, plan.target_key), ready=ready)

    def _unapplied(self, plan: Plan) -> None:
        """A changed spec that no sync will ever look at: the object is Ready all the same."""
        why = never_applied(plan.refresh)
        if why and plan.refresh.synced.partition("-")[0] != plan.refresh.current.partition("-")[0]:
            fix = "set refreshPolicy OnChange, or delete the Secret to have it made anew"
            self._out.bad("spec", f"it has changed since the last sync, and {why.partition(':')[0]}", fix)

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

    async def _stores(
        self, refs: dict[StoreRef, None], namespace: str, *, denied: bool = False
    ) -> dict[StoreRef, JsonObject]:
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
            elsewhere = "" if store is not None else await self._elsewhere(ref, namespace)
            ready = explain_store(self._out, ref, store, namespace, labels, elsewhere)
            if store is not None:
                usable[ref] = store
                if not ready or denied:
                    await self._credentials(store, namespace)
        return usable

    async def _elsewhere(self, ref: StoreRef, namespace: str) -> str:
        """What to do where a store of the name is of the other kind, or in another namespace."""
        other = STORE if ref.kind == CLUSTER_STORE.kind else CLUSTER_STORE
        try:
            key = ObjectKey(namespace if other == STORE else "", ref.name)
            if await get_or_none(self._client, other, key) is not None:
                return f"there is a {other.kind} of this name: write kind: {other.kind} in the reference"
            if other == STORE:
                return ""
            stores = await self._client.list(STORE)
        except EsoCoreError:
            return ""  # whoever asks may not look there
        homes = sorted(s["metadata"]["namespace"] for s in stores.items if s["metadata"]["name"] == ref.name)
        if not homes:
            return ""
        return (
            f"there is one in namespace {', '.join(homes[:3])}, which serves that namespace alone: create one here, or a "
            "ClusterSecretStore"
        )

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
        subject = f"{ref.kind} {ref.name}"
        try:
            found = await resolve(ref, namespace, self._client, self._generators)
        except ProviderError as error:
            if find_cause(error, Forbidden) is not None:
                self._out.unknown(subject, f"{place} names it: {error}")
            else:
                self._out.bad(subject, f"{place} names it: {error}", _generator_fix(error))
        except Forbidden as error:
            self._out.unknown(subject, f"{place} names it: {error}")
        else:
            self._out.good(subject, f"{place}: {found.generator.kind} is known, and its spec can be read")

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
            self._out.note("event", f"{event.get('reason')}{self._age(event)}: {event.get('message')}")

    def _age(self, event: JsonObject) -> str:
        text = event.get("lastTimestamp") or event.get("eventTime")
        try:
            seconds = max(0, int((self._now - parse_time(str(text))).total_seconds()))
        except ValueError:
            return ""
        return f" ({format_duration(seconds)} ago)"

    async def _read(self, kind: GVK, key: ObjectKey) -> JsonObject | None:
        try:
            return await get_or_none(self._client, kind, key)
        except Forbidden:
            self._out.unknown(f"{kind.kind} {key}", "you may not read it")
            return None


def _reason(obj: JsonObject) -> str:
    """The kind of failure that the object tells, empty without one."""
    conditions = (obj.get("status") or {}).get("conditions") or []
    detail = find_condition(conditions, STALLED) or find_condition(conditions, RECONCILING)
    return str((detail or {}).get("reason") or "")


def _generator_fix(error: ProviderError) -> str:
    if find_cause(error, UnknownGenerator) is not None:
        return "use a kind that this operator has, or install the package that brings it"
    if isinstance(error, InvalidGenerator):
        return "correct its spec, or the reference"
    return "create it, or correct the reference"


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
