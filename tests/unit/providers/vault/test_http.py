"""Requests, retries and failures."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Any

import pytest

from eso_core.aio import Clock, TaskScope
from eso_core.testing.clock import FakeClock
from providers import AccessDenied, ErrorKind, InvalidData, InvalidSpec, ProviderError, Throttled, Unavailable
from providers.vault.http import ReplicationState, RetryPolicy, VaultHttp


def make(vault: Any, clock: Clock, calls: Any, **options: Any) -> VaultHttp:
    return VaultHttp(options.pop("server", vault.url), clock=clock, calls=calls, **options)


async def read(http: VaultHttp, **options: Any) -> Any:
    try:
        return await http.request("GET", "secret/data/app", call="ReadSecretData", token="t0ken", **options)
    finally:
        await http.aclose()


async def test_a_request_as_vault_wants_it(vault: Any, impatient: Any, calls: Any) -> None:
    """Token, namespace and own headers; what Vault needs wins over the store's headers."""
    http = make(
        vault,
        impatient,
        calls,
        server=f"{vault.url}/prefix/",
        namespace="team/a",
        headers={"X-Custom": "yes", "x-vault-token": "stolen"},
    )
    answer = await read(http, query={"version": "3"})
    assert answer.body == {"data": {"data": {"k": "v"}}}
    request = vault.requests[0]
    assert (request.method, request.path) == ("GET", "/prefix/v1/secret/data/app?version=3")
    assert request.headers["X-Vault-Token"] == "t0ken"
    assert request.headers["X-Vault-Namespace"] == "team/a"
    assert request.headers["X-Vault-Request"] == "true"
    assert request.headers["X-Custom"] == "yes"
    assert "stolen" not in request.headers.values()
    assert calls.seen == [("HashiCorp/Vault", "ReadSecretData", True)]


async def test_a_namespace_of_the_request_replaces_that_of_the_store(vault: Any, impatient: Any, calls: Any) -> None:
    """Also by none."""
    http = make(vault, impatient, calls, namespace="team")
    await read(http, namespace="login")
    await read(http, namespace="")
    assert vault.requests[0].headers["X-Vault-Namespace"] == "login"
    assert "X-Vault-Namespace" not in vault.requests[1].headers


async def test_a_vault_that_says_when_to_come_back_is_left_alone_until_then(
    vault: Any, impatient: Any, calls: Any
) -> None:
    """No try in between, and no worker that waits: the time is in the error."""
    vault.fallback = (429, {"errors": ["quota"]}, {"Retry-After": "17"})
    with pytest.raises(Throttled, match="429: quota") as caught:
        await read(make(vault, impatient, calls))
    assert caught.value.retry_after == 17
    assert len(vault.requests) == 1


@pytest.mark.parametrize("status", [412, 429, 500, 502, 503, 504])
async def test_what_may_heal_is_tried_three_times_a_second_apart(
    vault: Any, impatient: Any, calls: Any, status: int
) -> None:
    """One count, whatever the number of tries; the error stays retryable."""
    vault.fallback = (status, {"errors": ["not now"]}, {})
    with pytest.raises(Unavailable, match=f"{status}: not now"):
        await read(make(vault, impatient, calls))
    assert len(vault.requests) == 3
    assert len(impatient.slept) == 2
    assert all(1.0 <= wait <= 1.5 for wait in impatient.slept)
    assert calls.seen == [("HashiCorp/Vault", "ReadSecretData", False)]


async def test_a_dropped_connection_is_tried_again(vault: Any, impatient: Any, calls: Any) -> None:
    """And succeeds without anybody noticing."""
    vault.script = ["drop", (503, {"errors": []}, {})]
    assert (await read(make(vault, impatient, calls))).body["data"] == {"data": {"k": "v"}}
    assert calls.seen == [("HashiCorp/Vault", "ReadSecretData", True)]


