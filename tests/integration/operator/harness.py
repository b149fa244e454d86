"""An API server, an operator and a backend that keeps a record, all in the test's event loop."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import orjson

from controllers.api import all_crds
from controllers.externalsecret.names import sync_version
from controllers.operator import Operator, OperatorOptions
from eso_core.aio import TaskScope
from eso_core.client import ApiRequest, ApiResponse, Client, MergePatch, Send
from eso_core.log import configure_logging
from eso_core.meta import GVK, ObjectKey
from eso_core.meta.errors import ApiError, NotFound
from eso_core.meta.wellknown import EVENT, NAMESPACE, SECRET
from eso_core.testing.apiserver.http.route import parse_target, verb_of
from eso_core.testing.apiserver.server import ApiServer
from generators.registry import GeneratorRegistry
from providers.fake import FakeProvider
from providers.interface import Find, Provider, RemoteRef, SecretsClient, StoreContext, Validation
from providers.registry import Registry
from providers.spec import ProviderSpec
from tests.integration.cluster import KubeCluster
from tests.integration.cluster import cluster as kube_cluster

T = TypeVar("T")
JsonObject = dict[str, Any]

ES = GVK("external-secrets.io", "v1", "ExternalSecret")
SS = GVK("external-secrets.io", "v1", "SecretStore")
CSS = GVK("external-secrets.io", "v1", "ClusterSecretStore")
MANAGED = "reconcile.external-secrets.io/managed"
HASH = "reconcile.external-secrets.io/data-hash"
AGENT = "external-secrets"


class Probe:
    """What the backend of a test was asked, and how it is told to behave."""

    def __init__(self) -> None:
        self.reads: list[tuple[float, str]] = []
        self.validations: list[str] = []
        self.opened = 0
        self.delay = 0.0
        self.hold: asyncio.Event | None = None
        self.entered = asyncio.Event()
        self.failure: Exception | None = None

    async def read(self, what: str) -> None:
        self.reads.append((time.monotonic(), what))
        if self.delay:
            await asyncio.sleep(self.delay)
        if self.failure is not None:
            raise self.failure


class _ProbeClient(SecretsClient):
    """The fake backend's client, with a record; every property is a read of its own."""

    def __init__(self, inner: SecretsClient, probe: Probe, store: str) -> None:
        self._inner = inner
        self._probe = probe
        self._store = store

    async def get_secret(self, ref: RemoteRef) -> bytes:
        await self._probe.read(f"{self._store}:{ref.key}")
        return await self._inner.get_secret(ref)

    async def get_secret_map(self, ref: RemoteRef) -> dict[str, bytes]:
        await self._probe.read(f"{self._store}:{ref.key}")
        return await self._inner.get_secret_map(ref)

    async def get_all_secrets(self, find: Find) -> dict[str, bytes]:
        await self._probe.read(f"{self._store}:find")
        return await self._inner.get_all_secrets(find)

    async def validate(self) -> Validation:
        self._probe.validations.append(self._store)
        if self._probe.hold is not None:
            self._probe.entered.set()
            await self._probe.hold.wait()
        return await self._inner.validate()


class ProbeProvider(FakeProvider):
    """The fake backend, watched."""

    def __init__(self, probe: Probe) -> None:
        super().__init__()
        self._probe = probe

    async def open(self, spec: ProviderSpec, ctx: StoreContext) -> Any:
        self._probe.opened += 1
        return _ProbeClient(await super().open(spec, ctx), self._probe, ctx.store.name)


