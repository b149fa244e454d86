"""What is deleted from stores, and above all what is not."""

from __future__ import annotations

import re

from eso_core.meta.wellknown import NAMESPACE, SECRET
from providers.errors import BrokenReference
from tests.integration.operator.harness import CSS, SS
from tests.integration.pushsecret.harness import FINALIZER, HOLD, PS, entry, pushing

SELECTED = {"secret": {"selector": {"matchLabels": {"push": "me"}}}}
CLEANED = "source secret deleted; provider secrets cleaned up"


def labelled(value: str = "me") -> dict[str, object]:
    return {"labels": {"push": value}}


async def test_a_removed_entry_takes_its_own_value_and_no_other() -> None:
    """B049: two properties of one remote key; one goes."""
    async with pushing() as push:
        await push.store()
        await push.cluster.secret("src", {"a": "1", "b": "2"})
        await push.push(deletionPolicy="Delete", data=[entry("a", "r", "p1"), entry("b", "r", "p2")])
        await push.synced()
        assert push.backend.held() == {"r": {"p1": "1", "p2": "2"}}
        await push.cluster.patch(PS, "p", {"spec": {"data": [entry("a", "r", "p1")]}})
        status = await push.synced()
        assert push.backend.held() == {"r": {"p1": "1"}}
        assert sorted(status["syncedPushSecrets"]["SecretStore/s"]) == ["r/p1"]
        assert [write for write in push.backend.writes if write[0] == "delete"] == [("delete", "s", "r", "p2")]


async def test_an_entry_that_becomes_a_property_of_its_own_place_deletes_nothing() -> None:
    """The whole value is not wanted any more, but deleting it would take the new property along."""
    async with pushing() as push:
        await push.store()
        await push.cluster.secret("src", {"a": "1"})
        await push.push(deletionPolicy="Delete", data=[entry("a", "r")])
        await push.synced()
        await push.cluster.patch(PS, "p", {"spec": {"data": [entry("a", "r", "p")]}})
        status = await push.synced()
        assert push.backend.held()["r"]["p"] == "1"
        assert sorted(status["syncedPushSecrets"]["SecretStore/s"]) == ["r/p"]
        assert not [write for write in push.backend.writes if write[0] == "delete"]


async def test_if_not_exists_never_deletes_what_it_did_not_write() -> None:
    """B066, weak point 32: what was there is not recorded; what it wrote itself is, also when seen again."""
    async with pushing() as push:
        push.backend.held()["r"] = {"": "theirs"}
        await push.store()
        await push.cluster.secret("src", {"a": "1", "b": "2"})
        await push.push(updatePolicy="IfNotExists", deletionPolicy="Delete", data=[entry("a", "r"), entry("b", "own")])
        status = await push.synced()
        assert sorted(status["syncedPushSecrets"]["SecretStore/s"]) == ["own"]
        ready = await push.cluster.ready("p", kind=PS)
        assert ready["message"] == "PushSecret synced successfully. Existing secrets in providers unchanged."
        await push.cluster.patch(PS, "p", {"metadata": {"annotations": {"poke": "1"}}})
        status = await push.synced()
        assert sorted(status["syncedPushSecrets"]["SecretStore/s"]) == ["own"]
        assert push.backend.held() == {"r": {"": "theirs"}, "own": {"": "2"}}
        await push.cluster.delete(PS, "p")
        await push.gone()
        assert push.backend.held() == {"r": {"": "theirs"}}


