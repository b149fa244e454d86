"""Values of a generator: kept once they have arrived, taken back when they have not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from controllers import operator
from controllers.pushsecret.errors import SourceFailed
from controllers.pushsecret.wiring import add_push_secrets
from controllers.secretstore.holds import StoreHolds
from providers.errors import Unavailable
from tests.integration.operator.harness import JsonObject
from tests.integration.pushsecret.harness import PS, entry, pushing

SELECTOR = {"generatorRef": {"kind": "Password", "name": "g"}}


@dataclass
class Counting:
    """A generator that counts; `log` has what became of each of its values."""

    log: list[tuple[str, int]] = field(default_factory=list)
    made: int = 0
    failure: SourceFailed | None = None

    async def generate(self, owner: JsonObject, ref: JsonObject) -> Any:
        if self.failure is not None:
            raise self.failure
        assert owner["metadata"]["name"] == "p" and ref["name"] == "g"
        self.made += 1
        return _Made(self, self.made)

    async def unused(self, owner: JsonObject) -> None:
        self.log.append(("let go", self.made))


@dataclass
class _Made:
    counting: Counting
    number: int
    lifetime: float | None = None

    @property
    def values(self) -> dict[str, bytes]:
        return {"password": str(self.number).encode()}

    async def commit(self) -> None:
        self.counting.log.append(("kept", self.number))

    async def discard(self) -> None:
        self.counting.log.append(("taken back", self.number))


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> Counting:
    made = Counting()

    def add(*arguments: Any) -> StoreHolds:
        *others, _ = arguments if len(arguments) == 7 else (*arguments, None)
        return add_push_secrets(*others, made)

    monkeypatch.setattr(operator, "add_push_secrets", add)
    return made


async def test_fresh_values_go_to_all_stores_and_are_kept_after_that(counting: Counting) -> None:
    """One value for both; the next pass makes a new one."""
    async with pushing() as push:
        await push.store()
        await push.store("two")
        refs = [{"name": "s"}, {"name": "two"}]
        await push.push(selector=SELECTOR, secretStoreRefs=refs, data=[entry("password", "a")])
        await push.synced()
        number = counting.made
        assert push.backend.held() == push.backend.held("two") == {"a": {"": str(number)}}
        assert counting.log[-1] == ("kept", number)
        await push.cluster.quiet()
        assert counting.made == number, "a generator is not asked without need"
        await push.cluster.patch(PS, "p", {"metadata": {"annotations": {"poke": "1"}}})
        await push.holds({"a": {"": str(number + 1)}})


async def test_values_that_arrive_nowhere_are_taken_back(counting: Counting) -> None:
    """Weak point 36: nothing is remembered before the push."""
    async with pushing() as push:
        await push.store()
        push.backend.failure = Unavailable("sealed")
        await push.push(selector=SELECTOR, data=[entry("password", "a")])
        await push.failed("sealed")
        assert counting.log and {what for what, _ in counting.log} == {"taken back"}
        push.backend.failure = None
        await push.synced()
        assert counting.log[-1] == ("kept", counting.made)
        assert push.backend.held() == {"a": {"": str(counting.made)}}


async def test_values_that_arrived_somewhere_are_kept(counting: Counting) -> None:
    """Taking them back would leave a dead credential in the store that has it."""
    async with pushing() as push:
        await push.store()
        push.backend.broken.add("b")
        await push.push(selector=SELECTOR, data=[entry("password", "a"), entry("password", "b")])
        await push.failed("b is refused")
        assert counting.log[-1] == ("kept", counting.made)


async def test_values_that_nobody_wants_are_taken_back(counting: Counting) -> None:
    """IfNotExists: what is there stays."""
    async with pushing() as push:
        push.backend.held()["a"] = {"": "theirs"}
        await push.store()
        await push.push(selector=SELECTOR, updatePolicy="IfNotExists", data=[entry("password", "a")])
        await push.synced()
        assert {what for what, _ in counting.log} == {"taken back"}
        assert push.backend.held() == {"a": {"": "theirs"}}


async def test_an_object_that_has_no_generator_any_more_lets_go(counting: Counting) -> None:
    """Of what an earlier one made for it."""
    async with pushing() as push:
        await push.store()
        await push.cluster.secret("src", {"password": "fixed"})
        await push.push(selector=SELECTOR, data=[entry("password", "a")])
        await push.synced()
        made = counting.made
        selector = {"generatorRef": None, "secret": {"name": "src"}}
        await push.cluster.patch(PS, "p", {"spec": {"selector": selector}})
        await push.holds({"a": {"": "fixed"}})
        await push.synced()
        assert counting.log[-1] == ("let go", made)


async def test_a_generator_that_fails_is_told(counting: Counting) -> None:
    """And nothing is pushed."""
    counting.failure = SourceFailed("could not resolve secret from generator ref: no")
    async with pushing() as push:
        await push.store()
        await push.push(selector=SELECTOR, data=[entry("password", "a")])
        await push.failed("could not get source secret")
        assert "could not resolve secret from generator ref: no" in (await push.status())["lastError"]
        assert push.backend.held() == {}
        assert counting.log == []
