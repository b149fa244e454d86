"""Where the API server is and how to talk to it; found the way kubectl finds it, plus in-cluster."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from msgspec import Struct

from eso_core.client.credentials import Anonymous, Credentials, FileToken
from eso_core.client.limiter import RateLimit
from eso_core.client.tls import Pem
from eso_core.meta.errors import ConfigError

__all__ = ["ClientConfig", "Impersonation", "in_cluster_config", "load_config"]

SERVICE_ACCOUNT_DIR = "/var/run/secrets/kubernetes.io/serviceaccount"


class Impersonation(Struct, frozen=True):
    """Act as another user; the real one needs the ``impersonate`` verb."""

    user: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class ClientConfig:
    """Everything a client needs to know about the server. Its repr shows no credentials.

    Attributes:
        server: Base URL, without a trailing slash.
        namespace: What the context names; ``default`` otherwise.
        ca: Trusted certificates; ``None`` uses the system's.
        client_cert, client_key: PEM of the client certificate, unless the credentials bring one.
        tls_server_name: Name to check the server's certificate against instead of the URL's host.
        proxy_url: Proxy for this server; empty looks at the environment.
        request_timeout: Seconds for one request with its retries; 0 is no limit. Watches have none.
        connect_timeout: Seconds for connecting, with the TLS handshake.
        max_connections: Size of the pool for requests; watches have their own without limit.
        rate_limit: Client-side limiter; ``None`` leaves shedding of load to the server.
        compress_lists: Ask for gzip on lists.
        source: Where this came from, for messages.
    """

    server: str
    namespace: str = "default"
    ca: Pem | None = None
    insecure_skip_tls_verify: bool = False
    tls_server_name: str = ""
    client_cert: Pem | None = field(default=None, repr=False)
    client_key: Pem | None = field(default=None, repr=False)
    credentials: Credentials = field(default_factory=Anonymous, repr=False)
    impersonate: Impersonation | None = None
    proxy_url: str = field(default="", repr=False)
    request_timeout: float = 60.0
    connect_timeout: float = 10.0
    max_connections: int = 100
    rate_limit: RateLimit | None = None
    compress_lists: bool = True
    source: str = ""

    def __post_init__(self) -> None:
        if not self.server.startswith(("http://", "https://")):
            raise ConfigError(
                f"reading client configuration{_of(self.source)}: server {self.server!r} is no http or https URL"
            )
        if (self.client_cert is None) != (self.client_key is None):
            raise ConfigError(
                f"reading client configuration{_of(self.source)}: a client certificate needs its key: set both"
            )
        for name, value, least in (
            ("request_timeout", self.request_timeout, 0.0),
            ("connect_timeout", self.connect_timeout, 0.001),
            ("max_connections", self.max_connections, 1),
        ):
            if value < least:
                raise ConfigError(f"reading client configuration{_of(self.source)}: {name} must be at least {least}")
        object.__setattr__(self, "server", self.server.rstrip("/"))


def _of(source: str) -> str:
    return f" of {source}" if source else ""


async def load_config(
    kubeconfig: str | None = None,
    context: str | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    write_back: bool = False,
) -> ClientConfig:
    """Finds the configuration.

    The order is: ``kubeconfig``, the files of ``KUBECONFIG``, the pod's service account, ``~/.kube/config``. When
    ``KUBECONFIG`` is set, the service account is not tried.

    Args:
        kubeconfig: Path of a file, or several joined like ``KUBECONFIG``.
        context: A context of the file instead of its current one.
        environ: Environment to read; the process's by default.
        write_back: Write renewed OIDC tokens into the file they came from, as kubectl does.

    Raises:
        ConfigError: Nothing was found, or what was found cannot be used.
    """
    env = os.environ if environ is None else environ
    return await asyncio.to_thread(_load, kubeconfig, context, env, write_back)


def _load(kubeconfig: str | None, context: str | None, env: Mapping[str, str], write_back: bool) -> ClientConfig:
    from eso_core.client.kubeconfig import from_files

    if kubeconfig:
        paths = [Path(p).expanduser() for p in kubeconfig.split(os.pathsep) if p]
        return from_files(paths, context, missing_ok=len(paths) > 1, write_back=write_back)
    listed = env.get("KUBECONFIG", "")
    if listed:
        paths = [Path(p).expanduser() for p in listed.split(os.pathsep) if p]
        return from_files(paths, context, missing_ok=True, write_back=write_back)
    if env.get("KUBERNETES_SERVICE_HOST") and Path(SERVICE_ACCOUNT_DIR, "token").exists():
        if context:
            raise ConfigError(f"choosing context {context!r}: in a pod there is no kubeconfig: pass --kubeconfig")
        return in_cluster_config(env)
    home = Path(env.get("HOME") or Path.home(), ".kube", "config")
    if home.exists():
        return from_files([home], context, missing_ok=False, write_back=write_back)
    raise ConfigError(
        f"looking for a cluster: no kubeconfig given, KUBECONFIG is not set, not in a pod, and {home} does not exist: "
        "pass --kubeconfig or set KUBECONFIG"
    )


def in_cluster_config(environ: Mapping[str, str] | None = None, directory: str = SERVICE_ACCOUNT_DIR) -> ClientConfig:
    """The configuration of a pod, from its service account; the token file is read again when it changes.

    Raises:
        ConfigError: The process runs in no pod, or the pod has no service account token.
    """
    env = os.environ if environ is None else environ
    host, port = env.get("KUBERNETES_SERVICE_HOST", ""), env.get("KUBERNETES_SERVICE_PORT", "")
    if not host or not port:
        raise ConfigError(
            "reading the in-cluster configuration: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set: "
            "run in a pod, or pass --kubeconfig"
        )
    base = Path(directory)
    if not (base / "token").is_file():
        raise ConfigError(
            f"reading the in-cluster configuration: {base / 'token'} does not exist: "
            "set automountServiceAccountToken on the pod"
        )
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    namespace = "default"
    if (base / "namespace").is_file():
        namespace = (base / "namespace").read_text("utf-8").strip() or namespace
    ca = base / "ca.crt"
    return ClientConfig(
        server=f"https://{host}:{port}",
        namespace=namespace,
        ca=Pem(path=str(ca)) if ca.is_file() else None,
        credentials=FileToken(str(base / "token")),
        compress_lists=False,
        source="the pod's service account",
    )
