"""RBAC: rules, bindings, aggregation; and what the log and the counters say of requests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from eso_core.testing.apiserver.authn.user import AUTHENTICATED, User
from eso_core.testing.apiserver.authz import rules
from eso_core.testing.apiserver.authz.attributes import Attributes
from eso_core.testing.apiserver.options import ApiServerOptions
from eso_core.testing.apiserver.server import ApiServer
from tests.unit.apiserver.conftest import Caller, config_map

RBAC = "/apis/rbac.authorization.k8s.io/v1"
JANE = User("jane", groups=("devs", AUTHENTICATED))


def rule(**parts: Any) -> dict[str, Any]:
    return {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], **parts}


@pytest.mark.parametrize(
    ("given", "asked", "allowed"),
    [
        (rule(), {}, True),
        (rule(verbs=["*"]), {"verb": "delete"}, True),
        (rule(verbs=["list"]), {}, False),
        (rule(apiGroups=["*"]), {"group": "x.io"}, True),
        (rule(), {"group": "x.io"}, False),
        (rule(resources=["*"]), {"resource": "anything", "subresource": "status"}, True),
        (rule(resources=["secrets"]), {"subresource": "status"}, False),
        (rule(resources=["secrets/status"]), {"subresource": "status"}, True),
        (rule(resources=["*/status"]), {"subresource": "status"}, True),
        (rule(resources=["*/status"]), {}, False),
        (rule(resourceNames=["a"]), {"name": "a"}, True),
        (rule(resourceNames=["a"]), {"name": "b"}, False),
        (rule(resourceNames=["a"]), {"name": "", "verb": "get"}, False),
        ({"nonResourceURLs": ["/a/*"], "verbs": ["get"]}, {"path": "/a/b"}, True),
        ({"nonResourceURLs": ["/a/*"], "verbs": ["get"]}, {"path": "/a"}, False),
        ({"nonResourceURLs": ["*"], "verbs": ["get"]}, {"path": "/x"}, True),
    ],
)
def test_a_rule_allows_what_it_names(given: dict[str, Any], asked: dict[str, str], allowed: bool) -> None:
    """T-50: stars, subresources, names, paths."""
    request = Attributes(JANE, **{"verb": "get", "resource": "secrets", "name": "a", **asked})
    assert rules.allows(given, request) is allowed


def test_what_a_user_lacks_is_listed_compactly() -> None:
    """T-50: verbs of one resource are joined."""
    held = [rule(verbs=["get"])]
    wanted = [rule(resources=["secrets", "configmaps"], verbs=["get", "list"], resourceNames=["x"])]
    missing = rules.compact(rules.uncovered(held, wanted))
    assert sorted(map(rules.shown, missing)) == [
        '{APIGroups:[""], Resources:["configmaps"], ResourceNames:["x"], Verbs:["get" "list"]}',
        '{APIGroups:[""], Resources:["secrets"], ResourceNames:["x"], Verbs:["list"]}',
    ]


@pytest.fixture
async def server(tmp_path: Path) -> Any:
    """A server with a second user and an audit log."""
    options = ApiServerOptions(tls=False, tokens={"jane-token": JANE}, audit_log=tmp_path / "audit.log")
    async with await ApiServer.start(options) as running:
        yield running


async def test_a_binding_gives_and_its_deletion_takes_away(call: Caller) -> None:
    """T-50: at once."""
    maps = "/api/v1/namespaces/default/configmaps"
    assert (await call("GET", maps, token="jane-token")).status == 403
    role = {"metadata": {"name": "r"}, "rules": [rule(resources=["configmaps"], verbs=["list"])]}
    await call("POST", f"{RBAC}/clusterroles", role)
    subjects = [{"kind": "Group", "name": "devs"}]
    binding = {"metadata": {"name": "b"}, "roleRef": {"kind": "ClusterRole", "name": "r"}, "subjects": subjects}
    await call("POST", f"{RBAC}/namespaces/default/rolebindings", binding)
    assert (await call("GET", maps, token="jane-token")).status == 200
    assert (await call("GET", "/api/v1/configmaps", token="jane-token")).status == 403
    await call("DELETE", f"{RBAC}/namespaces/default/rolebindings/b")
    assert (await call("GET", maps, token="jane-token")).status == 403


async def test_the_edit_role_is_put_together_from_its_parts(call: Caller, server: ApiServer) -> None:
    """T-50: aggregation, also through an aggregate."""
    label = {"rbac.authorization.k8s.io/aggregate-to-view": "true"}
    part = {"metadata": {"name": "part", "labels": label}, "rules": [rule(resources=["widgets"])]}
    await call("POST", f"{RBAC}/clusterroles", part)
    await server.run_gc()
    for name in ("view", "edit", "admin"):
        found = (await call("GET", f"{RBAC}/clusterroles/{name}")).body["rules"]
        assert any(item["resources"] == ["widgets"] for item in found), name


async def test_the_audit_log_has_one_line_per_request(call: Caller, server: ApiServer, tmp_path: Path) -> None:
    """Level Metadata: who, what, outcome, times; no bodies."""
    await call("POST", "/api/v1/namespaces/default/configmaps", config_map("a", k="secret-value"))
    await call("GET", "/api/v1/namespaces/default/secrets", token="jane-token", impersonate_user="x")
    await server.aclose()
    text = (tmp_path / "audit.log").read_text()
    assert "secret-value" not in text
    created, refused = map(json.loads, text.splitlines())
    assert created["verb"] == "create"
    assert created["user"]["username"] == "kubernetes-admin"
    assert created["objectRef"] == {
        "resource": "configmaps",
        "namespace": "default",
        "name": "a",
        "apiVersion": "v1",
    }
    assert created["responseStatus"]["code"] == 201
    assert (created["stage"], created["level"]) == ("ResponseComplete", "Metadata")
    assert created["requestReceivedTimestamp"] <= created["stageTimestamp"]
    assert refused["responseStatus"]["code"] == 403


async def test_requests_can_be_asserted_on_and_are_counted(call: Caller, server: ApiServer) -> None:
    """T-65 and T-33: by verb, resource and user agent; /metrics."""
    await call("POST", "/api/v1/namespaces/default/configmaps", config_map("a"), user_agent="mine/1")
    await call("GET", "/api/v1/namespaces/default/configmaps/a")
    found = server.requests(verb="create", resource="configmaps", user_agent="mine")
    assert [(exchange.code, exchange.target.name if exchange.target else "") for exchange in found] == [(201, "a")]
    text = (await call("GET", "/metrics")).body
    line = (
        'apiserver_request_total{code="201",component="apiserver",dry_run="",group="",resource="configmaps",'
        'scope="resource",subresource="",verb="POST",version="v1"} 1'
    )
    assert line in text.splitlines()


async def test_more_users_get_a_kubeconfig_of_their_own(call: Caller, server: ApiServer) -> None:
    """Their rights are those of RBAC."""
    config = server.add_user("dave", ["devs"])
    token = config["users"][0]["user"]["token"]
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    reply = await call("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", body, token=token)
    assert reply.body["status"]["userInfo"] == {"username": "dave", "groups": ["devs", "system:authenticated"]}
    assert (await call("GET", "/api/v1/secrets", token=token)).status == 403


async def test_certificates_of_the_authority_log_in(tmp_path: Path) -> None:
    """T-50: common name and organizations are user and groups."""
    import ssl
    from datetime import UTC, datetime, timedelta

    import aiohttp
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    async with await ApiServer.start(ApiServerOptions()) as server:
        held = server._certificates
        assert held is not None
        ca = x509.load_pem_x509_certificate(held.ca_cert.encode())
        ca_key = serialization.load_pem_private_key(held.ca_key.encode(), None)
        assert isinstance(ca_key, ec.EllipticCurvePrivateKey)
        key = ec.generate_private_key(ec.SECP256R1())
        names = [
            x509.NameAttribute(NameOID.COMMON_NAME, "carol"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "system:masters"),
        ]
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(ca.subject, x509.Name(names), key.public_key(), 7)
        cert = (
            builder.not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
            .sign(ca_key, hashes.SHA256())
        )
        pem = tmp_path / "client.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        pem.write_bytes(cert.public_bytes(serialization.Encoding.PEM) + private)
        context = ssl.create_default_context(cadata=held.ca_cert)
        context.load_cert_chain(pem)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
            body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
            path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
            async with session.post(server.url + path, json=body) as reply:
                user = (await reply.json())["status"]["userInfo"]
    assert (user["username"], user["groups"]) == ("carol", ["system:masters", "system:authenticated"])
