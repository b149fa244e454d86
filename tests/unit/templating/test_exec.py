"""Evaluation: variables, ranges, calls, methods, and where errors point."""

from __future__ import annotations

import pickle

import pytest

from controllers.templating import ExecError, Place, TemplateError, compile, render
from controllers.templating.gotemplate.values import StrMap

DATA = {
    "a": b"x",
    "empty": b"",
    "j": b'{"a":null,"l":[1,null,"s",{"k":"v"}],"n":5}',
    "list": b"x,y",
}


def output(template: str) -> str:
    return render(template, DATA).decode()


def message(template: str) -> str:
    """What comes after the name of the template."""
    with pytest.raises(ExecError) as caught:
        render(template, DATA)
    return str(caught.value).removeprefix("template: tpl:")


@pytest.mark.parametrize(
    ("template", "result"),
    [
        ("{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ end }}{{ $x }}", "2"),
        ("{{ $x := 1 }}{{ if true }}{{ $x := 2 }}{{ end }}{{ $x }}", "1"),
        ("{{ $x := 9 }}{{ if not .a }}{{ $x := 1 }}{{ else }}{{ $x }}{{ end }}", "9"),
        ("{{ if $x := .empty }}{{ else }}[{{ $x }}]{{ end }}", "[]"),
        ("{{ $y := 5 }}{{ and false ($y := 1) }}{{ $y }}", "false5"),
        ("{{ $y := 5 }}{{ and true ($y := 1) }}{{ $y }}", "11"),
        ("{{ $y := 5 }}{{ range 2 }}{{ and . ($y := 7) }}{{ $y }},{{ end }}", "05,77,"),
        ("{{ $x := 1 }}{{ $x := $x }}{{ $x }}", "1"),
        ("{{ ($x := 3) }}{{ $x }}", "33"),
    ],
)
def test_variables_are_found_by_what_was_evaluated(template: str, result: str) -> None:
    """The innermost declaration that has happened counts."""
    assert output(template) == result


@pytest.mark.parametrize(
    ("template", "result"),
    [
        ("{{ range $i, $e := splitList `,` .list }}{{ $i }}{{ $e }}{{ end }}", "0x1y"),
        ("{{ range $k, $v := dict `b` 1 `a` 2 }}{{ $k }}{{ $v }}{{ end }}", "a2b1"),
        ("{{ range 3 }}{{ . }}{{ end }}", "012"),
        ("{{ range add 1 1 }}{{ typeOf . }}{{ end }}", "int64int64"),
        ("{{ range -1 }}{{ else }}none{{ end }}", "none"),
        ("{{ range $i, $e := list }}{{ else }}{{ $i }}{{ $e }}{{ end }}", "[][]"),
        ("{{ $i := 0 }}{{ $e := 0 }}{{ range $i, $e = list 7 8 }}{{ end }}{{ $i }}{{ $e }}", "18"),
        (
            "{{ range 9 }}{{ if eq . 3 }}{{ break }}{{ end }}{{ if eq . 1 }}{{ continue }}{{ end }}{{ . }}{{ end }}",
            "02",
        ),
        ("{{ range 2 }}{{ range 5 }}{{ with 1 }}{{ break }}{{ end }}{{ end }}{{ . }}{{ end }}", "01"),
        ("{{ range (fromJson .j).l }}{{ . }};{{ end }}", "1;<no value>;s;map[k:v];"),
        ("{{ range (fromJson .j).a }}{{ else }}nil{{ end }}", "nil"),
    ],
)
def test_ranges_go_through_lists_maps_and_numbers(template: str, result: str) -> None:
    """In order; jumps leave the innermost range."""
    assert output(template) == result


@pytest.mark.parametrize(
    ("template", "result"),
    [
        ('{{ define "t" }}<{{ . }}{{ $ }}>{{ end }}{{ template "t" .a }}{{ template "t" }}', "<xx><<no value><no value>>"),
        ('{{ block "b" .a }}[{{ . }}]{{ end }}{{ template "b" 1 }}', "[x][1]"),
        ('{{ define "c" }}{{ . }}{{ if gt . 0 }}{{ template "c" (sub . 1) }}{{ end }}{{ end }}{{ template "c" (int64 3) }}', "3210"),
        ('{{ define "tpl" }}main{{ end }}', "main"),
        ("{{ with $z := .a }}{{ $z }}{{ . }}{{ $.a }}{{ end }}", "xxx"),
        ("{{ with .empty }}1{{ else with .a }}{{ . }}{{ else }}3{{ end }}", "x"),
    ],
)  # fmt: skip
def test_templates_and_with_set_dot(template: str, result: str) -> None:
    """A template sees its argument alone."""
    assert output(template) == result


