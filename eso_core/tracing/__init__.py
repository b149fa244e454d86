"""Traces of reconciles and requests, for whoever gives a manager a `Tracer`.

`eso_core.tracing.otel.OpenTelemetryTracer` is one; it needs the extra `tracing`, and is the only module that imports
OpenTelemetry. Without a tracer nothing is made or imported: the runtime looks at one attribute.

What a trace shows: a span `reconcile CONTROLLER` for each reconcile, a span for each request to the API server below it, and
a link from the reconcile to the span of the event that put its key into the queue.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Protocol

__all__ = ["Attribute", "Span", "Tracer"]

Attribute = str | int | float | bool


class Span(Protocol):
    """One piece of work that is being done."""

    def set(self, name: str, value: Attribute) -> None:
        """Sets an attribute. Must not hold secret values, names of objects are fine."""
        ...

    def fail(self, error: BaseException) -> None:
        """Marks the work as failed; the error's class is kept, not its text."""
        ...


class Tracer(Protocol):
    """Makes spans. All methods are cheap, synchronous, and never raise."""

    def span(
        self, name: str, attributes: Mapping[str, Attribute], *, link: object | None = None
    ) -> AbstractContextManager[Span]:
        """A span around the block, below the one that is current; it is current itself inside of the block.

        Args:
            name: what is done.
            attributes: about what.
            link: the answer of `here()` in the work that caused this.
        """
        ...

    def here(self) -> object | None:
        """What a later span may link to: the current span, None when there is none."""
        ...

    def exemplar(self) -> Mapping[str, str] | None:
        """The labels `trace_id` and `span_id` of the current span for a metric's exemplar; None when it is not sampled."""
        ...

    def headers(self) -> Mapping[str, str]:
        """Headers that a request carries, so that spans of the other side are below the current one (`traceparent`)."""
        ...
