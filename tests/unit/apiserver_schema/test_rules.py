"""CEL rules on writes: what fails, how it is worded, and what an update is forgiven."""

from typing import Any

from eso_core.testing.apiserver import schema

Json = dict[str, Any]


def compiled(properties: Json, *rules: Json, **more: Any) -> schema.StructuralSchema:
    """A schema with rules on spec."""
    node = {"type": "object", "properties": properties, "x-kubernetes-validations": list(rules), **more}
    return schema.compile({"type": "object", "properties": {"spec": node}})


def run(target: schema.StructuralSchema, spec: Any, old: Any = None) -> tuple[list[str], list[str]]:
    """Errors and warnings of an object with this spec, as texts."""
    errors, warnings = target.validate_rules({"spec": spec}, None if old is None else {"spec": old})
    return [str(error) for error in errors], warnings


INT = {"type": "integer"}
STRING = {"type": "string"}


def test_a_failed_rule_is_named_by_its_message_or_its_text() -> None:
    """Objects are not shown in the error; the field is that of the rule."""
    target = compiled(
        {"a": INT, "b": INT}, {"rule": "self.a < 10"}, {"rule": "self.a <= self.b", "message": " too big "}
    )
    assert run(target, {"a": 1, "b": 2}) == ([], [])
    assert run(target, {"a": 12, "b": 2})[0] == [
        "spec: Invalid value: failed rule: self.a < 10",
        "spec: Invalid value: too big",
    ]


def test_scalars_are_shown() -> None:
    """A rule on a scalar shows the value."""
    target = schema.compile(
        {"type": "object", "properties": {"spec": {**INT, "x-kubernetes-validations": [{"rule": "self < 10"}]}}}
    )
    assert run(target, 99)[0] == ["spec: Invalid value: 99: failed rule: self < 10"]


def test_message_field_path_and_reason_shape_the_error() -> None:
    """A message expression computes the text, the path moves the error, the reason changes its kind."""
    rule = {
        "rule": "self.s == 'ok'",
        "messageExpression": "'s is ' + self.s",
        "fieldPath": ".s",
        "reason": "FieldValueForbidden",
    }
    assert run(compiled({"s": STRING}, rule), {"s": "bad"})[0] == ["spec.s: Forbidden: s is bad"]
    required = {"rule": "has(self.s)", "message": "say it", "fieldPath": ".s", "reason": "FieldValueRequired"}
    assert run(compiled({"s": STRING}, required), {})[0] == ["spec.s: Required value: say it"]


def test_a_useless_computed_message_gives_way_to_the_fixed_one() -> None:
    """Empty texts, line breaks and failures are not shown."""
    for expression in ("''", "'a\\nb'", "string(1/0)"):
        rule = {"rule": "false", "message": "fixed", "messageExpression": expression}
        assert run(compiled({"s": STRING}, rule), {})[0] == ["spec: Invalid value: fixed"]


def test_failures_to_evaluate_name_the_type_and_the_rule() -> None:
    """Missing keys, arithmetic and types that only show at run time."""
    target = compiled(
        {"a": INT, "m": {"type": "object", "additionalProperties": INT}, "p": {"x-kubernetes-int-or-string": True}},
        {"rule": "self.a < 10"},
        {"rule": "10 / self.m['d'] > 1", "message": "divides"},
        {"rule": "self.p.startsWith('x')"},
    )
    assert run(target, {"m": {"d": 0}, "p": 5})[0] == [
        'spec: Invalid value: "object": no such key: a evaluating rule: self.a < 10',
        'spec: Invalid value: "object": division by zero evaluating rule: divides',
        "spec: Invalid value: \"object\": 'no such overload': call arguments did not match a supported operator, "
        "function or macro signature for rule: self.p.startsWith('x')",
    ]


def test_rules_run_in_lists_and_maps() -> None:
    """Each item has its own path; map keys stand in brackets."""
    node = {**STRING, "x-kubernetes-validations": [{"rule": "self.startsWith('x')"}]}
    target = compiled({"l": {"type": "array", "items": node}, "m": {"type": "object", "additionalProperties": node}})
    assert run(target, {"l": ["xa", "ya"], "m": {"k": "zz"}})[0] == [
        "spec.l[1]: Invalid value: \"ya\": failed rule: self.startsWith('x')",
        "spec.m[k]: Invalid value: \"zz\": failed rule: self.startsWith('x')",
    ]


def test_rules_at_the_root_see_the_names_of_the_object() -> None:
    """apiVersion, kind and metadata.name are there; the error is about no field."""
    target = schema.compile(
        {
            "type": "object",
            "properties": {"spec": {"type": "object", "properties": {"n": INT}}},
            "x-kubernetes-validations": [{"rule": "self.metadata.name == 'a'"}, {"rule": "self.kind == 'Thing'"}],
        }
    )
    good = {"apiVersion": "t.io/v1", "kind": "Thing", "metadata": {"name": "a"}}
    assert target.validate_rules(good) == ([], [])
    errors, _ = target.validate_rules({**good, "metadata": {"name": "b"}})
    assert [str(error) for error in errors] == ["<nil>: Invalid value: failed rule: self.metadata.name == 'a'"]


