"""The client: all verbs on typed, dynamic and partial objects."""

from __future__ import annotations

import copy
from typing import Any, Literal, TypeVar, overload

import orjson
from msgspec import Struct

from eso_core.client.connection import FieldValidation
from eso_core.client.kinds import Binding, Kind, ResourceLike, is_builtin_group, loads
from eso_core.client.patch import ApplyPatch, MergePatch, Patch, StrategicMergePatch
from eso_core.client.reading import Reader
from eso_core.client.request import JSON, ApiRequest, build_query
from eso_core.client.subresource import Subresource
from eso_core.meta.gvk import GVK, JsonObject, gvk_of
from eso_core.meta.keys import ObjectKey
from eso_core.meta.object import Partial, PartialObject

__all__ = ["Client", "Preconditions", "PropagationPolicy"]

R = TypeVar("R", bound=ResourceLike)
PropagationPolicy = Literal["Orphan", "Background", "Foreground"]

# What the server sets; an apply that names them would claim or contradict it.
_SERVER_FIELDS = ("managedFields", "uid", "creationTimestamp", "generation", "selfLink", "deletionTimestamp")


_OWNER_LIMIT = 128  # the API server's


class Preconditions(Struct, frozen=True):
    """What must hold for a delete to happen; the server answers 409 otherwise."""

    uid: str = ""
    resource_version: str = ""


