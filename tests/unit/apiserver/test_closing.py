"""A server that stops does not wait for clients that were just coming in."""

from __future__ import annotations

import asyncio
from typing import cast

from eso_core.testing.apiserver.http.message import Response
from eso_core.testing.apiserver.http.protocol import Connection, Connections


class _Transport:
    """As much of a transport as a connection that ends at once needs."""

    def __init__(self) -> None:
        self.aborted = False

    def get_extra_info(self, name: str) -> None:
        return None

    def get_write_buffer_size(self) -> int:
        return 0

    def abort(self) -> None:
        self.aborted = True


async def test_a_connection_that_comes_up_after_the_stop_is_ended() -> None:
    """It was accepted before, and nobody else would close it: its client may keep it for minutes."""
    connections = Connections()
    late = Connection(lambda request, respond: None, connections, 1024, lambda: Response(413))
    connections.close()
    transport = _Transport()
    late.connection_made(cast(asyncio.Transport, transport))
    assert transport.aborted
    late.connection_lost(None)
    async with asyncio.timeout(1):
        await connections.wait_empty()
    assert len(connections) == 0
