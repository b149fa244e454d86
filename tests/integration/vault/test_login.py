"""Logging in, and the life of the token, on a real OpenBao server."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from eso_core.aio import SystemClock, TaskScope
from eso_core.testing.clock import FakeClock
from providers import (
    ClientPool,
    ErrorKind,
    InvalidSpec,
    NotSupported,
    PoolOptions,
    ProviderError,
    Registry,
    RemoteRef,
    Unavailable,
    ValidationState,
)
from tests.integration.openbao import BaoServer


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BaoServer]:
    """A server whose tokens nobody else touches."""
    server = BaoServer.start(tmp_path_factory.mktemp("own"))
    try:
        server.seed()
        yield server
    finally:
        server.stop()


def app_role(role: str = "cf", mount: str = "cf-approle", **more: Any) -> dict[str, Any]:
    """The auth section for one of the seeded roles; its secret id is in Secret ``approle``."""
    return {
        "appRole": {"path": mount, "roleId": f"{role}-role-id", "secretRef": {"name": "approle", "key": role}},
        **more,
    }


@pytest.fixture(autouse=True)
def credentials(cluster: Any) -> None:
    cluster.put(
        "Secret", "ns", "approle", cf="cf-secret-id", short="short-secret-id", batch="batch-secret-id", wrong="nonsense"
    )
    cluster.put("Secret", "ns", "password", p="open-sesame", wrong="nonsense")


async def read(pool: Any, store: Any, key: str = "cf/app/db", prop: str = "user", namespace: str = "ns") -> bytes:
    async with pool.client(store, namespace) as client:
        value: bytes = await client.get_secret(RemoteRef(key, prop))
        return value


async def test_app_role(pool: Any, vault_store: Any, calls: Any, cluster: Any) -> None:
    """With the role id in the store, or in a Secret."""
    assert await read(pool, vault_store(auth=app_role())) == b"ines"
    assert calls.seen[("HashiCorp/Vault", "Login", "success")] == 1
    cluster.put("Secret", "ns", "role", id="cf-role-id")
    auth = {
        "appRole": {
            "path": "cf-approle",
            "roleRef": {"name": "role", "key": "id"},
            "secretRef": {"name": "approle", "key": "cf"},
        }
    }
    assert await read(pool, vault_store("by-ref", auth=auth)) == b"ines"


async def test_user_and_password(pool: Any, vault_store: Any) -> None:
    """The user name is trimmed."""
    auth = {"userPass": {"path": "cf-userpass", "username": " ines ", "secretRef": {"name": "password", "key": "p"}}}
    assert await read(pool, vault_store(auth=auth)) == b"ines"


@pytest.mark.parametrize(
    ("auth", "text"),
    [
        (
            {
                "appRole": {
                    "path": "cf-approle",
                    "roleId": "cf-role-id",
                    "secretRef": {"name": "approle", "key": "wrong"},
                }
            },
            "logging in to Vault with AppRole: PUT ",
        ),
        (
            {
                "userPass": {
                    "path": "cf-userpass",
                    "username": "ines",
                    "secretRef": {"name": "password", "key": "wrong"},
                }
            },
            "logging in to Vault with userpass: PUT ",
        ),
        (app_role(mount="nowhere"), "logging in to Vault with AppRole: PUT "),
    ],
)
async def test_wrong_credentials_are_told_without_quoting_them(
    pool: Any, vault_store: Any, auth: dict[str, Any], text: str
) -> None:
    """What was tried, what the server said, what to check; not worth a quick retry."""
    with pytest.raises(ProviderError) as caught:
        await read(pool, vault_store(auth=auth))
    message = str(caught.value)
    assert message.startswith(text)
    assert message.endswith("check the credentials and the mount path")
    assert "nonsense" not in message
    assert "\n" not in message
    assert caught.value.kind is ErrorKind.CREDENTIALS
    assert not caught.value.retryable


async def test_a_wrong_token_is_told_by_validation_and_by_reads(pool: Any, vault_store: Any, cluster: Any) -> None:
    """A token is used as it is, so opening the store does not ask the server."""
    cluster.put("Secret", "ns", "bao-token", token="nonsense")
    async with pool.client(vault_store(), "ns") as client:
        with pytest.raises(
            ProviderError, match=r"^invalid vault credentials: GET .*403: .*permission denied"
        ) as caught:
            await client.validate()
        assert caught.value.kind is ErrorKind.CREDENTIALS
        with pytest.raises(ProviderError, match=r"^cannot read secret data from Vault: GET .*403: .*permission denied"):
            await client.get_secret(RemoteRef("cf/app/db"))
    cluster.put("Secret", "ns", "bao-token", token="root\n")
    with pytest.raises(ProviderError, match=r"^reading the Vault token: .* contains a line break: remove it"):
        await read(pool, vault_store("newline"))


async def test_a_new_token_in_the_secret_is_noticed_even_without_a_watch(
    pool: Any, vault_store: Any, cluster: Any
) -> None:
    """A refused token is read again before the request fails."""
    async with pool.client(vault_store(), "ns") as client:
        assert await client.get_secret(RemoteRef("cf/app/db", "user")) == b"ines"
    cluster.put("Secret", "ns", "bao-token", token="nonsense")
    pool.source_changed("Secret", "ns", "bao-token", "99")
    async with pool.client(vault_store(), "ns") as client:
        cluster.put("Secret", "ns", "bao-token", token="root")
        assert await client.get_secret(RemoteRef("cf/app/db", "user")) == b"ines"


async def test_a_missing_token_secret_is_named(pool: Any, vault_store: Any) -> None:
    """With the text of the original."""
    store = vault_store(auth={"tokenSecretRef": {"name": "nobody", "key": "token"}})
    with pytest.raises(ProviderError) as caught:
        await read(pool, store)
    assert str(caught.value) == (
        'cannot get Kubernetes secret "nobody" from namespace "ns": secrets "nobody" not found'
    )
    assert caught.value.kind is ErrorKind.REFERENCE


async def test_validation_looks_the_token_up(pool: Any, vault_store: Any, calls: Any) -> None:
    """Ready when the server knows it; also for a token that was logged in for."""
    for store in (vault_store(), vault_store("role", auth=app_role())):
        async with pool.client(store, "ns") as client:
            assert (await client.validate()).state is ValidationState.READY
    assert calls.seen[("HashiCorp/Vault", "LookupSelf", "success")] == 2


async def test_a_store_without_auth_sends_no_token(pool: Any, vault_store: Any) -> None:
    """Its validation fails unless the server lets anybody in."""
    async with pool.client(vault_store(auth=None), "ns") as client:
        with pytest.raises(ProviderError, match=r"^invalid vault credentials: "):
            await client.validate()


@pytest.mark.parametrize(
    ("auth", "kind", "text"),
    [
        ({}, InvalidSpec, "^cannot initialize Vault client: no valid auth method specified$"),
        ({"iam": {"vaultRole": "r"}}, NotSupported, r"spec\.provider\.vault\.auth\.iam needs the AWS backend"),
        ({"gcp": {"role": "r"}}, NotSupported, r"spec\.provider\.vault\.auth\.gcp needs the Google Cloud backend"),
        (
            {"appRole": {"path": "cf-approle", "secretRef": {"name": "approle", "key": "cf"}}},
            InvalidSpec,
            "^invalid Auth.AppRole: neither `roleId` nor `roleRef` was supplied$",
        ),
        (
            {"jwt": {"path": "jwt"}},
            InvalidSpec,
            "^neither `secretRef` nor `kubernetesServiceAccountToken` was supplied",
        ),
        ({"userPass": {"path": "p", "username": "u"}}, InvalidSpec, "secretRef is missing"),
        ({"cert": {}}, InvalidSpec, "both clientCert and secretRef are required"),
    ],
)
async def test_an_empty_or_unknown_method_is_explained(
    pool: Any, vault_store: Any, auth: dict[str, Any], kind: type[ProviderError], text: str
) -> None:
    """No crash, no request, and the field by name."""
    with pytest.raises(kind, match=text):
        await read(pool, vault_store(auth=auth))


async def test_many_users_share_one_login_and_it_is_revoked_at_the_end(
    own_server: BaoServer, cluster: Any, calls: Any, vault_store: Any
) -> None:
    """A hundred reads, one login, one token on the server while it is open and none after."""
    before = own_server.accessors()
    store = vault_store(server=own_server.url, auth=app_role())
    async with ClientPool(Registry(plugins=()), cluster, SystemClock(), calls=calls) as pool:
        async with TaskScope("test") as scope:
            for number in range(100):
                scope.spawn(read(pool, store), name=f"reader {number}")
        assert len(own_server.accessors() - before) == 1
    assert own_server.accessors() == before
    assert calls.total("Login") == 1
    assert calls.total("RevokeSelf") == 1


async def test_a_revoked_token_is_replaced_before_the_read_fails(
    own_server: BaoServer, pool: Any, calls: Any, vault_store: Any
) -> None:
    """The server forgets the token; the readers do not notice."""
    before = own_server.accessors()
    store = vault_store(server=own_server.url, auth=app_role())
    assert await read(pool, store) == b"ines"
    for accessor in own_server.accessors() - before:
        own_server.call("PUT", "auth/token/revoke-accessor", {"accessor": accessor})
    async with TaskScope("test") as scope:
        reads = [scope.spawn(read(pool, store), name="reader") for _ in range(10)]
    assert {task.result() for task in reads} == {b"ines"}
    assert calls.total("Login") == 2


async def test_what_the_policies_forbid_does_not_cause_new_logins(pool: Any, calls: Any, vault_store: Any) -> None:
    """The token is still good, so another one would be refused the same."""
    for _ in range(3):
        with pytest.raises(ProviderError, match="permission denied"):
            await read(pool, vault_store(auth=app_role()), "cf/tagged/one")
    assert calls.total("Login") == 1


async def test_a_token_is_renewed_and_replaced_when_its_maximum_is_reached(
    own_server: BaoServer, cluster: Any, calls: Any, vault_store: Any
) -> None:
    """Thirty seconds, renewable to sixty: renewed at two thirds, a new login before the end. Nothing runs when unused."""
    clock = FakeClock()
    store = vault_store(server=own_server.url, auth=app_role("short"))
    async with ClientPool(
        Registry(plugins=()), cluster, clock, calls=calls, pool=PoolOptions(idle_close=1e9, close_timeout=30)
    ) as pool:
        assert await read(pool, store) == b"ines"
        await clock.advance(19)
        assert await read(pool, store) == b"ines"
        assert calls.total("RenewSelf") == 0
        await clock.advance(2)
        assert await read(pool, store) == b"ines"
        assert (calls.total("Login"), calls.total("RenewSelf")) == (1, 1)
        await clock.advance(300)
        assert await read(pool, store) == b"ines"
        assert calls.total("Login") == 2


async def test_batch_tokens_are_neither_renewed_nor_revoked(pool: Any, calls: Any, vault_store: Any) -> None:
    """Vault cannot do either."""
    assert await read(pool, vault_store(auth=app_role("batch"))) == b"ines"
    await pool.aclose()
    assert calls.total("RevokeSelf") == 0


async def test_a_cluster_store_takes_each_consumers_own_credentials(
    pool: Any, vault_store: Any, cluster: Any, calls: Any
) -> None:
    """Where the selector names no namespace; without a consumer there is nothing to validate."""
    cluster.put("Secret", "other", "bao-token", token="nonsense")
    store = vault_store(kind="ClusterSecretStore")
    assert await read(pool, store) == b"ines"
    with pytest.raises(ProviderError, match="permission denied"):
        await read(pool, store, namespace="other")
    async with pool.client(store, "") as client:
        validation = await client.validate()
    assert (validation.state, validation.error) == (ValidationState.UNKNOWN, None)
    assert calls.total("LookupSelf") == 0


async def test_a_cluster_store_whose_role_id_comes_with_the_consumer_is_ready_too(
    pool: Any, vault_store: Any, cluster: Any
) -> None:
    """As is one whose client certificate does; a method that is not there is told nevertheless."""
    cluster.put("Secret", "consumer", "role", id="cf-role-id")
    auth = {
        "appRole": {
            "path": "cf-approle",
            "roleRef": {"name": "role", "key": "id"},
            "secretRef": {"name": "approle", "key": "cf", "namespace": "ns"},
        }
    }
    store = vault_store(kind="ClusterSecretStore", auth=auth)
    async with pool.client(store, "") as client:
        assert (await client.validate()).state is ValidationState.UNKNOWN
    assert await read(pool, store, namespace="consumer") == b"ines"
    tls = {"certSecretRef": {"name": "client"}, "keySecretRef": {"name": "client"}}
    token = {"tokenSecretRef": {"name": "bao-token", "key": "token", "namespace": "ns"}}
    with_certificate = vault_store("tls", kind="ClusterSecretStore", auth=token, tls=tls)
    async with pool.client(with_certificate, "") as client:
        assert (await client.validate()).state is ValidationState.UNKNOWN
    iam = {"iam": {"vaultRole": "r", "jwt": {"serviceAccountRef": {"name": "sa"}}}}
    with pytest.raises(NotSupported):
        await read(pool, vault_store("iam", kind="ClusterSecretStore", auth=iam), namespace="")


async def test_a_cluster_store_with_its_own_credentials_logs_in_once_for_all(
    pool: Any, vault_store: Any, cluster: Any, calls: Any
) -> None:
    """The selector names the namespace."""
    auth = {
        "appRole": {
            "path": "cf-approle",
            "roleId": "cf-role-id",
            "secretRef": {"name": "approle", "key": "cf", "namespace": "ns"},
        }
    }
    store = vault_store(kind="ClusterSecretStore", auth=auth)
    for namespace in ("one", "two", ""):
        assert await read(pool, store, namespace=namespace) == b"ines"
    assert calls.total("Login") == 1


def _jwt(key: rsa.RSAPrivateKey, claims: dict[str, Any]) -> str:
    def part(raw: bytes) -> str:
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    head = part(json.dumps({"alg": "RS256", "typ": "JWT"}).encode()) + "." + part(json.dumps(claims).encode())
    return head + "." + part(key.sign(head.encode(), padding.PKCS1v15(), SHA256()))


async def test_jwt_from_a_secret_or_a_service_account(
    own_server: BaoServer, pool: Any, vault_store: Any, cluster: Any
) -> None:
    """Audience ``vault`` unless the field says otherwise, even by being empty."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    own_server.call("PUT", "sys/auth/jwt", {"type": "jwt"})
    own_server.call("PUT", "auth/jwt/config", {"jwt_validation_pubkeys": [public.decode()]})
    own_server.call(
        "PUT",
        "auth/jwt/role/reader",
        {"role_type": "jwt", "bound_audiences": ["vault"], "user_claim": "sub", "token_policies": ["cf-read"]},
    )
    token = _jwt(key, {"sub": "me", "aud": "vault", "iat": 1_700_000_000, "exp": 4_000_000_000})
    cluster.put("Secret", "ns", "jwt", token=token)
    by_secret = {"jwt": {"path": "jwt", "role": "reader", "secretRef": {"name": "jwt", "key": "token"}}}
    assert await read(pool, vault_store("by-secret", server=own_server.url, auth=by_secret)) == b"ines"
    cluster.jwt = token
    for audiences, asked in ((None, ["mine", "vault"]), ([], ["mine"]), (["a"], ["mine", "a"])):
        source: dict[str, Any] = {"serviceAccountRef": {"name": "sa", "audiences": ["mine"]}}
        if audiences is not None:
            source["audiences"] = audiences
        auth = {"jwt": {"path": "jwt", "role": " reader ", "kubernetesServiceAccountToken": source}}
        store = vault_store(f"by-account-{asked}", server=own_server.url, auth=auth)
        assert await read(pool, store) == b"ines"
        assert cluster.token_requests[-1] == {"namespace": "ns", "name": "sa", "audiences": asked}


