"""How the built-in kinds are written: what the server fills in, keeps and refuses."""

from __future__ import annotations

import base64
from typing import Any, Final

from eso_core.testing.apiserver import schema
from eso_core.testing.apiserver.builtin import schemas, validation
from eso_core.testing.apiserver.builtin.decode import WrongType, decode, normalize
from eso_core.testing.apiserver.builtin.tls import tls_warnings
from eso_core.testing.apiserver.builtin.validation_meta import common_update_errors
from eso_core.testing.apiserver.builtin.validation_warnings import builtin_warnings
from eso_core.testing.apiserver.errors import FieldError, StatusError, bad_request
from eso_core.testing.apiserver.resources import ResourceType, Version
from eso_core.testing.apiserver.storage.entry import Entry
from eso_core.testing.apiserver.strategy import Call, DecodeFailure, Strategy, lookup

JsonObject = dict[str, Any]

_RBAC: Final = "rbac.authorization.k8s.io"


class BuiltinStrategy(Strategy):
    """A built-in kind without peculiarities."""

    def __init__(self, group: str, version: str, kind: str) -> None:
        found = schemas.type_for(group, version, kind)
        if found is None:
            raise LookupError(f"serving {kind} of {group}/{version}: no type table declares it")
        self.type = found
        self.kind = kind

    def decode(self, version: Version, obj: JsonObject, *, patch: bool = False) -> list[str]:
        try:
            decoded, complaints = decode(self.type, obj)
        except WrongType as error:
            raise DecodeFailure(str(error)) from error
        obj.clear()
        obj.update(apiVersion=self.type.api_version, kind=self.kind)
        obj.update(decoded)
        obj.setdefault("metadata", {})
        return complaints

    def _normalize(self, obj: JsonObject) -> None:
        """Empty values as the server writes them, after it changed the object itself."""
        normal = normalize(self.type, obj)
        obj.clear()
        obj.update(normal)

    def validate_create(self, call: Call, obj: JsonObject) -> list[FieldError]:
        return validation.validate_create(self.kind, obj)

    def validate_update(self, call: Call, obj: JsonObject, old: JsonObject) -> list[FieldError]:
        return validation.validate_update(self.kind, obj, old)

    def warnings(self, call: Call, obj: JsonObject, old: JsonObject | None) -> list[str]:
        return builtin_warnings(self.kind, obj)


class WithStatusStrategy(BuiltinStrategy):
    """A kind with a status subresource: each side keeps what the other owns."""

    def prepare_create(self, call: Call, obj: JsonObject) -> None:
        obj.pop("status", None)

    def prepare_update(self, call: Call, obj: JsonObject, old: JsonObject) -> None:
        kept = "status" if call.subresource != "status" else "spec"
        if kept in old:
            obj[kept] = old[kept]
        else:
            obj.pop(kept, None)


class SecretStrategy(BuiltinStrategy):
    """Secrets: stringData is merged into data, the type defaults to Opaque."""

    labels: frozenset[str] = frozenset({"type"})

    def default(self, version: Version, obj: JsonObject) -> None:
        written = obj.pop("stringData", None)
        if written:
            data = dict(obj.get("data") or {})
            data.update({key: base64.b64encode(value.encode()).decode() for key, value in written.items()})
            obj["data"] = data
        if not obj.get("type"):
            obj["type"] = "Opaque"

    def warnings(self, call: Call, obj: JsonObject, old: JsonObject | None) -> list[str]:
        if obj.get("type") != "kubernetes.io/tls":
            return []
        data = obj.get("data") or {}
        return tls_warnings(data.get("tls.crt", ""), data.get("tls.key", ""))

    def field_labels(self, version: Version) -> frozenset[str]:
        return self.labels

    def unknown_label(self, key: str) -> StatusError:
        return bad_request(f"field label not supported: {key}")


class BindingStrategy(BuiltinStrategy):
    """RoleBindings and ClusterRoleBindings: API groups may be left out."""

    def default(self, version: Version, obj: JsonObject) -> None:
        reference = obj.get("roleRef")
        if isinstance(reference, dict) and not reference.get("apiGroup"):
            obj["roleRef"] = {"apiGroup": _RBAC, **{key: reference[key] for key in reference if key != "apiGroup"}}
        for subject in obj.get("subjects") or ():
            if subject.get("kind") in ("User", "Group") and not subject.get("apiGroup"):
                subject["apiGroup"] = _RBAC


