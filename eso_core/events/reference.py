"""What an event is about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias, runtime_checkable

from msgspec import Struct

from eso_core.meta import GVK, PartialObject

__all__ = ["EventSubject", "ObjectReference", "ResourceObject", "reference_of"]


class ObjectReference(Struct, frozen=True):
    """The identity of an object; hashable."""

    api_version: str
    kind: str
    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""

    def encode(self) -> dict[str, str]:
        """The `core/v1 ObjectReference` without empty fields."""
        fields = {
            "apiVersion": self.api_version,
            "kind": self.kind,
            "name": self.name,
            "namespace": self.namespace,
            "uid": self.uid,
            "resourceVersion": self.resource_version,
        }
        return {name: value for name, value in fields.items() if value}


@runtime_checkable
class ResourceObject(Protocol):
    """A typed resource."""

    @property
    def gvk(self) -> GVK: ...
    @property
    def metadata(self) -> Any: ...


#: An object, its metadata, or a reference; typed, or as a dict with `metadata` or with the fields of an ObjectReference.
EventSubject: TypeAlias = ObjectReference | PartialObject | ResourceObject | Mapping[str, Any]


def reference_of(subject: EventSubject) -> ObjectReference:
    """The reference to `subject`.

    Raises:
        TypeError: it is nothing that an event can be about.
    """
    if isinstance(subject, ObjectReference):
        return subject
    if isinstance(subject, PartialObject):
        return _from_metadata(subject.gvk, subject.meta)
    if isinstance(subject, Mapping):
        metadata = subject.get("metadata", subject)
        return ObjectReference(
            api_version=str(subject.get("apiVersion") or ""),
            kind=str(subject.get("kind") or ""),
            name=str(metadata.get("name") or ""),
            namespace=str(metadata.get("namespace") or ""),
            uid=str(metadata.get("uid") or ""),
            resource_version=str(metadata.get("resourceVersion") or ""),
        )
    if isinstance(subject, ResourceObject) and isinstance(subject.gvk, GVK):
        return _from_metadata(subject.gvk, subject.metadata)
    raise TypeError(f"recording an event about {type(subject).__name__}: give an object or a reference to one")


def _from_metadata(gvk: GVK, metadata: Any) -> ObjectReference:
    return ObjectReference(
        api_version=gvk.api_version,
        kind=gvk.kind,
        name=metadata.name or "",
        namespace=metadata.namespace or "",
        uid=metadata.uid or "",
        resource_version=metadata.resource_version or "",
    )
