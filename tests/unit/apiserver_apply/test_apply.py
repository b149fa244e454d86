"""Server-side apply: merging, conflicts, sharing, pruning, and the texts of its errors."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from eso_core.testing.apiserver.builtin import schemas
from eso_core.testing.apiserver.errors import StatusError
from eso_core.testing.apiserver.managedfields import ApplyConflict, apply, field_set, record_update

CONFIG_MAP = schemas.schema_for("", "v1", "ConfigMap")
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def config_map(data: Any = None, **metadata: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", **metadata}}
    if data is not None:
        made["data"] = data
    return made


def put(
    live: Any, applied: Any, manager: str = "m", time: str = "2024-01-01T00:00:00Z", **options: Any
) -> dict[str, Any]:
    return apply(
        live, applied, manager=manager, api_version="v1", kind="ConfigMap", time=time, schema=CONFIG_MAP, **options
    )


class Widgets:
    """Applies specs to one custom object."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self.schema = schema
        self.live: dict[str, Any] | None = None

    def put(self, spec: Any, manager: str = "m", **options: Any) -> dict[str, Any]:
        body = {"apiVersion": "t/v1", "kind": "Widget", "metadata": {"name": "w"}, **options.pop("top", {"spec": spec})}
        self.live = apply(
            self.live, body, manager=manager, api_version="t/v1", kind="Widget", time="t", schema=self.schema, **options
        )
        return self.live

    @property
    def spec(self) -> Any:
        assert self.live is not None
        return self.live["spec"]


@pytest.fixture
def widgets(widget: dict[str, Any]) -> Widgets:
    return Widgets(widget)


def owned(obj: Any, operation: str = "Apply") -> dict[str, Any]:
    entries = obj["metadata"].get("managedFields", [])
    return {entry["manager"]: entry["fieldsV1"] for entry in entries if entry["operation"] == operation}


def test_an_apply_that_creates_owns_what_it_names_and_nothing_else() -> None:
    """There is no dot for parents: an applier owns leaves, items, and empty objects."""
    made = put(None, config_map({"k": "v"}, labels={"x": "1"}))
    assert made["data"] == {"k": "v"}
    assert owned(made) == {"m": {"f:data": {"f:k": {}}, "f:metadata": {"f:labels": {"f:x": {}}}}}


def test_applying_the_same_again_changes_nothing() -> None:
    """Not even the time of the entry."""
    first = put(None, config_map({"k": "v"}))
    assert put(first, config_map({"k": "v"}), time="2030-01-01T00:00:00Z") == first


def test_a_field_that_is_not_applied_any_more_is_removed() -> None:
    """Dropping the last key removes the whole map; dropping everything leaves no entry."""
    first = put(None, config_map({"k": "v", "l": "w"}))
    second = put(first, config_map({"k": "v"}))
    assert second["data"] == {"k": "v"}
    third = put(second, config_map())
    assert "data" not in third
    assert "managedFields" not in third["metadata"]


def test_a_different_value_is_a_conflict_that_names_the_owner() -> None:
    """One conflict has its own sentence."""
    live = put(None, config_map({"k": "v"}), "first")
    with pytest.raises(ApplyConflict) as caught:
        put(live, config_map({"k": "w"}), "second")
    assert caught.value.to_status() == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'Apply failed with 1 conflict: conflict with "first": .data.k',
        "reason": "Conflict",
        "details": {
            "causes": [{"reason": "FieldManagerConflict", "message": 'conflict with "first"', "field": ".data.k"}]
        },
        "code": 409,
    }


def test_conflicts_with_several_managers_are_grouped() -> None:
    """Updaters are named with their API version; each group lists its fields."""
    live = put(None, config_map({"a": "1", "b": "1", "c": "1"}), "first")
    changed = copy.deepcopy(live)
    changed["data"]["c"] = "2"
    live = record_update(live, changed, manager="hand", api_version="v1", time="t", schema=CONFIG_MAP)
    with pytest.raises(ApplyConflict) as caught:
        put(live, config_map({"a": "x", "b": "x", "c": "x"}), "second")
    assert caught.value.message == (
        'Apply failed with 3 conflicts: conflicts with "first":\n- .data.a\n- .data.b\n'
        'conflicts with "hand" using v1:\n- .data.c'
    )


def test_force_takes_the_fields() -> None:
    """The former owner loses exactly the fields in conflict."""
    live = put(None, config_map({"a": "1", "b": "1"}), "first")
    forced = put(live, config_map({"a": "2"}), "second", force=True)
    assert forced["data"] == {"a": "2", "b": "1"}
    assert owned(forced) == {"first": {"f:data": {"f:b": {}}}, "second": {"f:data": {"f:a": {}}}}