class Cluster:
    """The test's view of the cluster: a client of its own, and what the operator did."""

    def __init__(self, kube: KubeCluster, client: Client, probe: Probe) -> None:
        self.kube = kube
        self.client = client
        self.probe = probe
        self.operator: Operator | None = None
        #: (verb, resource, subresource, status) of what the operator sent, as its client saw it.
        self._sent: list[tuple[str, str, str, int]] = []
        #: Called with each request of the operator; may raise.
        self.fault: Callable[[ApiRequest], None] = lambda request: None

    # -- objects -------------------------------------------------------------------------------------------------

    async def namespace(self, name: str = "t", **labels: str) -> None:
        await self.client.create(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
        )

    async def fake(
        self, data: Mapping[str, str], *, name: str = "fake", kind: GVK = CSS, namespace: str = "", **spec: Any
    ) -> JsonObject:
        """A store of the fake backend with these values."""
        entries = [{"key": key, "value": value} for key, value in data.items()]
        body = {"provider": {"fake": {"data": entries, **spec.pop("provider", {})}}, **spec}
        metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
        return await self.client.create(
            {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, "spec": body}
        )

    async def set_fake(self, data: Mapping[str, str], *, name: str = "fake") -> None:
        entries = [{"key": key, "value": value} for key, value in data.items()]
        await self.client.patch(
            CSS, ObjectKey("", name), MergePatch({"spec": {"provider": {"fake": {"data": entries}}}})
        )

    async def es(
        self, name: str, *, namespace: str = "t", metadata: JsonObject | None = None, **spec: Any
    ) -> JsonObject:
        """An ExternalSecret on the cluster store `fake` with an interval of an hour, unless the spec says otherwise."""
        body = {"secretStoreRef": {"kind": "ClusterSecretStore", "name": "fake"}, "refreshInterval": "1h", **spec}
        obj = {
            "apiVersion": "external-secrets.io/v1",
            "kind": "ExternalSecret",
            "metadata": {"name": name, "namespace": namespace, **(metadata or {})},
            "spec": {key: value for key, value in body.items() if value is not None},
        }
        return await self.client.create(obj)

    async def secret(self, name: str, data: Mapping[str, str], *, namespace: str = "t", **more: Any) -> JsonObject:
        return await self.client.create(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": name, "namespace": namespace},
                "data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()},
                **more,
            }
        )

    async def patch(self, kind: GVK, name: str, body: JsonObject, *, namespace: str = "t") -> JsonObject:
        key = ObjectKey("" if kind in (CSS, NAMESPACE) else namespace, name)
        return await self.client.patch(kind, key, MergePatch(body))

    async def poke(self, name: str, value: str = "1", *, namespace: str = "t") -> None:
        """Force a sync by an annotation."""
        await self.patch(ES, name, {"metadata": {"annotations": {"force-sync": value}}}, namespace=namespace)

    async def delete(self, kind: GVK, name: str, *, namespace: str = "t") -> None:
        await self.client.delete(kind, ObjectKey("" if kind in (CSS, NAMESPACE) else namespace, name))

    async def get(self, kind: GVK, name: str, *, namespace: str = "t") -> JsonObject | None:
        try:
            return await self.client.get(kind, ObjectKey("" if kind in (CSS, NAMESPACE) else namespace, name))
        except NotFound:
            return None

    async def data(self, name: str, *, namespace: str = "t") -> dict[str, str] | None:
        """The decoded data of a Secret, None if there is none."""
        secret = await self.get(SECRET, name, namespace=namespace)
        if secret is None:
            return None
        return {key: base64.b64decode(value).decode() for key, value in (secret.get("data") or {}).items()}

    async def ready(self, name: str, *, kind: GVK = ES, namespace: str = "t") -> JsonObject:
        """The Ready condition, empty without one."""
        obj = await self.get(kind, name, namespace=namespace)
        conditions = ((obj or {}).get("status") or {}).get("conditions") or []
        return next((c for c in conditions if c["type"] == "Ready"), {})

    async def events(self, name: str, *, namespace: str = "t") -> list[tuple[str, str, str]]:
        """(type, reason, message) of the events about an object, in the order of their first appearance.

        What the operator has recorded until now is written first.
        """
        if self.operator is not None:
            await self.operator.manager._sink.flush()
        listed = await self.client.list(EVENT, namespace)
        found = [event for event in listed.items if event["involvedObject"]["name"] == name]
        found.sort(key=lambda event: event["metadata"]["name"].rpartition(".")[2])
        return [(event["type"], event["reason"], event["message"]) for event in found]

    # -- waiting -------------------------------------------------------------------------------------------------

    async def eventually(self, check: Callable[[], Awaitable[T]], *, within: float = 10.0) -> T:
        """Wait until `check` returns something true (or, for None-returning checks, does not raise)."""
        deadline = time.monotonic() + within
        while True:
            try:
                result = await check()
                if result or result is None:
                    return result
                problem: object = result
            except (AssertionError, ApiError, KeyError, TypeError) as error:
                problem = error
            if time.monotonic() > deadline:
                raise AssertionError(f"not so within {within} s: {problem!r}")
            await asyncio.sleep(0.01)

    async def synced(
        self, name: str, *, reason: str = "SecretSynced", namespace: str = "t", within: float = 10.0
    ) -> None:
        """Wait until the ExternalSecret says Ready=True with this reason for its current generation and metadata."""

        async def check() -> None:
            obj = await self.get(ES, name, namespace=namespace)
            assert obj is not None
            metadata = obj["metadata"]
            wanted = sync_version(metadata["generation"], metadata.get("labels"), metadata.get("annotations"))
            assert obj["status"]["syncedResourceVersion"] == wanted
            condition = await self.ready(name, namespace=namespace)
            assert (condition["status"], condition["reason"]) == ("True", reason), condition

        await self.eventually(check, within=within)

    async def failed(self, name: str, message: str, *, namespace: str = "t", within: float = 10.0) -> None:
        """Wait until the ExternalSecret says Ready=False with this message, or with this one and a cause behind it."""

        async def check() -> None:
            condition = await self.ready(name, namespace=namespace)
            said = condition["message"]
            assert condition["status"] == "False", condition
            assert said == message or said.startswith(f"{message}: "), condition

        await self.eventually(check, within=within)

    async def has_data(self, name: str, data: Mapping[str, str] | None, *, within: float = 10.0) -> None:
        """Wait until the Secret has exactly this data, or does not exist (None)."""

        async def check() -> None:
            assert await self.data(name) == data

        await self.eventually(check, within=within)

    async def has_event(
        self, name: str, type_: str, reason: str, part: str = "", *, namespace: str = "t", within: float = 10.0
    ) -> str:
        """Wait for an event; returns its message."""

        async def check() -> str:
            found = await self.events(name, namespace=namespace)
            for found_type, found_reason, message in found:
                if (found_type, found_reason) == (type_, reason) and part in message:
                    return message
            raise AssertionError(found)

        return await self.eventually(check, within=within)

    async def quiet(self, seconds: float = 0.3) -> None:
        """Wait until the operator has sent no request for this long."""
        deadline = time.monotonic() + 10.0
        count, since = self.requests(), time.monotonic()
        while time.monotonic() - since < seconds:
            assert time.monotonic() < deadline, "the operator does not come to rest"
            await asyncio.sleep(0.02)
            if self.requests() != count:
                count, since = self.requests(), time.monotonic()

    # -- the record ----------------------------------------------------------------------------------------------

    @property
    def server(self) -> ApiServer:
        """The in-process server; skips the test on another cluster."""
        return self.kube.server

    def requests(self, *verbs: str, resource: str | None = None) -> int:
        """How many requests the operator sent; without verbs all, watches apart."""
        return sum(
            1
            for verb, found, _, _ in self._exchanges()
            if (verb in verbs if verbs else verb != "watch") and (resource is None or found == resource)
        )

    def trace(self) -> list[str]:
        """`verb resource/subresource code` of the operator's requests."""
        return [
            f"{verb} {'/'.join(filter(None, (resource, subresource)))} {code}"
            for verb, resource, subresource, code in self._exchanges()
        ]

    def _exchanges(self) -> list[tuple[str, str, str, int]]:
        """What the operator asked for: the server's own record, or its client's on a cluster that keeps none for us."""
        if not self.kube.in_process:
            return self._sent
        found = []
        for exchange in self.server.requests(user_agent=AGENT):
            target = exchange.target
            resource, subresource = (exchange.uri, "") if target is None else (target.resource, target.subresource)
            found.append((exchange.verb, resource, subresource, exchange.code))
        return found

    async def intercept(self, request: ApiRequest, send: Send) -> ApiResponse:
        self.fault(request)
        target = parse_target([part for part in request.path.split("/") if part])
        verb = request.method.lower() if target is None else verb_of(request.method, target, "watch=" in request.query)
        resource, subresource = (request.path, "") if target is None else (target.resource, target.subresource)
        code = 0
        try:
            answer = await send(request)
            code = answer.status
        except ApiError as error:
            code = error.code
            raise
        finally:
            self._sent.append((verb, resource, subresource, code))
        return answer


