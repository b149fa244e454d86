"""PKCS#12 archives come back as the PEM that they were made of."""

from __future__ import annotations

import base64
import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs12
from cryptography.x509.oid import NameOID

from controllers.templating.functions import archives as a
from controllers.templating.functions.registry import FunctionError

_START = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)


def _pair(name: str) -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(
        subject, subject, key.public_key(), 5, _START, _START + datetime.timedelta(days=1)
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM), pem


@pytest.mark.parametrize("password", [b"", b"pw"])
def test_an_archive_returns_key_and_certificates(password: bytes) -> None:
    """The short form keeps the first certificate, the full form all."""
    (one, key), (two, _) = _pair("one"), _pair("two")
    short = base64.b64decode(a.pem_pass(one + two, key, password))
    full = base64.b64decode(a.full_pass(one + two, key, password))
    assert a.key_pass(password, short) == key
    assert a.cert_pass(password, short) == one
    assert a.cert_pass(password, full) == one + two


def test_a_wrong_password_and_junk_are_told_apart() -> None:
    """Each has its own words."""
    certificate, key = _pair("one")
    archive = base64.b64decode(a.pem_pass(certificate, key, b"pw"))
    with pytest.raises(
        FunctionError, match="^unable to decode pkcs12 with password: pkcs12: decryption password incorrect$"
    ):
        a.key_pass(b"bad", archive)
    with pytest.raises(
        FunctionError, match="^unable to decode pkcs12 certificate with password: pkcs12: error reading"
    ):
        a.cert(b"junk")
    with pytest.raises(FunctionError):
        a.pem(b"junk", key)
    with pytest.raises(FunctionError):
        a.full(certificate + b"junk", key)


@pytest.mark.parametrize("password", [b"", b"pw"])
def test_a_trust_store_holds_every_certificate(password: bytes) -> None:
    """The certificates are read back; there is no key."""
    (one, _), (two, _) = _pair("one"), _pair("two")
    store = pkcs12.load_pkcs12(base64.b64decode(a.truststore_pass(one + two, password)), password or None)
    assert store.key is None
    assert {c.certificate.public_bytes(Encoding.PEM) for c in store.additional_certs} == {one, two}
