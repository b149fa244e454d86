"""One request and one answer, as values: what travels through interceptors to the transport."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from eso_core.meta.errors import ApiError

__all__ = ["JSON", "ApiRequest", "ApiResponse", "Interceptor", "Send", "build_query"]

JSON = "application/json"


@dataclass(slots=True)
class ApiRequest:
    """A request to the API server.

    Attributes:
        path: Encoded path, starting with a slash.
        query: Encoded query without the question mark.
        kind: What it is about, for warnings and logs.
        timeout: Seconds for everything, retries and waits included; ``None`` takes the configuration's, 0 is no limit.
        retry: Whether transport errors and ``Retry-After`` are retried here.
        passed: Status codes that are answers although they are no success, like 304.
        check: Called right before each try is sent, after all waiting; what it raises ends the request, and nothing is sent.
    """

    method: str
    path: str
    query: str = ""
    body: bytes | None = field(default=None, repr=False)
    content_type: str = JSON
    accept: str = JSON
    kind: str = ""
    timeout: float | None = None
    retry: bool = True
    gzip: bool = False
    headers: Mapping[str, str] | None = field(default=None, repr=False)
    passed: tuple[int, ...] = ()
    check: Callable[[], None] | None = field(default=None, repr=False)


@dataclass(slots=True)
class ApiResponse:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


Send = Callable[[ApiRequest], Awaitable[ApiResponse]]
"""Sends a request. Raises ``ApiError`` or ``TransportError``."""

Interceptor = Callable[[ApiRequest, Send], Awaitable[ApiResponse]]
"""Wraps a ``Send``: may change the request, answer itself, or look at what comes back."""


def build_query(**values: str | int | bool | float | None) -> str:
    """An encoded query of what is set; ``True`` is ``true``. A trailing underscore of a name is dropped."""
    parts = []
    for name, value in values.items():
        if value is None or value == "" or value is False:
            continue
        text = "true" if value is True else quote(str(value), safe="")
        parts.append(f"{name.rstrip('_')}={text}")
    return "&".join(parts)


def after_tries(tries: int, seconds: float, last: BaseException | None) -> str:
    """How a request ended after several tries, for messages."""
    times = "1 try" if tries == 1 else f"{tries} tries"
    text = f"no answer within {seconds:g} s after {times}"
    if last is not None:
        text += f"; last: {last.code} {last.reason}" if isinstance(last, ApiError) else f"; last: {last}"
    return text
