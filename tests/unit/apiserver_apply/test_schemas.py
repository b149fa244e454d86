"""OpenAPI schemas of the built-in kinds, and the documents made of them."""

from __future__ import annotations

from typing import Any

import pytest

from eso_core.testing.apiserver import wire
from eso_core.testing.apiserver.builtin import schemas
from eso_core.testing.apiserver.builtin.typetable import parse_tables
from eso_core.testing.apiserver.http import openapi_protobuf

META = "io.k8s.apimachinery.pkg.apis.meta.v1"


def test_every_reference_leads_to_a_component() -> None:
    """What a document must contain can always be found."""
    names = schemas.component_names(*schemas.components())
    assert set(names) == set(schemas.components())


def test_a_kind_names_its_group_version_and_kind() -> None:
    """Clients find schemas by this extension."""
    lease = schemas.schema_for("coordination.k8s.io", "v1", "Lease")
    assert lease["x-kubernetes-group-version-kind"] == [
        {"group": "coordination.k8s.io", "kind": "Lease", "version": "v1"}
    ]
    assert lease["properties"]["spec"] == {
        "description": "The claim.",
        "allOf": [{"$ref": "#/components/schemas/io.k8s.api.coordination.v1.LeaseSpec"}],
        "default": {},
    }


@pytest.mark.parametrize(
    ("name", "field", "expected"),
    [
        (f"{META}.ObjectMeta", "finalizers", {"x-kubernetes-list-type": "set", "x-kubernetes-patch-strategy": "merge"}),
        (
            f"{META}.ObjectMeta",
            "ownerReferences",
            {
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["uid"],
                "x-kubernetes-patch-merge-key": "uid",
                "x-kubernetes-patch-strategy": "merge",
            },
        ),
        (
            "io.k8s.api.core.v1.ServiceAccount",
            "secrets",
            {
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
                "x-kubernetes-patch-merge-key": "name",
                "x-kubernetes-patch-strategy": "merge",
            },
        ),
        ("io.k8s.api.core.v1.ServiceAccount", "imagePullSecrets", {"x-kubernetes-list-type": "atomic"}),
        ("io.k8s.api.rbac.v1.Role", "rules", {"x-kubernetes-list-type": "atomic"}),
    ],
)
def test_lists_carry_their_meaning(name: str, field: str, expected: dict[str, Any]) -> None:
    """List types and merge keys decide ownership and strategic patches."""
    found = schemas.components()[name]["properties"][field]
    assert {key: value for key, value in found.items() if key.startswith("x-")} == expected


def test_required_fields_are_those_of_the_api() -> None:
    """A Secret requires nothing, a rule its verbs, an owner reference all that names the owner."""
    assert "required" not in schemas.schema_for("", "v1", "Secret")
    assert schemas.components()["io.k8s.api.rbac.v1.PolicyRule"]["required"] == ["verbs"]
    assert schemas.components()[f"{META}.OwnerReference"]["required"] == ["apiVersion", "kind", "name", "uid"]
    assert schemas.components()[f"{META}.ObjectMeta"]["properties"]["labels"] == {
        "description": "Keys and values to select objects by.",
        "type": "object",
        "additionalProperties": {"type": "string", "default": ""},
    }


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("package p g/v1\nkind A\n  1 x Unknown", "no table declares"),
        ("package p g/v1\nkind A\n  1 x string odd", "unknown flags"),
        ("what is this", "cannot read"),
    ],
)
def test_mistakes_in_a_table_are_found_when_it_is_read(text: str, problem: str) -> None:
    """The error shows the line."""
    with pytest.raises(ValueError, match=problem):
        parse_tables({"meta": "p"}, text)


def test_a_document_in_protobuf_has_its_names_types_and_extensions() -> None:
    """Read back by field numbers of the message types."""
    kind = [{"group": "g", "kind": "K", "version": "v1"}]
    document = {
        "swagger": "2.0",
        "info": {"title": "T", "version": "1"},
        "paths": {
            "/x/{name}": {
                "parameters": [{"name": "name", "in": "path", "required": True, "type": "string"}],
                "patch": {
                    "parameters": [{"name": "fieldValidation", "in": "query", "type": "string"}],
                    "responses": {"200": {"description": "OK"}},
                    "x-kubernetes-group-version-kind": kind[0],
                },
            }
        },
        "definitions": {
            "K": {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "string"}}}, "x-kind": kind}
        },
    }
    message = parts(openapi_protobuf.encode(document))
    assert message[1] == [b"2.0"]
    path = parts(message[8][0])[2][0]
    assert parts(path)[1] == [b"/x/{name}"]
    operation = parts(parts(parts(path)[2][0])[8][0])
    parameter = parts(parts(parts(parts(operation[8][0])[1][0])[2][0])[3][0])
    assert (parameter[2], parameter[4]) == ([b"query"], [b"fieldValidation"])
    extension = parts(operation[13][0])
    assert extension[1] == [b"x-kubernetes-group-version-kind"]
    assert parts(extension[2][0])[2] == [b'{"group":"g","kind":"K","version":"v1"}\n']
    schema = parts(parts(parts(message[9][0])[1][0])[2][0])
    assert parts(schema[22][0])[1] == [b"object"]
    member = parts(parts(schema[25][0])[1][0])
    assert member[1] == [b"a"]
    assert parts(parts(parts(parts(member[2][0])[23][0])[1][0])[22][0])[1] == [b"string"]


def parts(message: bytes) -> dict[int, list[bytes]]:
    """The bytes fields of a message by number."""
    found: dict[int, list[bytes]] = {}
    for number, value in wire.fields(memoryview(message)):
        if not isinstance(value, int):
            found.setdefault(number, []).append(bytes(value))
    return found
