"""The state of one render, and what a compiled template is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from msgspec import Struct, field

from controllers.templating.budget import Meter, bound
from controllers.templating.gotemplate.errors import ExecError, FunctionError, LimitExceeded, Place
from controllers.templating.gotemplate.nodes import Node, source
from controllers.templating.gotemplate.quoting import quote, text
from controllers.templating.gotemplate.stacks import FIRST
from controllers.templating.gotemplate.values import StrMap, Value

__all__ = ["NIL", "UNSET", "Body", "Evaluate", "Program", "Run", "Staged", "Statement"]


class _Nil:
    """Nil as the content of a variable, field or element that may hold anything: it has a type, plain nil has none."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "NIL"


NIL: Final = _Nil()
"""Nil held in an interface. Functions never see it: pipelines and arguments unpack it to None."""

UNSET: Final = object()
"""A variable that is not declared yet."""


class Run:
    """One render: the node that is evaluated, variables, output, what is left of the budget."""

    __slots__ = ("depth", "errors", "executing", "limit", "meter", "name", "node", "out", "room", "root", "size", "source", "used", "variables")  # fmt: skip

    def __init__(self, program: Program, root: Value, meter: Meter, *, missing_is_error: bool) -> None:
        self.name = program.name
        self.source = program.source
        self.root = root
        self.meter = meter
        self.limit = meter.output_bytes
        self.errors = missing_is_error
        self.node: Node | None = None
        self.executing = program.name
        self.variables: list[Any] = []
        self.out: list[bytes] = []
        self.size = 0
        self.depth = 0
        self.used = 0
        self.room = FIRST

    def too_large(self, node: Node) -> LimitExceeded:
        """The output has become larger than it may be."""
        self.node = node
        return self.limited(f"the output exceeds the limit of {self.limit} bytes")

    def limited(self, message: str) -> LimitExceeded:
        """A bound of the render is reached at the current node."""
        return LimitExceeded(*self._described(message, Place()))

    def fail(self, message: str) -> ExecError:
        """Rendering cannot go on at the current node."""
        return ExecError(*self._described(message, Place()))

    def refused(self, command: Node, function: str, reason: FunctionError) -> ExecError:
        """A function refused its arguments."""
        self.node = command
        return ExecError(*self._described(f"error calling {function}: {reason}", Place(function=function)))

    def missing(self, receiver: Value, key: bytes) -> ExecError:
        """A map has no such key; the keys of the root data are told, never those of documents in it."""
        available = None
        if receiver is self.root and isinstance(receiver, StrMap):
            available = tuple(sorted(text(present) for present in receiver))
        about = Place(missing_key=text(key), available=available)
        return ExecError(*self._described(f"map has no entry for key {text(quote(key))}", about))

    def _described(self, message: str, about: Place) -> tuple[str, Place]:
        token = bound(None)  # an error must be told when the budget is used up, too
        try:
            return self._words(message, about)
        finally:
            token.var.reset(token)

    def _words(self, message: str, about: Place) -> tuple[str, Place]:
        node = self.node
        if node is None:
            return f"template: {self.name}: {message}", Place(self.name, message=message, function=about.function)
        before = self.source[: node.pos]
        line, column = before.count(b"\n") + 1, node.pos - (before.rfind(b"\n") + 1)
        form = source(node)
        place = Place(
            self.name, line, column, form, self.executing, message, about.function, about.missing_key, about.available
        )
        name = text(quote(self.executing.encode("utf-8", "surrogateescape")))
        return f"template: {self.name}:{line}:{column}: executing {name} at <{form}>: {message}", place


Evaluate = Callable[[Run, Value], Value]
Staged = Callable[[Run, Value, Value], Value]
Statement = Callable[[Run, Value], str | None]


class Body(Struct, eq=False):
    """One compiled template.

    Attributes:
        name: as error texts call it.
        statements: run in order; each gives None, or the word of a jump.
        slots: number of its variables.
    """

    name: str
    statements: tuple[Statement, ...] = ()
    slots: int = 1


class Program(Struct, eq=False):
    """A compiled text.

    Attributes:
        name: of the template.
        source: the text.
        bodies: all templates of the text.
        heavy: calls a function that takes long.
        pure: calls only functions whose result depends on their arguments alone.
    """

    name: str
    source: bytes
    bodies: dict[bytes, Body] = field(default_factory=dict)
    heavy: bool = False
    pure: bool = True
