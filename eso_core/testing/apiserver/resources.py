"""What the server knows about each resource it serves, and the registry of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from eso_core.testing.apiserver.conversion import ConversionWebhook
    from eso_core.testing.apiserver.strategy import Strategy

JsonObject = dict[str, Any]

ALL_VERBS: Final = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
CUSTOM_VERBS: Final = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")


@dataclass(frozen=True, slots=True)
class Column:
    """A printer column; ``path`` is a JSONPath of custom kinds, unused for built-in ones."""

    name: str
    type: str
    path: str = ""
    format: str = ""
    description: str = ""
    priority: int = 0


@dataclass(frozen=True, slots=True)
class ScalePaths:
    """Where a custom kind keeps its replica counts."""

    spec: str
    status: str
    selector: str = ""


@dataclass(frozen=True, slots=True)
class SubResource:
    """A subresource as discovery shows it."""

    name: str
    verbs: tuple[str, ...]
    kind: str = ""
    group: str = ""
    version: str = ""


@dataclass(slots=True)
class Version:
    """One served or stored version of a resource. ``openapi`` is its schema with the ``x-kubernetes-*`` extensions."""

    name: str
    openapi: JsonObject
    served: bool = True
    status: bool = False
    scale: ScalePaths | None = None
    columns: tuple[Column, ...] = ()
    selectable: tuple[str, ...] = ()
    deprecated: bool = False
    warning: str = ""


@dataclass(slots=True)
class ResourceType:
    """One resource of one group. Several groups may share a table (Events): ``path`` names it.

    ``strategy`` holds what differs between kinds on write. ``generation`` tells whether the kind counts
    generations, ``create_on_update`` whether PUT of an absent object creates it.
    """

    group: str
    plural: str
    kind: str
    namespaced: bool
    versions: dict[str, Version]
    storage_version: str
    strategy: Strategy
    path: str
    singular: str = ""
    list_kind: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    subresources: tuple[SubResource, ...] = ()
    custom: bool = False
    generation: bool = False
    create_on_update: bool = False
    delete_returns_object: bool = False
    uid: str = ""
    terminating: bool = False
    conversion: ConversionWebhook | None = None

    @property
    def error_group(self) -> str:
        """The group that validation errors name: events.k8s.io answers in the name of the core group."""
        return "" if self.path == "events" else self.group

    def __post_init__(self) -> None:
        self.singular = self.singular or self.kind.lower()
        self.list_kind = self.list_kind or f"{self.kind}List"

    @property
    def qualified(self) -> str:
        """``widgets.test.example.io``, or the plural in the core group."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def api_version(self, version: str) -> str:
        return f"{self.group}/{version}" if self.group else version


def version_rank(name: str) -> tuple[int, int, int, str]:
    """Sort key: v2 before v1 before v1beta2 before v1alpha1 before anything else (then alphabetically)."""
    rest = name[1:]
    if name.startswith("v") and rest:
        digits = len(rest) - len(rest.lstrip("0123456789"))
        major, tail = rest[:digits], rest[digits:]
        if major and not tail:
            return (0, -int(major), 0, "")
        for rank, stage in ((1, "beta"), (2, "alpha")):
            if major and tail.startswith(stage) and tail[len(stage) :].isdigit():
                return (rank, -int(major), -int(tail[len(stage) :]), "")
    return (3, 0, 0, name)


@dataclass(slots=True)
class Group:
    """An API group: its served versions, best first, and the resources in each."""

    name: str
    builtin: bool
    versions: dict[str, dict[str, ResourceType]]


class ResourceRegistry:
    """Served resources by group, version and plural. ``revision`` grows with every change (for ETags)."""

    def __init__(self) -> None:
        self._groups: dict[str, Group] = {}
        self._kinds: dict[tuple[str, str], ResourceType] = {}
        self._order: list[str] = []
        self.revision = 0

    def add(self, resource: ResourceType) -> None:
        """Serve a resource, replacing an earlier definition of it."""
        self._remove(resource.group, resource.plural)
        group = self._groups.get(resource.group)
        if group is None:
            group = self._groups[resource.group] = Group(resource.group, not resource.custom, {})
        for version in resource.versions.values():
            if version.served:
                group.versions.setdefault(version.name, {})[resource.plural] = resource
        self._kinds[(resource.group, resource.kind)] = resource
        self._changed()

    def add_group_version(self, group: str, version: str) -> None:
        """Serve an empty built-in group version (reviews have no storage)."""
        found = self._groups.setdefault(group, Group(group, True, {}))
        found.versions.setdefault(version, {})

    def remove(self, group: str, plural: str) -> None:
        """Stop serving a resource."""
        self._remove(group, plural)
        self._changed()

    def _remove(self, group: str, plural: str) -> None:
        found = self._groups.get(group)
        if found is None:
            return
        for version in list(found.versions):
            old = found.versions[version].pop(plural, None)
            if old is not None:
                self._kinds.pop((group, old.kind), None)
            if not found.versions[version] and not found.builtin:
                del found.versions[version]
        if not found.versions:
            del self._groups[group]

    def _changed(self) -> None:
        self.revision += 1
        for group in self._groups.values():
            names = sorted(group.versions, key=version_rank)
            group.versions = {name: group.versions[name] for name in names}

    def find(self, group: str, version: str, plural: str) -> ResourceType | None:
        found = self._groups.get(group)
        if found is None:
            return None
        resources = found.versions.get(version)
        return resources.get(plural) if resources is not None else None

    def by_kind(self, group: str, kind: str) -> ResourceType | None:
        """The resource that serves a kind."""
        return self._kinds.get((group, kind))

    def group(self, name: str) -> Group | None:
        return self._groups.get(name)

    def groups(self) -> Iterator[Group]:
        """All groups: built-in ones in the order they were added, then custom ones by name."""
        builtin = [group for group in self._groups.values() if group.builtin]
        custom = sorted((group for group in self._groups.values() if not group.builtin), key=lambda item: item.name)
        return iter([*builtin, *custom])

    def all(self) -> list[ResourceType]:
        """Every resource once."""
        return list({id(found): found for found in self._resources()}.values())

    def _resources(self) -> Iterable[ResourceType]:
        for group in self._groups.values():
            for resources in group.versions.values():
                yield from resources.values()

    def snapshot(self) -> Mapping[str, Group]:
        return dict(self._groups)
