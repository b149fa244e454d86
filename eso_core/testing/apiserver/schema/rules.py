"""CEL rules of a schema (``x-kubernetes-validations``), found once and run on every write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from eso_core.testing.apiserver.errors import FieldError
from eso_core.testing.apiserver.schema import causes
from eso_core.testing.apiserver.schema.cel.backend import BACKEND, CelProgram
from eso_core.testing.apiserver.schema.cel.errors import (
    CompileError,
    CostExceeded,
    EvaluationError,
    NoSuchOverload,
)
from eso_core.testing.apiserver.schema.cel.schema_types import schema_type
from eso_core.testing.apiserver.schema.fieldpath import FieldPathError, resolve
from eso_core.testing.apiserver.schema.gotext import quote, to_json
from eso_core.testing.apiserver.schema.node import ABSENT
from eso_core.testing.apiserver.schema.values import same

JsonObject = dict[str, Any]

OBJECT_WORK_LIMIT: Final = 10_000_000
"""Steps that all rules of one object may take together."""

_MESSAGE_LIMIT: Final = 5 * 1024


class Rule:
    """One rule. It is compiled when it first runs."""

    __slots__ = ("_message", "_program", "_schema", "_type", "error", "optional", "path", "raw")

    def __init__(self, raw: JsonObject, schema: JsonObject, type_: Callable[[], Any]) -> None:
        self.raw = raw
        self.optional = bool(raw.get("optionalOldSelf"))
        self.error = ""
        self.path = ""
        self._schema = schema
        self._type = type_
        self._program: CelProgram | None = None
        self._message: CelProgram | None = None

    @property
    def name(self) -> str:
        """How errors about the rule name it: by its message, or by its text."""
        message: str = (self.raw.get("message") or "").strip()
        return message or str(self.raw.get("rule") or "").strip()

    @property
    def message(self) -> str:
        """What a failure says, unless a message expression says it."""
        message: str = (self.raw.get("message") or "").strip()
        return message or f"failed rule: {self.name}"

    @property
    def program(self) -> CelProgram | None:
        """The compiled rule, or None if it does not compile; `error` says why."""
        if self._program is None and not self.error:
            self._compile()
        return self._program

    @property
    def message_program(self) -> CelProgram | None:
        """The compiled message expression, if there is one."""
        return self._message

    def _compile(self) -> None:
        try:
            self._program = BACKEND.compile(self.raw["rule"], self._type(), optional_old_self=self.optional)
            expression = self.raw.get("messageExpression")
            if expression:
                self._message = BACKEND.compile(expression, self._type(), optional_old_self=self.optional)
            if self.raw.get("fieldPath"):
                self.path = resolve(self.raw["fieldPath"], self._schema)[0]
        except (CompileError, FieldPathError) as error:
            self.error = f"compilation failed: {error}"


@dataclass(slots=True)
class RuleNode:
    """A place in the schema that has rules, or has them below."""

    schema: JsonObject
    rules: list[Rule] = field(default_factory=list)
    properties: dict[str, RuleNode] = field(default_factory=dict)
    additional: RuleNode | None = None
    items: RuleNode | None = None

    @property
    def kind(self) -> str:
        return str(self.schema.get("type") or "")

    @property
    def empty(self) -> bool:
        return not (self.rules or self.properties or self.additional or self.items)


def build_rules(schema: JsonObject, *, root: bool = True) -> RuleNode | None:
    """The rules of a schema, or None if it has none."""
    node = RuleNode(schema)
    rules = schema.get("x-kubernetes-validations")
    if rules:
        type_ = _once(lambda: schema_type(schema, resource=root))
        node.rules = [Rule(raw, schema, type_) for raw in rules if (raw.get("rule") or "").strip()]
    for name, sub in (schema.get("properties") or {}).items():
        found = build_rules(sub, root=False)
        if found is not None:
            node.properties[name] = found
    additional, items = schema.get("additionalProperties"), schema.get("items")
    if isinstance(additional, dict):
        node.additional = build_rules(additional, root=False)
    if isinstance(items, dict):
        node.items = build_rules(items, root=False)
    return None if node.empty else node


def _once(make: Callable[[], Any]) -> Callable[[], Any]:
    made: list[Any] = []

    def get() -> Any:
        if not made:
            made.append(make())
        return made[0]

    return get


class _OutOfBudget(Exception):
    """No more rules are run."""


class RuleRun:
    """One evaluation of all rules on an object, and what came of it."""

    __slots__ = ("_left", "errors", "warnings")

    def __init__(self, budget: int = OBJECT_WORK_LIMIT) -> None:
        self.errors: list[FieldError] = []
        self.warnings: list[str] = []
        self._left = budget

    def validate(self, node: RuleNode, obj: Any, old: Any) -> None:
        """Run the rules of ``node`` and below on ``obj``; ``old`` is its former self, or None."""
        try:
            self._visit(node, obj, old, "", ABSENT if old is None else old, ABSENT, root=True)
        except _OutOfBudget:
            return

    def validate_default(self, node: RuleNode, value: Any, path: str) -> None:
        """Run the rules on a default of the schema, which stands for the old value too; nothing is forgiven."""
        try:
            self._visit(node, value, value, path, ABSENT, ABSENT)
        except _OutOfBudget:
            return

    def _visit(
        self, node: RuleNode, value: Any, old: Any, path: str, former: Any, ancestor: Any, *, root: bool = False
    ) -> None:
        """``old`` is what rules see as oldSelf; ``former`` and ``ancestor`` (value, old value) are for ratcheting."""
        if value is None:
            return
        if node.rules:
            self._run(node, value, old, path, former, ancestor)
        if isinstance(value, dict):
            self._visit_object(node, value, old, path, former, ancestor, root=root)
        elif isinstance(value, list) and node.items is not None:
            self._visit_list(node, node.items, value, old, path, former, ancestor)

    def _visit_object(
        self, node: RuleNode, value: JsonObject, old: Any, path: str, former: Any, ancestor: Any, *, root: bool
    ) -> None:
        properties, additional = node.properties, node.additional
        before = old if isinstance(old, dict) else {}
        parts = former if isinstance(former, dict) else {}
        above = ancestor if former is ABSENT else (value, former)
        for key in sorted(value) if len(value) > 1 and len(properties) != 1 else value:
            sub = properties.get(key)
            where = f"{path}.{key}" if path else key
            if sub is None:
                if additional is None or key in (node.schema.get("properties") or ()):
                    continue
                sub, where = additional, f"{path}[{key}]"
            part = ABSENT if former is ABSENT else parts.get(key, ABSENT)
            if root and key in ("apiVersion", "kind"):
                part = ABSENT
            self._visit(sub, value[key], before.get(key), where, part, above)

    def _visit_list(
        self, node: RuleNode, items: RuleNode, value: list[Any], old: Any, path: str, former: Any, ancestor: Any
    ) -> None:
        above = ancestor if former is ABSENT else (value, former)
        find = _by_key(node.schema, old)
        for index, item in enumerate(value):
            was = find(item)
            part = ABSENT if former is ABSENT or was is None else was
            self._visit(items, item, was, f"{path}[{index}]", part, above)

    def _run(self, node: RuleNode, value: Any, old: Any, path: str, former: Any, ancestor: Any) -> None:
        where, kind = causes.field_name(path), node.kind
        for rule in node.rules:
            program = rule.program
            if self._left <= 0:
                self._out_of_budget(where, kind)
            if program is None:
                self.errors.append(causes.invalid(where, kind, f"rule compile error: {rule.error}"))
                continue
            if program.uses_old_self and old is None and not rule.optional:
                continue
            try:
                result, work = program.evaluate(value, old)
            except EvaluationError as error:
                self._report_failure(error, rule, where, kind)
                continue
            self._spend(work, where, kind)
            if result is not True:
                failure = self._failure(rule, value, old, path, kind)
                if not program.uses_old_self and _unchanged(value, former, ancestor):
                    self.warnings.append(str(failure))
                else:
                    self.errors.append(failure)

    def _spend(self, work: int, where: str, kind: str) -> None:
        if work > self._left:
            self._out_of_budget(where, kind)
        self._left -= work

    def _out_of_budget(self, where: str, kind: str) -> None:
        detail = "validation failed due to running out of cost budget, no further validation rules will be run"
        self.errors.append(causes.invalid(where, kind, detail))
        raise _OutOfBudget

    def _report_failure(self, error: EvaluationError, rule: Rule, where: str, kind: str) -> None:
        if isinstance(error, CostExceeded):
            detail = f"'{error}': no further validation rules will be run due to call cost exceeds limit for rule: {rule.name}"
            self.errors.append(causes.invalid(where, kind, detail))
            raise _OutOfBudget
        if isinstance(error, NoSuchOverload):
            detail = (
                f"'{error}': call arguments did not match a supported operator, function or macro signature for "
                f"rule: {rule.name}"
            )
        else:
            detail = f"{error} evaluating rule: {rule.name}"
        self.errors.append(causes.invalid(where, kind, detail))

    def _failure(self, rule: Rule, value: Any, old: Any, path: str, kind: str) -> FieldError:
        detail = rule.message
        if rule.message_program is not None:
            detail = self._computed_message(rule, rule.message_program, value, old, path, kind) or detail
        where = path
        if rule.path:
            joint = "" if not path or rule.path.startswith("[") else "."
            where = f"{path}{joint}{rule.path}"
        target = causes.field_name(where)
        shown = causes.OMIT if isinstance(value, dict | list) else value
        match rule.raw.get("reason"):
            case "FieldValueForbidden":
                return causes.forbidden(target, detail)
            case "FieldValueRequired":
                return causes.required(target, detail)
            case "FieldValueDuplicate":
                return causes.duplicate(target, shown)
        return causes.invalid(target, shown, detail)

    def _computed_message(self, rule: Rule, program: CelProgram, value: Any, old: Any, path: str, kind: str) -> str:
        """The message of the expression, or empty where the fixed one is to be used."""
        where, expression = causes.field_name(path), quote(rule.raw["messageExpression"])
        try:
            text, work = program.evaluate(value, old)
        except CostExceeded as error:
            detail = (
                "no further validation rules will be run due to call cost exceeds limit for messageExpression: "
                f"{expression}"
            )
            self.errors.append(causes.invalid(where, kind, detail))
            raise _OutOfBudget from error
        except EvaluationError:
            return ""
        if work > self._left:
            detail = (
                "messageExpression evaluation failed due to running out of cost budget, no further validation rules "
                "will be run"
            )
            self.errors.append(causes.invalid(where, kind, detail))
            raise _OutOfBudget
        self._left -= work
        if not isinstance(text, str):
            return ""
        text = text.strip()
        return "" if "\n" in text or len(text.encode()) > _MESSAGE_LIMIT else text


def _unchanged(value: Any, former: Any, ancestor: Any) -> bool:
    """Whether the value, or the nearest part around it that can be matched with the old object, is as it was."""
    if former is not ABSENT:
        return same(value, former)
    return ancestor is not ABSENT and same(*ancestor)


def _by_key(schema: JsonObject, old: Any) -> Callable[[Any], Any]:
    """Finds an item's former self in a list of type ``map``; in others nothing corresponds."""
    if schema.get("x-kubernetes-list-type") != "map" or not isinstance(old, list):
        return lambda item: None
    keys = tuple(schema.get("x-kubernetes-list-map-keys") or ())

    def identity(item: Any) -> Any:
        return tuple(to_json(item.get(key)) for key in keys) if isinstance(item, dict) else None

    index = {identity(item): item for item in reversed(old)}
    return lambda item: index.get(identity(item))
