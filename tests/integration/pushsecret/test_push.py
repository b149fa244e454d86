"""What a PushSecret puts into stores, when, and at what cost."""

from __future__ import annotations

from controllers.operator import OperatorOptions
from eso_core.meta.wellknown import CONFIG_MAP, NAMESPACE, SECRET
from providers.errors import Unavailable
from tests.integration.operator.harness import CSS, SS, operating
from tests.integration.pushsecret.harness import FINALIZER, HOLD, PS, MemoryProvider, entry, pushing


async def test_a_key_is_pushed_with_a_finalizer_one_read_a_status_and_an_event() -> None:
    """Four requests for a new object that deletes, three for one that does not; the store's finalizer comes once."""
    async with pushing() as push:
        await push.store()
        await push.cluster.secret("src", {"k": "v"})
        await push.cluster.secret("other", {"k": "w"})
        await push.cluster.quiet()
        before = len(push.cluster.trace())
        await push.push("deletes", data=[entry("k", "a", "p")], deletionPolicy="Delete")
        status = await push.synced("deletes")
        await push.cluster.has_event("deletes", "Normal", "Synced", "PushSecret synced successfully")
        await push.cluster.quiet()
        requests = [line for line in push.cluster.trace()[before:] if not line.startswith("watch")]
        assert sorted(requests) == [
            "create events 201",
            "get secrets 200",
            "patch pushsecrets 200",
            "patch pushsecrets/status 200",
            "patch secretstores 200",
        ]
        assert status["syncedPushSecrets"] == {
            "SecretStore/s": {
                "a/p": {
                    "conversionStrategy": "None",
                    "match": {"secretKey": "k", "remoteRef": {"remoteKey": "a", "property": "p"}},
                }
            }
        }
        before = len(push.cluster.trace())
        await push.push("keeps", data=[entry("k", "b")], selector={"secret": {"name": "other"}})
        await push.synced("keeps")
        await push.cluster.has_event("keeps", "Normal", "Synced")
        await push.cluster.quiet()
        requests = [line for line in push.cluster.trace()[before:] if not line.startswith("watch")]
        assert sorted(requests) == ["create events 201", "get secrets 200", "patch pushsecrets/status 200"]
        assert push.backend.held() == {"a": {"p": "v"}, "b": {"": "w"}}


async def test_many_new_objects_read_their_sources_with_one_list() -> None:
    """At most 2.1 requests each, where the original sends nine; the values are those of their own Secrets."""
    async with pushing(start=False) as push:
        await push.store(kind=CSS)
        for index in range(40):
            await push.cluster.secret(f"src-{index}", {"k": f"v{index}"})
            await push.push(
                f"p-{index}",
                secretStoreRefs=[{"name": "s", "kind": "ClusterSecretStore"}],
                selector={"secret": {"name": f"src-{index}"}},
                data=[entry("k", f"r-{index}")],
            )
        async with operating(push.cluster, None, lambda probe: MemoryProvider(push.backend)):
            for index in range(40):
                await push.synced(f"p-{index}")
            await push.cluster.quiet()
            assert push.backend.held() == {f"r-{index}": {"": f"v{index}"} for index in range(40)}
            assert push.cluster.requests("get", resource="secrets") == 0
            assert push.cluster.requests(resource="pushsecrets") <= 41
            written = push.cluster.requests("patch", "create")
            assert written <= 2 * 40 + 3  # and the status of the store and two events about it


async def test_a_changed_source_is_pushed_at_once() -> None:
    """B064: by its event, not by the clock; an edit of its metadata alone writes nothing into the store."""
    async with pushing() as push:
        await push.store()
        await push.cluster.secret("src", {"k": "one"})
        await push.push(data=[entry("k", "a")])
        await push.synced()
        await push.cluster.patch(SECRET, "src", {"stringData": {"k": "two"}})
        await push.holds({"a": {"": "two"}}, within=10.0)  # a busy machine's second; the interval is an hour
        await push.cluster.quiet()
        writes = list(push.backend.writes)
        await push.cluster.patch(SECRET, "src", {"metadata": {"labels": {"new": "label"}}})
        await push.cluster.quiet()
        assert push.backend.writes == writes


async def test_nothing_is_asked_for_an_object_that_is_not_due() -> None:
    """Neither by its own status, nor by other Secrets, nor by a restart; what changed meanwhile is pushed after it."""
    async with pushing() as push:
        await push.store()
        await push.cluster.secret("src", {"k": "one"})
        await push.push(data=[entry("k", "a")])
        await push.synced()
        await push.cluster.quiet()
        before = push.cluster.requests()
        await push.cluster.secret("foreign", {"k": "x"})
        await push.cluster.quiet()
        assert push.cluster.requests() == before
        looks = push.backend.looks
    async with pushing(start=False) as push:
        await push.store()
        await push.cluster.secret("src", {"k": "one"})
        await push.push(data=[entry("k", "a")])
        provider = MemoryProvider(push.backend)
        async with operating(push.cluster, None, lambda probe: provider):
            await push.synced()
            await push.cluster.quiet()
        looks = push.backend.looks
        async with operating(push.cluster, None, lambda probe: provider):
            await push.cluster.quiet()
            assert push.backend.looks == looks
        await push.cluster.patch(SECRET, "src", {"stringData": {"k": "two"}})
        async with operating(push.cluster, None, lambda probe: provider):
            await push.holds({"a": {"": "two"}})


