"""Bridges to kubernetes-asyncio, for programs that use its API classes beside this client.

Its import takes most of a second and tens of megabytes, so nothing else in the library imports this module, and this
module imports it inside the functions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eso_core.aio import Clock, SystemClock
from eso_core.client.config import ClientConfig
from eso_core.client.credentials import Credential
from eso_core.client.credentials import bearer as bearer_credential
from eso_core.client.tls import Pem
from eso_core.meta.errors import ConfigError

if TYPE_CHECKING:
    from kubernetes_asyncio.client import Configuration

__all__ = ["from_configuration", "to_configuration"]


def from_configuration(configuration: Configuration) -> ClientConfig:
    """Our configuration from one of kubernetes-asyncio, as its ``load_kube_config`` and in-cluster loaders fill it.

    Its refresh hook is called before each request, so tokens that it renews are used here too.

    Raises:
        ConfigError: It has no host, or a value that cannot be used.
    """
    if not configuration.host:
        raise ConfigError("reading a kubernetes-asyncio configuration: it has no host: load it first")
    return ClientConfig(
        server=configuration.host,
        ca=Pem(path=configuration.ssl_ca_cert) if configuration.ssl_ca_cert else None,
        insecure_skip_tls_verify=not configuration.verify_ssl,
        tls_server_name=getattr(configuration, "tls_server_name", None) or "",
        client_cert=Pem(path=configuration.cert_file) if configuration.cert_file else None,
        client_key=Pem(path=configuration.key_file) if configuration.key_file else None,
        proxy_url=configuration.proxy or "",
        credentials=_HookedCredentials(configuration),
        source="a kubernetes-asyncio configuration",
    )


async def to_configuration(config: ClientConfig, clock: Clock | None = None) -> Configuration:
    """A configuration for kubernetes-asyncio's ``ApiClient``; certificates must be files for it.

    Raises:
        ConfigError: CA or client certificate are data instead of files, or the credentials cannot be had.
    """
    from kubernetes_asyncio.client import Configuration

    configuration = Configuration(host=config.server)
    for name, pem in (("ssl_ca_cert", config.ca), ("cert_file", config.client_cert), ("key_file", config.client_key)):
        if pem is not None:
            if not pem.path:
                raise ConfigError(
                    f"making a kubernetes-asyncio configuration: {name} must be a file: write the PEM to one"
                )
            setattr(configuration, name, pem.path)
    configuration.verify_ssl = not config.insecure_skip_tls_verify
    configuration.tls_server_name = config.tls_server_name or None
    configuration.proxy = config.proxy_url or None
    used = clock if clock is not None else SystemClock()

    async def refresh(target: Any) -> None:
        credential = await config.credentials.get(used)
        header = credential.headers.get("Authorization")
        if header:
            target.api_key["BearerToken"] = header

    configuration.refresh_api_key_hook = refresh
    await refresh(configuration)
    return configuration


class _HookedCredentials:
    """Credentials that kubernetes-asyncio keeps in its configuration."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration

    async def get(self, clock: Clock) -> Credential:
        header = await self._configuration.get_api_key_with_prefix("BearerToken")
        return _credential(header)

    async def refresh(self, clock: Clock, rejected: Credential) -> bool:
        fresh = await self.get(clock)
        return fresh.headers != rejected.headers

    def __repr__(self) -> str:
        return "_HookedCredentials()"


def _credential(header: str | None) -> Credential:
    if not header:
        return Credential()
    token = header.removeprefix("Bearer ")
    return bearer_credential(token)
