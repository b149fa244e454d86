"""The client as a source of informers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

from eso_core.cache.driver import RawEvent, RawPage, Source
from eso_core.cache.spec import InformerSpec, Kind
from eso_core.client import Client

__all__ = ["ClientSource", "ClientSources"]


class ClientSource:
    """One kind in one scope, read through a client."""

    def __init__(self, client: Client, spec: InformerSpec, namespace: str) -> None:
        self._client = client
        self._kind: Kind = spec.kind
        self._namespace = namespace or None
        self._label_selector = spec.label_selector
        self._field_selector = spec.field_selector

    def pages(self, *, resource_version: str, limit: int, exact: bool = False) -> AsyncIterator[RawPage]:
        return self._client.list_raw(
            self._kind,
            self._namespace,
            resource_version=resource_version,
            resource_version_match="Exact" if exact else "",
            limit=limit,
            label_selector=self._label_selector,
            field_selector=self._field_selector,
        )

    def watch(
        self, *, resource_version: str, initial_events: bool, timeout_seconds: int
    ) -> AbstractAsyncContextManager[AsyncIterator[RawEvent]]:
        # Silence is judged by the reflector, which knows whether the server sends bookmarks.
        return self._client.watch_raw(
            self._kind,
            self._namespace,
            resource_version=resource_version,
            send_initial_events=initial_events,
            timeout_seconds=timeout_seconds,
            idle_timeout=None,
            label_selector=self._label_selector,
            field_selector=self._field_selector,
        )


class ClientSources:
    """A factory of sources that all read through one client."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def __call__(self, spec: InformerSpec, namespace: str) -> Source:
        return ClientSource(self._client, spec, namespace)
