"""The HTTPS server that the API server calls."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
import structlog
from aiohttp import web

from eso_core.aio import Clock, SystemClock
from eso_core.client import Kind
from eso_core.meta import JsonObject, parse_duration
from eso_core.meta.errors import ConfigError, EsoCoreError
from eso_core.metrics import RuntimeMetrics
from eso_core.webhook.admission import (
    AdmissionHandler,
    AdmissionRequest,
    AdmissionResponse,
    Defaulter,
    Validator,
    defaulting,
    read_review,
    validating,
)
from eso_core.webhook.certificates import CertWatcher
from eso_core.webhook.conversion import Converter, convert_review

__all__ = ["WebhookServer"]

_log = structlog.get_logger("eso_core.webhook")

#: The largest review that is read, bytes: two objects of 3 MiB and what is around them.
_BODY_LIMIT = 7 * 1024 * 1024
#: How long requests in flight may take when the server stops, seconds.
_SHUTDOWN_LIMIT = 60.0
_DIAL_LIMIT = 5.0


class WebhookServer:
    """Serves admission and conversion. A runnable; `Manager.webhooks` makes one with its own clock and metrics.

    Args:
        cert_dir: folder with `tls.crt` and `tls.key`, as a mounted Secret has them; followed while it runs.
        host: interface; all by default.
        port: 9443 by convention; 0 takes any free one, -1 serves nothing.
        client_ca: PEM file of the authority that clients must have a certificate of.

    Attributes:
        certificate: the watcher of the files.
    """

    def __init__(
        self,
        cert_dir: str | Path,
        *,
        host: str = "",
        port: int = 9443,
        cert_name: str = "tls.crt",
        key_name: str = "tls.key",
        client_ca: str | Path | None = None,
        clock: Clock | None = None,
        metrics: RuntimeMetrics | None = None,
        on_change: Callable[[bytes], None] | None = None,
    ) -> None:
        if not -1 <= port <= 65535:
            raise ValueError(f"port: {port}: use 1 to 65535, 0 for any free port, or -1 for none")
        self._clock: Clock = clock if clock is not None else SystemClock()
        self._metrics = metrics if metrics is not None else RuntimeMetrics()
        folder = Path(cert_dir)
        self.certificate = CertWatcher(
            folder / cert_name, folder / key_name, self._clock, self._metrics, on_change=on_change
        )
        self._client_ca = client_ca
        self._host, self._wanted_port, self._port = host, port, 0
        self._app = web.Application(client_max_size=_BODY_LIMIT + 1)
        self._runner: web.AppRunner | None = None
        self._converters: dict[tuple[str, str], Converter] = {}
        self.name = "webhook server"

    # -- what is served ----------------------------------------------------------------------------------------------

    def admission(self, path: str, handler: AdmissionHandler) -> None:
        """Serves admission reviews at `path`.

        Raises:
            ValueError: the path does not begin with a slash, or is taken.
        """
        self._serve(path, self._review(path, handler))

    def default(self, path: str, kind: Kind, defaulter: Defaulter[Any]) -> None:
        """Serves a mutating webhook that fills in what is missing."""
        self.admission(path, defaulting(kind, defaulter))

    def validate(self, path: str, kind: Kind, validator: Validator[Any]) -> None:
        """Serves a validating webhook."""
        self.admission(path, validating(kind, validator))

    def convert(self, *converters: Converter, path: str = "/convert") -> None:
        """Serves conversion for the kinds of these converters."""
        for converter in converters:
            self._converters[converter.group, converter.kind] = converter
        self._serve(path, self._conversion(path))

    # -- life --------------------------------------------------------------------------------------------------------

    @property
    def port(self) -> int:
        """The port it listens on; the chosen one when 0 was asked for, 0 while it does not listen."""
        return self._port

    async def listen(self) -> None:
        """Reads the certificate; returns when requests are accepted.

        Raises:
            ConfigError: the certificate or the client CA cannot be used.
            OSError: the address is taken or not ours.
        """
        if self._wanted_port < 0 or self._runner is not None:
            return
        await self.certificate.load()
        context = self.certificate.context
        if self._client_ca is not None:
            try:
                await asyncio.to_thread(context.load_verify_locations, str(self._client_ca))
            except (OSError, ssl.SSLError) as error:
                raise ConfigError(
                    f"serving webhooks: reading the client CA {self._client_ca}: {error}: give a PEM file"
                ) from error
            context.verify_mode = ssl.CERT_REQUIRED
        runner = web.AppRunner(self._app, access_log=None, shutdown_timeout=_SHUTDOWN_LIMIT)
        await runner.setup()
        try:
            await web.TCPSite(
                runner, self._host or None, self._wanted_port, ssl_context=context, reuse_address=True
            ).start()
        except BaseException:
            await runner.cleanup()
            raise
        self._runner, self._port = runner, int(runner.addresses[0][1])
        _log.info("serving", server="webhook", host=self._host or "*", port=self._port, tls=True)

    async def start(self) -> None:
        """Serves until cancelled; then accepts no more and lets requests in flight end."""
        await self.listen()
        try:
            if self._runner is None:
                await asyncio.get_running_loop().create_future()
            await self.certificate.start()
        finally:
            runner, self._runner, self._port = self._runner, None, 0
            if runner is not None:
                await runner.cleanup()

    async def check(self) -> None:
        """The check `webhook`: a TLS handshake with this server.

        Raises:
            ConfigError: it does not listen.
            OSError, ssl.SSLError: the handshake fails.
        """
        if self._wanted_port < 0:
            return
        if not self._port:
            raise ConfigError("webhook server: it does not listen yet")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        async with self._clock.timeout(_DIAL_LIMIT):
            host = self._host if self._host not in ("", "0.0.0.0", "::") else "127.0.0.1"
            _, writer = await asyncio.open_connection(host, self._port, ssl=context)
            writer.close()
            # With a client CA the server hangs up on us after the handshake, which is all that was asked.
            with suppress(OSError, ssl.SSLError):
                await writer.wait_closed()

    # -- inside ------------------------------------------------------------------------------------------------------

    def _serve(self, path: str, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> None:
        if not path.startswith("/"):
            raise ValueError(f"path: {path!r} does not begin with a slash")
        if any(route.resource is not None and route.resource.canonical == path for route in self._app.router.routes()):
            raise ValueError(f"path: {path} is served already")
        self._app.router.add_post(path, handler)

    def _review(self, path: str, handler: AdmissionHandler) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> JsonObject:
            version, uid = "admission.k8s.io/v1", ""
            try:
                body = await _body(request)
                asked, version = read_review(body)
                uid = asked.uid
            except _Refused as refused:
                response = AdmissionResponse.deny(refused.text, code=refused.code, reason=refused.reason)
            except ValueError as error:
                response = AdmissionResponse.deny(str(error), code=400, reason="BadRequest")
            else:
                response = await self._answer(path, handler, asked, request.query.get("timeout", ""))
            return {"apiVersion": version, "kind": "AdmissionReview", "response": response.encode(uid)}

        return self._measured(path, handle)

    async def _answer(
        self, path: str, handler: AdmissionHandler, asked: AdmissionRequest, timeout: str
    ) -> AdmissionResponse:
        try:
            async with self._clock.timeout(_seconds(timeout)):
                return await handler(asked)
        except TimeoutError:
            return AdmissionResponse.deny(f"the webhook took longer than {timeout}", code=504, reason="Timeout")
        except Exception as error:
            self._metrics.controller.webhook_panics.inc()
            _log.error("webhook failed", webhook=path, operation=asked.operation, name=asked.name, exc_info=error)
            return AdmissionResponse.deny(
                f"the webhook failed: {type(error).__name__}: its log says more", code=500, reason="InternalError"
            )

    def _conversion(self, path: str) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> JsonObject:
            try:
                return convert_review(await _body(request), self._converters)
            except (_Refused, ValueError) as error:
                told = str(error)
            except Exception as error:
                self._metrics.controller.conversion_panics.inc()
                _log.error("conversion failed", webhook=path, exc_info=error)
                told = f"the conversion failed: {type(error).__name__}: the webhook's log says more"
            response = {"uid": "", "result": {"status": "Failure", "message": told}}
            with suppress(orjson.JSONDecodeError, AttributeError, KeyError, TypeError, web.HTTPRequestEntityTooLarge):
                response["uid"] = orjson.loads(await request.read())["request"]["uid"]
            return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview", "response": response}

        return self._measured(path, handle)

    def _measured(
        self, path: str, handle: Callable[[web.Request], Awaitable[JsonObject]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        in_flight, latency, requests = self._metrics.controller.webhook(path)

        async def serve(request: web.Request) -> web.Response:
            in_flight.inc()
            started = self._clock.monotonic()
            code = 500
            try:
                answer = orjson.dumps(await handle(request))
                code = 200
                return web.Response(body=answer, content_type="application/json")
            finally:
                in_flight.dec()
                latency.observe(self._clock.monotonic() - started)
                requests(code).inc()

        return serve


class _Refused(EsoCoreError):
    """A request that is answered without looking into it."""

    def __init__(self, code: int, reason: str, text: str) -> None:
        super().__init__(text)
        self.code, self.reason, self.text = code, reason, text


async def _body(request: web.Request) -> bytes:
    if request.content_type != "application/json":
        raise _Refused(400, "BadRequest", f"contentType={request.content_type}, expected application/json")
    try:
        body = await request.read()
    except web.HTTPRequestEntityTooLarge:
        body = b""
        too_large = True
    else:
        too_large = len(body) > _BODY_LIMIT
    if too_large:
        raise _Refused(413, "RequestEntityTooLarge", f"the review is larger than {_BODY_LIMIT} bytes")
    if not body:
        raise _Refused(400, "BadRequest", "the request has no body")
    return body


def _seconds(timeout: str) -> float | None:
    """The `?timeout=3s` of the API server; None when there is none that can be read."""
    try:
        seconds = parse_duration(timeout) if timeout else 0.0
    except ValueError:
        return None
    return seconds if seconds > 0 else None
