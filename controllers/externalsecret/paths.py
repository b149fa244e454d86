"""Places in an object: `spec.a.b[2].c`. Pure."""

from __future__ import annotations

import re
from typing import Any, Final

__all__ = ["InvalidPath", "merge_at", "parse_path", "set_at"]

_HIGHEST_INDEX: Final = 10_000
_DIGITS: Final = re.compile(r"[+-]?[0-9]+")

Path = tuple[str | int, ...]


class InvalidPath(ValueError):
    """A path cannot be read, or the object has something else on the way."""


def parse_path(text: str) -> Path:
    """Names and indexes of a path.

    Raises:
        InvalidPath: says what is wrong with it.
    """
    steps: list[str | int] = []
    for segment in text.split("."):
        if not segment:
            raise InvalidPath(f'invalid path "{text}": empty segment')
        name, bracket, rest = segment.partition("[")
        if name:
            steps.append(name)
        elif not steps:
            raise InvalidPath(f'invalid path "{text}": path must start with a key')
        rest = bracket + rest
        while rest:
            if not rest.startswith("["):
                raise InvalidPath(f'invalid path "{text}": expected \'[\' near "{rest}"')
            index, closing, rest = rest[1:].partition("]")
            if not closing:
                raise InvalidPath(f"invalid path \"{text}\": unterminated '['")
            steps.append(_index(text, index))
    return tuple(steps)


def _index(path: str, text: str) -> int:
    if not _DIGITS.fullmatch(text):
        raise InvalidPath(f'invalid path "{path}": bad index "{text}"')
    index = int(text)
    if index < 0:
        raise InvalidPath(f'invalid path "{path}": negative index {index}')
    if index > _HIGHEST_INDEX:
        raise InvalidPath(f'invalid path "{path}": index {index} exceeds maximum ({_HIGHEST_INDEX})')
    return index


def set_at(root: dict[str, Any], text: str, value: Any) -> None:
    """Put a value at a path; mappings and lists on the way are made, lists filled up with null.

    Raises:
        InvalidPath: see `parse_path`; or something on the way is neither.
    """
    _set(root, text, parse_path(text), value)


def merge_at(root: dict[str, Any], text: str, value: Any) -> None:
    """As `set_at`; a mapping is laid over a mapping that is there, one level deep, unless the path is a single name.

    Raises:
        InvalidPath: as `set_at`.
    """
    steps = parse_path(text)
    there = _get(root, steps)
    if len(steps) > 1 and isinstance(there, dict) and isinstance(value, dict):
        there.update(value)
        return
    _set(root, text, steps, value)


def _get(root: Any, steps: Path) -> Any:
    here = root
    for step in steps:
        if isinstance(step, str):
            here = here.get(step) if isinstance(here, dict) else None
        else:
            here = here[step] if isinstance(here, list) and step < len(here) else None
    return here


def _set(root: dict[str, Any], text: str, steps: Path, value: Any) -> None:
    here: Any = root
    for at, step in enumerate(steps):
        last = at == len(steps) - 1
        if isinstance(step, str):
            if not isinstance(here, dict):
                found = f'expected map at key "{step}" but found {_kind(here)}'
                raise InvalidPath(f"failed to set path {text}: {found}")
        else:
            if not isinstance(here, list):
                found = f"expected array at index {step} but found {_kind(here)}"
                raise InvalidPath(f"failed to set path {text}: {found}")
            here.extend([None] * (step + 1 - len(here)))
        if last:
            here[step] = value
            return
        inner = here.get(step) if isinstance(here, dict) else here[step]
        if inner is None:
            inner = here[step] = [] if isinstance(steps[at + 1], int) else {}
        here = inner


def _kind(value: object) -> str:
    """A type as Go names it."""
    if isinstance(value, bool):
        return "bool"
    for kind, name in ((str, "string"), (int, "int64"), (float, "float64"), (list, "[]interface {}")):
        if isinstance(value, kind):
            return name
    return "map[string]interface {}" if isinstance(value, dict) else "<nil>"
