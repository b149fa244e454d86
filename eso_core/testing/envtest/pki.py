"""Certificates of one test environment: an authority, the server's certificate, one per user, the token key pair."""

from __future__ import annotations

import ipaddress
import os
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LIFETIME: Final = timedelta(days=7)
_NAMES: Final = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
_ADDRESSES: Final = ("127.0.0.1", "::1", "10.0.0.1")  # the last is the kubernetes Service's, first of its range


class Authority:
    """A certificate authority that lives in memory."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "envtest")])
        self._cert = (
            self._builder(self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.pem = _pem(self._cert)

    def __repr__(self) -> str:
        return "Authority(…)"

    def user(self, name: str, groups: Sequence[str] = ()) -> tuple[str, str]:
        """Certificate and key (PEM) of a client: the common name is the user, organizations are the groups."""
        attributes = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
        attributes += [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
        return self._issue(attributes, ExtendedKeyUsageOID.CLIENT_AUTH, ())

    def server(self) -> tuple[str, str]:
        """Certificate and key (PEM) of a server on loopback."""
        names: list[x509.GeneralName] = [x509.DNSName(name) for name in _NAMES]
        names += [x509.IPAddress(ipaddress.ip_address(address)) for address in _ADDRESSES]
        attributes = [x509.NameAttribute(NameOID.COMMON_NAME, "kube-apiserver")]
        return self._issue(attributes, ExtendedKeyUsageOID.SERVER_AUTH, names)

    def _issue(
        self,
        attributes: Sequence[x509.NameAttribute[str]],
        usage: x509.ObjectIdentifier,
        names: Sequence[x509.GeneralName],
    ) -> tuple[str, str]:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(x509.Name(attributes), key.public_key())
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return _pem(builder.sign(self._key, hashes.SHA256())), _pem_key(key)

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + _LIFETIME)
        )


def write_files(authority: Authority, folder: Path) -> None:
    """What kube-apiserver reads: authority, serving certificate, the key pair of ServiceAccount tokens."""
    cert, key = authority.server()
    tokens = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = tokens.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    texts = {
        "ca.crt": authority.pem,
        "apiserver.crt": cert,
        "apiserver.key": key,
        "sa.key": _pem_key(tokens),
        "sa.pub": public.decode("ascii"),
    }
    for name, text in texts.items():
        descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(text)


def trusting(authority: Authority) -> ssl.SSLContext:
    """A client's context that trusts the authority alone."""
    return ssl.create_default_context(cadata=authority.pem)


def _pem(cert: x509.Certificate) -> str:
    return cert.public_bytes(serialization.Encoding.PEM).decode("ascii")


def _pem_key(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode("ascii")
