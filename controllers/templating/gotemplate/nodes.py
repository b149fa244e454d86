"""The parse tree. `str()` of a node is its source form, re-spaced, as error texts quote it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar

from msgspec import Struct

from controllers.templating.gotemplate.quoting import quote, text

__all__ = [
    "Action", "Bool", "Branch", "Chain", "Command", "Dot", "Field", "Identifier", "Jump", "Listing", "Mark", "Nil", "Node",
    "Number", "Pipe", "String", "TemplateCall", "Text", "Tree", "Variable", "source",
]  # fmt: skip

# White space in the sense of Unicode; Python's own `strip` takes some control characters as well.
_WHITE = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"


@dataclass(slots=True, eq=False, repr=False)
class Node:
    """Anything with a byte offset in the source. `literal` nodes cannot be called and have no fields."""

    pos: int
    literal: ClassVar[bool] = False

    def parts(self) -> tuple[str | Node, ...]:
        """The source form: pieces of text and nodes that follow each other."""
        return ()

    def __str__(self) -> str:
        return source(self)


def source(node: Node) -> str:
    """The source form of a node, however deep it nests."""
    pieces: list[str] = []
    open_parts: list[str | Node] = [node]
    while open_parts:
        part = open_parts.pop()
        if isinstance(part, str):
            pieces.append(part)
        else:
            open_parts.extend(reversed(part.parts()))
    return "".join(pieces)


def _parenthesized(node: Node) -> tuple[str | Node, ...]:
    return ("(", node, ")") if isinstance(node, Pipe) else (node,)


def _joined(nodes: Iterable[Node], separator: str) -> tuple[str | Node, ...]:
    return tuple(part for node in nodes for part in (separator, *_parenthesized(node)))[1:]


@dataclass(slots=True, eq=False, repr=False)
class Text(Node):
    value: bytes


@dataclass(slots=True, eq=False, repr=False)
class Identifier(Node):
    name: str

    def parts(self) -> tuple[str | Node, ...]:
        return (self.name,)


@dataclass(slots=True, eq=False, repr=False)
class Dot(Node):
    literal: ClassVar[bool] = True

    def parts(self) -> tuple[str | Node, ...]:
        return (".",)


@dataclass(slots=True, eq=False, repr=False)
class Nil(Node):
    literal: ClassVar[bool] = True

    def parts(self) -> tuple[str | Node, ...]:
        return ("nil",)


@dataclass(slots=True, eq=False, repr=False)
class Bool(Node):
    value: bool
    literal: ClassVar[bool] = True

    def parts(self) -> tuple[str | Node, ...]:
        return ("true" if self.value else "false",)


@dataclass(slots=True, eq=False, repr=False)
class Number(Node):
    """A number literal: what it can be taken for, each None if it cannot."""

    source: str
    as_int: int | None = None
    as_uint: int | None = None
    as_float: float | None = None
    as_complex: complex | None = None
    literal: ClassVar[bool] = True

    def parts(self) -> tuple[str | Node, ...]:
        return (self.source,)


@dataclass(slots=True, eq=False, repr=False)
class String(Node):
    source: bytes
    value: bytes
    literal: ClassVar[bool] = True

    def parts(self) -> tuple[str | Node, ...]:
        return (text(self.source),)


@dataclass(slots=True, eq=False, repr=False)
class Field(Node):
    """`.a.b`."""

    names: tuple[bytes, ...]

    def parts(self) -> tuple[str | Node, ...]:
        return tuple("." + text(name) for name in self.names)


@dataclass(slots=True, eq=False, repr=False)
class Variable(Node):
    """`$x.a.b`; the first name includes the `$`."""

    names: tuple[bytes, ...]

    def parts(self) -> tuple[str | Node, ...]:
        return (".".join(text(name) for name in self.names),)


@dataclass(slots=True, eq=False, repr=False)
class Chain(Node):
    """`(pipeline).a.b` or `function.a.b`."""

    node: Node
    names: tuple[bytes, ...]

    def parts(self) -> tuple[str | Node, ...]:
        return (*_parenthesized(self.node), *("." + text(name) for name in self.names))


@dataclass(slots=True, eq=False, repr=False)
class Command(Node):
    args: list[Node] = field(default_factory=list)

    def parts(self) -> tuple[str | Node, ...]:
        return _joined(self.args, " ")


@dataclass(slots=True, eq=False, repr=False)
class Pipe(Node):
    assigns: bool = False
    declares: list[Variable] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)

    def parts(self) -> tuple[str | Node, ...]:
        head: tuple[str | Node, ...] = ()
        if self.declares:
            head = (*_joined(self.declares, ", "), " = " if self.assigns else " := ")
        return (*head, *_joined(self.commands, " | "))


@dataclass(slots=True, eq=False, repr=False)
class Action(Node):
    pipe: Pipe

    def parts(self) -> tuple[str | Node, ...]:
        return ("{{", self.pipe, "}}")


@dataclass(slots=True, eq=False, repr=False)
class Jump(Node):
    """`break` or `continue`."""

    word: str

    def parts(self) -> tuple[str | Node, ...]:
        return ("{{" + self.word + "}}",)


@dataclass(slots=True, eq=False, repr=False)
class Mark(Node):
    """`else` or `end`, between the parts of a control structure; never in a finished tree."""

    word: str

    def parts(self) -> tuple[str | Node, ...]:
        return ("{{" + self.word + "}}",)


@dataclass(slots=True, eq=False, repr=False)
class Listing(Node):
    nodes: list[Node] = field(default_factory=list)


@dataclass(slots=True, eq=False, repr=False)
class Branch(Node):
    """`if`, `with` or `range`."""

    word: str
    pipe: Pipe
    body: Listing
    otherwise: Listing | None

    def parts(self) -> tuple[str | Node, ...]:
        return ("{{" + self.word + " ", self.pipe, "}}")


@dataclass(slots=True, eq=False, repr=False)
class TemplateCall(Node):
    name: bytes
    pipe: Pipe | None

    def parts(self) -> tuple[str | Node, ...]:
        argument = (" ", self.pipe) if self.pipe is not None else ()
        return ("{{template " + text(quote(self.name)), *argument, "}}")


class Tree(Struct, eq=False):
    """One named template."""

    name: bytes
    root: Listing
    __repr__ = object.__repr__

    @property
    def empty(self) -> bool:
        """Nothing but white space."""
        return all(isinstance(node, Text) and not text(node.value).strip(_WHITE) for node in self.root.nodes)
