"""Compiles parse trees to Python closures, once per template text.

Each evaluation is a function of the render and of dot. What Go tracks as the current node is set as Go does it, as error
texts name the node that was looked at last.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from controllers.templating.gotemplate.arguments import VALUE, accept, constant, ideal, literal, validated
from controllers.templating.gotemplate.calls import Callee, call_of, short_circuit
from controllers.templating.gotemplate.errors import FunctionError
from controllers.templating.gotemplate.fields import ABSENT, HOLDS_ANYTHING, Argument, field
from controllers.templating.gotemplate.nodes import (
    Bool,
    Chain,
    Command,
    Dot,
    Field,
    Identifier,
    Nil,
    Node,
    Number,
    Pipe,
    String,
    Variable,
    source,
)
from controllers.templating.gotemplate.run import NIL, UNSET, Evaluate, Run, Staged
from controllers.templating.gotemplate.scopes import Declared, Scope
from controllers.templating.gotemplate.stacks import FRESH, on_fresh_stack
from controllers.templating.gotemplate.values import StrMap, Value, type_name

__all__ = ["Expressions"]

T = TypeVar("T")

# Levels of parentheses or blocks that one stack holds while compiling, and while rendering: each takes a few frames.
_LEVELS: Final = 50


def _failing(node: Node | None, message: str) -> Evaluate:
    def fail(run: Run, dot: Value) -> Value:
        if node is not None:
            run.node = node
        raise run.fail(message)

    return fail


class Expressions:
    """Pipelines, commands and operands of one template."""

    def __init__(self, scope: Scope, callees: Callable[[str], Callee]) -> None:
        self.scope = scope
        self._callees = callees
        self._level = 0

    def deeper(self, make: Callable[[], Evaluate]) -> Evaluate:
        """Compiles one level down; now and then on a fresh stack, and then it runs on a fresh one as well."""
        self._level += 1
        try:
            if self._level % _LEVELS:
                return make()
            inner = on_fresh_stack(make)
        finally:
            self._level -= 1

        def hop(run: Run, dot: Value) -> Value:
            used, room = run.used, run.room
            run.used, run.room = 0, FRESH
            value = on_fresh_stack(lambda: inner(run, dot))
            run.used, run.room = used, room
            return value

        return hop

    # -- pipelines

    def pipe(self, pipe: Pipe, *, unpack: bool = True) -> Evaluate:
        """A pipeline; its value is never `NIL` if it is unpacked, as it must be for all that keeps it."""
        first = self._first(pipe.commands[0], pipe)
        may_be_nil = not isinstance(pipe.commands[0].args[0], Identifier | Pipe | Bool | Number | String | Nil)
        stages = [self._staged(command) for command in pipe.commands[1:]]
        store = self._store(pipe)
        if not stages and store is None:
            if not (unpack and may_be_nil):
                return first

            def unpacked(run: Run, dot: Value) -> Value:
                value = first(run, dot)
                return None if value is NIL else value

            return unpacked

        if len(stages) == 1 and store is None:
            (second,) = stages

            def evaluate_two(run: Run, dot: Value) -> Value:
                value = first(run, dot)
                value = second(run, dot, None if value is NIL else value)
                return None if value is NIL else value

            return evaluate_two

        def evaluate(run: Run, dot: Value) -> Value:
            value = first(run, dot)
            if value is NIL:
                value = None
            for stage in stages:
                value = stage(run, dot, value)
                if value is NIL:
                    value = None
            if store is not None:
                store(run, value)
            return value

        return evaluate

    def _store(self, pipe: Pipe) -> Callable[[Run, Value], None] | None:
        if not pipe.declares:
            return None
        if pipe.assigns:
            setters = [self.assignment(variable.names[0]) for variable in pipe.declares]
        else:
            slots = [self.scope.declare(variable.names[0]).slot for variable in pipe.declares]
            if len(slots) == 1:
                only = slots[0]

                def declare(run: Run, value: Value) -> None:
                    run.variables[only] = value

                return declare

            def declare_both(run: Run, value: Value) -> None:
                for slot in slots:
                    run.variables[slot] = value

            return declare_both
        if len(setters) == 1:
            return setters[0]

        def assign_both(run: Run, value: Value) -> None:
            for setter in setters:
                setter(run, value)

        return assign_both

    def assignment(self, name: bytes, *, by_range: bool = False) -> Callable[[Run, Value], None]:
        """What `$x = value` does. A range says itself whether its elements may be anything."""
        candidates = self.scope.find(name)

        def assign(run: Run, value: Value) -> None:
            for declared in candidates:
                if not declared.conditional or run.variables[declared.slot] is not UNSET:
                    run.variables[declared.slot] = value
                    if declared.flag is not None and not by_range:
                        run.variables[declared.flag] = False
                    return
            raise run.fail(f"undefined variable: {name.decode('utf-8', 'replace')}")

        return assign

    # -- commands

    def _first(self, command: Command, pipe: Pipe) -> Evaluate:
        """The first command of a pipeline."""
        word = command.args[0]
        operands = command.args[1:]
        if isinstance(word, Identifier):
            return self._function(word, command, operands)
        if isinstance(word, Field | Chain) or (isinstance(word, Variable) and len(word.names) > 1):
            return self._fields(word, self._arguments(operands))
        if operands:
            at = pipe if isinstance(word, Pipe) else word
            if isinstance(word, Variable):
                return self._called_variable(word)
            return _failing(at, f"can't give argument to non-function {source(word)}")
        return self.raw(word)

    def _staged(self, command: Command) -> Staged:
        """A later command: the value before it is its last argument."""
        word = command.args[0]
        if isinstance(word, Identifier):
            return self._staged_function(word, command, command.args[1:])
        if isinstance(word, Field | Chain) or (isinstance(word, Variable) and len(word.names) > 1):
            return self._staged_fields(word, self._arguments(command.args[1:]))
        if isinstance(word, Variable):
            refused = self._called_variable(word)
            return lambda run, dot, final: refused(run, dot)
        at = None if isinstance(word, Pipe) else word
        message = f"can't give argument to non-function {source(word)}"

        def refuse(run: Run, dot: Value, final: Value) -> Value:
            if at is not None:
                run.node = at
            raise run.fail(message)

        return refuse

    def _called_variable(self, word: Variable) -> Evaluate:
        """A variable that is called: whether there is one comes first."""
        value = self.raw(word)

        def refuse(run: Run, dot: Value) -> Value:
            value(run, dot)
            raise run.fail(f"can't give argument to non-function {source(word)}")

        return refuse

    def _arguments(self, operands: list[Node]) -> tuple[Argument, ...]:
        return tuple(
            (node, None if node.literal and not isinstance(node, Dot) else self.raw(node)) for node in operands
        )

    # -- operands

    def raw(self, node: Node) -> Evaluate:
        """An operand as it is, before a parameter looks at its type."""
        if isinstance(node, Pipe):
            return self.deeper(lambda: self.pipe(node))
        if isinstance(node, Field | Chain) or (isinstance(node, Variable) and len(node.names) > 1):
            return self._fields(node, ())
        if isinstance(node, Variable):
            return self._variable(node)
        if isinstance(node, Identifier):
            return self._function(node, node, [])
        if isinstance(node, Dot):

            def dot_itself(run: Run, dot: Value) -> Value:
                run.node = node
                return dot

            return dot_itself
        if isinstance(node, Bool | String):
            return constant(node, node.value)
        if isinstance(node, Number):
            value, trouble = ideal(node)
            return constant(node, value) if trouble is None else _failing(node, trouble)
        return _failing(node, "nil is not a command")

    def _variable(self, node: Variable) -> Evaluate:
        candidates = self.scope.find(node.names[0])
        if len(candidates) == 1 and not candidates[0].conditional:
            slot = candidates[0].slot

            def variable(run: Run, dot: Value) -> Value:
                run.node = node
                return run.variables[slot]

            return variable
        return lambda run, dot: self._looked_up(run, node, candidates)[0]

    @staticmethod
    def _looked_up(run: Run, node: Variable, candidates: list[Declared]) -> tuple[Value, bool]:
        """The value of a variable and whether it holds anything."""
        run.node = node
        for declared in candidates:
            value = run.variables[declared.slot]
            if not declared.conditional or value is not UNSET:
                return value, declared.flag is not None and run.variables[declared.flag] is True
        raise run.fail(f"undefined variable: {node.names[0].decode('utf-8', 'replace')}")

    # -- fields

    def _start(self, node: Node) -> tuple[Callable[[Run, Value], tuple[Value, bool]], tuple[bytes, ...]]:
        """What gives the value that a chain starts from and whether something holds it, and the names that follow."""
        if isinstance(node, Field):
            flag = self.scope.dot_flag

            def at_dot(run: Run, dot: Value) -> tuple[Value, bool]:
                run.node = node
                return dot, flag is not None and run.variables[flag] is True

            return at_dot, node.names
        if isinstance(node, Variable):
            candidates = self.scope.find(node.names[0])
            return (lambda run, dot: self._looked_up(run, node, candidates)), node.names[1:]
        if not isinstance(node, Chain):
            raise AssertionError(f"{type(node).__name__} has no fields")
        inner = self.raw(node.node)
        operand = node.node

        def at_chain(run: Run, dot: Value) -> tuple[Value, bool]:
            run.node = operand
            return inner(run, dot), False

        return at_chain, node.names

    def _fields(self, node: Node, arguments: tuple[Argument, ...]) -> Evaluate:
        start, names = self._start(node)
        last = len(names) - 1

        def walk(run: Run, dot: Value) -> Value:
            receiver, held = start(run, dot)
            for at, name in enumerate(names):
                value = field(run, dot, receiver, name, held=held, node=node, arguments=arguments if at == last else ())
                held = type(receiver) in HOLDS_ANYTHING
                receiver = value
            return receiver

        if len(names) != 1 or arguments or not isinstance(node, Field):
            return walk
        only = names[0]

        def quick(run: Run, dot: Value) -> Value:
            if type(dot) is StrMap:
                value = dot.get(only)
                if value is not None:
                    run.node = node
                    return value
            return walk(run, dot)

        return quick

    def _staged_fields(self, node: Node, arguments: tuple[Argument, ...]) -> Staged:
        start, names = self._start(node)

        def walk(run: Run, dot: Value, final: Value) -> Value:
            receiver, held = start(run, dot)
            for name in names[:-1]:
                value = field(run, dot, receiver, name, held=held, node=node)
                held = type(receiver) in HOLDS_ANYTHING
                receiver = value
            return field(run, dot, receiver, names[-1], held=held, node=node, arguments=arguments, final=final)

        return walk

    # -- functions

    def _argument(self, node: Node, param: str) -> Evaluate:
        if node.literal and not isinstance(node, Dot):
            return literal(node, param)
        return validated(self.raw(node), param, never_nil=isinstance(node, Pipe | Identifier))

    def _function(self, word: Identifier, command: Node, operands: list[Node]) -> Evaluate:
        staged = self._call(word, command, operands, piped=False)
        return staged  # type: ignore[return-value]

    def _staged_function(self, word: Identifier, command: Node, operands: list[Node]) -> Staged:
        return self._call(word, command, operands, piped=True)

    def _call(self, word: Identifier, command: Node, operands: list[Node], *, piped: bool) -> Staged:
        name = word.name
        callee = self._callees(name)
        variadic = bool(callee.params) and callee.params[-1].startswith("...")
        fixed = len(callee.params) - variadic
        count = len(operands) + piped
        if variadic and count < fixed:
            return self._refusal(word, f"wrong number of args for {name}: want at least {fixed} got {len(operands)}")
        if not variadic and count != fixed:
            return self._refusal(word, f"wrong number of args for {name}: want {fixed} got {count}")
        rest = callee.params[-1][3:] if variadic else VALUE
        if name in ("and", "or"):
            return self._lazy(word, operands)
        arguments = [
            self._argument(operand, callee.params[at] if at < fixed else rest) for at, operand in enumerate(operands)
        ]
        if name == "call":
            return self._no_function(word, command, operands, arguments)
        last = None if not piped else callee.params[count - 1] if count <= fixed else rest
        return call_of(word, command, callee, tuple(arguments), last)

    @staticmethod
    def _refusal(word: Identifier, message: str) -> Staged:
        def refuse(run: Run, dot: Value, final: Value = ABSENT) -> Value:
            run.node = word
            raise run.fail(message)

        return refuse

    def _lazy(self, word: Identifier, operands: list[Node]) -> Staged:
        """`and`, `or`: variables that an operand declares exist only if it was evaluated."""
        first = [self._argument(operand, VALUE) for operand in operands[:1]]
        with self.scope.conditionally() as declared:
            others = [self._argument(operand, VALUE) for operand in operands[1:]]
        return short_circuit(word, [*first, *others], word.name == "or", [variable.slot for variable in declared])

    @staticmethod
    def _no_function(word: Identifier, command: Node, operands: list[Node], arguments: list[Evaluate]) -> Staged:
        """`call`: no value of a template is a function."""

        def refuse(run: Run, dot: Value, final: Value = ABSENT) -> Value:
            run.node = word
            values = [evaluate(run, dot) for evaluate in arguments]
            if final is not ABSENT:
                values.append(accept(run, final, VALUE))
            callee = values[0]
            if operands:
                name = source(operands[0])
            elif isinstance(callee, bytes):
                name = callee.decode("utf-8", "replace")
            else:
                name = "<invalid Value>" if callee is None else f"<{type_name(callee)} Value>"
            if callee is None or callee is NIL:
                reason = FunctionError("call of nil")
            else:
                reason = FunctionError(f"non-function {name} of type {type_name(callee)}")
            raise run.refused(command, "call", reason)

        return refuse