def failure(status: int, reason: str, request: ApiRequest) -> ApiError:
    """The error that a Status answer of the API server becomes; a fault raises it."""
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "reason": reason,
        "code": status,
        "message": reason,
    }
    return ApiError.from_response(request.method, request.path, status, orjson.dumps(body), {})


@asynccontextmanager
async def running(
    *,
    options: OperatorOptions | None = None,
    provider: Callable[[Probe], Provider] = ProbeProvider,
    crds: bool = True,
    start: bool = True,
    generators: GeneratorRegistry | None = None,
) -> AsyncIterator[Cluster]:
    """A cluster with namespace `t` and a running operator."""
    configure_logging(level="info", format="json", sample=False)
    async with kube_cluster() as kube:
        await kube.install(*(all_crds() if crds else ()))
        async with Client(kube.config, user_agent="tests") as client:
            cluster = Cluster(kube, client, Probe())
            await cluster.namespace("t")
            if not start:
                yield cluster
                return
            async with operating(cluster, options, provider, generators):
                yield cluster


async def _ready(operator: Operator) -> bool:
    return operator.manager.ready


@asynccontextmanager
async def operating(
    cluster: Cluster,
    options: OperatorOptions | None = None,
    provider: Callable[[Probe], Provider] = ProbeProvider,
    generators: GeneratorRegistry | None = None,
) -> AsyncIterator[Operator]:
    """An operator on the cluster for the time of the block."""
    registry = Registry(plugins=())
    registry.register(provider(cluster.probe))
    async with Client(cluster.kube.config, user_agent=AGENT) as plain:
        operator = Operator(
            plain.with_interceptor(cluster.intercept), options, providers=registry, generators=generators
        )
        cluster.operator = operator
        stop = asyncio.Event()
        async with TaskScope("operator under test") as scope:
            scope.spawn(operator.run(stop), name="operator")
            try:
                await cluster.eventually(lambda: _ready(operator), within=20)
                yield operator
            finally:
                stop.set()
