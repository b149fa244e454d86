"""Bearer tokens of an OpenID Connect provider, renewed with the refresh token of a kubeconfig."""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from eso_core.aio import Clock, SingleFlight
from eso_core.client.credentials import Credential, bearer, jwt_expiry
from eso_core.client.tls import Pem, make_context
from eso_core.client.writeback import KubeconfigTokens
from eso_core.meta.errors import ConfigError
from eso_core.meta.gvk import JsonObject

__all__ = ["OidcCredentials", "OidcSettings"]

_log = logging.getLogger("eso_core.client")

_LEEWAY_SECONDS = 10.0
_REQUEST_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class OidcSettings:
    """What the ``auth-provider`` section says."""

    issuer_url: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    id_token: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)
    ca: Pem | None = None
    where: str = "kubeconfig"


class OidcCredentials:
    """Sends the ID token; gets a new one when it is about to expire or after a 401.

    Attributes:
        write_back: where new tokens are kept for other programs; None keeps them in memory only.
    """

    def __init__(self, settings: OidcSettings) -> None:
        self.settings = settings
        self.write_back: KubeconfigTokens | None = None
        self._refresh_token = settings.refresh_token
        self._credential: Credential | None = None
        self._expires: datetime | None = None
        self._flight: SingleFlight[str, Credential] = SingleFlight()
        if settings.id_token:
            self._keep(settings.id_token)

    @classmethod
    def from_kubeconfig(cls, config: JsonObject, where: str) -> OidcCredentials:
        """From ``auth-provider.config``.

        Raises:
            ConfigError: Issuer or client id are missing.
        """
        for key in ("idp-issuer-url", "client-id"):
            if not config.get(key):
                raise ConfigError(f"reading {where}: auth-provider oidc has no {key}")
        ca: Pem | None = None
        if config.get("idp-certificate-authority-data"):
            try:
                ca = Pem(data=base64.b64decode(str(config["idp-certificate-authority-data"])))
            except (binascii.Error, ValueError):
                raise ConfigError(f"reading {where}: idp-certificate-authority-data is no valid base64") from None
        elif config.get("idp-certificate-authority"):
            ca = Pem(path=str(config["idp-certificate-authority"]))
        return cls(
            OidcSettings(
                issuer_url=str(config["idp-issuer-url"]).rstrip("/"),
                client_id=str(config["client-id"]),
                client_secret=str(config.get("client-secret") or ""),
                id_token=str(config.get("id-token") or ""),
                refresh_token=str(config.get("refresh-token") or ""),
                ca=ca,
                where=where,
            )
        )

    async def get(self, clock: Clock) -> Credential:
        credential = self._credential
        if credential is not None and (
            self._expires is None or (self._expires - clock.now()).total_seconds() > _LEEWAY_SECONDS
        ):
            return credential
        return await self._flight.do("refresh", lambda: self._renew(clock))

    async def refresh(self, clock: Clock, rejected: Credential) -> bool:
        if not self._refresh_token:
            return False
        if self._credential is rejected or self._credential is None:
            await self._flight.do("refresh", lambda: self._renew(clock))
        return True

    async def _renew(self, clock: Clock) -> Credential:
        import aiohttp

        settings = self.settings
        doing = f"renewing the OIDC token of {settings.where}"
        if not self._refresh_token:
            raise ConfigError(f"{doing}: it expired and there is no refresh-token: log in again")
        context = make_context(settings.ca.read("the OIDC CA certificate") if settings.ca else b"")
        form = {"grant_type": "refresh_token", "refresh_token": self._refresh_token, "client_id": settings.client_id}
        headers = {}
        if settings.client_secret:
            pair = base64.b64encode(f"{settings.client_id}:{settings.client_secret}".encode()).decode()
            headers["Authorization"] = f"Basic {pair}"
        try:
            async with clock.timeout(_REQUEST_SECONDS):
                async with aiohttp.ClientSession(
                    connector=aiohttp.TCPConnector(ssl=context), trust_env=True
                ) as session:
                    async with session.get(f"{settings.issuer_url}/.well-known/openid-configuration") as response:
                        endpoint = _field(await response.read(), "token_endpoint") if response.status == 200 else ""
                    if not endpoint:
                        raise ConfigError(f"{doing}: {settings.issuer_url} has no OIDC discovery document")
                    async with session.post(endpoint, data=form, headers=headers) as response:
                        body, status = await response.read(), response.status
        except (aiohttp.ClientError, TimeoutError) as exc:
            raise ConfigError(f"{doing}: {settings.issuer_url} cannot be reached: {type(exc).__name__}") from exc
        token = _field(body, "id_token") if status == 200 else ""
        if not token:
            raise ConfigError(f"{doing}: the provider answered {status} without an id_token: log in again")
        self._refresh_token = _field(body, "refresh_token") or self._refresh_token
        credential = self._keep(token)
        if self.write_back is not None:
            try:
                await asyncio.to_thread(self.write_back.write, token, self._refresh_token)
            except ConfigError as exc:
                # The tokens work all the same; the next program has to log in again.
                _log.warning("%s", exc)
        return credential

    def _keep(self, token: str) -> Credential:
        self._expires = jwt_expiry(token)
        self._credential = bearer(token)
        return self._credential

    def __repr__(self) -> str:
        return f"OidcCredentials({self.settings.issuer_url!r})"


def _field(body: bytes, name: str) -> str:
    try:
        document = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return ""
    return str(document.get(name) or "") if isinstance(document, dict) else ""
