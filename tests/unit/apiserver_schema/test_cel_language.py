"""Expressions: syntax, types, evaluation and their failures."""

from typing import Any

import pytest

from eso_core.testing.apiserver.schema.cel.backend import BACKEND
from eso_core.testing.apiserver.schema.cel.errors import CompileError, EvaluationError, NoSuchOverload
from eso_core.testing.apiserver.schema.cel.schema_types import escape, schema_type

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "a": {"type": "integer"},
        "s": {"type": "string"},
        "n": {"type": "number"},
        "t": {"type": "string", "format": "date-time"},
        "day": {"type": "string", "format": "date"},
        "d": {"type": "string", "format": "duration"},
        "by": {"type": "string", "format": "byte"},
        "l": {"type": "array", "items": {"type": "string"}},
        "nums": {"type": "array", "items": {"type": "number"}},
        "set": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
        "ml": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["k"],
            "items": {"type": "object", "properties": {"k": {"type": "string"}, "v": {"type": "integer"}}},
        },
        "m": {"type": "object", "additionalProperties": {"type": "integer"}},
        "ios": {"x-kubernetes-int-or-string": True},
        "namespace": {"type": "string"},
        "a-b.c/d": {"type": "string"},
        "o": {"type": "object", "properties": {"x": {"type": "string"}, "y": {"type": "string"}}},
        "free": {"x-kubernetes-preserve-unknown-fields": True},
    },
}
VALUE: dict[str, Any] = {
    "a": 3,
    "s": "hello",
    "n": 2,
    "t": "2024-05-01T10:00:00Z",
    "day": "2024-05-01",
    "d": "1h30m",
    "by": "YWJj",
    "l": ["b", "a", "c"],
    "nums": [1, 2.5],
    "set": ["x", "y"],
    "ml": [{"k": "p", "v": 1}, {"k": "q", "v": 2}],
    "m": {"one": 1, "two": 2},
    "ios": 5,
    "namespace": "ns",
    "a-b.c/d": "esc",
    "o": {"x": "y"},
}
SELF = schema_type(SCHEMA)


def evaluate(source: str, old: Any = None) -> Any:
    """The value of an expression about the object above."""
    assert SELF is not None
    return BACKEND.compile(source, SELF).evaluate(VALUE, old)[0]


