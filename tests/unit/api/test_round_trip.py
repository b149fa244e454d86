"""Whatever a schema allows, its model reads, and writes back as it was; and both fill in the same defaults."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controllers.api import (
    ExternalSecret,
    ExternalSecretV1Beta1,
    PushSecret,
    SecretStore,
    SecretStoreV1Beta1,
)
from eso_core.meta import JsonObject
from eso_core.model import Model, Resource, crd_for, structural_schema
from eso_core.testing.apiserver import schema as server_schema
from providers.fake.spec import FakeSpec
from providers.vault.spec import VaultSpec

KINDS: tuple[type[Resource], ...] = (
    ExternalSecret,
    ExternalSecretV1Beta1,
    PushSecret,
    SecretStore,
    SecretStoreV1Beta1,
)
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8)
FORMATS = {
    "date-time": st.sampled_from(["2024-02-29T01:02:03Z", "2024-02-29T01:02:03.123456+02:00"]),
    "byte": st.sampled_from(["aGk=", "AP8="]),
    "int32": st.integers(-(2**31), 2**31 - 1),
    "int64": st.integers(-(2**63), 2**63 - 1),
}
SCALARS = {
    "string": TEXT,
    "integer": st.integers(-(2**53), 2**53),
    "number": st.floats(allow_nan=False, allow_infinity=False),
    "boolean": st.booleans(),
}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)
GENEROUS = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def values(schema: JsonObject) -> st.SearchStrategy[Any]:
    """Valid values of a structural schema."""
    made = _values(schema)
    return made | st.none() if schema.get("nullable") else made


def _values(schema: JsonObject) -> st.SearchStrategy[Any]:
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema.get("x-kubernetes-int-or-string"):
        return st.integers(-(2**31), 2**31) | TEXT
    if "pattern" in schema:
        limits = schema.get("minLength", 0), schema.get("maxLength", 1000)
        ascii_text = st.characters(min_codepoint=32, max_codepoint=126)
        found = st.from_regex(schema["pattern"], fullmatch=True, alphabet=ascii_text)
        return found.filter(lambda text: limits[0] <= len(text) <= limits[1] and "\n" not in text)
    if "minimum" in schema or "maximum" in schema:
        return st.integers(schema.get("minimum", 0), schema.get("maximum", 1000))
    if schema.get("format") in FORMATS:
        return FORMATS[schema["format"]]
    kind = schema.get("type")
    if kind == "array":
        return st.lists(values(schema["items"]), min_size=schema.get("minItems", 0), max_size=3)
    if kind == "object":
        return _objects(schema)
    if kind == "string":
        return SCALARS["string"].filter(lambda text: len(text) >= schema.get("minLength", 0))
    return SCALARS[kind] if kind else ANYTHING


def _objects(schema: JsonObject) -> st.SearchStrategy[Any]:
    if "additionalProperties" in schema:
        return st.dictionaries(TEXT, values(schema["additionalProperties"]), max_size=3)
    properties = schema.get("properties")
    if properties is None:
        return st.dictionaries(TEXT, ANYTHING, max_size=2)
    if schema.get("maxProperties") == 1:
        return st.sampled_from(sorted(properties)).flatmap(
            lambda name: st.fixed_dictionaries({name: values(properties[name])})
        )
    members = {name: _later(body) for name, body in properties.items()}
    required = schema.get("required", [])
    return st.fixed_dictionaries(
        {name: members[name] for name in required},
        optional={name: member for name, member in members.items() if name not in required},
    )


def _later(schema: JsonObject) -> st.SearchStrategy[Any]:
    return st.deferred(lambda: values(schema))


@cache
def openapi(kind: type[Resource]) -> JsonObject:
    schema: JsonObject = crd_for(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


@cache
def objects(kind: type[Resource]) -> st.SearchStrategy[JsonObject]:
    properties = openapi(kind)["properties"]
    return st.fixed_dictionaries(
        {
            "apiVersion": st.just(kind.gvk.api_version),
            "kind": st.just(kind.gvk.kind),
            "metadata": st.fixed_dictionaries(
                {"name": st.just("a")},
                optional={
                    "namespace": st.just("n"),
                    "labels": st.dictionaries(TEXT, TEXT, max_size=2),
                    "generation": st.integers(0, 2**53),
                    "managedFields": st.just([{"manager": "m", "fieldsV1": {"f:spec": {}}}]),
                    "selfLink": TEXT,
                },
            ),
        },
        optional={"spec": values(properties["spec"]), "status": values(properties["status"])},
    )


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.gvk.kind}-{kind.gvk.version}")
@GENEROUS
@given(data=st.data())
def test_a_valid_object_is_read_and_written_back_as_it_was(kind: type[Resource], data: st.DataObject) -> None:
    """Absent stays absent, null stays null, numbers stay numbers, with what the server filled in and without."""
    obj = data.draw(objects(kind))
    compiled = server_schema.compile(openapi(kind))
    assert compiled.validate(copy.deepcopy(obj)) == []
    assert kind.decode(orjson.dumps(obj)).encode() == obj

    filled = copy.deepcopy(obj)
    compiled.default(filled)
    read = kind.decode(filled)
    assert read.encode() == filled
    if kind.gvk.kind in ("ExternalSecret", "PushSecret"):  # stores keep their backend as it is, whatever its defaults
        assert read == kind.decode(obj), "the model's defaults are those of the server"


@GENEROUS
@given(obj=objects(ExternalSecret), unknown=ANYTHING, place=st.sampled_from(["", "spec", "status", "metadata"]))
def test_fields_of_a_newer_version_survive(obj: JsonObject, unknown: Any, place: str) -> None:
    """An update by an older operator takes nothing away."""
    obj = copy.deepcopy(obj)
    (obj.setdefault(place, {}) if place else obj)["zzFuture"] = unknown
    read = ExternalSecret.decode(obj)
    read.metadata.annotations = {"touched": "yes"}
    obj["metadata"]["annotations"] = {"touched": "yes"}
    assert read.encode() == obj


@pytest.mark.parametrize("model", [FakeSpec, VaultSpec])
@GENEROUS
@given(data=st.data())
def test_specs_of_backends_read_whatever_their_schema_allows(model: type[Model], data: st.DataObject) -> None:
    """A store that the API server took is never unreadable, and means the same before its defaults are filled in."""
    schema = structural_schema(model)
    spec = data.draw(values(schema))
    read = model.model_validate(spec)
    assert read.model_dump(mode="json", exclude_unset=True) == spec
    compiled = server_schema.compile(schema)
    compiled.default(spec)
    assert compiled.validate(copy.deepcopy(spec)) == []
    assert model.model_validate(spec) == read
