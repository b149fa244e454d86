"""Decoding of built-in kinds: refusals, unknown fields, and what is left out."""

from __future__ import annotations

import base64
import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eso_core.testing.apiserver.builtin import schemas
from eso_core.testing.apiserver.builtin.decode import WrongType, base64_problem, decode, normalize


def kind(name: str, group: str = "", version: str = "v1") -> Any:
    found = schemas.type_for(group, version, name)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("name", "obj", "message"),
    [
        (
            "Secret",
            {"data": {"k": 5}},
            "json: cannot unmarshal number into Go struct field Secret.data of type []uint8",
        ),
        ("Secret", {"data": {"k": "abc"}}, "illegal base64 data at input byte 0"),
        (
            "ConfigMap",
            {"data": ["x"]},
            "json: cannot unmarshal array into Go struct field ConfigMap.data of type map[string]string",
        ),
        (
            "ConfigMap",
            {"metadata": {"labels": {"a": True}}},
            "json: cannot unmarshal bool into Go struct field ObjectMeta.metadata.labels of type string",
        ),
        (
            "ServiceAccount",
            {"secrets": [{"name": 1}]},
            "json: cannot unmarshal number into Go struct field ObjectReference.secrets.name of type string",
        ),
        (
            "ServiceAccount",
            {"secrets": "x"},
            "json: cannot unmarshal string into Go struct field ServiceAccount.secrets of type []v1.ObjectReference",
        ),
        (
            "ConfigMap",
            {"metadata": []},
            "json: cannot unmarshal array into Go struct field ConfigMap.metadata of type v1.ObjectMeta",
        ),
        (
            "ConfigMap",
            {"metadata": {"generation": 1.5}},
            "json: cannot unmarshal number 1.5 into Go struct field ObjectMeta.metadata.generation of type int64",
        ),
        (
            "ConfigMap",
            {"immutable": "x"},
            "json: cannot unmarshal string into Go struct field ConfigMap.immutable of type bool",
        ),
        ("Secret", {"type": 1}, "json: cannot unmarshal number into Go struct field Secret.type of type v1.SecretType"),
        (
            "ConfigMap",
            {"metadata": {"uid": 1}},
            "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.uid of type types.UID",
        ),
        (
            "ConfigMap",
            {"metadata": {"deletionTimestamp": "soon"}},
            'parsing time "soon" as "2006-01-02T15:04:05Z07:00": cannot parse "soon" as "2006"',
        ),
        (
            "Event",
            {"count": 1 << 40},
            "json: cannot unmarshal number 1099511627776 into Go struct field Event.count of type int32",
        ),
    ],
)
def test_values_of_the_wrong_type_are_refused(name: str, obj: dict[str, Any], message: str) -> None:
    """The struct is the innermost one, the path the whole one, without indexes."""
    with pytest.raises(WrongType) as caught:
        decode(kind(name), obj)
    assert str(caught.value) == message


def test_unknown_fields_are_dropped_and_named_in_order() -> None:
    """Items have their index, and case counts."""
    obj = {
        "metadata": {"name": "a", "junk": 1},
        "secrets": [{"name": "s", "odd": {}}],
        "Secrets": [],
        "imagePullSecrets": [{"name": "p"}],
    }
    before = copy.deepcopy(obj)
    decoded, complaints = decode(kind("ServiceAccount"), obj)
    assert decoded == {"metadata": {"name": "a"}, "secrets": [{"name": "s"}], "imagePullSecrets": [{"name": "p"}]}
    assert complaints == ['unknown field "metadata.junk"', 'unknown field "secrets[0].odd"', 'unknown field "Secrets"']
    assert obj == before


def test_empty_values_are_left_out_except_where_go_writes_them() -> None:
    """Pointers keep false and empty texts; some fields are always there."""
    config_map, _ = decode(kind("ConfigMap"), {"metadata": {"name": "a", "labels": {}}, "data": {}, "immutable": False})
    assert config_map == {"metadata": {"name": "a"}, "immutable": False}
    event, _ = decode(kind("Event"), {"metadata": {"name": "e"}, "reason": ""})
    assert event == {
        "metadata": {"name": "e"},
        "involvedObject": {},
        "source": {},
        "firstTimestamp": None,
        "lastTimestamp": None,
        "eventTime": None,
        "reportingComponent": "",
        "reportingInstance": "",
    }
    lease = normalize(kind("Lease", "coordination.k8s.io"), {"metadata": {}, "spec": {"holderIdentity": ""}})
    assert lease == {"metadata": {}, "spec": {"holderIdentity": ""}}


def test_schemas_inside_definitions_are_decoded_to_the_bottom() -> None:
    """Unknown keywords deep in a CRD's schema are found, through items and additionalProperties too."""
    schema = {
        "properties": {
            "a": {"items": {"tpye": 1}},
            "b": {"additionalProperties": {"odd": 1}},
            "c": {"items": [{"x": 1}]},
        }
    }
    crd = {"spec": {"versions": [{"schema": {"openAPIV3Schema": schema}}]}}
    _, complaints = decode(kind("CustomResourceDefinition", "apiextensions.k8s.io"), crd)
    root = "spec.versions[0].schema.openAPIV3Schema.properties"
    assert complaints == [
        f'unknown field "{root}.a.items.tpye"',
        f'unknown field "{root}.b.additionalProperties.odd"',
        f'unknown field "{root}.c.items[0].x"',
    ]


@given(st.binary(max_size=12))
def test_what_is_base64_is_accepted(data: bytes) -> None:
    """With line ends in it too."""
    text = base64.b64encode(data).decode()
    assert base64_problem(text) == ""
    assert base64_problem(text[:3] + "\n" + text[3:] + "\r\n") == ""


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("!", 0),
        ("abc", 0),
        ("abcd=", 4),
        ("abcdef=", 7),
        ("abcde", 4),
        ("ab=c", 2),
        ("a===", 1),
        ("abcd!", 4),
        ("YQ==YQ==", 4),
        ("YWI=x", 4),
    ],
)
def test_the_first_offence_is_named(text: str, position: int) -> None:
    """Positions are those of Go's decoder."""
    assert base64_problem(text) == f"illegal base64 data at input byte {position}"


@pytest.mark.parametrize("key", sorted(schemas.table().kinds))
def test_an_empty_object_of_every_kind_is_stable(key: tuple[str, str, str]) -> None:
    """Decoding what was decoded changes nothing."""
    once = normalize(schemas.table().kinds[key], {})
    assert normalize(schemas.table().kinds[key], once) == once
