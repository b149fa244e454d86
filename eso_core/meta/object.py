"""Metadata of an object, decoded without the rest of it."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from eso_core.meta.errors import DecodeError
from eso_core.meta.gvk import GVK, JsonObject
from eso_core.meta.keys import ObjectKey

__all__ = ["ObjectMeta", "OwnerReference", "Partial", "PartialObject", "decode_partial", "decode_type"]


class OwnerReference(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """One entry of ``metadata.ownerReferences``."""

    api_version: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool | None = None
    block_owner_deletion: bool | None = None


class ObjectMeta(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """The metadata that controllers read. Timestamps are RFC 3339 texts as on the wire; ``managedFields`` is left out."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    owner_references: tuple[OwnerReference, ...] = ()
    finalizers: tuple[str, ...] = ()
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None

    @property
    def key(self) -> ObjectKey:
        """Namespace and name."""
        return ObjectKey(self.namespace, self.name)

    @property
    def deleting(self) -> bool:
        """Whether deletion was asked for and finalizers hold the object."""
        return self.deletion_timestamp is not None

    @property
    def controller(self) -> OwnerReference | None:
        """The owner that manages this object."""
        return next((ref for ref in self.owner_references if ref.controller), None)

    @classmethod
    def of(cls, obj: JsonObject) -> ObjectMeta:
        """The metadata of a decoded object; ``null`` fields count as absent.

        Raises:
            DecodeError: A field has the wrong type.
        """
        raw: Any = obj.get("metadata") or {}
        if not isinstance(raw, dict):
            raise DecodeError(f"reading metadata: expected an object, got {type(raw).__name__}")
        try:
            return msgspec.convert({k: v for k, v in raw.items() if v is not None}, cls)
        except msgspec.ValidationError as exc:
            raise DecodeError(f"reading metadata of {raw.get('namespace')}/{raw.get('name')}: {exc}") from exc


class _TypeMeta(msgspec.Struct, frozen=True, rename="camel", gc=False):
    api_version: str = ""
    kind: str = ""


class _Envelope(msgspec.Struct, frozen=True, rename="camel", gc=False):
    api_version: str = ""
    kind: str = ""
    metadata: ObjectMeta | None = None


_envelope = msgspec.json.Decoder(_Envelope)
_type_meta = msgspec.json.Decoder(_TypeMeta)


class Partial(Struct, frozen=True):
    """Asks for the metadata of a kind only; ``kind`` is a ``GVK`` or a ``Resource`` class."""

    kind: Any

    @property
    def gvk(self) -> GVK:
        """The kind whose metadata is asked for."""
        return self.kind if isinstance(self.kind, GVK) else self.kind.gvk


class PartialObject(Struct, frozen=True):
    """An object of which only the metadata is known."""

    gvk: GVK
    meta: ObjectMeta

    @property
    def key(self) -> ObjectKey:
        """Namespace and name."""
        return ObjectKey(self.meta.namespace, self.meta.name)


def decode_partial(body: bytes, gvk: GVK | None = None) -> PartialObject:
    """Metadata from the bytes of an object, full or partial.

    Args:
        body: One JSON object.
        gvk: Its kind. ``None`` takes it from the bytes, which is wrong for a ``PartialObjectMetadata``.

    Raises:
        DecodeError: The bytes are no JSON object with metadata.
    """
    try:
        envelope = _envelope.decode(body)
    except msgspec.ValidationError:
        # Null fields are rare (hand-written objects); the slow path reads them as absent.
        try:
            raw = msgspec.json.decode(body)
        except msgspec.DecodeError as exc:
            raise DecodeError(f"decoding an object: {exc}") from exc
        if not isinstance(raw, dict) or not isinstance(raw.get("metadata"), dict):
            raise DecodeError("decoding an object: it has no metadata") from None
        own = GVK.parse(raw.get("apiVersion") or "v1", raw.get("kind") or "")
        return PartialObject(gvk or own, ObjectMeta.of(raw))
    except msgspec.DecodeError as exc:
        raise DecodeError(f"decoding an object: {exc}") from exc
    if envelope.metadata is None:
        raise DecodeError("decoding an object: it has no metadata")
    if gvk is None:
        gvk = GVK.parse(envelope.api_version or "v1", envelope.kind)
    return PartialObject(gvk, envelope.metadata)


def decode_type(body: bytes) -> GVK:
    """The kind in the bytes of an object, nothing else decoded.

    Raises:
        DecodeError: The bytes are no JSON object, or apiVersion is malformed.
    """
    try:
        found = _type_meta.decode(body)
        return GVK.parse(found.api_version, found.kind)
    except (msgspec.DecodeError, ValueError) as exc:
        raise DecodeError(f"decoding the type of an object: {exc}") from exc
