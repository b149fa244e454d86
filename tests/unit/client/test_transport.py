"""Retries, deadlines, credentials, warnings and metrics of requests."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from pathlib import Path

import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry

from eso_core.aio import SystemClock, TaskScope
from eso_core.client import Client, ClientConfig, Impersonation, RateLimit, RetryPolicy
from eso_core.client.credentials import Anonymous, BasicAuth, Credential, FileToken, StaticToken, bearer
from eso_core.meta import ObjectKey, wellknown
from eso_core.meta.errors import (
    ConfigError,
    ConnectError,
    ConnectionLost,
    NotFound,
    ReadTimeout,
    ServiceUnavailable,
    TooManyRequests,
    Unauthorized,
)
from eso_core.testing.clock import FakeClock

SECRET = wellknown.SECRET
KEY = ObjectKey("ns", "a")
OBJ = {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "a", "namespace": "ns"}}


def status(code: int, reason: str = "") -> dict[str, object]:
    """A failure body."""
    return {"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": f"m{code}"}


async def test_retry_after_is_waited_for_and_repeated(server) -> None:
    """C-61: 429 and 5xx with Retry-After are repeated for any verb, not before the server's time."""
    server.reply(status(429, "TooManyRequests"), 429, {"Retry-After": "7"})
    server.reply("overloaded", 503, {"Retry-After": "3"})
    server.reply(OBJ, 201)
    clock = FakeClock(auto=True)
    async with Client(ClientConfig(server=server.url), clock=clock) as client:
        assert await client.create(OBJ) == OBJ
    assert len(server.seen) == 3
    assert clock.elapsed == 10


async def test_without_retry_after_a_failure_is_raised_at_once(server) -> None:
    """C-61: a 503 without the header is the caller's."""
    server.reply(status(503, "ServiceUnavailable"), 503)
    async with Client(ClientConfig(server=server.url), clock=FakeClock()) as client:
        with pytest.raises(ServiceUnavailable):
            await client.get(SECRET, KEY)
    assert len(server.seen) == 1


async def test_a_retry_after_beyond_the_deadline_is_raised_at_once(server) -> None:
    """C-61: there is no point in waiting longer than the caller waits."""
    server.reply(status(429), 429, {"Retry-After": "30"})
    clock = FakeClock(auto=True)
    async with Client(ClientConfig(server=server.url), clock=clock) as client:
        with pytest.raises(TooManyRequests) as info:
            await client.get(SECRET, KEY, timeout=10)
    assert info.value.retry_after == 30
    assert clock.elapsed == 0


async def test_tries_are_limited(server) -> None:
    """C-61: ten tries, then the last answer is raised."""
    server.reply(status(429), 429, {"Retry-After": "1"})
    async with Client(ClientConfig(server=server.url, request_timeout=0), clock=FakeClock(auto=True)) as client:
        with pytest.raises(TooManyRequests):
            await client.get(SECRET, KEY)
    assert len(server.seen) == 10


async def _drop(request: web.Request, _: bytes) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def test_a_lost_get_is_repeated_and_a_lost_write_is_not(server) -> None:
    """C-62: only reads are repeated when the request may have arrived."""
    server.answers = [_drop, _drop]
    server.reply(OBJ)
    clock = FakeClock(auto=True)
    async with Client(ClientConfig(server=server.url), clock=clock) as client:
        assert await client.get(SECRET, KEY) == OBJ
        assert clock.elapsed == 2
        assert len(server.seen) == 3
        server.answers = [_drop]
        for write in (client.create(OBJ), client.update(OBJ), client.delete(SECRET, KEY)):
            with pytest.raises(ConnectionLost) as info:
                await write
            assert info.value.sent
    assert len(server.seen) == 6


