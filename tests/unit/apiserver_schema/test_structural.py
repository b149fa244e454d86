"""Pruning, defaults and validation of custom resources, with the server's texts."""

from typing import Any

import pytest

from eso_core.testing.apiserver import schema
from eso_core.testing.apiserver.schema import CoerceError

Json = dict[str, Any]


def spec(properties: Json, **more: Any) -> schema.StructuralSchema:
    """A schema whose spec has the properties."""
    return schema.compile(
        {"type": "object", "properties": {"spec": {"type": "object", "properties": properties, **more}}}
    )


def resource(value: Any, **more: Any) -> Json:
    """An object with the spec."""
    return {"apiVersion": "t.io/v1", "kind": "Thing", "metadata": {"name": "a"}, "spec": value, **more}


def errors(compiled: schema.StructuralSchema, value: Any, old: Any = None) -> list[str]:
    """The errors of an object with this spec, as texts."""
    found = compiled.validate(resource(value), None if old is None else resource(old))
    return [str(error) for error in found]


def test_unknown_fields_go_at_every_level_and_are_named_in_order() -> None:
    """A removed subtree is named by its top; lists and maps are pruned inside."""
    compiled = spec(
        {
            "a": {"type": "string"},
            "m": {
                "type": "object",
                "additionalProperties": {"type": "object", "properties": {"k": {"type": "string"}}},
            },
            "l": {"type": "array", "items": {"type": "object", "properties": {"k": {"type": "string"}}}},
        }
    )
    obj = resource(
        {"a": "x", "junk": {"z": 1}, "m": {"one": {"k": "v", "j": 1}}, "l": [{"j": 1}, {"k": "v"}]},
        top=1,
    )
    obj["metadata"]["odd"] = 1
    removed = compiled.prune(obj)
    assert removed == ["metadata.odd", "spec.junk", "spec.l[0].j", "spec.m.one.j", "top"]
    assert obj == resource({"a": "x", "m": {"one": {"k": "v"}}, "l": [{}, {"k": "v"}]})