async def test_a_short_interval_compares_and_writes_nothing() -> None:
    """B050: no new version of a value that is the same; no event either."""
    async with pushing() as push:
        await push.store()
        await push.cluster.secret("src", {"k": "one"})
        await push.push(data=[entry("k", "a")], refreshInterval="1s")
        await push.synced()

        async def looked() -> bool:
            return push.backend.looks >= 3

        await push.cluster.eventually(looked)
        assert push.backend.writes == [("push", "s", "a", "")]
        events = [reason for _, reason, _ in await push.cluster.events("p")]
        assert events == ["Synced"]
        push.backend.held()["a"][""] = "changed by hand"
        await push.holds({"a": {"": "one"}})


async def test_a_template_makes_what_is_pushed_and_its_config_map_is_watched() -> None:
    """All keys of the source stay; a changed layout is pushed within a second."""
    async with pushing() as push:
        await push.store()
        await push.cluster.secret("src", {"user": "ines", "pass": "pw"})
        await push.cluster.client.create(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "layout", "namespace": "t"},
                "data": {"dsn": "{{ .user }}:{{ .pass }}"},
            }
        )
        template = {
            "data": {"user": "{{ .user | upper }}"},
            "templateFrom": [{"configMap": {"name": "layout", "items": [{"key": "dsn"}]}}],
        }
        await push.push(template=template, data=[entry("", "all")])
        await push.synced()
        assert push.backend.held() == {"all": {"": {"user": "INES", "pass": "pw", "dsn": "ines:pw"}}}
        await push.cluster.patch(CONFIG_MAP, "layout", {"data": {"dsn": "{{ .pass }}"}})
        await push.holds({"all": {"": {"user": "INES", "pass": "pw", "dsn": "pw"}}}, within=2.0)


async def test_a_salted_template_makes_no_new_version_at_each_refresh() -> None:
    """bcrypt gives another text each time; the last one is kept while it fits."""
    async with pushing() as push:
        await push.store()
        await push.cluster.secret("src", {"pass": "pw"})
        await push.push(
            template={"data": {"hash": "{{ .pass | bcrypt }}"}}, data=[entry("hash", "a")], refreshInterval="1s"
        )
        await push.synced()

        async def looked() -> bool:
            return push.backend.looks >= 3

        await push.cluster.eventually(looked)
        assert push.backend.writes == [("push", "s", "a", "")]


async def test_a_store_that_comes_or_begins_to_match_gets_the_values_at_once() -> None:
    """Named stores and those selected by label."""
    async with pushing() as push:
        await push.cluster.secret("src", {"k": "v"})
        refs = [{"name": "s"}, {"labelSelector": {"matchLabels": {"push": "yes"}}, "kind": "ClusterSecretStore"}]
        await push.push(secretStoreRefs=refs, data=[entry("k", "a")])
        await push.failed('could not get SecretStore "s", SecretStore.external-secrets.io "s" not found')
        await push.store()
        await push.synced()
        await push.holds({"a": {"": "v"}})
        await push.store("two", kind=CSS, labels={"push": "no"})
        await push.cluster.patch(CSS, "two", {"metadata": {"labels": {"push": "yes"}}})
        await push.holds({"a": {"": "v"}}, "two")

        async def recorded() -> None:
            status = await push.synced()
            assert sorted(status["syncedPushSecrets"]) == ["ClusterSecretStore/two", "SecretStore/s"]

        await push.cluster.eventually(recorded)


async def test_a_failing_backend_is_tried_again_and_what_was_written_is_recorded() -> None:
    """The condition says what failed; the others go on."""
    async with pushing() as push:
        await push.store()
        await push.store("two")
        await push.cluster.secret("src", {"k": "v", "other": "w"})
        push.backend.broken.add("b")
        refs = [{"name": "s"}, {"name": "two"}]
        await push.push(secretStoreRefs=refs, data=[entry("k", "a"), entry("other", "b"), entry("other", "c")])
        await push.failed("set secret failed: could not write remote ref other to target secretstore s: b is refused")
        status = await push.status()
        assert {store: sorted(found) for store, found in status["syncedPushSecrets"].items()} == {
            "SecretStore/s": ["a"],
            "SecretStore/two": ["a"],
        }
        assert "syncedResourceVersion" not in status
        push.backend.broken.clear()
        await push.cluster.patch(PS, "p", {"metadata": {"annotations": {"poke": "1"}}})
        await push.synced()
        push.backend.failure = Unavailable("sealed")
        await push.cluster.patch(SECRET, "src", {"stringData": {"k": "new"}})
        await push.failed("sealed")
        push.backend.failure = None
        await push.synced()
        assert push.backend.held()["a"] == {"": "new"}


