"""Watches on a clock under the test's control: resumption, selectors, bookmarks, ends."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from eso_core.testing.apiserver.options import ApiServerOptions
from eso_core.testing.apiserver.server import ApiServer
from eso_core.testing.clock import FakeClock
from tests.unit.apiserver.conftest import Caller, config_map

MAPS = "/api/v1/namespaces/default/configmaps"
MERGE = "application/merge-patch+json"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def server(clock: FakeClock) -> AsyncIterator[ApiServer]:
    """A server whose time stands still."""
    async with await ApiServer.start(ApiServerOptions(tls=False, clock=clock)) as running:
        yield running


async def test_a_watch_resumes_after_the_version_it_names(call: Caller) -> None:
    """2.1: only later changes come, each once."""
    version = (await call("POST", MAPS, config_map("a"))).body["metadata"]["resourceVersion"]
    await call("PATCH", f"{MAPS}/a", {"data": {"k": "1"}}, type=MERGE)
    watch = await call.watch(f"{MAPS}?watch=1&resourceVersion={version}&fieldSelector=metadata.name=a")
    await call("DELETE", f"{MAPS}/a")
    assert watch.shown == [("MODIFIED", "a"), ("DELETED", "a")]


async def test_leaving_a_selector_is_a_deletion_at_the_new_version(call: Caller) -> None:
    """2.1: with the last matching labels."""
    body = {**config_map("a"), "metadata": {"name": "a", "labels": {"app": "x"}}}
    await call("POST", MAPS, body)
    watch = await call.watch(f"{MAPS}?watch=1&labelSelector=app%3Dx")
    left = await call("PATCH", f"{MAPS}/a", {"metadata": {"labels": {"app": "y"}}}, type=MERGE)
    back = await call("PATCH", f"{MAPS}/a", {"metadata": {"labels": {"app": "x"}}}, type=MERGE)
    assert watch.shown == [("ADDED", "a"), ("DELETED", "a"), ("ADDED", "a")]
    deleted = watch.events[1]["object"]["metadata"]
    assert deleted["labels"] == {"app": "x"}
    assert deleted["resourceVersion"] == left.body["metadata"]["resourceVersion"]
    assert watch.events[2]["object"]["metadata"]["resourceVersion"] == back.body["metadata"]["resourceVersion"]


async def test_a_version_that_left_the_window_is_an_error_event(call: Caller, server: ApiServer) -> None:
    """2.1: HTTP 200, one 410 Status, the end."""
    version = (await call("POST", MAPS, config_map("a"))).body["metadata"]["resourceVersion"]
    await call("POST", MAPS, config_map("b"))
    server.compact()
    watch = await call.watch(f"{MAPS}?watch=1&resourceVersion={version}")
    assert watch.ended
    error = watch.events[0]["object"]
    assert (watch.events[0]["type"], error["code"], error["reason"]) == ("ERROR", 410, "Expired")
    assert error["message"].startswith(f"too old resource version: {version} (")


async def test_bookmarks_come_every_minute_and_before_the_end(call: Caller, clock: FakeClock) -> None:
    """T-37: an early one for a single object, one per minute, one two seconds before the timeout; then the end."""
    watch = await call.watch(
        f"{MAPS}?watch=1&resourceVersion=0&allowWatchBookmarks=true&timeoutSeconds=100&fieldSelector=metadata.name=none"
    )
    await clock.advance(1)
    assert [event["type"] for event in watch.events] == ["BOOKMARK"]
    await clock.advance(60)
    assert len(watch.events) == 2
    await clock.advance(38)
    assert len(watch.events) == 3
    assert not watch.ended
    await clock.advance(2)
    assert watch.ended
    assert {event["type"] for event in watch.events} == {"BOOKMARK"}


async def test_a_client_that_does_not_read_is_cut_off(call: Caller) -> None:
    """T-37: it comes back and catches up."""
    watch = await call.watch(f"{MAPS}?watch=1&resourceVersion=0&fieldSelector=metadata.name=a")
    watch.pending = 1 << 30
    await call("POST", MAPS, config_map("a"))
    assert watch.ended
    assert watch.events == []


async def test_initial_events_end_with_a_marked_bookmark(call: Caller) -> None:
    """2.1: WatchList."""
    await call("POST", MAPS, config_map("a"))
    query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    watch = await call.watch(f"{MAPS}?watch=1&{query}")
    assert watch.shown == [("ADDED", "a"), ("ADDED", "kube-root-ca.crt"), ("BOOKMARK", "")]
    assert watch.events[2]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_a_stopped_server_ends_its_watches(clock: FakeClock) -> None:
    """No timer and no watcher is left."""
    server = await ApiServer.start(ApiServerOptions(tls=False, clock=clock))
    watch = await Caller(server).watch(f"{MAPS}?watch=1")
    assert not watch.ended
    await server.aclose()
