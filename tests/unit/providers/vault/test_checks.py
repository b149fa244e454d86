"""Static checks of a Vault store."""

from __future__ import annotations

from typing import Any

import pytest

from providers import InvalidSpec, Registry
from providers.vault.checks import chosen_method, uses_consumer_namespace
from providers.vault.spec import VaultSpec

FOREIGN = "namespace should either be empty or match the namespace of the SecretStore for a namespaced SecretStore"


def spec(**vault: Any) -> VaultSpec:
    return VaultSpec.model_validate({"server": "http://v", **vault})


def ref(namespace: str | None = None) -> dict[str, Any]:
    return {"name": "n", "key": "k"} | ({} if namespace is None else {"namespace": namespace})


def account(namespace: str | None = None) -> dict[str, Any]:
    return {"name": "n"} | ({} if namespace is None else {"namespace": namespace})


# Each method with one selector, as a function of that selector's namespace, and the title of its message.
SELECTORS: list[tuple[str, Any]] = [
    ("Auth.TokenSecretRef", lambda ns: {"tokenSecretRef": ref(ns)}),
    ("Auth.AppRole.SecretRef", lambda ns: {"appRole": {"path": "p", "roleId": "r", "secretRef": ref(ns)}}),
    ("Auth.Kubernetes.SecretRef", lambda ns: {"kubernetes": {"mountPath": "p", "role": "r", "secretRef": ref(ns)}}),
    (
        "Auth.Kubernetes.ServiceAccountRef",
        lambda ns: {"kubernetes": {"mountPath": "p", "role": "r", "serviceAccountRef": account(ns)}},
    ),
    ("Auth.Ldap.SecretRef", lambda ns: {"ldap": {"path": "p", "username": "u", "secretRef": ref(ns)}}),
    ("Auth.UserPass.SecretRef", lambda ns: {"userPass": {"path": "p", "username": "u", "secretRef": ref(ns)}}),
    ("Auth.Jwt.SecretRef", lambda ns: {"jwt": {"path": "p", "secretRef": ref(ns)}}),
    (
        "Auth.Jwt.KubernetesServiceAccountToken.ServiceAccountRef",
        lambda ns: {"jwt": {"path": "p", "kubernetesServiceAccountToken": {"serviceAccountRef": account(ns)}}},
    ),
    ("Auth.Cert.SecretRef", lambda ns: {"cert": {"clientCert": ref("x"), "secretRef": ref(ns)}}),
    ("Auth.TokenSecretRef", lambda ns: {"iam": {"vaultRole": "r", "jwt": {"serviceAccountRef": account(ns)}}}),
    ("Auth.TokenSecretRef", lambda ns: {"iam": {"vaultRole": "r", "secretRef": {"accessKeyIDSecretRef": ref(ns)}}}),
]


@pytest.mark.parametrize(("title", "auth"), SELECTORS)
def test_a_selector_without_namespace_points_to_the_consumer(title: str, auth: Any) -> None:
    """Each consumer brings its own credentials then, and needs a client of its own."""
    assert uses_consumer_namespace(spec(auth=auth(None)))
    assert not uses_consumer_namespace(spec(auth=auth("x")))


def test_role_ids_and_certificates_of_consumers_count_too() -> None:
    """They are read in the consumer's namespace, so clients are not shared."""
    role = {"appRole": {"path": "p", "roleRef": ref(), "secretRef": ref("x")}}
    certificate = {"cert": {"clientCert": ref(), "secretRef": ref("x")}}
    tls = {"certSecretRef": ref(), "keySecretRef": ref("x")}
    for given in (spec(auth=role), spec(auth=certificate), spec(auth={"tokenSecretRef": ref("x")}, tls=tls)):
        assert uses_consumer_namespace(given)


