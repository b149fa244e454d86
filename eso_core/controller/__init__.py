"""Controllers: from events to reconciles.

A *source* produces events, *predicates* drop those of no interest, a *handler* says which keys an event concerns, the work
queue orders the keys, and *workers* call the *reconcile* function with a `Context` and a `Request`. Its `Result`, or its
exception, says when the key runs again.
"""

from eso_core.controller import predicates
from eso_core.controller.builder import ControllerBuilder, ControllerHost
from eso_core.controller.context import Context, Environment, current_context
from eso_core.controller.controller import Controller, Reconcile
from eso_core.controller.event import Event, EventKind
from eso_core.controller.handlers import (
    Enqueue,
    Handler,
    MapFunction,
    enqueue_indexed,
    enqueue_mapped,
    enqueue_object,
    enqueue_owner,
    event_priority,
)
from eso_core.controller.options import ControllerOptions
from eso_core.controller.predicates import Predicate
from eso_core.controller.result import ReconcileTimeout, Request, Result, StaleCache, TerminalError
from eso_core.controller.sources import Channel, EventSource, Func, KindSource, Ticker

__all__ = [
    "Channel",
    "Context",
    "Controller",
    "ControllerBuilder",
    "ControllerHost",
    "ControllerOptions",
    "Enqueue",
    "Environment",
    "Event",
    "EventKind",
    "EventSource",
    "Func",
    "Handler",
    "KindSource",
    "MapFunction",
    "Predicate",
    "Reconcile",
    "ReconcileTimeout",
    "Request",
    "Result",
    "StaleCache",
    "TerminalError",
    "Ticker",
    "current_context",
    "enqueue_indexed",
    "enqueue_mapped",
    "enqueue_object",
    "enqueue_owner",
    "event_priority",
    "predicates",
]
