"""Reading an ExternalSecret."""

from __future__ import annotations

from typing import Any

import pytest

from controllers.externalsecret.errors import InvalidField, NotInThisRelease
from controllers.externalsecret.extensions import Extensions
from controllers.externalsecret.keys import RegexpRule, TransformRule
from controllers.externalsecret.merge import MergeRule
from controllers.externalsecret.plan import (
    DataEntry,
    ExtractEntry,
    FindEntry,
    GeneratorEntry,
    GeneratorRef,
    plan_of,
    store_refs,
    target_name,
)
from controllers.secretstore.access import StoreRef
from providers.interface import MetadataPolicy


def es(spec: dict[str, Any], **status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "app", "namespace": "t", "uid": "u", "generation": 3}, "spec": spec, "status": status}


def test_defaults_of_an_almost_empty_object() -> None:
    """What the spec leaves out has the documented meaning."""
    plan = plan_of(es({}))
    assert plan.target.name == "app" and plan.target.creation == "Owner" and not plan.target.immutable
    assert plan.deletion_policy == "Retain"
    assert plan.refresh.interval == 3600.0 and plan.refresh.policy == "" and plan.refresh.windows is None
    assert plan.entries == () and plan.stores == ()
    assert plan.refresh.current.startswith("3-")


def test_entries_come_in_the_order_in_which_later_ones_win() -> None:
    """dataFrom first, then data; find wins over extract over generator; a store alone contributes nothing."""
    plan = plan_of(
        es(
            {
                "secretStoreRef": {"name": "main"},
                "data": [
                    {
                        "secretKey": "a",
                        "remoteRef": {"key": "k", "property": "p", "version": "1", "metadataPolicy": "Fetch"},
                    },
                    {
                        "secretKey": "b",
                        "remoteRef": {"key": "k"},
                        "sourceRef": {"storeRef": {"name": "other", "kind": "ClusterSecretStore"}},
                    },
                ],
                "dataFrom": [
                    {"find": {"name": {"regexp": "x"}, "tags": {"t": "1"}, "path": "p"}, "extract": {"key": "e"}},
                    {"extract": {"key": "e", "conversionStrategy": "Unicode", "nullBytePolicy": "Fail"}},
                    {"sourceRef": {"generatorRef": {"kind": "UUID", "name": "g"}}},
                    {"sourceRef": {"storeRef": {"name": "alone"}}},
                ],
            }
        )
    )
    find, extract, generator, first, second = plan.entries
    assert (
        isinstance(find, FindEntry)
        and find.find.name_regexp == "x"
        and find.find.tags == {"t": "1"}
        and find.find.path == "p"
    )
    assert find.label == "spec.dataFrom[0].find" and find.store == StoreRef("SecretStore", "main")
    assert isinstance(extract, ExtractEntry) and extract.treatment.conversion == "Unicode"
    assert extract.label == "spec.dataFrom[1].extract" and extract.treatment.nul_policy == "Fail"
    assert isinstance(generator, GeneratorEntry) and generator.ref == GeneratorRef("", "UUID", "g")
    assert isinstance(first, DataEntry) and first.label == "spec.data[0] (key: k)"
    assert first.ref.metadata_policy is MetadataPolicy.FETCH and first.ref.version == "1" and first.ref.property == "p"
    assert first.missing == "spec.dataFrom[0] (key=k)"
    assert isinstance(second, DataEntry) and second.store == StoreRef("ClusterSecretStore", "other")
    assert plan.stores == (
        StoreRef("SecretStore", "main"),
        StoreRef("ClusterSecretStore", "other"),
        StoreRef("SecretStore", "alone"),
    )
    assert list(store_refs(es({}))) == []