class Client(Reader):
    """Talks to one API server.

    A ``Kind`` argument is a ``Resource`` class, a ``GVK`` (plain dictionaries, which always carry ``apiVersion`` and
    ``kind``), or ``Partial`` of either (metadata only). Objects to write are ``Resource`` instances or dictionaries.

    Every verb raises ``ApiError`` when the server refuses, ``TransportError`` when it does not answer, and
    ``NoKindMatch`` when it does not serve the kind. A verb that is cancelled may or may not have taken effect.
    """

    @overload
    async def create(
        self,
        obj: JsonObject,
        *,
        field_manager: str | None = None,
        dry_run: bool = False,
        field_validation: FieldValidation | None = None,
        timeout: float | None = None,
    ) -> JsonObject: ...
    @overload
    async def create(
        self,
        obj: R,
        *,
        field_manager: str | None = None,
        dry_run: bool = False,
        field_validation: FieldValidation | None = None,
        timeout: float | None = None,
    ) -> R: ...
    async def create(
        self,
        obj: Any,
        *,
        field_manager: str | None = None,
        dry_run: bool = False,
        field_validation: FieldValidation | None = None,
        timeout: float | None = None,
    ) -> Any:
        """Creates an object and returns it as the server stored it.

        Raises:
            AlreadyExists: There is one of this name.
            Invalid: The server does not accept it; ``causes`` names the fields.
            ValueError: It has a resource version, or no namespace though its kind needs one.
        """
        kind, body = _document(obj)
        binding = self._bindings.get(kind) or await self._bind(kind)
        metadata = body.get("metadata") or {}
        if metadata.get("resourceVersion"):
            raise ValueError(
                f"creating {binding.gvk.kind} {metadata.get('name')}: remove metadata.resourceVersion first"
            )
        namespace = self._namespace(binding, metadata.get("namespace"))
        if binding.info.namespaced and not namespace:
            raise ValueError(f"creating {binding.gvk.kind} {metadata.get('name')}: set metadata.namespace")
        query = self._write_query(field_manager, dry_run, field_validation)
        request = self._body_request("POST", binding, binding.collection(namespace), query, body, timeout)
        return binding.decode((await self._call(request)).body)

    @overload
    async def update(
        self,
        obj: JsonObject,
        *,
        subresource: str = "",
        field_manager: str | None = None,
        dry_run: bool = False,
        field_validation: FieldValidation | None = None,
        timeout: float | None = None,
    ) -> JsonObject: ...
    @overload
    async def update(
        self,
        obj: R,
        *,
        subresource: str = "",
        field_manager: str | None = None,
        dry_run: bool = False,
        field_validation: FieldValidation | None = None,
        timeout: float | None = None,
    ) -> R: ...
    async def update(
        self,
        obj: Any,
        *,
        subresource: str = "",
        field_manager: str | None = None,
        dry_run: bool = False,
        field_validation: FieldValidation | None = None,
        timeout: float | None = None,
    ) -> Any:
        """Replaces an object; with the resource version that it was read at, only if it did not change since.

        The answer carries the server's ``status`` (or, for the subresource ``status``, its ``spec``), not the one sent.

        Raises:
            Conflict: It changed since.
            NotFound: It is gone.
            NoSubresource: It is there, and has no such subresource.
        """
        kind, body = _document(obj)
        binding = self._bindings.get(kind) or await self._bind(kind)
        key = self._key(binding, ObjectKey.of(body))
        path = binding.object(key, subresource)
        query = self._write_query(field_manager, dry_run, field_validation)
        request = self._body_request("PUT", binding, path, query, body, timeout)
        return binding.decode((await self._write_part(binding, key, subresource, request)).body)

    @overload
    async def update_status(
        self, obj: JsonObject, *, field_manager: str | None = None, dry_run: bool = False, timeout: float | None = None
    ) -> JsonObject: ...
    @overload
    async def update_status(
        self, obj: R, *, field_manager: str | None = None, dry_run: bool = False, timeout: float | None = None
    ) -> R: ...
    async def update_status(
        self, obj: Any, *, field_manager: str | None = None, dry_run: bool = False, timeout: float | None = None
    ) -> Any:
        """Replaces the status of an object; as ``update`` with the subresource ``status``."""
        return await self.update(
            obj, subresource="status", field_manager=field_manager, dry_run=dry_run, timeout=timeout
        )

    @overload
    async def patch(
        self,
        kind: type[R],
        key: ObjectKey,
        patch: Patch,
        *,
        subresource: str = "",
        field_manager: str | None = None,
        force: bool | None = None,
        dry_run: bool = False,
        field_validation: FieldValidation | None = None,
        send_empty: bool = False,
        timeout: float | None = None,
    ) -> R: ...
    @overload
    async def patch(
        self,
        kind: GVK,
        key: ObjectKey,
        patch: Patch,
        *,
        subresource: str = "",
        field_manager: str | None = None,
        force: bool | None = None,
        dry_run: bool = False,
        field_validation: FieldValidation | None = None,
        send_empty: bool = False,
        timeout: float | None = None,
    ) -> JsonObject: ...
    @overload
    async def patch(
        self,
        kind: Partial,
        key: ObjectKey,
        patch: Patch,
        *,
        subresource: str = "",
        field_manager: str | None = None,
        force: bool | None = None,
        dry_run: bool = False,
        field_validation: FieldValidation | None = None,
        send_empty: bool = False,
        timeout: float | None = None,
    ) -> PartialObject: ...
    async def patch(
        self,
        kind: Kind,
        key: ObjectKey,
        patch: Patch,
        *,
        subresource: str = "",
        field_manager: str | None = None,
        force: bool | None = None,
        dry_run: bool = False,
        field_validation: FieldValidation | None = None,
        send_empty: bool = False,
        timeout: float | None = None,
    ) -> Any:
        """Changes an object.

        Args:
            force: Take fields over from other managers; for ``ApplyPatch`` only.
            send_empty: Send a merge patch that changes nothing, instead of returning the base it was computed from.

        Raises:
            Conflict: A resource version in the patch is not the current one.
            ApplyConflict: Other managers own fields of an apply, and ``force`` is not set.
            NoSubresource: The object is there, and has no such subresource.
            ValueError: ``force`` for another patch, no field manager for an apply, or a strategic merge patch for a
                custom resource.
        """
        binding = self._bindings.get(kind) or await self._bind(kind)
        if isinstance(patch, MergePatch) and patch.base is not None and patch.empty and not send_empty:
            return binding.decode_item(copy.deepcopy(patch.base))
        owner = field_manager or self._defaults.field_manager
        if isinstance(patch, ApplyPatch):
            if not owner:
                raise ValueError(f"applying {binding.gvk.kind} {key}: say which field manager applies")
        elif force is not None:
            raise ValueError(f"patching {binding.gvk.kind} {key}: force is for apply patches only")
        if isinstance(patch, StrategicMergePatch) and not is_builtin_group(binding.gvk):
            raise ValueError(
                f"patching {binding.gvk.kind} {key}: custom resources have no strategic merge patch: use a merge patch"
            )
        key = self._key(binding, key)
        path = binding.object(key, subresource)
        query = self._write_query(owner, dry_run, field_validation)
        if force:
            query = f"{query}&force=true" if query else "force=true"
        request = ApiRequest(
            "PATCH",
            path,
            query,
            body=patch.encode(),
            content_type=patch.content_type,
            accept=binding.accept,
            kind=binding.gvk.kind,
            timeout=timeout,
        )
        return binding.decode((await self._write_part(binding, key, subresource, request)).body)

    @overload
    async def apply(
        self,
        obj: JsonObject,
        owner: str,
        *,
        force: bool = True,
        subresource: str = "",
        dry_run: bool = False,
        keep_resource_version: bool = False,
        timeout: float | None = None,
    ) -> JsonObject: ...
    @overload
    async def apply(
        self,
        obj: R,
        owner: str,
        *,
        force: bool = True,
        subresource: str = "",
        dry_run: bool = False,
        keep_resource_version: bool = False,
        timeout: float | None = None,
    ) -> R: ...
    async def apply(
        self,
        obj: Any,
        owner: str,
        *,
        force: bool = True,
        subresource: str = "",
        dry_run: bool = False,
        keep_resource_version: bool = False,
        timeout: float | None = None,
    ) -> Any:
        """Server-side apply: creates the object or brings the fields that ``owner`` sets to this state.

        Fields that the server sets are left out, and so is ``status`` unless it is the subresource. Fields that the owner
        applied before and does not name any more are removed.

        Args:
            force: Take fields over from other managers.
            keep_resource_version: Only if the object did not change since it was read.

        Raises:
            ApplyConflict: Other managers own fields, and ``force`` is not set.
            ValueError: ``owner`` cannot be one: use one constant per controller, another for its status.
        """
        if not owner or len(owner) > _OWNER_LIMIT:
            raise ValueError(f"applying as {owner!r}: a field owner has 1 to {_OWNER_LIMIT} characters")
        kind, document = _document(obj)
        body = dict(document)
        metadata = {k: v for k, v in (body.get("metadata") or {}).items() if k not in _SERVER_FIELDS}
        if not keep_resource_version:
            metadata.pop("resourceVersion", None)
        body["metadata"] = metadata
        if not subresource:
            body.pop("status", None)
        return await self.patch(
            kind,
            ObjectKey.of(body),
            ApplyPatch(body),
            subresource=subresource,
            field_manager=owner,
            force=force,
            dry_run=dry_run,
            timeout=timeout,
        )

    async def delete(
        self,
        kind: Kind,
        key: ObjectKey,
        *,
        propagation_policy: PropagationPolicy | None = None,
        preconditions: Preconditions | None = None,
        grace_period: int | None = None,
        dry_run: bool = False,
        timeout: float | None = None,
    ) -> JsonObject:
        """Deletes an object; with finalizers it goes on to exist until they are gone.

        Returns:
            A ``Status``, or the object when it goes on to exist.

        Raises:
            NotFound: There is none.
            Conflict: A precondition does not hold.
        """
        binding = self._bindings.get(kind) or await self._bind(kind)
        options = self._delete_options(propagation_policy, preconditions, grace_period, dry_run)
        path = binding.object(self._key(binding, key))
        request = self._body_request("DELETE", binding, path, "", options, timeout, accept=JSON)
        return loads((await self._call(request)).body)

    async def delete_all_of(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
        propagation_policy: PropagationPolicy | None = None,
        grace_period: int | None = None,
        dry_run: bool = False,
        timeout: float | None = None,
    ) -> None:
        """Deletes the objects of a namespace that match.

        Raises:
            ValueError: No namespace though the kind has them, or nothing selects and nothing confines.
        """
        binding = self._bindings.get(kind) or await self._bind(kind)
        namespace = self._namespace(binding, namespace)
        if binding.info.namespaced and not namespace:
            raise ValueError(f"deleting all of {binding.gvk.kind}: say in which namespace")
        options = self._delete_options(propagation_policy, None, grace_period, dry_run)
        query = build_query(labelSelector=label_selector, fieldSelector=field_selector)
        request = self._body_request(
            "DELETE", binding, binding.collection(namespace), query, options, timeout, accept=JSON
        )
        await self._call(request)

    def subresource(self, kind: Kind, name: str) -> Subresource:
        """The subresource of a kind: ``token``, ``scale``, ``eviction``, …"""
        return Subresource(self, kind, name)

    def status(self, kind: Kind) -> Subresource:
        """The subresource ``status``."""
        return Subresource(self, kind, "status")

    async def raw(
        self,
        method: str,
        path: str,
        *,
        query: str = "",
        body: bytes | None = None,
        accept: str = JSON,
        content_type: str = JSON,
        timeout: float | None = None,
    ) -> bytes:
        """Sends a request to any path, like ``/version`` or ``/openapi/v3``, and returns the answer's body."""
        request = ApiRequest(method, path, query, body=body, accept=accept, content_type=content_type, timeout=timeout)
        return (await self._call(request)).body

    async def server_version(self) -> JsonObject:
        """What ``/version`` says."""
        return loads(await self.raw("GET", "/version"))

    def _write_query(self, field_manager: str | None, dry_run: bool, field_validation: FieldValidation | None) -> str:
        defaults = self._defaults
        manager = field_manager or defaults.field_manager
        validation = field_validation or defaults.field_validation
        if not manager and not validation and not dry_run and not defaults.dry_run:
            return ""
        return build_query(
            fieldManager=manager,
            fieldValidation=validation,
            dryRun="All" if dry_run or defaults.dry_run else None,
        )

    def _body_request(
        self,
        method: str,
        binding: Binding[Any],
        path: str,
        query: str,
        body: JsonObject,
        timeout: float | None,
        *,
        accept: str = "",
    ) -> ApiRequest:
        return ApiRequest(
            method,
            path,
            query,
            body=orjson.dumps(body),
            accept=accept or binding.accept,
            kind=binding.gvk.kind,
            timeout=timeout,
        )

    def _delete_options(
        self,
        propagation_policy: PropagationPolicy | None,
        preconditions: Preconditions | None,
        grace_period: int | None,
        dry_run: bool,
    ) -> JsonObject:
        options: JsonObject = {"kind": "DeleteOptions", "apiVersion": "v1"}
        if propagation_policy is not None:
            options["propagationPolicy"] = propagation_policy
        if grace_period is not None:
            options["gracePeriodSeconds"] = grace_period
        if preconditions is not None:
            wanted = {"uid": preconditions.uid, "resourceVersion": preconditions.resource_version}
            options["preconditions"] = {key: value for key, value in wanted.items() if value}
        if dry_run or self._defaults.dry_run:
            options["dryRun"] = ["All"]
        return options


def _document(obj: Any) -> tuple[Kind, JsonObject]:
    """Kind and JSON of an object to write."""
    if isinstance(obj, dict):
        return gvk_of(obj), obj
    kind = type(obj)
    body: JsonObject = obj.encode()
    body.setdefault("apiVersion", kind.gvk.api_version)
    body.setdefault("kind", kind.gvk.kind)
    return kind, body
