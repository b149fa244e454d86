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
printf println urlquery`). The last parameter is the one that a pipe fills: `{{ "a,b" | splitList "," }}`. A parameter is named by its type;
`...` takes any number of values. Functions whose name begins with `must` fail where the others give something empty. Every example is a
test; long results are cut here.

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


_TYPES = {
    "map[string]interface {}": "dict", "[]interface {}": "list", "sprig.certificate": "certificate", "time.Time": "time", "uint32": "int",
}  # fmt: skip
_LONGEST = 100


def _signature(entry: Function) -> str:
    parts = [entry.name]
    for kind in entry.params:
        bare = kind.removeprefix("...")
        parts.append(_TYPES.get(bare, bare) + "..." * (bare != kind))
    return " ".join(parts)


def _outcome(entry: Function) -> str:
    if entry.result is not None:
        cut = entry.result if len(entry.result) <= _LONGEST else entry.result[:_LONGEST] + "…"
        return _code(cut) if cut else "(empty)"
    return f"matches {_code(entry.check or '')}"


def _row(entry: Function) -> str:
    given = ", ".join(
        f"`.{key}`" + (f" = {_code(value)}" if len(value) <= _LONGEST else "")
        for key, value in sorted(entry.example_data.items())
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
