"""The desired Secret, from the ExternalSecret, the fetched values and the Secret that exists. Pure."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec import Struct, field

from controllers.concealed import Concealed
from controllers.externalsecret.errors import NotOwner, OwnedByAnother
from controllers.externalsecret.names import (
    CREATED_BY_LABEL,
    DATA_HASH_ANNOTATION,
    GROUP,
    MANAGED_LABEL,
    MANAGED_VALUE,
    OWNER_API_VERSION,
    OWNER_KIND,
    data_hash,
    field_manager,
    owner_label_value,
)
from controllers.externalsecret.ownedfields import OwnedFields, owned_fields
from eso_core.meta import JsonObject
from eso_core.meta.owners import controller_of

__all__ = [
    "IGNORED_ANNOTATIONS",
    "Content",
    "Owner",
    "Rendered",
    "TargetPolicy",
    "decode_data",
    "foreign_controller",
    "has_written",
    "is_frozen",
    "is_intact",
    "is_managed",
    "render_secret",
    "same_secret",
    "take_ownership",
]

IGNORED_ANNOTATIONS: Final = (
    "kubectl.kubernetes.io/last-applied-configuration",
    "argocd.argoproj.io/tracking-id",
    "argocd.argoproj.io/installation-id",
    "kustomize.toolkit.fluxcd.io/",
    "helm.toolkit.fluxcd.io/",
)
"""Annotations of an ExternalSecret that its Secret does not get; an entry that ends in `/` stands for all below it.