async def test_selected_secrets_keep_what_their_siblings_pushed() -> None:
    """Weak point 33: one clean-up for all of them, not one each; a Secret that no longer matches loses only its own."""
    async with pushing() as push:
        await push.store()
        await push.cluster.secret("one", {"k1": "1"}, metadata={"name": "one", "namespace": "t", **labelled()})
        await push.cluster.secret("two", {"k2": "2"}, metadata={"name": "two", "namespace": "t", **labelled()})
        await push.push(selector=SELECTED, deletionPolicy="Delete", dataTo=[{"storeRef": {"name": "s"}}])
        status = await push.synced()
        assert push.backend.held() == {"k1": {"": "1"}, "k2": {"": "2"}}
        assert sorted(status["syncedPushSecrets"]["SecretStore/s"]) == ["k1", "k2"]
        await push.cluster.secret("three", {"k3": "3"}, metadata={"name": "three", "namespace": "t", **labelled()})
        await push.holds({"k1": {"": "1"}, "k2": {"": "2"}, "k3": {"": "3"}})
        await push.cluster.patch(SECRET, "one", {"metadata": {"labels": {"push": "no"}}})
        await push.holds({"k2": {"": "2"}, "k3": {"": "3"}})
        await push.cluster.delete(SECRET, "two")
        await push.holds({"k3": {"": "3"}})
        await push.cluster.patch(SECRET, "three", {"metadata": {"labels": {"push": "no"}}})
        await push.failed(CLEANED, reason="SourceDeleted")
        assert push.backend.held() == {}
        await push.cluster.patch(SECRET, "one", {"metadata": {"labels": {"push": "me"}}})
        await push.holds({"k1": {"": "1"}})


async def test_a_selector_without_matches_is_in_step_and_records_no_store() -> None:
    """Under either policy; with policy None, what was pushed before stays where it is."""
    async with pushing() as push:
        await push.store()
        for name, policy in (("keeps", "None"), ("deletes", "Delete")):
            await push.push(name, selector=SELECTED, deletionPolicy=policy, data=[entry("k", name)])
            assert "syncedPushSecrets" not in await push.synced(name)
        await push.cluster.secret("one", {"k": "1"}, metadata={"name": "one", "namespace": "t", **labelled()})
        await push.holds({"keeps": {"": "1"}, "deletes": {"": "1"}})

        async def recorded() -> None:
            assert (await push.status("keeps"))["syncedPushSecrets"].keys() == {"SecretStore/s"}

        await push.cluster.eventually(recorded)
        await push.cluster.patch(SECRET, "one", {"metadata": {"labels": {"push": "no"}}})
        await push.failed(CLEANED, "deletes", reason="SourceDeleted")
        await push.holds({"keeps": {"": "1"}})

        async def forgotten() -> None:
            status = await push.status("keeps")
            assert "syncedPushSecrets" not in status
            assert status["retainedPushSecrets"].keys() == {"SecretStore/s"}

        await push.cluster.eventually(forgotten)
        assert (await push.cluster.ready("keeps", kind=PS))["reason"] == "Synced"


async def test_two_selected_secrets_never_overwrite_each_other() -> None:
    """B067: refused, naming the key and both; a remote key that has the Secret's name in it serves all of them."""
    async with pushing() as push:
        await push.store()
        for name, value in (("one", "1"), ("two", "2")):
            await push.cluster.secret(name, {"k": value}, metadata={"name": name, "namespace": "t", **labelled()})
        await push.push(selector=SELECTED, data=[entry("k", "same")])
        condition = await push.failed('remote key "same" would be written by both Secrets "one" and "two"')
        assert condition["message"].startswith("set secret failed: ")
        assert push.backend.held() == {}
        await push.cluster.has_event("p", "Warning", "Errored", '"same"')
        await push.cluster.patch(PS, "p", {"spec": {"data": [entry("k", "app/{{ .secretName }}")]}})
        status = await push.synced()
        assert push.backend.held() == {"app/one": {"": "1"}, "app/two": {"": "2"}}
        assert sorted(status["syncedPushSecrets"]["SecretStore/s"]) == ["app/one", "app/two"]


async def test_a_deleted_source_is_taken_back_and_its_return_pushed() -> None:
    """B065, weak point 31: neither waits for the clock or for an edit."""
    async with pushing() as push:
        await push.store()
        await push.cluster.secret("src", {"k": "v"})
        await push.push(deletionPolicy="Delete", data=[entry("k", "a")])
        await push.synced()
        await push.cluster.delete(SECRET, "src")
        await push.failed(CLEANED, reason="SourceDeleted")
        assert push.backend.held() == {}
        assert await push.cluster.has_event("p", "Normal", "SourceDeleted") == CLEANED
        await push.cluster.patch(PS, "p", {"metadata": {"annotations": {"poke": "1"}}})
        await push.cluster.quiet()
        await push.failed(CLEANED, reason="SourceDeleted")
        await push.cluster.secret("src", {"k": "again"})
        await push.holds({"a": {"": "again"}}, within=5.0)
        await push.synced()


