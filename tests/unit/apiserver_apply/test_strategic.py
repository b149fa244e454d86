"""Strategic merge patches: merging by key, directives, order, and refusals."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eso_core.testing.apiserver.builtin import schemas
from eso_core.testing.apiserver.errors import StatusError
from eso_core.testing.apiserver.patch import strategic

ACCOUNT = schemas.schema_for("", "v1", "ServiceAccount")
CONFIG_MAP = schemas.schema_for("", "v1", "ConfigMap")


def account(*names: str) -> dict[str, Any]:
    return {"secrets": [{"name": name} for name in names]}


def names(obj: dict[str, Any]) -> list[str]:
    return [item["name"] for item in obj["secrets"]]


def test_objects_merge_and_null_deletes() -> None:
    """As in a JSON merge patch; nulls inside new values are dropped."""
    live = {"data": {"a": "1", "b": "2"}}
    patched = strategic.apply(
        live, {"data": {"a": None, "c": "3"}, "metadata": {"labels": {"x": None, "y": "1"}}}, CONFIG_MAP
    )
    assert patched == {"data": {"b": "2", "c": "3"}, "metadata": {"labels": {"y": "1"}}}


def test_items_merge_by_key_and_new_ones_come_first() -> None:
    """An item with a known key is changed in place, others are added before the server's own items."""
    live = {"secrets": [{"name": "a", "namespace": "n"}, {"name": "b"}]}
    assert strategic.apply(live, {"secrets": [{"name": "a", "uid": "u"}]}, ACCOUNT) == {
        "secrets": [{"name": "a", "namespace": "n", "uid": "u"}, {"name": "b"}]
    }
    assert names(strategic.apply(live, account("c"), ACCOUNT)) == ["c", "a", "b"]
    assert names(strategic.apply(live, account("b", "a"), ACCOUNT)) == ["b", "a"]


def test_lists_without_a_merge_strategy_are_replaced() -> None:
    """imagePullSecrets is atomic."""
    live = {"imagePullSecrets": [{"name": "a"}]}
    assert strategic.apply(live, {"imagePullSecrets": [{"name": "b"}]}, ACCOUNT) == {
        "imagePullSecrets": [{"name": "b"}]
    }


def test_values_of_merged_lists_are_united() -> None:
    """Finalizers are a set."""
    live = {"metadata": {"finalizers": ["a", "b"]}}
    patched = strategic.apply(live, {"metadata": {"finalizers": ["c", "b"]}}, CONFIG_MAP)
    assert patched["metadata"]["finalizers"] == ["c", "a", "b"]


def test_items_can_be_deleted_and_lists_replaced() -> None:
    """$patch in an item deletes that item, or makes the others the whole list."""
    live = account("a", "b", "c")
    assert names(strategic.apply(live, {"secrets": [{"$patch": "delete", "name": "b"}]}, ACCOUNT)) == ["a", "c"]
    assert names(strategic.apply(live, {"secrets": [{"$patch": "replace"}, {"name": "x"}]}, ACCOUNT)) == ["x"]


def test_objects_can_be_deleted_and_replaced() -> None:
    """$patch in an object empties it, or makes the patch the whole object."""
    live = {"data": {"a": "1"}, "metadata": {"labels": {"x": "1"}}}
    assert strategic.apply(live, {"data": {"$patch": "replace", "b": "2"}}, CONFIG_MAP)["data"] == {"b": "2"}
    assert strategic.apply(live, {"data": {"$patch": "delete"}}, CONFIG_MAP)["data"] == {}


def test_values_can_be_taken_out_of_a_list() -> None:
    """$deleteFromPrimitiveList removes values; on an absent list it does nothing."""
    live = {"metadata": {"finalizers": ["a", "b", "c"]}}
    patch = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a", "c"]}}
    assert strategic.apply(live, patch, CONFIG_MAP) == {"metadata": {"finalizers": ["b"]}}
    assert strategic.apply({"metadata": {}}, patch, CONFIG_MAP) == {"metadata": {}}


