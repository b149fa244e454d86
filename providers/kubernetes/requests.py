"""Requests to the cluster of a store: counted, with their failures in the classes of this package."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from eso_core.client import Client
from eso_core.meta import JsonObject, ObjectKey
from eso_core.meta.errors import ApiError, EsoCoreError, Forbidden, NotFound, TransportError, Unauthorized, server_words
from eso_core.meta.wellknown import SECRET
from providers.errors import AccessDenied, ErrorKind, InvalidSpec, ProviderError, Unavailable
from providers.interface import ProviderCalls

__all__ = ["Requests", "translated"]

T = TypeVar("T")

PROVIDER = "Kubernetes"  # metrics label


class Requests:
    """Requests to the cluster, counted, with their failures as errors of providers.

    Args:
        cluster: Client with the store's credentials; is closed with this.
        calls: Counts.
    """

    def __init__(self, cluster: Client, calls: ProviderCalls) -> None:
        self.cluster = cluster
        self._calls = calls

    async def counted(self, call: str, send: Callable[[], Awaitable[T]]) -> T:
        """The answer of one request.

        Raises:
            NotFound: The object is not there.
            ProviderError: Any other failure.
        """
        try:
            answer = await send()
        except EsoCoreError as exc:
            self._calls.observe(PROVIDER, call, exc)
            if isinstance(exc, NotFound) and not exc.is_path:
                raise
            raise translated(exc) from exc
        self._calls.observe(PROVIDER, call, None)
        return answer

    async def secret(self, namespace: str, name: str) -> JsonObject | None:
        """A Secret, None when there is none.

        Raises:
            InvalidSpec: No object can have such a name.
            ProviderError: It cannot be read.
        """
        _check_segment("namespace", namespace)
        _check_segment("resource name", name)
        try:
            return await self.counted("GetSecret", lambda: self.cluster.get(SECRET, ObjectKey(namespace, name)))
        except NotFound:
            return None


def translated(exc: EsoCoreError) -> ProviderError:
    """A failure of the cluster in the classes of this package, and in the words of the server where it says anything."""
    text = server_words(exc)
    if isinstance(exc, Forbidden | Unauthorized):
        return AccessDenied(text)
    if isinstance(exc, NotFound) and exc.is_path:
        # With deletionPolicy Delete, "there is no such Secret" costs Secrets: a proxy's word is not enough for that.
        return Unavailable(
            f"{exc}: this is not about the object: check server.url, and what stands in front of the server"
        )
    if isinstance(exc, TransportError):
        return Unavailable(text)
    if isinstance(exc, ApiError) and (exc.code >= 500 or exc.code in (409, 429)):
        return Unavailable(text)
    return ProviderError(text, kind=ErrorKind.SPEC)


def _check_segment(what: str, text: str) -> None:
    """Raise for what cannot stand in a path of the API."""
    if not text:
        raise InvalidSpec(f"{what} may not be empty")
    wrong = [f"may not be '{text}'"] if text in (".", "..") else [f"may not contain '{c}'" for c in "/%" if c in text]
    if wrong:
        raise InvalidSpec(f'invalid {what} "{text}": [{" ".join(wrong)}]')
