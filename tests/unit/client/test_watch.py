"""Watch streams: events, ends, silence, long lines."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from eso_core.client import Client, ClientConfig, RawEvent
from eso_core.client.lines import LineSplitter
from eso_core.meta import ObjectKey, Partial, wellknown
from eso_core.meta.errors import ConnectionLost, DecodeError, Gone, ReadTimeout
from eso_core.testing.clock import FakeClock

SECRET = wellknown.SECRET


def line(kind: str, name: str, version: str) -> bytes:
    """One event on the wire."""
    obj = {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": name, "resourceVersion": version}}
    return json.dumps({"type": kind, "object": obj}).encode() + b"\n"


def streaming(*chunks: bytes, end: str = "close"):  # type: ignore[no-untyped-def]
    """An answer that sends chunks and then closes, hangs or breaks."""

    async def answer(request: web.Request, _: bytes) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        for chunk in chunks:
            await response.write(chunk)
        if end == "hang":
            await asyncio.Event().wait()
        elif end == "break":
            assert request.transport is not None
            request.transport.close()
        return response

    return answer


@pytest.fixture
def clock() -> FakeClock:
    """Time stands still."""
    return FakeClock()


@pytest.fixture
async def client(server, clock: FakeClock) -> AsyncIterator[Client]:  # type: ignore[no-untyped-def]
    """A client under the fake clock."""
    async with Client(ClientConfig(server=server.url), clock=clock) as made:
        yield made


async def test_raw_events_come_as_bytes(server, client) -> None:
    """The object's bytes are untouched, wherever the chunks were cut; a partial last line is dropped (R-14)."""
    whole = line("ADDED", "a", "1") + line("MODIFIED", "b", "2") + b'{"type":"ADDED","obj'
    server.answers = [streaming(whole[:10], whole[10:120], whole[120:])]
    async with client.watch_raw(SECRET, "ns", resource_version="5", timeout_seconds=300) as events:
        found = [event async for event in events]
    assert [e.type for e in found] == ["ADDED", "MODIFIED"]
    assert isinstance(found[0], RawEvent)
    assert json.loads(found[1].body)["metadata"] == {"name": "b", "resourceVersion": "2"}
    assert server.seen[0].path == "/api/v1/namespaces/ns/secrets"
    assert server.seen[0].query == {
        "watch": "true",
        "allowWatchBookmarks": "true",
        "resourceVersion": "5",
        "timeoutSeconds": "300",
    }


async def test_initial_events_are_asked_for_with_their_match(server, client) -> None:
    """2.1: sendInitialEvents needs resourceVersionMatch=NotOlderThan."""
    server.answers = [streaming()]
    async with client.watch_raw(Partial(SECRET), send_initial_events=True) as events:
        assert [e async for e in events] == []
    assert server.seen[0].query["sendInitialEvents"] == "true"
    assert server.seen[0].query["resourceVersionMatch"] == "NotOlderThan"
    assert "as=PartialObjectMetadata;" in server.seen[0].headers["Accept"]


async def test_an_error_event_is_data_for_caches_and_an_error_for_others(server, client) -> None:
    """R-12: a raw watch yields it, a decoded watch raises it."""
    status = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version: 1 (9)"}
    body = json.dumps({"type": "ERROR", "object": status}).encode() + b"\n"
    server.answers = [streaming(body)]
    async with client.watch_raw(SECRET) as events:
        found = [e async for e in events]
    assert found[0].type == "ERROR"
    assert json.loads(found[0].body)["code"] == 410
    async with client.watch(SECRET) as decoded:
        with pytest.raises(Gone, match="too old resource version"):
            await anext(decoded)


async def test_a_refused_watch_raises_on_entering(server, client) -> None:
    """410 by HTTP status is the same error."""
    server.reply({"kind": "Status", "code": 410, "reason": "Expired", "message": "old"}, 410)
    with pytest.raises(Gone):
        async with client.watch_raw(SECRET, resource_version="1"):
            pass
    assert len(server.seen) == 1


async def test_a_watch_start_is_not_repeated_on_429(server, client) -> None:
    """C-64: backing off is the reflector's business."""
    server.reply({"kind": "Status", "code": 429, "message": "busy"}, 429, {"Retry-After": "1"})
    with pytest.raises(Exception, match="429") as info:
        async with client.watch_raw(SECRET):
            pass
    assert info.value.retry_after == 1  # type: ignore[attr-defined]
    assert len(server.seen) == 1


async def test_a_broken_stream_is_told_from_a_closed_one(server, client) -> None:
    """R-14: events before the break arrive, then ConnectionLost."""
    server.answers = [streaming(line("ADDED", "a", "1"), end="break")]
    async with client.watch_raw(SECRET) as events:
        assert (await anext(events)).type == "ADDED"
        with pytest.raises(ConnectionLost):
            await anext(events)


