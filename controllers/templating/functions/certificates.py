"""Private keys and certificates, made anew at every call."""

from __future__ import annotations

import datetime as dt
import hashlib
import ipaddress
import secrets
import time
import warnings
from typing import Any, ClassVar, Final

from controllers.templating.functions.encoding import Corrupt, decode_base64
from controllers.templating.functions.operator_keys import subject_of
from controllers.templating.functions.registry import FunctionError, function
from controllers.templating.functions.samples import CERTIFICATE, KEY
from controllers.templating.gotemplate.durations import HOUR, SECOND, wrap64
from controllers.templating.gotemplate.pem import decode_pem
from controllers.templating.gotemplate.quoting import quote
from controllers.templating.gotemplate.quoting import text as readable
from controllers.templating.gotemplate.values import GoObject

__all__ = ["Certificate"]

GROUP = "Keys and certificates"
_RSA_BITS: Final = 2048
_STRONG_RSA_BITS: Final = 4096
_LONGEST_NAME: Final = 64 * 1024


class Certificate(GoObject):
    """A certificate and its key, both in PEM, as fields of a struct."""

    __slots__ = ("Cert", "Key")
    go_type = "sprig.certificate"
    go_kind = "struct"
    fields: ClassVar[tuple[str, ...]] = ("Cert", "Key")  # type: ignore[misc]

    def __init__(self, certificate: bytes, key: bytes) -> None:
        self.Cert = certificate
        self.Key = key

    def text(self) -> bytes:
        return b"{" + self.Cert + b" " + self.Key + b"}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Certificate) and (self.Cert, self.Key) == (other.Cert, other.Key)

    def __hash__(self) -> int:
        return hash((self.Cert, self.Key))


def _new_key(kind: bytes, bits: int) -> Any:
    from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa

    if kind in (b"", b"rsa"):
        return rsa.generate_private_key(65537, bits)
    if kind == b"dsa":
        return dsa.generate_private_key(2048)
    if kind == b"ecdsa":
        return ec.generate_private_key(ec.SECP256R1())
    return ed25519.Ed25519PrivateKey.generate()


def _key_pem(key: Any) -> bytes:
    """A key in the form of its kind: PKCS#1, SEC 1, or PKCS#8 for Ed25519."""
    from cryptography.hazmat.primitives.asymmetric import ed25519
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    modern = isinstance(key, ed25519.Ed25519PrivateKey)
    form = PrivateFormat.PKCS8 if modern else PrivateFormat.TraditionalOpenSSL
    pem: bytes = key.private_bytes(Encoding.PEM, form, NoEncryption())
    return pem


@function("genPrivateKey", "string", "A new private key: rsa (4096 bits), ecdsa (P-256), ed25519 or dsa.", group=GROUP,
          example='{{ genPrivateKey "ed25519" }}', check=r"-----BEGIN PRIVATE KEY-----[\s\S]+", pure=False, heavy=True)  # fmt: skip
def gen_private_key(kind: bytes) -> bytes:
    if kind not in (b"", b"rsa", b"dsa", b"ecdsa", b"ed25519"):
        return b"Unknown type " + kind
    return _key_pem(_new_key(kind, _STRONG_RSA_BITS))


def _read_key(pem: bytes) -> Any:
    """The key of the first PEM block.

    Raises:
        ValueError: there is none; `str()` is the original's message.
    """
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    block = decode_pem(pem)
    if block is None:
        raise ValueError("no PEM data in input")
    name = readable(block.kind)
    if name != "PRIVATE KEY":
        algorithm = name.removesuffix(" PRIVATE KEY")
        if algorithm == name:
            raise ValueError(f"no private key data in PEM block of type {name}")
        if algorithm not in ("EC", "RSA", "DSA"):
            raise ValueError(f"invalid private key type {algorithm}")
    try:
        return load_der_private_key(block.content, None)
    except (ValueError, TypeError):
        if name == "PRIVATE KEY":
            raise ValueError("decoding PEM as PKCS#8: the content is no key") from None
        article = "n" if algorithm == "EC" else ""
        raise ValueError(
            f"parsing {algorithm} private key from PEM: a{article} {algorithm} key has other content"
        ) from None


def _texts(values: list[Any], what: str) -> list[str]:
    found = []
    for value in values:
        if not isinstance(value, bytes):
            raise FunctionError(f"{what}: {_shown(value)} is not a string")
        found.append(readable(value))
    return found


def _shown(value: Any) -> str:
    from controllers.templating.gotemplate.fmt import to_text

    return readable(to_text(value))


def _addresses(values: list[Any]) -> list[Any]:
    found = []
    for text in _texts(values, "error parsing ip"):
        try:
            if "%" in text:
                raise ValueError
            found.append(ipaddress.ip_address(text))
        except ValueError:
            raise FunctionError(f"error parsing ip: {text}") from None
    return found


