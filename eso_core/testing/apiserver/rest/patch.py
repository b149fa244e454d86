"""PATCH: merge, JSON and strategic merge patches, server-side apply."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from eso_core.meta import jsonpatch, mergepatch
from eso_core.testing.apiserver import errors
from eso_core.testing.apiserver.builtin import restore, schemas
from eso_core.testing.apiserver.errors import StatusError, bad_request, unsupported_media_type
from eso_core.testing.apiserver.patch import strategic
from eso_core.testing.apiserver.patch.operations import operations_problem
from eso_core.testing.apiserver.rest import body as bodies
from eso_core.testing.apiserver.rest import ownership
from eso_core.testing.apiserver.rest.body import Unreadable
from eso_core.testing.apiserver.rest.kinds import type_problem
from eso_core.testing.apiserver.rest.options import IGNORE, STRICT
from eso_core.testing.apiserver.rest.write import Writer, Written
from eso_core.testing.apiserver.schema import causes
from eso_core.testing.apiserver.schema.gotext import to_json
from eso_core.testing.apiserver.strategy import Call, DecodeFailure

JsonObject = dict[str, Any]

MERGE: Final = "application/merge-patch+json"
JSON_PATCH: Final = "application/json-patch+json"
STRATEGIC: Final = "application/strategic-merge-patch+json"
APPLY: Final = "application/apply-patch+yaml"
_OPERATIONS_LIMIT: Final = 10_000


def check_patch_media(content_type: str, *, custom: bool) -> str:
    """The patch's media type. Raises `StatusError` 415."""
    media = bodies.media_type(content_type)
    allowed = (JSON_PATCH, MERGE, APPLY) if custom else (JSON_PATCH, MERGE, STRATEGIC, APPLY)
    if media in allowed:
        return media
    if custom:
        known = ", ".join(allowed)
        text = f"the body of the request was in an unknown format - accepted media types include: {known}"
        raise unsupported_media_type(text)
    raise unsupported_media_type("415: Unsupported Media Type", {})


