"""Reading manifests from files and folders, and applying them to a cluster."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml
from msgspec import Struct

from controllers.concealed import Concealed
from eso_core.client import Client
from eso_core.meta import GVK
from eso_core.meta.errors import EsoCoreError

__all__ = ["Applied", "Manifest", "ManifestError", "apply_all", "load"]

JsonObject = dict[str, Any]
_FIELD_OWNER = "eso-dev"
_SUFFIXES = (".yaml", ".yml", ".json")
# What others need must be there first; everything else keeps the order of the files.
_FIRST = {"Namespace": 0, "CustomResourceDefinition": 1, "ServiceAccount": 2, "Secret": 3, "ConfigMap": 3}


class ManifestError(Exception):
    """A manifest that cannot be read or applied; the message names the file, the document and the fix."""


class Manifest(Concealed, Struct, frozen=True):
    """One object of a manifest file."""

    source: str
    body: JsonObject

    @property
    def title(self) -> str:
        metadata = self.body["metadata"]
        where = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
        return f"{self.body['kind']} {where}{metadata['name']}"


def load(paths: Iterable[str | Path]) -> list[Manifest]:
    """Read all objects of the given files and folders (recursively), in the order in which they should be applied.

    `-` is the standard input.

    Raises:
        ManifestError: a path is missing, a file is no YAML, or a document is no Kubernetes object.
    """
    manifests: list[Manifest] = []
    for path in paths:
        if str(path) == "-":
            manifests += _read("standard input", sys.stdin.read())
            continue
        if str(path).startswith(("http://", "https://")):
            raise ManifestError(f"{path}: files and folders are read, no URLs: curl -fsSL {path} | eso ... -f -")
        for file in _files(Path(path)):
            manifests += _read(str(file), _text(file))
    return sorted(manifests, key=lambda m: _FIRST.get(m.body["kind"], 9))


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        found = sorted(p for p in path.rglob("*") if p.suffix in _SUFFIXES and p.is_file())
        if not found:
            raise ManifestError(f"{path}: no {', '.join(_SUFFIXES)} file in this folder")
        return found
    if not path.exists():
        raise ManifestError(f"{path}: no such file or folder")
    return [path]


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except UnicodeDecodeError as error:
        raise ManifestError(f"{file}: not valid YAML: cannot be decoded") from error
    except OSError as error:
        raise ManifestError(f"{file}: cannot be read: {error.strerror}") from error


def _read(file: str, text: str) -> Iterator[Manifest]:
    try:
        documents = list(yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        where = f"{file}:{place.line + 1}" if place else str(file)
        raise ManifestError(
            f"{where}: not valid YAML: {getattr(error, 'problem', None) or 'cannot be decoded'}"
        ) from error
    for number, document in enumerate(documents, 1):
        if document is None:
            continue
        yield from _objects(document, f"{file}, document {number}" if len(documents) > 1 else file)


def _objects(document: object, source: str) -> Iterator[Manifest]:
    if not isinstance(document, dict):
        raise ManifestError(f"{source}: expected a Kubernetes object, found {type(document).__name__}")
    if isinstance(document.get("items"), list) and str(document.get("kind", "")).endswith("List"):
        for index, item in enumerate(document["items"]):
            yield from _objects(item, f"{source}, items[{index}]")
        return
    for needed in ("apiVersion", "kind"):
        if not isinstance(document.get(needed), str) or not document[needed]:
            raise ManifestError(
                f"{source}: {needed} is missing: a Kubernetes object needs apiVersion, kind and metadata.name"
            )
    metadata = document.get("metadata")
    if not isinstance(metadata, dict) or not metadata.get("name"):
        raise ManifestError(f"{source}: metadata.name is missing")
    yield Manifest(source, document)


class Applied(Struct, frozen=True):
    """What became of manifests: `done` as `Kind namespace/name`, `failed` with file, object and reason, `objects` as applied."""

    done: list[str]
    failed: list[str]
    objects: list[Manifest]


async def apply_all(client: Client, manifests: Iterable[Manifest], *, namespace: str = "default") -> Applied:
    """Apply each manifest server-side; one that is refused does not hold up the others.

    Objects of namespaced kinds without a namespace go into `namespace`.
    """
    failed: list[str] = []
    objects: list[Manifest] = []
    for manifest in manifests:
        try:
            gvk = GVK.parse(manifest.body["apiVersion"], manifest.body["kind"])
            mapping = await client.mapper.mapping(gvk)
            body = _placed(manifest.body, namespace) if mapping.namespaced else manifest.body
            await client.apply(body, _FIELD_OWNER, force=True)
        except (EsoCoreError, ValueError) as error:
            failed.append(f"{manifest.source}: {manifest.title}: {error}")
        else:
            objects.append(Manifest(manifest.source, body))
    return Applied([manifest.title for manifest in objects], failed, objects)


def _placed(body: JsonObject, namespace: str) -> JsonObject:
    if body["metadata"].get("namespace"):
        return body
    return {**body, "metadata": {**body["metadata"], "namespace": namespace}}
