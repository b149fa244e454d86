"""What went wrong below HTTP, as errors of the library that say what to do."""

from __future__ import annotations

import asyncio
import ssl

import aiohttp

from eso_core.meta.errors import ConnectError, ConnectionLost, ProxyError, ReadTimeout, TlsError, TransportError

__all__ = ["translate"]


def translate(exc: BaseException, method: str, path: str, server: str) -> TransportError:
    """The library's error for one of aiohttp's; to be raised ``from`` it."""
    doing = f"{method} {path}"
    match exc:
        case aiohttp.ClientConnectorCertificateError():
            return TlsError(f"{doing}: {_certificate(exc.certificate_error, server)}")
        case aiohttp.ClientConnectorSSLError():
            return TlsError(
                f"{doing}: the TLS handshake with {server} failed: {_reason(exc)}: "
                "check that it is an https server and which client certificate it wants"
            )
        case aiohttp.ClientProxyConnectionError():
            return ProxyError(f"{doing}: the proxy for {server} cannot be reached: {_reason(exc)}: check proxy-url")
        case aiohttp.ClientHttpProxyError():
            return ProxyError(f"{doing}: the proxy for {server} answered {exc.status}: check proxy-url and its access")
        case aiohttp.ClientConnectorDNSError():
            return ConnectError(f"{doing}: the host of {server} is unknown: check the server in the kubeconfig")
        case aiohttp.ClientConnectorError():
            return ConnectError(
                f"{doing}: cannot connect to {server}: {_reason(exc)}: is the cluster up, and the server right?"
            )
        case aiohttp.ConnectionTimeoutError():
            return ConnectError(f"{doing}: connecting to {server} took too long: is it reachable from here?")
        case aiohttp.InvalidURL():
            return ConnectError(f"{doing}: {server} is no usable URL: check the server in the kubeconfig")
        case TimeoutError():
            return ReadTimeout(f"{doing}: {server} did not answer in time")
        case aiohttp.ClientPayloadError():
            return ConnectionLost(f"{doing}: the connection to {server} ended in the middle of the answer")
        case aiohttp.ServerDisconnectedError() | ConnectionError() | aiohttp.ClientOSError():
            # A pooled connection that the server closed meanwhile looks the same as one that broke after sending.
            return ConnectionLost(f"{doing}: {server} closed the connection without an answer: {_reason(exc)}")
        case ssl.SSLError() | asyncio.IncompleteReadError():
            return ConnectionLost(f"{doing}: the connection to {server} broke: {_reason(exc)}")
        case aiohttp.ClientResponseError():
            return ConnectionLost(f"{doing}: {server} does not answer in HTTP: is this an API server?")
        case _:
            return ConnectionLost(f"{doing}: the connection to {server} failed: {type(exc).__name__}")


def _reason(exc: BaseException) -> str:
    if isinstance(exc, aiohttp.ClientConnectorError):
        inner = exc.os_error
        # asyncio joins the errors of several addresses into one text; the first line names the cause.
        text = inner.strerror or str(inner)
        return text.splitlines()[0] if text else type(inner).__name__
    if isinstance(exc, OSError) and exc.strerror:
        return exc.strerror
    return str(exc) or type(exc).__name__


def _certificate(exc: BaseException, server: str) -> str:
    code = getattr(exc, "verify_code", 0)
    message = getattr(exc, "verify_message", "") or str(exc)
    match code:
        case 10:
            return f"the certificate of {server} has expired: renew it on the server"
        case 62 | 64:
            return (
                f"the certificate of {server} is for another name: {message.rstrip('.')}: "
                "set tls-server-name in the kubeconfig"
            )
        case 18 | 19 | 20 | 21:
            return (
                f"the certificate of {server} is signed by an unknown authority: "
                "check certificate-authority-data in the kubeconfig"
            )
        case _:
            return f"the certificate of {server} is not accepted: {message}"
