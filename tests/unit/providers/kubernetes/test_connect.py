"""Whose credentials a store uses, and what it may not make the operator do."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from eso_core.testing.clock import FakeClock
from providers.errors import BrokenReference, InvalidSpec, ProviderError
from providers.interface import Store, StoreContext, ValidationState
from providers.kubernetes import KubernetesProvider
from providers.kubernetes.connect import connect
from providers.kubernetes.spec import KubernetesSpec
from providers.resolve import Resolver
from providers.testing import MemoryCluster

NS = "shop"
TOKEN = {"token": {"bearerToken": {"name": "cred", "key": "token"}}}
ACCOUNT = {"serviceAccount": {"name": "reader", "audiences": ["api"]}}


def context(kube: MemoryCluster, clock: FakeClock, *, kind: str = "SecretStore", namespace: str = NS) -> StoreContext:
    store = Store(kind, "s", NS if kind == "SecretStore" else "", uid="u", generation=1)
    return StoreContext(store, namespace, Resolver(kube, store, namespace), clock)


def spec(**fields: Any) -> KubernetesSpec:
    return KubernetesSpec.model_validate(fields)


@pytest.fixture
def kube() -> MemoryCluster:
    kube = MemoryCluster()
    kube.put("Secret", NS, "cred", token="t0ken")
    return kube


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "no auth provider given"),
        ({"auth": TOKEN, "authRef": {"name": "cred", "key": "config"}}, "authRef and inline auth cannot both be set"),
        (
            {"auth": TOKEN | ACCOUNT},
            "multiple auth methods provided: set exactly one of Token, ServiceAccount, or Cert",
        ),
        ({"auth": TOKEN, "server": {"url": ""}}, "no server URL provided"),
        (
            {"auth": {"token": {"bearerToken": {"name": "cred", "key": "absent"}}}},
            'could not fetch Auth.Token.BearerToken: cannot find secret data for key: "absent"',
        ),
        (
            {
                "auth": {
                    "cert": {
                        "clientCert": {"name": "cred", "key": "token"},
                        "clientKey": {"name": "cred", "key": "absent"},
                    }
                }
            },
            "could not fetch client key and cert: unable to fetch client key: ",
        ),
    ],
)
async def test_a_store_without_usable_credentials_says_which(
    kube: MemoryCluster, clock: FakeClock, fields: dict[str, Any], text: str
) -> None:
    """Before any request goes out."""
    with pytest.raises(ProviderError) as caught:
        await connect(spec(**fields), context(kube, clock))
    assert str(caught.value).startswith(f"failed to prepare auth: {text}")


@pytest.mark.parametrize(
    ("server", "url"),
    [
        (None, "http://kubernetes.default"),
        ({"url": "api.example.org:6443"}, "http://api.example.org:6443"),
        ({"url": "https://api.example.org"}, "https://api.example.org"),
    ],
)
async def test_a_url_without_scheme_is_completed(
    kube: MemoryCluster, clock: FakeClock, server: dict[str, str] | None, url: str
) -> None:
    """As the client library of the original does it."""
    async with await connect(spec(auth=TOKEN, server=server), context(kube, clock)) as client:
        assert client.config.server == url
        credential = await client.config.credentials.get(clock)
    assert credential.headers["Authorization"] == "Bearer t0ken"


async def test_service_account_tokens_are_renewed_before_they_expire(kube: MemoryCluster, clock: FakeClock) -> None:
    """At four fifths of their hour, and at once when one is refused; many requests at a time renew once."""
    async with await connect(spec(auth=ACCOUNT), context(kube, clock)) as client:
        source = client.config.credentials
        first = await source.get(clock)
        assert kube.tokens == [{"namespace": NS, "name": "reader", "audiences": ["api"], "seconds": 3600}]
        await clock.advance(2879)
        assert await source.get(clock) is first
        await clock.advance(2)
        second = await source.get(clock)
        assert second is not first
        assert len(kube.tokens) == 2
        assert await source.refresh(clock, first), "another request has renewed it"
        assert len(kube.tokens) == 2
        assert await source.refresh(clock, second)
        assert len(kube.tokens) == 3
        assert "token-of" not in repr(source)


async def test_a_refused_token_request_names_the_account(kube: MemoryCluster, clock: FakeClock) -> None:
    """A missing account, or no right to its tokens."""
    kube.failure = RuntimeError("forbidden")
    with pytest.raises(
        BrokenReference, match=r'^failed to prepare auth: could not fetch Auth\.ServiceAccount: .*"reader"'
    ):
        await connect(spec(auth=ACCOUNT), context(kube, clock))


@pytest.mark.parametrize(
    ("user", "cluster", "what"),
    [
        ({"exec": {"command": "sh"}}, {}, "users[].user.exec runs a program"),
        ({"tokenFile": "/etc/passwd"}, {}, "users[].user.tokenFile names a file"),
        ({"client-key": "/k"}, {}, "users[].user.client-key names a file"),
        ({}, {"certificate-authority": "/ca"}, "clusters[].cluster.certificate-authority names a file"),
    ],
)
async def test_a_kubeconfig_cannot_make_the_operator_run_programs_or_read_its_files(
    kube: MemoryCluster, clock: FakeClock, user: dict[str, Any], cluster: dict[str, str], what: str
) -> None:
    """Whoever may write a Secret could otherwise."""
    config = {
        "clusters": [{"name": "c", "cluster": {"server": "https://x", **cluster}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    kube.put("Secret", NS, "kc", config=yaml.safe_dump(config))
    with pytest.raises(InvalidSpec) as caught:
        await connect(spec(authRef={"name": "kc", "key": "config"}), context(kube, clock))
    assert what in str(caught.value)


async def test_a_kubeconfig_that_is_none_is_not_quoted(kube: MemoryCluster, clock: FakeClock) -> None:
    """It may be a password in the wrong key."""
    for text in ("pl4nted: [", "pl4nted"):
        kube.put("Secret", NS, "kc", config=text)
        with pytest.raises(InvalidSpec) as caught:
            await connect(spec(authRef={"name": "kc", "key": "config"}), context(kube, clock))
        assert "pl4nted" not in str(caught.value)
        assert caught.value.__cause__ is None or "pl4nted" not in str(caught.value.__cause__)


async def test_a_cluster_store_whose_credentials_come_with_the_consumer_cannot_be_checked(
    kube: MemoryCluster, clock: FakeClock
) -> None:
    """Unknown without an error; a consumer gets a client of its own."""
    provider = KubernetesProvider()
    referent = spec(auth=ACCOUNT)
    ctx = context(kube, clock, kind="ClusterSecretStore", namespace="")
    assert provider.per_namespace(referent, ctx.store)
    client = await provider.open(referent, ctx)
    assert (await client.validate()).state is ValidationState.UNKNOWN
    assert kube.tokens == []
    fixed = spec(auth={"serviceAccount": {"name": "reader", "namespace": "ops"}})
    assert not provider.per_namespace(fixed, ctx.store)


@pytest.mark.parametrize(
    ("kind", "fields", "text"),
    [
        ("ClusterSecretStore", {"auth": TOKEN}, "cluster scope requires namespace"),
        (
            "SecretStore",
            {"auth": {"serviceAccount": {"name": "r", "namespace": "other"}}},
            "namespace should either be empty or match the namespace of the SecretStore for a namespaced SecretStore",
        ),
        ("SecretStore", {"auth": {"token": {"bearerToken": {"key": "k"}}}}, "BearerToken.Name cannot be empty"),
        (
            "ClusterSecretStore",
            {"server": {"caProvider": {"type": "Secret", "name": "ca"}}},
            "CAProvider.namespace must not be empty with ClusterSecretStore",
        ),
    ],
)
def test_the_static_check_names_what_cannot_work(kind: str, fields: dict[str, Any], text: str) -> None:
    """Without asking anybody."""
    store = Store(kind, "s", NS if kind == "SecretStore" else "")
    with pytest.raises(InvalidSpec) as caught:
        KubernetesProvider().validate_spec(spec(**fields), store)
    assert str(caught.value) == text


def test_a_store_without_ca_is_warned_about() -> None:
    """The system's certificates rarely vouch for an API server."""
    store = Store("SecretStore", "s", NS)
    warning = "No caBundle or caProvider specified; TLS connections will use system certificate roots."
    assert KubernetesProvider().validate_spec(spec(auth=ACCOUNT), store) == [warning]
    assert KubernetesProvider().validate_spec(spec(authRef={"name": "kc", "key": "config"}), store) == []
