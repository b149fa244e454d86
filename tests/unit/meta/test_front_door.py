"""The public names of the library."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import eso_core

PUBLIC = {
    "eso_core": (
        "AlreadyExists CONFIG_MAP Client Conflict Context DEPLOYMENT GVK JsonPatch LeaderElectionOptions Manager ManagerOptions MergePatch Model NAMESPACE NotFound ObjectKey ObjectMeta Operator POD Partial Predicate Request Resource Result SECRET SERVICE SERVICE_ACCOUNT StaleCache TerminalError __version__ crd_for create_or_update enqueue_indexed enqueue_mapped enqueue_object enqueue_owner finalize find_condition is_condition_true load_config predicates set_condition set_controller_reference stop_on_signals"
    ),
    "eso_core.aio": "Backoff Clock SingleFlight SystemClock TaskScope Timer shielded",
    "eso_core.client": (
        "ApiRequest ApiResponse ApplyPatch Client ClientConfig Finalizer Impersonation Interceptor Outcome create_or_patch create_or_update ensure_finalizer finalize run_finalizers JsonPatch Kind MergePatch ObjectList "
        "Patch Preconditions RESTMapper RateLimit RawEvent RawPage RawWatch ResourceLike RetryPolicy Send "
        "StrategicMergePatch Subresource Watch WatchEvent config_from_kubeconfig csa_upgrade extract in_cluster_config load_config "
        "merge_from retry_on_conflict"
    ),
    "eso_core.log": "configure_logging get_logger keep_locals_out log_context set_level",
    "eso_core.meta": (
        "FieldSelector GVK GVR JsonObject LabelSelector ObjectKey ObjectMeta OwnerReference Partial PartialObject Quantity "
        "ResourceInfo child_name semantic_equal decode_partial find_condition format_duration format_micro_time format_time gvk_of is_condition_true "
        "parse_duration parse_time remove_condition set_condition"
    ),
    "eso_core.builder": "Context ControllerBuilder Manager Operator Request Result StaleCache TerminalError predicates",
    "eso_core.cache": (
        "Cache CacheScopes CachedClient CachedObject Change ChangeType ClientSource ClientSources "
        "EventHandler Expectations FrozenDict IndexFunction Informer InformerSpec Kind KindScopes LiveReader "
        "OTHERS PendingWrite ReflectorDriver Registration Scope Settings Source SourceFactory Store "
        "WriteTracker chain drop_values gvk_of_kind hash_values is_namespaced keep_paths resource_name"
    ),
    "eso_core.controller": (
        "Channel Context Controller ControllerBuilder ControllerHost ControllerOptions Enqueue Environment "
        "Event EventKind EventSource Func Handler KindSource MapFunction Predicate Reconcile ReconcileTimeout "
        "Request Result StaleCache TerminalError Ticker current_context enqueue_indexed enqueue_mapped "
        "enqueue_object enqueue_owner event_priority predicates"
    ),
    "eso_core.events": (
        "CoreCorrelator EventSink EventWriter ObjectReference Recorder RecorderV1 SeriesCorrelator "
        "SinkOptions reference_of"
    ),
    "eso_core.manager": (
        "CheckResult HealthCheck HealthChecks LeaderElectionOptions LeaderElector LeaseClient Manager "
        "ManagerOptions MetricsServerOptions Runnable stop_on_signals"
    ),
    "eso_core.metrics": (
        "CacheMetrics ControllerMetrics ControllerSeries Counter Gauge Histogram QueueFamilies QueueMetrics "
        "RuntimeMetrics new_registry render"
    ),
    "eso_core.model": (
        "Model OwnerReference PrinterColumn Resource ResourceMetadata Rule Schema SchemaError crd_for structural_schema"
    ),
    "eso_core.queue": (
        "ItemExponential ItemFastSlow Jittered LOW_PRIORITY MaxOf QueueOptions QueueStatistics RateLimiter "
        "Taken TokenBucket WithMaxWait WorkQueue"
    ),
    "eso_core.tracing": "Attribute Span Tracer",
    "eso_core.webhook": (
        "AdmissionRequest AdmissionResponse CABundles CertWatcher ConversionError Converter Defaulter "
        "FieldError Validator WebhookServer invalid"
    ),
}


@pytest.mark.parametrize("module", PUBLIC)
def test_public_names_are_pinned(module: str) -> None:
    """G-10: a change of a public name is a decision, so it changes this test."""
    found = import_module(module)
    assert sorted(found.__all__) == sorted(PUBLIC[module].split())
    for name in found.__all__:
        assert getattr(found, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    """The lazy front door does not hide typing errors."""
    with pytest.raises(AttributeError, match="no attribute 'Nope'"):
        _ = eso_core.Nope  # type: ignore[attr-defined]
    assert "Manager" in dir(eso_core)


def test_type_checkers_find_each_name_where_it_is_imported_from() -> None:
    """What is lazy is written down twice: once for them."""
    tree = ast.parse(Path(eso_core.__file__).read_text())
    (typed,) = [node for node in tree.body if isinstance(node, ast.If)]
    told = {
        name.name: (node.module or "").removeprefix("eso_core.")
        for node in typed.body
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }
    assert told == eso_core._HOMES
    assert set(eso_core.__all__) == {*told, "__version__"}


def test_importing_the_front_door_imports_nothing_else() -> None:
    """A name costs its import when it is first used."""
    code = "import sys; before = set(sys.modules); import eso_core; print(sorted(m for m in set(sys.modules) - before if m.startswith('eso_core')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['eso_core', 'eso_core.lazy', 'eso_core.version']"


def test_importing_the_client_leaves_the_generated_models_out() -> None:
    """1.6: kubernetes-asyncio costs most of a second, so nothing imports it unasked; neither is the rest of the library."""
    code = "import sys, eso_core, eso_core.client; print(sorted(m for m in sys.modules if m.startswith(('kubernetes_asyncio', 'eso_core.m', 'eso_core.ca'))))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = [name.strip("'[],\n ") for name in done.stdout.split(",")]
    assert all(name.startswith("eso_core.meta") for name in loaded)
