"""Kinds as the client's verbs take them, and how their objects are decoded."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, ClassVar, Generic, Protocol, TypeAlias, TypeVar
from urllib.parse import quote

import orjson
from msgspec import Struct

from eso_core.meta.errors import DecodeError
from eso_core.meta.gvk import GVK, GVR, JsonObject, ResourceInfo
from eso_core.meta.keys import ObjectKey, object_key
from eso_core.meta.object import ObjectMeta, Partial, PartialObject, decode_partial

__all__ = ["Binding", "Kind", "ResourceLike", "bind", "gvk_of_kind", "is_builtin_group", "loads"]


class ResourceLike(Protocol):
    """What the client needs of a typed resource; ``eso_core.model.Resource`` has it."""

    gvk: ClassVar[GVK]
    gvr: ClassVar[GVR]
    namespaced: ClassVar[bool]

    @classmethod
    def decode(cls, raw: Any, /) -> Any:
        """An object from bytes or decoded JSON; raises ``DecodeError``."""
        ...

    def encode(self) -> JsonObject:
        """The object as JSON."""
        ...


Kind: TypeAlias = type[Any] | GVK | Partial
"""A ``Resource`` class, a ``GVK`` for plain dictionaries, or ``Partial`` of either for metadata only."""

T = TypeVar("T")

_PLAIN = re.compile(r"[A-Za-z0-9._~:@!$&'()*+,;=-]+", re.ASCII)
_PARTIAL = "application/json;as=PartialObjectMetadata{};g=meta.k8s.io;v=v1,application/json"
_BUILTIN_GROUPS = frozenset({"", "apps", "autoscaling", "batch", "extensions", "policy"})
_CUSTOM_K8S_GROUPS = frozenset({"gateway.networking.k8s.io", "snapshot.storage.k8s.io", "metrics.k8s.io"})


class Binding(Struct, Generic[T]):
    """A kind with its URL and its decoder."""

    gvk: GVK
    info: ResourceInfo
    decode: Callable[[bytes], T]
    decode_item: Callable[[JsonObject], T]
    partial: bool
    prefix: str
    plural: str
    accept: str
    accept_list: str

    def collection(self, namespace: str | None) -> str:
        """The path of a list; ``None`` means every namespace.

        Raises:
            ValueError: A namespace for a cluster-scoped kind.
        """
        if not namespace:
            return f"{self.prefix}/{self.plural}"
        if not self.info.namespaced:
            raise ValueError(f"using {self.gvk.kind} in namespace {namespace!r}: it is cluster-scoped: leave it out")
        return f"{self.prefix}/namespaces/{_segment(namespace, 'namespace')}/{self.plural}"

    def object(self, key: ObjectKey, subresource: str = "") -> str:
        """The path of one object.

        Raises:
            ValueError: Name or namespace are missing, not wanted, or cannot stand in a path.
            TypeError: The key is a text, or no pair.
        """
        namespace, name = object_key(self.gvk.kind, key)
        if self.info.namespaced and not namespace:
            raise ValueError(f"using {self.gvk.kind} {name!r}: it is namespaced: say in which namespace")
        path = f"{self.collection(namespace)}/{_segment(name, 'name')}"
        return f"{path}/{subresource}" if subresource else path


def bind(kind: Kind, info: ResourceInfo) -> Binding[Any]:
    """The binding of a kind that is served as ``info`` says."""
    gvk = gvk_of_kind(kind)
    partial = isinstance(kind, Partial)
    decode: Callable[[bytes], Any]
    decode_item: Callable[[JsonObject], Any]
    if partial:

        def decode(body: bytes) -> PartialObject:
            return decode_partial(body, gvk)

        def decode_item(item: JsonObject) -> PartialObject:
            return PartialObject(gvk, ObjectMeta.of(item))

    elif isinstance(kind, GVK):
        api_version, name = gvk.api_version, gvk.kind

        def decode(body: bytes) -> JsonObject:
            return _typed(loads(body), api_version, name)

        def decode_item(item: JsonObject) -> JsonObject:
            return item

    else:
        assert isinstance(kind, type)
        decode = decode_item = kind.decode
    return Binding(
        gvk=gvk,
        info=info,
        decode=decode,
        decode_item=decode_item,
        partial=partial,
        prefix=info.gvr.path_prefix,
        plural=info.gvr.resource,
        accept=_PARTIAL.format("") if partial else "application/json",
        accept_list=_PARTIAL.format("List") if partial else "application/json",
    )


def gvk_of_kind(kind: Kind) -> GVK:
    """The group, version and kind that a ``Kind`` stands for.

    Raises:
        TypeError: It is none.
    """
    if isinstance(kind, GVK):
        return kind
    found = getattr(kind, "gvk", None)
    if not isinstance(found, GVK):
        raise TypeError(f"a kind must be a Resource class, a GVK or a Partial, not {kind!r}")
    return found


def is_builtin_group(gvk: GVK) -> bool:
    """Whether the API server itself serves the group, so that strategic merge patches work."""
    group = gvk.group
    return group in _BUILTIN_GROUPS or (group.endswith(".k8s.io") and group not in _CUSTOM_K8S_GROUPS)


def loads(body: bytes) -> JsonObject:
    """A JSON object from bytes.

    Raises:
        DecodeError: The bytes are no JSON object.
    """
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        raise DecodeError(f"decoding an answer of the API server: {exc.msg} at byte {exc.pos}") from None
    if not isinstance(found, dict):
        raise DecodeError(f"decoding an answer of the API server: expected an object, got {type(found).__name__}")
    return found


def _typed(obj: JsonObject, api_version: str, kind: str) -> JsonObject:
    # Items of built-in lists have neither field.
    if not obj.get("kind"):
        obj["kind"] = kind
    if not obj.get("apiVersion"):
        obj["apiVersion"] = api_version
    return obj


def _segment(text: str, what: str) -> str:
    if _PLAIN.fullmatch(text) is not None and text not in (".", ".."):
        return text
    if not text or text in (".", "..") or "/" in text or "%" in text:
        raise ValueError(f"using {what} {text!r}: it must not be empty, a dot segment, or hold '/' or '%'")
    return quote(text, safe="")
