"""Picking values out of a Secret. Pure functions.

A property of the data is a key of it, dots and all; otherwise what stands before the first dot is a key, and the rest a
path into its value. A property of the metadata is `labels` or `annotations`, a name, and a path into that value.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field

from eso_core.meta import JsonObject
from providers.errors import InvalidData, NoSecret
from providers.gjson import get
from providers.gojson import JsonValue, decode, encode, well_formed
from providers.interface import MetadataPolicy, RemoteRef

__all__ = ["Document", "data_of", "data_text", "select", "select_map", "text_of"]


@dataclass(frozen=True, slots=True)
class Document:
    """A Secret as it was read; `secret` is None when there is none. repr shows no content."""

    name: str
    secret: JsonObject | None = field(repr=False)


def data_of(secret: JsonObject) -> dict[str, bytes]:
    """The data of a Secret, decoded."""
    return {key: base64.b64decode(value or "") for key, value in (secret.get("data") or {}).items()}


def text_of(value: bytes) -> str:
    """A value as text; each byte that is no UTF-8 becomes U+FFFD, as Go's encoder has it."""
    return well_formed(value.decode("utf-8", "surrogateescape"))


def data_text(data: dict[str, bytes]) -> bytes:
    """A JSON object of all values as text."""
    members: dict[str, JsonValue] = {key: text_of(value) for key, value in data.items()}
    return encode(members, html=False).encode()


def select(document: Document, ref: RemoteRef) -> bytes:
    """What a `data` entry gets.

    Raises:
        NoSecret: There is no such Secret.
        InvalidData: There is no such property.
    """
    secret = document.secret
    if secret is None:
        raise NoSecret(f'secrets "{document.name}" not found')
    if ref.metadata_policy is MetadataPolicy.FETCH:
        return _metadata_value(secret, ref)
    data = data_of(secret)
    if not ref.property:
        return data_text(data)
    if ref.property in data:
        return data[ref.property]
    key, dot, path = ref.property.partition(".")
    if key and dot and path and key in data:
        found = get(data[key].decode("utf-8", "surrogateescape"), path)
        if found is not None:
            return found.text.encode("utf-8", "surrogateescape")
    raise InvalidData(f'property {ref.property} does not exist in data of secret "{ref.key}"')


def _metadata_value(secret: JsonObject, ref: RemoteRef) -> bytes:
    meta = secret.get("metadata") or {}
    if not ref.property:
        whole: JsonValue = {"annotations": meta.get("annotations"), "labels": meta.get("labels")}
        return encode(whole, html=False).encode()
    part, *rest = ref.property.split(".")
    missing = InvalidData(f'property {ref.property} does not exist in metadata of secret "{ref.key}"')
    if part not in ("labels", "annotations"):
        raise missing
    entries = meta.get(part) or {}
    if not rest:
        return encode(dict(entries), html=False).encode()
    if rest[0] not in entries:
        raise missing
    value = str(entries[rest[0]])
    if len(rest) == 1:
        return value.encode()
    # The original joins the parts of a longer path without their dots.
    found = get(value, "".join(rest[1:]))
    if found is None:
        raise missing
    return found.text.encode("utf-8", "replace")


def select_map(document: Document, ref: RemoteRef) -> dict[str, bytes]:
    """What an `extract` gets.

    Raises:
        NoSecret: There is no such Secret.
        InvalidData: There is no such property, or its value is no JSON object.
    """
    secret = document.secret
    if secret is None:
        raise NoSecret
    if ref.metadata_policy is MetadataPolicy.FETCH:
        meta = secret.get("metadata") or {}
        values = {
            part: encode(dict(entries), html=False).encode() if (entries := meta.get(part)) is not None else b"null"
            for part in ("annotations", "labels")
        }
    else:
        values = data_of(secret)
    if not ref.property:
        return values
    encoded = encode({name: base64.b64encode(value).decode() for name, value in values.items()})
    found = get(encoded, ref.property.replace(".", r"\.")) if "." in ref.property else None
    found = found or get(encoded, ref.property)
    if found is None:
        raise InvalidData(f"property {ref.property} does not exist in key {ref.key}")
    try:
        members = decode(base64.b64decode(found.text))
    except ValueError:
        members = ""
    if members is None:
        return {}
    if not isinstance(members, dict):
        raise InvalidData("failed to unmarshal secret: invalid JSON format")
    return {name: encode(value, html=False, doubles=True).encode() for name, value in members.items()}
