"""Admission reviews (`admission.k8s.io/v1 AdmissionReview`): what is asked, and the answer."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import orjson
from msgspec import Struct

from eso_core.client import Kind
from eso_core.meta import GVK, GVR, JsonObject
from eso_core.meta.errors import ApiError, DecodeError, Invalid
from eso_core.meta.jsonpatch import diff

__all__ = [
    "AdmissionHandler",
    "AdmissionRequest",
    "AdmissionResponse",
    "Defaulter",
    "FieldError",
    "Validator",
    "defaulting",
    "invalid",
    "read_review",
    "validating",
]

T = TypeVar("T", contravariant=True)
#: Longer warnings are cut: the API server drops what goes beyond its limits.
_WARNING_LIMIT = 256


@dataclass(frozen=True, slots=True)
class AdmissionRequest:
    """What the API server asks. Objects may hold secret values, so repr leaves them out.

    Attributes:
        uid: of the review; the answer carries it.
        kind, resource, sub_resource: as the webhook's rules name them.
        operation: CREATE, UPDATE, DELETE or CONNECT.
        name: empty for a create with generateName.
        user: who asks: username, uid, groups, extra.
        object: as it would be stored; None for DELETE.
        old_object: as it is stored; None for CREATE.
        dry_run: nothing will be stored: no side effects.
    """

    uid: str
    kind: GVK
    resource: GVR
    operation: str
    name: str = ""
    namespace: str = ""
    sub_resource: str = ""
    user: JsonObject = field(default_factory=dict)
    object: JsonObject | None = field(default=None, repr=False)
    old_object: JsonObject | None = field(default=None, repr=False)
    dry_run: bool = False
    options: JsonObject = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class AdmissionResponse:
    """The answer.

    Attributes:
        code, reason, message, details: of the Status that the user sees when it is not allowed.
        patch: JSON patch operations on the object, for mutating webhooks.
        warnings: shown to the user by kubectl.
        audit_annotations: go into the audit log under the webhook's name.
    """

    allowed: bool
    code: int = 200
    reason: str = ""
    message: str = ""
    details: JsonObject | None = None
    patch: Sequence[JsonObject] = field(default=(), repr=False)
    warnings: Sequence[str] = ()
    audit_annotations: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def allow(cls, *warnings: str) -> AdmissionResponse:
        """Yes."""
        return cls(True, warnings=warnings)

    @classmethod
    def deny(
        cls, message: str, *, code: int = 403, reason: str = "Forbidden", warnings: Sequence[str] = ()
    ) -> AdmissionResponse:
        """No, and why."""
        return cls(False, code, reason, message, warnings=warnings)

    @classmethod
    def patched(cls, before: JsonObject, after: JsonObject, *warnings: str) -> AdmissionResponse:
        """Yes, with the smallest patch that turns one into the other."""
        return cls(True, patch=tuple(diff(before, after)), warnings=warnings)

    @classmethod
    def of_error(cls, error: ApiError, warnings: Sequence[str] = ()) -> AdmissionResponse:
        """No, with the status of an API error."""
        return cls(False, error.code or 500, error.reason, error.message, error.details, warnings=warnings)

    def encode(self, uid: str) -> JsonObject:
        """The `response` of a review."""
        body: JsonObject = {"uid": uid, "allowed": self.allowed}
        if not self.allowed or self.message:
            status: JsonObject = {"code": self.code}
            if not self.allowed:
                status["status"] = "Failure"
            for name, value in (("reason", self.reason), ("message", self.message), ("details", self.details)):
                if value:
                    status[name] = value
            body["status"] = status
        if self.patch:
            body["patchType"] = "JSONPatch"
            body["patch"] = base64.b64encode(orjson.dumps(list(self.patch))).decode()
        if self.warnings:
            body["warnings"] = [_clipped(warning) for warning in self.warnings]
        if self.audit_annotations:
            body["auditAnnotations"] = dict(self.audit_annotations)
        return body


AdmissionHandler = Callable[[AdmissionRequest], Awaitable[AdmissionResponse]]


class Defaulter(Protocol[T]):
    """Fills in what the user left out."""

    async def default(self, request: AdmissionRequest, obj: T, /) -> None:
        """Changes `obj` in place."""
        ...


class Validator(Protocol[T]):
    """Says what is wrong. Each returns warnings, and raises `invalid(...)` or another ApiError to refuse."""

    async def validate_create(self, request: AdmissionRequest, obj: T, /) -> Sequence[str]: ...
    async def validate_update(self, request: AdmissionRequest, old: T, new: T, /) -> Sequence[str]: ...
    async def validate_delete(self, request: AdmissionRequest, obj: T, /) -> Sequence[str]: ...


class FieldError(Struct, frozen=True):
    """One field that is wrong, worded as the API server words its own.

    Attributes:
        field: path, for example `spec.pages[0].path`.
        detail: what is wrong.
        reason: `FieldValueInvalid`, `FieldValueRequired`, `FieldValueNotSupported`, `FieldValueForbidden`,
            `FieldValueDuplicate`, `FieldValueTooLong`, `FieldValueTooMany` or `FieldValueTypeInvalid`.
        value: shown in the message; leave it out where it may be secret.
    """

    field: str
    detail: str
    reason: str = "FieldValueInvalid"
    value: Any = None

    @property
    def message(self) -> str:
        """`Invalid value: "x": detail`."""
        shown = "" if self.value is None else f": {orjson.dumps(self.value).decode()}"
        head = f"{_WORDS.get(self.reason, 'Invalid value')}{shown}"
        return f"{head}: {self.detail}" if self.detail else head


_WORDS = {
    "FieldValueInvalid": "Invalid value",
    "FieldValueRequired": "Required value",
    "FieldValueNotSupported": "Unsupported value",
    "FieldValueForbidden": "Forbidden",
    "FieldValueDuplicate": "Duplicate value",
    "FieldValueTooLong": "Too long",
    "FieldValueTooMany": "Too many",
    "FieldValueTypeInvalid": "Invalid value",
}


def invalid(kind: GVK, name: str, errors: Sequence[FieldError]) -> Invalid:
    """The error that refuses an object, in the API server's own form.

    Raises:
        ValueError: there is no error to report.
    """
    if not errors:
        raise ValueError("refusing an object as invalid: no field errors are given")
    shown = f"{kind.kind}.{kind.group}" if kind.group else kind.kind
    texts = [f"{error.field}: {error.message}" for error in errors]
    causes = [{"reason": error.reason, "message": error.message, "field": error.field} for error in errors]
    told = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    return Invalid(
        f'{shown} "{name}" is invalid: {told}',
        details={"name": name, "group": kind.group, "kind": kind.kind, "causes": causes},
    )


def read_review(body: bytes) -> tuple[AdmissionRequest, str]:
    """The request of a review, and the version in which it is to be answered.

    Raises:
        ValueError: it is no AdmissionReview with a request.
    """
    try:
        review = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"the body is no JSON: {error}") from None
    if not isinstance(review, dict) or review.get("kind") != "AdmissionReview":
        raise ValueError("the body is no AdmissionReview")
    version = str(review.get("apiVersion") or "")
    asked = review.get("request")
    if not version.startswith("admission.k8s.io/") or not isinstance(asked, dict) or not asked.get("uid"):
        raise ValueError("the AdmissionReview has no request with a uid")
    kind, resource = asked.get("kind") or {}, asked.get("resource") or {}
    request = AdmissionRequest(
        uid=str(asked["uid"]),
        kind=GVK(str(kind.get("group") or ""), str(kind.get("version") or ""), str(kind.get("kind") or "")),
        resource=GVR(
            str(resource.get("group") or ""), str(resource.get("version") or ""), str(resource.get("resource") or "")
        ),
        operation=str(asked.get("operation") or ""),
        name=str(asked.get("name") or ""),
        namespace=str(asked.get("namespace") or ""),
        sub_resource=str(asked.get("subResource") or ""),
        user=asked.get("userInfo") or {},
        object=asked.get("object"),
        old_object=asked.get("oldObject"),
        dry_run=bool(asked.get("dryRun")),
        options=asked.get("options") or {},
    )
    return request, version


def defaulting(kind: Kind, defaulter: Defaulter[Any]) -> AdmissionHandler:
    """A handler that lets `defaulter` change the object; deletes pass."""

    async def handle(request: AdmissionRequest) -> AdmissionResponse:
        if request.object is None:
            return AdmissionResponse.allow()
        obj = _decoded(kind, request.object)
        before = _encoded(_decoded(kind, request.object))
        await defaulter.default(request, obj)
        return AdmissionResponse.patched(before, _encoded(obj))

    return _answering_errors(handle)


def validating(kind: Kind, validator: Validator[Any]) -> AdmissionHandler:
    """A handler that asks `validator`; CONNECT passes."""

    async def handle(request: AdmissionRequest) -> AdmissionResponse:
        match request.operation:
            case "CREATE":
                warnings = await validator.validate_create(request, _decoded(kind, request.object))
            case "UPDATE":
                old, new = _decoded(kind, request.old_object), _decoded(kind, request.object)
                warnings = await validator.validate_update(request, old, new)
            case "DELETE":
                warnings = await validator.validate_delete(request, _decoded(kind, request.old_object))
            case _:
                warnings = ()
        return AdmissionResponse.allow(*warnings)

    return _answering_errors(handle)


def _answering_errors(handle: AdmissionHandler) -> AdmissionHandler:
    async def answer(request: AdmissionRequest) -> AdmissionResponse:
        try:
            return await handle(request)
        except ApiError as error:
            return AdmissionResponse.of_error(error)
        except DecodeError as error:
            return AdmissionResponse.deny(str(error), code=400, reason="BadRequest")

    return answer


def _decoded(kind: Kind, obj: JsonObject | None) -> Any:
    if obj is None:
        raise DecodeError("reading an admission request: it has no object")
    decode = getattr(kind, "decode", None)
    # Dictionaries are copied, so that what a defaulter changes is not what the patch is computed from.
    return decode(obj) if decode is not None else orjson.loads(orjson.dumps(obj))


def _encoded(obj: Any) -> JsonObject:
    encoded: JsonObject = obj if isinstance(obj, dict) else obj.encode()
    return encoded


def _clipped(warning: str) -> str:
    return warning if len(warning) <= _WARNING_LIMIT else warning[: _WARNING_LIMIT - 1] + "\u2026"
