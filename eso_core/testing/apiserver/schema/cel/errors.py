"""Failures of expressions.

Tree: ``CelError`` ├ ``CompileError`` (syntax and types, with positions) └ ``EvaluationError`` (at run time)
├ ``CostExceeded`` └ ``NoSuchOverload``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class CelError(Exception):
    """Base of all failures of expressions."""


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing wrong with a source text, at an offset."""

    position: int
    message: str


class CompileError(CelError):
    """An expression does not compile. The text lists all issues, each with the line it is in and a pointer."""

    def __init__(self, source: str, issues: Sequence[Issue]) -> None:
        self.issues = tuple(issues)
        ordered = sorted(issues, key=lambda issue: issue.position)
        super().__init__("\n".join(_describe(source, issue) for issue in ordered))


def _describe(source: str, issue: Issue) -> str:
    start = source.rfind("\n", 0, issue.position) + 1
    end = source.find("\n", issue.position)
    line = source[start:] if end < 0 else source[start:end]
    number, column = source.count("\n", 0, start) + 1, issue.position - start
    # Wide characters take a wide dot, so that the pointer stays below what it points at.
    dots = "".join("．" if ord(char) > 127 else "." for char in line[:column]).ljust(column, ".")
    pointer = "＾" if column < len(line) and ord(line[column]) > 127 else "^"
    shown = line.replace("\t", " ")
    return f"ERROR: <input>:{number}:{column + 1}: {issue.message}\n | {shown}\n | {dots}{pointer}"


class EvaluationError(CelError):
    """An expression has no value: a missing key, an overflow, a bad conversion."""


class NoSuchOverload(EvaluationError):
    """A function was applied to values of types it is not defined for."""

    def __init__(self, detail: str = "no such overload") -> None:
        super().__init__(detail)


class CostExceeded(EvaluationError):
    """An evaluation did more work than it is allowed."""

    def __init__(self) -> None:
        super().__init__("operation cancelled: actual cost limit exceeded")
