"""Discovery documents of the API server, in the aggregated and the older form."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

from eso_core.client.kinds import loads
from eso_core.client.request import ApiRequest, Send
from eso_core.meta.errors import NotFound
from eso_core.meta.gvk import GVR, JsonObject, ResourceInfo

__all__ = ["Discovery", "GroupVersions"]

_AGGREGATED = ",".join(
    f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList" for version in ("v2", "v2beta1")
)


class GroupVersions(Struct):
    """What is known of one group.

    Attributes:
        versions: In the server's order of preference.
        resources: Per version; a version that is not there has not been read yet (older servers) or does not answer.
        stale: Versions whose aggregated API did not answer the server.
    """

    versions: list[str] = field(default_factory=list)
    resources: dict[str, list[ResourceInfo]] = field(default_factory=dict)
    stale: set[str] = field(default_factory=set)


class _Document(Struct):
    etag: str
    aggregated: bool
    groups: dict[str, GroupVersions]


class Discovery:
    """Reads discovery through a ``Send``; unchanged documents are answered by their ETag."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._documents: dict[str, _Document] = {}

    async def groups(self) -> dict[str, GroupVersions]:
        """All groups by name; the core group's name is empty.

        Raises:
            ApiError, TransportError: The server gives no discovery.
        """
        found: dict[str, GroupVersions] = {}
        for root in ("/api", "/apis"):
            found.update(await self._root(root))
        return found

    async def resources(self, group: str, version: str) -> list[ResourceInfo]:
        """The resources of one group version, from the older document.

        Raises:
            ApiError, TransportError: The server does not answer for it; ``NotFound`` when it is not served.
        """
        path = f"/apis/{group}/{version}" if group else f"/api/{version}"
        response = await self._send(ApiRequest("GET", path, kind="discovery"))
        return _from_legacy(loads(response.body), group, version)

    async def _root(self, root: str) -> dict[str, GroupVersions]:
        known = self._documents.get(root)
        headers = {"If-None-Match": known.etag} if known is not None and known.etag else None
        request = ApiRequest(
            "GET", root, accept=f"{_AGGREGATED},application/json", kind="discovery", headers=headers, passed=(304,)
        )
        try:
            response = await self._send(request)
        except NotFound:
            # A server without the core group, or one that serves nothing but it.
            return {}
        if response.status == 304 and known is not None:
            if not known.aggregated:
                # The list of groups is the same; their resources, read one by one, may have changed.
                for entry in known.groups.values():
                    entry.resources.clear()
            return known.groups
        document = loads(response.body)
        aggregated = "as=APIGroupDiscoveryList" in response.headers.get("Content-Type", "")
        if aggregated:
            groups = _from_aggregated(document)
        elif root == "/api":
            groups = {"": GroupVersions(versions=[str(v) for v in document.get("versions") or ()])}
        else:
            groups = dict(_group_names(group) for group in document.get("groups") or ())
        self._documents[root] = _Document(response.headers.get("ETag", ""), aggregated, groups)
        return groups


def _from_aggregated(document: JsonObject) -> dict[str, GroupVersions]:
    found: dict[str, GroupVersions] = {}
    for item in document.get("items") or ():
        group = (item.get("metadata") or {}).get("name") or ""
        entry = found[group] = GroupVersions()
        for version in item.get("versions") or ():
            name = version["version"]
            entry.versions.append(name)
            if version.get("freshness") == "Stale":
                entry.stale.add(name)
            entry.resources[name] = [_aggregated(resource, group, name) for resource in version.get("resources") or ()]
    return found


def _aggregated(resource: JsonObject, group: str, version: str) -> ResourceInfo:
    response_kind = resource.get("responseKind") or {}
    return ResourceInfo(
        # The kind may live in another group version than the resource, as Scale does; the URL follows the resource.
        gvr=GVR(group, version, resource["resource"]),
        namespaced=resource.get("scope") == "Namespaced",
        singular=resource.get("singularResource") or "",
        short_names=tuple(resource.get("shortNames") or ()),
        kind=response_kind.get("kind") or "",
        categories=tuple(resource.get("categories") or ()),
        verbs=tuple(resource.get("verbs") or ()),
        subresources=tuple(s["subresource"] for s in resource.get("subresources") or ()),
    )


def _from_legacy(document: JsonObject, group: str, version: str) -> list[ResourceInfo]:
    entries: list[dict[str, Any]] = document.get("resources") or []
    subresources: dict[str, list[str]] = {}
    for entry in entries:
        name, slash, sub = entry["name"].partition("/")
        if slash:
            subresources.setdefault(name, []).append(sub)
    return [
        ResourceInfo(
            gvr=GVR(group, version, entry["name"]),
            namespaced=bool(entry.get("namespaced")),
            singular=entry.get("singularName") or "",
            short_names=tuple(entry.get("shortNames") or ()),
            kind=entry.get("kind") or "",
            categories=tuple(entry.get("categories") or ()),
            verbs=tuple(entry.get("verbs") or ()),
            subresources=tuple(subresources.get(entry["name"], ())),
        )
        for entry in entries
        if "/" not in entry["name"]
    ]


def _group_names(group: JsonObject) -> tuple[str, GroupVersions]:
    versions = [str(v["version"]) for v in group.get("versions") or ()]
    preferred = (group.get("preferredVersion") or {}).get("version")
    if preferred in versions:
        versions.remove(preferred)
        versions.insert(0, preferred)
    return str(group.get("name") or ""), GroupVersions(versions=versions)