async def test_a_deleted_source_stays_in_the_store_unless_the_policy_says_otherwise() -> None:
    """deletionPolicy None: not Ready, nothing deleted."""
    async with pushing() as push:
        await push.store()
        await push.cluster.secret("src", {"k": "v"})
        await push.push(data=[entry("k", "a")])
        await push.synced()
        await push.cluster.delete(SECRET, "src")
        await push.failed("could not get source secret")
        assert push.backend.held() == {"a": {"": "v"}}
        assert "a" in (await push.status())["syncedPushSecrets"]["SecretStore/s"]
        assert 'secrets "src" not found' in (await push.status())["lastError"]


async def test_what_policy_none_left_behind_goes_when_the_policy_changes() -> None:
    """Weak point 35: it is remembered, apart from what is in step."""
    async with pushing() as push:
        await push.store()
        await push.cluster.secret("src", {"a": "1", "b": "2"})
        await push.push(data=[entry("a", "a"), entry("b", "b")])
        await push.synced()
        await push.cluster.patch(PS, "p", {"spec": {"data": [entry("a", "a")]}})
        status = await push.synced()
        assert sorted(status["syncedPushSecrets"]["SecretStore/s"]) == ["a"]
        assert sorted(status["retainedPushSecrets"]["SecretStore/s"]) == ["b"]
        assert push.backend.held() == {"a": {"": "1"}, "b": {"": "2"}}
        await push.cluster.patch(PS, "p", {"spec": {"deletionPolicy": "Delete"}})
        status = await push.synced()
        await push.holds({"a": {"": "1"}})
        assert "retainedPushSecrets" not in status


async def test_deleting_the_object_takes_back_what_it_pushed() -> None:
    """With Delete; with None it stays, whatever finalizer the object still has, and nothing is pushed on the way out."""
    async with pushing() as push:
        await push.store()
        await push.cluster.secret("src", {"k": "v"})
        await push.push(deletionPolicy="Delete", data=[entry("k", "a")])
        await push.push("keeps", data=[entry("k", "b")])
        await push.synced()
        await push.synced("keeps")
        await push.cluster.delete(PS, "p")
        await push.gone()
        assert push.backend.held() == {"b": {"": "v"}}
        await push.push(
            "late", deletionPolicy="Delete", metadata={"finalizers": ["example.com/other"]}, data=[entry("k", "c")]
        )
        await push.synced("late")
        push.backend.held()["c"] = {"": "changed by hand"}
        await push.cluster.delete(PS, "late")
        await push.holds({"b": {"": "v"}})
        await push.cluster.quiet()
        await push.cluster.patch(PS, "late", {"spec": {"deletionPolicy": "None"}})
        await push.cluster.quiet()
        assert push.backend.held() == {"b": {"": "v"}}
        await push.cluster.patch(PS, "late", {"metadata": {"finalizers": None}})
        await push.gone("late")


async def test_policy_none_lets_a_terminating_object_go_without_a_push() -> None:
    """Weak point 35: a finalizer that an earlier policy put on comes off, and the value stays as it is."""
    async with pushing() as push:
        await push.store()
        await push.cluster.secret("src", {"k": "v"})
        push.backend.broken.add("a")
        await push.push(deletionPolicy="Delete", data=[entry("k", "b")])
        await push.synced()
        push.backend.broken.add("b")
        await push.cluster.delete(PS, "p")
        condition = await push.failed("Failed to Delete Secrets from Provider: ")
        assert condition["message"] == "Failed to Delete Secrets from Provider: this backend does not delete"
        told = (await push.status())["lastError"]
        assert "could not delete remote ref b from secretstore s: this backend does not delete" in told
        assert "set spec.deletionPolicy to None" in told
        looks = push.backend.looks
        await push.cluster.patch(PS, "p", {"spec": {"deletionPolicy": "None"}})
        await push.gone()
        assert push.backend.looks == looks
        assert push.backend.held() == {"b": {"": "v"}}


