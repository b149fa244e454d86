"""The verbs that read: get, list, watch."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, TypedDict, TypeVar, Unpack, cast, overload

from eso_core.client.connection import Connection
from eso_core.client.kinds import Binding, Kind, ResourceLike
from eso_core.client.lists import ObjectList, RawPage, decode_list, decode_page
from eso_core.client.request import ApiRequest, ApiResponse, build_query
from eso_core.client.watch import RawWatch, Watch
from eso_core.meta.errors import Gone
from eso_core.meta.gvk import GVK, JsonObject
from eso_core.meta.keys import ObjectKey
from eso_core.meta.object import Partial, PartialObject

__all__ = ["ListOptions", "Reader", "WatchOptions"]

R = TypeVar("R", bound=ResourceLike)


class ListOptions(TypedDict, total=False):
    """Options of ``Reader.list``."""

    label_selector: str
    field_selector: str
    limit: int
    continue_: str
    resource_version: str
    resource_version_match: str
    timeout: float | None


class WatchOptions(TypedDict, total=False):
    """Options of ``Reader.watch`` and ``Reader.watch_raw``."""

    resource_version: str
    label_selector: str
    field_selector: str
    send_initial_events: bool
    allow_bookmarks: bool
    timeout_seconds: int | None
    idle_timeout: float | None


class Reader(Connection):
    """Reads objects, once or as they change."""

    @overload
    async def get(
        self, kind: type[R], key: ObjectKey, *, resource_version: str = "", timeout: float | None = None
    ) -> R: ...
    @overload
    async def get(
        self, kind: GVK, key: ObjectKey, *, resource_version: str = "", timeout: float | None = None
    ) -> JsonObject: ...
    @overload
    async def get(
        self, kind: Partial, key: ObjectKey, *, resource_version: str = "", timeout: float | None = None
    ) -> PartialObject: ...
    async def get(self, kind: Kind, key: ObjectKey, *, resource_version: str = "", timeout: float | None = None) -> Any:
        """Reads one object.

        Args:
            resource_version: Empty is the most recent state, ``0`` whatever the server has at hand.

        Raises:
            NotFound: There is no such object.
        """
        binding = self._bindings.get(kind) or await self._bind(kind)
        path = binding.object(self._key(binding, key))
        query = f"resourceVersion={resource_version}" if resource_version else ""
        response = await self._call(
            ApiRequest("GET", path, query, accept=binding.accept, kind=binding.gvk.kind, timeout=timeout)
        )
        return binding.decode(response.body)

    @overload
    async def list(
        self, kind: type[R], namespace: str | None = None, **options: Unpack[ListOptions]
    ) -> ObjectList[R]: ...
    @overload
    async def list(
        self, kind: GVK, namespace: str | None = None, **options: Unpack[ListOptions]
    ) -> ObjectList[JsonObject]: ...
    @overload
    async def list(
        self, kind: Partial, namespace: str | None = None, **options: Unpack[ListOptions]
    ) -> ObjectList[PartialObject]: ...
    async def list(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
        limit: int = 0,
        continue_: str = "",
        resource_version: str = "",
        resource_version_match: str = "",
        timeout: float | None = None,
    ) -> Any:
        """Reads a list in one request; everything when ``limit`` is 0.

        Args:
            namespace: ``None`` is every namespace.
            label_selector, field_selector: Texts as for kubectl's ``-l`` and ``--field-selector``.
            limit: At most so many items; the answer's ``continue_`` leads to the next ones.

        Raises:
            Gone: The resource version or the continue token is too old.
        """
        binding = self._bindings.get(kind) or await self._bind(kind)
        response = await self._list_request(
            binding,
            namespace,
            build_query(
                labelSelector=label_selector,
                fieldSelector=field_selector,
                limit=limit or None,
                continue_=continue_,
                resourceVersion=resource_version,
                resourceVersionMatch=resource_version_match,
            ),
            timeout,
        )
        return decode_list(response.body, binding)

    async def pages(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
        resource_version: str = "",
        limit: int = 500,
        allow_inconsistent: bool = False,
    ) -> AsyncIterator[ObjectList[Any]]:
        """Reads a list page by page.

        Args:
            allow_inconsistent: When the list expires midway, go on with the newer state instead of raising ``Gone``.
        """
        token = ""
        options: dict[str, Any] = {"label_selector": label_selector, "field_selector": field_selector, "limit": limit}
        while True:
            version = "" if token else resource_version
            try:
                page = await self.list(cast(GVK, kind), namespace, continue_=token, resource_version=version, **options)
            except Gone as exc:
                if not (token and allow_inconsistent and exc.continue_token):
                    raise
                token = exc.continue_token
                continue
            yield page
            token = page.continue_
            if not token:
                return

    @overload
    async def list_all(
        self, kind: type[R], namespace: str | None = None, *, label_selector: str = "", field_selector: str = ""
    ) -> ObjectList[R]: ...
    @overload
    async def list_all(
        self, kind: GVK, namespace: str | None = None, *, label_selector: str = "", field_selector: str = ""
    ) -> ObjectList[JsonObject]: ...
    @overload
    async def list_all(
        self, kind: Partial, namespace: str | None = None, *, label_selector: str = "", field_selector: str = ""
    ) -> ObjectList[PartialObject]: ...
    async def list_all(
        self, kind: Kind, namespace: str | None = None, *, label_selector: str = "", field_selector: str = ""
    ) -> Any:
        """Reads a whole list in pages of 500; when it expires midway, once more in one request.

        The result is the state at one resource version either way.
        """
        items: list[Any] = []
        version = ""
        try:
            async for page in self.pages(kind, namespace, label_selector=label_selector, field_selector=field_selector):
                items += page.items
                version = page.resource_version
        except Gone:
            return await self.list(
                cast(GVK, kind), namespace, label_selector=label_selector, field_selector=field_selector
            )
        return ObjectList(items, version)

    async def items(self, kind: Kind, namespace: str | None = None, **options: Any) -> AsyncIterator[Any]:
        """The objects of ``pages``, one by one; takes the same options."""
        async for page in self.pages(kind, namespace, **options):
            for item in page.items:
                yield item

    async def list_raw(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
        resource_version: str = "",
        resource_version_match: str = "",
        limit: int = 500,
        timeout: float | None = None,
    ) -> AsyncIterator[RawPage]:
        """Reads a list page by page as bytes; ``limit`` 0 asks for one page.

        Raises:
            Gone: The resource version, or midway the continue token, is too old; list again.
        """
        binding = self._bindings.get(kind) or await self._bind(kind)
        token = ""
        while True:
            query = build_query(
                labelSelector=label_selector,
                fieldSelector=field_selector,
                limit=limit or None,
                continue_=token,
                # A token holds the resource version already; both together are refused.
                resourceVersion="" if token else resource_version,
                resourceVersionMatch="" if token else resource_version_match,
            )
            response = await self._list_request(binding, namespace, query, timeout)
            page = decode_page(response.body, binding.gvk)
            yield page
            token = page.continue_
            if not token:
                return

    def watch_raw(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        resource_version: str = "",
        label_selector: str = "",
        field_selector: str = "",
        send_initial_events: bool = False,
        allow_bookmarks: bool = True,
        timeout_seconds: int | None = None,
        idle_timeout: float | None = 75.0,
    ) -> RawWatch:
        """A watch to be opened with ``async with``: then an async iterator of ``RawEvent``.

        Args:
            send_initial_events: Start with the current state, ended by a bookmark.
            timeout_seconds: After which the server ends the watch; the client does so 5 s later.
            idle_timeout: Seconds without a byte after which the stream counts as dead; ``None`` is no limit. A server
                with bookmarks is never silent for longer than a minute.

        Raises:
            Gone: On entering: the resource version is too old. Most servers say so in an ERROR event instead.
        """
        query = build_query(
            watch=True,
            allowWatchBookmarks=allow_bookmarks,
            resourceVersion=resource_version,
            resourceVersionMatch="NotOlderThan" if send_initial_events else "",
            sendInitialEvents=send_initial_events,
            labelSelector=label_selector,
            fieldSelector=field_selector,
            timeoutSeconds=timeout_seconds,
        )

        async def request() -> ApiRequest:
            binding = self._bindings.get(kind) or await self._bind(kind)
            agent = self._defaults.agent
            return ApiRequest(
                "GET",
                binding.collection(self._namespace(binding, namespace)),
                query,
                accept=binding.accept,
                kind=binding.gvk.kind,
                headers={"User-Agent": agent} if agent else None,
            )

        return RawWatch(
            self._transport,
            request,
            clock=self.clock,
            idle_timeout=idle_timeout,
            total_timeout=timeout_seconds,
        )

    @overload
    def watch(self, kind: type[R], namespace: str | None = None, **options: Unpack[WatchOptions]) -> Watch[R]: ...
    @overload
    def watch(self, kind: GVK, namespace: str | None = None, **options: Unpack[WatchOptions]) -> Watch[JsonObject]: ...
    @overload
    def watch(
        self, kind: Partial, namespace: str | None = None, **options: Unpack[WatchOptions]
    ) -> Watch[PartialObject]: ...
    def watch(self, kind: Kind, namespace: str | None = None, **options: Unpack[WatchOptions]) -> Any:
        """A watch to be opened with ``async with``: then an async iterator of ``WatchEvent``.

        Takes the options of ``watch_raw``. An ERROR event is raised as its ``ApiError``.
        """

        async def decoder() -> Any:
            return (self._bindings.get(kind) or await self._bind(kind)).decode

        return Watch(self.watch_raw(kind, namespace, **options), decoder)

    async def _list_request(
        self, binding: Binding[Any], namespace: str | None, query: str, timeout: float | None
    ) -> ApiResponse:
        return await self._call(
            ApiRequest(
                "GET",
                binding.collection(self._namespace(binding, namespace)),
                query,
                accept=binding.accept_list,
                kind=binding.gvk.kind,
                timeout=timeout,
                gzip=self.config.compress_lists,
            )
        )
