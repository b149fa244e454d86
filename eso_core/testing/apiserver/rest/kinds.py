"""Whether an object of a built-in kind says what it is, and the refusals when it says something else."""

from __future__ import annotations

from typing import Any, Final

from eso_core.testing.apiserver.builtin import schemas
from eso_core.testing.apiserver.strategy import Call

JsonObject = dict[str, Any]

__all__ = ["OLDER_VERSIONS", "type_problem"]

OLDER_VERSIONS: Final = frozenset(
    {
        "admissionregistration.k8s.io/v1beta1",
        "apiextensions.k8s.io/v1beta1",
        "coordination.k8s.io/v1beta1",
        "events.k8s.io/v1beta1",
        "rbac.authorization.k8s.io/v1alpha1",
        "rbac.authorization.k8s.io/v1beta1",
    }
)
"""Versions that the original still reads but does not serve."""
# Kinds of the core group that the original knows though this server does not serve them.
_CORE_KINDS: Final = frozenset(
    [
        "Binding",
        "ComponentStatus",
        "Endpoints",
        "Node",
        "PersistentVolume",
        "PersistentVolumeClaim",
        "Pod",
        "PodTemplate",
        "ReplicationController",
        "Service",
    ]
)


def type_problem(call: Call, obj: JsonObject) -> str:
    """Why an object cannot be decoded as the kind of the request; empty when it can.

    A kind or version that is left out is taken from the request.
    """
    resource = call.resource
    kind = obj.get("kind") or resource.kind
    api_version = obj.get("apiVersion") or call.api_version
    if (kind == resource.kind and api_version == call.api_version) or api_version in OLDER_VERSIONS:
        return ""
    group, _, version = api_version.rpartition("/")
    if schemas.type_for(group, version, kind) is not None or (api_version == "v1" and kind in _CORE_KINDS):
        package = resource.group.split(".")[0] or "core"
        return f"converting ({version}.{kind}) to ({package}.{resource.kind}): unknown conversion"
    return f'no kind "{kind}" is registered for version "{api_version}" in scheme "pkg/runtime/scheme.go:111"'
