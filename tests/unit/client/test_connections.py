"""Connections below the verbs: sockets, addresses, bodies that are streams, numbers, and credentials that come and go."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
from aiohttp import web

from eso_core.aio import SystemClock
from eso_core.client import Client, ClientConfig, RetryPolicy
from eso_core.client.credentials import Credential, bearer
from eso_core.meta import ObjectKey, wellknown
from eso_core.meta.errors import ConnectError, Unauthorized
from eso_core.testing.clock import FakeClock

SECRET = wellknown.SECRET
KEY = ObjectKey("ns", "a")
OBJ = {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "a", "namespace": "ns"}}


async def test_sockets_probe_a_silent_peer(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """C-02: HTTP/1.1, keepalive after 30 s, each 15 s, three times."""
    made: list[socket.socket] = []
    make = socket.socket

    class Recorded(make):  # type: ignore[valid-type, misc]
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            made.append(self)

    server.reply(OBJ)
    read: list[tuple[int, ...]] = []

    async def look(request: web.Request, _: bytes) -> web.StreamResponse:
        for sock in made:
            if (
                sock.fileno() >= 0
                and sock.type == socket.SOCK_STREAM
                and sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            ):
                names = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
                read.append(tuple(sock.getsockopt(socket.IPPROTO_TCP, name) for name in names))
        assert request.version == (1, 1)
        return web.json_response(OBJ)

    server.answers[:] = [look]
    monkeypatch.setattr(socket, "socket", Recorded)
    async with Client(ClientConfig(server.url)) as client:
        await client.get(SECRET, KEY)
    assert (30, 15, 3) in read


async def test_a_name_that_moves_is_found_at_its_new_address(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """P-16, R-33: addresses are not remembered: the third try at the latest goes to where the name points now."""
    server.reply(OBJ)
    port = int(server.url.rpartition(":")[2])
    asked: list[str] = []
    loop = asyncio.get_running_loop()
    resolve = loop.getaddrinfo

    async def moving(host: Any, *args: Any, **options: Any) -> Any:
        if host != "api.moving.test":
            return await resolve(host, *args, **options)
        asked.append(host)
        address = "127.0.0.9" if len(asked) < 3 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(loop, "getaddrinfo", moving)
    retry = RetryPolicy(attempts=3, lost_delay=0.0)
    async with Client(ClientConfig(f"http://api.moving.test:{port}"), retry=retry) as client:
        assert await client.get(SECRET, KEY) == OBJ
    assert len(asked) == 3


async def test_numbers_keep_their_kind_and_their_digits(server: Any) -> None:
    """C-10: 3 and 3.0 are told apart, and integers beyond 2^53 survive reading and writing."""
    server.reply('{"kind":"Secret","apiVersion":"v1","metadata":{"name":"a"},"n":9007199254740993,"f":3.0,"i":3}')
    async with Client(ClientConfig(server.url)) as client:
        found = await client.get(SECRET, KEY)
        assert found["n"] == 9007199254740993
        assert (type(found["f"]), type(found["i"])) == (float, int)
        found["metadata"]["namespace"] = "ns"
        found["metadata"]["resourceVersion"] = "1"
        await client.update(found)
    assert b'"n":9007199254740993' in server.seen[1].body
    assert b'"f":3.0,"i":3' in server.seen[1].body


async def test_a_write_gives_back_what_the_server_stored(server: Any) -> None:
    """C-41: the answer counts, not what was sent."""
    stored = {**OBJ, "metadata": {**OBJ["metadata"], "resourceVersion": "7"}, "status": {"from": "the server"}}  # type: ignore[dict-item]
    server.reply(stored)
    async with Client(ClientConfig(server.url)) as client:
        sent = {**OBJ, "metadata": {**OBJ["metadata"], "resourceVersion": "6"}, "status": {"from": "the caller"}}  # type: ignore[dict-item]
        assert await client.update(sent) == stored
        assert sent["status"] == {"from": "the caller"}


async def test_each_attempt_is_one_line_and_one_count_in_one_place(
    server: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """C-11, C-65: two tries are two lines and two counts, with method, path without query, status and time."""
    from prometheus_client import CollectorRegistry

    registry = CollectorRegistry()
    server.reply({"kind": "Status", "code": 503}, 503, {"Retry-After": "1"})
    server.reply({"kind": "SecretList", "apiVersion": "v1", "metadata": {}, "items": []})
    caplog.set_level("DEBUG", "eso_core.client")
    async with Client(ClientConfig(server.url), clock=FakeClock(auto=True), metrics=registry) as client:
        await client.list(SECRET, "ns", label_selector="token=s3cr3t")
    lines = [line for line in caplog.messages if line.startswith("GET /api/v1/namespaces/ns/secrets: ")]
    assert [line.split(": ")[1].split(" ")[0] for line in lines] == ["503", "200"]
    assert "s3cr3t" not in caplog.text
    for code in ("503", "200"):
        labels = {"code": code, "method": "GET", "host": server.url.removeprefix("http://")}
        assert registry.get_sample_value("rest_client_requests_total", labels) == 1


class Flaky:
    """Credentials that cannot be had twice, then can."""

    def __init__(self) -> None:
        self.asked = 0

    async def get(self, clock: Any) -> Credential:
        self.asked += 1
        if self.asked <= 2:
            raise ConnectError("the identity provider does not answer", sent=False)
        return bearer("fresh")

    async def refresh(self, clock: Any, used: Credential) -> bool:
        return False


async def test_credentials_that_fail_do_not_end_a_watch(server: Any) -> None:
    """C-24: the informer's loop backs off and asks again until the credentials are there."""
    from eso_core.aio import TaskScope
    from eso_core.cache import Cache, ClientSources, InformerSpec

    server.reply({"kind": "SecretList", "apiVersion": "v1", "metadata": {"resourceVersion": "5"}, "items": []})

    async def streaming_is_unknown(request: web.Request, body: bytes) -> web.StreamResponse:
        if "sendInitialEvents" in request.query:
            return web.json_response({"kind": "Status", "code": 422, "reason": "Invalid"}, status=422)
        if "watch" in request.query:
            response = web.StreamResponse()
            await response.prepare(request)
            await asyncio.sleep(30)
            return response
        return web.json_response(
            {"kind": "SecretList", "apiVersion": "v1", "metadata": {"resourceVersion": "5"}, "items": []}
        )

    server.answers[:] = [streaming_is_unknown]
    credentials = Flaky()
    clock = FakeClock(auto=True)
    config = ClientConfig(server.url, credentials=credentials)  # type: ignore[arg-type]
    async with Client(config, clock=clock) as client, TaskScope("test") as scope:
        cache = Cache(ClientSources(client), clock)
        informer = cache.register(InformerSpec(SECRET))
        cache.start(scope)
        async with SystemClock().timeout(10):
            await informer.wait_synced()
        assert credentials.asked >= 3
        await scope.cancel()


