"""The operator's metric families by name, type and labels, and how series come and go."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from controllers.metrics import EXTENDED_LABELS, ExternalSecretMetrics, ObjectMetrics, ProviderCallMetrics
from controllers.operator import Operator
from eso_core.client import Client, ClientConfig
from eso_core.meta import ObjectKey
from eso_core.metrics import Counter, Gauge, Histogram, new_registry, render

GOLDEN = json.loads((Path(__file__).parent / "golden_metrics.json").read_text())
KEY = ObjectKey("t", "app")
SUFFIXES = ("", "_bucket", "_count", "_sum")


def families(registry: CollectorRegistry) -> dict[str, dict[str, object]]:
    """Type and label names of each family that has a series, from the text of a scrape."""
    text = render(registry)[0].decode()
    types = {line.split()[2]: line.split()[3] for line in text.splitlines() if line.startswith("# TYPE ")}
    found: dict[str, dict[str, object]] = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        sample = line.partition("{")[0].partition(" ")[0]
        name = next((sample.removesuffix(end) for end in SUFFIXES if sample.removesuffix(end) in types), sample)
        labels = sorted(set(re.findall(r'([a-z_]+)="', line)) - {"le"})
        found[name] = {"type": types.get(name), "labels": labels}
    return found


async def test_names_types_and_labels_are_those_that_dashboards_know() -> None:
    """Every family of the golden file is exposed with exactly its name, type and labels."""
    registry = new_registry(process=False)
    async with Client(ClientConfig("http://127.0.0.1:1"), metrics=registry) as client:
        Operator(client, registry=registry)  # registers everything; series appear with the first move
        made = {getattr(collector, "name", ""): collector for collector in list(registry._collector_to_names)}
        for name, golden in GOLDEN.items():
            family = made.get(name)  # some collectors hold several families and show them without help
            if isinstance(family, Counter | Gauge | Histogram) and not family.series():
                family.labels(**dict.fromkeys(golden["labels"], "x"))
        found = families(registry)
    assert {name: found.get(name) for name in GOLDEN} == GOLDEN


def test_counters_have_no_created_series_and_no_added_suffix() -> None:
    """Names are exact: no `_total` is appended and no `_created` appears."""
    registry = new_registry(process=False)
    metrics = ExternalSecretMetrics(extended=False, registry=registry)
    metrics.called(KEY)
    metrics.failed(KEY)
    text = render(registry)[0].decode()
    assert '\nexternalsecret_sync_calls_error{name="app",namespace="t"} 1' in text
    assert "# TYPE externalsecret_sync_calls_error counter" in text
    assert "_created" not in text and "calls_total_total" not in text and "error_total" not in text


def test_a_condition_shows_its_status_and_the_opposite() -> None:
    """The current status is 1, the other 0, also after a flip."""
    registry = new_registry(process=False)
    metrics = ObjectMetrics("secretstore", extended=False, registry=registry)
    for status, other in (("True", "False"), ("False", "True")):
        metrics.set_condition(KEY, "Ready", status)
        values = {labels[3]: child.value for labels, child in metrics.condition.series().items()}
        assert values == {status: 1.0, other: 0.0}


def test_durations_are_nanoseconds() -> None:
    """Half a second is 500 million."""
    metrics = ObjectMetrics("secretstore", extended=False, registry=new_registry(process=False))
    metrics.observe(KEY, 0.5)
    assert next(iter(metrics.duration.series().values())).value == 500_000_000


def test_extended_labels_come_from_the_object_and_never_replace_base_labels() -> None:
    """Foreign characters in a label key count as `_`; labels called name or status are ignored."""
    metrics = ExternalSecretMetrics(extended=True, registry=new_registry(process=False))
    metrics.refine(KEY, {"app.kubernetes.io/part-of": "shop", "name": "impostor", "status": "x"})
    metrics.called(KEY)
    (labels,) = metrics.calls.series()
    named = dict(zip(("name", "namespace", *EXTENDED_LABELS), labels, strict=True))
    assert named["name"] == "app" and named["app_kubernetes_io_part_of"] == "shop"
    assert named["app_kubernetes_io_name"] == ""


def test_an_edited_label_leaves_no_old_series() -> None:
    """Series move to the new label values."""
    metrics = ExternalSecretMetrics(extended=True, registry=new_registry(process=False))
    for version in ("1", "2"):
        metrics.refine(KEY, {"app.kubernetes.io/version": version})
        metrics.called(KEY)
        metrics.failed(KEY)
        metrics.observe(KEY, 1.0)
        metrics.set_condition(KEY, "Ready", "True")
    for family in (metrics.calls, metrics.errors, metrics.duration, metrics.condition):
        assert all("2" in labels and "1" not in labels for labels in family.series())


@pytest.mark.parametrize("extended", [False, True])
def test_series_go_with_their_object(extended: bool) -> None:
    """Nothing of a deleted object is left, and other objects keep theirs."""
    metrics = ExternalSecretMetrics(extended=extended, registry=new_registry(process=False))
    other = ObjectKey("t", "other")
    for key in (KEY, other):
        metrics.refine(key, {"app.kubernetes.io/name": "x"})
        metrics.called(key)
        metrics.failed(key)
        metrics.observe(key, 1.0)
        metrics.set_condition(key, "Ready", "False")
    metrics.gone(KEY)
    for family in (metrics.calls, metrics.errors, metrics.duration, metrics.condition):
        assert {labels[0] for labels in family.series()} == {"other"}


def test_provider_calls_are_counted_by_outcome() -> None:
    """Success and error are two series."""
    registry = new_registry(process=False)
    calls = ProviderCallMetrics(registry)
    calls.observe("HashiCorp/Vault", "Login", None)
    calls.observe("HashiCorp/Vault", "Login", OSError())
    text = render(registry)[0].decode()
    for status in ("success", "error"):
        assert (
            f'externalsecret_provider_api_calls_count{{provider="HashiCorp/Vault",call="Login",status="{status}"}} 1'
            in text
        )
