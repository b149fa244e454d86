"""Where the variables of one template live, found out while it is compiled."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from msgspec import Struct

__all__ = ["Declared", "Scope"]


class Declared(Struct, eq=False):
    """One declaration.

    Attributes:
        name: with the `$`.
        slot: its place among the variables of the template.
        conditional: stands in an operand of `and` or `or` that may be skipped.
        flag: the slot that says whether a range put an element there that may be anything.
    """

    name: bytes
    slot: int
    conditional: bool = False
    flag: int | None = None


class Scope:
    """The variables that are visible at the point where compilation is.

    Attributes:
        slots: how many a render needs.
        dot_flag: the slot that says whether dot came from a range over elements that may be anything.
    """

    def __init__(self) -> None:
        self.slots = 1
        self.dot_flag: int | None = None
        self._visible = [Declared(b"$", 0)]
        self._conditional = 0

    def slot(self) -> int:
        """A new place."""
        self.slots += 1
        return self.slots - 1

    def declare(self, name: bytes) -> Declared:
        """A variable, visible from here to the end of the innermost block."""
        declared = Declared(name, self.slot(), self._conditional > 0)
        self._visible.append(declared)
        return declared

    def find(self, name: bytes) -> list[Declared]:
        """The declarations that the name can mean, innermost first; all but the last may be skipped at run time."""
        found = []
        for declared in reversed(self._visible):
            if declared.name == name:
                found.append(declared)
                if not declared.conditional:
                    break
        return found

    @contextmanager
    def block(self) -> Iterator[None]:
        """What is declared inside is not visible after it."""
        visible, dot_flag = len(self._visible), self.dot_flag
        try:
            yield
        finally:
            del self._visible[visible:]
            self.dot_flag = dot_flag

    @contextmanager
    def conditionally(self) -> Iterator[list[Declared]]:
        """What is declared inside may not be evaluated; the list has it afterwards."""
        visible = len(self._visible)
        declared: list[Declared] = []
        self._conditional += 1
        try:
            yield declared
        finally:
            self._conditional -= 1
            declared += self._visible[visible:]

    def last(self, count: int) -> list[Declared]:
        """The declarations made last, in their order."""
        return self._visible[-count:] if count else []
