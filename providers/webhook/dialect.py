"""JSONPath as the webhook backend speaks it: python-jsonpath, held to what a store's author may cost others.

Three things differ from the library. A comparison with something that is not there is false, ``!=`` included, as in the
language that External Secrets Operator uses; so is a value that is false, zero or null by itself. Regular expressions run in
RE2, since those of `re` can take longer than anyone waits. A query that takes too many steps ends with an error.

Imported at the first path: an operator without webhook stores needs none of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, Final

import re2
from jsonpath import JSONPath, JSONPathEnvironment
from jsonpath.exceptions import JSONPathError
from jsonpath.filter import UNDEFINED
from jsonpath.match import NodeList

from providers.errors import InvalidData, InvalidSpec

__all__ = ["Dialect", "JSONPath", "JSONPathError", "visit"]

_MOST_STEPS: Final = 1_000_000
"""Descents and conditions of one query: two seconds or so, and more than any answer that means something takes."""
_MOST_COMMAS: Final = 16
"""Unions multiply: with one more member each, a query takes twice as long."""
_DEEPEST: Final = 100
_FALSE: Final = ("", "0", "false", "FALSE")
_FLAGS: Final = {re.IGNORECASE: "i", re.MULTILINE: "m", re.DOTALL: "s"}


_STEPS: Final[ContextVar[Iterator[int]]] = ContextVar("steps")


class Dialect(JSONPathEnvironment):
    """Compiles and compares."""

    def compile(self, path: str) -> JSONPath:
        """Raises JSONPathError for what is no path, and InvalidSpec for one that could take too long."""
        compiled = super().compile(path)
        if not isinstance(compiled, JSONPath):
            raise InvalidSpec(f"failed to get response path {path}: several paths: write a union, like $['a','b']")
        if path.count(",") > _MOST_COMMAS:
            raise InvalidSpec(f"failed to get response path {path}: more than {_MOST_COMMAS} commas")
        return compiled

    def setup_function_extensions(self) -> None:
        """Those of the library but `match` and `search`, which use `re`."""
        super().setup_function_extensions()
        for name in ("match", "search"):
            del self.function_extensions[name]

    @property
    def max_recursion_depth(self) -> int:  # type: ignore[override]
        """Asked at each step of a descent."""
        next(_STEPS.get())
        return _DEEPEST

    def is_truthy(self, obj: object) -> bool:
        next(_STEPS.get())
        if isinstance(obj, NodeList) and len(obj) == 1:
            value = obj[0].obj
            return not (value is None or value is False or value in _FALSE or (_is_number(value) and value == 0))
        return super().is_truthy(obj)

    def compare(self, left: object, operator: str, right: object) -> bool:
        if operator not in ("&&", "||") and any(
            side is UNDEFINED or (isinstance(side, NodeList) and not side) for side in (left, right)
        ):
            return False
        if operator == "=~" and isinstance(left, str):
            return _matches(right, left)
        return super().compare(left, operator, right)


def visit(compiled: Any, document: object, path: str) -> list[Any]:
    """All that the path finds.

    Raises:
        InvalidData: It takes too long to find it, or it is nested too deeply.
    """
    token = _STEPS.set(_steps(path))
    try:
        return [node.value for node in compiled.finditer(document)]
    except (JSONPathError, RecursionError):
        raise InvalidData(f"failed to get response path {path}: the response is nested too deeply") from None
    finally:
        _STEPS.reset(token)


def _steps(path: str) -> Iterator[int]:
    yield from range(_MOST_STEPS)
    raise InvalidData(f"failed to get response path {path}: it takes more than {_MOST_STEPS} steps")


def _matches(pattern: object, text: str) -> bool:
    """A text is searched for, as in Go; a literal between slashes has to match as a whole, as in python-jsonpath."""
    if isinstance(pattern, str):
        return _compiled(pattern).search(text) is not None
    if isinstance(pattern, re.Pattern):
        flags = "".join(letter for flag, letter in _FLAGS.items() if pattern.flags & flag)
        return _compiled(f"(?{flags})(?:{pattern.pattern})" if flags else pattern.pattern).fullmatch(text) is not None
    return False


def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error:
        raise InvalidSpec(f"failed to get response path: {pattern!r} is no regular expression of RE2") from None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)
