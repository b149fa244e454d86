"""The desired Secret."""

from __future__ import annotations

import base64
import copy
from typing import Any

import pytest

from controllers.externalsecret.errors import NotOwner, OwnedByAnother
from controllers.externalsecret.names import data_hash, field_manager, owner_label_value
from controllers.externalsecret.render import (
    Content,
    Owner,
    Rendered,
    TargetPolicy,
    decode_data,
    foreign_controller,
    is_intact,
    render_secret,
    same_secret,
)

OWNER = Owner("t", "app", "uid-1", {"from": "es"}, {"why": "test"})
OWN_REFERENCE = {
    "apiVersion": "external-secrets.io/v1",
    "blockOwnerDeletion": True,
    "controller": True,
    "kind": "ExternalSecret",
    "name": "app",
    "uid": "uid-1",
}
MANAGED = "reconcile.external-secrets.io/managed"
CREATED_BY = "reconcile.external-secrets.io/created-by"
HASH = "reconcile.external-secrets.io/data-hash"


def render(
    data: dict[str, bytes], existing: dict[str, Any] | None = None, *, owner: Owner = OWNER, **policy: Any
) -> Rendered:
    before = copy.deepcopy(existing)
    rendered = render_secret(owner, TargetPolicy("target", **policy), Content.plain(owner, data), existing)
    assert existing == before, "rendering must not touch the cached object"
    return rendered


def secret(data: dict[str, bytes], **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "target", "namespace": "t", "uid": "s", "resourceVersion": "5", **metadata},
        "type": "Opaque",
        "data": {key: base64.b64encode(value).decode() for key, value in data.items()},
    }


def owned_entry(name: str, data: list[str], labels: list[str], annotations: list[str]) -> dict[str, Any]:
    return {
        "manager": field_manager(name),
        "operation": "Update",
        "fieldsV1": {
            "f:data": {f"f:{key}": {} for key in data} | {".": {}},
            "f:metadata": {
                "f:labels": {f"f:{key}": {} for key in labels},
                "f:annotations": {".": {}, **{f"f:{key}": {} for key in annotations}},
            },
        },
    }


def test_a_new_owned_secret_has_all_marks() -> None:
    """A fresh target carries data, the metadata of its ExternalSecret, the marks, the hash and the controller reference."""
    made = render({"a": b"alpha"}).secret
    assert made == {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": {
            "name": "target",
            "namespace": "t",
            "labels": {"from": "es", MANAGED: "true", CREATED_BY: owner_label_value("t", "app")},
            "annotations": {"why": "test", HASH: data_hash({"a": b"alpha"})},
            "ownerReferences": [OWN_REFERENCE],
        },
        "data": {"a": base64.b64encode(b"alpha").decode()},
    }
    assert is_intact(made)


@pytest.mark.parametrize(
    ("creation", "keys"), [("Owner", {"a"}), ("Orphan", {"a"}), ("Merge", {"a", "z"}), ("CreateOrMerge", {"a", "z"})]
)
def test_policies_differ_in_what_they_keep_of_others(creation: str, keys: set[str]) -> None:
    """Owner and Orphan replace the data, Merge and CreateOrMerge add to it; only Owner marks ownership."""
    existing = secret({"a": b"old", "z": b"foreign"}, labels={"mine": "1"}, annotations={"note": "mine"})
    rendered = render({"a": b"new"}, existing, creation=creation)
    assert set(decode_data(rendered.secret)) == keys
    assert decode_data(rendered.secret)["a"] == b"new"
    metadata = rendered.secret["metadata"]
    assert metadata["labels"]["mine"] == "1" and metadata["annotations"]["note"] == "mine"
    assert metadata["annotations"][HASH] == data_hash(decode_data(rendered.secret))
    assert (CREATED_BY in metadata["labels"]) == (creation == "Owner")
    assert ("ownerReferences" in metadata) == (creation == "Owner")


def test_b011_a_take_over_names_the_keys_that_go() -> None:
    """B011: taking over a Secret made by hand reports the foreign keys, later passes do not."""
    existing = secret({"admin": b"x", "other": b"y", "a": b"same"})
    rendered = render({"a": b"alpha"}, existing)
    assert rendered.taken_over == ("admin", "other")
    again = copy.deepcopy(rendered.secret)
    again["data"]["drift"] = "eA=="
    assert render({"a": b"alpha"}, again).taken_over == ()
    assert render({"a": b"alpha"}, existing, creation="Merge").taken_over == ()


def test_b003_keys_dropped_from_a_merge_go_and_foreign_ones_stay() -> None:
    """B003: own keys are found in managedFields; what another manager wrote is never touched."""
    existing = secret({"keep": b"0", "p": b"1", "q": b"2"}, managedFields=[owned_entry("app", ["p", "q"], [], [])])
    rendered = render({"p": b"1"}, existing, creation="Merge")
    assert decode_data(rendered.secret) == {"keep": b"0", "p": b"1"}


@pytest.mark.parametrize("name", ["app", "n" * 40])
def test_stale_labels_and_annotations_are_removed_for_names_of_any_length(name: str) -> None:
    """Labels and annotations that the object no longer has go, under the plain and under the hashed manager name."""
    owner = Owner("t", name, "uid-1", {"new": "1"}, {})
    existing = secret(
        {},
        labels={"old": "1", "foreign": "1"},
        annotations={"older": "1", "theirs": "1"},
        managedFields=[owned_entry(name, [], ["old"], ["older"])],
    )
    metadata = render({}, existing, owner=owner).secret["metadata"]
    assert {"foreign", "new"} < set(metadata["labels"]) and "old" not in metadata["labels"]
    assert "theirs" in metadata["annotations"] and "older" not in metadata["annotations"]


