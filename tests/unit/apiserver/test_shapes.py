"""Small languages: JSONPath of columns, durations of tables, JSON errors, odd bodies, Accept headers."""

from __future__ import annotations

import pytest

from eso_core.testing.apiserver.errors import StatusError
from eso_core.testing.apiserver.http.accept import Representation, negotiate
from eso_core.testing.apiserver.http.gojson import json_problem
from eso_core.testing.apiserver.http.jsonpath import PathError, compile_path
from eso_core.testing.apiserver.http.table import short_duration
from eso_core.testing.apiserver.resources import version_rank
from eso_core.testing.apiserver.rest.body import Unreadable, parse_json, parse_yaml

OBJECT = {
    "spec": {"a": 1, "list": [{"n": "x", "v": 1}, {"n": "y", "v": 2}, {"n": "z"}], "a.b/c": "dotted"},
    "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Synced", "status": "False"}]},
}


@pytest.mark.parametrize(
    ("path", "values"),
    [
        (".spec.a", [1]),
        ("{.spec.a}", [1]),
        ("$.spec.a", [1]),
        (".spec.nope", []),
        (".spec.list[0].n", ["x"]),
        (".spec.list[-1].n", ["z"]),
        (".spec.list[*].n", ["x", "y", "z"]),
        (".spec.list[0:2].n", ["x", "y"]),
        (".spec['a.b/c']", ["dotted"]),
        (r".spec.a\.b/c", ["dotted"]),
        ('.status.conditions[?(@.type=="Ready")].status', ["True"]),
        (".status.conditions[?(@.type=='Synced')].status", ["False"]),
        ('.status.conditions[?(@.type!="Ready")].type', ["Synced"]),
        (".spec.list[?(@.v>1)].n", ["y"]),
        (".spec.list[?(@.v)].n", ["x", "y"]),
    ],
)
def test_paths_of_printer_columns(path: str, values: list[object]) -> None:
    """T-34: fields, indexes, slices, wildcards, filters."""
    assert compile_path(path)(OBJECT) == values


@pytest.mark.parametrize("path", [".a[", ".a[x]", ".a[?(b)]"])
def test_unreadable_paths_are_errors(path: str) -> None:
    """T-34."""
    with pytest.raises(PathError):
        compile_path(path)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (190, "3m10s"),
        (600, "10m"),
        (3 * 3600, "3h"),
        (3 * 3600 + 300, "3h5m"),
        (9 * 3600 + 300, "9h"),
        (50 * 3600, "2d2h"),
        (9 * 86400, "9d"),
        (800 * 86400, "2y70d"),
        (9 * 365 * 86400, "9y"),
        (-10, "<invalid>"),
    ],
)
def test_ages_are_short(seconds: float, text: str) -> None:
    """T-34."""
    assert short_duration(seconds) == text


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"", "unexpected end of JSON input"),
        (b"{", "unexpected end of JSON input"),
        (b"{a}", "invalid character 'a' looking for beginning of object key string"),
        (b'{"a" 1}', "invalid character '1' after object key"),
        (b'{"a":1 "b"}', "invalid character '\"' after object key:value pair"),
        (b"[1 2]", "invalid character '2' after array element"),
        (b"1 2", "invalid character '2' after top-level value"),
        (b"tru", "unexpected end of JSON input"),
        (b"trux", "invalid character 'x' in literal true (expecting 'e')"),
        (b"01", "invalid character '1' after top-level value"),
        (b"1.x", "invalid character 'x' after decimal point in numeric literal"),
        (b'"\x01"', "invalid character '\\x01' in string literal"),
        (b'"\\q"', "invalid character 'q' in string escape code"),
        (b'{"a":[1,{"b":null}]}', ""),
    ],
)
def test_json_errors_in_the_words_of_go(text: bytes, problem: str) -> None:
    """8.3: clients show these texts."""
    assert json_problem(text) == problem


def test_keys_given_twice_are_named_with_their_path() -> None:
    """T-55: the last one counts."""
    body = parse_json(b'{"a": {"b": 1, "b": 2}, "c": [{"d": 1, "d": 2}], "a": {"b": 3}}')
    assert body.value == {"a": {"b": 3}, "c": [{"d": 2}]}
    assert body.duplicates == ['duplicate field "a.b"', 'duplicate field "c[0].d"', 'duplicate field "a"']
    assert parse_json(b'{"a":1}').duplicates == []


def test_numbers_come_back_as_go_prints_them() -> None:
    """1.0 as 1, 1e3 as 1000, more than 64 bits as a float."""
    value = parse_json(b'{"a":1.0,"b":1e3,"c":1.5,"d":36893488147419103232,"e":9223372036854775807}').value
    assert value == {"a": 1, "b": 1000, "c": 1.5, "d": 3.6893488147419103e19, "e": 9223372036854775807}
    assert isinstance(value["a"], int)


def test_yaml_keeps_times_as_text_and_names_bad_lines() -> None:
    """Bodies in YAML."""
    assert parse_yaml(b"a: 2024-05-01T10:00:00Z\nb: 1").value == {"a": "2024-05-01T10:00:00Z", "b": 1}
    assert parse_yaml(b"a: 1\na: 2").duplicates == ['yaml: unmarshal errors:\n  line 2: key "a" already set in map']
    with pytest.raises(Unreadable, match="yaml: line 1: did not find expected ',' or ']'"):
        parse_yaml(b"a: [1")


@pytest.mark.parametrize(
    ("accept", "form", "media"),
    [
        ("", "Object", "application/json"),
        ("*/*", "Object", "application/json"),
        ("application/vnd.kubernetes.protobuf,application/json", "Object", "application/json"),
        ("application/yaml", "Object", "application/yaml"),
        ("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", "Table", "application/json"),
        ("application/json;as=Odd;v=v1;g=meta.k8s.io,application/json", "Object", "application/json"),
        ("application/yaml;q=0.5,application/json;q=0.9", "Object", "application/json"),
    ],
)
def test_accept_headers_choose_the_representation(accept: str, form: str, media: str) -> None:
    """T-31 and T-34: first acceptable, by quality."""
    assert negotiate(accept, True, ("Table",)) == Representation(form, media)


def test_nothing_acceptable_is_406() -> None:
    """8.3."""
    with pytest.raises(StatusError) as caught:
        negotiate("text/html", True, ())
    assert caught.value.code == 406


def test_versions_are_ranked_as_kubernetes_does() -> None:
    """T-31: stable before beta before alpha before anything else."""
    shuffled = ["foo1", "v1alpha1", "v2beta1", "v1", "v11alpha2", "v10", "v2", "bar", "v1beta10", "v1beta2"]
    assert sorted(shuffled, key=version_rank) == [
        "v10",
        "v2",
        "v1",
        "v2beta1",
        "v1beta10",
        "v1beta2",
        "v11alpha2",
        "v1alpha1",
        "bar",
        "foo1",
    ]
