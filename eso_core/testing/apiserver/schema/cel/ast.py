"""The syntax tree of an expression. Macros such as ``all`` stay whole: they are nodes, not loops."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field as attribute
from typing import Any, Literal

from eso_core.testing.apiserver.schema.cel.types import DYN, Type


@dataclass(slots=True)
class Node:
    """Any node. ``position`` is the offset in the source that errors point at; ``type`` is set by the checker."""

    position: int
    type: Type = attribute(default=DYN, init=False)


@dataclass(slots=True)
class Constant(Node):
    """A literal value."""

    value: Any


@dataclass(slots=True)
class Identifier(Node):
    """A variable, or a name that the checker resolves to a constant such as a type."""

    name: str
    constant: Any = attribute(default=None, init=False)


@dataclass(slots=True)
class Select(Node):
    """``operand.field``; with ``optional`` it is ``operand.?field``."""

    operand: Node
    field: str
    optional: bool = False
    constant: Any = attribute(default=None, init=False)


@dataclass(slots=True)
class Presence(Node):
    """``has(operand.field)``."""

    operand: Node
    field: str


@dataclass(slots=True)
class Call(Node):
    """A function, method or operator. Operators have names such as ``_+_``; ``target`` is a method's receiver.

    ``overloads`` are those that fit the argument types, set by the checker.
    """

    function: str
    target: Node | None
    arguments: list[Node]
    overloads: list[Any] = attribute(default_factory=list, init=False)

    @property
    def operands(self) -> list[Node]:
        """The receiver, if there is one, and the arguments."""
        return self.arguments if self.target is None else [self.target, *self.arguments]


@dataclass(slots=True)
class ListLiteral(Node):
    """``[a, ?b]``; ``optional`` has the indices of elements that may be missing."""

    elements: list[Node]
    optional: frozenset[int] = frozenset()


@dataclass(slots=True)
class MapLiteral(Node):
    """``{k: v, ?k: v}``."""

    entries: list[tuple[Node, Node]]
    optional: frozenset[int] = frozenset()


@dataclass(slots=True)
class StructLiteral(Node):
    """``Name{field: value}``."""

    name: str
    entries: list[tuple[str, Node]]


MacroKind = Literal[
    "all", "exists", "exists_one", "map", "filter", "transformList", "transformMap", "transformMapEntry"
]


@dataclass(slots=True)
class Macro(Node):
    """A comprehension over a list or the keys of a map, with one variable or two (index or key, and value).

    ``condition`` filters; ``body`` is the predicate or the transformation.
    """

    kind: MacroKind
    source: Node
    variables: tuple[str, ...]
    condition: Node | None
    body: Node


@dataclass(slots=True)
class Bind(Node):
    """``cel.bind(name, value, body)``."""

    name: str
    value: Node
    body: Node


@dataclass(slots=True)
class OptionalMap(Node):
    """``operand.optMap(name, body)``; with ``flat`` it is ``optFlatMap``."""

    operand: Node
    name: str
    body: Node
    flat: bool
