"""How workload kinds are written: a few defaults, and the refusal of what no cluster would take."""

from __future__ import annotations

from typing import Any, Final

from eso_core.testing.apiserver.builtin.strategies import BuiltinStrategy, WithStatusStrategy
from eso_core.testing.apiserver.errors import FieldError
from eso_core.testing.apiserver.resources import Version
from eso_core.testing.apiserver.schema import causes
from eso_core.testing.apiserver.strategy import Call

__all__ = ["StoredStrategy", "WorkloadStrategy"]

JsonObject = dict[str, Any]

_REPLICATED: Final = frozenset({"Deployment", "StatefulSet", "ReplicaSet"})
_SELECTING: Final = _REPLICATED | {"DaemonSet"}
_MISMATCH: Final = "`selector` does not match template `labels`"


class StoredStrategy(BuiltinStrategy):
    """A kind without status that is kept as it is written."""


class WorkloadStrategy(WithStatusStrategy):
    """A kind with status. Nothing acts on its objects: controllers and tests write the status."""

    def default(self, version: Version, obj: JsonObject) -> None:
        spec = obj.get("spec")
        if not isinstance(spec, dict):
            return
        if self.kind in _REPLICATED and spec.get("replicas") is None:
            spec["replicas"] = 1
        if self.kind == "Service":
            spec["type"] = spec.get("type") or "ClusterIP"
            _default_protocols(spec)
            return
        pods = spec if self.kind == "Pod" else (spec.get("template") or {}).get("spec")
        if self.kind == "Pod" or self.kind in _SELECTING:
            for container in (pods or {}).get("containers") or ():
                _default_protocols(container)

    def prepare_create(self, call: Call, obj: JsonObject) -> None:
        super().prepare_create(call, obj)
        if self.kind == "Pod":
            obj["status"] = {"phase": "Pending"}

    def validate_create(self, call: Call, obj: JsonObject) -> list[FieldError]:
        return super().validate_create(call, obj) + self._spec_errors(obj)

    def validate_update(self, call: Call, obj: JsonObject, old: JsonObject) -> list[FieldError]:
        found = super().validate_update(call, obj, old)
        return found if call.subresource == "status" else found + self._spec_errors(obj)

    def _spec_errors(self, obj: JsonObject) -> list[FieldError]:
        spec = obj.get("spec") or {}
        if self.kind == "Pod":
            return _container_errors(spec, "spec")
        if self.kind not in _SELECTING:
            return []
        found: list[FieldError] = []
        template = spec.get("template") or {}
        selector = spec.get("selector") or {}
        wanted = selector.get("matchLabels") or {}
        labels = (template.get("metadata") or {}).get("labels") or {}
        if not wanted and not selector.get("matchExpressions"):
            found.append(causes.required("spec.selector"))
        elif any(labels.get(key) != value for key, value in wanted.items()):
            found.append(causes.invalid("spec.template.metadata.labels", labels, _MISMATCH))
        return found + _container_errors(template.get("spec") or {}, "spec.template.spec")


def _default_protocols(owner: JsonObject) -> None:
    for port in owner.get("ports") or ():
        port["protocol"] = port.get("protocol") or "TCP"


def _container_errors(spec: JsonObject, path: str) -> list[FieldError]:
    containers = spec.get("containers") or []
    if not containers:
        return [causes.required(f"{path}.containers")]
    return [
        causes.required(f"{path}.containers[{index}].{field}")
        for index, container in enumerate(containers)
        for field in ("name", "image")
        if not container.get(field)
    ]
