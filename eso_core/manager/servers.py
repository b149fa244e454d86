"""The HTTP servers of a manager: health probes, and metrics."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry

from eso_core.manager.health import HealthCheck, HealthChecks
from eso_core.manager.options import parse_address
from eso_core.manager.scrapeauth import Denied, ScrapeAuth
from eso_core.metrics import render

__all__ = ["HttpServer", "WebHandler", "health_server", "metrics_server"]

_log = structlog.get_logger("eso_core.manager")

WebHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]

#: A registry that takes longer than this to print is printed on a thread from then on, seconds.
_SLOW_RENDER = 0.005
#: How long requests in flight may take when the server stops, seconds.
_SHUTDOWN_LIMIT = 60.0


class HttpServer:
    """One listening socket.

    Args:
        name: for logs.
        address: `host:port`; port 0 takes any free one, an empty host means all interfaces.
        routes: handlers by path.
        tls: serve HTTPS with this context.
        shutdown_limit: seconds for requests in flight at the stop.
    """

    def __init__(
        self,
        name: str,
        address: tuple[str, int],
        routes: dict[str, WebHandler],
        *,
        tls: ssl.SSLContext | None = None,
        shutdown_limit: float = _SHUTDOWN_LIMIT,
    ) -> None:
        self.name = name
        self._address = address
        self._tls = tls
        app = web.Application()
        for path, handler in routes.items():
            app.router.add_get(path, handler)
        self._app = app
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=shutdown_limit)
        self._port = 0

    @property
    def port(self) -> int:
        """The port it listens on; the chosen one when 0 was asked for."""
        return self._port

    def add_put(self, path: str, handler: WebHandler) -> None:
        """Serves PUT requests on a path; before `listen`."""
        self._app.router.add_put(path, handler)

    async def listen(self) -> None:
        """Returns when requests are accepted.

        Raises:
            OSError: the address is taken or not ours.
        """
        await self._runner.setup()
        host, port = self._address
        try:
            site = web.TCPSite(self._runner, host or None, port, ssl_context=self._tls, reuse_address=True)
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise OSError(
                error.errno,
                f"serving {self.name} on {host or '*'}:{port}: {error.strerror or error}: "
                f"choose another address ({self.name}_addr)",
            ) from error
        except BaseException:
            await self._runner.cleanup()
            raise
        self._port = int(self._runner.addresses[0][1])
        _log.info("serving", server=self.name, host=host or "*", port=self._port, tls=self._tls is not None)

    async def start(self) -> None:
        """Serves until cancelled; then accepts no more and lets requests in flight end."""
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await self._runner.cleanup()


def health_server(address: str, checks: HealthChecks) -> HttpServer | None:
    """The server of `/healthz` and `/readyz`, each with a sub-path per check; None when the address says so."""
    parsed = parse_address(address, option="health_addr")
    if parsed is None:
        return None
    routes: dict[str, WebHandler] = {}
    for endpoint, chosen in (("healthz", checks.health), ("readyz", checks.readiness)):
        routes[f"/{endpoint}"] = routes[f"/{endpoint}/"] = _endpoint(endpoint, checks, chosen)
        routes[f"/{endpoint}/{{check}}"] = _single_check(checks, chosen)
    return HttpServer("health", parsed, routes)


def _endpoint(name: str, checks: HealthChecks, chosen: dict[str, HealthCheck]) -> WebHandler:
    async def handle(request: web.Request) -> web.Response:
        excluded = set(request.query.getall("exclude", []))
        results = await checks.run(chosen, exclude=excluded)
        healthy = all(result.ok for result in results)
        if healthy and "verbose" not in request.query:
            return web.Response(text="ok")
        lines = [
            f"[+]{result.name} ok" if result.ok else f"[-]{result.name} failed: reason withheld" for result in results
        ]
        lines += [f"[+]{check} excluded: ok" for check in chosen if check in excluded]
        if unknown := sorted(excluded - set(chosen)):
            quoted = ", ".join(f'"{check}"' for check in unknown)
            lines.append(f"warn: some health checks cannot be excluded: no matches for {quoted}")
        lines.append(f"{name} check {'passed' if healthy else 'failed'}")
        return web.Response(text="\n".join(lines) + "\n", status=200 if healthy else 500)

    return handle


def _single_check(checks: HealthChecks, chosen: dict[str, HealthCheck]) -> WebHandler:
    async def handle(request: web.Request) -> web.Response:
        name = request.match_info["check"]
        if name not in chosen:
            raise web.HTTPNotFound(text="404 page not found\n")
        (result,) = await checks.run(chosen, only=name)
        if result.ok:
            return web.Response(text="ok")
        return web.Response(text="internal server error: reason withheld\n", status=500)

    return handle


def metrics_server(
    address: str,
    registry: CollectorRegistry,
    *,
    tls: ssl.SSLContext | None = None,
    auth: ScrapeAuth | None = None,
    extra: dict[str, WebHandler] | None = None,
) -> HttpServer | None:
    """The server of `/metrics` and of extra paths, all behind the same filter; None when the address says so.

    Raises:
        ValueError: an extra path is `/metrics`.
    """
    parsed = parse_address(address, option="metrics_addr")
    if parsed is None:
        return None
    if extra and "/metrics" in extra:
        raise ValueError("serving metrics: the path /metrics is taken: use another one")
    slow = False

    async def scrape(request: web.Request) -> web.Response:
        nonlocal slow
        accept = request.headers.get("Accept", "")
        if slow:
            body, content_type = await asyncio.to_thread(render, registry, accept)
        else:
            loop = asyncio.get_running_loop()
            started = loop.time()
            body, content_type = render(registry, accept)
            slow = loop.time() - started > _SLOW_RENDER
        return web.Response(body=body, headers={"Content-Type": content_type})

    routes = {"/metrics": scrape, **(extra or {})}
    return HttpServer("metrics", parsed, {path: _guarded(handler, auth) for path, handler in routes.items()}, tls=tls)


def _guarded(handler: WebHandler, auth: ScrapeAuth | None) -> WebHandler:
    if auth is None:
        return handler

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            await auth.check(request.headers.get("Authorization", ""), request.path)
        except Denied as denied:
            return web.Response(status=denied.status, text=denied.text + "\n")
        except Exception as error:
            _log.warning("scrape not authorized: the reviews failed", error=f"{type(error).__name__}: {error}")
            return web.Response(status=500, text="Authorization for the request could not be checked\n")
        return await handler(request)

    return handle