async def test_a_store_that_may_not_be_used_any_more_is_named_as_the_record_has_it() -> None:
    """The original names stores with their kind where it deletes, and without where it pushes."""
    async with pushing() as push:
        await push.store("c", kind=CSS)
        await push.cluster.secret("src", {"k": "v"})
        refs = [{"name": "c", "kind": "ClusterSecretStore"}]
        await push.push(deletionPolicy="Delete", secretStoreRefs=refs, data=[entry("k", "b")])
        await push.synced()
        denied = {"spec": {"conditions": [{"namespaces": ["elsewhere"]}]}}
        await push.cluster.patch(CSS, "c", denied)
        await push.failed('set secret failed: could not get secrets client for store c: using cluster store "c"')
        await push.cluster.delete(PS, "p")
        await push.failed(
            "Failed to Delete Secrets from Provider: could not get secrets client for store ClusterSecretStore/c: "
            'using cluster store "c" is not allowed from namespace "t": denied by spec.condition'
        )
        await push.cluster.patch(CSS, "c", {"spec": {"conditions": None}})
        await push.gone()
        assert push.backend.held("c") == {}


async def test_a_store_that_is_gone_does_not_keep_the_object() -> None:
    """Weak point 35: what was pushed there cannot be reached; an event says what stays."""
    async with pushing() as push:
        await push.store()
        await push.store("two")
        await push.cluster.secret("src", {"k": "v"})
        await push.push(
            deletionPolicy="Delete", secretStoreRefs=[{"name": "s"}, {"name": "two"}], data=[entry("k", "a")]
        )
        await push.synced()
        await push.cluster.delete(SS, "two")
        await push.cluster.patch(SS, "two", {"metadata": {"finalizers": None}})
        await push.cluster.quiet()
        await push.cluster.delete(PS, "p")
        await push.gone()
        assert push.backend.held() == {}
        assert push.backend.held("two") == {"a": {"": "v"}}
        message = await push.cluster.has_event("p", "Warning", "NotDeleted")
        assert message == "SecretStore/two is gone: 1 of its values can no longer be deleted and stay where they are"


async def test_a_store_is_held_while_it_is_needed_for_deletion() -> None:
    """By name, by label, and by what the status lists; it is not checked again for that."""
    async with pushing() as push:
        await push.store()
        await push.store("wide", kind=CSS, labels={"push": "yes"})
        await push.cluster.secret("src", {"k": "v"})

        async def held(kind: object, name: str) -> bool:
            obj = await push.cluster.get(kind, name)  # type: ignore[arg-type]
            assert obj is not None
            return HOLD in (obj["metadata"].get("finalizers") or ())

        refs = [{"name": "s"}, {"kind": "ClusterSecretStore", "labelSelector": {"matchLabels": {"push": "yes"}}}]
        await push.push("none", secretStoreRefs=refs, data=[entry("k", "n")])
        await push.synced("none")
        assert not await held(SS, "s")
        await push.push("one", secretStoreRefs=refs, deletionPolicy="Delete", data=[entry("k", "a")])
        await push.push("two", deletionPolicy="Delete", data=[entry("k", "b")])
        await push.synced("one")
        await push.synced("two")
        assert await held(SS, "s") and await held(CSS, "wide")
        await push.cluster.quiet()
        events = [reason for _, reason, _ in await push.cluster.events("s")]
        assert events == ["Valid", "StoreUnmaintained"]

        await push.cluster.delete(PS, "one")
        await push.gone("one")
        await push.cluster.quiet()
        assert await held(SS, "s") and not await held(CSS, "wide")

        await push.cluster.delete(SS, "s")
        await push.cluster.quiet()
        assert await held(SS, "s")
        ready = await push.cluster.ready("two", kind=PS)
        assert ready["reason"] == "Synced"

        await push.cluster.delete(PS, "two")
        await push.gone("two")

        async def gone() -> bool:
            return await push.cluster.get(SS, "s") is None

        await push.cluster.eventually(gone)
        assert push.backend.held() == {"n": {"": "v"}}


