"""OpenAPI documents: what kubectl explains kinds from and validates manifests with.

Version 3 is one document per group version, named by a hash of its content; version 2 is one document for all.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Any, Final

import orjson

from eso_core.testing.apiserver.builtin import schemas
from eso_core.testing.apiserver.builtin.discovery import REVIEWS
from eso_core.testing.apiserver.http import openapi_protobuf
from eso_core.testing.apiserver.http.accept import no_representation
from eso_core.testing.apiserver.http.message import JSON, TEXT, Request, Response
from eso_core.testing.apiserver.resources import ResourceRegistry, ResourceType, Version

JsonObject = dict[str, Any]

_V3: Final = "#/components/schemas/"
_V2: Final = "#/definitions/"
_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1"
_OBJECT_META: Final = f"{_META}.ObjectMeta"
_LIST_META: Final = f"{_META}.ListMeta"
_PATCH: Final = f"{_META}.Patch"
_API_VERSION_TEXT: Final = (
    "APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized "
    "schemas to the latest internal value, and may reject unrecognized values. More info: "
    "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources"
)
_KIND_TEXT: Final = (
    "Kind is a string value representing the REST resource this object represents. Servers may infer this from the "
    "endpoint the client submits requests to. Cannot be updated. In CamelCase. More info: "
    "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds"
)
_METADATA_TEXT: Final = (
    "Standard object's metadata. More info: "
    "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata"
)
_WRITE: Final = ("dryRun", "fieldManager", "fieldValidation")
_READ: Final = (
    "allowWatchBookmarks",
    "continue",
    "fieldSelector",
    "labelSelector",
    "limit",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "timeoutSeconds",
    "watch",
)
_DELETE: Final = (
    "dryRun",
    "gracePeriodSeconds",
    "ignoreStoreReadErrorWithClusterBreakingPotential",
    "orphanDependents",
    "propagationPolicy",
)
_BOOLEANS: Final = frozenset(
    {
        "allowWatchBookmarks",
        "force",
        "ignoreStoreReadErrorWithClusterBreakingPotential",
        "orphanDependents",
        "sendInitialEvents",
        "watch",
    }
)
_INTEGERS: Final = frozenset({"gracePeriodSeconds", "limit", "timeoutSeconds"})


class OpenApi:
    """Answers ``/openapi/…``. Documents are made when first asked for after a change of the registry."""

    def __init__(self, registry: ResourceRegistry) -> None:
        self._registry = registry
        self._revision = -1
        self._documents: dict[str, tuple[bytes, str]] = {}
        self._by_resource: dict[tuple[int, str], JsonObject] = {}

    def answer(self, request: Request, segments: list[str]) -> Response | None:
        """The document at a path, or None."""
        if self._revision != self._registry.revision:
            self._documents.clear()
            self._revision = self._registry.revision
        match segments:
            case ["openapi", "v3"]:
                return self._index()
            case ["openapi", "v3", "api", version]:
                return self._group_version(request, "", version)
            case ["openapi", "v3", "apis", group, version]:
                return self._group_version(request, group, version)
            case ["openapi", "v2"]:
                return self._version_2(request)
        return None

    def _index(self) -> Response:
        paths: JsonObject = {}
        for group in self._registry.groups():
            for version in group.versions:
                path = f"apis/{group.name}/{version}" if group.name else f"api/{version}"
                body, _ = self._document(group.name, version)
                digest = hashlib.sha512(body).hexdigest().upper()
                paths[path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash={digest}"}
        return Response(200, orjson.dumps({"paths": paths}), TEXT)

    def _group_version(self, request: Request, group: str, version: str) -> Response | None:
        found = self._registry.group(group)
        if found is None or version not in found.versions:
            return Response(404, b"", "")
        if not _takes_json(request.header("accept")):
            raise no_representation(custom=False)
        body, etag = self._document(group, version)
        headers = [("ETag", etag), ("Vary", "Accept")]
        if request.header("if-none-match") == etag:
            return Response(304, b"", "", headers)
        return Response(200, body, JSON, headers)

    def _document(self, group: str, version: str) -> tuple[bytes, str]:
        key = f"{group}/{version}"
        found = self._documents.get(key)
        if found is None:
            body = orjson.dumps(self._make(group, version))
            found = self._documents[key] = (body, f'"{hashlib.sha256(body).hexdigest().upper()}"')
        return found

    def _make(self, group_name: str, version: str) -> JsonObject:
        group = self._registry.group(group_name)
        resources = list(group.versions[version].values()) if group is not None else []
        custom = any(resource.custom for resource in resources)
        paths: JsonObject = {}
        found: JsonObject = {}
        roots = {_OBJECT_META, _LIST_META, _PATCH, f"{_META}.Status", f"{_META}.DeleteOptions"}
        for resource in resources:
            model = model_name(resource, version)
            paths |= _paths(resource, version)
            if resource.custom:
                found |= self._custom_models(resource, resource.versions[version], model)
            else:
                roots |= {model, f"{model}List"}
        for review in REVIEWS.get(group_name, ()):
            review_name = _review_model(group_name, version, review["kind"])
            roots.add(review_name)
            paths |= _review_path(group_name, version, review, review_name)
        known = schemas.components()
        for name in schemas.component_names(*(root for root in roots if root in known)):
            found[name] = known[name]
        info = {"title": "Kubernetes CRD Swagger", "version": "v0.1.0"}
        if not custom:
            info = {"title": "Kubernetes", "version": "unversioned"}
        return {
            "openapi": "3.0.0",
            "info": info,
            "paths": paths,
            "components": {"schemas": dict(sorted(found.items()))},
        }

    def _custom_models(self, resource: ResourceType, version: Version, model: str) -> JsonObject:
        key = (id(resource), version.name)
        cached = self._by_resource.get(key)
        if cached is not None:
            return cached
        kind = {"group": resource.group, "kind": resource.kind, "version": version.name}
        schema: JsonObject = {key: value for key, value in version.openapi.items() if key != "properties"}
        meta = {"description": _METADATA_TEXT, "allOf": [{"$ref": _V3 + _OBJECT_META}]}
        schema["properties"] = {
            **(version.openapi.get("properties") or {}),
            "apiVersion": {"description": _API_VERSION_TEXT, "type": "string"},
            "kind": {"description": _KIND_TEXT, "type": "string"},
            "metadata": meta,
        }
        schema["x-kubernetes-group-version-kind"] = [kind]
        if version.selectable:
            fields = [{"fieldPath": path.removeprefix(".")} for path in version.selectable]
            schema["x-kubernetes-selectable-fields"] = fields
        listing = {
            "description": f"{resource.list_kind} is a list of {resource.kind}",
            "type": "object",
            "required": ["items"],
            "properties": {
                "apiVersion": {"description": _API_VERSION_TEXT, "type": "string"},
                "items": {
                    "description": f"List of {resource.plural}. More info: "
                    "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md",
                    "type": "array",
                    "items": {"allOf": [{"$ref": _V3 + model}]},
                },
                "kind": {"description": _KIND_TEXT, "type": "string"},
                "metadata": {
                    "description": "Standard list metadata. More info: "
                    "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md"
                    "#types-kinds",
                    "allOf": [{"$ref": _V3 + _LIST_META}],
                },
            },
            "x-kubernetes-group-version-kind": [{**kind, "kind": resource.list_kind}],
        }
        if len(self._by_resource) > 1000:
            self._by_resource.clear()
        self._by_resource[key] = {model: schema, f"{model}List": listing}
        return self._by_resource[key]

    # -- version 2

    def _version_2(self, request: Request) -> Response:
        accept = request.header("accept")
        binary = any(name in accept for name in openapi_protobuf.MEDIA_TYPES)
        if not binary and not _takes_json(accept):
            raise no_representation(custom=False)
        cached = self._documents.get("v2 protobuf" if binary else "v2")
        if cached is None:
            definitions: JsonObject = {}
            paths: JsonObject = {}
            for group in self._registry.groups():
                for version in group.versions:
                    document = self._make(group.name, version)
                    definitions |= document["components"]["schemas"]
                    paths |= document["paths"]
            document_2 = {
                "swagger": "2.0",
                "info": {"title": "Kubernetes", "version": "unversioned"},
                "paths": {path: _path_2(item) for path, item in paths.items()},
                "definitions": {name: _schema_2(schema) for name, schema in sorted(definitions.items())},
            }
            body = openapi_protobuf.encode(document_2) if binary else orjson.dumps(document_2)
            cached = (body, f'"{hashlib.sha256(body).hexdigest().upper()}"')
            self._documents["v2 protobuf" if binary else "v2"] = cached
        body, etag = cached
        headers = [("ETag", etag), ("Vary", "Accept")]
        if request.header("if-none-match") == etag:
            return Response(304, b"", "", headers)
        return Response(200, body, openapi_protobuf.MEDIA_TYPES[0] if binary else JSON, headers)


def _takes_json(accept: str) -> bool:
    if not accept:
        return True
    kinds = {clause.split(";")[0].strip() for clause in accept.split(",")}
    return bool(kinds & {JSON, "*/*", "application/*"})


def model_name(resource: ResourceType, version: str) -> str:
    """The name of a kind's schema in ``components.schemas``."""
    if resource.custom:
        return f"{'.'.join(reversed(resource.group.split('.')))}.{version}.{resource.kind}"
    found = schemas.type_for(resource.group, version, resource.kind)
    return found.name if found is not None else resource.kind


