"""A controller library for Kubernetes on asyncio: client, cache, work queue, controllers, manager.

The packages, from the ground up: ``aio`` (time and tasks), ``meta`` (names, selectors, errors), ``model`` (typed
resources), ``client`` (the API server), ``cache`` (informers), ``queue``, ``controller``, ``manager``, and ``builder`` (an
operator in one file). The names that most programs need are here too; they are imported when they are first used, so
``import eso_core`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from eso_core.version import __version__

if TYPE_CHECKING:
    from eso_core.builder import Operator
    from eso_core.client import Client, load_config
    from eso_core.controller import Context, Request, Result, TerminalError
    from eso_core.manager import Manager, ManagerOptions
    from eso_core.meta import GVK, ObjectKey, Partial
    from eso_core.model import Resource

__all__ = [
    "GVK",
    "Client",
    "Context",
    "Manager",
    "ManagerOptions",
    "ObjectKey",
    "Operator",
    "Partial",
    "Request",
    "Resource",
    "Result",
    "TerminalError",
    "__version__",
    "load_config",
]

_HOMES = {
    "GVK": "meta",
    "Client": "client",
    "Context": "controller",
    "Manager": "manager",
    "ManagerOptions": "manager",
    "ObjectKey": "meta",
    "Operator": "builder",
    "Partial": "meta",
    "Request": "controller",
    "Resource": "model",
    "Result": "controller",
    "TerminalError": "controller",
    "load_config": "client",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'eso_core' has no attribute {name!r}")
    return getattr(import_module(f"eso_core.{home}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
