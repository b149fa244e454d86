"""What `eso explain` advises by the kind of failure that the object tells."""

from __future__ import annotations

from typing import Any

import pytest

from controllers.explain.findings import Explanation, Grade
from controllers.explain.links import explain_failure


def _failing(kind: str, reason: str, message: str) -> dict[str, Any]:
    conditions = [
        {"type": "Ready", "status": "False", "reason": "Errored", "message": "short"},
        {"type": "Stalled", "status": "True", "reason": reason, "message": message},
    ]
    return {"kind": kind, "metadata": {"name": "app"}, "status": {"conditions": conditions}}


def test_a_missing_right_in_the_cluster_is_no_matter_of_the_stores_credentials() -> None:
    """The API server names the user."""
    out = Explanation("t")
    message = 'POST /x: 403 Forbidden: secrets is forbidden: User "system:serviceaccount:a:b" cannot create resource "secrets"'
    explain_failure(out, _failing("ExternalSecret", "Denied", message))
    assert out.findings[0].fix == "grant the user that the message names what it cannot do"


@pytest.mark.parametrize(
    ("kind", "reason", "fix"),
    [
        ("ExternalSecret", "InvalidData", "or the value in the store"),
        ("PushSecret", "InvalidData", "or the value in the source Secret"),
        ("ExternalSecret", "Denied", "--ask-store tells which"),
        ("PushSecret", "Denied", "the right to read and write there"),
        ("ExternalSecret", "NotSupported", "choose what it has"),
    ],
)
def test_the_fix_suits_the_kind_of_object_and_is_said_once(kind: str, reason: str, fix: str) -> None:
    """The finding stands where the object's own note was, which says no more."""
    out = Explanation("t")
    out.note("object", f"{reason} (only a change helps): what is wrong")
    out.note("object", "the last sync that succeeded was at noon")
    explain_failure(out, _failing(kind, reason, "what is wrong"))
    assert [(f.grade, f.text) for f in out.findings] == [
        (Grade.BAD, "what is wrong"),
        (Grade.NOTE, "the last sync that succeeded was at noon"),
    ]
    assert fix in out.findings[0].fix
