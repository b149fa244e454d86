"""What a kind is called: group, version, kind; group, version, resource; and what is known about it."""

from __future__ import annotations

from typing import Any, NamedTuple

from msgspec import Struct

__all__ = ["GVK", "GVR", "JsonObject", "ResourceInfo", "gvk_of", "split_api_version"]

JsonObject = dict[str, Any]
"""A decoded Kubernetes object."""


def split_api_version(api_version: str) -> tuple[str, str]:
    """``apps/v1`` is ``("apps", "v1")``, ``v1`` is ``("", "v1")``.

    Raises:
        ValueError: More than one slash, or an empty part.
    """
    group, slash, version = api_version.rpartition("/")
    if not version or "/" in group or (slash and not group):
        raise ValueError(f"reading apiVersion {api_version!r}: it must look like v1 or group/version")
    return group, version


class GVK(NamedTuple):
    """Group, version and kind; the group of the core API is empty."""

    group: str
    version: str
    kind: str

    @classmethod
    def parse(cls, api_version: str, kind: str) -> GVK:
        """From the two fields of an object.

        Raises:
            ValueError: The apiVersion is malformed.
        """
        group, version = split_api_version(api_version)
        return cls(group, version, kind)

    @property
    def api_version(self) -> str:
        """The ``apiVersion`` field of such an object."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def group_kind(self) -> tuple[str, str]:
        """Group and kind, which stay the same over versions."""
        return self.group, self.kind

    def __str__(self) -> str:
        return f"{self.api_version}/{self.kind}"


class GVR(NamedTuple):
    """Group, version and resource (the plural in the URL)."""

    group: str
    version: str
    resource: str

    @property
    def api_version(self) -> str:
        """The ``apiVersion`` field of objects of this resource."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def path_prefix(self) -> str:
        """``/api/v1`` or ``/apis/group/version``."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    def __str__(self) -> str:
        return f"{self.resource}.{self.version}.{self.group}" if self.group else f"{self.resource}.{self.version}"


class ResourceInfo(Struct, frozen=True):
    """How a kind is served."""

    gvr: GVR
    namespaced: bool
    singular: str = ""
    short_names: tuple[str, ...] = ()
    kind: str = ""
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()

    @property
    def gvk(self) -> GVK:
        """The kind that this resource serves."""
        return GVK(self.gvr.group, self.gvr.version, self.kind)


def gvk_of(obj: JsonObject) -> GVK:
    """The kind of an object, from its ``apiVersion`` and ``kind``.

    Raises:
        ValueError: One of them is missing or malformed.
    """
    api_version, kind = obj.get("apiVersion"), obj.get("kind")
    if not api_version or not kind:
        missing = "apiVersion" if not api_version else "kind"
        raise ValueError(f"reading an object: it has no {missing}: set apiVersion and kind")
    return GVK.parse(str(api_version), str(kind))
