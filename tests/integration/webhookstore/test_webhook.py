"""The webhook backend against an HTTP server."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from controllers.templating.budget import Budget
from controllers.templating.texts import StoreTemplates
from eso_core.aio import SystemClock
from providers import (
    AccessDenied,
    BrokenReference,
    ClientPool,
    Find,
    InvalidSpec,
    NoSecret,
    NotModified,
    NotSupported,
    ProviderError,
    ProviderOptions,
    PushData,
    Registry,
    RemoteRef,
    Store,
    Throttled,
    Unavailable,
)
from providers.testing import MemoryCluster

PLANTED = "planted-value"


class Server:
    """Answers with `answers` in order, then with `fallback`; keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str], str]] = []
        self.bodies: list[bytes] = []
        self.fallback: tuple[int, str, dict[str, str]] = (200, '{"data": {"user": "ines", "n": 1.5}}', {})
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.bodies.append(body)
        self.asked.append((request.method, request.raw_path, dict(request.headers), body.decode("utf-8", "replace")))
        status, text, headers = self.fallback
        return web.Response(status=status, text=text, headers=headers)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", server.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield server
    await runner.cleanup()


class Calls:
    def __init__(self) -> None:
        self.seen: list[tuple[str, str, bool]] = []

    def observe(self, provider: str, call: str, error: BaseException | None) -> None:
        self.seen.append((provider, call, error is None))


@pytest.fixture
def calls() -> Calls:
    return Calls()


@pytest.fixture
def kube() -> MemoryCluster:
    return MemoryCluster()


@pytest.fixture
async def pool(kube: MemoryCluster, calls: Calls) -> AsyncIterator[ClientPool]:
    options = ProviderOptions(request_timeout=10, templates=StoreTemplates(Budget()))
    async with ClientPool(Registry(plugins=()), kube, SystemClock(), calls=calls, options=options) as pool:
        yield pool


Make = Callable[..., Store]


@pytest.fixture
def store(server: Server) -> Make:
    def make(kind: str = "SecretStore", generation: int = 1, **webhook: Any) -> Store:
        spec = {"url": f"{server.url}/{{{{ .remoteRef.key }}}}", **webhook}
        namespace = "" if kind == "ClusterSecretStore" else "ns"
        return Store(
            kind=kind, name="hook", namespace=namespace, uid="u", generation=generation,
            spec={"provider": {"webhook": spec}},
        )  # fmt: skip

    return make


def labelled(kube: MemoryCluster, name: str, namespace: str = "ns", label: str | None = "webhook", **data: str) -> None:
    """A Secret that webhooks may use, or almost."""
    kube.put("Secret", namespace, name, **data)
    if label is not None:
        kube.objects["Secret", namespace, name]["metadata"]["labels"] = {"external-secrets.io/type": label}


async def test_the_url_goes_out_as_the_template_wrote_it(pool: Any, store: Make, server: Server) -> None:
    """`%2F` stays `%2F` in path and query; what a request line cannot hold is escaped; a line break is refused."""
    made = store(
        url=server.url + "/{{ .remoteRef.key }}/./x y?k={{ .remoteRef.key }}&v={{ .remoteRef.version }}&é#part",
        result={},
    )
    async with pool.client(made, "ns") as client:
        await client.get_secret(RemoteRef("a b/c?d@e:f", version="{1}"))
        escaped = "a+b%2Fc%3Fd%40e%3Af"
        assert server.asked[-1][1] == f"/{escaped}/./x%20y?k={escaped}&v=%7B1%7D&%C3%A9"
    broken = store(url=server.url + '/{{ "a\\nb" }}', result={}, generation=2)
    async with pool.client(broken, "ns") as client:
        with pytest.raises(InvalidSpec, match="contains a line break"):
            await client.get_secret(RemoteRef("k"))


async def test_a_template_that_takes_long_holds_nobody_up() -> None:
    """Whoever may write a store has no hold on the operator: the event loop goes on meanwhile."""
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    counting = asyncio.create_task(count())
    text = "{{ range until 200000 }}{{ end }}{{ .secret.k }}{{ .none }}"
    assert await StoreTemplates(Budget()).render(text, {"secret": {"k": "v"}}, name="url") == "v<no value>"
    assert turns > 20
    counting.cancel()


async def test_bytes_that_are_no_text_are_pushed_as_they_are(pool: Any, store: Make, server: Server) -> None:
    """A key store, as its own bytes in the body and escaped in the URL; within JSON they become U+FFFD, as in Go."""
    made = store(url=server.url + "/x?v={{ index .remoteRef .remoteRef.remoteKey }}", result={})
    async with pool.client(made, "ns") as client:
        await client.push_secret({"a": b"\xff\x00b"}, PushData("k", "a"))
        assert server.bodies[-1] == b"\xff\x00b"
        assert server.asked[-1][1] == "/x?v=%FF%00b"
        await client.push_secret({"a": b"\xff"}, PushData("k"))
        assert server.bodies[-1] == '{"a":"\ufffd"}'.encode()


