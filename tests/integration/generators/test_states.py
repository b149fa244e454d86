"""Generators in the loop: values at each refresh, and a life for what was made outside."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import ClassVar

import pytest

from controllers.api import all_crds
from controllers.generating.states import GENERATOR_STATE, OWNER_KEY_LABEL
from controllers.operator import OperatorOptions
from eso_core.client import ApiRequest
from eso_core.meta import GVK, ObjectKey, parse_time
from generators.errors import GeneratorFailed
from generators.interface import Generated, Generator, GeneratorContext
from generators.registry import GeneratorRegistry
from generators.spec import GeneratorSpec
from tests.integration.operator.harness import ES, Cluster, JsonObject, failure, running

API = "generators.external-secrets.io/v1alpha1"
TOKENS = GVK("generators.external-secrets.io", "v1alpha1", "GitlabDeployToken")
ENTRY = {"sourceRef": {"generatorRef": {"apiVersion": API, "kind": TOKENS.kind, "name": "g"}}}


class TokenSpec(GeneratorSpec):
    """Anything."""


class Tokens(Generator):
    """Makes numbered tokens outside, which have to be revoked."""

    kind: ClassVar[str] = TOKENS.kind
    plural: ClassVar[str] = "gitlabdeploytokens"
    member: ClassVar[str] = "gitlabDeployTokenSpec"
    spec: ClassVar[type[GeneratorSpec]] = TokenSpec

    def __init__(self) -> None:
        self.made = 0
        self.revoked: list[int] = []
        self.stuck = False

    async def generate(self, spec: GeneratorSpec, ctx: GeneratorContext) -> Generated:
        self.made += 1
        return Generated({"token": f"t{self.made}".encode()}, {"id": self.made})

    async def cleanup(self, spec: GeneratorSpec, state: JsonObject, ctx: GeneratorContext) -> None:
        if self.stuck:
            raise GeneratorFailed("the server does not answer", retryable=True)
        self.revoked.append(state["id"])


@pytest.fixture
def tokens() -> Tokens:
    return Tokens()


@pytest.fixture
def registry(tokens: Tokens) -> GeneratorRegistry:
    registry = GeneratorRegistry(plugins=())
    registry.register(tokens)
    return registry


async def generator(cluster: Cluster) -> None:
    spec = {
        "projectID": "1",
        "name": "n",
        "scopes": ["read_registry"],
        "auth": {"token": {"secretRef": {"name": "s", "key": "k"}}},
    }
    metadata = {"name": "g", "namespace": "t"}
    await cluster.client.create({"apiVersion": API, "kind": TOKENS.kind, "metadata": metadata, "spec": spec})


async def states(cluster: Cluster) -> list[JsonObject]:
    """Oldest first."""
    found = (await cluster.client.list(GENERATOR_STATE, "t")).items
    return sorted(found, key=lambda state: state["spec"]["state"]["id"])


async def settled(cluster: Cluster, *wanted: tuple[int, bool]) -> list[JsonObject]:
    """Wait for these states: id, and whether it has a deadline."""

    async def check() -> list[JsonObject]:
        found = await states(cluster)
        ids = [(state["spec"]["state"]["id"], "garbageCollectionDeadline" in state["spec"]) for state in found]
        assert ids == list(wanted), ids
        assert all(state["metadata"]["finalizers"] for state in found)
        return found

    return await cluster.eventually(check)


async def test_two_generations_live_and_older_ones_get_a_deadline(tokens: Tokens, registry: GeneratorRegistry) -> None:
    """Name, label, owner and snapshot are the original's; the condition is kept."""
    async with running(generators=registry) as cluster:
        await generator(cluster)
        made = await cluster.es("app", dataFrom=[ENTRY])
        await cluster.has_data("app", {"token": "t1"})
        (first,) = await settled(cluster, (1, False))
        assert first["metadata"]["name"].startswith("gen-externalsecret-app-")
        key = hashlib.sha3_224(f"ExternalSecret-t-app-{TOKENS.kind}/g".encode()).hexdigest()
        assert first["metadata"]["labels"] == {OWNER_KEY_LABEL: key}
        (owner,) = first["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["name"], owner["uid"]) == ("ExternalSecret", "app", made["metadata"]["uid"])
        assert "controller" not in owner
        assert first["spec"]["resource"]["kind"] == TOKENS.kind
        assert first["spec"]["resource"]["metadata"]["name"] == "g"
        await cluster.poke("app", "1")
        await cluster.has_data("app", {"token": "t2"})
        await settled(cluster, (1, False), (2, False))
        await cluster.poke("app", "2")
        await cluster.has_data("app", {"token": "t3"})
        found = await settled(cluster, (1, True), (2, False), (3, False))
        deadline = parse_time(found[0]["spec"]["garbageCollectionDeadline"])
        refreshed = parse_time((await cluster.client.get(ES, ObjectKey("t", "app")))["status"]["refreshTime"])
        assert 115 <= (deadline - refreshed).total_seconds() <= 130

        async def told() -> None:
            conditions = (await states(cluster))[1]["status"]["conditions"]
            assert [(c["type"], c["status"], c["reason"]) for c in conditions] == [("Ready", "True", "Created")]

        await cluster.eventually(told)
        assert tokens.revoked == []


async def test_when_its_time_has_come_a_state_is_revoked(tokens: Tokens, registry: GeneratorRegistry) -> None:
    """And no earlier than that is possible."""
    async with running(options=OperatorOptions(generator_grace_period=0.0), generators=registry) as cluster:
        await generator(cluster)
        await cluster.es("app", dataFrom=[ENTRY])
        for number in range(1, 4):
            await cluster.has_data("app", {"token": f"t{number}"})
            await cluster.eventually(partial(_ids, cluster, number))
            await cluster.poke("app", str(number))
        await cluster.has_data("app", {"token": "t4"})

        async def revoked() -> None:
            assert tokens.revoked == [1, 2]

        await cluster.eventually(revoked)
        await settled(cluster, (3, False), (4, False))


async def _ids(cluster: Cluster, number: int) -> bool:
    return any(state["spec"]["state"]["id"] == number for state in await states(cluster))


async def test_nothing_is_made_for_an_object_whose_other_entries_fail(
    tokens: Tokens, registry: GeneratorRegistry
) -> None:
    """The original makes it and takes it back, at every try."""
    async with running(generators=registry) as cluster:
        await generator(cluster)
        await cluster.fake({"k": "1"})
        await cluster.es("app", dataFrom=[ENTRY], data=[{"secretKey": "a", "remoteRef": {"key": "missing"}}])
        await cluster.failed("app", "could not get secret data from provider")
        await cluster.quiet()
        assert tokens.made == 0 and await states(cluster) == []


async def test_a_template_that_fails_takes_back_too(tokens: Tokens, registry: GeneratorRegistry) -> None:
    """The original commits before it renders."""
    async with running(generators=registry) as cluster:
        await generator(cluster)
        await cluster.es("app", dataFrom=[ENTRY], target={"template": {"data": {"x": "{{ .nothing }}"}}})
        await cluster.failed("app", "could not update secret")

        async def revoked() -> None:
            assert tokens.revoked == [1]

        await cluster.eventually(revoked)
        assert await states(cluster) == []


async def test_what_cannot_be_taken_back_is_left_to_the_collector(tokens: Tokens, registry: GeneratorRegistry) -> None:
    """A state whose deadline is over; its cleanup is tried until it works, and the condition says why it does not."""
    tokens.stuck = True
    async with running(generators=registry) as cluster:
        await generator(cluster)
        await cluster.es("app", dataFrom=[ENTRY], target={"template": {"data": {"x": "{{ .nothing }}"}}})

        async def waiting() -> None:
            found = await states(cluster)
            assert len(found) == 1
            assert found[0]["metadata"]["deletionTimestamp"]
            condition = found[0]["status"]["conditions"][0]
            assert (condition["status"], condition["reason"]) == ("False", "Error")
            assert condition["message"] == "could not cleanup generator state: the server does not answer"

        await cluster.eventually(waiting)
        tokens.stuck = False

        async def gone() -> None:
            assert await states(cluster) == []
            assert tokens.revoked == [1]

        await cluster.eventually(gone)


async def test_an_entry_that_is_no_generator_any_more_lets_its_states_go(
    tokens: Tokens, registry: GeneratorRegistry
) -> None:
    """The original keeps the last one until the owner is deleted."""
    async with running(generators=registry) as cluster:
        await generator(cluster)
        await cluster.fake({"k": "1"})
        await cluster.es("app", dataFrom=[ENTRY])
        await settled(cluster, (1, False))
        await cluster.patch(
            ES, "app", {"spec": {"dataFrom": None, "data": [{"secretKey": "a", "remoteRef": {"key": "k"}}]}}
        )
        await cluster.has_data("app", {"a": "1"})
        await settled(cluster, (1, True))


async def test_entries_may_change_places(tokens: Tokens, registry: GeneratorRegistry) -> None:
    """States belong to generators, not to positions in a list."""
    async with running(generators=registry) as cluster:
        await generator(cluster)
        await cluster.fake({"doc": '{"a": "1"}'})
        extract = {"extract": {"key": "doc"}}
        await cluster.es("app", dataFrom=[ENTRY, extract])
        await settled(cluster, (1, False))
        await cluster.patch(ES, "app", {"spec": {"dataFrom": [extract, ENTRY]}})
        await cluster.has_data("app", {"a": "1", "token": "t2"})
        await settled(cluster, (1, False), (2, False))


async def test_states_may_be_switched_off(tokens: Tokens, registry: GeneratorRegistry) -> None:
    """`--enable-generator-state=false`."""
    async with running(options=OperatorOptions(enable_generator_state=False), generators=registry) as cluster:
        await generator(cluster)
        await cluster.es("app", dataFrom=[ENTRY])
        await cluster.has_data("app", {"token": "t1"})
        await cluster.synced("app")
        assert await states(cluster) == []


async def test_a_refresh_with_a_generator_reads_nothing(registry: GeneratorRegistry) -> None:
    """The first use asks for the generator and begins to watch its kind; later ones find it in the cache."""
    async with running(generators=registry) as cluster:
        metadata = {"name": "u", "namespace": "t"}
        await cluster.client.create({"apiVersion": API, "kind": "UUID", "metadata": metadata, "spec": {}})
        reference = {"sourceRef": {"generatorRef": {"apiVersion": API, "kind": "UUID", "name": "u"}}}
        await cluster.es("app", dataFrom=[reference])
        await cluster.synced("app")
        await cluster.quiet()
        before = (await cluster.data("app"), len(cluster.trace()))
        await cluster.poke("app")
        await cluster.synced("app")
        await cluster.quiet()
        assert await cluster.data("app") != before[0]
        assert sorted(line for line in cluster.trace()[before[1] :] if not line.startswith("watch")) == [
            "create events 201",
            "patch externalsecrets/status 200",
            "update secrets 200",
        ]


async def test_a_generator_of_another_class_leaves_the_object_alone() -> None:
    """No finalizer, no status: it is another operator's."""
    async with running() as cluster:
        metadata = {"name": "f", "namespace": "t"}
        spec = {"controller": "other", "data": {"a": "1"}}
        await cluster.client.create({"apiVersion": API, "kind": "Fake", "metadata": metadata, "spec": spec})
        reference = {"sourceRef": {"generatorRef": {"apiVersion": API, "kind": "Fake", "name": "f"}}}
        await cluster.es("app", dataFrom=[reference])
        await cluster.es(
            "mark", dataFrom=[{"sourceRef": {"generatorRef": {"apiVersion": API, "kind": "Fake", "name": "none"}}}]
        )
        await cluster.failed("mark", "could not get secret data from provider")
        await cluster.quiet()
        obj = await cluster.get(ES, "app")
        assert obj is not None and "finalizers" not in obj["metadata"] and "status" not in obj


def test_every_kind_of_the_original_has_a_definition() -> None:
    """Built in or not: manifests are accepted."""
    kinds = {crd["spec"]["names"]["kind"] for crd in all_crds() if crd["spec"]["group"] == TOKENS.group}
    assert len(kinds) == 19 and {"ClusterGenerator", "GeneratorState", "ECRAuthorizationToken", "Webhook"} <= kinds


@pytest.mark.parametrize("creation", ["None", "Merge"])
async def test_values_that_are_put_nowhere_are_taken_back(
    tokens: Tokens, registry: GeneratorRegistry, creation: str
) -> None:
    """A target that is not written, or not there, needs no token; the object is in step all the same."""
    async with running(generators=registry) as cluster:
        await generator(cluster)
        await cluster.es("app", dataFrom=[ENTRY], target={"creationPolicy": creation})
        await cluster.eventually(lambda: _ready(cluster))
        await cluster.eventually(lambda: _all_revoked(tokens))
        assert await states(cluster) == []


async def test_an_immutable_target_keeps_its_token(tokens: Tokens, registry: GeneratorRegistry) -> None:
    """It takes no other: none is made at refreshes, and the one that it has is not revoked after two of them."""
    options = OperatorOptions(generator_grace_period=0.0)
    async with running(options=options, generators=registry) as cluster:
        await generator(cluster)
        await cluster.es("app", dataFrom=[ENTRY], target={"immutable": True}, refreshInterval="1s")
        await settled(cluster, (1, False))
        before = cluster.requests("patch", resource="externalsecrets")

        async def refreshed() -> bool:
            return cluster.requests("patch", resource="externalsecrets") >= before + 3

        await cluster.eventually(refreshed)
        for value in ("1", "2", "3"):
            await cluster.poke("app", value)
            await cluster.synced("app")
        await settled(cluster, (1, False))
        assert await cluster.data("app") == {"token": "t1"}
        assert 1 not in tokens.revoked and tokens.made == len(tokens.revoked) + 1


async def _ready(cluster: Cluster) -> bool:
    return (await cluster.ready("app")).get("status") == "True"


async def _all_revoked(tokens: Tokens) -> bool:
    return tokens.made > 0 and len(tokens.revoked) == tokens.made


async def test_what_cannot_be_recorded_is_not_lost(tokens: Tokens, registry: GeneratorRegistry) -> None:
    """The token is in the Secret already: it is recorded later, or taken back when a newer one is there."""
    refused = True

    def fault(request: ApiRequest) -> None:
        if refused and request.method == "POST" and "generatorstates" in request.path:
            raise failure(500, "InternalError", request)

    async with running(generators=registry) as cluster:
        cluster.fault = fault
        await generator(cluster)
        await cluster.es("app", dataFrom=[ENTRY])

        async def tried_again() -> bool:
            return tokens.made >= 4

        await cluster.failed("app", "could not get secret data from provider")
        await cluster.eventually(tried_again)
        refused = False
        await cluster.synced("app")
        await cluster.quiet()
        recorded = {state["spec"]["state"]["id"] for state in await states(cluster)}
        assert recorded == set(range(1, tokens.made + 1)) - set(tokens.revoked)
        assert len(recorded) <= 2 and await cluster.data("app") == {"token": f"t{tokens.made}"}


async def test_a_defect_of_a_generator_shows_its_place_and_not_its_text(
    tokens: Tokens, registry: GeneratorRegistry, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody has looked at what it quotes: neither when values are made nor when they are taken back."""

    async def broken(*args: object) -> Generated:
        raise RuntimeError("planted-value")

    async with running(generators=registry) as cluster:
        await generator(cluster)
        await cluster.es("app", dataFrom=[ENTRY])
        await settled(cluster, (1, False))
        monkeypatch.setattr(tokens, "generate", broken)
        monkeypatch.setattr(tokens, "cleanup", broken)
        await cluster.poke("app")
        message = await cluster.has_event("app", "Warning", "UpdateFailed", "error using generator: ")
        assert "internal provider error: RuntimeError at test_states.py:" in message
        (state,) = await states(cluster)
        name = state["metadata"]["name"]
        await cluster.client.delete(GENERATOR_STATE, ObjectKey("t", name))
        message = await cluster.has_event(name, "Warning", "Error", "could not cleanup generator state: ")
        assert "internal provider error: RuntimeError at test_states.py:" in message
        assert "planted" not in str(await cluster.events("app")) + str(await cluster.events(name))
        assert "planted" not in str(await cluster.get(ES, "app")) + str(await states(cluster))
    assert "planted" not in "".join(capsys.readouterr())


@pytest.mark.parametrize("kind", ["Password", "MFA", "VaultDynamicSecret", "Webhook"])
async def test_a_state_of_what_makes_nothing_outside_goes_whatever_its_snapshot_holds(kind: str) -> None:
    """There is nothing to take back: a snapshot that cannot be read must not keep the state, and its namespace, for ever."""
    async with running() as cluster:
        await state_of(cluster, {"apiVersion": API, "kind": kind, "metadata": {"name": "g"}, "spec": {"length": "x"}})

        async def gone() -> None:
            assert await cluster.get(GENERATOR_STATE, "s") is None

        await cluster.eventually(gone)


@pytest.mark.parametrize("resource", ["text", {}, {"kind": "Nope", "metadata": "odd"}])
async def test_a_state_of_no_known_generator_stays_and_says_why(resource: object) -> None:
    """Somebody may have to take back by hand what it describes."""
    async with running() as cluster:
        await state_of(cluster, resource)
        message = await cluster.has_event("s", "Warning", "Error", "could not cleanup generator state: ")
        assert message.startswith("could not cleanup generator state: could not get generator: generator not found: ")
        left = await cluster.get(GENERATOR_STATE, "s")
        assert left is not None and left["metadata"]["deletionTimestamp"]


async def state_of(cluster: Cluster, resource: object) -> None:
    """The state `s` of this generator, whose time has come."""
    metadata = {"name": "s", "namespace": "t"}
    spec = {"resource": resource, "state": {"id": 7}, "garbageCollectionDeadline": "2020-01-01T00:00:00Z"}
    await cluster.client.create({"apiVersion": API, "kind": GENERATOR_STATE.kind, "metadata": metadata, "spec": spec})
