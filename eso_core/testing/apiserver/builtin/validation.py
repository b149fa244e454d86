"""What the server refuses in objects of built-in kinds, on create and on update.

Objects come decoded and defaulted, in the served version. Errors are listed as often as the server lists them: on
updates it checks metadata for every kind before it checks the kind.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from eso_core.testing.apiserver.builtin import validation_core as core
from eso_core.testing.apiserver.builtin import validation_events as events
from eso_core.testing.apiserver.builtin import validation_rbac as rbac
from eso_core.testing.apiserver.builtin.validation_meta import common_update_errors, metadata_errors
from eso_core.testing.apiserver.builtin.validation_names import path_segment_name
from eso_core.testing.apiserver.errors import FieldError

JsonObject = dict[str, Any]
CreateCheck = Callable[[JsonObject], list[FieldError]]
UpdateCheck = Callable[[JsonObject, JsonObject], list[FieldError]]

_CLUSTER_SCOPED: Final = frozenset(
    (
        "Namespace",
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "ValidatingWebhookConfiguration",
        "MutatingWebhookConfiguration",
        "APIService",
        "Node",
    )
)

_CHECKS: Final[dict[str, tuple[CreateCheck, UpdateCheck]]] = {
    "Secret": (core.secret_errors, core.secret_update_errors),
    "ConfigMap": (core.config_map_errors, core.config_map_update_errors),
    "ServiceAccount": (core.service_account_errors, core.service_account_update_errors),
    "Namespace": (core.namespace_errors, core.namespace_update_errors),
    "Lease": (core.lease_errors, core.lease_update_errors),
    "Event": (events.event_errors, events.event_update_errors),
    "Role": (partial(rbac.role_errors, namespaced=True), partial(rbac.role_update_errors, namespaced=True)),
    "ClusterRole": (partial(rbac.role_errors, namespaced=False), partial(rbac.role_update_errors, namespaced=False)),
    "RoleBinding": (
        partial(rbac.binding_errors, namespaced=True),
        partial(rbac.binding_update_errors, namespaced=True),
    ),
    "ClusterRoleBinding": (
        partial(rbac.binding_errors, namespaced=False),
        partial(rbac.binding_update_errors, namespaced=False),
    ),
}


def _generic_create(kind: str, obj: JsonObject) -> list[FieldError]:
    namespaced = kind not in _CLUSTER_SCOPED
    return metadata_errors(obj.get("metadata") or {}, namespaced=namespaced, name_rule=path_segment_name)


def validate_create(kind: str, obj: JsonObject) -> list[FieldError]:
    """Everything wrong with a new object of a built-in kind (``Secret``, ``Role``...).

    Kinds without rules of their own are held to those of all metadata.
    """
    checks = _CHECKS.get(kind)
    found = checks[0](obj) if checks is not None else core.object_errors(obj, namespaced=kind not in _CLUSTER_SCOPED)
    return found or _generic_create(kind, obj)


def validate_update(kind: str, new: JsonObject, old: JsonObject) -> list[FieldError]:
    """Everything wrong with the change of an object of a built-in kind from ``old`` to ``new``."""
    namespaced = kind not in _CLUSTER_SCOPED
    found = common_update_errors(new.get("metadata") or {}, old.get("metadata") or {}, namespaced=namespaced)
    checks = _CHECKS.get(kind)
    if checks is not None:
        return found + checks[1](new, old)
    return found + core.object_update_errors(new, old)
