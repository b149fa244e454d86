"""Requests for resources: each verb's checks, in the original's order, and the shape of its answer."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Final

import orjson

from eso_core.aio import Clock
from eso_core.testing.apiserver import errors
from eso_core.testing.apiserver.authn.user import User
from eso_core.testing.apiserver.builtin import protobuf
from eso_core.testing.apiserver.errors import StatusError, bad_request
from eso_core.testing.apiserver.http.accept import PARTIAL, PARTIAL_LIST, TABLE, negotiate
from eso_core.testing.apiserver.http.message import JSON, Answer, Request, Response, Sink, Stream, warning_headers
from eso_core.testing.apiserver.http.reviews import Reviews
from eso_core.testing.apiserver.http.route import Target
from eso_core.testing.apiserver.http.scale import ScaleHandler
from eso_core.testing.apiserver.http.table import TableView
from eso_core.testing.apiserver.resources import ResourceRegistry, ResourceType, Version
from eso_core.testing.apiserver.rest import body as bodies
from eso_core.testing.apiserver.rest import delete as deletes
from eso_core.testing.apiserver.rest import patch as patches
from eso_core.testing.apiserver.rest.kinds import OLDER_VERSIONS, type_problem
from eso_core.testing.apiserver.rest.options import (
    IGNORE,
    STRICT,
    ListOptions,
    WriteOptions,
    check_list_options,
    delete_options,
    list_options,
    parse_version,
    write_options,
)
from eso_core.testing.apiserver.rest.read import Reader, selection
from eso_core.testing.apiserver.rest.view import View
from eso_core.testing.apiserver.rest.watch import Watch, WatchLimits
from eso_core.testing.apiserver.rest.write import Writer, Written
from eso_core.testing.apiserver.storage.store import Store
from eso_core.testing.apiserver.strategy import Call, DecodeFailure

JsonObject = dict[str, Any]

_ONE: Final = (PARTIAL, PARTIAL_LIST, TABLE)


class ResourceHandlers:
    """Answers every request that names a resource."""

    def __init__(
        self,
        store: Store,
        registry: ResourceRegistry,
        clock: Clock,
        reader: Reader,
        writer: Writer,
        deleter: deletes.Deleter,
        tables: TableView,
        watch_limits: WatchLimits,
        reviews: Reviews,
    ) -> None:
        self._store = store
        self._registry = registry
        self._clock = clock
        self._reader = reader
        self._writer = writer
        self._patcher = patches.Patcher(writer)
        self._deleter = deleter
        self._tables = tables
        self._watch_limits = watch_limits
        self._reviews = reviews
        self._scale = ScaleHandler(writer)

    async def handle(self, request: Request, target: Target, verb: str, user: User) -> Answer:
        """Find the resource and run the verb. Raises `StatusError` or `PlainError`."""
        answer = self._reviews.handle(request, target, verb, user)
        if answer is not None:
            return answer
        resource = self._find(target)
        version = resource.versions[target.version]
        if target.subresource:
            return await self._subresource(request, target, verb, user, resource, version)
        self._check_method(request, target, verb, resource)
        match verb:
            case "get":
                return self._get(request, target, resource, version)
            case "list":
                return self._list(request, target, resource, version)
            case "watch":
                return self._watch(request, target, resource, version)
            case "create":
                return await self._create(request, target, user, resource, version)
            case "update":
                return await self._update(request, target, user, resource, version)
            case "patch":
                return await self._patch(request, target, user, resource, version)
            case "delete":
                return await self._delete(request, target, user, resource, version)
            case "deletecollection":
                return await self._delete_collection(request, target, user, resource, version)
        raise errors.method_not_allowed()

    # -- finding

    def _find(self, target: Target) -> ResourceType:
        resource = self._registry.find(target.group, target.version, target.resource)
        if resource is not None:
            if target.namespace and not resource.namespaced:
                raise errors.path_not_found() if resource.custom else errors.resource_not_found()
            if target.name and not target.namespace and resource.namespaced:
                raise errors.path_not_found() if resource.custom else errors.resource_not_found()
            return resource
        group = self._registry.group(target.group)
        if group is not None and group.builtin and target.version in group.versions:
            raise errors.resource_not_found()
        raise errors.path_not_found()

    def _check_method(self, request: Request, target: Target, verb: str, resource: ResourceType) -> None:
        if resource.namespaced and not target.namespace and verb not in ("list", "watch"):
            if resource.custom and verb != "create":
                raise errors.path_not_found()
            raise errors.path_not_found() if resource.custom else errors.method_not_allowed()
        if resource.custom:
            if verb in ("update", "patch") and not target.name:
                raise bad_request("name must be provided")
            if verb not in resource.verbs:
                raise errors.method_not_allowed()
            return
        if verb not in resource.verbs:
            raise errors.method_not_allowed()
        if (verb == "create" and target.name) or (verb in ("update", "patch") and not target.name):
            raise errors.method_not_allowed()

    def _view(self, request: Request, resource: ResourceType, version: Version, *, listing: bool = False) -> View:
        representation = negotiate(request.header("accept"), resource.custom, _ONE, listing)
        return View(resource, version, representation, self._tables, request.query.get("includeObject"))

    # -- reads

    def _get(self, request: Request, target: Target, resource: ResourceType, version: Version) -> Response:
        view = self._view(request, resource, version)
        parse_version(request.query.get("resourceVersion"))
        entry = self._reader.get(resource, target.namespace, target.name)
        return self._ok(request, view, view.one(entry), version=version)

    def _list(self, request: Request, target: Target, resource: ResourceType, version: Version) -> Response:
        view = self._view(request, resource, version, listing=True)
        options = list_options(request.query)
        chosen = selection(resource, version, target.namespace, options)
        page = self._reader.list(chosen, options)
        return self._ok(request, view, view.many(page.entries, page.metadata), version=version)

    def _watch(self, request: Request, target: Target, resource: ResourceType, version: Version) -> Answer:
        view = self._view(request, resource, version)
        options = list_options(request.query)
        check_list_options(options, watching=True)
        if target.name:
            single = f"metadata.name={target.name}"
            joined = f"{options.field_selector},{single}" if options.field_selector else single
            options = ListOptions(
                label_selector=options.label_selector,
                field_selector=joined,
                resource_version=options.resource_version,
                bookmarks=options.bookmarks,
                timeout=options.timeout,
            )
        chosen = selection(resource, version, target.namespace, options)
        wanted = parse_version(options.resource_version)
        revision: int | None = wanted or None
        if options.send_initial_events:
            revision = None
        elif options.send_initial_events is False and not wanted:
            revision = self._store.revision
        if wanted > self._store.revision:
            raise errors.version_too_large(wanted, self._store.revision)
        watch = Watch(self._store, self._clock, self._watch_limits, chosen, options, view)

        def start(sink: Sink) -> Any:
            return watch.start(sink, revision)

        return Stream(JSON, start)

    # -- writes

    @staticmethod
    async def _run(call: Call, writing: Coroutine[Any, Any, Written]) -> Written:
        """Let a refusal carry the warnings that came before it."""
        try:
            return await writing
        except StatusError as error:
            error.warnings = call.warnings
            raise

    def _call(
        self,
        request: Request,
        target: Target,
        user: User,
        resource: ResourceType,
        version: Version,
        options: WriteOptions,
    ) -> Call:
        manager = options.field_manager or _manager_of(request.header("user-agent"))
        return Call(
            resource,
            version,
            target.namespace,
            target.name,
            target.subresource,
            user,
            manager,
            options,
            self._clock.now(),
        )

    async def _create(
        self, request: Request, target: Target, user: User, resource: ResourceType, version: Version
    ) -> Response:
        view = self._view(request, resource, version)
        options = write_options(request.query, "CreateOptions")
        call = self._call(request, target, user, resource, version, options)
        obj = self._decode(request, call)
        meta = obj["metadata"]
        if target.name:
            meta["name"] = meta.get("name") or target.name
        self._check_namespace(call, obj)
        written = await self._run(call, self._writer.create(call, obj))
        # The audit log names what was created, also when the server chose the name.
        target.name = meta.get("name", "")
        return self._written(request, view, call, written)

    async def _update(
        self, request: Request, target: Target, user: User, resource: ResourceType, version: Version
    ) -> Response:
        view = self._view(request, resource, version)
        options = write_options(request.query, "UpdateOptions")
        call = self._call(request, target, user, resource, version, options)
        obj = self._decode(request, call)
        patches.check_identity(call, obj, name_required=True)
        key = f"{target.namespace}/{target.name}" if resource.namespaced else target.name
        if resource.create_on_update and self._writer.table(call).get(key) is None and not target.subresource:
            return self._written(request, view, call, await self._run(call, self._writer.create(call, obj)))
        written = await self._run(call, self._writer.update(call, lambda live: _copy(obj)))
        return self._written(request, view, call, written)

    async def _patch(
        self, request: Request, target: Target, user: User, resource: ResourceType, version: Version
    ) -> Response:
        view = self._view(request, resource, version)
        media = patches.check_patch_media(request.header("content-type"), custom=resource.custom)
        applying = media == patches.APPLY
        options = write_options(request.query, "PatchOptions", apply=applying)
        call = self._call(request, target, user, resource, version, options)
        if applying:
            written = await self._run(call, self._patcher.apply(call, request.body))
        else:
            written = await self._run(call, self._patcher.patch(call, media, request.body))
        return self._written(request, view, call, written)

    async def _delete(
        self, request: Request, target: Target, user: User, resource: ResourceType, version: Version
    ) -> Response:
        view = self._view(request, resource, version)
        options = delete_options(request.query, self._delete_body(request, resource))
        call = self._call(request, target, user, resource, version, WriteOptions(dry_run=options.dry_run))
        if resource.plural == "namespaces" and not resource.group and target.name in _PROTECTED:
            raise errors.forbidden("namespaces", "", target.name, "this namespace may not be deleted")
        deleted = await self._deleter.delete(call, options)
        if not deleted.gone or resource.delete_returns_object:
            return self._ok(request, view, view.object(deleted.obj), version=version)
        details: JsonObject = {"name": target.name}
        if resource.group:
            details["group"] = resource.group
        details["kind"] = resource.plural
        details["uid"] = deleted.obj["metadata"]["uid"]
        body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
        return Response(200, orjson.dumps(body), JSON)

    async def _delete_collection(
        self, request: Request, target: Target, user: User, resource: ResourceType, version: Version
    ) -> Response:
        view = self._view(request, resource, version)
        listing = list_options(request.query)
        options = delete_options(request.query, self._delete_body(request, resource))
        chosen = selection(resource, version, target.namespace, listing)
        page = self._reader.list(chosen, listing)
        for entry in page.entries:
            one = Target(target.group, target.version, target.resource, target.namespace, entry.name)
            call = self._call(request, one, user, resource, version, WriteOptions(dry_run=options.dry_run))
            try:
                await self._deleter.delete(call, options)
            except StatusError as error:
                if error.code != 404:
                    raise
        return self._ok(request, view, view.many(page.entries, page.metadata), version=version)

    def _delete_body(self, request: Request, resource: ResourceType) -> JsonObject | None:
        if not request.body:
            return None
        media = bodies.check_media(request.header("content-type"))
        try:
            if media == bodies.PROTOBUF:
                value: Any = protobuf.decode(request.body)
            else:
                value = (bodies.parse_yaml if media != JSON else bodies.parse_json)(request.body).value
        except bodies.Unreadable as error:
            raise bad_request(f"couldn't get version/kind; json parse error: {error}") from error
        except protobuf.ProtobufError as error:
            raise bad_request(str(error)) from error
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise bad_request("couldn't get version/kind; json parse error: the options are no object")
        kind, api_version = value.get("kind"), value.get("apiVersion") or "v1"
        if kind and kind != "DeleteOptions":
            scheme = 'in scheme "pkg/runtime/scheme.go:111"'
            raise bad_request(f'no kind "{kind}" is registered for version "{api_version}" {scheme}')
        return value

    # -- bodies

    def _decode(self, request: Request, call: Call) -> JsonObject:
        resource = call.resource
        media = bodies.check_media(request.header("content-type"))
        if media == bodies.PROTOBUF:
            obj, complaints = self._decode_protobuf(request, call), []
        else:
            read = bodies.read_object(request.body, media, resource.kind)
            obj, complaints = read.value, read.duplicates
        if resource.custom:
            _check_custom_type(call, obj, request.body)
        else:
            _check_builtin_type(call, obj)
        shown = f'{resource.kind} in version "{call.version.name}" cannot be handled as a {resource.kind}'
        try:
            complaints = [*complaints, *resource.strategy.decode(call.version, obj)]
        except DecodeFailure as error:
            raise bad_request(f"{shown}: {error}") from error
        if complaints and call.options.field_validation == STRICT:
            raise bad_request(f"{shown}: strict decoding error: {', '.join(complaints)}")
        if call.options.field_validation != IGNORE:
            for text in complaints:
                call.warn(text)
        if not isinstance(obj.get("metadata"), dict):
            obj["metadata"] = {}
        if resource.custom:
            if obj["kind"] != resource.kind:
                patches.check_type(Call(**{**_fields(call), "name": obj["metadata"].get("name", "")}), obj)
        resource.strategy.default(call.version, obj)
        return obj

    def _decode_protobuf(self, request: Request, call: Call) -> JsonObject:
        if call.resource.custom:
            text = "the body of the request was in an unknown format - accepted media types include: "
            raise errors.unsupported_media_type(text + "application/json, application/yaml")
        try:
            return protobuf.decode(request.body)
        except protobuf.ProtobufError as error:
            shown = bodies.shown_body(request.body)
            kind = call.resource.kind
            raise bad_request(
                f"the object provided is unrecognized (must be of type {kind}): {error} ({shown})"
            ) from error

    def _check_namespace(self, call: Call, obj: JsonObject) -> None:
        meta = obj["metadata"]
        if not call.resource.namespaced:
            return
        if meta.get("namespace") and meta["namespace"] != call.namespace:
            raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
        meta["namespace"] = call.namespace

    # -- subresources

    async def _subresource(
        self, request: Request, target: Target, verb: str, user: User, resource: ResourceType, version: Version
    ) -> Answer:
        if target.subresource == "status" and version.status:
            if verb == "get":
                return self._get(request, target, resource, version)
            if verb == "update":
                return await self._update(request, target, user, resource, version)
            if verb == "patch":
                return await self._patch(request, target, user, resource, version)
        if target.subresource == "scale" and version.scale is not None and verb in ("get", "update", "patch"):
            return await self._scale_request(request, target, verb, user, resource, version)
        if resource.custom:
            if verb == "delete":
                raise errors.verb_not_supported(resource.plural, resource.group, "delete")
            raise errors.not_found(resource.plural, resource.group, target.name)
        if target.subresource == "token" and resource.plural == "serviceaccounts" and verb == "create":
            return self._reviews.token_request(request, target)
        if target.subresource == "finalize" and resource.plural == "namespaces" and verb == "update":
            return await self._update(request, target, user, resource, version)
        if any(sub.name == target.subresource for sub in resource.subresources):
            raise errors.method_not_allowed()
        raise errors.resource_not_found()

    async def _scale_request(
        self, request: Request, target: Target, verb: str, user: User, resource: ResourceType, version: Version
    ) -> Response:
        paths = version.scale
        if paths is None:
            raise errors.resource_not_found()
        if verb == "get":
            entry = self._reader.get(resource, target.namespace, target.name)
            return self._scale.get(request, resource.strategy.read(resource, version, entry), paths)
        kind = "UpdateOptions" if verb == "update" else "PatchOptions"
        options = write_options(request.query, kind)
        call = self._call(request, target, user, resource, version, options)
        try:
            return await self._scale.write(request, call, paths)
        except StatusError as error:
            error.warnings = call.warnings
            raise

    # -- answers

    def _written(self, request: Request, view: View, call: Call, written: Written) -> Response:
        body = view.one(written.entry) if written.entry is not None else view.object(written.obj)
        status = 201 if written.created else 200
        return self._ok(request, view, body, status=status, warnings=call.warnings, version=call.version)

    def _ok(
        self,
        request: Request,
        view: View,
        body: bytes,
        *,
        version: Version,
        status: int = 200,
        warnings: list[str] | None = None,
    ) -> Response:
        response = Response(status, body, view.representation.media)
        if warnings:
            response.headers += warning_headers(warnings)
        return response


_PROTECTED: Final = ("default", "kube-system", "kube-public")


def _copy(obj: JsonObject) -> JsonObject:
    copied: JsonObject = orjson.loads(orjson.dumps(obj))
    return copied


def _fields(call: Call) -> dict[str, Any]:
    return {name: getattr(call, name) for name in Call.__slots__}


def _manager_of(user_agent: str) -> str:
    """The default field manager: the program's name in its user agent."""
    return user_agent.partition("/")[0][:128] or "unknown"


def _check_builtin_type(call: Call, obj: JsonObject) -> None:
    problem = type_problem(call, obj)
    if problem:
        kind = obj.get("kind") or call.resource.kind
        version = (obj.get("apiVersion") or call.version.name).rpartition("/")[2]
        raise bad_request(f'{kind} in version "{version}" cannot be handled as a {call.resource.kind}: {problem}')
    api_version = obj.get("apiVersion") or call.api_version
    if api_version in OLDER_VERSIONS:
        raise bad_request(
            f"the API version in the data ({api_version}) does not match the expected API version ({call.api_version})"
        )


def _check_custom_type(call: Call, obj: JsonObject, body: bytes) -> None:
    if not obj.get("kind"):
        text = body.decode("utf-8", "replace")
        shown = bodies.shown_body(body)
        raise bad_request(
            f"the object provided is unrecognized (must be of type {call.resource.kind}): "
            f"Object 'Kind' is missing in '{text}' ({shown})"
        )
    if obj.get("apiVersion") != call.api_version:
        given = obj.get("apiVersion") or ""
        raise bad_request(
            f"the API version in the data ({given}) does not match the expected API version ({call.api_version})"
        )
