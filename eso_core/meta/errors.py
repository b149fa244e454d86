"""Everything the library raises on its own account.

::

    EsoCoreError
    ├─ ConfigError               kubeconfig, in-cluster, options
    ├─ ApiError                  the server answered with a failure
    │  ├─ BadRequest 400         Unauthorized 401   Forbidden 403
    │  ├─ NotFound 404           MethodNotAllowed 405   NotAcceptable 406
    │  ├─ Conflict 409           └─ ApplyConflict: other managers own fields of an apply
    │  ├─ AlreadyExists 409      Gone 410   RequestEntityTooLarge 413   UnsupportedMediaType 415
    │  ├─ Invalid 422            TooManyRequests 429
    │  ├─ InternalError 500      ServiceUnavailable 503
    │  └─ ServerTimeout 504      └─ ResourceVersionTooLarge
    ├─ TransportError            no answer
    │  ├─ ConnectError           ├─ TlsError   └─ ProxyError
    │  ├─ ReadTimeout
    │  └─ ConnectionLost
    ├─ DecodeError               bad JSON, wrong kind, line too long
    ├─ SelectorError             a label or field selector that cannot be read
    ├─ JsonPatchError            a JSON patch that cannot be applied; JsonPatchTestFailed (both in meta.jsonpatch)
    ├─ OwnerError                an owner reference that the server would not honour
    ├─ FinalizerError            cleanups before a deletion that failed
    ├─ MapperError               NoKindMatch, NoResourceMatch, NoSubresource, AmbiguousKind
    ├─ CacheError                NotSynced, NotCached, NotIndexed, SyncTimeout, StaleCache
    ├─ ManagerError              the manager could not start or stop
    ├─ LeaderElectionLost
    └─ TerminalError             a reconcile failure that no retry can mend
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec
from msgspec import Struct

__all__ = [
    "AlreadyExists",
    "AmbiguousKind",
    "ApiError",
    "ApplyConflict",
    "BadRequest",
    "CacheError",
    "Cause",
    "ConfigError",
    "Conflict",
    "ConnectError",
    "ConnectionLost",
    "DecodeError",
    "EsoCoreError",
    "FinalizerError",
    "Forbidden",
    "Gone",
    "InternalError",
    "Invalid",
    "LeaderElectionLost",
    "ManagerError",
    "MapperError",
    "MethodNotAllowed",
    "NoKindMatch",
    "NoResourceMatch",
    "NoSubresource",
    "NotAcceptable",
    "NotCached",
    "NotFound",
    "NotIndexed",
    "NotSynced",
    "OwnerError",
    "ProxyError",
    "ReadTimeout",
    "RequestEntityTooLarge",
    "ResourceVersionTooLarge",
    "SelectorError",
    "ServerTimeout",
    "ServiceUnavailable",
    "StaleCache",
    "SyncTimeout",
    "TerminalError",
    "TlsError",
    "TooManyRequests",
    "TransportError",
    "Unauthorized",
    "UnsupportedMediaType",
    "server_words",
]

_TEXT_LIMIT = 2_048  # of a body that is no Status: enough for a proxy's page title, short enough for a log line


class EsoCoreError(Exception):
    """Root of the tree."""


class ConfigError(EsoCoreError):
    """Kubeconfig, in-cluster settings or options that cannot be used as they are."""


class Cause(Struct, frozen=True):
    """One entry of ``details.causes`` of a Status."""

    reason: str
    message: str
    field: str


class ApiError(EsoCoreError):
    """The server answered with a failure.

    Attributes:
        code: HTTP status, or the code in the Status of a watch event.
        reason: The machine-readable reason, like ``NotFound``; by code when the server gave none.
        message: What the server said.
        details: ``details`` of the Status; ``None`` when there is none.
        causes: The parsed ``details.causes``.
        retry_after: Seconds the server asks to wait; ``None`` when it did not say.
        method, path: The request; the path is without its query.
        is_path: The URL itself is not served (as opposed to: the object is absent).
        status: The whole decoded Status; empty when the body was none.
    """

    default_code: ClassVar[int] = 0
    default_reason: ClassVar[str] = "Unknown"

    def __init__(
        self,
        message: str = "",
        *,
        code: int | None = None,
        reason: str | None = None,
        details: dict[str, Any] | None = None,
        retry_after: float | None = None,
        method: str = "",
        path: str = "",
        is_path: bool = False,
        status: dict[str, Any] | None = None,
    ) -> None:
        self.message = message
        self.code = self.default_code if code is None else code
        self.reason = self.default_reason if reason is None else reason
        self.details = details
        self.causes = _causes(details)
        self.retry_after = retry_after
        self.method = method
        self.path = path.partition("?")[0]
        self.is_path = is_path
        self.status: dict[str, Any] = status if status is not None else {}
        head = f"{method} {self.path}: " if method else ""
        super().__init__(
            f"{head}{self.code} {self.reason}: {message}" if message else f"{head}{self.code} {self.reason}"
        )

    @staticmethod
    def from_response(
        method: str, path: str, status_code: int, body: bytes, headers: Mapping[str, str] | None = None
    ) -> ApiError:
        """The error for a failed response; the class follows the reason first, then the code."""
        retry_after = _retry_after(headers)
        try:
            decoded = msgspec.json.decode(body) if body[:1] == b"{" else None
        except msgspec.DecodeError:
            decoded = None
        if isinstance(decoded, dict) and decoded.get("kind") == "Status":
            return ApiError.from_status(decoded, method=method, path=path, code=status_code, retry_after=retry_after)
        text = body[:_TEXT_LIMIT].decode("utf-8", "replace").strip()
        cls = _BY_CODE.get(status_code)
        if cls is None:
            cls = InternalError if status_code >= 500 else ApiError
        return cls(
            text or "the server gave no explanation",
            code=status_code,
            retry_after=retry_after,
            method=method,
            path=path,
            is_path=status_code == 404,
        )

    @staticmethod
    def from_status(
        status: dict[str, Any], *, method: str = "", path: str = "", code: int = 0, retry_after: float | None = None
    ) -> ApiError:
        """The error for a decoded ``Status``, from a response or from an ERROR event of a watch."""
        reason = str(status.get("reason") or "")
        code = int(status.get("code") or code or 0)
        details = status.get("details")
        details = details if isinstance(details, dict) else None
        if _about_secrets(path, details):
            status = _without_values(status)
            details = status.get("details") if details is not None else None
        if retry_after is None and details is not None and isinstance(details.get("retryAfterSeconds"), int):
            retry_after = float(details["retryAfterSeconds"]) or None
        cls = _BY_REASON.get(reason) or _BY_CODE.get(code)
        if cls is None:
            cls = InternalError if code >= 500 else ApiError
        causes = _causes(details)
        if cls is Conflict and any(c.reason == "FieldManagerConflict" for c in causes):
            cls = ApplyConflict
        elif issubclass(cls, ServerTimeout) and any(c.reason == "ResourceVersionTooLarge" for c in causes):
            cls = ResourceVersionTooLarge
        return cls(
            str(status.get("message") or ""),
            code=code or cls.default_code,
            reason=reason or cls.default_reason,
            details=details,
            retry_after=retry_after,
            method=method,
            path=path,
            # An unknown resource of a built-in group: a Status whose details name nothing.
            is_path=cls is NotFound and not (details and (details.get("name") or details.get("kind"))),
            status=status,
        )


class BadRequest(ApiError):
    """400: the request is malformed."""

    default_code, default_reason = 400, "BadRequest"


class Unauthorized(ApiError):
    """401: the credentials are missing, wrong or expired."""

    default_code, default_reason = 401, "Unauthorized"


class Forbidden(ApiError):
    """403: the user may not do this, or a quota or a terminating namespace forbids it."""

    default_code, default_reason = 403, "Forbidden"

    @property
    def namespace_terminating(self) -> bool:
        """Whether the reason is that the namespace is being deleted."""
        return any(cause.reason == "NamespaceTerminating" for cause in self.causes)


class NotFound(ApiError):
    """404: no such object, or with ``is_path`` no such resource."""

    default_code, default_reason = 404, "NotFound"


class MethodNotAllowed(ApiError):
    """405: the resource does not have this verb."""

    default_code, default_reason = 405, "MethodNotAllowed"


class NotAcceptable(ApiError):
    """406: the server has no such representation."""

    default_code, default_reason = 406, "NotAcceptable"


class Conflict(ApiError):
    """409: the object changed since it was read, or a precondition does not hold."""

    default_code, default_reason = 409, "Conflict"


class ApplyConflict(Conflict):
    """409: other field managers own fields that an apply wants to change."""

    @property
    def conflicts(self) -> tuple[tuple[str, str], ...]:
        """Pairs of field path and what the server says about its owner."""
        return tuple((c.field, c.message) for c in self.causes if c.reason == "FieldManagerConflict")


class AlreadyExists(ApiError):
    """409: an object of this name exists."""

    default_code, default_reason = 409, "AlreadyExists"


class Gone(ApiError):
    """410: the resource version or the continue token is too old."""

    default_code, default_reason = 410, "Gone"

    @property
    def continue_token(self) -> str:
        """A token with which a list may go on inconsistently; empty when the server gave none."""
        metadata = self.status.get("metadata")
        return str(metadata.get("continue") or "") if isinstance(metadata, dict) else ""


class RequestEntityTooLarge(ApiError):
    """413: the body passes the server's limit."""

    default_code, default_reason = 413, "RequestEntityTooLarge"