def _subject(name: bytes) -> Any:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    try:
        text = name.decode()
    except UnicodeDecodeError:
        raise FunctionError("error creating certificate: asn1: string not valid UTF-8") from None
    if len(name) > _LONGEST_NAME:
        raise FunctionError(f"error creating certificate: the name is longer than {_LONGEST_NAME} bytes")
    if not text:
        return x509.Name([])
    with warnings.catch_warnings():
        # Names longer than the standard allows are made as they are asked for.
        warnings.simplefilter("ignore", UserWarning)
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text, _validate=False)])


def _names(addresses: list[Any], hosts: list[Any]) -> Any:
    from cryptography import x509

    texts = _texts(hosts, "error processing alternate dns name")
    for text in texts:
        if not text.isascii():
            raise FunctionError(
                f"error creating certificate: x509: {quote(text.encode()).decode()} cannot be encoded as an IA5String"
            )
    return [*map(x509.DNSName, texts), *(x509.IPAddress(address) for address in _addresses(addresses))]


def _extensions(key: Any, names: Any, issuer: Any, *, authority: bool, nameless: bool) -> list[Any]:
    """Key usage, extended key usage, basic constraints, key identifiers, alternative names, in this order."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    from cryptography.x509.oid import ExtendedKeyUsageOID as Usage

    usage = x509.KeyUsage(
        digital_signature=True, key_encipherment=True, key_cert_sign=authority, content_commitment=False, data_encipherment=False,
        key_agreement=False, crl_sign=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    found = [
        x509.Extension(x509.KeyUsage.oid, True, usage),
        x509.Extension(x509.ExtendedKeyUsage.oid, False, x509.ExtendedKeyUsage([Usage.SERVER_AUTH, Usage.CLIENT_AUTH])),
        x509.Extension(x509.BasicConstraints.oid, True, x509.BasicConstraints(ca=authority, path_length=None)),
    ]
    if authority:
        der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        identifier = x509.SubjectKeyIdentifier(hashlib.sha256(der).digest()[:20])
        found.append(x509.Extension(x509.SubjectKeyIdentifier.oid, False, identifier))
    if issuer is not None:
        try:
            own = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
            link = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)
            found.append(x509.Extension(x509.AuthorityKeyIdentifier.oid, False, link))
        except x509.ExtensionNotFound:
            pass  # an issuer without identifier is found by its name
    if names:
        found.append(x509.Extension(x509.SubjectAlternativeName.oid, nameless, x509.SubjectAlternativeName(names)))
    return found


def _issue(
    name: bytes, addresses: list[Any], hosts: list[Any], days: int, key: Any, *, authority: bool, issuer: Any = None, signer: Any = None
) -> Certificate:  # fmt: skip
    """A certificate for a key, signed by itself or by an issuer's key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import dsa, ed25519
    from cryptography.hazmat.primitives.serialization import Encoding

    names = _names(addresses, hosts)
    subject = _subject(name)
    signer = key if signer is None else signer
    if isinstance(signer, dsa.DSAPrivateKey):
        raise FunctionError(
            "error creating certificate: x509: certificate private key does not implement crypto.Signer"
        )
    start = dt.datetime(1970, 1, 1) + dt.timedelta(seconds=int(time.time()))
    end = start + dt.timedelta(seconds=wrap64(24 * HOUR * days) // SECOND)
    try:
        # The constructor takes a validity that ends before it begins, as the original does.
        builder = x509.CertificateBuilder(
            issuer_name=subject if issuer is None else subject_of(issuer),
            subject_name=subject,
            public_key=key.public_key(),
            serial_number=secrets.randbits(128) or 1,
            not_valid_before=start,
            not_valid_after=end,
            extensions=_extensions(key, names, issuer, authority=authority, nameless=not name),
        )
        digest = None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256()
        made = builder.sign(signer, digest)
    except (ValueError, TypeError, OverflowError):
        raise FunctionError("error creating certificate: x509: the parts do not make a certificate") from None
    return Certificate(made.public_bytes(Encoding.PEM), _key_pem(key))


def _given_key(pem: bytes) -> Any:
    try:
        return _read_key(pem)
    except ValueError as error:
        raise FunctionError(f"parsing private key: {error}") from None


_NEW_CERT: Final = {"group": GROUP, "check": r"-----BEGIN CERTIFICATE-----[\s\S]+", "pure": False, "heavy": True}


@function("genCA", "string, int", "A new certificate authority: name, days. The result has the fields Cert and Key.",
          example='{{ (genCA "my-ca" 30).Cert }}', **_NEW_CERT)  # type: ignore[arg-type]  # fmt: skip
def gen_ca(name: bytes, days: int) -> Certificate:
    return _issue(name, [], [], days, _new_key(b"rsa", _RSA_BITS), authority=True)


@function("genCAWithKey", "string, int, string", "A certificate authority for a private key.",
          example='{{ (genCAWithKey "my-ca" 30 (genPrivateKey "ecdsa")).Cert }}', **_NEW_CERT)  # type: ignore[arg-type]  # fmt: skip
def gen_ca_with_key(name: bytes, days: int, key: bytes) -> Certificate:
    return _issue(name, [], [], days, _given_key(key), authority=True)


@function("genSelfSignedCert", "string, []interface {}, []interface {}, int",
          "A new certificate that signs itself: name, IP addresses, DNS names, days.",
          example='{{ (genSelfSignedCert "db" (list "10.0.0.1") (list "db.local") 30).Cert }}', **_NEW_CERT)  # type: ignore[arg-type]  # fmt: skip
def gen_self_signed(name: bytes, addresses: list[Any], hosts: list[Any], days: int) -> Certificate:
    return _issue(name, addresses or [], hosts or [], days, _new_key(b"rsa", _RSA_BITS), authority=False)


@function("genSelfSignedCertWithKey", "string, []interface {}, []interface {}, int, string",
          "A certificate that signs itself, for a private key.",
          example='{{ (genSelfSignedCertWithKey "db" nil nil 30 (genPrivateKey "ecdsa")).Cert }}', **_NEW_CERT)  # type: ignore[arg-type]  # fmt: skip
def gen_self_signed_with_key(name: bytes, addresses: list[Any], hosts: list[Any], days: int, key: bytes) -> Certificate:
    return _issue(name, addresses or [], hosts or [], days, _given_key(key), authority=False)


def _load_certificate(pem: bytes, what: str) -> Any:
    from cryptography import x509

    block = decode_pem(pem)
    if block is None:
        raise FunctionError("unable to decode certificate")
    try:
        return x509.load_der_x509_certificate(block.content)
    except ValueError:
        raise FunctionError(f"error parsing certificate: {what}.Bytes: x509: malformed certificate") from None


def _sign(name: bytes, addresses: list[Any], hosts: list[Any], days: int, key: Any, ca: Certificate) -> Certificate:
    issuer = _load_certificate(ca.Cert, "decodedSignerCert")
    try:
        signer = _read_key(ca.Key)
    except ValueError as error:
        raise FunctionError(f"error parsing private key: {error}") from None
    if issuer.public_key() != signer.public_key():
        raise FunctionError("error creating certificate: x509: provided PrivateKey doesn't match parent's PublicKey")
    return _issue(name, addresses or [], hosts or [], days, key, authority=False, issuer=issuer, signer=signer)


@function("genSignedCert", "string, []interface {}, []interface {}, int, sprig.certificate",
          "A new certificate, signed by an authority: name, IP addresses, DNS names, days, authority.",
          example='{{ $ca := genCA "ca" 30 }}{{ (genSignedCert "db" nil (list "db.local") 30 $ca).Cert }}', **_NEW_CERT)  # type: ignore[arg-type]  # fmt: skip
def gen_signed(name: bytes, addresses: list[Any], hosts: list[Any], days: int, ca: Certificate) -> Certificate:
    return _sign(name, addresses, hosts, days, _new_key(b"rsa", _RSA_BITS), ca)


@function("genSignedCertWithKey", "string, []interface {}, []interface {}, int, sprig.certificate, string",
          "A certificate for a private key, signed by an authority.",
          example='{{ $ca := genCA "ca" 30 }}{{ (genSignedCertWithKey "db" nil nil 30 $ca (genPrivateKey "ecdsa")).Cert }}', **_NEW_CERT)  # type: ignore[arg-type]  # fmt: skip
def gen_signed_with_key(
    name: bytes, addresses: list[Any], hosts: list[Any], days: int, ca: Certificate, key: bytes
) -> Certificate:
    return _sign(name, addresses, hosts, days, _given_key(key), ca)


@function("buildCustomCert", "string, string", "A certificate and its key, each in base64, as a value for genSignedCert.",
          group=GROUP, example="{{ (buildCustomCert (b64enc .crt) (b64enc .key)).Cert }}", result=CERTIFICATE,
          data={"crt": CERTIFICATE, "key": KEY})  # fmt: skip
def build_custom(certificate: bytes, key: bytes) -> Certificate:
    found = []
    for text, what in ((certificate, "certificate"), (key, "private key")):
        try:
            found.append(decode_base64(text))
        except Corrupt:
            raise FunctionError(f"unable to decode base64 {what}") from None
    _load_certificate(found[0], "decodedCert")
    try:
        _read_key(found[1])
    except ValueError as error:
        raise FunctionError(f"error parsing private key: {error}") from None
    return Certificate(found[0], found[1])