@pytest.mark.parametrize(
    ("template", "result"),
    [
        ('{{ (toDate "2006-01-02" "2024-02-29").Year }}', "2024"),
        ('{{ (toDate "2006-01-02" "2024-02-29").Month.String }}', "February"),
        ('{{ ((toDate "2006-01-02" "2024-02-29").AddDate 0 0 1).Format "Jan 2" }}', "Mar 1"),
        ('{{ "2006" | (toDate "2006-01-02" "2024-02-29").Format }}', "2024"),
        ('{{ ((toDate "15:04" "10:30").Sub (toDate "15:04" "9:00")).Hours }}', "1.5"),
        ('{{ (semver "1.2.3").IncMinor }}', "1.3.0"),
        ('{{ (semver "1.2.3").Compare (semver "1.2.4") }}', "-1"),
    ],
)
def test_methods_of_times_durations_and_versions_can_be_called(template: str, result: str) -> None:
    """With operands and with a piped value."""
    assert output(template) == result


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ .nope }}", '1:3: executing "tpl" at <.nope>: map has no entry for key "nope"'),
        ("{{ .a.b }}", '1:5: executing "tpl" at <.a.b>: can\'t evaluate field b in type string'),
        ("{{ (fromJson .j).n.x }}", '1:13: executing "tpl" at <.j>: can\'t evaluate field x in type interface {}'),
        ("{{ range (fromJson .j).l }}{{ .x }}{{ end }}", '1:30: executing "tpl" at <.x>: can\'t evaluate field x in type interface {}'),
        ("{{ range splitList `,` .list }}{{ .x }}{{ end }}", '1:34: executing "tpl" at <.x>: can\'t evaluate field x in type string'),
        ("{{ range $e := (fromJson .j).l }}{{ $e.x }}{{ end }}", '1:38: executing "tpl" at <$e.x>: can\'t evaluate field x in type interface {}'),
        ("{{ $x := list 1 }}{{ $x.y }}", '1:23: executing "tpl" at <$x.y>: can\'t evaluate field y in type []interface {}'),
        ("{{ (dict `a` nil).a.b }}", '1:13: executing "tpl" at <nil>: nil pointer evaluating interface {}.b'),
        ("{{ upper (dict `a` nil).a }}", '1:19: executing "tpl" at <nil>: wrong type for value; expected string; got interface {}'),
        ("{{ upper (first list) }}", '1:16: executing "tpl" at <list>: invalid value; expected string'),
        ("{{ upper nil }}", '1:9: executing "tpl" at <nil>: cannot assign nil to string'),
        ("{{ upper 1 }}", '1:9: executing "tpl" at <1>: expected string; found 1'),
        ("{{ repeat 2.5 `x` }}", '1:10: executing "tpl" at <2.5>: expected integer; found 2.5'),
        ("{{ hasKey `a` `b` }}", '1:10: executing "tpl" at <`a`>: can\'t handle `a` for arg of type map[string]interface {}'),
        ("{{ hasKey . `b` }}", '1:10: executing "tpl" at <.>: wrong type for value; expected map[string]interface {}; got map[string]string'),
        ("{{ upper }}", '1:3: executing "tpl" at <upper>: wrong number of args for upper: want 1 got 0'),
        ("{{ .a | upper .a }}", '1:8: executing "tpl" at <upper>: wrong number of args for upper: want 1 got 2'),
        ("{{ $ 1 }}", '1:3: executing "tpl" at <$>: can\'t give argument to non-function $'),
        ("{{ .a 1 }}", '1:3: executing "tpl" at <.a>: a is not a method but has arguments'),
        ("{{ 1 | (len) }}", '1:3: executing "tpl" at <1>: can\'t give argument to non-function len'),
        ("{{ $x := $x }}", '1:9: executing "tpl" at <$x>: undefined variable: $x'),
        ("{{ $x := 1 | $x }}", '1:13: executing "tpl" at <$x>: undefined variable: $x'),
        ("{{ $x := 1 }}{{ 1 | $x }}", """1:20: executing "tpl" at <$x>: can't give argument to non-function $x"""),
        ("{{ $nope = 1 }}", '1:11: executing "tpl" at <1>: undefined variable: $nope'),
        ("{{ range $i, $e := 3 }}{{ end }}", "1:19: executing \"tpl\" at <3>: can't use 3 to iterate over more than one variable"),
        ("{{ range .a }}{{ end }}", '1:9: executing "tpl" at <.a>: range can\'t iterate over x'),
        ('{{ template "x" . }}', '1:12: executing "tpl" at <{{template "x" .}}>: template "x" not defined'),
        ('{{ define "t" }}{{ .q }}{{ end }}{{ template "t" }}', '1:19: executing "t" at <.q>: nil data; no entry for key "q"'),
        ('a\n{{ fail (printf "%s" "no") }}', '2:3: executing "tpl" at <fail (printf "%s" "no")>: error calling fail: no'),
        ("{{ eq 1 `a` }}", '1:3: executing "tpl" at <eq 1 `a`>: error calling eq: incompatible types for comparison: int and string'),
        ("{{ 9223372036854775808 }}", '1:3: executing "tpl" at <9223372036854775808>: 9223372036854775808 overflows int'),
        ("{{ now.Clock }}", '1:3: executing "tpl" at <now>: function Clock has 3 return values; should be 1 or 2'),
        ("{{ call .a }}", '1:3: executing "tpl" at <call .a>: error calling call: non-function .a of type string'),
    ],
)  # fmt: skip
def test_errors_have_the_words_and_the_place_of_go(template: str, text: str) -> None:
    """They name the node that was looked at last."""
    assert message(template) == text


