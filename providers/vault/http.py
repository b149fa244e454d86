"""Requests to the HTTP API of Vault or OpenBao: retries, replication state, and failures in one clear line."""

from __future__ import annotations

import asyncio
import base64
import binascii
import os
import random
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

import aiohttp
from msgspec import Struct
from yarl import URL

from eso_core.aio import Clock
from eso_core.client.proxies import proxy_for
from eso_core.meta.errors import ConfigError
from providers.errors import AccessDenied, ErrorKind, InvalidData, InvalidSpec, ProviderError, Throttled, Unavailable
from providers.gojson import JsonValue, decode, encode
from providers.interface import ProviderCalls
from providers.throttling import retry_after
from providers.vault.paths import api_path

__all__ = ["Answer", "ReplicationState", "RetryPolicy", "VaultHttp", "VaultRefused"]

PROVIDER = "HashiCorp/Vault"  # metrics label
_INLINE_BYTES = 256 * 1024  # a few milliseconds of decoding
_KEYS = {"Vault": "vault", "OpenBao": "openBao"}  # below spec.provider
_MAX_BODY = 32 * 1024 * 1024  # Vault refuses requests above the same size
_REDIRECTS = (301, 302, 307, 308)


class VaultRefused(AccessDenied):
    """HTTP 403: the token is not valid, or its policies do not allow the request."""


class RetryPolicy(Struct, frozen=True):
    """How often and after how long a request that may succeed later is sent again."""

    retries: int = 2
    interval: float | None = None  # seconds; None means 1 to 1.5, spread so that clients do not return together

    def wait(self, rng: random.Random) -> float:
        return rng.uniform(1.0, 1.5) if self.interval is None else self.interval


@dataclass(frozen=True, slots=True)
class Answer:
    """A decoded response; numbers keep their digits. repr shows no content."""

    body: dict[str, JsonValue] = field(repr=False)

    @property
    def warning(self) -> str:
        """What the server warns of, in one line; empty when it does not."""
        return _one_line(self.body.get("warnings"))

    def mapping(self, name: str) -> dict[str, JsonValue] | None:
        """A member that is an object, or None."""
        value = self.body.get(name)
        return value if isinstance(value, dict) else None


