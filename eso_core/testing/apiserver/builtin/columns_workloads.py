"""Table columns and cells of the workload kinds that people look at most; the others show name and age."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from eso_core.testing.apiserver.http.table import AGE, NAME, Cells, TableView
from eso_core.testing.apiserver.resources import Column

__all__ = ["WORKLOAD_COLUMNS"]

JsonObject = dict[str, Any]


def _pod(obj: JsonObject, view: TableView) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    states = status.get("containerStatuses") or []
    ready = sum(1 for state in states if state.get("ready"))
    restarts = sum(state.get("restartCount") or 0 for state in states)
    shown = status.get("reason") or status.get("phase") or ""
    if obj["metadata"].get("deletionTimestamp"):
        shown = "Terminating"
    total = len(spec.get("containers") or [])
    return [obj["metadata"]["name"], f"{ready}/{total}", shown, str(restarts), view.age_cell(obj)]


def _deployment(obj: JsonObject, view: TableView) -> list[Any]:
    status = obj.get("status") or {}
    return [
        obj["metadata"]["name"],
        _ready(obj),
        status.get("updatedReplicas") or 0,
        status.get("availableReplicas") or 0,
        view.age_cell(obj),
    ]


def _ready(obj: JsonObject) -> str:
    wanted = (obj.get("spec") or {}).get("replicas") or 0
    return f"{(obj.get('status') or {}).get('readyReplicas') or 0}/{wanted}"


def _stateful_set(obj: JsonObject, view: TableView) -> list[Any]:
    return [obj["metadata"]["name"], _ready(obj), view.age_cell(obj)]


def _replica_set(obj: JsonObject, view: TableView) -> list[Any]:
    status = obj.get("status") or {}
    wanted = (obj.get("spec") or {}).get("replicas") or 0
    ready = status.get("readyReplicas") or 0
    return [obj["metadata"]["name"], wanted, status.get("replicas") or 0, ready, view.age_cell(obj)]


def _service(obj: JsonObject, view: TableView) -> list[Any]:
    spec = obj.get("spec") or {}
    ports = [_port(port) for port in spec.get("ports") or []]
    return [
        obj["metadata"]["name"],
        spec.get("type", ""),
        spec.get("clusterIP") or "<none>",
        spec.get("externalName") or ",".join(spec.get("externalIPs") or []) or "<none>",
        ",".join(ports) or "<none>",
        view.age_cell(obj),
    ]


def _port(port: JsonObject) -> str:
    outside = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port.get('port')}{outside}/{port.get('protocol') or 'TCP'}"


def _columns(*names: str, kind: str = "string") -> tuple[Column, ...]:
    return (NAME, *(Column(name, kind) for name in names), AGE)


WORKLOAD_COLUMNS: Final[dict[tuple[str, str], tuple[Sequence[Column], Cells]]] = {
    ("", "Pod"): (_columns("Ready", "Status", "Restarts"), _pod),
    ("", "Service"): (_columns("Type", "Cluster-IP", "External-IP", "Port(s)"), _service),
    ("apps", "Deployment"): (_columns("Ready", "Up-to-date", "Available"), _deployment),
    ("apps", "StatefulSet"): (_columns("Ready"), _stateful_set),
    ("apps", "ReplicaSet"): (_columns("Desired", "Current", "Ready", kind="integer"), _replica_set),
}