async def test_a_whole_secret_that_is_refused_is_told_with_its_place_in_the_event() -> None:
    """The condition has the key of the Secret, which is empty here; the event and `lastError` say where it was to go."""
    async with pushing() as push:
        await push.store()
        await push.cluster.secret("src", {"k": "v"})
        push.backend.broken.add("b")
        await push.push(data=[entry("", "b")])
        condition = await push.failed("set secret failed: ")
        assert condition["message"] == (
            "set secret failed: could not write remote ref  to target secretstore s: b is refused"
        )
        told = await push.cluster.has_event("p", "Warning", "Errored")
        assert told == "set secret failed: could not write remote ref b to target secretstore s: b is refused"
        assert (await push.status())["lastError"] == told


async def test_a_cluster_store_that_denies_the_namespace_is_told_and_its_admission_noticed() -> None:
    """By a label of the namespace."""
    async with pushing() as push:
        await push.store(kind=CSS, conditions=[{"namespaceSelector": {"matchLabels": {"may": "push"}}}])
        await push.cluster.secret("src", {"k": "v"})
        await push.push(secretStoreRefs=[{"name": "s", "kind": "ClusterSecretStore"}], data=[entry("k", "a")])
        await push.failed('using cluster store "s" is not allowed from namespace "t": denied by spec.condition')
        assert push.backend.held() == {}
        await push.cluster.patch(NAMESPACE, "t", {"metadata": {"labels": {"may": "push"}}})
        await push.synced()


async def test_stores_of_another_class_are_left_to_their_operator() -> None:
    """Alone, they leave the object untouched; beside one of ours, they are left out."""
    async with pushing() as push:
        await push.store("theirs", controller="somebody-else")
        await push.store("cluster", kind=CSS)
        await push.cluster.secret("src", {"k": "v"})
        await push.push(
            "untouched", secretStoreRefs=[{"name": "theirs"}], deletionPolicy="Delete", data=[entry("k", "a")]
        )
        refs = [{"name": "cluster", "kind": "ClusterSecretStore"}, {"name": "theirs"}]
        await push.push(secretStoreRefs=refs, deletionPolicy="Delete", data=[entry("k", "a")])
        status = await push.synced()
        assert sorted(status["syncedPushSecrets"]) == ["ClusterSecretStore/cluster"]
        ours, theirs = await push.cluster.get(CSS, "cluster"), await push.cluster.get(SS, "theirs")
        assert ours is not None and theirs is not None
        assert ours["metadata"]["finalizers"] == [HOLD]
        assert "finalizers" not in theirs["metadata"]
        obj = await push.cluster.get(PS, "untouched")
        assert obj is not None
        assert "status" not in obj
        assert "finalizers" not in obj["metadata"]
        assert push.backend.held("theirs") == {}


async def test_our_writes_own_nothing_of_the_spec() -> None:
    """B024: finalizers of PushSecret and store are added by patches of the finalizers alone."""
    async with pushing() as push:
        await push.store()
        await push.cluster.secret("src", {"k": "v"})
        await push.push(refreshInterval="24h", deletionPolicy="Delete", data=[entry("k", "a")])
        await push.synced()
        for kind, name in ((PS, "p"), (SS, "s")):
            obj = await push.cluster.get(kind, name)
            assert obj is not None
            for owner in obj["metadata"]["managedFields"]:
                if owner["manager"].startswith("external-secrets"):
                    assert "f:spec" not in owner["fieldsV1"]
        obj = await push.cluster.get(PS, "p")
        assert obj is not None
        assert obj["spec"]["refreshInterval"] == "24h"
        assert obj["metadata"]["finalizers"] == [FINALIZER]


async def test_a_secret_made_a_moment_before_is_pushed_once() -> None:
    """What its event tells is known already by then."""
    async with pushing() as push:
        await push.store()
        for number in range(10):
            await push.cluster.secret(f"src-{number}", {"k": "v"})
            await push.push(
                f"p-{number}", selector={"secret": {"name": f"src-{number}"}}, data=[entry("k", f"a{number}")]
            )
        for number in range(10):
            await push.synced(f"p-{number}")
        await push.cluster.quiet()
        for number in range(10):
            reasons = [reason for _, reason, _ in await push.cluster.events(f"p-{number}")]
            assert reasons in (["Synced"], ["Errored", "Synced"])  # the store may come last
        assert push.backend.looks == 10


async def test_an_operator_of_one_namespace_uses_cluster_stores_that_admit_it_by_name() -> None:
    """It reads no namespaces; other conditions than the name cannot be met."""
    async with pushing(options=OperatorOptions(namespace="t")) as push:
        await push.store(kind=CSS, conditions=[{"namespaces": ["t"]}])
        await push.store("labels", kind=CSS, conditions=[{"namespaceSelector": {"matchLabels": {"may": "push"}}}])
        await push.cluster.secret("src", {"k": "v"})
        await push.push(secretStoreRefs=[{"name": "s", "kind": "ClusterSecretStore"}], data=[entry("k", "a")])
        await push.push("q", secretStoreRefs=[{"name": "labels", "kind": "ClusterSecretStore"}], data=[entry("k", "a")])
        await push.synced()
        await push.failed('using cluster store "labels" is not allowed from namespace "t"', "q")
