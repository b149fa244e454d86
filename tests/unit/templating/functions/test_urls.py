"""URLs come apart and together as in Go."""

from __future__ import annotations

from typing import Any

import pytest

from controllers.templating.functions.registry import FunctionError
from controllers.templating.functions.urls import url_join, url_parse


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("https://us%40er:p%3Ass@db:8443/a%20b?x=1#fr%20ag",
         {"scheme": "https", "host": "db:8443", "hostname": "db", "path": "/a b", "query": "x=1", "fragment": "fr ag", "userinfo": "us%40er:p%3Ass"}),
        ("mailto:a@b.c", {"scheme": "mailto", "opaque": "a@b.c"}),
        ("http://[fe80::1%25en0]:80", {"scheme": "http", "host": "[fe80::1%en0]:80", "hostname": "fe80::1%en0"}),
        ("//u@h/p", {"host": "h", "hostname": "h", "path": "/p", "userinfo": "u"}),
        ("///p", {"path": "///p"}),
        ("http://é/", {"scheme": "http", "host": "é", "hostname": "é", "path": "/"}),
        ("*", {"path": "*"}),
        ("", {}),
    ],
)  # fmt: skip
def test_urls_are_taken_apart(text: str, parts: dict[str, str]) -> None:
    """The path decoded, the query raw, the user as it is written."""
    found = url_parse(text.encode())
    assert {k.decode(): v.decode() for k, v in found.items() if v} == parts
    assert len(found) == 8


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("http://a b", 'parse "http://a b": invalid character " " in host name'),
        ("http://h:x/", 'parse "http://h:x/": invalid port ":x" after host'),
        ("http://[::1", "parse \"http://[::1\": missing ']' in host"),
        ("http://[1.2.3.4]", 'parse "http://[1.2.3.4]": invalid IP-literal'),
        ("http://h/%zz#a", 'parse "http://h/%zz": invalid URL escape "%zz"'),
        ("http://h#%zz", 'parse "http://h#%zz": invalid URL escape "%zz"'),
        ("1:b", 'parse "1:b": first path segment in URL cannot contain colon'),
        (":a", 'parse ":a": missing protocol scheme'),
        ("http://u x@h", 'parse "http://u x@h": net/url: invalid userinfo'),
        ("a\x7f", 'parse "a\\x7f": net/url: invalid control character in URL'),
    ],
)
def test_bad_urls_are_refused_with_gos_words(text: str, message: str) -> None:
    """The message quotes the URL."""
    with pytest.raises(FunctionError) as raised:
        url_parse(text.encode())
    assert str(raised.value) == f"unable to parse url: {message}"


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ({"scheme": "https", "userinfo": "u:p@", "host": "h:1", "path": "/a b", "query": "q=1", "fragment": "f x"}, "https://u:p%40@h:1/a%20b?q=1#f%20x"),
        ({}, ""),
        ({"host": "h", "path": "p"}, "//h/p"),
        ({"path": "a:b"}, "./a:b"),
        ({"scheme": "s", "opaque": "o", "path": "ignored"}, "s:o"),
    ],
)  # fmt: skip
def test_urls_are_put_together(parts: dict[str, str], text: str) -> None:
    """Parts are escaped as their place needs."""
    assert url_join({k.encode(): v.encode() for k, v in parts.items()}) == text.encode()


@pytest.mark.parametrize(("value", "words"), [(1, "of type string, but int found"), (None, "nil pointer")])
def test_parts_are_text(value: Any, words: str) -> None:
    """Other values are refused by their kind."""
    with pytest.raises(FunctionError, match=words):
        url_join({b"host": value})
    with pytest.raises(FunctionError, match="unable to parse userinfo in dict"):
        url_join({b"userinfo": b" "})
