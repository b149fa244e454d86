"""TLS contexts from PEM data or files, made anew when a file changes."""

from __future__ import annotations

import asyncio
import os
import shutil
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from eso_core.aio import Clock
from eso_core.meta.errors import ConfigError

__all__ = ["CertificatePair", "Pem", "TlsContexts"]

_RECHECK_SECONDS = 10.0  # how long a changed file may go unnoticed; one stat per file and period


class Pem(Struct, frozen=True):
    """PEM text, or the path of a file with it. Its repr shows only where it comes from."""

    data: bytes = b""
    path: str = ""

    def read(self, what: str) -> bytes:
        """The PEM text.

        Raises:
            ConfigError: The file cannot be read.
        """
        if not self.path:
            return self.data
        try:
            return Path(self.path).read_bytes()
        except OSError as exc:
            raise ConfigError(f"reading {what} {self.path}: {exc.strerror or exc}: check the path") from exc

    def __repr__(self) -> str:
        return f"Pem(path={self.path!r})" if self.path else f"Pem({len(self.data)} bytes)"


class CertificatePair(Struct, frozen=True):
    """A client certificate chain and its key."""

    cert: Pem
    key: Pem


class TlsContexts:
    """Keeps the one SSL context of a server current.

    A changed CA, certificate or key gives a new context. Connections are pooled by context, so requests after the change
    use new connections, and the old ones end when they are idle.
    """

    def __init__(self, *, ca: Pem | None, insecure: bool, clock: Clock) -> None:
        self._ca = ca
        self._insecure = insecure
        self._clock = clock
        self._context: ssl.SSLContext | None = None
        self._made_of: tuple[object, ...] = ()
        self._checked = 0.0

    async def get(self, pair: CertificatePair | None) -> ssl.SSLContext:
        """The context to use now.

        Raises:
            ConfigError: A file cannot be read, or holds no usable PEM.
        """
        now = self._clock.monotonic()
        if self._context is not None and self._made_of[0] is pair:
            if now - self._checked < _RECHECK_SECONDS or not self._reads_files(pair):
                return self._context
        # No await between reading and storing the result but this one; two callers at once build the same context twice.
        made_of, context = await asyncio.to_thread(self._build, pair)
        if context is not None:
            self._context = context
        self._made_of = made_of
        self._checked = now
        assert self._context is not None
        return self._context

    def _reads_files(self, pair: CertificatePair | None) -> bool:
        return any(
            pem.path for pem in (self._ca, *((pair.cert, pair.key) if pair is not None else ())) if pem is not None
        )

    def _build(self, pair: CertificatePair | None) -> tuple[tuple[object, ...], ssl.SSLContext | None]:
        ca = self._ca.read("the CA certificate") if self._ca is not None else b""
        cert = pair.cert.read("the client certificate") if pair is not None else b""
        key = pair.key.read("the client key") if pair is not None else b""
        made_of = (pair, ca, cert, key)
        if self._context is not None and self._made_of[1:] == made_of[1:]:
            return made_of, None
        return made_of, make_context(ca, insecure=self._insecure, cert=cert, key=key)


def make_context(ca: bytes, *, insecure: bool = False, cert: bytes = b"", key: bytes = b"") -> ssl.SSLContext:
    """A client context; without ``ca`` the system's certificates are trusted.

    Raises:
        ConfigError: A PEM text is not usable.
    """
    if insecure:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif ca:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            context.load_verify_locations(cadata=ca.decode("ascii", "replace"))
        except ssl.SSLError as exc:
            raise ConfigError("loading the CA certificate: it holds no usable PEM certificate: check it") from exc
    else:
        context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if cert:
        with _as_files(cert, key) as (cert_path, key_path):
            try:
                context.load_cert_chain(cert_path, key_path)
            except (ssl.SSLError, OSError) as exc:
                raise ConfigError(
                    "loading the client certificate: certificate and key are no usable PEM or do not belong together: "
                    "check both"
                ) from exc
    return context


@contextmanager
def _as_files(*contents: bytes) -> Iterator[tuple[str, ...]]:
    """Paths that hold the contents while the block runs: OpenSSL's binding reads keys from files only.

    Linux gives anonymous files in memory; elsewhere a private directory is used and removed at once.
    """
    if hasattr(os, "memfd_create") and os.path.isdir("/proc/self/fd"):
        descriptors: list[int] = []
        try:
            for content in contents:
                descriptor = os.memfd_create("pem")
                descriptors.append(descriptor)
                written = 0
                while written < len(content):
                    written += os.write(descriptor, content[written:])
            yield tuple(f"/proc/self/fd/{descriptor}" for descriptor in descriptors)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        return
    directory = tempfile.mkdtemp(prefix="eso-pem-")
    try:
        paths = []
        for index, content in enumerate(contents):
            path = os.path.join(directory, str(index))
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            paths.append(path)
        yield tuple(paths)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
