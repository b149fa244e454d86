"""Which proxy a server is reached through, by the environment."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from eso_core.meta.errors import ConfigError

__all__ = ["proxy_for"]


def proxy_for(server: str, proxy_url: str, environ: Mapping[str, str]) -> str:
    """The proxy URL for a server; empty for a direct connection.

    Args:
        server: The server's URL.
        proxy_url: What the configuration says; it wins over the environment.
        environ: ``HTTPS_PROXY``, ``HTTP_PROXY`` and ``NO_PROXY`` in upper or lower case.

    Raises:
        ConfigError: The proxy's scheme is not supported.
    """
    if not proxy_url:
        target = urlsplit(server)
        name = "HTTPS_PROXY" if target.scheme == "https" else "HTTP_PROXY"
        proxy_url = environ.get(name) or environ.get(name.lower()) or ""
        if not proxy_url or _bypassed(target.hostname or "", target.port or _port(target.scheme), environ):
            return ""
        if "://" not in proxy_url:
            proxy_url = f"http://{proxy_url}"
    scheme = proxy_url.partition("://")[0].lower()
    if scheme not in ("http", "https"):
        raise ConfigError(f"using a proxy: scheme {scheme!r} is not supported: use an http or https proxy")
    return proxy_url


def _port(scheme: str) -> int:
    return 443 if scheme == "https" else 80


def _bypassed(host: str, port: int, environ: Mapping[str, str]) -> bool:
    host = host.lower().rstrip(".")
    address = _address(host)
    if host == "localhost" or (address is not None and address.is_loopback):
        return True
    for raw in (environ.get("NO_PROXY") or environ.get("no_proxy") or "").split(","):
        entry = raw.strip().lower()
        if not entry:
            continue
        if entry == "*":
            return True
        if "/" in entry:
            try:
                if address is not None and address in ipaddress.ip_network(entry, strict=False):
                    return True
            except ValueError:
                continue
            continue
        entry, wanted_port = _split_port(entry)
        if wanted_port is not None and wanted_port != port:
            continue
        listed = _address(entry)
        if listed is not None:
            if listed == address:
                return True
            continue
        # A leading dot (or star) asks for subdomains only; a bare name for itself and its subdomains.
        suffix = entry.removeprefix("*").lstrip(".")
        if host.endswith(f".{suffix}") or (host == suffix and not entry.startswith((".", "*"))):
            return True
    return False


def _split_port(entry: str) -> tuple[str, int | None]:
    if entry.startswith("["):
        host, _, rest = entry[1:].partition("]")
        return host, int(rest[1:]) if rest[1:].isdigit() else None
    host, colon, port = entry.rpartition(":")
    if colon and port.isdigit() and ":" not in host:
        return host, int(port)
    return entry, None


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
