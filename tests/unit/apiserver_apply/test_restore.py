"""The converter behind strategic patches: what it refuses, and with which words."""

from __future__ import annotations

from typing import Any

import pytest

from eso_core.testing.apiserver.builtin import restore, schemas
from eso_core.testing.apiserver.patch.operations import operations_problem


@pytest.mark.parametrize(
    ("kind", "obj", "problem"),
    [
        ("ConfigMap", {"data": {"k": 5}}, "cannot convert int64 to string"),
        ("ConfigMap", {"data": {"k": 1.5}}, "unrecognized type: string"),
        ("ConfigMap", {"data": {"k": True}}, "unrecognized type: string"),
        ("ConfigMap", {"data": {"k": ["x"]}}, "unrecognized type: string"),
        ("ConfigMap", {"data": ["x"]}, "cannot restore map from slice"),
        ("ConfigMap", {"data": "x"}, "cannot restore map from string"),
        ("ConfigMap", {"metadata": "x"}, "cannot restore struct from: string"),
        ("ConfigMap", {"metadata": {"finalizers": {"a": 1}}}, "cannot restore slice from map"),
        ("ConfigMap", {"metadata": {"generation": "x"}}, "unrecognized type: int64"),
        ("ConfigMap", {"metadata": {"generation": 1.5}}, "cannot convert float64 to int64"),
        (
            "ConfigMap",
            {"metadata": {"deletionTimestamp": 5}},
            "json: cannot unmarshal number into Go value of type string",
        ),
        ("ConfigMap", {"immutable": "yes"}, "unrecognized type: bool"),
        ("Secret", {"type": 1}, "cannot convert int64 to v1.SecretType"),
        ("Secret", {"data": {"k": 5}}, "cannot restore slice from int64"),
        ("Secret", {"data": {"k": "!"}}, "error decoding from json: illegal base64 data at input byte 0"),
        ("ServiceAccount", {"secrets": ["x"]}, "cannot restore struct from: string"),
        ("ServiceAccount", {"secrets": [{"name": None}], "imagePullSecrets": None}, ""),
    ],
)
def test_what_does_not_fit_is_named_without_its_path(kind: str, obj: dict[str, Any], problem: str) -> None:
    """Each shape has a text; nulls fit everywhere."""
    found = schemas.type_for("", "v1", kind)
    assert found is not None
    assert restore.problem(found, obj) == problem


@pytest.mark.parametrize(
    ("operations", "problem", "unknown"),
    [
        ([{"op": "add", "path": "/a", "value": {"x": 1}, "from": "/b"}, None], "", []),
        ([{"op": "add", "pth": 1}, {"xyz": 1}], "", ['unknown field "[0].pth"', 'unknown field "[1].xyz"']),
        (["x"], "json: cannot unmarshal string into Go value of type handlers.jsonPatchOp", []),
        ([[1]], "json: cannot unmarshal array into Go value of type handlers.jsonPatchOp", []),
        ([{"op": 5}], "json: cannot unmarshal number into Go struct field jsonPatchOp.op of type string", []),
        ([{"path": True}], "json: cannot unmarshal bool into Go struct field jsonPatchOp.path of type string", []),
        ([{"from": {}}], "json: cannot unmarshal object into Go struct field jsonPatchOp.from of type string", []),
    ],
)
def test_operations_are_decoded_before_any_is_applied(operations: list[Any], problem: str, unknown: list[str]) -> None:
    """Wrong types refuse the patch, unknown fields are only complained about."""
    assert operations_problem(operations) == (problem, unknown)