class NamespaceStrategy(WithStatusStrategy):
    """Namespaces: phase, the ``kubernetes`` finalizer and the label with the name."""

    grace_period = None
    labels: frozenset[str] = frozenset({"status.phase", "name"})

    def default(self, version: Version, obj: JsonObject) -> None:
        name = obj["metadata"].get("name")
        if name:
            labels = dict(obj["metadata"].get("labels") or {})
            labels["kubernetes.io/metadata.name"] = name
            obj["metadata"]["labels"] = labels

    def prepare_create(self, call: Call, obj: JsonObject) -> None:
        spec = dict(obj.get("spec") or {})
        finalizers = list(spec.get("finalizers") or [])
        if "kubernetes" not in finalizers:
            finalizers.append("kubernetes")
        spec["finalizers"] = finalizers
        obj["spec"] = spec
        obj["status"] = {"phase": "Active"}
        self.default(call.version, obj)

    def prepare_update(self, call: Call, obj: JsonObject, old: JsonObject) -> None:
        if call.subresource == "finalize":
            obj["status"] = old.get("status", {})
            return
        if call.subresource == "status":
            obj["spec"] = old.get("spec", {})
            return
        obj["spec"] = old.get("spec", {})
        obj["status"] = old.get("status", {})
        self.default(call.version, obj)

    def holds_deletion(self, obj: JsonObject) -> bool:
        return bool((obj.get("spec") or {}).get("finalizers"))

    def after_delete_marked(self, obj: JsonObject) -> None:
        obj["status"] = {**(obj.get("status") or {}), "phase": "Terminating"}

    def field_labels(self, version: Version) -> frozenset[str]:
        return self.labels

    def unknown_label(self, key: str) -> StatusError:
        return bad_request(f"field label not supported: {key}")

    def field_value(self, obj: JsonObject, key: str) -> str:
        return lookup(obj, "metadata.name" if key == "name" else key)


class EventStrategy(BuiltinStrategy):
    """Core Events."""

    labels: frozenset[str] = frozenset(
        {
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        }
    )

    def field_labels(self, version: Version) -> frozenset[str]:
        return self.labels

    def field_value(self, obj: JsonObject, key: str) -> str:
        if key == "source":
            return lookup(obj, "source.component") or lookup(obj, "reportingComponent")
        return lookup(obj, key)

    def unknown_label(self, key: str) -> StatusError:
        return bad_request(f"field label not supported: {key}")


_TO_EVENTS: Final = {
    "involvedObject": "regarding",
    "message": "note",
    "reportingComponent": "reportingController",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
}
_TO_CORE: Final = {new: old for old, new in _TO_EVENTS.items()}


class EventsEventStrategy(EventStrategy):
    """Events of events.k8s.io: the same objects as core Events under other field names."""

    labels: frozenset[str] = frozenset(
        {
            "regarding.kind",
            "regarding.namespace",
            "regarding.name",
            "regarding.uid",
            "regarding.apiVersion",
            "regarding.resourceVersion",
            "regarding.fieldPath",
            "reason",
            "reportingController",
            "type",
        }
    )

    def __init__(self, group: str, version: str, kind: str) -> None:
        super().__init__(group, version, kind)
        core = schemas.type_for("", "v1", "Event")
        if core is None:
            raise LookupError("serving events.k8s.io: no type table declares core Events")
        self._core = core

    def field_labels(self, version: Version) -> frozenset[str]:
        return self.labels

    def field_value(self, obj: JsonObject, key: str) -> str:
        return lookup(obj, key)

    def read(self, resource: ResourceType, version: Version, entry: Entry) -> JsonObject:
        stored = entry.decode()
        stored["apiVersion"] = "events.k8s.io/v1"
        obj = {_TO_EVENTS.get(key, key): value for key, value in stored.items()}
        self._normalize(obj)
        return obj

    def body(self, resource: ResourceType, version: Version, entry: Entry) -> bytes | None:
        return None

    def store(self, resource: ResourceType, version: Version, obj: JsonObject) -> JsonObject:
        stored = {_TO_CORE.get(key, key): value for key, value in obj.items()} | {"apiVersion": "v1"}
        return normalize(self._core, stored)


class CustomResourceDefinitionStrategy(WithStatusStrategy):
    """Custom resource definitions. Deleting one leaves it there until its objects are gone."""

    grace_period = None

    def default(self, version: Version, obj: JsonObject) -> None:
        schema.default_crd(obj)

    def prepare_create(self, call: Call, obj: JsonObject) -> None:
        stored = schema.stored_versions(obj.get("spec") or {}, [])
        obj["status"] = {"conditions": None, "acceptedNames": {"plural": "", "kind": ""}, "storedVersions": stored}
        self._normalize(obj)

    def prepare_update(self, call: Call, obj: JsonObject, old: JsonObject) -> None:
        super().prepare_update(call, obj, old)
        if call.subresource != "status":
            status = dict(obj.get("status") or {})
            status["storedVersions"] = schema.stored_versions(obj.get("spec") or {}, status.get("storedVersions") or [])
            obj["status"] = status
        self._normalize(obj)

    def validate_create(self, call: Call, obj: JsonObject) -> list[FieldError]:
        return schema.validate_crd(obj)

    def validate_update(self, call: Call, obj: JsonObject, old: JsonObject) -> list[FieldError]:
        found = common_update_errors(obj["metadata"], old["metadata"], namespaced=False)
        if call.subresource == "status":
            return found
        return [*found, *schema.validate_crd(obj, old)]

    def deletion_finalizer(self) -> str:
        return "customresourcecleanup.apiextensions.k8s.io"

    def after_delete_marked(self, obj: JsonObject) -> None:
        status = dict(obj.get("status") or {})
        conditions = [item for item in status.get("conditions") or [] if item["type"] != "Terminating"]
        conditions.append(
            {
                "type": "Terminating",
                "status": "True",
                "lastTransitionTime": obj["metadata"]["deletionTimestamp"],
                "reason": "InstanceDeletionPending",
                "message": "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
            }
        )
        status["conditions"] = conditions
        obj["status"] = status
