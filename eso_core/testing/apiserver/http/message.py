"""A request as it came off the wire, and the answers to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, Protocol
from urllib.parse import parse_qsl, unquote

JSON: Final = "application/json"
YAML: Final = "application/yaml"
TEXT: Final = "text/plain; charset=utf-8"

REASONS: Final = {
    200: "OK",
    201: "Created",
    202: "Accepted",
    304: "Not Modified",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    408: "Request Timeout",
    409: "Conflict",
    410: "Gone",
    411: "Length Required",
    413: "Request Entity Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Entity",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


class Query:
    """Query parameters; of a repeated one the first counts, as in the original."""

    __slots__ = ("_values",)

    def __init__(self, text: str) -> None:
        self._values: dict[str, list[str]] = {}
        if text:
            for key, value in parse_qsl(text, keep_blank_values=True, max_num_fields=256):
                self._values.setdefault(key, []).append(value)

    def get(self, key: str) -> str:
        """The first value, or an empty text."""
        values = self._values.get(key)
        return values[0] if values else ""

    def all(self, key: str) -> list[str]:
        return self._values.get(key, [])

    def __bool__(self) -> bool:
        return bool(self._values)

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def flag(self, key: str) -> bool:
        """A boolean as the original reads it: present and neither ``false`` nor ``0`` nor empty-valued false."""
        values = self._values.get(key)
        return values is not None and values[0] not in ("false", "0")


class Request:
    """One request. Header names are lower case; ``path`` is still quoted, ``segments`` are not."""

    __slots__ = ("_query", "body", "headers", "method", "path", "peer_certificate", "query_text", "started", "target")

    def __init__(
        self, method: str, target: str, headers: dict[str, str], body: bytes, peer_certificate: bytes | None = None
    ) -> None:
        self.method = method
        self.target = target
        self.path, _, self.query_text = target.partition("?")
        self.headers = headers
        self.body = body
        self.peer_certificate = peer_certificate
        self.started = 0.0
        self._query: Query | None = None

    @property
    def query(self) -> Query:
        if self._query is None:
            self._query = Query(self.query_text)
        return self._query

    def header(self, name: str) -> str:
        return self.headers.get(name, "")

    def segments(self) -> list[str]:
        """The path's parts, unquoted, without empty ones."""
        path = self.path
        if "%" in path:
            return [unquote(part) for part in path.split("/") if part]
        return [part for part in path.split("/") if part]


@dataclass(slots=True)
class Response:
    """A complete answer."""

    status: int
    body: bytes = b""
    content_type: str = JSON
    headers: list[tuple[str, str]] = field(default_factory=list)


class Sink(Protocol):
    """Where a stream writes. Nothing may be written after `end` or once `closed`."""

    @property
    def closed(self) -> bool: ...
    def write(self, chunk: bytes) -> None: ...
    def end(self) -> None: ...
    def buffered(self) -> int: ...


@dataclass(slots=True)
class Stream:
    """An answer that goes on: ``start`` is called with the sink once the head is written.

    ``start`` returns what to call when the client goes away.
    """

    content_type: str
    start: Callable[[Sink], Callable[[], None]]
    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=list)


Answer = Response | Stream


def warning_headers(texts: Iterable[str]) -> list[tuple[str, str]]:
    """``Warning`` headers, one per text."""
    found: list[tuple[str, str]] = []
    for text in texts:
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        found.append(("Warning", f'299 - "{escaped}"'))
    return found
