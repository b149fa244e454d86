"""A webhook server that the API server calls: admission, conversion, certificates."""

from __future__ import annotations

import asyncio
import io
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme

from eso_core.client import Client, load_config
from eso_core.manager import Manager, ManagerOptions
from eso_core.meta import GVK, ObjectKey
from eso_core.meta.errors import ApiError, ConfigError, Invalid
from eso_core.meta.wellknown import CRD
from eso_core.metrics import RuntimeMetrics
from eso_core.model import Model, Resource, crd_for
from eso_core.testing.apiserver.background import BackgroundServer
from eso_core.testing.clock import FakeClock
from eso_core.testing.eventually import eventually
from eso_core.webhook import (
    AdmissionRequest,
    AdmissionResponse,
    CABundles,
    Converter,
    FieldError,
    WebhookServer,
    invalid,
)
from eso_core.webhook.cabundles import MUTATING, VALIDATING
from eso_core.webhook.conversion import Spoke

HEAD = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}


class Spec(Model):
    host: str
    port: int | None = None


class Site(Resource, group="hooks.test", version="v1"):
    spec: Spec


class Ports:
    async def default(self, request: AdmissionRequest, obj: Site) -> None:
        if obj.spec.port is None:
            obj.spec.port = 443


class Hosts:
    async def validate_create(self, request: AdmissionRequest, obj: Site) -> Sequence[str]:
        if "/" in obj.spec.host:
            raise invalid(Site.gvk, obj.metadata.name, [FieldError("spec.host", "must be a host name")])
        return [f"{obj.spec.host} is not checked"]

    async def validate_update(self, request: AdmissionRequest, old: Site, new: Site) -> Sequence[str]:
        return []

    async def validate_delete(self, request: AdmissionRequest, obj: Site) -> Sequence[str]:
        return []


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def write_pair(folder: Path, authority: trustme.CA) -> None:
    pair = authority.issue_cert("localhost", "127.0.0.1")
    (folder / "tls.crt").write_bytes(b"".join(part.bytes() for part in pair.cert_chain_pems))
    (folder / "tls.key").write_bytes(pair.private_key_pem.bytes())


@asynccontextmanager
async def running(server: WebhookServer) -> AsyncIterator[WebhookServer]:
    await server.listen()
    task = asyncio.create_task(server.start())
    try:
        yield server
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def session(authority: trustme.CA) -> AsyncIterator[aiohttp.ClientSession]:
    context = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context, force_close=True)) as opened:
        yield opened


async def test_the_api_server_asks_it_and_the_user_sees_the_answer(
    fresh_apiserver: BackgroundServer, tmp_path: Path, authority: trustme.CA
) -> None:
    """M-20, M-21, M-22, M-26: defaults are set, a bad object is refused with its field, the CA is injected."""
    fresh_apiserver.install(crd_for(Site))
    write_pair(tmp_path, authority)
    kubeconfig, ca = tmp_path / "kubeconfig", tmp_path / "ca.crt"
    ca.write_bytes(authority.cert_pem.bytes())
    fresh_apiserver.write_kubeconfig(kubeconfig)
    config = await load_config(str(kubeconfig))
    manager = Manager(config, options=ManagerOptions(metrics_addr="0", health_addr="0"))
    server = manager.webhooks(tmp_path, host="127.0.0.1", port=0)
    server.default("/default", Site, Ports())
    server.validate("/validate", Site, Hosts())
    manager.add(CABundles(manager.api, ca, "hooks-ca", [(MUTATING, "m"), (VALIDATING, "v")], manager.clock))
    async with Client(config) as client:
        task = asyncio.create_task(manager.run())
        await eventually(lambda: server.port > 0)
        for kind, name in ((MUTATING, "m"), (VALIDATING, "v")):
            path = "default" if kind is MUTATING else "validate"
            await client.create(
                {
                    "apiVersion": kind.api_version,
                    "kind": kind.kind,
                    "metadata": {"name": name},
                    "webhooks": [
                        {
                            "name": f"{path}.hooks.test",
                            "admissionReviewVersions": ["v1"],
                            "sideEffects": "None",
                            "clientConfig": {"url": f"https://127.0.0.1:{server.port}/{path}"},
                            "rules": [
                                {
                                    "apiGroups": ["hooks.test"],
                                    "apiVersions": ["v1"],
                                    "operations": ["CREATE", "UPDATE"],
                                    "resources": ["sites"],
                                }
                            ],
                        }
                    ],
                }
            )
        injector = CABundles(client, ca, "hooks-ca", [(MUTATING, "m"), (VALIDATING, "v")], FakeClock())
        for kind, name in ((MUTATING, "m"), (VALIDATING, "v")):
            assert await injector._inject(kind, name, ca.read_bytes())
        stored = await client.get(VALIDATING, ObjectKey("", "v"))
        assert stored["webhooks"][0]["clientConfig"]["url"].endswith("/validate")
        assert "hooks-ca" in [entry["manager"] for entry in stored["metadata"]["managedFields"]]

        made = await client.create(Site(metadata={"name": "good", "namespace": "default"}, spec=Spec(host="a.test")))
        assert made.spec.port == 443
        with pytest.raises(Invalid) as refused:
            await client.create(Site(metadata={"name": "bad", "namespace": "default"}, spec=Spec(host="a/b")))
        assert (
            'Site.hooks.test "bad" is invalid: spec.host: Invalid value: must be a host name' in refused.value.message
        )
        requests = "controller_runtime_webhook_requests_total"
        assert manager.registry.get_sample_value(requests, {"webhook": "/validate", "code": "200"}) == 2
        assert manager.registry.get_sample_value(requests, {"webhook": "/validate", "code": "500"}) == 0
        assert (
            manager.registry.get_sample_value(
                "controller_runtime_webhook_latency_seconds_count", {"webhook": "/default"}
            )
            == 2
        )
        await manager.checks.readiness["webhook"]()
        manager.stop()
        await task
    assert server.port == 0


