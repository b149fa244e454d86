"""Credentials of stores and where they may come from."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import pytest
import trustme

from providers import InvalidSpec, ProviderError, Resolver
from providers.resolve import Source


@dataclass
class Selector:
    name: str | None = "cred"
    key: str | None = "key"
    namespace: str | None = None


@dataclass
class Account:
    name: str = "sa"
    namespace: str | None = None
    audiences: list[str] | None = None


@dataclass
class CA:
    type: str = "ConfigMap"
    name: str = "ca"
    key: str | None = "c"
    namespace: str | None = None


@pytest.fixture(scope="module")
def pem() -> bytes:
    return trustme.CA().cert_pem.bytes()


def resolver(kube: Any, store_of: Any, *, cluster: bool = False, namespace: str = "ns") -> Resolver:
    kind = "ClusterSecretStore" if cluster else "SecretStore"
    return Resolver(kube, store_of(kind=kind, namespace="ns"), namespace)


async def test_a_value_is_used_whole_and_its_version_is_remembered(kube: Any, store_of: Any) -> None:
    """Nothing is trimmed."""
    version = kube.put("Secret", "ns", "cred", key=" with blanks \n")
    reader = resolver(kube, store_of)
    assert await reader.secret_value(Selector()) == b" with blanks \n"
    assert reader.sources == {Source("Secret", "ns", "cred"): version}


@pytest.mark.parametrize(
    ("cluster", "consumer", "selected", "read"),
    [
        (False, "ns", None, "ns"),
        (False, "ns", "other", "ns"),
        (True, "consumer", None, "consumer"),
        (True, "consumer", "other", "other"),
    ],
)
async def test_only_a_cluster_store_may_name_a_namespace(
    kube: Any, store_of: Any, cluster: bool, consumer: str, selected: str | None, read: str
) -> None:
    """A namespaced store reads in its own namespace whatever its selector says."""
    for namespace in ("ns", "other", "consumer"):
        kube.put("Secret", namespace, "cred", key=f"of {namespace}")
    reader = resolver(kube, store_of, cluster=cluster, namespace=consumer)
    assert await reader.secret_value(Selector(namespace=selected)) == f"of {read}".encode()
    assert kube.reads == [("Secret", read, "cred")]


async def test_what_is_missing_is_named(kube: Any, store_of: Any) -> None:
    """The Secret with its namespace, or the key; both are remembered as sources."""
    reader = resolver(kube, store_of)
    with pytest.raises(ProviderError) as caught:
        await reader.secret_value(Selector())
    assert str(caught.value) == 'cannot get Kubernetes secret "cred" from namespace "ns": secrets "cred" not found'
    assert not caught.value.retryable
    assert reader.sources == {Source("Secret", "ns", "cred"): ""}
    kube.put("Secret", "ns", "cred", other="x")
    with pytest.raises(ProviderError, match=r'^cannot find secret data for key: "key"$'):
        await reader.secret_value(Selector())
    with pytest.raises(ProviderError, match=r'^cannot find secret data for key: ""$'):
        await reader.secret_value(Selector(key=None))


async def test_a_failing_api_server_is_worth_a_retry(kube: Any, store_of: Any) -> None:
    """It is not the user's fault."""
    kube.failure = RuntimeError("etcd leader changed")
    with pytest.raises(ProviderError, match="etcd leader changed") as caught:
        await resolver(kube, store_of).secret_value(Selector())
    assert caught.value.retryable


async def test_a_ca_bundle_wins_and_may_be_encoded_once_or_twice(kube: Any, store_of: Any, pem: bytes) -> None:
    """PEM, base64 of it, base64 of that; the provider is not looked at then."""
    once = base64.b64encode(pem)
    reader = resolver(kube, store_of)
    for bundle in (pem, once, base64.b64encode(once), once.decode()):
        assert await reader.ca_bundle(bundle, CA()) == pem
    assert kube.reads == []
    assert await reader.ca_bundle(None, None) is None


@pytest.mark.parametrize("bundle", [b"nonsense!", base64.b64encode(b"nonsense"), b"-----BEGIN CERTIFICATE-----\nAA\n"])
async def test_a_ca_bundle_that_is_no_certificate_is_refused(kube: Any, store_of: Any, bundle: bytes) -> None:
    """Before anybody connects."""
    with pytest.raises(InvalidSpec, match=r"^failed to decode ca bundle: "):
        await resolver(kube, store_of).ca_bundle(bundle, None)


