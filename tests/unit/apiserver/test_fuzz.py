"""Malformed requests get an answer, and never one that says the server broke."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from typing import Any
from urllib.parse import quote

import pytest

from eso_core.testing.apiserver.http.message import Answer, Request
from eso_core.testing.apiserver.server import ApiServer
from tests.unit.apiserver.conftest import definition

JsonObject = dict[str, Any]

RBAC = "/apis/rbac.authorization.k8s.io/v1"
NAMESPACED = "/namespaces/default"
SEEDS: dict[str, JsonObject] = {
    f"/apis/test.example.io/v1{NAMESPACED}/widgets": {
        "apiVersion": "test.example.io/v1",
        "kind": "Widget",
        "metadata": {"name": "a", "labels": {"x": "y"}},
        "spec": {"ports": [{"port": 1}], "tags": ["a"]},
    },
    f"/api/v1{NAMESPACED}/secrets": {"metadata": {"name": "a"}, "data": {"k": "YQ=="}, "stringData": {"l": "m"}},
    f"/api/v1{NAMESPACED}/configmaps": {"metadata": {"name": "a"}, "data": {"k": "v"}},
    f"/api/v1{NAMESPACED}/serviceaccounts": {"metadata": {"name": "a"}, "secrets": [{"name": "x"}]},
    f"/api/v1{NAMESPACED}/events": {"metadata": {"name": "a"}, "involvedObject": {"kind": "Secret", "name": "a"}},
    f"/apis/coordination.k8s.io/v1{NAMESPACED}/leases": {"metadata": {"name": "a"}, "spec": {"holderIdentity": "x"}},
    f"{RBAC}{NAMESPACED}/roles": {
        "metadata": {"name": "a"},
        "rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["x"]}],
    },
    f"{RBAC}{NAMESPACED}/rolebindings": {
        "metadata": {"name": "a"},
        "roleRef": {"kind": "Role", "name": "a"},
        "subjects": [{"kind": "User", "name": "x"}],
    },
    f"{RBAC}/clusterroles": {"metadata": {"name": "a"}, "aggregationRule": {"clusterRoleSelectors": [{}]}},
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions": definition("Thing"),
    "/api/v1/namespaces": {"metadata": {"name": "a"}},
    "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations": {
        "metadata": {"name": "a"},
        "webhooks": [{"name": "a.b.c", "clientConfig": {"url": "https://x"}, "rules": [{"operations": ["*"]}]}],
    },
    "/apis/authentication.k8s.io/v1/tokenreviews": {"spec": {"token": "x", "audiences": ["a"]}},
    "/apis/authorization.k8s.io/v1/subjectaccessreviews": {
        "spec": {"user": "x", "resourceAttributes": {"verb": "get"}}
    },
    f"/api/v1{NAMESPACED}/serviceaccounts/default/token": {"spec": {"expirationSeconds": 600}},
}
TEXTS = ["", "a", "a/b", "A_b", "é\x00x", "x" * 300, "2024-05-01T10:00:00Z", "-1", "$patch", "😀", "metadata"]
NUMBERS = [0, 1, -1, 3.5, 1e30, 2**63, 2**70, -(2**65), 1.0]
KEYS = [
    *[
        "metadata",
        "spec",
        "status",
        "name",
        "namespace",
        "labels",
        "annotations",
        "ownerReferences",
        "finalizers",
        "data",
        "stringData",
        "type",
        "kind",
    ],
    *[
        "apiVersion",
        "ports",
        "port",
        "tags",
        "uid",
        "resourceVersion",
        "generateName",
        "managedFields",
        "$patch",
        "$setElementOrder/ports",
    ],
    *[
        "rules",
        "verbs",
        "subjects",
        "roleRef",
        "versions",
        "group",
        "names",
        "scope",
        "schema",
        "involvedObject",
        "generation",
    ],
    *[
        "deletionTimestamp",
        "creationTimestamp",
        "immutable",
        "secrets",
        "replicas",
        "webhooks",
        "openAPIV3Schema",
        "properties",
    ],
    *["x-kubernetes-validations", "rule", "conditions", "propagationPolicy", "preconditions", "dryRun", "token"],
    "",
]
QUERIES = [
    "fieldManager=m",
    "force=true",
    "dryRun=All",
    "fieldValidation=Strict",
    "limit=1",
    "continue=abc",
    "labelSelector=a%20in%20(b)",
    "fieldSelector=metadata.name%3Da",
    "resourceVersion=5",
    "resourceVersionMatch=Exact",
    "propagationPolicy=Orphan",
    "gracePeriodSeconds=x",
    "timeoutSeconds=1",
    "sendInitialEvents=true",
    "includeObject=Odd",
    "labelSelector=%3D",
    "fieldSelector=,=",
    "%00=%ff",
]
TYPES = [
    "application/json",
    "application/yaml",
    "application/merge-patch+json",
    "application/json-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
    "application/vnd.kubernetes.protobuf",
    "text/plain",
    "",
]
ACCEPTS = [
    "application/json",
    "application/json;as=Table;v=v1;g=meta.k8s.io",
    "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
    "application/yaml",
    "text/html",
    ";;,",
]


class Fuzzer:
    """Makes requests that are nearly right."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def value(self, depth: int = 0) -> Any:
        pick = self._random
        roll = pick.random()
        if roll < 0.2:
            return pick.choice([None, True, False])
        if roll < 0.35:
            return pick.choice(NUMBERS)
        if roll < 0.6 or depth > 3:
            return pick.choice(TEXTS)
        if roll < 0.8:
            return [self.value(depth + 1) for _ in range(pick.randint(0, 3))]
        return {pick.choice(KEYS): self.value(depth + 1) for _ in range(pick.randint(0, 4))}

    def changed(self, seed: JsonObject) -> Any:
        obj = json.loads(json.dumps(seed))
        for _ in range(self._random.randint(0, 3)):
            self._change(obj)
        return obj

    def _change(self, node: Any) -> None:
        pick = self._random
        keys: list[Any] = list(node) if isinstance(node, dict) else list(range(len(node)))
        if not keys or pick.random() < 0.2:
            if isinstance(node, dict):
                node[pick.choice(KEYS)] = self.value()
            else:
                node.append(self.value())
            return
        key = pick.choice(keys)
        if isinstance(node[key], dict | list) and pick.random() < 0.7:
            self._change(node[key])
        elif pick.random() < 0.2:
            del node[key]
        else:
            node[key] = self.value()

    def request(self, token: str) -> Request:
        pick = self._random
        base, seed = pick.choice(list(SEEDS.items()))
        method = pick.choice(["GET", "POST", "POST", "PUT", "PATCH", "PATCH", "PATCH", "DELETE", "ODD"])
        suffix = (
            "" if method == "POST" else pick.choice(["", "/a", "/a", "/a", "/a/status", "/a/scale", "/a/odd", "/%00"])
        )
        content_type = pick.choice(TYPES[2:6] if method == "PATCH" and pick.random() < 0.8 else TYPES)
        if method in ("POST", "PUT") and pick.random() < 0.8:
            content_type = "application/json"
        body = json.dumps(self._patch() if "json-patch" in content_type else self.changed(seed)).encode()
        if pick.random() < 0.05:
            body = body[: pick.randint(0, len(body))]
        if pick.random() < 0.03:
            body = pick.randbytes(20)
        query = "&".join(pick.sample(QUERIES, pick.choice([0, 0, 1, 2])))
        headers = {
            "authorization": f"Bearer {token}",
            "content-type": content_type,
            "accept": pick.choice(ACCEPTS),
            "user-agent": pick.choice(["fuzz/1", "", "x" * 200]),
        }
        if pick.random() < 0.05:
            headers["impersonate-user"] = quote(pick.choice(TEXTS))
        target = base + suffix + (f"?{query}" if query else "")
        return Request(method, target, headers, b"" if method == "GET" else body)

    def _patch(self) -> Any:
        pick = self._random
        paths = ["/spec", "/metadata/labels", "/a/0", "/spec/tags/0", "", "x", "/metadata/name", "/spec/ports/-"]
        return [
            {
                "op": pick.choice(["add", "remove", "replace", "test", "move", "copy", "x"]),
                "path": pick.choice(paths),
                "value": self.value(),
                "from": pick.choice(paths),
            }
            for _ in range(pick.randint(0, 3))
        ]


@pytest.mark.parametrize("seed", range(4))
async def test_every_malformed_request_is_answered(
    server: ApiServer, seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    """No hang, no traceback, and 500 only where the original says so in its own words."""
    server.install(definition())
    await server.run_gc()
    fuzzer = Fuzzer(seed)
    with caplog.at_level(logging.ERROR):
        for _ in range(700):
            request = fuzzer.request(server.token)
            future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
            server.handle(request, future.set_result)
            answer = await asyncio.wait_for(future, 5)
            assert answer.status >= 200
            assert not caplog.records, (request.method, request.target, request.headers, request.body)