async def test_conversion_serves_both_versions(
    fresh_apiserver: BackgroundServer, tmp_path: Path, authority: trustme.CA
) -> None:
    """M-24: an object that is written in one version is read in the other."""
    write_pair(tmp_path, authority)

    def to_hub(obj: dict[str, Any]) -> dict[str, Any]:
        return {**obj, "spec": {"host": obj["spec"]["name"]}}

    def from_hub(obj: dict[str, Any]) -> dict[str, Any]:
        return {**obj, "spec": {"name": obj["spec"]["host"]}}

    server = WebhookServer(tmp_path, host="127.0.0.1", port=0)
    server.convert(Converter("hooks.test", "Site", "v1", {"v1beta1": Spoke(to_hub, from_hub)}))
    async with running(server):
        crd = crd_for(Site)
        beta: dict[str, Any] = {
            "name": "v1beta1",
            "served": True,
            "storage": False,
            "schema": {
                "openAPIV3Schema": {
                    "type": "object",
                    "properties": {"spec": {"type": "object", "properties": {"name": {"type": "string"}}}},
                }
            },
        }
        crd["spec"]["versions"].append(beta)
        crd["spec"]["conversion"] = {
            "strategy": "Webhook",
            "webhook": {
                "conversionReviewVersions": ["v1"],
                "clientConfig": {"url": f"https://127.0.0.1:{server.port}/convert"},
            },
        }
        fresh_apiserver.install(crd)
        kubeconfig, ca = tmp_path / "kubeconfig", tmp_path / "ca.crt"
        ca.write_bytes(authority.cert_pem.bytes())
        fresh_apiserver.write_kubeconfig(kubeconfig)
        async with Client(await load_config(str(kubeconfig))) as client:
            injector = CABundles(client, ca, "hooks-ca", [(CRD, "sites.hooks.test")], FakeClock())
            assert await injector._inject(CRD, "sites.hooks.test", ca.read_bytes())
            await client.create(Site(metadata={"name": "a", "namespace": "default"}, spec=Spec(host="a.test")))
            older = await client.get(GVK("hooks.test", "v1beta1", "Site"), ObjectKey("default", "a"))
            assert older["spec"] == {"name": "a.test"}


async def test_a_renewed_certificate_is_used_without_a_restart(tmp_path: Path, authority: trustme.CA) -> None:
    """M-25, M-20: a half-written pair keeps the old one; a good one is served to the next handshake and told."""
    write_pair(tmp_path, authority)
    clock, told, metrics = FakeClock(), [], RuntimeMetrics()
    server = WebhookServer(
        tmp_path, host="127.0.0.1", port=0, clock=clock, metrics=metrics, on_change=lambda pem: told.append(pem)
    )
    server.admission("/", allow)

    def serial() -> bytes:
        return ssl.get_server_certificate(("127.0.0.1", server.port)).encode()

    async with running(server):
        first = await asyncio.to_thread(serial)
        (tmp_path / "tls.crt").write_bytes(b"-----BEGIN CERTIFICATE-----\nhalf")
        failed = "certwatcher_read_certificate_errors_total"
        for _ in range(100):
            await clock.advance(10.0)
            await asyncio.sleep(0.01)
            if metrics.registry.get_sample_value(failed):
                break
        assert metrics.registry.get_sample_value(failed)
        assert await asyncio.to_thread(serial) == first
        write_pair(tmp_path, authority)
        for _ in range(100):
            await clock.advance(10.0)
            await asyncio.sleep(0.01)
            if told:
                break
        assert await asyncio.to_thread(serial) != first
        assert told == [(tmp_path / "tls.crt").read_bytes()]


async def allow(request: AdmissionRequest) -> AdmissionResponse:
    return AdmissionResponse.allow()