def test_equal_values_are_shared_until_the_last_owner_drops_them() -> None:
    """A shared field survives the first owner's loss of interest."""
    live = put(None, config_map({"a": "1"}), "first")
    live = put(live, config_map({"a": "1"}), "second")
    assert owned(live) == {"first": {"f:data": {"f:a": {}}}, "second": {"f:data": {"f:a": {}}}}
    live = put(live, config_map(), "first")
    assert live["data"] == {"a": "1"}
    live = put(live, config_map(), "second")
    assert "data" not in live


def test_a_field_owned_by_an_updater_too_is_not_removed() -> None:
    """Dropping it from the configuration gives it up, but the updater's claim keeps it."""
    created = record_update(None, config_map({"a": "1"}), manager="u", api_version="v1", time="t", schema=CONFIG_MAP)
    live = put(created, config_map({"a": "1"}))
    live = put(live, config_map())
    assert live["data"] == {"a": "1"}
    assert owned(live) == {}


def test_what_was_there_before_the_first_apply_is_protected() -> None:
    """An object made without tracking gets an entry of its own, so that a different value is a conflict."""
    untracked = config_map({"a": "1", "b": "2"})
    with pytest.raises(ApplyConflict) as caught:
        put(untracked, config_map({"a": "x"}))
    assert caught.value.message == (
        'Apply failed with 1 conflict: conflict with "before-first-apply" using v1: .data.a'
    )
    live = put(untracked, config_map({"a": "1"}))
    assert owned(live, "Update") == {"before-first-apply": {"f:data": {".": {}, "f:a": {}, "f:b": {}}}}


def test_map_lists_merge_by_key_in_the_applied_order(widgets: Widgets) -> None:
    """A defaulted key counts; foreign items stay where they were."""
    widgets.put({"ports": [{"port": 80}, {"port": 53, "protocol": "UDP"}]}, "one")
    widgets.put({"ports": [{"port": 443}, {"port": 80, "protocol": "TCP", "name": "web"}]}, "two")
    assert [item["port"] for item in widgets.spec["ports"]] == [443, 80, 53]
    assert widgets.spec["ports"][1] == {"port": 80, "protocol": "TCP", "name": "web"}
    widgets.put({"ports": [{"port": 53, "protocol": "UDP"}]}, "one")
    assert [item["port"] for item in widgets.spec["ports"]] == [443, 80, 53]
    widgets.put({"ports": []}, "two")
    assert widgets.spec["ports"] == [{"port": 53, "protocol": "UDP"}]


def test_set_lists_are_united_and_shrink_by_owner(widgets: Widgets) -> None:
    """Each manager adds its values and takes away only what nobody else wants."""
    widgets.put({"tags": ["a", "b"]}, "one")
    widgets.put({"tags": ["c", "a"]}, "two")
    assert sorted(widgets.spec["tags"]) == ["a", "b", "c"]
    widgets.put({"tags": ["b"]}, "one")
    assert sorted(widgets.spec["tags"]) == ["a", "b", "c"]
    widgets.put({}, "two")
    assert widgets.spec["tags"] == ["b"]


def test_atomic_values_are_replaced_and_conflict_whole(widgets: Widgets) -> None:
    """Another list or sealed object is a conflict of one field."""
    widgets.put({"words": ["a", "b"], "sealed": {"a": "1"}}, "one")
    with pytest.raises(ApplyConflict) as caught:
        widgets.put({"words": ["c"], "sealed": {"b": "1"}}, "two")
    assert [cause["field"] for cause in (caught.value.details or {})["causes"]] == [".spec.sealed", ".spec.words"]
    widgets.put({"words": ["c"], "sealed": {"b": "1"}}, "two", force=True)
    assert widgets.spec == {"words": ["c"], "sealed": {"b": "1"}}
    assert owned(widgets.live) == {"two": {"f:spec": {"f:sealed": {}, "f:words": {}}}}


def test_free_form_objects_merge_field_by_field(widgets: Widgets) -> None:
    """Lists in them are atomic."""
    widgets.put({"free": {"x": {"y": 1}, "l": [1, 2]}}, "one")
    widgets.put({"free": {"x": {"z": 2}}}, "two")
    assert widgets.spec["free"] == {"x": {"y": 1, "z": 2}, "l": [1, 2]}
    widgets.put({}, "one")
    assert widgets.spec["free"] == {"x": {"z": 2}}


