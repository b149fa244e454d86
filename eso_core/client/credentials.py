"""How a request proves who sends it."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

import msgspec

from eso_core.aio import Clock
from eso_core.client.tls import CertificatePair
from eso_core.meta.errors import ConfigError
from eso_core.meta.time import format_time

__all__ = ["Anonymous", "BasicAuth", "Credential", "Credentials", "FileToken", "StaticToken"]

_REREAD_SECONDS = 60.0
_LEEWAY_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Credential:
    """What goes into a request: headers, and a client certificate if the credentials bring one."""

    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    certificate: CertificatePair | None = field(default=None, repr=False)


class Credentials(Protocol):
    """A source of credentials."""

    async def get(self, clock: Clock) -> Credential:
        """The credential to use now; cheap when nothing has to be renewed.

        Raises:
            ConfigError: It cannot be had.
        """
        ...

    async def refresh(self, clock: Clock, rejected: Credential) -> bool:
        """Renews after a 401 on ``rejected``; whether there is a point in trying again.

        Raises:
            ConfigError: It cannot be had.
        """
        ...


_NOTHING = Credential()


class Anonymous:
    """No credentials in the request; a client certificate of the configuration may still prove who asks."""

    __slots__ = ()

    async def get(self, clock: Clock) -> Credential:
        return _NOTHING

    async def refresh(self, clock: Clock, rejected: Credential) -> bool:
        return False

    def __repr__(self) -> str:
        return "Anonymous()"


class StaticToken:
    """A bearer token that never changes."""

    __slots__ = ("_credential",)

    def __init__(self, token: str) -> None:
        self._credential = bearer(token)

    async def get(self, clock: Clock) -> Credential:
        return self._credential

    async def refresh(self, clock: Clock, rejected: Credential) -> bool:
        return False

    def __repr__(self) -> str:
        return "StaticToken()"


class BasicAuth:
    """User name and password."""

    __slots__ = ("_credential",)

    def __init__(self, username: str, password: str) -> None:
        pair = base64.b64encode(f"{username}:{password}".encode()).decode()
        self._credential = Credential(MappingProxyType({"Authorization": f"Basic {pair}"}))

    async def get(self, clock: Clock) -> Credential:
        return self._credential

    async def refresh(self, clock: Clock, rejected: Credential) -> bool:
        return False

    def __repr__(self) -> str:
        return "BasicAuth()"


class FileToken:
    """A bearer token in a file that someone else renews: read again every minute, and at once after a 401."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._credential: Credential | None = None
        self._read_at = 0.0

    async def get(self, clock: Clock) -> Credential:
        now = clock.monotonic()
        if self._credential is None:
            return await self._read(now)
        if now - self._read_at >= _REREAD_SECONDS - _LEEWAY_SECONDS:
            try:
                return await self._read(now)
            except ConfigError:
                # The kubelet replaces the file; while it cannot be read the token at hand is usually still good.
                self._read_at = now
        return self._credential

    async def refresh(self, clock: Clock, rejected: Credential) -> bool:
        fresh = await self._read(clock.monotonic())
        return fresh.headers != rejected.headers

    async def _read(self, now: float) -> Credential:
        try:
            token = (await asyncio.to_thread(Path(self.path).read_text, "utf-8")).strip()
        except (OSError, UnicodeDecodeError) as exc:
            raise ConfigError(f"reading the bearer token in {self.path}: {exc}: check the file") from exc
        if not token:
            raise ConfigError(f"reading the bearer token in {self.path}: the file is empty")
        self._read_at = now
        if self._credential is None or self._credential.headers.get("Authorization") != f"Bearer {token}":
            self._credential = bearer(token)
        return self._credential

    def __repr__(self) -> str:
        return f"FileToken({self.path!r})"


def rejection(credential: Credential, source: str, now: datetime) -> str:
    """What to do about a 401, for messages.

    Args:
        credential: What the server did not accept.
        source: Where it came from.
    """
    where = f" of {source}" if source else ""
    header = credential.headers.get("Authorization", "")
    if not header and credential.certificate is None:
        return f"there are no credentials in the configuration{where}: add a token, a certificate or an exec plugin"
    expiry = jwt_expiry(header.removeprefix("Bearer "))
    if expiry is not None and expiry < now:
        return f"the token{where} expired on {format_time(expiry)}: log in again or get a new token"
    return f"the server does not accept the credentials{where}: they are wrong or expired: log in again"


def jwt_expiry(token: str) -> datetime | None:
    """When a JWT ends; ``None`` when it does not say, or is none."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = msgspec.json.decode(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return datetime.fromtimestamp(claims["exp"], UTC)
    except (ValueError, KeyError, TypeError, OverflowError, msgspec.DecodeError):
        return None


def bearer(token: str) -> Credential:
    """The credential of a bearer token.

    Raises:
        ConfigError: The token cannot stand in a header.
    """
    if not token.isascii() or not token.isprintable():
        raise ConfigError("using a bearer token: it has characters that cannot stand in a header: check the token")
    return Credential(MappingProxyType({"Authorization": f"Bearer {token}"}))