def test_entries_of_others_and_of_subresources_own_nothing() -> None:
    """Only main-resource entries of the exact manager count."""
    entry = owned_entry("app", ["a"], [], [])
    existing = secret(
        {"a": b"1", "b": b"2"}, managedFields=[{**entry, "subresource": "status"}, owned_entry("app2", ["b"], [], [])]
    )
    assert set(decode_data(render({}, existing, creation="Merge").secret)) == {"a", "b"}


def test_b013_annotations_of_tools_are_not_copied() -> None:
    """B013: what marks an object as applied or tracked by a tool stays on the ExternalSecret."""
    owner = Owner(
        "t",
        "app",
        "u",
        {},
        {
            "kubectl.kubernetes.io/last-applied-configuration": "{}",
            "argocd.argoproj.io/tracking-id": "x",
            "kustomize.toolkit.fluxcd.io/checksum": "x",
            "example.com/kept": "yes",
        },
    )
    annotations = render({}, owner=owner).secret["metadata"]["annotations"]
    assert set(annotations) == {"example.com/kept", HASH}


def test_another_external_secret_keeps_its_target_under_every_policy() -> None:
    """A target whose controller is another ExternalSecret is refused, naming it."""
    existing = secret({}, ownerReferences=[{**OWN_REFERENCE, "name": "first", "uid": "uid-0"}])
    for creation in ("Owner", "Orphan", "Merge", "CreateOrMerge"):
        with pytest.raises(OwnedByAnother, match="secret is owned by another ExternalSecret: first"):
            render({}, existing, creation=creation)
    assert foreign_controller(existing["metadata"], OWNER) == "ExternalSecret first"


def test_another_controller_blocks_only_owning() -> None:
    """A controller of another kind forbids Owner; the other policies leave the reference alone."""
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d", "uid": "x", "controller": True}
    existing = secret({}, ownerReferences=[reference])
    with pytest.raises(NotOwner, match="already owned by another Deployment controller d"):
        render({}, existing)
    assert render({}, existing, creation="Merge").secret["metadata"]["ownerReferences"] == [reference]


def test_references_are_replaced_in_place_and_released() -> None:
    """An old uid is overwritten where it stands, foreign references stay, and Orphan drops ours."""
    plain = {"apiVersion": "v1", "kind": "ConfigMap", "name": "c", "uid": "y"}
    stale = {**OWN_REFERENCE, "uid": "uid-0"}
    existing = secret({}, ownerReferences=[stale, plain])
    assert render({}, existing).secret["metadata"]["ownerReferences"] == [OWN_REFERENCE, plain]
    assert render({}, existing, creation="Orphan").secret["metadata"]["ownerReferences"] == [plain]


def test_an_immutable_target_is_filled_once() -> None:
    """`immutable: true` marks the Secret, and an existing one keeps data and metadata."""
    first = render({"a": b"1"}, immutable=True).secret
    assert first["immutable"] is True and decode_data(first) == {"a": b"1"}
    second = render({"a": b"2"}, first, immutable=True).secret
    assert same_secret(first, second)
    assert same_secret(first, render({"a": b"1"}, first).secret), "false never clears it"


def test_rendering_again_changes_nothing() -> None:
    """The same inputs over their own result give an equal Secret, whatever the policy."""
    for creation in ("Owner", "Orphan", "Merge", "CreateOrMerge"):
        first = render({"a": b"1"}, secret({"z": b"z"}), creation=creation).secret
        assert same_secret(first, render({"a": b"1"}, first, creation=creation).secret)


def test_type_and_finalizers_of_a_template_are_applied() -> None:
    """A type replaces the existing one; finalizers are added once, and not to a terminating Secret."""
    content = Content({}, {}, {}, type="kubernetes.io/tls", finalizers=("x/y",))
    policy = TargetPolicy("target")
    made = render_secret(OWNER, policy, content, secret({}, finalizers=["a/b"])).secret
    assert made["type"] == "kubernetes.io/tls"
    assert made["metadata"]["finalizers"] == ["a/b", "x/y"]
    assert render_secret(OWNER, policy, content, made).secret["metadata"]["finalizers"] == ["a/b", "x/y"]
    going = secret({}, finalizers=["a/b"], deletionTimestamp="2026-01-01T00:00:00Z")
    assert render_secret(OWNER, policy, content, going).secret["metadata"]["finalizers"] == ["a/b"]


def test_drift_is_seen_in_data_and_in_the_managed_label() -> None:
    """Edited, added and removed keys and a missing managed label break the target; other labels do not."""
    made = render({"a": b"1", "b": b"2"}).secret
    assert is_intact(made) and not is_intact(None)
    for change in ({"a": "eA=="}, {"c": "eA=="}):
        edited = copy.deepcopy(made)
        edited["data"].update(change)
        assert not is_intact(edited)
    removed = copy.deepcopy(made)
    del removed["data"]["b"]
    assert not is_intact(removed)
    unlabelled = copy.deepcopy(made)
    del unlabelled["metadata"]["labels"][MANAGED]
    assert not is_intact(unlabelled)
    made["metadata"]["labels"]["other"] = "x"
    assert is_intact(made)
