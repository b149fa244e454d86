"""What kind of failure an object shows: a word that dashboards and people can act on, beside the messages of the original.

The second condition of an object has it: `Stalled` where only a change helps, `Reconciling` where it is tried again by
itself. At most one of them is there, and none while the object is Ready.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from msgspec import Struct

from eso_core.meta import JsonObject, format_duration, format_time, set_condition
from eso_core.meta.errors import (
    BadRequest,
    EsoCoreError,
    Forbidden,
    Invalid,
    NotFound,
    RequestEntityTooLarge,
    TooManyRequests,
    Unauthorized,
)
from generators.errors import UnknownGenerator
from providers.errors import (
    ErrorKind,
    InvalidEntry,
    NoSecret,
    NotSupported,
    ProviderError,
    Throttled,
    UnknownProvider,
)

__all__ = ["RECONCILING", "STALLED", "Failure", "FailureClass", "at", "class_of", "next_retry", "set_failure"]

STALLED: Final = "Stalled"
RECONCILING: Final = "Reconciling"

_MESSAGE_LIMIT: Final = 2048
_FIRST_RETRY: Final = 1.0
_LONGEST_RETRY: Final = 420.0


class FailureClass(StrEnum):
    """Reasons of the second condition."""

    NOT_FOUND = "NotFound"  # the store has no such secret, property or version
    DENIED = "Denied"  # credentials, policies or RBAC do not allow it
    THROTTLED = "Throttled"  # the store asks for fewer requests
    UNREACHABLE = "Unreachable"  # no answer, or one that says that the server is broken
    INVALID_TEMPLATE = "InvalidTemplate"
    INVALID_REFERENCE = (
        "InvalidReference"  # a store, Secret, ConfigMap or generator that is named is missing or unusable
    )
    INVALID_SPEC = "InvalidSpec"  # a field of the object itself
    INVALID_STORE = "InvalidStore"  # the store cannot work as it is written
    INVALID_DATA = "InvalidData"  # the values do not fit what the object asks for
    NOT_SUPPORTED = "NotSupported"
    STORE_NOT_READY = "StoreNotReady"
    TARGET_CONFLICT = "TargetConflict"  # writing would break a rule: somebody else's, immutable, a key taken
    REJECTED = "Rejected"  # the API server finds the written object invalid
    INTERNAL = "Internal"  # a defect


_BY_KIND: Final = {
    ErrorKind.MISSING: FailureClass.NOT_FOUND,
    ErrorKind.SPEC: FailureClass.INVALID_STORE,
    ErrorKind.REFERENCE: FailureClass.INVALID_REFERENCE,
    ErrorKind.CREDENTIALS: FailureClass.DENIED,
    ErrorKind.UNAVAILABLE: FailureClass.UNREACHABLE,
    ErrorKind.DATA: FailureClass.INVALID_DATA,
    ErrorKind.UNCHANGED: FailureClass.INTERNAL,
}


def class_of(error: BaseException) -> FailureClass:
    """The class of an error: its innermost cause that has one decides."""
    found: FailureClass | None = None
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        found = _own_class(cause) or found
        cause = cause.__cause__
    return found or FailureClass.INTERNAL


def _own_class(error: BaseException) -> FailureClass | None:
    said = getattr(error, "failure_class", None)
    if isinstance(said, FailureClass):
        return said
    match error:
        case NoSecret():
            return FailureClass.NOT_FOUND
        case Throttled() | TooManyRequests():
            return FailureClass.THROTTLED
        case NotSupported() | UnknownProvider() | UnknownGenerator():
            return FailureClass.NOT_SUPPORTED
        case InvalidEntry():
            return FailureClass.INVALID_SPEC
        case ProviderError():
            return _BY_KIND[error.kind]
        case Forbidden() | Unauthorized():
            return FailureClass.DENIED
        case NotFound():
            return FailureClass.INVALID_REFERENCE
        case Invalid() | BadRequest() | RequestEntityTooLarge():
            return FailureClass.REJECTED
        case EsoCoreError():
            return FailureClass.UNREACHABLE
        case _:
            return None


class Failure(Struct, frozen=True):
    """What went wrong.

    Attributes:
        failure_class: Its class.
        text: The whole cause, without secret values.
        place: The failing entry, store and remote key, as far as they are known.
        retried: Whether it is tried again by itself before long.
        next_attempt: When, in words.
    """

    failure_class: FailureClass
    text: str
    place: str = ""
    retried: bool = False
    next_attempt: str = ""

    @property
    def message(self) -> str:
        """What the condition says."""
        # The text of a failed entry begins with the entry, which the place says better.
        cause = f"{self.place}: {self.text.partition(', err: ')[2] or self.text}" if self.place else self.text
        tail = f"; next attempt {self.next_attempt}" if self.next_attempt else ""
        return f"{cause[: _MESSAGE_LIMIT - len(tail)]}{tail}"


def set_failure(conditions: list[JsonObject], failure: Failure | None, now: datetime) -> None:
    """Make the second condition say `failure`; None takes it away."""
    wanted = None if failure is None else RECONCILING if failure.retried else STALLED
    conditions[:] = [entry for entry in conditions if entry.get("type") not in {STALLED, RECONCILING} - {wanted}]
    if failure is not None and wanted is not None:
        set_condition(
            conditions, type=wanted, status="True", reason=failure.failure_class, message=failure.message, now=now
        )


def next_retry(attempt: int, *, at_least: float = 0.0) -> str:
    """When a failure of this attempt (1 for the first) is tried again by back-off, in words that stay the same while it waits."""
    delay = min(_FIRST_RETRY * 2.0 ** min(attempt - 1, 30), _LONGEST_RETRY)
    return f"within {format_duration(max(delay, at_least))}"


def at(now: datetime, seconds: float | None) -> str:
    """When a failure that back-off cannot heal is tried again, in words."""
    if seconds is None:
        return "when the object changes"
    return f"at {format_time(now + timedelta(seconds=seconds))}, or when the object or its store changes"
