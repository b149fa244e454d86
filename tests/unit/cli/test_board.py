"""The board shows each object's Ready condition, and says a thing once."""

from __future__ import annotations

import io

from rich.console import Console

from controllers.cli.board import LineBoard, LiveBoard, row_of

BODY = {
    "metadata": {"namespace": "n", "name": "a"},
    "status": {
        "refreshTime": "2026-01-01T00:00:00Z",
        "conditions": [
            {"type": "Other"},
            {"type": "Ready", "status": "False", "reason": "SecretSyncedError", "message": "[red]no[/]"},
        ],
    },
}


def test_a_change_is_one_line_and_a_refresh_without_change_is_none() -> None:
    """The time of the last sync is not news."""
    out = io.StringIO()
    board = LineBoard(out)
    board.show(row_of("ExternalSecret", {"metadata": {"namespace": "n", "name": "a"}}))
    board.show(row_of("ExternalSecret", BODY))
    board.show(row_of("ExternalSecret", {**BODY, "status": {**BODY["status"], "refreshTime": "2026-01-01T00:01:00Z"}}))
    board.remove(row_of("ExternalSecret", BODY))
    assert out.getvalue().splitlines() == [
        "ExternalSecret n/a: no status yet",
        "ExternalSecret n/a: Ready=False SecretSyncedError: [red]no[/]",
        "ExternalSecret n/a: deleted",
    ]


def test_malformed_statuses_are_shown_as_no_status() -> None:
    """Whatever somebody wrote there must not end the display."""
    for status in (None, [], {"conditions": {}}, {"conditions": ["x"]}, {"conditions": [{"type": "Ready"}]}):
        assert row_of("K", {"metadata": {"name": "a"}, "status": status}).line() == "K a: no status yet"


def test_the_table_shows_text_as_it_is_and_failures_first() -> None:
    """Messages that look like markup are text."""
    out = io.StringIO()
    board = LiveBoard(Console(file=out, width=120, height=20, force_terminal=True, color_system=None))
    board.start()
    board.show(
        row_of(
            "SecretStore",
            {
                "metadata": {"name": "ok"},
                "status": {"conditions": [{"type": "Ready", "status": "True", "reason": "Valid"}]},
            },
        )
    )
    board.show(row_of("ExternalSecret", BODY))
    board.stop()
    shown = out.getvalue()
    assert "[red]no[/]" in shown
    assert shown.index("n/a") < shown.rindex("ok")
