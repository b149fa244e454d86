"""Regular expressions, URLs and base64."""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlsplit

from eso_core.testing.apiserver.schema.cel.errors import EvaluationError
from eso_core.testing.apiserver.schema.cel.overloads import Library
from eso_core.testing.apiserver.schema.cel.types import Type
from eso_core.testing.apiserver.schema.cel.values import register_type
from eso_core.testing.apiserver.schema.formats import FORMATS
from eso_core.testing.apiserver.schema.patterns import PatternError, compile_program

LIBRARY: Final = Library()
declare = LIBRARY.declare


def _program(pattern: str) -> Any:
    try:
        return compile_program(pattern)
    except PatternError as error:
        raise EvaluationError(str(error)) from error


@declare("matches(string, string) -> bool", "string :: matches(string) -> bool")
def _matches(text: str, pattern: str) -> bool:
    return _program(pattern).search(text) is not None


@declare("string :: find(string) -> string")
def _find(text: str, pattern: str) -> str:
    match = _program(pattern).search(text)
    return match.group() if match is not None else ""


@declare("string :: findAll(string) -> list(string)", "string :: findAll(string, int) -> list(string)")
def _find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    found = [match.group() for match in _program(pattern).finditer(text)]
    return found if limit < 0 else found[:limit]


class Url:
    """A parsed URL. Equal to another of the same text."""

    __slots__ = ("parts", "text")

    def __init__(self, text: str, parts: SplitResult) -> None:
        self.text = text
        self.parts = parts

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Url) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)


register_type(Url, Type("kubernetes.URL"))


@declare("url(string) -> kubernetes.URL")
def _url(text: str) -> Url:
    if not FORMATS["uri"](text):
        raise EvaluationError(f'URL parse error during conversion from string: parse "{text}": invalid URI for request')
    return Url(text, urlsplit(text))


@declare("isURL(string) -> bool")
def _is_url(text: str) -> bool:
    return FORMATS["uri"](text)


@declare("kubernetes.URL :: getScheme() -> string")
def _scheme(url: Url) -> str:
    return url.parts.scheme


@declare("kubernetes.URL :: getHost() -> string")
def _host(url: Url) -> str:
    return url.parts.netloc.rpartition("@")[2]


@declare("kubernetes.URL :: getHostname() -> string")
def _hostname(url: Url) -> str:
    host = _host(url)
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


@declare("kubernetes.URL :: getPort() -> string")
def _port(url: Url) -> str:
    host = _host(url)
    rest = host.rpartition("]")[2] if host.startswith("[") else host
    return rest.partition(":")[2]


@declare("kubernetes.URL :: getEscapedPath() -> string")
def _path(url: Url) -> str:
    return quote(unquote(url.parts.path), safe="/$&+,:;=@!'()*~-._")


@declare("kubernetes.URL :: getQuery() -> map(string, list(string))")
def _query(url: Url) -> dict[str, list[str]]:
    return parse_qs(url.parts.query, keep_blank_values=True)


@declare("base64.encode(bytes) -> string")
def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


@declare("base64.decode(string) -> bytes")
def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error as error:
        raise EvaluationError("illegal base64 data") from error
