"""Reads of a cluster for commands: objects as they are now, stores as the operator would open them. Nothing is written."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec import Struct

from controllers.externalsecret.render import decode_data
from controllers.kube import ClusterReader
from controllers.secretstore.access import StoreRef, StoreUnusable
from controllers.templating.stage import StageFailed, TemplateSettings
from controllers.templating.texts import StoreTemplates
from eso_core.aio import SystemClock
from eso_core.client import Client, load_config
from eso_core.meta import GVK, JsonObject, ObjectKey
from eso_core.meta.errors import ConfigError, EsoCoreError, NotFound
from eso_core.meta.wellknown import CONFIG_MAP, NAMESPACE, SECRET
from providers.interface import ProviderOptions
from providers.pool import ClientPool
from providers.registry import Registry

__all__ = ["Known", "LiveSources", "connected", "default_namespace", "get_or_none", "stores_of"]

_OF_DEV = Path(".eso-dev/kubeconfig")
_KINDS: Mapping[str, GVK] = {"ConfigMap": CONFIG_MAP, "Secret": SECRET}


class Connection(Struct, frozen=True):
    """A cluster, and what opens stores."""

    client: Client
    pool: ClientPool


@asynccontextmanager
async def connected(kubeconfig: str | None, context: str | None, *, agent: str) -> AsyncIterator[Connection]:
    """A connection to the cluster of a kubeconfig.

    Raises:
        ConfigError: There is none.
    """
    try:
        config = await load_config(kubeconfig, context)
    except ConfigError as error:
        raise _told(error, kubeconfig) from error.__cause__
    options = ProviderOptions(templates=StoreTemplates(TemplateSettings().budget))
    async with Client(config, user_agent=agent) as client:
        pool = ClientPool(Registry(), ClusterReader(client), SystemClock(), options=options)
        try:
            yield Connection(client, pool)
        finally:
            await pool.aclose()


def _told(error: ConfigError, kubeconfig: str | None) -> ConfigError:
    """The error, and where none was named, the kubeconfig that `eso dev` has left here."""
    if kubeconfig is None and not os.environ.get("KUBECONFIG") and _OF_DEV.exists():
        return ConfigError(f"{error}; that of eso dev is {_OF_DEV}")
    return error


def default_namespace(given: str | None, client: Client) -> str:
    """The namespace of the flag, else that of the kubeconfig."""
    return given or client.config.namespace or "default"


async def get_or_none(client: Client, kind: GVK, key: ObjectKey) -> JsonObject | None:
    """An object, None if there is none."""
    try:
        found: JsonObject = await client.get(kind, key)
    except NotFound:
        return None
    return found


class LiveSources:
    """What templates name; `controllers.templating.stage.Sources` is its protocol."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def read(self, kind: str, namespace: str, name: str) -> Mapping[str, bytes]:
        """The data of a source.

        Raises:
            StageFailed: it is not there, or cannot be read.
        """
        try:
            found = await get_or_none(self._client, _KINDS[kind], ObjectKey(namespace, name))
        except EsoCoreError as error:
            raise StageFailed(str(error)) from error
        if found is None:
            raise StageFailed(f'{kind.lower()}s "{name}" not found')
        if kind == "Secret":
            return decode_data(found)
        return {key: str(value).encode() for key, value in (found.get("data") or {}).items()}


@dataclass(frozen=True, slots=True)
class _Entry:
    body: JsonObject

    def decode(self) -> JsonObject:
        """The object."""
        return self.body


class Known:
    """Objects that were read before; `controllers.secretstore.access.Reader` is its protocol."""

    def __init__(self) -> None:
        self._objects: dict[tuple[str, ObjectKey], _Entry] = {}

    def add(self, kind: GVK, key: ObjectKey, obj: JsonObject | None) -> None:
        """Take in an object."""
        if obj is not None:
            self._objects[kind.kind, key] = _Entry(obj)

    def stores(self) -> list[JsonObject]:
        """All stores among them."""
        return [entry.body for (kind, _), entry in self._objects.items() if kind.endswith("SecretStore")]

    def peek(self, kind: Any, key: ObjectKey) -> _Entry | None:
        """The object, None if there is none."""
        return self._objects.get((kind.kind, key))


async def stores_of(client: Client, refs: Iterable[StoreRef], namespace: str) -> Known:
    """The stores that an object names, and its namespace."""
    known = Known()
    key = ObjectKey("", namespace)
    known.add(NAMESPACE, key, await get_or_none(client, NAMESPACE, key))
    for ref in refs:
        try:
            kind = ref.gvk
        except StoreUnusable:
            continue  # said when it is used
        known.add(kind, ref.key(namespace), await get_or_none(client, kind, ref.key(namespace)))
    return known