async def test_silence_ends_the_stream(server, client, clock: FakeClock) -> None:
    """R-31: 75 s without a byte; a byte starts the time anew."""
    server.answers = [streaming(line("ADDED", "a", "1"), end="hang")]
    async with client.watch_raw(SECRET) as events:
        await clock.advance(50)
        await anext(events)
        assert events.last_byte == clock.monotonic()
        await clock.advance(74)
        clock.call_later(0.5, lambda: None)
        waiting = asyncio.ensure_future(anext(events))
        await clock.settle()
        assert not waiting.done()
        await clock.advance(1)
        with pytest.raises(ReadTimeout, match="nothing arrived for 75 s"):
            await waiting


async def test_a_watch_that_the_server_forgot_ends(server, client, clock: FakeClock) -> None:
    """R-32: at timeoutSeconds + 5."""
    server.answers = [streaming(end="hang")]
    async with client.watch_raw(SECRET, timeout_seconds=300, idle_timeout=None) as events:
        waiting = asyncio.ensure_future(anext(events))
        await clock.advance(304.9)
        assert not waiting.done()
        await clock.advance(0.2)
        with pytest.raises(ReadTimeout, match="did not end the watch in time"):
            await waiting


async def test_a_line_that_is_no_event_is_a_decode_error(server, client) -> None:
    """R-14: a bad line ends the stream."""
    server.answers = [streaming(b'{"type": 1}\n')]
    async with client.watch_raw(SECRET) as events:
        with pytest.raises(DecodeError, match="a line is no event"):
            await anext(events)


async def test_decoded_events_carry_object_and_metadata(server, client) -> None:
    """Bookmarks have only metadata."""
    server.answers = [streaming(line("ADDED", "a", "1"), line("BOOKMARK", "", "8"))]
    async with client.watch(SECRET) as events:
        found = [e async for e in events]
    assert found[0].object is not None
    assert found[0].object["metadata"]["name"] == "a"
    assert found[1].object is None
    assert found[1].meta.resource_version == "8"


async def test_watches_do_not_use_the_pool_of_requests(server, clock: FakeClock) -> None:
    """C-01: with one connection for requests, a hundred watches leave a GET its connection."""
    import contextlib

    async def answer(request: web.Request, body: bytes) -> web.StreamResponse:
        if "watch" in request.query:
            return await streaming(end="hang")(request, body)
        return web.json_response({"metadata": {}})

    server.answers = [answer]
    async with Client(ClientConfig(server=server.url, max_connections=1), clock=clock) as client:
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(100):
                await stack.enter_async_context(client.watch_raw(SECRET))
            await client.get(SECRET, ObjectKey("ns", "a"))


def test_lines_are_cut_from_chunks_of_any_size() -> None:
    """C-04: every way to cut the stream gives the same lines."""
    data = b"first\n\nsecond line\nthird\nrest"
    for size in range(1, len(data) + 1):
        splitter = LineSplitter()
        lines = [found for i in range(0, len(data), size) for found in splitter.feed(data[i : i + size])]
        assert lines == [b"first", b"second line", b"third"]
        assert splitter.pending == 4


def test_a_line_over_the_limit_is_refused() -> None:
    """C-04: the cap holds for lines in one chunk and over many."""
    with pytest.raises(DecodeError, match="longer than 10 bytes"):
        LineSplitter(10).feed(b"x" * 11 + b"\n")
    splitter = LineSplitter(10)
    splitter.feed(b"x" * 10)
    with pytest.raises(DecodeError):
        splitter.feed(b"x")
    assert LineSplitter(10).feed(b"x" * 10 + b"\n" + b"y" * 10 + b"\n") == [b"x" * 10, b"y" * 10]


async def test_lines_of_several_megabytes_pass(server, client) -> None:
    """C-04: a line of 3 MiB, far over the buffer of a reader."""
    obj = {"kind": "Secret", "metadata": {"name": "big"}, "data": {"k": "x" * 3 * 2**20}}
    server.answers = [streaming(json.dumps({"type": "ADDED", "object": obj}).encode() + b"\n")]
    async with client.watch_raw(SECRET) as events:
        event = await anext(events)
    assert json.loads(event.body) == obj


def test_a_line_of_17_mib_is_refused_as_it_comes() -> None:
    """C-04, P-07: after 16 MiB, not at its end, so that nobody can fill the memory with one line."""
    splitter = LineSplitter()
    chunk = b"x" * 2**20
    for _ in range(16):
        assert splitter.feed(chunk) == []
    with pytest.raises(DecodeError, match="longer than 16777216 bytes"):
        splitter.feed(chunk)
