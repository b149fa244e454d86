"""Validation of Events, which differs between the core API and ``events.k8s.io``.

Field paths are those of the internal form of an Event that both APIs share, so an event written through the newer API
is complained about in the names of either.
"""

from __future__ import annotations

from typing import Any, Final

from eso_core.testing.apiserver.builtin.validation_core import object_errors, object_update_errors
from eso_core.testing.apiserver.builtin.validation_meta import IMMUTABLE
from eso_core.testing.apiserver.builtin.validation_names import dns_subdomain, qualified_name
from eso_core.testing.apiserver.errors import FieldError
from eso_core.testing.apiserver.schema import causes

JsonObject = dict[str, Any]

_TEXT_LIMIT: Final = 128
_NOTE_LIMIT: Final = 1024


def _is_new(obj: JsonObject) -> bool:
    return str(obj.get("apiVersion", "")).startswith("events.k8s.io/")


def _value(obj: JsonObject, core: str, newer: str) -> Any:
    """A field that the two APIs call by different names."""
    return obj.get(newer if _is_new(obj) else core)


def event_errors(obj: JsonObject) -> list[FieldError]:
    """Errors of a new Event."""
    errors = _common_errors(obj)
    if not _is_new(obj):
        return errors
    errors = object_errors(obj) + errors
    if not obj.get("eventTime"):
        errors.append(causes.required("eventTime"))
    kind = obj.get("type") or ""
    if kind not in ("Normal", "Warning"):
        errors.append(causes.invalid("type", "", f"has invalid value: {kind}"))
    for field in ("deprecatedFirstTimestamp", "deprecatedLastTimestamp"):
        name = field.removeprefix("deprecated")
        if obj.get(field):
            errors.append(causes.invalid(name[0].lower() + name[1:], "", "needs to be unset"))
    if obj.get("deprecatedCount"):
        errors.append(causes.invalid("count", "", "needs to be unset"))
    source = obj.get("deprecatedSource") or {}
    if source.get("component") or source.get("host"):
        errors.append(causes.invalid("source", "", "needs to be unset"))
    return errors + _series_errors(obj)


def _series_errors(obj: JsonObject) -> list[FieldError]:
    series = obj.get("series")
    if series is None:
        return []
    errors: list[FieldError] = []
    if (series.get("count") or 0) < 2:
        errors.append(causes.invalid("series.count", "", "should be at least 2"))
    if not series.get("lastObservedTime"):
        errors.append(causes.required("series.lastObservedTime"))
    return errors


def _common_errors(obj: JsonObject) -> list[FieldError]:
    metadata = obj.get("metadata") or {}
    namespace = metadata.get("namespace") or ""
    about = (_value(obj, "involvedObject", "regarding") or {}).get("namespace") or ""
    errors: list[FieldError] = []
    mismatch = causes.invalid("involvedObject.namespace", about, "does not match event.namespace")
    if not obj.get("eventTime"):
        if (about and about != namespace) or (not about and namespace not in ("", "default")):
            errors.append(mismatch)
    else:
        if not about and namespace not in ("default", "kube-system"):
            errors.append(mismatch)
        errors += _reporter_errors(obj)
    if len(str(_value(obj, "message", "note") or "").encode()) > _NOTE_LIMIT and obj.get("eventTime"):
        errors.append(causes.invalid("message", "", f"can have at most {_NOTE_LIMIT} characters"))
    return errors + [causes.invalid("namespace", namespace, text) for text in dns_subdomain(namespace)]


def _reporter_errors(obj: JsonObject) -> list[FieldError]:
    field = "reportingController" if _is_new(obj) else "reportingComponent"
    controller = obj.get(field) or ""
    errors = [] if controller else [causes.required(field)]
    errors += [causes.invalid(field, controller, text) for text in qualified_name(controller)]
    for name in ("reportingInstance", "action", "reason"):
        value = obj.get(name) or ""
        if not value:
            errors.append(causes.required(name))
        if len(value.encode()) > _TEXT_LIMIT:
            errors.append(causes.invalid(name, "", f"can have at most {_TEXT_LIMIT} characters"))
    return errors


_FIXED: Final = (
    ("involvedObject", "involvedObject", "regarding"),
    ("reason", "reason", "reason"),
    ("message", "message", "note"),
    ("source", "source", "deprecatedSource"),
    ("firstTimestamp", "firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "count", "deprecatedCount"),
    ("type", "type", "type"),
    ("eventTime", "eventTime", "eventTime"),
    ("action", "action", "action"),
    ("related", "related", "related"),
    ("reportingController", "reportingComponent", "reportingController"),
    ("reportingInstance", "reportingInstance", "reportingInstance"),
)


def event_update_errors(new: JsonObject, old: JsonObject) -> list[FieldError]:
    """Errors of a change of an Event; through the newer API only its series may change."""
    errors = _common_errors(new)
    if not _is_new(new):
        return errors
    errors += object_update_errors(new, old)
    if new.get("series") != old.get("series"):
        errors += _series_errors(new)
    for path, core, newer in _FIXED:
        value = _value(new, core, newer)
        if (value or None) != (_value(old, core, newer) or None):
            errors.append(causes.invalid(path, value, IMMUTABLE))
    return errors
