"""Each fault of the proxies, as a client meets it."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pytest

from eso_core.client import ApiRequest, ApiResponse, Client, ClientConfig, RetryPolicy, Send, config_from_kubeconfig
from eso_core.meta import ObjectKey
from eso_core.meta.errors import (
    ApiError,
    ConnectError,
    ConnectionLost,
    DecodeError,
    Gone,
    NotFound,
    ReadTimeout,
    TooManyRequests,
    TransportError,
)
from eso_core.meta.wellknown import CONFIG_MAP
from eso_core.testing.apiserver.options import ApiServerOptions
from eso_core.testing.apiserver.server import ApiServer
from eso_core.testing.faults import (
    ClockOffset,
    CloseAfter,
    Cut,
    Delay,
    Edit,
    FaultProxy,
    Hang,
    HttpFaultProxy,
    Reset,
    SlowHeaders,
    expired,
    failure,
    is_watch,
    no_bookmarks,
    reordered,
    truncated,
    twice,
)

ONCE = RetryPolicy(attempts=1)
NAMES = ["a", "b", "c"]


def config_map(name: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "kube-public"}}


def anything(request: object) -> bool:
    return True


@pytest.fixture
async def config() -> AsyncIterator[ClientConfig]:
    """A server with three ConfigMaps, and where it is."""
    async with await ApiServer.start(ApiServerOptions(tls=False)) as server:
        for name in NAMES:
            server.create("v1", "ConfigMap", {"metadata": {"name": name}}, namespace="kube-public")
        yield config_from_kubeconfig(server.kubeconfig())


@pytest.fixture
async def proxy(config: ClientConfig) -> AsyncIterator[HttpFaultProxy]:
    async with HttpFaultProxy(config) as proxy:
        yield proxy


@pytest.fixture
async def client(proxy: HttpFaultProxy) -> AsyncIterator[Client]:
    """A client that goes through the proxy and repeats nothing."""
    async with Client(proxy.config, retry=ONCE, environ={}) as client:
        yield client


async def initial(client: Client) -> list[tuple[str, str]]:
    """The first events of a watch with initial events, up to its bookmark or four of them."""
    shown = []
    watching = client.watch(
        CONFIG_MAP,
        "kube-public",
        field_selector="metadata.name!=kube-root-ca.crt",
        send_initial_events=True,
        timeout_seconds=1,
    )
    async with watching as watch:
        async for event in watch:
            shown.append((event.type, event.meta.name))
            if event.type == "BOOKMARK":
                break
    return shown


async def test_an_answer_breaks_off_after_so_many_bytes(proxy: HttpFaultProxy, client: Client) -> None:
    """T-20: drop after n bytes."""
    proxy.spoil(Cut(after=40), anything)
    with pytest.raises(ConnectionLost):
        await client.list(CONFIG_MAP)
    assert len((await client.list(CONFIG_MAP, "kube-public")).items) == 4


async def test_a_request_is_delayed(proxy: HttpFaultProxy, client: Client) -> None:
    """T-20: delay; the server has not seen what timed out."""
    proxy.spoil(Delay(60), anything)
    with pytest.raises(ReadTimeout):
        await client.create(config_map("late"), timeout=0.05)
    with pytest.raises(NotFound):
        await client.get(CONFIG_MAP, ObjectKey("kube-public", "late"))


async def test_headers_are_slow(proxy: HttpFaultProxy, client: Client) -> None:
    """T-20: slow headers; the server has done what timed out."""
    proxy.spoil(SlowHeaders(60), anything)
    with pytest.raises(ReadTimeout):
        await client.create(config_map("late"), timeout=0.2)
    assert await client.get(CONFIG_MAP, ObjectKey("kube-public", "late"))


async def test_no_answer_ever_comes(proxy: HttpFaultProxy, client: Client) -> None:
    """T-20: a server that hangs."""
    proxy.spoil(Hang(), anything)
    with pytest.raises(ReadTimeout):
        await client.list(CONFIG_MAP, timeout=0.05)


async def test_a_connection_is_reset(proxy: HttpFaultProxy, client: Client) -> None:
    """T-20: reset; the server has not seen the request."""
    proxy.spoil(Reset(), anything)
    with pytest.raises(TransportError):
        await client.create(config_map("new"))
    with pytest.raises(NotFound):
        await client.get(CONFIG_MAP, ObjectKey("kube-public", "new"))


async def test_too_many_requests_with_and_without_a_time(proxy: HttpFaultProxy, client: Client) -> None:
    """T-20: 429 with and without Retry-After."""
    for seconds in (7, None):
        proxy.spoil(failure(429, "TooManyRequests", retry_after=seconds), anything)
        with pytest.raises(TooManyRequests) as caught:
            await client.list(CONFIG_MAP)
        assert caught.value.retry_after == seconds


async def test_the_server_fails(proxy: HttpFaultProxy, client: Client) -> None:
    """T-20: 500."""
    proxy.spoil(failure(500, "InternalError"), anything)
    with pytest.raises(ApiError) as caught:
        await client.list(CONFIG_MAP)
    assert caught.value.code == 500


@pytest.mark.parametrize("fault", [failure(410, "Expired"), Edit(expired)], ids=["answer", "event"])
async def test_the_next_watch_has_expired(proxy: HttpFaultProxy, client: Client, fault: Edit) -> None:
    """T-20: 410 on the next watch, in both of its forms, and on no other."""
    proxy.spoil(fault, is_watch)
    assert (await client.list(CONFIG_MAP, "kube-public")).items
    with pytest.raises(Gone):
        await initial(client)
    assert [name for _, name in await initial(client)][:3] == NAMES


async def test_a_line_is_truncated(proxy: HttpFaultProxy, client: Client) -> None:
    """T-20: an event that is no JSON."""
    proxy.spoil(Edit(truncated), is_watch)
    with pytest.raises(DecodeError):
        await initial(client)


async def test_events_come_twice(proxy: HttpFaultProxy, client: Client) -> None:
    """T-20: duplicated events."""
    proxy.spoil(Edit(twice), is_watch)
    assert [name for type_, name in await initial(client) if type_ == "ADDED"] == ["a", "a", "b", "b", "c", "c"]


async def test_initial_events_come_in_another_order(proxy: HttpFaultProxy, client: Client) -> None:
    """T-20: reordered initial ADDED; the bookmark stays behind them."""
    proxy.spoil(Edit(reordered()), is_watch)
    found = await initial(client)
    assert [name for _, name in found[:3]] == ["c", "b", "a"]
    assert found[3][0] == "BOOKMARK"


async def test_no_bookmark_comes(proxy: HttpFaultProxy, client: Client) -> None:
    """T-20: no bookmarks, not even that of the initial events."""
    proxy.spoil(Edit(no_bookmarks), is_watch)
    assert {type_ for type_, _ in await initial(client)} == {"ADDED"}


async def test_a_kept_connection_is_closed(proxy: HttpFaultProxy, client: Client) -> None:
    """T-20: closed keep-alive; the answer was whole, and the next request finds another connection."""
    proxy.spoil(CloseAfter(), anything)
    assert len((await client.list(CONFIG_MAP, "kube-public")).items) == 4
    await asyncio.sleep(0.05)
    assert len((await client.list(CONFIG_MAP, "kube-public")).items) == 4


async def test_the_servers_clock_is_off(proxy: HttpFaultProxy, client: Client) -> None:
    """T-20: clock offset header."""
    dates: list[str] = []

    async def note(request: ApiRequest, send: Send) -> ApiResponse:
        answer = await send(request)
        dates.append(answer.headers["Date"])
        return answer

    proxy.spoil(ClockOffset(-86_400), anything)
    await client.with_interceptor(note).list(CONFIG_MAP, "kube-public")
    off = (datetime.now(UTC) - parsedate_to_datetime(dates[0])).total_seconds()
    assert 86_400 <= off < 86_430


async def test_a_half_open_connection_swallows_both_ways(config: ClientConfig) -> None:
    """T-20: half-open; the server sees nothing, and afterwards the connection is of no use any more."""
    async with FaultProxy(config.server) as proxy:
        through = dataclasses.replace(config, server=proxy.url)
        async with Client(through, retry=ONCE, environ={}) as client:
            assert len((await client.list(CONFIG_MAP, "kube-public")).items) == 4
            proxy.swallow()
            with pytest.raises(ReadTimeout):
                await client.create(config_map("swallowed"), timeout=0.05)
            proxy.thaw()
            with pytest.raises(NotFound):
                await client.get(CONFIG_MAP, ObjectKey("kube-public", "swallowed"))


async def test_connections_are_refused(config: ClientConfig) -> None:
    """T-20: nobody listens; later somebody does, at the same address."""
    async with FaultProxy(config.server) as proxy:
        through = dataclasses.replace(config, server=proxy.url)
        await proxy.refuse()
        async with Client(through, retry=ONCE, environ={}) as client:
            with pytest.raises(ConnectError):
                await client.list(CONFIG_MAP)
            await proxy.restore()
            assert (await client.list(CONFIG_MAP, "kube-public")).items
