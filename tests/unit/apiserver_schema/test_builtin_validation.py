"""What is refused in objects of built-in kinds, on create and on update."""

import base64
from typing import Any

import pytest

from eso_core.testing.apiserver.builtin.validation import validate_create, validate_update
from eso_core.testing.apiserver.builtin.validation_meta import field_manager_errors, metadata_errors
from eso_core.testing.apiserver.builtin.validation_names import (
    config_key,
    dns_label,
    label_value,
    path_segment_name,
    qualified_name,
    subdomain_name,
)
from eso_core.testing.apiserver.builtin.validation_warnings import builtin_warnings, finalizer_warnings

Json = dict[str, Any]


def obj(kind: str, name: str = "a", **fields: Any) -> Json:
    """An object as validation sees it, namespaced if its kind is."""
    metadata: Json = {"name": name, "resourceVersion": "1"}
    if not kind.startswith("Cluster") and kind != "Namespace":
        metadata["namespace"] = "ns"
    metadata.update(fields.pop("metadata", {}))
    return {"apiVersion": fields.pop("apiVersion", "v1"), "kind": kind, "metadata": metadata, **fields}


def create(kind: str, **fields: Any) -> list[str]:
    """Errors of creating an object, as texts."""
    return [str(error) for error in validate_create(kind, obj(kind, **fields))]


def update(kind: str, new: Json, old: Json) -> list[str]:
    """Errors of changing the fields of an object, as texts."""
    return [str(error) for error in validate_update(kind, obj(kind, **new), obj(kind, **old))]


def b64(text: str) -> str:
    """Text in base64."""
    return base64.b64encode(text.encode()).decode()


SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)


@pytest.mark.parametrize(
    ("kind", "name", "texts"),
    [
        ("ConfigMap", "A_b", [f'metadata.name: Invalid value: "A_b": {SUBDOMAIN}']),
        ("Secret", "", ["metadata.name: Required value: name or generateName is required"]),
        ("Namespace", "has.dot", ['metadata.name: Invalid value: "has.dot": must not contain dots']),
        ("Role", "a:b/c", ["metadata.name: Invalid value: \"a:b/c\": may not contain '/'"]),
        ("ClusterRole", "..", ["metadata.name: Invalid value: \"..\": may not be '..'"]),
        ("Lease", "ok.name", []),
    ],
)
def test_names_follow_the_rule_of_their_kind(kind: str, name: str, texts: list[str]) -> None:
    """Most are subdomains, namespaces are labels, roles are anything that fits a path."""
    assert create(kind, name=name) == texts


def test_a_long_name_is_too_long() -> None:
    """253 characters are the most."""
    assert subdomain_name("a" * 253, False) == []
    assert subdomain_name("a" * 254, False) == ["must be no more than 253 characters"]
    assert dns_label("a" * 64) == ["must be no more than 63 characters"]


def test_a_prefix_may_end_in_a_dash() -> None:
    """Random characters follow it."""
    assert subdomain_name("gen-", True) == []
    assert subdomain_name("gen-", False) != []
    assert path_segment_name("%", True) == ["may not contain '%'"]


@pytest.mark.parametrize(
    ("key", "count"),
    [
        ("a", 0),
        ("example.com/a", 0),
        ("/a", 1),
        ("a/", 2),
        ("a/b/c", 1),
        ("-a", 1),
        ("A.b/c", 1),
        ("x" * 64, 1),
        ("é", 1),
    ],
)
def test_label_keys_are_a_name_with_an_optional_domain(key: str, count: int) -> None:
    """The number of complaints about each."""
    assert len(qualified_name(key)) == count


def test_label_values_and_config_keys() -> None:
    """Values may be empty; keys may not climb directories."""
    assert label_value("") == []
    assert len(label_value("-" * 64)) == 2
    assert config_key("a.b-c_d") == []
    assert config_key("..x") == ["must not start with '..'"]
    assert len(config_key("a b")) == 1


def test_metadata_is_checked_whole() -> None:
    """Labels, annotations, owners, finalizers, managed fields."""
    metadata = {
        "name": "a",
        "namespace": "ns",
        "generation": -1,
        "labels": {"k": "-"},
        "annotations": {"UPPER": "fine", "bad key": "x"},
        "finalizers": ["orphan", "foregroundDeletion"],
        "managedFields": [{"operation": "Odd", "fieldsType": "X", "manager": "m\n"}],
    }
    found = metadata_errors(metadata, namespaced=True, name_rule=subdomain_name)
    assert [(error.field, error.message[:40]) for error in found] == [
        ("metadata.generation", "Invalid value: -1: must be greater than "),
        ("metadata.labels", 'Invalid value: "-": a valid label must b'),
        ("metadata.annotations", 'Invalid value: "bad key": name part must'),
        ("metadata.finalizers", 'Invalid value: ["orphan","foregroundDele'),
        ("metadata.managedFields[0].operation", 'Invalid value: "Odd": must be `Apply` or'),
        ("metadata.managedFields[0].fieldsType", 'Invalid value: "X": must be `FieldsV1`'),
        ("metadata.managedFields[0].manager", 'Invalid value: "m\\n": invalid character '),
    ]


