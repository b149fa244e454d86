"""CEL rules of a schema (``x-kubernetes-validations``), found once and run on every write."""

from __future__ import annotations

from typing import Any

from eso_core.testing.apiserver.errors import FieldError


class RuleNode:
    """A place in the schema that has rules, or has them below."""


class RuleRun:
    """One evaluation of all rules on an object."""

    def __init__(self) -> None:
        self.errors: list[FieldError] = []
        self.warnings: list[str] = []

    def validate(self, node: RuleNode, obj: Any, old: Any) -> None:
        """Run the rules of ``node`` and below."""


def build_rules(raw: Any) -> RuleNode | None:
    """The rules of a schema, or None if it has none."""
    return None
