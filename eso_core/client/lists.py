"""Lists of objects, decoded or as bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct

from eso_core.client.kinds import Binding, loads
from eso_core.meta.errors import DecodeError
from eso_core.meta.gvk import GVK

__all__ = ["ObjectList", "RawPage", "decode_list", "decode_page"]

T = TypeVar("T")


class ObjectList(Struct, Generic[T], frozen=True):
    """One answer to a list.

    Attributes:
        items: The objects.
        resource_version: Where a watch goes on from.
        continue_: Token of the next page; empty on the last one.
        remaining: How many items follow; ``None`` when the server does not say.
    """

    items: list[T]
    resource_version: str = ""
    continue_: str = ""
    remaining: int | None = None


@dataclass(frozen=True, slots=True)
class RawPage:
    """One page of a list. Items of built-in kinds have no ``apiVersion`` and ``kind``."""

    items: list[bytes] = field(repr=False)
    resource_version: str = ""
    continue_: str = ""
    remaining: int | None = None


class _ListMeta(msgspec.Struct, rename="camel", gc=False):
    resource_version: str = ""
    continue_: str = msgspec.field(default="", name="continue")
    remaining_item_count: int | None = None


class _RawList(msgspec.Struct, rename="camel"):
    kind: str = ""
    metadata: _ListMeta = msgspec.field(default_factory=_ListMeta)
    items: list[msgspec.Raw] | None = None


_decoder = msgspec.json.Decoder(_RawList)


def decode_page(body: bytes, gvk: GVK) -> RawPage:
    """Splits a list into its items without decoding them.

    Raises:
        DecodeError: The bytes are no list.
    """
    try:
        found = _decoder.decode(body)
    except msgspec.DecodeError as exc:
        raise DecodeError(f"reading a list of {gvk.kind}: {exc}") from exc
    _check_kind(found.kind, gvk)
    meta = found.metadata
    items = [bytes(item) for item in found.items or ()]
    return RawPage(items, meta.resource_version, meta.continue_, meta.remaining_item_count)


def decode_list(body: bytes, binding: Binding[T]) -> ObjectList[T]:
    """Decodes a list; items get the ``apiVersion`` and ``kind`` that built-in lists leave out.

    Raises:
        DecodeError: The bytes are no list, or an item cannot be decoded.
    """
    document: Any = loads(body)
    gvk = binding.gvk
    _check_kind(str(document.get("kind") or ""), gvk)
    api_version, kind, decode = gvk.api_version, gvk.kind, binding.decode_item
    items = []
    for item in document.get("items") or ():
        if "kind" not in item or "apiVersion" not in item:
            item["apiVersion"], item["kind"] = api_version, kind
        items.append(decode(item))
    meta = document.get("metadata") or {}
    return ObjectList(
        items, meta.get("resourceVersion") or "", meta.get("continue") or "", meta.get("remainingItemCount")
    )


def _check_kind(kind: str, gvk: GVK) -> None:
    if kind == "Table" or not kind.endswith("List"):
        raise DecodeError(
            f"reading a list of {gvk.kind}: the API server answered with a {kind or 'document without kind'}"
        )
