"""The HTTP server of a manager from its start to its end."""

from __future__ import annotations

import asyncio
import inspect

import aiohttp
import pytest
from aiohttp import web

from eso_core.aio import TaskScope
from eso_core.manager.servers import HttpServer


@pytest.mark.parametrize("limit", [60.0, 0.1])
async def test_requests_in_flight_end_after_the_last_was_accepted(limit: float) -> None:
    """M-15: port 0 reports the chosen port; at the stop no more is accepted, and what runs has its time, but no more."""
    entered, release = asyncio.Event(), asyncio.Event()

    async def slow(request: web.Request) -> web.Response:
        entered.set()
        await release.wait()
        return web.Response(text="done")

    server = HttpServer("test", ("127.0.0.1", 0), {"/": slow}, shutdown_limit=limit)
    await server.listen()
    assert server.port > 0
    url = f"http://127.0.0.1:{server.port}/"
    async with aiohttp.ClientSession() as http, TaskScope("test") as scope:
        serving = scope.spawn(server.start(), name="server")

        async def ask() -> str:
            try:
                async with http.get(url) as response:
                    return await response.text()
            except aiohttp.ClientError as error:
                return type(error).__name__

        asked = scope.spawn(ask(), name="request")
        await entered.wait()
        serving.cancel()
        for _ in range(50):
            await asyncio.sleep(0.002)
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            except OSError:
                break
            writer.close()
        else:
            pytest.fail("connections are still accepted")
        if limit == 60.0:
            assert not asked.done()
            release.set()
            assert await asked == "done"
        else:
            assert await asked in ("ServerDisconnectedError", "ClientConnectorError")
            release.set()
        await asyncio.wait([serving])


def test_requests_in_flight_get_a_minute() -> None:
    """M-15: unless a server says otherwise."""
    assert inspect.signature(HttpServer).parameters["shutdown_limit"].default == 60.0