async def test_requests_are_made_by_templates(pool: Any, store: Make, server: Server, kube: MemoryCluster) -> None:
    """Values of the reference are escaped in the URL and nowhere else; keys that are not there print <no value>."""
    labelled(kube, "login", token="t k", path="x")
    labelled(kube, "more", path="a/b")
    made = store(
        url=server.url
        + "/{{ .auth.path }}/{{ .remoteRef.key }}?v={{ .remoteRef.version }}&ns={{ .remoteRef.namespace }}",
        method="PUT",
        headers={"X-Token": "{{ .auth.token | b64enc }}", "X-None": "{{ .auth.nothing }}"},
        body='{"want": {{ .remoteRef.property | toJson }}, "key": "{{ .remoteRef.key }}"}',
        result={"jsonPath": "$.data.{{ .remoteRef.property }}"},
        secrets=[{"name": "auth", "secretRef": {"name": "login"}}, {"name": "auth", "secretRef": {"name": "more"}}],
    )
    async with pool.client(made, "ns") as client:
        assert await client.get_secret(RemoteRef("my key/1", "user", "3")) == b"ines"
    method, path, headers, body = server.asked[0]
    assert (method, path) == ("PUT", "/a/b/my+key%2F1?v=3&ns=ns")
    assert headers["X-Token"] == base64.b64encode(b"t k").decode()
    assert headers["X-None"] == "<no value>"
    assert json.loads(body) == {"want": "user", "key": "my key/1"}
    assert "Content-Type" not in headers


async def test_without_a_path_the_body_is_the_value_blanks_and_all(pool: Any, store: Make, server: Server) -> None:
    """B096."""
    server.fallback = (200, ' {"a": 1} \n', {})
    async with pool.client(store(), "ns") as client:
        assert await client.get_secret(RemoteRef("k")) == b' {"a": 1} \n'
        assert await client.get_secret_map(RemoteRef("k")) == {"a": b"1"}


@pytest.mark.parametrize(
    ("status", "headers", "wanted"),
    [
        (404, {}, NoSecret),
        (304, {}, NotModified),
        (403, {}, AccessDenied),
        (400, {}, ProviderError),
        (503, {}, Unavailable),
        (429, {"Retry-After": "7"}, Throttled),
    ],
)
async def test_a_status_says_whose_move_it_is(
    pool: Any, store: Make, server: Server, calls: Calls, status: int, headers: dict[str, str], wanted: type[Exception]
) -> None:
    """Error statuses are answers: they count as successful requests, as in the original."""
    server.fallback = (status, PLANTED, headers)
    async with pool.client(store(), "ns") as client:
        with pytest.raises(wanted) as caught:
            await client.get_secret(RemoteRef("k"))
    assert type(caught.value) is wanted
    assert PLANTED not in str(caught.value)
    if status == 429:
        assert caught.value.retry_after == 7  # type: ignore[attr-defined]
    assert calls.seen == [("Webhook", "HTTPRequest", True)]


async def test_pushes_send_the_value_deletes_ask_for_deletion(
    pool: Any, store: Make, server: Server, kube: MemoryCluster, calls: Calls
) -> None:
    """The default body is the value; what is not there any more is gone."""
    made = store(url=server.url + "/{{ .remoteRef.remoteKey }}")
    values = {"p": b"v&1", "q": b"2"}
    async with pool.client(made, "ns") as client:
        await client.push_secret(values, PushData("target", secret_key="p"))
        await client.push_secret(values, PushData("target"))
        server.fallback = (404, "", {})
        await client.delete_secret(RemoteRef("target"))
        assert not await client.secret_exists(RemoteRef("target"))
        with pytest.raises(ProviderError, match="failed to push webhook data: "):
            await client.push_secret(values, PushData("target", secret_key="p"))
        with pytest.raises(ProviderError, match="remote key must be defined"):
            await client.push_secret(values, PushData(""))
        with pytest.raises(NotSupported, match="not implemented"):
            await client.get_all_secrets(Find())
    told = [(method, path, body) for method, path, _, body in server.asked]
    assert told[:3] == [
        ("POST", "/target", "v&1"),
        ("POST", "/target", '{"p":"v&1","q":"2"}'),
        ("DELETE", "/target", ""),
    ]
    assert len(calls.seen) == 4  # deletes are not counted


