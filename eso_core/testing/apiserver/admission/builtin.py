"""The admission plugins that are always on."""

from __future__ import annotations

from typing import Any

from eso_core.testing.apiserver.authz.rbac import RBAC, Rbac
from eso_core.testing.apiserver.strategy import Call

JsonObject = dict[str, Any]


class BuiltinAdmission:
    """Nobody grants rights beyond their own."""

    def __init__(self, rbac: Rbac) -> None:
        self._rbac = rbac

    async def mutate(self, call: Call, operation: str, obj: JsonObject, old: JsonObject | None) -> JsonObject:
        """The object to go on with. Raises `StatusError`."""
        resource = call.resource
        if resource.group == RBAC and not call.internal:
            if resource.kind in ("Role", "ClusterRole"):
                if old is None or old.get("rules") != obj.get("rules"):
                    self._rbac.check_role_write(call.user, resource.kind, obj, call.namespace)
            elif old is None or (old.get("roleRef"), old.get("subjects")) != (obj.get("roleRef"), obj.get("subjects")):
                self._rbac.check_binding_write(call.user, resource.kind, obj, call.namespace)
        return obj

    async def validate(self, call: Call, operation: str, obj: JsonObject | None, old: JsonObject | None) -> None:
        """The last word before storage. Raises `StatusError`."""