async def test_bad_requests_are_answered_inside_a_review(tmp_path: Path, authority: trustme.CA) -> None:
    """M-21, M-23: 200 with a refusal of code 400, 413, 500 or 504; a handler's exception is counted and not shown."""
    write_pair(tmp_path, authority)
    metrics = RuntimeMetrics()

    async def fail(request: AdmissionRequest) -> AdmissionResponse:
        raise KeyError("s3cr3t-value")

    async def slow(request: AdmissionRequest) -> AdmissionResponse:
        await asyncio.Event().wait()
        raise AssertionError

    server = WebhookServer(tmp_path, host="127.0.0.1", port=0, metrics=metrics)
    for path, handler in (("/allow", allow), ("/fail", fail), ("/slow", slow)):
        server.admission(path, handler)
    with pytest.raises(ValueError, match="served already"):
        server.admission("/fail", fail)
    with pytest.raises(ValueError, match="slash"):
        server.admission("fail", fail)
    review = {**HEAD, "request": {"uid": "u-7", "operation": "CREATE", "object": {}}}
    async with running(server), session(authority) as http:
        base = f"https://127.0.0.1:{server.port}"

        async def post(path: str, **options: Any) -> dict[str, Any]:
            async with http.post(base + path, **options) as answer:
                assert answer.status == 200
                body: dict[str, Any] = await answer.json()
                return body["response"]

        assert await post("/allow", json=review) == {"uid": "u-7", "allowed": True}
        failed = await post("/fail", json=review)
        assert (failed["uid"], failed["status"]["code"]) == ("u-7", 500)
        assert "s3cr3t" not in str(failed)
        late = await post("/slow?timeout=50ms", json=review)
        assert (late["allowed"], late["status"]["code"]) == (False, 504)
        assert (await post("/allow", data=b"{}", headers={"Content-Type": "text/plain"}))["status"]["code"] == 400
        assert (await post("/allow", data=b"nonsense", headers={"Content-Type": "application/json"}))["status"][
            "code"
        ] == 400
        big = await post(
            "/allow", data=io.BytesIO(b" " * (7 * 1024 * 1024 + 1)), headers={"Content-Type": "application/json"}
        )
        assert big["status"]["code"] == 413
    assert metrics.registry.get_sample_value("controller_runtime_webhook_panics_total") == 1
    assert metrics.registry.get_sample_value("controller_runtime_webhook_requests_in_flight", {"webhook": "/slow"}) == 0


async def test_clients_need_a_certificate_where_an_authority_is_named(tmp_path: Path, authority: trustme.CA) -> None:
    """M-20: require and verify; port -1 serves nothing; a missing pair is told with the file's name."""
    write_pair(tmp_path, authority)
    ca = tmp_path / "clients.crt"
    ca.write_bytes(authority.cert_pem.bytes())
    server = WebhookServer(tmp_path, host="127.0.0.1", port=0, client_ca=ca)
    server.admission("/allow", allow)
    review = {**HEAD, "request": {"uid": "u", "operation": "CREATE"}}
    async with running(server):
        await server.check()
        async with session(authority) as http:
            with pytest.raises(aiohttp.ClientError):
                await http.post(f"https://127.0.0.1:{server.port}/allow", json=review)
    off = WebhookServer(tmp_path / "nowhere", port=-1)
    await off.listen()
    assert off.port == 0
    with pytest.raises(ConfigError, match=r"nowhere/tls\.crt"):
        await WebhookServer(tmp_path / "nowhere", port=0).listen()
    with pytest.raises(ValueError, match="port"):
        WebhookServer(tmp_path, port=70_000)


async def test_the_ca_follows_its_file(tmp_path: Path) -> None:
    """M-26: applied once, again when the file changes, and retried while the target is missing or refuses."""
    clock, applied = FakeClock(), []

    class Api:
        missing = True

        async def get(self, kind: Any, key: ObjectKey) -> Any:
            if self.missing:
                raise ApiError.from_response("GET", "/x", 404, b"")
            return {"webhooks": [{"name": "a.test", "clientConfig": {"caBundle": "b2xk"}}, {"name": "b.test"}]}

        async def apply(self, obj: Any, owner: str, *, force: bool = True) -> Any:
            applied.append((owner, [hook["clientConfig"]["caBundle"] for hook in obj["webhooks"]]))

    ca = tmp_path / "ca.crt"
    api = Api()
    task = asyncio.create_task(CABundles(api, ca, "mine", [(VALIDATING, "v")], clock).start())
    await clock.advance(20)
    ca.write_bytes(b"new")
    await clock.advance(20)
    assert applied == []
    api.missing = False
    await clock.advance(20)
    assert applied == [("mine", ["bmV3", "bmV3"])]
    await clock.advance(60)
    assert len(applied) == 1
    ca.write_bytes(b"newer")
    await clock.advance(20)
    assert applied[1:] == [("mine", ["bmV3ZXI=", "bmV3ZXI="])]
    await clock.advance(320)
    assert len(applied) == 3  # looked at again: somebody had put the old one back
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    with pytest.raises(ValueError, match="has no caBundle"):
        CABundles(api, ca, "mine", [(GVK("", "v1", "Secret"), "s")], clock)
