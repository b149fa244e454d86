"""Random templates over the whole grammar and all functions: what holds for each of them."""

from __future__ import annotations

import random
import time

import pytest

from controllers.templating import Budget, ExecError, ParseError, TemplateError, compile, render
from controllers.templating.functions.loading import load
from controllers.templating.functions.registry import Function

DATA = {
    "a": b"x",
    "b": b"",
    "n": b"42",
    "s": b"Hello, World 1.5",
    "u": "größe ✓".encode(),
    "raw": b"\xff\x00\xfe",
    "l": b"a,b,c",
    "j": b'{"a":null,"b":[1,2.5,"s",null,{"k":"v"}],"n":5,"o":{"x":{"y":"z"}},"t":true,"e":[],"m":{}}',
    "y": b"a: 1\nb: [x, y]\n",
}
BUDGET = Budget(output_bytes=1 << 20, allocated_bytes=1 << 24, steps=20_000, seconds=5)

TEXTS = ['"x"', '""', '"a b"', '"42"', '"0x1F"', '"1.5"', '"-7"', "`raw\\n`", '"\\xff\\n"', '"größe"', '","', '"a,b"', '"true"', '"%v"', '"%d-%s"',
         '"(a+)"', '"k"', '"2006-01-02"', '"1h"', '"1.2.3"', '"{\\"a\\":[1,null]}"', '"_0"', '"-"', '"HTTPServer foo_bar"']  # fmt: skip
NUMBERS = ["0", "1", "2", "3", "-1", "5", "10", "0x1F", "017", "1_000", "'a'", "'\\n'"]
FLOATS = ["1.5", "-0.25", "2.0", "1e3", "1e21", "0x1p4", "1e-7", ".5", "100000.0", "1234567.0"]
LISTS = ["(list)", '(list 1 "a" nil true)', '(splitList "," .l)', "(until 3)", '(list "b" "a")', "(fromJson .j).b", "(list 1 1 2.0)", '(list (list 1) (dict "k" 1))']  # fmt: skip
DICTS = [
    "(dict)",
    '(dict "k" 1)',
    '(dict "a" "x" "b" (dict "c" nil))',
    "(fromJson .j)",
    "(fromJson .j).o",
    '(split "," .l)',
    "$",
]
OTHER = ["nil", "1i", "1+2i", '(index .s 0)', '(toDate "2006-01-02" "2024-02-29")', '(duration "90m")', '(semver "1.2.3-rc1+b")',
         "(add 1 2)", "(int64 7)", "(first list)", ".", "(fromJson .j).a", '(regexFindAll "z" "a" -1)', "(float64 .n)", "(not 1)"]  # fmt: skip
FIELDS = [".a", ".b", ".n", ".s", ".u", ".raw", ".l", ".j", ".nope", ".a.b", "$.a", "$.s", "$", ".", "$x", "$y", "(fromJson .j).o.x.y",
          "(fromJson .j).b.x", '(dict "k" 1).k', '(split "," .l)._1', "$x.y", "(index (fromJson .j).b 4).k", ".j.b"]  # fmt: skip
BUILT_IN = {
    "and": ("any", "...any"), "or": ("any", "...any"), "not": ("any",), "len": ("list",), "index": ("list", "...int"), "eq": ("any", "...any"),
    "ne": ("any", "any"), "lt": ("int", "int"), "le": ("string", "string"), "gt": ("any", "any"), "ge": ("float64", "float64"),
    "html": ("...any",), "js": ("...any",), "urlquery": ("...any",), "print": ("...any",), "println": ("...any",), "printf": ("string", "...any"),
    "call": ("any", "...any"),
}  # fmt: skip
FORMATS = ['"%v"', '"%d"', '"%s|%q"', '"%5.2f"', '"%x"', '"%T"', '"%+v %#v"', '"%t"', '"%05d"', '"%c%U"', '"%e"', '"%-8s|"', '"%[2]v %[1]v"', '"%*d"', '"%%"', '"%g"', '"%b"', '"%o"', '"%6.3v"', '"% x"']  # fmt: skip


