"""An in-memory API server for one kind, good enough for reflectors: versions, pages, watches, faults."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

import orjson

from eso_core.meta.errors import ApiError, Gone


@dataclass(frozen=True, slots=True)
class Page:
    items: list[bytes]
    resource_version: str
    continue_: str = ""


@dataclass(frozen=True, slots=True)
class WatchEvent:
    type: str
    body: bytes


def gone(version: str) -> ApiError:
    return Gone(f"too old resource version: {version}", reason="Expired")


class FakeServer:
    """Objects of one kind with a version counter and an event log that can be compacted."""

    def __init__(self, kind: str = "ConfigMap", api_version: str = "v1") -> None:
        self.kind = kind
        self.api_version = api_version
        self.version = 100
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.log: list[tuple[int, str, dict[str, Any]]] = []
        self.oldest = 100
        self.uids = 0
        self.streams: list[FakeWatch] = []
        self.requests: list[str] = []
        self.list_errors: list[Exception] = []
        self.watch_errors: list[Exception] = []
        self.watch_list = True
        self.page_limit: int | None = None
        self.left_out_of_streams: set[str] = set()

    # -- writes

    def put(
        self, name: str, namespace: str = "ns", labels: dict[str, str] | None = None, **fields: Any
    ) -> dict[str, Any]:
        key = (namespace, name)
        self.version += 1
        old = self.objects.get(key)
        if old is None:
            self.uids += 1
        metadata: dict[str, Any] = {
            "name": name,
            "namespace": namespace,
            "uid": old["metadata"]["uid"] if old else f"uid-{self.uids}",
            "resourceVersion": str(self.version),
        }
        if labels:
            metadata["labels"] = labels
        metadata.update(fields.pop("metadata", {}))
        obj = {"apiVersion": self.api_version, "kind": self.kind, "metadata": metadata, **fields}
        self.objects[key] = obj
        self._emit("MODIFIED" if old else "ADDED", obj)
        return obj

    def delete(self, name: str, namespace: str = "ns") -> None:
        obj = self.objects.pop((namespace, name))
        self.version += 1
        last = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self.version)}}
        self._emit("DELETED", last)

    def bookmark(self) -> None:
        for stream in self.streams:
            stream.push("BOOKMARK", self._bookmark_body())

    def compact(self) -> None:
        self.oldest = self.version
        self.log.clear()

    def error(self, status: dict[str, Any]) -> None:
        for stream in self.streams:
            stream.push("ERROR", orjson.dumps({"kind": "Status", "status": "Failure", **status}))

    def close_streams(self) -> None:
        for stream in list(self.streams):
            stream.end(None)

    def break_streams(self, error: Exception) -> None:
        for stream in list(self.streams):
            stream.end(error)

    def _bookmark_body(self, initial_end: bool = False) -> bytes:
        metadata: dict[str, Any] = {"resourceVersion": str(self.version)}
        if initial_end:
            metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
        return orjson.dumps({"kind": self.kind, "apiVersion": self.api_version, "metadata": metadata})

    def _emit(self, event: str, obj: dict[str, Any]) -> None:
        self.log.append((self.version, event, obj))
        for stream in self.streams:
            if stream.live:
                stream.push(event, orjson.dumps(obj))

    # -- the source protocol

    async def pages(self, *, resource_version: str, limit: int, exact: bool = False) -> AsyncIterator[Page]:
        self.requests.append(f"list rv={resource_version} limit={limit}" + (" exact" if exact else ""))
        await asyncio.sleep(0)
        if self.list_errors:
            raise self.list_errors.pop(0)
        bodies = [orjson.dumps(obj) for _, obj in sorted(self.objects.items())]
        version = str(self.version)
        size = self.page_limit or limit or len(bodies) or 1
        if resource_version == "0" and self.page_limit is None:
            size = len(bodies) or 1
        for start in range(0, max(len(bodies), 1), size):
            more = start + size < len(bodies)
            yield Page(bodies[start : start + size], version, "more" if more else "")

    def watch(
        self, *, resource_version: str, initial_events: bool, timeout_seconds: int
    ) -> AbstractAsyncContextManager[AsyncIterator[WatchEvent]]:
        self.requests.append(f"watch rv={resource_version} initial={initial_events}")
        return FakeWatch(self, resource_version, initial_events)


class FakeWatch(AbstractAsyncContextManager[AsyncIterator[WatchEvent]]):
    def __init__(self, server: FakeServer, resource_version: str, initial_events: bool) -> None:
        self.server = server
        self.resource_version = resource_version
        self.initial_events = initial_events
        self.live = True
        self.queue: asyncio.Queue[WatchEvent | Exception | None] = asyncio.Queue()

    def push(self, event: str, body: bytes) -> None:
        self.queue.put_nowait(WatchEvent(event, body))

    def end(self, error: Exception | None) -> None:
        self.live = False
        self.queue.put_nowait(error)

    async def __aenter__(self) -> AsyncIterator[WatchEvent]:
        server = self.server
        await asyncio.sleep(0)
        if server.watch_errors:
            raise server.watch_errors.pop(0)
        if self.initial_events:
            if not server.watch_list:
                raise ApiError.from_status(
                    {"kind": "Status", "code": 422, "reason": "Invalid", "message": "sendInitialEvents is forbidden"}
                )
            for (_, name), obj in server.objects.items():
                if name in server.left_out_of_streams:
                    continue
                self.push("ADDED", orjson.dumps(obj))
            self.push("BOOKMARK", server._bookmark_body(initial_end=True))
        else:
            since = int(self.resource_version)
            if since < server.oldest:
                status = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
                self.push("ERROR", orjson.dumps(status))
                self.end(None)
                return self._events()
            for version, event, obj in server.log:
                if version > since:
                    self.push(event, orjson.dumps(obj))
        server.streams.append(self)
        return self._events()

    async def __aexit__(self, *_: object) -> None:
        if self in self.server.streams:
            self.server.streams.remove(self)

    async def _events(self) -> AsyncIterator[WatchEvent]:
        while True:
            item = await self.queue.get()
            if item is None:
                return
            if isinstance(item, Exception):
                raise item
            yield item
