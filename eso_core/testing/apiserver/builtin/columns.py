"""Table columns and cells of the built-in kinds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from eso_core.testing.apiserver.builtin.columns_workloads import WORKLOAD_COLUMNS
from eso_core.testing.apiserver.http.table import AGE, NAME, UNKNOWN, Cells, TableView
from eso_core.testing.apiserver.resources import Column

JsonObject = dict[str, Any]

_RBAC: Final = "rbac.authorization.k8s.io"
_ADMISSION: Final = "admissionregistration.k8s.io"


def _column(name: str, description: str = "", *, priority: int = 0, kind: str = "string", form: str = "") -> Column:
    return Column(name, kind, format=form, description=description, priority=priority)


def _name(obj: JsonObject) -> str:
    text: str = obj["metadata"].get("name", "")
    return text


def _secret(obj: JsonObject, view: TableView) -> list[Any]:
    return [_name(obj), obj.get("type", ""), len(obj.get("data") or {}), view.age_cell(obj)]


def _config_map(obj: JsonObject, view: TableView) -> list[Any]:
    return [_name(obj), len(obj.get("data") or {}) + len(obj.get("binaryData") or {}), view.age_cell(obj)]


def _plain(obj: JsonObject, view: TableView) -> list[Any]:
    return [_name(obj), view.age_cell(obj)]


def _namespace(obj: JsonObject, view: TableView) -> list[Any]:
    return [_name(obj), (obj.get("status") or {}).get("phase", ""), view.age_cell(obj)]


def _lease(obj: JsonObject, view: TableView) -> list[Any]:
    return [_name(obj), (obj.get("spec") or {}).get("holderIdentity") or "", view.age_cell(obj)]


def _created(obj: JsonObject, view: TableView) -> list[Any]:
    return [_name(obj), obj["metadata"].get("creationTimestamp")]


def _binding(obj: JsonObject, view: TableView) -> list[Any]:
    reference = obj.get("roleRef") or {}
    found: dict[str, list[str]] = {"User": [], "Group": [], "ServiceAccount": []}
    for subject in obj.get("subjects") or []:
        name = subject.get("name", "")
        if subject.get("kind") == "ServiceAccount":
            name = f"{subject.get('namespace', '')}/{name}"
        found.setdefault(subject.get("kind", ""), []).append(name)
    role = f"{reference.get('kind', '')}/{reference.get('name', '')}"
    who = [", ".join(found[kind]) for kind in ("User", "Group", "ServiceAccount")]
    return [_name(obj), role, view.age_cell(obj), *who]


def _webhook(obj: JsonObject, view: TableView) -> list[Any]:
    return [_name(obj), len(obj.get("webhooks") or []), view.age_cell(obj)]


def _quota(obj: JsonObject, view: TableView) -> list[Any]:
    status, spec = obj.get("status") or {}, obj.get("spec") or {}
    used = status.get("used") or {}
    parts: dict[bool, list[str]] = {False: [], True: []}
    for name, limit in sorted((status.get("hard") or spec.get("hard") or {}).items()):
        parts[name.startswith("limits.")].append(f"{name}: {used.get(name, '0')}/{limit}")
    return [_name(obj), ", ".join(parts[False]), ", ".join(parts[True]), view.age_cell(obj)]


def _event(obj: JsonObject, view: TableView) -> list[Any]:
    series = obj.get("series") or {}
    first = obj.get("firstTimestamp") or obj.get("deprecatedFirstTimestamp") or obj.get("eventTime")
    last = series.get("lastObservedTime") or obj.get("lastTimestamp") or obj.get("deprecatedLastTimestamp") or first
    count = series.get("count") or obj.get("count") or obj.get("deprecatedCount") or 1
    target = obj.get("involvedObject") or obj.get("regarding") or {}
    message = obj.get("message") or obj.get("note") or ""
    return [
        view.time_cell(last),
        obj.get("type", ""),
        obj.get("reason", ""),
        f"{target.get('kind', '').lower()}/{target.get('name', '')}"
        if target.get("name")
        else target.get("kind", "").lower(),
        target.get("fieldPath", ""),
        _source(obj),
        message.strip(),
        view.time_cell(first),
        count,
        _name(obj),
    ]


def _source(obj: JsonObject) -> str:
    source = obj.get("source") or obj.get("deprecatedSource") or {}
    component = source.get("component") or obj.get("reportingComponent") or obj.get("reportingController") or ""
    host = source.get("host") or obj.get("reportingInstance") or ""
    return f"{component}, {host}" if component and host else component or host


_EVENT_COLUMNS: Final = (
    _column("Last Seen", "Time when this event was last observed"),
    _column("Type", "Type of the event"),
    _column("Reason", "Why the event was made"),
    _column("Object", "The object that the event is about"),
    _column("Subobject", "The part of the object", priority=1),
    _column("Source", "Who reported the event", priority=1),
    _column("Message", "What happened"),
    _column("First Seen", "Time when this event was first observed", priority=1),
    _column("Count", "How often it happened", priority=1),
    _column("Name", "Name of the event", priority=1, form="name"),
)
_BINDING_COLUMNS: Final = (
    NAME,
    _column("Role", "The role that is granted"),
    AGE,
    _column("Users", "Users in the binding", priority=1),
    _column("Groups", "Groups in the binding", priority=1),
    _column("ServiceAccounts", "Service accounts in the binding", priority=1),
)
_CREATED: Final = (NAME, _column("Created At", "When the object was created", kind="date"))

BUILTIN_COLUMNS: Final[dict[tuple[str, str], tuple[Sequence[Column], Cells]]] = {
    ("", "Secret"): ((NAME, _column("Type", "What the data means"), _column("Data", "Number of keys"), AGE), _secret),
    ("", "ConfigMap"): ((NAME, _column("Data", "Number of keys"), AGE), _config_map),
    ("", "ServiceAccount"): ((NAME, AGE), _plain),
    ("", "LimitRange"): (_CREATED, _created),
    ("", "ResourceQuota"): (
        (NAME, _column("Request", "Used and allowed"), _column("Limit", "Used and allowed limits"), AGE),
        _quota,
    ),
    ("", "Namespace"): ((NAME, _column("Status", "The phase of the namespace"), AGE), _namespace),
    ("", "Event"): (_EVENT_COLUMNS, _event),
    ("events.k8s.io", "Event"): (_EVENT_COLUMNS, _event),
    ("coordination.k8s.io", "Lease"): ((NAME, _column("Holder", "Who holds the lease"), AGE), _lease),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): (_CREATED, _created),
    (_RBAC, "Role"): (_CREATED, _created),
    (_RBAC, "ClusterRole"): (_CREATED, _created),
    (_RBAC, "RoleBinding"): (_BINDING_COLUMNS, _binding),
    (_RBAC, "ClusterRoleBinding"): (_BINDING_COLUMNS, _binding),
    (_ADMISSION, "ValidatingWebhookConfiguration"): (
        (NAME, _column("Webhooks", "Number of webhooks"), AGE),
        _webhook,
    ),
    (_ADMISSION, "MutatingWebhookConfiguration"): ((NAME, _column("Webhooks", "Number of webhooks"), AGE), _webhook),
    **WORKLOAD_COLUMNS,
}

__all__ = ["BUILTIN_COLUMNS", "UNKNOWN"]
