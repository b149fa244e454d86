"""Bodies of create, replace and delete requests as objects of their kind."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from eso_core.testing.apiserver import errors
from eso_core.testing.apiserver.builtin import protobuf
from eso_core.testing.apiserver.errors import bad_request
from eso_core.testing.apiserver.http.message import JSON, Request
from eso_core.testing.apiserver.rest import body as bodies
from eso_core.testing.apiserver.rest import patch as patches
from eso_core.testing.apiserver.rest.kinds import OLDER_VERSIONS, type_problem
from eso_core.testing.apiserver.rest.options import IGNORE, STRICT
from eso_core.testing.apiserver.strategy import Call, DecodeFailure

JsonObject = dict[str, Any]


def decode_object(request: Request, call: Call) -> JsonObject:
    """The object in the body, in the form of its kind and with defaults. Raises `StatusError`."""
    resource = call.resource
    media = bodies.check_media(request.header("content-type"))
    if media == bodies.PROTOBUF:
        obj, complaints = _decode_protobuf(request, call), []
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
    if resource.custom and obj["kind"] != resource.kind:
        patches.check_type(replace(call, name=obj["metadata"].get("name", "")), obj)
    resource.strategy.default(call.version, obj)
    return obj


def _decode_protobuf(request: Request, call: Call) -> JsonObject:
    if call.resource.custom:
        text = "the body of the request was in an unknown format - accepted media types include: "
        raise errors.unsupported_media_type(text + "application/json, application/yaml")
    try:
        return protobuf.decode(request.body)
    except protobuf.ProtobufError as error:
        shown, kind = bodies.shown_body(request.body), call.resource.kind
        text = f"the object provided is unrecognized (must be of type {kind}): {error} ({shown})"
        raise bad_request(text) from error


def decode_delete_options(request: Request) -> JsonObject | None:
    """The options in the body, None when there is no body. Raises `StatusError`."""
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
        text, shown = body.decode("utf-8", "replace"), bodies.shown_body(body)
        raise bad_request(
            f"the object provided is unrecognized (must be of type {call.resource.kind}): "
            f"Object 'Kind' is missing in '{text}' ({shown})"
        )
    if obj.get("apiVersion") != call.api_version:
        given = obj.get("apiVersion") or ""
        raise bad_request(
            f"the API version in the data ({given}) does not match the expected API version ({call.api_version})"
        )
