"""Which webhooks a write concerns: rules, selectors, conditions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from eso_core.testing.apiserver.rest.selectors import labels_from_object
from eso_core.testing.apiserver.schema.cel.backend import BACKEND
from eso_core.testing.apiserver.schema.cel.errors import CompileError, EvaluationError
from eso_core.testing.apiserver.schema.cel.types import DYN
from eso_core.testing.apiserver.strategy import Call

JsonObject = dict[str, Any]

_VARIABLES = ("object", "oldObject", "request")


class ConditionFailed(Exception):
    """A match condition could not be evaluated."""


@dataclass(frozen=True, slots=True)
class Matched:
    """The version of the resource that a webhook asked for."""

    version: str


def match_rules(webhook: JsonObject, call: Call, operation: str) -> Matched | None:
    """The version in which a webhook wants to see a write, or None when it does not want to."""
    equivalent = webhook.get("matchPolicy", "Equivalent") == "Equivalent"
    versions = [call.version.name]
    if equivalent:
        versions += [name for name, known in call.resource.versions.items() if known.served and name not in versions]
    for version in versions:
        if any(_rule_matches(rule, call, operation, version) for rule in webhook.get("rules") or ()):
            return Matched(version)
    return None


def _rule_matches(rule: JsonObject, call: Call, operation: str, version: str) -> bool:
    resource = call.resource
    scope = rule.get("scope") or "*"
    if scope != "*" and scope != ("Namespaced" if resource.namespaced else "Cluster"):
        return False
    return (
        _has(rule.get("operations"), operation)
        and _has(rule.get("apiGroups"), resource.group)
        and _has(rule.get("apiVersions"), version)
        and any(_resource_matches(item, resource.plural, call.subresource) for item in rule.get("resources") or ())
    )


def _has(values: list[str] | None, wanted: str) -> bool:
    return any(value in ("*", wanted) for value in values or ())


def _resource_matches(pattern: str, resource: str, subresource: str) -> bool:
    wanted, _, sub = pattern.partition("/")
    return wanted in ("*", resource) and (sub == subresource or (sub == "*" and "/" in pattern) or pattern == "*/*")


def match_selectors(
    webhook: JsonObject,
    call: Call,
    obj: JsonObject | None,
    old: JsonObject | None,
    namespace_labels: Callable[[str], dict[str, str]],
) -> bool:
    """Whether the namespace and the object (before or after) are among those selected."""
    selector = labels_from_object(webhook.get("namespaceSelector"))
    if selector:
        if call.resource.namespaced:
            if not selector.matches(namespace_labels(call.namespace)):
                return False
        elif call.resource.kind == "Namespace" and not call.resource.group:
            if not selector.matches(_labels(obj or old)):
                return False
    wanted = labels_from_object(webhook.get("objectSelector"))
    return not wanted or any(wanted.matches(_labels(state)) for state in (obj, old) if state is not None)


def _labels(obj: JsonObject | None) -> dict[str, str]:
    found: dict[str, str] = (obj or {}).get("metadata", {}).get("labels") or {}
    return found


def match_conditions(webhook: JsonObject, values: JsonObject) -> bool:
    """Whether all conditions hold. ``values`` has object, oldObject and request. Raises `ConditionFailed`.

    A condition that is false decides, even when another one cannot be evaluated.
    """
    failure: Exception | None = None
    for condition in webhook.get("matchConditions") or ():
        try:
            if _evaluate(condition.get("expression", ""), values) is not True:
                return False
        except (CompileError, EvaluationError) as error:
            failure = error
    if failure is not None:
        raise ConditionFailed(str(failure)) from failure
    return True


def _evaluate(expression: str, values: JsonObject) -> Any:
    source = expression
    for name in reversed(_VARIABLES):
        source = f"cel.bind({name}, self.{name}, {source})"
    result, _ = BACKEND.compile(source, DYN).evaluate(values)
    return result
