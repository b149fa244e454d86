"""PKCS#12 archives come back as the PEM that they were made of."""

from __future__ import annotations

import base64
import datetime
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs12
from cryptography.x509.oid import NameOID

from controllers.templating.functions import archives as a
from controllers.templating.functions.registry import FunctionError
from controllers.templating.gotemplate.der import explicit, integer, octets, oid, sequence

FIXTURES = yaml.load(
    (Path(__file__).parents[1] / "vectors" / "template-vectors.yaml").read_text(), Loader=yaml.CSafeLoader
)["fixtures"]
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
    store = pkcs12.load_pkcs12(base64.b64decode(a.truststore_pass(one + two, password)), password)
    assert store.key is None
    assert {c.certificate.public_bytes(Encoding.PEM) for c in store.additional_certs} == {one, two}


def fixture(*names: str) -> bytes:
    """Key material of the vectors, one piece after the other."""
    return b"".join(str(FIXTURES[name]).encode() for name in names)


@pytest.mark.parametrize(
    ("name", "password", "chain"),
    [
        ("p12", b"1234", ("leaf", "inter", "root")),
        ("p12_legacy", b"1234", ("leaf", "inter", "root")),
        ("p12_nopass", b"", ("leaf", "inter")),
        ("p12_disjunct", b"1234", ("leaf", "other", "inter")),
    ],
)
def test_recorded_archives_are_read(name: str, password: bytes, chain: tuple[str, ...]) -> None:
    """Old and new encryption, with and without a password; a chain is put in order, anything else stays."""
    archive = base64.b64decode(fixture(name))
    assert a.cert_pass(password, archive) == fixture(*chain)
    assert a.key_pass(password, archive) == fixture("leaf_key")


def test_archives_without_a_password_are_encrypted_all_the_same() -> None:
    """Neither key nor certificates stand in them as they are; keys of any form become PKCS#8."""
    archive = base64.b64decode(a.full(fixture("leaf", "inter"), fixture("leaf_key_sec1")))
    certificate = x509.load_pem_x509_certificate(fixture("leaf")).public_bytes(Encoding.DER)
    assert certificate[40:80] not in archive
    assert a.key(archive) == fixture("leaf_key")
    loaded = pkcs12.load_pkcs12(archive, b"")
    assert loaded.cert is not None and loaded.cert.certificate.public_bytes(Encoding.PEM) == fixture("leaf")


def test_trust_stores_carry_the_attributes_that_java_looks_for() -> None:
    """The subject as name; an empty input makes an empty store; an empty line at the end is refused."""
    store = base64.b64decode(a.truststore_pass(fixture("root"), b"pw"))
    loaded = pkcs12.load_pkcs12(store, b"pw")
    assert [other.friendly_name for other in loaded.additional_certs] == [b"CN=Test Root"]
    empty = pkcs12.load_pkcs12(base64.b64decode(a.truststore(b"")), b"")
    assert (empty.key, empty.cert, empty.additional_certs) == (None, None, [])
    with pytest.raises(FunctionError):
        a.truststore(fixture("root") + b"\n")
    with pytest.raises(FunctionError, match="UCS-2"):
        a.truststore_pass(fixture("root"), "😀".encode())


def test_broken_archives_are_told_from_wrong_passwords() -> None:
    """Also where only the protected part is cut or the version is another one."""
    archive = base64.b64decode(fixture("p12"))
    for broken in (b"", archive[:-1], archive[:200], b"\x30\x00", archive.replace(b"\x02\x01\x03", b"\x02\x01\x04", 1)):
        with pytest.raises(
            FunctionError, match=r"^unable to decode pkcs12 with password: pkcs12: (error reading P12|can only)"
        ):
            a.key_pass(b"1234", broken)


@pytest.mark.parametrize(
    ("archive", "words"),
    [
        (b"", "syntax error: sequence truncated"),
        (b"0", "syntax error: truncated tag or length"),
        (b"0\x05ab", "syntax error: data truncated"),
        (b"0\x80\x00\x00", "syntax error: indefinite length found (not DER)"),
        (b"x\x81\x05aaaaa", "structure error: non-minimal length"),
        (b"\xff\xff\xff", "syntax error: truncated base 128 integer"),
        (b"junk", "structure error: tags don't match (16 vs {class:1 tag:10 length:117 isCompound:true}) {optional:false explicit:false"
         " application:false private:false defaultValue:<nil> tag:<nil> stringType:0 timeType:0 set:false omitEmpty:false} pfxPdu @2"),
    ],
)  # fmt: skip
def test_bytes_that_are_no_archive_are_described_as_go_does(archive: bytes, words: str) -> None:
    """By what the first element is."""
    with pytest.raises(FunctionError) as raised:
        a.key(archive)
    assert str(raised.value) == f"unable to decode pkcs12 with password: pkcs12: error reading P12 data: asn1: {words}"


def test_archives_that_ask_for_endless_work_are_refused() -> None:
    """Rounds of the authentication code and of the encryption are bounded."""
    safe, salt = sequence(sequence(octets(b"salt"), integer(1 << 31))), octets(b"salt")
    data = oid("1.2.840.113549.1.7.1")
    code = sequence(sequence(sequence(oid("1.3.14.3.2.26")), octets(b"code")), salt, integer(2048))
    asking = sequence(integer(3), sequence(data, explicit(0, octets(safe))), code)
    with pytest.raises(FunctionError, match="more than 1000000 rounds of key derivation$"):
        a.key_pass(b"pw", asking)
    usual = base64.b64decode(a.pem_pass(fixture("leaf"), fixture("leaf_key"), b"pw"))
    with pytest.raises(FunctionError, match="password incorrect$"):
        a.key_pass(b"pw", usual.replace(b"\x02\x02\x08\x00", b"\x02\x02\x7f\xff"))
