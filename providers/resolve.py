"""Credentials of stores: Secrets, CA bundles and ServiceAccount tokens out of the operator's own cluster.

The namespace rule is the same everywhere: the consumer's namespace, except that a ClusterSecretStore may name another
one. A SecretStore never leaves its namespace, whatever its selectors say.

A ``Resolver`` remembers what it read and at which resourceVersion, also what it did not find; the pool closes the
client, or gives a failed open another chance, when one of them changes.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from providers.errors import BrokenReference, InvalidSpec, ProviderError, find_cause
from providers.interface import JsonObject, Store

__all__ = ["CAProvider", "KubeReader", "Resolver", "SecretSelector", "ServiceAccountSelector", "Source", "check_pem"]

FOREIGN_NAMESPACE = (
    "namespace should either be empty or match the namespace of the SecretStore for a namespaced SecretStore"
)


class SecretSelector(Protocol):
    """One key of a Secret."""

    @property
    def name(self) -> str | None: ...
    @property
    def key(self) -> str | None: ...
    @property
    def namespace(self) -> str | None: ...


class ServiceAccountSelector(Protocol):
    """A ServiceAccount to ask a token for."""

    @property
    def name(self) -> str: ...
    @property
    def namespace(self) -> str | None: ...
    @property
    def audiences(self) -> Sequence[str] | None: ...


class CAProvider(Protocol):
    """Where a CA certificate is kept: ``type`` is ``Secret`` or ``ConfigMap``."""

    @property
    def type(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def key(self) -> str | None: ...
    @property
    def namespace(self) -> str | None: ...


class KubeReader(Protocol):
    """Reads of the operator's cluster; None means that the object does not exist, other failures raise."""

    async def get_secret(self, namespace: str, name: str) -> JsonObject | None: ...
    async def get_config_map(self, namespace: str, name: str) -> JsonObject | None: ...
    async def get_service_account(self, namespace: str, name: str) -> JsonObject | None: ...
    async def create_token(
        self, namespace: str, name: str, *, audiences: Sequence[str], expiration_seconds: int
    ) -> str: ...


class Source(NamedTuple):
    """An object that a client was opened with."""

    kind: str
    namespace: str
    name: str


