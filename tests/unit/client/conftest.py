"""A scripted HTTP server that records what the client sends."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from eso_core.testing.leaks import check_leaks

Answer = Callable[[web.Request, bytes], Awaitable[web.StreamResponse]]


@dataclass
class Seen:
    """One request as the server got it."""

    method: str
    path: str
    query: dict[str, str]
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Server:
    """Answers with the scripted functions, or with the last one again."""

    url: str = ""
    answers: list[Answer] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)

    def reply(self, body: Any = None, status: int = 200, headers: dict[str, str] | None = None) -> None:
        """Adds a canned answer; a string body is sent as text."""

        async def answer(request: web.Request, _: bytes) -> web.StreamResponse:
            if isinstance(body, str | bytes):
                raw = body.encode() if isinstance(body, str) else body
                return web.Response(body=raw, status=status, headers=headers, content_type="text/plain")
            return web.json_response(body if body is not None else {}, status=status, headers=headers)

        self.answers.append(answer)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.seen.append(Seen(request.method, request.path, dict(request.query), request.headers.copy(), body))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return await answer(request, body)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """A running server without answers."""
    scripted = Server()
    app = web.Application(client_max_size=16 * 2**20)
    app.router.add_route("*", "/{tail:.*}", scripted.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    scripted.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield scripted
    await runner.cleanup()


@pytest.fixture(autouse=True)
async def leaks() -> AsyncIterator[None]:
    """No test leaves tasks, threads or connections behind."""
    async with check_leaks():
        yield
