"""Kinds that every cluster serves the same way, so that using them needs no discovery."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from eso_core.meta.gvk import GVK, GVR, ResourceInfo

__all__ = [
    "API_SERVICE",
    "CLUSTER_ROLE",
    "CLUSTER_ROLE_BINDING",
    "CONFIG_MAP",
    "CRD",
    "DEPLOYMENT",
    "EVENT",
    "EVENT_V1",
    "LEASE",
    "MUTATING_WEBHOOK",
    "NAMESPACE",
    "NODE",
    "POD",
    "RESOURCES",
    "ROLE",
    "ROLE_BINDING",
    "SECRET",
    "SELF_SUBJECT_ACCESS_REVIEW",
    "SELF_SUBJECT_REVIEW",
    "SERVICE",
    "SERVICE_ACCOUNT",
    "SUBJECT_ACCESS_REVIEW",
    "TOKEN_REVIEW",
    "VALIDATING_WEBHOOK",
    "info",
]

_RBAC = "rbac.authorization.k8s.io"
_ADMISSION = "admissionregistration.k8s.io"

SECRET = GVK("", "v1", "Secret")
CONFIG_MAP = GVK("", "v1", "ConfigMap")
NAMESPACE = GVK("", "v1", "Namespace")
SERVICE_ACCOUNT = GVK("", "v1", "ServiceAccount")
EVENT = GVK("", "v1", "Event")
EVENT_V1 = GVK("events.k8s.io", "v1", "Event")
POD = GVK("", "v1", "Pod")
NODE = GVK("", "v1", "Node")
SERVICE = GVK("", "v1", "Service")
DEPLOYMENT = GVK("apps", "v1", "Deployment")
LEASE = GVK("coordination.k8s.io", "v1", "Lease")
CRD = GVK("apiextensions.k8s.io", "v1", "CustomResourceDefinition")
API_SERVICE = GVK("apiregistration.k8s.io", "v1", "APIService")
VALIDATING_WEBHOOK = GVK(_ADMISSION, "v1", "ValidatingWebhookConfiguration")
MUTATING_WEBHOOK = GVK(_ADMISSION, "v1", "MutatingWebhookConfiguration")
ROLE = GVK(_RBAC, "v1", "Role")
ROLE_BINDING = GVK(_RBAC, "v1", "RoleBinding")
CLUSTER_ROLE = GVK(_RBAC, "v1", "ClusterRole")
CLUSTER_ROLE_BINDING = GVK(_RBAC, "v1", "ClusterRoleBinding")
TOKEN_REVIEW = GVK("authentication.k8s.io", "v1", "TokenReview")
SELF_SUBJECT_REVIEW = GVK("authentication.k8s.io", "v1", "SelfSubjectReview")
SUBJECT_ACCESS_REVIEW = GVK("authorization.k8s.io", "v1", "SubjectAccessReview")
SELF_SUBJECT_ACCESS_REVIEW = GVK("authorization.k8s.io", "v1", "SelfSubjectAccessReview")


def _entry(
    gvk: GVK,
    resource: str,
    namespaced: bool,
    short_names: tuple[str, ...] = (),
    subresources: tuple[str, ...] = (),
    categories: tuple[str, ...] = (),
) -> tuple[GVK, ResourceInfo]:
    return gvk, ResourceInfo(
        gvr=GVR(gvk.group, gvk.version, resource),
        namespaced=namespaced,
        singular=gvk.kind.lower(),
        short_names=short_names,
        kind=gvk.kind,
        categories=categories,
        subresources=subresources,
    )


RESOURCES: Mapping[GVK, ResourceInfo] = MappingProxyType(
    dict(
        (
            _entry(SECRET, "secrets", True),
            _entry(CONFIG_MAP, "configmaps", True, ("cm",)),
            _entry(NAMESPACE, "namespaces", False, ("ns",), ("status", "finalize")),
            _entry(SERVICE_ACCOUNT, "serviceaccounts", True, ("sa",), ("token",)),
            _entry(EVENT, "events", True, ("ev",)),
            _entry(EVENT_V1, "events", True, ("ev",)),
            _entry(POD, "pods", True, ("po",), ("status", "log", "eviction", "exec"), ("all",)),
            _entry(NODE, "nodes", False, ("no",), ("status",)),
            _entry(SERVICE, "services", True, ("svc",), ("status",), ("all",)),
            _entry(DEPLOYMENT, "deployments", True, ("deploy",), ("status", "scale"), ("all",)),
            _entry(LEASE, "leases", True),
            _entry(CRD, "customresourcedefinitions", False, ("crd", "crds"), ("status",), ("api-extensions",)),
            _entry(API_SERVICE, "apiservices", False, (), ("status",), ("api-extensions",)),
            _entry(VALIDATING_WEBHOOK, "validatingwebhookconfigurations", False, (), (), ("api-extensions",)),
            _entry(MUTATING_WEBHOOK, "mutatingwebhookconfigurations", False, (), (), ("api-extensions",)),
            _entry(ROLE, "roles", True),
            _entry(ROLE_BINDING, "rolebindings", True),
            _entry(CLUSTER_ROLE, "clusterroles", False),
            _entry(CLUSTER_ROLE_BINDING, "clusterrolebindings", False),
            _entry(TOKEN_REVIEW, "tokenreviews", False),
            _entry(SELF_SUBJECT_REVIEW, "selfsubjectreviews", False),
            _entry(SUBJECT_ACCESS_REVIEW, "subjectaccessreviews", False),
            _entry(SELF_SUBJECT_ACCESS_REVIEW, "selfsubjectaccessreviews", False),
        )
    )
)


def info(gvk: GVK) -> ResourceInfo | None:
    """How a well-known kind is served; ``None`` for any other kind."""
    return RESOURCES.get(gvk)
