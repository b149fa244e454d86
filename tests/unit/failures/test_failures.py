"""The class of a failure, and the second condition that shows it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from controllers.externalsecret.errors import (
    FetchFailed,
    InvalidField,
    KeysRefused,
    NotInThisRelease,
    OwnedByAnother,
    TemplateFailed,
)
from controllers.failures import Failure, FailureClass, at, class_of, next_retry, set_failure
from controllers.secretstore.access import StoreUnusable
from eso_core.meta.errors import ApiError, ConnectionLost
from generators.errors import UnknownGenerator
from providers.errors import (
    AccessDenied,
    BrokenReference,
    InvalidData,
    InvalidEntry,
    InvalidSpec,
    NoSecret,
    NotSupported,
    Throttled,
    Unavailable,
    UnknownProvider,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def _api(code: int) -> ApiError:
    return ApiError.from_response("PUT", "/x", code, b"{}", {})


@pytest.mark.parametrize(
    ("error", "wanted"),
    [
        (NoSecret(), "NotFound"),
        (AccessDenied("no"), "Denied"),
        (Throttled("slow down", retry_after=3), "Throttled"),
        (Unavailable("sealed"), "Unreachable"),
        (BrokenReference("no Secret"), "InvalidReference"),
        (InvalidSpec("two backends"), "InvalidStore"),
        (InvalidEntry("find.name.regexp"), "InvalidSpec"),
        (UnknownProvider("aws", "s"), "NotSupported"),
        (UnknownGenerator("no ECR"), "NotSupported"),
        (NotSupported("find"), "NotSupported"),
        (InvalidData("no JSON"), "InvalidData"),
        (StoreUnusable("is not there"), "InvalidReference"),
        (StoreUnusable("not ready", failure_class=FailureClass.STORE_NOT_READY), "StoreNotReady"),
        (InvalidField("spec.refreshInterval", "bad"), "InvalidSpec"),
        (KeysRefused("twice"), "InvalidData"),
        (TemplateFailed("no key"), "InvalidTemplate"),
        (NotInThisRelease("x"), "NotSupported"),
        (OwnedByAnother("x"), "TargetConflict"),
        (_api(403), "Denied"),
        (_api(404), "InvalidReference"),
        (_api(422), "Rejected"),
        (_api(429), "Throttled"),
        (_api(500), "Unreachable"),
        (ConnectionLost("x"), "Unreachable"),
        (RuntimeError("x"), "Internal"),
    ],
)
def test_every_error_has_a_class(error: Exception, wanted: str) -> None:
    """Of what stores, the API server and the object itself can do wrong."""
    assert class_of(error) == wanted


def test_the_innermost_cause_decides() -> None:
    """An entry that failed is of the class of what made it fail."""
    error = FetchFailed("error processing spec.data[0]", retryable=False)
    assert class_of(error) == "Internal"
    error.__cause__ = NoSecret()
    assert class_of(error) == "NotFound"
    template = TemplateFailed("the ConfigMap is missing", retryable=True)
    template.__cause__ = _api(404)
    assert class_of(template) == "InvalidReference"


def test_the_condition_names_place_cause_and_next_attempt() -> None:
    """The text of an entry is not said twice."""
    failure = Failure(
        FailureClass.NOT_FOUND,
        "error processing spec.data[0] (key: db), err: Secret does not exist",
        'spec.data[0], SecretStore "s", key "db"',
        next_attempt=at(NOW, 60),
    )
    assert failure.message == (
        'spec.data[0], SecretStore "s", key "db": Secret does not exist; '
        "next attempt at 2026-01-02T03:05:05Z, or when the object or its store changes"
    )
    long = Failure(FailureClass.INTERNAL, "x" * 5000, next_attempt="within 1s")
    assert len(long.message) == 2048
    assert long.message.endswith("; next attempt within 1s")
    assert at(NOW, None) == "when the object changes"


def test_back_off_is_told_in_words_that_do_not_change_at_every_attempt() -> None:
    """One second, doubled up to seven minutes."""
    assert [next_retry(attempt) for attempt in (1, 2, 5, 9, 10, 11, 500)] == [
        "within 1s", "within 2s", "within 16s", "within 4m16s", "within 7m0s", "within 7m0s", "within 7m0s",
    ]  # fmt: skip


def test_stalled_or_reconciling_never_both_and_neither_when_all_is_well() -> None:
    """kstatus reads them: Stalled is failed, Reconciling is in progress."""
    conditions = [{"type": "Ready", "status": "False", "reason": "x"}]
    set_failure(conditions, Failure(FailureClass.NOT_FOUND, "gone"), NOW)
    assert conditions[1:] == [
        {
            "type": "Stalled",
            "status": "True",
            "reason": "NotFound",
            "message": "gone",
            "lastTransitionTime": "2026-01-02T03:04:05Z",
        }
    ]
    set_failure(conditions, Failure(FailureClass.DENIED, "no"), NOW + timedelta(seconds=5))
    assert (conditions[1]["reason"], conditions[1]["lastTransitionTime"]) == ("Denied", "2026-01-02T03:04:05Z")
    set_failure(conditions, Failure(FailureClass.UNREACHABLE, "down", retried=True), NOW)
    assert [entry["type"] for entry in conditions] == ["Ready", "Reconciling"]
    set_failure(conditions, None, NOW)
    assert [entry["type"] for entry in conditions] == ["Ready"]