async def test_a_ca_comes_from_a_secret_or_config_map(kube: Any, store_of: Any, pem: bytes) -> None:
    """Errors say which and why."""
    kube.put("ConfigMap", "ns", "ca", c=pem.decode())
    kube.put("Secret", "ns", "ca", c=pem)
    reader = resolver(kube, store_of)
    assert await reader.ca_bundle(None, CA()) == pem
    assert await reader.ca_bundle(None, CA(type="Secret")) == pem
    for provider, expected in (
        (CA(key="x"), "failed to get cert from configmap: failed to get caProvider configMap ca -> x"),
        (
            CA(name="no"),
            'failed to get cert from configmap: failed to get caProvider secret no: configmaps "no" not found',
        ),
        (CA(type="Secret", key="x"), 'failed to get cert from secret: cannot find secret data for key: "x"'),
        (CA(type="Vault"), "unsupported CA provider type: Vault"),
    ):
        with pytest.raises(ProviderError) as caught:
            await reader.ca_bundle(None, provider)
        assert str(caught.value) == expected


async def test_a_ca_of_another_namespace_is_only_for_cluster_stores(kube: Any, store_of: Any, pem: bytes) -> None:
    """A namespaced store is refused before anything is read."""
    kube.put("ConfigMap", "b", "ca", c=pem.decode())
    kube.put("ConfigMap", "ns", "ca", c=pem.decode())
    with pytest.raises(InvalidSpec) as caught:
        await resolver(kube, store_of).ca_bundle(None, CA(namespace="b"))
    assert str(caught.value) == (
        "namespace should either be empty or match the namespace of the SecretStore for a namespaced SecretStore"
    )
    assert kube.reads == []
    assert await resolver(kube, store_of).ca_bundle(None, CA(namespace="ns")) == pem
    assert await resolver(kube, store_of, cluster=True).ca_bundle(None, CA(namespace="b")) == pem
    with pytest.raises(InvalidSpec, match=r"^missing namespace on caProvider secret$"):
        await resolver(kube, store_of, cluster=True).ca_bundle(None, CA())


async def test_a_service_account_token_is_requested_in_the_right_namespace(kube: Any, store_of: Any) -> None:
    """The selector's audiences come before the backend's."""
    reader = resolver(kube, store_of, cluster=True, namespace="consumer")
    token = await reader.service_account_token(
        Account(namespace="b", audiences=["one"]), audiences=["two"], expiration_seconds=900
    )
    assert token == "token-of-b-sa"
    assert kube.tokens == [{"namespace": "b", "name": "sa", "audiences": ["one", "two"], "seconds": 900}]
    kube.failure = RuntimeError('serviceaccounts "sa" not found')
    with pytest.raises(ProviderError) as caught:
        await reader.service_account_token(Account())
    assert str(caught.value) == (
        'cannot request Kubernetes service account token for service account "sa": serviceaccounts "sa" not found'
    )


async def test_old_clusters_keep_the_token_in_a_secret(kube: Any, store_of: Any) -> None:
    """The first Secret of the account with a token wins."""
    reader = resolver(kube, store_of)
    with pytest.raises(ProviderError, match=r'^cannot get Kubernetes service account "sa"$'):
        await reader.legacy_service_account_token(Account())
    kube.put("ServiceAccount", "ns", "sa")
    with pytest.raises(ProviderError, match=r'^cannot find secrets bound to service account: "sa"$'):
        await reader.legacy_service_account_token(Account())
    kube.put("ServiceAccount", "ns", "sa", secrets=[{"name": "pull"}, {"name": "tok"}])
    kube.put("Secret", "ns", "pull", config="{}")
    kube.put("Secret", "ns", "tok", other="x")
    with pytest.raises(ProviderError, match=r'^cannot find token in secrets bound to service account: "sa"$'):
        await reader.legacy_service_account_token(Account())
    kube.put("Secret", "ns", "tok", token="jwt")
    assert await reader.legacy_service_account_token(Account()) == "jwt"
