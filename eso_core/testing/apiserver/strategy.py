"""What differs between kinds: decoding, defaults, validation, conversion between served and stored form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from eso_core.testing.apiserver.errors import FieldError, StatusError, bad_request
from eso_core.testing.apiserver.rest.options import WriteOptions
from eso_core.testing.apiserver.schema.gotext import quote
from eso_core.testing.apiserver.storage.entry import Entry

if TYPE_CHECKING:
    from eso_core.testing.apiserver.authn.user import User
    from eso_core.testing.apiserver.resources import ResourceType, Version

JsonObject = dict[str, Any]


@dataclass(slots=True)
class Call:
    """One write request on its way through the server. ``warnings`` become ``Warning`` headers of the answer.

    ``internal`` marks writes of the server's own controllers, which admission does not ask about."""

    resource: ResourceType
    version: Version
    namespace: str
    name: str
    subresource: str
    user: User
    manager: str
    options: WriteOptions
    now: datetime
    warnings: list[str] = field(default_factory=list)
    internal: bool = False

    @property
    def api_version(self) -> str:
        return self.resource.api_version(self.version.name)

    @property
    def timestamp(self) -> str:
        """The request's time as metadata shows it, in whole seconds."""
        return _whole_seconds(self.now.replace(microsecond=0))

    def warn(self, text: str) -> None:
        if text not in self.warnings:
            self.warnings.append(text)


class Strategy:
    """The hooks of one kind. The defaults fit a kind without schema and without rules."""

    custom = False
    unconditional_update = True
    grace_period: int | None = 0

    def schema(self, version: Version) -> JsonObject:
        """The OpenAPI schema that field ownership is computed with."""
        return version.openapi

    def reset_fields(self, call: Call) -> tuple[str, ...]:
        """Paths of fields that a request cannot change: status through the main resource, and the reverse."""
        if call.subresource == "status":
            return ("spec", "metadata") if self.custom else ("spec",)
        return ("status",)

    def decode(self, version: Version, obj: JsonObject, *, patch: bool = False) -> list[str]:
        """Bring a client's object into the kind's form, in place.

        Returns complaints about unknown fields (``unknown field "spec.junk"``). Raises `DecodeFailure` for values of
        the wrong type.
        """
        return []

    def default(self, version: Version, obj: JsonObject) -> None:
        """Fill in defaults, in place."""

    def read(self, resource: ResourceType, version: Version, entry: Entry) -> JsonObject:
        """A fresh copy of a stored object in a served version."""
        obj = entry.decode()
        if version.name != resource.storage_version:
            obj["apiVersion"] = resource.api_version(version.name)
        return obj

    def body(self, resource: ResourceType, version: Version, entry: Entry) -> bytes | None:
        """The stored bytes when they are what `read` would give, else None."""
        return entry.body if version.name == resource.storage_version else None

    def store(self, resource: ResourceType, version: Version, obj: JsonObject) -> JsonObject:
        """The form an object is stored in (a new top level; nested values are shared)."""
        if version.name == resource.storage_version:
            return obj
        return {**obj, "apiVersion": resource.api_version(resource.storage_version)}

    def tag(self, version: Version) -> str | None:
        """Names the schema that entries written through a version conform to."""
        return None

    def prepare_create(self, call: Call, obj: JsonObject) -> None:
        """Drop what clients may not set on create, compute what the server sets."""

    def prepare_update(self, call: Call, obj: JsonObject, old: JsonObject) -> None:
        """Keep what this request may not change."""

    def validate_create(self, call: Call, obj: JsonObject) -> list[FieldError]:
        """Everything wrong with a new object."""
        return []

    def validate_update(self, call: Call, obj: JsonObject, old: JsonObject) -> list[FieldError]:
        """Everything wrong with a changed object."""
        return []

    def warnings(self, call: Call, obj: JsonObject, old: JsonObject | None) -> list[str]:
        """What is allowed but worth a word."""
        return []

    def after_delete_marked(self, obj: JsonObject) -> None:
        """Adapt an object whose deletion has begun but waits for finalizers."""

    def deletion_finalizer(self) -> str:
        """A finalizer that every deletion of this kind goes through; empty for none."""
        return ""

    def holds_deletion(self, obj: JsonObject) -> bool:
        """Whether an object without finalizers must still wait for its deletion (Namespaces do)."""
        return False

    def field_labels(self, version: Version) -> frozenset[str]:
        """Field selector keys besides metadata.name and metadata.namespace."""
        return frozenset()

    def field_value(self, obj: JsonObject, key: str) -> str:
        """The text that a field selector compares."""
        return lookup(obj, key)

    def unknown_label(self, key: str) -> StatusError:
        """The refusal of a field selector key."""
        known = 'only "metadata.name", "metadata.namespace"'
        return bad_request(f"{quote(key)} is not a known field selector: {known}")


@lru_cache(maxsize=8)
def _whole_seconds(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


class DecodeFailure(Exception):
    """A value has the wrong type; the text is the decoder's."""


def lookup(obj: Any, path: str) -> str:
    """The scalar at a dotted path as text; empty when absent."""
    for part in path.split("."):
        if not isinstance(obj, dict):
            return ""
        obj = obj.get(part)
    if obj is None:
        return ""
    if isinstance(obj, bool):
        return "true" if obj else "false"
    return str(obj)


Hook = Callable[[Call, JsonObject, JsonObject | None], None]
