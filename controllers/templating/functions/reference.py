"""The reference of the functions, written from their declarations: `python -m controllers.templating.functions.reference`."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from controllers.templating.functions.loading import load
from controllers.templating.functions.registry import Function

__all__ = ["main", "reference"]

_PLACE = Path(__file__).parents[3] / "docs" / "reference" / "template-functions.md"
_HEAD = """\
# Template functions

The functions of templates beside those that are built into the language (`and call eq ge gt html index js le len lt ne not or print
printf println urlquery`). The last parameter is the one that a pipe fills: `{{ "a,b" | splitList "," }}`. Types are Go's; `...` takes any
number of values. Every example is a test.

This file is written by `python -m controllers.templating.functions.reference`; edit the declarations in
`controllers/templating/functions/` instead.
"""


def _code(text: str) -> str:
    """Inline code in a table cell."""
    shown = (
        text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t") if "\n" in text or "\t" in text else text
    )
    ticks = "``" if "`" in shown else "`"
    space = " " if shown.startswith(("`", " ")) or shown.endswith(("`", " ")) else ""
    return (ticks + space + shown + space + ticks).replace("|", "\\|")


def _signature(entry: Function) -> str:
    parameters = [f"{part.removeprefix('...')}..." if part.startswith("...") else part for part in entry.params]
    return " ".join([entry.name, *(f"({part})" if " " in part else part for part in parameters)])


def _outcome(entry: Function) -> str:
    if entry.result is not None:
        return _code(entry.result) if entry.result else "(empty)"
    return f"matches {_code(entry.check or '')}"


def _row(entry: Function) -> str:
    given = ", ".join(
        f"`.{key}` = {_code(value)}" for key, value in sorted(entry.example_data.items()) if len(value) < 80
    )
    data = f" with {given}" if given else ""
    return f"| {_code(_signature(entry))} | {entry.doc.replace('|', chr(92) + '|')} | {_code(entry.example)}{data} | {_outcome(entry)} |"


def reference(functions: Iterable[Function]) -> str:
    """The whole document, groups and functions in alphabetical order."""
    groups: dict[str, list[Function]] = {}
    for entry in functions:
        groups.setdefault(entry.group, []).append(entry)
    parts = [_HEAD]
    for group, entries in sorted(groups.items()):
        rows = [_row(entry) for entry in sorted(entries, key=lambda entry: (entry.name.lower(), entry.name))]
        head = "| Function | What it gives | Example | Result |\n|---|---|---|---|"
        parts.append("\n".join([f"## {group}\n", head, *rows]) + "\n")
    return "\n".join(parts)


def main() -> int:
    """Writes the file."""
    _PLACE.write_text(reference(load().values()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
