"""The server in a thread of its own: for tests that are not asynchronous, and for clients that block."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from eso_core.testing.apiserver.options import ApiServerOptions
from eso_core.testing.apiserver.record import Exchange
from eso_core.testing.apiserver.server import ApiServer
from eso_core.testing.apiserver.storage.statefile import Snapshot
from eso_core.testing.clock import FakeClock

JsonObject = dict[str, Any]
T = TypeVar("T")


class BackgroundServer:
    """An `ApiServer` whose event loop runs in a thread. All methods may be called from any thread.

    Use it in a ``with`` block, or call `close`.
    """

    def __init__(self, options: ApiServerOptions | None = None) -> None:
        """Start the server and wait until it answers. Raises what `ApiServer.start` raises."""
        self._options = options or ApiServerOptions()
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: ApiServer | None = None
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), name="api server", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        try:
            self._server = await ApiServer.start(self._options)
        except BaseException as error:
            self._failure = error
            return
        finally:
            self._ready.set()
        async with self._server:
            await self._stop.wait()

    @property
    def server(self) -> ApiServer:
        """The server itself. Only its plain attributes may be read from another thread."""
        if self._server is None:
            raise RuntimeError("using the API server: it is not running")
        return self._server

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def token(self) -> str:
        """The administrator's bearer token."""
        return self.server.token

    def kubeconfig(self) -> JsonObject:
        return self.server.kubeconfig()

    def write_kubeconfig(self, path: Path | str) -> None:
        self.server.write_kubeconfig(path)

    def call(self, function: Callable[[ApiServer], T]) -> T:
        """Run a function of the server in its thread and give the result."""

        async def run() -> T:
            return function(self.server)

        return self._run(run())

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        if self._loop is None:
            coroutine.close()
            raise RuntimeError("using the API server: it is not running")
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def install(self, manifest: JsonObject) -> None:
        """See `ApiServer.install`."""
        self.call(lambda server: server.install(manifest))

    def create(self, api_version: str, kind: str, obj: JsonObject, *, namespace: str = "") -> JsonObject:
        """See `ApiServer.create`."""
        return self.call(lambda server: server.create(api_version, kind, obj, namespace=namespace))

    def get(self, api_version: str, kind: str, name: str, *, namespace: str = "") -> JsonObject | None:
        """See `ApiServer.get`."""
        return self.call(lambda server: server.get(api_version, kind, name, namespace=namespace))

    def delete(self, api_version: str, kind: str, name: str, *, namespace: str = "") -> None:
        """See `ApiServer.delete`."""
        self.call(lambda server: server.delete(api_version, kind, name, namespace=namespace))

    def advance(self, seconds: float) -> None:
        """Move the server's clock: bookmarks, ends of watches and of history, and expiries that are due happen.

        Raises `RuntimeError` when the server runs on the system's clock.
        """
        clock = self._options.clock
        if not isinstance(clock, FakeClock):
            raise RuntimeError(
                "moving the API server's clock: it runs on the system's: start it with ApiServerOptions(clock=FakeClock())"
            )
        self._run(clock.advance(seconds))

    def requests(
        self, *, verb: str | None = None, resource: str | None = None, user_agent: str | None = None
    ) -> list[Exchange]:
        """See `ApiServer.requests`."""
        return self.call(lambda server: server.requests(verb=verb, resource=resource, user_agent=user_agent))

    def compact(self) -> None:
        """See `ApiServer.compact`."""
        self.call(ApiServer.compact)

    def run_gc(self) -> None:
        """See `ApiServer.run_gc`."""
        self._run(self.server.run_gc())

    def snapshot(self) -> Snapshot:
        """See `ApiServer.snapshot`."""
        return self.call(ApiServer.snapshot)

    def close(self) -> None:
        """Stop the server and its thread."""
        if self._loop is not None and self._stop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def __enter__(self) -> BackgroundServer:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
