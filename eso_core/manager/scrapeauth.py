"""Who may scrape: bearer tokens, checked by the API server."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import Struct

from eso_core.aio import Clock, SingleFlight
from eso_core.meta import JsonObject
from eso_core.meta.errors import ApiError, TransportError

__all__ = ["Denied", "ScrapeAuth"]

_TOKEN_TTL = 60.0
_ALLOW_TTL = 300.0
_DENY_TTL = 30.0
_CALL_LIMIT = 10.0
_STEPS = 5
_FIRST_DELAY = 0.5
_MAX_ENTRIES = 1024


class Denied(Exception):
    """The request is not allowed; `status` is the HTTP status to answer with."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class _User(Struct, frozen=True):
    name: str
    uid: str
    groups: tuple[str, ...]
    extra: tuple[tuple[str, tuple[str, ...]], ...]


class _Expiring:
    """A small map whose entries live for a time of their own."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: dict[object, tuple[float, Any]] = {}

    def get(self, key: object) -> Any:
        entry = self._entries.get(key)
        return entry[1] if entry is not None and entry[0] > self._clock.monotonic() else None

    def put(self, key: object, value: object, ttl: float) -> None:
        now = self._clock.monotonic()
        if len(self._entries) >= _MAX_ENTRIES:
            self._entries = {k: e for k, e in self._entries.items() if e[0] > now}
            if len(self._entries) >= _MAX_ENTRIES:
                self._entries.clear()
        self._entries[key] = (now + ttl, value)


class ScrapeAuth:
    """Checks a request's bearer token by a TokenReview, and what its user may read by a SubjectAccessReview.

    Answers are remembered: users for 60 s, permissions for 5 min, refusals for 30 s. Tokens are kept as hashes only.

    Args:
        create: posts a review and returns the answer; the client's `create`.
        clock: time and waiting.
    """

    def __init__(self, create: Callable[[JsonObject], Awaitable[JsonObject]], clock: Clock) -> None:
        self._create = create
        self._clock = clock
        self._users = _Expiring(clock)
        self._decisions = _Expiring(clock)
        self._flights: SingleFlight[object, Any] = SingleFlight()

    async def check(self, authorization: str, path: str) -> None:
        """Returns when the request may read `path`.

        Raises:
            Denied: 401 without a valid token, 403 without permission.
            ApiError, TransportError, TimeoutError: the reviews failed.
        """
        scheme, _, token = authorization.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise Denied(401, "Unauthorized")
        digest = hashlib.sha256(token.encode()).digest()
        user = self._users.get(digest)
        if user is None:
            user = await self._flights.do(digest, lambda: self._authenticate(token))
            if user is None:
                raise Denied(401, "Unauthorized")
            self._users.put(digest, user, _TOKEN_TTL)
        allowed = self._decisions.get((user, path))
        if allowed is None:
            allowed = await self._flights.do((user, path), lambda: self._authorize(user, path))
            self._decisions.put((user, path), allowed, _ALLOW_TTL if allowed else _DENY_TTL)
        if not allowed:
            raise Denied(403, f"Authorization denied for user {user.name}")

    async def _authenticate(self, token: str) -> _User | None:
        answer = await self._review("authentication.k8s.io/v1", "TokenReview", {"token": token})
        if not answer.get("authenticated"):
            return None
        user = answer.get("user") or {}
        extra = user.get("extra") or {}
        return _User(
            name=user.get("username") or "",
            uid=user.get("uid") or "",
            groups=tuple(user.get("groups") or ()),
            extra=tuple(sorted((name, tuple(values)) for name, values in extra.items())),
        )

    async def _authorize(self, user: _User, path: str) -> bool:
        spec: JsonObject = {
            "user": user.name,
            "groups": list(user.groups),
            "nonResourceAttributes": {"path": path, "verb": "get"},
        }
        if user.uid:
            spec["uid"] = user.uid
        if user.extra:
            spec["extra"] = {name: list(values) for name, values in user.extra}
        answer = await self._review("authorization.k8s.io/v1", "SubjectAccessReview", spec)
        return bool(answer.get("allowed"))

    async def _review(self, api_version: str, kind: str, spec: JsonObject) -> JsonObject:
        delay = _FIRST_DELAY
        for step in range(1, _STEPS + 1):
            try:
                async with self._clock.timeout(_CALL_LIMIT):
                    review = await self._create({"apiVersion": api_version, "kind": kind, "metadata": {}, "spec": spec})
                return review.get("status") or {}
            except (ApiError, TransportError, TimeoutError) as error:
                # The server's refusal of the review itself will not change by asking again.
                if step == _STEPS or (isinstance(error, ApiError) and 400 <= error.code < 500 and error.code != 429):
                    raise
            await self._clock.sleep(delay * (1 + 0.2 * random.random()))
            delay *= 1.5
        raise AssertionError("unreachable: the last step returns or raises")
