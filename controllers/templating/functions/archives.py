"""PKCS#12 archives from and to PEM."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any, Final

from controllers.templating.functions import stable
from controllers.templating.functions.operator_keys import key_ids, load_certificate, ordered_chain, subject_of
from controllers.templating.functions.registry import FunctionError, function
from controllers.templating.functions.samples import CERTIFICATE, KEY
from controllers.templating.gotemplate.pem import decode_all, decode_pem, encode_pem
from controllers.templating.gotemplate.pkcs12 import ArchiveError, Bag, check_archive, write_archive
from controllers.templating.gotemplate.quoting import text as readable

if TYPE_CHECKING:
    from cryptography import x509

__all__: list[str] = []

GROUP = "PKCS#12"
_DATA: Final = {"crt": CERTIFICATE, "key": KEY}
_WRITE: Final[dict[str, Any]] = {
    "group": GROUP,
    "pure": False,
    "heavy": True,
    "check": r"[A-Za-z0-9+/=]+",
    "data": _DATA,
}
_READ: Final[dict[str, Any]] = {"group": GROUP, "heavy": True, "check": r"-----BEGIN [\s\S]+", "data": _DATA}
_ARCHIVE: Final = re.compile(rb"MI[A-Za-z0-9+/]{100,}={0,2}")
_NO_PEM: Final = (
    "the certificates are not PEM: give blocks of type CERTIFICATE and nothing after them, not even an empty line"
)
_NO_KEY: Final = "the private key is not PEM: give a block such as PRIVATE KEY"


def _load(archive: bytes, password: bytes) -> tuple[Any, list[x509.Certificate]]:
    """Key and certificates, the key's own one first.

    Raises:
        ArchiveError: they cannot be read, or something is missing.
    """
    from cryptography.hazmat.primitives.serialization import pkcs12

    check_archive(archive, readable(password))
    try:
        loaded = pkcs12.load_pkcs12(archive, password)
    except ValueError:
        raise ArchiveError("pkcs12: error reading P12 data: its content cannot be decrypted or read") from None
    first = [loaded.cert.certificate] if loaded.cert is not None else []
    certificates = first + [other.certificate for other in loaded.additional_certs]
    if not certificates:
        raise ArchiveError("pkcs12: certificate missing")
    if loaded.key is None:
        raise ArchiveError("pkcs12: private key missing")
    return loaded.key, certificates


def _opened(archive: bytes, password: bytes, what: str) -> tuple[Any, list[x509.Certificate]]:
    try:
        return _load(archive, password)
    except ArchiveError as error:
        raise FunctionError(f"unable to decode {what} with password: {error}") from None


def _der(key: Any) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    content: bytes = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return content


def _contents(certificates: list[x509.Certificate]) -> list[bytes]:
    from cryptography.hazmat.primitives.serialization import Encoding

    return [certificate.public_bytes(Encoding.DER) for certificate in certificates]


def _chain(certificates: list[x509.Certificate]) -> list[bytes]:
    """Leaf first along the issuers if all form one chain, else as they come."""
    plain = _contents(certificates)
    try:
        ordered = ordered_chain([(c, *key_ids(x)) for c, x in zip(plain, certificates, strict=True)])
    except FunctionError:
        return plain
    return [content for content, _, _ in ordered] if len(ordered) == len(plain) else plain


@function("pkcs12keyPass", "string, string", "The private key of an archive as PKCS#8 PEM.",
          example='{{ pkcs12keyPass "pw" (pemToPkcs12Pass .crt .key "pw" | b64dec) }}', **_READ)  # fmt: skip
def key_pass(password: bytes, archive: bytes) -> bytes:
    return encode_pem(b"PRIVATE KEY", _der(_opened(archive, password, "pkcs12")[0]))


@function("pkcs12key", "string", "The private key of an archive without a password.",
          example="{{ pkcs12key (pemToPkcs12 .crt .key | b64dec) }}", **_READ)  # fmt: skip
def key(archive: bytes) -> bytes:
    return key_pass(b"", archive)


@function("pkcs12certPass", "string, string", "The certificates of an archive as PEM, leaf first.",
          example='{{ pkcs12certPass "pw" (pemToPkcs12Pass .crt .key "pw" | b64dec) }}', **_READ)  # fmt: skip
def cert_pass(password: bytes, archive: bytes) -> bytes:
    certificates = _opened(archive, password, "pkcs12 certificate")[1]
    return b"".join(encode_pem(b"CERTIFICATE", content) for content in _chain(certificates))


@function("pkcs12cert", "string", "The certificates of an archive without a password.",
          example="{{ pkcs12cert (pemToPkcs12 .crt .key | b64dec) }}", **_READ)  # fmt: skip
def cert(archive: bytes) -> bytes:
    return cert_pass(b"", archive)


def _certificates(text: bytes) -> list[bytes]:
    """The certificates of a text that holds nothing else."""
    blocks, rest = decode_all(text)
    if rest:
        raise FunctionError(_NO_PEM)
    for block in blocks:
        load_certificate(block.content)
    return [block.content for block in blocks]


def _first_certificate(text: bytes) -> list[bytes]:
    block = decode_pem(text)
    if block is None:
        raise FunctionError(_NO_PEM)
    load_certificate(block.content)
    return [block.content]


def _private_key(text: bytes) -> bytes:
    """The key of the first block in PKCS#8, whatever its form."""
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    block = decode_pem(text)
    if block is None:
        raise FunctionError(_NO_KEY)
    try:
        return _der(load_der_private_key(block.content, None))
    except (ValueError, TypeError):
        raise FunctionError("unable to parse private key type") from None


