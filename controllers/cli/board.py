"""What `eso dev` shows: one row per object with its Ready condition, live in a terminal, else one line per change."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Protocol, TextIO

from msgspec import Struct
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

__all__ = ["Board", "LineBoard", "LiveBoard", "Row", "board_for", "row_of"]

_REFRESH_PER_SECOND = 4
_COLOURS = {"True": "green", "False": "red", "Unknown": "yellow", "": "dim"}


class Row(Struct, frozen=True):
    """What is shown of one object."""

    kind: str
    namespace: str
    name: str
    ready: str = ""
    reason: str = ""
    message: str = ""
    synced: str = ""

    @property
    def place(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name

    def line(self) -> str:
        """The row as a plain line; the time is left out so that a refresh that changes nothing is no new line."""
        if not self.ready:
            return f"{self.kind} {self.place}: no status yet"
        tail = f": {self.message}" if self.message else ""
        return f"{self.kind} {self.place}: Ready={self.ready} {self.reason}{tail}"


def row_of(kind: str, body: Mapping[str, Any]) -> Row:
    """The row of an object in dict form, whatever is missing or malformed in its status."""
    metadata = body.get("metadata") or {}
    status = body.get("status")
    status = status if isinstance(status, dict) else {}
    conditions = status.get("conditions")
    ready = next(
        (
            c
            for c in (conditions if isinstance(conditions, list) else [])
            if isinstance(c, dict) and c.get("type") == "Ready"
        ),
        {},
    )
    return Row(
        kind=kind,
        namespace=metadata.get("namespace") or "",
        name=metadata.get("name") or "",
        ready=str(ready.get("status", "")),
        reason=str(ready.get("reason", "")),
        message=str(ready.get("message", "")),
        synced=str(status.get("refreshTime") or ""),
    )


class Board(Protocol):
    """Where rows are shown."""

    def start(self) -> None: ...
    def show(self, row: Row) -> None: ...
    def remove(self, row: Row) -> None: ...
    def say(self, text: str) -> None: ...
    def stop(self) -> None: ...


class LineBoard:
    """One line per change, for pipes and logs."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._shown: dict[tuple[str, str], str] = {}

    def start(self) -> None:
        """Nothing to prepare: lines need no screen."""

    def show(self, row: Row) -> None:
        line = row.line()
        if self._shown.get((row.kind, row.place)) != line:
            self._shown[(row.kind, row.place)] = line
            self.say(line)

    def remove(self, row: Row) -> None:
        if self._shown.pop((row.kind, row.place), None) is not None:
            self.say(f"{row.kind} {row.place}: deleted")

    def say(self, text: str) -> None:
        self._out.write(text + "\n")
        self._out.flush()

    def stop(self) -> None:
        self._out.flush()


class LiveBoard:
    """A table that is redrawn in place."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._rows: dict[tuple[str, str], Row] = {}
        self._live = Live(
            console=console, get_renderable=self._table, refresh_per_second=_REFRESH_PER_SECOND, transient=False
        )

    def start(self) -> None:
        self._live.start()

    def show(self, row: Row) -> None:
        self._rows[(row.kind, row.place)] = row

    def remove(self, row: Row) -> None:
        self._rows.pop((row.kind, row.place), None)

    def say(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False)

    def stop(self) -> None:
        self._live.stop()

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for title in ("KIND", "OBJECT", "READY", "REASON", "LAST SYNC", "MESSAGE"):
            table.add_column(title, overflow="fold", no_wrap=title in ("KIND", "READY", "LAST SYNC"))
        # A screenful: the table is a view, kubectl has the rest.
        rows = sorted(self._rows.values(), key=lambda r: (r.ready != "False", r.kind, r.place))
        room = max(5, self._console.height - 6)
        for row in rows[:room]:
            colour = _COLOURS.get(row.ready, "dim")
            cells = (row.reason, row.synced, row.message)
            table.add_row(row.kind, row.place, f"[{colour}]{row.ready or '-'}[/]", *map(escape, cells))
        if len(rows) > room:
            table.add_row("", f"... {len(rows) - room} more", "", "", "", "")
        return table


def board_for(out: TextIO | None = None) -> Board:
    """A live table if `out` (default stdout) is a terminal, else lines."""
    stream = out or sys.stdout
    if stream.isatty():
        return LiveBoard(Console(file=stream))
    return LineBoard(stream)
