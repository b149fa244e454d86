"""Discovery and the mapping of kinds."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from eso_core.client import Client, ClientConfig, RetryPolicy
from eso_core.meta import GVK, GVR, ObjectKey
from eso_core.meta.errors import AmbiguousKind, NoKindMatch, NoResourceMatch, ServiceUnavailable
from eso_core.meta.gvk import ResourceInfo
from eso_core.testing.clock import FakeClock

WIDGET = GVK("example.io", "v1", "Widget")
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


class Documents:
    """A server of discovery documents."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.documents: dict[str, Any] = {}
        self.aggregated = True
        self.etag = ""
        self.not_modified = 0

    async def answer(self, request: web.Request, _: bytes) -> web.StreamResponse:
        self.paths.append(request.path)
        found = self.documents.get(request.path)
        if isinstance(found, int):
            return web.json_response({"kind": "Status", "code": found, "message": "x"}, status=found)
        if found is None:
            return web.Response(text="404 page not found", status=404)
        if self.etag and request.headers.get("If-None-Match") == self.etag:
            self.not_modified += 1
            return web.Response(status=304)
        content_type = AGGREGATED if self.aggregated and request.path in ("/api", "/apis") else "application/json"
        headers = {"Content-Type": content_type}
        if self.etag:
            headers["ETag"] = self.etag
        return web.Response(body=json.dumps(found), headers=headers)


def group(name: str, version: str, *resources: dict[str, Any], freshness: str = "Current") -> dict[str, Any]:
    """One group of an aggregated document."""
    entry = {"version": version, "freshness": freshness, "resources": list(resources)}
    return {"metadata": {"name": name}, "versions": [entry]}


def resource(plural: str, kind: str, scope: str = "Namespaced") -> dict[str, Any]:
    """One resource of an aggregated document."""
    return {
        "resource": plural,
        "responseKind": {"group": "", "version": "", "kind": kind},
        "scope": scope,
        "singularResource": kind.lower(),
        "shortNames": ["w"],
        "verbs": ["get"],
        "subresources": [{"subresource": "status"}],
    }


@pytest.fixture
def documents(server) -> Documents:  # type: ignore[no-untyped-def]
    """Serves one core group and one custom group."""
    made = Documents()
    made.documents = {
        "/api": {"items": [group("", "v1", resource("things", "Thing", "Cluster"))]},
        "/apis": {"items": [group("example.io", "v1", resource("widgets", "Widget"))]},
    }
    server.answers = [made.answer]
    return made


@pytest.fixture
def clock() -> FakeClock:
    """Time stands still."""
    return FakeClock()


@pytest.fixture
async def client(server, clock: FakeClock) -> AsyncIterator[Client]:  # type: ignore[no-untyped-def]
    """A client of the documents."""
    async with Client(ClientConfig(server=server.url), clock=clock, retry=RetryPolicy(attempts=1)) as made:
        yield made


async def test_aggregated_discovery_takes_two_requests(documents: Documents, client: Client) -> None:
    """C-34: everything is known after /api and /apis."""
    info = await client.mapper.mapping(WIDGET)
    assert info == ResourceInfo(
        gvr=GVR("example.io", "v1", "widgets"),
        namespaced=True,
        singular="widget",
        short_names=("w",),
        kind="Widget",
        verbs=("get",),
        subresources=("status",),
    )
    assert not (await client.mapper.mapping(GVK("", "v1", "Thing"))).namespaced
    assert (await client.mapper.resource(GVR("example.io", "v1", "widgets"))).kind == "Widget"
    assert documents.paths == ["/api", "/apis"]
    with pytest.raises(ValueError, match="say in which namespace"):
        await client.get(WIDGET, ObjectKey("", "x"))


