"""`eso diff`: what the next sync of an ExternalSecret would change. Names, lengths and salted hashes; never a value."""

from __future__ import annotations

import argparse
import hashlib
import json
import secrets
import sys
from collections.abc import Mapping

from msgspec import Struct

from controllers.cli.live import Connection, LiveSources, connected, default_namespace, get_or_none, stores_of
from controllers.cli.manifests import ManifestError
from controllers.externalsecret.errors import SyncError
from controllers.externalsecret.extensions import Extensions
from controllers.externalsecret.fetch import Fetcher
from controllers.externalsecret.plan import GeneratorEntry, plan_of
from controllers.externalsecret.render import Content, decode_data, render_secret
from controllers.externalsecret.report import EXTERNAL_SECRET
from controllers.externalsecret.templates import SecretTemplates
from controllers.generating.references import GeneratorRef
from controllers.secretstore.access import StoreAccess
from controllers.templating.stage import TemplateSettings
from eso_core.meta import JsonObject, ObjectKey
from eso_core.meta.wellknown import SECRET

__all__ = ["Difference", "add_arguments", "differences", "run"]

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
        what: `key`, `label`, `annotation`, `type` or `secret`.
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
                raise ManifestError(f"ExternalSecret {key}: the next sync would fail: {error}") from error
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
    return 1 if changed else 0


async def _of(
    connection: Connection, obj: JsonObject, settings: TemplateSettings
) -> tuple[list[str], list[Difference]]:
    """Remarks and differences of one object."""
    plan = plan_of(obj)
    if plan.manifest is not None:
        raise SyncError("spec.target.manifest: eso diff compares Secrets: see eso render")
    notes = [
        f"{entry.label}: a generator makes new values at each sync, so its keys are left out"
        for entry in plan.entries
        if isinstance(entry, GeneratorEntry)
    ]
    existing = await get_or_none(connection.client, SECRET, plan.target_key)
    known = await stores_of(connection.client, plan.stores, plan.owner.namespace)
    classes = {str((store.get("spec") or {}).get("controller") or "") for store in known.stores()}
    access = StoreAccess(known, controller_class=next(iter(sorted(classes, reverse=True)), ""), flood_gate=False)
    extensions = Extensions(templates=SecretTemplates(LiveSources(connection.client), settings), generators=None)
    async with connection.pool.session(plan.owner.namespace) as session:
        fetched = await Fetcher(session, access, extensions, _NoGenerators()).fetch(plan)
    if not fetched.data and plan.deletion_policy == "Retain":
        return [*notes, "there are no values: the Secret would be kept (deletionPolicy Retain)"], []
    if not fetched.data and plan.deletion_policy == "Delete":
        gone = [Difference("-", "secret", plan.target.name)] if existing is not None else []
        return [*notes, "there are no values: the Secret would be deleted (deletionPolicy Delete)"], gone
    if plan.target.creation == "None" or (plan.target.creation == "Merge" and existing is None):
        return [*notes, f"creationPolicy {plan.target.creation}: no Secret would be written"], []
    if plan.template is not None and extensions.templates is not None:
        previous = decode_data(existing) if existing is not None else None
        content = await extensions.templates.content(plan, fetched.data, previous)
    else:
        content = Content.plain(plan.owner, fetched.data)
    wanted = render_secret(plan.owner, plan.target, content, existing).secret
    return notes, differences(existing, wanted, generated=bool(plan.generators))


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

    async def generate(self, ref: GeneratorRef) -> dict[str, bytes]:
        """Nothing."""
        return {}

    async def commit(self) -> None:
        """Nothing was made."""

    async def discard(self) -> None:
        """Nothing was made."""