def _review_model(group: str, version: str, kind: str) -> str:
    found = schemas.type_for(group, version, kind)
    return found.name if found is not None else kind


def _parameters(names: Iterable[str]) -> list[JsonObject]:
    found: list[JsonObject] = []
    for name in names:
        kind = "boolean" if name in _BOOLEANS else "integer" if name in _INTEGERS else "string"
        found.append({"name": name, "in": "query", "schema": {"type": kind, "uniqueItems": True}})
    return found


def _path_parameter(name: str, description: str) -> JsonObject:
    schema = {"type": "string", "uniqueItems": True}
    return {"name": name, "in": "path", "description": description, "required": True, "schema": schema}


def _content(model: str, *, stream: bool = False) -> JsonObject:
    names = [JSON, "application/yaml"] + (["application/json;stream=watch"] if stream else [])
    return {name: {"schema": {"$ref": _V3 + model}} for name in names}


def _operation(
    action: str, kind: JsonObject, answer: str, parameters: Iterable[str], body: str = "", status: str = "200"
) -> JsonObject:
    operation: JsonObject = {
        "parameters": _parameters(parameters),
        "responses": {
            status: {"description": "OK", "content": _content(answer, stream=action in ("list", "watchlist"))},
            "401": {"description": "Unauthorized"},
        },
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": kind,
    }
    if action == "patch":
        operation["requestBody"] = {"content": {}, "required": True}
    elif body:
        operation["requestBody"] = {"content": {"*/*": {"schema": {"$ref": _V3 + body}}}, "required": True}
    return operation