class UnsupportedMediaType(ApiError):
    """415: the server does not read this content type, like a strategic merge patch of a custom resource."""

    default_code, default_reason = 415, "UnsupportedMediaType"


class Invalid(ApiError):
    """422: the object is not valid; ``causes`` names the fields."""

    default_code, default_reason = 422, "Invalid"


class TooManyRequests(ApiError):
    """429: the server sheds load, or a disruption budget forbids an eviction."""

    default_code, default_reason = 429, "TooManyRequests"


class InternalError(ApiError):
    """500 and other failures of the server."""

    default_code, default_reason = 500, "InternalError"


class ServiceUnavailable(ApiError):
    """503: the server, or an aggregated API, cannot answer now."""

    default_code, default_reason = 503, "ServiceUnavailable"


class ServerTimeout(ApiError):
    """504: the server gave up."""

    default_code, default_reason = 504, "Timeout"


class ResourceVersionTooLarge(ServerTimeout):
    """504: the server has not seen this resource version yet."""


class TransportError(EsoCoreError):
    """There is no answer.

    Attributes:
        sent: Whether the request may have reached the server; ``False`` proves that it did not.
    """

    def __init__(self, message: str, *, sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent


class ConnectError(TransportError):
    """No connection: refused, unreachable, unknown host, or no free connection in time."""

    def __init__(self, message: str, *, sent: bool = False) -> None:
        super().__init__(message, sent=sent)


class TlsError(ConnectError):
    """The TLS handshake failed: untrusted or wrong certificate."""


class ProxyError(ConnectError):
    """The proxy refused or could not be reached."""


class ReadTimeout(TransportError):
    """The answer did not come in time."""


class ConnectionLost(TransportError):
    """The connection ended before the answer did."""


class DecodeError(EsoCoreError):
    """Bytes or an object that are not what was expected: bad JSON, wrong kind, a line that is too long."""


class SelectorError(EsoCoreError, ValueError):
    """A label or field selector that cannot be read."""


class OwnerError(EsoCoreError, ValueError):
    """An owner reference that the server would not honour, or a second controller."""


class FinalizerError(EsoCoreError):
    """Cleanups before a deletion that failed; their finalizers are still on the object.

    Attributes:
        failures: The exceptions by finalizer.
    """

    def __init__(self, what: str, failures: Mapping[str, Exception]) -> None:
        self.failures = dict(failures)
        text = "; ".join(f"{name}: {type(exc).__name__}: {exc}" for name, exc in self.failures.items())
        super().__init__(f"cleaning up {what}: {text}")


class MapperError(EsoCoreError):
    """The API server does not serve what was asked for."""


class NoKindMatch(MapperError):
    """No resource serves this kind."""


class NoResourceMatch(MapperError):
    """No kind belongs to this resource."""


class NoSubresource(MapperError):
    """The objects of this kind have no such subresource; the server's own answer is that the object was not found."""


class AmbiguousKind(MapperError):
    """Several resources serve this kind."""


class CacheError(EsoCoreError):
    """The cache cannot answer."""


class NotSynced(CacheError):
    """The informer has not seen its first complete list yet."""


class NotCached(CacheError):
    """No informer holds this kind or namespace."""


class NotIndexed(CacheError):
    """No index of this name exists."""


class SyncTimeout(CacheError):
    """The caches did not fill in time; the text names the last list or watch error."""


class StaleCache(CacheError):
    """The cache has not caught up with the program's own write yet."""


class ManagerError(EsoCoreError):
    """The manager could not start, or a part of it failed."""


class LeaderElectionLost(EsoCoreError):
    """This process is the leader no more."""


class TerminalError(EsoCoreError):
    """A reconcile failure that no retry can mend; wraps its cause."""

    def __init__(self, cause: BaseException | str) -> None:
        super().__init__(str(cause))
        if isinstance(cause, BaseException):
            self.__cause__ = cause


_CLASSES: tuple[type[ApiError], ...] = (
    BadRequest,
    Unauthorized,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    NotAcceptable,
    AlreadyExists,
    Conflict,
    Gone,
    RequestEntityTooLarge,
    UnsupportedMediaType,
    Invalid,
    TooManyRequests,
    InternalError,
    ServiceUnavailable,
    ServerTimeout,
)
_BY_REASON: Mapping[str, type[ApiError]] = {cls.default_reason: cls for cls in _CLASSES} | {
    "Expired": Gone,
    "ServerTimeout": ServerTimeout,
}
_BY_CODE: Mapping[int, type[ApiError]] = {cls.default_code: cls for cls in _CLASSES} | {502: ServiceUnavailable}


#: What follows is what the user sent. Some servers quote whole objects there, when a patch has made them unreadable.
_QUOTED_VALUE = re.compile(r'(\b(?:Invalid|Unsupported|Duplicate) value): (?:"(?:[^"\\]|\\.)*"|.*(?=: ))', re.DOTALL)


def server_words(error: EsoCoreError) -> str:
    """What the server said in its Status, without the request; of other errors, and where it said nothing, their whole text."""
    return error.message if isinstance(error, ApiError) and error.status and error.message else str(error)


def _about_secrets(path: str, details: dict[str, Any] | None) -> bool:
    return "/secrets" in path or (details is not None and details.get("kind") in ("Secret", "secrets"))


def _without_values(status: dict[str, Any]) -> dict[str, Any]:
    """The status of a request about Secrets, without the values that the server quotes."""

    def cut(text: object) -> object:
        return _QUOTED_VALUE.sub(r"\1: (not shown)", text) if isinstance(text, str) else text

    cleaned = {**status, "message": cut(status.get("message"))}
    details = status.get("details")
    if isinstance(details, dict) and isinstance(details.get("causes"), list):
        causes = [
            {**cause, "message": cut(cause.get("message"))} for cause in details["causes"] if isinstance(cause, dict)
        ]
        cleaned["details"] = {**details, "causes": causes}
    return cleaned


def _causes(details: dict[str, Any] | None) -> tuple[Cause, ...]:
    raw = details.get("causes") if details else None
    if not isinstance(raw, list):
        return ()
    return tuple(
        Cause(str(c.get("reason") or ""), str(c.get("message") or ""), str(c.get("field") or ""))
        for c in raw
        if isinstance(c, dict)
    )


def _retry_after(headers: Mapping[str, str] | None) -> float | None:
    value = headers.get("Retry-After") if headers else None
    # The date form is not used by API servers; proxies that send it get the ordinary backoff.
    return float(value) if value is not None and value.isascii() and value.isdigit() else None