async def test_only_labelled_secrets_may_be_used(pool: Any, store: Make, server: Server, kube: MemoryCluster) -> None:
    """Who may write a store must not be able to send any Secret anywhere; its check is about the server alone."""
    kube.put("Secret", "ns", "plain", token=PLANTED)
    labelled(kube, "other", label="something", token=PLANTED)
    for number, (name, text) in enumerate(
        (("plain", "does not contain needed label"), ("other", "secret type is not"))
    ):
        made = store(generation=number + 1, secrets=[{"name": "a", "secretRef": {"name": name}}])
        async with pool.client(made, "ns") as client:
            await client.validate()
            for request in (client.get_secret(RemoteRef("k")), client.push_secret({"x": b"v"}, PushData("k", "x"))):
                with pytest.raises(ProviderError, match=text) as caught:
                    await request
                assert PLANTED not in str(caught.value)
            assert server.asked == []
    missing = store(generation=9, secrets=[{"name": "a", "secretRef": {"name": "nobody"}}])
    async with pool.client(missing, "ns") as client:
        with pytest.raises(BrokenReference, match="nobody"):
            await client.get_secret_map(RemoteRef("k"))
        await client.delete_secret(RemoteRef("k"))  # has no Secrets for its templates
        assert len(server.asked) == 1
    labelled(kube, "nobody", token="t")
    version = kube.objects["Secret", "ns", "nobody"]["metadata"]["resourceVersion"]
    assert pool.source_changed("Secret", "ns", "nobody", version)
    async with pool.client(missing, "ns") as client:
        await client.get_secret(RemoteRef("k"))
    cluster_wide = store("ClusterSecretStore", secrets=[{"name": "a", "secretRef": {"name": "plain"}}])
    async with pool.client(cluster_wide, "ns") as client:
        with pytest.raises(InvalidSpec, match="no namespace on ClusterScoped webhook secret plain"):
            await client.get_secret(RemoteRef("k"))


async def test_the_ca_of_a_cluster_store_is_read_before_anybody_uses_it(pool: Any, store: Make) -> None:
    """The check of the store says that it is not there."""
    ca = {"type": "ConfigMap", "name": "none", "key": "ca.crt", "namespace": "ns"}
    with pytest.raises(ProviderError, match="failed to get cert from configmap"):
        async with pool.client(store("ClusterSecretStore", caProvider=ca), ""):
            raise AssertionError("it was opened")


async def test_a_template_that_fails_names_its_field_and_no_value(
    pool: Any, store: Make, server: Server, kube: MemoryCluster
) -> None:
    """`failed to parse url: ...` and so on."""
    labelled(kube, "login", token=PLANTED)
    secrets = [{"name": "auth", "secretRef": {"name": "login"}}]
    for number, (field, text) in enumerate(
        (
            ({"url": server.url + "/{{ fail .auth.token }}"}, "url"),
            ({"headers": {"X": "{{ .auth.token | nosuch }}"}}, "header X"),
        )
    ):
        async with pool.client(store(generation=number + 1, secrets=secrets, **field), "ns") as client:
            with pytest.raises(InvalidSpec, match=f"failed to parse {text}: ") as caught:
                await client.get_secret(RemoteRef("k"))
        assert PLANTED not in str(caught.value)
    assert server.asked == []


async def test_the_check_of_a_store_is_a_connection(pool: Any, store: Make, server: Server) -> None:
    """No request is made; a host that is not there is named."""
    async with pool.client(store(), "ns") as client:
        await client.validate()
    assert server.asked == []
    async with pool.client(store(generation=2, url="http://127.0.0.1:1/x"), "ns") as client:
        with pytest.raises(ProviderError, match="error accessing external store: 127.0.0.1:1: "):
            await client.validate()
    async with pool.client(store(generation=3, url="nothing"), "ns") as client:
        with pytest.raises(InvalidSpec, match="could not parse url"):
            await client.validate()


async def test_a_timeout_of_the_store_ends_a_request(pool: Any, store: Make) -> None:
    """And one that cannot be read names the field."""
    with pytest.raises(InvalidSpec, match=r"spec.provider.webhook.timeout: .*write it like 10s"):
        async with pool.client(store(timeout="ten"), "ns"):
            raise AssertionError("it was opened")


async def test_ntlm_logs_in_over_one_connection(
    pool: Any, store: Make, kube: MemoryCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server challenges, the answer to it proves the password, which is never sent."""
    spnego = pytest.importorskip("spnego")
    users = tmp_path / "users"
    users.write_text("WORK:ines:open-sesame\n")
    monkeypatch.setenv("NTLM_USER_FILE", str(users))
    contexts: dict[Any, Any] = {}

    async def challenge(request: web.Request) -> web.StreamResponse:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        assert scheme in ("", "NTLM")
        if scheme != "NTLM":
            return web.Response(status=401, headers={"WWW-Authenticate": "NTLM"})
        context = contexts.setdefault(request.transport, spnego.server(protocol="ntlm"))
        try:
            answer = context.step(base64.b64decode(token))
        except spnego.exceptions.SpnegoError:
            return web.Response(status=401)
        if context.complete:
            return web.Response(text="the value")
        return web.Response(status=401, headers={"WWW-Authenticate": f"NTLM {base64.b64encode(answer).decode()}"})

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", challenge)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/x"
    try:
        for number, (password, works) in enumerate((("open-sesame", True), ("wrong", False))):
            labelled(kube, "ntlm", user="WORK\\ines", password=password)
            auth = {
                "ntlm": {
                    "usernameSecret": {"name": "ntlm", "key": "user"},
                    "passwordSecret": {"name": "ntlm", "key": "password"},
                }
            }
            async with pool.client(store(generation=number + 1, url=url, auth=auth), "ns") as client:
                if works:
                    assert await client.get_secret(RemoteRef("k")) == b"the value"
                    assert len(contexts) == 1
                else:
                    with pytest.raises(AccessDenied, match="401"):
                        await client.get_secret(RemoteRef("k"))
    finally:
        await runner.cleanup()