def refusal(source: str) -> str:
    """The message, without the lines that point into the source, for an expression that does not compile."""
    with pytest.raises(CompileError) as caught:
        evaluate(source)
    return str(caught.value).split("\n")[0]


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("self.a + 4 * 2 - 1", 10),
        ("(self.a + 1) * 2", 8),
        ("7 / 2 * 2 + 7 % 4", 9),
        ("-7 / 2", -3),
        ("-7 % 4", -3),
        ("--self.a", 3),
        ("-9223372036854775808", -(2**63)),
        ("0xff", 255),
        ("self.n + 1.5", 3.5),
        ("1.0 / 0.0 > 1e308", True),
        ("2u + 3u == 5u", True),
        ("1 < 1.5 && 2u > 1", True),
        ("'a' < 'b' && b'a' < b'b' && false < true", True),
        ("self.s == 'hel' + \"lo\"", True),
        ("'''x\ny''' == 'x\\ny'", True),
        (r"r'\d' == '\\d'", True),
        (r"'\x41\u0042\U00000043\104' == 'ABCD'", True),
        (r"b'\xff'.size() == 1 && b'\u00e9'.size() == 2", True),
        ("[1, 2] + [3] == [1, 2, 3]", True),
        ("{'a': 1, 'b': 2}['b']", 2),
        ("{'a': 1}.a", 1),
        ("1 in [1, 2] && !(3 in [1, 2]) && 'one' in self.m", True),
        ("self.a > 2 ? 'big' : 'small'", "big"),
        ("self.l[1]", "a"),
        ("size(self.l) + self.s.size() + size(self.m)", 10),
        ("has(self.o.x) && !has(self.o.y) && has(self.m.one)", True),
        ("self.__namespace__ + self.a__dash__b__dot__c__slash__d", "nsesc"),
        ("self.o == self.o && !(self.o != self.o)", True),
        ("type(self.a) == int && type(self.l) == list && type(self.t) == google.protobuf.Timestamp", True),
        ("null == null", True),
        ("self.ios == 5 && type(self.ios) == int", True),
        ("dyn(1) == 1.0 && dyn('a') != 1", True),
        ("// a comment\ntrue", True),
        ("cel.bind(x, self.a * 2, x + x)", 12),
    ],
)
def test_expressions_have_the_values_of_the_language(source: str, value: Any) -> None:
    """Literals, operators and field access."""
    assert evaluate(source) == value


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("self.l.all(x, x.size() == 1)", True),
        ("self.l.exists(x, x == 'c')", True),
        ("self.l.exists_one(x, x == 'a') && self.l.existsOne(x, x == 'b')", True),
        ("self.l.map(x, x + '!')", ["b!", "a!", "c!"]),
        ("self.l.map(x, x != 'a', x + x)", ["bb", "cc"]),
        ("self.l.filter(x, x > 'a')", ["b", "c"]),
        ("self.m.all(k, self.m[k] > 0) && self.m.exists(k, k == 'two')", True),
        ("self.m.filter(k, self.m[k] > 1)", ["two"]),
        ("self.l.all(i, x, i >= 0 && x != '')", True),
        ("self.m.exists(k, v, k == 'two' && v == 2)", True),
        ("{'a': 1}.transformMap(k, v, v + 1)", {"a": 2}),
        ("{'a': 1, 'b': 2}.transformMap(k, v, v > 1, v * 10)", {"b": 20}),
        ("['x', 'y'].transformList(i, v, v + string(i))", ["x0", "y1"]),
        ("['x'].transformMapEntry(i, v, {v: i})", {"x": 0}),
        ("[[1, 2], [3]].map(x, x.map(y, y * 2))", [[2, 4], [6]]),
        ("self.l.map(x, self.l.filter(y, y < x).size())", [1, 0, 2]),
    ],
)
def test_macros_run_through_lists_and_maps(source: str, value: Any) -> None:
    """One variable is an item or a key; two are index and item, or key and value."""
    assert evaluate(source) == value


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("self.?o.?x.orValue('none')", "y"),
        ("self.o.?y.orValue('none')", "none"),
        ("self.o.?y.hasValue()", False),
        ("self.m[?'one'].orValue(0) + self.m[?'nope'].orValue(10)", 11),
        ("self.l[?9].orValue('end')", "end"),
        ("optional.none().or(optional.of(2)).value()", 2),
        ("optional.ofNonZeroValue('').hasValue()", False),
        ("optional.of(3).optMap(v, v + 1).value()", 4),
        ("optional.none().optMap(v, 1).hasValue()", False),
        ("optional.of(3).optFlatMap(v, v > 5 ? optional.of(v) : optional.none()).hasValue()", False),
        ("[?self.o.?x, ?self.o.?y]", ["y"]),
        ("{?'x': self.o.?x, ?'y': self.o.?y}", {"x": "y"}),
        ("has(self.?o.x)", True),
    ],
)
def test_optional_values_stand_for_what_may_be_missing(source: str, value: Any) -> None:
    """Selection and indexing with a question mark never fail."""
    assert evaluate(source) == value


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("self.t.getFullYear() == 2024 && self.t.getMonth() == 4 && self.t.getHours('+02:00') == 12", True),
        ("self.day < timestamp('2024-05-02T00:00:00Z')", True),
        ("self.t + self.d == timestamp('2024-05-01T11:30:00Z')", True),
        ("string(timestamp('2024-01-01T00:00:00.5+01:00'))", "2024-01-01T00:00:00.5+01:00"),
        ("self.d.getMinutes() == 90 && string(self.d) == '5400s'", True),
        ("duration('1h') - duration('90m') == duration('-30m')", True),
        ("self.by == b'abc' && string(self.by) == 'abc'", True),
        ("self.n > 1 && self.nums.sum() == 3.5", True),
        ("self.set == ['y', 'x']", True),
        ("self.set + ['x', 'z'] == ['z', 'y', 'x']", True),
        ("self.ml.exists(i, i.k == 'q' && i.v == 2)", True),
    ],
)
def test_values_are_read_as_their_schema_says(source: str, value: Any) -> None:
    """Formats make timestamps, durations and bytes; list types make identity."""
    assert evaluate(source) == value


