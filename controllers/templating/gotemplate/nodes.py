"""The parse tree. `str()` of a node is its source form, re-spaced, as error texts quote it."""

from __future__ import annotations

from dataclasses import dataclass, field

from controllers.templating.gotemplate.quoting import quote, text

__all__ = [
    "Action", "Bool", "Branch", "Chain", "Command", "Dot", "Field", "Identifier", "Jump", "Listing", "Mark", "Nil", "Node",
    "Number", "Pipe", "String", "TemplateCall", "Text", "Tree", "Variable",
]  # fmt: skip

# White space in the sense of Unicode; Python's own `strip` takes some control characters as well.
_WHITE = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"


@dataclass(slots=True, eq=False)
class Node:
    """Anything with a byte offset in the source."""

    pos: int


@dataclass(slots=True, eq=False)
class Text(Node):
    value: bytes


@dataclass(slots=True, eq=False)
class Identifier(Node):
    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(slots=True, eq=False)
class Dot(Node):
    def __str__(self) -> str:
        return "."


@dataclass(slots=True, eq=False)
class Nil(Node):
    def __str__(self) -> str:
        return "nil"


@dataclass(slots=True, eq=False)
class Bool(Node):
    value: bool

    def __str__(self) -> str:
        return "true" if self.value else "false"


@dataclass(slots=True, eq=False)
class Number(Node):
    """A number literal: what it can be taken for, each None if it cannot."""

    source: str
    as_int: int | None = None
    as_uint: int | None = None
    as_float: float | None = None
    as_complex: complex | None = None

    def __str__(self) -> str:
        return self.source


@dataclass(slots=True, eq=False)
class String(Node):
    source: bytes
    value: bytes

    def __str__(self) -> str:
        return text(self.source)


@dataclass(slots=True, eq=False)
class Field(Node):
    """`.a.b`."""

    names: tuple[bytes, ...]

    def __str__(self) -> str:
        return "".join("." + text(name) for name in self.names)


@dataclass(slots=True, eq=False)
class Variable(Node):
    """`$x.a.b`; the first name includes the `$`."""

    names: tuple[bytes, ...]

    def __str__(self) -> str:
        return ".".join(text(name) for name in self.names)


@dataclass(slots=True, eq=False)
class Chain(Node):
    """`(pipeline).a.b` or `function.a.b`."""

    node: Node
    names: tuple[bytes, ...]

    def __str__(self) -> str:
        inner = f"({self.node})" if isinstance(self.node, Pipe) else str(self.node)
        return inner + "".join("." + text(name) for name in self.names)


@dataclass(slots=True, eq=False)
class Command(Node):
    args: list[Node] = field(default_factory=list)

    def __str__(self) -> str:
        return " ".join(f"({arg})" if isinstance(arg, Pipe) else str(arg) for arg in self.args)


@dataclass(slots=True, eq=False)
class Pipe(Node):
    assigns: bool = False
    declares: list[Variable] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)

    def __str__(self) -> str:
        head = ", ".join(str(v) for v in self.declares) + (" = " if self.assigns else " := ") if self.declares else ""
        return head + " | ".join(str(command) for command in self.commands)


@dataclass(slots=True, eq=False)
class Action(Node):
    pipe: Pipe

    def __str__(self) -> str:
        return "{{" + str(self.pipe) + "}}"


@dataclass(slots=True, eq=False)
class Jump(Node):
    """`break` or `continue`."""

    word: str

    def __str__(self) -> str:
        return "{{" + self.word + "}}"


@dataclass(slots=True, eq=False)
class Mark(Node):
    """`else` or `end`, between the parts of a control structure; never in a finished tree."""

    word: str

    def __str__(self) -> str:
        return "{{" + self.word + "}}"


@dataclass(slots=True, eq=False)
class Listing(Node):
    nodes: list[Node] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Branch(Node):
    """`if`, `with` or `range`."""

    word: str
    pipe: Pipe
    body: Listing
    otherwise: Listing | None

    def __str__(self) -> str:
        return "{{" + f"{self.word} {self.pipe}" + "}}"


@dataclass(slots=True, eq=False)
class TemplateCall(Node):
    name: bytes
    pipe: Pipe | None

    def __str__(self) -> str:
        argument = f" {self.pipe}" if self.pipe is not None else ""
        return "{{template " + text(quote(self.name)) + argument + "}}"


@dataclass(slots=True, eq=False)
class Tree:
    """One named template."""

    name: bytes
    root: Listing

    @property
    def empty(self) -> bool:
        """Nothing but white space."""
        return all(isinstance(node, Text) and not text(node.value).strip(_WHITE) for node in self.root.nodes)
