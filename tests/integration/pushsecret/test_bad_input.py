"""What a PushSecret says about input that cannot work; the others go on, and values never show."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from controllers.api import all_crds
from eso_core.meta.wellknown import SECRET
from providers.errors import Throttled, Unavailable
from tests.integration.operator.harness import CSS, JsonObject, operating
from tests.integration.pushsecret.harness import PS, MemoryProvider, entry, pushing

REGEXP = {"regexp": {"source": "(", "target": ""}}
TO = {"storeRef": {"name": "s"}}

CASES: dict[str, tuple[JsonObject, str]] = {
    "interval": ({"refreshInterval": "1d", "data": [entry("k", "a")]}, "spec.refreshInterval: "),
    "store without name": (
        {"secretStoreRefs": [{"name": "s"}, {"kind": "SecretStore"}], "data": [entry("k", "a")]},
        "refStore Name must be provided",
    ),
    "store selector": (
        {"secretStoreRefs": [{"labelSelector": {"matchExpressions": [{"key": "a", "operator": "Is"}]}}]},
        "spec.secretStoreRefs[0].labelSelector: ",
    ),
    "no store": (
        {"secretStoreRefs": [{"labelSelector": {"matchLabels": {"a": "b"}}}], "data": [entry("k", "a")]},
        "no store is left to push to: spec.secretStoreRefs matches none",
    ),
    "key": ({"data": [entry("nobody", "a")]}, "set secret failed: secret key nobody does not exist"),
    "two entries": (
        {"data": [entry("k", "a", "x"), entry("l", "a", "x")]},
        'set secret failed: failed to merge data entries: duplicate remote key "a" with property "x": source keys "k" and "l" '
        "both map to the same destination",
    ),
    "unknown store of dataTo": (
        {"dataTo": [{"storeRef": {"name": "z"}}]},
        'dataTo[0]: storeRef "z" not found in secretStoreRefs',
    ),
    "selector of dataTo": (
        {"dataTo": [TO, {"storeRef": {"labelSelector": {"matchLabels": {"a": "b"}}}}]},
        "dataTo[1]: labelSelector does not match any store in secretStoreRefs",
    ),
    "pattern": (
        {"dataTo": [{**TO, "match": {"regexp": "("}}]},
        'set secret failed: failed to expand dataTo: dataTo[0]: match failed: failed to compile regexp pattern "("',
    ),
    "rewrite": (
        {"dataTo": [{**TO, "rewrite": [REGEXP]}]},
        'failed to expand dataTo: dataTo[0]: rewrite failed: rewrite[0] on key "k": invalid regexp: error parsing regexp: ',
    ),
    "transform": (
        {"dataTo": [{**TO, "rewrite": [{"transform": {"template": "{{ .value | nosuch }}"}}]}]},
        'failed to expand dataTo: dataTo[0]: rewrite failed: rewrite[0] on key "k": invalid template: template: t:1: function ',
    ),
    "template": (
        {"template": {"data": {"x": "{{ .nobody }}"}}, "data": [entry("x", "a")]},
        "could not apply template: could not execute template: could not execute template: unable to execute template at key x",
    ),
    "template source": (
        {
            "template": {"templateFrom": [{"secret": {"name": "none", "items": [{"key": "a"}]}}]},
            "data": [entry("k", "a")],
        },
        'could not apply template: error fetching templateFrom data: secrets "none" not found',
    ),
    "source": ({"selector": {"secret": {"name": "none"}}, "data": [entry("k", "a")]}, "could not get source secret"),
    "no source": ({"selector": {"secret": {}}, "data": [entry("k", "a")]}, "could not get source secret"),
    "source selector": (
        {"selector": {"secret": {"selector": {"matchExpressions": [{"key": "a", "operator": "In"}]}}}},
        "could not get source secret",
    ),
}


async def test_each_mistake_is_named_and_keeps_nobody_else_from_working() -> None:
    """Condition and event name the field; a good object beside them is pushed (B020)."""
    async with pushing() as push:
        await push.store()
        await push.cluster.secret("src", {"k": "very-secret-value", "l": "w"})
        names = {f"bad-{index}": case for index, case in enumerate(CASES)}
        for name, case in names.items():
            await push.push(name, **CASES[case][0])
        await push.push("good", data=[entry("k", "good")])
        await push.synced("good")
        for name, case in names.items():
            await push.failed(CASES[case][1], name)
            message = await push.cluster.has_event(
                name, "Warning", "Errored", CASES[case][1].removeprefix("set secret failed: ")
            )
            assert "very-secret-value" not in message
            status = await push.status(name)
            assert "very-secret-value" not in str(status)
            assert status["lastError"] == message
        assert push.backend.held() == {"good": {"": "very-secret-value"}}


async def test_a_store_that_may_not_be_used_is_told_also_where_nothing_goes_there() -> None:
    """No key matches now; the store must not be found out when one does."""
    async with pushing() as push:
        await push.store("c", kind=CSS, conditions=[{"namespaces": ["elsewhere"]}])
        await push.cluster.secret("src", {"k": "v"})
        ref = {"name": "c", "kind": "ClusterSecretStore"}
        nothing = {"storeRef": ref, "match": {"regexp": "^x"}}
        await push.push("to", secretStoreRefs=[ref], dataTo=[nothing])
        await push.push("empty", secretStoreRefs=[ref])
        for name in ("to", "empty"):
            await push.failed(
                'set secret failed: could not get secrets client for store c: using cluster store "c"', name
            )
        await push.cluster.patch(CSS, "c", {"spec": {"conditions": None}})
        for name in ("to", "empty"):
            await push.synced(name)


async def test_a_mended_field_is_noticed_at_once() -> None:
    """The edit wakes the object; nothing of the failure is left."""
    async with pushing() as push:
        await push.store()
        await push.cluster.secret("src", {"k": "v"})
        await push.push(refreshInterval="1d", data=[entry("k", "a")])
        await push.failed("1d")
        await push.cluster.patch(PS, "p", {"spec": {"refreshInterval": "24h"}})
        status = await push.synced()
        assert "lastError" not in status


async def test_a_failing_backend_shows_no_value(caplog: pytest.LogCaptureFixture) -> None:
    """A defect may quote anything: only its type and place are told."""
    async with pushing() as push:
        await push.store()
        await push.cluster.secret("src", {"k": "very-secret-value"})
        push.backend.failure = RuntimeError("very-secret-value is no good")
        await push.push(data=[entry("k", "a")])
        condition = await push.failed(
            "could not write remote ref k to target secretstore s: internal provider error: RuntimeError"
        )
        assert "very-secret-value" not in condition["message"]
        assert "very-secret-value" not in caplog.text


def the_original_s() -> list[JsonObject]:
    """Our definitions without what External Secrets Operator 2.9 does not have."""
    made = copy.deepcopy(all_crds())
    for crd in made:
        if crd["spec"]["names"]["kind"] == "PushSecret":
            status: dict[str, Any] = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]
            for name in ("lastError", "sourceVersion", "retainedPushSecrets", "observedGeneration"):
                del status["properties"][name]
    return made


async def test_under_the_definition_of_the_original_all_but_its_missing_fields_works() -> None:
    """A changed source is still pushed at once, an unchanged one not again, also after a restart."""
    async with pushing(start=False) as push:
        for crd in the_original_s():
            if crd["spec"]["names"]["kind"] == "PushSecret":
                push.cluster.server.install(crd)
        await push.store()
        await push.cluster.secret("src", {"k": "one"})
        await push.push(deletionPolicy="Delete", data=[entry("k", "a")])
        provider = MemoryProvider(push.backend)
        async with operating(push.cluster, None, lambda probe: provider):
            status = await push.synced()
            assert "sourceVersion" not in status
            await push.cluster.patch(SECRET, "src", {"stringData": {"k": "two"}})
            await push.holds({"a": {"": "two"}}, within=2.0)
            await push.cluster.quiet()
            looks = push.backend.looks
        async with operating(push.cluster, None, lambda probe: provider):
            await push.cluster.quiet()
            assert push.backend.looks == looks
            await push.cluster.patch(SECRET, "src", {"stringData": {"k": "three"}})
            await push.holds({"a": {"": "three"}}, within=2.0)
            await push.cluster.delete(PS, "p")
            await push.gone()
            assert push.backend.held() == {}


async def test_the_second_condition_says_what_kind_of_failure_it_is() -> None:
    """`Stalled` where only a change helps, `Reconciling` where it is tried again; gone with the failure."""
    async with pushing() as push:
        await push.store()
        await push.cluster.secret("src", {"k": "v"})
        push.backend.failure = Unavailable("sealed")
        await push.push("down", data=[entry("k", "a")])
        await push.push("key", data=[entry("nobody", "b")])
        await push.push("source", selector={"secret": {"name": "none"}}, data=[entry("k", "c")])

        async def second(name: str) -> tuple[str, str]:
            found = [c for c in (await push.status(name)).get("conditions") or () if c["type"] != "Ready"]
            return (found[0]["type"], found[0]["reason"]) if found else ("", "")

        for name, wanted in (
            ("down", ("Reconciling", "Unreachable")),
            ("key", ("Stalled", "InvalidData")),
            ("source", ("Stalled", "InvalidReference")),
        ):

            async def shown(name: str = name, wanted: tuple[str, str] = wanted) -> bool:
                return await second(name) == wanted

            await push.cluster.eventually(shown)
        push.backend.failure = None
        await push.synced("down")
        assert await second("down") == ("", "")
        assert (await push.status("down"))["observedGeneration"] == 1


async def test_a_store_that_throttles_is_asked_again_when_it_says() -> None:
    """Not by back-off; all objects leave it alone meanwhile."""
    async with pushing() as push:
        await push.store()
        await push.cluster.secret("src", {"k": "v"})
        push.backend.failure = Throttled("too many requests", retry_after=1.5)
        await push.push(data=[entry("k", "a")])
        await push.failed("too many requests")
        (second,) = [c for c in (await push.status())["conditions"] if c["type"] != "Ready"]
        assert (second["type"], second["reason"]) == ("Reconciling", "Throttled")
        looks = push.backend.looks
        push.backend.failure = None
        await push.cluster.patch(PS, "p", {"metadata": {"annotations": {"poke": "1"}}})
        await push.cluster.quiet(0.5)
        assert push.backend.looks == looks
        await push.synced(within=5.0)
