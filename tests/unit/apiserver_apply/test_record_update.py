"""Ownership after creates and updates."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from eso_core.testing.apiserver.builtin import schemas
from eso_core.testing.apiserver.managedfields import field_set, record_update

SECRET = schemas.schema_for("", "v1", "Secret")


def secret(**fields: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "n"}, **fields}


def record(
    live: Any, new: Any, manager: str = "m", time: str = "2024-01-01T00:00:00Z", **options: Any
) -> dict[str, Any]:
    schema = options.pop("schema", SECRET)
    version = options.pop("api_version", "v1")
    return record_update(live, new, manager=manager, api_version=version, time=time, schema=schema, **options)


def owned(obj: dict[str, Any]) -> dict[str, Any]:
    return {entry["manager"]: entry["fieldsV1"] for entry in obj["metadata"].get("managedFields", [])}


def test_a_create_owns_all_that_was_set() -> None:
    """New objects and lists are owned themselves, with a dot; names, uids and the like are owned by nobody."""
    created = record(None, secret(data={"a": "eA==", "b": "eQ=="}, type="Opaque"))
    assert created["metadata"]["managedFields"] == [
        {
            "manager": "m",
            "operation": "Update",
            "apiVersion": "v1",
            "time": "2024-01-01T00:00:00Z",
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:data": {".": {}, "f:a": {}, "f:b": {}}, "f:type": {}},
        }
    ]


def test_an_object_that_sets_nothing_has_no_entry() -> None:
    """An empty set is not written down."""
    assert "managedFields" not in record(None, secret())["metadata"]


def test_parts_that_always_exist_are_not_owned_themselves() -> None:
    """A Lease always has a spec, so its creator owns only the fields in it."""
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "l"},
        "spec": {"holderIdentity": "a"},
    }
    schema = schemas.schema_for("coordination.k8s.io", "v1", "Lease")
    assert owned(record(None, lease, schema=schema)) == {"m": {"f:spec": {"f:holderIdentity": {}}}}


def test_items_of_map_lists_are_owned_by_their_key() -> None:
    """Owner references are keyed by uid and owned whole."""
    made = secret()
    made["metadata"]["ownerReferences"] = [{"apiVersion": "v1", "kind": "X", "name": "x", "uid": "u"}]
    made["metadata"]["finalizers"] = ["a/b"]
    assert owned(record(None, made)) == {
        "m": {
            "f:metadata": {
                "f:finalizers": {".": {}, 'v:"a/b"': {}},
                "f:ownerReferences": {".": {}, 'k:{"uid":"u"}': {}},
            }
        }
    }


def test_a_change_moves_only_the_changed_fields() -> None:
    """The updater owns the new value, the creator keeps the rest with its old time."""
    live = record(None, secret(data={"a": "eA==", "b": "eQ=="}), "first")
    new = copy.deepcopy(live)
    new["data"]["a"] = "eg=="
    changed = record(live, new, "second", "2024-01-02T00:00:00Z")
    assert owned(changed) == {"first": {"f:data": {".": {}, "f:b": {}}}, "second": {"f:data": {"f:a": {}}}}
    assert [entry["time"] for entry in changed["metadata"]["managedFields"]] == [
        "2024-01-01T00:00:00Z",
        "2024-01-02T00:00:00Z",
    ]


def test_removing_a_field_takes_it_from_its_owner_and_gives_it_to_nobody() -> None:
    """An update that only removes leaves no entry of its own."""
    live = record(None, secret(data={"a": "eA==", "b": "eQ=="}), "first")
    new = copy.deepcopy(live)
    del new["data"]["a"]
    assert owned(record(live, new, "second")) == {"first": {"f:data": {".": {}, "f:b": {}}}}


def test_an_unchanged_object_comes_back_itself() -> None:
    """No copy, no new time: the write is recognised as no change."""
    live = record(None, secret(data={"a": "eA=="}))
    new = copy.deepcopy(live)
    assert record(live, new, time="2024-02-01T00:00:00Z") is new


def test_entries_left_out_by_the_client_are_taken_from_the_live_object() -> None:
    """A client that does not know the field cannot wipe it."""
    live = record(None, secret(data={"a": "eA=="}))
    new = secret(data={"a": "eA=="})
    assert record(live, new)["metadata"]["managedFields"] == live["metadata"]["managedFields"]


def test_one_empty_entry_resets_ownership() -> None:
    """This is how clients ask to forget all; afterwards updates track nothing."""
    live = record(None, secret(data={"a": "eA=="}))
    new = copy.deepcopy(live)
    new["metadata"]["managedFields"] = [{}]
    reset = record(live, new)
    assert "managedFields" not in reset["metadata"]
    again = copy.deepcopy(reset)
    again["data"]["a"] = "eg=="
    assert "managedFields" not in record(reset, again)["metadata"]


def test_unreadable_entries_are_ignored() -> None:
    """The live object's entries stand when the client sends garbage."""
    live = record(None, secret(data={"a": "eA=="}))
    new = copy.deepcopy(live)
    new["metadata"]["managedFields"] = [{"manager": "x", "operation": "Nonsense"}]
    assert record(live, new)["metadata"]["managedFields"] == live["metadata"]["managedFields"]