def test_ignored_fields_are_neither_owned_nor_in_conflict(widgets: Widgets) -> None:
    """Spec in an apply to /status has no say."""
    widgets.put({"color": "red"}, "one", ignored=field_set("status"))
    top = {"spec": {"color": "blue"}, "status": {"phase": "x"}}
    live = widgets.put(None, "two", top=top, subresource="status", ignored=field_set("metadata", "spec"))
    entries = live["metadata"]["managedFields"]
    assert [(entry["manager"], entry.get("subresource")) for entry in entries] == [("one", None), ("two", "status")]
    assert entries[1]["fieldsV1"] == {"f:status": {"f:phase": {}}}


def test_managers_of_a_subresource_are_named_with_it(widgets: Widgets) -> None:
    """The same name through another subresource is another manager."""
    widgets.put(None, "one", top={"status": {"phase": "x"}}, subresource="status")
    with pytest.raises(ApplyConflict, match=r'conflict with "one" with subresource "status": \.status\.phase'):
        widgets.put(None, "one", top={"status": {"phase": "y"}})


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ({"junk": 1}, ".spec.junk: field not declared in schema"),
        ({"color": 5}, ".spec.color: expected string, got &value.valueUnstructured{Value:5}"),
        (
            {"color": ["x", 1.5, None]},
            '.spec.color: expected string, got &value.valueUnstructured{Value:[]interface {}{"x", 1.5, interface {}(nil)}}',
        ),
        (
            {"color": {"b": True}},
            '.spec.color: expected string, got &value.valueUnstructured{Value:map[string]interface {}{"b":true}}',
        ),
        ({"replicas": "many"}, ".spec.replicas: expected numeric (int or float), got string"),
        ({"replicas": True}, ".spec.replicas: expected numeric (int or float), got bool"),
        ({"replicas": {"a": 1}}, ".spec.replicas: expected numeric (int or float), got map[string]interface {}"),
        ({"on": "yes"}, ".spec.on: expected boolean, got &{yes}"),
        (["x"], ".spec: expected map, got &{[x]}"),
        ({"tags": "x"}, ".spec.tags: expected list, got &{x}"),
        ({"tags": {"a": 1}}, ".spec.tags: expected list, got &{map[a:1]}"),
        ({"tags": ["b", "b"]}, '.spec.tags: duplicate entries for key [="b"]'),
        (
            {"tags": [None]},
            ".spec.tags: element 0: associative list without keys has an element that's an explicit null",
        ),
        ({"tags": [{}]}, ".spec.tags: element 0: associative list without keys has an element that's a map type"),
        ({"ports": [{"port": 1}, {"port": 1}]}, '.spec.ports: duplicate entries for key [port=1,protocol="TCP"]'),
        ({"ports": ["x"]}, ".spec.ports: element 0: associative list with keys may not have non-map elements"),
        ({"ports": [None]}, ".spec.ports: element 0: associative list with keys may not have a null element"),
        (
            {"ports": [{"port": "x"}]},
            '.spec.ports[port="x",protocol="TCP"].port: expected numeric (int or float), got string',
        ),
        ({"options": {"a": 1}}, ".spec.options.a: expected string, got &value.valueUnstructured{Value:1}"),
        (
            {"color": 1, "on": 1},
            "errors:\n  .spec.color: expected string, got &value.valueUnstructured{Value:1}\n  .spec.on: expected boolean, got &{1}",
        ),
    ],
)
def test_values_that_do_not_fit_the_schema_are_refused(widgets: Widgets, spec: Any, problem: str) -> None:
    """The answer is 500 without a reason, whatever fieldValidation says."""
    with pytest.raises(StatusError) as caught:
        widgets.put(spec)
    assert (caught.value.code, caught.value.reason) == (500, "")
    assert caught.value.message == f"failed to create typed patch object (/w; t/v1, Kind=Widget): {problem}"


def test_a_live_object_that_does_not_fit_todays_schema_is_named(widget: dict[str, Any]) -> None:
    """It was stored under an older one; nothing can be merged into it."""
    live = {"apiVersion": "t/v1", "kind": "Widget", "metadata": {"name": "w", "namespace": "n"}, "spec": {"color": 5}}
    widgets = Widgets(widget)
    widgets.live = live
    with pytest.raises(StatusError) as caught:
        widgets.put({"color": "red"})
    assert caught.value.message == (
        "failed to create typed live object (n/w; t/v1, Kind=Widget): "
        ".spec.color: expected string, got &value.valueUnstructured{Value:5}"
    )


