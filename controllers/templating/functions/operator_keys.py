"""PEM, certificates, JWK and RSA: what the operator adds for key material."""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import TYPE_CHECKING, Any, cast

from controllers.templating.functions.registry import FunctionError, function
from controllers.templating.functions.samples import CERTIFICATE
from controllers.templating.gotemplate.values import StrList

if TYPE_CHECKING:
    from cryptography import x509

__all__ = ["encode_pem", "pem_blocks"]

GROUP = "Keys and certificates"
_BLOCK = re.compile(
    rb"-----BEGIN ([^\r\n]*?)-----[ \t]*\r?\n((?:[^\r\n:]+:[^\r\n]*\r?\n)*)(?:\r?\n)?([A-Za-z0-9+/=\s]*?)-----END \1-----[ \t]*(?:\r?\n|$)"
)


def encode_pem(kind: bytes, content: bytes, headers: bytes = b"") -> bytes:
    """One PEM block with lines of 64 columns."""
    body = base64.b64encode(content)
    lines = b"".join(body[i : i + 64] + b"\n" for i in range(0, len(body), 64))
    return b"-----BEGIN %s-----\n%s%s-----END %s-----\n" % (kind, headers + b"\n" if headers else b"", lines, kind)


def pem_blocks(text: bytes, *, mid_line: bool = False) -> tuple[list[tuple[bytes, bytes, bytes]], bytes]:
    """The blocks as (type, headers, content), and what follows the last one.

    Args:
        text: PEM with anything between blocks.
        mid_line: the first block may begin within a line.
    """
    blocks: list[tuple[bytes, bytes, bytes]] = []
    at = 0
    for found in _BLOCK.finditer(text):
        start = found.start()
        if start > 0 and text[start - 1 : start] != b"\n" and not (mid_line and not blocks):
            continue
        try:
            content = base64.b64decode(b"".join(found.group(3).split()), validate=True)
        except binascii.Error:
            continue
        headers = found.group(2).replace(b"\r", b"")
        blocks.append((found.group(1), headers, content))
        at = found.end()
    return blocks, text[at:]


@function("filterPEM", "string, string", "All PEM blocks of a type, in order.", group=GROUP,
          example='{{ .pem | filterPEM "X" }}', result="-----BEGIN X-----\nYQ==\n-----END X-----\n",
          data={"pem": "-----BEGIN X-----\nYQ==\n-----END X-----\n-----BEGIN Y-----\nYg==\n-----END Y-----\n"})  # fmt: skip
def filter_pem(kind: bytes, text: bytes) -> bytes:
    blocks, rest = pem_blocks(text, mid_line=True)
    kept = [block for block in blocks if block[0].lower() == kind.lower()]
    if not kept and rest:
        raise FunctionError("error filtering pem: found junk")
    return b"".join(encode_pem(name, content, headers) for name, headers, content in kept)


def _certificate(content: bytes) -> x509.Certificate:
    from cryptography import x509

    try:
        return x509.load_der_x509_certificate(content)
    except ValueError:
        raise FunctionError("x509: malformed tbs certificate") from None


def _key_ids(certificate: x509.Certificate) -> tuple[bytes, bytes]:
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


def _ordered(chain: list[tuple[bytes, bytes, bytes]]) -> list[tuple[bytes, bytes, bytes]]:
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
    blocks, _ = pem_blocks(text)
    chain = [(content, *_key_ids(_certificate(content))) for _, _, content in blocks]
    ordered = _ordered(chain)
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


@function("certSANs", "string", "DNS names, addresses, e-mails and URIs of the first certificate.", group=GROUP,
          example="{{ certSANs .pem }}", result="[a.example b.example]", data={"pem": CERTIFICATE})  # fmt: skip
def cert_sans(text: bytes) -> StrList:
    from cryptography import x509

    blocks, _ = pem_blocks(text, mid_line=True)
    if not blocks:
        raise FunctionError("failed to decode PEM block")
    try:
        certificate = _certificate(blocks[0][2])
    except FunctionError as error:
        raise FunctionError(f"failed to parse certificate: {error}") from None
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return StrList()
    found: list[Any] = [
        *names.get_values_for_type(x509.DNSName),
        *names.get_values_for_type(x509.IPAddress),
        *names.get_values_for_type(x509.RFC822Name),
        *names.get_values_for_type(x509.UniformResourceIdentifier),
    ]
    return StrList([str(name).encode() for name in found])