def test_transition_rules_need_an_old_value() -> None:
    """A rule about oldSelf does not run on create, nor for a value that was not there before."""
    target = compiled({"a": {**INT, "x-kubernetes-validations": [{"rule": "self >= oldSelf", "message": "shrinks"}]}})
    assert run(target, {"a": 1}) == ([], [])
    assert run(target, {"a": 1}, {}) == ([], [])
    assert run(target, {"a": 1}, {"a": 2})[0] == ["spec.a: Invalid value: 1: shrinks"]


def test_optional_old_self_also_runs_on_create() -> None:
    """There oldSelf is an optional value."""
    rule = {"rule": "oldSelf.hasValue() || self.a == 0", "optionalOldSelf": True, "message": "must start at 0"}
    target = compiled({"a": INT}, rule)
    assert run(target, {"a": 1})[0] == ["spec: Invalid value: must start at 0"]
    assert run(target, {"a": 1}, {"a": 0}) == ([], [])


def test_items_of_map_lists_are_compared_with_their_former_selves() -> None:
    """Keys say which item is which; items of other lists have no past."""
    item = {
        "type": "object",
        "properties": {"k": STRING, "v": INT},
        "x-kubernetes-validations": [{"rule": "self.v >= oldSelf.v", "message": "shrinks"}],
    }
    listed = {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"], "items": item}
    target = compiled({"l": listed})
    old = {"l": [{"k": "a", "v": 5}, {"k": "b", "v": 1}]}
    assert run(target, {"l": [{"k": "b", "v": 2}, {"k": "a", "v": 4}]}, old)[0] == ["spec.l[1]: Invalid value: shrinks"]


def test_failures_in_unchanged_parts_are_warnings() -> None:
    """What an update did not touch is only warned about; transition rules are never forgiven."""
    limited = {**INT, "x-kubernetes-validations": [{"rule": "self < 10"}]}
    target = compiled({"c": limited, "other": STRING})
    assert run(target, {"c": 99, "other": "x"}, {"c": 99}) == (
        [],
        ["spec.c: Invalid value: 99: failed rule: self < 10"],
    )
    assert run(target, {"c": 98}, {"c": 99})[0] == ["spec.c: Invalid value: 98: failed rule: self < 10"]


def test_rules_are_skipped_when_the_object_is_unsound() -> None:
    """Type errors and their like add one cause that says so; a broken minimum does not keep rules from running."""
    target = compiled({"a": {**INT, "minimum": 0}}, {"rule": "self.a != -1"})
    errors, _ = target.check({"spec": {"a": "text"}})
    assert [error.field for error in errors] == ["spec.a", "<nil>"]
    assert errors[1].message == (
        "Invalid value: null: some validation rules were not checked because the object was invalid; correct the "
        "existing errors to complete validation"
    )
    errors, _ = target.check({"spec": {"a": -1}})
    assert [str(error) for error in errors] == [
        "spec.a: Invalid value: -1: spec.a in body should be greater than or equal to 0",
        "spec: Invalid value: failed rule: self.a != -1",
    ]


def test_an_endless_rule_is_cut_off() -> None:
    """One rule may take a million steps; then the rest is not run either."""
    nested = "self.l.all(x, self.l.all(y, self.l.all(z, x + y + z >= 0)))"
    target = compiled({"l": {"type": "array", "items": INT}}, {"rule": nested}, {"rule": "false"})
    assert run(target, {"l": list(range(200))})[0] == [
        "spec: Invalid value: \"object\": 'operation cancelled: actual cost limit exceeded': no further validation "
        f"rules will be run due to call cost exceeds limit for rule: {nested}"
    ]


def test_all_rules_of_an_object_share_a_budget() -> None:
    """Ten million steps for the object; what comes after is not run."""
    pairs = {"rule": "self.l.all(x, self.l.all(y, x + y >= 0))"}
    target = compiled({"l": {"type": "array", "items": INT}}, *[pairs] * 40)
    assert run(target, {"l": list(range(250))})[0] == [
        'spec: Invalid value: "object": validation failed due to running out of cost budget, no further validation '
        "rules will be run"
    ]


def test_an_embedded_resource_has_names_too() -> None:
    """Rules on embedded resources see kind and metadata.name."""
    node = {
        "type": "object",
        "x-kubernetes-embedded-resource": True,
        "x-kubernetes-preserve-unknown-fields": True,
        "x-kubernetes-validations": [{"rule": "self.kind == 'Pod' && self.metadata.name.startsWith('p')"}],
    }
    target = compiled({"obj": node})
    assert run(target, {"obj": {"kind": "Pod", "metadata": {"name": "p1"}}}) == ([], [])
    assert run(target, {"obj": {"kind": "Job", "metadata": {"name": "p1"}}})[0] != []
