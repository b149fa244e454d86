"""HTTP/1.1 on the wire: framing, order, limits, and bytes that are no requests."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import suppress

import pytest

from eso_core.testing.apiserver.options import ApiServerOptions
from eso_core.testing.apiserver.server import ApiServer


class Wire:
    """A raw connection to a server."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self.head = f"Host: x\r\nAuthorization: Bearer {server.token}\r\n"

    async def __aenter__(self) -> Wire:
        host, port = self._server.url.removeprefix("http://").split(":")
        self.reader, self.writer = await asyncio.open_connection(host, int(port))
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.writer.close()
        # A server that hangs up on what it has not read resets the connection; its answer has arrived before that.
        with suppress(ConnectionError):
            await self.writer.wait_closed()

    def send(self, data: str | bytes) -> None:
        self.writer.write(data.encode() if isinstance(data, str) else data)

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        status = int((await self.reader.readline()).split()[1])
        headers: dict[str, str] = {}
        while (line := (await self.reader.readline()).strip()) != b"":
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        return status, headers, body

    async def ended(self) -> bool:
        return await self.reader.read(1) == b""


async def test_pipelined_requests_are_answered_in_order(server: ApiServer) -> None:
    """One connection, three requests in one packet."""
    async with Wire(server) as wire:
        paths = ("/healthz", "/version", "/api")
        wire.send("".join(f"GET {path} HTTP/1.1\r\n{wire.head}\r\n" for path in paths))
        bodies = [(await wire.answer())[2] for _ in paths]
    assert bodies[0] == b"ok"
    assert json.loads(bodies[1])["major"] == "1"
    assert json.loads(bodies[2])["kind"] == "APIVersions"


async def test_a_request_may_arrive_byte_by_byte(server: ApiServer) -> None:
    """However the network cuts it."""
    async with Wire(server) as wire:
        for byte in f"GET /healthz HTTP/1.1\r\n{wire.head}\r\n".encode():
            wire.send(bytes([byte]))
            await asyncio.sleep(0)
        assert (await wire.answer())[0] == 200


async def test_chunked_bodies_are_put_together(server: ApiServer) -> None:
    """With extensions and trailers, which are ignored."""
    body = b'{"metadata":{"name":"a"},"data":{"k":"v"}}'
    async with Wire(server) as wire:
        head = f"POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\n{wire.head}"
        wire.send(head + "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        for part in (body[:10], body[10:]):
            wire.send(b"%x;ext=1\r\n%b\r\n" % (len(part), part))
        wire.send("0\r\nX-Trailer: y\r\n\r\n")
        status, _, answer = await wire.answer()
    assert (status, json.loads(answer)["data"]) == (201, {"k": "v"})


async def test_a_client_that_asks_first_is_told_to_go_on(server: ApiServer) -> None:
    """Expect: 100-continue."""
    body = b'{"metadata":{"name":"a"}}'
    async with Wire(server) as wire:
        head = f"POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\n{wire.head}"
        wire.send(
            f"{head}Content-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        assert await wire.reader.readline() == b"HTTP/1.1 100 Continue\r\n"
        await wire.reader.readline()
        wire.send(body)
        assert (await wire.answer())[0] == 201


@pytest.mark.parametrize(
    ("data", "status"),
    [
        ("nonsense\r\n\r\n", 400),
        ("GET /healthz\r\n\r\n", 400),
        ("GET healthz HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        ("GET / HTTP/1.1\r\nX: " + "y" * 1_100_000, 431),
        ("\x16\x03\x01 TLS to a plain port\r\n\r\n", 400),
    ],
)
async def test_what_is_no_request_ends_the_connection(server: ApiServer, data: str, status: int) -> None:
    """One answer that says what is wrong, then the end; never a hang."""
    async with Wire(server) as wire:
        wire.send(data)
        assert (await wire.answer())[0] == status
        assert await wire.ended()


async def test_a_refused_client_may_finish_its_sentence(server: ApiServer) -> None:
    """The answer arrives also when more is sent after it: nobody resets the connection under it."""

    def talk() -> bytes:
        host, port = server.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=10) as client:
            client.sendall(b"nonsense\r\n\r\n")
            client.recv(1, socket.MSG_PEEK)  # the answer is there
            client.sendall(b"y" * 3_000_000)
            with client.makefile("rb") as answer:
                return answer.read()

    assert (await asyncio.to_thread(talk)).startswith(b"HTTP/1.1 400 ")


async def test_a_body_over_the_limit_is_refused_and_read_to_its_end(server: ApiServer) -> None:
    """T-63: 413 also for a client that sends everything before it reads."""
    size = 3 * 1024 * 1024 + 1
    async with Wire(server) as wire:
        wire.send(f"POST /api/v1/namespaces HTTP/1.1\r\n{wire.head}Content-Length: {size}\r\n\r\n")
        wire.send(b"x" * size)
        await wire.writer.drain()
        status, _, body = await wire.answer()
        assert (status, json.loads(body)["reason"]) == (413, "RequestEntityTooLarge")
        assert await wire.ended()


async def test_connections_stay_open_unless_told_otherwise(server: ApiServer) -> None:
    """Keep-alive by default in HTTP/1.1, not in HTTP/1.0."""
    async with Wire(server) as wire:
        for _ in range(3):
            wire.send(f"GET /healthz HTTP/1.1\r\n{wire.head}\r\n")
            assert (await wire.answer())[0] == 200
        wire.send(f"GET /healthz HTTP/1.1\r\n{wire.head}Connection: close\r\n\r\n")
        assert (await wire.answer())[1]["connection"] == "close"
        assert await wire.ended()
    async with Wire(server) as wire:
        wire.send(f"GET /healthz HTTP/1.0\r\n{wire.head}\r\n")
        await wire.answer()
        assert await wire.ended()


async def test_a_watch_is_chunked_and_its_head_comes_at_once(server: ApiServer) -> None:
    """T-37: one line per event."""
    async with Wire(server) as wire:
        path = "/api/v1/namespaces?watch=1&timeoutSeconds=1&fieldSelector=metadata.name%3Ddefault"
        wire.send(f"GET {path} HTTP/1.1\r\n{wire.head}\r\n")
        assert await wire.reader.readline() == b"HTTP/1.1 200 OK\r\n"
        head = await wire.reader.readuntil(b"\r\n\r\n")
        assert b"Transfer-Encoding: chunked" in head
        size = int(await wire.reader.readline(), 16)
        event = json.loads(await wire.reader.readexactly(size))
        assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "default")
        rest = await wire.reader.readuntil(b"0\r\n\r\n")
        assert rest == b"\r\n0\r\n\r\n"
        wire.send(f"GET /healthz HTTP/1.1\r\n{wire.head}\r\n")
        assert (await wire.answer())[2] == b"ok"


async def test_a_port_in_use_is_named() -> None:
    """The error of a second server on the same port."""
    async with await ApiServer.start(ApiServerOptions(tls=False)) as server:
        port = int(server.url.rsplit(":", 1)[1])
        with pytest.raises(OSError, match=str(port)):
            await ApiServer.start(ApiServerOptions(tls=False, port=port))
