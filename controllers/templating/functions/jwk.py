"""JSON Web Keys as PEM."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any, Final

from controllers.templating.functions.registry import FunctionError, function
from controllers.templating.gotemplate.der import NULL, bit_string, integer, oid, sequence
from controllers.templating.gotemplate.jsondecode import JsonError, decode_json_prefix
from controllers.templating.gotemplate.pem import encode_pem
from controllers.templating.gotemplate.quoting import text as readable

__all__: list[str] = []

GROUP = "Keys and certificates"
_NAMES: Final = {b"RSA": "rsa", b"EC": "ecdsa", b"OKP": "okp", b"oct": "symmetric"}
_RSA: Final = oid("1.2.840.113549.1.1.1")
_EDWARDS: Final = {b"Ed25519": oid("1.3.101.112"), b"X25519": oid("1.3.101.110")}
_CURVES: Final = {b"P-256": "P256", b"P-384": "P384", b"P-521": "P521"}
# The original's own type shows in the message about JSON that is no object.
_HINT_TYPE: Final = r'struct { Kty string "json:\"kty\""; D jsontext.Value "json:\"d\"" }'
_LARGEST_RSA: Final = 8192
_SAMPLE: Final = '{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}'
_SAMPLE_PRIVATE: Final = _SAMPLE[:-1] + ',"d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}'


def _json_kind(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, float):
        return "number"
    return "array" if isinstance(value, list) else "object" if isinstance(value, dict) else "string"


class _Key:
    """The members of a JWK that matter."""

    def __init__(self, members: dict[bytes, Any], kind: bytes) -> None:
        self.members = members
        self.kind = kind
        self.private = members.get(b"d") is not None and kind != b"oct"
        shape = "Key" if kind == b"oct" else "PrivateKey" if self.private else "PublicKey"
        self.where = f"failed to unmarshal JSON into key (*jwk.{_NAMES[kind]}{shape}): "

    def text(self, name: str) -> bytes:
        value = self.members.get(name.encode())
        if value is None:
            raise FunctionError(f"{self.where}required field {name} is missing")
        if not isinstance(value, bytes):
            found = f"json: cannot unmarshal {_json_kind(value)} into Go value of type string"
            raise FunctionError(f"{self.where}failed to decode value for key {name}: error reading next value: {found}")
        return value

    def content(self, name: str) -> bytes:
        """A member in base64 of either alphabet, padded or not."""
        value = self.text(name).translate(bytes.maketrans(b"-_", b"+/")).rstrip(b"=")
        try:
            return base64.b64decode(value + b"=" * (-len(value) % 4), validate=True)
        except binascii.Error:
            failed = f"failed to decode value for key {name}: expected base64 encoded []byte (string)"
            raise FunctionError(self.where + failed) from None

    def number(self, name: str) -> int:
        return int.from_bytes(self.content(name), "big")


def _read(text: bytes) -> _Key:
    hint = "failed to unmarshal JSON into key hint: "
    try:
        members = decode_json_prefix(text)
    except JsonError as error:
        cut_off = "unexpected EOF" if text.strip(b" \t\r\n") else "EOF"
        words = cut_off if str(error) == "unexpected end of JSON input" else str(error)
        raise FunctionError(hint + words) from None
    if members is not None and not isinstance(members, dict):
        raise FunctionError(f"{hint}json: cannot unmarshal {_json_kind(members)} into Go value of type {_HINT_TYPE}")
    kind = (members or {}).get(b"kty") or b""
    if not isinstance(kind, bytes):
        raise FunctionError(f"{hint}json: cannot unmarshal {_json_kind(kind)} into Go struct field .kty of type string")
    if kind not in _NAMES:
        raise FunctionError(f"invalid key type from JSON ({readable(kind)})")
    return _Key(members or {}, kind)


def _curve(key: _Key) -> tuple[str, Any]:
    from cryptography.hazmat.primitives.asymmetric import ec

    name = key.text("crv")
    for member in ("x", "y"):
        key.content(member)
    if name not in _CURVES:
        raise FunctionError(f"failed to build public key: invalid curve algorithm {readable(name)}")
    curves: dict[bytes, Any] = {b"P-256": ec.SECP256R1, b"P-384": ec.SECP384R1, b"P-521": ec.SECP521R1}
    return _CURVES[name], ec.EllipticCurvePublicNumbers(key.number("x"), key.number("y"), curves[name]())


def _edwards(key: _Key) -> bytes:
    name = key.text("crv")
    key.content("x")
    if name not in _EDWARDS:
        raise FunctionError(f"failed to build public key: invalid curve algorithm {readable(name)}")
    return name


def _go_type(key: _Key) -> str:
    """The Go type of a key that could be read.

    Raises:
        FunctionError: a member is missing or wrong.
    """
    shape = "PrivateKey" if key.private else "PublicKey"
    if key.kind == b"oct":
        key.content("k")
        return "[]uint8"
    if key.kind == b"RSA":
        for member in ("e", "n"):
            key.content(member)
        return f"*rsa.{shape}"
    if key.kind == b"EC":
        _curve(key)
        return f"*ecdsa.{shape}"
    return "ed25519." + shape if _edwards(key) == b"Ed25519" else f"*ecdh.{shape}"


def _guarded(build: Callable[[], bytes], failed: str) -> bytes:
    try:
        return build()
    except (ValueError, OverflowError):
        raise FunctionError(failed) from None


@function("jwkPublicKeyPem", "string", "A public JWK as PKIX PEM.", group=GROUP, example="{{ jwkPublicKeyPem .jwk }}",
          check=r"-----BEGIN PUBLIC KEY-----[\s\S]+", data={"jwk": _SAMPLE})  # fmt: skip
def jwk_public(text: bytes) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = _read(text)
    name = _go_type(key)
    if key.private or key.kind == b"oct":
        raise FunctionError(f"x509: unsupported public key type: {name}")
    if key.kind == b"RSA":
        # Written by hand, as the original asks nothing of the numbers.
        numbers = sequence(integer(key.number("n")), integer(key.number("e")))
        content = sequence(sequence(_RSA, NULL), bit_string(numbers))
    elif key.kind == b"OKP":
        content = sequence(sequence(_EDWARDS[key.text("crv")]), bit_string(key.content("x")))
    else:
        curve, numbers_ec = _curve(key)
        content = _guarded(
            lambda: numbers_ec.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
            f"{curve} point not on curve",
        )
    return encode_pem(b"PUBLIC KEY", content)


def _private(key: _Key) -> Any:
    """The key as the library holds it.

    Raises:
        ValueError: its numbers do not belong together.
    """
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519

    if key.kind == b"RSA":
        e, n, d = (key.number(member) for member in ("e", "n", "d"))
        if n.bit_length() > _LARGEST_RSA:
            raise ValueError("the key is too large")
        if key.members.get(b"p") is None or key.members.get(b"q") is None:
            p, q = rsa.rsa_recover_prime_factors(n, e, d)
        else:
            p, q = key.number("p"), key.number("q")
        extra = (rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q))
        return rsa.RSAPrivateNumbers(p, q, d, *extra, rsa.RSAPublicNumbers(e, n)).private_key()
    if key.kind == b"EC":
        return ec.EllipticCurvePrivateNumbers(key.number("d"), _curve(key)[1]).private_key()
    seed = key.content("d")
    loader: Any = ed25519.Ed25519PrivateKey if key.text("crv") == b"Ed25519" else x25519.X25519PrivateKey
    return loader.from_private_bytes(seed)


@function("jwkPrivateKeyPem", "string", "A private JWK as PKCS#8 PEM.", group=GROUP, example="{{ jwkPrivateKeyPem .jwk }}",
          check=r"-----BEGIN PRIVATE KEY-----[\s\S]+", data={"jwk": _SAMPLE_PRIVATE})  # fmt: skip
def jwk_private(text: bytes) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = _read(text)
    name = _go_type(key)
    if not key.private:
        raise FunctionError(f"x509: unknown key type while marshaling PKCS#8: {name}")
    failed = {
        b"RSA": "crypto/rsa: invalid private key: its numbers do not belong together",
        b"EC": "x509: failed to marshal EC private key while building PKCS#8: point not on curve",
        b"OKP": "failed to build public key: wrong private key size",
    }[key.kind]
    return _guarded(
        lambda: encode_pem(
            b"PRIVATE KEY", _private(key).private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        ),
        failed,
    )
