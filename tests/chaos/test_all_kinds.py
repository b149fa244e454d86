"""Five minutes of a cluster's life on a fake clock: all kinds made, edited and deleted, the API server failing in between.

At the end every object is as a fresh computation says, and nothing foreign was touched. `ESO_TEST_NIGHTLY=1` takes more seeds.
"""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime
from typing import Any

import pytest

from controllers.operator import Operator
from eso_core.aio import TaskScope
from eso_core.client import ApiRequest, ApiResponse, Client, MergePatch, Send
from eso_core.meta import GVK, ObjectKey, is_condition_true
from eso_core.meta.errors import AlreadyExists, ApiError, ConnectionLost, NotFound
from eso_core.meta.wellknown import NAMESPACE, SECRET
from eso_core.testing.clock import FakeClock
from providers.fake import FakeProvider
from providers.interface import StoreContext
from providers.registry import Registry
from providers.spec import ProviderSpec
from tests.integration.operator.harness import ES, Cluster, JsonObject, running
from tests.integration.pushsecret.harness import PS, Backend, MemoryProvider
from tests.nightly import whole_or

CES = GVK("external-secrets.io", "v1", "ClusterExternalSecret")
CPS = GVK("external-secrets.io", "v1alpha1", "ClusterPushSecret")
FAKE_GENERATOR = GVK("generators.external-secrets.io", "v1alpha1", "Fake")
SECONDS = 300
KEYS = ("k0", "k1", "k2")
SPACES = ("n0", "n1", "n2", "n3")
MANAGED = "reconcile.external-secrets.io/managed"


class Backends(FakeProvider):
    """The fake backend, but stores called `sink` keep what is pushed."""

    def __init__(self, backend: Backend) -> None:
        super().__init__()
        self._sink = MemoryProvider(backend)

    async def open(self, spec: ProviderSpec, ctx: StoreContext) -> Any:
        if ctx.store.name == "sink":
            return await self._sink.open(spec, ctx)
        return await super().open(spec, ctx)


