"""A server in the test's own loop, and a client that speaks plain requests to it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from eso_core.testing.apiserver.http.message import Answer, Request, Response, Sink, Stream
from eso_core.testing.apiserver.options import ApiServerOptions
from eso_core.testing.apiserver.server import ApiServer

JsonObject = dict[str, Any]

JSON = "application/json"


class Reply:
    """An answer: status, headers by lower-case name, decoded body."""

    def __init__(self, response: Response) -> None:
        self.status = response.status
        self.headers = [(name.lower(), value) for name, value in response.headers]
        self.content_type = response.content_type
        self.raw = response.body
        self.body: Any = (
            json.loads(response.body) if "json" in response.content_type else response.body.decode("utf-8", "replace")
        )

    def header(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]


class Lines(Sink):
    """Collects the events of a watch."""

    def __init__(self) -> None:
        self.events: list[JsonObject] = []
        self.ended = False
        self.pending = 0

    @property
    def closed(self) -> bool:
        return self.ended

    def write(self, chunk: bytes) -> None:
        self.events += [json.loads(line) for line in chunk.splitlines()]

    def end(self) -> None:
        self.ended = True

    def buffered(self) -> int:
        return self.pending

    @property
    def shown(self) -> list[tuple[str, str]]:
        """Type and name of each event."""
        return [(event["type"], event["object"]["metadata"].get("name", "")) for event in self.events]


class Caller:
    """Sends requests to a server's handler without a socket between."""

    def __init__(self, server: ApiServer) -> None:
        self.server = server

    async def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        type: str = JSON,
        token: str | None = None,
        **headers: str,
    ) -> Reply:
        answer = await self._answer(method, path, body, type, token, headers)
        assert isinstance(answer, Response)
        return Reply(answer)

    async def watch(self, path: str, **headers: str) -> Lines:
        answer = await self._answer("GET", path, None, JSON, None, headers)
        assert isinstance(answer, Stream), answer
        lines = Lines()
        stop = answer.start(lines)
        if lines.closed:
            stop()
        return lines

    async def _answer(
        self, method: str, path: str, body: Any, type_: str, token: str | None, headers: dict[str, str]
    ) -> Answer:
        content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"accept": JSON, "user-agent": "unit/1.0", "authorization": f"Bearer {token or self.server.token}"}
        if content:
            sent["content-type"] = type_
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.server.handle(Request(method, path, sent, content), future.set_result)
        return await future


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    """A server over plain HTTP."""
    async with await ApiServer.start(ApiServerOptions(tls=False)) as running:
        yield running


@pytest.fixture
def call(server: ApiServer) -> Caller:
    """Requests of the administrator."""
    return Caller(server)


def config_map(name: str, **data: str) -> JsonObject:
    """A ConfigMap to send."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def definition(kind: str = "Widget", **version: Any) -> JsonObject:
    """A CRD of group test.example.io with a free spec and a status subresource."""
    schema = {
        "type": "object",
        "properties": {
            "spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        },
    }
    plural = f"{kind.lower()}s"
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.test.example.io"},
        "spec": {
            "group": "test.example.io",
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": schema},
                    **version,
                }
            ],
        },
    }