class Generator:
    """Templates from a seed."""

    def __init__(self, seed: int, functions: dict[str, tuple[str, ...]]) -> None:
        self.random = random.Random(seed)
        self.names = sorted(functions)
        self.mischief = 0.1
        self.blocks = 0
        self.functions = functions

    def pick(self, *choices: str) -> str:
        return self.random.choice(choices)

    def operand(self, param: str, depth: int) -> str:
        """Something for a parameter of a type; now and then for another one."""
        chance = self.random.random()
        if chance < self.mischief:
            param = self.pick("string", "int", "float64", "bool", "map", "list", "any")
        elif chance < self.mischief + 0.12 and depth > 0:
            return f"({self.pipeline(depth - 1)})"
        if self.random.random() < 2 * self.mischief:
            return self.random.choice(FIELDS)
        if param == "string":
            return self.random.choice(TEXTS + FIELDS[:8])
        if param in ("int", "int64", "uint32"):
            return self.random.choice([*NUMBERS, "2.0", "(int .n)", "(len .s)"])
        if param == "float64":
            return self.random.choice(NUMBERS + FLOATS)
        if param == "bool":
            return self.pick("true", "false", "(eq 1 1)", "(empty .b)")
        if param.startswith("map"):
            return self.random.choice(DICTS)
        if param in ("list", "[]interface {}"):
            return self.random.choice(LISTS)
        return self.random.choice(TEXTS[:12] + NUMBERS[:6] + FLOATS[:5] + LISTS + DICTS + OTHER + ["true", "false"])

    def command(self, depth: int, *, piped: bool = False) -> str:
        if not piped and self.random.random() < 0.35:
            return self.operand("any", depth)
        name = self.random.choice(self.names)
        params = self.functions[name]
        words = [name]
        fixed = [param for param in params if not param.startswith("...")]
        if params and params[-1].startswith("..."):
            fixed += [params[-1][3:]] * self.random.randrange(4)
        if piped:
            fixed = fixed[:-1]
        if self.random.random() < self.mischief / 3:
            fixed = fixed[1:] if self.random.random() < 0.5 else [*fixed, "any"]
        words += [self.operand(param, depth) for param in fixed]
        if name == "printf" and len(words) > 1:
            words[1] = self.random.choice(FORMATS)
        return " ".join(words)

    def pipeline(self, depth: int) -> str:
        stages = [self.command(depth)]
        while self.random.random() < 0.1 + self.mischief:
            stages.append(self.command(depth, piped=True))
        return " | ".join(stages)

    def action(self, body: str) -> str:
        left, right = self.pick("{{", "{{ ", "{{- "), self.pick("}}", " }}", " -}}")
        return left + body + right

    def statement(self, depth: int, *, in_range: bool) -> str:
        kind = self.random.random()
        if kind < 0.25:
            return self.pick("text", " ", "\n", "a b\n\t", "x=", "}} {", "é")
        if kind < 0.6 or depth == 0:
            return self.action(self.pipeline(2))
        if kind < 0.68:
            return self.action(f"{self.pick('$x', '$y')} {self.pick(':=', ':=', '=')} {self.pipeline(1)}")
        body = self.body(depth - 1, in_range=in_range)
        if kind < 0.78:
            other = self.pick("", "{{else}}" + self.body(depth - 1, in_range=in_range), "{{else if .a}}q{{else}}r")
            return self.action(f"if {self.pick('', '$x := ')}{self.pipeline(1)}") + body + other + "{{end}}"
        if kind < 0.85:
            other = self.pick("", "{{else}}e", "{{else with .n}}{{.}}")
            return self.action(f"with {self.pick('', '$y := ')}{self.pipeline(1)}") + body + other + "{{end}}"
        if kind < 0.95:
            head = self.pick("", "$x := ", "$x, $y := ", "$y = ", "$x, $y = ")
            over = self.random.choice([*LISTS, *DICTS, "3", "(add 1 1)", ".s", self.pipeline(1)])
            other = self.pick("", "{{else}}none{{$x}}")
            return self.action(f"range {head}{over}") + self.body(depth - 1, in_range=True) + other + "{{end}}"
        if kind < 0.97:
            return (
                self.action(self.pick("break", "continue")) if in_range else self.pick("{{/* c */}}", "{{- /* c */ -}}")
            )
        if self.random.random() < self.mischief:
            return self.action(self.pick('template "t" .', 'template "t"', 'template "u" .a', 'block "v" .'))
        self.blocks += 1
        return f'{{{{block "b{self.blocks}" {self.operand("any", 1)}}}}}<{{{{.}}}}>{{{{end}}}}'

    def body(self, depth: int, *, in_range: bool) -> str:
        return "".join(self.statement(depth, in_range=in_range) for _ in range(self.random.randrange(1, 4)))

    def template(self) -> str:
        self.mischief = self.random.choice((0.0, 0.01, 0.1))
        head = self.pick(
            "" if self.mischief == 0.1 else "{{$x := 1}}{{$y := 2}}",
            "{{$x := 1}}{{$y := .a}}",
            "{{$x := .s}}{{$y := list 1 2}}",
            "{{$x := fromJson .j}}{{$y := nil | default 5}}",
        )
        if self.random.random() < 0.2:
            head += '{{define "t"}}' + self.body(1, in_range=False) + "{{end}}"
        return head + self.body(3, in_range=False)

    def damaged(self) -> str:
        """A template with pieces missing, doubled or from elsewhere."""
        text = self.template()
        for _ in range(self.random.randrange(1, 3)):
            at = self.random.randrange(len(text) + 1)
            to = min(len(text), at + self.random.randrange(4))
            text = (
                text[:at]
                + self.pick(
                    "",
                    "{{",
                    "}}",
                    "|",
                    "(",
                    ")",
                    "$",
                    ".",
                    '"',
                    "`",
                    "'",
                    ":=",
                    ",",
                    " ",
                    "end",
                    "-",
                    "nil",
                    "\n",
                    "é",
                    "{{end}}",
                    "{{else}}",
                    "/*",
                )
                + text[to:]
            )
        return text


