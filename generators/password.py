"""Password: random text with exact numbers of digits and symbols."""

from __future__ import annotations

import asyncio
import base64
import secrets
import string
from collections.abc import Callable
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from eso_core.model import Schema
from generators.errors import InvalidGenerator
from generators.interface import Generated, Generator, GeneratorContext
from generators.spec import GeneratorSpec

__all__ = ["SYMBOLS", "PasswordGenerator", "PasswordSpec", "make_password"]

SYMBOLS: Final = '~!@#$%^&*()_+`-={}|[]\\:"<>?,./'
_LENGTH: Final = 24
_LONGEST: Final = 1_000_000
_LONG: Final = 4096
"""Characters that are made without leaving the loop: a few milliseconds."""
_TRIES: Final = 100

_NO_SYMBOLS: Final = "number of symbols exceeds available symbols and repeats are not allowed"

_ENCODINGS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "base64": base64.b64encode,
    "base64url": base64.urlsafe_b64encode,
    "base32": base64.b32encode,
    "hex": lambda raw: raw.hex().encode(),
}


class PasswordSpec(GeneratorSpec):
    """What a password is made of."""

    length: Annotated[int, Schema(required=True)] = Field(24, description="Number of characters.")
    digits: int | None = Field(None, description="Number of digits; a quarter of the length unless given.")
    symbols: int | None = Field(None, description="Number of symbols; a quarter of the length unless given.")
    symbol_characters: str | None = Field(None, description="Characters that count as symbols.")
    no_upper: Annotated[bool, Schema(required=True)] = Field(False, description="Lower case letters only.")
    allow_repeat: Annotated[bool, Schema(required=True)] = Field(
        False, description="Whether a character may occur more than once."
    )
    secret_keys: Annotated[list[str] | None, Schema(extra={"minItems": 1})] = Field(
        None, description="Output keys, each with a password of its own; `password` unless given."
    )
    encoding: Literal["base64", "base64url", "base32", "hex", "raw"] = Field(
        "raw", description="How the password is encoded."
    )


class PasswordGenerator(Generator):
    """One password for each output key."""

    kind: ClassVar[str] = "Password"
    plural: ClassVar[str] = "passwords"
    member: ClassVar[str] = "passwordSpec"
    spec: ClassVar[type[GeneratorSpec]] = PasswordSpec

    async def generate(self, spec: GeneratorSpec, ctx: GeneratorContext) -> Generated:
        assert isinstance(spec, PasswordSpec)
        keys = spec.secret_keys if spec.secret_keys is not None else ["password"]
        if not all(keys) or len(set(keys)) != len(keys) or not keys:
            raise InvalidGenerator("secretKeys must be non-empty and unique")
        encode: Callable[[bytes], bytes] = _ENCODINGS.get(spec.encoding, bytes)
        if spec.length * len(keys) > _LONG:
            passwords = await asyncio.to_thread(lambda: [make_password(spec) for _ in keys])
        else:
            passwords = [make_password(spec) for _ in keys]
        return Generated({key: encode(password) for key, password in zip(keys, passwords, strict=True)})


def make_password(spec: PasswordSpec) -> bytes:
    """A password, not encoded yet.

    Raises:
        InvalidGenerator: The numbers do not fit together.
    """
    length = spec.length if spec.length > 0 else _LENGTH
    if length > _LONGEST:
        raise InvalidGenerator(f"spec.length: {length} is more than {_LONGEST}: choose a shorter password")
    digits = length // 4 if spec.digits is None else spec.digits
    symbols = length // 4 if spec.symbols is None else spec.symbols
    if digits < 0 or symbols < 0:
        raise InvalidGenerator("spec.digits and spec.symbols must not be negative")
    letters = length - digits - symbols
    alphabet = (string.ascii_lowercase + ("" if spec.no_upper else string.ascii_uppercase)).encode()
    marks = (spec.symbol_characters or SYMBOLS).encode()
    if letters < 0:
        raise InvalidGenerator("number of digits and symbols must be less than total length")
    if spec.allow_repeat:
        drawn = [secrets.choice(alphabet) for _ in range(letters)]
        drawn += [secrets.choice(string.digits.encode()) for _ in range(digits)]
        drawn += [secrets.choice(marks) for _ in range(symbols)]
    else:
        if letters > len(alphabet):
            raise InvalidGenerator("number of letters exceeds available letters and repeats are not allowed")
        if digits > len(string.digits):
            raise InvalidGenerator("number of digits exceeds available digits and repeats are not allowed")
        if symbols > len(set(marks)):
            raise InvalidGenerator(_NO_SYMBOLS)
        drawn = _distinct([(letters, alphabet), (digits, string.digits.encode()), (symbols, marks)])
    # Each drawn character goes to a random place: the order is a random one.
    secrets.SystemRandom().shuffle(drawn)
    return bytes(drawn)


def _distinct(classes: list[tuple[int, bytes]]) -> list[int]:
    """As many characters of each class as asked for, none twice.

    Raises:
        InvalidGenerator: The classes share so many characters that there are not enough.
    """
    for _ in range(_TRIES):
        drawn: list[int] = []
        for wanted, characters in classes:
            free = sorted(set(characters).difference(drawn))
            if len(free) < wanted:
                break
            drawn += secrets.SystemRandom().sample(free, wanted)
        else:
            return drawn
    raise InvalidGenerator(_NO_SYMBOLS)
