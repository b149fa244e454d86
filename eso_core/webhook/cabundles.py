"""Keeps the `caBundle` of webhook configurations and definitions in step with the mounted certificate authority."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import structlog

from eso_core.aio import Clock
from eso_core.meta import GVK, JsonObject, ObjectKey
from eso_core.meta.errors import ApiError, NotFound, TransportError
from eso_core.meta.wellknown import CRD

__all__ = ["MUTATING", "VALIDATING", "CABundles"]

_log = structlog.get_logger("eso_core.webhook")

MUTATING = GVK("admissionregistration.k8s.io", "v1", "MutatingWebhookConfiguration")
VALIDATING = GVK("admissionregistration.k8s.io", "v1", "ValidatingWebhookConfiguration")
_POLL = 10.0
#: Somebody else may overwrite the field, a GitOps tool for instance: looked at this often, seconds.
_REPAIR = 300.0


class _Client(Protocol):
    async def get(self, kind: Any, key: ObjectKey, /) -> Any: ...
    async def apply(self, obj: Any, owner: str, /, *, force: bool = True) -> Any: ...


class CABundles:
    """A runnable that applies the content of a CA file to that one field of each target, server-side.

    Args:
        client: a live client with the right to get and patch the targets.
        ca_file: PEM; read again when its content changes.
        owner: field manager.
        targets: (kind, name) of webhook configurations and definitions; what does not exist is tried again.
    """

    def __init__(
        self, client: _Client, ca_file: str | Path, owner: str, targets: Sequence[tuple[GVK, str]], clock: Clock
    ) -> None:
        for kind, name in targets:
            if kind not in (MUTATING, VALIDATING, CRD):
                raise ValueError(f"targets: {kind.kind} {name} has no caBundle")
        self._client, self._file, self._owner, self._targets, self._clock = client, Path(ca_file), owner, targets, clock
        self.name = "CA bundles"

    async def start(self) -> None:
        """Applies, and applies again when the file changes or a target was changed, until cancelled."""
        applied, due = b"", 0.0
        while True:
            try:
                content = await asyncio.to_thread(self._file.read_bytes)
            except OSError as error:
                _log.warning("CA file not read", file=str(self._file), error=str(error))
                content = b""
            digest = hashlib.sha256(content).digest()
            if content and (digest != applied or self._clock.monotonic() >= due):
                done = [await self._inject(kind, name, content) for kind, name in self._targets]
                if all(done):
                    applied, due = digest, self._clock.monotonic() + _REPAIR
            await self._clock.sleep(_POLL)

    async def _inject(self, kind: GVK, name: str, content: bytes) -> bool:
        bundle = base64.b64encode(content).decode()
        try:
            current = await self._client.get(kind, ObjectKey("", name))
            wanted = _with_bundle(kind, name, current, bundle)
            if wanted is not None:
                await self._client.apply(wanted, self._owner)
        except NotFound:
            return False
        except (ApiError, TransportError) as error:
            _log.warning("CA bundle not applied", kind=kind.kind, name=name, error=str(error))
            return False
        return True


def _with_bundle(kind: GVK, name: str, current: JsonObject, bundle: str) -> JsonObject | None:
    """What to apply; None when the bundle is there already, or nothing calls a webhook."""
    head: JsonObject = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": name}}
    if kind == CRD:
        conversion = (current.get("spec") or {}).get("conversion") or {}
        client = (conversion.get("webhook") or {}).get("clientConfig")
        if conversion.get("strategy") != "Webhook" or client is None or client.get("caBundle") == bundle:
            return None
        return {**head, "spec": {"conversion": {"webhook": {"clientConfig": {"caBundle": bundle}}}}}
    webhooks = current.get("webhooks") or []
    if all((hook.get("clientConfig") or {}).get("caBundle") == bundle for hook in webhooks):
        return None
    return {**head, "webhooks": [{"name": hook["name"], "clientConfig": {"caBundle": bundle}} for hook in webhooks]}
