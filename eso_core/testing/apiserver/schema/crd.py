"""What the server refuses in a CustomResourceDefinition, and what it fills in."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from eso_core.testing.apiserver.builtin.validation_names import dns_1035_label, dns_subdomain, subdomain_name
from eso_core.testing.apiserver.errors import FieldError
from eso_core.testing.apiserver.schema import causes
from eso_core.testing.apiserver.schema.crd_columns import (
    SELECTABLE_LIMIT,
    column_errors,
    deprecation_errors,
    selectable_errors,
    subresource_errors,
)
from eso_core.testing.apiserver.schema.crd_internal import InternalSpec, to_internal, versions_json
from eso_core.testing.apiserver.schema.crd_schema import schema_errors
from eso_core.testing.apiserver.schema.gotext import quote

JsonObject = dict[str, Any]

_APPROVAL: Final = "api-approved.kubernetes.io"
_REVIEW_VERSIONS: Final = ("v1", "v1beta1")
_WEBHOOK_PORT: Final = 443


def default_crd(crd: JsonObject) -> None:
    """Fill in what a CRD leaves out, in place: names, conversion, and the storage version in its status."""
    spec = crd.setdefault("spec", {})
    names = spec.setdefault("names", {})
    kind = names.get("kind") or ""
    if not names.get("singular") and kind:
        names["singular"] = kind.lower()
    if not names.get("listKind") and kind:
        names["listKind"] = f"{kind}List"
    conversion = spec.setdefault("conversion", {"strategy": "None"})
    service = ((conversion.get("webhook") or {}).get("clientConfig") or {}).get("service")
    if service is not None and service.get("port") is None:
        service["port"] = _WEBHOOK_PORT


def stored_versions(spec: JsonObject, before: list[str]) -> list[str]:
    """``status.storedVersions`` after a write: those before and the storage version."""
    stored = list(before)
    for version in spec.get("versions") or []:
        name = version.get("name") or ""
        if version.get("storage") and name not in stored:
            stored.append(name)
    return stored


def validate_crd(crd: JsonObject, old: JsonObject | None = None) -> list[FieldError]:
    """Everything wrong with a defaulted CRD; ``old`` is the stored one on an update.

    ``status.storedVersions`` must be up to date (see `stored_versions`). On updates the metadata is checked as an
    update too, but not by the rules for all kinds, which come before.
    """
    # Metadata rules word their errors with this package, so they can only be imported once it is there.
    from eso_core.testing.apiserver.builtin.validation_meta import metadata_errors, metadata_update_errors

    metadata, spec, status = crd.get("metadata") or {}, crd.get("spec") or {}, crd.get("status") or {}
    names = spec.get("names") or {}
    wanted = f"{names.get('plural') or ''}.{spec.get('group') or ''}"

    def name_rule(name: str, prefix: bool) -> list[str]:
        complaints = subdomain_name(name, prefix)
        return complaints if name == wanted else [*complaints, 'must be spec.names.plural+"."+spec.group']

    if old is None:
        errors = metadata_errors(metadata, namespaced=False, name_rule=name_rule)
    else:
        errors = metadata_update_errors(metadata, old.get("metadata") or {})
    errors += _spec_errors(spec, (old or {}).get("spec"))
    if old is not None:
        errors += _immutable_errors(spec, old)
    errors += _name_errors(status.get("acceptedNames") or {}, "status.acceptedNames")
    errors += _stored_version_errors(status.get("storedVersions") or [], spec.get("versions") or [])
    return errors + _approval_errors(crd, old) + _preserve_errors(spec, (old or {}).get("spec"))


def _spec_errors(spec: JsonObject, old: JsonObject | None) -> list[FieldError]:
    internal = to_internal(spec)
    group, scope = spec.get("group") or "", spec.get("scope") or ""
    errors: list[FieldError] = []
    if not group:
        errors.append(causes.required("spec.group"))
    elif complaints := dns_subdomain(group):
        errors.append(causes.invalid("spec.group", group, ",".join(complaints)))
    elif "." not in group:
        errors.append(causes.invalid("spec.group", group, "should be a domain with at least one dot"))
    errors += _one_of("spec.scope", scope, ["Cluster", "Namespaced"])
    if (internal.schema or {}).get("openAPIV3Schema") is None:
        errors += [
            causes.required(f"spec.versions[{index}].schema.openAPIV3Schema")
            for index, version in enumerate(internal.versions)
            if (version.schema or {}).get("openAPIV3Schema") is None
        ]
    errors += _version_errors(internal, old)
    names = spec.get("names") or {}
    errors += [
        causes.required(f"spec.names.{key}") for key in ("plural", "singular", "kind", "listKind") if not names.get(key)
    ]
    errors += _name_errors(names, "spec.names")
    errors += _lifted_errors(internal, old)
    return errors + _conversion_errors(spec.get("conversion"))


def _one_of(path: str, value: str, accepted: list[str]) -> list[FieldError]:
    if not value:
        return [causes.required(path)]
    return [] if value in accepted else [causes.not_supported(path, value, accepted)]


def _has_status(subresources: JsonObject | None) -> bool:
    return (subresources or {}).get("status") is not None


def _old_version(old: JsonObject | None, name: str) -> JsonObject:
    for version in (old or {}).get("versions") or []:
        if version.get("name") == name:
            found: JsonObject = version
            return found
    return {}


def _keeps_many(old: JsonObject | None, name: str, fields: list[JsonObject]) -> bool:
    before = _old_version(old, name).get("selectableFields") or []
    return len(before) > SELECTABLE_LIMIT and before == fields


def _version_errors(internal: InternalSpec, old: JsonObject | None) -> list[FieldError]:
    errors: list[FieldError] = []
    per_version = any(version.subresources is not None for version in internal.versions)
    for index, version in enumerate(internal.versions):
        where = f"spec.versions[{index}]"
        if complaints := dns_1035_label(version.name):
            errors.append(causes.invalid(f"{where}.name", version.name, ",".join(complaints)))
        errors += deprecation_errors(version.raw, where)
        status = _has_status(version.subresources if per_version else internal.subresources)
        unchanged = _old_version(old, version.name).get("schema") == version.schema
        errors += schema_errors(version.schema, f"{where}.schema", status=status, unchanged=unchanged)
        errors += subresource_errors(version.subresources, f"{where}.subresources")
        errors += column_errors(version.columns, f"{where}.additionalPrinterColumns")
        if version.selectable:
            schema = (version.schema or {}).get("openAPIV3Schema")
            path = f"{where}.selectableFields"
            if schema is None:
                detail = "may only be set when `version.schema.openAPIV3Schema` is not included"
                errors.append(causes.invalid(path, "", detail))
            else:
                keep = _keeps_many(old, version.name, version.selectable)
                errors += selectable_errors(version.selectable, schema, path, unlimited=keep)
    versions = internal.versions
    if len({version.name for version in versions}) != len(versions):
        errors.append(causes.invalid("spec.versions", versions_json(versions), "must contain unique version names"))
    if sum(bool(version.raw.get("storage")) for version in versions) != 1:
        detail = "must have exactly one version marked as storage version"
        errors.append(causes.invalid("spec.versions", versions_json(versions), detail))
    if internal.version and (complaints := dns_1035_label(internal.version)):
        errors.append(causes.invalid("spec.version", internal.version, ",".join(complaints)))
    return errors


def _lifted_errors(internal: InternalSpec, old: JsonObject | None) -> list[FieldError]:
    """Errors of what all versions share."""
    status = _has_status(internal.subresources) or any(
        _has_status(version.subresources) for version in internal.versions
    )
    unchanged = _old_version(old, internal.version).get("schema") == internal.schema
    errors = schema_errors(internal.schema, "spec.validation", status=status, unchanged=unchanged)
    errors += subresource_errors(internal.subresources, "spec.subresources")
    errors += column_errors(internal.columns, "spec.additionalPrinterColumns")
    if internal.selectable:
        schema = (internal.schema or {}).get("openAPIV3Schema")
        if schema is None:
            detail = "may only be set when validations.schema is included"
            errors.append(causes.invalid("spec.selectableFields", "", detail))
        else:
            keep = _keeps_many(old, internal.version, internal.selectable)
            errors += selectable_errors(internal.selectable, schema, "spec.selectableFields", unlimited=keep)
    return errors


def _name_errors(names: JsonObject, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for key in ("plural", "singular"):
        value = names.get(key) or ""
        if value and (complaints := dns_1035_label(value)):
            errors.append(causes.invalid(f"{path}.{key}", value, ",".join(complaints)))
    for key in ("kind", "listKind"):
        value = names.get(key) or ""
        if value and (complaints := dns_1035_label(value.lower())):
            detail = f"may have mixed case, but should otherwise match: {','.join(complaints)}"
            errors.append(causes.invalid(f"{path}.{key}", value, detail))
    errors += _label_list_errors(names.get("shortNames"), f"{path}.shortNames")
    if names.get("kind") and names.get("kind") == names.get("listKind"):
        detail = "kind and listKind may not be the same"
        errors.append(causes.invalid(f"{path}.listKind", names["listKind"], detail))
    return errors + _label_list_errors(names.get("categories"), f"{path}.categories")


def _label_list_errors(values: list[str] | None, path: str) -> list[FieldError]:
    return [
        causes.invalid(f"{path}[{index}]", value, ",".join(complaints))
        for index, value in enumerate(values or [])
        if (complaints := dns_1035_label(value))
    ]


def _conversion_errors(conversion: JsonObject | None) -> list[FieldError]:
    if conversion is None:
        return []
    path, strategy = "spec.conversion", conversion.get("strategy") or ""
    webhook = conversion.get("webhook")
    client, versions = (webhook or {}).get("clientConfig"), (webhook or {}).get("conversionReviewVersions") or []
    errors = _one_of(f"{path}.strategy", strategy, ["None", "Webhook"])
    if strategy != "Webhook":
        detail = "should not be set when strategy is not set to Webhook"
        if client is not None:
            errors.append(causes.forbidden(f"{path}.webhookClientConfig", detail))
        if versions:
            errors.append(causes.forbidden(f"{path}.conversionReviewVersions", detail))
        return errors
    if client is None:
        detail = "required when strategy is set to Webhook"
        errors.append(causes.required(f"{path}.webhookClientConfig", detail))
    elif (client.get("url") is None) == (client.get("service") is None):
        errors.append(causes.required(f"{path}.webhookClientConfig", "exactly one of url or service is required"))
    elif client.get("url") is not None:
        errors += webhook_url_errors(client["url"], f"{path}.webhookClientConfig.url")
    else:
        errors += webhook_service_errors(client["service"], f"{path}.webhookClientConfig.service")
    return errors + _review_version_errors(versions, f"{path}.conversionReviewVersions")


def webhook_url_errors(url: str, path: str) -> list[FieldError]:
    """Errors of a webhook's URL."""
    form = "; desired format: https://host[/path]"
    parts = urlsplit(url)
    errors: list[FieldError] = []
    if parts.scheme != "https":
        errors.append(causes.invalid(path, parts.scheme, f"'https' is the only allowed URL scheme{form}"))
    if not parts.netloc:
        errors.append(causes.invalid(path, parts.netloc, f"host must be specified{form}"))
    if "@" in parts.netloc:
        errors.append(
            causes.invalid(path, parts.netloc.partition("@")[0], "user information is not permitted in the URL")
        )
    if parts.fragment:
        errors.append(causes.invalid(path, parts.fragment, "fragments are not permitted in the URL"))
    if parts.query:
        errors.append(causes.invalid(path, parts.query, "query parameters are not permitted in the URL"))
    return errors


