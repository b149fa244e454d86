"""Server-side apply: merging a configuration into the live object, and who owns what afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eso_core.testing.apiserver import errors
from eso_core.testing.apiserver.builtin import restore
from eso_core.testing.apiserver.errors import StatusError
from eso_core.testing.apiserver.managedfields import fieldset, lastapplied, typed
from eso_core.testing.apiserver.managedfields.atoms import STRIPPED, ObjectSchema, compile_schema
from eso_core.testing.apiserver.managedfields.entries import APPLY, UPDATE, Entry, Managed, Manager, parse, render
from eso_core.testing.apiserver.managedfields.fieldset import EMPTY, Node
from eso_core.testing.apiserver.managedfields.merging import merge, name_fields, remove
from eso_core.testing.apiserver.managedfields.ownership import conflicts, without_changed
from eso_core.testing.apiserver.managedfields.update import current, difference_of, updated

__all__ = ["ApplyConflict", "apply", "check_applied"]

JsonObject = dict[str, Any]

_BEFORE_FIRST_APPLY = "before-first-apply"


class ApplyConflict(StatusError):
    """409: others own fields that the configuration sets to other values. ``fields`` has them by manager."""

    def __init__(self, fields: dict[Manager, Node]) -> None:
        ordered = sorted(fields.items(), key=lambda pair: pair[0].sort_key())
        listed = [(manager, [fieldset.format_path(path) for path in fieldset.paths(node)]) for manager, node in ordered]
        total = sum(len(names) for _, names in listed)
        if total == 1:
            message = f"Apply failed with 1 conflict: conflict with {listed[0][0].shown()}: {listed[0][1][0]}"
        else:
            lines = [
                line
                for manager, names in listed
                for line in (f"conflicts with {manager.shown()}:", *(f"- {name}" for name in names))
            ]
            message = f"Apply failed with {total} conflicts: " + "\n".join(lines)
        causes = [
            {"reason": "FieldManagerConflict", "message": f"conflict with {manager.shown()}", "field": name}
            for manager, names in listed
            for name in names
        ]
        super().__init__(409, "Conflict", message, {"causes": causes})
        self.fields = fields


@dataclass(frozen=True, slots=True)
class _Request:
    schema: ObjectSchema
    api_version: str
    actor: Manager
    time: str
    ignored: Node
    force: bool


def apply(
    live: JsonObject | None,
    applied: JsonObject,
    *,
    manager: str,
    api_version: str,
    kind: str,
    time: str,
    schema: JsonObject,
    force: bool = False,
    subresource: str = "",
    ignored: Node = EMPTY,
) -> JsonObject:
    """The object after an apply, with its ownership entries; the arguments stay as they are.

    Args:
        live: the stored object, in the API version of the request; None when there is none.
        applied: the configuration as the client sent it.
        manager: name of the field manager.
        api_version: of the request, such as ``apps/v1``.
        kind: kind of the resource.
        time: now, as metadata shows times.
        schema: OpenAPI schema of the kind.
        force: take fields from others instead of failing.
        subresource: through which the object is written, or empty.
        ignored: fields this request cannot change (`fieldset.field_set`); nobody comes to own them through it.

    Returns:
        The merged object. Its entries have the live object's times where nothing changed. It is not defaulted yet,
        and fields that were taken out may be null.

    Raises:
        ApplyConflict: other managers own fields with other values, and ``force`` is not set.
        StatusError: 400 for a wrong kind or version, 500 for values that do not fit the schema.
    """
    compiled = compile_schema(schema)
    check_applied(applied, api_version, kind, schema)
    base = {"apiVersion": api_version, "kind": kind, **(compiled.empty if live is None else live)}
    base.setdefault("metadata", {})
    if live is not None:
        _check_live(base, compiled)
    managed = parse(base["metadata"].get("managedFields"), trusted=True)
    if managed is None:
        raise errors.unknown_failure("failed to decode managed fields: invalid managedFields")
    if not managed:
        # Until the first apply nothing is tracked on objects made without; what is there belongs to nobody in
        # particular, but must not be taken silently.
        first = Manager(_BEFORE_FIRST_APPLY, UPDATE, api_version, subresource)
        change = difference_of(compiled, compiled.empty, base, ignored)
        managed = updated(change, {}, first, api_version, time, compiled)
    request = _Request(compiled, api_version, Manager(manager, APPLY, "", subresource), time, ignored, force)
    try:
        merged, managed = _merge(base, applied, managed, request)
    except ApplyConflict as conflict:
        if not _may_take(base, conflict, request):
            raise
        forced = _Request(compiled, api_version, request.actor, time, ignored, True)
        merged, managed = _merge(base, applied, managed, forced)
    if merged != base:
        _check_result(merged, applied, compiled)
    # A configuration without metadata may take all of it away; what must be there is checked later.
    merged = {**merged, "metadata": merged.get("metadata") or {}}
    merged = lastapplied.refresh(merged, applied, manager)
    metadata = {key: value for key, value in merged["metadata"].items() if key != "managedFields"}
    if managed:
        metadata["managedFields"] = render(managed)
    return {**merged, "metadata": metadata}


def check_applied(applied: JsonObject, api_version: str, kind: str, schema: JsonObject) -> None:
    """Refuse a configuration of another kind or with values that do not fit the schema. Raises `StatusError`."""
    sent_version, sent_kind = applied.get("apiVersion") or "", applied.get("kind") or ""
    if (sent_version, sent_kind) != (api_version, kind):
        group, _, version = str(sent_version).rpartition("/")
        raise errors.bad_request(f"invalid object type: {group}/{version}, Kind={sent_kind}")
    metadata = applied.get("metadata")
    if isinstance(metadata, dict) and metadata.get("managedFields") is not None:
        raise errors.bad_request("metadata.managedFields must be nil")
    found = typed.problems(compile_schema(schema).root, applied)
    if found:
        raise errors.unknown_failure(f"failed to create typed patch object ({_subject(applied)}): {_joined(found)}")


def _check_live(live: JsonObject, schema: ObjectSchema) -> None:
    """An object stored under an older schema may not fit today's."""
    found = typed.problems(schema.root, live, allow_duplicates=True)
    if found:
        raise errors.unknown_failure(f"failed to create typed live object ({_subject(live)}): {_joined(found)}")


