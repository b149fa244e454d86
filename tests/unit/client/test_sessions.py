"""Sessions that are replaced."""

from __future__ import annotations

from typing import Any

import pytest

from eso_core.client.sessions import Sessions


class Http:
    def __init__(self) -> None:
        self.closed = False

    async def close(self) -> None:
        self.closed = True


class Stream:
    closed = False


@pytest.fixture
def made() -> list[Http]:
    return []


@pytest.fixture
def sessions(made: list[Http]) -> Any:
    def make() -> Any:
        made.append(Http())
        return made[-1]

    return Sessions(make)


async def test_the_third_failed_connect_in_a_row_replaces_the_session(sessions: Any, made: list[Http]) -> None:
    """R-33: an answer in between starts the count anew; the old session is closed when nobody uses it."""
    for outcome in ("failed", "failed", "answered", "failed", "failed", "failed"):
        with sessions.use():
            pass
        if outcome == "failed":
            await sessions.failed()
        else:
            sessions.connected()
    assert len(made) == 1
    assert made[0].closed
    with sessions.use() as session:
        assert session.http is made[1]
    await sessions.aclose()
    assert made[1].closed


async def test_a_replaced_session_lives_as_long_as_its_streams_and_requests(sessions: Any, made: list[Http]) -> None:
    """A watch that still works is not cut because other connections fail."""
    stream: Any = Stream()
    with sessions.use() as session:
        session.streams.add(stream)
    with sessions.use():
        for _ in range(3):
            await sessions.failed()
        assert not made[0].closed
    await sessions.failed()
    assert not made[0].closed, "the stream is open"
    stream.closed = True
    await sessions.failed()
    assert made[0].closed


async def test_closing_closes_everything(sessions: Any, made: list[Http]) -> None:
    """Retired sessions too, whatever still reads from them."""
    with sessions.use() as session:
        stream: Any = Stream()
        session.streams.add(stream)
        for _ in range(3):
            await sessions.failed()
    with sessions.use():
        pass
    await sessions.aclose()
    assert [http.closed for http in made] == [True, True]
