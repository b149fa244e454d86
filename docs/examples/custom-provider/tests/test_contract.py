"""What the operator relies on, and what its author adds."""

from collections.abc import AsyncIterator

import pytest
from server import TOKEN, ShelfServer
from shelf import ShelfProvider

from providers.testing import Backend, ProviderContract

AUTH = {"name": "shelf-login"}


class TestShelf(ProviderContract):
    @pytest.fixture
    async def backend(self) -> AsyncIterator[Backend]:
        async with ShelfServer() as server:
            spec = {"url": server.url, "auth": AUTH}
            yield Backend(
                ShelfProvider(),
                spec,
                server.put,
                secrets={"shelf-login": {"token": TOKEN.encode()}, "wrong": {"token": b"an-old-token-of-mine"}},
                denied={"url": server.url, "auth": {"name": "wrong"}},
                unreachable={"url": "http://127.0.0.1:9", "auth": AUTH},
                refuses={"url": "shelf.example", "auth": AUTH},
            )