def _check_result(merged: JsonObject, applied: JsonObject, schema: ObjectSchema) -> None:
    """A merged object of a built-in kind must be one that the server can decode."""
    problem = restore.problem(schema.builtin, merged) if schema.builtin is not None else ""
    if problem:
        raise errors.unknown_failure(
            f"failed to convert new object ({_subject(applied)}) to proper version: "
            f"unable to convert unstructured object to {_gvk(applied)}: {problem}"
        )


def _joined(problems: list[str]) -> str:
    return problems[0] if len(problems) == 1 else "\n  ".join(["errors:", *problems])


def _gvk(obj: JsonObject) -> str:
    group, _, version = str(obj.get("apiVersion") or "").rpartition("/")
    return f"{group}/{version}, Kind={obj.get('kind') or ''}"


def _subject(obj: JsonObject) -> str:
    metadata = obj.get("metadata")
    named = metadata if isinstance(metadata, dict) else {}
    return f"{named.get('namespace') or ''}/{named.get('name') or ''}; {_gvk(obj)}"


def _merge(live: JsonObject, applied: JsonObject, managed: Managed, request: _Request) -> tuple[JsonObject, Managed]:
    root, actor = request.schema.root, request.actor
    managed = dict(current(managed, request.schema))
    previous = managed.get(actor)
    merged = merge(root, live, applied)
    claimed = fieldset.recursive_difference(typed.fields_of(root, applied), request.ignored)
    managed[actor] = Entry(claimed, request.api_version, "" if previous is None else previous.time)
    # Nothing goes where the manager claims all that it did before.
    if previous is not None and fieldset.difference(previous.fields, claimed):
        merged = _prune(merged, managed, previous.fields, request)
    change = difference_of(request.schema, live, merged, request.ignored)
    taken = conflicts(managed, change, actor)
    if taken and not request.force:
        raise ApplyConflict(taken)
    managed = without_changed(managed, change, keep=actor)
    own = fieldset.difference(managed[actor].fields, STRIPPED)
    if not own:
        managed = {manager: entry for manager, entry in managed.items() if manager != actor}
    else:
        # An apply that leaves the object as it was sets no time, even when it changes who owns what.
        changed = bool(change) or live != merged
        managed[actor] = Entry(own, request.api_version, request.time if changed else managed[actor].time)
    return merged, managed


def _prune(merged: JsonObject, managed: Managed, previous: Node, request: _Request) -> JsonObject:
    """Take out what the manager applied last time, does not apply now, and nobody else owns."""
    root = request.schema.root
    pruned = remove(root, merged, name_fields(root, previous)) or {}
    owned: Node = EMPTY
    for entry in managed.values():
        owned = fieldset.union(owned, entry.fields)
    # What any manager owns comes back, and so do fields that were never this manager's.
    there = name_fields(root, typed.fields_of(root, merged))
    left = fieldset.union(name_fields(root, typed.fields_of(root, pruned)), name_fields(root, owned))
    pruned = remove(root, merged, fieldset.difference(there, left)) or {}
    left = name_fields(root, typed.fields_of(root, pruned))
    gone = fieldset.intersection(fieldset.difference(there, left), name_fields(root, previous))
    result: JsonObject = remove(root, merged, gone) or {}
    return result


def _may_take(live: JsonObject, conflict: ApplyConflict, request: _Request) -> bool:
    """Whether kubectl may take all fields in conflict, because its own client-side apply set them."""
    if request.actor.name != lastapplied.KUBECTL:
        return False
    allowed = lastapplied.unchanged_fields(live, request.schema)
    if allowed is None:
        return False
    left = {manager: fieldset.difference(node, allowed) for manager, node in conflict.fields.items()}
    left = {manager: node for manager, node in left.items() if node}
    if left:
        raise ApplyConflict(left)
    return True