def test_annotations_have_a_size() -> None:
    """256 KiB for keys and values together."""
    big = {"name": "a", "annotations": {"k": "x" * (256 * 1024)}}
    found = metadata_errors(big, namespaced=False, name_rule=subdomain_name)
    assert [str(error) for error in found] == ["metadata.annotations: Too long: may not be more than 262144 bytes"]


def test_field_managers_are_short_and_printable() -> None:
    """At most 128 bytes."""
    assert [error.reason for error in field_manager_errors("x" * 129 + "\t", "f")] == [
        "FieldValueTooLong",
        "FieldValueInvalid",
    ]


def test_owners_need_all_four_fields_and_one_controller() -> None:
    """Events cannot own; the list is shown as the server prints it."""
    owner = {"apiVersion": "v1", "kind": "Secret", "name": "x", "uid": "u1", "controller": True}
    assert create("ConfigMap", metadata={"ownerReferences": [{}]}) == [
        'metadata.ownerReferences.apiVersion: Invalid value: "": version must not be empty',
        'metadata.ownerReferences.kind: Invalid value: "": must not be empty',
        'metadata.ownerReferences.name: Invalid value: "": must not be empty',
        'metadata.ownerReferences.uid: Invalid value: "": must not be empty',
    ]
    two = create("ConfigMap", metadata={"ownerReferences": [owner, {**owner, "name": "y", "uid": "u2"}]})
    assert two == [
        'metadata.ownerReferences: Invalid value: [{"apiVersion":"v1","kind":"Secret","name":"x","uid":"u1","controller":true},'
        '{"apiVersion":"v1","kind":"Secret","name":"y","uid":"u2","controller":true}]: Only one reference can have Controller '
        'set to true. Found "true" in references for Secret/x and Secret/y'
    ]
    event = {"apiVersion": "v1", "kind": "Event", "name": "x", "uid": "u1"}
    assert create("ConfigMap", metadata={"ownerReferences": [event]})[0].endswith(
        "/v1, Kind=Event is disallowed from being an owner"
    )