def webhook_service_errors(service: JsonObject, path: str) -> list[FieldError]:
    """Errors of a webhook's service reference."""
    errors: list[FieldError] = []
    if not service.get("name"):
        errors.append(causes.required(f"{path}.name", "service name is required"))
    if not service.get("namespace"):
        errors.append(causes.required(f"{path}.namespace", "service namespace is required"))
    port = service.get("port")
    if port is not None and not 1 <= port <= 65535:
        errors.append(causes.invalid(f"{path}.port", port, "port is not valid: must be between 1 and 65535, inclusive"))
    text = service.get("path")
    if text is None or text == "/":
        return errors
    if not text.startswith("/"):
        errors.append(causes.invalid(f"{path}.path", text, "must start with a '/'"))
    segments = text.lstrip("/").removesuffix("/").split("/")
    for index, segment in enumerate(segments):
        if not segment:
            detail = f"segment[{index}] may not be empty"
            return [*errors, causes.invalid(f"{path}.path", text, detail)]
        errors += [
            causes.invalid(f"{path}.path", text, f"segment[{index}]: {complaint}")
            for complaint in dns_subdomain(segment)
        ]
    return errors


def _review_version_errors(versions: list[str], path: str) -> list[FieldError]:
    if not versions:
        return [causes.required(path)]
    errors: list[FieldError] = []
    for index, version in enumerate(versions):
        if version in versions[:index]:
            errors.append(causes.invalid(f"{path}[{index}]", version, "duplicate version"))
        else:
            errors += [causes.invalid(f"{path}[{index}]", version, text) for text in dns_1035_label(version)]
    if not set(versions) & set(_REVIEW_VERSIONS):
        detail = f"must include at least one of {', '.join(_REVIEW_VERSIONS)}"
        errors.append(causes.invalid(path, versions, detail))
    return errors


