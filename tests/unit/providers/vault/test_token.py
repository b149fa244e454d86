"""The life of a token."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from eso_core.aio import TaskScope
from eso_core.testing.clock import FakeClock
from providers import ProviderError
from providers.vault.http import RetryPolicy, VaultHttp
from providers.vault.token import Token, TokenKeeper, token_from


@pytest.fixture
async def http(vault: Any, clock: FakeClock, calls: Any) -> AsyncIterator[VaultHttp]:
    http = VaultHttp(vault.url, clock=clock, calls=calls, retry=RetryPolicy(retries=0))
    yield http
    await http.aclose()


def keeper(http: VaultHttp, clock: FakeClock) -> TokenKeeper:
    async def login(http: VaultHttp) -> Token:
        asked = clock.monotonic()
        answer = await http.request("PUT", "auth/approle/login", call="Login", namespace="team", body={})
        token = token_from(answer, asked)
        if token is None:
            raise ProviderError("no token")
        return token

    return TokenKeeper(http, login, namespace="team", clock=clock)


def paths(vault: Any) -> list[str]:
    return [request.path.removeprefix("/v1/auth/") for request in vault.requests]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


async def test_callers_share_one_login(vault: Any, http: VaultHttp, clock: FakeClock, login_answer: Any) -> None:
    """Before the first token and when it has ended."""
    vault.script = [login_answer("one", 3600, renewable=False), login_answer("two", 3600)]
    held = keeper(http, clock)
    for expected in ("one", "two"):
        async with TaskScope("test") as scope:
            tasks = [scope.spawn(held.token(), name="caller") for _ in range(20)]
        assert {task.result() for task in tasks} == {expected}
        await clock.advance(3541)
    assert paths(vault) == ["approle/login", "approle/login"]


async def test_a_token_is_used_until_shortly_before_its_end(
    vault: Any, http: VaultHttp, clock: FakeClock, login_answer: Any
) -> None:
    """A minute for long lives, a tenth for short ones; one with less left causes a login first."""
    for lease, margin in ((3600, 60.0), (100, 10.0)):
        vault.script = [login_answer("old", lease, renewable=False), login_answer("new", lease, renewable=False)]
        held = keeper(http, clock)
        assert await held.token() == "old"
        await clock.advance(lease - margin - 0.5)
        assert await held.token() == "old"
        await clock.advance(1)
        assert await held.token() == "new"


async def test_a_renewable_token_is_renewed_after_two_thirds(
    vault: Any, http: VaultHttp, clock: FakeClock, login_answer: Any
) -> None:
    """Once for all callers, in the namespace of the login; then it lives anew."""
    vault.script = [login_answer("same", 3600), login_answer("same", 3600), login_answer("same", 3600)]
    held = keeper(http, clock)
    await held.token()
    for _ in range(2):
        await clock.advance(2399)
        assert await held.token() == "same"
        await clock.advance(2)
        async with TaskScope("test") as scope:
            for _ in range(5):
                scope.spawn(held.token(), name="caller")
    assert paths(vault) == ["approle/login", "token/renew-self", "token/renew-self"]
    assert vault.requests[1].headers["X-Vault-Token"] == "same"
    assert vault.requests[1].headers["X-Vault-Namespace"] == "team"


async def test_a_renewal_that_brings_nothing_is_not_repeated(
    vault: Any, http: VaultHttp, clock: FakeClock, login_answer: Any
) -> None:
    """At its maximum the token is used to the end and then replaced."""
    vault.script = [login_answer("old", 300), login_answer("old", 99), login_answer("new", 300)]
    held = keeper(http, clock)
    await held.token()
    await clock.advance(201)
    assert await held.token() == "old"
    await clock.advance(30)
    assert await held.token() == "old"
    assert paths(vault) == ["approle/login", "token/renew-self"]
    await clock.advance(65)
    assert await held.token() == "new"


async def test_a_server_that_cannot_renew_now_is_asked_again_later(
    vault: Any, http: VaultHttp, clock: FakeClock, login_answer: Any
) -> None:
    """Meanwhile the token is good."""
    vault.script = [login_answer("t", 300), (503, {"errors": ["sealed"]}, {}), login_answer("t", 300)]
    held = keeper(http, clock)
    await held.token()
    await clock.advance(201)
    assert await held.token() == "t"
    await clock.advance(20)
    assert await held.token() == "t"
    assert paths(vault) == ["approle/login", "token/renew-self"]
    await clock.advance(11)
    assert await held.token() == "t"
    assert paths(vault) == ["approle/login", "token/renew-self", "token/renew-self"]


@pytest.mark.parametrize(
    "refusal", [(403, {"errors": ["permission denied"]}, {}), (400, {"errors": ["no"]}, {}), (200, {}, {})]
)
async def test_a_refused_or_empty_renewal_leads_to_a_login(
    vault: Any, http: VaultHttp, clock: FakeClock, login_answer: Any, refusal: Any
) -> None:
    """Never to a failed read."""
    vault.script = [login_answer("old", 300), refusal, login_answer("new", 300)]
    held = keeper(http, clock)
    await held.token()
    await clock.advance(201)
    assert await held.token() == "new"


async def test_tokens_that_never_end_are_left_alone(
    vault: Any, http: VaultHttp, clock: FakeClock, login_answer: Any
) -> None:
    """A lease of 0 means for ever."""
    vault.script = [login_answer("t", 0)]
    held = keeper(http, clock)
    await held.token()
    await clock.advance(10_000_000)
    assert await held.token() == "t"


async def test_revocation(vault: Any, http: VaultHttp, clock: FakeClock, login_answer: Any) -> None:
    """Once; not for batch tokens, ended ones, or when nothing was obtained; a failure is told."""
    vault.script = [login_answer("t"), (204, "", {})]
    held = keeper(http, clock)
    await held.token()
    await held.aclose()
    await held.aclose()
    assert paths(vault) == ["approle/login", "token/revoke-self"]
    assert vault.requests[1].headers["X-Vault-Token"] == "t"

    vault.script = [login_answer("b", kind="batch")]
    batch = keeper(http, clock)
    await batch.token()
    await batch.aclose()
    vault.script = [login_answer("t", 100)]
    ended = keeper(http, clock)
    await ended.token()
    await clock.advance(101)
    await ended.aclose()
    await keeper(http, clock).aclose()
    assert len(vault.requests) == 4

    vault.script = [login_answer("t"), (500, {"errors": ["broken"]}, {})]
    failing = keeper(http, clock)
    await failing.token()
    with pytest.raises(ProviderError, match=r"^error while revoking token: PUT .*500: broken"):
        await failing.aclose()


async def test_a_refused_token_is_replaced_only_if_the_server_does_not_know_it(
    vault: Any, http: VaultHttp, clock: FakeClock, login_answer: Any
) -> None:
    """The look-up tells a lost token from a forbidden path."""
    vault.script = [login_answer("one"), (200, {"data": {}}, {})]
    held = keeper(http, clock)
    await held.token()
    for _ in range(3):
        assert await held.replacement("one") is None
    assert paths(vault) == ["approle/login", "token/lookup-self"], "asked once for a while"
    await clock.advance(11)
    vault.script = [(403, {"errors": ["permission denied"]}, {}), login_answer("two")]
    assert await held.replacement("one") == "two"
    requests = len(vault.requests)
    assert await held.replacement("one") == "two", "somebody else has replaced it"
    assert len(vault.requests) == requests


async def test_a_failed_login_is_not_repeated_at_once(
    vault: Any, http: VaultHttp, clock: FakeClock, login_answer: Any
) -> None:
    """Servers lock out who tries too often; after a while it is tried again."""
    vault.script = [(400, {"errors": ["invalid password"]}, {}), login_answer("t")]
    held = keeper(http, clock)
    for _ in range(10):
        with pytest.raises(ProviderError, match="invalid password"):
            await held.token()
    assert paths(vault) == ["approle/login"]
    await clock.advance(6)
    assert await held.token() == "t"


def test_repr_hides_the_token() -> None:
    """Whatever is printed."""
    assert "hunter2" not in repr(Token("hunter2", 0.0, None))