def test_the_order_can_be_set() -> None:
    """Items not named keep their place relative to the named ones as far as possible."""
    live = account("b", "x", "a")
    patch = {"$setElementOrder/secrets": [{"name": "a"}, {"name": "b"}]}
    assert names(strategic.apply(live, patch, ACCOUNT)) == ["x", "a", "b"]
    patch = {"$setElementOrder/secrets": [{"name": "a"}, {"name": "b"}, {"name": "n"}], **account("n")}
    assert names(strategic.apply(account("b", "a"), patch, ACCOUNT)) == ["a", "b", "n"]


def test_keys_can_be_retained() -> None:
    """$retainKeys drops every other key of the object."""
    live = {"data": {"a": "1", "b": "2"}}
    assert strategic.apply(live, {"data": {"$retainKeys": ["a", "c"], "c": "3"}}, CONFIG_MAP)["data"] == {
        "a": "1",
        "c": "3",
    }


def test_directives_in_values_that_are_new_are_dropped() -> None:
    """Where there is nothing to delete or replace, an item with a directive is left out, known or not."""
    patch = {"secrets": [{"$patch": "frob", "name": "a"}, {"$patch": "delete", "name": "b"}, {"name": "c"}]}
    assert names(strategic.apply({}, patch, ACCOUNT)) == ["c"]


@pytest.mark.parametrize(
    ("live", "patch", "code", "message"),
    [
        (account("a"), {"secrets": [{"uid": "u"}]}, 500, "map: map[uid:u] does not contain declared merge key: name"),
        (
            account("a"),
            {"secrets": [{"$patch": "delete"}]},
            500,
            "map: map[$patch:delete] does not contain declared merge key: name",
        ),
        (
            account("a"),
            {"secrets": [{"$patch": "frob", "name": "a"}]},
            500,
            "unknown patch type: frob in map: map[$patch:frob name:a]",
        ),
        (
            account("a"),
            {"secrets": [{"$patch": "merge", "name": "a"}]},
            500,
            "merging lists cannot yet be specified in the patch",
        ),
        ({}, {"$patch": "frob"}, 500, "unknown patch type: frob in map: map[$patch:frob]"),
        (account("a"), {"secrets": [["a"]]}, 422, "the server rejected our request due to an error in our request"),
        (account("a"), {"secrets": ["a"]}, 500, "list element types are not identical: [[map[name:a]] [a]]"),
        (
            account("a"),
            {"$setElementOrder/nope": ["a"]},
            500,
            'unable to find api field in struct ServiceAccount for the json field "nope"',
        ),
        (
            account("a"),
            {"$setElementOrder/secrets": [{"name": "a"}], **account("b")},
            500,
            "The order in patch list:\n[map[name:b]]\n doesn't match $setElementOrder list:\n[map[name:a]]\n",
        ),
    ],
)
def test_contradictions_are_refused(live: Any, patch: Any, code: int, message: str) -> None:
    """The texts are those of the server."""
    with pytest.raises(StatusError) as caught:
        strategic.apply(live, patch, ACCOUNT)
    assert (caught.value.code, caught.value.message) == (code, message)


@pytest.mark.parametrize("retained", ["a", ["b"]])
def test_bad_retain_keys_are_bad_requests(retained: Any) -> None:
    """The directive must be a list that names all keys of the patch."""
    with pytest.raises(strategic.PatchError, match="invalid patch format of retainKeys"):
        strategic.apply({"data": {"a": "1"}}, {"data": {"$retainKeys": retained, "a": "2"}}, CONFIG_MAP)


_lists = st.lists(st.sampled_from("abcde"), unique=True, max_size=4)


@given(live=_lists, patch=_lists)
def test_merging_by_key_unites_and_keeps_the_patchs_order(live: list[str], patch: list[str]) -> None:
    """Nothing is lost or doubled, and named items come in the order of the patch; a second time changes nothing."""
    document = account(*live)
    before = copy.deepcopy(document)
    merged = strategic.apply(document, account(*patch), ACCOUNT)
    assert sorted(names(merged)) == sorted({*live, *patch})
    assert [name for name in names(merged) if name in patch] == patch
    assert strategic.apply(merged, account(*patch), ACCOUNT) == merged
    assert document == before
