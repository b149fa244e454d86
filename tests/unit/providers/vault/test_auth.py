"""What each way to log in sends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from providers import ProviderError, ProviderOptions, RemoteRef, Resolver
from providers.interface import StoreContext
from providers.vault import VaultProvider


@pytest.fixture(autouse=True)
def credentials(kube: Any) -> None:
    kube.put("Secret", "ns", "cred", password=" pass word ", token="jwt-of-a-secret\n", id=" role ", secret="s3cret")


async def log_in(
    vault: Any, kube: Any, store_of: Any, impatient: Any, calls: Any, auth: dict[str, Any], **options: Any
) -> Any:
    """Opens a store with this auth, reads, and returns the login request."""
    spec = {"server": vault.url, "path": "secret", "namespace": "team", "auth": auth}
    store = store_of(provider={"vault": spec})
    context = StoreContext(store, "ns", Resolver(kube, store, "ns"), impatient, calls, ProviderOptions(**options))
    provider = VaultProvider()
    client = await provider.open(provider.spec.model_validate(spec), context)
    try:
        assert await client.get_secret(RemoteRef("app", "k")) == b"v"
    finally:
        await client.aclose()
    login, read, revoke = vault.requests
    assert login.method == "PUT"
    assert "X-Vault-Token" not in login.headers
    assert read.headers["X-Vault-Token"] == revoke.headers["X-Vault-Token"] == "s.new"
    assert read.headers["X-Vault-Namespace"] == "team"
    assert revoke.path == "/v1/auth/token/revoke-self"
    return login


@pytest.mark.parametrize(
    ("auth", "path", "body", "call"),
    [
        (
            {"appRole": {"roleId": " role ", "secretRef": {"name": "cred", "key": "secret"}}},
            "approle/login",
            {"role_id": "role", "secret_id": "s3cret"},
            "Login",
        ),
        (
            {
                "appRole": {
                    "path": "my/role",
                    "roleRef": {"name": "cred", "key": "id"},
                    "secretRef": {"name": "cred", "key": "secret"},
                }
            },
            "my/role/login",
            {"role_id": "role", "secret_id": "s3cret"},
            "Login",
        ),
        (
            {"kubernetes": {"role": "r", "secretRef": {"name": "cred"}}},
            "kubernetes/login",
            {"jwt": "jwt-of-a-secret", "role": "r"},
            "Login",
        ),
        (
            {"kubernetes": {"mountPath": "k8s", "role": "r", "serviceAccountRef": {"name": "sa", "audiences": ["a"]}}},
            "k8s/login",
            {"jwt": "token-of-ns-sa", "role": "r"},
            "Login",
        ),
        (
            {"ldap": {"username": " ann ", "secretRef": {"name": "cred", "key": "password"}}},
            "ldap/login/ann",
            {"password": " pass word "},
            "Login",
        ),
        (
            {"userPass": {"path": "up", "username": "a/b c", "secretRef": {"name": "cred", "key": "password"}}},
            "up/login/a/b%20c",
            {"password": " pass word "},
            "Login",
        ),
        (
            {"jwt": {"role": " r ", "secretRef": {"name": "cred", "key": "token"}}},
            "jwt/login",
            {"jwt": "jwt-of-a-secret", "role": "r"},
            "WriteSecretData",
        ),
        (
            {"jwt": {"path": "oidc", "kubernetesServiceAccountToken": {"serviceAccountRef": {"name": "sa"}}}},
            "oidc/login",
            {"jwt": "token-of-ns-sa", "role": ""},
            "WriteSecretData",
        ),
    ],
)
async def test_requests(
    vault: Any,
    kube: Any,
    store_of: Any,
    impatient: Any,
    calls: Any,
    login_answer: Any,
    auth: dict[str, Any],
    path: str,
    body: dict[str, Any],
    call: str,
) -> None:
    """Path and body of each method, and the name it is counted under; the login's own namespace is only for it."""
    vault.script = [login_answer("s.new")]
    login = await log_in(vault, kube, store_of, impatient, calls, {**auth, "namespace": "login"})
    assert (login.path, login.body) == (f"/v1/auth/{path}", body)
    assert login.headers["X-Vault-Namespace"] == "login"
    assert vault.requests[2].headers["X-Vault-Namespace"] == "login"
    assert calls.seen[0] == ("HashiCorp/Vault", call, True)


