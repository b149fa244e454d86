"""The one place where integration tests get their cluster.

==========================================  ==============================================================================
nothing set                                 the in-process server, a fresh one for each test
``ESO_TEST_KUBECONFIG=FILE``                the cluster of that kubeconfig; it should be there for tests alone
``KUBEBUILDER_ASSETS=FOLDER``               a real etcd and kube-apiserver, started once for the run (see ``eso_core.testing.envtest``)
==========================================  ==============================================================================

On a cluster that outlives the test, everything the test made is removed after it: objects, namespaces, definitions (those
of the product stay). A real kube-apiserver alone has no garbage collector and no namespace controller; namespaces are
finalized here then, and tests that need collection skip themselves (`KubeCluster.run_gc`), as do tests that need what only
the in-process server can do: its request log, compaction, its clock (`KubeCluster.server`).
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from eso_core.client import Client, ClientConfig, config_from_kubeconfig
from eso_core.meta.errors import ApiError, Conflict, NotFound
from eso_core.testing.apiserver.options import ApiServerOptions
from eso_core.testing.apiserver.server import ApiServer, write_private
from eso_core.testing.envtest import EnvTest, EnvTestOptions
from eso_core.testing.eventually import eventually

JsonObject = dict[str, Any]

_ASSETS = ("KUBEBUILDER_ASSETS", "TEST_ASSET_ETCD", "TEST_ASSET_KUBE_APISERVER")
_PRODUCT = "external-secrets.io"
_BUILTIN = (
    "",
    "coordination.k8s.io",
    "rbac.authorization.k8s.io",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
)
_CORE = ("configmaps", "secrets", "serviceaccounts", "namespaces")
_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


class KubeCluster:
    """A cluster as a test sees it.

    Attributes:
        controllers: Whether garbage collection and namespace deletion happen.
    """

    def __init__(self, kubeconfig: JsonObject, server: ApiServer | None, *, controllers: bool) -> None:
        self._kubeconfig = kubeconfig
        self._server = server
        self.controllers = controllers

    @property
    def in_process(self) -> bool:
        return self._server is not None

    @property
    def server(self) -> ApiServer:
        """The in-process server; skips the test on any other."""
        if self._server is None:
            pytest.skip(
                f"needs the in-process server (a fresh one, its request log, compaction or clock), not {self.config.server}"
            )
        return self._server

    @property
    def config(self) -> ClientConfig:
        """For a client with all rights."""
        return config_from_kubeconfig(self.kubeconfig())

    def kubeconfig(self) -> JsonObject:
        """A private copy of the administrator's kubeconfig."""
        copied: JsonObject = orjson.loads(orjson.dumps(self._kubeconfig))
        return copied

    def write_kubeconfig(self, path: Path) -> None:
        write_private(path, yaml.safe_dump(self._kubeconfig, sort_keys=False))

    async def install(self, *manifests: JsonObject) -> None:
        """Create or update definitions and wait until they are served."""
        if self._server is not None:
            for manifest in manifests:
                self._server.install(manifest)
        else:
            async with await EnvTest.start(_existing(self._kubeconfig)) as environment:
                await environment.install(*manifests)

    async def run_gc(self) -> None:
        """Let garbage collection catch up: at once in process, in its own time on a cluster; skips where there is none."""
        if self._server is not None:
            await self._server.run_gc()
        elif not self.controllers:
            pytest.skip(f"needs a garbage collector, which a kube-apiserver alone has not: {self.config.server}")


@asynccontextmanager
async def cluster(*, tls: bool = False) -> AsyncIterator[KubeCluster]:
    """A cluster for one test. ``tls`` is for the in-process server; all others have it."""
    external = _external()
    if external is None:
        async with await ApiServer.start(ApiServerOptions(tls=tls)) as server:
            yield KubeCluster(server.kubeconfig(), server, controllers=True)
        return
    kubeconfig, controllers = external
    async with Client(config_from_kubeconfig(kubeconfig), user_agent="cleanup") as client:
        sweeper = Sweeper(client, controllers=controllers)
        await sweeper.remember()
        try:
            yield KubeCluster(kubeconfig, None, controllers=controllers)
        finally:
            await sweeper.sweep()


# -- clusters that outlive a test


_started: tuple[JsonObject, bool] | None = None


def _external() -> tuple[JsonObject, bool] | None:
    if _started is not None:
        return _started
    path = os.environ.get("ESO_TEST_KUBECONFIG")
    if not path:
        return None
    loaded: JsonObject = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    return loaded, os.environ.get("ESO_TEST_CONTROLLERS", "true") != "false"


def _existing(kubeconfig: JsonObject) -> EnvTestOptions:
    return EnvTestOptions(use_existing_cluster=True, config=kubeconfig)


