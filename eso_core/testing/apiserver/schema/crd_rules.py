"""CEL rules of a CRD: whether they compile against the schema, and what they may cost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from eso_core.testing.apiserver.errors import FieldError
from eso_core.testing.apiserver.schema import causes
from eso_core.testing.apiserver.schema.cel.backend import BACKEND, CelProgram
from eso_core.testing.apiserver.schema.cel.cost import CostEstimator, max_cardinality, multiply, saturate
from eso_core.testing.apiserver.schema.cel.errors import CompileError
from eso_core.testing.apiserver.schema.cel.schema_types import schema_type
from eso_core.testing.apiserver.schema.cel.types import BOOL, STRING, Type
from eso_core.testing.apiserver.schema.crd_internal import rule_json

JsonObject = dict[str, Any]

RULE_COST_LIMIT: Final = 10_000_000
"""What one rule may be estimated to cost."""

CRD_COST_LIMIT: Final = 100_000_000
"""What all rules of a schema together may be estimated to cost."""

_MOST_EXPENSIVE: Final = 4


@dataclass(slots=True)
class TotalCost:
    """Adds up the estimated cost of all rules of a schema."""

    cost: int = 0
    rules: list[tuple[int, str]] = field(default_factory=list)

    def add(self, path: str, cost: int) -> None:
        """Count the rule at ``path``."""
        self.cost = saturate(self.cost + cost)
        self.rules.append((cost, path))

    def most_expensive(self) -> list[str]:
        """The paths of the rules that matter: at most four, each with a hundredth of the limit or more."""
        heavy = [rule for rule in self.rules if rule[0] >= CRD_COST_LIMIT // 100]
        return [path for _, path in sorted(heavy, key=lambda rule: -rule[0])[:_MOST_EXPENSIVE]]


@dataclass(frozen=True, slots=True)
class RuleContext:
    """What the rules at a place of the schema are compiled against.

    ``cardinality`` is how often the place can occur in one object; None if nothing limits it. With ``unchanged`` the
    schema is the stored one, and single rules may cost what they like.
    """

    schema: JsonObject
    resource: bool
    cardinality: int | None
    total: TotalCost
    unchanged: bool

    @classmethod
    def root(cls, schema: JsonObject, total: TotalCost, *, unchanged: bool) -> RuleContext:
        """The context of the whole object."""
        return cls(schema, True, 1, total, unchanged)

    def _below(self, schema: JsonObject, cardinality: int | None) -> RuleContext:
        return RuleContext(schema, False, cardinality, self.total, self.unchanged)

    def property(self, schema: JsonObject, name: str) -> RuleContext:
        """The context of a property."""
        return self._below(schema["properties"][name], self.cardinality)

    def item(self, schema: JsonObject, items: JsonObject) -> RuleContext:
        """The context of a list's items."""
        return self._below(items, self._times(schema.get("maxItems")))

    def additional(self, schema: JsonObject, values: JsonObject) -> RuleContext:
        """The context of a map's values."""
        return self._below(values, self._times(schema.get("maxProperties")))

    def _times(self, limit: int | None) -> int | None:
        return None if limit is None or self.cardinality is None else multiply(self.cardinality, limit)

    def type(self) -> Type | None:
        """The type of ``self``."""
        return schema_type(self.schema, resource=self.resource)

    def total_cost(self, program: CelProgram) -> int:
        """What a program may cost over all occurrences of the place."""
        once = CostEstimator(self.schema, resource=self.resource).cost(program.tree)
        times = max_cardinality(self.schema) if self.cardinality is None else self.cardinality
        return multiply(once, times)


def cost_text(name: str, cost: int, limit: int) -> str:
    """How far a cost exceeds its limit."""
    factor = cost / limit
    if factor > 100:
        shown = "more than 100x"
    elif factor < 1.5:
        shown = f"{factor:f}x"
    else:
        shown = f"{factor:.1f}x"
    return (
        f"{name} exceeds budget by factor of {shown} (try simplifying the rule, or adding maxItems, maxProperties, "
        "and maxLength where arrays, maps, and strings are declared)"
    )


def rule_errors(context: RuleContext, rules: list[JsonObject], path: str, uncorrelated: str | None) -> list[FieldError]:
    """Errors of the rules of one place; ``uncorrelated`` is why they may not use ``oldSelf``, as a path."""
    type_ = context.type()
    where = f"{path}.x-kubernetes-validations"
    if type_ is None:
        detail = (
            "internal error: failed to construct type information for x-kubernetes-validations rules: unable to "
            "convert structural schema to CEL declarations"
        )
        return [causes.internal(where, detail)]
    errors: list[FieldError] = []
    for index, rule in enumerate(rules):
        errors += _one_rule(context, type_, rule, f"{where}[{index}]", uncorrelated)
    return errors


def _compile(source: str, type_: Type, rule: JsonObject) -> CelProgram:
    return BACKEND.compile(source, type_, optional_old_self=bool(rule.get("optionalOldSelf")))


def _one_rule(
    context: RuleContext, type_: Type, rule: JsonObject, path: str, uncorrelated: str | None
) -> list[FieldError]:
    errors: list[FieldError] = []
    text = rule.get("rule") or ""
    uses_old = False
    try:
        program = _compile(text, type_, rule)
    except CompileError as error:
        # Messages of rules that do not compile are not looked at.
        return [causes.invalid(f"{path}.rule", rule_json(rule), f"compilation failed: {error}")]
    if program.result_type != BOOL:
        detail = "cel expression must evaluate to a bool"
        return [causes.invalid(f"{path}.rule", rule_json(rule), detail)]
    uses_old = program.uses_old_self
    errors += _cost_errors(context, program, f"{path}.rule", "estimated rule cost")
    errors += _message_errors(context, type_, rule, path)
    if uses_old and uncorrelated is not None:
        detail = f"oldSelf cannot be used on the uncorrelatable portion of the schema within {uncorrelated}"
        errors.append(causes.invalid(f"{path}.rule", text, detail))
    elif not uses_old and rule.get("optionalOldSelf") is not None:
        detail = "may not be set if oldSelf is not used in rule"
        errors.append(causes.invalid(f"{path}.optionalOldSelf", bool(rule["optionalOldSelf"]), detail))
    return errors


def _cost_errors(context: RuleContext, program: CelProgram, path: str, name: str) -> list[FieldError]:
    cost = context.total_cost(program)
    context.total.add(path, cost)
    if cost <= RULE_COST_LIMIT or context.unchanged:
        return []
    return [causes.forbidden(path, cost_text(name, cost, RULE_COST_LIMIT))]


def _message_errors(context: RuleContext, type_: Type, rule: JsonObject, path: str) -> list[FieldError]:
    expression = rule.get("messageExpression") or ""
    if not expression:
        return []
    where = f"{path}.messageExpression"
    try:
        program = _compile(expression, type_, rule)
    except CompileError as error:
        detail = f"messageExpression compilation failed: {error}"
        return [causes.invalid(where, rule_json(rule), detail)]
    if program.result_type != STRING:
        detail = "messageExpression must evaluate to a string"
        return [causes.invalid(where, rule_json(rule), detail)]
    return _cost_errors(context, program, where, "estimated messageExpression cost")
