"""CEL rules of a CRD: whether they compile against the schema, and what they may cost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from eso_core.testing.apiserver.errors import FieldError

JsonObject = dict[str, Any]

RULE_COST_LIMIT: Final = 10_000_000
CRD_COST_LIMIT: Final = 100_000_000


@dataclass(slots=True)
class TotalCost:
    """Adds up the estimated cost of all rules of a schema."""

    cost: int = 0
    rules: list[tuple[int, str]] = field(default_factory=list)

    def add(self, path: str, cost: int) -> None:
        """Count the rule at ``path``."""
        self.cost += cost
        self.rules.append((cost, path))

    def most_expensive(self) -> list[str]:
        """The paths of the rules that matter most."""
        return [path for _, path in sorted(self.rules, key=lambda rule: -rule[0])[:4]]


class RuleContext:
    """What the rules at a place of the schema are compiled against."""

    @classmethod
    def root(cls, schema: JsonObject, total: TotalCost, *, unchanged: bool) -> RuleContext:
        """The context of the whole object."""
        return cls()

    def property(self, schema: JsonObject, name: str) -> RuleContext | None:
        """The context of a property."""
        return self

    def item(self, schema: JsonObject, items: JsonObject) -> RuleContext | None:
        """The context of a list's items."""
        return self

    def additional(self, schema: JsonObject, values: JsonObject) -> RuleContext | None:
        """The context of a map's values."""
        return self


def cost_text(name: str, cost: int, limit: int) -> str:
    """How far a cost exceeds its limit."""
    factor = cost / limit
    if factor > 100:
        shown = "more than 100x"
    elif factor < 1.5:
        shown = f"{factor:f}x"
    else:
        shown = f"{factor:.1f}x"
    hint = "try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared"
    return f"{name} exceeds budget by factor of {shown} ({hint})"


def rule_errors(context: RuleContext, rules: list[JsonObject], path: str, uncorrelated: str | None) -> list[FieldError]:
    """Errors of the rules of one place."""
    return []
