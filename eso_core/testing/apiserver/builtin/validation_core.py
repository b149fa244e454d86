"""Validation of Secrets, ConfigMaps, ServiceAccounts, Namespaces and Leases."""

from __future__ import annotations

import base64
import json
from typing import Any, Final

from eso_core.testing.apiserver.builtin.validation_meta import (
    IMMUTABLE,
    kube_finalizer_errors,
    metadata_errors,
    metadata_update_errors,
)
from eso_core.testing.apiserver.builtin.validation_names import (
    NameRule,
    config_key,
    label_name,
    qualified_name,
    subdomain_name,
)
from eso_core.testing.apiserver.errors import FieldError
from eso_core.testing.apiserver.http.gojson import json_problem
from eso_core.testing.apiserver.schema import causes

JsonObject = dict[str, Any]

DATA_LIMIT: Final = 1024 * 1024
"""Bytes of all values in one Secret or ConfigMap."""

_FROZEN: Final = "field is immutable when `immutable` is set"
_REDACTED: Final = "<secret contents redacted>"
_SERVICE_ACCOUNT: Final = "kubernetes.io/service-account.name"


def object_errors(obj: JsonObject, *, namespaced: bool = True, rule: NameRule = subdomain_name) -> list[FieldError]:
    """Errors of the metadata of a built-in object."""
    metadata = obj.get("metadata") or {}
    errors = metadata_errors(metadata, namespaced=namespaced, name_rule=rule)
    return errors + kube_finalizer_errors(metadata.get("finalizers") or [])


def object_update_errors(new: JsonObject, old: JsonObject) -> list[FieldError]:
    """Errors of a change of a built-in object's metadata."""
    metadata = new.get("metadata") or {}
    errors = metadata_update_errors(metadata, old.get("metadata") or {})
    return errors + kube_finalizer_errors(metadata.get("finalizers") or [])


def decoded_size(value: str) -> int:
    """Bytes that a base64 text stands for."""
    return len(value.rstrip("=")) * 3 // 4


def secret_errors(obj: JsonObject) -> list[FieldError]:
    """Errors of a Secret: keys, size, and what its type requires."""
    data: dict[str, str] = obj.get("data") or {}
    errors = object_errors(obj)
    for key in data:
        errors += [causes.invalid(f"data[{key}]", key, text) for text in config_key(key)]
    if sum(map(decoded_size, data.values())) > DATA_LIMIT:
        errors.append(causes.too_long("data", DATA_LIMIT))
    return errors + _secret_type_errors(obj, data)


def _secret_type_errors(obj: JsonObject, data: dict[str, str]) -> list[FieldError]:
    def missing(*keys: str) -> list[FieldError]:
        return [causes.required(f"data[{key}]") for key in keys if key not in data]

    match obj.get("type") or "":
        case "kubernetes.io/service-account-token":
            annotations = (obj.get("metadata") or {}).get("annotations") or {}
            if annotations.get(_SERVICE_ACCOUNT):
                return []
            return [causes.required(f"metadata.annotations[{_SERVICE_ACCOUNT}]")]
        case "kubernetes.io/dockercfg":
            return missing(".dockercfg") or _json_errors(data, ".dockercfg")
        case "kubernetes.io/dockerconfigjson":
            return missing(".dockerconfigjson") or _json_errors(data, ".dockerconfigjson")
        case "kubernetes.io/basic-auth":
            absent = missing("username", "password")
            return absent if len(absent) == 2 else []
        case "kubernetes.io/ssh-auth":
            return [] if data.get("ssh-privatekey") else [causes.required("data[ssh-privatekey]")]
        case "kubernetes.io/tls":
            return missing("tls.crt", "tls.key")
    return []


def _json_errors(data: dict[str, str], key: str) -> list[FieldError]:
    """The value must be a JSON object. The error never shows it."""
    text = base64.b64decode(data[key])
    problem = json_problem(text)
    if not problem:
        value = json.loads(text)
        if value is None or isinstance(value, dict):
            return []
        kinds: dict[type, str] = {list: "array", str: "string", bool: "bool"}
        kind = kinds.get(type(value), "number")
        problem = f"json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}"
    return [causes.invalid(f"data[{key}]", _REDACTED, problem)]


