"""Properties that hold for all schemas and values."""

from copy import deepcopy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from eso_core.testing.apiserver import schema
from eso_core.testing.apiserver.schema.node import Node
from eso_core.testing.apiserver.schema.report import report

NAMES = st.sampled_from(["a", "b", "c"])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([0.5, 1.0, 2.5]),
    st.sampled_from(["", "a", "ab", "b", "1.2.3.4"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=8,
)


@st.composite
def scalar_schemas(draw: st.DrawFn) -> dict[str, Any]:
    """Schemas of strings, numbers and booleans with some rules."""
    kind = draw(st.sampled_from(["string", "integer", "number", "boolean", "int-or-string"]))
    built: dict[str, Any] = {"x-kubernetes-int-or-string": True} if kind == "int-or-string" else {"type": kind}
    rules = {
        "nullable": st.booleans(),
        "maxLength": st.integers(0, 2),
        "minLength": st.integers(0, 2),
        "pattern": st.sampled_from(["^a", "b$"]),
        "format": st.sampled_from(["ipv4", "int32", "oddity"]),
        "maximum": st.integers(-1, 2),
        "minimum": st.integers(-1, 2),
        "multipleOf": st.sampled_from([1, 2, 0.5]),
        "enum": st.sampled_from([["a"], [1, 2], [None, "b"], [True]]),
        "exclusiveMaximum": st.booleans(),
    }
    for name in draw(st.lists(st.sampled_from(sorted(rules)), max_size=2, unique=True)):
        built[name] = draw(rules[name])
    return built


def _containers(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    objects = st.fixed_dictionaries(
        {"type": st.just("object"), "properties": st.dictionaries(NAMES, inner, max_size=3)},
        optional={
            "required": st.lists(NAMES, max_size=2, unique=True),
            "maxProperties": st.integers(0, 2),
            "minProperties": st.integers(0, 2),
            "nullable": st.booleans(),
            "anyOf": st.lists(st.builds(lambda name: {"required": [name]}, NAMES), min_size=1, max_size=2),
            "oneOf": st.lists(st.builds(lambda name: {"required": [name]}, NAMES), min_size=1, max_size=2),
            "not": st.builds(lambda name: {"required": [name]}, NAMES),
            "x-kubernetes-preserve-unknown-fields": st.just(True),
        },
    )
    maps = st.builds(lambda values: {"type": "object", "additionalProperties": values}, inner)
    lists = st.fixed_dictionaries(
        {"type": st.just("array"), "items": inner},
        optional={
            "maxItems": st.integers(0, 2),
            "minItems": st.integers(0, 2),
            "uniqueItems": st.booleans(),
            "x-kubernetes-list-type": st.sampled_from(["atomic", "set"]),
        },
    )
    return st.one_of(objects, maps, lists)


SCHEMAS = st.recursive(scalar_schemas(), _containers, max_leaves=6)


@given(SCHEMAS, VALUES)
@settings(max_examples=150, deadline=None)
def test_the_fast_check_and_the_report_agree(raw: dict[str, Any], value: Any) -> None:
    """A value is taken at once exactly if there is nothing to report."""
    compiled = schema.compile({"type": "object", "properties": {"v": raw}})
    obj = {"v": value}
    assert (compiled.validate(obj) == []) == Node({"type": "object", "properties": {"v": raw}}, root=True).valid(obj)


@given(SCHEMAS, VALUES)
@settings(max_examples=75, deadline=None)
def test_an_unchanged_object_is_never_refused(raw: dict[str, Any], value: Any) -> None:
    """Whatever is wrong with an object, writing it again as it is passes the schema."""
    compiled = schema.compile({"type": "object", "properties": {"v": raw}})
    obj = {"v": value}
    assert compiled.validate(obj, deepcopy(obj)) == []


@given(SCHEMAS, VALUES)
@settings(max_examples=75, deadline=None)
def test_pruning_and_defaulting_twice_is_the_same_as_once(raw: dict[str, Any], value: Any) -> None:
    """Both are done once and for all."""
    compiled = schema.compile({"type": "object", "properties": {"v": raw}})
    obj = {"v": value}
    compiled.prune(obj)
    compiled.default(obj)
    again = deepcopy(obj)
    assert compiled.prune(again) == []
    compiled.default(again)
    assert again == obj


@given(SCHEMAS, VALUES)
@settings(max_examples=75, deadline=None)
def test_a_pruned_object_has_known_fields_only(raw: dict[str, Any], value: Any) -> None:
    """Pruning never adds and never touches scalars."""
    obj = {"v": value}
    before = deepcopy(obj)
    removed = schema.compile({"type": "object", "properties": {"v": raw}}).prune(obj)
    assert (removed == []) == (obj == before)


@given(SCHEMAS, VALUES)
@settings(max_examples=75, deadline=None)
def test_every_error_names_its_place(raw: dict[str, Any], value: Any) -> None:
    """Fields are paths into the object, or the whole."""
    for error in report(Node({"type": "object", "properties": {"v": raw}}), {"v": value}):
        assert error.field == "<nil>" or error.field.startswith("v")
        assert error.reason.startswith("FieldValue")