def _paths(resource: ResourceType, version: str) -> JsonObject:
    root = f"/apis/{resource.group}/{version}" if resource.group else f"/api/{version}"
    kind = {"group": resource.group, "version": version, "kind": resource.kind}
    model = model_name(resource, version)
    scoped = f"{root}/namespaces/{{namespace}}" if resource.namespaced else root
    collection = f"{scoped}/{resource.plural}"
    verbs = set(resource.verbs)
    common = [_path_parameter("namespace", "object name and auth scope, such as for teams and projects")]
    common = common if resource.namespaced else []
    many: JsonObject = {}
    one: JsonObject = {}
    if "list" in verbs:
        many["get"] = _operation("list", kind, f"{model}List", _READ)
    if "create" in verbs:
        many["post"] = _operation("post", kind, model, _WRITE, model, "201")
    if "deletecollection" in verbs:
        many["delete"] = _operation("deletecollection", kind, f"{_META}.Status", (*_READ, *_DELETE))
    if "get" in verbs:
        one["get"] = _operation("get", kind, model, ())
    if "update" in verbs:
        one["put"] = _operation("put", kind, model, _WRITE, model)
    if "delete" in verbs:
        one["delete"] = _operation("delete", kind, f"{_META}.Status", _DELETE, f"{_META}.DeleteOptions")
    if "patch" in verbs:
        one["patch"] = _patch_operation(resource, kind, model)
    found: JsonObject = {}
    if resource.namespaced and "list" in verbs:
        found[f"{root}/{resource.plural}"] = {"get": _operation("list", kind, f"{model}List", _READ)}
    found[collection] = {**many, "parameters": common}
    name = _path_parameter("name", f"name of the {resource.kind}")
    found[f"{collection}/{{name}}"] = {**one, "parameters": [name, *common]}
    for sub in resource.subresources:
        item: JsonObject = {"parameters": [name, *common]}
        for verb in sub.verbs:
            if verb == "patch":
                item["patch"] = _patch_operation(resource, kind, model)
            elif verb in ("get", "update", "create"):
                method = {"get": "get", "update": "put", "create": "post"}[verb]
                item[method] = _operation(method, kind, model, _WRITE if verb != "get" else ())
        found[f"{collection}/{{name}}/{sub.name}"] = item
    _name_operations(found, resource.group, version, resource.kind, custom=resource.custom)
    return found