def test_updates_list_errors_as_often_as_the_server_does() -> None:
    """Metadata is checked for every kind and again for each kind."""
    changed = update("ConfigMap", {"metadata": {"uid": "2"}}, {"metadata": {"uid": "1"}})
    assert changed == ['metadata.uid: Invalid value: "2": field is immutable'] * 2
    owners = update(
        "ConfigMap", {"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "X", "name": "x"}]}}, {}
    )
    assert owners == ['metadata.ownerReferences.uid: Invalid value: "": must not be empty'] * 4


def test_a_deleting_object_gets_no_new_finalizers() -> None:
    """Those it has may go."""
    old = {"metadata": {"deletionTimestamp": "t", "finalizers": ["a.io/x"]}}
    new = {"metadata": {"deletionTimestamp": "t", "finalizers": ["a.io/x", "a.io/y"]}}
    assert update("ConfigMap", new, old)[0] == (
        "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new "
        'finalizers []string{"a.io/y"}'
    )
    assert update("ConfigMap", {"metadata": {"deletionTimestamp": "t"}}, old) == []


def test_finalizers_of_built_in_kinds_need_a_domain() -> None:
    """Custom objects get a warning instead."""
    assert create("Secret", metadata={"finalizers": ["noslash"]}) == [
        'metadata.finalizers[0]: Invalid value: "noslash": name is neither a standard finalizer name nor is it fully qualified'
    ]
    custom = {"metadata": {"finalizers": ["noslash", "a.io/x", "orphan"]}}
    assert finalizer_warnings(custom) == [
        'metadata.finalizers: "noslash": prefer a domain-qualified finalizer name including a path (/) to avoid accidental '
        "conflicts with other finalizer writers"
    ]
    assert finalizer_warnings(custom, custom) == []


@pytest.mark.parametrize(
    ("kind", "data", "texts"),
    [
        ("dockerconfigjson", {}, ["data[.dockerconfigjson]: Required value"]),
        (
            "dockerconfigjson",
            {".dockerconfigjson": "not json"},
            [
                "data[.dockerconfigjson]: Invalid value: \"<secret contents redacted>\": invalid character 'o' in literal null (expecting 'u')"
            ],
        ),
        (
            "dockerconfigjson",
            {".dockerconfigjson": "[]"},
            [
                'data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": json: cannot unmarshal array into Go value of type map[string]interface {}'
            ],
        ),
        ("dockerconfigjson", {".dockerconfigjson": "{}"}, []),
        (
            "dockercfg",
            {".dockercfg": "[1"},
            ['data[.dockercfg]: Invalid value: "<secret contents redacted>": unexpected end of JSON input'],
        ),
        ("tls", {"tls.crt": "x"}, ["data[tls.key]: Required value"]),
        ("tls", {}, ["data[tls.crt]: Required value", "data[tls.key]: Required value"]),
        ("basic-auth", {}, ["data[username]: Required value", "data[password]: Required value"]),
        ("basic-auth", {"password": ""}, []),
        ("ssh-auth", {"ssh-privatekey": ""}, ["data[ssh-privatekey]: Required value"]),
        ("service-account-token", {}, ["metadata.annotations[kubernetes.io/service-account.name]: Required value"]),
    ],
)
def test_secret_types_require_their_keys(kind: str, data: dict[str, str], texts: list[str]) -> None:
    """The value of a key is never in the error."""
    fields = {key: b64(value) for key, value in data.items()}
    assert create("Secret", type=f"kubernetes.io/{kind}", data=fields) == texts


def test_data_has_a_size_and_keys() -> None:
    """A mebibyte for all values; keys in two places are refused."""
    assert create("Secret", data={"k": b64("x" * 1048576)}) == []
    assert create("Secret", data={"k": b64("x" * 1048577)}) == ["data: Too long: may not be more than 1048576 bytes"]
    assert create("ConfigMap", data={"k": "x" * 1048577}) == ["[]: Too long: may not be more than 1048576 bytes"]
    assert create("ConfigMap", data={"k": "v"}, binaryData={"k": "AAAA"}) == [
        'data[k]: Invalid value: "k": duplicate of key present in binaryData'
    ]
    assert create("Secret", data={"a/b": ""})[0].startswith('data[a/b]: Invalid value: "a/b": a valid config key')


def test_immutable_data_stays() -> None:
    """Neither the data nor the flag may change; metadata may."""
    frozen = {"immutable": True, "data": {"k": "dg=="}, "type": "Opaque"}
    text = "Forbidden: field is immutable when `immutable` is set"
    assert update("Secret", {**frozen, "data": {}}, frozen) == [f"data: {text}"]
    assert update("Secret", {"data": {}, "type": "Opaque"}, frozen) == [f"immutable: {text}", f"data: {text}"]
    assert update("Secret", {**frozen, "metadata": {"labels": {"a": "b"}}}, frozen) == []
    assert update("Secret", {"type": "x"}, {"type": "Opaque"}) == ['type: Invalid value: "x": field is immutable']
    maps = {"immutable": True, "data": {"k": "v"}}
    assert update("ConfigMap", {**maps, "binaryData": {"b": "AAAA"}}, maps) == [f"binaryData: {text}"]


def test_leases_have_a_positive_duration() -> None:
    """Transitions do not go below zero; a preferred holder needs a strategy."""
    spec = {"leaseDurationSeconds": 0, "leaseTransitions": -1, "preferredHolder": "x"}
    assert create("Lease", spec=spec) == [
        "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0",
        "spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0",
        "spec.preferredHolder: Forbidden: may only be specified if `strategy` is defined",
    ]


def test_rules_of_roles_name_something() -> None:
    """Verbs, groups and resources; paths only in cluster roles and never beside resources."""
    assert create("Role", rules=[{}]) == [
        "rules[0].verbs: Required value: verbs must contain at least one value",
        "rules[0].apiGroups: Required value: resource rules must supply at least one api group",
        "rules[0].resources: Required value: resource rules must supply at least one resource",
    ]
    paths = {"verbs": ["get"], "nonResourceURLs": ["/x"]}
    assert create("Role", rules=[paths]) == [
        'rules[0].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs'
    ]
    assert create("ClusterRole", rules=[paths]) == []
    assert create("ClusterRole", rules=[{**paths, "resources": ["y"]}]) == [
        'rules[0].nonResourceURLs: Invalid value: ["/x"]: rules cannot apply to both regular resources and non-resource URLs'
    ]


def test_aggregation_selects_something() -> None:
    """Selectors are held to the rules of label selectors."""
    assert create("ClusterRole", aggregationRule={}) == [
        "aggregationRule.clusterRoleSelectors: Required value: at least one clusterRoleSelector required if aggregationRule is non-nil"
    ]
    bad = {
        "matchExpressions": [
            {"key": "k", "operator": "In"},
            {"key": "k", "operator": "Odd"},
            {"key": "", "operator": "Exists"},
        ]
    }
    path = "aggregationRule.clusterRoleSelectors[0].matchExpressions"
    assert [text.split(": ")[0] for text in create("ClusterRole", aggregationRule={"clusterRoleSelectors": [bad]})] == [
        f"{path}[0].values",
        f"{path}[1].operator",
        f"{path}[2].key",
        f"{path}[2].key",
    ]


def test_bindings_name_a_role_and_subjects() -> None:
    """The role is fixed once and for all."""
    group = "rbac.authorization.k8s.io"
    role = {"apiGroup": group, "kind": "Role", "name": "r"}
    assert create("RoleBinding", roleRef={"apiGroup": group}) == [
        'roleRef.kind: Unsupported value: "": supported values: "Role", "ClusterRole"',
        "roleRef.name: Required value",
    ]
    assert create("ClusterRoleBinding", roleRef=role) == [
        'roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"'
    ]
    subjects = [
        {"kind": "User", "name": ""},
        {"kind": "ServiceAccount", "name": "A_", "apiGroup": "x"},
        {"kind": "Odd", "name": "x"},
    ]
    assert [
        text.split(": ")[0]
        for text in create("ClusterRoleBinding", roleRef={**role, "kind": "ClusterRole"}, subjects=subjects)
    ] == [
        "subjects[0].name",
        "subjects[0].apiGroup",
        "subjects[1].name",
        "subjects[1].apiGroup",
        "subjects[1].namespace",
        "subjects[2].kind",
    ]
    assert update("RoleBinding", {"roleRef": {**role, "name": "s"}}, {"roleRef": role}) == [
        'roleRef: Invalid value: {"APIGroup":"rbac.authorization.k8s.io","Kind":"Role","Name":"s"}: cannot change roleRef'
    ]


def test_core_events_are_about_something_in_their_namespace() -> None:
    """Those with an event time say who reports them."""
    about = {"kind": "Secret", "name": "a", "namespace": "ns"}
    assert create("Event", involvedObject=about) == []
    assert create("Event", involvedObject={**about, "namespace": "other"}) == [
        'involvedObject.namespace: Invalid value: "other": does not match event.namespace'
    ]
    assert [
        text.split(": ")[0] for text in create("Event", involvedObject=about, eventTime="2024-05-01T10:00:00.000000Z")
    ] == [
        "reportingComponent",
        "reportingComponent",
        "reportingComponent",
        "reportingInstance",
        "action",
        "reason",
    ]


def test_events_of_the_newer_api_change_in_their_series_only() -> None:
    """Everything else is fixed; old fields stay unset."""
    event = {
        "apiVersion": "events.k8s.io/v1",
        "eventTime": "2024-05-01T10:00:00.000000Z",
        "reportingController": "a.io/c",
        "reportingInstance": "i",
        "action": "Act",
        "reason": "Because",
        "type": "Normal",
        "regarding": {"kind": "Secret", "namespace": "ns", "name": "a"},
    }
    assert create("Event", **event) == []
    assert create("Event", **{**event, "type": "Odd"}) == ['type: Invalid value: "": has invalid value: Odd']
    assert create("Event", **event, deprecatedCount=1) == ['count: Invalid value: "": needs to be unset']
    assert update("Event", {**event, "note": "x"}, event) == ['message: Invalid value: "x": field is immutable']
    series = {"count": 1, "lastObservedTime": "2024-05-01T10:00:00.000000Z"}
    assert update("Event", {**event, "series": series}, event) == [
        'series.count: Invalid value: "": should be at least 2'
    ]


def test_namespaces_have_qualified_finalizers() -> None:
    """In their spec too."""
    assert create("Namespace", spec={"finalizers": ["kubernetes", "a.io/x"]}) == []
    assert create("Namespace", spec={"finalizers": ["noslash"]}) == [
        'spec.finalizers: Invalid value: "noslash": name is neither a standard finalizer name nor is it fully qualified'
    ]


def test_kinds_without_rules_are_held_to_those_of_metadata() -> None:
    """Names and labels of every kind are checked."""
    assert create("ValidatingWebhookConfiguration", metadata={"namespace": ""}, name="A_") == [
        f'metadata.name: Invalid value: "A_": {SUBDOMAIN}'
    ]


def test_a_deprecated_annotation_is_warned_about() -> None:
    """Of service accounts."""
    account = obj("ServiceAccount", metadata={"annotations": {"kubernetes.io/enforce-mountable-secrets": "true"}})
    assert builtin_warnings("ServiceAccount", account) == [
        "metadata.annotations[kubernetes.io/enforce-mountable-secrets]: deprecated in v1.32+; prefer separate namespaces to "
        "isolate access to mounted secrets"
    ]
    assert builtin_warnings("ConfigMap", obj("ConfigMap")) == []
