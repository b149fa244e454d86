"""A scripted HTTP server that stands in for Vault where a real one cannot be made to misbehave."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from eso_core.testing.clock import FakeClock


@dataclass
class Request:
    """What the server was asked."""

    method: str
    path: str  # as on the wire, with query
    headers: dict[str, str] = field(repr=False)
    all_headers: list[tuple[str, str]] = field(repr=False)
    body: Any


class ScriptedVault:
    """Answers with ``script`` in order, then with ``fallback``; an entry is (status, body, headers) or "drop"."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.script: list[Any] = []
        self.fallback: Any = (200, {"data": {"data": {"k": "v"}}}, {})
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        self.requests.append(
            Request(
                request.method,
                request.raw_path,
                dict(request.headers),
                list(request.headers.items()),
                json.loads(raw) if raw else None,
            )
        )
        answer = self.script.pop(0) if self.script else self.fallback
        if callable(answer):
            answer = answer(self.requests[-1])
        if answer == "drop":
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        status, body, headers = answer
        text = body if isinstance(body, str) else json.dumps(body)
        return web.Response(status=status, text=text, headers=headers)


@pytest.fixture
async def vault() -> AsyncIterator[ScriptedVault]:
    scripted = ScriptedVault()
    runner = web.ServerRunner(web.Server(scripted.handle))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    scripted.url = f"http://{host}:{port}"
    try:
        yield scripted
    finally:
        await runner.cleanup()


class Calls:
    """Names and outcomes of counted requests."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, bool]] = []

    def observe(self, provider: str, call: str, error: BaseException | None) -> None:
        self.seen.append((provider, call, error is None))


@pytest.fixture
def calls() -> Calls:
    return Calls()


class ImpatientClock(FakeClock):
    """Sleeps take no time and are written down; time limits never pass."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@pytest.fixture
def impatient() -> ImpatientClock:
    return ImpatientClock()


@pytest.fixture
def login_answer() -> Callable[..., Any]:
    """A login response with a token of this text and life."""

    def make(token: str, lease: int = 3600, *, renewable: bool = True, kind: str = "service") -> Any:
        auth = {"client_token": token, "lease_duration": lease, "renewable": renewable, "token_type": kind}
        return (200, {"auth": auth}, {})

    return make
