"""Role-based access control over the stored roles and bindings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from eso_core.testing.apiserver import errors
from eso_core.testing.apiserver.authn.user import MASTERS, User
from eso_core.testing.apiserver.authz import rules
from eso_core.testing.apiserver.authz.attributes import Attributes, refusal
from eso_core.testing.apiserver.errors import StatusError
from eso_core.testing.apiserver.storage.entry import Entry
from eso_core.testing.apiserver.storage.store import Change, Store, Table

JsonObject = dict[str, Any]

RBAC: Final = "rbac.authorization.k8s.io"
ROLES: Final = f"{RBAC}/roles"
CLUSTER_ROLES: Final = f"{RBAC}/clusterroles"
ROLE_BINDINGS: Final = f"{RBAC}/rolebindings"
CLUSTER_ROLE_BINDINGS: Final = f"{RBAC}/clusterrolebindings"
_TABLES: Final = frozenset({ROLES, CLUSTER_ROLES, ROLE_BINDINGS, CLUSTER_ROLE_BINDINGS})
_ACCOUNT: Final = "system:serviceaccount:"


@dataclass(frozen=True, slots=True)
class Grant:
    """Rules that a binding gives to a subject. ``namespace`` is empty for grants everywhere."""

    namespace: str
    rules: list[JsonObject]
    reason: str


class Rbac:
    """Decides by grants. The index of grants by subject is rebuilt after roles or bindings changed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._grants: dict[tuple[str, str], list[Grant]] = {}
        self._stale = True
        self._decoded: dict[Entry, JsonObject] = {}
        store.subscribe(self._on_change)

    def _on_change(self, table: Table, change: Change) -> None:
        if table.path in _TABLES:
            self._stale = True
            if change.previous is not None:
                self._decoded.pop(change.previous, None)

    # -- deciding

    def decide(self, asked: Attributes) -> str | None:
        """The reason why a request is allowed (may be empty), or None when it is not."""
        if MASTERS in asked.user.groups:
            return ""
        for grant in self._grants_of(asked.user, asked.namespace):
            if any(rules.allows(rule, asked) for rule in grant.rules):
                return grant.reason
        return None

    def check(self, asked: Attributes) -> None:
        """Raises `StatusError` 403 when a request is not allowed."""
        if self.decide(asked) is None:
            raise refusal(asked)

    def rules_for(self, user: User, namespace: str) -> list[JsonObject]:
        """All rules that hold for a user in a namespace (empty: cluster-wide ones only)."""
        return [rule for grant in self._grants_of(user, namespace) for rule in grant.rules]

    def _grants_of(self, user: User, namespace: str) -> Iterator[Grant]:
        if self._stale:
            self._rebuild()
        subjects = [("User", user.name), *(("Group", group) for group in user.groups)]
        for wanted in ("", namespace) if namespace else ("",):
            for subject in subjects:
                for grant in self._grants.get(subject, ()):
                    if grant.namespace == wanted:
                        yield grant

    # -- the index

    def _decode(self, entry: Entry) -> JsonObject:
        found = self._decoded.get(entry)
        if found is None:
            found = self._decoded[entry] = entry.decode()
        return found

    def _rebuild(self) -> None:
        self._stale = False
        self._grants = {}
        for path in (CLUSTER_ROLE_BINDINGS, ROLE_BINDINGS):
            for entry in self._store.table(path).snapshot(self._store.revision):
                self._index(entry, self._decode(entry))

    def _index(self, entry: Entry, binding: JsonObject) -> None:
        reference = binding.get("roleRef") or {}
        found = self.role_rules(reference, entry.namespace)
        if not found:
            return
        shown = f"{entry.name}/{entry.namespace}" if entry.namespace else entry.name
        label = f'{binding["kind"]} "{shown}" of {reference.get("kind")} "{reference.get("name")}"'
        for subject in binding.get("subjects") or ():
            key, who = _subject(subject, entry.namespace)
            reason = f"RBAC: allowed by {label} to {who}"
            self._grants.setdefault(key, []).append(Grant(entry.namespace, found, reason))

    def role_rules(self, reference: JsonObject, namespace: str) -> list[JsonObject] | None:
        """The rules of a referenced role; None when it does not exist."""
        name = reference.get("name", "")
        if reference.get("kind") == "ClusterRole":
            entry = self._store.table(CLUSTER_ROLES).get(name)
        else:
            entry = self._store.table(ROLES).get(f"{namespace}/{name}")
        return None if entry is None else self._decode(entry).get("rules") or []

    # -- escalation

    def check_role_write(self, user: User, kind: str, obj: JsonObject, namespace: str) -> None:
        """A role may only be given rights that its writer holds. Raises `StatusError` 403."""
        plural = "clusterroles" if kind == "ClusterRole" else "roles"
        name = obj["metadata"].get("name", "")
        if self._may(user, "escalate", plural, name, namespace):
            return
        self._check_held(user, obj.get("rules") or [], plural, name, namespace)

    def check_binding_write(self, user: User, kind: str, obj: JsonObject, namespace: str) -> None:
        """A binding may only hand on rights that its writer holds. Raises `StatusError` 403 or 404."""
        plural = "clusterrolebindings" if kind == "ClusterRoleBinding" else "rolebindings"
        name = obj["metadata"].get("name", "")
        reference = obj.get("roleRef") or {}
        target = "clusterroles" if reference.get("kind") == "ClusterRole" else "roles"
        if self._may(user, "bind", target, reference.get("name", ""), namespace):
            return
        granted = self.role_rules(reference, namespace)
        if granted is None:
            # The original names the resource of the request here, not that of the role.
            raise errors.not_found(plural, RBAC, reference.get("name", ""))
        self._check_held(user, granted, plural, name, namespace)

    def _may(self, user: User, verb: str, resource: str, name: str, namespace: str) -> bool:
        asked = Attributes(user, verb, RBAC, "v1", resource, namespace=namespace, name=name)
        return self.decide(asked) is not None

    def _check_held(self, user: User, wanted: list[JsonObject], plural: str, name: str, namespace: str) -> None:
        missing = rules.uncovered(self.rules_for(user, namespace), wanted)
        if not missing:
            return
        listed = "\n".join(sorted(rules.shown(rule) for rule in rules.compact(missing)))
        groups = " ".join(f'"{group}"' for group in user.groups)
        message = (
            f'user "{user.name}" (groups=[{groups}]) is attempting to grant RBAC permissions not currently held:\n'
            f"{listed}"
        )
        raise errors.forbidden(plural, RBAC, name, message)


def _subject(subject: JsonObject, namespace: str) -> tuple[tuple[str, str], str]:
    kind, name = subject.get("kind", ""), subject.get("name", "")
    if kind == "ServiceAccount":
        where = subject.get("namespace") or namespace
        return ("User", f"{_ACCOUNT}{where}:{name}"), f'ServiceAccount "{name}/{where}"'
    return (kind, name), f'{kind} "{name}"'


__all__ = ["CLUSTER_ROLES", "RBAC", "Grant", "Rbac", "StatusError"]
