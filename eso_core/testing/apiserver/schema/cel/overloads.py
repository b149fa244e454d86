"""Functions by name and signature, and the notation in which they are declared."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from eso_core.testing.apiserver.schema.cel.types import (
    ObjectType,
    Type,
    is_dynamic,
    parse_type,
    split_arguments,
)
from eso_core.testing.apiserver.schema.cel.values import runtime_type

Implementation = Callable[..., Any]
F = TypeVar("F", bound=Implementation)

_SIGNATURE: Final = re.compile(r"(?:(?P<target>.+?) :: )?(?P<name>\S+?)\((?P<arguments>.*)\) -> (?P<result>.+)")


@dataclass(frozen=True, slots=True)
class Overload:
    """One signature of a function. For methods, the receiver is the first parameter."""

    function: str
    parameters: tuple[Type, ...]
    result: Type
    method: bool
    call: Implementation

    def accepts(self, values: tuple[Any, ...]) -> bool:
        """Whether the values at run time have the types of the parameters."""
        return len(values) == len(self.parameters) and all(
            _fits(parameter, value) for parameter, value in zip(self.parameters, values, strict=True)
        )


def _fits(parameter: Type, value: Any) -> bool:
    if parameter.is_parameter or is_dynamic(parameter):
        return True
    actual = runtime_type(value)
    return (
        is_dynamic(actual)
        or actual.name == parameter.name
        or (isinstance(parameter, ObjectType) and actual.name == "map")
    )


@dataclass(slots=True)
class Library:
    """A set of functions. ``declare`` is a decorator that takes signatures.

    A signature reads ``size(string) -> int`` for a function and ``string :: contains(string) -> bool`` for a method.
    """

    functions: dict[str, list[Overload]]

    def __init__(self) -> None:
        self.functions = {}

    def declare(self, *signatures: str) -> Callable[[F], F]:
        """Add the decorated function under each of the signatures."""

        def add(call: F) -> F:
            for text in signatures:
                overload = _parse(text, call)
                self.functions.setdefault(overload.function, []).append(overload)
            return call

        return add


def _parse(text: str, call: Implementation) -> Overload:
    match = _SIGNATURE.fullmatch(text)
    if match is None:
        raise ValueError(f"declaring a function: {text!r} is no signature")
    parameters = [parse_type(part) for part in split_arguments(match["arguments"])]
    if match["target"]:
        parameters.insert(0, parse_type(match["target"]))
    return Overload(match["name"], tuple(parameters), parse_type(match["result"]), bool(match["target"]), call)


def merge(libraries: Iterable[Library]) -> dict[str, list[Overload]]:
    """All functions of several libraries."""
    functions: dict[str, list[Overload]] = {}
    for library in libraries:
        for name, overloads in library.functions.items():
            functions.setdefault(name, []).extend(overloads)
    return functions