def test_lists_with_keys_compare_regardless_of_order() -> None:
    """Objects are compared as their schema reads them, however deep the list is."""
    shuffled = {**VALUE, "ml": VALUE["ml"][::-1], "set": ["y", "x"]}
    assert evaluate("self == oldSelf", shuffled) is True
    assert evaluate("self.ml == oldSelf.ml", shuffled) is True
    assert evaluate("self.ml + oldSelf.ml == self.ml", shuffled) is True
    assert evaluate("self.l == oldSelf.l", {**VALUE, "l": ["a", "b", "c"]}) is False


@pytest.mark.parametrize(
    "source",
    [
        "true || 1 / 0 == 1",
        "1 / 0 == 1 || true",
        "!(false && self.m['q'] == 1)",
        "!(self.m['q'] == 1 && false)",
        "[1, 0, 2].exists(x, 4 / x == 4)",
        "![1, 0].all(x, 1 / x > 5)",
        "true ? true : 1 / 0 == 1",
    ],
)
def test_a_failure_that_does_not_matter_is_none(source: str) -> None:
    """Logic is decided by the side that decides it, in either order."""
    assert evaluate(source) is True


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("self.m['nope'] == 1", "no such key: nope"),
        ("self.o.y == ''", "no such key: y"),
        ("self.l[9] == ''", "index out of bounds: 9"),
        ("1 / 0 == 1", "division by zero"),
        ("1 % 0 == 1", "modulus by zero"),
        ("9223372036854775807 + 1 > 0", "integer overflow"),
        ("0u - 1u > 0u", "unsigned integer overflow"),
        ("int('x') == 1", "type conversion error from 'string' to 'int'"),
        ("timestamp('x') == timestamp(0)", "type conversion error from 'string' to 'google.protobuf.Timestamp'"),
        ("optional.none().value() == 1", "optional.none() dereference"),
        ("{1: 'a', 1: 'b'}.size() == 1", "Failed with repeated key 1"),
        ("[0].all(x, 1 / x == 1)", "division by zero"),
        ("'a'.matches('(')", "error parsing regexp: missing closing ): `(`"),
    ],
)
def test_failures_say_what_went_wrong(source: str, message: str) -> None:
    """The texts of run time errors."""
    with pytest.raises(EvaluationError) as caught:
        evaluate(source)
    assert str(caught.value) == message


