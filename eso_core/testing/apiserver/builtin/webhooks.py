"""Webhook configurations: defaults and what the server refuses."""

from __future__ import annotations

from typing import Any, Final

from eso_core.testing.apiserver.builtin.strategies import BuiltinStrategy
from eso_core.testing.apiserver.builtin.validation_names import dns_subdomain
from eso_core.testing.apiserver.errors import FieldError
from eso_core.testing.apiserver.resources import Version
from eso_core.testing.apiserver.schema import causes
from eso_core.testing.apiserver.schema.crd import webhook_service_errors, webhook_url_errors
from eso_core.testing.apiserver.strategy import Call

JsonObject = dict[str, Any]

_OPERATIONS: Final = ("CONNECT", "CREATE", "DELETE", "UPDATE", "*")
_POLICIES: Final = ("Ignore", "Fail")
_MATCHES: Final = ("Exact", "Equivalent")
_REINVOCATIONS: Final = ("Never", "IfNeeded")
_SCOPES: Final = ("Cluster", "Namespaced", "*")
_MAX_TIMEOUT: Final = 30


class WebhookConfigurationStrategy(BuiltinStrategy):
    """Mutating and validating webhook configurations."""

    def default(self, version: Version, obj: JsonObject) -> None:
        for hook in obj.get("webhooks") or ():
            hook.setdefault("failurePolicy", "Fail")
            hook.setdefault("matchPolicy", "Equivalent")
            hook.setdefault("timeoutSeconds", 10)
            for key in ("namespaceSelector", "objectSelector"):
                if hook.get(key) is None:
                    hook[key] = {}
            if self.kind == "MutatingWebhookConfiguration":
                hook.setdefault("reinvocationPolicy", "Never")
            for rule in hook.get("rules") or ():
                rule.setdefault("scope", "*")
            service = (hook.get("clientConfig") or {}).get("service")
            if service:
                service.setdefault("port", 443)
        self._normalize(obj)

    def validate_create(self, call: Call, obj: JsonObject) -> list[FieldError]:
        return [*super().validate_create(call, obj), *webhook_errors(obj)]

    def validate_update(self, call: Call, obj: JsonObject, old: JsonObject) -> list[FieldError]:
        return [*super().validate_update(call, obj, old), *webhook_errors(obj)]


def webhook_errors(obj: JsonObject) -> list[FieldError]:
    """Everything wrong with the webhooks of a configuration."""
    found: list[FieldError] = []
    seen: set[str] = set()
    for index, hook in enumerate(obj.get("webhooks") or ()):
        path = f"webhooks[{index}]"
        found += _hook_errors(hook, path)
        name = hook.get("name") or ""
        if name in seen:
            found.append(causes.duplicate(f"{path}.name", name))
        seen.add(name)
    return found


def _hook_errors(hook: JsonObject, path: str) -> list[FieldError]:
    found: list[FieldError] = []
    versions = hook.get("admissionReviewVersions") or []
    if not versions:
        text = "must specify one of v1, v1beta1"
        found.append(causes.required(f"{path}.admissionReviewVersions", text))
    elif not {"v1", "v1beta1"} & set(versions):
        text = "must include at least one of v1, v1beta1"
        found.append(causes.invalid(f"{path}.admissionReviewVersions", versions, text))
    found += _name_errors(hook.get("name") or "", f"{path}.name")
    for index, rule in enumerate(hook.get("rules") or ()):
        found += _rule_errors(rule, f"{path}.rules[{index}]")
    for key, known in (("failurePolicy", _POLICIES), ("matchPolicy", _MATCHES), ("reinvocationPolicy", _REINVOCATIONS)):
        value = hook.get(key)
        if value is not None and value not in known:
            found.append(causes.not_supported(f"{path}.{key}", value, sorted(known)))
    effects = hook.get("sideEffects")
    if effects is None:
        found.append(causes.required(f"{path}.sideEffects", "must specify one of None, NoneOnDryRun"))
    elif effects not in ("None", "NoneOnDryRun"):
        found.append(causes.not_supported(f"{path}.sideEffects", effects, ["None", "NoneOnDryRun"]))
    seconds = hook.get("timeoutSeconds") or 0
    if not 1 <= seconds <= _MAX_TIMEOUT:
        text = "the timeout value must be between 1 and 30 seconds"
        found.append(causes.invalid(f"{path}.timeoutSeconds", seconds, text))
    return found + _client_errors(hook.get("clientConfig") or {}, f"{path}.clientConfig")


def _name_errors(name: str, path: str) -> list[FieldError]:
    if not name:
        return [causes.required(path)]
    problems = dns_subdomain(name)
    if problems:
        return [causes.invalid(path, name, ",".join(problems))]
    if len(name.split(".")) < 3:
        return [causes.invalid(path, name, "should be a domain with at least three segments separated by dots")]
    return []


def _rule_errors(rule: JsonObject, path: str) -> list[FieldError]:
    found: list[FieldError] = []
    for key in ("apiGroups", "apiVersions", "resources"):
        values = rule.get(key) or []
        if not values:
            found.append(causes.required(f"{path}.{key}"))
        elif "*" in values and len(values) > 1 and key != "resources":
            text = "if '*' is present, must not specify other " + (
                "API groups" if key == "apiGroups" else "API versions"
            )
            found.append(causes.invalid(f"{path}.{key}", values, text))
    operations = rule.get("operations") or []
    if not operations:
        found.append(causes.required(f"{path}.operations"))
    elif "*" in operations and len(operations) > 1:
        text = "if '*' is present, must not specify other operations"
        found.append(causes.invalid(f"{path}.operations", operations, text))
    for index, value in enumerate(operations):
        if value not in _OPERATIONS:
            found.append(causes.not_supported(f"{path}.operations[{index}]", value, sorted(_OPERATIONS)))
    if rule.get("scope") and rule["scope"] not in _SCOPES:
        found.append(causes.not_supported(f"{path}.scope", rule["scope"], sorted(_SCOPES)))
    return found


def _client_errors(config: JsonObject, path: str) -> list[FieldError]:
    url, service = config.get("url"), config.get("service")
    if (url is None) == (service is None):
        text = "exactly one of url or service is required"
        return [causes.required(path, text)]
    if url is not None:
        return webhook_url_errors(url, f"{path}.url")
    return webhook_service_errors(service or {}, f"{path}.service")
