"""Admission reviews and conversion, without a server."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from eso_core.meta import GVK, GVR
from eso_core.meta.errors import Invalid
from eso_core.meta.jsonpatch import apply
from eso_core.model import Model, Resource
from eso_core.webhook import AdmissionRequest, AdmissionResponse, ConversionError, Converter, FieldError, invalid
from eso_core.webhook.admission import defaulting, read_review, validating
from eso_core.webhook.conversion import Spoke, convert_review


class Spec(Model):
    host: str
    port: int | None = None


class Site(Resource, group="hooks.test", version="v1"):
    spec: Spec


def request(operation: str, obj: Any = None, old: Any = None) -> AdmissionRequest:
    return AdmissionRequest(
        "u", Site.gvk, GVR("hooks.test", "v1", "sites"), operation, "s", "ns", object=obj, old_object=old
    )


def site(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "hooks.test/v1", "kind": "Site", "metadata": {"name": "s", "namespace": "ns"}, "spec": spec}


class Ports:
    async def default(self, request: AdmissionRequest, obj: Site) -> None:
        if obj.spec.port is None:
            obj.spec.port = 443


class Hosts:
    async def validate_create(self, request: AdmissionRequest, obj: Site) -> Sequence[str]:
        if "/" in obj.spec.host:
            raise invalid(
                Site.gvk,
                "s",
                [
                    FieldError("spec.host", "must be a host name", value=obj.spec.host),
                    FieldError("spec.port", "", "FieldValueRequired"),
                ],
            )
        return ["port is not set"] if obj.spec.port is None else []

    async def validate_update(self, request: AdmissionRequest, old: Site, new: Site) -> Sequence[str]:
        if old.spec.host != new.spec.host:
            raise invalid(Site.gvk, "s", [FieldError("spec.host", "is immutable", "FieldValueForbidden")])
        return []

    async def validate_delete(self, request: AdmissionRequest, obj: Site) -> Sequence[str]:
        return [f"{obj.spec.host} goes offline"]


async def test_a_defaulter_makes_the_smallest_patch() -> None:
    """M-22: only what it set is in the patch, and fields that the class does not know stay."""
    raw = {**site(host="a"), "extra": {"kept": True}}
    response = await defaulting(Site, Ports())(request("CREATE", raw))
    assert list(response.patch) == [{"op": "add", "path": "/spec/port", "value": 443}]
    assert apply(raw, list(response.patch))["extra"] == {"kept": True}
    assert (await defaulting(Site, Ports())(request("CREATE", site(host="a", port=1)))).patch == ()
    assert (await defaulting(Site, Ports())(request("DELETE", None, site(host="a")))).allowed


async def test_a_validator_answers_each_operation() -> None:
    """M-22: warnings when it passes; else the status that the API server would have made, with one cause per field."""
    handler = validating(Site, Hosts())
    assert (await handler(request("CREATE", site(host="a")))).warnings == ("port is not set",)
    refused = (await handler(request("CREATE", site(host="a/b")))).encode("u")
    assert refused["allowed"] is False
    assert refused["status"] == {
        "code": 422,
        "status": "Failure",
        "reason": "Invalid",
        "message": 'Site.hooks.test "s" is invalid: [spec.host: Invalid value: "a/b": must be a host name, spec.port: Required value]',
        "details": {
            "name": "s",
            "group": "hooks.test",
            "kind": "Site",
            "causes": [
                {
                    "reason": "FieldValueInvalid",
                    "message": 'Invalid value: "a/b": must be a host name',
                    "field": "spec.host",
                },
                {"reason": "FieldValueRequired", "message": "Required value", "field": "spec.port"},
            ],
        },
    }
    moved = await handler(request("UPDATE", site(host="b"), site(host="a")))
    assert (moved.code, moved.message) == (422, 'Site.hooks.test "s" is invalid: spec.host: Forbidden: is immutable')
    assert (await handler(request("DELETE", None, site(host="a")))).warnings == ("a goes offline",)
    assert (await handler(request("CONNECT"))).allowed
    unreadable = await handler(request("CREATE", site(port="x")))
    assert (unreadable.allowed, unreadable.code) == (False, 400)


def test_a_review_is_read_and_answered_in_its_version() -> None:
    """M-21: uid, patch as base64, warnings cut at 256 characters, audit annotations."""
    body = {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "u-1",
            "kind": {"group": "hooks.test", "version": "v1", "kind": "Site"},
            "resource": {"group": "hooks.test", "version": "v1", "resource": "sites"},
            "operation": "UPDATE",
            "userInfo": {"username": "anna"},
            "object": site(host="secret-host"),
            "dryRun": True,
        },
    }
    asked, version = read_review(orjson.dumps(body))
    assert (asked.uid, version, asked.kind, asked.dry_run) == ("u-1", "admission.k8s.io/v1", Site.gvk, True)
    assert asked.user["username"] == "anna"
    assert "secret-host" not in repr(asked)
    answer = AdmissionResponse(
        True, patch=[{"op": "add", "path": "/a", "value": 1}], warnings=["w" * 300], audit_annotations={"seen": "yes"}
    ).encode("u-1")
    assert orjson.loads(base64.b64decode(answer["patch"])) == [{"op": "add", "path": "/a", "value": 1}]
    assert answer["patchType"] == "JSONPatch"
    assert len(answer["warnings"][0]) == 256
    assert answer["auditAnnotations"] == {"seen": "yes"}


@pytest.mark.parametrize("body", [b"{", b"[]", b"{}", b'{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"}'])
def test_what_is_no_review_is_refused(body: bytes) -> None:
    """M-21."""
    with pytest.raises(ValueError, match="body is no|no request"):
        read_review(body)


def test_an_invalid_error_needs_a_field() -> None:
    """G-08: said where it is built."""
    with pytest.raises(ValueError, match="no field errors"):
        invalid(GVK("", "v1", "Secret"), "s", [])
    assert isinstance(invalid(GVK("", "v1", "Secret"), "s", [FieldError("data", "x")]), Invalid)


def to_hub(obj: dict[str, Any]) -> dict[str, Any]:
    obj["spec"] = {"host": obj["spec"]["name"]}
    obj["metadata"]["labels"] = {"from": "beta"}
    obj["metadata"]["uid"] = "forged"
    return obj


def from_hub(obj: dict[str, Any]) -> dict[str, Any]:
    if "host" not in obj["spec"]:
        raise ConversionError("spec.host is missing")
    obj["spec"] = {"name": obj["spec"]["host"]}
    return obj


CONVERTER = Converter(
    "hooks.test", "Site", "v1", {"v1beta1": Spoke(to_hub, from_hub), "v1alpha1": Spoke(to_hub, from_hub)}
)


def old(name: str, version: str = "v1beta1") -> dict[str, Any]:
    return {
        "apiVersion": f"hooks.test/{version}",
        "kind": "Site",
        "metadata": {"name": name, "uid": "u", "annotations": {"a": "b"}},
        "spec": {"name": name},
    }


def test_objects_are_converted_in_their_order_through_the_hub() -> None:
    """M-24: metadata but labels and annotations stays as it was."""
    body = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "ConversionReview",
        "request": {
            "uid": "c",
            "desiredAPIVersion": "hooks.test/v1",
            "objects": [old("b"), old("a", "v1alpha1"), site(host="z")],
        },
    }
    answer = convert_review(orjson.dumps(body), {("hooks.test", "Site"): CONVERTER})["response"]
    assert answer["result"] == {"status": "Success"}
    assert [made["spec"]["host"] for made in answer["convertedObjects"]] == ["b", "a", "z"]
    assert answer["convertedObjects"][0] == {
        "apiVersion": "hooks.test/v1",
        "kind": "Site",
        "metadata": {"name": "b", "uid": "u", "labels": {"from": "beta"}, "annotations": {"a": "b"}},
        "spec": {"host": "b"},
    }
    assert CONVERTER.convert(old("a", "v1alpha1"), "hooks.test/v1beta1")["spec"] == {"name": "a"}


def test_one_object_that_cannot_be_converted_fails_all() -> None:
    """M-24: no partial answer; the message names the object."""
    bad = site()
    body = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "ConversionReview",
        "request": {"uid": "c", "desiredAPIVersion": "hooks.test/v1beta1", "objects": [site(host="a"), bad]},
    }
    answer = convert_review(orjson.dumps(body), {("hooks.test", "Site"): CONVERTER})["response"]
    assert answer == {"uid": "c", "result": {"status": "Failure", "message": "ns/s: spec.host is missing"}}
    with pytest.raises(ConversionError, match=r"none of its versions: hooks.test/v1, hooks.test/v1beta1"):
        CONVERTER.convert(site(host="a"), "hooks.test/v9")
