"""Type checking: resolves names, chooses overloads, and gives every node its type.

What the checker accepts may still fail at run time where types are dynamic; what it refuses, the server refuses when a
CRD is created.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from eso_core.testing.apiserver.schema.cel import ast
from eso_core.testing.apiserver.schema.cel.ast import Node
from eso_core.testing.apiserver.schema.cel.errors import CompileError, Issue
from eso_core.testing.apiserver.schema.cel.functions import FUNCTIONS
from eso_core.testing.apiserver.schema.cel.overloads import Overload
from eso_core.testing.apiserver.schema.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    DYN,
    ERROR,
    INT,
    NULL,
    STRING,
    TIMESTAMP,
    UINT,
    Bindings,
    ObjectType,
    Type,
    assignable,
    is_dynamic,
    join,
    list_of,
    map_of,
    optional_of,
    substitute,
    type_of,
)
from eso_core.testing.apiserver.schema.cel.values import TypeValue, UInt

_TYPE_NAMES: Final[dict[str, Type]] = {
    "bool": BOOL,
    "bytes": BYTES,
    "double": DOUBLE,
    "int": INT,
    "uint": UINT,
    "string": STRING,
    "null_type": NULL,
    "list": list_of(DYN),
    "map": map_of(DYN, DYN),
    "type": type_of(DYN),
    "dyn": DYN,
    "optional_type": optional_of(DYN),
    TIMESTAMP.name: TIMESTAMP,
    DURATION.name: DURATION,
    "net.IP": Type("net.IP"),
    "net.CIDR": Type("net.CIDR"),
    "kubernetes.URL": Type("kubernetes.URL"),
    "kubernetes.Quantity": Type("kubernetes.Quantity"),
    "kubernetes.Semver": Type("kubernetes.Semver"),
    "kubernetes.NamedFormat": Type("kubernetes.NamedFormat"),
}


def check(source: str, root: Node, variables: Mapping[str, Type]) -> Type:
    """Check a tree and annotate it.

    Returns the type of the expression.

    Raises:
        CompileError: a name is unknown or a type does not fit.
    """
    checker = _Checker(dict(variables))
    result = checker.visit(root)
    if checker.issues:
        raise CompileError(source, checker.issues)
    return result


def qualified_name(node: Node) -> str:
    """The dotted name that a node spells, or empty."""
    if isinstance(node, ast.Identifier):
        return node.name.removeprefix(".")
    if isinstance(node, ast.Select) and not node.optional:
        prefix = qualified_name(node.operand)
        return f"{prefix}.{node.field}" if prefix else ""
    return ""


class _Checker:
    def __init__(self, variables: dict[str, Type]) -> None:
        self._scopes = [variables]
        self.issues: list[Issue] = []

    def _report(self, node: Node, message: str) -> Type:
        self.issues.append(Issue(node.position, message))
        return ERROR

    def _lookup(self, name: str) -> Type | None:
        for scope in reversed(self._scopes):
            if name in scope:
                return scope[name]
        return None

    def visit(self, node: Node) -> Type:
        node.type = self._visit(node)
        return node.type

    def _visit(self, node: Node) -> Type:
        match node:
            case ast.Constant():
                return _constant_type(node.value)
            case ast.Identifier():
                return self._identifier(node)
            case ast.Select():
                return self._select(node)
            case ast.Presence():
                return self._presence(node)
            case ast.Call():
                return self._call(node)
            case ast.ListLiteral():
                return self._list(node)
            case ast.MapLiteral():
                return self._map(node)
            case ast.Macro():
                return self._macro(node)
            case ast.Bind():
                value = self.visit(node.value)
                return self._scoped({node.name: value}, node.body)
            case ast.OptionalMap():
                return self._optional_map(node)
            case ast.StructLiteral():
                return self._report(node, f"undeclared reference to '{node.name}' (in container '')")
        raise TypeError(f"checking an expression: unknown node {type(node).__name__}")

    def _scoped(self, variables: dict[str, Type], body: Node) -> Type:
        self._scopes.append(variables)
        result = self.visit(body)
        self._scopes.pop()
        return result

    # -- names and fields

    def _identifier(self, node: ast.Identifier) -> Type:
        name = node.name.removeprefix(".")
        found = self._lookup(name)
        if found is not None:
            return found
        if name in _TYPE_NAMES:
            node.constant = TypeValue(Type(_TYPE_NAMES[name].name))
            return type_of(_TYPE_NAMES[name])
        return self._report(node, f"undeclared reference to '{name}' (in container '')")

    def _select(self, node: ast.Select) -> Type:
        name = qualified_name(node)
        if name in _TYPE_NAMES and self._lookup(name.partition(".")[0]) is None:
            node.constant = TypeValue(Type(_TYPE_NAMES[name].name))
            return type_of(_TYPE_NAMES[name])
        operand = self.visit(node.operand)
        optional = node.optional
        if operand.name == "optional_type":
            operand, optional = operand.parameters[0], True
        found = self._field(node, operand, node.field)
        if not optional or found is ERROR:
            return found
        return found if found.name == "optional_type" else optional_of(found)

    def _field(self, node: Node, operand: Type, field: str) -> Type:
        if isinstance(operand, ObjectType):
            declared = operand.fields.get(field)
            return declared.type if declared is not None else self._report(node, f"undefined field '{field}'")
        if operand.name == "map":
            return operand.parameters[1]
        if is_dynamic(operand):
            return DYN if operand is not ERROR else ERROR
        return self._report(node, f"type '{operand}' does not support field selection")

    def _presence(self, node: ast.Presence) -> Type:
        operand = self.visit(node.operand)
        if operand.name == "optional_type":
            operand = operand.parameters[0]
        self._field(node, operand, node.field)
        return BOOL

    # -- calls

    def _call(self, node: ast.Call) -> Type:
        if node.target is not None:
            name = qualified_name(node.target)
            if name and self._lookup(name.partition(".")[0]) is None and f"{name}.{node.function}" in FUNCTIONS:
                node.function = f"{name}.{node.function}"
                node.target = None
        for operand in node.operands:
            if node.function == "format" and isinstance(operand, ast.ListLiteral):
                operand.type = self._list(operand, mixed=True)
            else:
                self.visit(operand)
        if node.function in ("_&&_", "_||_"):
            return self._connective(node)
        if node.function == "_?_:_":
            return self._conditional(node)
        if node.function in ("or", "orValue") and node.target is not None and len(node.arguments) == 1:
            return self._alternative(node)
        name = node.function.removeprefix(".")
        candidates = FUNCTIONS.get(name)
        if candidates is None:
            return self._report(node, f"undeclared reference to '{name}' (in container '')")
        node.function = name
        return self._resolve(node, candidates)

    def _resolve(self, node: ast.Call, candidates: list[Overload]) -> Type:
        given = [operand.type for operand in node.operands]
        if any(type_ is ERROR for type_ in given):
            return ERROR
        method = node.target is not None
        results: list[Type] = []
        for overload in candidates:
            if overload.method != method or len(overload.parameters) != len(given):
                continue
            bindings: Bindings = {}
            if all(
                assignable(wanted, type_, bindings) for wanted, type_ in zip(overload.parameters, given, strict=True)
            ):
                node.overloads.append(overload)
                results.append(substitute(overload.result, bindings, free_as_dyn=True))
        if not results:
            return self._no_overload(node)
        first = results[0]
        return first if all(result == first for result in results) else DYN

    def _no_overload(self, node: ast.Call) -> Type:
        shown = ", ".join(str(argument.type) for argument in node.arguments)
        applied = f"({shown})" if node.target is None else f"{node.target.type}.({shown})"
        return self._report(node, f"found no matching overload for '{node.function}' applied to '{applied}'")

    def _connective(self, node: ast.Call) -> Type:
        if any(argument.type is ERROR for argument in node.arguments):
            return BOOL
        if all(assignable(BOOL, argument.type, {}) for argument in node.arguments):
            return BOOL
        return self._no_overload(node)

    def _conditional(self, node: ast.Call) -> Type:
        condition, yes, no = node.arguments
        if any(argument.type is ERROR for argument in node.arguments):
            return ERROR
        if not assignable(BOOL, condition.type, {}) or not assignable(yes.type, no.type, {}):
            return self._no_overload(node)
        return no.type if is_dynamic(yes.type) else yes.type

    def _alternative(self, node: ast.Call) -> Type:
        target, argument = node.operands
        if target.type is ERROR or argument.type is ERROR:
            return ERROR
        if is_dynamic(target.type):
            return DYN
        if target.type.name == "optional_type":
            inner = target.type.parameters[0]
            wanted = target.type if node.function == "or" else inner
            if assignable(wanted, argument.type, {}):
                return argument.type if is_dynamic(inner) else wanted
        return self._no_overload(node)

    # -- literals

    def _list(self, node: ast.ListLiteral, *, mixed: bool = False) -> Type:
        """Literals have one type throughout, except where each element is meant for another place (``mixed``)."""
        element: Type | None = DYN if mixed else None
        for index, item in enumerate(node.elements):
            type_ = self.visit(item)
            if index in node.optional:
                type_ = self._unwrap(item, type_)
            element = self._uniform(item, element, type_)
        return list_of(element or DYN)

    def _unwrap(self, node: Node, type_: Type) -> Type:
        if type_.name == "optional_type":
            return type_.parameters[0]
        if not is_dynamic(type_):
            self._report(node, f"expected type 'optional_type({type_})' but found '{type_}'")
        return type_

    def _uniform(self, node: Node, known: Type | None, type_: Type) -> Type:
        if known is None or type_ is ERROR:
            return type_ if known is None else known
        if assignable(known, type_, {}):
            return known
        self._report(node, f"expected type '{known}' but found '{type_}'")
        return join(known, type_)

    def _map(self, node: ast.MapLiteral) -> Type:
        key: Type | None = None
        value: Type | None = None
        for index, (name, item) in enumerate(node.entries):
            key = self._uniform(name, key, self.visit(name))
            type_ = self.visit(item)
            if index in node.optional:
                type_ = self._unwrap(item, type_)
            value = self._uniform(item, value, type_)
        return map_of(key or DYN, value or DYN)

    # -- macros

    def _macro(self, node: ast.Macro) -> Type:
        source = self.visit(node.source)
        key, item = self._range(node, source)
        if len(node.variables) == 2:
            variables = dict(zip(node.variables, (key, item), strict=True))
        else:
            variables = {node.variables[0]: key if source.name == "map" else item}
        if node.condition is not None:
            self._predicate(node, self._scoped(variables, node.condition))
        body = self._scoped(variables, node.body)
        match node.kind:
            case "all" | "exists" | "exists_one":
                self._predicate(node, body)
                return BOOL
            case "filter":
                self._predicate(node, body)
                return list_of(variables[node.variables[0]])
            case "map" | "transformList":
                return list_of(body)
            case "transformMap":
                return map_of(key, body)
            case "transformMapEntry":
                return body if body.name == "map" else map_of(DYN, DYN)

    def _range(self, node: ast.Macro, source: Type) -> tuple[Type, Type]:
        if source.name == "list":
            return INT, source.parameters[0]
        if source.name == "map":
            return source.parameters[0], source.parameters[1]
        if not is_dynamic(source):
            message = (
                f"expression of type '{source}' cannot be range of a comprehension (must be list, map, or dynamic)"
            )
            self._report(node.source, message)
            return ERROR, ERROR
        return DYN, DYN

    def _predicate(self, node: ast.Macro, type_: Type) -> None:
        if type_ is ERROR or assignable(BOOL, type_, {}):
            return
        operator = {"exists": "_||_"}.get(node.kind, "_&&_")
        self._report(node, f"found no matching overload for '{operator}' applied to '(bool, {type_})'")

    def _optional_map(self, node: ast.OptionalMap) -> Type:
        operand = self.visit(node.operand)
        if operand.name != "optional_type" and not is_dynamic(operand):
            name = "optFlatMap" if node.flat else "optMap"
            return self._report(node, f"found no matching overload for '{name}' applied to '{operand}.()'")
        inner = operand.parameters[0] if operand.parameters else DYN
        body = self._scoped({node.name: inner}, node.body)
        return body if node.flat else optional_of(body)


def _constant_type(value: object) -> Type:
    match value:
        case None:
            return NULL
        case bool():
            return BOOL
        case UInt():
            return UINT
        case int():
            return INT
        case float():
            return DOUBLE
        case str():
            return STRING
    return BYTES
