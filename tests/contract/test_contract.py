"""What the client and every test server promise: one suite, run on each level (T-01)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from eso_core.client import Client, JsonPatch, MergePatch, Preconditions
from eso_core.meta import ObjectKey, Partial
from eso_core.meta.errors import AlreadyExists, ApiError, BadRequest, Conflict, Gone, Invalid, NotFound
from eso_core.meta.wellknown import CONFIG_MAP, NAMESPACE, SECRET, SERVICE_ACCOUNT
from tests.contract.kinds import PLAIN, WIDGET, widget

KEY = ObjectKey("default", "w")


def config_map(name: str = "c", **data: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default"},
        "data": data or {"a": "1"},
    }


async def test_writes_raise_the_version_and_stale_ones_conflict(level: Client) -> None:
    """T-10, T-38, C-40: create, change, no change, stale change."""
    made = await level.create(config_map())
    assert made["metadata"]["uid"]
    with pytest.raises(AlreadyExists):
        await level.create(config_map())
    changed = await level.update({**made, "data": {"a": "2"}})
    assert int(changed["metadata"]["resourceVersion"]) > int(made["metadata"]["resourceVersion"])
    same = await level.update(changed)
    assert same["metadata"]["resourceVersion"] == changed["metadata"]["resourceVersion"]
    with pytest.raises(Conflict):
        await level.update({**made, "data": {"a": "3"}})
    with pytest.raises(NotFound):
        await level.get(CONFIG_MAP, ObjectKey("default", "nope"))


async def test_names_are_made_up_on_request(level: Client) -> None:
    """T-40: prefix and five characters; without name and prefix it is invalid."""
    body = config_map()
    body["metadata"] = {"generateName": "made-", "namespace": "default"}
    name = (await level.create(body))["metadata"]["name"]
    assert name.startswith("made-")
    assert len(name) == 10
    assert set(name[5:]) <= set("bcdfghjklmnpqrstvwxz2456789")
    body["metadata"] = {"namespace": "default"}
    with pytest.raises(Invalid, match="name or generateName is required"):
        await level.create(body)


async def test_generations_count_what_the_user_changes(level: Client) -> None:
    """T-41: spec yes, labels and status no, deletion yes; ConfigMaps have none."""
    made = await level.create(widget())
    assert made["metadata"]["generation"] == 1
    assert (await level.patch(WIDGET, KEY, MergePatch({"metadata": {"labels": {"a": "b"}}})))["metadata"][
        "generation"
    ] == 1
    await level.patch(WIDGET, KEY, MergePatch({"status": {"x": 1}}), subresource="status")
    assert (await level.patch(WIDGET, KEY, MergePatch({"spec": {"size": 2}})))["metadata"]["generation"] == 2
    await level.patch(WIDGET, KEY, MergePatch({"metadata": {"finalizers": ["contract.test/f"]}}))
    await level.delete(WIDGET, KEY)
    assert (await level.get(WIDGET, KEY))["metadata"]["generation"] == 3
    assert "generation" not in (await level.create(config_map()))["metadata"]


async def test_status_is_kept_apart_where_it_is_a_subresource(level: Client) -> None:
    """T-42: main writes ignore it, status writes ignore the rest; without the subresource it is a field like others."""
    made = await level.create({**widget(), "status": {"x": 1}})
    assert "status" not in made
    set_ = await level.patch(WIDGET, KEY, MergePatch({"status": {"x": 2}, "spec": {"size": 4}}), subresource="status")
    assert (set_["status"], set_["spec"]["size"]) == ({"x": 2}, 1)
    kept = await level.update({**set_, "status": {"x": 9}, "spec": {**set_["spec"], "size": 3}})
    assert (kept["status"], kept["spec"]["size"]) == ({"x": 2}, 3)
    plain = await level.create({**widget("p", PLAIN), "status": {"x": 1}})
    assert plain["status"] == {"x": 1}


async def test_finalizers_hold_an_object_until_the_last_is_gone(level: Client) -> None:
    """T-43, H-10: marked, unchanged by a second delete, no new finalizers, gone with the last one."""
    await level.create(
        {**widget(), "metadata": {"name": "w", "namespace": "default", "finalizers": ["contract.test/a"]}}
    )
    await level.delete(WIDGET, KEY)
    held = await level.get(WIDGET, KEY)
    assert held["metadata"]["deletionTimestamp"]
    assert held["metadata"]["deletionGracePeriodSeconds"] == 0
    await level.delete(WIDGET, KEY)
    with pytest.raises(Invalid):
        await level.patch(
            WIDGET, KEY, JsonPatch([{"op": "add", "path": "/metadata/finalizers/-", "value": "contract.test/b"}])
        )
    await level.patch(WIDGET, KEY, MergePatch({"metadata": {"finalizers": None}}))
    with pytest.raises(NotFound):
        await level.get(WIDGET, KEY)


async def test_preconditions_of_a_delete(level: Client) -> None:
    """T-43: another uid is a conflict, the right one deletes."""
    made = await level.create(config_map())
    key = ObjectKey("default", "c")
    with pytest.raises(Conflict):
        await level.delete(CONFIG_MAP, key, preconditions=Preconditions(uid="another"))
    await level.delete(CONFIG_MAP, key, preconditions=Preconditions(uid=made["metadata"]["uid"]))
    with pytest.raises(NotFound):
        await level.get(CONFIG_MAP, key)


async def test_owner_references_are_checked(level: Client) -> None:
    """T-45: all fields, and one controller at most."""
    body = config_map()
    body["metadata"]["ownerReferences"] = [{"apiVersion": "v1", "kind": "ConfigMap", "name": "x"}]
    with pytest.raises(Invalid, match="uid"):
        await level.create(body)
    ref = {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "u", "controller": True}
    body["metadata"]["ownerReferences"] = [ref, {**ref, "name": "y", "uid": "v"}]
    with pytest.raises(Invalid, match="Only one reference can have Controller set to true"):
        await level.create(body)


async def test_secrets_have_rules_of_their_own(level: Client) -> None:
    """T-47: stringData, base64, keys, type, immutability."""
    head = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "default"}}
    made = await level.create({**head, "stringData": {"a": "x"}, "data": {"b": "eQ=="}})
    assert (made["data"], made["type"]) == ({"a": "eA==", "b": "eQ=="}, "Opaque")
    assert "stringData" not in made
    key = ObjectKey("default", "s")
    with pytest.raises(BadRequest):
        await level.update({**made, "data": {"a": "%"}})
    with pytest.raises(Invalid):
        await level.patch(SECRET, key, MergePatch({"data": {"bad key": "eA=="}}))
    with pytest.raises(Invalid, match="immutable"):
        await level.patch(SECRET, key, MergePatch({"type": "kubernetes.io/tls"}))
    await level.patch(SECRET, key, MergePatch({"immutable": True}))
    with pytest.raises(Invalid):
        await level.patch(SECRET, key, MergePatch({"data": {"a": "eg=="}}))
    with pytest.raises(Invalid, match=r"tls\.crt"):
        await level.create({**head, "metadata": {"name": "t", "namespace": "default"}, "type": "kubernetes.io/tls"})


async def test_schemas_prune_default_and_name_every_fault(level: Client) -> None:
    """T-53, T-54: all complaints in one answer; rules run when the structure is right."""
    made = await level.create(widget(junk=1))
    assert made["spec"] == {"color": "red", "size": 1}
    with pytest.raises(Invalid) as refused:
        await level.create(widget("bad", color="green", size=9))
    fields = {cause.field: cause.message for cause in refused.value.causes}
    assert 'Unsupported value: "green": supported values: "red", "blue"' in fields["spec.color"]
    assert "should be less than or equal to 5" in fields["spec.size"]
    with pytest.raises(Invalid, match="not four"):
        await level.create(widget("bad", note="four"))


async def test_patches(level: Client) -> None:
    """T-57: merge, JSON, strategic on a built-in kind, and a failed test."""
    await level.create(config_map())
    key = ObjectKey("default", "c")
    merged = await level.patch(CONFIG_MAP, key, MergePatch({"data": {"a": None, "b": "2"}}))
    assert merged["data"] == {"b": "2"}
    with pytest.raises(Invalid):
        await level.patch(CONFIG_MAP, key, JsonPatch([{"op": "test", "path": "/data/b", "value": "3"}]))
    await level.create(
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "sa", "namespace": "default"},
            "secrets": [{"name": "a"}],
        }
    )
    from eso_core.client import StrategicMergePatch

    patched = await level.patch(
        SERVICE_ACCOUNT, ObjectKey("default", "sa"), StrategicMergePatch({"secrets": [{"name": "b"}]})
    )
    assert {entry["name"] for entry in patched["secrets"]} == {"a", "b"}


async def test_applying_owns_fields_and_conflicts(level: Client) -> None:
    """C-51, C-53, T-58: an unchanged apply changes nothing, a dropped field goes, another owner conflicts."""
    made = await level.apply(config_map(a="1", b="2"), "one")
    again = await level.apply(config_map(a="1", b="2"), "one")
    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
    assert (await level.apply(config_map(a="1"), "one"))["data"] == {"a": "1"}
    with pytest.raises(Conflict, match="conflict with"):
        await level.apply(config_map(a="2"), "two", force=False)
    assert (await level.apply(config_map(a="2"), "two"))["data"] == {"a": "2"}


async def test_selectors_and_pages(level: Client) -> None:
    """T-35, T-59: labels, metadata.name, a selectable field; pages are of one version."""
    for number in range(5):
        body = widget(f"w{number}", color="blue" if number % 2 else "red")
        body["metadata"]["labels"] = {"odd": str(number % 2)}
        await level.create(body)
    names = [obj["metadata"]["name"] for obj in (await level.list(WIDGET, "default", label_selector="odd=1")).items]
    assert names == ["w1", "w3"]
    assert [
        obj["metadata"]["name"]
        for obj in (await level.list(WIDGET, "default", field_selector="metadata.name=w4")).items
    ] == ["w4"]
    assert len((await level.list(WIDGET, "default", field_selector="spec.color=blue")).items) == 2
    with pytest.raises(BadRequest):
        await level.list(WIDGET, "default", field_selector="spec.size=1")
    first = await level.list(WIDGET, "default", limit=2)
    assert len(first.items) == 2
    rest = await level.list(WIDGET, "default", limit=10, continue_=first.continue_)
    assert [obj["metadata"]["name"] for obj in rest.items] == ["w2", "w3", "w4"]
    with pytest.raises(ApiError):
        await level.list(WIDGET, "default", limit=2, continue_="nonsense")


async def test_list_options_that_do_not_go_together_are_refused(level: Client) -> None:
    """T-36: a match without a version."""
    with pytest.raises(Invalid):
        await level.list(WIDGET, "default", resource_version_match="Exact")


async def test_partial_objects_have_metadata_only(level: Client) -> None:
    """C-33: get and list."""
    await level.create(widget())
    assert (await level.get(Partial(WIDGET), KEY)).meta.name == "w"
    assert [entry.meta.name for entry in (await level.list(Partial(WIDGET), "default")).items] == ["w"]


async def test_a_dry_run_changes_nothing(level: Client) -> None:
    """T-56: answered like a write, not stored."""
    made = await level.create(config_map(), dry_run=True)
    assert made["metadata"]["uid"]
    with pytest.raises(NotFound):
        await level.get(CONFIG_MAP, ObjectKey("default", "c"))


async def test_a_watch_tells_what_enters_changes_and_leaves(level: Client) -> None:
    """T-37: events after a version, and through a selector."""
    first = await level.create(widget())
    seen: list[tuple[str, str]] = []
    ready = asyncio.Event()

    async def watch() -> None:
        version = first["metadata"]["resourceVersion"]
        async with level.watch(WIDGET, "default", resource_version=version, label_selector="on=yes") as events:
            ready.set()
            async for event in events:
                if event.type != "BOOKMARK":
                    seen.append((event.type, event.meta.name))
                if event.type == "DELETED":
                    return

    watching = asyncio.create_task(watch())
    await ready.wait()
    await level.patch(WIDGET, KEY, MergePatch({"metadata": {"labels": {"on": "yes"}}}))
    await level.patch(WIDGET, KEY, MergePatch({"spec": {"size": 2}}))
    await level.patch(WIDGET, KEY, MergePatch({"metadata": {"labels": {"on": "no"}}}))
    await asyncio.wait_for(watching, 10)
    assert seen == [("ADDED", "w"), ("MODIFIED", "w"), ("DELETED", "w")]


async def test_deleting_all_that_match(level: Client) -> None:
    """C-30: by selector, in one namespace."""
    for name, color in (("a", "red"), ("b", "blue")):
        body = widget(name, color=color)
        body["metadata"]["labels"] = {"color": color}
        await level.create(body)
    await level.delete_all_of(WIDGET, "default", label_selector="color=red")
    assert [obj["metadata"]["name"] for obj in (await level.list(WIDGET, "default")).items] == ["b"]


async def test_reviews_answer_what_one_may(level: Client) -> None:
    """T-49: the administrator may all; who one is."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "metadata": {},
        "spec": {"resourceAttributes": {"verb": "delete", "resource": "secrets", "namespace": "default"}},
    }
    assert (await level.create(review))["status"]["allowed"] is True


