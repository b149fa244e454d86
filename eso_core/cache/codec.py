"""From the bytes on the wire to a store entry, and from an entry to what a reader asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable

import msgspec
import orjson
from msgspec import Struct

from eso_core.cache.failures import classify
from eso_core.cache.reflection import Failure, FailureKind
from eso_core.cache.store import CachedObject, JsonObject
from eso_core.meta import GVK, ObjectKey, ObjectMeta, OwnerReference, decode_partial
from eso_core.meta.errors import ApiError, DecodeError

__all__ = ["Bookmark", "Codec", "Decoded", "Transform", "private_meta"]

#: Changes a decoded object before it is stored; None keeps only its key and identity. Pure and idempotent.
Transform = Callable[[JsonObject], JsonObject | None]

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_INITIAL_END = "k8s.io/initial-events-end"

#: Label sets shared between entries; most objects of a kind have one of a few sets.
_MAX_SHARED = 4096


class Bookmark(Struct, frozen=True):
    """A progress note of the server."""

    resource_version: str
    initial_end: bool


class Decoded:
    """A store entry with the decoded object that it was made from, so that index functions need not decode again."""

    __slots__ = ("entry", "obj")

    def __init__(self, entry: CachedObject, obj: JsonObject | None) -> None:
        self.entry = entry
        self.obj = obj

    @property
    def resource_version(self) -> str:
        return self.entry.meta.resource_version


class Codec:
    """Decodes the objects of one informer.

    Args:
        gvk: the kind that is expected.
        partial: keep metadata only: name, uid, version, labels, owners, finalizers and the deletion time.
        strip_managed_fields: drop `metadata.managedFields`, which is often half of an object.
        strip_last_applied: drop kubectl's copy of the object in an annotation.
        transform: applied last.
    """

    def __init__(
        self,
        gvk: GVK,
        *,
        partial: bool = False,
        strip_managed_fields: bool = True,
        strip_last_applied: bool = True,
        transform: Transform | None = None,
    ) -> None:
        self._gvk = gvk
        self._partial = partial
        self._strip_managed_fields = strip_managed_fields
        self._strip_last_applied = strip_last_applied
        self._transform = transform
        self._labels: dict[tuple[tuple[str, str], ...], dict[str, str]] = {}

    def decode(self, body: bytes) -> Decoded:
        """An entry from the bytes of one object.

        Raises:
            DecodeError: the bytes are no object of this kind, or the transform raised.
        """
        if self._partial:
            meta = decode_partial(body, self._gvk).meta
            if not meta.name:
                raise DecodeError(f"reading a {self._gvk.kind}: it has no metadata.name")
            return Decoded(self._entry(meta, b""), None)
        try:
            obj = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise DecodeError(f"reading a {self._gvk.kind}: bad JSON at position {error.pos}") from None
        return self._decode_object(obj)

    def _decode_object(self, obj: JsonObject) -> Decoded:
        gvk = self._gvk
        metadata = obj.get("metadata") if isinstance(obj, dict) else None
        if not isinstance(metadata, dict) or not metadata.get("name"):
            raise DecodeError(f"reading a {gvk.kind}: it has no metadata.name")
        if obj.get("kind", gvk.kind) != gvk.kind:
            raise DecodeError(f"reading a {gvk.kind}: got kind {obj['kind']!r}")
        # Items of built-in lists come without type.
        if "kind" not in obj or "apiVersion" not in obj:
            obj = {"apiVersion": gvk.api_version, "kind": gvk.kind, **obj}
        if self._strip_managed_fields:
            metadata.pop("managedFields", None)
        if self._strip_last_applied:
            annotations = metadata.get("annotations")
            if annotations and _LAST_APPLIED in annotations:
                del annotations[_LAST_APPLIED]
                if not annotations:
                    del metadata["annotations"]
        try:
            meta = msgspec.convert(metadata, ObjectMeta)
        except msgspec.ValidationError:
            meta = ObjectMeta.of(obj)  # null fields, in objects written by hand
        if self._transform is not None:
            try:
                changed = self._transform(obj)
            except Exception as error:
                # The text of a foreign error may quote the object.
                raise DecodeError(f"transforming {gvk.kind} {meta.key}: {type(error).__name__}") from error
            if changed is None:
                return Decoded(self._entry(meta, b""), {})
            obj = changed
        # orjson's bytes keep the buffer they were written into, 1 KiB to 8 KiB whatever their length: a copy is exact.
        return Decoded(self._entry(meta, bytes(memoryview(orjson.dumps(obj)))), obj)

    def _entry(self, meta: ObjectMeta, body: bytes) -> CachedObject:
        namespace = sys.intern(meta.namespace)
        kept = ObjectMeta(
            name=meta.name,
            namespace=namespace,
            uid=meta.uid,
            resource_version=meta.resource_version,
            generation=meta.generation,
            labels=self._shared(meta.labels) if meta.labels else _EMPTY,
            annotations=_EMPTY if self._partial or not meta.annotations else meta.annotations,
            owner_references=meta.owner_references and tuple([_interned(ref) for ref in meta.owner_references]),
            finalizers=meta.finalizers and tuple([sys.intern(name) for name in meta.finalizers]),
            creation_timestamp=None if self._partial else meta.creation_timestamp,
            deletion_timestamp=meta.deletion_timestamp,
        )
        return CachedObject(ObjectKey(namespace, meta.name), kept, body)

    def _shared(self, labels: dict[str, str]) -> dict[str, str]:
        signature = tuple(labels.items())
        shared = self._labels.get(signature)
        if shared is None:
            if len(self._labels) >= _MAX_SHARED:
                self._labels.clear()
            shared = {sys.intern(name): sys.intern(value) for name, value in labels.items()}
            self._labels[signature] = shared
        return shared

    @staticmethod
    def decode_bookmark(body: bytes) -> Bookmark:
        """The version in a BOOKMARK event, and whether it ends the initial events."""
        meta = decode_partial(body).meta
        return Bookmark(meta.resource_version, meta.annotations.get(_INITIAL_END) == "true")

    @staticmethod
    def decode_failure(body: bytes) -> Failure:
        """The failure in an ERROR event."""
        try:
            status = orjson.loads(body)
        except orjson.JSONDecodeError:
            status = None
        if not isinstance(status, dict):
            return Failure(FailureKind.UNREADABLE, "an ERROR event without a Status")
        return classify(ApiError.from_status(status))


#: Shared by all metadata without labels or annotations; nobody may write to it.
_EMPTY: dict[str, str] = {}


def _interned(ref: OwnerReference) -> OwnerReference:
    return OwnerReference(
        api_version=sys.intern(ref.api_version),
        kind=sys.intern(ref.kind),
        name=ref.name,
        uid=ref.uid,
        controller=ref.controller,
        block_owner_deletion=ref.block_owner_deletion,
    )


def private_meta(meta: ObjectMeta) -> ObjectMeta:
    """A copy whose maps the reader may change without touching the cache."""
    return msgspec.structs.replace(meta, labels=dict(meta.labels), annotations=dict(meta.annotations))
