"""The roles and bindings that exist from the start."""

from __future__ import annotations

from typing import Any, Final

JsonObject = dict[str, Any]

_LABEL: Final = {"kubernetes.io/bootstrapping": "rbac-defaults"}
_ANNOTATION: Final = {"rbac.authorization.kubernetes.io/autoupdate": "true"}
_GROUP: Final = "rbac.authorization.k8s.io"
_READ: Final = ["get", "list", "watch"]
_WRITE: Final = ["create", "delete", "deletecollection", "patch", "update"]
_CONTENT: Final = ["configmaps", "events", "secrets", "serviceaccounts"]
_HEALTH: Final = ["/healthz", "/livez", "/readyz", "/version", "/version/"]
_DOCUMENTS: Final = ["/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi", "/openapi/*", "/readyz"]


def _rule(group: str, resources: list[str], verbs: list[str]) -> JsonObject:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs}


def _role(name: str, *rules: JsonObject, aggregates: str = "", labels: dict[str, str] | None = None) -> JsonObject:
    metadata = {"name": name, "labels": {**_LABEL, **(labels or {})}, "annotations": _ANNOTATION}
    role: JsonObject = {"metadata": metadata, "rules": list(rules)}
    if aggregates:
        selector = {"matchLabels": {f"rbac.authorization.k8s.io/aggregate-to-{aggregates}": "true"}}
        role["aggregationRule"] = {"clusterRoleSelectors": [selector]}
    return role


def _part(name: str, *rules: JsonObject) -> JsonObject:
    return _role(f"system:aggregate-to-{name}", *rules, labels={f"{_GROUP}/aggregate-to-{name}": "true"})


def _binding(role: str, *groups: str) -> JsonObject:
    subjects = [{"apiGroup": _GROUP, "kind": "Group", "name": group} for group in groups]
    metadata = {"name": role, "labels": _LABEL, "annotations": _ANNOTATION}
    reference = {"apiGroup": _GROUP, "kind": "ClusterRole", "name": role}
    return {"metadata": metadata, "roleRef": reference, "subjects": subjects}


BOOTSTRAP_ROLES: Final = (
    _role("cluster-admin", _rule("*", ["*"], ["*"]), {"nonResourceURLs": ["*"], "verbs": ["*"]}),
    _role(
        "system:basic-user",
        _rule("authorization.k8s.io", ["selfsubjectaccessreviews", "selfsubjectrulesreviews"], ["create"]),
        _rule("authentication.k8s.io", ["selfsubjectreviews"], ["create"]),
    ),
    _role("system:discovery", {"nonResourceURLs": [*_DOCUMENTS, "/version", "/version/"], "verbs": ["get"]}),
    _role("system:public-info-viewer", {"nonResourceURLs": _HEALTH, "verbs": ["get"]}),
    _role("system:monitoring", {"nonResourceURLs": ["/metrics", *_HEALTH[:3]], "verbs": ["get"]}),
    _role(
        "system:auth-delegator",
        _rule("authentication.k8s.io", ["tokenreviews"], ["create"]),
        _rule("authorization.k8s.io", ["subjectaccessreviews"], ["create"]),
    ),
    _role(
        "system:service-account-issuer-discovery",
        {"nonResourceURLs": ["/.well-known/openid-configuration", "/openid/v1/jwks"], "verbs": ["get"]},
    ),
    _part(
        "admin",
        _rule("authorization.k8s.io", ["localsubjectaccessreviews"], ["create"]),
        _rule(_GROUP, ["rolebindings", "roles"], [*_WRITE, *_READ]),
    ),
    _part(
        "edit",
        _rule("", ["secrets"], _READ),
        _rule("", ["serviceaccounts"], ["impersonate"]),
        _rule("", ["serviceaccounts/token"], ["create"]),
        _rule("", _CONTENT, _WRITE),
        _rule("coordination.k8s.io", ["leases"], [*_WRITE, *_READ]),
    ),
    _part("view", _rule("", ["configmaps", "events", "namespaces", "serviceaccounts"], _READ)),
    _role("admin", aggregates="admin"),
    _role("edit", aggregates="edit", labels={f"{_GROUP}/aggregate-to-admin": "true"}),
    _role("view", aggregates="view", labels={f"{_GROUP}/aggregate-to-edit": "true"}),
)
BOOTSTRAP_BINDINGS: Final = (
    _binding("cluster-admin", "system:masters"),
    _binding("system:basic-user", "system:authenticated"),
    _binding("system:discovery", "system:authenticated"),
    _binding("system:public-info-viewer", "system:authenticated", "system:unauthenticated"),
    _binding("system:monitoring", "system:monitoring"),
    _binding("system:service-account-issuer-discovery", "system:serviceaccounts"),
)
