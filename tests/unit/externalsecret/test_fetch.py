"""Fetching the entries of an ExternalSecret."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from controllers.externalsecret.errors import FetchFailed
from controllers.externalsecret.extensions import Extensions, Making
from controllers.externalsecret.fetch import Fetched, Fetcher
from controllers.externalsecret.plan import Plan, plan_of
from controllers.generating.references import GeneratorRef
from controllers.secretstore.access import StoreAccess
from providers.errors import NoSecret, NotModified, ProviderError, Unavailable
from providers.interface import Find, RemoteRef, SecretsClient, Store


class Client(SecretsClient):
    """Answers from a dict; values may be exceptions."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.answers = answers
        self.asked: list[str] = []
        self.running = 0
        self.most = 0

    async def _answer(self, key: str) -> Any:
        self.asked.append(key)
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(0)
        self.running -= 1
        if key not in self.answers:
            raise NoSecret()
        answer = self.answers[key]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def get_secret(self, ref: RemoteRef) -> bytes:
        value: bytes = await self._answer(ref.key)
        return value

    async def get_secret_map(self, ref: RemoteRef) -> dict[str, bytes]:
        values: dict[str, bytes] = await self._answer(ref.key)
        return values

    async def get_all_secrets(self, find: Find) -> dict[str, bytes]:
        values: dict[str, bytes] = await self._answer(find.name_regexp or "")
        return values


class Session:
    def __init__(self, clients: Mapping[str, Client]) -> None:
        self.clients = clients

    async def client(self, store: Store) -> SecretsClient:
        return self.clients[store.name]


class Ready:
    """A cache entry of a ready store."""

    def __init__(self, kind: Any, key: Any) -> None:
        self.kind = kind
        self.key = key

    def decode(self) -> dict[str, Any]:
        return {
            "kind": self.kind.kind,
            "metadata": {"name": self.key.name, "namespace": self.key.namespace},
            "spec": {},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]},
        }


class Objects:
    """The cache: ready stores of the given names."""

    def __init__(self, names: list[str]) -> None:
        self.names = names

    def peek(self, kind: Any, key: Any) -> Ready | None:
        return Ready(kind, key) if key.name in self.names else None


def plan(entries: list[dict[str, Any]], data: list[dict[str, Any]], policy: str = "Retain") -> Plan:
    spec = {
        "secretStoreRef": {"name": "s"},
        "dataFrom": entries,
        "data": data,
        "target": {"deletionPolicy": policy},
    }
    return plan_of({"metadata": {"name": "app", "namespace": "t"}, "spec": spec})


async def fetch(
    answers: Mapping[str, Any],
    *,
    entries: list[dict[str, Any]] | None = None,
    data: list[dict[str, Any]] | None = None,
    policy: str = "Retain",
    extensions: Extensions | None = None,
    making: Making | None = None,
) -> Fetched:
    client = Client(answers)
    access = StoreAccess(Objects(["s"]), controller_class="default", flood_gate=True)
    fetcher = Fetcher(Session({"s": client}), access, extensions or Extensions(), making)
    return await fetcher.fetch(plan(entries or [], data or [], policy))


def one(key: str, **remote: str) -> dict[str, Any]:
    return {"secretKey": key.replace("/", "-"), "remoteRef": {"key": key, **remote}}


async def test_later_entries_win() -> None:
    """data beats dataFrom, a later entry beats an earlier one, whoever answers first."""
    fetched = await fetch(
        {"a": {"x": b"a", "y": b"a", "z": b"a"}, "b": {"y": b"b", "z": b"b"}, "z": b"data"},
        entries=[{"extract": {"key": "a"}}, {"extract": {"key": "b"}}],
        data=[one("z")],
    )
    assert fetched.data == {"x": b"a", "y": b"b", "z": b"data"}


async def test_entries_are_fetched_side_by_side_but_not_all_at_once() -> None:
    """Many entries run together up to a bound."""
    client = Client({f"k{n}": b"v" for n in range(30)})
    access = StoreAccess(Objects(["s"]), controller_class="default", flood_gate=True)
    fetcher = Fetcher(Session({"s": client}), access, Extensions())
    fetched = await fetcher.fetch(plan([], [one(f"k{n}") for n in range(30)]))
    assert len(fetched.data) == 30 and 1 < client.most <= 8


async def test_the_first_failing_entry_of_the_spec_decides() -> None:
    """The message names the entry; of several failures the one that stands first is reported."""
    with pytest.raises(FetchFailed) as caught:
        await fetch(
            {"a": ProviderError("broken a"), "b": ProviderError("broken b")}, data=[one("ok"), one("a"), one("b")][1:]
        )
    assert str(caught.value) == "error processing spec.data[0] (key: a), err: broken a"
    assert not caught.value.retryable


async def test_failures_say_whether_time_heals_them() -> None:
    """What the provider calls unavailable is worth a back-off."""
    with pytest.raises(FetchFailed) as caught:
        await fetch({"a": Unavailable("503")}, data=[one("a")])
    assert caught.value.retryable


async def test_b008_a_missing_secret_under_retain_is_an_error() -> None:
    """B008: the entry and the distinguished text are in the message."""
    with pytest.raises(FetchFailed, match=r"spec\.dataFrom\[0\]\.extract, err: Secret does not exist"):
        await fetch({}, entries=[{"extract": {"key": "nope"}}])


