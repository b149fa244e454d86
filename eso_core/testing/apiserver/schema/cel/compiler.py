"""A checked tree to closures.

A program is a function of a frame: a list with ``self``, ``oldSelf``, the work done in loops, and the variables of
macros. Work is counted where it can grow, which is in loops: each turn adds the size of the loop's body.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from eso_core.testing.apiserver.schema.cel import ast
from eso_core.testing.apiserver.schema.cel.ast import Node
from eso_core.testing.apiserver.schema.cel.errors import CostExceeded, EvaluationError, NoSuchOverload
from eso_core.testing.apiserver.schema.cel.functions.operators import find, show_key
from eso_core.testing.apiserver.schema.cel.overloads import Overload
from eso_core.testing.apiserver.schema.cel.readers import reader
from eso_core.testing.apiserver.schema.cel.types import ObjectType, is_dynamic
from eso_core.testing.apiserver.schema.cel.values import NONE, OptionalValue

Frame = list[Any]
Program = Callable[[Frame], Any]

SELF: Final = 0
OLD_SELF: Final = 1
WORK: Final = 2
LIMIT: Final = 3
_LOCALS: Final = 4


class Compiled:
    """A program ready to run; ``size`` is the number of its steps outside of loops."""

    __slots__ = ("_program", "_slots", "size")

    def __init__(self, program: Program, slots: int, size: int) -> None:
        self._program = program
        self._slots = slots
        self.size = size

    def run(self, self_value: Any, old_value: Any, limit: int) -> tuple[Any, int]:
        """Evaluate.

        Returns the value and the work done.

        Raises:
            EvaluationError: the expression has no value.
        """
        frame: Frame = [self_value, old_value, self.size, limit, *([None] * self._slots)]
        value = self._program(frame)
        return value, frame[WORK]


def compile_tree(root: Node) -> Compiled:
    """Compile a tree that `eso_core.testing.apiserver.schema.cel.checker.check` has annotated."""
    compiler = _Compiler()
    program = compiler.visit(root)
    return Compiled(program, compiler.slots, tree_size(root))


def children(node: Node) -> Iterable[Node]:
    """The nodes directly below, in order of evaluation."""
    match node:
        case ast.Select() | ast.Presence():
            yield node.operand
        case ast.Call():
            yield from node.operands
        case ast.ListLiteral():
            yield from node.elements
        case ast.MapLiteral():
            for key, value in node.entries:
                yield key
                yield value
        case ast.Macro():
            yield node.source
            if node.condition is not None:
                yield node.condition
            yield node.body
        case ast.Bind():
            yield node.value
            yield node.body
        case ast.OptionalMap():
            yield node.operand
            yield node.body


def tree_size(node: Node) -> int:
    """The steps of one evaluation, not counting the turns of loops."""
    if isinstance(node, ast.Constant):
        return 0
    if isinstance(node, ast.Macro):
        return 1 + tree_size(node.source)
    return 1 + sum(map(tree_size, children(node)))


class _Compiler:
    def __init__(self) -> None:
        self._scope: dict[str, int] = {"self": SELF, "oldSelf": OLD_SELF}
        self._next = _LOCALS
        self.slots = 0

    def visit(self, node: Node) -> Program:
        match node:
            case ast.Constant(value=value):
                return lambda frame: value
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
                return self._bind(node)
            case ast.OptionalMap():
                return self._optional_map(node)
        raise TypeError(f"compiling an expression: unknown node {type(node).__name__}")

    def _local(self, names: tuple[str, ...], node: Node | None) -> tuple[list[int], Program | None]:
        """Compile a node with new variables; gives their slots."""
        if node is None:
            return [], None
        before, start = dict(self._scope), self._next
        slots = list(range(start, start + len(names)))
        self._scope.update(zip(names, slots, strict=True))
        self._next = start + len(names)
        self.slots = max(self.slots, self._next - _LOCALS)
        program = self.visit(node)
        self._scope, self._next = before, start
        return slots, program

    # -- names and fields

    def _identifier(self, node: ast.Identifier) -> Program:
        if node.constant is not None:
            constant = node.constant
            return lambda frame: constant
        slot = self._scope[node.name.removeprefix(".")]
        return lambda frame: frame[slot]

    def _select(self, node: ast.Select) -> Program:
        if node.constant is not None:
            constant = node.constant
            return lambda frame: constant
        operand, type_ = self.visit(node.operand), node.operand.type
        if type_.name == "optional_type":
            inner = type_.parameters[0]
            read = _field_reader(inner, node.field)
            return lambda frame: _optional_field(operand(frame), read)
        read = _field_reader(type_, node.field)
        if node.optional:
            return lambda frame: _optional_field(OptionalValue(operand(frame)), read)
        if isinstance(type_, ObjectType):
            return _object_field(operand, type_, node.field)
        return lambda frame: _required(read(operand(frame)), node.field)

    def _presence(self, node: ast.Presence) -> Program:
        operand, type_, field = self.visit(node.operand), node.operand.type, node.field
        if isinstance(type_, ObjectType):
            key = type_.fields[field].key
            return lambda frame: isinstance(value := operand(frame), dict) and value.get(key) is not None
        read = _field_reader(type_.parameters[0] if type_.name == "optional_type" else type_, field)

        def present(frame: Frame) -> bool:
            value = operand(frame)
            if isinstance(value, OptionalValue):
                return value.present and read(value.value).present
            return read(value).present

        return present

    # -- calls

    def _call(self, node: ast.Call) -> Program:
        function = node.function
        operands = [self.visit(operand) for operand in node.operands]
        match function:
            case "_&&_":
                return _and(operands[0], operands[1])
            case "_||_":
                return _or(operands[0], operands[1])
            case "_?_:_":
                return _conditional(operands[0], operands[1], operands[2])
            case "or" | "orValue" if not node.overloads:
                return _alternative(operands[0], operands[1], function == "orValue")
            case "_==_" | "_!=_" | "@in":
                operands = [
                    self._comparable(program, operand) for program, operand in zip(operands, node.operands, strict=True)
                ]
        exact = len(node.overloads) == 1 and not any(is_dynamic(operand.type) for operand in node.operands)
        if exact or all(parameter.is_parameter for overload in node.overloads for parameter in overload.parameters):
            return _direct(node.overloads[0].call, operands)
        return _dispatch(node.overloads, operands)

    def _comparable(self, program: Program, node: Node) -> Program:
        """Comparing objects needs their fields read, which is otherwise left for later."""
        read = reader(node.type, deep=True) if _has_objects(node) else None
        if read is None:
            return program
        return lambda frame: read(program(frame))

    def _list(self, node: ast.ListLiteral) -> Program:
        elements = [self.visit(element) for element in node.elements]
        if not node.optional:
            return lambda frame: [element(frame) for element in elements]

        def build(frame: Frame) -> list[Any]:
            values: list[Any] = []
            for index, element in enumerate(elements):
                value = element(frame)
                if index not in node.optional:
                    values.append(value)
                elif value.present:
                    values.append(value.value)
            return values

        return build

    def _map(self, node: ast.MapLiteral) -> Program:
        entries = [(self.visit(key), self.visit(value)) for key, value in node.entries]

        def build(frame: Frame) -> dict[Any, Any]:
            values: dict[Any, Any] = {}
            for index, (key_program, value_program) in enumerate(entries):
                key, value = key_program(frame), value_program(frame)
                if key in values:
                    raise EvaluationError(f"Failed with repeated key {show_key(key)}")
                if index not in node.optional:
                    values[key] = value
                elif value.present:
                    values[key] = value.value
            return values

        return build

    # -- macros

    def _macro(self, node: ast.Macro) -> Program:
        source = self.visit(node.source)
        slots, body = self._local(node.variables, node.body)
        _, condition = self._local(node.variables, node.condition)
        assert body is not None
        cost = 2 + tree_size(node.body) + (tree_size(node.condition) if node.condition is not None else 0)
        return _MACROS[node.kind](_Loop(source, tuple(slots), cost), condition, body)

    def _bind(self, node: ast.Bind) -> Program:
        value = self.visit(node.value)
        slots, body = self._local((node.name,), node.body)
        assert body is not None
        slot, inner = slots[0], body

        def bind(frame: Frame) -> Any:
            frame[slot] = value(frame)
            return inner(frame)

        return bind

    def _optional_map(self, node: ast.OptionalMap) -> Program:
        operand = self.visit(node.operand)
        slots, body = self._local((node.name,), node.body)
        assert body is not None
        slot, inner, flat = slots[0], body, node.flat

        def transform(frame: Frame) -> Any:
            value = operand(frame)
            if not value.present:
                return NONE
            frame[slot] = value.value
            result = inner(frame)
            return result if flat else OptionalValue(result)

        return transform


def _has_objects(node: Node) -> bool:
    type_ = node.type
    while type_.name in ("list", "map", "optional_type") and type_.parameters:
        type_ = type_.parameters[-1]
    return isinstance(type_, ObjectType)


def _field_reader(type_: Any, field: str) -> Callable[[Any], OptionalValue]:
    """Looks a field up in a value of the type. A field of an object that is null counts as absent."""
    if isinstance(type_, ObjectType):
        declared = type_.fields[field]
        key, convert = declared.key, reader(declared.type)

        def lookup(value: Any) -> OptionalValue:
            found = value.get(key) if isinstance(value, dict) else None
            if found is None:
                return NONE
            return OptionalValue(found if convert is None else convert(found))

        return lookup

    def find_field(value: Any) -> OptionalValue:
        if isinstance(value, dict):
            return find(value, field)
        if isinstance(value, OptionalValue):
            return find_field(value.value) if value.present else NONE
        raise NoSuchOverload

    return find_field


def _optional_field(value: OptionalValue, read: Callable[[Any], OptionalValue]) -> OptionalValue:
    return read(value.value) if value.present and value.value is not None else NONE


def _required(found: OptionalValue, field: str) -> Any:
    if found is NONE:
        raise EvaluationError(f"no such key: {field}")
    return found.value


def _object_field(operand: Program, type_: ObjectType, field: str) -> Program:
    declared = type_.fields[field]
    key, convert = declared.key, reader(declared.type)

    def get(frame: Frame) -> Any:
        value = operand(frame)
        found = value.get(key) if isinstance(value, dict) else None
        if found is None:
            raise EvaluationError(f"no such key: {field}")
        return found

    if convert is None:
        return get
    read = convert
    return lambda frame: read(get(frame))


def _direct(call: Callable[..., Any], operands: list[Program]) -> Program:
    match operands:
        case [only]:
            return lambda frame: call(only(frame))
        case [left, right]:
            return lambda frame: call(left(frame), right(frame))
    return lambda frame: call(*(operand(frame) for operand in operands))


def _dispatch(overloads: list[Overload], operands: list[Program]) -> Program:
    """Types are only known at run time: the overload is chosen then."""

    def call(frame: Frame) -> Any:
        values = tuple(operand(frame) for operand in operands)
        for overload in overloads:
            if overload.accepts(values):
                return overload.call(*values)
        raise NoSuchOverload

    return call


def _boolean(value: Any) -> bool:
    if value is True or value is False:
        return bool(value)
    raise NoSuchOverload


def _and(left: Program, right: Program) -> Program:
    """Both sides count: a failure on one does not matter if the other is false."""

    def both(frame: Frame) -> bool:
        try:
            if not _boolean(left(frame)):
                return False
        except CostExceeded:
            raise
        except EvaluationError:
            if not _boolean(right(frame)):
                return False
            raise
        return _boolean(right(frame))

    return both


def _or(left: Program, right: Program) -> Program:
    def either(frame: Frame) -> bool:
        try:
            if _boolean(left(frame)):
                return True
        except CostExceeded:
            raise
        except EvaluationError:
            if _boolean(right(frame)):
                return True
            raise
        return _boolean(right(frame))

    return either


def _conditional(condition: Program, yes: Program, no: Program) -> Program:
    return lambda frame: yes(frame) if _boolean(condition(frame)) else no(frame)


def _alternative(target: Program, other: Program, unwrap: bool) -> Program:
    def choose(frame: Frame) -> Any:
        value = target(frame)
        if not isinstance(value, OptionalValue):
            raise NoSuchOverload
        if value.present:
            return value.value if unwrap else value
        return other(frame)

    return choose


class _Loop:
    """Runs through a list or map, setting the variables and counting work."""

    __slots__ = ("_cost", "_slots", "_source")

    def __init__(self, source: Program, slots: tuple[int, ...], cost: int) -> None:
        self._source = source
        self._slots = slots
        self._cost = cost

    def turns(self, frame: Frame) -> Iterable[Any]:
        """Yields the key or index of each turn, after setting the variables."""
        source, slots, cost, limit = self._source(frame), self._slots, self._cost, frame[LIMIT]
        if isinstance(source, dict):
            pairs: Iterable[tuple[Any, Any]] = source.items()
        elif isinstance(source, list):
            pairs = enumerate(source)
        else:
            raise NoSuchOverload
        single = slots[0] if len(slots) == 1 else None
        keyed = isinstance(source, dict)
        for key, value in pairs:
            frame[WORK] += cost
            if frame[WORK] > limit:
                raise CostExceeded
            if single is not None:
                frame[single] = key if keyed else value
            else:
                frame[slots[0]], frame[slots[1]] = key, value
            yield key

    def variable(self, frame: Frame) -> Any:
        """The value of the first variable in this turn."""
        return frame[self._slots[0]]


def _all(loop: _Loop, condition: Program | None, body: Program) -> Program:
    def run(frame: Frame) -> bool:
        failure: EvaluationError | None = None
        for _ in loop.turns(frame):
            try:
                if not _boolean(body(frame)):
                    return False
            except CostExceeded:
                raise
            except EvaluationError as error:
                failure = failure or error
        if failure is not None:
            raise failure
        return True

    return run


def _exists(loop: _Loop, condition: Program | None, body: Program) -> Program:
    def run(frame: Frame) -> bool:
        failure: EvaluationError | None = None
        for _ in loop.turns(frame):
            try:
                if _boolean(body(frame)):
                    return True
            except CostExceeded:
                raise
            except EvaluationError as error:
                failure = failure or error
        if failure is not None:
            raise failure
        return False

    return run


def _exists_one(loop: _Loop, condition: Program | None, body: Program) -> Program:
    return lambda frame: sum(_boolean(body(frame)) for _ in loop.turns(frame)) == 1


def _filter(loop: _Loop, condition: Program | None, body: Program) -> Program:
    return lambda frame: [loop.variable(frame) for _ in loop.turns(frame) if _boolean(body(frame))]


def _map(loop: _Loop, condition: Program | None, body: Program) -> Program:
    if condition is None:
        return lambda frame: [body(frame) for _ in loop.turns(frame)]
    test = condition
    return lambda frame: [body(frame) for _ in loop.turns(frame) if _boolean(test(frame))]


def _transform_map(loop: _Loop, condition: Program | None, body: Program) -> Program:
    return lambda frame: {
        key: body(frame) for key in loop.turns(frame) if condition is None or _boolean(condition(frame))
    }


def _transform_entry(loop: _Loop, condition: Program | None, body: Program) -> Program:
    def run(frame: Frame) -> dict[Any, Any]:
        result: dict[Any, Any] = {}
        for _ in loop.turns(frame):
            if condition is None or _boolean(condition(frame)):
                for key, value in body(frame).items():
                    if key in result:
                        raise EvaluationError(f"insert failed: key {show_key(key)} already exists")
                    result[key] = value
        return result

    return run


_MACROS: Final[dict[str, Callable[[_Loop, Program | None, Program], Program]]] = {
    "all": _all,
    "exists": _exists,
    "exists_one": _exists_one,
    "filter": _filter,
    "map": _map,
    "transformList": _map,
    "transformMap": _transform_map,
    "transformMapEntry": _transform_entry,
}