def test_missing_keys_may_print_no_value() -> None:
    """Fields of what is missing are missing as well; a parameter that needs text still refuses it."""
    assert render("{{ .x.y }}|{{ .a }}|{{ if .x }}1{{ end }}", DATA, missing_keys="no value") == b"<no value>|x|"
    with pytest.raises(ExecError, match="invalid value; expected string"):
        render("{{ upper .x }}", DATA, missing_keys="no value")


def test_the_root_may_be_any_value() -> None:
    """Maps of maps, as webhooks have."""
    root = {b"remote": StrMap({b"key": b"k"})}
    assert compile("{{ .remote.key }}{{ index .remote `none` }}").render(root) == b"k"


def test_an_error_says_its_place_in_parts() -> None:
    """A missing key of the root data comes with the keys that there are, never with their values."""
    with pytest.raises(ExecError) as caught:
        render("\n  {{ .nope }}", {"b": b"1", "a": b"2"}, name="config")
    assert caught.value.place == Place(
        "config", 2, 5, ".nope", "config", 'map has no entry for key "nope"', missing_key="nope", available=("a", "b")
    )


def test_keys_of_documents_inside_of_values_are_not_told() -> None:
    """They are part of a value."""
    with pytest.raises(ExecError) as caught:
        render("{{ (fromJson .j).nope }}", DATA)
    assert (caught.value.place.missing_key, caught.value.place.available) == ("nope", None)


def test_an_error_names_the_function_that_refused() -> None:
    """Beside line and column."""
    with pytest.raises(ExecError) as caught:
        render("{{ .a }}{{ mustToDate `2006` .a }}", DATA)
    assert (caught.value.place.function, caught.value.place.line, caught.value.place.column) == ("mustToDate", 1, 11)


def test_errors_can_be_pickled() -> None:
    """With their place."""
    with pytest.raises(TemplateError) as caught:
        render("{{ .nope }}", DATA)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (type(copy), str(copy), copy.place) == (ExecError, str(caught.value), caught.value.place)


def test_surrogates_in_names_and_texts_do_no_harm() -> None:
    """Escaped bytes are these bytes, others the replacement character."""
    assert render("\ud800\udcff{{ .k }}", {"k": b"v"}, name="a\ud800") == b"\xef\xbf\xbd\xffv"
