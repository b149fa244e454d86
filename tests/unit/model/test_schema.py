"""Structural schemas say what the Python types and `Schema` say, and no more."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, HttpUrl, SecretStr

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


def test_constraints_of_pydantic_are_in_the_schema_as_well() -> None:
    """Whoever writes Field(ge=1) need not say it twice."""

    class Limits(Model):
        port: int = Field(ge=1, le=65535)
        share: float | None = Field(None, gt=0, lt=1)
        step: int | None = Field(None, multiple_of=5)
        name: str = Field("a", min_length=1, max_length=63, pattern="^[a-z]+$")
        hosts: list[Annotated[str, Field(max_length=5)]] = Field(min_length=1)
        labels: dict[str, str] | None = Field(None, max_length=3)

    assert structural_schema(Limits)["properties"] == {
        "port": {"type": "integer", "minimum": 1, "maximum": 65535},
        "share": {"type": "number", "minimum": 0, "exclusiveMinimum": True, "maximum": 1, "exclusiveMaximum": True},
        "step": {"type": "integer", "multipleOf": 5},
        "name": {"type": "string", "default": "a", "minLength": 1, "maxLength": 63, "pattern": "^[a-z]+$"},
        "hosts": {"type": "array", "minItems": 1, "items": {"type": "string", "maxLength": 5}},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": 3},
    }


def test_a_field_without_description_has_that_of_its_class() -> None:
    """The first paragraph of the docstring; a description of the field's own comes first."""

    class Part(Model):
        """A part
        of it.

        Details.
        """

    class Whole(Model):
        one: Part | None = None
        two: Part = Field(description="The second.")

    properties = structural_schema(Whole)["properties"]
    assert (properties["one"]["description"], properties["two"]["description"]) == ("A part of it.", "The second.")


def test_addresses_and_hidden_strings_are_strings() -> None:
    """Specs of providers use them."""

    class Spec(Model):
        url: HttpUrl
        token: SecretStr

    assert structural_schema(Spec)["properties"] == {
        "url": {"type": "string", "format": "uri"},
        "token": {"type": "string"},
    }


class Tree(Model):
    children: list[Tree] | None = None


def test_a_model_that_contains_itself_is_refused() -> None:
    """Structural schemas have no references."""
    with pytest.raises(SchemaError, match=r"^Tree\.children: Tree contains itself"):
        structural_schema(Tree)


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
