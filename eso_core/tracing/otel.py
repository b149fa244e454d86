"""Traces through OpenTelemetry (extra `tracing`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import propagate, trace
from opentelemetry.trace import Link, SpanContext, Status, StatusCode, TracerProvider

from eso_core.tracing import Attribute, Span
from eso_core.version import __version__

__all__ = ["OpenTelemetryTracer"]


class _Span:
    __slots__ = ("_span",)

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def set(self, name: str, value: Attribute) -> None:
        self._span.set_attribute(name, value)

    def fail(self, error: BaseException) -> None:
        # An error's text may quote a request or an object; its class says what kind of trouble it was.
        self._span.set_attribute("error.type", type(error).__name__)
        self._span.set_status(Status(StatusCode.ERROR))


class OpenTelemetryTracer:
    """A `Tracer` on an OpenTelemetry provider.

    Args:
        provider: the global one by default, which OpenTelemetry's SDK and its environment variables configure.
    """

    def __init__(self, provider: TracerProvider | None = None) -> None:
        self._tracer = trace.get_tracer("eso_core", __version__, tracer_provider=provider)

    @contextmanager
    def span(self, name: str, attributes: Mapping[str, Attribute], *, link: object | None = None) -> Iterator[Span]:
        """See `Tracer.span`."""
        links = [Link(link)] if isinstance(link, SpanContext) else None
        with self._tracer.start_as_current_span(
            name, attributes=dict(attributes), links=links, record_exception=False, set_status_on_exception=False
        ) as span:
            wrapped = _Span(span)
            try:
                yield wrapped
            except BaseException as error:
                wrapped.fail(error)
                raise

    def here(self) -> object | None:
        """See `Tracer.here`."""
        context = trace.get_current_span().get_span_context()
        return context if context.is_valid else None

    def exemplar(self) -> Mapping[str, str] | None:
        """See `Tracer.exemplar`."""
        context = trace.get_current_span().get_span_context()
        if not context.is_valid or not context.trace_flags.sampled:
            return None
        return {"trace_id": trace.format_trace_id(context.trace_id), "span_id": trace.format_span_id(context.span_id)}

    def headers(self) -> Mapping[str, str]:
        """See `Tracer.headers`."""
        carrier: dict[str, str] = {}
        propagate.inject(carrier)
        return carrier