def test_only_the_method_in_use_counts() -> None:
    """The first of the documented order."""
    both = spec(auth={"userPass": {"path": "p", "username": "u", "secretRef": ref()}, "tokenSecretRef": ref("x")})
    assert chosen_method(both.auth) == "token_secret_ref"
    assert not uses_consumer_namespace(both)
    assert chosen_method(None) == ""
    assert not uses_consumer_namespace(spec())


def check(store: Any, **vault: Any) -> None:
    registry = Registry(plugins=())
    provider, parsed = registry.for_store(store)
    assert provider.validate_spec(parsed, store) == []


def store_with(store_of: Any, kind: str = "SecretStore", **vault: Any) -> Any:
    return store_of(kind=kind, namespace="ns", provider={"vault": {"server": "http://v", **vault}})


@pytest.mark.parametrize(("title", "auth"), SELECTORS)
def test_a_namespaced_store_may_only_name_its_own_namespace(store_of: Any, title: str, auth: Any) -> None:
    """A cluster store may name any."""
    others = auth("other")
    if "cert" in others:
        others["cert"]["clientCert"] = ref("ns")
    with pytest.raises(InvalidSpec) as caught:
        check(store_with(store_of, auth=others))
    assert str(caught.value) == f"invalid {title}: {FOREIGN}"
    mine = auth("ns")
    if "cert" in mine:
        mine["cert"]["clientCert"] = ref("ns")
    check(store_with(store_of, auth=mine))
    check(store_with(store_of, kind="ClusterSecretStore", auth=auth("other")))
    check(store_with(store_of, kind="ClusterSecretStore", auth=auth(None)))


@pytest.mark.parametrize(
    ("vault", "text"),
    [
        (
            {"auth": {"appRole": {"path": "p", "roleRef": ref("x"), "secretRef": ref()}}},
            f"invalid Auth.AppRole.RoleRef: {FOREIGN}",
        ),
        (
            {"auth": {"appRole": {"path": "p", "secretRef": ref()}}},
            "invalid Auth.AppRole: neither `roleId` nor `roleRef` was supplied",
        ),
        (
            {"auth": {"jwt": {"path": "p"}}},
            "neither `secretRef` nor `kubernetesServiceAccountToken` was supplied as token source for jwt authentication",
        ),
        (
            {"tls": {"certSecretRef": ref()}},
            "when provided, both ClientTLS.ClientCert and ClientTLS.SecretRef should be provided",
        ),
        ({"tls": {"certSecretRef": ref("x"), "keySecretRef": ref()}}, f"invalid ClientTLS.ClientCert: {FOREIGN}"),
        ({"tls": {"certSecretRef": ref(), "keySecretRef": ref("x")}}, f"invalid ClientTLS.SecretRef: {FOREIGN}"),
        (
            {"caProvider": {"type": "Secret", "name": "n", "key": "k", "namespace": "ns"}},
            "CAProvider.namespace must be empty with SecretStore",
        ),
        ({"checkAndSet": {"required": True}, "version": "v1"}, "checkAndSet is not supported with Vault KV version v1"),
    ],
)
def test_what_cannot_work_is_refused(store_of: Any, vault: dict[str, Any], text: str) -> None:
    """With the texts of the original."""
    with pytest.raises(InvalidSpec) as caught:
        check(store_with(store_of, **vault))
    assert str(caught.value) == text


def test_a_bad_retry_interval_is_told_when_the_store_is_opened() -> None:
    """It names the field."""
    from providers.interface import RetrySettings
    from providers.vault import _retry_policy

    with pytest.raises(InvalidSpec, match=r"^spec\.retrySettings\.retryInterval: time: "):
        _retry_policy(RetrySettings(3, "soon"))
    assert (_retry_policy(RetrySettings(3, "1500ms")).retries, _retry_policy(RetrySettings(None, "2s")).retries) == (
        3,
        0,
    )
    assert _retry_policy(RetrySettings(3, "1500ms")).interval == 1.5
    assert (_retry_policy(None).retries, _retry_policy(None).interval) == (2, None)
