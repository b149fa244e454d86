"""The test kit for backends: what every provider must do, as tests that its author runs.

    class TestShelf(ProviderContract):
        @pytest.fixture
        async def backend(self) -> AsyncIterator[Backend]:
            async with a_shelf_server() as server:
                yield Backend(Shelf(), {"url": server.url, "auth": {"name": "login", "key": "token"}}, put=server.put,
                              secrets={"login": {"token": b"let-me-in"}})

`MemoryCluster` holds the Secrets that the store refers to. Needs pytest and pytest-asyncio (in its automatic mode).
"""

from providers.testing.cluster import MemoryCluster
from providers.testing.contract import Backend, ProviderContract

__all__ = ["Backend", "MemoryCluster", "ProviderContract"]