async def test_a_refused_connection_says_so_after_its_tries() -> None:
    """C-62: nothing was sent, so writes are repeated too; the message says where and what to check."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    clock = FakeClock(auto=True)
    async with Client(ClientConfig(server=f"http://127.0.0.1:{port}"), clock=clock) as client:
        with pytest.raises(
            ConnectError, match=rf"cannot connect to http://127\.0\.0\.1:{port}.*is the cluster up"
        ) as info:
            await client.create(OBJ)
    assert not info.value.sent
    assert str(info.value).endswith("(10 tries)")
    assert clock.elapsed == 9


async def test_a_request_times_out_and_keeps_the_last_error(server) -> None:
    """C-03, G-22: the deadline covers all tries, and what went wrong before it is in the message."""
    server.answers = [_drop]
    clock = FakeClock(auto=True)
    async with Client(ClientConfig(server=server.url), clock=clock) as client:
        with pytest.raises(ReadTimeout, match=r"no answer within 2\.5 s after 3 tries; last: .*without an answer"):
            await client.get(SECRET, KEY, timeout=2.5)
    assert clock.elapsed == 2.5


async def test_a_silent_server_times_out(server) -> None:
    """C-03: a request without an answer ends at its limit."""
    gate, arrived = asyncio.Event(), asyncio.Event()

    async def never(request: web.Request, _: bytes) -> web.StreamResponse:
        arrived.set()
        await gate.wait()
        return web.Response()

    server.answers = [never]
    clock = FakeClock()
    async with Client(ClientConfig(server=server.url), clock=clock) as client, TaskScope("t") as scope:
        seen: list[BaseException] = []
        task = scope.spawn(client.get(SECRET, KEY), name="get", on_error=seen.append)
        await arrived.wait()
        await clock.advance(60)
        await asyncio.wait({task})
        gate.set()
    assert isinstance(seen[0], ReadTimeout)


class Rotating:
    """Credentials that change when they are refreshed."""

    def __init__(self) -> None:
        self.generation = 0

    async def get(self, clock: object) -> Credential:
        return bearer(f"t{self.generation}")

    async def refresh(self, clock: object, rejected: Credential) -> bool:
        self.generation += 1
        return True


async def test_a_401_refreshes_once_and_replays_once(server) -> None:
    """C-23: the second 401 is raised."""
    server.reply(status(401, "Unauthorized"), 401)
    server.reply(OBJ)
    config = ClientConfig(server=server.url, credentials=Rotating())
    async with Client(config) as client:
        assert await client.get(SECRET, KEY) == OBJ
        assert [s.headers["Authorization"] for s in server.seen] == ["Bearer t0", "Bearer t1"]
        server.answers.clear()
        server.reply(status(401, "Unauthorized"), 401)
        with pytest.raises(Unauthorized):
            await client.get(SECRET, KEY)
        assert len(server.seen) == 4


async def test_a_403_never_refreshes(server) -> None:
    """C-23: forbidden is not a matter of credentials."""
    credentials = Rotating()
    server.reply(status(403, "Forbidden"), 403)
    async with Client(ClientConfig(server=server.url, credentials=credentials)) as client:
        with pytest.raises(Exception, match="403 Forbidden"):
            await client.get(SECRET, KEY)
    assert credentials.generation == 0


async def test_a_static_token_is_not_replayed(server) -> None:
    """C-23: without new credentials a replay is pointless."""
    server.reply(status(401, "Unauthorized"), 401)
    async with Client(ClientConfig(server=server.url, credentials=StaticToken("t"))) as client:
        with pytest.raises(Unauthorized):
            await client.get(SECRET, KEY)
    assert len(server.seen) == 1


def jwt(expires: int) -> str:
    """An unsigned token with an end."""
    claims = base64.urlsafe_b64encode(json.dumps({"exp": expires}).encode()).decode().rstrip("=")
    return f"e30.{claims}.sig"


@pytest.mark.parametrize(
    ("credentials", "message"),
    [
        (StaticToken(jwt(1_700_000_000)), r"the token of kubeconfig x expired on 2023-11-14T22:13:20Z: log in again"),
        (
            StaticToken(jwt(4_000_000_000)),
            r"does not accept the credentials of kubeconfig x: they are wrong or expired",
        ),
        (StaticToken("opaque"), r"does not accept the credentials of kubeconfig x"),
        (Anonymous(), r"there are no credentials in the configuration of kubeconfig x: add a token"),
    ],
)
async def test_a_final_401_says_what_to_do(server, credentials, message: str) -> None:
    """An expired token is named as such, for requests and for watches; the token itself is not shown."""
    server.reply(status(401, "Unauthorized"), 401)
    config = ClientConfig(server=server.url, credentials=credentials, source="kubeconfig x")
    async with Client(config) as client:
        with pytest.raises(Unauthorized, match=message) as info:
            await client.get(SECRET, KEY)
        with pytest.raises(Unauthorized, match=message):
            async with client.watch_raw(SECRET):
                pass
    assert "e30" not in str(info.value)
    assert info.value.message == "m401"


async def test_basic_auth_and_impersonation_headers(server) -> None:
    """C-21: user, groups, uid and extra go as repeated headers."""
    server.reply(OBJ)
    config = ClientConfig(
        server=server.url,
        credentials=BasicAuth("u", "p"),
        impersonate=Impersonation("jane", ("a", "b"), "77", (("scopes/x", ("one", "two")),)),
    )
    async with Client(config) as client:
        await client.get(SECRET, KEY)
    headers = server.seen[0].headers
    assert headers["Authorization"] == "Basic dTpw"
    assert headers["Impersonate-User"] == "jane"
    assert headers.getall("Impersonate-Group") == ["a", "b"]
    assert headers["Impersonate-Uid"] == "77"
    assert headers.getall("Impersonate-Extra-scopes%2Fx") == ["one", "two"]


async def test_a_token_file_is_read_again(server, tmp_path: Path) -> None:
    """C-20: after 50 s (a minute less the leeway), and at once after a 401."""
    path = tmp_path / "token"
    path.write_text("one\n")
    server.reply(OBJ)
    clock = FakeClock()
    async with Client(ClientConfig(server=server.url, credentials=FileToken(str(path))), clock=clock) as client:
        await client.get(SECRET, KEY)
        path.write_text("two")
        await clock.advance(49)
        await client.get(SECRET, KEY)
        await clock.advance(1)
        await client.get(SECRET, KEY)
        assert [s.headers["Authorization"] for s in server.seen] == ["Bearer one", "Bearer one", "Bearer two"]
        path.write_text("three")
        server.answers.clear()
        server.reply(status(401, "Unauthorized"), 401)
        server.reply(OBJ)
        await client.get(SECRET, KEY)
        assert server.seen[-1].headers["Authorization"] == "Bearer three"
        path.unlink()
        await clock.advance(100)
        await client.get(SECRET, KEY)
        assert server.seen[-1].headers["Authorization"] == "Bearer three"


async def test_a_missing_token_file_is_a_configuration_error(tmp_path: Path) -> None:
    """The message names the file and never its content."""
    with pytest.raises(ConfigError, match=r"reading the bearer token in .*nope.*check the file"):
        await FileToken(str(tmp_path / "nope")).get(SystemClock())


async def test_warnings_are_said_once_with_their_kind(server) -> None:
    """C-08: each text goes to the log once per client, or to a handler each time."""
    header = {"Warning": '299 - "v1beta1 is \\"old\\""'}
    server.reply(OBJ, headers=header)
    seen: list[tuple[str, str]] = []
    async with Client(
        ClientConfig(server=server.url), on_warning=lambda text, kind: seen.append((text, kind))
    ) as client:
        await client.get(SECRET, KEY)
    assert seen == [('v1beta1 is "old"', "Secret")]


async def test_warnings_are_logged_once(server, caplog: pytest.LogCaptureFixture) -> None:
    """C-08: the default handler does not repeat itself."""
    server.reply(OBJ, headers={"Warning": '299 - "deprecated"'})
    async with Client(ClientConfig(server=server.url)) as client:
        await client.get(SECRET, KEY)
        await client.get(SECRET, KEY)
    assert [r.getMessage() for r in caplog.records if r.name == "eso_core.client.warnings"] == [
        "the API server warns about Secret: deprecated"
    ]


async def test_every_attempt_is_counted(server) -> None:
    """C-65, 7.3: code, method and host; <error> when there was no answer; retries apart."""
    from eso_core.metrics.rest import RestMetrics

    server.answers = [_drop]
    server.reply(status(429), 429, {"Retry-After": "1"})
    server.reply(OBJ)
    registry = CollectorRegistry()
    metrics = RestMetrics(registry, extended=True)
    host = server.url.removeprefix("http://")
    async with Client(ClientConfig(server=server.url), clock=FakeClock(auto=True), metrics=metrics) as client:
        await client.get(SECRET, KEY)

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, {**labels, "host": host})

    for code in ("<error>", "429", "200"):
        assert value("rest_client_requests_total", code=code, method="GET") == 1
    assert value("rest_client_request_retries_total", code="<error>", verb="GET") == 1
    assert value("rest_client_request_retries_total", code="429", verb="GET") == 1
    assert value("rest_client_request_duration_seconds_count", verb="GET") == 3


async def test_a_registry_is_enough_for_metrics(server) -> None:
    """The families are made on the registry that is passed."""
    server.reply(status(404, "NotFound"), 404)
    registry = CollectorRegistry()
    async with Client(ClientConfig(server=server.url), metrics=registry) as client:
        with pytest.raises(NotFound):
            await client.get(SECRET, KEY)
    host = server.url.removeprefix("http://")
    labels = {"code": "404", "method": "GET", "host": host}
    assert registry.get_sample_value("rest_client_requests_total", labels) == 1


async def test_the_limiter_spaces_requests(server) -> None:
    """C-60: the burst goes at once, what follows at the rate."""
    server.reply(OBJ)
    clock = FakeClock(auto=True)
    config = ClientConfig(server=server.url, rate_limit=RateLimit(qps=5, burst=2))
    async with Client(config, clock=clock) as client:
        for _ in range(4):
            await client.get(SECRET, KEY)
    assert clock.elapsed == pytest.approx(0.4)


def test_bad_options_are_refused_when_built() -> None:
    """G-08: names and ranges are in the message."""
    with pytest.raises(ValueError, match="qps must be greater than 0"):
        RateLimit(qps=0, burst=1)
    with pytest.raises(ValueError, match="burst must be at least 1"):
        RateLimit(qps=1, burst=0)
    with pytest.raises(ValueError, match="attempts must be at least 1"):
        RetryPolicy(attempts=0)
    with pytest.raises(ConfigError, match="no http or https URL"):
        ClientConfig(server="cluster.example")
    with pytest.raises(ConfigError, match="request_timeout must be at least"):
        ClientConfig(server="http://x", request_timeout=-1)


async def test_a_closed_client_says_so(server) -> None:
    """Using a client after its end is an error, not a hang."""
    client = Client(ClientConfig(server=server.url))
    await client.aclose()
    with pytest.raises(ConfigError, match="the client is closed"):
        await client.get(SECRET, KEY)


async def test_no_redirect_is_followed(server) -> None:
    """A redirect would carry the credentials elsewhere."""
    server.reply("", 302, {"Location": "http://127.0.0.1:1/"})
    async with Client(ClientConfig(server=server.url)) as client:
        with pytest.raises(Exception, match="302"):
            await client.get(SECRET, KEY)
