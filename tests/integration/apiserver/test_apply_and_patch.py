"""Patches, server-side apply and binary bodies over HTTP, as clients see them."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

import pytest

from eso_core.testing.apiserver import wire
from eso_core.testing.apiserver.background import BackgroundServer
from eso_core.testing.apiserver.builtin import protobuf

JsonObject = dict[str, Any]

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any
    warnings: list[str]
    content_type: str


class Http:
    """Requests in one namespace of the server."""

    def __init__(self, server: BackgroundServer, namespace: str) -> None:
        self.server = server
        self.core = f"/api/v1/namespaces/{namespace}"
        self.widgets = f"/apis/test.example.io/v1/namespaces/{namespace}/widgets"
        self.context = ssl._create_unverified_context()

    def __call__(
        self, method: str, path: str, body: Any = None, media: str = "application/json", **headers: str
    ) -> Answer:
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        sent = {"Authorization": f"Bearer {self.server.token}", "Content-Type": media, **headers}
        request = urllib.request.Request(self.server.url + path, data, sent, method=method)
        try:
            response = urllib.request.urlopen(request, context=self.context)
        except urllib.error.HTTPError as error:
            response = error
        with response:
            raw = response.read()
            kind = response.headers.get("Content-Type", "")
            decoded = json.loads(raw) if kind.startswith("application/json") else raw
            return Answer(response.status, decoded, response.headers.get_all("Warning") or [], kind)


@pytest.fixture
def http(apiserver: BackgroundServer, kube_namespace: str) -> Http:
    return Http(apiserver, kube_namespace)


def config_map(name: str, **data: str) -> JsonObject:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def owned(obj: JsonObject) -> JsonObject:
    entries = obj["metadata"].get("managedFields", [])
    return {f"{entry['manager']}/{entry['operation']}": entry["fieldsV1"] for entry in entries}


def test_an_apply_creates_updates_and_is_silent_when_nothing_changes(http: Http) -> None:
    """201, 200, and the same version again."""
    path = f"{http.core}/configmaps/a?fieldManager=m"
    created = http("PATCH", path, config_map("a", k="v"), APPLY)
    again = http("PATCH", path, config_map("a", k="v"), APPLY)
    changed = http("PATCH", path, b"{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {k: w}}", APPLY)
    assert [created.status, again.status, changed.status] == [201, 200, 200]
    assert again.body == created.body
    assert changed.body["data"] == {"k": "w"}
    assert changed.body["metadata"]["resourceVersion"] != created.body["metadata"]["resourceVersion"]


def test_a_conflict_names_field_and_manager_and_force_resolves_it(http: Http) -> None:
    """The updater of the field loses it to the forced apply."""
    http("POST", f"{http.core}/configmaps?fieldManager=hand", config_map("a", k="v", l="w"))
    conflict = http("PATCH", f"{http.core}/configmaps/a?fieldManager=m", config_map("a", k="x"), APPLY)
    assert (conflict.status, conflict.body["message"]) == (
        409,
        'Apply failed with 1 conflict: conflict with "hand" using v1: .data.k',
    )
    forced = http("PATCH", f"{http.core}/configmaps/a?fieldManager=m&force=true", config_map("a", k="x"), APPLY)
    assert owned(forced.body) == {
        "m/Apply": {"f:data": {"f:k": {}}},
        "hand/Update": {"f:data": {".": {}, "f:l": {}}},
    }


def test_what_a_kind_adds_on_create_belongs_to_nobody(http: Http) -> None:
    """Defaults are owned by the creator, server-made fields are not."""
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"k": "v"}}
    created = http("POST", f"{http.core}/secrets?fieldManager=m", secret)
    assert owned(created.body) == {"m/Update": {"f:data": {".": {}, "f:k": {}}, "f:type": {}}}


def test_a_scale_can_be_applied(http: Http) -> None:
    """It owns the replica count of the object through the subresource."""
    widget = {"apiVersion": "test.example.io/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"color": "red"}}
    http("POST", f"{http.widgets}?fieldManager=c", widget)
    scale = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "w"}, "spec": {"replicas": 3}}
    path = f"{http.widgets}/w/scale?fieldManager=scaler"
    assert http("PATCH", path, scale, APPLY).body["message"].endswith('"c" using test.example.io/v1: .spec.replicas')
    applied = http("PATCH", f"{path}&force=true", scale, APPLY)
    assert (applied.status, applied.body["kind"], applied.body["spec"]) == (200, "Scale", {"replicas": 3})
    parent = http("GET", f"{http.widgets}/w").body
    assert parent["spec"]["replicas"] == 3
    assert owned(parent)["scaler/Apply"] == {"f:spec": {"f:replicas": {}}}


@pytest.mark.parametrize(
    ("media", "body", "status", "text"),
    [
        (
            MERGE,
            {"data": {"k": 5}},
            422,
            "json: cannot unmarshal number into Go struct field ConfigMap.data of type string",
        ),
        (STRATEGIC, {"data": {"k": 5}}, 422, "cannot convert int64 to string"),
        (MERGE, {"kind": "Secret"}, 422, "converting (v1.Secret) to (core.ConfigMap): unknown conversion"),
        (MERGE, {"apiVersion": "v2"}, 422, 'no kind "ConfigMap" is registered for version "v2"'),
        (MERGE, {"metadata": "x"}, 422, "of type v1.ObjectMeta"),
        (JSON_PATCH, [{"op": "add", "path": "", "value": {}}], 422, "rejected our request"),
        (JSON_PATCH, [{"op": 5}], 400, "jsonPatchOp.op of type string"),
        (STRATEGIC, {"data": {"$patch": "frob"}}, 500, "unknown patch type: frob in map: map[$patch:frob]"),
        (APPLY, config_map("a") | {"junk": 1}, 500, ".junk: field not declared in schema"),
    ],
)
def test_patches_that_cannot_be_applied_say_why(http: Http, media: str, body: Any, status: int, text: str) -> None:
    """Each way of patching has its own words."""
    http("POST", f"{http.core}/configmaps", config_map("a", k="v"))
    answer = http("PATCH", f"{http.core}/configmaps/a?fieldManager=m", body, media)
    assert answer.status == status
    assert text in answer.body["message"]
    assert http("GET", f"{http.core}/configmaps/a").body["data"] == {"k": "v"}


def test_a_strategic_patch_cannot_change_the_kind(http: Http) -> None:
    """What it says about kind and version has no effect."""
    http("POST", f"{http.core}/configmaps", config_map("a", k="v"))
    answer = http(
        "PATCH", f"{http.core}/configmaps/a", {"kind": "Secret", "apiVersion": "v9", "data": {"l": "w"}}, STRATEGIC
    )
    assert (answer.status, answer.body["kind"], answer.body["data"]) == (200, "ConfigMap", {"k": "v", "l": "w"})


def test_unknown_fields_of_operations_are_warned_of(http: Http) -> None:
    """Strict validation refuses them."""
    http("POST", f"{http.core}/configmaps", config_map("a", k="v"))
    patch = [{"op": "add", "path": "/data/l", "value": "w", "odd": 1}]
    assert http("PATCH", f"{http.core}/configmaps/a", patch, JSON_PATCH).warnings == [
        '299 - "json patch unknown field \\"[0].odd\\""'
    ]
    assert http("PATCH", f"{http.core}/configmaps/a?fieldValidation=Strict", patch, JSON_PATCH).status == 422


def test_protobuf_goes_in_and_json_comes_out(http: Http) -> None:
    """As kubectl create does; kinds without a table are refused as a media type."""
    body = protobuf.encode(config_map("a", k="v"))
    headers = {"Accept": "application/vnd.kubernetes.protobuf,application/json"}
    created = http("POST", f"{http.core}/configmaps", body, "application/vnd.kubernetes.protobuf", **headers)
    assert (created.status, created.content_type, created.body["data"]) == (201, "application/json", {"k": "v"})
    assert http("POST", f"{http.core}/configmaps", b"garbage", "application/vnd.kubernetes.protobuf").status == 400


def test_the_old_openapi_document_is_there_in_protobuf(http: Http) -> None:
    """Its media type is one that can be parsed, unlike the one that is asked for."""
    asked = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
    answer = http("GET", "/openapi/v2", Accept=asked)
    assert answer.content_type == "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
    parts = dict(wire.fields(memoryview(answer.body)))
    assert wire.text(parts[1]) == "2.0"
    assert b"io.example.test.v1.Widget" in bytes(wire.message(parts[9]))