async def test_the_lifetime_of_a_service_account_token(
    vault: Any, kube: Any, store_of: Any, impatient: Any, calls: Any, login_answer: Any
) -> None:
    """Ten minutes unless the store says otherwise."""
    for seconds, asked in ((None, 600), (3600, 3600)):
        vault.requests.clear()
        vault.script = [login_answer("s.new")]
        source = {"serviceAccountRef": {"name": "sa"}, "audiences": []}
        if seconds is not None:
            source["expirationSeconds"] = seconds
        await log_in(vault, kube, store_of, impatient, calls, {"jwt": {"kubernetesServiceAccountToken": source}})
        assert kube.tokens[-1] == {"namespace": "ns", "name": "sa", "audiences": [], "seconds": asked}


async def test_kubernetes_falls_back_to_the_token_kept_in_a_secret(
    vault: Any, kube: Any, store_of: Any, impatient: Any, calls: Any, login_answer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the cluster gives no tokens; when that fails too, both are told."""

    async def refuse(*args: Any, **kwargs: Any) -> str:
        raise RuntimeError("token requests are off")

    monkeypatch.setattr(kube, "create_token", refuse)
    auth = {"kubernetes": {"role": "r", "serviceAccountRef": {"name": "sa"}}}
    with pytest.raises(ProviderError) as caught:
        await log_in(vault, kube, store_of, impatient, calls, auth)
    assert str(caught.value) == (
        'cannot request Kubernetes service account token for service account "sa": '
        'cannot get Kubernetes service account "sa"'
    )
    kube.put("ServiceAccount", "ns", "sa", secrets=[{"name": "cred"}])
    vault.script = [login_answer("s.new")]
    login = await log_in(vault, kube, store_of, impatient, calls, auth)
    assert login.body == {"jwt": "jwt-of-a-secret\n", "role": "r"}


async def test_the_token_of_the_operators_pod(
    vault: Any, kube: Any, store_of: Any, impatient: Any, calls: Any, login_answer: Any, tmp_path: Path
) -> None:
    """Read anew at each login, as the kubelet replaces it."""
    (tmp_path / "token").write_text("jwt-of-the-pod\n")
    vault.script = [login_answer("s.new")]
    auth = {"kubernetes": {"role": "r"}}
    file = str(tmp_path / "token")
    login = await log_in(vault, kube, store_of, impatient, calls, auth, service_account_token_file=file)
    assert login.body == {"jwt": "jwt-of-the-pod", "role": "r"}


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (
            (404, {"errors": []}, {}),
            r"logging in to Vault with AppRole: nothing is mounted at auth/approle: check the mount",
        ),
        ((200, {"auth": None}, {}), r"logging in to Vault with AppRole: the answer holds no token"),
        ((204, "", {}), r"logging in to Vault with AppRole: nothing is mounted"),
    ],
)
async def test_a_login_without_token_is_explained(
    vault: Any, kube: Any, store_of: Any, impatient: Any, calls: Any, answer: Any, text: str
) -> None:
    """And nothing stays open."""
    vault.script = [answer]
    auth = {"appRole": {"roleId": "role", "secretRef": {"name": "cred", "key": "secret"}}}
    with pytest.raises(ProviderError, match=text):
        await log_in(vault, kube, store_of, impatient, calls, auth)


@pytest.mark.parametrize("field", ["role", "secret"])
async def test_empty_ids_are_refused_before_they_are_sent(
    vault: Any, kube: Any, store_of: Any, impatient: Any, calls: Any, field: str
) -> None:
    """The server would answer something less helpful."""
    kube.put("Secret", "ns", "cred", role="" if field == "role" else "r", secret="" if field == "secret" else "s")
    auth = {"appRole": {"roleRef": {"name": "cred", "key": "role"}, "secretRef": {"name": "cred", "key": "secret"}}}
    with pytest.raises(ProviderError, match=f"the {field} id is empty"):
        await log_in(vault, kube, store_of, impatient, calls, auth)
    assert vault.requests == []
