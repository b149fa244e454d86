"""From kinds to resources and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from eso_core.aio import Clock, SingleFlight
from eso_core.client.discovery import Discovery, GroupVersions
from eso_core.client.request import Send
from eso_core.meta import wellknown
from eso_core.meta.errors import AmbiguousKind, ApiError, NoKindMatch, NoResourceMatch, NotFound
from eso_core.meta.gvk import GVK, GVR, ResourceInfo

__all__ = ["RESTMapper"]

_REDISCOVER_SECONDS = 10.0
_Wanted: TypeAlias = Callable[[ResourceInfo], bool]


class RESTMapper:
    """Knows how kinds are served. Well-known and registered kinds are answered at once, others from discovery.

    Discovery runs on first need, once for all who ask. A miss looks again, per group at most every ten seconds.
    """

    def __init__(self, send: Send, clock: Clock, known: Iterable[ResourceInfo] = ()) -> None:
        self._clock = clock
        self._discovery = Discovery(send)
        self._flight: SingleFlight[str, dict[str, GroupVersions]] = SingleFlight()
        self._static: dict[GVK, ResourceInfo] = dict(wellknown.RESOURCES)
        self._groups: dict[str, GroupVersions] | None = None
        self._looked: dict[str, float] = {}
        for info in known:
            self.register(info)

    def register(self, info: ResourceInfo) -> None:
        """Adds static knowledge of a kind, which wins over discovery."""
        self._static[info.gvk] = info

    async def mapping(self, gvk: GVK) -> ResourceInfo:
        """How a kind is served.

        Raises:
            NoKindMatch: The server does not serve it.
            AmbiguousKind: Several resources serve it.
            ApiError, TransportError: Discovery failed.
        """
        known = self._static.get(gvk)
        if known is not None:
            return known
        found = await self._search(gvk.group, gvk.version, lambda info: info.kind == gvk.kind)
        if not found:
            raise NoKindMatch(
                f"looking up {gvk.kind} in {gvk.api_version}: the API server does not serve it: {await self._hint(gvk)}"
            )
        if len(found) > 1:
            names = ", ".join(sorted(info.gvr.resource for info in found))
            raise AmbiguousKind(f"looking up {gvk.kind} in {gvk.api_version}: several resources serve it: {names}")
        return found[0]

    async def resource(self, gvr: GVR) -> ResourceInfo:
        """The resource of a group version, by its plural.

        Raises:
            NoResourceMatch: The server does not serve it.
            ApiError, TransportError: Discovery failed.
        """
        for info in self._static.values():
            if info.gvr == gvr:
                return info
        found = await self._search(gvr.group, gvr.version, lambda info: info.gvr.resource == gvr.resource)
        if not found:
            raise NoResourceMatch(f"looking up resource {gvr}: the API server does not serve it: is its CRD installed?")
        return found[0]

    async def versions(self, group: str, kind: str) -> list[ResourceInfo]:
        """All versions of a kind that the server serves, preferred first; empty when there are none.

        Raises:
            ApiError, TransportError: Discovery failed.
        """
        groups = await self._load()
        entry = groups.get(group)
        if entry is None:
            groups = await self._look_again(group)
            entry = groups.get(group)
        if entry is None:
            return []
        found = []
        for version in entry.versions:
            found += [info for info in await self._resources(group, version, entry) if info.kind == kind]
        return found

    def invalidate(self) -> None:
        """Forgets what discovery said, like after a CRD changed; static knowledge stays."""
        self._groups = None
        self._looked.clear()

    async def _search(self, group: str, version: str, wanted: _Wanted) -> list[ResourceInfo]:
        fresh = self._groups is None
        groups = await self._load()
        found = await self._pick(groups, group, version, wanted)
        if not found and not fresh:
            found = await self._pick(await self._look_again(group), group, version, wanted)
        if fresh and not found:
            self._looked[group] = self._clock.monotonic()
        return found

    async def _pick(
        self, groups: dict[str, GroupVersions], group: str, version: str, wanted: _Wanted
    ) -> list[ResourceInfo]:
        entry = groups.get(group)
        if entry is None or version not in entry.versions:
            return []
        return [info for info in await self._resources(group, version, entry) if wanted(info)]

    async def _resources(self, group: str, version: str, entry: GroupVersions) -> list[ResourceInfo]:
        known = entry.resources.get(version)
        if known is not None and version not in entry.stale:
            return known
        try:
            entry.resources[version] = await self._discovery.resources(group, version)
            entry.stale.discard(version)
        except NotFound:
            # Listed, but gone: the group version is dropped from the map.
            if version in entry.versions:
                entry.versions.remove(version)
            entry.resources.pop(version, None)
            return []
        except ApiError:
            # A failing aggregated API fails its own group only; what was known of it stays usable.
            if known:
                return known
            raise
        return entry.resources[version]

    async def _load(self) -> dict[str, GroupVersions]:
        if self._groups is None:
            self._groups = await self._flight.do("groups", self._discovery.groups)
        return self._groups

    async def _look_again(self, group: str) -> dict[str, GroupVersions]:
        now = self._clock.monotonic()
        last = self._looked.get(group)
        if last is not None and now - last < _REDISCOVER_SECONDS:
            return await self._load()
        self._looked[group] = now
        groups = await self._flight.do("groups", self._discovery.groups)
        self._groups = groups
        return groups

    async def _hint(self, gvk: GVK) -> str:
        served = [info.gvr.version for info in await self.versions(gvk.group, gvk.kind)]
        if served:
            return f"it serves version {', '.join(served)}"
        return "is its CRD installed?" if "." in gvk.group else "check group, version and kind"
