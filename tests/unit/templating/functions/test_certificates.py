"""Certificates are made with the fields that the original gives them."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from controllers.templating.functions import certificates as c
from controllers.templating.functions.operator_keys import cert_sans, filter_cert_chain, subject_of
from controllers.templating.functions.registry import FunctionError
from controllers.templating.functions.samples import CERTIFICATE, KEY
from controllers.templating.gotemplate.jsonencode import encode_json

EC_KEY = c.gen_private_key(b"ecdsa")


def load(made: c.Certificate) -> x509.Certificate:
    """The certificate of a result."""
    return x509.load_pem_x509_certificate(made.Cert)


def test_private_keys_have_the_form_of_their_kind() -> None:
    """SEC 1, PKCS#8; unknown kinds are said in the result."""
    assert EC_KEY.startswith(b"-----BEGIN EC PRIVATE KEY-----\n")
    assert c.gen_private_key(b"ed25519").startswith(b"-----BEGIN PRIVATE KEY-----\n")
    assert c.gen_private_key(b"nope") == b"Unknown type nope"


def test_an_authority_signs_certificates() -> None:
    """Key identifiers link them; names and usages are as asked for."""
    authority = c.gen_ca_with_key(b"my-ca", 30, EC_KEY)
    made = c.gen_signed_with_key(
        b"svc", [b"10.0.0.1", b"::1"], [b"svc.local"], 10, authority, c.gen_private_key(b"ecdsa")
    )
    leaf, root = load(made), load(authority)
    leaf.verify_directly_issued_by(root)
    assert cert_sans(made.Cert) == [b"svc.local", b"10.0.0.1", b"::1"]
    assert (
        leaf.not_valid_after_utc - leaf.not_valid_before_utc
        == (root.not_valid_after_utc - root.not_valid_before_utc) / 3
    )
    assert filter_cert_chain(b"leaf", authority.Cert + made.Cert) == made.Cert
    assert filter_cert_chain(b"root", authority.Cert + made.Cert) == authority.Cert
    usage = leaf.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical and usage.value.key_encipherment and not usage.value.key_cert_sign
    extended = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(extended) == [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    assert root.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert isinstance(leaf.public_key(), ec.EllipticCurvePublicKey)


def test_a_self_signed_certificate_has_no_names_of_its_own() -> None:
    """Without lists there are no alternative names; a validity may be negative."""
    made = c.gen_self_signed_with_key(b"db", [], [], -1, EC_KEY)
    assert cert_sans(made.Cert) == []
    assert load(made).subject.rfc4514_string() == "CN=db"
    assert made.Key == EC_KEY
    assert encode_json(made).startswith(b'{"Cert":"-----BEGIN CERTIFICATE-----\\n')
    long = c.gen_ca_with_key(b"x" * 100, 1, EC_KEY)
    assert subject_of(load(long)).rfc4514_string() == "CN=" + "x" * 100
    assert load(c.gen_signed_with_key(b"y", [], [], 1, long, EC_KEY)).subject.rfc4514_string() == "CN=y"
    assert load(c.gen_self_signed_with_key(b"", [], [], 1, EC_KEY)).subject.rfc4514_string() == ""


@pytest.mark.parametrize(
    ("addresses", "hosts", "key", "message"),
    [
        ([b"nope"], [], EC_KEY, "error parsing ip: nope"),
        ([1], [], EC_KEY, "error parsing ip: 1 is not a string"),
        ([], [1], EC_KEY, "error processing alternate dns name: 1 is not a string"),
        ([], ["é".encode()], EC_KEY, 'error creating certificate: x509: "é" cannot be encoded as an IA5String'),
        ([], [], b"", "parsing private key: no PEM data in input"),
        ([], [], b"-----BEGIN X-----\n-----END X-----\n", "parsing private key: no private key data in PEM block of type X"),
        ([], [], b"-----BEGIN X PRIVATE KEY-----\n-----END X PRIVATE KEY-----\n", "parsing private key: invalid private key type X"),
    ],
)  # fmt: skip
def test_bad_arguments_are_refused_with_the_originals_words(
    addresses: list[Any], hosts: list[Any], key: bytes, message: str
) -> None:
    """What is wrong with addresses, names or the key."""
    with pytest.raises(FunctionError) as raised:
        c.gen_self_signed_with_key(b"x", addresses, hosts, 1, key)
    assert str(raised.value) == message


def test_custom_certificates_are_checked() -> None:
    """Base64, PEM and content of both parts; a foreign key cannot sign."""
    import base64

    crt, key = base64.b64encode(CERTIFICATE.encode()), base64.b64encode(KEY.encode())
    made = c.build_custom(crt, key)
    assert (made.Cert, made.Key) == (CERTIFICATE.encode(), KEY.encode())
    for bad_crt, bad_key, message in [
        (b"!", b"", "unable to decode base64 certificate"),
        (crt, b"!", "unable to decode base64 private key"),
        (b"eA==", b"", "unable to decode certificate"),
        (crt, b"eA==", "error parsing private key: no PEM data in input"),
    ]:
        with pytest.raises(FunctionError, match=f"^{message}"):
            c.build_custom(bad_crt, bad_key)
    foreign = c.Certificate(c.gen_ca_with_key(b"a", 1, EC_KEY).Cert, c.gen_private_key(b"ecdsa"))
    with pytest.raises(FunctionError, match="provided PrivateKey doesn't match parent's PublicKey$"):
        c.gen_signed_with_key(b"x", [], [], 1, foreign, EC_KEY)
