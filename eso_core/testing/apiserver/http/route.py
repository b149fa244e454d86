"""What a path asks for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Target:
    """A resource path, taken apart. ``collection`` is true when no object is named."""

    group: str
    version: str
    resource: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    watch: bool = False

    @property
    def path(self) -> str:
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"


def parse_target(segments: list[str]) -> Target | None:
    """The resource that a path names, or None when it names none (discovery, health, nonsense)."""
    if not segments:
        return None
    if segments[0] == "api" and len(segments) > 2:
        group, version, rest = "", segments[1], segments[2:]
    elif segments[0] == "apis" and len(segments) > 3:
        group, version, rest = segments[1], segments[2], segments[3:]
    else:
        return None
    watch = rest[0] == "watch" and len(rest) > 1
    if watch:
        rest = rest[1:]
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and not _namespace_subresource(group, rest):
        namespace, rest = rest[1], rest[2:]
    if len(rest) > 3:
        return None
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    return Target(group, version, rest[0], namespace, name, subresource, watch)


def _namespace_subresource(group: str, rest: list[str]) -> bool:
    return not group and len(rest) == 3 and rest[2] in ("status", "finalize")


def verb_of(method: str, target: Target, watching: bool) -> str:
    """The API verb of a request, as authorization and the audit log name it."""
    if method in ("GET", "HEAD"):
        if target.name and not target.watch:
            return "get"
        return "watch" if watching or target.watch else "list"
    if method == "DELETE":
        return "delete" if target.name else "deletecollection"
    return {"POST": "create", "PUT": "update", "PATCH": "patch"}.get(method, method.lower())