_ACTION_NAMES: Final = {
    "list": "list",
    "post": "create",
    "deletecollection": "delete",
    "get": "read",
    "put": "replace",
    "delete": "delete",
    "patch": "patch",
}


def _name_operations(paths: JsonObject, group: str, version: str, kind: str, *, custom: bool) -> None:
    """Give every operation its id and tag; client generators name functions and modules after them."""
    words = re.split(r"[.-]", group if custom else group.removesuffix(".k8s.io") or "core")
    title = "".join(word.capitalize() for word in words)
    tag = f"{title[:1].lower()}{title[1:]}_{version}"
    for path, item in paths.items():
        scope = "Namespaced" if "{namespace}" in path else ""
        subresource = path.partition("/{name}/")[2].capitalize()
        everywhere = "" if scope or "{name}" in path or not _is_namespaced(paths) else "ForAllNamespaces"
        for method, operation in item.items():
            if method == "parameters":
                continue
            action = operation["x-kubernetes-action"]
            collection = "Collection" if action == "deletecollection" else ""
            start = f"{_ACTION_NAMES[action]}{title}{version.capitalize()}"
            operation["operationId"] = f"{start}{collection}{scope}{kind}{subresource}{everywhere}"
            operation["tags"] = [tag]


def _is_namespaced(paths: JsonObject) -> bool:
    return any("{namespace}" in path for path in paths)


def _patch_operation(resource: ResourceType, kind: JsonObject, model: str) -> JsonObject:
    operation = _operation("patch", kind, model, (*_WRITE, "force"))
    types = ["application/apply-patch+yaml", "application/json-patch+json", "application/merge-patch+json"]
    if not resource.custom:
        types.append("application/strategic-merge-patch+json")
    content = {name: {"schema": {"$ref": _V3 + _PATCH}} for name in types}
    operation["requestBody"] = {"content": content, "required": True}
    return operation


def _review_path(group: str, version: str, review: JsonObject, model: str) -> JsonObject:
    kind = {"group": group, "version": version, "kind": review["kind"]}
    scope = "/namespaces/{namespace}" if review["namespaced"] else ""
    post = _operation("post", kind, model, _WRITE, model, "201")
    found = {f"/apis/{group}/{version}{scope}/{review['name']}": {"post": post}}
    _name_operations(found, group, version, review["kind"], custom=False)
    return found


_NOT_IN_2: Final = ("anyOf", "oneOf", "not", "nullable", "default")


def _schema_2(node: Any) -> Any:
    """A version 3 schema in version 2's poorer language; references point elsewhere."""
    if isinstance(node, list):
        return [_schema_2(item) for item in node]
    if not isinstance(node, dict):
        return node
    found: JsonObject = {}
    for key, value in node.items():
        if key == "properties" and isinstance(value, dict):
            found[key] = {name: _schema_2(item) for name, item in value.items()}
        elif key == "$ref" and isinstance(value, str):
            found[key] = value.replace(_V3, _V2)
        elif key == "allOf" and isinstance(value, list) and len(value) == 1 and "$ref" in value[0]:
            found.update(_schema_2(value[0]))
        elif key in ("enum", "default", "example"):
            found[key] = value
        elif key not in _NOT_IN_2:
            found[key] = _schema_2(value)
    return found


def _path_2(item: JsonObject) -> JsonObject:
    found: JsonObject = {}
    for method, operation in item.items():
        if method == "parameters":
            found[method] = [_parameter_2(parameter) for parameter in operation]
            continue
        converted = {key: value for key, value in operation.items() if key != "requestBody"}
        converted["parameters"] = [_parameter_2(parameter) for parameter in operation.get("parameters", ())]
        body = operation.get("requestBody")
        if body:
            media = list(body["content"])
            schema = next(iter(body["content"].values()))["schema"]
            converted["consumes"] = media
            converted["parameters"].append(
                {"name": "body", "in": "body", "required": True, "schema": _schema_2(schema)}
            )
        converted["responses"] = {
            code: {"description": response["description"]} for code, response in operation["responses"].items()
        }
        found[method] = converted
    return found


def _parameter_2(parameter: JsonObject) -> JsonObject:
    return {**{key: value for key, value in parameter.items() if key != "schema"}, **parameter.get("schema", {})}
