"""ClusterRoles that are put together from others by label."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eso_core.testing.apiserver.authz.rbac import CLUSTER_ROLES, RBAC
from eso_core.testing.apiserver.internal import InternalCalls
from eso_core.testing.apiserver.rest.selectors import labels_from_object
from eso_core.testing.apiserver.storage.store import Change, Store, Table

JsonObject = dict[str, Any]


class AggregationController:
    """Keeps the rules of aggregating ClusterRoles equal to those of the roles they select."""

    def __init__(self, store: Store, calls: InternalCalls, schedule: Callable[[Callable[[], None]], None]) -> None:
        self._store = store
        self._calls = calls
        self._schedule = schedule
        self._due = False
        store.subscribe(self._on_change)

    def _on_change(self, table: Table, change: Change) -> None:
        if table.path == CLUSTER_ROLES and not self._due:
            self._due = True
            self._schedule(self.run)

    @property
    def idle(self) -> bool:
        """Whether nothing is due."""
        return not self._due

    def run(self) -> None:
        """Bring all aggregates up to date; an aggregate of aggregates takes another round."""
        if not self._due:
            return
        self._due = False
        roles = {entry.name: entry for entry in self._store.table(CLUSTER_ROLES).snapshot(self._store.revision)}
        for name, entry in roles.items():
            if b'"aggregationRule"' not in entry.body:
                continue
            role = entry.decode()
            selectors = (role.get("aggregationRule") or {}).get("clusterRoleSelectors") or []
            if not selectors:
                continue
            chosen = [labels_from_object(selector) for selector in selectors]
            rules: list[JsonObject] = []
            for other, candidate in roles.items():
                if other != name and any(selector.matches(candidate.labels) for selector in chosen):
                    rules += [rule for rule in candidate.decode().get("rules") or [] if rule not in rules]
            if rules != (role.get("rules") or []):
                self._calls.update(RBAC, "v1", "clusterroles", "", name, _with_rules(rules))


def _with_rules(rules: list[JsonObject]) -> Callable[[JsonObject], JsonObject]:
    return lambda obj: {**obj, "rules": rules or None}
