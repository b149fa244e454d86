"""Trees of templates, and what is no template."""

from __future__ import annotations

import pytest

from controllers.templating import ParseError
from controllers.templating.gotemplate.literals import parse_complex, parse_float, parse_integer, read_number
from controllers.templating.gotemplate.nodes import Action, Branch, Number, Pipe, Text, source
from controllers.templating.gotemplate.parser import parse


def tree(text: str, name: str = "tpl") -> list[object]:
    return list(parse(name, text.encode(), {"f", "g", "print"}, b"{{", b"}}")[name.encode()].root.nodes)


def refusal(text: str) -> str:
    with pytest.raises(ParseError) as caught:
        tree(text)
    return str(caught.value).removeprefix("template: tpl:")


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("{{  .a.b   }}", "{{.a.b}}"),
        ('{{ f  .a "x" `y` }}', '{{f .a "x" `y`}}'),
        ("{{ $x:=1|f }}", "{{$x := 1 | f}}"),
        ("{{ (f 1).a.b }}", "{{(f 1).a.b}}"),
        ("{{ f.a (g (f 1)) true nil }}", "{{f.a (g (f 1)) true nil}}"),
        ("{{ $.a.b }}", "{{$.a.b}}"),
        ("{{ template `n` .a }}", '{{template "n" .a}}'),
        ("{{ .a | }}", "{{.a}}"),
    ],
)
def test_the_source_form_of_a_node_is_re_spaced(text: str, form: str) -> None:
    """Messages quote nodes in this form."""
    (node,) = tree(text)
    assert str(node) == form


def test_the_source_form_of_deep_nesting_needs_no_stack() -> None:
    """Ten thousand parentheses are written as they were read."""
    text = "(" * 9_999 + "1" + ")" * 9_999
    (action,) = tree("{{" + text + "}}")
    assert isinstance(action, Action)
    assert source(action) == "{{" + text + "}}"


def test_more_parentheses_than_go_takes_are_refused() -> None:
    """The bound is ten thousand."""
    assert refusal("{{" + "(" * 10_001 + "1" + ")" * 10_001 + "}}") == "1: max expression depth exceeded"


def test_else_if_nests_in_the_else_part() -> None:
    """Each `else if` is the only statement of the branch before it."""
    (branch,) = tree("{{if .a}}1{{else if .b}}2{{else}}3{{end}}")
    assert isinstance(branch, Branch) and branch.otherwise is not None
    (inner,) = branch.otherwise.nodes
    assert isinstance(inner, Branch) and inner.otherwise is not None
    assert isinstance(inner.otherwise.nodes[0], Text) and inner.otherwise.nodes[0].value == b"3"


def test_a_range_declares_up_to_two_variables() -> None:
    """Index and element."""
    (branch,) = tree("{{range $i, $e := .l}}{{$i}}{{$e}}{{end}}")
    assert isinstance(branch, Branch) and isinstance(branch.pipe, Pipe)
    assert [variable.names for variable in branch.pipe.declares] == [(b"$i",), (b"$e",)]