async def test_a_certificate_logs_in(own_server: BaoServer, pool: Any, vault_store: Any, cluster: Any) -> None:
    """The certificate is shown on the connection, and the CA of the server is the store's."""
    own_server.call("PUT", "sys/auth/cert", {"type": "cert"})
    own_server.call(
        "PUT", "auth/cert/certs/client", {"certificate": own_server.ca.decode(), "token_policies": ["cf-read"]}
    )
    cluster.put(
        "Secret", "ns", "client", **{"tls.crt": own_server.client_certificate, "tls.key": own_server.client_key}
    )
    store = vault_store(
        server=own_server.mtls_url,
        caBundle=base64.b64encode(own_server.ca).decode(),
        auth={"cert": {"clientCert": {"name": "client"}, "secretRef": {"name": "client"}}},
    )
    assert await read(pool, store) == b"ines"


async def test_a_kubernetes_login_sends_the_token_of_the_service_account(
    pool: Any, vault_store: Any, cluster: Any
) -> None:
    """There is no such method on the test server, so the answer is its refusal; the request is what counts."""
    cluster.jwt = "service-account-token"
    auth = {"kubernetes": {"mountPath": "k8s", "role": "r", "serviceAccountRef": {"name": "sa"}}}
    with pytest.raises(ProviderError, match=r"^logging in to Vault with Kubernetes: PUT .*/v1/auth/k8s/login: 403: "):
        await read(pool, vault_store(auth=auth))
    assert cluster.token_requests == [{"namespace": "ns", "name": "sa", "audiences": []}]