def test_entries_sent_through_a_subresource_are_ignored(widget: dict[str, Any]) -> None:
    """Ownership can only be edited on the object itself."""
    live = record(None, {"metadata": {"name": "w"}, "spec": {"color": "red"}}, schema=widget, api_version="t/v1")
    new = copy.deepcopy(live)
    new["metadata"]["managedFields"] = [{}]
    new["status"] = {"phase": "x"}
    options = {"schema": widget, "api_version": "t/v1", "subresource": "status"}
    changed = record(live, new, "s", ignored=field_set("metadata", "spec"), **options)
    assert owned(changed) == {"m": {"f:spec": {".": {}, "f:color": {}}}, "s": {"f:status": {".": {}, "f:phase": {}}}}
    assert changed["metadata"]["managedFields"][1]["subresource"] == "status"


def test_ignored_fields_are_not_owned(widget: dict[str, Any]) -> None:
    """What a request cannot change it does not own, though it was in the body."""
    new = {"metadata": {"name": "w"}, "spec": {"color": "red"}, "status": {"phase": "x"}}
    created = record(None, new, schema=widget, api_version="t/v1", ignored=field_set("status"))
    assert owned(created) == {"m": {"f:spec": {".": {}, "f:color": {}}}}


def test_atomic_lists_and_maps_are_one_field(widget: dict[str, Any]) -> None:
    """Inside an atomic value nothing is owned on its own; free-form objects are owned field by field."""
    spec = {"words": ["a"], "sealed": {"a": "1"}, "free": {"x": {"y": [1]}}, "tags": ["t"], "ports": [{"port": 1}]}
    created = record(None, {"metadata": {}, "spec": spec}, schema=widget, api_version="t/v1")
    assert owned(created)["m"]["f:spec"] == {
        ".": {},
        "f:words": {},
        "f:sealed": {},
        "f:free": {".": {}, "f:x": {".": {}, "f:y": {}}},
        "f:tags": {".": {}, 'v:"t"': {}},
        "f:ports": {".": {}, 'k:{"port":1,"protocol":"TCP"}': {".": {}, "f:port": {}}},
    }


def test_more_than_ten_updaters_are_merged_oldest_first() -> None:
    """The oldest entries become one of the manager ancient-changes, with the time of the youngest merged."""
    live = record(None, secret(data={}), "u0")
    for index in range(13):
        new = copy.deepcopy(live)
        new.setdefault("data", {})[f"k{index}"] = "eA=="
        live = record(live if index else None, new, f"u{index}", f"2024-01-01T00:00:{index:02d}Z")
    entries = live["metadata"]["managedFields"]
    assert [entry["manager"] for entry in entries] == ["ancient-changes", *(f"u{index}" for index in range(4, 13))]
    assert entries[0]["time"] == "2024-01-01T00:00:03Z"
    assert entries[0]["fieldsV1"] == {"f:data": {".": {}, "f:k0": {}, "f:k1": {}, "f:k2": {}, "f:k3": {}}}


def test_duplicate_items_are_owned_as_one(widget: dict[str, Any]) -> None:
    """An update may store a list with equal keys; ownership then has the item without its parts."""
    ports = [{"port": 1, "name": "a"}, {"port": 1, "name": "b"}]
    created = record(None, {"metadata": {}, "spec": {"ports": ports}}, schema=widget, api_version="t/v1")
    assert owned(created)["m"]["f:spec"]["f:ports"] == {".": {}, 'k:{"port":1,"protocol":"TCP"}': {}}


def test_a_list_that_became_atomic_is_owned_whole(widget: dict[str, Any]) -> None:
    """Entries made under the old schema collapse when something changes."""
    live = record(None, {"metadata": {}, "spec": {"tags": ["a", "b"]}}, schema=widget, api_version="t/v1")
    atomic = copy.deepcopy(widget)
    atomic["properties"]["spec"]["properties"]["tags"]["x-kubernetes-list-type"] = "atomic"
    new = copy.deepcopy(live)
    new["spec"]["color"] = "red"
    changed = record(live, new, "n", schema=atomic, api_version="t/v1")
    assert owned(changed)["m"] == {"f:spec": {".": {}, "f:tags": {}}}


@pytest.mark.parametrize(
    ("old", "new"), [(1, "1"), (1, True), ("x", {"a": 1}), ([1], {"a": 1}), ([0], [False]), (None, {"a": 1})]
)
def test_values_that_change_their_type_belong_to_the_updater(widget: dict[str, Any], old: Any, new: Any) -> None:
    """In free-form fields a value may turn into another type."""
    live = record(None, {"metadata": {}, "spec": {"free": {"v": old}}}, "a", schema=widget, api_version="t/v1")
    changed = record(live, {**live, "spec": {"free": {"v": new}}}, "b", schema=widget, api_version="t/v1")
    assert "f:v" in owned(changed)["b"]["f:spec"]["f:free"]
