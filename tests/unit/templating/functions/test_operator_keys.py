"""PEM, certificates, JWK and RSA in templates."""

from __future__ import annotations

import datetime
import ipaddress
import json

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

from controllers.templating.functions import operator_keys as k
from controllers.templating.functions.registry import FunctionError

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
    both = k.encode_pem(b"A B", b"x" * 60) + k.encode_pem(b"C", b"y")
    assert k.filter_pem(b"a b", both) == k.encode_pem(b"A B", b"x" * 60)
    assert k.filter_pem(b"D", both) == b""
    assert k.filter_pem(b"C", b"") == b""
    with pytest.raises(FunctionError, match="^error filtering pem: found junk$"):
        k.filter_pem(b"C", b"junk")


def test_a_public_jwk_is_no_private_key_and_the_other_way_round() -> None:
    """Each function takes its own half only."""
    private = {"kty": "OKP", "crv": "Ed25519", "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}
    private["x"] = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    public = {name: value for name, value in private.items() if name != "d"}
    assert k.jwk_private(json.dumps(private).encode()).startswith(b"-----BEGIN PRIVATE KEY-----\n")
    assert k.jwk_public(json.dumps(public).encode()).startswith(b"-----BEGIN PUBLIC KEY-----\n")
    with pytest.raises(FunctionError, match=r"unsupported public key type: ed25519\.PrivateKey$"):
        k.jwk_public(json.dumps(private).encode())
    with pytest.raises(FunctionError, match=r"marshaling PKCS#8: ed25519\.PublicKey$"):
        k.jwk_private(json.dumps(public).encode())
    with pytest.raises(FunctionError, match=r"^invalid key type from JSON \(XX\)$"):
        k.jwk_public(b'{"kty":"XX"}')
    with pytest.raises(FunctionError, match=r"marshaling PKCS#8: \[\]uint8$"):
        k.jwk_private(b'{"kty":"oct","k":"AAAA"}')


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
