"""Admission as a whole: the plugins that are always on, then the webhooks."""

from __future__ import annotations

from typing import Any

from eso_core.testing.apiserver.admission.webhooks import Webhooks
from eso_core.testing.apiserver.authz.rbac import RBAC, Rbac
from eso_core.testing.apiserver.strategy import Call

JsonObject = dict[str, Any]


class AdmissionChain:
    """Nobody grants rights beyond their own; webhooks may change and refuse the rest.

    Writes of the server's own controllers pass unasked.
    """

    def __init__(self, rbac: Rbac, webhooks: Webhooks) -> None:
        self._rbac = rbac
        self._webhooks = webhooks

    async def mutate(self, call: Call, operation: str, obj: JsonObject, old: JsonObject | None) -> JsonObject:
        """The object to go on with. Raises `StatusError`."""
        if call.internal:
            return obj
        changed = await self._webhooks.mutate(call, operation, obj, old)
        obj = obj if changed is None else changed
        if call.resource.group == RBAC:
            self._check_grants(call, obj, old)
        return obj

    def _check_grants(self, call: Call, obj: JsonObject, old: JsonObject | None) -> None:
        kind = call.resource.kind
        if kind in ("Role", "ClusterRole"):
            if old is None or old.get("rules") != obj.get("rules"):
                self._rbac.check_role_write(call.user, kind, obj, call.namespace)
        elif old is None or (old.get("roleRef"), old.get("subjects")) != (obj.get("roleRef"), obj.get("subjects")):
            self._rbac.check_binding_write(call.user, kind, obj, call.namespace)

    async def validate(self, call: Call, operation: str, obj: JsonObject | None, old: JsonObject | None) -> None:
        """The last word before storage. Raises `StatusError`."""
        if call.internal:
            return
        if operation == "DELETE":
            await self._webhooks.mutate(call, operation, None, old)
        await self._webhooks.validate(call, operation, obj, old)
