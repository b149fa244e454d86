"""The scale subresource of custom kinds: their replica counts in the form of ``autoscaling/v1`` Scale."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eso_core.testing.apiserver import errors, managedfields
from eso_core.testing.apiserver.builtin import schemas
from eso_core.testing.apiserver.builtin.decode import WrongType, decode, normalize
from eso_core.testing.apiserver.errors import StatusError, bad_request
from eso_core.testing.apiserver.http.accept import negotiate
from eso_core.testing.apiserver.http.message import YAML, Request, Response, warning_headers
from eso_core.testing.apiserver.resources import ScalePaths
from eso_core.testing.apiserver.rest import body as bodies
from eso_core.testing.apiserver.rest import ownership
from eso_core.testing.apiserver.rest import patch as patches
from eso_core.testing.apiserver.rest.options import STRICT
from eso_core.testing.apiserver.rest.view import encode_object, to_yaml
from eso_core.testing.apiserver.rest.write import Writer
from eso_core.testing.apiserver.strategy import Call

JsonObject = dict[str, Any]
Change = Callable[[JsonObject], JsonObject]

_KEPT = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def nested(obj: Any, path: str) -> Any:
    """The value at a path such as ``.spec.replicas``, or None."""
    for part in path.strip(".").split("."):
        if not isinstance(obj, dict):
            return None
        obj = obj.get(part)
    return obj


def _with(obj: JsonObject, path: str, value: Any) -> JsonObject:
    parts = path.strip(".").split(".")
    changed = node = dict(obj)
    for part in parts[:-1]:
        inner = node.get(part)
        node[part] = dict(inner) if isinstance(inner, dict) else {}
        node = node[part]
    node[parts[-1]] = value
    return changed


def scale_of(obj: JsonObject, paths: ScalePaths) -> JsonObject:
    """A Scale that shows the object's counts."""
    status: JsonObject = {"replicas": nested(obj, paths.status) or 0}
    selector = nested(obj, paths.selector) if paths.selector else None
    if selector:
        status["selector"] = selector
    meta = {key: obj["metadata"][key] for key in _KEPT if key in obj["metadata"]}
    spec = {"replicas": nested(obj, paths.spec) or 0}
    scale = {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": meta, "spec": spec, "status": status}
    return _normal(scale)


def _normal(scale: JsonObject) -> JsonObject:
    kind = schemas.type_for("autoscaling", "v1", "Scale")
    normal = scale if kind is None else normalize(kind, scale)
    return {"kind": "Scale", "apiVersion": "autoscaling/v1", **normal}


class ScaleHandler:
    """Answers requests for ``/scale``."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def get(self, request: Request, obj: JsonObject, paths: ScalePaths) -> Response:
        """The Scale of an object. Raises `StatusError` 500 when it has no replica count."""
        if nested(obj, paths.spec) is None:
            raise errors.internal(f'the spec replicas field "{paths.spec}" does not exist')
        return self._answer(request, scale_of(obj, paths), [])

    async def write(self, request: Request, call: Call, paths: ScalePaths) -> Response:
        """PUT or PATCH. Raises `StatusError`."""
        if request.method == "PATCH" and bodies.media_type(request.header("content-type")) == patches.APPLY:
            return await self._apply(request, call, paths)
        change = self._replacement(request, call) if request.method == "PUT" else self._patch(request, call)

        def transform(live: JsonObject) -> JsonObject:
            scale = change(scale_of(live, paths))
            patches.check_identity(call, scale, name_required=True)
            wanted = _with(live, paths.spec, (scale.get("spec") or {}).get("replicas", 0))
            version = scale["metadata"].get("resourceVersion")
            meta = {key: value for key, value in wanted["metadata"].items() if key != "resourceVersion"}
            return {**wanted, "metadata": {**meta, "resourceVersion": version} if version else meta}

        written = await self._writer.update(call, transform, patching=True)
        return self._answer(request, scale_of(written.obj, paths), call.warnings)

    async def _apply(self, request: Request, call: Call, paths: ScalePaths) -> Response:
        """Server-side apply of a Scale: an apply of the object that names nothing but its replica count."""
        applied = patches.read_applied(call, request.body, "autoscaling/v1", "Scale")
        schema = schemas.schema_for("autoscaling", "v1", "Scale")

        def transform(live: JsonObject) -> JsonObject:
            managedfields.check_applied(applied.value, "autoscaling/v1", "Scale", schema)
            meta = dict(applied.value.get("metadata") or {})
            parent: JsonObject = {"apiVersion": call.api_version, "kind": call.resource.kind}
            parent["metadata"] = {
                key: meta[key] for key in ("name", "namespace", "uid", "resourceVersion") if key in meta
            }
            replicas = nested(applied.value, "spec.replicas")
            if replicas is not None:
                parent = _with(parent, paths.spec, replicas)
            merged = ownership.apply(call, live, parent)
            applied.check_strict(call)
            return merged

        written = await self._writer.update(call, transform, applied=True, patching=True)
        return self._answer(request, scale_of(written.obj, paths), call.warnings)

    @staticmethod
    def _answer(request: Request, scale: JsonObject, warnings: list[str]) -> Response:
        media = negotiate(request.header("accept"), True, ()).media
        body = to_yaml(scale) if media == YAML else encode_object(scale)
        return Response(200, body, media, warning_headers(warnings))

    def _replacement(self, request: Request, call: Call) -> Change:
        media = bodies.check_media(request.header("content-type"))
        if media == bodies.PROTOBUF:
            raise errors.unsupported_media_type(
                "the body of the request was in an unknown format - accepted media types include: "
                "application/json, application/yaml"
            )
        body = bodies.read_object(request.body, media, "Scale")
        scale, complaints = _decoded(body.value, lambda text: bad_request(_refused(text)))
        _complain(call, [*body.duplicates, *complaints], lambda text: bad_request(_refused(text)))
        return lambda live: scale

    def _patch(self, request: Request, call: Call) -> Change:
        media = patches.check_patch_media(request.header("content-type"), custom=True)
        change = patches.Change(call, media, request.body)

        def apply(live: JsonObject) -> JsonObject:
            patched, duplicates = change.patched(live)
            scale, complaints = _decoded(patched, lambda text: patches.bad_patch(patched, text))
            _complain(call, [*duplicates, *complaints], lambda text: patches.bad_patch(patched, text))
            return scale

        return apply


def _refused(text: str) -> str:
    return f'Scale in version "v1" cannot be handled as a Scale: {text}'


def _decoded(raw: JsonObject, refuse: Callable[[str], StatusError]) -> tuple[JsonObject, list[str]]:
    kind = schemas.type_for("autoscaling", "v1", "Scale")
    if kind is None:
        return raw, []
    try:
        scale, complaints = decode(kind, raw)
    except WrongType as error:
        raise refuse(str(error)) from error
    scale.setdefault("metadata", {})
    return scale, complaints


def _complain(call: Call, complaints: list[str], refuse: Callable[[str], StatusError]) -> None:
    if complaints and call.options.field_validation == STRICT:
        raise refuse(f"strict decoding error: {', '.join(complaints)}")
    for text in complaints:
        call.warn(text)