def _written(private: bytes | None, bags: list[Bag], password: bytes) -> bytes:
    """An archive in base64: that of the last render if it opens with the password and holds the same."""
    wanted = [bag.content for bag in bags]

    def same(candidate: bytes) -> bool:
        from cryptography.hazmat.primitives.serialization import pkcs12

        try:
            archive = base64.b64decode(candidate, validate=True)
            check_archive(archive, readable(password))
            loaded = pkcs12.load_pkcs12(archive, password)
        except (ArchiveError, ValueError, binascii.Error):
            return False
        first = [loaded.cert.certificate] if loaded.cert is not None else []
        found = _contents(first + [other.certificate for other in loaded.additional_certs])
        return found == wanted and (None if loaded.key is None else _der(loaded.key)) == private

    kept = stable.keep(_ARCHIVE, same)
    if kept is not None:
        return kept
    try:
        return base64.b64encode(write_archive(private, bags, readable(password)))
    except ArchiveError as error:
        raise FunctionError(str(error)) from None


def _packed(certificates: list[bytes], key_pem: bytes, password: bytes) -> bytes:
    if not certificates:
        raise FunctionError(_NO_PEM)
    bags = [Bag(content, own=number == 0) for number, content in enumerate(certificates)]
    return _written(_private_key(key_pem), bags, password)


@function("pemToPkcs12Pass", "string, string, string",
          "An archive of the first certificate and the key; that of the last render stays while it holds the same.",
          example='{{ pemToPkcs12Pass .crt .key "pw" }}', **_WRITE)  # fmt: skip
def pem_pass(certificates: bytes, key_pem: bytes, password: bytes) -> bytes:
    return _packed(_first_certificate(certificates), key_pem, password)


@function("pemToPkcs12", "string, string", "An archive of the first certificate and the key, without a password.",
          example="{{ pemToPkcs12 .crt .key }}", **_WRITE)  # fmt: skip
def pem(certificates: bytes, key_pem: bytes) -> bytes:
    return pem_pass(certificates, key_pem, b"")


@function("fullPemToPkcs12Pass", "string, string, string", "An archive of all certificates and the key.",
          example='{{ fullPemToPkcs12Pass .crt .key "pw" }}', **_WRITE)  # fmt: skip
def full_pass(certificates: bytes, key_pem: bytes, password: bytes) -> bytes:
    return _packed(_certificates(certificates), key_pem, password)


@function("fullPemToPkcs12", "string, string", "An archive of all certificates and the key, without a password.",
          example="{{ fullPemToPkcs12 .crt .key }}", **_WRITE)  # fmt: skip
def full(certificates: bytes, key_pem: bytes) -> bytes:
    return full_pass(certificates, key_pem, b"")


@function("pemTruststoreToPKCS12Pass", "string, string", "A Java trust store of all certificates.",
          example='{{ pemTruststoreToPKCS12Pass .crt "pw" }}', **_WRITE)  # fmt: skip
def truststore_pass(certificates: bytes, password: bytes) -> bytes:
    contents = _certificates(certificates)
    names = [subject_of(load_certificate(content)).rfc4514_string() for content in contents]
    return _written(None, [Bag(content, name) for content, name in zip(contents, names, strict=True)], password)


@function("pemTruststoreToPKCS12", "string", "A Java trust store of all certificates, without a password.",
          example="{{ pemTruststoreToPKCS12 .crt }}", **_WRITE)  # fmt: skip
def truststore(certificates: bytes) -> bytes:
    return truststore_pass(certificates, b"")