@pytest.mark.parametrize("policy", ["Delete", "Merge"])
async def test_missing_secrets_are_skipped_by_the_other_policies(policy: str) -> None:
    """Delete and Merge take what there is and name the rest."""
    fetched = await fetch(
        {"a": b"1"}, data=[one("a"), one("gone")], entries=[{"extract": {"key": "no"}}], policy=policy
    )
    assert fetched.data == {"a": b"1"}
    assert fetched.missing == ["spec.dataFrom[0]", "spec.dataFrom[1] (key=gone)"]


async def test_only_no_secret_counts_as_missing() -> None:
    """A refusal of the backend keeps the target whatever the deletion policy."""
    with pytest.raises(FetchFailed, match="permission denied"):
        await fetch({"a": ProviderError("permission denied")}, data=[one("a")], policy="Delete")


async def test_find_errors_have_their_prefix_and_empty_finds_are_named() -> None:
    """A failing find says that listing failed; one that matches nothing is remembered."""
    with pytest.raises(FetchFailed, match=r"spec\.dataFrom\[0\]\.find, err: error getting all secrets: no list"):
        await fetch({"x": ProviderError("no list")}, entries=[{"find": {"name": {"regexp": "x"}}}])
    fetched = await fetch({"x": {}}, entries=[{"find": {"name": {"regexp": "x"}}}])
    assert fetched.data == {} and fetched.empty_finds == ["spec.dataFrom[0].find"]


async def test_keys_are_converted_without_rewrite_and_left_alone_with_one() -> None:
    """Conversion happens only if there is no rewrite; then keys must be valid as they are."""
    assert (await fetch({"m": {"a/b": b"1"}}, entries=[{"extract": {"key": "m"}}])).data == {"a_b": b"1"}
    rewrite = [{"regexp": {"source": "/", "target": "."}}]
    assert (await fetch({"m": {"a/b": b"1"}}, entries=[{"extract": {"key": "m"}, "rewrite": rewrite}])).data == {
        "a.b": b"1"
    }
    rewrite = [{"regexp": {"source": "x", "target": "y"}}]
    with pytest.raises(FetchFailed, match="invalid secret keys"):
        await fetch({"m": {"a/b": b"1"}}, entries=[{"extract": {"key": "m"}, "rewrite": rewrite}])


async def test_values_are_decoded_and_checked() -> None:
    """Decoding comes before the NUL check, for single values and maps."""
    with pytest.raises(FetchFailed, match='value for key "z" contains null bytes'):
        await fetch({"z": b"YQBi"}, data=[one("z", decodingStrategy="Base64", nullBytePolicy="Fail")])
    decoded = await fetch({"m": {"k": b"b25l"}}, entries=[{"extract": {"key": "m", "decodingStrategy": "Base64"}}])
    assert decoded.data == {"k": b"one"}


async def test_collisions_carry_their_entry() -> None:
    """The label of the entry stands with the collision."""
    fetched = await fetch(
        {"m": {"x.pw": b"1", "y.pw": b"2"}},
        entries=[{"extract": {"key": "m"}, "rewrite": [{"regexp": {"source": r"^.*\.", "target": ""}}]}],
    )
    assert fetched.data == {"pw": b"2"}
    assert fetched.collisions[0][0] == "spec.dataFrom[0].extract"


async def test_an_unusable_store_costs_no_request_to_the_others() -> None:
    """Stores are looked up before the first request."""
    client = Client({"a": b"1"})
    access = StoreAccess(Objects(["s"]), controller_class="default", flood_gate=True)
    other = {**one("b"), "sourceRef": {"storeRef": {"name": "gone"}}}
    with pytest.raises(FetchFailed) as caught:
        await Fetcher(Session({"s": client}), access, Extensions()).fetch(plan([], [one("a"), other]))
    assert str(caught.value) == (
        'error processing spec.data[1] (key: b), err: could not get SecretStore "gone", '
        'SecretStore.external-secrets.io "gone" not found'
    )
    assert not caught.value.retryable and client.asked == []


async def test_not_modified_leaves_the_target_alone() -> None:
    """A backend that says "unchanged" is no failure."""
    assert (await fetch({"a": NotModified()}, data=[one("a")])).unchanged


async def test_b133_a_defect_of_a_provider_shows_its_place_and_not_its_text() -> None:
    """B133: an unexpected exception is reported by type and place; its message may hold a value."""
    with pytest.raises(FetchFailed) as caught:
        await fetch({"a": RuntimeError("hunter2")}, data=[one("a")])
    assert "internal provider error: RuntimeError at test_fetch.py:" in str(caught.value)
    assert "hunter2" not in str(caught.value) and caught.value.__cause__ is None and caught.value.retryable


async def test_generated_values_are_neither_converted_nor_decoded() -> None:
    """Keys of generators are validated only."""

    class Made:
        lifetime: float | None = None
        pending = False

        async def generate(self, ref: GeneratorRef) -> dict[str, bytes]:
            assert ref == GeneratorRef("", "Password", "g")
            return {"password": b"b25l"}

        async def commit(self) -> None:
            raise AssertionError("fetching settles nothing")

        async def discard(self) -> None:
            raise AssertionError("fetching settles nothing")

    entry = {"sourceRef": {"generatorRef": {"kind": "Password", "name": "g"}}}
    fetched = await fetch({}, entries=[entry], making=Made())
    assert fetched.data == {"password": b"b25l"}
