"""What can go wrong while values are made. The texts are shown to users and hold no secret material."""

from __future__ import annotations

from providers.errors import ErrorKind, ProviderError

__all__ = ["GeneratorFailed", "InvalidGenerator", "UnknownGenerator"]


class GeneratorFailed(ProviderError):
    """The values cannot be made; `retryable` says whether trying again soon may help."""

    kind = ErrorKind.DATA


class InvalidGenerator(ProviderError):
    """The generator cannot work as it is written: only an edit helps."""

    kind = ErrorKind.SPEC


class UnknownGenerator(InvalidGenerator):
    """A kind that this operator does not have."""
