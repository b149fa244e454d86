"""Where the schema package meets the evaluator: `CelBackend`, and the evaluator of this package behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from eso_core.testing.apiserver.schema.cel import ast
from eso_core.testing.apiserver.schema.cel.ast import Node
from eso_core.testing.apiserver.schema.cel.checker import check
from eso_core.testing.apiserver.schema.cel.compiler import Compiled, children, compile_tree
from eso_core.testing.apiserver.schema.cel.parser import parse
from eso_core.testing.apiserver.schema.cel.readers import reader
from eso_core.testing.apiserver.schema.cel.types import Type, optional_of
from eso_core.testing.apiserver.schema.cel.values import NONE, OptionalValue

RULE_WORK_LIMIT = 1_000_000
"""Steps that one evaluation may take."""


class CelProgram(Protocol):
    """A compiled expression."""

    @property
    def result_type(self) -> Type: ...

    @property
    def uses_old_self(self) -> bool: ...

    @property
    def tree(self) -> Node: ...

    def evaluate(self, self_value: Any, old_value: Any = None) -> tuple[Any, int]:
        """The value for ``self`` (and ``oldSelf``) in JSON form, and the work it took.

        Raises:
            EvaluationError: there is no value.
        """


class CelBackend(Protocol):
    """Compiles expressions against the type of ``self``."""

    def compile(self, source: str, self_type: Type, *, optional_old_self: bool = False) -> CelProgram:
        """Compile an expression.

        Raises:
            CompileError: it is not valid for the type.
        """


def mentions(node: Node, name: str) -> bool:
    """Whether a tree uses a variable."""
    if isinstance(node, ast.Identifier):
        return node.name.removeprefix(".") == name
    return any(mentions(child, name) for child in children(node))


@dataclass(frozen=True, slots=True)
class OwnProgram:
    """An expression compiled by this package."""

    tree: Node
    result_type: Type
    uses_old_self: bool
    _self_type: Type
    _optional_old_self: bool
    _compiled: Compiled

    def evaluate(self, self_value: Any, old_value: Any = None) -> tuple[Any, int]:
        read = reader(self._self_type)
        if read is not None:
            self_value = read(self_value)
            old_value = None if old_value is None else read(old_value)
        if self._optional_old_self:
            old_value = NONE if old_value is None else OptionalValue(old_value)
        return self._compiled.run(self_value, old_value, RULE_WORK_LIMIT)


class OwnBackend:
    """The evaluator of this package."""

    def compile(self, source: str, self_type: Type, *, optional_old_self: bool = False) -> OwnProgram:
        tree = parse(source)
        variables: Mapping[str, Type] = {
            "self": self_type,
            "oldSelf": optional_of(self_type) if optional_old_self else self_type,
        }
        result = check(source, tree, variables)
        uses_old = mentions(tree, "oldSelf")
        return OwnProgram(tree, result, uses_old, self_type, optional_old_self, compile_tree(tree))


BACKEND: CelBackend = OwnBackend()
