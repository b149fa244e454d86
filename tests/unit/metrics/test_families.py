"""Metric families and their exposition."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from eso_core.metrics import Counter, Gauge, Histogram, RuntimeMetrics, new_registry, render


def text(registry: CollectorRegistry) -> str:
    return render(registry)[0].decode()


def test_a_counter_keeps_the_name_it_was_given() -> None:
    """Counters with and without `_total` are exposed exactly so, with a matching TYPE line and no `_created` series."""
    registry = CollectorRegistry()
    Counter("sync_calls_error", "Errors.", ("name",), registry=registry).labels("a").inc()
    Counter("sync_calls_total", "Calls.", ("name",), registry=registry).labels("a").inc(2)
    assert text(registry) == (
        "# HELP sync_calls_error Errors.\n# TYPE sync_calls_error counter\n"
        'sync_calls_error{name="a"} 1\n'
        "# HELP sync_calls_total Calls.\n# TYPE sync_calls_total counter\n"
        'sync_calls_total{name="a"} 2\n'
    )


def test_histogram_buckets_are_cumulative() -> None:
    """A value equal to a bound belongs to that bound's bucket."""
    registry = CollectorRegistry()
    child = Histogram("h", "Help.", buckets=(0.1, 1.0), registry=registry).labels()
    for value in (0.05, 0.1, 0.5, 7.0):
        child.observe(value)
    lines = text(registry).splitlines()[2:]
    assert lines == ['h_bucket{le="0.1"} 2', 'h_bucket{le="1"} 3', 'h_bucket{le="+Inf"} 4', "h_count 4", "h_sum 7.65"]
    assert child.count == 4


def test_label_values_are_escaped() -> None:
    """Quotes, backslashes and line ends survive a parser."""
    registry = CollectorRegistry()
    Gauge("g", "Line\nbreak", ("l",), registry=registry).labels('a"b\\c\nd').set(3)
    (family,) = parse_text(text(registry))
    assert family.samples[0].labels == {"l": 'a"b\\c\nd'}