class Life:
    """What happens to the cluster, and what should be in it afterwards."""

    def __init__(self, cluster: Cluster, backend: Backend, seed: int) -> None:
        self.cluster = cluster
        self.client = cluster.client
        self.backend = backend
        self.rng = random.Random(seed)
        self.values = {key: f"{key}-0" for key in KEYS}
        self.labelled: set[str] = set()
        #: Living ExternalSecrets: which key each shows, or which generated text.
        self.shown: dict[ObjectKey, str] = {}
        self.made: dict[ObjectKey, str] = {}
        self.sources: dict[ObjectKey, str] = {}
        self.pushes: dict[ObjectKey, str] = {}
        self.fan_outs: dict[str, str] = {}
        self.push_outs: set[str] = set()
        self.foreign: dict[ObjectKey, JsonObject] = {}
        self.broken = 0.0
        self.count = 0

    async def begin(self) -> None:
        for name in SPACES:
            await self.cluster.namespace(name)
        await self.cluster.fake(self.values)
        await self.cluster.fake({}, name="sink")
        for name in SPACES:
            for index in range(3):
                found = await self.cluster.secret(f"foreign-{index}", {"a": "mine"}, namespace=name)
                self.foreign[ObjectKey(name, f"foreign-{index}")] = found
            metadata = {"name": "g", "namespace": name}
            await self.client.create(
                {
                    "apiVersion": FAKE_GENERATOR.api_version,
                    "kind": "Fake",
                    "metadata": metadata,
                    "spec": {"data": {"v": "made"}},
                }
            )

    async def intercept(self, request: ApiRequest, send: Send) -> ApiResponse:
        if self.broken and "watch=" not in request.query and self.rng.random() < self.broken:
            if self.rng.random() < 0.5:
                raise ConnectionLost("the server went away")
            raise ApiError.from_response(request.method, request.path, self.rng.choice((500, 503)), b"{}", {})
        return await send(request)

    async def step(self) -> None:
        self.count += 1
        choose = self.rng.choice
        space = choose(SPACES)
        match self.rng.randrange(12):
            case 0 | 1:
                await self.external_secret(ObjectKey(space, f"es{self.rng.randrange(4)}"))
            case 2:
                await self.drop(ES, ObjectKey(space, f"es{self.rng.randrange(4)}"), self.shown, self.made)
            case 3:
                await self.generated(ObjectKey(space, f"gen{self.rng.randrange(2)}"))
            case 4:
                key = choose(KEYS)
                self.values[key] = f"{key}-{self.count}"
                await self.cluster.set_fake(self.values)
            case 5:
                await self.source(ObjectKey(space, f"src{self.rng.randrange(2)}"))
            case 6:
                await self.push(ObjectKey(space, f"ps{self.rng.randrange(2)}"))
            case 7:
                await self.drop(PS, ObjectKey(space, f"ps{self.rng.randrange(2)}"), self.pushes)
            case 8:
                await self.label(space)
            case 9:
                await self.fan_out(f"ces{self.rng.randrange(2)}")
            case 10:
                await self.spoil(space)
            case _:
                self.broken = choose((0.0, 0.0, 0.1, 0.3))

    async def external_secret(self, key: ObjectKey) -> None:
        shown = self.rng.choice(KEYS)
        spec = {
            "secretStoreRef": {"kind": "ClusterSecretStore", "name": "fake"},
            "refreshInterval": "30s",
            "data": [{"secretKey": "v", "remoteRef": {"key": shown}}],
            "dataFrom": None,
        }
        if await self._put(ES, key, spec):
            self.made.pop(key, None)
            self.shown[key] = shown

    async def generated(self, key: ObjectKey) -> None:
        reference = {"apiVersion": FAKE_GENERATOR.api_version, "kind": "Fake", "name": "g"}
        spec = {"refreshInterval": "30s", "dataFrom": [{"sourceRef": {"generatorRef": reference}}], "data": None}
        if await self._put(ES, key, spec):
            self.made[key] = "made"

    async def source(self, key: ObjectKey) -> None:
        value = f"s{self.count}"
        try:
            await self.client.patch(SECRET, key, MergePatch({"stringData": {"v": value}}))
        except NotFound:
            await self.cluster.secret(key.name, {"v": value}, namespace=key.namespace)
        self.sources[key] = value

    async def push(self, key: ObjectKey) -> None:
        source = f"src{self.rng.randrange(2)}"
        remote = f"{key.namespace}/{key.name}"
        spec = {
            "refreshInterval": "30s",
            "deletionPolicy": "Delete",
            "secretStoreRefs": [{"kind": "ClusterSecretStore", "name": "sink"}],
            "selector": {"secret": {"name": source}},
            "data": [{"match": {"secretKey": "v", "remoteRef": {"remoteKey": remote}}}],
        }
        if await self._put(PS, key, spec):
            self.pushes[key] = source

    async def label(self, space: str) -> None:
        on = space not in self.labelled
        await self.client.patch(
            NAMESPACE, ObjectKey("", space), MergePatch({"metadata": {"labels": {"on": "yes" if on else None}}})
        )
        (self.labelled.add if on else self.labelled.discard)(space)

    async def fan_out(self, name: str) -> None:
        if name in self.fan_outs and self.rng.random() < 0.4:
            await self.drop(CES, ObjectKey("", name), self.fan_outs)  # type: ignore[arg-type]
            return
        shown = self.rng.choice(KEYS)
        child = {
            "secretStoreRef": {"kind": "ClusterSecretStore", "name": "fake"},
            "refreshInterval": "30s",
            "data": [{"secretKey": "v", "remoteRef": {"key": shown}}],
        }
        spec = {"externalSecretSpec": child, "namespaceSelectors": [{"matchLabels": {"on": "yes"}}]}
        if await self._put(CES, ObjectKey("", name), spec):
            self.fan_outs[name] = shown

    async def spoil(self, space: str) -> None:
        name = f"es{self.rng.randrange(4)}"
        try:
            if self.rng.random() < 0.5:
                await self.client.patch(
                    SECRET, ObjectKey(space, name), MergePatch({"data": {"v": "eA==", "more": "eA=="}})
                )
            else:
                await self.client.delete(SECRET, ObjectKey(space, name))
        except NotFound:
            return

    async def drop(self, kind: GVK, key: ObjectKey, *books: dict[Any, str]) -> None:
        try:
            await self.client.delete(kind, key)
        except NotFound:
            return
        for book in books:
            book.pop(key if key.namespace else key.name, None)

    async def _put(self, kind: GVK, key: ObjectKey, spec: JsonObject) -> bool:
        """Make or edit an object; False while its predecessor is still going."""
        body = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": key.name}}
        if key.namespace:
            body["metadata"]["namespace"] = key.namespace  # type: ignore[index]
        try:
            found = await self.client.get(kind, key)
        except NotFound:
            try:
                await self.client.create({**body, "spec": {k: v for k, v in spec.items() if v is not None}})
            except AlreadyExists:
                return False
            return True
        if "deletionTimestamp" in found["metadata"]:
            return False
        await self.client.patch(kind, key, MergePatch({"spec": spec}))
        return True

    # -- the end -----------------------------------------------------------------------------------------------------

    async def wrong(self) -> list[str]:
        """Everything that is not as a fresh computation says."""
        wanted = {key: self.values[shown] for key, shown in self.shown.items()} | dict(self.made)
        for name, shown in self.fan_outs.items():
            wanted |= {ObjectKey(space, name): self.values[shown] for space in self.labelled}
        objects = {ObjectKey.of(item): item for item in (await self.client.list(ES)).items}
        secrets = {
            ObjectKey.of(item): item
            for item in (await self.client.list(SECRET, label_selector=f"{MANAGED}=true")).items
        }
        found = [f"{key}: lost" for key in wanted.keys() - objects.keys()]
        found += [f"{key}: still there" for key in objects.keys() - wanted.keys()]
        found += [f"{key}: Secret left over" for key in secrets.keys() - wanted.keys()]
        for key, value in wanted.items():
            data = await self.cluster.data(key.name, namespace=key.namespace)
            if data != {"v": value}:
                found.append(f"{key}: shows {data}, not {value}")
            if not is_condition_true((objects.get(key, {}).get("status") or {}).get("conditions"), "Ready"):
                found.append(f"{key}: not Ready")
        pushed = {
            f"{key.namespace}/{key.name}": self.sources[ObjectKey(key.namespace, source)]
            for key, source in self.pushes.items()
            if ObjectKey(key.namespace, source) in self.sources
        }
        held = {remote: members.get("") for remote, members in self.backend.held("sink").items()}
        for remote in pushed.keys() | held.keys():
            if held.get(remote) != pushed.get(remote) and remote in pushed:
                found.append(f"pushed {remote}: {held.get(remote)}, not {pushed.get(remote)}")
            if remote not in {f"{key.namespace}/{key.name}" for key in self.pushes}:
                found.append(f"pushed {remote}: left over")
        for name in self.fan_outs:
            status = (await self.client.get(CES, ObjectKey("", name))).get("status") or {}
            if (status.get("provisionedNamespaces") or []) != sorted(self.labelled):
                found.append(f"{name}: says {status.get('provisionedNamespaces')}, not {sorted(self.labelled)}")
        for key, planted in self.foreign.items():
            if await self.client.get(SECRET, key) != planted:
                found.append(f"{key}: a foreign Secret was touched")
        return sorted(found)


