"""Secret values stay out of everything that is printed."""

from __future__ import annotations

import gc
import logging
import traceback
from typing import Any

import pytest
import structlog

from eso_core.testing.clock import FakeClock
from providers import ClientPool, Find, PoolOptions, Registry, RemoteRef, Store
from providers.interface import NoCalls, StoreContext
from providers.vault.http import RetryPolicy, VaultHttp

PLANTED = "hunter2"
VALUES = {
    "token": f"s.{PLANTED}-token",
    "secret_id": f"{PLANTED}-secret-id",
    "password": f"{PLANTED}-password",
    "payload": f"{PLANTED}-payload",
    "login": f"{PLANTED}-login",
}


class ServerOnPaper:
    """Answers ``VaultHttp`` without a network: wrong JSON, wrong types, refusals, and good answers full of secrets."""

    def __init__(self) -> None:
        self.answer: tuple[int, bytes] = (200, b"")

    async def exchange(self, http: VaultHttp, *args: Any) -> tuple[int, bytes, Any]:
        from multidict import CIMultiDict

        method, url = args[0], args[1]
        if "/login" in url:
            body = f'{{"auth": {{"client_token": "{VALUES["login"]}", "lease_duration": 60, "renewable": true}}}}'
            return 200, body.encode(), CIMultiDict()
        assert method in ("GET", "PUT")
        return *self.answer, CIMultiDict()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> ServerOnPaper:
    server = ServerOnPaper()

    async def exchange(http: VaultHttp, *args: Any) -> tuple[int, bytes, Any]:
        return await server.exchange(http, *args)

    monkeypatch.setattr(VaultHttp, "_exchange", exchange)
    return server


def stores() -> list[Store]:
    """Stores of all kinds of credentials, right and wrong."""
    ref = {"name": "cred", "key": "secret_id"}
    auths: list[dict[str, Any]] = [
        {"tokenSecretRef": {"name": "cred", "key": "token"}},
        {"appRole": {"path": "approle", "roleId": "r", "secretRef": ref}},
        {"userPass": {"path": "userpass", "username": "u", "secretRef": {"name": "cred", "key": "password"}}},
        {"jwt": {"path": "jwt", "role": "r", "secretRef": ref}},
        {"kubernetes": {"mountPath": "k", "role": "r", "secretRef": ref}},
        {"tokenSecretRef": f"{PLANTED} in the wrong field"},
        {"cert": {"clientCert": ref, "secretRef": ref}},
        {"tokenSecretRef": {"name": "cred", "key": "broken"}},
    ]
    made = [
        Store(
            "SecretStore",
            f"v{n}",
            "ns",
            f"v{n}",
            1,
            "",
            {"provider": {"vault": {"server": "http://v", "headers": {"X": PLANTED}, "auth": auth}}},
        )
        for n, auth in enumerate(auths)
    ]
    made.append(
        Store(
            "SecretStore",
            "ca",
            "ns",
            "ca",
            1,
            "",
            {"provider": {"vault": {"server": "https://v", "headers": {"Authorization": PLANTED}, "caBundle": "none"}}},
        )
    )
    data = [{"key": "a", "value": VALUES["payload"]}, {"key": "b", "value": f'{{"k": {PLANTED}}}'}]
    made.append(Store("SecretStore", "fake", "ns", "fake", 1, "", {"provider": {"fake": {"data": data}}}))
    wrong = [{"key": "a", "value": {"nested": PLANTED}}]
    made.append(Store("SecretStore", "fake2", "ns", "fake2", 1, "", {"provider": {"fake": {"data": wrong}}}))
    return made


ANSWERS: list[tuple[int, bytes]] = [
    (200, f'{{"data": {{"data": {{"k": "{VALUES["payload"]}", "n": 8019210420527506405}}}}}}'.encode()),
    (200, f'{{"data": {{"data": "{PLANTED}"}}}}'.encode()),
    (200, f'{{"data": "{PLANTED}"}}'.encode()),
    (200, f"{{'{PLANTED}'}}".encode()),
    (200, PLANTED.encode()),
    (403, f'{{"data": "{PLANTED}", "errors": ["permission denied"]}}'.encode()),
    (500, PLANTED.encode()),
]


async def test_nothing_printed_holds_a_planted_value(
    kube: Any, clock: FakeClock, server: ServerOnPaper, caplog: pytest.LogCaptureFixture
) -> None:
    """Messages, causes, tracebacks, log lines, and the repr of every object of the package."""
    kube.put("Secret", "ns", "cred", **VALUES, broken=f"{PLANTED}\r\nX: y")
    printed: list[str] = []
    with structlog.testing.capture_logs() as lines, caplog.at_level(logging.DEBUG):
        for answer in ANSWERS:
            server.answer = answer
            pool = ClientPool(Registry(plugins=()), kube, clock, pool=PoolOptions(first_hold=1e-9, longest_hold=1e-9))
            for store in stores():
                store.spec["retrySettings"] = {"maxRetries": 0}
                await _use(pool, store, printed)
            printed.extend(_reprs())
            await pool.aclose()
            await clock.advance(1)
    printed.append(repr(lines))
    printed.append(caplog.text)
    assert len(printed) > 300
    leaks = [text for text in printed if PLANTED in text or "8019210420527506405" in text]
    assert not leaks, leaks[0]


async def _use(pool: ClientPool, store: Store, printed: list[str]) -> None:
    for ref in (RemoteRef("a"), RemoteRef("a", "k"), RemoteRef("b"), RemoteRef("b", "nope"), RemoteRef("a", "k.x")):
        for operation in ("get_secret", "get_secret_map"):
            try:
                async with pool.client(store, "ns") as client:
                    await getattr(client, operation)(ref)
            except Exception as exc:
                printed.append(_everything(exc))
    for find in (Find(name_regexp="("), Find(tags={"a": "b"}), Find(name_regexp=".")):
        try:
            async with pool.client(store, "ns") as client:
                await client.get_all_secrets(find)
        except Exception as exc:
            printed.append(_everything(exc))
    try:
        async with pool.client(store, "ns") as client:
            await client.validate()
    except Exception as exc:
        printed.append(_everything(exc))


def _everything(exc: BaseException) -> str:
    """The exception as text and repr, with its whole chain as a traceback shows it."""
    chain = "".join(line for line in traceback.format_exception(exc) if not line.lstrip().startswith("File "))
    return f"{exc}\n{exc!r}\n{chain}"


def _reprs() -> list[str]:
    """Of every living object whose class is defined in the package."""
    return [repr(thing) for thing in gc.get_objects() if str(type(thing).__module__).startswith("providers")]


def test_the_search_would_find_a_leak() -> None:
    """The collection of reprs sees objects of the package, and carriers of secrets are among what is checked."""
    http = VaultHttp("http://v", clock=FakeClock(), calls=NoCalls(), retry=RetryPolicy(0))
    assert any("VaultHttp" in text for text in _reprs())
    assert http.server == "http://v"
    assert "StoreContext" in repr(StoreContext)
