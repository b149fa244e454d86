"""The string formats that the API server checks, and what it takes for valid in each.

Formats it does not know are not checked at all; ``int32`` and its kin belong to numbers and are no formats of strings.
"""

from __future__ import annotations

import email.errors
import email.headerregistry
import ipaddress
import re
from collections.abc import Callable
from datetime import date
from typing import Final
from urllib.parse import urlsplit

from eso_core.testing.apiserver.schema.patterns import compile_pattern

Check = Callable[[str], bool]


def _matches(pattern: str, flags: int = 0) -> Check:
    matcher = re.compile(pattern, flags | re.ASCII).fullmatch
    return lambda text: matcher(text) is not None


_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})", re.ASCII).fullmatch
_CLOCK = re.compile(r"(\d{2}):(\d{2}):(\d{2})(.\d+)?(z|[+-]\d{2}:\d{2})", re.ASCII).fullmatch


def _is_date(text: str) -> bool:
    match = _DATE(text)
    if not match:
        return False
    try:
        date(*map(int, match.groups()))
    except ValueError:
        return False
    return True


def _is_date_time(text: str) -> bool:
    day, separator, clock = text.lower().partition("t")
    if not separator or not _is_date(day):
        return False
    match = _CLOCK(clock)
    return match is not None and int(match[1]) < 24 and int(match[2]) < 60 and int(match[3]) < 60


_GO_DURATION = re.compile(r"[-+]?(0|((\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h))+)", re.ASCII).fullmatch
_PAIR = re.compile(r"\d+\s*([A-Za-z]+)", re.ASCII)
# Each unit with its spellings; whatever begins with the last one counts too (``hours``).
_UNITS: Final = (
    ("ns", "nano"),
    ("us", "micro"),
    ("ms", "milli"),
    ("s", "sec"),
    ("m", "min"),
    ("h", "hr", "hour"),
    ("d", "day"),
    ("w", "wk", "week"),
)


def _is_duration(text: str) -> bool:
    """Go's syntax, or any text in which one number has a unit."""
    if _GO_DURATION(text):
        return True
    words = [word.lower() for word in _PAIR.findall(text)]
    return any(word in spellings or word.startswith(spellings[-1]) for word in words for spellings in _UNITS)


_CHAR: Final = r"[a-zA-Z0-9\p{S}\p{L}]"
_HOSTNAME: Final = (
    rf"^({_CHAR}((-?{_CHAR}{{0,62}})?)"
    rf"|({_CHAR}(({_CHAR}|-){{0,61}}{_CHAR})?\.)+{_CHAR}(-?{_CHAR}){{1,62}})$"
)


def _is_hostname(text: str) -> bool:
    """A single label, or labels of which the last has at least two characters."""
    if len(text.encode()) > 255 or not compile_pattern(_HOSTNAME)(text):
        return False
    return all(len(label.encode()) <= 63 for label in text.split("."))


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    if "%" in text:
        return None
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _is_ipv4(text: str) -> bool:
    address = _address(text)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else address
    return mapped is not None and "." in text


def _is_ipv6(text: str) -> bool:
    return ":" in text and _address(text) is not None


def _is_cidr(text: str) -> bool:
    address, slash, bits = text.partition("/")
    parsed = _address(address)
    if not slash or parsed is None or not bits.isascii() or not bits.isdigit():
        return False
    return (bits == "0" or not bits.startswith("0")) and int(bits) <= parsed.max_prefixlen


def _is_uri(text: str) -> bool:
    """A URI as it could stand in a request line: absolute, or a path from the root."""
    if text == "*":
        return True
    if any(ord(char) < 0x21 or ord(char) == 0x7F for char in text if char != " ") or not text:
        return False
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    if " " in parts.netloc or re.search(r"%(?![0-9A-Fa-f]{2})", text):
        return False
    if text.startswith("/"):
        return True
    del port
    scheme = text.partition(":")[0]
    return ":" in text and re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme) is not None


def _is_email(text: str) -> bool:
    if "\n" in text or "\r" in text:
        return False
    try:
        header = email.headerregistry.HeaderRegistry()("to", text)
    except (email.errors.HeaderParseError, IndexError, ValueError):
        return False
    addresses: tuple[email.headerregistry.Address, ...] = getattr(header, "addresses", ())
    defects: tuple[Exception, ...] = getattr(header, "defects", ())
    return len(addresses) == 1 and not defects and bool(addresses[0].username) and bool(addresses[0].domain)


def _is_isbn10(text: str) -> bool:
    digits = re.sub(r"[\s-]", "", text)
    if not re.fullmatch(r"\d{9}[\dX]", digits, re.ASCII):
        return False
    total = sum((10 - i) * (10 if char == "X" else int(char)) for i, char in enumerate(digits))
    return total % 11 == 0