def test_definitions_are_trees_of_their_own() -> None:
    """A block is a definition and a call; an empty definition does not replace another."""
    trees = parse(
        "tpl", b'{{define "a"}}1{{end}}{{define "a"}} {{/* */}}{{end}}{{block "b" .}}2{{end}}', set(), b"{{", b"}}"
    )
    assert sorted(trees) == [b"a", b"b", b"tpl"]
    assert not trees[b"a"].empty


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{}}", "1: missing value for command"),
        ("{{if}}{{end}}", "1: missing value for if"),
        ("{{()}}", "1: missing value for parenthesized pipeline"),
        ("{{if .a}}", "1: unexpected EOF"),
        ("{{end}}", "1: unexpected {{end}}"),
        ("{{if .a}}{{else}}{{else}}{{end}}", "1: expected end; found {{else}}"),
        ("{{with .a}}{{else if .b}}{{end}}", "1: unexpected <if> in input"),
        ("{{break}}", "1: {{break}} outside {{range}}"),
        ('{{range .}}{{block "b" .}}{{continue}}{{end}}{{end}}', "1: {{continue}} outside {{range}}"),
        ('{{if .a}}{{define "x"}}{{end}}{{end}}', "1: unexpected <define> in command"),
        ('{{define "x"}}1{{end}}{{define "x"}}2{{end}}', '1: template: multiple definition of template "x"'),
        ('{{define "tpl"}}1{{end}}2', '1: template: multiple definition of template "tpl"'),
        ("{{nope}}", '1: function "nope" not defined'),
        ("{{$x}}", '1: undefined variable "$x"'),
        ("{{$x, $y := 1}}", "1: too many declarations in command"),
        ("{{range $x, $y, $z := .}}{{end}}", "1: too many declarations in range"),
        ("{{range $x, 1}}{{end}}", "1: range can only initialize variables"),
        ("{{1 | 2}}", "1: non executable command in pipeline stage 2"),
        ('{{"a".b}}', '1: unexpected . after term "\\"a\\""'),
        ("{{.a..b}}", "1: unexpected <.> in operand"),
        ("{{template x}}", '1: unexpected "x" in template clause'),
        ("\n{{ .a\n\n", "4: unclosed action started at tpl:2"),
        ("{{'ab'}}", "1: malformed character constant: 'ab'"),
        ('{{"\\q"}}', "1: invalid syntax"),
        ("{{08}}", '1: integer overflow: "08"'),
        ("{{- 1 - 1}}", '1: illegal number syntax: "-"'),
    ],
)  # fmt: skip
def test_what_is_no_template_is_refused_in_the_words_of_go(text: str, message: str) -> None:
    """With the name of the template and the line."""
    assert refusal(text) == message


def test_a_refusal_says_its_line_as_a_number() -> None:
    """So that callers need not read the text."""
    with pytest.raises(ParseError) as caught:
        tree("a\nb\n{{ nope }}")
    place = caught.value.place
    assert (place.template, place.line, place.column, place.message) == ("tpl", 3, None, 'function "nope" not defined')


@pytest.mark.parametrize(
    ("literal", "value"),
    [(b"0x1F", 31), (b"0X_1f", 31), (b"0b101", 5), (b"0o17", 15), (b"017", 15), (b"0_17", 15), (b"1_000", 1000), (b"-0", 0), (b"+3", 3),
     (b"08", None), (b"1__0", None), (b"1_", None), (b"_1", None), (b"0x", None), (b"1.0", None)],
)  # fmt: skip
def test_integers_are_read_as_go_reads_them(literal: bytes, value: int | None) -> None:
    """With prefixes and underscores where the language has them."""
    assert parse_integer(literal) == value


@pytest.mark.parametrize(
    ("literal", "value"),
    [(b"1.5", 1.5), (b".5", 0.5), (b"1.", 1.0), (b"1_0.5", 10.5), (b"1e3", 1000.0), (b"0x1p4", 16.0), (b"0x1.8p1", 3.0), (b"1e400", None),
     (b"1e_5", None), (b"1_e5", None), (b".", None), (b"0x1", None)],
)  # fmt: skip
def test_floats_are_read_as_go_reads_them(literal: bytes, value: float | None) -> None:
    """Decimal and hexadecimal; what is too large is none."""
    assert parse_float(literal) == value


def test_complex_numbers_have_two_parts() -> None:
    """Exponents have signs, too."""
    assert parse_complex(b"1+2i") == complex(1, 2)
    assert parse_complex(b"1e+2-3i") == complex(100, -3)


@pytest.mark.parametrize(
    ("literal", "number"),
    [
        (b"3", Number(0, "3", 3, 3, 3.0)),
        (b"-3", Number(0, "-3", -3, None, -3.0)),
        (b"2.0", Number(0, "2.0", 2, 2, 2.0)),
        (b"2.5", Number(0, "2.5", None, None, 2.5)),
        (b"9223372036854775808", Number(0, "9223372036854775808", None, 9223372036854775808, 9223372036854775808.0)),
        (b"0i", Number(0, "0i", 0, 0, 0.0, 0j)),
    ],
)
def test_a_number_knows_what_it_can_be_taken_for(literal: bytes, number: Number) -> None:
    """Integral floats fit integers, large integers only unsigned ones."""
    found = read_number(0, literal)
    assert (found.as_int, found.as_uint, found.as_float, found.as_complex) == (
        number.as_int, number.as_uint, number.as_float, number.as_complex,
    )  # fmt: skip
