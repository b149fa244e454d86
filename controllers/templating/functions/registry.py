"""How a template function is declared: name, Go parameter types, documentation, one example that a test runs.

    @function("repeat", "int, string", "The text n times.", example='{{ repeat 3 "ab" }}', result="ababab")
    def repeat(count: int, text: bytes) -> bytes: ...

Parameter types are Go's, as they stand in error messages: `string` (bytes here), `int`, `int64`, `uint32`, `float64`,
`bool`, `any`, `map[string]interface {}`, `[]interface {}`, `time.Time`; the last may be variadic (`...any`). The engine
checks them before it calls: a function gets values of exactly these types (`any` is whatever the value is).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from msgspec import Struct

from controllers.templating.gotemplate.errors import FunctionError

__all__ = ["FUNCTIONS", "Function", "FunctionError", "function", "register"]

F = TypeVar("F", bound=Callable[..., Any])


class Function(Struct, frozen=True):
    """One function of the template language.

    Attributes:
        name: in templates.
        params: Go types of the parameters; the last one begins with `...` when it takes any number.
        call: the implementation; raises FunctionError with the message that follows "error calling NAME: ".
        doc: one sentence for the reference.
        group: heading in the reference, for example "Strings".
        example: a template; `example_data` is its root data.
        result: what the example renders to; None for functions whose result is random, which `check` judges instead.
        check: a regular expression that the example's result matches in full, where `result` is None.
        pure: the same input gives the same output (not random, not the clock).
        heavy: takes tens of milliseconds or more, so that templates that use it are rendered off the event loop.
    """

    name: str
    params: tuple[str, ...]
    call: Callable[..., Any]
    doc: str
    group: str
    example: str
    result: str | None
    check: str | None
    example_data: dict[str, str]
    pure: bool
    heavy: bool = False

    @property
    def variadic(self) -> bool:
        """Whether the last parameter takes any number of arguments."""
        return bool(self.params) and self.params[-1].startswith("...")


FUNCTIONS: dict[str, Function] = {}
"""Every function by name; filled when `loading.load()` imports the families."""


def register(entry: Function) -> None:
    """Adds one.

    Raises:
        ValueError: the name is taken.
    """
    if entry.name in FUNCTIONS:
        raise ValueError(f"registering the template function {entry.name}: the name is taken")
    FUNCTIONS[entry.name] = entry


def function(
    names: str | Sequence[str],
    params: str,
    doc: str,
    *,
    group: str,
    example: str,
    result: str | None = None,
    check: str | None = None,
    data: dict[str, str] | None = None,
    pure: bool = True,
    heavy: bool = False,
) -> Callable[[F], F]:
    """Declares a function under one or several names (aliases and `must...` twins share the implementation).

    The example is written with the first name; the others have it with their own.
    """

    def declare(call: F) -> F:
        types = tuple(p.strip() for p in params.split(",")) if params else ()
        every = [names] if isinstance(names, str) else names
        for name in every:
            own = re.sub(rf"\b{every[0]}\b", name, example)
            register(Function(name, types, call, doc, group, own, result, check, data or {}, pure, heavy))
        return call

    return declare
