"""PEM, certificates and RSA: what the operator adds for key material."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from controllers.templating.functions.registry import FunctionError, function
from controllers.templating.functions.samples import CERTIFICATE
from controllers.templating.gotemplate.der import DerError, children
from controllers.templating.gotemplate.pem import decode_all, decode_pem, encode_pem
from controllers.templating.gotemplate.quoting import text as readable
from controllers.templating.gotemplate.values import StrList

if TYPE_CHECKING:
    from cryptography import x509

__all__ = ["decode_pem", "encode_pem", "key_ids", "load_certificate", "ordered_chain", "subject_of"]

GROUP = "Keys and certificates"


@function("filterPEM", "string, string", "All PEM blocks of a type, in order.", group=GROUP,
          example='{{ .pem | filterPEM "X" }}', result="-----BEGIN X-----\nYQ==\n-----END X-----\n",
          data={"pem": "-----BEGIN X-----\nYQ==\n-----END X-----\n-----BEGIN Y-----\nYg==\n-----END Y-----\n"})  # fmt: skip
def filter_pem(kind: bytes, text: bytes) -> bytes:
    blocks, rest = decode_all(text, mid_line=True)
    wanted = readable(kind).casefold()
    kept = [block for block in blocks if readable(block.kind).casefold() == wanted]
    if not kept and rest:
        raise FunctionError("error filtering pem: found junk")
    return b"".join(block.pem() for block in kept)


def load_certificate(content: bytes) -> x509.Certificate:
    """A certificate in DER.

    Raises:
        FunctionError: it is none; the message says how far it could be read.
    """
    from cryptography import x509

    try:
        return x509.load_der_x509_certificate(content)
    except ValueError:
        raise FunctionError(f"x509: {_certificate_fault(content)}") from None


def subject_of(certificate: x509.Certificate) -> x509.Name:
    """Whom a certificate is for; names longer than the standard allows are taken as they are."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return certificate.subject


def _certificate_fault(content: bytes) -> str:
    try:
        (tag, inner), *rest = children(content)
        if rest:
            return "trailing data"
        if tag != 0x30:
            return "malformed certificate"
        return "malformed tbs certificate" if children(inner)[0][0] != 0x30 else "malformed certificate"
    except (DerError, ValueError, IndexError):
        return "malformed certificate"


def key_ids(certificate: x509.Certificate) -> tuple[bytes, bytes]:
    """Subject key id and authority key id, empty where absent."""
    from cryptography import x509

    try:
        subject = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except x509.ExtensionNotFound:
        subject = b""
    try:
        authority = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    except x509.ExtensionNotFound:
        authority = None
    return subject, authority or b""


def ordered_chain(chain: list[tuple[bytes, bytes, bytes]]) -> list[tuple[bytes, bytes, bytes]]:
    """Leaf first, along the authority key ids; each item is (DER, subject id, authority id)."""
    by_subject = {subject: item for item in chain if (subject := item[1])}
    issuers = {authority for _, subject, authority in chain if authority and authority != subject}
    heads = [item for item in chain if not item[1] or item[1] not in issuers]
    if not heads:
        raise FunctionError("no leaf certificate found")
    if len(heads) > 1:
        raise FunctionError("found multiple leaf or disjunct certificates")
    ordered = [heads[0]]
    while (item := ordered[-1])[2] and item[2] != item[1] and item[2] in by_subject:
        following = by_subject[item[2]]
        if following in ordered:
            raise FunctionError("constructing chain resulted in cycle")
        ordered.append(following)
    return ordered


@function("filterCertChain", "string, string", "The leaf, intermediate or root certificates of a chain in any order.",
          group=GROUP, example='{{ .pem | filterCertChain "leaf" }}', result=CERTIFICATE, data={"pem": CERTIFICATE})  # fmt: skip
def filter_cert_chain(part: bytes, text: bytes) -> bytes:
    blocks, _ = decode_all(text)
    chain = [(block.content, *key_ids(load_certificate(block.content))) for block in blocks]
    ordered = ordered_chain(chain)
    roots = [not authority or authority == subject for _, subject, authority in ordered]
    chosen: list[bytes] = []
    if part == b"leaf" and not roots[0]:
        chosen = [ordered[0][0]]
    elif part == b"root" and roots[-1]:
        chosen = [ordered[-1][0]]
    elif part == b"intermediate":
        for (content, _, _), root in zip(ordered[1:], roots[1:], strict=True):
            if root:
                break
            chosen.append(content)
    return b"".join(encode_pem(b"CERTIFICATE", content) for content in chosen)


def _address(address: Any) -> Any:
    """IPv4 in the form of IPv6 is shown as IPv4."""
    return getattr(address, "ipv4_mapped", None) or address


@function("certSANs", "string", "DNS names, addresses, e-mails and URIs of the first certificate.", group=GROUP,
          example="{{ certSANs .pem }}", result="[a.example b.example]", data={"pem": CERTIFICATE})  # fmt: skip
def cert_sans(text: bytes) -> StrList:
    from cryptography import x509

    blocks, _ = decode_all(text, mid_line=True)
    if not blocks:
        raise FunctionError("failed to decode PEM block")
    try:
        certificate = load_certificate(blocks[0].content)
    except FunctionError as error:
        raise FunctionError(f"failed to parse certificate: {error}") from None
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return StrList()
    found: list[Any] = [
        *names.get_values_for_type(x509.DNSName),
        *map(_address, names.get_values_for_type(x509.IPAddress)),
        *names.get_values_for_type(x509.RFC822Name),
        *names.get_values_for_type(x509.UniformResourceIdentifier),
    ]
    return StrList([str(name).encode() for name in found])


@function("rsaDecrypt", "string, string, string, string", "Decrypts RSA-OAEP with a private key in PEM.", group=GROUP,
          example='{{ rsaDecrypt "None" "SHA256" "plain" "" }}', result="plain")  # fmt: skip
def rsa_decrypt(scheme: bytes, digest: bytes, text: bytes, key_pem: bytes) -> bytes:
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    if scheme == b"None":
        return text
    if scheme != b"RSA-OAEP":
        raise FunctionError(f"decryption scheme {scheme.decode('utf-8', 'replace')} is not supported")
    block = decode_pem(key_pem)
    if block is None:
        raise FunctionError("failed to decode PEM block")
    try:
        key = serialization.load_der_private_key(block.content, None)
    except (ValueError, TypeError):
        raise FunctionError("could not parse private key: unable to parse private key type") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise FunctionError("could not parse RSA private key")
    algorithm = {b"SHA1": hashes.SHA1, b"SHA512": hashes.SHA512}.get(digest, hashes.SHA256)()
    try:
        return key.decrypt(text, padding.OAEP(padding.MGF1(algorithm), algorithm, None))
    except ValueError:
        raise FunctionError("error decrypting data with RSA: crypto/rsa: decryption error") from None
