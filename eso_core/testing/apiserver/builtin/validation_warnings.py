"""What the server accepts with a word of warning, sent in ``Warning`` headers."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_pem_private_key,
)

from eso_core.testing.apiserver.builtin.validation_names import qualified_name
from eso_core.testing.apiserver.schema.formats import FORMATS
from eso_core.testing.apiserver.schema.gotext import quote

JsonObject = dict[str, Any]

_STANDARD_FINALIZERS: Final = frozenset(("orphan", "foregroundDeletion"))
_NUMBER_FORMATS: Final = frozenset(("int32", "int64", "float", "double"))
_BLOCK: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----[ \t]*\r?\n(.*?)-----END \1-----", re.DOTALL)
_MOUNTABLE: Final = "kubernetes.io/enforce-mountable-secrets"


def builtin_warnings(kind: str, obj: JsonObject) -> list[str]:
    """Warnings about an object of a built-in kind."""
    check = _BY_KIND.get(kind)
    return check(obj) if check is not None else []


def finalizer_warnings(obj: JsonObject, old: JsonObject | None = None) -> list[str]:
    """Warnings about new finalizers of a custom object, which may have any name."""
    before = ((old or {}).get("metadata") or {}).get("finalizers") or ()
    added = sorted(set((obj.get("metadata") or {}).get("finalizers") or ()) - set(before))
    warnings: list[str] = []
    for name in added:
        intro = f"metadata.finalizers: {quote(name)}: "
        warnings += [intro + text for text in qualified_name(name)]
        if "/" not in name and name not in _STANDARD_FINALIZERS:
            warnings.append(
                f"{intro}prefer a domain-qualified finalizer name including a path (/) to avoid accidental conflicts "
                "with other finalizer writers"
            )
    return warnings


def crd_warnings(crd: JsonObject) -> list[str]:
    """Warnings about string formats in schemas that nobody checks."""
    found: dict[str, None] = {}
    for version in (crd.get("spec") or {}).get("versions") or []:
        for format_ in _string_formats((version.get("schema") or {}).get("openAPIV3Schema")):
            if format_ not in FORMATS and format_ not in _NUMBER_FORMATS:
                found[f"unrecognized format {quote(format_)}"] = None
    return list(found)


def _string_formats(schema: Any) -> Iterator[str]:
    if not isinstance(schema, dict):
        return
    if schema.get("format") and schema.get("type") == "string":
        yield schema["format"]
    for name in sorted(schema.get("properties") or ()):
        yield from _string_formats(schema["properties"][name])
    for key in ("items", "additionalProperties"):
        yield from _string_formats(schema.get(key))


def service_account_warnings(obj: JsonObject) -> list[str]:
    """Warnings about a deprecated annotation."""
    if _MOUNTABLE not in ((obj.get("metadata") or {}).get("annotations") or {}):
        return []
    return [
        f"metadata.annotations[{_MOUNTABLE}]: deprecated in v1.32+; prefer separate namespaces to isolate access to "
        "mounted secrets"
    ]


def secret_warnings(obj: JsonObject) -> list[str]:
    """Warnings about a TLS Secret whose certificate and key cannot serve."""
    if obj.get("type") != "kubernetes.io/tls":
        return []
    data = obj.get("data") or {}
    certificate, key = (base64.b64decode(data.get(name) or "") for name in ("tls.crt", "tls.key"))
    problem = _pair_problem(certificate, key)
    return [problem] if problem else []


def _blocks(text: bytes) -> list[tuple[str, bytes]]:
    """PEM blocks as (type, whole text)."""
    return [(match[1].decode(), match[0] + b"\n") for match in _BLOCK.finditer(text)]


def _pair_problem(certificate: bytes, key: bytes) -> str:
    """Why the certificate and the key are no pair; empty if they are one. Never shows what is in them."""
    certificates, skipped = [], []
    for kind, block in _blocks(certificate):
        if kind == "CERTIFICATE":
            certificates.append(block)
        else:
            skipped.append(kind)
    if not certificates:
        return _missing_certificate(skipped)
    private, skipped = None, []
    for kind, block in _blocks(key):
        if kind == "PRIVATE KEY" or kind.endswith(" PRIVATE KEY"):
            private = block
            break
        skipped.append(kind)
    if private is None:
        return _missing_key(skipped)
    try:
        leaf = x509.load_pem_x509_certificate(certificates[0])
        public = leaf.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return "x509: malformed certificate"
    try:
        loaded = load_pem_private_key(private, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        loaded = _key_of_any_form(private)
        if loaded is None:
            return "tls: failed to parse private key"
    theirs = loaded.public_key()
    if type(theirs) is not type(public):
        return "tls: private key type does not match public key type"
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if theirs.public_bytes(*form) != public.public_bytes(*form):
        return "tls: private key does not match public key"
    return ""


def _key_of_any_form(block: bytes) -> Any:
    """A key whose label does not tell its true form."""
    body = b"".join(block.splitlines()[1:-1])
    try:
        return load_der_private_key(base64.b64decode(body), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None


def _missing_certificate(skipped: list[str]) -> str:
    if not skipped:
        return "tls: failed to find any PEM data in certificate input"
    if len(skipped) == 1 and skipped[0].endswith("PRIVATE KEY"):
        return (
            "tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs "
            "may have been switched"
        )
    return (
        'tls: failed to find "CERTIFICATE" PEM block in certificate input after skipping PEM blocks of the following '
        f"types: [{' '.join(skipped)}]"
    )


def _missing_key(skipped: list[str]) -> str:
    if not skipped:
        return "tls: failed to find any PEM data in key input"
    if skipped == ["CERTIFICATE"]:
        return "tls: found a certificate rather than a key in the PEM for the private key"
    return (
        'tls: failed to find PEM block with type ending in "PRIVATE KEY" in key input after skipping PEM blocks of '
        f"the following types: [{' '.join(skipped)}]"
    )


_BY_KIND: Final[dict[str, Callable[[JsonObject], list[str]]]] = {
    "Secret": secret_warnings,
    "ServiceAccount": service_account_warnings,
    "CustomResourceDefinition": crd_warnings,
}