def test_preserved_places_keep_unknown_fields_but_not_those_below_known_ones() -> None:
    """Under x-kubernetes-preserve-unknown-fields only what the schema closes again is pruned."""
    closed = {"type": "object", "properties": {"x": {"type": "string"}}}
    compiled = spec(
        {"free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "properties": {"closed": closed}}}
    )
    obj = resource({"free": {"other": [1, {"q": 2}], "closed": {"x": "a", "y": "b"}}})
    assert compiled.prune(obj) == ["spec.free.closed.y"]
    assert obj["spec"] == {"free": {"other": [1, {"q": 2}], "closed": {"x": "a"}}}


def test_embedded_resources_keep_their_type_and_known_metadata() -> None:
    """apiVersion, kind and metadata of an embedded resource are implied; its unknown metadata goes, named last."""
    compiled = spec(
        {
            "obj": {
                "type": "object",
                "x-kubernetes-embedded-resource": True,
                "properties": {"spec": {"type": "object", "properties": {"x": {"type": "string"}}}},
            }
        }
    )
    obj = resource(
        {"obj": {"apiVersion": "v1", "kind": "X", "metadata": {"name": "q", "j": 1}, "spec": {"y": 1}, "z": 1}}
    )
    assert compiled.prune(obj) == ["spec.obj.spec.y", "spec.obj.z", "spec.obj.metadata.j"]
    assert obj["spec"]["obj"] == {"apiVersion": "v1", "kind": "X", "metadata": {"name": "q"}, "spec": {}}
    assert errors(compiled, {"obj": {}}) == ["spec.obj.apiVersion: Required value", "spec.obj.kind: Required value"]
    with pytest.raises(CoerceError, match=r"spec\.obj\.apiVersion: Invalid value: 7: must be a string"):
        compiled.prune(resource({"obj": {"apiVersion": 7, "kind": "X"}}))


def test_metadata_of_the_wrong_type_is_refused() -> None:
    """Metadata is read like that of every other kind."""
    compiled = spec({})
    obj = resource({})
    obj["metadata"]["labels"] = {"a": 1}
    with pytest.raises(
        CoerceError, match="cannot unmarshal number into Go struct field ObjectMeta.labels of type string"
    ):
        compiled.prune(obj)


def test_defaults_reach_into_present_parents_lists_and_maps() -> None:
    """A default inside an object needs the object; a null without permission counts as absent."""
    inner = {"type": "object", "properties": {"x": {"type": "string", "default": "in"}}}
    compiled = spec(
        {
            "a": {"type": "string", "default": "one"},
            "o": inner,
            "od": {**inner, "default": {}},
            "li": {"type": "array", "items": inner},
            "m": {"type": "object", "additionalProperties": inner},
            "n": {"type": "string", "nullable": True, "default": "n"},
            "s": {"type": "string"},
        },
        default={},
    )
    empty = resource({})
    del empty["spec"]
    compiled.default(empty)
    assert empty["spec"] == {"a": "one", "od": {"x": "in"}, "n": "n"}
    full = resource({"a": None, "o": {}, "li": [{}, {"x": "set"}], "m": {"k": {}}, "n": None, "s": None})
    compiled.default(full)
    assert full["spec"] == {
        "a": "one",
        "o": {"x": "in"},
        "od": {"x": "in"},
        "li": [{"x": "in"}, {"x": "set"}],
        "m": {"k": {"x": "in"}},
        "n": None,
    }


def test_defaults_are_not_shared_between_objects() -> None:
    """Each object gets a default of its own."""
    compiled = spec({"l": {"type": "array", "default": ["p"], "items": {"type": "string"}}})
    first, second = resource({}), resource({})
    compiled.default(first)
    first["spec"]["l"].append("q")
    compiled.default(second)
    assert second["spec"]["l"] == ["p"]


@pytest.mark.parametrize(
    ("rule", "value", "text"),
    [
        ({"type": "string"}, 1, 'Invalid value: "integer": spec.v in body must be of type string: "integer"'),
        ({"type": "integer"}, 1.5, 'Invalid value: "number": spec.v in body must be of type integer: "number"'),
        ({"type": "integer"}, True, 'Invalid value: "boolean": spec.v in body must be of type integer: "boolean"'),
        ({"type": "boolean"}, "x", 'Invalid value: "string": spec.v in body must be of type boolean: "string"'),
        ({"type": "object"}, [], 'Invalid value: "array": spec.v in body must be of type object: "array"'),
        ({"type": "array", "items": {}}, {}, 'Invalid value: "object": spec.v in body must be of type array: "object"'),
        (
            {"x-kubernetes-int-or-string": True},
            1.5,
            'Invalid value: "number": spec.v in body must be of type integer,string: "number"',
        ),
        ({"type": "string", "enum": ["a", "b"]}, "c", 'Unsupported value: "c": supported values: "a", "b"'),
        ({"type": "integer", "enum": [1, 2]}, 3, 'Unsupported value: 3: supported values: "1", "2"'),
        ({"type": "string", "maxLength": 1}, "ab", "Too long: may not be more than 1 byte"),
        ({"type": "string", "maxLength": 2}, "abc", "Too long: may not be more than 2 bytes"),
        ({"type": "string", "minLength": 2}, "a", 'Invalid value: "a": spec.v in body should be at least 2 chars long'),
        ({"type": "string", "pattern": "^b"}, "a", "Invalid value: \"a\": spec.v in body should match '^b'"),
        ({"type": "integer", "maximum": 5}, 9, "Invalid value: 9: spec.v in body should be less than or equal to 5"),
        (
            {"type": "integer", "maximum": 5, "exclusiveMaximum": True},
            5,
            "Invalid value: 5: spec.v in body should be less than 5",
        ),
        (
            {"type": "number", "minimum": 1.5},
            1,
            "Invalid value: 1: spec.v in body should be greater than or equal to 1.5",
        ),
        (
            {"type": "number", "minimum": 0, "exclusiveMinimum": True},
            0,
            "Invalid value: 0: spec.v in body should be greater than 0",
        ),
        ({"type": "integer", "multipleOf": 5}, 7, "Invalid value: 7: spec.v in body should be a multiple of 5"),
        (
            {"type": "array", "items": {"type": "string"}, "minItems": 1},
            [],
            "Invalid value: 0: spec.v in body should have at least 1 items",
        ),
        (
            {"type": "array", "items": {"type": "string"}, "maxItems": 1},
            ["a", "b"],
            "Too many: 2: must have at most 1 item",
        ),
        (
            {"type": "object", "additionalProperties": {"type": "string"}, "minProperties": 1},
            {},
            "Invalid value: 0: spec.v in body should have at least 1 properties",
        ),
        (
            {"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": 0},
            {"a": "b"},
            "Too many: 1: must have at most 0 items",
        ),
        (
            {"type": "string", "format": "ipv4"},
            "x",
            'Invalid value: "x": spec.v in body must be of type ipv4: "x"',
        ),
    ],
)
def test_each_rule_has_its_text(rule: Json, value: Any, text: str) -> None:
    """A value that breaks one rule is refused with the words of the server."""
    assert errors(spec({"v": rule}), {"v": value}) == [f"spec.v: {text}"]


def test_an_integer_too_wide_for_its_format_is_an_error_about_the_object() -> None:
    """The check of widths names no field."""
    compiled = spec({"n": {"type": "integer", "format": "int32"}})
    assert errors(compiled, {"n": 2**31}) == [
        '<nil>: Invalid value: "": Checked value must be of type integer with format int32 in spec.n'
    ]


def test_all_errors_come_at_once() -> None:
    """One pass lists what is missing and what is wrong, in lists and maps too."""
    compiled = spec(
        {
            "c": {"type": "integer", "maximum": 1},
            "l": {
                "type": "array",
                "items": {"type": "object", "required": ["k"], "properties": {"k": {"type": "string"}}},
            },
            "m": {"type": "object", "additionalProperties": {"type": "integer"}},
        },
        required=["a"],
    )
    assert sorted(errors(compiled, {"c": 2, "l": [{"k": "v"}, {}], "m": {"x": "y"}})) == [
        "spec.a: Required value",
        "spec.c: Invalid value: 2: spec.c in body should be less than or equal to 1",
        "spec.l[1].k: Required value",
        'spec.m.x: Invalid value: "string": spec.m.x in body must be of type integer: "string"',
    ]


def test_null_needs_permission() -> None:
    """A null item of a list is of type null, which only nullable schemas take."""
    compiled = spec({"l": {"type": "array", "items": {"type": "string"}}, "n": {"type": "string", "nullable": True}})
    assert errors(compiled, {"n": None}) == []
    assert errors(compiled, {"l": [None]}) == [
        'spec.l[0]: Invalid value: "null": spec.l[0] in body must be of type string: "null"'
    ]


def test_lists_with_identity_refuse_duplicates() -> None:
    """Sets by value, maps by their keys; the second of several equal items is named once."""
    compiled = spec(
        {
            "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
            "ports": {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["port", "protocol"],
                "items": {
                    "type": "object",
                    "properties": {"port": {"type": "integer"}, "protocol": {"type": "string"}},
                },
            },
        }
    )
    assert errors(compiled, {"tags": ["a", "b", "a", "a"]}) == ['spec.tags[2]: Duplicate value: "a"']
    assert errors(compiled, {"ports": [{"port": 80, "protocol": "TCP"}, {"port": 80, "protocol": "TCP"}]}) == [
        'spec.ports[1]: Duplicate value: {"port":80,"protocol":"TCP"}'
    ]
    assert errors(compiled, {"ports": [{"port": 80}, {"port": 81}], "tags": ["a", "b"]}) == []


def test_what_an_old_object_already_repeats_may_stay_repeated() -> None:
    """Duplicates are not held against an update of an object that had some."""
    compiled = spec({"tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}}})
    assert errors(compiled, {"tags": ["b", "b"]}, {"tags": ["a", "a"]}) == []
    assert errors(compiled, {"tags": ["b", "b"]}, {"tags": ["a"]}) != []


@pytest.mark.parametrize(
    ("combination", "value", "texts"),
    [
        (
            "oneOf",
            {},
            [
                '<nil>: Invalid value: "": "spec.v" must validate one and only one schema (oneOf). Found none valid',
                "spec.v.a: Required value",
            ],
        ),
        (
            "oneOf",
            {"a": "x", "b": "x"},
            [
                '<nil>: Invalid value: "": "spec.v" must validate one and only one schema (oneOf). Found 2 valid alternatives'
            ],
        ),
        (
            "anyOf",
            {},
            [
                '<nil>: Invalid value: "": "spec.v" must validate at least one schema (anyOf)',
                "spec.v.a: Required value",
            ],
        ),
        (
            "allOf",
            {"a": "x"},
            ["spec.v.b: Required value", '<nil>: Invalid value: "": "spec.v" must validate all the schemas (allOf)'],
        ),
        (
            "allOf",
            {},
            [
                "spec.v.a: Required value",
                "spec.v.b: Required value",
                '<nil>: Invalid value: "": "spec.v" must validate all the schemas (allOf). None validated',
            ],
        ),
    ],
)
def test_combinations_name_the_rule_and_the_closest_branch(combination: str, value: Json, texts: list[str]) -> None:
    """None matching brings along the errors of a branch; several matching does not."""
    strings = {"a": {"type": "string"}, "b": {"type": "string"}}
    rule = {"type": "object", "properties": strings, combination: [{"required": ["a"]}, {"required": ["b"]}]}
    assert errors(spec({"v": rule}), {"v": value}) == texts


def test_not_refuses_what_its_schema_takes() -> None:
    """The error of ``not`` stands alone."""
    compiled = spec({"v": {"type": "object", "properties": {"a": {"type": "string"}}, "not": {"required": ["a"]}}})
    assert errors(compiled, {"v": {}}) == []
    assert errors(compiled, {"v": {"a": "x"}}) == [
        '<nil>: Invalid value: "": "spec.v" must not validate the schema (not)'
    ]


def test_the_closest_branch_is_the_one_that_reaches_deepest() -> None:
    """Of failing branches the one whose properties the value has is reported."""
    props = {"kind": {"type": "string"}, "size": {"type": "integer"}}
    branches = [{"required": ["other"]}, {"properties": {"kind": {"enum": ["x"]}, "size": {"maximum": 1}}}]
    compiled = spec({"v": {"type": "object", "properties": props, "anyOf": branches}})
    assert 'spec.v.kind: Unsupported value: "y": supported values: "x"' in errors(
        compiled, {"v": {"kind": "y", "size": 1}}
    )


def test_unchanged_parts_may_stay_wrong() -> None:
    """After a schema is tightened, an update is held only to what it changes."""
    compiled = spec(
        {
            "e": {"type": "string", "enum": ["good"]},
            "l": {"type": "array", "items": {"type": "string", "enum": ["ok"]}},
            "m": {"type": "object", "additionalProperties": {"type": "string", "maxLength": 2}},
            "other": {"type": "string"},
        }
    )
    old = {"e": "bad", "l": ["bad", "ok"], "m": {"k": "bad"}}
    assert errors(compiled, {**old, "other": "x"}, old) == []
    assert errors(compiled, {**old, "m": {"k": "bad", "k2": "ok"}}, old) == []
    assert errors(compiled, {**old, "e": "worse"}, old) == [
        'spec.e: Unsupported value: "worse": supported values: "good"'
    ]
    assert errors(compiled, {**old, "l": ["bad", "ok", "ok"]}, old) == [
        'spec.l[0]: Unsupported value: "bad": supported values: "ok"'
    ]


def test_items_of_map_lists_are_told_apart_by_key() -> None:
    """In a list of type map an unchanged item passes although the list changed."""
    item = {"type": "object", "properties": {"k": {"type": "string"}, "v": {"type": "string", "maxLength": 1}}}
    compiled = spec(
        {"l": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"], "items": item}}
    )
    old = {"l": [{"k": "a", "v": "long"}]}
    assert errors(compiled, {"l": [{"k": "b", "v": "x"}, {"k": "a", "v": "long"}]}, old) == []
    assert errors(compiled, {"l": [{"k": "a", "v": "longer"}]}, old) == [
        "spec.l[0].v: Too long: may not be more than 1 byte"
    ]


def test_a_status_write_is_held_against_the_schema_of_status() -> None:
    """Texts are relative to status there, fields are not."""
    compiled = schema.compile(
        {"type": "object", "properties": {"status": {"type": "object", "properties": {"phase": {"type": "string"}}}}}
    )
    found = compiled.validate_status(resource({}, status={"phase": 1}), resource({}))
    assert [str(error) for error in found] == [
        'status.phase: Invalid value: "integer": phase in body must be of type string: "integer"'
    ]


def test_a_number_written_with_a_point_is_an_integer_if_it_is_whole() -> None:
    """3.0 passes as an integer, 3.5 does not."""
    compiled = spec({"n": {"type": "integer"}, "p": {"x-kubernetes-int-or-string": True}})
    assert errors(compiled, {"n": 3.0, "p": 3.0}) == []
    assert errors(compiled, {"n": 3.5}) != []


def test_true_is_not_one() -> None:
    """Python takes True for 1; schemas do not."""
    assert errors(spec({"v": {"enum": [1]}}), {"v": True}) == ['spec.v: Unsupported value: true: supported values: "1"']
