"""Certificates of the servers: from files that are read again when they change, or self-signed."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from eso_core.aio import Clock
from eso_core.meta.errors import ConfigError
from eso_core.metrics import RuntimeMetrics

__all__ = ["CertWatcher", "self_signed", "server_context"]

_log = structlog.get_logger("eso_core.webhook")

_POLL = 10.0
_VALIDITY = timedelta(days=365)


class CertWatcher:
    """A server context that follows its files. A bad or half-written pair keeps the one before.

    New handshakes use the new pair; connections that are open go on with the old one.

    Args:
        on_change: called with the new certificate's PEM after each change but the first reading.
    """

    def __init__(
        self,
        cert_file: str | Path,
        key_file: str | Path,
        clock: Clock,
        metrics: RuntimeMetrics,
        *,
        on_change: Callable[[bytes], None] | None = None,
    ) -> None:
        self._cert_file = Path(cert_file)
        self._key_file = Path(key_file)
        self._clock = clock
        self._metrics = metrics
        self._digest = b""
        self._on_change = on_change
        self.name = "serving certificate"
        self.context = server_context()

    async def load(self) -> None:
        """Reads the files for the first time.

        Raises:
            ConfigError: the pair cannot be used.
        """
        try:
            await asyncio.to_thread(self._read)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(
                f"serving over TLS: reading {self._cert_file} and {self._key_file}: {error}: "
                "give a PEM certificate and its key"
            ) from error

    async def start(self) -> None:
        """Reads the files again when they change, until cancelled."""
        while True:
            await self._clock.sleep(_POLL)
            try:
                changed = await asyncio.to_thread(self._read)
            except (OSError, ssl.SSLError) as error:
                self._metrics.cert_read_errors.inc()
                _log.warning("certificate not read: keeping the one before", error=str(error))
                continue
            if changed is not None and self._on_change is not None:
                self._on_change(changed)

    def _read(self) -> bytes | None:
        # By content: mounted Secrets change by swapping a symbolic link, with times that may go backwards.
        certificate = self._cert_file.read_bytes()
        digest = hashlib.sha256(certificate + b"\0" + self._key_file.read_bytes()).digest()
        if digest == self._digest:
            return None
        # A trial context first: a failed load would leave the live one with a certificate without its key.
        server_context().load_cert_chain(self._cert_file, self._key_file)
        self.context.load_cert_chain(self._cert_file, self._key_file)
        first, self._digest = not self._digest, digest
        self._metrics.cert_reads.inc()
        return None if first else certificate


def self_signed(clock: Clock, name: str = "localhost") -> ssl.SSLContext:
    """A server context with a fresh certificate for `name`, valid for a year."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = clock.now()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + _VALIDITY)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    context = server_context()
    # The ssl module reads keys from files only; the directory is private and gone at once.
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "pair.pem"
        path.touch(mode=0o600)
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context.load_cert_chain(path)
    return context


def server_context() -> ssl.SSLContext:
    """A server context without a certificate yet; TLS 1.2 at least."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
