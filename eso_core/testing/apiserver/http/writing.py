"""Create, replace, patch and delete."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Final, TypeVar

import orjson

from eso_core.testing.apiserver import errors
from eso_core.testing.apiserver.errors import StatusError, bad_request
from eso_core.testing.apiserver.http.asked import Asked
from eso_core.testing.apiserver.http.decoding import decode_delete_options, decode_object
from eso_core.testing.apiserver.http.message import JSON, Response, warning_headers
from eso_core.testing.apiserver.http.reading import Reading
from eso_core.testing.apiserver.http.route import Target
from eso_core.testing.apiserver.http.scale import ScaleHandler
from eso_core.testing.apiserver.http.table import TableView
from eso_core.testing.apiserver.rest import patch as patches
from eso_core.testing.apiserver.rest.body import media_type
from eso_core.testing.apiserver.rest.delete import Deleter
from eso_core.testing.apiserver.rest.options import WriteOptions, delete_options, list_options, write_options
from eso_core.testing.apiserver.rest.read import Reader, selection
from eso_core.testing.apiserver.rest.view import View
from eso_core.testing.apiserver.rest.write import Writer, Written, wrong_uid
from eso_core.testing.apiserver.storage.store import Store
from eso_core.testing.apiserver.strategy import Call

JsonObject = dict[str, Any]
T = TypeVar("T")

_PROTECTED: Final = ("default", "kube-system", "kube-public")


class Writing:
    """Answers requests that change something."""

    def __init__(self, store: Store, tables: TableView, writer: Writer, deleter: Deleter, reading: Reading) -> None:
        self._reader = Reader(store)
        self._tables = tables
        self._writer = writer
        self._patcher = patches.Patcher(writer)
        self._deleter = deleter
        self._reading = reading
        self._scale = ScaleHandler(writer)

    async def create(self, asked: Asked) -> Response:
        """POST. Raises `StatusError`."""
        view = asked.view(self._tables)
        call = asked.call(write_options(asked.request.query, "CreateOptions"))
        obj = decode_object(asked.request, call)
        meta = obj["metadata"]
        if call.name:
            meta["name"] = meta.get("name") or call.name
        _check_namespace(call, obj)
        written = await _warned(call, self._writer.create(call, obj))
        # The audit log names what was created, also when the server chose the name.
        asked.target.name = written.obj["metadata"].get("name", "")
        return self._written(asked, view, call, written)

    async def update(self, asked: Asked) -> Response:
        """PUT. Raises `StatusError`."""
        view = asked.view(self._tables)
        call = asked.call(write_options(asked.request.query, "UpdateOptions"))
        obj = decode_object(asked.request, call)
        patches.check_identity(call, obj, name_required=True)
        key = f"{call.namespace}/{call.name}" if call.resource.namespaced else call.name
        absent = self._writer.table(call).get(key) is None
        if absent and obj["metadata"].get("uid"):
            raise wrong_uid(call, obj["metadata"]["uid"], key, "")
        if absent and call.resource.create_on_update and not call.subresource:
            obj["metadata"].pop("resourceVersion", None)
            return self._written(asked, view, call, await _warned(call, self._writer.create(call, obj)))
        written = await _warned(call, self._writer.update(call, lambda live: _copy(obj)))
        return self._written(asked, view, call, written)

    async def patch(self, asked: Asked) -> Response:
        """PATCH. Raises `StatusError`."""
        view = asked.view(self._tables)
        request = asked.request
        media = patches.check_patch_media(request.header("content-type"), custom=asked.resource.custom)
        applying = media == patches.APPLY
        call = asked.call(write_options(request.query, "PatchOptions", apply=applying))
        if applying:
            written = await _warned(call, self._patcher.apply(call, request.body))
        else:
            written = await _warned(call, self._patcher.patch(call, media, request.body))
        return self._written(asked, view, call, written)

    def _written(self, asked: Asked, view: View, call: Call, written: Written) -> Response:
        body = view.one(written.entry) if written.entry is not None else view.object(written.obj)
        return asked.answer(view, body, status=201 if written.created else 200, warnings=call.warnings)

    # -- deletion

    async def delete(self, asked: Asked) -> Response:
        """DELETE of one object. Raises `StatusError`."""
        view = asked.view(self._tables)
        resource, name = asked.resource, asked.target.name
        options = delete_options(asked.request.query, decode_delete_options(asked.request))
        call = asked.call(WriteOptions(dry_run=options.dry_run))
        if resource.path == "namespaces" and name in _PROTECTED:
            raise errors.forbidden("namespaces", "", name, "this namespace may not be deleted")
        deleted = await _warned(call, self._deleter.delete(call, options))
        if not deleted.gone or resource.delete_returns_object:
            return asked.answer(view, view.object(deleted.obj), warnings=call.warnings)
        details: JsonObject = {"name": name}
        if resource.group:
            details["group"] = resource.group
        details |= {"kind": resource.plural, "uid": deleted.obj["metadata"]["uid"]}
        body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
        return Response(200, orjson.dumps(body), JSON, warning_headers([*call.warnings, *asked.deprecation()]))

    async def delete_collection(self, asked: Asked) -> Response:
        """DELETE of all selected objects. Raises `StatusError`."""
        view = asked.view(self._tables)
        target = asked.target
        listing = list_options(asked.request.query)
        options = delete_options(asked.request.query, decode_delete_options(asked.request))
        chosen = selection(asked.resource, asked.version, target.namespace, listing)
        page = await self._reading.converted(asked, None, lambda: self._reader.list(chosen, listing))
        for entry in page.entries:
            one = Target(target.group, target.version, target.resource, target.namespace, entry.name)
            call = asked.call(WriteOptions(dry_run=options.dry_run), one)
            try:
                await self._deleter.delete(call, options)
            except StatusError as error:
                if error.code != 404:
                    raise
        body = await self._reading.converted(asked, page.entries, lambda: view.many(page.entries, page.metadata))
        return asked.answer(view, body)

    # -- scale

    async def scale(self, asked: Asked, verb: str) -> Response:
        """The scale subresource. Raises `StatusError`."""
        paths = asked.version.scale
        if paths is None:
            raise errors.resource_not_found()
        if verb == "get":
            entry = self._reading.entry(asked)
            resource, version = asked.resource, asked.version
            obj = await self._reading.converted(
                asked, [entry], lambda: resource.strategy.read(resource, version, entry)
            )
            return self._scale.get(asked.request, obj, paths)
        kind = "UpdateOptions" if verb == "update" else "PatchOptions"
        media = media_type(asked.request.header("content-type"))
        applying = verb == "patch" and media == patches.APPLY
        call = asked.call(write_options(asked.request.query, kind, apply=applying))
        return await _warned(call, self._scale.write(asked.request, call, paths))


async def _warned(call: Call, doing: Coroutine[Any, Any, T]) -> T:
    """Let a refusal carry the warnings that came before it."""
    try:
        return await doing
    except StatusError as error:
        error.warnings = call.warnings
        raise


def _check_namespace(call: Call, obj: JsonObject) -> None:
    meta = obj["metadata"]
    if not call.resource.namespaced:
        return
    if meta.get("namespace") and meta["namespace"] != call.namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    meta["namespace"] = call.namespace


def _copy(obj: JsonObject) -> JsonObject:
    copied: JsonObject = orjson.loads(orjson.dumps(obj))
    return copied