class Patcher:
    """Applies patches of every kind through a `Writer`."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def patch(self, call: Call, media: str, text: bytes) -> Written:
        """Change an object by a patch that is not an apply."""
        change = Change(call, media, text)
        return await self._writer.update(call, change, patching=True)

    async def apply(self, call: Call, text: bytes) -> Written:
        """Server-side apply: creates the object when it is absent."""
        applied = read_applied(call, text, call.api_version, call.resource.kind)
        key = f"{call.namespace}/{call.name}" if call.resource.namespaced else call.name
        if self._writer.table(call).get(key) is None and not call.subresource:
            obj = ownership.apply(call, None, applied.value)
            applied.check_strict(call)
            meta = obj["metadata"]
            meta["name"] = call.name
            if call.resource.namespaced:
                meta["namespace"] = call.namespace
            if meta.get("uid"):
                text_ = (
                    f"uid mismatch: the provided object specified uid {meta['uid']}, and no existing object was found"
                )
                raise errors.conflict(call.resource.plural, call.resource.group, call.name, text_)
            meta.pop("resourceVersion", None)
            obj = decode_patched(call, obj, strict=False)
            return await self._writer.create(call, obj, applied=True)
        return await self._writer.update(call, lambda live: _apply_to(call, live, applied), applied=True, patching=True)


@dataclass(frozen=True, slots=True)
class Applied:
    """A configuration as the client sent it. ``duplicates`` tells of keys given twice; empty when there are none."""

    value: JsonObject
    duplicates: str

    def check_strict(self, call: Call) -> None:
        """Refuse doubled keys under strict validation, which comes after the merge. Raises `StatusError` 400."""
        if self.duplicates and call.options.field_validation == STRICT:
            raise bad_request(f"error strict decoding YAML: {self.duplicates}")


def _apply_to(call: Call, live: JsonObject, applied: Applied) -> JsonObject:
    merged = ownership.apply(call, live, applied.value)
    applied.check_strict(call)
    return decode_patched(call, merged, strict=False)


def read_applied(call: Call, text: bytes, api_version: str, kind: str) -> Applied:
    """The configuration in the body of an apply. Raises `StatusError` 400."""
    try:
        parsed = bodies.parse_yaml(text)
    except Unreadable as error:
        raise bad_request(f"error decoding YAML: error converting YAML to JSON: {error}") from error
    value = {} if parsed.value is None else parsed.value
    if not isinstance(value, dict):
        name = _go_type(value)
        problem = f"json: cannot unmarshal {name} into Go value of type map[string]interface {{}}"
        raise bad_request(f"error decoding YAML: error unmarshaling JSON: while decoding JSON: {problem}")
    sent_version, sent_kind = value.get("apiVersion", ""), value.get("kind", "")
    if sent_version != api_version or sent_kind != kind:
        shown = sent_version if "/" in str(sent_version) else f"/{sent_version}"
        raise bad_request(f"invalid object type: {shown}, Kind={sent_kind}")
    if isinstance(value.get("metadata"), dict):
        check_identity(call, value, name_required=False)
    duplicates = f"error converting YAML to JSON: {', '.join(parsed.duplicates)}" if parsed.duplicates else ""
    return Applied(value, duplicates)


class Change:
    """One patch as a function from the live object to the wanted one."""

    def __init__(self, call: Call, media: str, text: bytes) -> None:
        self._call = call
        self._media = media
        self._text = text

    def __call__(self, live: JsonObject) -> JsonObject:
        patched, value, duplicates = self._apply(live)
        if not isinstance(patched, dict):
            raise bad_request("Invalid JSON Patch")
        return decode_patched(self._call, patched, strict=True, shown=value, duplicates=duplicates)

    def patched(self, live: JsonObject) -> tuple[JsonObject, list[str]]:
        """The patched object, not decoded yet, and complaints about the patch. Raises `StatusError`."""
        patched, _, duplicates = self._apply(live)
        if not isinstance(patched, dict):
            raise bad_request("Invalid JSON Patch")
        return patched, duplicates

    def _apply(self, live: JsonObject) -> tuple[Any, str | None, list[str]]:
        if self._media == JSON_PATCH:
            patched, complaints = self._json_patch(live)
            return patched, None, complaints
        parsed = self._parse(dict)
        if self._media == MERGE:
            if parsed.value is None:
                raise bad_request("Invalid JSON Patch")
            return mergepatch.apply(live, parsed.value), None, parsed.duplicates
        value = parsed.value or {}
        try:
            merged = strategic.apply(live, value, self._call.resource.strategy.schema(self._call.version))
        except strategic.PatchError as error:
            raise bad_request(str(error)) from error
        shown = _go_map(value)
        kind = schemas.type_for(self._call.resource.group, self._call.version.name, self._call.resource.kind)
        problem = restore.problem(kind, merged) if kind is not None else ""
        if problem:
            raise _bad_patch(shown, problem)
        return merged, shown, parsed.duplicates

    def _parse(self, wanted: type) -> bodies.Body:
        # Without field validation the patch is read by the patch library itself, which words things differently.
        ignore = self._call.options.field_validation == IGNORE
        prefix = "" if ignore else "error decoding patch: "
        problem = ""
        try:
            parsed = bodies.parse_json(self._text)
        except Unreadable as error:
            problem = str(error)
        else:
            if parsed.value is None or isinstance(parsed.value, wanted):
                return parsed
            target = "map[string]interface {}"
            if wanted is list:
                target = "jsonpatch.Patch" if ignore else "[]handlers.jsonPatchOp"
            problem = f"json: cannot unmarshal {_go_type(parsed.value)} into Go value of type {target}"
        if ignore and self._media == MERGE:
            raise bad_request("Invalid JSON Patch")
        raise bad_request(f"{prefix}{problem}")

    def _json_patch(self, live: JsonObject) -> tuple[Any, list[str]]:
        parsed = self._parse(list)
        operations = parsed.value or []
        problem, unknown = operations_problem(operations)
        if problem:
            raise bad_request(f"error decoding patch: {problem}")
        if len(operations) > _OPERATIONS_LIMIT:
            text = f"The allowed maximum operations in a JSON patch is {_OPERATIONS_LIMIT}, got {len(operations)}"
            raise StatusError(413, "RequestEntityTooLarge", text)
        try:
            complaints = [f"json patch {text}" for text in (*parsed.duplicates, *unknown)]
            return jsonpatch.apply(live, operations, lenient=True), complaints
        except jsonpatch.JsonPatchError as error:
            raise errors.rejected() from error


def decode_patched(
    call: Call, obj: JsonObject, *, strict: bool, shown: str | None = None, duplicates: list[str] | None = None
) -> JsonObject:
    """Bring a patched object into its kind's form. Raises `StatusError` 422 where it cannot be decoded."""
    if obj.get("metadata") is None:
        obj["metadata"] = {}
    strategy = call.resource.strategy
    _check_kind(call, obj, shown)
    raw = to_json(obj) if shown is None and call.options.field_validation == STRICT else ""
    try:
        complaints = strategy.decode(call.version, obj, patch=True)
        if shown is None:
            complaints.sort()  # the original prints the patched object with sorted keys and reads it again
        complaints = [*(duplicates or []), *complaints]
    except DecodeFailure as error:
        raise _bad_patch(shown if shown is not None else to_json(obj), str(error)) from error
    if strict and complaints:
        if call.options.field_validation == STRICT:
            problem = f"strict decoding error: {', '.join(complaints)}"
            raise _bad_patch(shown if shown is not None else raw, problem)
        if call.options.field_validation != IGNORE:
            for text in complaints:
                call.warn(text)
    check_type(call, obj)
    check_identity(call, obj, name_required=True)
    strategy.default(call.version, obj)
    return obj


