"""From a `generatorRef` to the generator that it names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from eso_core.meta import GVK, JsonObject, ObjectKey
from eso_core.meta.errors import EsoCoreError, Forbidden, NoKindMatch, NotFound
from generators.errors import GeneratorFailed, InvalidGenerator, UnknownGenerator
from generators.interface import GROUP, VERSION, Generator
from generators.registry import GeneratorRegistry
from providers.errors import ErrorKind

if TYPE_CHECKING:
    from generators.spec import GeneratorSpec

__all__ = ["CLUSTER_GENERATOR", "GeneratorRef", "Lookup", "Resolved", "Source", "resolve", "source_of"]

CLUSTER_GENERATOR: Final = GVK(GROUP, VERSION, "ClusterGenerator")
_PREFIX: Final = "unable to get generator: "
_TERMINAL: Final = "terminal error: "
_CLASSES: Final = "controller"


class GeneratorRef(NamedTuple):
    """A `generatorRef`, seen from the namespace of the object that holds it."""

    api_version: str
    kind: str
    name: str

    @staticmethod
    def of(value: Mapping[str, str]) -> GeneratorRef:
        """From its form in a manifest."""
        return GeneratorRef(value.get("apiVersion") or "", value.get("kind") or "", value.get("name") or "")


class Source(NamedTuple):
    """Whom a state belongs to: the generator by kind and name; a ClusterGenerator leaves no name in the original's states."""

    kind: str
    name: str


class Lookup(Protocol):
    """Reads generators."""

    async def get(self, kind: GVK, key: ObjectKey) -> JsonObject:
        """The object.

        Raises:
            NotFound: There is none.
        """
        ...


@dataclass(frozen=True, slots=True)
class Resolved:
    """A generator, read.

    Attributes:
        manifest: The object as generators get it and states keep it: of a ClusterGenerator, the object that it stands for.
        generator: Knows the kind.
        spec: `spec`, read.
        name: As the reference has it, for messages.
    """

    manifest: JsonObject = field(repr=False)
    generator: Generator
    spec: GeneratorSpec = field(repr=False)
    name: str

    @property
    def source(self) -> Source:
        """Whom its states belong to."""
        return source_of(self.manifest)

    def belongs_to(self, controller_class: str) -> bool:
        """Whether the operator of this class works with it."""
        return (self.manifest.get("spec") or {}).get(_CLASSES) in (None, "", controller_class)


def source_of(manifest: object) -> Source:
    """Whom the states of a generator's object belong to; without a kind if that is no object."""
    if not isinstance(manifest, dict):
        return Source("", "")
    metadata = manifest.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else ""
    return Source(str(manifest.get("kind") or ""), str(name or ""))


async def resolve(ref: GeneratorRef, namespace: str, lookup: Lookup, registry: GeneratorRegistry) -> Resolved:
    """The generator that a reference names.

    Raises:
        InvalidGenerator: The reference or the object cannot work as it is written.
        GeneratorFailed: It is not there, or cannot be read.
    """
    try:
        manifest = await _manifest(ref, namespace, lookup, registry)
    except InvalidGenerator as error:
        raise type(error)(f"{_PREFIX}{_TERMINAL}{error}", kind=error.kind) from error
    except GeneratorFailed as error:
        raise GeneratorFailed(f"{_PREFIX}{error}", kind=error.kind, retryable=error.retryable) from error
    await registry.preload(manifest["kind"])
    try:
        generator, spec = registry.parse(manifest["kind"], manifest.get("spec"))
    except InvalidGenerator as error:
        raise type(error)(f"{_PREFIX}{error}", kind=error.kind) from error
    return Resolved(manifest, generator, spec, ref.name)


async def _manifest(ref: GeneratorRef, namespace: str, lookup: Lookup, registry: GeneratorRegistry) -> JsonObject:
    group, slash, version = (ref.api_version or f"{GROUP}/{VERSION}").partition("/")
    if not slash:
        group, version = "", group
    if "/" in version:
        raise InvalidGenerator(
            f"generatorRef has invalid APIVersion: unexpected GroupVersion string: {ref.api_version}"
        )
    if group != GROUP:
        raise InvalidGenerator(f"generatorRef may only reference the generators group, but got {group}")
    if version != VERSION:
        raise InvalidGenerator(f"generatorRef references unknown GVK {group}/{version}, Kind={ref.kind}")
    if ref.kind == CLUSTER_GENERATOR.kind:
        cluster = await _read(CLUSTER_GENERATOR, ObjectKey("", ref.name), lookup)
        await registry.preload((cluster.get("spec") or {}).get("kind") or "")
        return _stood_for(cluster, registry)
    return await _read(GVK(group, version, ref.kind), ObjectKey(namespace, ref.name), lookup)


async def _read(kind: GVK, key: ObjectKey, lookup: Lookup) -> JsonObject:
    try:
        return await lookup.get(kind, key)
    except NotFound:
        raise GeneratorFailed(
            f'{kind.kind}.{kind.group} "{key.name}" not found', kind=ErrorKind.REFERENCE, retryable=True
        ) from None
    except NoKindMatch:
        raise InvalidGenerator(
            f"generatorRef references unknown GVK {kind.group}/{kind.version}, Kind={kind.kind}"
        ) from None
    except Forbidden as error:
        raise GeneratorFailed(str(error), kind=ErrorKind.REFERENCE, retryable=True) from error
    except EsoCoreError as error:
        raise GeneratorFailed(
            f"reading {kind.kind} {key}: {error}", kind=ErrorKind.UNAVAILABLE, retryable=True
        ) from error


def _stood_for(cluster: JsonObject, registry: GeneratorRegistry) -> JsonObject:
    """The namespaced object that a ClusterGenerator stands for."""
    spec = cluster.get("spec") or {}
    kind = spec.get("kind") or ""
    try:
        member = registry.get(kind).member
    except UnknownGenerator as error:
        raise UnknownGenerator(f"invalid ClusterGenerator: unknown kind {kind}: {error}") from error
    inner = (spec.get("generator") or {}).get(member)
    if inner is None:
        field_name = _go_name(member)
        raise InvalidGenerator(f"invalid ClusterGenerator: when kind is {kind}, {field_name} must be set")
    return {"apiVersion": f"{GROUP}/{VERSION}", "kind": kind, "metadata": {}, "spec": inner}


_INITIALS: Final = ("acr", "ecr", "gcr", "mfa", "ssh", "sts", "uuid")


def _go_name(member: str) -> str:
    """The member as messages of the original name it: `passwordSpec` is `PasswordSpec`, `sshKeySpec` `SSHKeySpec`."""
    for word in _INITIALS:
        if member.startswith(word):
            return word.upper() + member.removeprefix(word)
    return member[:1].upper() + member[1:]
