"""What can go wrong in a PushSecret reconcile, by what heals it.

PushError                 the pass cannot go on; the text is user visible and never quotes a value
├── InvalidField          a field of the spec cannot be read, or does not fit the others; names its path
├── SourceFailed          a Secret, or what a template reads, cannot be had
│   └── SourceMissing     it is not there
├── StoreFailed           a store cannot be used
├── TemplateRefused       the template cannot be rendered
├── EntriesRefused        entries cannot be made of the keys that are there, or contradict each other
└── PushFailed            a backend did not take a value, or did not give one up
"""

from __future__ import annotations

from typing import ClassVar, Final

from controllers.failures import FailureClass

__all__ = [
    "NO_SOURCE",
    "EntriesRefused",
    "InvalidField",
    "KeyMissing",
    "PushError",
    "PushFailed",
    "SourceFailed",
    "SourceMissing",
    "StoreFailed",
    "TemplateRefused",
]


NO_SOURCE: Final = "could not get source secret"
"""What the condition says wherever there is nothing to push, whatever the reason."""


class PushError(Exception):
    """Root of the errors of the PushSecret controller.

    Args:
        message: What the condition says.
        detail: The whole cause for the event, where the condition has a fixed text.
        retryable: Whether trying again soon may help; else the next refresh, or a change, is early enough.

    Attributes:
        failure_class: Kind of failure, unless the cause knows better.
    """

    failure_class: ClassVar[FailureClass | None] = None

    def __init__(self, message: str, *, detail: str = "", retryable: bool = False) -> None:
        super().__init__(message)
        self.detail = detail or message
        self.retryable = retryable


class InvalidField(PushError):
    """A field of the spec cannot be read, or does not fit the others."""

    failure_class = FailureClass.INVALID_SPEC


class SourceFailed(PushError):
    """A Secret that is to be pushed cannot be read."""


class SourceMissing(SourceFailed):
    """A Secret that is to be pushed is not there."""

    failure_class = FailureClass.INVALID_REFERENCE


class StoreFailed(PushError):
    """A store is missing, or may not be used."""

    failure_class = FailureClass.INVALID_REFERENCE


class TemplateRefused(PushError):
    """The template cannot be rendered."""

    failure_class = FailureClass.INVALID_TEMPLATE


class EntriesRefused(PushError):
    """No entries can be made of the keys that are there, or two of them contradict each other."""

    failure_class = FailureClass.INVALID_SPEC


class KeyMissing(EntriesRefused):
    """An entry names a key that the Secret does not have."""

    failure_class = FailureClass.INVALID_DATA


class PushFailed(PushError):
    """A backend did not take a value, or did not give one up."""
