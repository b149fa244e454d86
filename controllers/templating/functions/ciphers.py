"""AES with a password."""

from __future__ import annotations

import base64
import re
import secrets
from typing import Any

from controllers.templating.functions import stable
from controllers.templating.functions.encoding import Corrupt, decode_base64
from controllers.templating.functions.registry import FunctionError, function

__all__: list[str] = []

GROUP = "Passwords"
_BLOCK = 16


def _cbc(password: bytes, start: bytes) -> Any:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    return Cipher(algorithms.AES(password[:32].ljust(32, b"\0")), modes.CBC(start))


def _open(password: bytes, sealed: bytes) -> bytes:
    """The text of start value and ciphertext.

    Raises:
        FunctionError: it is too short, not made of whole blocks, or filled up with more than there is.
    """
    if len(sealed) < _BLOCK:
        # The capacity that Go's message names is that of its decoder's buffer.
        capacity = -(-len(sealed) // 3) * 3
        raise FunctionError(f"runtime error: slice bounds out of range [:16] with capacity {capacity}")
    if len(sealed) % _BLOCK:
        raise FunctionError("crypto/cipher: input not full blocks")
    decryptor = _cbc(password, sealed[:_BLOCK]).decryptor()
    plain: bytes = decryptor.update(sealed[_BLOCK:]) + decryptor.finalize()
    if not plain:
        raise FunctionError("runtime error: index out of range [-1]")
    if plain[-1] > len(plain):
        raise FunctionError(f"runtime error: slice bounds out of range [:{len(plain) - plain[-1]}]")
    return plain[: len(plain) - plain[-1]]


@function("encryptAES", "string, string",
          "AES-256-CBC with a random start, base64 encoded; the result of the last render stays while it decrypts to the text.",
          group=GROUP, example='{{ encryptAES "k" "plain" }}', check="[A-Za-z0-9+/=]{44}", pure=False)  # fmt: skip
def encrypt_aes(password: bytes, text: bytes) -> bytes:
    if not text:
        return b""
    fill = _BLOCK - len(text) % _BLOCK
    padded = text + bytes([fill]) * fill

    def same(candidate: bytes) -> bool:
        try:
            sealed = decode_base64(candidate)
            return len(sealed) == _BLOCK + len(padded) and _open(password, sealed) == text
        except (Corrupt, FunctionError):
            return False

    letters, equals = divmod(_BLOCK + len(padded), 3)
    digits = letters * 4 + (equals + 1 if equals else 0)
    sealed_form = re.compile(rb"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{%d}={%d}(?![A-Za-z0-9+/=])" % (digits, -digits % 4))
    kept = stable.keep(sealed_form, same)
    if kept is not None:
        return kept
    start = secrets.token_bytes(_BLOCK)
    encryptor = _cbc(password, start).encryptor()
    return base64.b64encode(start + encryptor.update(padded) + encryptor.finalize())


@function("decryptAES", "string, string", "The text that encryptAES encrypted.", group=GROUP,
          example='{{ decryptAES "secretkey" "30tEfhuJSVRhpG97XCuWgz2okj7L8vQ1s6V9zVUPeDQ=" }}', result="plaintext")  # fmt: skip
def decrypt_aes(password: bytes, text: bytes) -> bytes:
    if not text:
        return b""
    try:
        sealed = decode_base64(text)
    except Corrupt as error:
        raise FunctionError(str(error)) from None
    return _open(password, sealed)
