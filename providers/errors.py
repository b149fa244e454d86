"""What can go wrong while talking to a secret store.

::

    ProviderError            kind, retryable
    ├── NoSecret             the remote secret does not exist ("Secret does not exist")
    ├── NotModified          the backend says that nothing changed
    ├── InvalidSpec          the store cannot work as it is written
    │   ├── UnknownProvider  its backend is not built in
    │   └── InvalidEntry     the entry cannot: a field of the object that asks
    ├── NotSupported         the backend cannot do that
    ├── BrokenReference      a Secret, ConfigMap or ServiceAccount the store refers to cannot be used
    ├── AccessDenied         the backend refuses our credentials
    ├── Unavailable          the backend cannot be reached, is sealed, overloaded or broken
    │   └── Throttled            it asks for fewer requests; retry_after seconds
    └── InvalidData          the backend answered something that does not fit the request

``NoSecret`` decides whether a user's Secret is deleted (``deletionPolicy: Delete``), so nothing but a clear "it is not
there" may become one: no network, permission or parse failure. Wrappers raise ``from`` it; ``find_cause`` looks through
them. Messages never quote secret material: parse errors of payloads are replaced by fixed texts.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, TypeVar

__all__ = [
    "AccessDenied",
    "BrokenReference",
    "ErrorKind",
    "InvalidData",
    "InvalidEntry",
    "InvalidSpec",
    "NoSecret",
    "NotModified",
    "NotSupported",
    "ProviderError",
    "Throttled",
    "Unavailable",
    "UnknownProvider",
    "find_cause",
    "is_retryable",
]

E = TypeVar("E", bound=BaseException)


class ErrorKind(StrEnum):
    """Whose move it is after a failure."""

    MISSING = "Missing"  # the remote secret is not there
    UNCHANGED = "Unchanged"  # no failure at all
    SPEC = "Spec"  # the user has to change the store or the ExternalSecret
    REFERENCE = "Reference"  # a Kubernetes object that the store refers to is missing or unusable
    CREDENTIALS = "Credentials"  # the backend refused us
    UNAVAILABLE = "Unavailable"  # time may heal it
    DATA = "Data"  # the remote secret has to change


class ProviderError(Exception):
    """A failure of a store; the text is shown to users on conditions and events.

    Attributes:
        kind: Whose move it is.
        retryable: True when the same request may succeed soon without anybody doing anything: worth a back-off.
            Otherwise the next refresh, or a change of what the store depends on, is early enough.
    """

    kind: ErrorKind = ErrorKind.DATA
    retryable: bool = False

    def __init__(self, message: str = "", *, kind: ErrorKind | None = None, retryable: bool | None = None) -> None:
        super().__init__(message)
        if kind is not None:
            self.kind = kind
        if retryable is not None:
            self.retryable = retryable


class NoSecret(ProviderError):
    """The remote secret does not exist."""

    kind = ErrorKind.MISSING
    text: ClassVar[str] = "Secret does not exist"

    def __init__(self, message: str = text) -> None:
        super().__init__(message)


class NotModified(ProviderError):
    """The backend says that nothing changed since the last read."""

    kind = ErrorKind.UNCHANGED

    def __init__(self, message: str = "not modified") -> None:
        super().__init__(message)


class InvalidSpec(ProviderError):
    """The store cannot work as it is written."""

    kind = ErrorKind.SPEC


class InvalidEntry(InvalidSpec):
    """What is asked cannot work as it is written: a field of an entry, not of the store."""


class UnknownProvider(InvalidSpec):
    """The store names a backend that this operator does not have.

    Attributes:
        provider: The key below ``spec.provider``.
    """

    def __init__(self, provider: str, store: str = "", *, reason: str = "") -> None:
        message = f"failed to find registered store backend for type: {provider}, name: {store}"
        super().__init__(f"{message}: {reason}" if reason else message)
        self.provider = provider


class NotSupported(ProviderError):
    """The backend cannot do that, or this operator cannot with it."""

    kind = ErrorKind.SPEC


class BrokenReference(ProviderError):
    """A Secret, ConfigMap or ServiceAccount that the store refers to is missing or unusable."""

    kind = ErrorKind.REFERENCE


class AccessDenied(ProviderError):
    """The backend refuses our credentials, or they do not allow this."""

    kind = ErrorKind.CREDENTIALS


class Unavailable(ProviderError):
    """The backend cannot be reached, is sealed, overloaded or broken."""

    kind = ErrorKind.UNAVAILABLE
    retryable = True


class Throttled(Unavailable):
    """The backend asks for fewer requests. The pool keeps everybody away from the store for that long.

    Attributes:
        retry_after: Seconds to wait, as the backend says; 0 when it does not say.
    """

    def __init__(self, message: str, *, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class InvalidData(ProviderError):
    """The remote secret is there but is not what the request needs."""

    kind = ErrorKind.DATA


def find_cause(exc: BaseException | None, kind: type[E]) -> E | None:
    """The first exception of this class in ``exc`` and what it was raised from, or None."""
    seen: set[int] = set()
    while exc is not None and id(exc) not in seen:
        if isinstance(exc, kind):
            return exc
        seen.add(id(exc))
        exc = exc.__cause__
    return None


def is_retryable(exc: BaseException) -> bool:
    """Whether a failure is worth a back-off; what no provider has classified is."""
    found = find_cause(exc, ProviderError)
    return True if found is None else found.retryable
