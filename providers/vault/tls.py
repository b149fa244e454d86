"""TLS settings of a store: its own CA instead of the system's, and a client certificate."""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from providers.errors import InvalidSpec

__all__ = ["tls_context"]


def tls_context(ca: bytes | None, certificate: tuple[bytes, bytes] | None) -> ssl.SSLContext | None:
    """A client context, or None when the system's defaults do.

    Args:
        ca: PEM certificates that replace the system's roots.
        certificate: PEM certificate chain and PEM key of the client.

    Raises:
        InvalidSpec: There is no certificate in ``ca``, or the pair does not fit together.
    """
    if ca is None and certificate is None:
        return None
    if ca is None:
        context = ssl.create_default_context()
    else:
        try:
            context = ssl.create_default_context(cadata=ca.decode("ascii", "replace"))
        except (ssl.SSLError, ValueError) as exc:
            raise InvalidSpec(
                "cannot set Vault CA certificate: no certificate can be read from it: it has to be PEM"
            ) from exc
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate is not None:
        try:
            with _as_file(certificate[0] + b"\n" + certificate[1]) as path:
                # Without a callback OpenSSL would ask the terminal for the passphrase of an encrypted key.
                context.load_cert_chain(path, password=lambda: b"")
        except (ssl.SSLError, OSError, ValueError) as exc:
            reason = getattr(exc, "reason", None) or type(exc).__name__
            raise InvalidSpec(
                f'error from Client TLS Auth: "{str(reason).replace("_", " ").lower()}": check certificate and key'
            ) from exc
    return context


@contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    """A path to the content. The ssl module reads keys from files only; where the system can, this one has no disk."""
    if hasattr(os, "memfd_create"):
        handle = os.memfd_create("vault-client-certificate", os.MFD_CLOEXEC)
        try:
            os.write(handle, content)
            yield f"/proc/self/fd/{handle}"
        finally:
            os.close(handle)
    else:
        with tempfile.NamedTemporaryFile(suffix=".pem") as file:  # created with mode 0600
            file.write(content)
            file.flush()
            yield file.name
