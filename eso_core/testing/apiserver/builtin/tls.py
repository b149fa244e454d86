"""What is odd about the certificate and key of a TLS Secret: worth a warning, not an error."""

from __future__ import annotations

import base64
import binascii
import re

from cryptography import x509
from cryptography.hazmat.primitives import serialization

_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.S)


def tls_warnings(cert: str, key: str) -> list[str]:
    """The first problem of a pair given in base64, in the words of Go's TLS package."""
    problem = _problem(_decode(cert), _decode(key))
    return [f"tls: {problem}"] if problem else []


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except (binascii.Error, ValueError):
        return b""


def _problem(cert: bytes, key: bytes) -> str:
    certificates = [match.group() for match in _BLOCK.finditer(cert) if match[1] == b"CERTIFICATE"]
    if not certificates:
        kinds = [match[1].decode() for match in _BLOCK.finditer(cert)]
        if kinds and all(kind.endswith("PRIVATE KEY") for kind in kinds):
            return "failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched"
        if kinds:
            listed = " ".join(kinds)
            return f'failed to find "CERTIFICATE" PEM block in certificate input after skipping PEM blocks of the following types: [{listed}]'
        return "failed to find any PEM data in certificate input"
    keys = [match.group() for match in _BLOCK.finditer(key) if match[1].endswith(b"PRIVATE KEY")]
    if not keys:
        kinds = [match[1].decode() for match in _BLOCK.finditer(key)]
        if kinds == ["CERTIFICATE"]:
            return "found a certificate rather than a key in the PEM for the private key"
        if kinds:
            listed = " ".join(kinds)
            return f'failed to find PEM block with type ending in "PRIVATE KEY" in key input after skipping PEM blocks of the following types: [{listed}]'
        return "failed to find any PEM data in key input"
    try:
        parsed = x509.load_pem_x509_certificate(certificates[0])
        private = serialization.load_pem_private_key(keys[0], None)
    except (ValueError, TypeError):
        return "failed to parse private key"
    wanted = parsed.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    given = private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return "" if wanted == given else "private key does not match public key"
