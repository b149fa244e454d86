"""The error tree and how responses become errors."""

from __future__ import annotations

import json
from typing import Any

import pytest

from eso_core.meta import errors as e
from eso_core.meta.errors import ApiError


def failure(code: int, reason: str = "", **extra: Any) -> bytes:
    """A Status body."""
    return json.dumps(
        {"kind": "Status", "apiVersion": "v1", "code": code, "reason": reason, "message": "m", **extra}
    ).encode()


@pytest.mark.parametrize(
    ("code", "reason", "cls"),
    [
        (400, "BadRequest", e.BadRequest),
        (401, "Unauthorized", e.Unauthorized),
        (403, "Forbidden", e.Forbidden),
        (404, "NotFound", e.NotFound),
        (405, "MethodNotAllowed", e.MethodNotAllowed),
        (406, "NotAcceptable", e.NotAcceptable),
        (409, "AlreadyExists", e.AlreadyExists),
        (409, "Conflict", e.Conflict),
        (410, "Expired", e.Gone),
        (410, "Gone", e.Gone),
        (413, "RequestEntityTooLarge", e.RequestEntityTooLarge),
        (415, "UnsupportedMediaType", e.UnsupportedMediaType),
        (422, "Invalid", e.Invalid),
        (429, "TooManyRequests", e.TooManyRequests),
        (500, "InternalError", e.InternalError),
        (503, "ServiceUnavailable", e.ServiceUnavailable),
        (504, "Timeout", e.ServerTimeout),
        (500, "ServerTimeout", e.ServerTimeout),
        (500, "AlreadyExists", e.AlreadyExists),
        (409, "", e.Conflict),
        (502, "", e.ServiceUnavailable),
        (599, "Odd", e.InternalError),
        (418, "Odd", ApiError),
    ],
)
def test_the_reason_picks_the_class_then_the_code(code: int, reason: str, cls: type[ApiError]) -> None:
    """G-20."""
    error = ApiError.from_response("GET", "/api/v1/x", code, failure(code, reason), {})
    assert type(error) is cls
    assert error.code == code
    assert error.message == "m"


def test_the_text_names_request_code_reason_and_message() -> None:
    """G-21: without the query, which may carry secrets."""
    error = ApiError.from_response("GET", "/api/v1/x?token=hunter2", 404, failure(404, "NotFound"))
    assert str(error) == "GET /api/v1/x: 404 NotFound: m"
    assert str(ApiError.from_status({"code": 410, "reason": "Expired", "message": "old"})) == "410 Expired: old"
    assert str(e.Conflict("changed")) == "409 Conflict: changed"


def test_the_two_kinds_of_404_are_told_apart() -> None:
    """G-20: an absent object has details, an absent path has not."""
    obj = ApiError.from_response("GET", "/x", 404, failure(404, "NotFound", details={"name": "a", "kind": "secrets"}))
    assert (obj.is_path, obj.details) == (False, {"name": "a", "kind": "secrets"})  # type: ignore[comparison-overlap]
    path = ApiError.from_response("GET", "/x", 404, b"404 page not found\n")
    assert isinstance(path, e.NotFound)
    assert (path.is_path, path.details, path.message) == (True, None, "404 page not found")
    unknown = ApiError.from_response("GET", "/x", 404, failure(404, "NotFound", details={}))
    assert unknown.is_path


def test_a_body_that_is_no_status_is_kept_in_part() -> None:
    """G-23: the reason goes by the code, the text is cut at 2,048 bytes."""
    error = ApiError.from_response("GET", "/x", 502, b"<html>" + b"x" * 5000)
    assert isinstance(error, e.ServiceUnavailable)
    assert len(error.message) == 2_048
    empty = ApiError.from_response("GET", "/x", 500, b"")
    assert isinstance(empty, e.InternalError)
    assert empty.message == "the server gave no explanation"
    assert ApiError.from_response("GET", "/x", 500, b'{"kind":"Pod"}').message == '{"kind":"Pod"}'
    assert ApiError.from_response("GET", "/x", 500, b"{broken").reason == "InternalError"


def test_causes_pick_the_narrower_class() -> None:
    """C-53 and 504: apply conflicts and future versions have classes of their own."""
    cause = {"reason": "FieldManagerConflict", "message": 'conflict with "m1"', "field": ".data.a"}
    conflict = ApiError.from_response("PATCH", "/x", 409, failure(409, "Conflict", details={"causes": [cause]}))
    assert isinstance(conflict, e.ApplyConflict)
    assert conflict.conflicts == ((".data.a", 'conflict with "m1"'),)
    large = failure(504, "Timeout", details={"causes": [{"reason": "ResourceVersionTooLarge"}], "retryAfterSeconds": 1})
    error = ApiError.from_response("GET", "/x", 504, large)
    assert isinstance(error, e.ResourceVersionTooLarge)
    assert error.retry_after == 1


def test_fields_of_single_classes() -> None:
    """Terminating namespaces, continue tokens, invalid fields."""
    terminating = failure(403, "Forbidden", details={"causes": [{"reason": "NamespaceTerminating"}]})
    forbidden = ApiError.from_response("POST", "/x", 403, terminating)
    assert isinstance(forbidden, e.Forbidden)
    assert forbidden.namespace_terminating
    gone = ApiError.from_response("GET", "/x", 410, failure(410, "Expired", metadata={"continue": "tok"}))
    assert isinstance(gone, e.Gone)
    assert gone.continue_token == "tok"
    assert e.Gone().continue_token == ""
    causes = [{"reason": "FieldValueInvalid", "message": "bad", "field": "spec.x"}]
    invalid = ApiError.from_response("PUT", "/x", 422, failure(422, "Invalid", details={"causes": causes}))
    assert invalid.causes == (e.Cause("FieldValueInvalid", "bad", "spec.x"),)


@pytest.mark.parametrize(("header", "expected"), [("7", 7.0), ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("", None)])
def test_retry_after_is_read_in_seconds(header: str, expected: float | None) -> None:
    """The date form is left alone."""
    assert ApiError.from_response("GET", "/x", 429, b"busy", {"Retry-After": header}).retry_after == expected


def test_transport_errors_know_whether_anything_was_sent() -> None:
    """Only proof of the contrary counts as not sent."""
    assert e.ConnectionLost("x").sent
    assert not e.ConnectError("x").sent
    assert not e.TlsError("x").sent
    assert e.ReadTimeout("x").sent


def test_everything_has_one_root() -> None:
    """0.3: one root, and terminal errors keep their cause."""
    for name in e.__all__:
        found = getattr(e, name)
        if isinstance(found, type) and issubclass(found, Exception):
            assert issubclass(found, e.EsoCoreError), name
    cause = ValueError("why")
    terminal = e.TerminalError(cause)
    assert terminal.__cause__ is cause
    assert str(terminal) == "why"
