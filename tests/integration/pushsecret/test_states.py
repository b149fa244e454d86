"""PushSecrets of generators that make something outside: what is recorded of it, and when it goes."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from controllers.generating.states import GENERATOR_STATE
from eso_core.meta import parse_time
from generators.interface import Generated, Generator, GeneratorContext
from generators.registry import GeneratorRegistry
from generators.spec import GeneratorSpec
from providers.errors import Unavailable
from tests.integration.operator.harness import JsonObject
from tests.integration.pushsecret.harness import PS, PushCluster, entry, pushing

API = "generators.external-secrets.io/v1alpha1"
SELECTOR = {"generatorRef": {"apiVersion": API, "kind": "GitlabDeployToken", "name": "g"}}


class _Spec(GeneratorSpec):
    """Anything."""


class Tokens(Generator):
    """Makes numbered tokens that have to be revoked."""

    kind: ClassVar[str] = "GitlabDeployToken"
    plural: ClassVar[str] = "gitlabdeploytokens"
    member: ClassVar[str] = "gitlabDeployTokenSpec"
    spec: ClassVar[type[GeneratorSpec]] = _Spec

    def __init__(self) -> None:
        self.made = 0
        self.revoked: list[int] = []
        self.lifetime: float | None = None

    async def generate(self, spec: GeneratorSpec, ctx: GeneratorContext) -> Generated:
        self.made += 1
        return Generated({"token": f"t{self.made}".encode()}, {"id": self.made}, lifetime=self.lifetime)

    async def cleanup(self, spec: GeneratorSpec, state: JsonObject, ctx: GeneratorContext) -> None:
        self.revoked.append(state["id"])


@pytest.fixture
def tokens() -> Tokens:
    return Tokens()


@pytest.fixture
def registry(tokens: Tokens) -> GeneratorRegistry:
    made = GeneratorRegistry(plugins=())
    made.register(tokens)
    return made


async def generator(push: PushCluster) -> None:
    spec = {
        "projectID": "1",
        "name": "n",
        "scopes": ["read_registry"],
        "auth": {"token": {"secretRef": {"name": "s", "key": "k"}}},
    }
    metadata = {"name": "g", "namespace": "t"}
    await push.cluster.client.create({"apiVersion": API, "kind": Tokens.kind, "metadata": metadata, "spec": spec})


async def states(push: PushCluster) -> dict[int, Any]:
    """Deadlines by number of the token."""
    found = (await push.cluster.client.list(GENERATOR_STATE, "t")).items
    return {state["spec"]["state"]["id"]: state["spec"].get("garbageCollectionDeadline") for state in found}


async def test_a_pushed_token_is_recorded_and_the_one_before_gets_a_deadline(
    tokens: Tokens, registry: GeneratorRegistry
) -> None:
    """B068: the state belongs to the PushSecret; two generations are good at a time."""
    async with pushing(generators=registry) as push:
        await push.store()
        await generator(push)
        await push.push(selector=SELECTOR, data=[entry("token", "a")])
        await push.synced()
        first = tokens.made
        assert await states(push) == {first: None}
        (state,) = (await push.cluster.client.list(GENERATOR_STATE, "t")).items
        (owner,) = state["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["name"], owner.get("controller")) == (PS.kind, "p", None)
        for number in (1, 2):
            await push.cluster.patch(PS, "p", {"metadata": {"annotations": {"poke": str(number)}}})
            await push.holds({"a": {"": f"t{first + number}"}})
            await push.synced()
        found = await states(push)
        assert found[first + 1] is None and found[first + 2] is None
        assert parse_time(found[first])
        assert tokens.revoked == []


async def test_a_token_that_arrives_nowhere_is_revoked_at_once(tokens: Tokens, registry: GeneratorRegistry) -> None:
    """Weak point 36: nothing is recorded of it, and the recorded ones stay as they are."""
    async with pushing(generators=registry) as push:
        await push.store()
        await generator(push)
        await push.push(selector=SELECTOR, data=[entry("token", "a")])
        await push.synced()
        good = tokens.made
        push.backend.failure = Unavailable("sealed")
        await push.cluster.patch(PS, "p", {"metadata": {"annotations": {"poke": "1"}}})
        await push.failed("sealed")

        async def revoked() -> bool:
            return tokens.made > good and tokens.revoked == list(range(good + 1, tokens.made + 1))

        await push.cluster.eventually(revoked)
        assert await states(push) == {good: None}


async def test_without_its_generator_a_push_secret_lets_the_token_go(
    tokens: Tokens, registry: GeneratorRegistry
) -> None:
    """A Secret takes its place: the last token gets a deadline."""
    async with pushing(generators=registry) as push:
        await push.store()
        await generator(push)
        await push.cluster.secret("src", {"token": "fixed"})
        await push.push(selector=SELECTOR, data=[entry("token", "a")])
        await push.synced()
        await push.cluster.patch(PS, "p", {"spec": {"selector": {"generatorRef": None, "secret": {"name": "src"}}}})
        await push.holds({"a": {"": "fixed"}})

        async def let_go() -> bool:
            found = await states(push)
            return bool(found) and all(found.values())

        await push.cluster.eventually(let_go)


async def test_b075_a_token_that_expires_is_pushed_anew_before_that(
    tokens: Tokens, registry: GeneratorRegistry
) -> None:
    """B075: the status says when; one that lasts long enough keeps the interval."""
    tokens.lifetime = 60.0
    async with pushing(generators=registry) as push:
        await push.store()
        await generator(push)
        await push.push(selector=SELECTOR, data=[entry("token", "a")])
        status = await push.synced()
        after = (parse_time(status["nextRefreshTime"]) - parse_time(status["refreshTime"])).total_seconds()
        assert 35 <= after <= 40
        tokens.lifetime, number = 3.0, tokens.made
        await push.cluster.patch(PS, "p", {"metadata": {"annotations": {"poke": "1"}}})
        await push.holds({"a": {"": f"t{number + 1}"}})
        tokens.lifetime = None
        await push.holds({"a": {"": f"t{number + 2}"}})

        async def told() -> None:
            # The value is in the store a moment before the status says so.
            assert "nextRefreshTime" not in await push.synced()

        await push.cluster.eventually(told)


async def test_b076_a_tools_note_to_itself_pushes_no_new_token(tokens: Tokens, registry: GeneratorRegistry) -> None:
    """B076: other labels do, as before."""
    async with pushing(generators=registry) as push:
        await push.store()
        await generator(push)
        note = {"kustomize.toolkit.fluxcd.io/checksum": "1"}
        await push.push(selector=SELECTOR, data=[entry("token", "a")], metadata={"labels": note})
        await push.synced()
        number = tokens.made
        for value in ("2", "3"):
            labels = {"kustomize.toolkit.fluxcd.io/checksum": value}
            await push.cluster.patch(PS, "p", {"metadata": {"labels": labels}})
            await push.cluster.quiet()
        assert tokens.made == number
        await push.cluster.patch(PS, "p", {"metadata": {"labels": {"team": "blue"}}})
        await push.holds({"a": {"": f"t{number + 1}"}})
