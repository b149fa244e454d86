"""Random text: new output at every call."""

from __future__ import annotations

import base64
import secrets
import string
import uuid

from controllers.templating.budget import allocate, spend
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
    allocate(len(text))
    characters = list(text_of(text))
    for last in range(len(characters) - 1, 0, -1):
        if last % 64 == 0:
            spend(64)
        other = secrets.randbelow(last + 1)
        characters[last], characters[other] = characters[other], characters[last]
    return "".join(characters).encode()
