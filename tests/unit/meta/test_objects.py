"""Conditions, owner references, finalizers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest

from eso_core.meta import conditions as c
from eso_core.meta import finalizers as f
from eso_core.meta import jsonpatch
from eso_core.meta import owners as o
from eso_core.meta.errors import OwnerError
from eso_core.meta.gvk import GVK

NOW = datetime(2026, 1, 1, 12, 0, 0, 999, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
KIND = GVK("example.io", "v1", "Widget")


def test_conditions_move_their_time_with_the_status_only() -> None:
    """H-30: a new reason keeps lastTransitionTime, a new status sets it."""
    conditions: list[dict[str, Any]] = [{"type": "Other", "status": "True"}]
    assert c.set_condition(conditions, type="Ready", status="False", reason="Wait", message="m", now=NOW)
    assert conditions[1] == {
        "type": "Ready",
        "status": "False",
        "lastTransitionTime": "2026-01-01T12:00:00Z",
        "reason": "Wait",
        "message": "m",
    }
    assert not c.set_condition(conditions, type="Ready", status="False", reason="Wait", message="m", now=LATER)
    assert c.set_condition(conditions, type="Ready", status="False", reason="Still", message="m", now=LATER)
    assert conditions[1]["lastTransitionTime"] == "2026-01-01T12:00:00Z"
    assert c.set_condition(conditions, type="Ready", status="True", reason="Ok", now=LATER)
    assert conditions[1]["lastTransitionTime"] == "2026-01-01T12:01:00Z"
    assert [x["type"] for x in conditions] == ["Other", "Ready"]
    assert c.is_condition_true(conditions, "Ready")
    assert not c.is_condition_true(None, "Ready")


def test_an_older_generation_does_not_overwrite() -> None:
    """H-32: observedGeneration never goes down."""
    conditions: list[dict[str, Any]] = []
    c.set_condition(conditions, type="Ready", status="True", reason="Ok", now=NOW, observed_generation=3)
    assert not c.set_condition(conditions, type="Ready", status="False", reason="Old", now=NOW, observed_generation=2)
    assert conditions[0]["status"] == "True"
    assert c.set_condition(conditions, type="Ready", status="True", reason="Ok", now=NOW, observed_generation=4)
    assert conditions[0]["observedGeneration"] == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"type": ""}, "type must have 1 to 316"),
        ({"type": "x" * 317}, "type must have 1 to 316"),
        ({"status": "yes"}, "must be True, False or Unknown"),
        ({"reason": ""}, "must be a CamelCase word"),
        ({"reason": "has space"}, "must be a CamelCase word"),
        ({"reason": "x" * 1025}, "must be a CamelCase word"),
    ],
)
def test_conditions_follow_the_conventions(change: dict[str, str], message: str) -> None:
    """H-31: limits of type, status and reason."""
    wanted = {"type": "Ready", "status": "True", "reason": "Ok"} | change
    with pytest.raises(ValueError, match=message):
        c.set_condition([], now=NOW, **wanted)  # type: ignore[arg-type]


def test_messages_are_cut_and_conditions_removed() -> None:
    """H-31: 32,768 characters."""
    conditions: list[dict[str, Any]] = []
    c.set_condition(conditions, type="A", status="True", reason="Ok", message="x" * 40_000, now=NOW)
    assert len(conditions[0]["message"]) == 32_768
    assert c.remove_condition(conditions, "A")
    assert not c.remove_condition(conditions, "A")
    assert c.find_condition(conditions, "A") is None


def owner(name: str = "o", uid: str = "u1", namespace: str = "n") -> dict[str, Any]:
    """A Widget."""
    return {"metadata": {"name": name, "uid": uid, "namespace": namespace}}


def test_a_controller_reference_is_set_once() -> None:
    """H-01: the same owner replaces itself, whatever version or uid; another one is refused."""
    obj: dict[str, Any] = {"metadata": {"name": "x", "namespace": "n"}}
    assert o.set_controller_reference(owner(), obj, KIND)
    assert not o.set_controller_reference(owner(), obj, KIND)
    assert obj["metadata"]["ownerReferences"] == [
        {
            "apiVersion": "example.io/v1",
            "kind": "Widget",
            "name": "o",
            "uid": "u1",
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]
    assert o.set_controller_reference(owner(uid="u2"), obj, GVK("example.io", "v2", "Widget"))
    assert len(obj["metadata"]["ownerReferences"]) == 1
    assert o.controller_of(obj)["uid"] == "u2"  # type: ignore[index]
    with pytest.raises(OwnerError, match="already controlled by Widget o"):
        o.set_controller_reference(owner("other"), obj, KIND)


def test_plain_owners_are_added_and_removed() -> None:
    """H-02: matched by group, kind and name."""
    obj: dict[str, Any] = {"metadata": {"name": "x", "namespace": "n"}}
    assert o.set_owner_reference(owner(), obj, KIND)
    assert o.has_owner_reference(owner(), obj, GVK("example.io", "v9", "Widget"))
    assert not o.has_owner_reference(owner(), obj, GVK("other.io", "v1", "Widget"))
    assert o.controller_of(obj) is None
    assert o.remove_owner_reference(owner(), obj, KIND)
    assert "ownerReferences" not in obj["metadata"]
    assert not o.remove_owner_reference(owner(), obj, KIND)


def test_owners_that_the_server_would_not_honour_are_refused() -> None:
    """H-03: another namespace, a namespaced owner of a cluster-scoped object, no uid."""
    with pytest.raises(OwnerError, match="must be in the namespace of what it owns"):
        o.set_owner_reference(owner(), {"metadata": {"name": "x", "namespace": "m"}}, KIND)
    with pytest.raises(OwnerError, match="cannot own a cluster-scoped one"):
        o.set_owner_reference(owner(), {"metadata": {"name": "x"}}, KIND)
    with pytest.raises(OwnerError, match="it has no uid"):
        o.set_owner_reference(owner(uid=""), {"metadata": {"name": "x", "namespace": "n"}}, KIND)
    cluster = owner(namespace="")
    assert o.set_owner_reference(cluster, {"metadata": {"name": "x", "namespace": "n"}}, KIND)


def test_finalizers_say_whether_anything_changed() -> None:
    """H-10, H-12: names are qualified."""
    obj: dict[str, Any] = {"metadata": {}}
    assert f.add_finalizer(obj, "a.io/x")
    assert not f.add_finalizer(obj, "a.io/x")
    assert f.has_finalizer(obj, "a.io/x")
    assert f.remove_finalizer(obj, "a.io/x")
    assert not f.remove_finalizer(obj, "a.io/x")
    assert obj == {"metadata": {}}
    with pytest.raises(ValueError, match="must be qualified"):
        f.add_finalizer(obj, "plain")


def test_finalizer_patches_test_what_they_rely_on() -> None:
    """H-10, H-11: adding tests the list (or the version), removing tests value and position."""
    obj: dict[str, Any] = {"metadata": {"resourceVersion": "5"}}
    first = f.add_finalizer_ops(obj, "a.io/x")
    assert first[0] == {"op": "test", "path": "/metadata/resourceVersion", "value": "5"}
    obj = jsonpatch.apply(obj, first)
    second = f.add_finalizer_ops(obj, "a.io/y")
    obj = jsonpatch.apply(obj, second)
    assert obj["metadata"]["finalizers"] == ["a.io/x", "a.io/y"]
    assert f.add_finalizer_ops(obj, "a.io/y") == []
    ops = f.remove_finalizer_ops(obj, "a.io/y")
    assert ops == [
        {"op": "test", "path": "/metadata/finalizers/1", "value": "a.io/y"},
        {"op": "remove", "path": "/metadata/finalizers/1"},
    ]
    assert jsonpatch.apply(obj, ops)["metadata"]["finalizers"] == ["a.io/x"]
    assert f.remove_finalizer_ops(obj, "a.io/z") == []
    with pytest.raises(ValueError, match="read it from the server first"):
        f.add_finalizer_ops({"metadata": {}}, "a.io/x")


def test_a_typed_owner_brings_its_kind_along() -> None:
    """A reconciler has the object, and should not have to take it apart."""

    class Typed:
        gvk: ClassVar[GVK] = KIND

        def encode(self) -> dict[str, Any]:
            return owner()

    typed: dict[str, Any] = {"metadata": {"name": "x", "namespace": "n"}}
    plain: dict[str, Any] = {"metadata": {"name": "x", "namespace": "n"}}
    assert o.set_controller_reference(Typed(), typed)
    assert o.set_controller_reference(owner() | {"apiVersion": KIND.api_version, "kind": KIND.kind}, plain)
    assert o.set_controller_reference(owner(), {"metadata": {"name": "x", "namespace": "n"}}, KIND)
    assert typed == plain
    assert o.controller_of(typed)["kind"] == KIND.kind  # type: ignore[index]
