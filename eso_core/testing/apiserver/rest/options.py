"""Options of requests, read from the query and checked with the original's texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from eso_core.testing.apiserver.errors import FieldError, StatusError, bad_request, invalid
from eso_core.testing.apiserver.http.message import Query
from eso_core.testing.apiserver.schema import causes
from eso_core.testing.apiserver.schema.gotext import quote

JsonObject = dict[str, Any]

MAX_MANAGER: Final = 128
STRICT: Final = "Strict"
WARN: Final = "Warn"
IGNORE: Final = "Ignore"
_POLICIES: Final = ("Foreground", "Background", "Orphan")


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """Of create, update and patch. ``field_validation`` is never empty; ``force`` is None when not given."""

    dry_run: bool = False
    field_manager: str = ""
    field_validation: str = WARN
    force: bool | None = None


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """Of delete and deletecollection. ``propagation`` is empty when the default applies."""

    dry_run: bool = False
    propagation: str = ""
    uid: str | None = None
    resource_version: str | None = None
    grace_period: int | None = None


@dataclass(frozen=True, slots=True)
class ListOptions:
    """Of list and watch, unparsed selectors included."""

    label_selector: str = ""
    field_selector: str = ""
    limit: int = 0
    continue_token: str = ""
    resource_version: str = ""
    resource_version_match: str = ""
    watch: bool = False
    bookmarks: bool = False
    send_initial_events: bool | None = None
    timeout: int | None = None


def _options_error(kind: str, errors: list[FieldError]) -> StatusError:
    return invalid(kind, "meta.k8s.io", "", errors)


def _dry_run_errors(values: list[str]) -> list[FieldError]:
    if not values or set(values) == {"All"}:
        return []
    shown = "[" + ",".join(quote(value) for value in values) + "]"
    return [FieldError("FieldValueNotSupported", "dryRun", f'Unsupported value: {shown}: supported values: "All"')]


def _manager_errors(manager: str) -> list[FieldError]:
    if len(manager.encode()) > MAX_MANAGER:
        return [causes.too_long("fieldManager", MAX_MANAGER)]
    for position, char in enumerate(manager):
        if not char.isprintable():
            detail = f"invalid character U+{ord(char):04X} (at position {position})"
            return [causes.invalid("fieldManager", manager, detail)]
    return []


def _field_validation_errors(value: str) -> list[FieldError]:
    if value in ("", IGNORE, STRICT, WARN):
        return []
    return [causes.not_supported("fieldValidation", value, ["", IGNORE, STRICT, WARN])]


def write_options(query: Query, kind: str, *, apply: bool = False) -> WriteOptions:
    """Options for ``kind`` CreateOptions, UpdateOptions or PatchOptions. Raises `StatusError` 422."""
    if not query and not apply:
        return WriteOptions()
    dry_run = query.all("dryRun")
    manager = query.get("fieldManager")
    validation = query.get("fieldValidation")
    force = query.flag("force") if "force" in query and query.get("force") != "" else None
    errors: list[FieldError] = []
    if kind == "PatchOptions":
        if apply and not manager:
            errors.append(causes.required("fieldManager", "is required for apply patch"))
        elif not apply and force is not None:
            errors.append(causes.forbidden("force", "may not be specified for non-apply patch"))
    errors += _manager_errors(manager)
    errors += _dry_run_errors(dry_run)
    errors += _field_validation_errors(validation)
    if errors:
        raise _options_error(kind, errors)
    return WriteOptions(bool(dry_run), manager, validation or WARN, force)


def delete_options(query: Query, body: JsonObject | None) -> DeleteOptions:
    """Options from the body if there is one, else from the query. Raises `StatusError`."""
    if body is not None:
        dry_run = body.get("dryRun") or []
        propagation = body.get("propagationPolicy")
        orphan = body.get("orphanDependents")
        preconditions = body.get("preconditions") or {}
        grace = body.get("gracePeriodSeconds")
    else:
        dry_run = query.all("dryRun")
        propagation = query.get("propagationPolicy") or None
        orphan = query.flag("orphanDependents") if "orphanDependents" in query else None
        preconditions = {}
        grace = _query_integer(query, "gracePeriodSeconds")
    errors: list[FieldError] = []
    if propagation is not None and orphan is not None:
        detail = "orphanDependents and deletionPropagation cannot be both set"
        errors.append(causes.invalid("propagationPolicy", propagation, detail))
    elif propagation is not None and propagation not in _POLICIES:
        errors.append(causes.not_supported("propagationPolicy", propagation, [*_POLICIES, "nil"]))
    errors += _dry_run_errors(dry_run)
    if errors:
        raise _options_error("DeleteOptions", errors)
    if propagation is None and orphan is not None:
        propagation = "Orphan" if orphan else "Background"
    return DeleteOptions(
        bool(dry_run), propagation or "", preconditions.get("uid"), preconditions.get("resourceVersion"), grace
    )


def _query_integer(query: Query, name: str) -> int | None:
    text = query.get(name)
    if not text:
        return None
    try:
        return int(text)
    except ValueError as error:
        raise bad_request(f"strconv.ParseInt: parsing {quote(text)}: invalid syntax") from error


_NO_OPTIONS: Final = ListOptions()


def list_options(query: Query) -> ListOptions:
    """Options of a list or watch, not yet checked against each other."""
    if not query:
        return _NO_OPTIONS
    limit = _query_integer(query, "limit")
    send = query.flag("sendInitialEvents") if query.get("sendInitialEvents") else None
    return ListOptions(
        query.get("labelSelector"),
        query.get("fieldSelector"),
        max(0, limit or 0),
        query.get("continue"),
        query.get("resourceVersion"),
        query.get("resourceVersionMatch"),
        query.flag("watch"),
        query.flag("allowWatchBookmarks"),
        send,
        _query_integer(query, "timeoutSeconds"),
    )


def check_list_options(options: ListOptions, *, watching: bool) -> None:
    """Combinations that make no sense. Raises `StatusError` 422."""
    errors: list[FieldError] = []
    match, version = options.resource_version_match, options.resource_version
    if watching:
        errors += _watch_errors(options)
    else:
        if options.send_initial_events is not None:
            errors.append(causes.forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"))
        if match:
            errors += _match_errors(match, version, options.continue_token)
    if errors:
        raise _options_error("ListOptions", errors)


def _match_errors(match: str, version: str, continue_token: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if not version:
        detail = "resourceVersionMatch is forbidden unless resourceVersion is provided"
        errors.append(causes.forbidden("resourceVersionMatch", detail))
    if continue_token:
        detail = "resourceVersionMatch is forbidden when continue is provided"
        errors.append(causes.forbidden("resourceVersionMatch", detail))
    if match not in ("Exact", "NotOlderThan"):
        errors.append(causes.not_supported("resourceVersionMatch", match, ["Exact", "NotOlderThan", ""]))
    if match == "Exact" and version == "0":
        detail = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
        errors.append(causes.forbidden("resourceVersionMatch", detail))
    return errors


def _watch_errors(options: ListOptions) -> list[FieldError]:
    match = options.resource_version_match
    errors: list[FieldError] = []
    if options.send_initial_events is not None and match != "NotOlderThan":
        detail = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        errors.append(causes.forbidden("resourceVersionMatch", detail))
    if match and options.send_initial_events is None:
        detail = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        errors.append(causes.forbidden("resourceVersionMatch", detail))
    if match not in ("", "NotOlderThan"):
        errors.append(causes.not_supported("resourceVersionMatch", match, ["NotOlderThan"]))
    if options.continue_token:
        detail = "resourceVersionMatch is forbidden when continue is provided"
        errors.append(causes.forbidden("resourceVersionMatch", detail))
    return errors


def parse_list_version(text: str) -> int:
    """The revision of a list's resourceVersion; empty is 0. Raises `StatusError` 400."""
    if not text:
        return 0
    if not (text.isascii() and text.isdigit()) or int(text) >= 1 << 64:
        raise bad_request(f"invalid resource version: {_version_error(text)}")
    return int(text)


def _version_error(text: str) -> str:
    return f"resourceVersion: Invalid value: {quote(text)}: strconv.ParseUint: parsing {quote(text)}: invalid syntax"


def parse_version(text: str) -> int:
    """The revision of any other resourceVersion; empty is 0. Raises `StatusError` 500, as the original does."""
    if not text:
        return 0
    if not (text.isascii() and text.isdigit()) or int(text) >= 1 << 64:
        raise StatusError(500, "", _version_error(text))
    return int(text)
