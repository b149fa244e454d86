"""One request to the server of a webhook, and what its answer means."""

from __future__ import annotations

import base64
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

import aiohttp
from yarl import URL

from eso_core.aio import Clock
from eso_core.client.proxies import proxy_for
from eso_core.meta.errors import ConfigError
from providers.errors import (
    AccessDenied,
    ErrorKind,
    InvalidData,
    InvalidSpec,
    NoSecret,
    NotModified,
    NotSupported,
    ProviderError,
    Throttled,
    Unavailable,
)
from providers.interface import ProviderCalls
from providers.throttling import retry_after

__all__ = ["Credentials", "WebhookHttp"]

PROVIDER: Final = "Webhook"  # metrics label
_CALL: Final = "HTTPRequest"
_MAX_BODY: Final = 32 * 1024 * 1024
_IN_PATH: Final = "/%:@!$&'()*+,;=-._~"
_IN_QUERY: Final = _IN_PATH + "?[]"
_CHALLENGES: Final = ("NTLM", "Negotiate")


@dataclass(frozen=True, slots=True)
class Credentials:
    """For NTLM. repr shows neither."""

    username: str = field(repr=False)
    password: str = field(repr=False)


class WebhookHttp:
    """Connections to the servers of one store.

    Args:
        clock: Time.
        calls: Counts requests.
        tls: Own CA; None means the system's roots.
        timeout: Seconds for one request.
        credentials: For servers that challenge with NTLM.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        calls: ProviderCalls,
        tls: ssl.SSLContext | None,
        timeout: float,
        credentials: Credentials | None = None,
    ) -> None:
        self._clock = clock
        self._calls = calls
        self._tls = tls
        self._timeout = timeout
        self._credentials = credentials
        self._session: aiohttp.ClientSession | None = None

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: str = "", counted: bool = True
    ) -> bytes:
        """The body of the answer.

        Args:
            method: HTTP method.
            url: Complete URL, escaped.
            headers: Added to the request.
            body: Sent as it is.
            counted: Whether it is a request for the metrics.

        Raises:
            NoSecret: 404.
            NotModified: 304.
            Throttled: 429.
            Unavailable: No answer, or 5xx.
            AccessDenied: 401 or 403.
            ProviderError: Any other status.
        """
        parsed = _parsed(url)
        for name, value in headers.items():
            if any(char in value or char in name for char in "\r\n\0"):
                raise InvalidSpec(
                    f'spec.provider.webhook.headers["{name}"]: its value contains a line break: remove it'
                )
        try:
            status, reason, answer, answered = await self._exchange(method, parsed, headers, body)
        except ProviderError as exc:
            if counted:
                self._calls.observe(PROVIDER, _CALL, exc)
            raise
        if counted:
            self._calls.observe(PROVIDER, _CALL, None)
        if 200 <= status < 300:
            return answer
        raise self._judged(method, status, reason, retry_after(answered, self._clock.now()))

    def _judged(self, method: str, status: int, reason: str, asked: float) -> ProviderError:
        where = "delete endpoint" if method == "DELETE" else "endpoint"
        text = f"{where} gave error {status} {reason}".rstrip()
        match status:
            case 404:
                return NoSecret()
            case 304:
                return NotModified()
            case 429:
                return Throttled(text, retry_after=asked)
            case 401 | 403:
                return AccessDenied(f"{text}: check the headers and credentials of the store")
            case _ if status >= 500:
                return Unavailable(text)
            case _:
                return ProviderError(text, kind=ErrorKind.DATA)

    async def aclose(self) -> None:
        """Closes the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    # -- inside ------------------------------------------------------------------------------------------------------

    async def _exchange(
        self, method: str, url: URL, headers: Mapping[str, str], body: str
    ) -> tuple[int, str, bytes, Mapping[str, str]]:
        where = f"failed to call endpoint: {url.host}"
        try:
            async with self._clock.timeout(self._timeout):
                if self._credentials is not None:
                    return await self._with_ntlm(method, url, headers, body, self._credentials)
                return await self._once(self._open_session(), method, url, headers, body)
        except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError) as exc:
            raise ProviderError(
                f"{where}: the TLS handshake failed: check that caBundle or caProvider holds the CA that signed the "
                "server's certificate, and that the server's name is in it",
                kind=ErrorKind.SPEC,
            ) from exc
        except TimeoutError as exc:
            raise Unavailable(f"{where}: no answer within {self._timeout:g} s") from exc
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as exc:
            raise InvalidSpec(f"{where}: redirected to an address that cannot be followed") from exc
        except (aiohttp.ClientError, OSError) as exc:
            # The text of aiohttp's errors may hold the whole URL, where a template may have put a secret.
            raise Unavailable(f"{where}: {type(exc).__name__}: {_reason(exc)}") from exc

    async def _once(
        self, session: aiohttp.ClientSession, method: str, url: URL, headers: Mapping[str, str], body: str
    ) -> tuple[int, str, bytes, Mapping[str, str]]:
        async with session.request(
            method,
            url,
            headers=headers,
            data=body.encode("utf-8", "surrogateescape") or None,
            proxy=_proxy(url),
            skip_auto_headers=("Content-Type",),
        ) as response:
            raw = await response.content.read(_MAX_BODY + 1)
            while len(raw) <= _MAX_BODY and (more := await response.content.read(_MAX_BODY + 1 - len(raw))):
                raw += more
            if len(raw) > _MAX_BODY:
                raise InvalidData(f"reading the response of {url.host}: it is larger than 32 MiB")
            return response.status, response.reason or "", raw, response.headers

    async def _with_ntlm(
        self, method: str, url: URL, headers: Mapping[str, str], body: str, credentials: Credentials
    ) -> tuple[int, str, bytes, Mapping[str, str]]:
        """The handshake binds the connection, so the whole of it goes over one that nobody else uses."""
        plain = {name: value for name, value in headers.items() if name.lower() != "authorization"}
        async with self._new_session(connections=1) as session:
            # Nothing is shown to a server that does not ask for it.
            answer = await self._once(session, method, url, plain, body)
            offered = _offered(answer[3]) if answer[0] == 401 else frozenset()
            scheme = next((scheme for scheme in _CHALLENGES if scheme.lower() in offered), "")
            if not scheme:
                if "basic" not in offered:
                    return answer
                return await self._once(session, method, url, {**plain, "Authorization": _basic(credentials)}, body)
            context = _ntlm_context(credentials, url.host or "", scheme)
            token = context.step()
            for _ in range(3):
                authorization = f"{scheme} {base64.b64encode(token or b'').decode()}"
                answer = await self._once(session, method, url, {**plain, "Authorization": authorization}, body)
                asked = _token(answer[3], scheme) if answer[0] == 401 else None
                if asked is None or context.complete:
                    return answer
                try:
                    token = context.step(asked)
                except Exception as exc:
                    raise AccessDenied(f"NTLM login at {url.host}: the server's challenge cannot be answered") from exc
            return answer

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = self._new_session()
        return self._session

    def _new_session(self, *, connections: int = 100) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=connections, ssl=self._tls if self._tls is not None else True)
        return aiohttp.ClientSession(
            connector=connector, timeout=aiohttp.ClientTimeout(total=None), cookie_jar=aiohttp.DummyCookieJar()
        )

    def __repr__(self) -> str:
        return f"WebhookHttp(timeout={self._timeout:g})"