def _is_isbn13(text: str) -> bool:
    digits = re.sub(r"[\s-]", "", text)
    if not re.fullmatch(r"\d{13}", digits, re.ASCII):
        return False
    return sum((3 if i % 2 else 1) * int(char) for i, char in enumerate(digits)) % 10 == 0


_CARD = _matches(
    r"(?:4\d{12}(?:\d{3})?|5[1-5]\d{14}|6(?:011|5\d\d)\d{12}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|(?:2131|1800|35\d{3})\d{11})"
)


def _is_credit_card(text: str) -> bool:
    digits = re.sub(r"\D", "", text)
    if not _CARD(digits):
        return False
    doubled = (int(char) * 2 if i % 2 else int(char) for i, char in enumerate(reversed(digits)))
    return sum(n - 9 if n > 9 else n for n in doubled) % 10 == 0


def _is_rgb_color(text: str) -> bool:
    match = re.fullmatch(r"rgb\(\s*(\d{1,3})\s*,\s*(\d{1,3})\s*,\s*(\d{1,3})\s*\)", text, re.ASCII)
    return match is not None and all(int(part) <= 255 for part in match.groups())


def _uuid(version: str, variant: str) -> Check:
    hexes = "[0-9a-f]"
    return _matches(
        rf"{hexes}{{8}}-?{hexes}{{4}}-?{version}{hexes}{{3}}-?{variant}{hexes}{{3}}-?{hexes}{{12}}", re.IGNORECASE
    )


FORMATS: Final[dict[str, Check]] = {
    "bsonobjectid": _matches(r"[0-9a-fA-F]{24}"),
    "byte": _matches(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})"),
    "cidr": _is_cidr,
    "creditcard": _is_credit_card,
    "date": _is_date,
    "date-time": _is_date_time,
    "datetime": _is_date_time,
    "duration": _is_duration,
    "email": _is_email,
    "hexcolor": _matches(r"#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})"),
    "hostname": _is_hostname,
    "ipv4": _is_ipv4,
    "ipv6": _is_ipv6,
    "isbn": lambda text: _is_isbn10(text) or _is_isbn13(text),
    "isbn10": _is_isbn10,
    "isbn13": _is_isbn13,
    "k8s-long-name": lambda text: (
        len(text) <= 253
        and re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", text) is not None
    ),
    "k8s-short-name": lambda text: len(text) <= 63 and re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", text) is not None,
    "mac": _matches(
        r"(?:[0-9A-Fa-f]{2}([:-]))(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}"
        r"|(?:[0-9A-Fa-f]{2}([:-]))(?:[0-9A-Fa-f]{2}\2){6}[0-9A-Fa-f]{2}"
        r"|(?:[0-9A-Fa-f]{4}\.){2}[0-9A-Fa-f]{4}|(?:[0-9A-Fa-f]{4}\.){3}[0-9A-Fa-f]{4}"
    ),
    "password": lambda text: True,
    "rgbcolor": _is_rgb_color,
    "ssn": _matches(r"\d{3}[- ]?\d{2}[- ]?\d{4}"),
    "uri": _is_uri,
    "uuid": _uuid("[0-9a-f]", "[0-9a-f]"),
    "uuid3": _uuid("3", "[0-9a-f]"),
    "uuid4": _uuid("4", "[89ab]"),
    "uuid5": _uuid("5", "[89ab]"),
}
"""Check per format name. A check gets the string and says whether the server accepts it."""

_NORMALIZED: Final = {name.replace("-", ""): check for name, check in FORMATS.items()}
# Known to the server without a check of the text.
_UNCHECKED: Final = frozenset(("quantity",))


def string_check(format_: str) -> Check | None:
    """The check of a format by any spelling: dashes in its name do not count."""
    return _NORMALIZED.get(format_.replace("-", ""))


def recognized(format_: str, types: tuple[str, ...]) -> bool:
    """Whether a format means something for values of the types; others are ignored."""
    if types == ("integer",):
        return format_ in ("int32", "int64")
    if types == ("number",):
        return format_ in ("float", "double")
    if len(types) == 1 and types != ("string",):
        return False
    return string_check(format_) is not None or format_.replace("-", "") in _UNCHECKED


_INT_RANGES: Final[dict[str, tuple[int, int]]] = {
    "int32": (-(2**31), 2**31 - 1),
    "uint32": (0, 2**32 - 1),
    "uint64": (0, 2**64 - 1),
}
_INT64: Final = (-(2**63), 2**63 - 1)
_FLOAT32_MAX: Final = 3.4028235677973366e38


def number_in_range(value: int | float, types: tuple[str, ...], format_: str) -> bool:
    """Whether a number fits the width its format names; without a format integers have 64 bits."""
    if "integer" in types:
        low, high = _INT_RANGES.get(format_, _INT64)
        return low <= value <= high
    if format_ in ("float", "float32"):
        return abs(value) <= _FLOAT32_MAX
    return True