def test_a_source_takes_the_place_of_the_default_store_whatever_it_holds() -> None:
    """A generator is no store, and a reference without a name finds none: neither falls back on the default."""
    sources: list[dict[str, Any]] = [
        {"generatorRef": {"kind": "Password", "name": "p"}},
        {"storeRef": {"kind": "ClusterSecretStore"}},
        {"storeRef": {"name": "own"}},
    ]
    plan = plan_of(
        es(
            {
                "secretStoreRef": {"name": "main"},
                "data": [{"secretKey": "a", "remoteRef": {"key": "k"}, "sourceRef": source} for source in sources],
                "dataFrom": [{"extract": {"key": "k"}, "sourceRef": source} for source in sources],
            }
        )
    )
    stores = [entry.store for entry in plan.entries if not isinstance(entry, GeneratorEntry)]
    others = [StoreRef("ClusterSecretStore", ""), StoreRef("SecretStore", "own")]
    assert stores == [StoreRef("SecretStore", "main"), *others, StoreRef("SecretStore", ""), *others]


def test_rewrite_rules_are_read_by_their_kind() -> None:
    """Each operation is one of merge, regexp and transform."""
    rules = [
        {"merge": {"priority": ["a"], "strategy": "JSON", "into": "i"}},
        {"regexp": {"source": "s", "target": "t"}},
        {"transform": {"template": "{{ .value }}"}},
    ]
    plan = plan_of(es({"dataFrom": [{"extract": {"key": "k"}, "rewrite": rules}]}))
    assert plan.entries[0].treatment.rewrite == (
        MergeRule(into="i", priority=("a",), strategy="JSON"),
        RegexpRule("s", "t"),
        TransformRule("{{ .value }}"),
    )
    assert plan.transforms


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"refreshInterval": "1d"}, "spec.refreshInterval"),
        ({"refreshInterval": 5}, "spec.refreshInterval"),
        (
            {"syncWindows": {"kind": "allow", "windows": [{"schedule": "* * * * *", "duration": "soon"}]}},
            "spec.syncWindows.windows[0].duration",
        ),
    ],
)
def test_unreadable_durations_name_their_field(spec: dict[str, Any], path: str) -> None:
    """The error carries the path and the text."""
    with pytest.raises(InvalidField) as caught:
        plan_of(es(spec))
    assert caught.value.path == path and str(caught.value).startswith(f"{path}: time: ")


def test_zero_may_be_a_number() -> None:
    """`refreshInterval: 0` without quotes means the same as with."""
    assert plan_of(es({"refreshInterval": 0})).refresh.interval == 0.0
    assert plan_of(es({"refreshInterval": "0"})).refresh.interval == 0.0
    assert plan_of(es({"refreshInterval": "-5m"})).refresh.interval == -300.0


def test_status_feeds_the_decision() -> None:
    """Refresh time and synced version are read; a time that is none counts as never."""
    plan = plan_of(es({}, refreshTime="2026-01-01T12:00:00Z", syncedResourceVersion="1-x"))
    assert plan.refresh.refresh_time is not None and plan.refresh.refresh_time.hour == 12
    assert plan.refresh.synced == "1-x"
    assert plan_of(es({}, refreshTime="yesterday")).refresh.refresh_time is None


def test_the_target_is_named_after_the_object_unless_it_has_a_name() -> None:
    """`target.name` wins over the name of the ExternalSecret."""
    assert target_name(es({})) == "app"
    assert target_name(es({"target": {"name": "x"}})) == "x"


@pytest.mark.parametrize(
    "spec",
    [
        {"target": {"template": {"data": {}}}},
        {"dataFrom": [{"extract": {"key": "k"}, "rewrite": [{"transform": {"template": "x"}}]}]},
        {"dataFrom": [{"sourceRef": {"generatorRef": {"kind": "UUID", "name": "g"}}}]},
    ],
)
def test_what_has_no_plug_in_is_refused_by_field(spec: dict[str, Any]) -> None:
    """An object that needs a missing part is refused before anything is asked or written."""
    with pytest.raises(NotInThisRelease, match=r"^spec\."):
        Extensions().check(plan_of(es(spec)))
    Extensions().check(plan_of(es({"data": [{"secretKey": "a", "remoteRef": {"key": "k"}}]})))
