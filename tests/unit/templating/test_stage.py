"""Templates of an object: sources, scopes, errors."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from controllers.templating.redaction import redacted
from controllers.templating.stage import KEYS_AND_VALUES, VALUES, Stage, StageFailed, TemplateSettings, prefixed


class Maps:
    """ConfigMaps and Secrets by kind and name."""

    def __init__(self, **data: dict[str, bytes]) -> None:
        self._data = data

    async def read(self, kind: str, namespace: str, name: str) -> Mapping[str, bytes]:
        return self._data[kind]


async def test_pieces_come_in_order_with_scope_and_target() -> None:
    """ConfigMap, Secret, literal; items in list order."""
    entry = {
        "target": "labels",
        "literal": "l: {{ .a }}",
        "secret": {"name": "s", "items": [{"key": "k", "templateAs": "KeysAndValues"}]},
        "configMap": {"name": "c", "items": [{"key": "two"}, {"key": "one"}]},
        "valuesDecodingStrategy": "Base64",
    }
    sources = Maps(ConfigMap={"one": b"1{{ .a }}", "two": b"2"}, Secret={"k": b"x: {{ .a }}"})
    stage = Stage(TemplateSettings(), {"a": b"A"})
    pieces = [piece async for piece in stage.sources({"templateFrom": [entry]}, sources, "t")]
    assert [(p.scope, p.text) for p in pieces] == [
        (VALUES, b"2"),
        (VALUES, b"1A"),
        (KEYS_AND_VALUES, b"x: A"),
        (KEYS_AND_VALUES, b"l: A"),
    ]
    assert {(p.target, p.decoding) for p in pieces} == {("labels", "Base64")}
    assert [stage.entries(p) for p in pieces] == [{"two": b"2"}, {"one": b"1A"}, {"x": b"A"}, {"l": b"A"}]


async def test_a_long_template_is_named_by_its_beginning() -> None:
    """In scope KeysAndValues the template is its own name; it stands in the error several times."""
    stage = Stage(TemplateSettings(), {})
    with pytest.raises(StageFailed) as caught:
        await stage.render("x" * 5000 + "{{ .n }}", "", scope=KEYS_AND_VALUES)
    assert len(str(caught.value)) < 1000


async def test_prefixes_keep_hint_and_cause() -> None:
    """What helps to mend it is not lost on the way out."""
    with pytest.raises(StageFailed) as caught, prefixed("outer: "):
        await Stage(TemplateSettings(), {"a": b"1"}).render("{{ .n }}", "K")
    assert str(caught.value).startswith("outer: unable to execute template at key K: ")
    assert caught.value.full.endswith(" (the template has the keys a)")


@pytest.mark.parametrize(
    ("template", "shown"),
    [
        ('{{ urlParse (print "http://[" .v) }}', 'parse "[hidden]": missing'),
        ('{{ mustToDate "2006" .v }}', 'parsing time "[hidden]" as "2006": cannot parse "[hidden]" as "2006"'),
        ('{{ mustToDate "S3CR3T-" .v }}', 'parsing time "[hidden]": extra text: "[hidden]"'),
    ],
)
async def test_pieces_of_values_that_functions_quote_are_hidden(template: str, shown: str) -> None:
    """A parser quotes from where it could not go on, or up to there."""
    with pytest.raises(StageFailed) as caught:
        await Stage(TemplateSettings(), {"v": b"S3CR3T-V#LUE"}).render(template, "K")
    assert shown in str(caught.value)
    assert "V#LUE" not in caught.value.full.replace(template, "")


@pytest.mark.parametrize(
    ("text", "parsed", "shown"),
    [
        ("unknown anchor 'S3CR3T' referenced", True, "unknown anchor '[hidden]' referenced"),
        ('Secret "S3CR3T" is invalid', False, 'Secret "S3CR3T" is invalid'),
        ('key "secret" and `S3C`', True, 'key "secret" and `S3C`'),
        (f'cannot read "{"x" * 300}"', True, 'cannot read "[hidden]"'),
    ],
)
def test_pieces_of_values_are_hidden_where_a_parser_quotes_them(text: str, parsed: bool, shown: str) -> None:
    """Names that the API server quotes stay."""
    assert redacted(text, {"v": b"*S3CR3T"}, parsed=parsed) == shown


@pytest.mark.parametrize(
    ("text", "data", "shown"),
    [
        ("bad value secret-1", {"a": b"secret-1"}, "bad value [hidden]"),
        ('parsing "a\\"b-c"', {"a": b'a"b-c'}, 'parsing "[hidden]"'),
        ("line 1 of 12", {"a": b"1"}, "line [hidden] of 12"),
        ("key-of-cert", {"a": b"first\nkey-of-cert\n"}, "[hidden]"),
        ("opened", {"a": b"b3BlbmVk"}, "[hidden]"),
        ("long-value and long", {"a": b"long", "b": b"long-value"}, "[hidden] and [hidden]"),
        ("nothing", {"a": b""}, "nothing"),
    ],
)
def test_values_are_hidden_in_texts(text: str, data: dict[str, bytes], shown: str) -> None:
    """Whole, by line, quoted, decoded; short ones where they stand alone."""
    assert redacted(text, data) == shown
