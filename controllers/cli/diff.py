"""`eso diff`: what the next sync of an ExternalSecret would change. Names, lengths and salted hashes; never a value."""

from __future__ import annotations

import argparse
import hashlib
import json
import secrets
import sys
from collections.abc import Mapping
from datetime import UTC, datetime

from msgspec import Struct, structs

from controllers.cli.live import Connection, Known, LiveSources, connected, default_namespace, get_or_none, stores_of
from controllers.cli.manifests import ManifestError
from controllers.externalsecret.decide import never_applied, should_refresh
from controllers.externalsecret.errors import FetchFailed, SyncError, TargetImmutable
from controllers.externalsecret.extensions import Extensions
from controllers.externalsecret.fetch import Fetcher
from controllers.externalsecret.names import CREATED_BY_LABEL, DATA_HASH_ANNOTATION, owner_label_value
from controllers.externalsecret.plan import GeneratorEntry, Plan, plan_of
from controllers.externalsecret.render import (
    Content,
    decode_data,
    has_written,
    is_frozen,
    is_intact,
    is_managed,
    render_secret,
)
from controllers.externalsecret.report import EXTERNAL_SECRET
from controllers.externalsecret.target import owned_by
from controllers.externalsecret.templates import SecretTemplates
from controllers.generating.references import GeneratorRef, resolve
from controllers.secretstore.access import StoreAccess
from controllers.templating.redaction import redacted
from controllers.templating.stage import TemplateSettings
from eso_core.meta import JsonObject, ObjectKey, find_condition
from eso_core.meta.errors import BadRequest, EsoCoreError, Forbidden, Invalid, RequestEntityTooLarge
from eso_core.meta.wellknown import SECRET
from generators.registry import GeneratorRegistry
from providers.errors import ProviderError

__all__ = ["Difference", "add_arguments", "differences", "run"]

