"""Pushing into Secrets of another cluster or namespace, and deleting them."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from eso_core.client import Preconditions
from eso_core.meta import JsonObject, ObjectKey
from eso_core.meta.errors import NotFound
from eso_core.meta.wellknown import SECRET
from providers.errors import ErrorKind, InvalidData, ProviderError
from providers.interface import PushData, RemoteRef
from providers.kubernetes.documents import data_text
from providers.kubernetes.metadata import PushMetadata, merged, parse
from providers.kubernetes.requests import Requests, translated

__all__ = ["Writer"]

# kubectl keeps whole manifests in it, values included: it says nothing about the copy, and would show them.
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class Writer:
    """Writes one namespace.

    Args:
        requests: To the cluster.
        namespace: The store's.
        is_cluster_store: Whether a PushSecret may name another namespace.
    """

    def __init__(self, requests: Requests, namespace: str, *, is_cluster_store: bool) -> None:
        self._requests = requests
        self._namespace = namespace
        self._is_cluster_store = is_cluster_store

    async def push(self, values: Mapping[str, bytes], data: PushData) -> None:
        """Create the Secret, or update it if anything differs.

        Raises:
            ProviderError: The request makes no sense, or the cluster refuses it.
        """
        if data.secret_key and not data.property:
            raise InvalidData("requires property in RemoteRef to push secret value if secret key is defined")
        metadata = parse(data.metadata)
        namespace = self._target_namespace(metadata)
        found = await self._requests.secret(namespace, data.remote_key)
        if data.property and not data.secret_key and _is(found, data.source_uid):
            raise InvalidData(
                f'Secret "{data.remote_key}" is the source itself: all of it in one of its own keys would grow with each push. '
                "Name a secretKey, or another remoteKey"
            )
        wanted = _desired(found, values, data, metadata)
        if found is None:
            wanted["metadata"] |= {"name": data.remote_key, "namespace": namespace}
            try:
                await self._requests.counted("CreateSecret", lambda: self._requests.cluster.create(wanted))
            except NotFound as exc:  # the namespace, which may come
                raise ProviderError(str(translated(exc)), kind=ErrorKind.REFERENCE, retryable=True) from exc
        elif wanted != found:
            await self._update(wanted)

    def _target_namespace(self, metadata: PushMetadata | None) -> str:
        if metadata is None or not metadata.remote_namespace:
            return self._namespace
        if not self._is_cluster_store:
            raise InvalidData("remoteNamespace override is only supported with ClusterSecretStore")
        return metadata.remote_namespace

    async def delete(self, ref: RemoteRef) -> None:
        """Remove a property, or the whole Secret with its last one; what is not there is fine."""
        namespace = self._target_namespace(parse(ref.metadata))
        found = await self._requests.secret(namespace, ref.key)
        if found is None:
            return
        if ref.property:
            data = dict(found.get("data") or {})
            if ref.property not in data:
                return
            del data[ref.property]
            if data:
                await self._update({**found, "data": data})
                return
        meta = found["metadata"]
        guard = Preconditions(uid=meta["uid"], resource_version=meta["resourceVersion"])
        key = ObjectKey(namespace, ref.key)
        try:
            await self._requests.counted(
                "DeleteSecret", lambda: self._requests.cluster.delete(SECRET, key, preconditions=guard)
            )
        except NotFound:
            return

    async def exists(self, ref: RemoteRef) -> bool:
        """Whether the Secret is there, and the property in it."""
        found = await self._requests.secret(self._target_namespace(parse(ref.metadata)), ref.key)
        return found is not None and (not ref.property or ref.property in (found.get("data") or {}))

    async def is_object(self, ref: RemoteRef, uid: str) -> bool:
        """Whether that Secret is the one with this uid."""
        return _is(await self._requests.secret(self._target_namespace(parse(ref.metadata)), ref.key), uid)

    async def _update(self, secret: JsonObject) -> None:
        try:
            await self._requests.counted("UpdateSecret", lambda: self._requests.cluster.update(secret))
        except NotFound as exc:
            raise ProviderError(f"the Secret was deleted while it was written: {exc}", retryable=True) from exc


def _is(found: JsonObject | None, uid: str) -> bool:
    return found is not None and bool(uid) and found["metadata"].get("uid") == uid


def _desired(
    found: JsonObject | None, values: Mapping[str, bytes], data: PushData, metadata: PushMetadata | None
) -> JsonObject:
    """The Secret after the push."""
    meta = dict((found or {}).get("metadata") or {})
    annotations = {name: value for name, value in data.annotations.items() if name != _LAST_APPLIED}
    labels_after = merged("labels", dict(data.labels), dict(meta.get("labels") or {}), metadata)
    annotations_after = merged("annotations", annotations, dict(meta.get("annotations") or {}), metadata)
    for part, after in (("labels", labels_after), ("annotations", annotations_after)):
        if after or part in meta:
            meta[part] = after
    secret_type = data.secret_type or "Opaque"
    body = dict(found) if found is not None else {"apiVersion": "v1", "kind": "Secret"}
    return {**body, "metadata": meta, "type": secret_type, "data": _data_after(found, values, data)}


def _data_after(found: JsonObject | None, values: Mapping[str, bytes], data: PushData) -> dict[str, str]:
    if not data.property:
        return {key: _encoded(value) for key, value in values.items()}
    kept: dict[str, str] = dict((found or {}).get("data") or {})
    if not data.secret_key:
        kept[data.property] = _encoded(data_text(dict(values)))
        return kept
    if data.secret_key not in values:
        raise InvalidData(f"failed to find secret key in secret with key: {data.secret_key}")
    kept[data.property] = _encoded(values[data.secret_key])
    return kept


def _encoded(value: bytes) -> str:
    return base64.b64encode(value).decode()
