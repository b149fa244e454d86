"""Health and metrics servers, who may scrape, and certificates."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from eso_core.aio import SystemClock, TaskScope
from eso_core.cache import InformerSpec
from eso_core.manager import MetricsServerOptions
from eso_core.manager.debug import debug_server
from eso_core.manager.scrapeauth import Denied, ScrapeAuth
from eso_core.manager.servers import metrics_server
from eso_core.meta.errors import ConfigError, ConnectionLost, Forbidden
from eso_core.meta.wellknown import CONFIG_MAP
from eso_core.metrics import RuntimeMetrics
from eso_core.testing.clock import FakeClock
from eso_core.webhook.certificates import CertWatcher


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def fetch(http: aiohttp.ClientSession, url: str, **options: Any) -> tuple[int, str]:
    async with http.get(url, **options) as response:
        return response.status, await response.text()


async def running(kit: Any, manager: Any) -> asyncio.Task[None]:
    """Runs the manager until its servers listen; sockets need real turns of the loop."""
    run: asyncio.Task[None] = kit.run(manager)
    async with asyncio.timeout(10):
        while manager.health_server is None or not manager.health_server.port or not manager.ready:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    return run


async def stopped(kit: Any, manager: Any, run: asyncio.Task[None]) -> None:
    manager.stop()
    async with asyncio.timeout(10):
        while not run.done():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def test_probes_answer_by_check(kit: Any, http: aiohttp.ClientSession) -> None:
    """M-10: plain ok, details when asked for or failing, reasons withheld, single checks, exclusion."""
    manager = kit.manager(health_addr="127.0.0.1:0")
    healthy = True

    async def disk() -> None:
        if not healthy:
            raise RuntimeError("disk /dev/secret is full")

    manager.add_health_check("disk", disk)
    manager.add_ready_check("warm", lambda: None)
    run = await running(kit, manager)
    base = f"http://127.0.0.1:{manager.health_server.port}"
    assert await fetch(http, f"{base}/healthz") == (200, "ok")
    assert await fetch(http, f"{base}/healthz/") == (200, "ok")
    assert await fetch(http, f"{base}/healthz/disk") == (200, "ok")
    assert await fetch(http, f"{base}/readyz?verbose") == (
        200,
        "[+]ping ok\n[+]informer-sync ok\n[+]watch-progress ok\n[+]warm ok\nreadyz check passed\n",
    )
    healthy = False
    status, text = await fetch(http, f"{base}/healthz")
    assert status == 500
    assert "[-]disk failed: reason withheld\n" in text
    assert "[+]ping ok\n" in text
    assert text.endswith("healthz check failed\n")
    assert "/dev/secret" not in text
    assert (await fetch(http, f"{base}/healthz/disk"))[0] == 500
    assert await fetch(http, f"{base}/healthz?exclude=disk") == (200, "ok")
    _, text = await fetch(http, f"{base}/healthz?verbose&exclude=disk&exclude=none")
    assert "[+]disk excluded: ok" in text
    assert 'no matches for "none"' in text
    assert (await fetch(http, f"{base}/healthz/none"))[0] == 404
    await stopped(kit, manager, run)


async def test_readiness_waits_for_the_caches_and_ends_with_the_stop(kit: Any) -> None:
    """M-11: informer-sync fails before the caches are full; dead reflectors and silent watches are noticed."""
    manager = kit.manager()
    checks = manager.checks
    informer = manager.cache.register(InformerSpec(CONFIG_MAP))

    async def failing(which: dict[str, Any]) -> list[str]:
        results = await checks.run(which)
        return [result.name for result in results if not result.ok]

    assert await failing(checks.readiness) == ["informer-sync"]
    run = kit.run(manager)
    await kit.clock.settle()
    assert await failing(checks.readiness) == []
    assert await failing(checks.health) == []
    informer._shards[""].running = False
    informer._shards[""].driver.last_progress -= 200
    assert await failing(checks.health) == ["reflectors"]
    assert await failing(checks.readiness) == ["watch-progress"]
    manager.stop()
    await kit.clock.settle()
    assert run.done()
    assert "informer-sync" in await failing(checks.readiness)


async def test_a_check_that_hangs_fails_after_five_seconds(kit: Any) -> None:
    """M-10: and the others are not held up."""
    manager = kit.manager()

    async def hang() -> None:
        await kit.clock.sleep(1000)

    checking = kit.scope.spawn(manager.checks.run({"hang": hang, "ping": lambda: None}), name="check")
    await kit.clock.advance(4.9)
    assert not checking.done()
    await kit.clock.advance(0.2)
    assert [(result.name, result.ok) for result in checking.result()] == [("hang", False), ("ping", True)]


async def test_metrics_are_served_in_both_formats_beside_other_paths(kit: Any, http: aiohttp.ClientSession) -> None:
    """M-12: text and OpenMetrics by Accept; extra handlers; nothing else."""

    async def extra(request: Any) -> Any:
        return aiohttp.web.Response(text="extra")

    manager = kit.manager(metrics_addr="127.0.0.1:0", health_addr="127.0.0.1:0")
    manager.add_metrics_handler("/extra", extra)
    manager.metrics.controller.controller("demo", 1)
    run = await running(kit, manager)
    base = f"http://127.0.0.1:{manager.metrics_server.port}"
    async with http.get(f"{base}/metrics") as response:
        assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert 'controller_runtime_reconcile_total{controller="demo",result="success"} 0\n' in await response.text()
    async with http.get(f"{base}/metrics", headers={"Accept": "application/openmetrics-text"}) as response:
        assert response.headers["Content-Type"].startswith("application/openmetrics-text")
        assert (await response.text()).endswith("# EOF\n")
    assert await fetch(http, f"{base}/extra") == (200, "extra")
    assert (await fetch(http, f"{base}/other"))[0] == 404
    await stopped(kit, manager, run)


async def test_the_debug_server_shows_names_and_counts_but_no_objects(kit: Any, http: aiohttp.ClientSession) -> None:
    """M-14, P-82: tasks with stacks, queues, caches, garbage collection; log levels; loopback only."""

    async def reconcile(ctx: Any, request: Any) -> None:
        await asyncio.get_running_loop().create_future()

    kit.api.server(CONFIG_MAP).put("a", data={"password": "hunter2"})
    manager = kit.manager(debug_addr="127.0.0.1:0", health_addr="127.0.0.1:0", graceful_shutdown_timeout=0.0)
    manager.controller(reconcile).for_(CONFIG_MAP)
    run = await running(kit, manager)
    base = f"http://127.0.0.1:{manager.debug_server.port}/debug"
    pages = {}
    for page in ("tasks", "queues", "caches", "gc"):
        status, pages[page] = await fetch(http, f"{base}/{page}")
        assert status == 200
        assert "hunter2" not in pages[page]
    tasks = {task["name"]: task["stack"] for task in orjson.loads(pages["tasks"])}
    assert any("in reconcile" in line for line in tasks["configmap worker 0"])
    (queue,) = orjson.loads(pages["queues"])
    assert (queue["controller"], queue["running"][0]["key"]) == ("configmap", "ns/a")
    assert orjson.loads(pages["caches"])[0]["objects"] == 1
    async with http.put(f"{base}/loglevel?level=nonsense") as response:
        assert response.status == 400
    await stopped(kit, manager, run)
    with pytest.raises(ValueError, match="loopback"):
        debug_server(":6060", manager)


async def test_switched_off_servers_do_not_exist(kit: Any) -> None:
    """M-12: "0" means none; the path /metrics cannot be replaced."""
    manager = kit.manager(metrics_addr="0", health_addr="")
    run = kit.run(manager)
    await kit.clock.settle()
    assert (manager.health_server, manager.metrics_server, manager.debug_server) == (None, None, None)
    manager.stop()
    await kit.clock.settle()
    assert run.done()
    with pytest.raises(ValueError, match="/metrics"):
        metrics_server(":0", manager.registry, extra={"/metrics": None})  # type: ignore[dict-item]


async def test_scrapes_with_tls_and_auth(kit: Any, http: aiohttp.ClientSession) -> None:
    """M-13, P-82: 401 without token, 403 without permission, 500 when nobody can tell, 200 otherwise."""

    async def create(review: dict[str, Any]) -> dict[str, Any]:
        if review["kind"] == "TokenReview":
            token = review["spec"]["token"]
            if token == "broken":
                raise Forbidden("the operator may not review tokens")
            return {"status": {"authenticated": token != "bad", "user": {"username": token}}}
        return {"status": {"allowed": review["spec"]["user"] == "good"}}

    kit.api.create = create
    options = MetricsServerOptions(secure=True, auth=True)
    manager = kit.manager(metrics_addr="127.0.0.1:0", health_addr="127.0.0.1:0", metrics_server=options)
    run = await running(kit, manager)
    url = f"https://127.0.0.1:{manager.metrics_server.port}/metrics"

    async def status(token: str | None) -> int:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return (await fetch(http, url, ssl=False, headers=headers))[0]

    assert [await status(token) for token in (None, "bad", "weak", "broken", "good")] == [401, 401, 403, 500, 200]
    await stopped(kit, manager, run)


async def test_reviews_are_remembered_for_their_time() -> None:
    """M-13: users 60 s, permission 5 min, refusal 30 s."""
    clock = FakeClock()
    asked: list[str] = []
    allowed = True

    async def create(review: dict[str, Any]) -> dict[str, Any]:
        asked.append(review["kind"])
        if review["kind"] == "TokenReview":
            user = {"username": "u", "uid": "1", "groups": ["g"], "extra": {"scopes": ["a"]}}
            return {"status": {"authenticated": True, "user": user}}
        assert review["spec"]["extra"] == {"scopes": ["a"]}
        assert review["spec"]["nonResourceAttributes"] == {"path": "/metrics", "verb": "get"}
        return {"status": {"allowed": allowed}}

    auth = ScrapeAuth(create, clock)
    await auth.check("Bearer t", "/metrics")
    await auth.check("bearer t", "/metrics")
    assert asked == ["TokenReview", "SubjectAccessReview"]
    await clock.advance(61)
    await auth.check("Bearer t", "/metrics")
    assert asked[2:] == ["TokenReview"]
    allowed = False
    await clock.advance(240)
    for _ in range(2):
        with pytest.raises(Denied, match="denied for user u"):
            await auth.check("Bearer t", "/metrics")
    assert asked[3:] == ["TokenReview", "SubjectAccessReview"]
    await clock.advance(31)
    allowed = True
    await auth.check("Bearer t", "/metrics")
    assert asked[5:] == ["SubjectAccessReview"]


async def test_reviews_are_tried_five_times() -> None:
    """M-13: from 0.5 s on, growing by half."""
    clock = FakeClock()
    times: list[float] = []

    async def create(review: dict[str, Any]) -> dict[str, Any]:
        times.append(clock.elapsed)
        raise ConnectionLost("down")

    auth = ScrapeAuth(create, clock)
    async with TaskScope("test") as scope:
        check = scope.spawn(auth.check("Bearer t", "/metrics"), name="check", on_error=lambda error: None)
        await clock.advance(20)
        assert isinstance(check.exception(), ConnectionLost)
    assert len(times) == 5
    assert 0.5 <= times[1] <= 0.6
    assert 4.06 <= times[4] <= 4.9


def write_pair(directory: Path, name: str) -> tuple[Path, Path]:
    clock = SystemClock()
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(clock.now())
        .not_valid_after(clock.now().replace(year=clock.now().year + 1))
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = directory / "tls.crt", directory / "tls.key"
    cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return cert_file, key_file


async def test_the_certificate_follows_its_files(tmp_path: Path) -> None:
    """M-12, M-25: a changed pair serves new handshakes; a broken one keeps the last good pair and is counted."""
    clock, metrics = FakeClock(), RuntimeMetrics()
    cert_file, key_file = write_pair(tmp_path, "first")
    certificate = CertWatcher(str(cert_file), str(key_file), clock, metrics)
    await certificate.load()

    def served() -> str:
        """The common name that a client sees in a handshake over memory."""
        client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client_context.check_hostname = False
        client_context.verify_mode = ssl.CERT_NONE
        to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        server = certificate.context.wrap_bio(to_server, to_client, server_side=True)
        client = client_context.wrap_bio(to_client, to_server)
        for _ in range(4):
            for side in (client, server):
                try:
                    side.do_handshake()
                except ssl.SSLWantReadError:
                    continue
        found = x509.load_der_x509_certificate(client.getpeercert(binary_form=True) or b"")
        return str(found.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value)

    async def poll() -> None:
        """One look at the files; it happens on a thread."""
        before = metrics.cert_reads.value + metrics.cert_read_errors.value
        await clock.advance(10.1)
        async with asyncio.timeout(10):
            while metrics.cert_reads.value + metrics.cert_read_errors.value == before:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        await clock.settle()

    async with TaskScope("test") as scope:
        scope.spawn(certificate.start(), name="certificate")
        await clock.settle()
        assert served() == "first"
        write_pair(tmp_path, "second")
        await poll()
        assert served() == "second"
        key_file.write_text("half written")
        await poll()
        assert served() == "second"
        await scope.cancel()
    assert metrics.cert_reads.value == 2
    assert metrics.cert_read_errors.value == 1


async def test_a_first_pair_that_cannot_be_read_stops_the_start(tmp_path: Path) -> None:
    """The error names the files."""
    certificate = CertWatcher(str(tmp_path / "a"), str(tmp_path / "b"), FakeClock(), RuntimeMetrics())
    with pytest.raises(ConfigError, match="PEM certificate"):
        await certificate.load()


def test_tokens_do_not_travel_in_clear_text() -> None:
    """M-13: auth needs TLS; certificate and key come together."""
    with pytest.raises(ValueError, match="secure"):
        MetricsServerOptions(auth=True)
    with pytest.raises(ValueError, match="belong together"):
        MetricsServerOptions(secure=True, cert_file="x")