def secret_update_errors(new: JsonObject, old: JsonObject) -> list[FieldError]:
    """Errors of a change of a Secret; an immutable one may change in its metadata only."""
    errors = object_update_errors(new, old)
    if new.get("type") != old.get("type"):
        errors.append(causes.invalid("type", new.get("type") or "", IMMUTABLE))
    return errors + _frozen_errors(new, old, "data") + secret_errors(new)


def _frozen_errors(new: JsonObject, old: JsonObject, *fields: str) -> list[FieldError]:
    if not old.get("immutable"):
        return []
    errors = [] if new.get("immutable") else [causes.forbidden("immutable", _FROZEN)]
    changed = (field for field in fields if (new.get(field) or {}) != (old.get(field) or {}))
    return errors + [causes.forbidden(field, _FROZEN) for field in changed]


def config_map_errors(obj: JsonObject) -> list[FieldError]:
    """Errors of a ConfigMap: keys, keys in both maps, size."""
    data: dict[str, str] = obj.get("data") or {}
    binary: dict[str, str] = obj.get("binaryData") or {}
    errors = object_errors(obj)
    for key in data:
        errors += [causes.invalid(f"data[{key}]", key, text) for text in config_key(key)]
        if key in binary:
            errors.append(causes.invalid(f"data[{key}]", key, "duplicate of key present in binaryData"))
    for key in binary:
        errors += [causes.invalid(f"binaryData[{key}]", key, text) for text in config_key(key)]
    size = sum(len(value.encode()) for value in data.values()) + sum(map(decoded_size, binary.values()))
    if size > DATA_LIMIT:
        # The server means the object as a whole and prints an empty path like this.
        errors.append(causes.too_long("[]", DATA_LIMIT))
    return errors


def config_map_update_errors(new: JsonObject, old: JsonObject) -> list[FieldError]:
    """Errors of a change of a ConfigMap; an immutable one may change in its metadata only."""
    errors = object_update_errors(new, old) + _frozen_errors(new, old, "data", "binaryData")
    return errors + config_map_errors(new)


def service_account_errors(obj: JsonObject) -> list[FieldError]:
    """Errors of a ServiceAccount."""
    return object_errors(obj)


def service_account_update_errors(new: JsonObject, old: JsonObject) -> list[FieldError]:
    """Errors of a change of a ServiceAccount."""
    return object_update_errors(new, old) + object_errors(new)


def namespace_errors(obj: JsonObject) -> list[FieldError]:
    """Errors of a Namespace."""
    errors = object_errors(obj, namespaced=False, rule=label_name)
    finalizers: list[str] = (obj.get("spec") or {}).get("finalizers") or []
    for name in finalizers:
        complaints = qualified_name(name)
        errors += [causes.invalid("spec.finalizers", name, text) for text in complaints]
        if not complaints:
            errors += [
                FieldError(error.reason, "spec.finalizers", error.message)
                for error in kube_finalizer_errors([name], "spec.finalizers")
            ]
    return errors


def namespace_update_errors(new: JsonObject, old: JsonObject) -> list[FieldError]:
    """Errors of a change of a Namespace."""
    return object_update_errors(new, old)


def lease_errors(obj: JsonObject) -> list[FieldError]:
    """Errors of a Lease."""
    return object_errors(obj) + _lease_spec_errors(obj.get("spec") or {})


def lease_update_errors(new: JsonObject, old: JsonObject) -> list[FieldError]:
    """Errors of a change of a Lease."""
    return object_update_errors(new, old) + _lease_spec_errors(new.get("spec") or {})


def _lease_spec_errors(spec: JsonObject) -> list[FieldError]:
    errors: list[FieldError] = []
    seconds, transitions = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
    if seconds is not None and seconds <= 0:
        errors.append(causes.invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0"))
    if transitions is not None and transitions < 0:
        errors.append(causes.invalid("spec.leaseTransitions", transitions, "must be greater than or equal to 0"))
    if spec.get("preferredHolder") and not spec.get("strategy"):
        errors.append(causes.forbidden("spec.preferredHolder", "may only be specified if `strategy` is defined"))
    return errors
