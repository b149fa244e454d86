"""Failures as the server answers them: `StatusError` becomes a ``Status`` body, `FieldError` one of its causes.

Tree: ``StatusError`` (any answer with a Status body) and ``FieldError`` (a value, not an exception).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

JsonObject = dict[str, Any]

REQUIRED: Final = "FieldValueRequired"
INVALID: Final = "FieldValueInvalid"
NOT_SUPPORTED: Final = "FieldValueNotSupported"
DUPLICATE: Final = "FieldValueDuplicate"
FORBIDDEN: Final = "FieldValueForbidden"
TOO_LONG: Final = "FieldValueTooLong"
TOO_MANY: Final = "FieldValueTooMany"
TYPE_INVALID: Final = "FieldValueTypeInvalid"
NOT_FOUND: Final = "FieldValueNotFound"
INTERNAL: Final = "InternalError"


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with one field.

    ``reason`` is a cause type (``FieldValueInvalid``...), ``field`` the path (``spec.ports[0].port``), ``message``
    the text without the path (``Invalid value: 9: must be less than 5``).
    """

    reason: str
    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"

    def to_cause(self) -> JsonObject:
        """The error as an element of ``details.causes``."""
        return {"reason": self.reason, "message": self.message, "field": self.field}


class StatusError(Exception):
    """A request failed; the answer is a ``Status`` object with this code, reason, message and details.

    ``details`` is left out of the body when None. ``retry_after`` is in whole seconds and becomes both the header
    ``Retry-After`` and ``details.retryAfterSeconds``.
    """

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        details: JsonObject | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.retry_after = retry_after
        self.continue_token = ""
        self.warnings: list[str] = []

    def to_status(self) -> JsonObject:
        """The body of the answer."""
        metadata: JsonObject = {"continue": self.continue_token} if self.continue_token else {}
        body: JsonObject = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": metadata,
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            body["reason"] = self.reason
        details = self.details
        if self.retry_after is not None:
            details = {**(details or {}), "retryAfterSeconds": self.retry_after}
        if details is not None:
            body["details"] = details
        body["code"] = self.code
        return body


class PlainError(Exception):
    """A request failed before it reached the API machinery; the answer is plain text."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


def qualified(name: str, group: str) -> str:
    """``widgets.test.example.io``, or the bare name in the core group."""
    return f"{name}.{group}" if group else name


def _details(group: str, kind: str, name: str, causes: Sequence[JsonObject] = ()) -> JsonObject:
    details: JsonObject = {}
    if name:
        details["name"] = name
    if group:
        details["group"] = group
    if kind:
        details["kind"] = kind
    if causes:
        details["causes"] = list(causes)
    return details


def not_found(resource: str, group: str, name: str) -> StatusError:
    """404: the object ``name`` of the plural ``resource`` does not exist."""
    message = f'{qualified(resource, group)} "{name}" not found'
    return StatusError(404, "NotFound", message, _details(group, resource, name))


def resource_not_found() -> StatusError:
    """404: a built-in group has no such resource."""
    return StatusError(404, "NotFound", "the server could not find the requested resource", {})


def path_not_found() -> PlainError:
    """404 in plain text: no such path, group or custom resource."""
    return PlainError(404, "404 page not found\n")


def already_exists(resource: str, group: str, name: str, suffix: str = "") -> StatusError:
    """409: an object of this name is there already."""
    message = f'{qualified(resource, group)} "{name}" already exists{suffix}'
    return StatusError(409, "AlreadyExists", message, _details(group, resource, name))


def conflict(resource: str, group: str, name: str, message: str) -> StatusError:
    """409: the write was based on another state; ``message`` says which."""
    text = f'Operation cannot be fulfilled on {qualified(resource, group)} "{name}": {message}'
    return StatusError(409, "Conflict", text, _details(group, resource, name))


MODIFIED: Final = "the object has been modified; please apply your changes to the latest version and try again"


def aggregate(errors: Iterable[FieldError]) -> str:
    """The errors as one text: alone, or as ``[a, b]``; equal ones are named once."""
    texts = list(dict.fromkeys(str(error) for error in errors))
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"


def invalid(kind: str, group: str, name: str, errors: Sequence[FieldError]) -> StatusError:
    """422: the object is wrong in the fields named. ``kind`` is the Kind (not the resource)."""
    message = f'{qualified(kind, group)} "{name}" is invalid'
    if errors:
        message += f": {aggregate(errors)}"
    return StatusError(422, "Invalid", message, _details(group, kind, name, [error.to_cause() for error in errors]))


def rejected() -> StatusError:
    """422 of a JSON patch that cannot be applied."""
    return StatusError(422, "Invalid", "the server rejected our request due to an error in our request", {})


def bad_request(message: str) -> StatusError:
    """400: the request itself is wrong."""
    return StatusError(400, "BadRequest", message)


def forbidden(resource: str, group: str, name: str, message: str, causes: Sequence[JsonObject] = ()) -> StatusError:
    """403 on a resource: ``secrets "x" is forbidden: <message>``."""
    subject = qualified(resource, group) + (f' "{name}"' if name else "")
    return StatusError(403, "Forbidden", f"{subject} is forbidden: {message}", _details(group, resource, name, causes))


def path_forbidden(message: str) -> StatusError:
    """403 on a path that is no resource."""
    return StatusError(403, "Forbidden", f"forbidden: {message}", {})


def unauthorized() -> StatusError:
    """401: the credentials are no good."""
    return StatusError(401, "Unauthorized", "Unauthorized")


def method_not_allowed() -> StatusError:
    """405: the path does not take this method."""
    return StatusError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {})


def verb_not_supported(resource: str, group: str, verb: str) -> StatusError:
    """405: the resource has no such verb."""
    message = f'{verb} is not supported on resources of kind "{qualified(resource, group)}"'
    return StatusError(405, "MethodNotAllowed", message, _details(group, resource, ""))


def not_acceptable(message: str, details: JsonObject | None = None) -> StatusError:
    """406: none of the accepted media types can be produced."""
    return StatusError(406, "NotAcceptable", message, details)


def unsupported_media_type(message: str, details: JsonObject | None = None) -> StatusError:
    """415: the body's media type is not understood."""
    return StatusError(415, "UnsupportedMediaType", message, details)


def too_large(limit: int) -> StatusError:
    """413: the body is longer than ``limit`` bytes."""
    return StatusError(413, "RequestEntityTooLarge", f"Request entity too large: limit is {limit}")


def gone(message: str, continue_token: str = "") -> StatusError:
    """410: the version asked for has left the window; ``continue_token`` allows an inconsistent continuation."""
    error = StatusError(410, "Expired", message)
    error.continue_token = continue_token
    return error


def version_too_large(wanted: int, current: int) -> StatusError:
    """504: a version that the server has not reached yet."""
    message = f"Timeout: Too large resource version: {wanted}, current: {current}"
    causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
    return StatusError(504, "Timeout", message, {"causes": causes}, retry_after=1)


def internal(message: str) -> StatusError:
    """500 with reason InternalError: something the server depends on failed."""
    text = f"Internal error occurred: {message}"
    return StatusError(500, "InternalError", text, {"causes": [{"message": message}]})


def unknown_failure(message: str) -> StatusError:
    """500 without a reason: what the server says about errors it has no class for."""
    return StatusError(500, "", message)