async def test_a_policy_that_changes_takes_the_finalizers_off() -> None:
    """Of the object and of its store; Delete puts them on again."""
    async with pushing() as push:
        await push.store()
        await push.cluster.secret("src", {"k": "v"})
        await push.push(deletionPolicy="Delete", data=[entry("k", "a")])
        await push.synced()

        async def finalizers() -> list[str]:
            found = []
            for kind, name in ((PS, "p"), (SS, "s")):
                obj = await push.cluster.get(kind, name)
                assert obj is not None
                found += obj["metadata"].get("finalizers") or []
            return found

        assert await finalizers() == [FINALIZER, HOLD]
        await push.cluster.patch(PS, "p", {"spec": {"deletionPolicy": "None"}})

        async def none() -> bool:
            return await finalizers() == []

        await push.cluster.eventually(none)
        await push.cluster.patch(PS, "p", {"spec": {"deletionPolicy": "Delete"}})

        async def both() -> bool:
            return await finalizers() == [FINALIZER, HOLD]

        await push.cluster.eventually(both)


async def test_metric_series_go_with_their_object() -> None:
    """Weak point 37."""
    async with pushing() as push:
        await push.store()
        await push.cluster.secret("src", {"k": "v"})
        await push.push(data=[entry("k", "a")])
        await push.synced()
        operator = push.cluster.operator
        assert operator is not None

        def series() -> list[str]:
            found = []
            for family in operator.manager.registry.collect():
                if family.name.startswith("pushsecret_"):
                    found += [f"{s.name}{sorted(s.labels.items())}{s.value}" for s in family.samples]
            return found

        shown = "\n".join(series())
        assert re.search(r"pushsecret_status_condition.*'Ready'.*'name', 'p'.*'status', 'True'.*1", shown)
        assert "pushsecret_reconcile_duration" in shown
        await push.cluster.delete(PS, "p")
        await push.gone()
        await push.cluster.quiet()
        assert series() == []


async def test_a_source_that_is_replaced_costs_the_store_nothing() -> None:
    """Deleted and made anew within a second, as controllers do: no deletion in the store, which would take its history."""
    async with pushing() as push:
        await push.store()
        await push.cluster.secret("src", {"k": "one"})
        await push.cluster.secret("one", {"k": "one"}, metadata={"name": "one", "namespace": "t", **labelled()})
        await push.push(deletionPolicy="Delete", data=[entry("k", "a")])
        await push.push("q", deletionPolicy="Delete", selector=SELECTED, data=[entry("k", "b")])
        await push.synced()
        await push.synced("q")
        for name, more in (("src", {}), ("one", labelled())):
            await push.cluster.delete(SECRET, name)
            await push.cluster.secret(name, {"k": "two"}, metadata={"name": name, "namespace": "t", **more})
        await push.holds({"a": {"": "two"}, "b": {"": "two"}})
        await push.cluster.quiet(1.2)
        assert not [write for write in push.backend.writes if write[0] == "delete"]
        assert "SourceDeleted" not in [reason for _, reason, _ in await push.cluster.events("p")]


async def test_an_entry_that_moves_to_another_object_is_not_deleted() -> None:
    """Whoever lost it does not take it from the one that has it; with the last of them it goes."""
    async with pushing() as push:
        await push.store()
        await push.cluster.secret("src", {"k": "v", "l": "w"})
        await push.push("old", deletionPolicy="Delete", data=[entry("k", "a"), entry("l", "b")])
        await push.synced("old")
        await push.push("new", deletionPolicy="Delete", data=[entry("k", "a")])
        await push.synced("new")
        await push.cluster.patch(PS, "old", {"spec": {"data": [entry("l", "b")]}})
        status = await push.synced("old")
        assert sorted(status["syncedPushSecrets"]["SecretStore/s"]) == ["b"]
        await push.cluster.quiet()
        assert push.backend.held() == {"a": {"": "v"}, "b": {"": "w"}}
        assert not [write for write in push.backend.writes if write[0] == "delete"]
        await push.cluster.delete(PS, "old")
        await push.gone("old")
        assert push.backend.held() == {"a": {"": "v"}}
        await push.cluster.delete(PS, "new")
        await push.gone("new")
        assert push.backend.held() == {}


async def test_objects_that_go_together_leave_nothing_behind() -> None:
    """Each of two that share a place is no reason for the other to keep it."""
    async with pushing() as push:
        await push.store()
        await push.cluster.secret("src", {"k": "v"})
        for name in ("p", "q"):
            await push.push(
                name, deletionPolicy="Delete", metadata={"finalizers": ["example.com/wait"]}, data=[entry("k", "a")]
            )
            await push.synced(name)
        await push.cluster.delete(PS, "p")
        await push.cluster.delete(PS, "q")
        await push.holds({})


