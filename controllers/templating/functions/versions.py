"""Semantic versions and constraints on them."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

import re2

from controllers.templating.functions.registry import FunctionError, function
from controllers.templating.gotemplate.versions import (
    Version,
    VersionError,
    VersionValue,
    compare_prereleases,
    parse_version,
)

__all__: list[str] = []

GROUP = "Versions"
_LABELS = r"[0-9A-Za-z\-]+(?:\.[0-9A-Za-z\-]+)*"
_LOOSE = rf"v?([0-9|x|X|\*]+)(\.[0-9|x|X|\*]+)?(\.[0-9|x|X|\*]+)?(-{_LABELS})?(?:\+{_LABELS})?"
_PLAIN = _LOOSE.replace("(\\.", "(?:\\.").replace("([0-9", "(?:[0-9").replace("(-", "(?:-")
_OPERATORS = r"(?:=||!=|>|<|>=|=>|<=|=<|~|~>|\^)"
# Constraints come from templates, so that they are matched in linear time.
_ONE: Final = re2.compile(rf"^\s*({_OPERATORS})\s*{_LOOSE}\s*$")
_EACH: Final = re2.compile(rf"{_OPERATORS}\s*{_PLAIN}")
_RANGE: Final = re2.compile(rf"\s*({_PLAIN})\s+-\s+({_PLAIN})\s*")
_ALL: Final = re2.compile(rf"^(?:\s*{_OPERATORS}\s*{_PLAIN}\s*)(?:(?:\s+|,\s*){_OPERATORS}\s*{_PLAIN}\s*)*$")


class _Constraint(NamedTuple):
    """One comparison; `parts` is how many numbers of the version were given, 3 where none is a wildcard."""

    operator: str
    version: Version
    parts: int


class ConstraintError(ValueError):
    """The text is no constraint; `str()` is the original's message."""


def _is_wildcard(text: str | None) -> bool:
    return not text or text.lstrip(".") in ("x", "X", "*")


def _one(text: str) -> _Constraint:
    found = _ONE.match(text)
    if found is None:
        raise ConstraintError(f"improper constraint: {text}")
    operator, major, minor, patch, prerelease = found.groups()[:5]
    tail = prerelease or ""
    if _is_wildcard(major):
        parts, wanted = 0, "0.0.0" + tail
    elif _is_wildcard(minor):
        parts, wanted = 1, f"{major}.0.0{tail}"
    elif _is_wildcard(patch):
        parts, wanted = 2, f"{major}{minor}.0{tail}"
    else:
        parts, wanted = 3, f"{major}{minor}{patch}{tail}"
    try:
        return _Constraint(operator, parse_version(wanted), parts)
    except VersionError:
        raise ConstraintError("constraint parser error") from None


@lru_cache(256)
def _constraints(text: str) -> tuple[tuple[_Constraint, ...], ...]:
    """Alternatives, each a list of comparisons that all have to hold."""
    for found in list(_RANGE.finditer(text)):
        text = text.replace(found.group(0), f">= {found.group(1)}, <= {found.group(2)} ", 1)
    alternatives = []
    for part in text.split("||"):
        if not _ALL.match(part):
            raise ConstraintError(f"improper constraint: {part}")
        alternatives.append(tuple(_one(found.group(0)) for found in _EACH.finditer(part)))
    return tuple(alternatives)


def _tilde(version: VersionValue, wanted: VersionValue, parts: int) -> bool:
    if version.compare(wanted) < 0:
        return False
    # Zero without a wildcard, and a lone wildcard, take everything.
    if wanted.numbers == (0, 0, 0) and parts in (0, 3):
        return True
    return version.numbers[:1] == wanted.numbers[:1] and (parts == 1 or version.numbers[1] == wanted.numbers[1])


def _caret(version: VersionValue, wanted: VersionValue, parts: int) -> bool:
    if version.compare(wanted) < 0:
        return False
    mine, theirs = version.numbers, wanted.numbers
    if theirs[0] > 0 or parts == 1:
        return mine[0] == theirs[0]
    if mine[0] > 0:
        return False
    if theirs[1] > 0 or parts == 2:
        return mine[1] == theirs[1]
    return mine[1] == 0 and mine[2] == theirs[2]


def _differs(version: VersionValue, wanted: VersionValue, parts: int) -> bool:
    if parts == 3:
        return version.compare(wanted) != 0
    mine, theirs = version.numbers, wanted.numbers
    if mine[0] != theirs[0]:
        return True
    if parts == 1:
        return False
    if mine[1] != theirs[1]:
        return True
    if parts == 2:
        return (
            bool(version.prerelease or wanted.prerelease)
            and compare_prereleases(version.prerelease, wanted.prerelease) != 0
        )
    return mine[2] != theirs[2] or version.compare(wanted) != 0


def _greater(version: VersionValue, wanted: VersionValue, parts: int) -> bool:
    mine, theirs = version.numbers, wanted.numbers
    if parts in (1, 2):
        return mine[:parts] > theirs[:parts]
    return version.compare(wanted) > 0


def _at_most(version: VersionValue, wanted: VersionValue, parts: int) -> bool:
    if parts == 3:
        return version.compare(wanted) <= 0
    mine, theirs = version.numbers, wanted.numbers
    if mine[0] != theirs[0]:
        return mine[0] < theirs[0]
    return parts == 1 or mine[1] <= theirs[1]


def _holds(version: VersionValue, constraint: _Constraint) -> bool:
    operator, wanted, parts = constraint
    if operator in ("", "="):
        return _tilde(version, wanted, parts) if parts < 3 else version.compare(wanted) == 0
    if operator in ("~", "~>"):
        return _tilde(version, wanted, parts)
    if operator == "^":
        return _caret(version, wanted, parts)
    if operator == "!=":
        return _differs(version, wanted, parts)
    if operator == ">":
        return _greater(version, wanted, parts)
    if operator == "<":
        return version.compare(wanted) < 0
    if operator in (">=", "=>"):
        return version.compare(wanted) >= 0
    return _at_most(version, wanted, parts)


def _read(text: bytes) -> Version:
    try:
        return parse_version(text.decode("utf-8", "replace"))
    except VersionError as error:
        raise FunctionError(str(error)) from None


@function("semver", "string", "A semantic version, with methods such as Major and IncMinor.", group=GROUP,
          example='{{ (semver "v1.2").IncMinor }}', result="1.3.0")  # fmt: skip
def semver(text: bytes) -> Version:
    return _read(text)


@function("semverCompare", "string, string", "Whether a version fulfils a constraint.", group=GROUP,
          example='{{ semverCompare ">=1.2, <2 || ^3.1" "1.9.0" }}', result="true")  # fmt: skip
def semver_compare(constraint: bytes, text: bytes) -> bool:
    try:
        alternatives = _constraints(constraint.decode("utf-8", "replace"))
    except ConstraintError as error:
        raise FunctionError(str(error)) from None
    version = _read(text)
    for alternative in alternatives:
        # A prerelease only meets constraints of which one names a prerelease.
        if version.prerelease and not any(c.version.prerelease for c in alternative):
            continue
        if all(_holds(version, c) for c in alternative):
            return True
    return False
