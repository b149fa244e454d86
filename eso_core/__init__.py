"""A controller library for Kubernetes on asyncio: client, cache, work queue, controllers, manager.

The packages, from the ground up: ``aio`` (time and tasks), ``meta`` (names, selectors, errors), ``model`` (typed
resources), ``client`` (the API server), ``cache`` (informers), ``queue``, ``controller``, ``manager``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eso_core.builder import Context, Manager, Operator, Request, Result, StaleCache, TerminalError, predicates
    from eso_core.client import Client, load_config

__version__ = "0.1.0"

__all__ = [
    "Client",
    "Context",
    "Manager",
    "Operator",
    "Request",
    "Result",
    "StaleCache",
    "TerminalError",
    "__version__",
    "load_config",
    "predicates",
]

_FROM_CLIENT = frozenset({"Client", "load_config"})


def __getattr__(name: str) -> object:
    # Loaded on first use: whoever imports one package from below must not pay for all of them.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("eso_core.client" if name in _FROM_CLIENT else "eso_core.builder"), name)