async def test_tokens_of_service_accounts(level: Client) -> None:
    """T-48: a token with its audience; a life of less than ten minutes is invalid."""
    await level.create(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "sa", "namespace": "default"}}
    )
    key = ObjectKey("default", "sa")
    request = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"audiences": ["a"], "expirationSeconds": 600},
    }
    answer = await level.subresource(SERVICE_ACCOUNT, "token").create(key, request)
    assert answer["status"]["token"].count(".") == 2
    request["spec"] = {"expirationSeconds": 10}
    with pytest.raises(Invalid):
        await level.subresource(SERVICE_ACCOUNT, "token").create(key, request)


async def test_objects_need_their_namespace(level: Client) -> None:
    """T-46: missing is 404; every namespace is labelled with its name."""
    body = config_map()
    body["metadata"]["namespace"] = "nowhere"
    with pytest.raises(NotFound, match='namespaces "nowhere" not found'):
        await level.create(body)
    made = await level.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "here"}})
    assert made["metadata"]["labels"]["kubernetes.io/metadata.name"] == "here"
    assert (await level.get(NAMESPACE, ObjectKey("", "here")))["status"]["phase"] == "Active"


async def test_policies_in_cel_are_not_served_by_the_test_servers(level: Client) -> None:
    """T-61 is optional: a policy cannot be created by mistake and then be ignored."""
    policy = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": "p"},
        "spec": {"validations": [{"expression": "true"}]},
    }
    try:
        await level.create(policy)
    except Exception as error:
        assert "ValidatingAdmissionPolicy" in str(error)
    else:
        version = await level.server_version()
        assert "eso" not in version["gitVersion"], "only a real server may take it"


async def test_versions_that_have_left_the_window_are_gone(level: Client) -> None:
    """T-37, R-12: as an ERROR event or as the answer; only servers of ours can be told to forget."""
    server = getattr(level, "server", None)
    if server is None:
        return
    await level.create(widget())
    server.compact()
    with pytest.raises(Gone):
        async with level.watch(WIDGET, "default", resource_version="1") as events:
            async for _ in events:
                pass