_SOME_DAY = datetime(9999, 1, 1, tzinfo=UTC)
_METADATA = ("labels", "annotations")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `eso diff` to `parser`."""
    parser.add_argument("name", nargs="+", help="ExternalSecrets")
    parser.add_argument("-n", "--namespace", help="(default: that of the kubeconfig)")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="(default text)")
    parser.add_argument("--kubeconfig", help="kubeconfig file")
    parser.add_argument("--context", help="context of the kubeconfig")
    parser.add_argument("--template-left-delimiter", default="", help="before an action of a template (default {{)")
    parser.add_argument("--template-right-delimiter", default="", help="after an action of a template (default }})")


class Difference(Struct, frozen=True):
    """One thing that a sync would change.

    Attributes:
        sign: `+` it comes, `-` it goes, `~` it changes.
        what: `key`, `label`, `annotation`, `type`, `secret`, or `values` of a generator.
        name: Its name.
        detail: Lengths and hashes, in words.
    """

    sign: str
    what: str
    name: str
    detail: str = ""

    def line(self) -> str:
        """The difference as one line."""
        return f"  {self.sign} {self.what} {self.name}" + (f"  {self.detail}" if self.detail else "")


async def run(args: argparse.Namespace) -> int:
    """Print the differences; returns 0 without any, 1 with some.

    Raises:
        ManifestError: an object is not there, or its values cannot be had.
    """
    changed = False
    shown: list[JsonObject] = []
    failures: list[str] = []
    async with connected(args.kubeconfig, args.context, agent="eso-diff") as connection:
        namespace = default_namespace(args.namespace, connection.client)
        settings = TemplateSettings(args.template_left_delimiter, args.template_right_delimiter)
        for name in args.name:
            key = ObjectKey(namespace, name)
            obj = await get_or_none(connection.client, EXTERNAL_SECRET, key)
            if obj is None:
                raise ManifestError(
                    f"ExternalSecret {key}: there is none: see kubectl get externalsecrets -n {namespace}"
                )
            try:
                notes, found = await _of(connection, obj, settings)
            except SyncError as error:
                failures.append(f"ExternalSecret {key}: the next sync would fail: {error}")
                if args.output == "json":
                    shown.append({"namespace": namespace, "name": name, "error": str(error), "differences": []})
                continue
            changed = changed or bool(found)
            if args.output == "json":
                shown.append(
                    {
                        "namespace": namespace,
                        "name": name,
                        "notes": notes,
                        "differences": [
                            {"sign": d.sign, "what": d.what, "name": d.name, "detail": d.detail} for d in found
                        ],
                    }
                )
                continue
            sys.stdout.write(
                f"ExternalSecret {key}: {f'{len(found)} differences' if found else 'nothing would change'}\n"
            )
            sys.stdout.writelines(f"  {note}\n" for note in notes)
            sys.stdout.writelines(f"{difference.line()}\n" for difference in found)
    if args.output == "json":
        sys.stdout.write(json.dumps(shown, indent=2) + "\n")
    if failures:
        raise ManifestError("\n".join(failures))
    return 1 if changed else 0


async def _of(
    connection: Connection, obj: JsonObject, settings: TemplateSettings
) -> tuple[list[str], list[Difference]]:
    """Remarks and differences of one object."""
    plan = plan_of(obj)
    if plan.manifest is not None:
        raise SyncError("spec.target.manifest: eso diff compares Secrets: see eso render")
    existing = await get_or_none(connection.client, SECRET, plan.target_key)
    known = await stores_of(connection.client, plan.stores, plan.owner.namespace)
    notes = _standing(plan, known)
    made = await _generated(connection, plan)
    if made and is_intact(existing) and not should_refresh(structs.replace(plan.refresh, windows=None), _SOME_DAY):
        return [*notes, "what generators have made stays: no sync is due, ever"], []
    classes = {str((store.get("spec") or {}).get("controller") or "") for store in known.stores()}
    access = StoreAccess(known, controller_class=next(iter(sorted(classes, reverse=True)), ""), flood_gate=False)
    extensions = Extensions(templates=SecretTemplates(LiveSources(connection.client), settings), generators=None)
    async with connection.pool.session(plan.owner.namespace) as session:
        fetched = await Fetcher(session, access, extensions, _NoGenerators()).fetch(plan)
    notes += [f"{left_out}: the store does not have it; it is optional" for left_out in fetched.left_out]
    gone = await _orphans(connection, plan)
    if not fetched.data and not made:
        if plan.deletion_policy == "Retain":
            return [*notes, "there are no values: the Secret would be kept (deletionPolicy Retain)"], []
        if plan.deletion_policy == "Delete":
            return [*notes, "there are no values: the Secret would be deleted (deletionPolicy Delete)"], _deletion(
                plan, existing
            )
    if plan.target.creation == "None" or (plan.target.creation == "Merge" and existing is None):
        return [*notes, f"creationPolicy {plan.target.creation}: no Secret would be written"], []
    if made and plan.template is not None:
        return [
            *notes,
            "the template needs values of generators, which are not asked: its result is not compared",
        ], made
    if plan.template is not None and extensions.templates is not None:
        previous = decode_data(existing) if existing is not None else None
        content = await extensions.templates.content(plan, fetched.data, previous)
    else:
        content = Content.plain(plan.owner, fetched.data)
    rendered = render_secret(plan.owner, plan.target, content, existing)
    settled = existing is not None and has_written(plan.owner, plan.target, existing)
    if made and settled and plan.target.immutable:
        made = []  # it takes no new values
    if existing is not None and is_frozen(rendered.secret, existing) and not made:
        raise TargetImmutable(f"Secret {plan.target.name} is immutable, and its data or type would change")
    if existing is not None and not is_managed(existing["metadata"]) and plan.target.creation in ("Owner", "Orphan"):
        notes.append("no ExternalSecret made this Secret: it is taken over, unless --adopt-existing-secrets=false")
    found = differences(existing, rendered.secret, generated=bool(made))
    if made:
        found = [d for d in found if d.name != DATA_HASH_ANNOTATION]  # of the values that were left out
    found += made + gone
    if found and not made:
        notes += await _refusal(connection, rendered.secret, existing)
    return notes, found


def _standing(plan: Plan, known: Known) -> list[str]:
    """Why the next sync may be far away, or somebody else's."""
    notes = []
    why = never_applied(plan.refresh)
    if why:
        notes.append(f"no sync is due: {why}; a deleted Secret is made anew")
    for store in known.stores():
        spec, name = store.get("spec") or {}, store["metadata"]["name"]
        ready = find_condition((store.get("status") or {}).get("conditions"), "Ready") or {}
        if spec.get("controller"):
            notes.append(f"store {name} is for operators with --controller-class={spec['controller']}")
        elif ready.get("status") == "False":
            notes.append(f"store {name} is not ready, and nothing is synced before it is: {ready.get('message')}")
    return notes


async def _generated(connection: Connection, plan: Plan) -> list[Difference]:
    """What generators would make anew; they are not asked.

    Raises:
        FetchFailed: one is missing, or cannot work.
    """
    made = []
    registry = GeneratorRegistry()
    for entry in plan.entries:
        if not isinstance(entry, GeneratorEntry):
            continue
        try:
            await resolve(entry.ref, plan.owner.namespace, connection.client, registry)
        except ProviderError as error:
            raise FetchFailed(f"error processing {entry.label}, err: {error}", retryable=error.retryable) from error
        made.append(Difference("~", "values", f"{entry.ref.kind}/{entry.ref.name}", "made anew at each sync"))
    return made