@contextmanager
def control_plane(environ: Mapping[str, str]) -> Iterator[None]:
    """The real binaries for the whole run, in a thread with a loop of its own, if the environment asks for them."""
    if environ.get("ESO_TEST_KUBECONFIG") or not any(environ.get(name) for name in _ASSETS):
        yield
        return
    ready, loop, stop = threading.Event(), asyncio.new_event_loop(), asyncio.Event()
    failure: list[BaseException] = []

    async def run() -> None:
        global _started
        try:
            async with await EnvTest.start() as environment:
                _started = (environment.kubeconfig(), False)
                ready.set()
                await stop.wait()
        except BaseException as error:
            failure.append(error)
            raise
        finally:
            _started = None
            ready.set()

    def work() -> None:
        try:
            loop.run_until_complete(run())
        finally:
            loop.close()

    thread = threading.Thread(target=work, name="control plane")
    thread.start()
    ready.wait()
    try:
        if failure:
            raise failure[0]
        yield
    finally:
        if not loop.is_closed():
            loop.call_soon_threadsafe(stop.set)
        thread.join()


class Sweeper:
    """Removes from a cluster what was not there before."""

    def __init__(self, client: Client, *, controllers: bool) -> None:
        self._client = client
        self._controllers = controllers
        self._before: set[str] = set()

    async def remember(self) -> None:
        """Note what is there."""
        self._before = {meta["uid"] for _, meta in await self._objects()}

    async def sweep(self) -> None:
        """Delete everything else, finalizers or not, and wait until its namespaces are gone."""
        new = [(path, meta) for path, meta in await self._objects() if meta["uid"] not in self._before]
        namespaces = {meta["name"] for path, meta in new if path == "/api/v1/namespaces"}
        # With a namespace controller only finalizers must be cleared there; without one everything is deleted by hand.
        for path, meta in new:
            if path.startswith("/apis/apiextensions.k8s.io/") and meta["name"].endswith(_PRODUCT):
                continue
            if meta.get("namespace") in namespaces and self._controllers and not meta.get("finalizers"):
                continue
            if path != "/api/v1/namespaces":
                await self._remove(_path_of(path, meta), meta)
        for name in namespaces:
            await self._remove(f"/api/v1/namespaces/{name}", {})
            if not self._controllers:
                await self._finalize(name)
        await eventually(lambda: self._gone(namespaces), 60.0, 0.1)

    async def _gone(self, namespaces: set[str]) -> bool:
        listed = orjson.loads(await self._client.raw("GET", "/api/v1/namespaces", accept=_METADATA))
        return not namespaces & {item["metadata"]["name"] for item in listed["items"]}

    async def _finalize(self, name: str) -> None:
        try:
            namespace = orjson.loads(await self._client.raw("GET", f"/api/v1/namespaces/{name}"))
            namespace["spec"] = {"finalizers": []}
            await self._client.raw("PUT", f"/api/v1/namespaces/{name}/finalize", body=orjson.dumps(namespace))
        except NotFound:
            return

    async def _remove(self, path: str, meta: JsonObject) -> None:
        try:
            if meta.get("finalizers"):
                body = b'{"metadata":{"finalizers":null}}'
                await self._client.raw("PATCH", path, body=body, content_type="application/merge-patch+json")
            await self._client.raw("DELETE", path, query="propagationPolicy=Background")
        except (NotFound, Conflict):
            return  # someone was faster; a namespace that is already going answers 409

    async def _objects(self) -> list[tuple[str, JsonObject]]:
        """Collection path and metadata of all objects that a test may have made."""
        found: list[tuple[str, JsonObject]] = []
        for path in await self._collections():
            try:
                listed = orjson.loads(await self._client.raw("GET", path, accept=_METADATA))
            except ApiError:
                continue  # a definition that is being removed
            found += [(path, item["metadata"]) for item in listed["items"]]
        return found

    async def _collections(self) -> list[str]:
        groups = orjson.loads(await self._client.raw("GET", "/apis"))["groups"]
        places = [("", "/api/v1")]
        places += [(group["name"], f"/apis/{group['preferredVersion']['groupVersion']}") for group in groups]
        found = []
        for group, place in places:
            if (group not in _BUILTIN and group.endswith(".k8s.io")) or (group and "." not in group):
                continue
            try:
                resources = orjson.loads(await self._client.raw("GET", place))["resources"]
            except ApiError:
                continue
            for resource in resources:
                name, verbs = resource["name"], resource["verbs"]
                if "/" not in name and {"list", "delete"} <= set(verbs) and (group or name in _CORE):
                    found.append(f"{place}/{name}")
        return found


def _path_of(collection: str, meta: JsonObject) -> str:
    if not meta.get("namespace"):
        return f"{collection}/{meta['name']}"
    place, _, plural = collection.rpartition("/")
    return f"{place}/namespaces/{meta['namespace']}/{plural}/{meta['name']}"