A tool that finds them on the Secret takes it for one of its own and prunes it.
"""

KEEPING_POLICIES: Final = frozenset({"Merge", "CreateOrMerge"})
"""Creation policies that leave data keys of others in place."""


class Owner(Struct, frozen=True):
    """What the target inherits from its ExternalSecret."""

    namespace: str
    name: str
    uid: str
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


class TargetPolicy(Struct, frozen=True):
    """The parts of `spec.target` that shape the Secret."""

    name: str
    creation: str = "Owner"
    immutable: bool = False


class Content(Concealed, Struct, frozen=True):
    """What the Secret is to hold before the rules of ownership are applied.

    Attributes:
        data: Keys the ExternalSecret gives.
        labels: Labels it gives.
        annotations: Annotations it gives.
        type: Secret type; empty leaves the existing type (`Opaque` for a new Secret).
        finalizers: Finalizers to add.
    """

    data: Mapping[str, bytes]
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    type: str = ""
    finalizers: tuple[str, ...] = ()

    @classmethod
    def plain(cls, owner: Owner, data: Mapping[str, bytes], ignored: Iterable[str] = IGNORED_ANNOTATIONS) -> Content:
        """Content without a template: the values, and the metadata of the ExternalSecret but for `ignored`."""
        rules = tuple(ignored)
        annotations = {name: value for name, value in owner.annotations.items() if not _ignored(name, rules)}
        return cls(dict(data), dict(owner.labels), annotations)


class Rendered(Concealed, Struct, frozen=True):
    """The desired Secret.

    Attributes:
        secret: What to write.
        taken_over: Data keys of others that go because a Secret made by somebody else is taken over.
    """

    secret: JsonObject
    taken_over: tuple[str, ...]


def render_secret(owner: Owner, policy: TargetPolicy, content: Content, existing: JsonObject | None) -> Rendered:
    """Build the Secret to write.

    Raises:
        OwnedByAnother: another ExternalSecret controls the existing Secret.
        NotOwner: policy Owner, and an object of another kind controls it.
    """
    secret = _copy(existing) if existing is not None else _empty(owner.namespace, policy.name)
    metadata: JsonObject = secret["metadata"]
    data = decode_data(secret)
    taken_over: tuple[str, ...] = ()
    if policy.immutable:
        secret["immutable"] = True
    if existing is None or not policy.immutable or not has_written(owner, policy, existing):
        own = owned_fields(secret, field_manager(owner.name))
        taken_over = _fill(secret, data, own, policy, content, existing)
        data = decode_data(secret)
    take_ownership(metadata, owner, policy)
    metadata.setdefault("annotations", {})[DATA_HASH_ANNOTATION] = data_hash(data)
    return Rendered(secret, taken_over)


def _fill(
    secret: JsonObject,
    data: dict[str, bytes],
    own: OwnedFields,
    policy: TargetPolicy,
    content: Content,
    existing: JsonObject | None,
) -> tuple[str, ...]:
    """Put metadata, type and data in place; returns the keys of others that go with a take-over."""
    metadata = secret["metadata"]
    written_before = DATA_HASH_ANNOTATION in (metadata.get("annotations") or {})
    for name, owned, given in (
        ("labels", own.labels, content.labels),
        ("annotations", own.annotations, content.annotations),
    ):
        kept = {key: value for key, value in (metadata.get(name) or {}).items() if key not in owned}
        metadata[name] = {**kept, **given}
    if content.finalizers and not metadata.get("deletionTimestamp"):
        present = list(metadata.get("finalizers") or ())
        metadata["finalizers"] = present + [name for name in content.finalizers if name not in present]
    if content.type:
        secret["type"] = content.type
    foreign = {key: value for key, value in data.items() if key not in own.data}
    keeping = policy.creation in KEEPING_POLICIES
    desired = {**foreign, **content.data} if keeping else dict(content.data)
    _encode_data(secret, desired)
    if keeping or existing is None or written_before:
        return ()
    return tuple(sorted((key for key in foreign if key not in desired), key=str.encode))


def take_ownership(metadata: JsonObject, owner: Owner, policy: TargetPolicy) -> None:
    """Set the owner reference and our labels as the policy says.

    Raises:
        OwnedByAnother: another ExternalSecret controls the object.
        NotOwner: policy Owner, and an object of another kind controls it.
    """
    _set_ownership(metadata, owner, policy)
    labels = metadata.setdefault("labels", {})
    if policy.creation == "Owner":
        labels[CREATED_BY_LABEL] = owner_label_value(owner.namespace, owner.name)
    else:
        labels.pop(CREATED_BY_LABEL, None)
    labels[MANAGED_LABEL] = MANAGED_VALUE


def _set_ownership(metadata: JsonObject, owner: Owner, policy: TargetPolicy) -> None:
    controller = controller_of({"metadata": metadata})
    ours = controller is not None and _same_kind(controller) and controller.get("name") == owner.name
    if controller is not None and _same_kind(controller) and not ours:
        raise OwnedByAnother(f"secret is owned by another ExternalSecret: {controller.get('name')}")
    references = list(metadata.get("ownerReferences") or ())
    if ours and policy.creation != "Owner":
        references = [reference for reference in references if reference is not controller]
    if policy.creation == "Owner":
        if controller is not None and not ours:
            raise NotOwner(
                f"object {owner.namespace}/{policy.name} is already owned by another {controller.get('kind')} controller "
                f"{controller.get('name')}"
            )
        wanted = {
            "apiVersion": OWNER_API_VERSION,
            "blockOwnerDeletion": True,
            "controller": True,
            "kind": OWNER_KIND,
            "name": owner.name,
            "uid": owner.uid,
        }
        # A reference to an earlier object of our name is replaced where it stands: a new order would be a write.
        at = next(
            (i for i, item in enumerate(references) if _same_kind(item) and item.get("name") == owner.name),
            len(references),
        )
        references[at : at + 1] = [wanted]
    if references:
        metadata["ownerReferences"] = references
    else:
        metadata.pop("ownerReferences", None)


def foreign_controller(metadata: JsonObject, owner: Owner) -> str:
    """`Kind name` of the controller if it is not this ExternalSecret, else empty."""
    controller = controller_of({"metadata": metadata})
    if controller is None or (_same_kind(controller) and controller.get("name") == owner.name):
        return ""
    return f"{controller.get('kind')} {controller.get('name')}"


def _same_kind(reference: JsonObject) -> bool:
    group, slash, _ = str(reference.get("apiVersion", "")).partition("/")
    return bool(slash) and group == GROUP and reference.get("kind") == OWNER_KIND


def has_written(owner: Owner, policy: TargetPolicy, existing: JsonObject) -> bool:
    """Whether the ExternalSecret has made the Secret what it is: one that it only found is not its own to freeze or delete."""
    if not is_managed(existing["metadata"]):
        return False
    controller = controller_of(existing)
    ours = controller is not None and _same_kind(controller) and controller.get("name") == owner.name
    return ours or policy.creation != "Owner"


def is_frozen(wanted: JsonObject, existing: JsonObject) -> bool:
    """Whether the Secret is immutable, and its data or type would change."""
    return bool(existing.get("immutable")) and (
        (wanted.get("data") or {}, wanted.get("type")) != (existing.get("data") or {}, existing.get("type"))
    )


def is_managed(metadata: JsonObject) -> bool:
    """Whether the Secret carries the label of what the operator manages."""
    return (metadata.get("labels") or {}).get(MANAGED_LABEL) == MANAGED_VALUE


def is_intact(secret: JsonObject | None) -> bool:
    """Whether the Secret exists, is managed, and its data is what the last write left."""
    if secret is None or not is_managed(secret["metadata"]):
        return False
    recorded = (secret["metadata"].get("annotations") or {}).get(DATA_HASH_ANNOTATION)
    return bool(recorded == data_hash(decode_data(secret)))


def decode_data(secret: JsonObject) -> dict[str, bytes]:
    """The data of a Secret as bytes; text that is no base64 (never from an API server) decodes to nothing."""
    decoded: dict[str, bytes] = {}
    for key, text in (secret.get("data") or {}).items():
        try:
            decoded[key] = base64.b64decode(text or "")
        except (binascii.Error, ValueError):
            decoded[key] = b""
    return decoded


def same_secret(left: JsonObject, right: JsonObject) -> bool:
    """Whether two Secrets differ in nothing that a write would store."""
    return _comparable(left) == _comparable(right)


def _comparable(secret: JsonObject) -> tuple[Any, ...]:
    metadata = secret["metadata"]
    return (
        secret.get("data") or {},
        secret.get("type") or "Opaque",
        bool(secret.get("immutable")),
        metadata.get("labels") or {},
        metadata.get("annotations") or {},
        metadata.get("finalizers") or [],
        metadata.get("ownerReferences") or [],
    )


def _encode_data(secret: JsonObject, data: Mapping[str, bytes]) -> None:
    if data:
        secret["data"] = {key: base64.b64encode(value).decode() for key, value in data.items()}
    else:
        secret.pop("data", None)


def _empty(namespace: str, name: str) -> JsonObject:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace}, "type": "Opaque"}


def _copy(secret: JsonObject) -> JsonObject:
    """A copy in which everything that rendering replaces is fresh."""
    metadata = dict(secret["metadata"])
    for name in ("labels", "annotations"):
        metadata[name] = dict(metadata.get(name) or {})
    for name in ("ownerReferences", "finalizers"):
        if metadata.get(name):
            metadata[name] = list(metadata[name])
    return {**secret, "apiVersion": "v1", "kind": "Secret", "metadata": metadata}


def _ignored(name: str, rules: tuple[str, ...]) -> bool:
    return any(name == rule or (rule.endswith("/") and name.startswith(rule)) for rule in rules)