async def test_the_stores_retry_settings_are_followed_exactly(vault: Any, impatient: Any, calls: Any) -> None:
    """Number of retries and the wait between them."""
    vault.fallback = (500, {"errors": ["x"]}, {})
    with pytest.raises(Unavailable):
        await read(make(vault, impatient, calls, retry=RetryPolicy(retries=4, interval=10.0)))
    assert len(vault.requests) == 5
    assert impatient.slept == [10.0] * 4
    vault.requests.clear()
    with pytest.raises(Unavailable):
        await read(make(vault, impatient, calls, retry=RetryPolicy(retries=0)))
    assert len(vault.requests) == 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, ErrorKind.DATA), (403, ErrorKind.CREDENTIALS), (405, ErrorKind.DATA), (501, ErrorKind.DATA)],
)
async def test_what_will_not_heal_is_not_tried_again(
    vault: Any, impatient: Any, calls: Any, status: int, kind: ErrorKind
) -> None:
    """One request, and not retryable."""
    vault.fallback = (status, {"errors": ["1 error occurred:\n\t* no\n\n"]}, {})
    with pytest.raises(ProviderError) as caught:
        await read(make(vault, impatient, calls))
    assert f"/v1/secret/data/app: {status}: 1 error occurred: * no" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert (caught.value.kind, caught.value.retryable) == (kind, False)
    assert isinstance(caught.value, AccessDenied) == (status == 403)
    assert len(vault.requests) == 1


async def test_not_found_is_nothing_unless_it_has_content(vault: Any, impatient: Any, calls: Any) -> None:
    """A deleted version answers 404 with data, a warning with warnings."""
    vault.script = [
        (404, {"errors": []}, {}),
        (404, {"data": {"data": None}}, {}),
        (404, {"warnings": ["old"]}, {}),
    ]
    http = make(vault, impatient, calls)
    answers = [await read(http) for _ in range(3)]
    assert [None if answer is None else answer.body for answer in answers] == [
        None,
        {"data": {"data": None}},
        {"warnings": ["old"]},
    ]


@pytest.mark.parametrize(
    ("body", "kind", "text"),
    [
        (
            {"errors": ['no handler for route "secret/data/app". route entry not found.']},
            ErrorKind.SPEC,
            "check the mount",
        ),
        ({"errors": ["namespace not found"]}, ErrorKind.SPEC, "namespace not found"),
        ("<html>", ErrorKind.UNAVAILABLE, "what stands in front of the server"),
        ("", ErrorKind.UNAVAILABLE, "what stands in front of the server"),
        ({"message": "no Route matched"}, ErrorKind.UNAVAILABLE, "what stands in front of the server"),
    ],
)
async def test_only_the_servers_own_word_makes_a_secret_missing(
    vault: Any, impatient: Any, calls: Any, body: Any, kind: ErrorKind, text: str
) -> None:
    """A mount or namespace that is not there, or a proxy's 404, is a failure: it must not delete anybody's Secret."""
    vault.fallback = (404, body, {})
    with pytest.raises(ProviderError, match=text) as caught:
        await read(make(vault, impatient, calls, retry=RetryPolicy(retries=0)))
    assert caught.value.kind is kind and "/v1/secret/data/app: 404" in str(caught.value)
    vault.fallback = (200, "", {})
    with pytest.raises(ProviderError, match="not a JSON object"):
        await read(make(vault, impatient, calls))


async def test_an_answer_that_is_not_from_vault_is_not_quoted(vault: Any, impatient: Any, calls: Any) -> None:
    """A proxy's login page, say."""
    vault.fallback = (200, "<html>hunter2</html>", {})
    with pytest.raises(
        InvalidData, match=r"the answer is not a JSON object: check that the server of the store is a Vault"
    ):
        await read(make(vault, impatient, calls))


async def test_a_standby_node_sends_us_to_the_active_one(vault: Any, impatient: Any, calls: Any) -> None:
    """Once, with token and body; twice is a loop."""
    vault.script = [(307, "", {"Location": f"{vault.url}/v1/elsewhere"})]
    assert await read(make(vault, impatient, calls)) is not None
    assert [request.path for request in vault.requests] == ["/v1/secret/data/app", "/v1/elsewhere"]
    assert vault.requests[1].headers["X-Vault-Token"] == "t0ken"
    vault.fallback = (307, "", {"Location": "/v1/loop"})
    with pytest.raises(ProviderError, match="HTTP 307"):
        await read(make(vault, impatient, calls))
    vault.fallback = (307, "", {})
    with pytest.raises(ProviderError, match="redirected to an address that cannot be followed"):
        await read(make(vault, impatient, calls))