def _parsed(url: str) -> URL:
    """The URL as the template wrote it: `%2F` stays `%2F`, and only what cannot be in a request line is escaped.

    yarl by itself decodes what need not be escaped, and drops the segments `.` and `..`; servers that compare or sign paths
    would see another request than the original makes.
    """
    if any(char < " " or char == "\x7f" for char in url):
        raise InvalidSpec("failed to call endpoint: spec.provider.webhook.url: it contains a line break: remove it")
    address, _, _ = url.partition("#")
    before, mark, query = address.partition("?")
    scheme, colons, rest = before.partition("://")
    authority, slash, path = rest.partition("/")
    try:
        parsed: URL | None = URL(f"{scheme}{colons}{authority}/")
        if parsed is not None:
            written = quote(slash + path, safe=_IN_PATH, errors="surrogateescape") or "/"
            query = quote(query, safe=_IN_QUERY, errors="surrogateescape")
            raw = f"{parsed.scheme}://{parsed.raw_authority}{written}{mark}{query}"
            parsed = URL(raw, encoded=True)
    except ValueError:
        parsed = None
    if parsed is None or parsed.scheme not in ("http", "https") or not parsed.host:
        raise InvalidSpec("failed to call endpoint: spec.provider.webhook.url does not give an http or https URL")
    return parsed


def _proxy(url: URL) -> str | None:
    try:
        return proxy_for(str(url.origin()), "", os.environ) or None
    except ConfigError as exc:
        raise InvalidSpec(f"failed to call endpoint: {exc}") from exc


def _basic(credentials: Credentials) -> str:
    pair = f"{credentials.username}:{credentials.password}".encode()
    return f"Basic {base64.b64encode(pair).decode()}"


def _offered(headers: Mapping[str, str]) -> frozenset[str]:
    return frozenset(word.strip().split(" ")[0].lower() for word in _authenticate(headers))


def _token(headers: Mapping[str, str], scheme: str) -> bytes | None:
    for word in _authenticate(headers):
        name, _, token = word.strip().partition(" ")
        if name.lower() == scheme.lower() and token:
            try:
                return base64.b64decode(token)
            except ValueError:
                return None
    return None


def _authenticate(headers: Any) -> list[str]:
    found: list[str] = []
    for value in headers.getall("WWW-Authenticate", ()):
        found += value.split(",")
    return found


def _ntlm_context(credentials: Credentials, host: str, scheme: str) -> Any:
    try:
        import spnego
    except ImportError as exc:
        raise NotSupported(
            "spec.provider.webhook.auth.ntlm: this operator was installed without NTLM: install it with the extra webhook"
        ) from exc
    protocol = "ntlm" if scheme == "NTLM" else "negotiate"
    return spnego.client(credentials.username, credentials.password, hostname=host, service="HTTP", protocol=protocol)


def _reason(exc: BaseException) -> str:
    """The system's words for what went wrong, which hold no URL."""
    cause: BaseException | None = exc
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or getattr(cause, "os_error", None)
    return "the connection failed"
