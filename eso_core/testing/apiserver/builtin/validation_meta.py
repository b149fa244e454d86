"""Validation of object metadata, on its own and against its former state.

The server runs some of these checks more than once on an update and lists the errors as often, so callers combine
`metadata_errors` and `metadata_update_errors` in the order in which the server does.
"""

from __future__ import annotations

from typing import Any, Final

from eso_core.testing.apiserver.builtin.validation_names import (
    NameRule,
    label_name,
    label_value,
    path_segment_name,
    qualified_name,
)
from eso_core.testing.apiserver.errors import FieldError
from eso_core.testing.apiserver.schema import causes
from eso_core.testing.apiserver.schema.gotext import Rendered, quote, struct_json

JsonObject = dict[str, Any]

IMMUTABLE: Final = "field is immutable"
ANNOTATION_LIMIT: Final = 256 * 1024
"""Bytes of all annotation keys and values together."""

_STANDARD_FINALIZERS: Final = frozenset(("kubernetes", "orphan", "foregroundDeletion"))


def metadata_errors(
    metadata: JsonObject,
    *,
    namespaced: bool,
    name_rule: NameRule,
    path: str = "metadata",
) -> list[FieldError]:
    """Errors of the metadata of an object, whatever it was before."""
    errors: list[FieldError] = []
    prefix, name, namespace = (metadata.get(key) or "" for key in ("generateName", "name", "namespace"))
    if prefix:
        errors += [causes.invalid(f"{path}.generateName", prefix, text) for text in name_rule(prefix, True)]
    if not name:
        errors.append(causes.required(f"{path}.name", "name or generateName is required"))
    else:
        errors += [causes.invalid(f"{path}.name", name, text) for text in name_rule(name, False)]
    if namespaced:
        if not namespace:
            errors.append(causes.required(f"{path}.namespace"))
        else:
            errors += [causes.invalid(f"{path}.namespace", namespace, text) for text in label_name(namespace, False)]
    elif namespace:
        errors.append(causes.forbidden(f"{path}.namespace", "not allowed on this type"))
    generation = metadata.get("generation") or 0
    if generation < 0:
        errors.append(causes.invalid(f"{path}.generation", generation, "must be greater than or equal to 0"))
    errors += label_errors(metadata.get("labels") or {}, f"{path}.labels")
    errors += _annotation_errors(metadata.get("annotations") or {}, f"{path}.annotations")
    errors += _owner_errors(metadata.get("ownerReferences") or [], f"{path}.ownerReferences")
    errors += _finalizer_errors(metadata.get("finalizers") or [], f"{path}.finalizers")
    return errors + _managed_fields_errors(metadata.get("managedFields") or [], f"{path}.managedFields")


def metadata_update_errors(new: JsonObject, old: JsonObject, path: str = "metadata") -> list[FieldError]:
    """Errors of the change from ``old`` to ``new`` metadata."""
    errors: list[FieldError] = []
    if old.get("deletionTimestamp"):
        added = sorted(set(new.get("finalizers") or ()) - set(old.get("finalizers") or ()))
        if added:
            listed = ", ".join(map(quote, added))
            detail = (
                "no new finalizers can be added if the object is being deleted, "
                f"found new finalizers []string{{{listed}}}"
            )
            errors.append(causes.forbidden(f"{path}.finalizers", detail))
    if not new.get("resourceVersion"):
        errors.append(causes.invalid(f"{path}.resourceVersion", "", "must be specified for an update"))
    if (new.get("generation") or 0) < (old.get("generation") or 0):
        errors.append(causes.invalid(f"{path}.generation", new.get("generation") or 0, "must not be decremented"))
    for key in ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"):
        value, before = new.get(key), old.get(key)
        if (value or None) != (before or None):
            empty = "" if key in ("name", "namespace", "uid") else None
            errors.append(causes.invalid(f"{path}.{key}", empty if value is None else value, IMMUTABLE))
    errors += label_errors(new.get("labels") or {}, f"{path}.labels")
    errors += _annotation_errors(new.get("annotations") or {}, f"{path}.annotations")
    errors += _owner_errors(new.get("ownerReferences") or [], f"{path}.ownerReferences")
    return errors + _managed_fields_errors(new.get("managedFields") or [], f"{path}.managedFields")


def common_update_errors(new: JsonObject, old: JsonObject, *, namespaced: bool) -> list[FieldError]:
    """The errors that every update is checked for, before those of its kind."""
    errors = metadata_errors(new, namespaced=namespaced, name_rule=path_segment_name)
    return errors + metadata_update_errors(new, old)


