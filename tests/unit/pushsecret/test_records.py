"""What is recorded as ours, and what of it has to go."""

from __future__ import annotations

from typing import Any

from controllers.pushsecret.plan import DataEntry
from controllers.pushsecret.records import is_empty, merged, record_of, recorded, stale, store_of, without
from controllers.secretstore.access import StoreRef
from providers.interface import RemoteRef


def records(*places: str) -> dict[str, Any]:
    made = {}
    for place in places:
        key, _, property = place.partition("/")
        made[place] = record_of(DataEntry("k", key, property))
    return made


def test_a_record_is_the_entry_as_a_manifest_has_it() -> None:
    """Absent fields stay absent; nulls in metadata cannot be written by a merge patch and are left out."""
    assert record_of(DataEntry("", "r")) == {"conversionStrategy": "None", "match": {"remoteRef": {"remoteKey": "r"}}}
    full = DataEntry("k", "r", "p", "ReverseUnicode", {"spec": {"a": None, "b": [{"c": None}]}})
    assert record_of(full) == {
        "conversionStrategy": "ReverseUnicode",
        "match": {"secretKey": "k", "remoteRef": {"remoteKey": "r", "property": "p"}},
        "metadata": {"spec": {"b": [{}]}},
    }


def test_what_is_stale_is_what_was_and_is_not() -> None:
    """Per store; a store that is not pushed to any more has only stale records."""
    before = {"SecretStore/a": records("x", "y/p", "y/q"), "SecretStore/b": records("x")}
    found = list(stale(before, {"SecretStore/a": records("x", "y/p")}))
    assert [(one.store, one.place, one.ref, one.covered) for one in found] == [
        ("SecretStore/a", "y/q", RemoteRef("y", property="q"), False),
        ("SecretStore/b", "x", RemoteRef("x"), False),
    ]


def test_a_place_that_is_still_written_to_is_not_deleted_under_another_form() -> None:
    """Deleting the whole would take its properties along, and a property may be a part of the whole."""
    (one,) = stale({"SecretStore/a": records("x")}, {"SecretStore/a": records("x/p")})
    assert one.covered
    (one,) = stale({"SecretStore/a": records("x/p")}, {"SecretStore/a": records("x")})
    assert one.covered
    (one,) = stale({"SecretStore/a": records("x/p")}, {"SecretStore/b": records("x")})
    assert not one.covered


def test_stores_are_read_back_from_their_names() -> None:
    """What names none is nothing to ask."""
    assert store_of("SecretStore/s") == StoreRef("SecretStore", "s")
    assert store_of("ClusterSecretStore/s") == StoreRef("ClusterSecretStore", "s")
    assert store_of("Other/s") is None
    assert store_of("SecretStore") is None


def test_records_are_merged_and_subtracted_without_changing_them() -> None:
    """A store with no record says that nothing is there."""
    first, second = {"SecretStore/a": records("x")}, {"SecretStore/a": records("y"), "SecretStore/b": {}}
    both = merged(first, second)
    assert {store: sorted(found) for store, found in both.items()} == {"SecretStore/a": ["x", "y"], "SecretStore/b": []}
    assert without(both, first) == {"SecretStore/a": records("y")}
    assert is_empty({"SecretStore/b": {}}) and not is_empty(first)
    assert sorted(first["SecretStore/a"]) == ["x"]
    assert recorded({"syncedPushSecrets": {"SecretStore/a": {"x": None, "y": {}}, "SecretStore/b": None}}) == {
        "SecretStore/a": {"y": {}}
    }
