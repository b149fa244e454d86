"""What can go wrong in an ExternalSecret reconcile, by what heals it.

    SyncError                 the reconcile cannot go on; carries the condition's message
    ├── FetchFailed           an entry could not be fetched; `retryable` says whether back-off may heal it
    ├── Permanent             only a change heals it (spec, store, provider data): tried again at the refresh interval
    │   ├── ValueRefused      a fetched value breaks the policy of its entry
    │   ├── KeysRefused       keys collide, or the API server would not take them
    │   ├── TemplateFailed    the template cannot be rendered; `retryable` if only because a source cannot be read now
    │   ├── InvalidField      a field of the spec cannot be read; names its path
    │   └── NotInThisRelease  the object asks for something this build cannot do
    └── TargetRefused         the target cannot be written as it stands: tried again at the refresh interval
        ├── OwnedByAnother    another ExternalSecret controls it
        ├── NotOwner          some other object controls it
        └── TargetImmutable   its data may not change

The text of each is user visible (condition, event). It never quotes a secret value.
"""

from __future__ import annotations

from typing import ClassVar

from controllers.failures import FailureClass

__all__ = [
    "FetchFailed",
    "InvalidField",
    "KeysRefused",
    "NotInThisRelease",
    "NotOwner",
    "OwnedByAnother",
    "Permanent",
    "SyncError",
    "TargetImmutable",
    "TargetRefused",
    "TemplateFailed",
    "ValueRefused",
]


class SyncError(Exception):
    """Root of the errors of the ExternalSecret controller.

    Attributes:
        failure_class: Kind of failure, where the class of the error says it; what it was raised from decides otherwise.
    """

    failure_class: ClassVar[FailureClass | None] = None


class FetchFailed(SyncError):
    """An entry of the spec could not be fetched.

    Attributes:
        retryable: Whether trying again soon may help.
        pending: Whether the only reason is that the store has not been checked yet.
        place: The entry, its store and its remote key, in words.
    """

    def __init__(self, message: str, *, retryable: bool, pending: bool = False, place: str = "") -> None:
        super().__init__(message)
        self.retryable = retryable
        self.pending = pending
        self.place = place


class Permanent(SyncError):
    """Trying again soon cannot help."""


class ValueRefused(Permanent):
    """A fetched value cannot be decoded, or has bytes that the entry forbids."""

    failure_class = FailureClass.INVALID_DATA


class KeysRefused(Permanent):
    """Rewriting, converting or validating keys failed."""

    failure_class = FailureClass.INVALID_DATA


class InvalidField(Permanent):
    """A field of the spec cannot be read.

    Attributes:
        path: The field, for example `spec.refreshInterval`.
    """

    failure_class = FailureClass.INVALID_SPEC

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path


class TemplateFailed(Permanent):
    """The template of the object cannot be rendered.

    Attributes:
        retryable: Whether trying again soon may help: a source could not be read.
    """

    failure_class = FailureClass.INVALID_TEMPLATE

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable


class NotInThisRelease(Permanent):
    """The object uses a part of the API that this build does not do yet."""

    failure_class = FailureClass.NOT_SUPPORTED


class TargetRefused(SyncError):
    """The target stays as it is, because writing it would break another rule."""

    failure_class = FailureClass.TARGET_CONFLICT


class OwnedByAnother(TargetRefused):
    """The target's controller is another ExternalSecret."""


class NotOwner(TargetRefused):
    """The target's controller is an object of another kind."""


class NotAdopted(TargetRefused):
    """A Secret of the target's name is there that no ExternalSecret made, and it may not be taken over."""


class TargetImmutable(TargetRefused):
    """The target is marked immutable and its data or type would change."""