def kube_finalizer_errors(finalizers: list[str], path: str = "metadata.finalizers") -> list[FieldError]:
    """Finalizers of built-in kinds must be standard ones or carry a domain."""
    return [
        causes.invalid(f"{path}[{index}]", name, "name is neither a standard finalizer name nor is it fully qualified")
        for index, name in enumerate(finalizers)
        if "/" not in name and name not in _STANDARD_FINALIZERS
    ]


def label_errors(labels: dict[str, str], path: str) -> list[FieldError]:
    """Errors of a map of labels."""
    errors: list[FieldError] = []
    for key, value in labels.items():
        errors += [causes.invalid(path, key, text) for text in qualified_name(key)]
        errors += [causes.invalid(path, value, text) for text in label_value(value)]
    return errors


def _annotation_errors(annotations: dict[str, str], path: str) -> list[FieldError]:
    errors = [causes.invalid(path, key, text) for key in annotations for text in qualified_name(key.lower())]
    if sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items()) > ANNOTATION_LIMIT:
        errors.append(causes.too_long(path, ANNOTATION_LIMIT))
    return errors


def _version_of(api_version: str) -> tuple[str, str]:
    """Group and version of an apiVersion; both empty if it has no meaning."""
    parts = api_version.split("/")
    if len(parts) == 1:
        return "", parts[0]
    return (parts[0], parts[1]) if len(parts) == 2 else ("", "")


def _owner_json(owner: JsonObject) -> Rendered:
    fields: JsonObject = {key: owner.get(key) or "" for key in ("apiVersion", "kind", "name", "uid")}
    fields |= {key: owner[key] for key in ("controller", "blockOwnerDeletion") if owner.get(key) is not None}
    return struct_json(fields)


def _owner_errors(owners: list[JsonObject], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    controller = ""
    for owner in owners:
        api_version = owner.get("apiVersion") or ""
        group, version = _version_of(api_version)
        if not version:
            errors.append(causes.invalid(f"{path}.apiVersion", api_version, "version must not be empty"))
        errors += [
            causes.invalid(f"{path}.{key}", "", "must not be empty")
            for key in ("kind", "name", "uid")
            if not owner.get(key)
        ]
        if (group, version, owner.get("kind")) == ("", "v1", "Event"):
            detail = "/v1, Kind=Event is disallowed from being an owner"
            errors.append(causes.invalid(path, _owner_json(owner), detail))
        if owner.get("controller"):
            this = f"{owner.get('kind') or ''}/{owner.get('name') or ''}"
            if controller:
                detail = (
                    'Only one reference can have Controller set to true. Found "true" in references for '
                    f"{controller} and {this}"
                )
                errors.append(causes.invalid(path, Rendered(f"[{','.join(map(_owner_json, owners))}]"), detail))
            else:
                controller = this
    return errors


def _finalizer_errors(finalizers: list[str], path: str) -> list[FieldError]:
    errors = [causes.invalid(path, name, text) for name in finalizers for text in qualified_name(name)]
    if "orphan" in finalizers and "foregroundDeletion" in finalizers:
        detail = "finalizer orphan and foregroundDeletion cannot be both set"
        errors.append(causes.invalid(path, finalizers, detail))
    return errors


def field_manager_errors(name: str, path: str) -> list[FieldError]:
    """Errors of a field manager's name: at most 128 bytes, all printable."""
    errors = [causes.too_long(path, 128)] if len(name.encode()) > 128 else []
    offset = 0
    for char in name:
        if not char.isprintable():
            detail = f"invalid character U+{ord(char):04X} (at position {offset})"
            errors.append(causes.invalid(path, name, detail))
        offset += len(char.encode())
    return errors


def _managed_fields_errors(entries: list[JsonObject], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, entry in enumerate(entries):
        where = f"{path}[{index}]"
        operation, kind = entry.get("operation") or "", entry.get("fieldsType") or ""
        if operation not in ("Apply", "Update"):
            errors.append(causes.invalid(f"{where}.operation", operation, "must be `Apply` or `Update`"))
        if kind and kind != "FieldsV1":
            errors.append(causes.invalid(f"{where}.fieldsType", kind, "must be `FieldsV1`"))
        errors += field_manager_errors(entry.get("manager") or "", f"{where}.manager")
        if len((entry.get("subresource") or "").encode()) > 256:
            errors.append(causes.too_long(f"{where}.subresource", 256))
    return errors
