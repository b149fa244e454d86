"""Matching of names and labels for ``dataFrom[].find``."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import re2

from providers.errors import InvalidEntry

__all__ = ["has_tags", "name_matcher"]


def name_matcher(pattern: str) -> Callable[[str], bool]:
    """A search for ``find.name.regexp`` anywhere in a name, in the syntax of RE2.

    Raises:
        InvalidEntry: The pattern is not valid.
    """
    options = re2.Options()
    options.log_errors = False
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as exc:
        reason = exc.args[0] if exc.args else exc
        text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise InvalidEntry(f"could not compile find.name.regexp [{pattern}]: {text}") from exc
    return lambda name: compiled.search(name) is not None


def has_tags(tags: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Whether every wanted tag is there with an equal value."""
    return all(tags.get(key) == value for key, value in wanted.items())
