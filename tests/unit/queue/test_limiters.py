"""Rate limiters: delays, reservations, forgetting."""

from __future__ import annotations

import pytest

from eso_core.queue import ItemExponential, ItemFastSlow, Jittered, MaxOf, TokenBucket, WithMaxWait
from eso_core.testing.clock import FakeClock


async def test_item_exponential_doubles_from_base_to_maximum() -> None:
    """P-31: a failing key waits 5, 10, 20 ms … 81.92 s at the 15th failure, and 1000 s from the 19th on."""
    limiter = ItemExponential(clock=FakeClock())
    delays = [limiter.when("k") for _ in range(25)]
    assert delays[:3] == [0.005, 0.01, 0.02]
    assert delays[14] == pytest.approx(81.92)
    assert delays[17] == pytest.approx(655.36)
    assert delays[18:] == [1000.0] * 7


async def test_item_exponential_never_overflows() -> None:
    """A key that fails for ever keeps the maximum; float powers would overflow at 1024."""
    limiter = ItemExponential(1.0, 420.0, clock=FakeClock())
    delays = [limiter.when("k") for _ in range(3000)]
    assert delays[:10] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 420]
    assert delays[-1] == 420.0


async def test_forget_resets_one_key_only() -> None:
    """P-31: `forget` starts a key over, and leaves the others alone."""
    limiter = ItemExponential(1.0, 100.0, clock=FakeClock())
    for _ in range(3):
        limiter.when("a")
        limiter.when("b")
    limiter.forget("a")
    assert limiter.failures("a") == 0
    assert limiter.failures("b") == 3
    assert limiter.when("a") == 1.0
    assert limiter.when("b") == 8.0


async def test_counts_of_keys_nobody_asks_for_are_dropped() -> None:
    """Q-12, P-40: a deleted object's failure count is gone after twice the maximum delay."""
    clock = FakeClock()
    limiter = ItemExponential(1.0, 100.0, clock=clock)
    for number in range(50):
        limiter.when(f"gone-{number}")
    await clock.advance(201)
    limiter.when("alive")
    assert len(limiter) == 1
    assert limiter.failures("gone-0") == 0


async def test_token_bucket_reserves() -> None:
    """A bucket of two tokens at 10/s lets two pass, then spaces the others by 100 ms, and refills with time."""
    clock = FakeClock()
    bucket = TokenBucket(10.0, 2, clock=clock)
    assert [bucket.when(key) for key in "abcd"] == pytest.approx([0.0, 0.0, 0.1, 0.2])
    await clock.advance(0.4)
    assert [bucket.when(key) for key in "efg"] == pytest.approx([0.0, 0.0, 0.1])


async def test_max_of_takes_the_longest_delay() -> None:
    """The operator's limiter: the longer of the key's own back-off and the shared bucket."""
    clock = FakeClock()
    limiter = MaxOf(ItemExponential(1.0, 420.0, clock=clock), TokenBucket(10.0, 2, clock=clock))
    assert limiter.when("a") == 1.0
    assert limiter.when("a") == 2.0
    for number in range(30):
        limiter.when(f"k{number}")
    assert limiter.when("late") == pytest.approx(3.1)
    limiter.forget("a")
    assert limiter.failures("a") == 0


async def test_fast_slow_changes_after_the_given_attempts() -> None:
    """Two fast tries, then slow ones."""
    limiter = ItemFastSlow(0.1, 5.0, 2, clock=FakeClock())
    assert [limiter.when("k") for _ in range(4)] == [0.1, 0.1, 5.0, 5.0]
    limiter.forget("k")
    assert limiter.when("k") == 0.1


async def test_wrappers_cap_and_stretch() -> None:
    """`WithMaxWait` caps, `Jittered` stretches by at most its share."""
    clock = FakeClock()
    capped = WithMaxWait(ItemExponential(1.0, 100.0, clock=clock), 3.0)
    assert [capped.when("k") for _ in range(4)] == [1.0, 2.0, 3.0, 3.0]
    jittered = Jittered(ItemExponential(10.0, 100.0, clock=clock), 0.1, draw=lambda: 0.5)
    assert jittered.when("k") == pytest.approx(10.5)
    assert jittered.failures("k") == 1


@pytest.mark.parametrize(
    "make",
    [
        lambda clock: ItemExponential(0.0, 1.0, clock=clock),
        lambda clock: ItemExponential(2.0, 1.0, clock=clock),
        lambda clock: TokenBucket(0.0, 1, clock=clock),
        lambda clock: TokenBucket(1.0, 0, clock=clock),
        lambda clock: ItemFastSlow(-1.0, 1.0, 1, clock=clock),
        lambda clock: MaxOf(),
        lambda clock: WithMaxWait(TokenBucket(clock=clock), -1.0),
        lambda clock: Jittered(TokenBucket(clock=clock), -0.1),
    ],
)
async def test_bad_settings_are_refused(make: object) -> None:
    """G-08: options are checked when a limiter is made."""
    with pytest.raises(ValueError, match=r"must|needed"):
        make(FakeClock())  # type: ignore[operator]