def test_openmetrics_is_valid_for_every_counter_name() -> None:
    """A counter without `_total` is exposed as unknown, which is the only type that OpenMetrics allows for it."""
    registry = CollectorRegistry()
    Counter("errors", "E.", registry=registry).labels().inc()
    Counter("calls_total", "C.", registry=registry).labels().inc()
    body, content_type = render(registry, "application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    families = {family.name: family for family in parse_openmetrics(body.decode())}
    assert families["errors"].type == "unknown"
    assert families["calls"].type == "counter"
    assert families["calls"].samples[0].name == "calls_total"


def test_labels_must_match() -> None:
    """A wrong number or name of labels is an error of the caller, at once."""
    counter = Counter("c_total", "C.", ("a", "b"), registry=CollectorRegistry())
    with pytest.raises(ValueError, match="c_total"):
        counter.labels("x")
    with pytest.raises(ValueError, match="c_total"):
        counter.labels(a="x", c="y")
    assert counter.labels("x", "y") is counter.labels(b="y", a="x")


def test_series_can_be_removed() -> None:
    """One series, or all with some label values, disappear from the exposition."""
    registry = CollectorRegistry()
    gauge = Gauge("g", "G.", ("name", "namespace", "status"), registry=registry)
    for status in ("True", "False"):
        gauge.labels("a", "ns", status).set(1)
        gauge.labels("b", "ns", status).set(1)
    assert gauge.remove("a", "ns", "True")
    assert not gauge.remove("a", "ns", "True")
    assert gauge.remove_matching(name="b", namespace="ns") == 2
    assert list(gauge.series()) == [("a", "ns", "False")]


def test_a_gauge_can_ask_a_function() -> None:
    """The function is asked at each scrape."""
    registry = CollectorRegistry()
    values = iter([1.0, 2.0])
    Gauge("g", "G.", registry=registry).labels().set_function(lambda: next(values))
    assert registry.get_sample_value("g") == 1.0
    assert registry.get_sample_value("g") == 2.0


def test_a_name_can_be_registered_once() -> None:
    """Two families of one name on one registry are an error."""
    registry = CollectorRegistry()
    Counter("c_total", "C.", registry=registry)
    with pytest.raises(ValueError, match="Duplicated"):
        Counter("c_total", "C.", registry=registry)


def test_bounds_must_ascend() -> None:
    """G-08: bad buckets are refused when the family is made."""
    with pytest.raises(ValueError, match="ascending"):
        Histogram("h", "H.", buckets=(1.0, 0.5), registry=CollectorRegistry())


def test_two_runtimes_share_nothing() -> None:
    """G-01: two sets of families in one process count apart."""
    first, second = RuntimeMetrics(), RuntimeMetrics()
    first.controller.controller("c", 1).results["success"].inc()
    second.controller.controller("c", 1)
    name, labels = "controller_runtime_reconcile_total", {"controller": "c", "result": "success"}
    assert first.registry.get_sample_value(name, labels) == 1
    assert second.registry.get_sample_value(name, labels) == 0


def test_controller_families_have_the_known_names_labels_and_buckets() -> None:
    """7.1, 7.2: names, types, labels and buckets are those that dashboards ask for; all series exist from the start."""
    metrics = RuntimeMetrics()
    metrics.controller.controller("demo", 3)
    metrics.queue.queue("demo")
    families = {family.name: family for family in parse_text(text(metrics.registry))}
    for result in ("success", "error", "requeue", "requeue_after"):
        labels = {"controller": "demo", "result": result}
        assert metrics.registry.get_sample_value("controller_runtime_reconcile_total", labels) == 0
    assert (
        metrics.registry.get_sample_value("controller_runtime_max_concurrent_reconciles", {"controller": "demo"}) == 3
    )
    counters = (
        "controller_runtime_reconcile",
        "controller_runtime_reconcile_errors",
        "controller_runtime_terminal_reconcile_errors",
        "controller_runtime_reconcile_panics",
        "controller_runtime_reconcile_timeouts",
        "controller_runtime_webhook_panics",
        "controller_runtime_conversion_webhook_panics",
        "certwatcher_read_certificate",
        "certwatcher_read_certificate_errors",
        "workqueue_adds",
        "workqueue_retries",
    )
    for name in counters:
        assert families[name].type == "counter", name
    for name in ("workqueue_depth", "workqueue_unfinished_work_seconds", "workqueue_longest_running_processor_seconds"):
        assert families[name].type == "gauge", name
    assert families["workqueue_depth"].samples[0].labels == {"name": "demo", "controller": "demo", "priority": ""}
    bounds = [s.labels["le"] for s in families["workqueue_queue_duration_seconds"].samples if "le" in s.labels]
    assert bounds == (
        [
            "1e-08",
            "1e-07",
            "1e-06",
            "9.999999999999999e-06",
            "9.999999999999999e-05",
            "0.001",
            "0.01",
            "0.1",
            "1",
            "10",
            "100",
            "1000",
            "+Inf",
        ]
    )
    times = [s for s in families["controller_runtime_reconcile_time_seconds"].samples if "le" in s.labels]
    assert len(times) == 41


def test_dropped_controllers_leave_no_series() -> None:
    """P-40, P-70: the series of a removed controller are gone."""
    metrics = RuntimeMetrics()
    metrics.controller.controller("demo", 1)
    metrics.queue.queue("demo")
    metrics.controller.drop("demo")
    metrics.queue.drop("demo")
    assert "demo" not in text(metrics.registry)


def test_the_process_registry_has_what_go_exporters_have() -> None:
    """7.4: process figures, the address space limit, and the interpreter."""
    names = {family.name for family in parse_text(text(new_registry()))}
    assert {"process_cpu_seconds", "process_resident_memory_bytes", "process_virtual_memory_max_bytes"} <= names
    assert {"process_network_receive_bytes", "process_network_transmit_bytes", "python_info"} <= names
