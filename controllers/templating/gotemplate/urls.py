"""URLs as Go's net/url takes them apart and puts them together."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from msgspec import Struct

from controllers.concealed import Concealed
from controllers.templating.gotemplate.quoting import quote

__all__ = ["Url", "UrlError", "UserInfo", "parse_url"]

_PLAIN: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~")
# What each part of a URL leaves as it is.
_KEPT: Final = {
    "host": _PLAIN | frozenset(b"!$&'()*+,;=:[]<>\""),
    "path": _PLAIN | frozenset(b"$&+,/:;=@"),
    "user": _PLAIN | frozenset(b"$&+,;="),
    "fragment": _PLAIN | frozenset(b"$&+,/:;=?@!()*"),
}
_KEPT["zone"] = _KEPT["host"]
_USER: Final = re.compile(rb"[A-Za-z0-9\-._:~!$&'()*+,;=%@]*\Z")
_SCHEME: Final = re.compile(rb"([A-Za-z][A-Za-z0-9+\-.]*):")
_PORT: Final = re.compile(rb"(?::[0-9]*)?\Z")
_ESCAPE: Final = re.compile(rb"%[0-9a-fA-F]{2}")
_CONTROL: Final = re.compile(rb"[\x00-\x1f\x7f]")


class UrlError(ValueError):
    """The text is no URL; `str()` is Go's message."""


def _quoted(text: bytes) -> str:
    return quote(text).decode()


def _escape(text: bytes, part: str) -> bytes:
    kept = _KEPT[part]
    if all(byte in kept for byte in text):
        return text
    return b"".join(bytes([byte]) if byte in kept else b"%%%02X" % byte for byte in text)


def _unescape(text: bytes, part: str) -> bytes:
    out, at = bytearray(), 0
    in_host = part in ("host", "zone")
    while at < len(text):
        byte = text[at]
        if byte != 0x25:
            if in_host and byte < 0x80 and byte not in _KEPT[part]:
                raise UrlError(f"invalid character {_quoted(text[at : at + 1])} in host name")
            out.append(byte)
            at += 1
            continue
        code = text[at : at + 3]
        value = int(code[1:], 16) if _ESCAPE.match(code) else None
        # A host name has no escaped ASCII apart from the percent sign before a zone.
        if value is None or (part == "host" and value < 0x80 and code != b"%25"):
            raise UrlError(f"invalid URL escape {_quoted(code)}")
        if part == "zone" and code != b"%25" and value != 0x20 and value not in _KEPT["host"]:
            raise UrlError(f"invalid URL escape {_quoted(code)}")
        out.append(value)
        at += 3
    return bytes(out)


class UserInfo(Concealed, Struct, frozen=True):
    """Name and password of a URL; the password is None where there is no colon."""

    name: bytes
    password: bytes | None

    def text(self) -> bytes:
        """As it stands in a URL."""
        name = _escape(self.name, "user")
        return name if self.password is None else name + b":" + _escape(self.password, "user")


class Url(Concealed, Struct, frozen=True):
    """The parts of a URL; path and fragment are decoded, the query is raw."""

    scheme: bytes = b""
    opaque: bytes = b""
    user: UserInfo | None = None
    host: bytes = b""
    path: bytes = b""
    query: bytes = b""
    fragment: bytes = b""

    def hostname(self) -> bytes:
        """The host without port and brackets."""
        head, colon, _ = self.host.rpartition(b":")
        host = head if colon and _PORT.match(self.host, len(head)) else self.host
        return host[1:-1] if host[:1] == b"[" and host[-1:] == b"]" else host

    def text(self) -> bytes:
        """The URL in one piece."""
        out = self.scheme + b":" if self.scheme else b""
        if self.opaque:
            out += self.opaque
        else:
            if self.host or self.user is not None or (self.scheme and self.path):
                out += b"//"
                if self.user is not None:
                    out += self.user.text() + b"@"
                out += _escape(self.host, "host")
            path = self.path if self.path == b"*" else _escape(self.path, "path")
            if path and path[:1] != b"/" and self.host:
                out += b"/"
            if not out and b":" in path.partition(b"/")[0]:
                out += b"./"
            out += path
        out += b"?" + self.query if self.query else b""
        return out + (b"#" + _escape(self.fragment, "fragment") if self.fragment else b"")


def _host(text: bytes) -> bytes:
    bracket = text.rfind(b"[")
    if bracket > 0:
        raise UrlError("invalid IP-literal")
    if bracket < 0:
        colon = text.rfind(b":")
        if colon >= 0 and not _PORT.match(text, colon):
            raise UrlError(f"invalid port {_quoted(text[colon:])} after host")
        return _unescape(text, "host")
    end = text.rfind(b"]")
    if end < 0:
        raise UrlError("missing ']' in host")
    if not _PORT.match(text, end + 1):
        raise UrlError(f"invalid port {_quoted(text[end + 1 :])} after host")
    zone = text.find(b"%25", 0, end)
    if zone >= 0:
        host = _unescape(text[:zone], "host") + _unescape(text[zone:end], "zone") + _unescape(text[end:], "host")
    else:
        host = _unescape(text, "host")
    literal = host[1 : host.rfind(b"]")]
    try:
        address = ipaddress.ip_address(literal.partition(b"%")[0].decode())
        if literal[-1:] == b"%":
            raise UrlError(f"invalid host: ParseAddr({_quoted(literal)}): zone must be a non-empty string")
    except ValueError as error:
        if isinstance(error, UrlError):
            raise
        raise UrlError(f"invalid host: ParseAddr({_quoted(literal)}): unable to parse IP") from None
    if address.version == 4:
        raise UrlError("invalid IP-literal")
    return host


def _authority(text: bytes) -> tuple[UserInfo | None, bytes]:
    user, at, host_text = text.rpartition(b"@")
    host = _host(host_text)
    if not at:
        return None, host
    if not _USER.match(user):
        raise UrlError("net/url: invalid userinfo")
    name, colon, password = user.partition(b":")
    return UserInfo(_unescape(name, "user"), _unescape(password, "user") if colon else None), host


def _parse(text: bytes) -> tuple[bytes, bytes, UserInfo | None, bytes, bytes, bytes]:
    """Scheme, opaque part, user, host, path and query of a URL without fragment."""
    if _CONTROL.search(text):
        raise UrlError("net/url: invalid control character in URL")
    if text == b"*":
        return b"", b"", None, b"", b"*", b""
    if text[:1] == b":":
        raise UrlError("missing protocol scheme")
    found = _SCHEME.match(text)
    scheme, rest = (found.group(1).lower(), text[found.end() :]) if found else (b"", text)
    rest, _, query = rest.partition(b"?")
    if rest[:1] != b"/":
        if scheme:
            return scheme, rest, None, b"", b"", query
        if b":" in rest.partition(b"/")[0]:
            raise UrlError("first path segment in URL cannot contain colon")
    user, host = None, b""
    if rest[:2] == b"//" and (scheme or rest[:3] != b"///"):
        authority, slash, rest = rest[2:].partition(b"/")
        rest = slash + rest
        user, host = _authority(authority)
    return scheme, b"", user, host, _unescape(rest, "path"), query


def parse_url(text: bytes) -> Url:
    """The parts of a URL.

    Raises:
        UrlError: it is none.
    """
    head, _, fragment = text.partition(b"#")
    whole = head
    try:
        scheme, opaque, user, host, path, query = _parse(head)
        whole = text
        return Url(scheme, opaque, user, host, path, query, _unescape(fragment, "fragment"))
    except UrlError as error:
        raise UrlError(f"parse {_quoted(whole)}: {error}") from None