class Resolver:
    """Resolves the references of one store for one consumer namespace.

    Args:
        kube: Reads of the cluster.
        store: Whose references.
        namespace: The consumer's namespace; empty while a ClusterSecretStore is validated.
    """

    __slots__ = ("_kube", "_namespace", "_store", "sources")

    def __init__(self, kube: KubeReader, store: Store, namespace: str) -> None:
        self._kube = kube
        self._store = store
        self._namespace = namespace
        self.sources: dict[Source, str] = {}
        """What was read, with its resourceVersion; empty when it was not there."""

    def namespace_for(self, namespace: str | None) -> str:
        """Where a selector with this ``namespace`` points."""
        if self._store.is_cluster and namespace:
            return namespace
        return self._namespace

    async def secret(self, selector: SecretSelector) -> JsonObject:
        """The whole Secret, for backends that use all its keys or look at its labels; the selector's key does not count.

        Raises:
            BrokenReference: It is not there, or cannot be read.
        """
        return await self._secret(self.namespace_for(selector.namespace), selector.name or "")

    async def secret_value(self, selector: SecretSelector, *, default_key: str = "") -> bytes:
        """The whole value of one key, nothing trimmed.

        Raises:
            BrokenReference: The Secret or the key is not there, or cannot be read.
        """
        name = selector.name or ""
        namespace = self.namespace_for(selector.namespace)
        secret = await self._secret(namespace, name)
        return _secret_key(secret, selector.key or default_key)

    async def secret_text(self, selector: SecretSelector, *, default_key: str = "") -> str:
        """``secret_value`` as text.

        Raises:
            BrokenReference: As ``secret_value``, or the value is not UTF-8.
        """
        value = await self.secret_value(selector, default_key=default_key)
        try:
            return value.decode()
        except UnicodeDecodeError:
            key = selector.key or default_key
            raise BrokenReference(
                f'secret data for key "{key}" of Secret "{selector.name}" is not UTF-8 text'
            ) from None

    async def ca_bundle(self, bundle: str | bytes | None, provider: CAProvider | None) -> bytes | None:
        """The PEM text of a store's CA, or None when it has none of its own.

        Args:
            bundle: ``caBundle``: base64 as in the manifest, or bytes that are decoded already; wins over ``provider``.
            provider: ``caProvider``.

        Raises:
            BrokenReference: It cannot be read.
            InvalidSpec: It is not a certificate, or points where the store may not look.
        """
        if bundle:
            raw = bundle.encode() if isinstance(bundle, str) else bundle
            return check_pem(raw)
        if provider is None:
            return None
        if not self._store.is_cluster and provider.namespace and provider.namespace != self._store.namespace:
            raise InvalidSpec(FOREIGN_NAMESPACE)
        if self._store.is_cluster and not provider.namespace:
            raise InvalidSpec("missing namespace on caProvider secret")
        namespace = self.namespace_for(provider.namespace)
        key = provider.key or ""
        match provider.type:
            case "Secret":
                try:
                    return _secret_key(await self._secret(namespace, provider.name), key)
                except ProviderError as exc:
                    raise _wrap(f"failed to get cert from secret: {exc}", exc) from exc
            case "ConfigMap":
                return await self._config_map_key(namespace, provider.name, key)
            case other:
                raise InvalidSpec(f"unsupported CA provider type: {other}")

    async def service_account_token(
        self,
        selector: ServiceAccountSelector,
        *,
        audiences: Sequence[str] = (),
        expiration_seconds: int = 600,
    ) -> str:
        """A fresh token of a ServiceAccount, valid for ``expiration_seconds``.

        Args:
            selector: Whose token; its own audiences come first.
            audiences: Added to the selector's; none at all means the API server's default.
            expiration_seconds: At least 600, which is the API server's minimum.

        Raises:
            BrokenReference: The API server does not give one.
        """
        wanted = [*(selector.audiences or ()), *audiences]
        namespace = self.namespace_for(selector.namespace)
        try:
            return await self._kube.create_token(
                namespace, selector.name, audiences=wanted, expiration_seconds=expiration_seconds
            )
        except Exception as exc:
            self.sources.setdefault(Source("ServiceAccount", namespace, selector.name), "")
            raise _wrap(
                f'cannot request Kubernetes service account token for service account "{selector.name}": {exc}', exc
            ) from exc

    async def legacy_service_account_token(self, selector: ServiceAccountSelector) -> str:
        """The token kept in a Secret of the ServiceAccount, as clusters before 1.24 made them.

        Raises:
            BrokenReference: The ServiceAccount has no such Secret.
        """
        namespace = self.namespace_for(selector.namespace)
        try:
            account = await self._kube.get_service_account(namespace, selector.name)
        except Exception as exc:
            raise _wrap(f'cannot get Kubernetes service account "{selector.name}": {exc}', exc) from exc
        if account is None:
            self.sources[Source("ServiceAccount", namespace, selector.name)] = ""
            raise BrokenReference(f'cannot get Kubernetes service account "{selector.name}"')
        self._saw("ServiceAccount", account, namespace, selector.name)
        names = [ref.get("name", "") for ref in account.get("secrets") or ()]
        if not names:
            raise BrokenReference(f'cannot find secrets bound to service account: "{selector.name}"')
        for name in names:
            secret = await self._secret(namespace, name)
            if "token" in (secret.get("data") or {}):
                return _secret_key(secret, "token").decode()
        raise BrokenReference(f'cannot find token in secrets bound to service account: "{selector.name}"')

    async def _secret(self, namespace: str, name: str) -> JsonObject:
        prefix = f'cannot get Kubernetes secret "{name}" from namespace "{namespace}"'
        if not name:
            raise BrokenReference(f"{prefix}: the reference has no name")
        if not namespace:
            raise BrokenReference(f"{prefix}: a ClusterSecretStore has to name the namespace of this reference")
        try:
            secret = await self._kube.get_secret(namespace, name)
        except Exception as exc:
            raise _wrap(f"{prefix}: {exc}", exc) from exc
        if secret is None:
            self.sources[Source("Secret", namespace, name)] = ""
            raise BrokenReference(f'{prefix}: secrets "{name}" not found')
        self._saw("Secret", secret, namespace, name)
        return secret

    async def _config_map_key(self, namespace: str, name: str, key: str) -> bytes:
        prefix = "failed to get cert from configmap"
        try:
            found = await self._kube.get_config_map(namespace, name)
        except Exception as exc:
            raise _wrap(f"{prefix}: failed to get caProvider secret {name}: {exc}", exc) from exc
        if found is None:
            self.sources[Source("ConfigMap", namespace, name)] = ""
            raise BrokenReference(f'{prefix}: failed to get caProvider secret {name}: configmaps "{name}" not found')
        self._saw("ConfigMap", found, namespace, name)
        text = (found.get("data") or {}).get(key)
        if text is None:
            raise BrokenReference(f"{prefix}: failed to get caProvider configMap {name} -> {key}")
        return str(text).encode()

    def _saw(self, kind: str, obj: JsonObject, namespace: str, name: str) -> None:
        meta: Mapping[str, object] = obj.get("metadata") or {}
        self.sources[Source(kind, namespace, name)] = str(meta.get("resourceVersion") or "")

    def __repr__(self) -> str:
        return f"Resolver({self._store.identity}, namespace={self._namespace!r}, sources={len(self.sources)})"


def _secret_key(secret: JsonObject, key: str) -> bytes:
    encoded = (secret.get("data") or {}).get(key)
    if encoded is None:
        raise BrokenReference(f'cannot find secret data for key: "{key}"')
    try:
        return base64.b64decode(encoded)
    except (binascii.Error, ValueError):
        raise BrokenReference(f'secret data for key "{key}" is not base64') from None


def _wrap(message: str, exc: BaseException) -> BrokenReference:
    """What nobody classified came from the API server and may heal by itself."""
    known = find_cause(exc, ProviderError)
    return BrokenReference(message, retryable=True if known is None else known.retryable)


def check_pem(raw: bytes) -> bytes:
    """PEM bytes out of a ``caBundle``, which may be base64 once or twice.

    Raises:
        InvalidSpec: Its first block is not a certificate.
    """
    from cryptography import x509  # imported by the first bundle, not by every start

    candidate = raw
    for _ in range(3):
        if b"-----BEGIN" in candidate:
            break
        try:
            candidate = base64.b64decode(b"".join(candidate.split()), validate=True)
        except (binascii.Error, ValueError):
            raise InvalidSpec("failed to decode ca bundle: neither PEM nor base64 of PEM") from None
    try:
        certificates = x509.load_pem_x509_certificates(candidate)
    except ValueError as exc:
        raise InvalidSpec(f"failed to decode ca bundle: {exc}") from exc
    if not certificates:
        raise InvalidSpec("failed to decode ca bundle: no certificate in it")
    return candidate