def test_a_merged_object_that_cannot_be_decoded_is_refused() -> None:
    """What the schema lets pass may still be no base64, no time, or too big."""
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"k": "!"}}
    with pytest.raises(StatusError) as caught:
        apply(
            None,
            secret,
            manager="m",
            api_version="v1",
            kind="Secret",
            time="t",
            schema=schemas.schema_for("", "v1", "Secret"),
        )
    assert (caught.value.code, caught.value.message) == (
        500,
        "failed to convert new object (/s; /v1, Kind=Secret) to proper version: unable to convert unstructured object "
        "to /v1, Kind=Secret: error decoding from json: illegal base64 data at input byte 0",
    )


def test_a_list_item_without_any_key_is_refused(widget: dict[str, Any]) -> None:
    """With a default at least one key is there; without one the item cannot be named."""
    schema = copy.deepcopy(widget)
    del schema["properties"]["spec"]["properties"]["ports"]["items"]["properties"]["protocol"]["default"]
    with pytest.raises(StatusError) as caught:
        Widgets(schema).put({"ports": [{"name": "x"}]})
    assert caught.value.message.endswith(
        '.spec.ports: element 0: associative list with keys has an element that omits all key fields ["port" "protocol"] '
        "(and doesn't have default values for any key fields)"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "Secret"}, "invalid object type: /v1, Kind=Secret"),
        ({"apiVersion": None}, "invalid object type: /, Kind=ConfigMap"),
        ({"kind": None}, "invalid object type: /v1, Kind="),
        ({"apiVersion": "apps/v2"}, "invalid object type: apps/v2, Kind=ConfigMap"),
        ({"metadata": {"name": "a", "managedFields": []}}, "metadata.managedFields must be nil"),
    ],
)
def test_wrong_kinds_and_managed_fields_are_bad_requests(change: Any, message: str) -> None:
    """An apply names its kind and version, and cannot carry entries."""
    with pytest.raises(StatusError) as caught:
        put(None, {key: value for key, value in {**config_map(), **change}.items() if value is not None})
    assert (caught.value.code, caught.value.message) == (400, message)


def client_side(data: dict[str, str], last: dict[str, str]) -> dict[str, Any]:
    annotation = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": last})
    made = config_map(data, annotations={LAST_APPLIED: annotation})
    return record_update(
        None,
        made,
        manager="kubectl-client-side-apply",
        api_version="v1",
        time="2024-01-01T00:00:00Z",
        schema=CONFIG_MAP,
    )


def test_kubectl_takes_over_what_its_client_side_apply_set() -> None:
    """No conflict for fields that still have the value of the annotation; the annotation follows."""
    live = put(client_side({"k": "v"}, {"k": "v"}), config_map({"k": "w"}), "kubectl")
    assert live["data"] == {"k": "w"}
    annotation = live["metadata"]["annotations"][LAST_APPLIED]
    assert annotation == '{"apiVersion":"v1","data":{"k":"w"},"kind":"ConfigMap","metadata":{"name":"a"}}\n'


def test_kubectl_conflicts_where_the_value_is_not_the_annotations() -> None:
    """Someone changed the field since the client-side apply: that is theirs now."""
    with pytest.raises(ApplyConflict, match=r"1 conflict: .*: \.data\.k"):
        put(client_side({"k": "changed", "l": "v"}, {"k": "v", "l": "v"}), config_map({"k": "w", "l": "w"}), "kubectl")


def test_other_managers_get_no_such_favour() -> None:
    """Only the manager named kubectl inherits from client-side apply."""
    with pytest.raises(ApplyConflict):
        put(client_side({"k": "v"}, {"k": "v"}), config_map({"k": "w"}), "other")


@pytest.mark.parametrize("metadata", [None, {}])
def test_a_configuration_may_lack_metadata(metadata: Any) -> None:
    """What a name is needed for is checked where the object is stored."""
    applied = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "1"}}
    assert put(None, applied)["data"] == {"a": "1"}
    live = put(None, config_map({"a": "1"}, labels={"x": "1"}), "kubectl")
    assert put(live, applied, "kubectl")["data"] == {"a": "1"}


def test_arguments_stay_as_they_are(widget: dict[str, Any]) -> None:
    """Neither the live object nor the configuration is changed in place."""
    live = put(None, config_map({"a": "1", "b": "2"}), "first")
    applied = config_map({"a": "1"})
    before = copy.deepcopy((live, applied))
    put(live, applied, "first")
    put(live, config_map({"a": "9"}), "second", force=True)
    assert (live, applied) == before
