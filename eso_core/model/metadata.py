"""The `metadata` of a resource."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from eso_core.meta import JsonObject
from eso_core.model.model import Model

__all__ = ["OwnerReference", "ResourceMetadata"]


class OwnerReference(Model):
    """Who owns the object: when the last owner goes, it goes."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool | None = None
    block_owner_deletion: bool | None = None


class ResourceMetadata(Model):
    """Name, identity, labels and the rest of what every object has. Times stay text as the server wrote them."""

    name: str = ""
    namespace: str = ""
    generate_name: str | None = None
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    deletion_grace_period_seconds: int | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    owner_references: list[OwnerReference] | None = None
    finalizers: list[str] | None = None
    managed_fields: Annotated[list[JsonObject] | None, Field(repr=False)] = None
