"""The client-side rate limit: off unless asked for, first come first served, and fair to who gives up."""

from __future__ import annotations

import asyncio
import logging

import pytest
from aiohttp import web

from eso_core.aio import TaskScope
from eso_core.client import Client, ClientConfig, RateLimit
from eso_core.client.limiter import TokenBucket
from eso_core.meta import ObjectKey
from eso_core.meta.wellknown import SECRET
from eso_core.testing.clock import FakeClock

KEY = ObjectKey("ns", "a")


def test_there_is_no_limit_unless_somebody_sets_one_and_two_are_named() -> None:
    """C-60, C-01, C-03: the server's own fairness does the job; 100 connections, 60 s for a request."""
    config = ClientConfig(server="http://x")
    assert config.rate_limit is None
    assert config.max_connections == 100
    assert config.request_timeout == 60.0
    assert (RateLimit.LEGACY.qps, RateLimit.LEGACY.burst) == (5, 10)
    assert (RateLimit.CONTROLLER.qps, RateLimit.CONTROLLER.burst) == (50, 100)


async def test_callers_are_served_in_the_order_of_their_calls() -> None:
    """C-60: FIFO, at the rate, after the burst; idle time refills no more than the burst."""
    clock = FakeClock()
    bucket = TokenBucket(RateLimit(qps=10, burst=3), clock)
    served: list[tuple[int, float]] = []

    async def caller(number: int) -> None:
        await bucket.acquire()
        served.append((number, round(clock.elapsed, 3)))

    async with TaskScope("test") as scope:
        for number in range(6):
            scope.spawn(caller(number), name=f"caller {number}")
        await clock.advance(1)
        assert served == [(0, 0), (1, 0), (2, 0), (3, 0.1), (4, 0.2), (5, 0.3)]
        await clock.advance(99)
        served.clear()
        for number in range(4):
            scope.spawn(caller(number), name=f"caller {number}")
        await clock.advance(1)
        assert served == [(0, 100), (1, 100), (2, 100), (3, 100.1)]


async def test_who_gives_up_gives_the_token_back() -> None:
    """C-60: waiting can be cancelled, and the next caller gets that turn."""
    clock = FakeClock()
    bucket = TokenBucket(RateLimit(qps=1, burst=1), clock)
    await bucket.acquire()
    async with TaskScope("test") as scope:
        waiting = scope.spawn(bucket.acquire(), name="gives up")
        await clock.advance(0.5)
        waiting.cancel()
        await clock.settle()
        after = scope.spawn(bucket.acquire(), name="after")
        await clock.advance(0.51)
        assert after.done()


@pytest.mark.parametrize(("qps", "level"), [(100, None), (10, logging.DEBUG), (0.5, logging.INFO)])
async def test_long_waits_are_logged(caplog: pytest.LogCaptureFixture, qps: float, level: int | None) -> None:
    """C-60: above 50 ms at debug, above a second at info."""
    clock = FakeClock(auto=True)
    bucket = TokenBucket(RateLimit(qps=qps, burst=1), clock)
    with caplog.at_level(logging.DEBUG, "eso_core.client"):
        await bucket.acquire()
        await bucket.acquire()
    assert [record.levelno for record in caplog.records] == ([] if level is None else [level])


async def test_retries_and_watches_take_their_turn(server) -> None:
    """C-60, C-65: a retry enters the limiter again; a watch takes one token when it starts."""

    async def answer(request: web.Request, body: bytes) -> web.StreamResponse:
        if "watch" in request.query:
            response = web.StreamResponse()
            await response.prepare(request)
            return response
        if len(server.seen) == 1:
            return web.json_response({}, status=503, headers={"Retry-After": "0"})
        return web.json_response({"metadata": {"name": "a"}})

    server.answers = [answer]
    clock = FakeClock(auto=True)
    async with Client(ClientConfig(server.url, rate_limit=RateLimit(qps=0.1, burst=1)), clock=clock) as client:
        await client.get(SECRET, KEY)
        assert 9.99 <= clock.elapsed < 12  # a sum of floats
        async with client.watch_raw(SECRET) as events:
            async for _ in events:
                pass
        assert 19.99 <= clock.elapsed < 22
        await asyncio.sleep(0)
