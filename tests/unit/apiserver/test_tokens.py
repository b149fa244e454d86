"""Tokens of service accounts, and what is told about them."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator

import pytest

from eso_core.testing.apiserver.options import ApiServerOptions
from eso_core.testing.apiserver.server import ApiServer
from eso_core.testing.clock import FakeClock
from tests.unit.apiserver.conftest import Caller

BASE = "/api/v1/namespaces/default"
REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def server(clock: FakeClock) -> AsyncIterator[ApiServer]:
    async with await ApiServer.start(ApiServerOptions(tls=False, clock=clock)) as running:
        yield running


def request(**spec: object) -> dict[str, object]:
    return {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}


def review(token: str) -> dict[str, object]:
    return {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}


async def test_a_token_expires_when_its_time_has_come(call: Caller, clock: FakeClock) -> None:
    """T-48: good until then, refused with the reason afterwards."""
    created = await call("POST", f"{BASE}/serviceaccounts/default/token", request(expirationSeconds=600))
    token = created.body["status"]["token"]
    assert (await call("POST", REVIEWS, review(token))).body["status"]["authenticated"] is True
    await clock.advance(601)
    status = (await call("POST", REVIEWS, review(token))).body["status"]
    assert status == {"user": {}, "error": "[invalid bearer token, service account token has expired]"}
    assert (await call("GET", f"{BASE}/secrets", token=token)).status == 401


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (599, "may not specify a duration less than 10 minutes"),
        ((1 << 32) + 1, "may not specify a duration larger than 2^32 seconds"),
    ],
)
async def test_a_lifetime_out_of_range_is_refused(call: Caller, seconds: int, text: str) -> None:
    """T-48: ten minutes at least."""
    reply = await call("POST", f"{BASE}/serviceaccounts/default/token", request(expirationSeconds=seconds))
    assert reply.status == 422
    assert reply.body["message"] == (
        f'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: {seconds}: {text}'
    )


async def test_the_published_key_verifies_the_tokens(call: Caller) -> None:
    """T-48: JWKS and discovery document."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    token = (await call("POST", f"{BASE}/serviceaccounts/default/token", request())).body["status"]["token"]
    key = (await call("GET", "/openid/v1/jwks")).body["keys"][0]

    def number(text: str) -> int:
        return int.from_bytes(base64.urlsafe_b64decode(text + "=="), "big")

    public = rsa.RSAPublicNumbers(number(key["e"]), number(key["n"])).public_key()
    signed, _, signature = token.rpartition(".")
    public.verify(base64.urlsafe_b64decode(signature + "=="), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    document = (await call("GET", "/.well-known/openid-configuration")).body
    assert document["issuer"] == "https://kubernetes.default.svc.cluster.local"
    assert document["jwks_uri"].endswith("/openid/v1/jwks")


async def test_a_secret_of_the_token_type_is_filled(call: Caller, server: ApiServer) -> None:
    """The older kind of token: in a Secret, without an end, gone with the account."""
    await call("POST", f"{BASE}/serviceaccounts", {"metadata": {"name": "sa"}})
    annotations = {"kubernetes.io/service-account.name": "sa"}
    secret = {"metadata": {"name": "s", "annotations": annotations}, "type": "kubernetes.io/service-account-token"}
    assert (await call("POST", f"{BASE}/secrets", secret)).status == 201
    await server.run_gc()
    filled = (await call("GET", f"{BASE}/secrets/s")).body
    assert set(filled["data"]) == {"ca.crt", "namespace", "token"}
    assert base64.b64decode(filled["data"]["namespace"]) == b"default"
    token = base64.b64decode(filled["data"]["token"]).decode()
    status = (await call("POST", REVIEWS, review(token))).body["status"]
    assert status["user"]["username"] == "system:serviceaccount:default:sa"
    await call("DELETE", f"{BASE}/serviceaccounts/sa")
    await server.run_gc()
    assert (await call("GET", f"{BASE}/secrets/s")).status == 404
    assert "error" in (await call("POST", REVIEWS, review(token))).body["status"]


async def test_a_key_survives_in_the_snapshot(server: ApiServer, call: Caller) -> None:
    """Tokens stay good on a server that was started from the state of another."""
    token = (await call("POST", f"{BASE}/serviceaccounts/default/token", request())).body["status"]["token"]
    options = ApiServerOptions(tls=False, clock=FakeClock(), snapshot=server.snapshot())
    async with await ApiServer.start(options) as other:
        assert (await Caller(other)("POST", REVIEWS, review(token))).body["status"]["authenticated"] is True
