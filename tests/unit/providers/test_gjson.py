"""The path language of properties."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.errors import InvalidData
from providers.gjson import Kind, get
from providers.gjson.path import wildcard_match
from providers.gjson.result import _end_of_invalid_container, end_of_value

DOCUMENT = (
    '{"user":"bob","port":5432,"ratio":1.50,"exp":1e3,"big":12345678901234567890,"ok":true,"none":null,"a.b":"dotted",\n'
    ' "a":{"b":"nested","list":[{"n":"x","v":1},{"n":"y","v":2}],"tags":["p","q"]},"file.txt":"F","obj":{"0":"zero"},'
    '"email@x":"mail","esc":"l\\n\\u00e9"}'
)


def text(document: str, path: str) -> str | None:
    found = get(document, path)
    return None if found is None else found.text


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("user", "bob"),
        ("port", "5432"),
        ("ratio", "1.5"),
        ("exp", "1000"),
        ("big", "12345678901234567890"),
        ("none", ""),
        ("ok", "true"),
        ("esc", "l\né"),
        ("a.b", "nested"),
        (r"a\.b", "dotted"),
        ("file.txt", None),
        (r"file\.txt", "F"),
        ("us*", "bob"),
        ("use?", "bob"),
        (r"us\*", None),
        ("obj.0", "zero"),
        ("a.tags.-1", None),
        ("a.tags.2", None),
        ("a.tags.x", None),
        ("user.x", None),
        ("nope", None),
        ("User", None),
        ("a.list.1", '{"n":"y","v":2}'),
        ("a.list.#", "2"),
        ("a.list.#.n", '["x","y"]'),
        ("a.list.#.zz", "[]"),
        ('a.list.#(n=="y").v', "2"),
        ('a.list.#[n=="y"].v', "2"),
        ("a.list.#(v>1)#.n", '["y"]'),
        ('a.list.#(n=="zz").v', None),
        ('a.list.#(n=="zz")#.v', "[]"),
        ("a.list|1|n", "y"),
        ("a.tags.@reverse", '["q","p"]'),
        ("a.list.0.@keys", '["n","v"]'),
        ("a.list.0.@values", '["x",1]'),
        ("{user,p:port}", '{"user":"bob","p":5432}'),
        ('{user,"p":a.list.0.v,gone}', '{"user":"bob","p":1}'),
        ("[user,port]", '["bob",5432]'),
        ("@this.user", "bob"),
        ("email@x", "mail"),
        ("@foo", None),
        ('!"lit"', "lit"),
        ("!true", "true"),
        ("", None),
    ],
)
def test_paths_find_what_the_original_finds(path: str, expected: str | None) -> None:
    """The vectors of the path language."""
    assert text(DOCUMENT, path) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("f.#(nets.#(=='fb'))#.first", "[]"),
        ('f.#(nets.#(=="fb"))#.first', '["Dale"]'),
        ('f.#(first%"D*").age', "44"),
        ('f.#(first!%"D*").age', "47"),
        ("f.#(age>45)#|0.first", "Jane"),
        ("f.#.first|0", "Dale"),
        ("f.#(age)#|#", "2"),
        ('f.#(first!="Dale").{first,"years":age}', '{"first":"Jane","years":47}'),
        ("vals.#(a==~true)#", '[{"a":1},{"a":true},{"a":"1"}]'),
        ("vals.#(a==~false)#", '[{"a":null},{"c":2},{"a":0}]'),
        ("vals.#(a==~null)#", '[{"a":null},{"c":2}]'),
        ("vals.#(a==~*)#|#", "5"),
        ("f.#(age>=47).first", "Jane"),
        ("n.@flatten", "[1,[2],3]"),
        ('n.@flatten:{"deep":true}', "[1,2,3]"),
        ("n.#.@this.0", "[1,3]"),
        ("f.@join", '{"first":"Jane","age":47,"nets":["tw"]}'),
        ("@dig:first", '["Dale","Jane"]'),
        ("columns.@group", '[{"id":1,"v":"a"},{"id":2,"v":"b"}]'),
        ("f.0.first.@tostr", '"Dale"'),
        ("text.@fromstr.k", "v"),
        ("n.@valid", "[[1,[2]],[3]]"),
        ("spaced.@ugly", '{"k":[1,2]}'),
        ("f.0.@pretty", '{\n  "first": "Dale",\n  "age": 44,\n  "nets": ["ig", "fb"]\n}\n'),
    ],
)
def test_queries_and_modifiers(path: str, expected: str) -> None:
    """Filters, truthiness and the modifiers."""
    document = (
        '{"n":[[1,[2]],[3]],"f":[{"first":"Dale","age":44,"nets":["ig","fb"]},{"first":"Jane","age":47,"nets":["tw"]}],'
        '"vals":[{"a":1},{"a":true},{"a":"1"},{"a":null},{"c":2},{"a":0}],"columns":{"id":[1,2],"v":["a","b"]},'
        '"text":"{\\"k\\":\\"v\\"}","spaced":{ "k" : [ 1 , 2 ] }}'
    )
    assert text(document, path) == expected


def test_a_key_that_occurs_twice_is_tried_again_when_the_rest_of_the_path_fails() -> None:
    """The first occurrence wins unless the rest of the path fails in it."""
    assert text('{"a":{"x":1},"a":{"x":2,"y":3}}', "a.x") == "1"
    assert text('{"a":{"x":1},"a":{"x":2,"y":3}}', "a.y") == "3"
    assert text('{"k1":{"v":1},"k2":{"u":2}}', "k*.u") == "2"


def test_documents_are_not_validated() -> None:
    """Leading garbage is skipped, and text without brackets has no properties."""
    assert text('log: {"a": 1} and more', "a") == "1"
    assert text("user=u", "user") is None
    assert text("[1,2", "1") == "2"
    assert text('{"a":{"b":1', "a.b") == "1"
    assert text("", "a") is None


def test_json_lines_are_an_array() -> None:
    """A path starting with two dots reads a document of JSON lines."""
    lines = '{"a":1}\n{"a":2}\n'
    assert text(lines, "..1.a") == "2"
    assert text(lines, "..#.a") == "[1,2]"
    assert text(lines, "..#") == "2"


def test_numbers_become_plain_decimals() -> None:
    """Integers keep their digits, other numbers print as the shortest double without exponent."""
    assert text('{"n":-7}', "n") == "-7"
    assert text('{"n":1e21}', "n") == "1000000000000000000000"
    assert text('{"n":1.25e-7}', "n") == "0.000000125"
    assert text('{"n":0.1}', "n") == "0.1"


def test_raw_text_of_objects_is_unchanged() -> None:
    """Objects and arrays come with the spacing and spelling of the document."""
    found = get('{"o": {"b" : 1.50 , "a":[1, 2]} }', "o")
    assert found is not None
    assert (found.kind, found.text) == (Kind.OBJECT, '{"b" : 1.50 , "a":[1, 2]}')


def test_repr_shows_no_content() -> None:
    """A result in a log line or traceback does not give the secret away."""
    assert "bob" not in repr(get(DOCUMENT, "user"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(min_size=1), JSON, max_size=5))
def test_every_member_is_found_under_its_escaped_name(document: dict[str, object]) -> None:
    """Whatever a key consists of, escaping each character addresses it."""
    raw = json.dumps(document)
    for key, value in document.items():
        found = get(raw, "".join("\\" + char for char in key))
        assert found is not None
        if isinstance(value, str):
            assert found.text == value
        else:
            assert json.loads(found.raw) == value


@given(JSON, st.text(max_size=5))
def test_both_ways_to_skip_a_value_agree(value: object, tail: str) -> None:
    """The fast one for valid JSON, the other for everything."""
    raw = json.dumps({"v": value}, ensure_ascii=False)
    assert end_of_value(raw + "," + tail, 0) == len(raw)
    assert _end_of_invalid_container(raw + "," + tail, 0) == len(raw)


def test_deep_nesting_is_no_problem() -> None:
    """Deeper than Python's own JSON decoder goes."""
    raw = '{"a":' + "[" * 1_500 + "]" * 1_500 + ',"b":1}'
    assert text(raw, "b") == "1"
    for path in ('a.@flatten:{"deep":true}', ".".join(["a"] + ["0"] * 5_000), "@ugly"):
        with pytest.raises(InvalidData, match="nested too deeply"):
            get(raw, path)


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_document_and_no_path_breaks_it(document: str, path: str) -> None:
    """Any text in, an answer out."""
    get(document, path)
    get('{"a":[{"b":1},2,"x"]}', path)


@pytest.mark.parametrize("path", ["*a*a*a*a*a*a*a*a*a*a*b", 'l.#(%"*a*a*a*a*a*a*a*a*a*a*b")'])
def test_wildcards_cannot_hold_up_the_operator(path: str) -> None:
    """As regular expressions they took time that doubles with each star."""
    many = "a" * 20_000
    assert get(f'{{"{many}":1,"l":["{many}"]}}', path) is None


@given(st.text("ab*?\\\n.", max_size=12), st.text("ab*?\n.", max_size=12))
def test_wildcards_cover_what_they_covered_as_regular_expressions(pattern: str, wanted: str) -> None:
    """`*` is any text, `?` any character, after a backslash each stands for itself."""
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    shown = {"*": ".*", "?": "."}
    expected = "".join(shown.get(part) or re.escape(part[-1]) for part in parts)
    assert wildcard_match(wanted, pattern) == (re.fullmatch(expected, wanted, re.DOTALL) is not None)