async def test_the_operators_own_token_is_the_last_resort(pool: Any, vault_store: Any) -> None:
    """Outside a pod there is none, and the message says what to set."""
    with pytest.raises(
        ProviderError, match=r"^cannot read Kubernetes service account token from file system: "
    ) as caught:
        await read(pool, vault_store(auth={"kubernetes": {"mountPath": "k8s", "role": "r"}}))
    assert "set serviceAccountRef or secretRef" in str(caught.value)


async def test_a_sealed_server_is_told_and_recovers(tmp_path: Path, cluster: Any, vault_store: Any, calls: Any) -> None:
    """One clear line while it is sealed; worth a retry."""
    server = BaoServer.start(tmp_path)
    try:
        server.call("PUT", "sys/seal")
        store = vault_store(server=server.url)
        async with ClientPool(Registry(plugins=()), cluster, SystemClock(), calls=calls) as pool:
            async with pool.client(store, "ns") as client:
                with pytest.raises(ProviderError) as caught:
                    await client.validate()
            assert str(caught.value) == (
                f"invalid vault credentials: GET {server.url}/v1/auth/token/lookup-self: 503: Vault is sealed: "
                f"unseal the Vault at {server.url}"
            )
            assert caught.value.retryable
            with pytest.raises(ProviderError, match="Vault is sealed") as at_login:
                await read(pool, vault_store("role", server=server.url, auth=app_role()))
            assert at_login.value.retryable
    finally:
        server.stop()


