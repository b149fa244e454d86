"""Requests over HTTP: connections, credentials, limits, retries, metrics; the only code that talks to the network.

Requests and watches use two pools. A watch holds its connection for minutes, so a hundred of them in the pool of the
requests would leave none for a GET.

One request is a loop of attempts under one deadline. An attempt is repeated

* once after a 401, with refreshed credentials;
* when the server answers 429 or 5xx and says when to come back (``Retry-After``);
* when a GET lost its connection, or when anything failed before it was sent.
"""

from __future__ import annotations

import asyncio
import io
import logging
import os
import random
import socket
import ssl
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import aiohttp
from msgspec import Struct
from multidict import CIMultiDict
from yarl import URL

from eso_core.aio import Clock
from eso_core.client.config import ClientConfig
from eso_core.client.credentials import Credential, rejection
from eso_core.client.failures import translate
from eso_core.client.limiter import TokenBucket
from eso_core.client.proxies import proxy_for
from eso_core.client.request import ApiRequest, ApiResponse, after_tries
from eso_core.client.server_warnings import WarningHandler, WarningLog, parse_warning
from eso_core.client.sessions import Sessions
from eso_core.client.tls import CertificatePair, TlsContexts
from eso_core.meta.errors import (
    ApiError,
    ConfigError,
    ConnectError,
    ConnectionLost,
    ProxyError,
    ReadTimeout,
    TlsError,
    TransportError,
)

if TYPE_CHECKING:
    from eso_core.metrics.rest import RestMetrics
    from eso_core.tracing import Attribute, Tracer

__all__ = ["RetryPolicy", "Transport"]

_log = logging.getLogger("eso_core.client")

_KEEPALIVE_SECONDS = 45.0  # below the 90 s after which an API server drops idle connections
_LARGE_BODY = 2**20  # aiohttp warns about sending more than this in one piece
_LOST = (aiohttp.ClientError, TimeoutError, OSError, asyncio.IncompleteReadError)


class RetryPolicy(Struct, frozen=True):
    """How often and how fast a request is repeated.

    Attributes:
        attempts: Tries in all, >= 1.
        lost_delay: Seconds between tries after a lost or refused connection.
    """

    attempts: int = 10
    lost_delay: float = 1.0

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError(f"attempts must be at least 1, not {self.attempts}")
        if self.lost_delay < 0:
            raise ValueError(f"lost_delay must not be negative, not {self.lost_delay}")


