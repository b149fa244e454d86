"""Proxies, event loops, and the bridge to kubernetes-asyncio."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from eso_core.aio import SystemClock, TaskScope
from eso_core.client import Client, ClientConfig, RetryPolicy
from eso_core.client.compat import from_configuration, to_configuration
from eso_core.client.credentials import StaticToken
from eso_core.client.tls import Pem
from eso_core.meta.errors import ConfigError, ProxyError


@asynccontextmanager
async def proxy(answer: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A proxy that answers every request the same way."""
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    running = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = running.sockets[0].getsockname()[:2]
    yield f"http://user:secret@{host}:{port}", seen
    running.close()
    await running.wait_closed()


async def test_http_goes_through_the_proxy() -> None:
    """C-05: proxy-url with credentials; the whole URL is in the request line."""
    answer = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{"major": "1"}  '
    async with proxy(answer) as (url, seen):
        async with Client(ClientConfig(server="http://api.example", proxy_url=url)) as client:
            assert (await client.server_version())["major"] == "1"
    assert seen[0].startswith(b"GET http://api.example/version HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic dXNlcjpzZWNyZXQ=" in seen[0]


async def test_a_proxy_that_refuses_is_explained() -> None:
    """C-05: https needs CONNECT; the failure names the setting and not the proxy's password."""
    async with proxy(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n") as (url, seen):
        config = ClientConfig(server="https://api.example:6443", proxy_url=url)
        async with Client(config, retry=RetryPolicy(attempts=1)) as client:
            with pytest.raises(ProxyError, match=r"the proxy for https://api\.example:6443 answered 403") as info:
                await client.server_version()
    assert "secret" not in str(info.value)
    assert "secret" not in repr(config)
    assert seen[0].startswith(b"CONNECT api.example:6443 HTTP/1.1\r\n")


async def test_a_proxy_that_is_away_is_explained() -> None:
    """C-05: the proxy is to blame, not the server."""
    config = ClientConfig(server="https://api.example", proxy_url="http://127.0.0.1:1")
    async with Client(config) as client:
        with pytest.raises(ProxyError, match="cannot be reached: .*check proxy-url"):
            await client.server_version()


def test_it_runs_on_uvloop(tmp_path: Path) -> None:
    """G-11: requests and watches work on the other event loop too."""
    pytest.importorskip("uvloop")
    script = tmp_path / "run.py"
    script.write_text(
        """
import asyncio, uvloop
from aiohttp import web
from eso_core.client import Client, ClientConfig
from eso_core.meta import wellknown, ObjectKey

async def handle(request):
    if "watch" in request.query:
        return web.Response(body=b'{"type":"ADDED","object":{"metadata":{"name":"a"}}}\\n')
    return web.json_response({"metadata": {"name": "a"}})

async def main():
    app = web.Application()
    app.router.add_get("/{tail:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with Client(ClientConfig(server=url)) as client:
        await client.get(wellknown.SECRET, ObjectKey("n", "a"))
        async with client.watch(wellknown.SECRET) as events:
            print([e.type async for e in events])
    await runner.cleanup()

uvloop.run(main())
"""
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True, cwd=Path.cwd())
    assert done.stdout == "['ADDED']\n"


async def test_configurations_of_kubernetes_asyncio_are_bridged(tmp_path: Path) -> None:
    """1.6: host, files and a renewed token go both ways; data instead of files is refused."""
    ca = tmp_path / "ca"
    config = ClientConfig(
        server="https://api",
        ca=Pem(path=str(ca)),
        tls_server_name="kubernetes",
        proxy_url="http://p",
        credentials=StaticToken("t"),
    )
    other = await to_configuration(config)
    assert (other.host, other.ssl_ca_cert, other.verify_ssl) == ("https://api", str(ca), True)
    assert await other.get_api_key_with_prefix("BearerToken") == "Bearer t"
    back = from_configuration(other)
    assert (back.server, back.tls_server_name, back.proxy_url) == ("https://api", "kubernetes", "http://p")
    assert back.ca == Pem(path=str(ca))
    credential = await back.credentials.get(_CLOCK)
    assert credential.headers == {"Authorization": "Bearer t"}
    assert not await back.credentials.refresh(_CLOCK, credential)
    with pytest.raises(ConfigError, match="ssl_ca_cert must be a file"):
        await to_configuration(ClientConfig(server="https://api", ca=Pem(data=b"x")))
    other.host = ""
    with pytest.raises(ConfigError, match="it has no host"):
        from_configuration(other)


async def test_many_requests_at_once_share_the_pool(server) -> None:
    """C-01: more callers than connections wait for their turn."""
    server.reply({"metadata": {}})
    async with Client(ClientConfig(server=server.url, max_connections=3)) as client, TaskScope("t") as scope:
        for index in range(50):
            scope.spawn(client.raw("GET", f"/x/{index}"), name=str(index))
    assert len(server.seen) == 50


_CLOCK = SystemClock()
