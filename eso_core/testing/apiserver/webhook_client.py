"""Calls of webhooks over HTTPS: addresses, trust, limits."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import orjson

JsonObject = dict[str, Any]

_MAX_ANSWER: Final = 64 * 1024 * 1024


class CallFailed(Exception):
    """A webhook could not be asked, or its answer makes no sense."""


class WebhookClient:
    """Posts reviews. ``services`` maps ``namespace/name`` of a Service to the ``host:port`` it stands for.

    Must be used inside a task, as its limits are timeouts of tasks.
    """

    def __init__(self, services: Mapping[str, str]) -> None:
        self._services = dict(services)
        self._session: aiohttp.ClientSession | None = None
        self._contexts: dict[str, ssl.SSLContext] = {}

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def post(self, config: JsonObject, review: JsonObject, seconds: int, agent: str) -> JsonObject:
        """Send a review to the ``clientConfig`` given; the decoded answer. Raises `CallFailed`."""
        url = self._url(config, seconds)
        headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": agent}
        shown = f'failed to call webhook: Post "{url}"'
        try:
            context = self._context(config)
            timeout = aiohttp.ClientTimeout(total=seconds)
            if self._session is None:
                self._session = aiohttp.ClientSession()
            body = orjson.dumps(review)
            async with self._session.post(url, data=body, headers=headers, ssl=context, timeout=timeout) as answer:
                text = await answer.content.read(_MAX_ANSWER)
                if answer.status != 200:
                    raise CallFailed(f"{shown}: the server answered {answer.status}")
                decoded = orjson.loads(text)
        except TimeoutError as error:
            raise CallFailed(f"{shown}: context deadline exceeded") from error
        except (aiohttp.ClientError, OSError) as error:
            raise CallFailed(f"{shown}: {error}") from error
        except ValueError as error:
            raise CallFailed(f"{shown}: the answer is no JSON: {error}") from error
        if not isinstance(decoded, dict):
            raise CallFailed(f"{shown}: the answer is no object")
        return decoded

    def _url(self, config: JsonObject, seconds: int) -> str:
        service = config.get("service")
        if service:
            name, namespace, path = (service.get(key) or "" for key in ("name", "namespace", "path"))
            address = self._services.get(f"{namespace}/{name}")
            if address is None:
                url = f"https://{name}.{namespace}.svc:{service.get('port', 443)}{path}?timeout={seconds}s"
                raise CallFailed(f'failed to call webhook: Post "{url}": service "{name}" not found')
            return f"https://{address}{path}?timeout={seconds}s"
        parts = urlsplit(config.get("url") or "")
        query = f"{parts.query}&timeout={seconds}s" if parts.query else f"timeout={seconds}s"
        return urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))

    def _context(self, config: JsonObject) -> ssl.SSLContext:
        bundle = config.get("caBundle") or ""
        context = self._contexts.get(bundle)
        if context is None:
            try:
                pem = base64.b64decode(bundle).decode("ascii") if bundle else None
                context = ssl.create_default_context(cadata=pem)
            except (ValueError, ssl.SSLError) as error:
                raise CallFailed(f"unable to load root certificates: {error}") from error
            self._contexts[bundle] = context
        return context