def _immutable_errors(spec: JsonObject, old: JsonObject) -> list[FieldError]:
    before = old.get("spec") or {}
    names, old_names = spec.get("names") or {}, before.get("names") or {}
    established = any(
        condition.get("type") == "Established" and condition.get("status") == "True"
        for condition in (old.get("status") or {}).get("conditions") or []
    )
    pairs = [
        ("spec.scope", spec.get("scope"), before.get("scope"), established),
        ("spec.names.kind", names.get("kind"), old_names.get("kind"), established),
        ("spec.group", spec.get("group"), before.get("group"), True),
        ("spec.names.plural", names.get("plural"), old_names.get("plural"), True),
    ]
    return [
        causes.invalid(path, value or "", "field is immutable")
        for path, value, was, fixed in pairs
        if fixed and value != was
    ]


def _stored_version_errors(stored: list[str], versions: list[JsonObject]) -> list[FieldError]:
    path = "status.storedVersions"
    if not stored:
        return [causes.invalid(path, None, "must have at least one stored version")]
    errors: list[FieldError] = []
    left = dict.fromkeys(stored)
    for version in versions:
        name = version.get("name") or ""
        if version.get("storage") and name not in left:
            errors.append(causes.invalid(path, stored, f"must have the storage version {name}"))
        left.pop(name, None)
    for name in left:
        detail = (
            f"missing from spec.versions; {name} was previously a storage version, and must remain in spec.versions "
            f"until a storage migration ensures no data remains persisted in {name} and removes {name} from "
            "status.storedVersions"
        )
        errors.append(causes.invalid(f"{path}[{stored.index(name)}]", name, detail))
    return errors