def callable_in_tests(function: Function) -> bool:
    """Without what is random, reads the clock or takes long."""
    return function.pure and not function.heavy


FUNCTIONS = {name: function.params for name, function in load().items() if callable_in_tests(function)} | BUILT_IN


def outcome(template: str, **options: object) -> tuple[str, object]:
    try:
        return "output", render(template, DATA, budget=BUDGET, **options)  # type: ignore[arg-type]
    except ParseError as error:
        return "parse", str(error)
    except ExecError as error:
        return "exec", str(error)


@pytest.mark.parametrize("seed", range(20))
def test_random_templates_end_in_output_or_a_template_error(seed: int) -> None:
    """No other exception leaves, none takes long, and the same template does the same again."""
    generator = Generator(seed, FUNCTIONS)
    for number in range(60):
        template = generator.damaged() if number % 3 == 0 else generator.template()
        started = time.process_time()
        first = outcome(template)
        assert time.process_time() - started < 5, template
        assert outcome(template) == first, template


@pytest.mark.parametrize("seed", range(10))
def test_random_bytes_never_break_the_parser(seed: int) -> None:
    """Any bytes are a template or are refused as one."""
    source = random.Random(seed)
    pieces = [b"{{", b"}}", b" -}}", b"{{- ", b"/*", b"*/", b"\xff", b"\xc3", b'"', b"`", b"'", b"$", b".", b"(", b")", b"|", b":=", b"range", b"end", b"\n", b" ", b"1", b"0x", b"e", b"_", b"i", b"\\", b"\x00"]  # fmt: skip
    for _ in range(300):
        text = b"".join(source.choice(pieces) for _ in range(source.randrange(1, 25)))
        try:
            compile(text)
        except ParseError:
            continue


def test_text_without_actions_is_copied_byte_for_byte() -> None:
    """All bytes survive, valid UTF-8 or not."""
    every = bytes(range(256)) * 3
    assert render(every, {}) == every


@pytest.mark.parametrize("value", [b"", b"\x00", b"\xff\xfe", bytes(range(256)), "größe ✓ 𝄞".encode()])
def test_values_are_printed_byte_for_byte(value: bytes) -> None:
    """A value that is printed, held by a variable, listed or passed through base64 is the same afterwards."""
    template = "{{ .v }}|{{ $x := .v }}{{ $x }}|{{ index (list .v) 0 }}|{{ .v | b64enc | b64dec }}|{{ range list .v }}{{ . }}{{ end }}"
    assert render(template, {"v": value}) == b"|".join([value] * 5)


def test_errors_hold_no_values_of_the_data() -> None:
    """Whatever fails in the engine itself names keys and types, and never quotes what a key holds."""
    secret = "hunter2-secret"
    for template in (
        "{{ .k.x }}",
        "{{ .nope }}",
        "{{ add1 | .k }}",
        "{{ upper .k 1 }}",
        "{{ until .k }}",
        "{{ lt .k 1 }}",
        "{{ .k | len | .k }}",
    ):
        with pytest.raises(TemplateError) as caught:
            render(template, {"k": secret.encode()})
        assert secret not in str(caught.value)
        assert secret not in repr(caught.value.place)
