"""Structural schemas say what the Python types and `Schema` say, and no more."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from eso_core.model import Model, Rule, Schema, SchemaError, structural_schema


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Part(Model):
    name: str
    weight: float | None = None


class Everything(Model):
    __schema__ = Schema(rules=(Rule("has(self.hostName) || has(self.parts)", message="name something"),))

    host_name: Annotated[str, Schema(extra={"maxLength": 63})]
    replicas: int = 3
    enabled: bool | None = None
    when: datetime | None = None
    blob: bytes | None = None
    colour: Colour = Colour.RED
    mode: Literal["fast", "slow"] | None = None
    port: Annotated[int | str | None, Schema(int_or_string=True)] = None
    parts: Annotated[list[Part] | None, Schema(list_type="map", list_map_keys=("name",))] = None
    labels: dict[str, str] | None = None
    free: dict[str, Any] | None = None
    secret: Annotated[str, Schema(publish_default=False, nullable=True)] = "x"
    path: Annotated[str, Schema(required=True)] = Field("p", description="Where.")
    embedded: Annotated[Any, Schema(embedded_resource=True)] = None
    odd: str | None = Field(None, alias="oddID")


def test_types_constraints_and_extensions_become_a_structural_schema() -> None:
    """One field of each kind, with its wire name."""
    assert structural_schema(Everything) == {
        "type": "object",
        "required": ["hostName", "path"],
        "x-kubernetes-validations": [{"rule": "has(self.hostName) || has(self.parts)", "message": "name something"}],
        "properties": {
            "hostName": {"type": "string", "maxLength": 63},
            "replicas": {"type": "integer", "default": 3},
            "enabled": {"type": "boolean"},
            "when": {"type": "string", "format": "date-time"},
            "blob": {"type": "string", "format": "byte"},
            "colour": {"type": "string", "enum": ["red", "blue"], "default": "red"},
            "mode": {"type": "string", "enum": ["fast", "slow"]},
            "port": {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True},
            "parts": {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
                "items": {
                    "type": "object",
                    "required": ["name"],
                    "properties": {"name": {"type": "string"}, "weight": {"type": "number"}},
                },
            },
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            "secret": {"type": "string", "nullable": True},
            "path": {"type": "string", "default": "p", "description": "Where."},
            "embedded": {"x-kubernetes-preserve-unknown-fields": True, "x-kubernetes-embedded-resource": True},
            "oddID": {"type": "string"},
        },
    }


def test_a_default_that_is_a_model_is_what_was_set_on_it() -> None:
    """Only the fields that the class author set are published."""

    class Target(Model):
        policy: str = "Owner"
        name: str | None = None

    class Spec(Model):
        target: Target = Target(policy="Owner")

    assert structural_schema(Spec)["properties"]["target"]["default"] == {"policy": "Owner"}


def test_rules_carry_all_their_parts() -> None:
    """Every attribute of a rule has its name on the wire."""
    rule = Rule("oldSelf == self", "m", "'e'", "FieldValueForbidden", ".a", optional_old_self=True)
    assert rule.to_json() == {
        "rule": "oldSelf == self",
        "message": "m",
        "messageExpression": "'e'",
        "reason": "FieldValueForbidden",
        "fieldPath": ".a",
        "optionalOldSelf": True,
    }


@pytest.mark.parametrize("annotation", [set[str], str | bool, Literal["a", 1], complex])
def test_types_without_a_structural_schema_are_refused_with_model_and_field(annotation: Any) -> None:
    """The author of a model learns which field it is."""
    model = type(
        "Bad",
        (Model,),
        {
            "__annotations__": {"field": annotation},
            "__module__": __name__,
            "model_config": {"arbitrary_types_allowed": True},
        },
    )
    with pytest.raises(SchemaError, match=r"^Bad\.field: .*has no structural schema"):
        structural_schema(model)
