"""Which keys go where."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controllers.pushsecret.errors import EntriesRefused
from controllers.pushsecret.expand import Naming, StoreFacts, convert, converted_name, entries_for
from controllers.pushsecret.plan import DataEntry, PushPlan, plan_of

STORE = StoreFacts("SecretStore", "s", {"team": "blue"})
PLAIN = Naming(transform=lambda template, key: template.replace("{{ .value }}", key), fill=lambda text: text)
KEYS = ("db.user", "db.pass", "api.key")


def plan(*, data: list[Any] | None = None, data_to: list[Any] | None = None) -> PushPlan:
    refs = [{"name": "s"}, {"name": "other"}, {"labelSelector": {"matchLabels": {"team": "blue"}}}]
    spec = {"secretStoreRefs": refs, "selector": {"secret": {"name": "a"}}, "data": data, "dataTo": data_to}
    return plan_of({"metadata": {"name": "p", "namespace": "t"}, "spec": spec})


def to(**more: Any) -> dict[str, Any]:
    return {"storeRef": {"name": "s"}, **more}


def entry(key: str, remote: str, property: str = "", **more: Any) -> dict[str, Any]:
    return {"match": {"secretKey": key, "remoteRef": {"remoteKey": remote, "property": property}}, **more}


def places(entries: list[DataEntry]) -> dict[str, str]:
    return {one.place: one.secret_key for one in entries}


def test_data_to_pushes_every_key_under_its_own_name() -> None:
    """Sorted, whatever the order in the Secret."""
    made = entries_for(plan(data_to=[to()]), STORE, KEYS, PLAIN)
    assert [one.remote_key for one in made] == ["api.key", "db.pass", "db.user"]
    assert all(one.secret_key == one.remote_key and one.conversion == "None" for one in made)


def test_a_match_chooses_and_rewrites_rename_in_order() -> None:
    """The entry keeps the key of the Secret; only where it goes changes."""
    rewrite = [
        {"regexp": {"source": r"^db\.(.*)$", "target": "store/$1"}},
        {"transform": {"template": "x-{{ .value }}"}},
    ]
    made = entries_for(plan(data_to=[to(match={"regexp": r"^db\."}, rewrite=rewrite)]), STORE, KEYS, PLAIN)
    assert places(made) == {"x-store/pass": "db.pass", "x-store/user": "db.user"}


def test_a_remote_key_makes_one_document_of_the_keys_that_match() -> None:
    """The bundle knows which keys it holds."""
    (made,) = entries_for(plan(data_to=[to(match={"regexp": "^db"}, remoteKey="bundle")]), STORE, KEYS, PLAIN)
    assert (made.secret_key, made.place, made.keys) == ("", "bundle", frozenset({"db.user", "db.pass"}))


def test_nothing_that_matches_is_no_error() -> None:
    """The entry is left out."""
    assert entries_for(plan(data_to=[to(match={"regexp": "^none"}, remoteKey="b")]), STORE, KEYS, PLAIN) == []


def test_entries_for_other_stores_are_left_out() -> None:
    """By name, kind and label."""
    by_label = {"storeRef": {"labelSelector": {"matchLabels": {"team": "blue"}}}, "match": {"regexp": "user"}}
    made = entries_for(plan(data_to=[{"storeRef": {"name": "other"}}, by_label]), STORE, KEYS, PLAIN)
    assert places(made) == {"db.user": "db.user"}
    red = StoreFacts("SecretStore", "red", {"team": "red"})
    assert entries_for(plan(data_to=[by_label]), red, KEYS, PLAIN) == []
    cluster = StoreFacts("ClusterSecretStore", "s", {"team": "blue"})
    assert entries_for(plan(data_to=[to(), by_label]), cluster, KEYS, PLAIN) == []


def test_an_explicit_entry_takes_its_key_out_of_data_to() -> None:
    """By the key's own name, also where the entry names the converted one; a whole-Secret entry takes out bundles."""
    made = entries_for(plan(data=[entry("api.key", "special")], data_to=[to()]), STORE, KEYS, PLAIN)
    assert places(made) == {"special": "api.key", "db.pass": "db.pass", "db.user": "db.user"}
    converted = entry("a/b", "special", conversionStrategy="ReverseUnicode")
    made = entries_for(plan(data=[converted], data_to=[to()]), STORE, ["a_U002f_b", "c"], PLAIN)
    assert places(made) == {"special": "a/b", "c": "c"}
    made = entries_for(plan(data=[entry("", "all")], data_to=[to(remoteKey="bundle"), to()]), STORE, KEYS, PLAIN)
    assert "bundle" not in places(made) and "db.user" in places(made)
    made = entries_for(plan(data=[entry("db.user", "u")], data_to=[to(remoteKey="bundle")]), STORE, KEYS, PLAIN)
    assert next(one for one in made if one.place == "bundle").keys == frozenset(KEYS)


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (
            {"data_to": [to(rewrite=[{"regexp": {"source": ".*", "target": ""}}], match={"regexp": "api"})]},
            'failed to expand dataTo: dataTo[0]: empty remote key produced for source key "api.key"',
        ),
        (
            {
                "data_to": [
                    to(),
                    to(rewrite=[{"regexp": {"source": "^.*$", "target": "db.user"}}], match={"regexp": "api"}),
                ]
            },
            'failed to expand dataTo: dataTo[1]: duplicate remote key "db.user" from source key "api.key" '
            "(conflicts with dataTo[0]:db.user)",
        ),
        (
            {"data_to": [to(remoteKey="a", rewrite=[{"regexp": {"source": "a", "target": "b"}}])]},
            "failed to expand dataTo: dataTo[0]: remoteKey and rewrite are mutually exclusive: rewrite is only supported in "
            "per-key mode (without remoteKey)",
        ),
        (
            {"data_to": [to(match={"regexp": "("})]},
            'failed to expand dataTo: dataTo[0]: match failed: failed to compile regexp pattern "(": error parsing regexp: '
            "missing closing ): `(`",
        ),
        (
            {"data_to": [to(rewrite=[{"regexp": {"source": "(", "target": ""}}], match={"regexp": "api"})]},
            'failed to expand dataTo: dataTo[0]: rewrite failed: rewrite[0] on key "api.key": invalid regexp: error parsing '
            "regexp: missing closing ): `(`",
        ),
        (
            {"data": [entry("db.user", "r"), entry("db.pass", "r")]},
            'failed to merge data entries: duplicate remote key "r": source keys "db.user" and "db.pass" both map to the same '
            "destination",
        ),
        (
            {"data": [entry("db.user", "r", "p"), entry("db.pass", "r", "p")]},
            'failed to merge data entries: duplicate remote key "r" with property "p": source keys "db.user" and "db.pass" both '
            "map to the same destination",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_the_words_of_the_original(spec: dict[str, Any], text: str) -> None:
    """The message says which entry and which keys."""
    with pytest.raises(EntriesRefused) as refused:
        entries_for(plan(**spec), STORE, KEYS, PLAIN)
    assert str(refused.value) == text


def test_properties_of_one_place_are_different_places() -> None:
    """And so is the place itself."""
    data = [entry("db.user", "r", "u"), entry("db.pass", "r", "p"), entry("api.key", "r")]
    assert len(entries_for(plan(data=data), STORE, KEYS, PLAIN)) == 3


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("a_U002f_b", "a/b"),
        ("a_U1f600_", "a\N{GRINNING FACE}"),
        ("_U00E9_", "\N{LATIN SMALL LETTER E WITH ACUTE}"),
        ("_Ud800_", "_Ud800_"),
        ("_U12_", "_U12_"),
        ("_U123456_", "_U123456_"),
        ("plain", "plain"),
    ],
)
def test_reverse_unicode_reads_what_the_unicode_strategy_wrote(key: str, name: str) -> None:
    """What is no character stays as it is."""
    assert converted_name("ReverseUnicode", key) == name
    assert converted_name("None", key) == key


def test_two_keys_of_one_name_are_refused() -> None:
    """Neither may win silently."""
    with pytest.raises(EntriesRefused, match=r"secret name collision during conversion: a/b$"):
        convert("ReverseUnicode", {"a_U002f_b": b"1", "a/b": b"2"})


def test_a_collision_in_data_to_names_the_entry() -> None:
    """As the original words it."""
    with pytest.raises(EntriesRefused) as refused:
        entries_for(plan(data_to=[to(conversionStrategy="ReverseUnicode")]), STORE, ["a_U002f_b", "a/b"], PLAIN)
    assert str(refused.value) == (
        "failed to expand dataTo: dataTo[0]: conversion failed: secret name collision during conversion: a/b"
    )


@given(st.dictionaries(st.text("abcU_09/f", min_size=1, max_size=12), st.integers(), max_size=6))
def test_conversion_loses_no_value(values: dict[str, int]) -> None:
    """Either every value is there, or the conversion is refused."""
    try:
        made = convert("ReverseUnicode", values)
    except EntriesRefused:
        return
    assert sorted(made.values()) == sorted(values.values())