class ReplicationState:
    """The newest replication states seen, so that later reads see earlier writes on any node of the cluster."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, int, str]] = {}

    def record(self, header: str) -> None:
        """Takes in an ``X-Vault-Index`` response header; one that cannot be read is ignored."""
        try:
            parts = base64.b64decode(header, validate=True).decode().split(":")
            cluster, local, replicated = parts[1], int(parts[2]), int(parts[3])
        except (binascii.Error, UnicodeDecodeError, IndexError, ValueError):
            return
        known = self._seen.get(cluster)
        if known is None or (local >= known[0] and replicated >= known[1]):
            self._seen[cluster] = (local, replicated, header)

    def headers(self) -> list[tuple[str, str]]:
        return [("X-Vault-Index", header) for _, _, header in self._seen.values()]


class VaultHttp:
    """One connection pool to one server.

    Args:
        server: Base URL; a path in it is kept in front of ``/v1``. Messages show it without user and password.
        namespace: Sent with every request that does not bring its own.
        headers: Sent with every request; names are case-insensitive, and what Vault needs wins.
        tls: For ``https`` servers; None means the system's roots.
        retry: When to try again.
        state: Replication states, when the store wants them tracked.
        forward_inconsistent: Ask standby nodes that lag behind to forward the request.
        timeout: Seconds for one try.
        product: What messages call the server.
    """

    def __init__(
        self,
        server: str,
        *,
        clock: Clock,
        calls: ProviderCalls,
        namespace: str = "",
        headers: Mapping[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        retry: RetryPolicy | None = None,
        state: ReplicationState | None = None,
        forward_inconsistent: bool = False,
        timeout: float = 60.0,
        product: str = "Vault",
    ) -> None:
        parts = urlsplit(server)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InvalidSpec(
                f'spec.provider.{_KEYS.get(product, "vault")}.server: "{_shown(server)}" is not an http or https URL'
            )
        self.product = product
        self._base = server.rstrip("/")
        self.server = _shown(self._base)
        self.namespace = namespace
        self._headers = dict(headers or {})
        self._clock = clock
        self._calls = calls
        self._tls = tls
        self._retry = retry if retry is not None else RetryPolicy()
        self._state = state
        self._forward = forward_inconsistent
        self._timeout = timeout
        self._rng = random.Random()
        # aiohttp's own trust_env would look for a netrc file at each request, and send what it finds there.
        try:
            self._proxy = proxy_for(server, "", os.environ) or None
        except ConfigError as exc:
            raise InvalidSpec(f"reaching {self.product} at {self.server}: {exc}") from exc
        self._session: aiohttp.ClientSession | None = None

    async def request(
        self,
        method: str,
        path: str,
        *,
        call: str,
        token: str = "",
        namespace: str | None = None,
        query: Mapping[str, str | list[str]] | None = None,
        body: dict[str, JsonValue] | None = None,
    ) -> Answer | None:
        """One request, with retries. None means that there is nothing (404, or an empty answer).

        Args:
            method: ``GET``, ``PUT``, ``DELETE``.
            path: Below ``/v1/``, not encoded.
            call: The name under which it is counted.
            token: Empty sends none.
            namespace: Instead of the client's own.
            query: Query parameters.
            body: Sent as JSON.

        Raises:
            VaultRefused: 403.
            Unavailable: No answer, or one that says "later".
            ProviderError: Any other failure.
        """
        url = f"{self._base}/v1/{api_path(path)}"
        if query:
            url += "?" + urlencode(query, doseq=True)
        headers = self._request_headers(token, self.namespace if namespace is None else namespace)
        payload = None if body is None else encode(body, html=False).encode()
        try:
            answer = await self._try(method, url, headers, payload)
        except ProviderError as exc:
            self._calls.observe(PROVIDER, call, exc)
            raise
        self._calls.observe(PROVIDER, call, None)
        return answer

    async def _try(self, method: str, url: str, headers: list[tuple[str, str]], payload: bytes | None) -> Answer | None:
        for _ in range(self._retry.retries):
            try:
                return await self._send(method, url, headers, payload)
            except Unavailable as exc:
                if isinstance(exc, Throttled) and exc.retry_after > 0:
                    raise  # whoever waits holds no worker
                await self._clock.sleep(self._retry.wait(self._rng))
        return await self._send(method, url, headers, payload)

    async def aclose(self) -> None:
        """Closes the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _request_headers(self, token: str, namespace: str) -> list[tuple[str, str]]:
        ours = {"X-Vault-Request": "true"}
        if token:
            ours["X-Vault-Token"] = token
        if namespace:
            ours["X-Vault-Namespace"] = namespace
        if self._forward:
            ours["X-Vault-Inconsistent"] = "forward-active-node"
        taken = {name.lower() for name in ours}
        headers = [(name, value) for name, value in self._headers.items() if name.lower() not in taken]
        headers += ours.items()
        if self._state is not None:
            headers += self._state.headers()
        for name, value in headers:
            if any(char in value or char in name for char in "\r\n\0"):
                # The value may be a token, so only the header's name is told.
                raise InvalidSpec(
                    f"sending header {name!r} to {self.product}: its value contains a line break: remove it"
                )
        return headers

    async def _send(
        self, method: str, url: str, headers: list[tuple[str, str]], payload: bytes | None
    ) -> Answer | None:
        for _ in range(2):
            status, raw, response_headers = await self._exchange(method, url, headers, payload)
            if status not in _REDIRECTS:
                break
            url = self._redirected(url, response_headers.get("Location", ""))
        if self._state is not None:
            for header in response_headers.getall("X-Vault-Index", ()):
                self._state.record(header)
        asked = retry_after(response_headers, self._clock.now())
        if len(raw) <= _INLINE_BYTES:
            return self._judge(method, url, status, raw, asked)
        # What a store's server sends takes nobody else's time: decoding 20 MiB is ten seconds of work.
        return await asyncio.to_thread(self._judge, method, url, status, raw, asked)

    async def _exchange(
        self, method: str, url: str, headers: list[tuple[str, str]], payload: bytes | None
    ) -> tuple[int, bytes, Any]:
        session = self._open_session()
        sent = [*headers, ("Content-Type", "application/json")] if payload is not None else headers
        try:
            async with self._clock.timeout(self._timeout):
                async with session.request(
                    method, URL(url, encoded=True), headers=sent, data=payload, allow_redirects=False, proxy=self._proxy
                ) as response:
                    raw = await response.content.read(_MAX_BODY + 1)
                    while len(raw) <= _MAX_BODY and (more := await response.content.read(_MAX_BODY + 1 - len(raw))):
                        raw += more
                    if len(raw) > _MAX_BODY:
                        raise InvalidData(
                            f"reading from {self.product}: {method} {_shown(url)}: the answer is larger than 32 MiB"
                        )
                    return response.status, raw, response.headers
        except aiohttp.ClientConnectorCertificateError as exc:
            raise self._untrusted(exc.certificate_error) from exc
        except aiohttp.ClientConnectorSSLError as exc:
            raise self._untrusted(exc) from exc
        except TimeoutError as exc:
            raise Unavailable(
                f"reaching {self.product} at {self.server}: no answer within {self._timeout:g} s: "
                "check the address, network policies and the server's load"
            ) from exc
        except (aiohttp.ClientError, OSError) as exc:
            raise Unavailable(
                f"reaching {self.product} at {self.server}: {_reason(exc)}: "
                f"check spec.provider.{_KEYS.get(self.product, 'vault')}.server and that the server is running"
            ) from exc

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(ssl=self._tls if self._tls is not None else True, limit=32)
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(total=None),  # the clock's timeout is the one that counts
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    def _redirected(self, url: str, location: str) -> str:
        """Standby nodes send clients to the active one; the token goes along, so never to an unencrypted address."""
        target = str(URL(url, encoded=True).join(URL(location, encoded=True))) if location else ""
        if not target or (url.startswith("https:") and not target.startswith("https:")):
            raise ProviderError(
                f"reaching {self.product} at {self.server}: redirected to an address that cannot be followed: "
                "check api_addr of the nodes",
                kind=ErrorKind.SPEC,
            )
        return target

    def _untrusted(self, exc: Exception) -> ProviderError:
        return ProviderError(
            f"connecting to {self.product} at {self.server}: the TLS handshake failed ({_reason(exc)}): check that caBundle or "
            "caProvider holds the CA that signed the server's certificate, that the server's name is in it, and that "
            "the server speaks TLS",
            kind=ErrorKind.SPEC,
        )

    def _no_such_route(self, where: str, answer: Answer | None) -> ProviderError:
        """A 404 that does not say "this secret is not there": with deletionPolicy Delete it must not cost anybody's Secret."""
        if answer is None or "errors" not in answer.body:
            return Unavailable(
                f"{where}: 404, and not by {self.product}: check the address, and what stands in front of the server"
            )
        reason = _one_line(answer.body["errors"]).rstrip(".") or "not found"
        return ProviderError(
            f"{where}: 404: {reason}: check the mount (path) and the namespace that the store names, and that they are there",
            kind=ErrorKind.SPEC,
        )

    def _judge(self, method: str, url: str, status: int, raw: bytes, asked: float) -> Answer | None:
        where = f"{method} {_shown(url)}"
        if 200 <= status < 300:
            return _answer(raw, where) if raw.strip() or method == "GET" else None
        if status == 404:
            # A deleted version, or a folder with warnings, answers 404 with content.
            answer = _answer_or_none(raw)
            if answer is not None and (answer.body.get("data") or answer.body.get("warnings")):
                return answer
            if answer is not None and "errors" in answer.body and not answer.body["errors"]:
                return None
            raise self._no_such_route(where, answer)
        reason = _errors(raw) or f"HTTP {status}"
        text = f"{where}: {status}: {reason}"
        match status:
            case 403:
                raise VaultRefused(f"{text}: check that the token is valid and that its policies allow this")
            case 503 if "sealed" in reason.lower():
                raise Unavailable(f"{text}: unseal the {self.product} at {self.server}")
            case 429:
                raise Throttled(text, retry_after=asked)
            case 412:
                raise Unavailable(text)
            case _ if status >= 500 and status != 501:
                raise Unavailable(text)
            case _:
                raise ProviderError(text, kind=ErrorKind.DATA)