async def test_a_server_that_is_not_there(pool: Any, vault_store: Any) -> None:
    """Refused connection or unknown host: what was tried and what to check; worth a retry."""
    for server in ("http://127.0.0.1:9", "http://vault.invalid:8200"):
        async with pool.client(vault_store(server, server=server), "ns") as client:
            with pytest.raises(ProviderError) as caught:
                await client.validate()
        assert str(caught.value).startswith(f"invalid vault credentials: reaching Vault at {server}: ")
        assert str(caught.value).endswith("check spec.provider.vault.server and that the server is running")
        assert caught.value.retryable
    with pytest.raises(InvalidSpec, match=r'spec\.provider\.vault\.server: "vault:8200" is not an http or https URL'):
        await read(pool, vault_store("bad", server="vault:8200"))
    assert Unavailable("x").retryable


async def test_tls_needs_the_right_ca(openbao: BaoServer, pool: Any, vault_store: Any, cluster: Any) -> None:
    """The store's CA replaces the system's; the wrong one is told and not retried."""
    import trustme

    good = base64.b64encode(openbao.ca).decode()
    other = base64.b64encode(trustme.CA().cert_pem.bytes()).decode()
    assert await read(pool, vault_store("good", server=openbao.tls_url, caBundle=good)) == b"ines"
    cluster.put("ConfigMap", "ns", "ca", crt=openbao.ca)
    provider = {"type": "ConfigMap", "name": "ca", "key": "crt"}
    assert await read(pool, vault_store("config-map", server=openbao.tls_url, caProvider=provider)) == b"ines"
    for name, bundle in (("wrong", other), ("none", None)):
        with pytest.raises(ProviderError) as caught:
            await read(pool, vault_store(name, server=openbao.tls_url, caBundle=bundle))
        assert "the TLS handshake failed (certificate verify failed: " in str(caught.value)
        assert "check that caBundle or caProvider holds the CA" in str(caught.value)
        assert caught.value.kind is ErrorKind.SPEC
        assert not caught.value.retryable
    with pytest.raises(ProviderError, match="the TLS handshake failed"):
        await read(pool, vault_store("plain", server=openbao.url.replace("http:", "https:"), caBundle=good))


