"""SSHKey: a key pair in the formats of OpenSSH."""

from __future__ import annotations

import asyncio
import base64
import struct
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from eso_core.model import Schema
from generators.errors import InvalidGenerator
from generators.interface import Generated, Generator, GeneratorContext
from generators.spec import GeneratorSpec

__all__ = ["SSHKeyGenerator", "SSHKeySpec", "make_pair"]

_BEGIN: Final = b"-----BEGIN OPENSSH PRIVATE KEY-----\n"
_END: Final = b"-----END OPENSSH PRIVATE KEY-----\n"
_MAGIC: Final = b"openssh-key-v1\x00"
_LINE: Final = 64
_BLOCK: Final = 8


class SSHKeySpec(GeneratorSpec):
    """What kind of key."""

    key_type: Literal["rsa", "ecdsa", "ed25519"] = Field("rsa", description="Type of the key.")
    key_size: Annotated[int | None, Schema(extra={"minimum": 256, "maximum": 8192})] = Field(
        None, description="Bits: 2048 for rsa and 256 for ecdsa unless given; ed25519 has one size."
    )
    comment: str | None = Field(None, description="Comment in both files.")


class SSHKeyGenerator(Generator):
    """A private key file and the line for authorized_keys."""

    kind: ClassVar[str] = "SSHKey"
    plural: ClassVar[str] = "sshkeys"
    member: ClassVar[str] = "sshKeySpec"
    spec: ClassVar[type[GeneratorSpec]] = SSHKeySpec

    async def generate(self, spec: GeneratorSpec, ctx: GeneratorContext) -> Generated:
        assert isinstance(spec, SSHKeySpec)
        # A large RSA key takes seconds.
        private, public = await asyncio.to_thread(make_pair, spec.key_type, spec.key_size or 0, spec.comment or "")
        return Generated({"privateKey": private, "publicKey": public})


def make_pair(key_type: str, size: int, comment: str) -> tuple[bytes, bytes]:
    """Private key file and public key line.

    Args:
        key_type: `rsa`, `ecdsa` or `ed25519`.
        size: Bits, 0 for the default. Of ecdsa, 384 and 521 choose their curves and every other number P-256.
        comment: For both.

    Raises:
        InvalidGenerator: There is no such key.
    """
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    if "\n" in comment or "\r" in comment:
        raise InvalidGenerator("unable to generate SSH key: spec.comment must be one line")
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
    match key_type:
        case "rsa":
            try:
                key = rsa.generate_private_key(65537, size or 2048)
            except ValueError as exc:
                raise InvalidGenerator(f"unable to generate SSH key: {exc}") from exc
        case "ecdsa":
            curve = {384: ec.SECP384R1(), 521: ec.SECP521R1()}.get(size, ec.SECP256R1())
            key = ec.generate_private_key(curve)
        case "ed25519":
            key = ed25519.Ed25519PrivateKey.generate()
        case _:
            raise InvalidGenerator(f"unsupported key type: {key_type}")
    file = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    line = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return _commented(file, comment.encode()), line + (b" " + comment.encode() if comment else b"") + b"\n"


def _commented(file: bytes, comment: bytes) -> bytes:
    """The private key file with a comment, which the library leaves empty (format: PROTOCOL.key of OpenSSH)."""
    blob = base64.b64decode(b"".join(file.strip().splitlines()[1:-1]))
    assert blob.startswith(_MAGIC)
    position = len(_MAGIC)
    for _ in range(3):  # cipher, key derivation, its options
        position += 4 + struct.unpack_from(">I", blob, position)[0]
    position += 4  # number of keys: one
    position += 4 + struct.unpack_from(">I", blob, position)[0]  # the public key
    secret = blob[position + 4 :]
    padding = next(n for n in range(_BLOCK + 1) if secret.endswith(b"\0\0\0\0" + bytes(range(1, n + 1))))
    secret = secret[: len(secret) - padding - 4] + struct.pack(">I", len(comment)) + comment
    secret += bytes(range(1, 1 + -len(secret) % _BLOCK))
    text = base64.b64encode(blob[:position] + struct.pack(">I", len(secret)) + secret)
    lines = [text[start : start + _LINE] for start in range(0, len(text), _LINE)]
    return _BEGIN + b"\n".join(lines) + b"\n" + _END
