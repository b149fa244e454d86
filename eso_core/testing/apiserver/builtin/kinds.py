"""The built-in resources: what each is called, which verbs it has, how it is written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from eso_core.testing.apiserver.builtin import schemas
from eso_core.testing.apiserver.builtin.strategies import (
    BindingStrategy,
    BuiltinStrategy,
    CustomResourceDefinitionStrategy,
    EventsEventStrategy,
    EventStrategy,
    NamespaceStrategy,
    SecretStrategy,
    WithStatusStrategy,
)
from eso_core.testing.apiserver.builtin.webhooks import WebhookConfigurationStrategy
from eso_core.testing.apiserver.builtin.workloads import StoredStrategy, WorkloadStrategy
from eso_core.testing.apiserver.resources import ALL_VERBS, ResourceRegistry, ResourceType, SubResource, Version

JsonObject = dict[str, Any]

_WITHOUT_COLLECTION: Final = tuple(verb for verb in ALL_VERBS if verb != "deletecollection")
_STATUS: Final = SubResource("status", ("get", "patch", "update"))
_RBAC: Final = "rbac.authorization.k8s.io"
_ADMISSION: Final = "admissionregistration.k8s.io"


@dataclass(frozen=True, slots=True)
class _Kind:
    group: str
    version: str
    plural: str
    kind: str
    strategy: type[BuiltinStrategy]
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    subresources: tuple[SubResource, ...] = ()
    generation: bool = False
    create_on_update: bool = False
    delete_returns_object: bool = False
    unconditional_update: bool = True
    path: str = ""
    options: dict[str, Any] = field(default_factory=dict)


_KINDS: Final = (
    _Kind("", "v1", "configmaps", "ConfigMap", BuiltinStrategy, short_names=("cm",)),
    _Kind("", "v1", "events", "Event", EventStrategy, short_names=("ev",), create_on_update=True),
    _Kind("", "v1", "limitranges", "LimitRange", BuiltinStrategy, short_names=("limits",)),
    _Kind(
        "",
        "v1",
        "namespaces",
        "Namespace",
        NamespaceStrategy,
        namespaced=False,
        short_names=("ns",),
        verbs=_WITHOUT_COLLECTION,
        subresources=(SubResource("finalize", ("update",)), _STATUS),
        delete_returns_object=True,
    ),
    _Kind(
        "",
        "v1",
        "resourcequotas",
        "ResourceQuota",
        WithStatusStrategy,
        short_names=("quota",),
        subresources=(_STATUS,),
    ),
    _Kind("", "v1", "secrets", "Secret", SecretStrategy),
    _Kind(
        "",
        "v1",
        "serviceaccounts",
        "ServiceAccount",
        BuiltinStrategy,
        short_names=("sa",),
        subresources=(SubResource("token", ("create",), "TokenRequest", "authentication.k8s.io", "v1"),),
        delete_returns_object=True,
    ),
    _Kind(
        "events.k8s.io",
        "v1",
        "events",
        "Event",
        EventsEventStrategy,
        short_names=("ev",),
        create_on_update=True,
        path="events",
    ),
    _Kind(
        _RBAC,
        "v1",
        "clusterrolebindings",
        "ClusterRoleBinding",
        BindingStrategy,
        namespaced=False,
        create_on_update=True,
    ),
    _Kind(_RBAC, "v1", "clusterroles", "ClusterRole", BuiltinStrategy, namespaced=False, create_on_update=True),
    _Kind(_RBAC, "v1", "rolebindings", "RoleBinding", BindingStrategy, create_on_update=True),
    _Kind(_RBAC, "v1", "roles", "Role", BuiltinStrategy, create_on_update=True),
    _Kind(
        _ADMISSION,
        "v1",
        "mutatingwebhookconfigurations",
        "MutatingWebhookConfiguration",
        WebhookConfigurationStrategy,
        namespaced=False,
        categories=("api-extensions",),
        generation=True,
    ),
    _Kind(
        _ADMISSION,
        "v1",
        "validatingwebhookconfigurations",
        "ValidatingWebhookConfiguration",
        WebhookConfigurationStrategy,
        namespaced=False,
        categories=("api-extensions",),
        generation=True,
    ),
    _Kind(
        "apiextensions.k8s.io",
        "v1",
        "customresourcedefinitions",
        "CustomResourceDefinition",
        CustomResourceDefinitionStrategy,
        namespaced=False,
        short_names=("crd", "crds"),
        categories=("api-extensions",),
        subresources=(_STATUS,),
        generation=True,
        unconditional_update=False,
        delete_returns_object=False,
    ),
    _Kind(
        "coordination.k8s.io",
        "v1",
        "leases",
        "Lease",
        BuiltinStrategy,
        create_on_update=True,
        unconditional_update=False,
    ),
)

_WORKLOADS: Final = (
    _Kind("", "v1", "pods", "Pod", WorkloadStrategy, short_names=("po",), categories=("all",), subresources=(_STATUS,)),
    _Kind(
        "",
        "v1",
        "services",
        "Service",
        WorkloadStrategy,
        short_names=("svc",),
        categories=("all",),
        subresources=(_STATUS,),
    ),
    _Kind(
        "",
        "v1",
        "persistentvolumeclaims",
        "PersistentVolumeClaim",
        WorkloadStrategy,
        short_names=("pvc",),
        subresources=(_STATUS,),
    ),
    _Kind("", "v1", "endpoints", "Endpoints", StoredStrategy, short_names=("ep",)),
    _Kind("", "v1", "nodes", "Node", WorkloadStrategy, namespaced=False, short_names=("no",), subresources=(_STATUS,)),
    _Kind(
        "apps",
        "v1",
        "deployments",
        "Deployment",
        WorkloadStrategy,
        short_names=("deploy",),
        categories=("all",),
        subresources=(_STATUS,),
        generation=True,
    ),
    _Kind(
        "apps",
        "v1",
        "statefulsets",
        "StatefulSet",
        WorkloadStrategy,
        short_names=("sts",),
        categories=("all",),
        subresources=(_STATUS,),
        generation=True,
    ),
    _Kind(
        "apps",
        "v1",
        "daemonsets",
        "DaemonSet",
        WorkloadStrategy,
        short_names=("ds",),
        categories=("all",),
        subresources=(_STATUS,),
        generation=True,
    ),
    _Kind(
        "apps",
        "v1",
        "replicasets",
        "ReplicaSet",
        WorkloadStrategy,
        short_names=("rs",),
        categories=("all",),
        subresources=(_STATUS,),
        generation=True,
    ),
    _Kind(
        "batch", "v1", "jobs", "Job", WorkloadStrategy, categories=("all",), subresources=(_STATUS,), generation=True
    ),
    _Kind(
        "batch",
        "v1",
        "cronjobs",
        "CronJob",
        WorkloadStrategy,
        short_names=("cj",),
        categories=("all",),
        subresources=(_STATUS,),
        generation=True,
    ),
    _Kind(
        "networking.k8s.io",
        "v1",
        "ingresses",
        "Ingress",
        WorkloadStrategy,
        short_names=("ing",),
        subresources=(_STATUS,),
        generation=True,
    ),
    _Kind(
        "networking.k8s.io",
        "v1",
        "networkpolicies",
        "NetworkPolicy",
        StoredStrategy,
        short_names=("netpol",),
        generation=True,
    ),
    _Kind("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", StoredStrategy, generation=True),
    _Kind(
        "policy",
        "v1",
        "poddisruptionbudgets",
        "PodDisruptionBudget",
        WorkloadStrategy,
        short_names=("pdb",),
        subresources=(_STATUS,),
        generation=True,
    ),
)
"""Kinds that are stored and nothing more."""

BUILTIN_GROUPS: Final = (
    ("", "v1"),
    ("apiregistration.k8s.io", "v1"),
    ("events.k8s.io", "v1"),
    ("authentication.k8s.io", "v1"),
    ("authorization.k8s.io", "v1"),
    (_RBAC, "v1"),
    (_ADMISSION, "v1"),
    ("apiextensions.k8s.io", "v1"),
    ("coordination.k8s.io", "v1"),
    ("apps", "v1"),
    ("batch", "v1"),
    ("networking.k8s.io", "v1"),
    ("discovery.k8s.io", "v1"),
    ("policy", "v1"),
)
"""Group versions in the order of discovery."""


def register(registry: ResourceRegistry) -> None:
    """Serve the built-in resources."""
    for group, version in BUILTIN_GROUPS:
        if group != "apiregistration.k8s.io":
            registry.add_group_version(group, version)
    for kind in (*_KINDS, *_WORKLOADS):
        registry.add(_resource(kind))


def _resource(kind: _Kind) -> ResourceType:
    strategy = kind.strategy(kind.group, kind.version, kind.kind)
    strategy.unconditional_update = kind.unconditional_update
    status = any(sub.name == "status" for sub in kind.subresources)
    openapi = schemas.schema_for(kind.group, kind.version, kind.kind)
    return ResourceType(
        group=kind.group,
        plural=kind.plural,
        kind=kind.kind,
        namespaced=kind.namespaced,
        versions={kind.version: Version(kind.version, openapi, status=status)},
        storage_version=kind.version,
        strategy=strategy,
        path=kind.path or (f"{kind.group}/{kind.plural}" if kind.group else kind.plural),
        short_names=kind.short_names,
        categories=kind.categories,
        verbs=kind.verbs,
        subresources=kind.subresources,
        generation=kind.generation,
        create_on_update=kind.create_on_update,
        delete_returns_object=kind.delete_returns_object,
    )


__all__ = ["BUILTIN_GROUPS", "WithStatusStrategy", "register"]
