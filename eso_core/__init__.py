"""A controller library for Kubernetes on asyncio: client, cache, work queue, controllers, manager.

The packages, from the ground up: ``aio`` (time and tasks), ``meta`` (names, selectors, errors), ``model`` (typed
resources), ``client`` (the API server), ``cache`` (informers), ``queue``, ``controller``, ``manager``, and ``builder`` (an
operator in one file). The names that most programs need are here too; they are imported when they are first used, so
``import eso_core`` costs nothing.
"""

from typing import TYPE_CHECKING

from eso_core.lazy import lazy_exports
from eso_core.version import __version__

if TYPE_CHECKING:
    from eso_core.builder import Operator
    from eso_core.client import Client, JsonPatch, MergePatch, create_or_update, finalize, load_config
    from eso_core.controller import (
        Context,
        Predicate,
        Request,
        Result,
        enqueue_indexed,
        enqueue_mapped,
        enqueue_object,
        enqueue_owner,
        predicates,
    )
    from eso_core.manager import LeaderElectionOptions, Manager, ManagerOptions, stop_on_signals
    from eso_core.meta import GVK, ObjectKey, ObjectMeta, Partial, find_condition, is_condition_true, set_condition
    from eso_core.meta.errors import AlreadyExists, Conflict, NotFound, StaleCache, TerminalError
    from eso_core.meta.owners import set_controller_reference
    from eso_core.meta.wellknown import CONFIG_MAP, DEPLOYMENT, NAMESPACE, POD, SECRET, SERVICE, SERVICE_ACCOUNT
    from eso_core.model import Model, Resource, crd_for

__all__ = [
    "CONFIG_MAP",
    "DEPLOYMENT",
    "GVK",
    "NAMESPACE",
    "POD",
    "SECRET",
    "SERVICE",
    "SERVICE_ACCOUNT",
    "AlreadyExists",
    "Client",
    "Conflict",
    "Context",
    "JsonPatch",
    "LeaderElectionOptions",
    "Manager",
    "ManagerOptions",
    "MergePatch",
    "Model",
    "NotFound",
    "ObjectKey",
    "ObjectMeta",
    "Operator",
    "Partial",
    "Predicate",
    "Request",
    "Resource",
    "Result",
    "StaleCache",
    "TerminalError",
    "__version__",
    "crd_for",
    "create_or_update",
    "enqueue_indexed",
    "enqueue_mapped",
    "enqueue_object",
    "enqueue_owner",
    "finalize",
    "find_condition",
    "is_condition_true",
    "load_config",
    "predicates",
    "set_condition",
    "set_controller_reference",
    "stop_on_signals",
]

#: Where each name lives; the types above say the same to type checkers.
_HOMES = {
    "AlreadyExists": "meta.errors",
    "CONFIG_MAP": "meta.wellknown",
    "Client": "client",
    "Conflict": "meta.errors",
    "Context": "controller",
    "DEPLOYMENT": "meta.wellknown",
    "GVK": "meta",
    "JsonPatch": "client",
    "LeaderElectionOptions": "manager",
    "Manager": "manager",
    "ManagerOptions": "manager",
    "MergePatch": "client",
    "Model": "model",
    "NAMESPACE": "meta.wellknown",
    "NotFound": "meta.errors",
    "ObjectKey": "meta",
    "ObjectMeta": "meta",
    "Operator": "builder",
    "POD": "meta.wellknown",
    "Partial": "meta",
    "Predicate": "controller",
    "Request": "controller",
    "Resource": "model",
    "Result": "controller",
    "SECRET": "meta.wellknown",
    "SERVICE": "meta.wellknown",
    "SERVICE_ACCOUNT": "meta.wellknown",
    "StaleCache": "meta.errors",
    "TerminalError": "meta.errors",
    "crd_for": "model",
    "create_or_update": "client",
    "enqueue_indexed": "controller",
    "enqueue_mapped": "controller",
    "enqueue_object": "controller",
    "enqueue_owner": "controller",
    "finalize": "client",
    "find_condition": "meta",
    "is_condition_true": "meta",
    "load_config": "client",
    "predicates": "controller",
    "set_condition": "meta",
    "set_controller_reference": "meta.owners",
    "stop_on_signals": "manager",
}


__getattr__ = lazy_exports(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted(__all__)