async def test_whoever_means_to_have_a_deleted_value_pushes_it_again() -> None:
    """It may have found it there a moment before it was deleted."""
    async with pushing() as push:
        await push.store()
        await push.cluster.secret("src", {"k": "v"})
        await push.push("old", deletionPolicy="Delete", data=[entry("k", "a")])
        await push.synced("old")
        push.backend.broken.add("b")
        await push.push("new", data=[entry("k", "b"), entry("k", "a")])
        await push.failed("b is refused", "new")
        await push.cluster.delete(PS, "old")
        push.backend.broken.clear()
        await push.gone("old")
        await push.holds({"a": {"": "v"}, "b": {"": "v"}})


async def test_a_namespace_goes_with_its_push_secrets() -> None:
    """Store, source and PushSecret are deleted in any order; values are taken back, and nothing is made on the way."""
    async with pushing() as push:
        await push.store()
        for number in range(10):
            await push.cluster.secret(f"src-{number}", {"k": "v"})
            await push.push(
                f"p-{number}",
                deletionPolicy="Delete",
                selector={"secret": {"name": f"src-{number}"}},
                data=[entry("k", f"a{number}")],
            )
        for number in range(10):
            await push.synced(f"p-{number}")
        await push.cluster.delete(NAMESPACE, "t")

        async def gone() -> bool:
            await push.cluster.kube.run_gc()
            return await push.cluster.get(NAMESPACE, "t") is None

        await push.cluster.eventually(gone, within=15.0)
        assert push.backend.held() == {}


async def test_a_namespace_goes_although_the_credentials_of_its_store_went_first() -> None:
    """What cannot be reached any more does not keep the namespace."""
    async with pushing() as push:
        await push.store()
        await push.cluster.secret("src", {"k": "v"})
        await push.push(deletionPolicy="Delete", data=[entry("k", "a")])
        await push.synced()
        push.backend.failure = BrokenReference("cannot get Kubernetes secret: it is gone")
        await push.cluster.delete(NAMESPACE, "t")

        async def gone() -> bool:
            await push.cluster.kube.run_gc()
            return await push.cluster.get(NAMESPACE, "t") is None

        await push.cluster.eventually(gone, within=15.0)
        assert push.backend.held() == {"a": {"": "v"}}


async def test_a_copy_in_the_own_namespace_is_no_source_though_it_has_the_labels() -> None:
    """The kubernetes backend copies labels: what was pushed would be pushed again, under a longer name each time."""
    async with pushing() as push:
        await push.store()
        await push.cluster.secret("a", {"k": "v"}, metadata={"name": "a", "namespace": "t", **labelled()})
        await push.push(deletionPolicy="Delete", selector=SELECTED, data=[entry("k", "{{ .secretName }}-c")])
        await push.synced()
        await push.cluster.secret("stranger", {"k": "w"}, metadata={"name": "stranger", "namespace": "t", **labelled()})
        push.backend.objects.add("a-c")
        await push.cluster.secret("a-c", {"k": "v"}, metadata={"name": "a-c", "namespace": "t", **labelled()})
        await push.cluster.has_event("p", "Warning", "OwnOutputFound", "what was pushed before (a-c), left out")
        await push.cluster.quiet()
        assert push.backend.held() == {"a-c": {"": "v"}, "stranger-c": {"": "w"}}
        status = await push.synced()
        assert sorted(status["syncedPushSecrets"]["SecretStore/s"]) == ["a-c", "stranger-c"]


async def test_a_selected_secret_that_gets_another_key_stays_a_source() -> None:
    """It is what was written to, and no copy: left out, its new key would come and go."""
    async with pushing() as push:
        await push.store()
        push.backend.objects.add("a")
        await push.cluster.secret("a", {"k": "v"}, metadata={"name": "a", "namespace": "t", **labelled()})
        await push.push(deletionPolicy="Delete", selector=SELECTED, data=[entry("k", "{{ .secretName }}", "copy")])
        await push.synced()
        await push.cluster.patch(SECRET, "a", {"stringData": {"k": "w"}})
        await push.holds({"a": {"copy": "w"}})
        await push.cluster.quiet()
        assert [write[0] for write in push.backend.writes] == ["push", "push"]
