"""Reading from, and pushing to, an HTTP server by templates."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote_plus, urlsplit

from eso_core.aio import Clock
from providers.errors import ErrorKind, InvalidData, InvalidSpec, NoSecret, NotModified, NotSupported, ProviderError
from providers.gojson import JsonValue, encode
from providers.interface import Find, PushData, RemoteRef, SecretsClient, TextTemplates, Validation
from providers.webhook.http import WebhookHttp
from providers.webhook.jsonpath import as_map, as_value, parse, pick
from providers.webhook.spec import WebhookSpec

__all__ = ["Hook", "WebhookClient"]

_CHECK_SECONDS: Final = 15.0
_INLINE_BYTES: Final = 64 * 1024

Data = Mapping[str, Mapping[str, str]]


class Hook:
    """A request as its templates make it, and the value in its answer.

    Args:
        spec: URL, method, headers, body, result.
        secrets: What templates may use: the keys of each Secret, by the name that the spec gives it.
        templates: Renders.
        http: Sends.
        unusable: Why a Secret that is needed cannot be used.
    """

    def __init__(
        self,
        spec: WebhookSpec,
        secrets: Mapping[str, Mapping[str, str]],
        templates: TextTemplates,
        http: WebhookHttp,
        *,
        unusable: ProviderError | None = None,
    ) -> None:
        self._spec = spec
        self._secrets = secrets
        self._templates = templates
        self._http = http
        self._unusable = unusable

    async def read(self, remote: Mapping[str, str] | None, *, namespace: str = "") -> tuple[bytes, str]:
        """The body of the answer, and the JSONPath of the value (empty without one)."""
        self._check_secrets()
        spec, plain = self._spec, self._data(remote, namespace=namespace)
        body = await self._send(spec.method or "GET", remote, plain, namespace=namespace)
        path = (spec.result.json_path if spec.result is not None else None) or ""
        return body, await self._render(path, plain, "result")

    async def push(self, remote: Mapping[str, str], key: str, value: str) -> None:
        """Send a value; the answer is of no interest."""
        self._check_secrets()
        plain = self._data({**remote, key: value})
        body = self._spec.body or "{{ .remoteRef.%s }}" % key  # noqa: UP031 - braces are the template's own
        escaped = {name: _escaped(text) for name, text in {**remote, key: value}.items()}
        url = await self._render(self._spec.url, self._data(escaped), "url")
        await self._http.request(
            self._spec.method or "POST",
            url,
            headers=await self._headers(plain),
            body=await self._render(body, plain, "body"),
        )

    async def delete(self, remote: Mapping[str, str]) -> None:
        """Ask the server to delete; what it does not know is gone. Templates have no Secrets here."""
        if self._spec.auth is not None:
            self._check_secrets()
        plain: Data = {"remoteRef": remote}
        url = await self._render(self._spec.url, plain, "url")
        try:
            await self._http.request("DELETE", url, headers=await self._headers(plain), counted=False)
        except NoSecret:
            return

    def _check_secrets(self) -> None:
        if self._unusable is not None:
            known = self._unusable
            raise type(known)(str(known), kind=known.kind) from known

    async def _send(self, method: str, remote: Mapping[str, str] | None, plain: Data, *, namespace: str) -> bytes:
        escaped = None if remote is None else {name: _escaped(text) for name, text in remote.items()}
        url = await self._render(self._spec.url, self._data(escaped, namespace=namespace), "url")
        body = await self._render(self._spec.body or "", plain, "body")
        return await self._http.request(method, url, headers=await self._headers(plain), body=body)

    async def _headers(self, data: Data) -> dict[str, str]:
        return {
            name: await self._render(text, data, f"header {name}") for name, text in (self._spec.headers or {}).items()
        }

    def _data(self, remote: Mapping[str, str] | None, *, namespace: str = "") -> Data:
        data: dict[str, Mapping[str, str]] = dict(self._secrets)
        if remote is not None:
            data["remoteRef"] = {**remote, **({"namespace": namespace} if namespace else {})}
        return data

    async def _render(self, text: str, data: Data, what: str) -> str:
        if not text:
            return ""
        try:
            return await self._templates.render(text, data, name=what)
        except ValueError as exc:
            raise InvalidSpec(f"failed to parse {what}: {exc}") from None


class WebhookClient(SecretsClient):
    """One store.

    Args:
        hook: Makes and sends its requests.
        spec: `spec.provider.webhook`.
        http: Closed with the client.
        namespace: The consumer's, for templates.
        clock: Bounds the check of the store.
    """

    def __init__(self, hook: Hook, spec: WebhookSpec, http: WebhookHttp, *, namespace: str, clock: Clock) -> None:
        self._hook = hook
        self._spec = spec
        self._http = http
        self._namespace = namespace
        self._clock = clock

    async def get_secret(self, ref: RemoteRef) -> bytes:
        body, path = await self._read(ref)
        return as_value(await _picked(body, path)) if path else body

    async def get_secret_map(self, ref: RemoteRef) -> dict[str, bytes]:
        body, path = await self._read(ref)
        return as_map(await _picked(body, path), f'reading "{ref.key}"')

    async def get_all_secrets(self, find: Find) -> dict[str, bytes]:
        raise NotSupported("find: not implemented: a webhook store cannot list secrets")

    async def push_secret(self, values: Mapping[str, bytes], data: PushData) -> None:
        if not data.remote_key:
            raise InvalidData("remote key must be defined")
        value = _pushed(values, data)
        remote = {"remoteKey": data.remote_key}
        if data.secret_key:
            remote["secretKey"] = data.secret_key
        try:
            await self._hook.push(remote, data.remote_key, value)
        except (NoSecret, NotModified) as exc:
            raise ProviderError(f"failed to push webhook data: {exc}", kind=ErrorKind.DATA) from exc
        except ProviderError as exc:
            text = f"failed to push webhook data: {exc}"
            raise ProviderError(text, kind=exc.kind, retryable=exc.retryable) from exc

    async def delete_secret(self, ref: RemoteRef) -> None:
        await self._hook.delete({"remoteKey": ref.key})

    async def secret_exists(self, ref: RemoteRef) -> bool:
        try:
            await self._read(RemoteRef(ref.key))
        except NoSecret:
            return False
        except NotModified:
            return True
        return True

    async def validate(self) -> Validation:
        parts = urlsplit(self._spec.url)
        try:
            host, port = parts.hostname, parts.port or 443
        except ValueError:
            host, port = None, 0
        if not host:
            raise InvalidSpec(f"could not parse url: {self._spec.url.partition('?')[0]}: it has no host")
        try:
            async with self._clock.timeout(_CHECK_SECONDS):
                _, writer = await asyncio.open_connection(host, port)
            writer.close()
        except TimeoutError:
            raise _unreachable(host, port, f"no connection within {_CHECK_SECONDS:g} s") from None
        except OSError as exc:
            # asyncio puts the address, or the list of all that were tried, where the system's words belong.
            why = os.strerror(exc.errno).lower() if exc.errno and exc.errno > 0 else exc.strerror or type(exc).__name__
            raise _unreachable(host, port, why) from exc
        return Validation()

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _read(self, ref: RemoteRef) -> tuple[bytes, str]:
        remote = {"key": ref.key, "version": ref.version, "property": ref.property}
        return await self._hook.read(remote, namespace=self._namespace)

    def __repr__(self) -> str:
        return f"WebhookClient(host={urlsplit(self._spec.url).hostname!r})"


async def _picked(body: bytes, path: str) -> JsonValue:
    """What the path, if any, finds in a response; other work goes on meanwhile if that may take long."""

    def work() -> JsonValue:
        document = parse(body, "failed to parse response json")
        return pick(document, path) if path else document

    if len(body) <= _INLINE_BYTES and ".." not in path and "?" not in path:
        return work()
    return await asyncio.to_thread(work)


def _pushed(values: Mapping[str, bytes], data: PushData) -> str:
    if not data.secret_key:
        members: dict[str, JsonValue] = {name: _text(value) for name, value in values.items()}
        return encode(members, html=False)
    if data.secret_key not in values:
        raise InvalidData(f"failed to find secret key in secret with key: {data.secret_key}")
    return _text(values[data.secret_key])


def _text(value: bytes) -> str:
    """As text for templates, which give back bytes that are none as they were."""
    return value.decode("utf-8", "surrogateescape")


def _escaped(text: str) -> str:
    return quote_plus(text, errors="surrogateescape")


def _unreachable(host: str, port: int, why: str) -> ProviderError:
    return ProviderError(
        f"error accessing external store: {host}:{port}: {why}", kind=ErrorKind.UNAVAILABLE, retryable=True
    )