def test_dynamic_values_choose_their_function_at_run_time() -> None:
    """Where types are unknown before, a misfit shows when the expression runs."""
    assert evaluate("dyn(1) + dyn(2)") == 3
    assert evaluate("dyn('a') + dyn('b')") == "ab"
    with pytest.raises(NoSuchOverload, match="no such overload"):
        evaluate("dyn(1) + dyn('a')")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("self.zz", "ERROR: <input>:1:5: undefined field 'zz'"),
        ("has(self.zz)", "ERROR: <input>:1:4: undefined field 'zz'"),
        ("self.free", "ERROR: <input>:1:5: undefined field 'free'"),
        ("x", "ERROR: <input>:1:1: undeclared reference to 'x' (in container '')"),
        ("foo(1)", "ERROR: <input>:1:4: undeclared reference to 'foo' (in container '')"),
        ("self.a == 's'", "ERROR: <input>:1:8: found no matching overload for '_==_' applied to '(int, string)'"),
        ("self.s == null", "ERROR: <input>:1:8: found no matching overload for '_==_' applied to '(string, null)'"),
        (
            "self.a.startsWith('x')",
            "ERROR: <input>:1:18: found no matching overload for 'startsWith' applied to 'int.(string)'",
        ),
        ("size(5)", "ERROR: <input>:1:5: found no matching overload for 'size' applied to '(int)'"),
        ("self.a && true", "ERROR: <input>:1:8: found no matching overload for '_&&_' applied to '(int, bool)'"),
        ("!self.a", "ERROR: <input>:1:1: found no matching overload for '!_' applied to '(int)'"),
        ("[1, 'a'] == []", "ERROR: <input>:1:5: expected type 'int' but found 'string'"),
        ("self.s.x", "ERROR: <input>:1:7: type 'string' does not support field selection"),
        (
            "self.a.all(x, true)",
            "ERROR: <input>:1:5: expression of type 'int' cannot be range of a comprehension "
            "(must be list, map, or dynamic)",
        ),
        ("has(self)", "ERROR: <input>:1:5: invalid argument to has() macro"),
        ("self.l.all(1, true)", "ERROR: <input>:1:12: argument must be a simple name"),
        ("package == 1", "ERROR: <input>:1:1: reserved identifier: package"),
        ("self.a > 1)", "ERROR: <input>:1:11: Syntax error: extraneous input ')' expecting <EOF>"),
        ("(1 + 2", "ERROR: <input>:1:7: Syntax error: missing ')' at '<EOF>'"),
        ("'abc", "ERROR: <input>:1:1: Syntax error: token recognition error at: ''abc'"),
        ("1 + $", "ERROR: <input>:1:5: Syntax error: token recognition error at: '$'"),
        ("a.b{c: 1}", "ERROR: <input>:1:4: undeclared reference to 'a.b' (in container '')"),
    ],
)
def test_what_does_not_compile_is_pointed_at(source: str, message: str) -> None:
    """The first line of the refusal: position and reason."""
    assert refusal(source) == message


def test_the_refusal_shows_the_line_and_a_pointer() -> None:
    """Below the message stand the source line and a mark under the place."""
    with pytest.raises(CompileError) as caught:
        evaluate("self.a > 1 &&\n  self.b")
    assert str(caught.value) == "ERROR: <input>:2:7: undefined field 'b'\n |   self.b\n | ......^"


def test_all_issues_of_a_source_are_listed_in_order() -> None:
    """Unreadable characters do not hide what is wrong after them."""
    with pytest.raises(CompileError) as caught:
        evaluate("*@a | b")
    positions = [issue.position for issue in sorted(caught.value.issues, key=lambda issue: issue.position)]
    assert positions == [0, 1, 4, 6]


def test_deeply_nested_sources_are_refused_not_crashed_on() -> None:
    """There is a limit to nesting."""
    assert "recursion limit exceeded" in refusal("(" * 400 + "1" + ")" * 400)


@pytest.mark.parametrize(
    ("name", "escaped"),
    [
        ("plain", "plain"),
        ("namespace", "__namespace__"),
        ("a-b", "a__dash__b"),
        ("a.b/c", "a__dot__b__slash__c"),
        ("x__y", "x__underscores__y"),
        ("1a", None),
        ("a$b", None),
        ("é", None),
    ],
)
def test_property_names_are_escaped(name: str, escaped: str | None) -> None:
    """What cannot be a name is spelled out; what cannot be spelled cannot be reached."""
    assert escape(name) == escaped


def test_null_fields_of_objects_are_absent() -> None:
    """A nullable property that is null is not there, while null in a list or a map is a value."""
    openapi = {
        "type": "object",
        "properties": {
            "n": {"type": "integer", "nullable": True},
            "m": {"type": "object", "additionalProperties": {"type": "string", "nullable": True}},
            "l": {
                "type": "array",
                "items": {"type": "object", "nullable": True, "properties": {"a": {"type": "string"}}},
            },
        },
    }
    obj = {"n": None, "m": {"a": None}, "l": [None]}
    holds = "!has(self.n) && !self.?n.hasValue() && 'a' in self.m && type(self.m['a']) == null_type"
    type_ = schema_type(openapi)
    assert BACKEND.compile(f"{holds} && !has(self.l[0].a)", type_).evaluate(obj, None)[0] is True
    for source, message in (("self.n == 1", "no such key: n"), ("self.l[0].a == ''", "no such key: a")):
        with pytest.raises(EvaluationError, match=message):
            BACKEND.compile(source, type_).evaluate(obj, None)
