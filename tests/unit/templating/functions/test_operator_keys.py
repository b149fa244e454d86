"""PEM, certificates and RSA in templates."""

from __future__ import annotations

import datetime
import ipaddress

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

from controllers.templating.functions import operator_keys as k
from controllers.templating.functions.registry import FunctionError
from controllers.templating.gotemplate.pem import encode_pem

_START = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)


def _issue(
    name: str, issuer: tuple[bytes, ec.EllipticCurvePrivateKey] | None
) -> tuple[bytes, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    parent = x509.load_pem_x509_certificate(issuer[0]).subject if issuer else subject
    signer = issuer[1] if issuer else key
    builder = (
        x509.CertificateBuilder(subject_name=subject, issuer_name=parent, public_key=key.public_key(), serial_number=7)
        .not_valid_before(_START)
        .not_valid_after(_START + datetime.timedelta(days=1))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if issuer:
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
        names = [x509.IPAddress(ipaddress.ip_address("192.0.2.7")), x509.DNSName("a.example")]
        builder = builder.add_extension(identifier, critical=False)
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM), key


def test_a_chain_in_any_order_is_taken_apart() -> None:
    """Leaf, intermediate and root are found by key identifiers."""
    root = _issue("root", None)
    middle = _issue("middle", root)
    leaf = _issue("leaf", middle)
    shuffled = middle[0] + root[0] + leaf[0]
    assert k.filter_cert_chain(b"leaf", shuffled) == leaf[0]
    assert k.filter_cert_chain(b"intermediate", shuffled) == middle[0]
    assert k.filter_cert_chain(b"root", shuffled) == root[0]
    assert k.filter_cert_chain(b"other", shuffled) == b""
    assert k.filter_cert_chain(b"leaf", root[0]) == b""
    assert k.cert_sans(leaf[0]) == [b"a.example", b"192.0.2.7"]
    assert k.cert_sans(root[0]) == []


@pytest.mark.parametrize("text", [b"", b"junk"])
def test_a_chain_without_certificates_has_no_leaf(text: bytes) -> None:
    """No PEM is an error."""
    with pytest.raises(FunctionError, match="^no leaf certificate found$"):
        k.filter_cert_chain(b"leaf", text)


def test_unrelated_certificates_are_no_chain() -> None:
    """Two heads are refused."""
    with pytest.raises(FunctionError, match="^found multiple leaf or disjunct certificates$"):
        k.filter_cert_chain(b"leaf", _issue("a", None)[0] + _issue("b", None)[0])


def test_filtering_keeps_blocks_of_the_type_and_refuses_junk() -> None:
    """The type is compared without regard to case; text without PEM is junk, empty text is not."""
    both = encode_pem(b"A B", b"x" * 60) + encode_pem(b"C", b"y")
    assert k.filter_pem(b"a b", both) == encode_pem(b"A B", b"x" * 60)
    assert k.filter_pem(b"D", both) == b""
    assert k.filter_pem(b"C", b"") == b""
    with pytest.raises(FunctionError, match="^error filtering pem: found junk$"):
        k.filter_pem(b"C", b"junk")


def test_rsa_decrypts_with_the_named_hash_only() -> None:
    """An unknown hash means SHA256; a wrong one fails."""
    key = rsa.generate_private_key(65537, 2048)
    form = serialization.PrivateFormat.TraditionalOpenSSL
    pem = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    sha = hashes.SHA256()
    sealed = key.public_key().encrypt(b"v", padding.OAEP(padding.MGF1(sha), sha, None))
    assert k.rsa_decrypt(b"RSA-OAEP", b"other", sealed, pem) == b"v"
    with pytest.raises(FunctionError, match="^error decrypting data with RSA: crypto/rsa: decryption error$"):
        k.rsa_decrypt(b"RSA-OAEP", b"SHA1", sealed, pem)
    with pytest.raises(FunctionError, match="^decryption scheme X is not supported$"):
        k.rsa_decrypt(b"X", b"SHA1", sealed, pem)
