"""`eso render`: the Secret that an ExternalSecret makes, without a cluster, by the code that the operator runs."""

from __future__ import annotations

import argparse
import base64
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from controllers.api.externalsecret import ExternalSecret
from controllers.api.externalsecret_v1beta1 import ExternalSecretV1Beta1
from controllers.cli.manifests import Manifest, ManifestError, load
from controllers.externalsecret.errors import SyncError
from controllers.externalsecret.extensions import Extensions
from controllers.externalsecret.fetch import Fetched, Fetcher
from controllers.externalsecret.manifest import Manifests
from controllers.externalsecret.plan import Plan, plan_of
from controllers.externalsecret.render import Content, decode_data, render_secret
from controllers.externalsecret.templates import SecretTemplates
from controllers.secretstore.access import StoreRef
from controllers.templating.stage import StageFailed, TemplateSettings
from eso_core.meta import JsonObject
from eso_core.meta.errors import DecodeError
from providers.fake import FakeClient, entries_of
from providers.find import name_matcher
from providers.interface import Find, SecretsClient, Store

__all__ = ["add_arguments", "run"]

_VERSIONS: Mapping[str, type[Any]] = {
    "external-secrets.io/v1": ExternalSecret,
    "external-secrets.io/v1beta1": ExternalSecretV1Beta1,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `eso render` to `parser`."""
    parser.add_argument(
        "-f",
        "--filename",
        action="append",
        required=True,
        metavar="PATH",
        help="file or folder with the ExternalSecret, and the ConfigMaps and Secrets that it names; may be repeated",
    )
    values = parser.add_mutually_exclusive_group()
    values.add_argument("--data", metavar="FILE", help="YAML in place of the stores: remote key to text or document")
    values.add_argument("--values", metavar="FILE", help="YAML with the variables of the template; nothing is fetched")
    parser.add_argument(
        "-n", "--namespace", default="default", help="namespace of objects without one (default default)"
    )
    parser.add_argument("-o", "--output", choices=("yaml", "json"), default="yaml", help="(default yaml)")
    parser.add_argument("--template-left-delimiter", default="", help="before an action of a template (default {{)")
    parser.add_argument("--template-right-delimiter", default="", help="after an action of a template (default }})")


async def run(args: argparse.Namespace) -> int:
    """Print the Secret of each ExternalSecret; returns the exit status.

    Raises:
        ManifestError: a file cannot be read, or an object cannot be rendered; names both.
    """
    manifests = load(args.filename)
    objects = [found for manifest in manifests for found in _external_secrets(manifest, args.namespace)]
    if not objects:
        raise ManifestError(f"{', '.join(args.filename)}: no ExternalSecret or ClusterExternalSecret in there")
    data = _values_file(args.data) if args.data else None
    values = _values_file(args.values) if args.values else None
    settings = TemplateSettings(args.template_left_delimiter, args.template_right_delimiter)
    others = _Others(manifests, args.namespace)
    extensions = Extensions(templates=SecretTemplates(others, settings))
    targets = Manifests(others, settings)
    secrets: list[JsonObject] = []
    for source, obj in objects:
        title = f"{source}: {obj['kind']} {obj['metadata']['namespace']}/{obj['metadata']['name']}"
        try:
            secret = await _secret(obj, extensions, targets, others, data, values)
        except SyncError as error:
            raise ManifestError(f"{title}: {error}") from error
        if isinstance(secret, str):
            sys.stderr.write(f"{title}: {secret}\n")
        else:
            secrets.append(secret)
    _print(secrets, args.output)
    return 0


def _external_secrets(manifest: Manifest, namespace: str) -> list[tuple[str, JsonObject]]:
    """The ExternalSecrets of a manifest, checked against the schema of their version."""
    body = manifest.body
    group = str(body["apiVersion"]).partition("/")[0]
    if group != "external-secrets.io" or body["kind"] not in ("ExternalSecret", "ClusterExternalSecret"):
        return []
    if body["apiVersion"] not in _VERSIONS:
        raise ManifestError(f"{manifest.source}: {manifest.title}: version {body['apiVersion']} is not known")
    metadata: JsonObject = body["metadata"]
    spec = body.get("spec") or {}
    if body["kind"] == "ClusterExternalSecret":
        given = spec.get("externalSecretMetadata") or {}
        metadata = {**given, "name": spec.get("externalSecretName") or metadata["name"]}
        spec = spec.get("externalSecretSpec") or {}
    obj = {
        "apiVersion": body["apiVersion"],
        "kind": "ExternalSecret",
        "metadata": {**metadata, "namespace": metadata.get("namespace") or namespace},
        "spec": spec,
    }
    try:
        _VERSIONS[body["apiVersion"]].decode(obj)
    except DecodeError as error:
        raise ManifestError(f"{manifest.source}: {error}") from error
    return [(manifest.source, obj)]


async def _secret(
    obj: JsonObject,
    extensions: Extensions,
    manifests: Manifests,
    others: _Others,
    data: Mapping[str, bytes] | None,
    values: Mapping[str, bytes] | None,
) -> JsonObject | str:
    """The Secret, or why the operator would write none."""
    plan = plan_of(obj)
    if values is not None:
        fetched = Fetched(data=dict(values))
    else:
        extensions.check(plan)
        if data is None and plan.entries:
            raise SyncError("no values: give --data FILE in place of the stores, or --values FILE for the variables")
        fetched = await Fetcher(_Offline(data or {}), _Anything(), extensions).fetch(plan)
    existing = others.secret(plan)
    if not fetched.data and plan.deletion_policy != "Merge":
        kept = plan.deletion_policy == "Retain"
        return f"there are no values: the operator would {'keep' if kept else 'delete'} the Secret (deletionPolicy)"
    if plan.target.creation == "None":
        return "creationPolicy None: the operator would write no Secret"
    if plan.target.creation == "Merge" and existing is None:
        return f"creationPolicy Merge needs the Secret {plan.target.name} to be there: add its manifest with -f"
    if plan.manifest is not None:
        inherited = Content.plain(plan.owner, {}).annotations
        return await manifests.build(plan, fetched.data, None, inherited)
    if plan.template is None or extensions.templates is None:
        content = Content.plain(plan.owner, fetched.data)
    else:
        previous = decode_data(existing) if existing is not None else None
        content = await extensions.templates.content(plan, fetched.data, previous)
    return render_secret(plan.owner, plan.target, content, existing).secret


class _Others:
    """ConfigMaps and Secrets of the given files: sources of templates, and targets that exist."""

    def __init__(self, manifests: Sequence[Manifest], namespace: str) -> None:
        self._objects: dict[tuple[str, str, str], JsonObject] = {}
        for manifest in manifests:
            body, metadata = manifest.body, manifest.body["metadata"]
            if body["apiVersion"] == "v1" and body["kind"] in ("ConfigMap", "Secret"):
                self._objects[body["kind"], metadata.get("namespace") or namespace, metadata["name"]] = body

    async def read(self, kind: str, namespace: str, name: str) -> Mapping[str, bytes]:
        """The data of a source.

        Raises:
            StageFailed: no file has it.
        """
        found = self._objects.get((kind, namespace, name))
        if found is None:
            hint = f"add the manifest of {kind} {namespace}/{name} with -f"
            raise StageFailed(f'{kind.lower()}s "{name}" not found', hint=hint)
        if kind == "Secret":
            return _secret_data(found)
        return {key: str(value).encode() for key, value in (found.get("data") or {}).items()}

    def secret(self, plan: Plan) -> JsonObject | None:
        """The target as it exists, None if no file has it."""
        found = self._objects.get(("Secret", *plan.target_key))
        if found is None:
            return None
        known = {name: value for name, value in found.items() if name != "stringData"}
        metadata = {**found["metadata"], "namespace": plan.owner.namespace}
        encoded = _encoded(_secret_data(found))
        return {"type": "Opaque", **known, "metadata": metadata, **({"data": encoded} if encoded else {})}


def _secret_data(secret: JsonObject) -> dict[str, bytes]:
    texts = {key: str(value).encode() for key, value in (secret.get("stringData") or {}).items()}
    return {**decode_data(secret), **texts}


def _encoded(data: Mapping[str, bytes]) -> dict[str, str]:
    return {key: base64.b64encode(value).decode() for key, value in data.items()}


class _Anything:
    """Every store may be used."""

    def open(self, ref: StoreRef, namespace: str) -> Store:
        return Store(ref.kind, ref.name, namespace, "", 0, "", {"provider": {"fake": {"data": []}}}, {})


class _Offline:
    """Clients that read from the file, whatever the store."""

    def __init__(self, data: Mapping[str, bytes]) -> None:
        self._client = _FileClient(data)

    async def client(self, store: Store) -> SecretsClient:
        return self._client


class _FileClient(FakeClient):
    """Remote keys and values of a file; names are found as they are."""

    def __init__(self, data: Mapping[str, bytes]) -> None:
        super().__init__(entries_of(data), {}, 0)
        self._data = data

    async def get_all_secrets(self, find: Find) -> dict[str, bytes]:
        if find.tags:
            raise SyncError("find.tags: the file of --data has no tags: find by name or path")
        matches = name_matcher(find.name_regexp) if find.name_regexp is not None else lambda _: True
        path = find.path or ""
        return {key: value for key, value in sorted(self._data.items()) if key.startswith(path) and matches(key)}


def _values_file(path: str) -> dict[str, bytes]:
    """Keys and values of a YAML file: text as it is, everything else as JSON.

    Raises:
        ManifestError: it is no YAML, or no mapping.
    """
    try:
        content = yaml.safe_load(Path(path).read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ManifestError(
            f"{path}: not valid YAML: {getattr(error, 'problem', None) or 'cannot be decoded'}"
        ) from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ManifestError(f"{path}: expected a mapping of keys to values, found {type(content).__name__}")
    return {str(key): _as_bytes(value) for key, value in content.items()}


def _as_bytes(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str).encode()


def _print(secrets: Sequence[JsonObject], output: str) -> None:
    if output == "json":
        whole = secrets[0] if len(secrets) == 1 else {"apiVersion": "v1", "kind": "List", "items": list(secrets)}
        sys.stdout.write(json.dumps(whole, indent=2) + "\n")
    else:
        sys.stdout.write("---\n".join(yaml.safe_dump(secret, sort_keys=False) for secret in secrets))
