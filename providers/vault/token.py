"""One token per open store: obtained once, renewed while that works, replaced before it ends, revoked at the end.

Nothing runs in the background. Whoever needs the token looks at its age first; past two thirds of its life it is
renewed, and shortly before its end (or when renewing fails for good) a new login is made. Callers that arrive meanwhile
share that one request.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from eso_core.aio import Clock, SingleFlight
from providers.errors import ProviderError, Unavailable
from providers.gojson import Number
from providers.vault.http import Answer, VaultHttp, VaultRefused

__all__ = ["Login", "Token", "TokenKeeper"]

_LAST_SECONDS = 60.0  # a token with less than this left is as good as gone ...
_LAST_SHARE = 0.1  # ... unless all of its life is short
_RENEW_AFTER = 2 / 3
_LOGIN_HOLD = 5.0  # after a failed login: servers lock out who tries too often
_CHECK_HOLD = 10.0  # after a look-up: readers of forbidden paths need not ask each time


@dataclass(frozen=True, slots=True)
class Token:
    """What a login gave. Instants are the clock's monotonic seconds; None means for ever."""

    value: str = field(repr=False)
    obtained: float
    lease: float | None
    renewable: bool = False
    ours: bool = False  # we logged in for it, so we revoke it

    @property
    def ends(self) -> float | None:
        """After this instant it must not be used any more."""
        if self.lease is None:
            return None
        return self.obtained + self.lease - min(_LAST_SECONDS, self.lease * _LAST_SHARE)

    @property
    def renew_at(self) -> float | None:
        if self.lease is None or not self.renewable:
            return None
        return self.obtained + self.lease * _RENEW_AFTER


class Login(Protocol):
    """A way to obtain a token, reading its credentials anew each time."""

    async def __call__(self, http: VaultHttp) -> Token: ...


def token_from(answer: Answer | None, obtained: float) -> Token | None:
    """The token in a login or renewal response, or None when there is none in it."""
    auth = None if answer is None else answer.mapping("auth")
    value = None if auth is None else auth.get("client_token")
    if auth is None or not isinstance(value, str) or not value:
        return None
    duration = auth.get("lease_duration")
    lease = float(duration.text) if isinstance(duration, Number) else 0.0
    batch = auth.get("token_type") == "batch"
    return Token(
        value,
        obtained,
        lease if lease > 0 else None,
        renewable=auth.get("renewable") is True and not batch,
        ours=not batch,  # batch tokens cannot be revoked
    )


class TokenKeeper:
    """Holds the token of one open store.

    Args:
        http: Where to log in.
        login: How; None sends no token at all.
        namespace: In which the token is renewed and revoked.
        clock: Time.
    """

    def __init__(self, http: VaultHttp, login: Login | None, *, namespace: str, clock: Clock) -> None:
        self._http = http
        self._login = login
        self._namespace = namespace
        self._clock = clock
        self._token: Token | None = None
        self._renew_not_before = 0.0
        self._failure: tuple[float, ProviderError] | None = None  # until when, and what
        self._known_until = 0.0  # the server was asked and knows the token
        self._flight: SingleFlight[str, Token] = SingleFlight()
        self._checks: SingleFlight[Token, bool] = SingleFlight()

    async def token(self) -> str:
        """A token that is good for a while; empty when the store has no auth.

        Raises:
            ProviderError: Logging in failed.
        """
        if self._login is None:
            return ""
        current = self._token
        now = self._clock.monotonic()
        if current is not None and (current.ends is None or now < current.ends):
            if current.renew_at is None or now < max(current.renew_at, self._renew_not_before):
                return current.value
            return (await self._flight.do("token", self._renew)).value
        return (await self._flight.do("token", self._log_in)).value

    async def replacement(self, refused: str) -> str | None:
        """Another token for a request that was refused with ``refused``, or None when there is no point in trying.

        A refusal may come from the policies or from a token that was revoked or lost; only the latter is helped by a
        new login, so the server is asked first.
        """
        current = self._token
        if self._login is None or current is None:
            return None
        if current.value != refused:
            return current.value  # somebody else was refused before and has replaced it
        if current.ours:
            if self._clock.monotonic() < self._known_until or await self._checks.do(
                current, lambda: self._is_known(current)
            ):
                return None
        if self._token is current:
            self._token = None
        fresh = (await self._flight.do("token", self._log_in)).value
        return None if fresh == refused else fresh

    async def aclose(self) -> None:
        """Revokes the token if we logged in for it.

        Raises:
            ProviderError: The server does not confirm that it is revoked.
        """
        current, self._token = self._token, None
        if current is None or not current.ours:
            return
        if current.lease is not None and self._clock.monotonic() >= current.obtained + current.lease:
            return
        try:
            await self._http.request(
                "PUT", "auth/token/revoke-self", call="RevokeSelf", token=current.value, namespace=self._namespace
            )
        except ProviderError as exc:
            raise ProviderError(f"error while revoking token: {exc}", kind=exc.kind, retryable=exc.retryable) from exc

    async def _is_known(self, current: Token) -> bool:
        """Whether the server knows the token."""
        try:
            await self._http.request(
                "GET", "auth/token/lookup-self", call="LookupSelf", token=current.value, namespace=self._namespace
            )
        except VaultRefused:
            return False
        self._known_until = self._clock.monotonic() + _CHECK_HOLD
        return True

    async def _log_in(self) -> Token:
        assert self._login is not None
        if self._failure is not None and self._clock.monotonic() < self._failure[0]:
            raise self._failure[1].with_traceback(None)
        try:
            self._token = await self._login(self._http)
        except ProviderError as exc:
            self._failure = (self._clock.monotonic() + _LOGIN_HOLD, exc)
            raise
        self._failure = None
        self._renew_not_before = self._known_until = 0.0
        return self._token

    async def _renew(self) -> Token:
        current = self._token
        if current is None:
            return await self._log_in()
        asked = self._clock.monotonic()
        try:
            answer = await self._http.request(
                "PUT",
                "auth/token/renew-self",
                call="RenewSelf",
                token=current.value,
                namespace=self._namespace,
                body={},
            )
        except Unavailable:
            # Still valid for a while: use it, and ask again a little later.
            self._renew_not_before = asked + (current.lease or 0.0) * _LAST_SHARE
            return current
        except ProviderError:
            return await self._log_in()
        renewed = token_from(answer, asked)
        if renewed is None:
            return await self._log_in()
        if renewed.ends is not None and current.ends is not None and renewed.ends <= current.ends:
            # Its maximum is reached; it cannot be made longer, so it is used to its end and then replaced.
            renewed = Token(renewed.value, renewed.obtained, renewed.lease, renewable=False, ours=renewed.ours)
        self._token = renewed
        return renewed
