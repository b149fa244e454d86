"""Regular expressions with the syntax and the speed guarantee of RE2, which is what the server uses."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import re2

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
# Names make up nearly all patterns in schemas, and a search costs 6 us through the RE2 binding but 0.3 us here. These
# three never backtrack over more than one character, so the standard library is as safe with them.
_NAMES = {
    rf"^{_LABEL}$": re.compile(_LABEL).fullmatch,
    rf"^{_LABEL}(\.{_LABEL})*$": re.compile(rf"{_LABEL}(\.{_LABEL})*").fullmatch,
    r"^[-._a-zA-Z0-9]+$": re.compile(r"[-._a-zA-Z0-9]+").fullmatch,
}

Pattern = Callable[[str], Any]
"""Searches the text (not anchored); the result is truthy if something matches."""


class PatternError(ValueError):
    """A pattern is not valid RE2. The message is worded as Go's ``regexp`` does."""


# RE2's own wording on the left; Go prints the same reasons in other words.
_REASONS = {
    "missing )": "missing closing )",
    "missing ]": "missing closing ]",
    "unexpected )": "unexpected )",
    "bad repetition operator": "invalid nested repetition operator",
    "no argument for repetition operator": "missing argument to repetition operator",
    "invalid escape sequence": "invalid escape sequence",
    "invalid character class": "invalid character class",
    "invalid character class range": "invalid character class range",
    "trailing \\": "trailing backslash at end of expression",
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "bad perl operator": "invalid or unsupported Perl syntax",
    "invalid UTF-8": "invalid UTF-8",
    "bad repetition size": "invalid repeat count",
    "invalid repetition size": "invalid repeat count",
    "invalid named capture group": "invalid named capture",
}


def _options() -> Any:
    options = re2.Options()
    # The library prints bad patterns to stderr otherwise, and a pattern may carry a secret.
    options.log_errors = False
    return options


@lru_cache(maxsize=4096)
def compile_program(pattern: str) -> Any:
    """The compiled program, with its full interface.

    Raises:
        PatternError: the pattern is not valid.
    """
    try:
        return re2.compile(pattern, _options())
    except re2.error as error:
        raise PatternError(f"error parsing regexp: {_go_reason(pattern, error)}") from error


def compile_pattern(pattern: str) -> Pattern:
    """The search function of the pattern.

    Raises:
        PatternError: the pattern is not valid.
    """
    search: Pattern = _NAMES.get(pattern) or compile_program(pattern).search
    return search


def _go_reason(pattern: str, error: Exception) -> str:
    text = error.args[0] if error.args else ""
    reason, _, fragment = (text.decode() if isinstance(text, bytes) else str(text)).partition(": ")
    if reason in ("missing )", "unexpected )"):
        fragment = pattern
    return f"{_REASONS.get(reason, reason)}: `{fragment}`"