def _jwk(text: bytes) -> tuple[Any, bool]:
    """The key and whether it is private."""
    try:
        document = json.loads(text)
    except ValueError:
        raise FunctionError("failed to unmarshal JSON into key hint: unexpected EOF") from None
    kind = document.get("kty", "") if isinstance(document, dict) else ""
    if kind not in ("RSA", "EC", "OKP", "oct"):
        raise FunctionError(f"invalid key type from JSON ({kind})")
    if kind == "oct":
        return None, False
    from joserfc.errors import JoseError
    from joserfc.jwk import ECKey, OKPKey, RSAKey

    importers: dict[str, Any] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
    try:
        key = importers[kind].import_key(document)
        return (key.private_key, True) if key.is_private else (key.public_key, False)
    except (JoseError, ValueError, KeyError):
        raise FunctionError("failed to unmarshal the key: its numbers are missing or wrong") from None


def _go_name(key: Any) -> str:
    names = {
        "RSA": "rsa",
        "EllipticCurve": "ecdsa",
        "Ed25519": "ed25519",
        "X25519": "ecdh",
        "ECP": "ecdsa",
        "EC": "ecdsa",
    }
    own = type(key).__name__.lstrip("_")
    package = next((go for prefix, go in names.items() if own.startswith(prefix)), "jwk")
    name = "PrivateKey" if "Private" in own else "PublicKey"
    return f"{package}.{name}" if package == "ed25519" else f"*{package}.{name}"


@function("jwkPublicKeyPem", "string", "A public JWK as PKIX PEM.", group=GROUP, example="{{ jwkPublicKeyPem .jwk }}",
          check=r"-----BEGIN PUBLIC KEY-----[\s\S]+",
          data={"jwk": '{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}'})  # fmt: skip
def jwk_public(text: bytes) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key, private = _jwk(text)
    if key is None or private:
        raise FunctionError(f"x509: unsupported public key type: {'[]uint8' if key is None else _go_name(key)}")
    return cast("bytes", key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


@function("jwkPrivateKeyPem", "string", "A private JWK as PKCS#8 PEM.", group=GROUP, example="{{ jwkPrivateKeyPem .jwk }}",
          check=r"-----BEGIN PRIVATE KEY-----[\s\S]+",
          data={"jwk": '{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",'
                       '"x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}'})  # fmt: skip
def jwk_private(text: bytes) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key, private = _jwk(text)
    if not private:
        name = "[]uint8" if key is None else _go_name(key)
        raise FunctionError(f"x509: unknown key type while marshaling PKCS#8: {name}")
    return cast("bytes", key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


@function("rsaDecrypt", "string, string, string, string", "Decrypts RSA-OAEP with a private key in PEM.", group=GROUP,
          example='{{ rsaDecrypt "None" "SHA256" "plain" "" }}', result="plain")  # fmt: skip
def rsa_decrypt(scheme: bytes, digest: bytes, text: bytes, key_pem: bytes) -> bytes:
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    if scheme == b"None":
        return text
    if scheme != b"RSA-OAEP":
        raise FunctionError(f"decryption scheme {scheme.decode('utf-8', 'replace')} is not supported")
    blocks, _ = pem_blocks(key_pem)
    if not blocks:
        raise FunctionError("failed to decode PEM block")
    try:
        key = serialization.load_der_private_key(blocks[0][2], None)
    except (ValueError, TypeError):
        raise FunctionError("could not parse private key: unable to parse private key type") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise FunctionError("could not parse RSA private key")
    algorithm = {b"SHA1": hashes.SHA1, b"SHA512": hashes.SHA512}.get(digest, hashes.SHA256)()
    try:
        return key.decrypt(text, padding.OAEP(padding.MGF1(algorithm), algorithm, None))
    except ValueError:
        raise FunctionError("error decrypting data with RSA: crypto/rsa: decryption error") from None
