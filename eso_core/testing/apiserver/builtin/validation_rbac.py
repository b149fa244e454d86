"""Validation of roles and role bindings."""

from __future__ import annotations

from typing import Any, Final

from eso_core.testing.apiserver.builtin.validation_core import object_errors, object_update_errors
from eso_core.testing.apiserver.builtin.validation_meta import label_errors
from eso_core.testing.apiserver.builtin.validation_names import path_segment_name, qualified_name, subdomain_name
from eso_core.testing.apiserver.errors import FieldError
from eso_core.testing.apiserver.schema import causes
from eso_core.testing.apiserver.schema.gotext import struct_json

JsonObject = dict[str, Any]

GROUP: Final = "rbac.authorization.k8s.io"


def role_errors(obj: JsonObject, *, namespaced: bool) -> list[FieldError]:
    """Errors of a Role or ClusterRole."""
    errors = object_errors(obj, namespaced=namespaced, rule=path_segment_name)
    for index, rule in enumerate(obj.get("rules") or []):
        errors += _rule_errors(rule, f"rules[{index}]", namespaced=namespaced)
    aggregation = obj.get("aggregationRule")
    if aggregation is not None and not namespaced:
        errors += _aggregation_errors(aggregation)
    return errors


def role_update_errors(new: JsonObject, old: JsonObject, *, namespaced: bool) -> list[FieldError]:
    """Errors of a change of a Role or ClusterRole."""
    return role_errors(new, namespaced=namespaced) + object_update_errors(new, old)


def _rule_errors(rule: JsonObject, path: str, *, namespaced: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    if not rule.get("verbs"):
        errors.append(causes.required(f"{path}.verbs", "verbs must contain at least one value"))
    urls = rule.get("nonResourceURLs")
    if urls:
        where = f"{path}.nonResourceURLs"
        if namespaced:
            errors.append(causes.invalid(where, urls, "namespaced rules cannot apply to non-resource URLs"))
        if rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
            detail = "rules cannot apply to both regular resources and non-resource URLs"
            errors.append(causes.invalid(where, urls, detail))
        return errors
    if not rule.get("apiGroups"):
        errors.append(causes.required(f"{path}.apiGroups", "resource rules must supply at least one api group"))
    if not rule.get("resources"):
        errors.append(causes.required(f"{path}.resources", "resource rules must supply at least one resource"))
    return errors


def _aggregation_errors(aggregation: JsonObject) -> list[FieldError]:
    path = "aggregationRule.clusterRoleSelectors"
    selectors = aggregation.get("clusterRoleSelectors") or []
    if not selectors:
        return [causes.required(path, "at least one clusterRoleSelector required if aggregationRule is non-nil")]
    errors: list[FieldError] = []
    for index, selector in enumerate(selectors):
        errors += selector_errors(selector, f"{path}[{index}]")
    return errors


def selector_errors(selector: JsonObject, path: str) -> list[FieldError]:
    """Errors of a label selector."""
    errors = label_errors(selector.get("matchLabels") or {}, f"{path}.matchLabels")
    for index, requirement in enumerate(selector.get("matchExpressions") or []):
        where = f"{path}.matchExpressions[{index}]"
        operator, values, key = (
            requirement.get("operator") or "",
            requirement.get("values"),
            requirement.get("key") or "",
        )
        if operator in ("In", "NotIn"):
            if not values:
                detail = "must be specified when `operator` is 'In' or 'NotIn'"
                errors.append(causes.required(f"{where}.values", detail))
        elif operator in ("Exists", "DoesNotExist"):
            if values:
                detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                errors.append(causes.forbidden(f"{where}.values", detail))
        else:
            errors.append(causes.invalid(f"{where}.operator", operator, "not a valid selector operator"))
        errors += [causes.invalid(f"{where}.key", key, text) for text in qualified_name(key)]
    return errors


def binding_errors(obj: JsonObject, *, namespaced: bool) -> list[FieldError]:
    """Errors of a RoleBinding or ClusterRoleBinding."""
    errors = object_errors(obj, namespaced=namespaced, rule=path_segment_name)
    role = obj.get("roleRef") or {}
    group, kind, name = (role.get(key) or "" for key in ("apiGroup", "kind", "name"))
    if group != GROUP:
        errors.append(causes.not_supported("roleRef.apiGroup", group, [GROUP]))
    kinds = ["Role", "ClusterRole"] if namespaced else ["ClusterRole"]
    if kind not in kinds:
        errors.append(causes.not_supported("roleRef.kind", kind, kinds))
    if not name:
        errors.append(causes.required("roleRef.name"))
    else:
        errors += [causes.invalid("roleRef.name", name, text) for text in path_segment_name(name, False)]
    for index, subject in enumerate(obj.get("subjects") or []):
        errors += _subject_errors(subject, f"subjects[{index}]", namespaced=namespaced)
    return errors


def _subject_errors(subject: JsonObject, path: str, *, namespaced: bool) -> list[FieldError]:
    kind, name, group = (subject.get(key) or "" for key in ("kind", "name", "apiGroup"))
    errors = [] if name else [causes.required(f"{path}.name")]
    match kind:
        case "ServiceAccount":
            if name:
                errors += [causes.invalid(f"{path}.name", name, text) for text in subdomain_name(name, False)]
            if group:
                errors.append(causes.not_supported(f"{path}.apiGroup", group, [""]))
            if not namespaced and not subject.get("namespace"):
                errors.append(causes.required(f"{path}.namespace"))
        case "User" | "Group":
            if group != GROUP:
                errors.append(causes.not_supported(f"{path}.apiGroup", group, [GROUP]))
        case _:
            errors.append(causes.not_supported(f"{path}.kind", kind, ["ServiceAccount", "User", "Group"]))
    return errors


def binding_update_errors(new: JsonObject, old: JsonObject, *, namespaced: bool) -> list[FieldError]:
    """Errors of a change of a binding, whose role is fixed."""
    errors = binding_errors(new, namespaced=namespaced) + object_update_errors(new, old)
    role, before = new.get("roleRef") or {}, old.get("roleRef") or {}
    if role != before:
        names = {"APIGroup": "apiGroup", "Kind": "kind", "Name": "name"}
        shown = struct_json({go: role.get(name) or "" for go, name in names.items()})
        errors.append(causes.invalid("roleRef", shown, "cannot change roleRef"))
    return errors