def _check_kind(call: Call, obj: JsonObject, shown: str | None) -> None:
    """What a patch may do to kind and version before the result is decoded. Raises `StatusError` 422."""
    wrong = bodies.identity_problem(obj)
    if wrong:
        raise _bad_patch(to_json(obj), f"couldn't get version/kind; json parse error: {wrong}")
    if call.resource.custom:
        if not obj.get("kind"):
            text = to_json(obj)
            raise _bad_patch(text, f"Object 'Kind' is missing in '{text}'")
    elif shown is not None:
        # A strategic patch goes into an object whose kind is known already; what it says about that has no effect.
        obj["kind"], obj["apiVersion"] = call.resource.kind, call.api_version
    else:
        problem = type_problem(call, obj)
        if problem:
            raise _bad_patch(to_json(obj), problem)


def bad_patch(patched: JsonObject, problem: str) -> StatusError:
    """422 for a patch whose result cannot be decoded."""
    return _bad_patch(to_json(patched), problem)


def _bad_patch(value: str, problem: str) -> StatusError:
    return errors.invalid("", "", "", [causes.invalid("patch", value, problem)])


def check_type(call: Call, obj: JsonObject) -> None:
    """A patch may not change apiVersion or kind. Raises `StatusError` 422."""
    found = []
    if obj.get("kind") != call.resource.kind:
        found.append(causes.invalid("kind", obj.get("kind", ""), f"must be {call.resource.kind}"))
    if obj.get("apiVersion") != call.api_version:
        found.append(causes.invalid("apiVersion", obj.get("apiVersion", ""), f"must be {call.api_version}"))
    if found:
        raise errors.invalid(obj.get("kind") or "", call.resource.group, call.name, found)


def check_identity(call: Call, obj: JsonObject, *, name_required: bool) -> None:
    """Name and namespace must be those of the URL. Raises `StatusError` 400."""
    meta = obj["metadata"]
    name = meta.get("name")
    if name_required and not name:
        raise bad_request(
            f"the name of the object ({call.name} based on URL) was undeterminable: name must be provided"
        )
    if name and name != call.name:
        raise bad_request(f"the name of the object ({name}) does not match the name on the URL ({call.name})")
    namespace = meta.get("namespace")
    if call.resource.namespaced and namespace and namespace != call.namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")


def _go_type(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, list):
        return "array"
    if isinstance(value, dict):
        return "object"
    return "string" if isinstance(value, str) else "number"


def _go_map(value: Any) -> str:
    """A decoded value as Go's ``%v`` prints it: ``map[a:1 b:[x y]]``."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{_go_map(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(map(_go_map, value)) + "]"
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
