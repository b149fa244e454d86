"""MFA: a time-based one-time password (RFC 6238)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct
from typing import Annotated, ClassVar, Final

from pydantic import Field

from eso_core.meta import parse_time
from eso_core.model import Schema
from generators.errors import GeneratorFailed, InvalidGenerator
from generators.interface import Generated, Generator, GeneratorContext
from generators.spec import GeneratorSpec
from providers.errors import BrokenReference
from providers.spec import SecretKeySelector

__all__ = ["MFAGenerator", "MFASpec", "totp"]

_LENGTH: Final = 6
_PERIOD: Final = 30
_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_LONGEST: Final = 4096


class MFASpec(GeneratorSpec):
    """Whose codes."""

    secret: SecretKeySelector = Field(description="Secret with the seed, in base32.")
    length: int | None = Field(None, description="Digits of a code (default 6).")
    time_period: int | None = Field(None, description="Seconds for which a code is valid (default 30).")
    algorithm: str | None = Field(None, description="Not used: codes are made with SHA-1.")
    when: Annotated[str | None, Schema(extra={"format": "date-time"})] = Field(
        None, description="A fixed instant instead of now."
    )


class MFAGenerator(Generator):
    """The code of this moment, and for how many seconds it is valid."""

    kind: ClassVar[str] = "MFA"
    plural: ClassVar[str] = "mfas"
    member: ClassVar[str] = "mfaSpec"
    spec: ClassVar[type[GeneratorSpec]] = MFASpec

    async def generate(self, spec: GeneratorSpec, ctx: GeneratorContext) -> Generated:
        assert isinstance(spec, MFASpec)
        key = spec.secret.key or ""
        try:
            secret = await ctx.resolver.secret(spec.secret)
        except BrokenReference as exc:
            raise GeneratorFailed(
                f"failed to find secret for token key: {exc}", kind=exc.kind, retryable=exc.retryable
            ) from exc
        encoded = (secret.get("data") or {}).get(key)
        if encoded is None:
            raise GeneratorFailed(f"secret key {key} does not exist in secret data map", kind=BrokenReference.kind)
        try:
            moment = ctx.clock.now() if spec.when is None else parse_time(spec.when)
        except ValueError as exc:
            raise InvalidGenerator(f"spec.when: {exc}") from exc
        period = spec.time_period if spec.time_period and spec.time_period > 0 else _PERIOD
        length = spec.length if spec.length and spec.length > 0 else _LENGTH
        if length > _LONGEST:
            raise InvalidGenerator(f"spec.length: {length} digits are more than {_LONGEST}")
        seconds = int(moment.timestamp())
        code = totp(base64.b64decode(encoded), seconds // period, length)
        return Generated({"token": code.encode(), "timeLeft": str(period - seconds % period).encode()})


def totp(seed: bytes, counter: int, length: int) -> str:
    """The code of a counter.

    Args:
        seed: In base32 without padding; spaces and line ends do not count, nor does case. Characters at its end that make no
            whole bytes - one, three or six after the last group of eight - do not count either.
        counter: Number of the time step.
        length: Digits.

    Raises:
        GeneratorFailed: The seed is no base32.
    """
    text = seed.decode("ascii", "replace").replace(" ", "").replace("\r", "").replace("\n", "").upper()
    for place, character in enumerate(text):
        if character not in _ALPHABET:
            raise _bad_seed(f"illegal base32 data at input byte {place}")
    if len(text) % 8 in (1, 3, 6):
        text = text[: len(text) // 8 * 8]
    key = base64.b32decode(text + "=" * (-len(text) % 8))
    digest = hmac.new(key, struct.pack(">q", counter), hashlib.sha1).digest()
    offset = digest[-1] & 0x0F
    number = struct.unpack(">I", digest[offset : offset + 4])[0] & 0x7FFFFFFF
    return str(number % 10**length).zfill(length)


def _bad_seed(reason: str) -> GeneratorFailed:
    return GeneratorFailed(f"failed to generate code for token key: failed to generate OTP code: {reason}")
