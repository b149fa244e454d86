"""Random text, and AES with a random start: new output at every call."""

from __future__ import annotations

import base64
import secrets
import string
import uuid

from controllers.templating.budget import allocate
from controllers.templating.functions.encoding import Corrupt, decode_base64
from controllers.templating.functions.registry import FunctionError, function
from controllers.templating.gotemplate.quoting import text as text_of

__all__: list[str] = []

GROUP = "Random"
_ASCII = bytes(range(32, 127))


def _draw(count: int, alphabet: bytes) -> bytes:
    if count <= 0:
        return b""
    allocate(count)
    return bytes(secrets.choice(alphabet) for _ in range(count))


@function("randAlpha", "int", "Random ASCII letters.", group=GROUP, example="{{ randAlpha 8 }}",
          check="[A-Za-z]{8}", pure=False)  # fmt: skip
def rand_alpha(count: int) -> bytes:
    return _draw(count, string.ascii_letters.encode())


@function("randAlphaNum", "int", "Random ASCII letters and digits.", group=GROUP, example="{{ randAlphaNum 8 }}",
          check="[A-Za-z0-9]{8}", pure=False)  # fmt: skip
def rand_alnum(count: int) -> bytes:
    return _draw(count, (string.ascii_letters + string.digits).encode())


@function(
    "randNumeric", "int", "Random digits.", group=GROUP, example="{{ randNumeric 8 }}", check="[0-9]{8}", pure=False
)
def rand_numeric(count: int) -> bytes:
    return _draw(count, string.digits.encode())


@function("randAscii", "int", "Random printable ASCII characters.", group=GROUP, example="{{ randAscii 8 }}",
          check="[ -~]{8}", pure=False)  # fmt: skip
def rand_ascii(count: int) -> bytes:
    return _draw(count, _ASCII)


@function("randBytes", "int", "Random bytes, base64 encoded.", group=GROUP, example="{{ randBytes 3 }}",
          check="[A-Za-z0-9+/]{4}", pure=False)  # fmt: skip
def rand_bytes(count: int) -> bytes:
    if count < 0:
        raise FunctionError("runtime error: makeslice: len out of range")
    allocate(count)
    return base64.b64encode(secrets.token_bytes(count))


@function("randInt", "int, int", "A random integer from the first bound to just below the second.", group=GROUP,
          example="{{ randInt 3 5 }}", check="[34]", pure=False)  # fmt: skip
def rand_int(low: int, high: int) -> int:
    if high <= low or high - low >= 1 << 63:
        raise FunctionError("invalid argument to Intn")
    return low + secrets.randbelow(high - low)


@function("uuidv4", "", "A random UUID.", group=GROUP, example="{{ uuidv4 }}", check="[0-9a-f-]{36}", pure=False)
def uuid4() -> bytes:
    return str(uuid.uuid4()).encode()


@function("shuffle", "string", "The characters of the text in random order.", group=GROUP,
          example='{{ shuffle "aab" }}', check="[ab]{3}", pure=False)  # fmt: skip
def shuffle(text: bytes) -> bytes:
    characters = list(text_of(text))
    secrets.SystemRandom().shuffle(characters)
    return "".join(characters).encode()


def _aes_key(password: bytes) -> bytes:
    return password[:32].ljust(32, b"\0")


@function("encryptAES", "string, string", "AES-256-CBC with a random start, base64 encoded; empty text stays empty.",
          group=GROUP, example='{{ encryptAES "k" "plain" }}', check="[A-Za-z0-9+/=]{44}", pure=False)  # fmt: skip
def encrypt_aes(password: bytes, text: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    if not text:
        return b""
    start = secrets.token_bytes(16)
    fill = 16 - len(text) % 16
    encryptor = Cipher(algorithms.AES(_aes_key(password)), modes.CBC(start)).encryptor()
    return base64.b64encode(start + encryptor.update(text + bytes([fill]) * fill) + encryptor.finalize())


@function("decryptAES", "string, string", "The text that encryptAES encrypted.", group=GROUP,
          example='{{ decryptAES "secretkey" "30tEfhuJSVRhpG97XCuWgz2okj7L8vQ1s6V9zVUPeDQ=" }}', result="plaintext")  # fmt: skip
def decrypt_aes(password: bytes, text: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    if not text:
        return b""
    try:
        sealed = decode_base64(text)
    except Corrupt as fault:
        raise FunctionError(str(fault)) from None
    if len(sealed) < 16:
        raise FunctionError(f"runtime error: slice bounds out of range [:16] with capacity {len(text) // 4 * 3}")
    if len(sealed) % 16:
        raise FunctionError("crypto/cipher: input not full blocks")
    if len(sealed) == 16:
        raise FunctionError("runtime error: index out of range [-1]")
    decryptor = Cipher(algorithms.AES(_aes_key(password)), modes.CBC(sealed[:16])).decryptor()
    plain = decryptor.update(sealed[16:]) + decryptor.finalize()
    if plain[-1] > len(plain):
        raise FunctionError(f"runtime error: slice bounds out of range [:{len(plain) - plain[-1]}]")
    return plain[: len(plain) - plain[-1]]