async def test_mutual_tls_without_certificate_login(
    openbao: BaoServer, pool: Any, vault_store: Any, cluster: Any
) -> None:
    """``tls`` shows a certificate whatever the login is; half of a pair is refused."""
    cluster.put("Secret", "ns", "client", **{"tls.crt": openbao.client_certificate, "tls.key": openbao.client_key})
    ca = base64.b64encode(openbao.ca).decode()
    both = {"certSecretRef": {"name": "client"}, "keySecretRef": {"name": "client"}}
    assert await read(pool, vault_store("both", server=openbao.mtls_url, caBundle=ca, tls=both)) == b"ines"
    with pytest.raises(ProviderError) as caught:
        await read(pool, vault_store("no", server=openbao.mtls_url, caBundle=ca))
    assert caught.value.kind in (ErrorKind.SPEC, ErrorKind.UNAVAILABLE)
    half = {"certSecretRef": {"name": "client"}}
    with pytest.raises(InvalidSpec, match="both ClientTLS.ClientCert and ClientTLS.SecretRef should be provided"):
        await read(pool, vault_store("half", server=openbao.mtls_url, caBundle=ca, tls=half))
    cluster.put("Secret", "ns", "mixed", **{"tls.crt": openbao.client_certificate, "tls.key": "no key"})
    mixed = {"certSecretRef": {"name": "mixed"}, "keySecretRef": {"name": "mixed"}}
    with pytest.raises(InvalidSpec, match=r'^error from Client TLS Auth: "'):
        await read(pool, vault_store("mixed", server=openbao.mtls_url, caBundle=ca, tls=mixed))
