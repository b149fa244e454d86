"""One writer at a time for each remote key."""

from __future__ import annotations

import asyncio

import pytest

from controllers.pushsecret.push import KeyLocks
from eso_core.aio import TaskScope
from providers.interface import StoreKey

STORE = StoreKey("SecretStore", "t", "s")


async def test_writers_of_one_key_take_turns_and_others_do_not_wait() -> None:
    """Most backends read a document, change it and write it back."""
    locks = KeyLocks()
    inside: dict[str, int] = {}
    most: dict[str, int] = {}

    async def write(key: str) -> None:
        async with locks.held(STORE, key):
            inside[key] = inside.get(key, 0) + 1
            most[key] = max(most.get(key, 0), inside[key])
            most["any"] = max(most.get("any", 0), sum(inside.values()))
            await asyncio.sleep(0)
            inside[key] -= 1

    async with TaskScope("writers") as scope:
        for number in range(20):
            scope.spawn(write("a" if number % 2 else "b"), name=f"writer {number}")
    assert (most["a"], most["b"], most["any"]) == (1, 1, 2)


async def test_nothing_is_kept_of_a_key_that_nobody_writes() -> None:
    """Also when a writer fails or is cancelled while it waits."""
    locks = KeyLocks()

    async def fail() -> None:
        async with locks.held(STORE, "a"):
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await fail()
    async with TaskScope("waiting") as scope:
        async with locks.held(STORE, "a"):
            waiting = scope.spawn(fail(), name="waits")
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.wait({waiting})
    assert locks._locks == {}
