"""A PushSecret as it is read: defaults, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controllers.pushsecret.errors import InvalidField
from controllers.pushsecret.plan import (
    Due,
    GeneratorSource,
    NamedSource,
    SelectedSource,
    StoreChoice,
    plan_of,
    store_choices,
)

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def push(spec: dict[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    body = {"secretStoreRefs": [{"name": "s"}], "selector": {"secret": {"name": "src"}}, **(spec or {})}
    return {"metadata": {"name": "p", "namespace": "t", "generation": 1, "uid": "u"}, "spec": body, "status": status}


@pytest.mark.parametrize(
    ("written", "seconds"), [(None, 3600.0), ("", 3600.0), ("15m", 900.0), (0, 0.0), ("0", 0.0), ("24h0m0s", 86400.0)]
)
def test_an_interval_is_an_hour_unless_given(written: object, seconds: float) -> None:
    """B048: an object stored before the field had a default has none."""
    assert plan_of(push({"refreshInterval": written})).due.interval == seconds


@pytest.mark.parametrize("written", ["1d", "soon", "5"])
def test_an_interval_that_is_no_duration_names_field_and_text(written: str) -> None:
    """B020: the object is refused alone."""
    with pytest.raises(InvalidField, match=rf"^spec\.refreshInterval: .*{written}"):
        plan_of(push({"refreshInterval": written}))


@pytest.mark.parametrize(
    ("selector", "kind"),
    [
        ({"secret": {"name": "a", "selector": {}}, "generatorRef": {"kind": "Password", "name": "g"}}, NamedSource),
        ({"secret": {"selector": {}}, "generatorRef": {"kind": "Password", "name": "g"}}, GeneratorSource),
        ({"secret": {"selector": {"matchLabels": {"a": "b"}}}}, SelectedSource),
    ],
)
def test_of_several_sources_the_name_comes_first_then_the_generator(selector: dict[str, Any], kind: type) -> None:
    """An ambiguous selector means what it means to the original."""
    assert isinstance(plan_of(push({"selector": selector})).source, kind)


def test_a_selector_that_selects_nothing_is_refused() -> None:
    """The condition's text is the original's; the event says what to do."""
    with pytest.raises(InvalidField, match=r"^could not get source secret$") as refused:
        plan_of(push({"selector": {"secret": {}}}))
    assert refused.value.detail == (
        "could not get source secret: spec.selector: no secret selector provided: set secret.name, secret.selector or generatorRef"
    )


def test_a_label_selector_of_secrets_that_cannot_be_read_is_no_source_either() -> None:
    """And the event names the field."""
    with pytest.raises(InvalidField, match=r"^could not get source secret$") as refused:
        plan_of(push({"selector": {"secret": {"selector": {"matchExpressions": [{"key": "a", "operator": "In"}]}}}}))
    assert refused.value.detail.startswith("could not get source secret: spec.selector.secret.selector: ")


def test_a_store_reference_without_a_name_is_refused_in_the_words_of_the_original() -> None:
    """The event says which."""
    with pytest.raises(InvalidField, match=r"^refStore Name must be provided$") as refused:
        plan_of(push({"secretStoreRefs": [{"name": "s"}, {"kind": "SecretStore"}]}))
    assert refused.value.detail == "spec.secretStoreRefs[1]: refStore Name must be provided, or a labelSelector"


def test_a_label_selector_of_stores_wins_over_a_name_and_the_kind_is_secret_store() -> None:
    """As in the original."""
    refs = [{"name": "x", "labelSelector": {"matchLabels": {"a": "b"}}}, {"name": "y"}]
    first, second = plan_of(push({"secretStoreRefs": refs})).stores
    assert first.selector is not None and first.selector.matches({"a": "b"})
    assert second == StoreChoice("SecretStore", "y")
    assert store_choices(push({"secretStoreRefs": [*refs, {"kind": "SecretStore"}]})) == [first, second]


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ({}, "dataTo[0]: storeRef is required"),
        ({"storeRef": {}}, "dataTo[0]: storeRef must have name or labelSelector"),
        ({"storeRef": {"name": "z"}}, 'dataTo[0]: storeRef "z" not found in secretStoreRefs'),
        (
            {"storeRef": {"name": "s", "kind": "ClusterSecretStore"}},
            'dataTo[0]: storeRef "s" not found in secretStoreRefs',
        ),
        (
            {"storeRef": {"name": "s"}, "rewrite": [{}]},
            "dataTo[0].rewrite[0]: exactly one of regexp and transform must be set",
        ),
    ],
)
def test_data_to_must_mean_one_of_the_stores(entry: dict[str, Any], text: str) -> None:
    """A named reference needs an entry of that name and kind."""
    with pytest.raises(InvalidField) as refused:
        plan_of(push({"dataTo": [entry]}))
    assert str(refused.value) == text


def due(**changes: Any) -> Due:
    facts = {"interval": 600.0, "synced": "1-a", "current": "1-a", "refresh_time": NOW, "uid": ""}
    return Due(**{**facts, **changes})


def test_an_object_is_due_when_it_changed_when_its_time_has_come_and_at_first() -> None:
    """With interval zero changes still count; jitter makes it early, never late."""
    assert not due().now(NOW + timedelta(seconds=500))
    assert due().now(NOW + timedelta(seconds=600))
    assert due(current="2-a").now(NOW)
    assert due(synced="", refresh_time=None).now(NOW)
    assert due(refresh_time=None).now(NOW)
    assert due(refresh_time=NOW + timedelta(days=1)).now(NOW), "a clock that was set back"
    assert due(interval=0.0, current="2-a").now(NOW)
    assert not due(interval=0.0).now(NOW + timedelta(days=365))
    assert due(interval=0.0).wait(NOW) is None
    wait = due().wait(NOW)
    assert wait is not None and 540 <= wait <= 600


def test_a_failure_that_only_a_change_heals_is_tried_again_at_the_interval() -> None:
    """Or after an hour where there is none."""
    assert due().retry == 600.0
    assert due(interval=0.0).retry == 3600.0
