"""URLs."""

from __future__ import annotations

from typing import Any

from controllers.templating.functions.registry import FunctionError, function
from controllers.templating.gotemplate.urls import Url, UrlError, parse_url
from controllers.templating.gotemplate.values import kind_of

__all__: list[str] = []

GROUP = "URLs"


@function("urlParse", "string", "The parts of a URL: scheme, host, hostname, path, query, opaque, fragment, userinfo.",
          group=GROUP, example='{{ (urlParse "https://u:p@db:5432/x?y=1").host }}', result="db:5432")  # fmt: skip
def url_parse(text: bytes) -> dict[bytes, Any]:
    try:
        url = parse_url(text)
    except UrlError as error:
        raise FunctionError(f"unable to parse url: {error}") from None
    return {
        b"scheme": url.scheme,
        b"host": url.host,
        b"hostname": url.hostname(),
        b"path": url.path,
        b"query": url.query,
        b"opaque": url.opaque,
        b"fragment": url.fragment,
        b"userinfo": url.user.text() if url.user is not None else b"",
    }


def _part(parts: dict[bytes, Any], key: str) -> bytes:
    value = parts.get(key.encode(), b"")
    if isinstance(value, bytes):
        return value
    if value is None:
        raise FunctionError("runtime error: invalid memory address or nil pointer dereference")
    raise FunctionError(f"unable to parse {key} key, must be of type string, but {kind_of(value)} found")


@function("urlJoin", "map[string]interface {}", "The URL of its parts, as urlParse gives them.", group=GROUP,
          example='{{ urlJoin (dict "scheme" "https" "host" "h:1" "path" "/a b") }}', result="https://h:1/a%20b")  # fmt: skip
def url_join(parts: dict[bytes, Any]) -> bytes:
    scheme, host, path, query, opaque, fragment, userinfo = (
        _part(parts, key) for key in ("scheme", "host", "path", "query", "opaque", "fragment", "userinfo")
    )
    user = None
    if userinfo:
        try:
            user = parse_url(b"proto://" + userinfo + b"@host").user
        except UrlError as error:
            raise FunctionError(f"unable to parse userinfo in dict: {error}") from None
    return Url(scheme, opaque, user, host, path, query, fragment).text()
