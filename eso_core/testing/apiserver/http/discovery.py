"""Discovery: which groups, versions and resources there are, in the legacy and the aggregated form."""

from __future__ import annotations

import base64
import hashlib
from typing import Any, Final

import orjson

from eso_core.testing.apiserver.builtin.discovery import REVIEWS
from eso_core.testing.apiserver.http.message import JSON, Request, Response
from eso_core.testing.apiserver.resources import Group, ResourceRegistry, ResourceType, Version

JsonObject = dict[str, Any]

_AGGREGATED: Final = "application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"


class Discovery:
    """Answers ``/api``, ``/apis`` and what is below them. Documents are made anew after a change of the registry."""

    def __init__(self, registry: ResourceRegistry, address: str) -> None:
        self._registry = registry
        self._address = address
        self._revision = -1
        self._cache: dict[str, tuple[bytes, str]] = {}

    def answer(self, request: Request, segments: list[str]) -> Response | None:
        """The document at a path, or None."""
        if self._revision != self._registry.revision:
            self._cache.clear()
            self._revision = self._registry.revision
        version = _aggregated_version(request.header("accept"))
        match segments:
            case ["api"] | ["apis"] if version:
                return self._aggregated(request, segments[0], version)
            case ["api"]:
                return self._plain({"kind": "APIVersions", "versions": ["v1"], **self._addresses()})
            case ["apis"]:
                groups = [self._group(group) for group in self._registry.groups() if group.name]
                return self._plain({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
            case ["api", "v1"]:
                return self._resources("", "v1")
            case ["apis", name]:
                group = self._registry.group(name)
                if group is None:
                    return None
                return self._plain({"kind": "APIGroup", "apiVersion": "v1", **self._group(group)})
            case ["apis", name, version_name]:
                return self._resources(name, version_name)
        return None

    def _addresses(self) -> JsonObject:
        return {"serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": self._address}]}

    @staticmethod
    def _plain(document: JsonObject) -> Response:
        return Response(200, orjson.dumps(document), JSON)

    @staticmethod
    def _group(group: Group) -> JsonObject:
        versions = [{"groupVersion": f"{group.name}/{name}", "version": name} for name in group.versions]
        return {"name": group.name, "versions": versions, "preferredVersion": versions[0]}

    # -- legacy

    def _resources(self, group_name: str, version: str) -> Response | None:
        group = self._registry.group(group_name)
        if group is None or version not in group.versions:
            return None
        entries: list[JsonObject] = []
        for resource in group.versions[version].values():
            entries += _legacy_entries(resource, resource.versions[version])
        entries += REVIEWS.get(group_name, ())
        if group.builtin:
            entries.sort(key=lambda entry: entry["name"])
        group_version = f"{group_name}/{version}" if group_name else version
        document: JsonObject = {"kind": "APIResourceList"}
        if group_name:
            document["apiVersion"] = "v1"
        document |= {"groupVersion": group_version, "resources": entries}
        return self._plain(document)

    # -- aggregated

    def _aggregated(self, request: Request, root: str, version: str) -> Response:
        key = f"{root} {version}"
        cached = self._cache.get(key)
        if cached is None:
            groups = [group for group in self._registry.groups() if bool(group.name) == (root == "apis")]
            document = {
                "kind": "APIGroupDiscoveryList",
                "apiVersion": f"apidiscovery.k8s.io/{version}",
                "metadata": {},
                "items": [_aggregated_group(group) for group in groups],
            }
            body = orjson.dumps(document)
            cached = self._cache[key] = (body, f'"{hashlib.sha256(body).hexdigest().upper()}"')
        body, etag = cached
        headers = [("ETag", etag), ("Vary", "Accept")]
        if request.header("if-none-match") == etag:
            return Response(304, b"", "", headers)
        return Response(200, body, _AGGREGATED.format(version=version), headers)


def _aggregated_version(accept: str) -> str:
    """The first aggregated form a client takes; empty for the legacy documents."""
    for clause in accept.split(","):
        parts = [part.strip() for part in clause.split(";")]
        if parts[0] in ("application/json", "*/*") and len(parts) == 1:
            return ""
        if "as=APIGroupDiscoveryList" in parts and "g=apidiscovery.k8s.io" in parts and parts[0] == JSON:
            for version in ("v2", "v2beta1"):
                if f"v={version}" in parts:
                    return version
    return ""


def _storage_hash(resource: ResourceType) -> str:
    text = f"{resource.group}/{resource.storage_version}/{resource.kind}"
    return base64.b64encode(hashlib.sha256(text.encode()).digest()[:8]).decode()


def _legacy_entries(resource: ResourceType, version: Version) -> list[JsonObject]:
    entry: JsonObject = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    entry["storageVersionHash"] = _storage_hash(resource)
    entries = [entry]
    for sub in _subresources(resource, version):
        nested: JsonObject = {
            "name": f"{resource.plural}/{sub.name}",
            "singularName": "",
            "namespaced": resource.namespaced,
        }
        if sub.group:
            nested |= {"group": sub.group, "version": sub.version}
        entries.append(nested | {"kind": sub.kind or resource.kind, "verbs": list(sub.verbs)})
    return entries


def _subresources(resource: ResourceType, version: Version) -> list[Any]:
    if not resource.custom:
        return list(resource.subresources)
    wanted = {"status": version.status, "scale": version.scale is not None}
    return [sub for sub in resource.subresources if wanted[sub.name]]


def _response_kind(resource: ResourceType, group: str, version: str) -> JsonObject:
    # The original names group and version for custom kinds only.
    if not resource.custom:
        group = version = ""
    return {"group": group, "version": version, "kind": resource.kind}


def _aggregated_group(group: Group) -> JsonObject:
    versions = []
    for name, resources in group.versions.items():
        entries = [_aggregated_resource(resource, group.name, name) for resource in resources.values()]
        entries += [_aggregated_review(review) for review in REVIEWS.get(group.name, ())]
        if group.builtin:
            entries.sort(key=lambda entry: str(entry["resource"]))
        versions.append({"version": name, "resources": entries, "freshness": "Current"})
    metadata: JsonObject = {"name": group.name} if group.name else {}
    return {"metadata": metadata, "versions": versions}


def _aggregated_resource(resource: ResourceType, group: str, version: str) -> JsonObject:
    entry: JsonObject = {
        "resource": resource.plural,
        "responseKind": _response_kind(resource, group, version),
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    nested = [
        {
            "subresource": sub.name,
            "responseKind": {"group": sub.group, "version": sub.version, "kind": sub.kind}
            if sub.kind
            else _response_kind(resource, group, version),
            "verbs": list(sub.verbs),
        }
        for sub in _subresources(resource, resource.versions[version])
    ]
    if nested:
        entry["subresources"] = nested
    return entry


def _aggregated_review(review: JsonObject) -> JsonObject:
    return {
        "resource": review["name"],
        "responseKind": {"group": "", "version": "", "kind": review["kind"]},
        "scope": "Namespaced" if review["namespaced"] else "Cluster",
        "singularResource": review["singularName"],
        "verbs": review["verbs"],
    }
