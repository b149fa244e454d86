"""Who may use a store."""

from __future__ import annotations

from typing import Any

import pytest

from controllers.secretstore.access import StoreAccess, StoreRef, StoreUnusable, namespace_allowed
from controllers.secretstore.interval import InvalidInterval, refresh_interval

READY = {"conditions": [{"type": "Ready", "status": "True"}]}
NAMED = StoreRef("SecretStore", "s")
CLUSTER = StoreRef("ClusterSecretStore", "c")


class Entry:
    def __init__(self, obj: dict[str, Any]) -> None:
        self.obj = obj

    def decode(self) -> dict[str, Any]:
        return self.obj


class Cache:
    def __init__(self, *objects: dict[str, Any]) -> None:
        self.objects = {(o["kind"], o["metadata"].get("namespace", ""), o["metadata"]["name"]): o for o in objects}

    def peek(self, kind: Any, key: Any) -> Entry | None:
        found = self.objects.get((kind.kind, key.namespace, key.name))
        return None if found is None else Entry(found)


def store(spec: dict[str, Any] | None = None, status: dict[str, Any] | None = READY) -> dict[str, Any]:
    return {"kind": "SecretStore", "metadata": {"name": "s", "namespace": "t"}, "spec": spec or {}, "status": status}


def cluster_store(conditions: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "kind": "ClusterSecretStore",
        "metadata": {"name": "c"},
        "spec": {"conditions": conditions},
        "status": READY,
    }


def namespace(**labels: str) -> dict[str, Any]:
    return {"kind": "Namespace", "metadata": {"name": "t", "labels": {"kubernetes.io/metadata.name": "t", **labels}}}


def access(*objects: dict[str, Any], flood_gate: bool = True) -> StoreAccess:
    return StoreAccess(Cache(*objects), controller_class="default", flood_gate=flood_gate)


def test_a_ready_store_is_handed_out() -> None:
    """The store is what providers need to know of it."""
    found = access(store({"controller": "default", "provider": {"fake": {}}})).open(NAMED, "t")
    assert (found.kind, found.namespace, found.name) == ("SecretStore", "t", "s")


@pytest.mark.parametrize(
    ("objects", "ref", "text"),
    [
        ([], NAMED, 'could not get SecretStore "s", SecretStore.external-secrets.io "s" not found'),
        ([store({"controller": "other"})], NAMED, "can not reference unmanaged store"),
        ([store(status=None)], NAMED, 'SecretStore "s" is not ready'),
        ([store(status={"conditions": [{"type": "Ready", "status": "False"}]})], NAMED, 'SecretStore "s" is not ready'),
        (
            [cluster_store([{"namespaces": ["x"]}]), namespace()],
            CLUSTER,
            'using cluster store "c" is not allowed from namespace "t": denied by spec.condition',
        ),
        (
            [
                cluster_store([{"namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "Like"}]}}]),
                namespace(),
            ],
            CLUSTER,
            'using cluster store "c" from namespace "t": spec.conditions: "Like" is not a valid label selector operator',
        ),
        ([], StoreRef("Vault", "v"), "unsupported secret store kind: Vault"),
    ],
)
def test_every_refusal_has_its_text(objects: list[dict[str, Any]], ref: StoreRef, text: str) -> None:
    """Missing, foreign, unready and denied stores are told apart."""
    with pytest.raises(StoreUnusable) as caught:
        access(*objects).open(ref, "t")
    assert str(caught.value) == text


def test_without_the_flood_gate_an_unready_store_may_be_used() -> None:
    """The gate is a switch."""
    assert (access(store(status=None), flood_gate=False).open(NAMED, "t")).name == "s"


def test_only_existing_stores_decide_the_class() -> None:
    """A missing store is nobody's; one of another class anywhere makes the object foreign."""
    assert not access().foreign([NAMED, CLUSTER], "t")
    other = {**cluster_store([]), "spec": {"controller": "other"}}
    assert access(store(), other).foreign([NAMED, CLUSTER], "t")
    assert access(cluster_store([]), store({"controller": "other"})).foreign([CLUSTER, NAMED], "t")


@pytest.mark.parametrize(
    ("condition", "labels", "allowed"),
    [
        ({"namespaces": ["t"]}, {"kubernetes.io/metadata.name": "t"}, True),
        ({"namespaces": ["t"]}, {}, False),
        ({"namespaceSelector": {}}, {}, True),
        ({"namespaceSelector": {"matchLabels": {"a": "1"}}}, {"a": "1"}, True),
        ({"namespaceSelector": {"matchLabels": {"a": "1"}}}, {"a": "2"}, False),
        ({"namespaceRegexes": ["^t"]}, {}, True),
        ({"namespaceRegexes": ["-c$"]}, {}, False),
        ({"namespaceRegexes": ["("]}, {}, False),
        ({}, {}, False),
    ],
)
def test_conditions(condition: dict[str, Any], labels: dict[str, str], allowed: bool) -> None:
    """Any of selector, name and pattern admits."""
    assert namespace_allowed([condition], "t", labels) is allowed
    assert namespace_allowed([{"namespaces": ["no"]}, condition], "t", labels) is allowed


@pytest.mark.parametrize(("env", "allowed"), [("dev", False), ("prod", True), (None, True)])
def test_b084_not_in_admits_namespaces_without_the_label(env: str | None, allowed: bool) -> None:
    """B084: NotIn matches absent keys."""
    condition = {"namespaceSelector": {"matchExpressions": [{"key": "env", "operator": "NotIn", "values": ["dev"]}]}}
    assert namespace_allowed([condition], "t", {} if env is None else {"env": env}) is allowed


@pytest.mark.parametrize(
    ("value", "seconds"), [(None, 300.0), (0, 300.0), (60, 60.0), ("1m30s", 90.0), ("0s", 300.0), ("", 300.0)]
)
def test_intervals(value: object, seconds: float) -> None:
    """Numbers are seconds, texts durations; zero and nothing mean the default."""
    assert refresh_interval({"spec": {"refreshInterval": value}}, 300.0) == seconds


@pytest.mark.parametrize("value", ["60", "1d", -5, "-5m", True, 1.5])
def test_bad_intervals_name_the_field(value: object) -> None:
    """What cannot be read is an error with the field's path."""
    with pytest.raises(InvalidInterval, match=r"^spec\.refreshInterval: "):
        refresh_interval({"spec": {"refreshInterval": value}}, 300.0)


def test_a_store_is_decoded_once_per_state() -> None:
    """Users share the decoded store until it changes."""

    class Counting(Entry):
        decoded = 0

        def decode(self) -> dict[str, Any]:
            type(self).decoded += 1
            return super().decode()

    class Single:
        def __init__(self, entry: Entry) -> None:
            self.entry = entry

        def peek(self, kind: Any, key: Any) -> Entry:
            return self.entry

    reader = Single(Counting(store()))
    stores = StoreAccess(reader, controller_class="default", flood_gate=True)
    for _ in range(3):
        stores.open(NAMED, "t")
    assert Counting.decoded == 1
    reader.entry = Counting(store({"controller": "other"}))
    assert stores.foreign([NAMED], "t") and Counting.decoded == 2
