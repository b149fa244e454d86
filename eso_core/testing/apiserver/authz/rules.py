"""Policy rules: what one allows, whether some cover others, and how they are shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from eso_core.testing.apiserver.authz.attributes import Attributes

JsonObject = dict[str, Any]


def allows(rule: JsonObject, asked: Attributes) -> bool:
    """Whether a rule allows a request."""
    if not _has(rule.get("verbs"), asked.verb):
        return False
    if asked.path:
        return any(_path_matches(pattern, asked.path) for pattern in rule.get("nonResourceURLs") or ())
    names = rule.get("resourceNames")
    return (
        _has(rule.get("apiGroups"), asked.group)
        and _resource_matches(rule.get("resources") or (), asked)
        and (not names or asked.name in names)
    )


def _has(values: Iterable[str] | None, wanted: str) -> bool:
    return any(value in ("*", wanted) for value in values or ())


def _resource_matches(resources: Iterable[str], asked: Attributes) -> bool:
    full = asked.full_resource
    return any(
        item == "*" or item == full or (asked.subresource != "" and item == f"*/{asked.subresource}")
        for item in resources
    )


def _path_matches(pattern: str, path: str) -> bool:
    if pattern in ("*", path):
        return True
    return pattern.endswith("*") and path.startswith(pattern.rstrip("*"))


def uncovered(held: list[JsonObject], wanted: list[JsonObject]) -> list[JsonObject]:
    """The parts of ``wanted`` that ``held`` does not cover, one verb on one resource (or path) each."""
    return [part for rule in wanted for part in _parts(rule) if not any(_covers(owned, part) for owned in held)]


def _parts(rule: JsonObject) -> Iterator[JsonObject]:
    for group in rule.get("apiGroups") or ():
        for resource in rule.get("resources") or ():
            for verb in rule.get("verbs") or ():
                part = {"apiGroups": [group], "resources": [resource], "verbs": [verb]}
                names = rule.get("resourceNames")
                if not names:
                    yield part
                for name in names or ():
                    yield {**part, "resourceNames": [name]}
    for path in rule.get("nonResourceURLs") or ():
        for verb in rule.get("verbs") or ():
            yield {"nonResourceURLs": [path], "verbs": [verb]}


def _covers(owned: JsonObject, part: JsonObject) -> bool:
    if not _has(owned.get("verbs"), part["verbs"][0]):
        return False
    if "nonResourceURLs" in part:
        path = part["nonResourceURLs"][0]
        return any(_path_matches(pattern, path) for pattern in owned.get("nonResourceURLs") or ())
    names = owned.get("resourceNames")
    if names and not (part.get("resourceNames") and part["resourceNames"][0] in names):
        return False
    resource = part["resources"][0]
    return _has(owned.get("apiGroups"), part["apiGroups"][0]) and any(
        item in ("*", resource) or ("/" in resource and item == f"*/{resource.partition('/')[2]}")
        for item in owned.get("resources") or ()
    )


def compact(rules: list[JsonObject]) -> list[JsonObject]:
    """Rules on one resource that differ in the verb alone, joined."""
    joined: dict[tuple[str, ...], JsonObject] = {}
    for rule in rules:
        if "nonResourceURLs" in rule:
            key: tuple[str, ...] = ("path", *rule["nonResourceURLs"])
        else:
            names = rule.get("resourceNames") or ()
            key = ("resource", *rule["apiGroups"], *rule["resources"], "names", *names)
        found = joined.get(key)
        if found is None:
            joined[key] = {**rule, "verbs": list(rule["verbs"])}
        else:
            found["verbs"] += [verb for verb in rule["verbs"] if verb not in found["verbs"]]
    return list(joined.values())


def shown(rule: JsonObject) -> str:
    """A rule as refusals list it."""
    parts = []
    for key, label in (
        ("apiGroups", "APIGroups"),
        ("resources", "Resources"),
        ("nonResourceURLs", "NonResourceURLs"),
        ("resourceNames", "ResourceNames"),
        ("verbs", "Verbs"),
    ):
        if rule.get(key):
            values = " ".join(f'"{value}"' for value in rule[key])
            parts.append(f"{label}:[{values}]")
    return "{" + ", ".join(parts) + "}"
