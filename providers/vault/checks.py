"""What can be said about a Vault store without asking anybody. Pure functions of its spec."""

from __future__ import annotations

from collections.abc import Iterator

import pydantic

from providers.errors import InvalidSpec
from providers.interface import Store
from providers.resolve import FOREIGN_NAMESPACE
from providers.vault.spec import VaultAuth, VaultSpec

__all__ = ["METHODS", "check", "chosen_method", "uses_consumer_namespace"]

METHODS = ("token_secret_ref", "app_role", "kubernetes", "ldap", "user_pass", "jwt", "cert", "iam", "gcp")
"""Ways to log in, as attributes of ``VaultAuth``, in order of preference when several are set."""


def chosen_method(auth: VaultAuth | None) -> str:
    """The attribute of the method in use; empty when there is none."""
    return next((name for name in METHODS if auth is not None and getattr(auth, name) is not None), "")


def uses_consumer_namespace(spec: VaultSpec) -> bool:
    """Whether a ClusterSecretStore reads anything in its consumers' namespaces.

    The original does not count role ids and certificates here; a store with such a reference then never becomes ready,
    as there is no namespace to read it from while the store is checked.
    """
    method = chosen_method(spec.auth)
    parts = [spec.tls, getattr(spec.auth, method) if method else None]
    return any(not selector.namespace for part in parts if part is not None for _, selector in _selectors(part))


class _Selector(pydantic.BaseModel):
    """What a selector of a Secret or a ServiceAccount looks like."""

    name: str | None = None
    namespace: str | None = None


def _selectors(model: pydantic.BaseModel, path: str = "") -> Iterator[tuple[str, _Selector]]:
    """All selectors in a part of the spec, with the path of their attributes."""
    fields = type(model).model_fields
    if "name" in fields and "namespace" in fields:
        yield path, _Selector(name=getattr(model, "name"), namespace=getattr(model, "namespace"))  # noqa: B009
        return
    for name in fields:
        value = getattr(model, name)
        if isinstance(value, pydantic.BaseModel):
            yield from _selectors(value, f"{path}.{name}" if path else name)


# How the original calls the selectors in its messages, by the path of the attributes below ``auth``.
_TITLES = {
    "token_secret_ref": "Auth.TokenSecretRef",
    "app_role.secret_ref": "Auth.AppRole.SecretRef",
    "app_role.role_ref": "Auth.AppRole.RoleRef",
    "kubernetes.service_account_ref": "Auth.Kubernetes.ServiceAccountRef",
    "kubernetes.secret_ref": "Auth.Kubernetes.SecretRef",
    "ldap.secret_ref": "Auth.Ldap.SecretRef",
    "user_pass.secret_ref": "Auth.UserPass.SecretRef",
    "jwt.secret_ref": "Auth.Jwt.SecretRef",
    "jwt.kubernetes_service_account_token.service_account_ref": (
        "Auth.Jwt.KubernetesServiceAccountToken.ServiceAccountRef"
    ),
    "cert.client_cert": "Auth.Cert.ClientCert",
    "cert.secret_ref": "Auth.Cert.SecretRef",
}


def check(spec: VaultSpec, store: Store) -> None:
    """The admission check.

    Raises:
        InvalidSpec: Naming the first field that cannot work.
    """
    auth = spec.auth
    if auth is not None:
        for path, selector in _selectors(auth):
            title = _TITLES.get(path) or ("Auth.TokenSecretRef" if path.startswith("iam.") else "")
            if title:
                _check_namespace(title, selector, store)
        if auth.app_role is not None and not auth.app_role.role_id and auth.app_role.role_ref is None:
            raise InvalidSpec("invalid Auth.AppRole: neither `roleId` nor `roleRef` was supplied")
        jwt = auth.jwt
        if jwt is not None and jwt.secret_ref is None and jwt.kubernetes_service_account_token is None:
            raise InvalidSpec(
                "neither `secretRef` nor `kubernetesServiceAccountToken` was supplied as token source for "
                "jwt authentication"
            )
    if spec.tls is not None:
        certificate, key = spec.tls.cert_secret_ref, spec.tls.key_secret_ref
        if (certificate is None) != (key is None):
            raise InvalidSpec("when provided, both ClientTLS.ClientCert and ClientTLS.SecretRef should be provided")
        for path, selector in _selectors(spec.tls):
            title = "ClientTLS.ClientCert" if path.startswith("cert") else "ClientTLS.SecretRef"
            _check_namespace(title, selector, store)
    if spec.ca_provider is not None and not store.is_cluster and spec.ca_provider.namespace:
        raise InvalidSpec("CAProvider.namespace must be empty with SecretStore")
    if spec.ca_provider is not None and store.is_cluster and not spec.ca_provider.namespace:
        raise InvalidSpec("CAProvider.namespace must not be empty with ClusterSecretStore")
    if spec.check_and_set is not None and spec.check_and_set.required and spec.version == "v1":
        raise InvalidSpec("checkAndSet is not supported with Vault KV version v1")


def _check_namespace(title: str, selector: _Selector, store: Store) -> None:
    if not store.is_cluster and selector.namespace and selector.namespace != store.namespace:
        raise InvalidSpec(f"invalid {title}: {FOREIGN_NAMESPACE}")