class Transport:
    """The connections to one server. Opened on first use, closed by ``aclose``."""

    def __init__(
        self,
        config: ClientConfig,
        *,
        clock: Clock,
        user_agent: str,
        metrics: RestMetrics | None = None,
        on_warning: WarningHandler | None = None,
        retry: RetryPolicy | None = None,
        environ: Mapping[str, str] | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        self.config = config
        self.clock = clock
        self._tracer = tracer
        self.host = urlsplit(config.server).netloc
        self._metrics = metrics
        self._on_warning: WarningHandler = on_warning if on_warning is not None else WarningLog()
        self._retry = retry if retry is not None else RetryPolicy()
        self._limiter = TokenBucket(config.rate_limit, clock) if config.rate_limit is not None else None
        self._proxy = proxy_for(config.server, config.proxy_url, os.environ if environ is None else environ) or None
        self._tls: TlsContexts | None = None
        if config.server.startswith("https://"):
            self._tls = TlsContexts(ca=config.ca, insecure=config.insecure_skip_tls_verify, clock=clock)
            if config.insecure_skip_tls_verify:
                _log.warning("the certificate of %s is not verified (insecure-skip-tls-verify)", self.host)
        self._own_pair: CertificatePair | None = None
        if config.client_cert is not None and config.client_key is not None:
            self._own_pair = CertificatePair(config.client_cert, config.client_key)
        self._base_headers = CIMultiDict([("User-Agent", user_agent), *_impersonation_headers(config)])
        self._requests = Sessions(lambda: self._new_session(config.max_connections))
        self._watches = Sessions(lambda: self._new_session(0))
        self._closed = False

    async def send(self, request: ApiRequest) -> ApiResponse:
        """Sends a request and reads the whole answer.

        Raises:
            ApiError: The server answered with a failure.
            TransportError: There was no answer.
            ConfigError: The credentials or certificates cannot be had.
        """
        if self._tracer is not None:
            about: dict[str, Attribute] = {
                "http.request.method": request.method,
                "url.path": request.path,
                "server.address": self.host,
            }
            with self._tracer.span(f"{request.method} {request.kind or request.path}", about) as span:
                carried = {**(request.headers or {}), **self._tracer.headers()}
                response = await self._send(replace(request, headers=carried))
                span.set("http.response.status_code", response.status)
                return response
        return await self._send(request)

    async def _send(self, request: ApiRequest) -> ApiResponse:
        limit = self.config.request_timeout if request.timeout is None else request.timeout
        deadline = self.clock.monotonic() + limit if limit else float("inf")
        progress = _Progress()
        try:
            async with self.clock.timeout(limit or None):
                return await self._attempts(request, deadline, progress)
        except TimeoutError as exc:
            text = after_tries(progress.tries, limit, progress.last)
            raise ReadTimeout(f"{request.method} {request.path}: {self.config.server}: {text}") from exc

    async def _attempts(self, request: ApiRequest, deadline: float, progress: _Progress) -> ApiResponse:
        renewed = False
        while True:
            progress.tries += 1
            credential = await self.config.credentials.get(self.clock)
            try:
                response = await self._attempt(request, credential)
            except TransportError as exc:
                progress.last = exc
                delay = self._delay_after_loss(request, exc, progress.tries)
                if delay is None:
                    if progress.tries > 1:
                        exc.args = (f"{exc} ({progress.tries} tries)",)
                    raise
                code: int | str = "<error>"
            else:
                code = response.status
                if code < 300 or code in request.passed:
                    return response
                error = ApiError.from_response(request.method, request.path, code, response.body, response.headers)
                progress.last = error
                if code == 401 and not renewed:
                    renewed = True
                    if await self.config.credentials.refresh(self.clock, credential):
                        self._count_retry(code, request)
                        continue
                delay = self._delay_after_answer(request, error, response.headers, progress.tries, deadline)
                if delay is None:
                    raise self._explained(error, credential)
            self._count_retry(code, request)
            await self.clock.sleep(delay)

    async def _attempt(self, request: ApiRequest, credential: Credential) -> ApiResponse:
        started = self.clock.monotonic()
        code: int | str = "<error>"
        received = 0
        try:
            with self._requests.use() as session:
                response = await self._open(session.http, request, credential)
                try:
                    body = await response.read()
                except BaseException:
                    response.close()
                    raise
            self._requests.connected()
            code = response.status
            received = len(body)
            return ApiResponse(response.status, response.headers, body)
        except _LOST as exc:
            lost = translate(exc, request.method, request.path, self.config.server)
            if isinstance(lost, ConnectError):
                await self._requests.failed()
            raise lost from exc
        finally:
            self._observe(request, code, started, received)

    async def open_stream(self, request: ApiRequest) -> aiohttp.ClientResponse:
        """Opens a response whose body is read as it comes; the caller closes it.

        There is one attempt, besides the replay after a 401: who watches knows better how to go on.

        Raises:
            ApiError: The server answered with a failure.
            TransportError: There was no answer.
            ConfigError: The credentials or certificates cannot be had.
        """
        limit = self.config.request_timeout if request.timeout is None else request.timeout
        renewed = False
        try:
            async with self.clock.timeout(limit or None):
                while True:
                    credential = await self.config.credentials.get(self.clock)
                    started = self.clock.monotonic()
                    code: int | str = "<error>"
                    try:
                        with self._watches.use() as session:
                            response = await self._open(session.http, request, credential)
                            session.streams.add(response)
                        self._watches.connected()
                        code = response.status
                        if code == 200:
                            return response
                        try:
                            body = await response.read()
                        finally:
                            response.close()
                    except _LOST as exc:
                        lost = translate(exc, request.method, request.path, self.config.server)
                        if isinstance(lost, ConnectError):
                            await self._watches.failed()
                        raise lost from exc
                    finally:
                        self._observe(request, code, started, 0)
                    if code == 401 and not renewed:
                        renewed = True
                        if await self.config.credentials.refresh(self.clock, credential):
                            self._count_retry(code, request)
                            continue
                    error = ApiError.from_response(request.method, request.path, code, body, response.headers)
                    raise self._explained(error, credential)
        except TimeoutError as exc:
            text = after_tries(1, limit, None)
            raise ReadTimeout(f"{request.method} {request.path}: {self.config.server}: {text}") from exc

    async def _open(
        self, session: aiohttp.ClientSession, request: ApiRequest, credential: Credential
    ) -> aiohttp.ClientResponse:
        if self._limiter is not None:
            waited = await self._limiter.acquire()
            if self._metrics is not None:
                self._metrics.waited(request.method, self.host, waited)
        headers = self._base_headers.copy()
        headers["Accept"] = request.accept
        headers.update(credential.headers)
        data: Any = None
        if request.body is not None:
            headers["Content-Type"] = request.content_type
            data = request.body if len(request.body) <= _LARGE_BODY else io.BytesIO(request.body)
        if request.gzip:
            headers["Accept-Encoding"] = "gzip"
        if request.headers:
            headers.update(request.headers)
        url = self.config.server + request.path
        if request.query:
            url = f"{url}?{request.query}"
        context: ssl.SSLContext | bool = True
        if self._tls is not None:
            context = await self._tls.get(credential.certificate or self._own_pair)
        if request.check is not None:
            request.check()
        response = await session.request(
            request.method,
            URL(url, encoded=True),
            data=data,
            headers=headers,
            allow_redirects=False,
            ssl=context,
            server_hostname=self.config.tls_server_name or None,
            proxy=self._proxy,
        )
        if "Warning" in response.headers:
            for value in response.headers.getall("Warning"):
                text = parse_warning(value)
                if text is not None:
                    self._on_warning(text, request.kind)
        return response

    def _explained(self, error: ApiError, credential: Credential) -> ApiError:
        """The error, with what to do when the server does not know who asks."""
        if error.code == 401:
            used = credential
            if used.certificate is None and self._own_pair is not None:
                used = Credential(credential.headers, self._own_pair)
            error.args = (f"{error}: {rejection(used, self.config.source, self.clock.now())}",)
        return error

    def _delay_after_loss(self, request: ApiRequest, exc: TransportError, tries: int) -> float | None:
        """Seconds until the next try; ``None`` when the error is final."""
        if not request.retry or tries >= self._retry.attempts or isinstance(exc, TlsError | ProxyError):
            return None
        unsent = isinstance(exc, ConnectError) and not exc.sent
        if unsent or (request.method == "GET" and isinstance(exc, ConnectionLost)):
            return self._retry.lost_delay
        return None

    def _delay_after_answer(
        self, request: ApiRequest, error: ApiError, headers: Mapping[str, str], tries: int, deadline: float
    ) -> float | None:
        if not request.retry or tries >= self._retry.attempts or "Retry-After" not in headers:
            return None
        if error.code != 429 and error.code < 500:
            return None
        asked = error.retry_after if error.retry_after is not None else 1.0
        # The server's wish is a lower bound; the jitter keeps clients that were rejected together from coming back together.
        delay = max(asked, min(30.0, 0.1 * 2.0**tries) * (0.5 + random.random() / 2))
        return None if self.clock.monotonic() + delay > deadline else delay

    def _observe(self, request: ApiRequest, code: int | str, started: float, received: int) -> None:
        seconds = self.clock.monotonic() - started
        if self._metrics is not None:
            sent = len(request.body) if request.body is not None else 0
            self._metrics.observe(code, request.method, self.host, seconds, sent, received)
        if _log.isEnabledFor(logging.DEBUG):
            _log.debug("%s %s: %s in %.1f ms", request.method, request.path, code, seconds * 1000)

    def _count_retry(self, code: int | str, request: ApiRequest) -> None:
        if self._metrics is not None:
            self._metrics.retried(code, request.method, self.host)

    def _new_session(self, limit: int) -> aiohttp.ClientSession:
        if self._closed:
            raise ConfigError(f"talking to {self.host}: the client is closed: make a new one")
        connector = aiohttp.TCPConnector(
            limit=limit,
            # Names are resolved for each new connection: a cached address would outlive a failover.
            use_dns_cache=False,
            keepalive_timeout=_KEEPALIVE_SECONDS,
            socket_factory=_keepalive_socket,
        )
        session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self.config.connect_timeout),
            skip_auto_headers=("Accept-Encoding", "Accept", "Content-Type", "User-Agent"),
            auto_decompress=True,
        )
        # aiohttp repeats PUT and DELETE on its own when a pooled connection broke; whether to repeat is decided above.
        session._retry_connection = False
        return session

    async def aclose(self) -> None:
        """Closes the connections; open streams end with an error."""
        self._closed = True
        await self._requests.aclose()
        await self._watches.aclose()


class _Progress:
    """What a request has been through, kept for the message when time runs out."""

    __slots__ = ("last", "tries")

    def __init__(self) -> None:
        self.tries = 0
        self.last: Exception | None = None


def _impersonation_headers(config: ClientConfig) -> list[tuple[str, str]]:
    who = config.impersonate
    if who is None:
        return []
    headers = [("Impersonate-User", who.user)]
    headers += [("Impersonate-Group", group) for group in who.groups]
    if who.uid:
        headers.append(("Impersonate-Uid", who.uid))
    for key, values in who.extra:
        headers += [(f"Impersonate-Extra-{quote(key, safe='')}", value) for value in values]
    return headers


def _keepalive_socket(address: tuple[Any, ...]) -> socket.socket:
    """A socket that finds a dead peer within a minute and a half of silence (30 s + 3 probes of 15 s)."""
    family, kind, protocol = address[:3]
    sock = socket.socket(family=family, type=kind, proto=protocol)
    options: list[tuple[int, int, int]] = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    if sys.platform == "linux":
        options += [
            (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30),
            (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15),
            (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
        ]
    for option in options:
        sock.setsockopt(*option)
    return sock