def _approval(crd: JsonObject) -> tuple[str, str]:
    """The state of the approval annotation and the complaint about it."""
    text = ((crd.get("metadata") or {}).get("annotations") or {}).get(_APPROVAL) or ""
    intro = f"protected groups must have approval annotation {quote(_APPROVAL)}"
    see = "see https://github.com/kubernetes/enhancements/pull/1111"
    if not text:
        return "missing", f"{intro}, {see}"
    if text.startswith("unapproved"):
        return "bypassed", ""
    parts = urlsplit(text)
    if parts.scheme and parts.netloc:
        return "approved", ""
    return "invalid", f'{intro} with either a URL or a reason starting with "unapproved", {see}'


def _approval_errors(crd: JsonObject, old: JsonObject | None) -> list[FieldError]:
    group = (crd.get("spec") or {}).get("group") or ""
    if not any(group == domain or group.endswith(f".{domain}") for domain in ("k8s.io", "kubernetes.io")):
        return []
    state, complaint = _approval(crd)
    if not complaint or (old is not None and _approval(old)[0] == state):
        return []
    path = f"metadata.annotations[{_APPROVAL}]"
    if state == "missing":
        return [causes.required(path, complaint)]
    return [causes.invalid(path, crd["metadata"]["annotations"][_APPROVAL], complaint)]


def _preserve_errors(spec: JsonObject, old: JsonObject | None) -> list[FieldError]:
    if not spec.get("preserveUnknownFields") or (old or {}).get("preserveUnknownFields"):
        return []
    detail = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"
    return [causes.invalid("spec.preserveUnknownFields", True, detail)]