async def test_a_server_that_does_not_answer_is_given_up(vault: Any, calls: Any) -> None:
    """After the time limit of one try."""
    clock = FakeClock()
    held = asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await held.wait()
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    http = make(vault, clock, calls, server=f"http://127.0.0.1:{port}", retry=RetryPolicy(retries=0), timeout=60.0)
    async with TaskScope("test") as scope:
        reading = scope.spawn(read(http), name="reader", on_error=lambda exc: None)
        await clock.advance(59)
        assert not reading.done()
        await clock.advance(2)
    assert isinstance(reading.exception(), Unavailable)
    assert "no answer within 60 s: check the address" in str(reading.exception())
    held.set()
    server.close()
    await server.wait_closed()


def _index(cluster: str, local: int, replicated: int) -> str:
    return base64.b64encode(f"v1:{cluster}:{local}:{replicated}:mac".encode()).decode()


async def test_replication_states_are_sent_back(vault: Any, impatient: Any, calls: Any) -> None:
    """The newest of each cluster, and only when the store asks for it."""
    vault.script = [
        (200, {"data": {}}, {"X-Vault-Index": _index("c1", 5, 1)}),
        (200, {"data": {}}, {"X-Vault-Index": _index("c2", 1, 1)}),
        (200, {"data": {}}, {"X-Vault-Index": _index("c1", 4, 1)}),
        (200, {"data": {}}, {"X-Vault-Index": "nonsense"}),
    ]
    http = make(vault, impatient, calls, state=ReplicationState(), forward_inconsistent=True)
    for _ in range(5):
        await read(http)
    sent = [[value for name, value in r.all_headers if name == "X-Vault-Index"] for r in vault.requests]
    both = [_index("c1", 5, 1), _index("c2", 1, 1)]
    assert sent == [[], both[:1], both, both, both]
    assert vault.requests[0].headers["X-Vault-Inconsistent"] == "forward-active-node"
    vault.fallback = (200, {"data": {}}, {"X-Vault-Index": _index("c1", 5, 1)})
    plain = make(vault, impatient, calls)
    vault.requests.clear()
    for _ in range(2):
        await read(plain)
    assert "X-Vault-Index" not in vault.requests[1].headers
    assert "X-Vault-Inconsistent" not in vault.requests[1].headers


@pytest.mark.parametrize("server", ["", "vault:8200", "ftp://vault", "https://"])
def test_a_server_that_is_no_url_is_refused(vault: Any, impatient: Any, calls: Any, server: str) -> None:
    """At once, naming the field."""
    with pytest.raises(InvalidSpec, match=r"^spec\.provider\.vault\.server: "):
        make(vault, impatient, calls, server=server)


async def test_header_values_with_line_breaks_are_refused_without_showing_them(
    vault: Any, impatient: Any, calls: Any
) -> None:
    """The header is named, its value is not."""
    with pytest.raises(InvalidSpec, match="sending header 'X-Extra' to Vault") as caught:
        await read(make(vault, impatient, calls, headers={"X-Extra": "hunter2\r\nEvil: 1"}))
    assert "hunter2" not in str(caught.value)
    assert vault.requests == []


async def test_a_password_in_the_servers_address_is_not_shown(vault: Any, impatient: Any, calls: Any) -> None:
    """It is used, for a proxy in front of Vault, but messages have the host alone."""
    vault.fallback = (400, {"errors": ["no"]}, {})
    http = make(vault, impatient, calls, server=vault.url.replace("http://", "http://me:hunter2@"))
    with pytest.raises(ProviderError) as caught:
        await read(http)
    assert str(caught.value) == f"GET {vault.url}/v1/secret/data/app: 400: no"
    assert vault.requests[0].headers["Authorization"].startswith("Basic ")
    assert http.server == vault.url


async def test_the_proxy_of_the_environment_is_used(
    vault: Any, impatient: Any, calls: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As in every Go program; a netrc file is none of our business."""
    (tmp_path / "netrc").write_text("machine vault.test login me password hunter2")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HTTP_PROXY", vault.url)
    assert await read(make(vault, impatient, calls, server="http://vault.test:8200")) is not None
    assert vault.requests[0].path == "http://vault.test:8200/v1/secret/data/app"
    assert "Authorization" not in vault.requests[0].headers
    monkeypatch.setenv("HTTP_PROXY", "socks5://127.0.0.1:1")
    with pytest.raises(InvalidSpec, match="scheme 'socks5' is not supported"):
        make(vault, impatient, calls, server="http://vault.test:8200")
