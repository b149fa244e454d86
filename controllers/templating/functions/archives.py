"""PKCS#12 archives from and to PEM."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from controllers.templating.functions.operator_keys import encode_pem, pem_blocks
from controllers.templating.functions.registry import FunctionError, function
from controllers.templating.functions.samples import CERTIFICATE, KEY

if TYPE_CHECKING:
    from cryptography import x509

__all__: list[str] = []

GROUP = "PKCS#12"
_DATA = {"crt": CERTIFICATE, "key": KEY}
_EXAMPLE: dict[str, Any] = {"group": GROUP, "pure": False, "check": r"[A-Za-z0-9+/=]+", "data": _DATA}


def _load(archive: bytes, password: bytes, what: str) -> Any:
    from cryptography.hazmat.primitives.serialization import pkcs12

    try:
        loaded = pkcs12.load_pkcs12(archive, password)
    except ValueError as error:
        wrong = "password" in str(error).lower() and archive[:1] == b"\x30"
        reason = "decryption password incorrect" if wrong else "error reading P12 data: not a PKCS#12 archive"
        raise FunctionError(f"{what}: pkcs12: {reason}") from None
    if loaded.key is None:
        raise FunctionError(f"{what}: pkcs12: private key missing")
    if loaded.cert is None:
        raise FunctionError(f"{what}: pkcs12: certificate missing")
    return loaded


def _chain(own: x509.Certificate, others: list[x509.Certificate]) -> list[x509.Certificate]:
    """Along the issuers if all certificates form one chain, else as they come, the own one first."""
    ordered, rest = [own], list(others)
    while rest:
        following = next((c for c in rest if c.subject == ordered[-1].issuer), None)
        if following is None:
            return [own, *others]
        ordered.append(following)
        rest.remove(following)
    return ordered


@function("pkcs12keyPass", "string, string", "The private key of an archive as PKCS#8 PEM.",
          example='{{ pkcs12keyPass "pw" (pemToPkcs12Pass .crt .key "pw" | b64dec) }}', **(_EXAMPLE | {"check": r"-----BEGIN [\s\S]+", "pure": True}))  # fmt: skip
def key_pass(password: bytes, archive: bytes) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = _load(archive, password, "unable to decode pkcs12 with password").key
    return encode_pem(b"PRIVATE KEY", key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))


@function("pkcs12key", "string", "The private key of an archive without a password.",
          example="{{ pkcs12key (pemToPkcs12 .crt .key | b64dec) }}", **(_EXAMPLE | {"check": r"-----BEGIN [\s\S]+", "pure": True}))  # fmt: skip
def key(archive: bytes) -> bytes:
    return key_pass(b"", archive)


@function("pkcs12certPass", "string, string", "The certificates of an archive as PEM, leaf first.",
          example='{{ pkcs12certPass "pw" (pemToPkcs12Pass .crt .key "pw" | b64dec) }}', **(_EXAMPLE | {"check": r"-----BEGIN [\s\S]+", "pure": True}))  # fmt: skip
def cert_pass(password: bytes, archive: bytes) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    loaded = _load(archive, password, "unable to decode pkcs12 certificate with password")
    chain = _chain(loaded.cert.certificate, [c.certificate for c in loaded.additional_certs])
    return b"".join(encode_pem(b"CERTIFICATE", c.public_bytes(Encoding.DER)) for c in chain)


@function("pkcs12cert", "string", "The certificates of an archive without a password.",
          example="{{ pkcs12cert (pemToPkcs12 .crt .key | b64dec) }}", **(_EXAMPLE | {"check": r"-----BEGIN [\s\S]+", "pure": True}))  # fmt: skip
def cert(archive: bytes) -> bytes:
    return cert_pass(b"", archive)


def _certificates(text: bytes, *, first: bool) -> list[x509.Certificate]:
    from cryptography import x509

    blocks, rest = pem_blocks(text)
    if not blocks or (not first and rest.strip()):
        raise FunctionError("the certificates are not PEM: give blocks of type CERTIFICATE and nothing after them")
    try:
        return [x509.load_der_x509_certificate(content) for _, _, content in blocks[: 1 if first else None]]
    except ValueError:
        raise FunctionError("x509: malformed tbs certificate") from None


def _protection(password: bytes) -> Any:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import NoEncryption, PrivateFormat, pkcs12

    if not password:
        return NoEncryption()  # an empty password protects nothing, and readers without one take both forms
    builder = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(2048).hmac_hash(hashes.SHA256())
    return builder.key_cert_algorithm(pkcs12.PBES.PBESv2SHA256AndAES256CBC).build(password)


def _pack(certificates: list[x509.Certificate], key_pem: bytes, password: bytes) -> bytes:
    from cryptography.hazmat.primitives.serialization import load_der_private_key, pkcs12

    blocks, _ = pem_blocks(key_pem)
    if not blocks:
        raise FunctionError("the private key is not PEM: give a block such as PRIVATE KEY")
    try:
        private: Any = load_der_private_key(blocks[0][2], None)
    except (ValueError, TypeError):
        raise FunctionError("unable to parse private key type") from None
    try:
        packed = pkcs12.serialize_key_and_certificates(
            None, private, certificates[0], certificates[1:], _protection(password)
        )
    except (ValueError, TypeError):
        raise FunctionError("the private key does not belong to the first certificate") from None
    return base64.b64encode(packed)


@function("pemToPkcs12Pass", "string, string, string", "An archive of the first certificate and the key.",
          example='{{ pemToPkcs12Pass .crt .key "pw" }}', **_EXAMPLE)  # fmt: skip
def pem_pass(certificates: bytes, key_pem: bytes, password: bytes) -> bytes:
    return _pack(_certificates(certificates, first=True), key_pem, password)


@function("pemToPkcs12", "string, string", "An archive of the first certificate and the key, without a password.",
          example="{{ pemToPkcs12 .crt .key }}", **_EXAMPLE)  # fmt: skip
def pem(certificates: bytes, key_pem: bytes) -> bytes:
    return pem_pass(certificates, key_pem, b"")


@function("fullPemToPkcs12Pass", "string, string, string", "An archive of all certificates and the key.",
          example='{{ fullPemToPkcs12Pass .crt .key "pw" }}', **_EXAMPLE)  # fmt: skip
def full_pass(certificates: bytes, key_pem: bytes, password: bytes) -> bytes:
    return _pack(_certificates(certificates, first=False), key_pem, password)


@function("fullPemToPkcs12", "string, string", "An archive of all certificates and the key, without a password.",
          example="{{ fullPemToPkcs12 .crt .key }}", **_EXAMPLE)  # fmt: skip
def full(certificates: bytes, key_pem: bytes) -> bytes:
    return full_pass(certificates, key_pem, b"")


@function("pemTruststoreToPKCS12Pass", "string, string", "A Java trust store of all certificates.",
          example='{{ pemTruststoreToPKCS12Pass .crt "pw" }}', **_EXAMPLE)  # fmt: skip
def truststore_pass(certificates: bytes, password: bytes) -> bytes:
    from cryptography.hazmat.primitives.serialization import pkcs12

    trusted = [
        pkcs12.PKCS12Certificate(c, c.subject.rfc4514_string().encode())
        for c in _certificates(certificates, first=False)
    ]
    return base64.b64encode(pkcs12.serialize_java_truststore(trusted, _protection(password)))


@function("pemTruststoreToPKCS12", "string", "A Java trust store of all certificates, without a password.",
          example="{{ pemTruststoreToPKCS12 .crt }}", **_EXAMPLE)  # fmt: skip
def truststore(certificates: bytes) -> bytes:
    return truststore_pass(certificates, b"")
