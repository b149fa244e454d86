"""What is wrong with an object, in words that never hold a value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

__all__ = ["explain"]

_WANTED = {
    "string_type": "a string",
    "int_type": "an integer",
    "int_parsing": "an integer",
    "int_from_float": "an integer",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "list_type": "a list",
}


def explain(error: ValidationError, data: object) -> str:
    """One clause for each field of `data` that was refused: its path, what it must be, and the type that was found.

    The values themselves, which may be secret, are left out.
    """
    wanted: dict[str, list[str]] = {}
    found: dict[str, str] = {}
    for item in error.errors(include_url=False):
        kind = item["type"]
        path = _path(item["loc"], data, missing=kind == "missing")
        known = _WANTED.get(kind)
        if known is not None:
            found[path] = _type_name(item["input"])
        elif kind == "missing":
            known = "is required"
        elif kind in ("literal_error", "enum"):
            known = str(item["ctx"]["expected"])
        clauses = wanted.setdefault(path, [])
        text = known or item["msg"]
        if text not in clauses:
            clauses.append(text)
    return "; ".join(_clause(path, texts, found.get(path, "")) for path, texts in wanted.items())


def _clause(path: str, wanted: Sequence[str], found: str) -> str:
    head = f"{path}: " if path else ""
    if list(wanted) == ["is required"]:
        return f"{head}is required"
    if found:
        return f"{head}must be {' or '.join(wanted)}, not {found}"
    if wanted[0].startswith("'"):
        return f"{head}must be {' or '.join(wanted)}"
    return f"{head}{' or '.join(wanted)}"


def _path(loc: Sequence[int | str], data: Any, *, missing: bool) -> str:
    # Behind a place that is no object or list come the names of a union's members, which are not the user's.
    parts: list[str] = []
    here = data
    for number, part in enumerate(loc):
        if isinstance(here, dict) and isinstance(part, str):
            if part not in here and not (missing and number == len(loc) - 1):
                break
            parts.append(f".{part}")
            here = here.get(part)
        elif isinstance(here, list) and isinstance(part, int) and part < len(here):
            parts.append(f"[{part}]")
            here = here[part]
        else:
            break
    return "".join(parts).lstrip(".")


def _type_name(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str() | bytes():
            return "a string"
        case list():
            return "a list"
        case dict():
            return "an object"
        case _:
            return f"a {type(value).__name__}"