def _shown(url: str) -> str:
    """A URL for messages: without query, and without a user and password in front of the host."""
    if "://" not in url:
        return url
    scheme, _, rest = url.partition("?")[0].partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


def _answer(raw: bytes, where: str) -> Answer:
    answer = _answer_or_none(raw)
    if answer is None:
        raise InvalidData(f"{where}: the answer is not a JSON object: check that the server of the store is a Vault")
    return answer


def _answer_or_none(raw: bytes) -> Answer | None:
    try:
        body = decode(raw)
    except ValueError:
        return None
    return Answer(body) if isinstance(body, dict) else None


def _errors(raw: bytes) -> str:
    """What the server said went wrong."""
    answer = _answer_or_none(raw)
    return "" if answer is None else _one_line(answer.body.get("errors"))


def _one_line(messages: JsonValue) -> str:
    """A list of messages in one line of bounded length."""
    if not isinstance(messages, list):
        return ""
    text = "; ".join(" ".join(str(message).split()) for message in messages if message)
    return text if len(text) <= 300 else text[:300] + "..."


def _reason(exc: BaseException) -> str:
    """The innermost cause: what the operating system or OpenSSL said."""
    inner: BaseException = exc
    if isinstance(exc, aiohttp.ClientConnectorError):
        inner = exc.os_error
    if isinstance(inner, ssl.SSLCertVerificationError):
        return f"certificate verify failed: {inner.verify_message}"
    if isinstance(inner, ssl.SSLError) and inner.reason:
        return inner.reason.replace("_", " ").lower()
    if isinstance(inner, OSError) and inner.strerror:
        text = inner.strerror
        return text.partition("[")[0].strip() or text
    return str(inner) or type(inner).__name__