async def _orphans(connection: Connection, plan: Plan) -> list[Difference]:
    """Secrets that go because the target has another name now."""
    if plan.target.creation != "Owner":
        return []
    selector = f"{CREATED_BY_LABEL}={owner_label_value(plan.owner.namespace, plan.owner.name)}"
    try:
        listed = await connection.client.list(SECRET, plan.owner.namespace, label_selector=selector)
    except Forbidden:
        return []
    return [
        Difference("-", "secret", secret["metadata"]["name"], "it was the target before")
        for secret in listed.items
        if secret["metadata"]["name"] != plan.target.name and owned_by(secret, plan.owner)
    ]


def _deletion(plan: Plan, existing: JsonObject | None) -> list[Difference]:
    """The target goes, if it is ours.

    Raises:
        SyncError: it is not.
    """
    if plan.target.creation != "Owner":
        raise SyncError(
            f"unable to delete secret {plan.target.name}: creationPolicy={plan.target.creation} is not Owner"
        )
    if existing is None:
        return []
    if not owned_by(existing, plan.owner):
        raise SyncError(f"unable to delete secret {plan.target.name}: this ExternalSecret does not own it")
    return [Difference("-", "secret", plan.target.name)]


async def _refusal(connection: Connection, wanted: JsonObject, existing: JsonObject | None) -> list[str]:
    """Ask the API server whether it would take the Secret; a dry run stores nothing.

    Raises:
        SyncError: it would not.
    """
    body = {
        **wanted,
        "metadata": {name: value for name, value in wanted["metadata"].items() if name != "managedFields"},
    }
    try:
        if existing is None:
            await connection.client.create(body, dry_run=True)
        else:
            await connection.client.update(body, dry_run=True)
    except (Invalid, BadRequest, RequestEntityTooLarge) as error:
        # The server quotes labels and annotations that it refuses, and a template may have put values there.
        raise SyncError(redacted(str(error), decode_data(wanted))) from error
    except EsoCoreError as error:
        return [
            f"whether the API server takes the Secret could not be tried: {redacted(str(error), decode_data(wanted))}"
        ]
    return []


def differences(existing: JsonObject | None, wanted: JsonObject, *, generated: bool = False) -> list[Difference]:
    """What differs between a Secret and what a sync would make of it.

    Args:
        existing: As it is, None if there is none.
        wanted: As it would be.
        generated: Keys that are missing in `wanted` may be those of generators, which were not asked.
    """
    salt = secrets.token_bytes(16)
    found: list[Difference] = []
    if existing is None:
        found.append(Difference("+", "secret", wanted["metadata"]["name"]))
    before, after = decode_data(existing or {"metadata": {}}), decode_data(wanted)
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if old == new or (new is None and generated):
            continue
        if old is None and new is not None:
            found.append(Difference("+", "key", key, _shown(new, salt)))
        elif new is None and old is not None:
            found.append(Difference("-", "key", key, _shown(old, salt)))
        elif old is not None and new is not None:
            found.append(Difference("~", "key", key, f"{_shown(old, salt)} -> {_shown(new, salt)}"))
    for part in _METADATA:
        found += _map(part.removesuffix("s"), _part(existing, part), _part(wanted, part))
    types = ((existing or {}).get("type") or "Opaque", wanted.get("type") or "Opaque")
    if existing is not None and types[0] != types[1]:
        found.append(Difference("~", "type", types[1], f"was {types[0]}"))
    return found


def _part(secret: JsonObject | None, name: str) -> Mapping[str, str]:
    return ((secret or {}).get("metadata") or {}).get(name) or {}


def _map(what: str, before: Mapping[str, str], after: Mapping[str, str]) -> list[Difference]:
    """Names alone: a template may have put a value into a label."""
    found = []
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            sign = "+" if name not in before else "-" if name not in after else "~"
            found.append(Difference(sign, what, name))
    return found


def _shown(value: bytes, salt: bytes) -> str:
    """Length and hash. The salt is new at each run, so that nobody can find a short value by its hash."""
    digest = hashlib.sha3_224(salt + value).hexdigest()[:8]
    return f"{len(value)} bytes #{digest}"


class _NoGenerators:
    """Generators are not asked: each answer would be another one."""

    lifetime: float | None = None
    pending: bool = False

    async def generate(self, ref: GeneratorRef) -> dict[str, bytes]:
        """Nothing."""
        return {}

    async def commit(self) -> None:
        """Nothing was made."""

    async def discard(self) -> None:
        """Nothing was made."""
