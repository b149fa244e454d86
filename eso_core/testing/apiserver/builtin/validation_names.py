"""Rules for names, label keys and label values. Each function returns the server's complaints, none if all is well."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

NameRule = Callable[[str, bool], list[str]]
"""Checks a name; the flag says that it is the prefix of a generated one, so what follows will complete it."""

_LABEL: Final = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN: Final = rf"{_LABEL}(\.{_LABEL})*"
_LABEL_1035: Final = "[a-z]([-a-z0-9]*[a-z0-9])?"
_QUALIFIED: Final = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_CONFIG_KEY: Final = "[-._a-zA-Z0-9]+"

_is_label = re.compile(_LABEL).fullmatch
_is_subdomain = re.compile(_SUBDOMAIN).fullmatch
_is_label_1035 = re.compile(_LABEL_1035).fullmatch
_is_qualified = re.compile(_QUALIFIED).fullmatch
_is_config_key = re.compile(_CONFIG_KEY).fullmatch


def regex_text(message: str, pattern: str, *examples: str) -> str:
    """The wording for a value that does not match."""
    shown = " or ".join(f"'{example}', " for example in examples)
    return f"{message} (e.g. {shown}regex used for validation is '{pattern}')"


_LABEL_TEXT: Final = regex_text(
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an alphanumeric character",
    _LABEL,
    "my-name",
    "123-abc",
)
_SUBDOMAIN_TEXT: Final = regex_text(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character",
    _SUBDOMAIN,
    "example.com",
)
_LABEL_1035_TEXT: Final = regex_text(
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
    "character, and end with an alphanumeric character",
    _LABEL_1035,
    "my-name",
    "abc-123",
)
_QUALIFIED_MESSAGE: Final = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
)
_QUALIFIED_TEXT: Final = regex_text(_QUALIFIED_MESSAGE, _QUALIFIED, "MyName", "my.name", "123-abc")
_VALUE_TEXT: Final = regex_text(
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start "
    "and end with an alphanumeric character",
    f"({_QUALIFIED})?",
    "MyValue",
    "my_value",
    "12345",
)
_CONFIG_KEY_TEXT: Final = regex_text(
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
    _CONFIG_KEY,
    "key.name",
    "KEY_NAME",
    "key-name",
)


def _size(text: str) -> int:
    return len(text.encode())


def dns_label(name: str) -> list[str]:
    """RFC 1123 label: at most 63 characters, no dots."""
    complaints = ["must be no more than 63 characters"] if _size(name) > 63 else []
    if not _is_label(name):
        complaints.append("must not contain dots" if _is_subdomain(name) else _LABEL_TEXT)
    return complaints


def dns_subdomain(name: str) -> list[str]:
    """RFC 1123 subdomain: labels joined by dots, at most 253 characters."""
    complaints = ["must be no more than 253 characters"] if _size(name) > 253 else []
    if not _is_subdomain(name):
        complaints.append(_SUBDOMAIN_TEXT)
    return complaints


def dns_1035_label(name: str) -> list[str]:
    """RFC 1035 label: as `dns_label`, but it starts with a letter."""
    complaints = ["must be no more than 63 characters"] if _size(name) > 63 else []
    if not _is_label_1035(name):
        complaints.append(_LABEL_1035_TEXT)
    return complaints


def qualified_name(key: str) -> list[str]:
    """A label key: an optional DNS prefix, a slash, and a name of at most 63 bytes."""
    return list(_qualified_name(key))


@lru_cache(maxsize=4096)  # the same few keys are on almost every object
def _qualified_name(key: str) -> tuple[str, ...]:
    parts = key.split("/")
    if len(parts) > 2:
        return (
            f"a valid label key {_QUALIFIED_TEXT} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",
        )
    complaints: list[str] = []
    name = parts[-1]
    if len(parts) == 2:
        if not parts[0]:
            complaints.append("prefix part must be non-empty")
        else:
            if _size(parts[0]) > 253:
                complaints.append("prefix part must be no more than 253 bytes")
            if not _is_subdomain(parts[0]):
                complaints.append(f"prefix part {_SUBDOMAIN_TEXT}")
    if not name:
        complaints.append("name part must be non-empty")
    elif _size(name) > 63:
        complaints.append("name part must be no more than 63 bytes")
    if not _is_qualified(name):
        complaints.append(f"name part {_QUALIFIED_TEXT}")
    return tuple(complaints)


def label_value(value: str) -> list[str]:
    """A label value: empty, or at most 63 bytes of the characters of a label name."""
    return list(_label_value(value))


@lru_cache(maxsize=4096)
def _label_value(value: str) -> tuple[str, ...]:
    complaints = ["must be no more than 63 bytes"] if _size(value) > 63 else []
    if value and not _is_qualified(value):
        complaints.append(_VALUE_TEXT)
    return tuple(complaints)


def config_key(key: str) -> list[str]:
    """A key in the data of a Secret or ConfigMap."""
    complaints = ["must be no more than 253 characters"] if _size(key) > 253 else []
    if not _is_config_key(key):
        complaints.append(_CONFIG_KEY_TEXT)
    if key == ".":
        complaints.append("must not be '.'")
    elif key == "..":
        complaints.append("must not be '..'")
    elif key.startswith(".."):
        complaints.append("must not start with '..'")
    return complaints


def _completed(name: str, prefix: bool) -> str:
    """A prefix may end in a dash, since random characters follow."""
    return f"{name[:-2]}a" if prefix and len(name) > 1 and name.endswith("-") else name


def subdomain_name(name: str, prefix: bool) -> list[str]:
    """The rule for most kinds."""
    return dns_subdomain(_completed(name, prefix))


def label_name(name: str, prefix: bool) -> list[str]:
    """The rule for namespaces."""
    return dns_label(_completed(name, prefix))


def path_segment_name(name: str, prefix: bool) -> list[str]:
    """The rule for kinds such as roles: whatever can stand in a URL path."""
    if not prefix and name in (".", ".."):
        return [f"may not be '{name}'"]
    return [f"may not contain '{char}'" for char in "/%" if char in name]