async def test_a_rotated_token_costs_one_failed_request(server: Any) -> None:
    """P-17, C-23: the old token begins to give 401; the request is replayed with the new one and succeeds."""

    class Rotating:
        token = "old"
        refreshes = 0

        async def get(self, clock: Any) -> Credential:
            return bearer(self.token)

        async def refresh(self, clock: Any, used: Credential) -> bool:
            self.refreshes += 1
            self.token = "new"
            return True

    async def check(request: web.Request, _: bytes) -> web.StreamResponse:
        if request.headers["Authorization"] != "Bearer new":
            return web.json_response({"kind": "Status", "code": 401, "reason": "Unauthorized"}, status=401)
        return web.json_response(OBJ)

    server.answers[:] = [check]
    credentials = Rotating()
    async with Client(ClientConfig(server.url, credentials=credentials)) as client:  # type: ignore[arg-type]
        for _ in range(3):
            assert await client.get(SECRET, KEY) == OBJ
    assert credentials.refreshes == 1
    assert [seen.headers["Authorization"] for seen in server.seen] == ["Bearer old", *["Bearer new"] * 3]


async def test_a_second_401_is_raised(server: Any) -> None:
    """C-23, C-63: one replay, with the same body, and no more."""
    server.reply({"kind": "Status", "code": 401, "reason": "Unauthorized"}, 401)

    class Hopeless:
        async def get(self, clock: Any) -> Credential:
            return bearer("x")

        async def refresh(self, clock: Any, used: Credential) -> bool:
            return True

    async with Client(ClientConfig(server.url, credentials=Hopeless())) as client:  # type: ignore[arg-type]
        with pytest.raises(Unauthorized):
            await client.create(OBJ)
    assert len(server.seen) == 2
    assert server.seen[0].body == server.seen[1].body  # bodies are bytes, never streams: they can be sent twice