async def test_older_servers_are_read_per_group_version(documents: Documents, client: Client) -> None:
    """C-34: without the aggregated content type the older documents are used, each once."""
    documents.aggregated = False
    documents.documents = {
        "/api": {"versions": ["v1"]},
        "/apis": {
            "groups": [
                {
                    "name": "example.io",
                    "versions": [{"version": "v1alpha1"}, {"version": "v1"}],
                    "preferredVersion": {"version": "v1"},
                }
            ]
        },
        "/apis/example.io/v1": {
            "resources": [
                {"name": "widgets", "singularName": "widget", "namespaced": True, "kind": "Widget", "verbs": ["get"]},
                {"name": "widgets/status", "namespaced": True, "kind": "Widget"},
            ]
        },
    }
    info = await client.mapper.mapping(WIDGET)
    assert (info.gvr.resource, info.subresources) == ("widgets", ("status",))
    await client.mapper.mapping(WIDGET)
    assert documents.paths == ["/api", "/apis", "/apis/example.io/v1"]
    # v1alpha1 is listed and answers 404: it is dropped.
    assert [i.gvr.version for i in await client.mapper.versions("example.io", "Widget")] == ["v1"]


async def test_a_miss_looks_again_at_most_every_ten_seconds(
    documents: Documents, client: Client, clock: FakeClock
) -> None:
    """C-35: a kind that appears is found after ten seconds, and nothing is asked before."""
    gadget = GVK("example.io", "v1", "Gadget")
    with pytest.raises(NoKindMatch, match=r"looking up Gadget in example\.io/v1: .*is its CRD installed"):
        await client.mapper.mapping(gadget)
    asked = len(documents.paths)
    documents.documents["/apis"]["items"][0]["versions"][0]["resources"].append(resource("gadgets", "Gadget"))
    await clock.advance(9)
    with pytest.raises(NoKindMatch):
        await client.mapper.mapping(gadget)
    assert len(documents.paths) == asked
    await clock.advance(1)
    assert (await client.mapper.mapping(gadget)).gvr.resource == "gadgets"
    documents.documents["/apis"]["items"][0]["versions"][0]["resources"].clear()
    client.mapper.invalidate()
    with pytest.raises(NoKindMatch):
        await client.mapper.mapping(gadget)


async def test_unchanged_documents_are_not_sent_again(documents: Documents, client: Client, clock: FakeClock) -> None:
    """C-34: the ETag of the first answer is used for the next look."""
    documents.etag = '"abc"'
    await client.mapper.mapping(WIDGET)
    client.mapper.invalidate()
    assert (await client.mapper.mapping(WIDGET)).gvr.resource == "widgets"
    assert documents.not_modified == 2


async def test_a_stale_group_fails_alone(documents: Documents, client: Client) -> None:
    """C-35: a failing aggregated API is an error of its own kinds only."""
    stale = group("metrics.example.io", "v1", freshness="Stale")
    documents.documents["/apis"]["items"].append(stale)
    documents.documents["/apis/metrics.example.io/v1"] = 503
    assert (await client.mapper.mapping(WIDGET)).gvr.resource == "widgets"
    with pytest.raises(ServiceUnavailable):
        await client.mapper.mapping(GVK("metrics.example.io", "v1", "Metric"))


async def test_an_unknown_version_names_the_served_ones(documents: Documents, client: Client) -> None:
    """The message helps to fix a wrong apiVersion."""
    with pytest.raises(NoKindMatch, match="it serves version v1"):
        await client.mapper.mapping(GVK("example.io", "v2", "Widget"))
    with pytest.raises(NoResourceMatch, match=r"looking up resource nopes\.v1\.example\.io"):
        await client.mapper.resource(GVR("example.io", "v1", "nopes"))


async def test_two_resources_of_one_kind_are_ambiguous(documents: Documents, client: Client) -> None:
    """A kind must lead to one resource."""
    documents.documents["/apis"]["items"][0]["versions"][0]["resources"].append(resource("widgetz", "Widget"))
    with pytest.raises(AmbiguousKind, match="several resources serve it: widgets, widgetz"):
        await client.mapper.mapping(WIDGET)


async def test_a_registered_kind_needs_no_discovery(documents: Documents, client: Client) -> None:
    """Static knowledge wins."""
    client.mapper.register(ResourceInfo(GVR("x.io", "v1", "xs"), False, kind="X"))
    assert (await client.mapper.mapping(GVK("x.io", "v1", "X"))).gvr.resource == "xs"
    assert documents.paths == []