async def _rest(cluster: Cluster, clock: FakeClock) -> None:
    """Let the operator answer what has happened, while a second passes."""
    await clock.advance(1)
    seen = -1
    while seen != cluster.requests():
        seen = cluster.requests()
        await asyncio.sleep(0.01)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", whole_or(range(20), range(2)))
async def test_every_object_is_as_a_fresh_computation_says(seed: int) -> None:
    """Five minutes of edits of all kinds under a server that fails now and then."""
    async with running(start=False) as cluster:
        backend, clock = Backend(), FakeClock(start=datetime.now(UTC))
        life = Life(cluster, backend, seed)
        await life.begin()
        registry = Registry(plugins=())
        registry.register(Backends(backend))
        stop = asyncio.Event()
        async with Client(cluster.kube.config, user_agent="external-secrets") as plain, TaskScope("operator") as scope:
            operator = Operator(plain.with_interceptor(life.intercept), clock=clock, providers=registry)
            running_operator = scope.spawn(operator.run(stop), name="operator")
            while not operator.manager.ready:
                await _rest(cluster, clock)
            for _ in range(SECONDS):
                await life.step()
                await _rest(cluster, clock)
            life.broken = 0.0
            problems = ["not looked at yet"]
            for _ in range(600):
                await _rest(cluster, clock)
                await cluster.server.run_gc()
                problems = await life.wrong()
                if not problems:
                    break
            stop.set()
            while not running_operator.done():
                await _rest(cluster, clock)
        assert problems == []
