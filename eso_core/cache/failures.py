"""What an error of the client means for a reflector."""

from __future__ import annotations

from eso_core.cache.reflection import Failure, FailureKind
from eso_core.meta.errors import (
    ApiError,
    BadRequest,
    ConnectError,
    DecodeError,
    Forbidden,
    Gone,
    InternalError,
    Invalid,
    MapperError,
    NotFound,
    ResourceVersionTooLarge,
    TooManyRequests,
    TransportError,
)

__all__ = ["classify"]

# Order matters: the first class that fits decides.
_KINDS: tuple[tuple[type[BaseException], FailureKind], ...] = (
    (Gone, FailureKind.EXPIRED),
    (ResourceVersionTooLarge, FailureKind.TOO_LARGE),
    (TooManyRequests, FailureKind.THROTTLED),
    (Forbidden, FailureKind.FORBIDDEN),
    (NotFound, FailureKind.ABSENT),
    (MapperError, FailureKind.ABSENT),
    (BadRequest, FailureKind.UNSUPPORTED),
    (Invalid, FailureKind.UNSUPPORTED),
    (InternalError, FailureKind.INTERNAL),
    (ConnectError, FailureKind.REFUSED),
    (TransportError, FailureKind.BROKEN),
    (DecodeError, FailureKind.UNREADABLE),
    (ConnectionError, FailureKind.BROKEN),
    (TimeoutError, FailureKind.BROKEN),
)


def classify(error: BaseException) -> Failure:
    """The failure that `error` stands for; an error of no known kind is `OTHER`."""
    retry_after = (error.retry_after or 0.0) if isinstance(error, ApiError) else 0.0
    kind = next((kind for cls, kind in _KINDS if isinstance(error, cls)), FailureKind.OTHER)
    text = str(error) or type(error).__name__
    return Failure(kind, text if isinstance(error, ApiError) else f"{type(error).__name__}: {text}", retry_after)
