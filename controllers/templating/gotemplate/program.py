"""Statements of templates as closures, and whole texts as programs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from controllers.templating.gotemplate.calls import Callee
from controllers.templating.gotemplate.compiler import Expressions
from controllers.templating.gotemplate.fields import HOLDS_ANYTHING
from controllers.templating.gotemplate.fmt import to_text
from controllers.templating.gotemplate.nodes import Action, Branch, Jump, Listing, Node, TemplateCall, Text
from controllers.templating.gotemplate.parser import parse
from controllers.templating.gotemplate.quoting import quote, text
from controllers.templating.gotemplate.run import NIL, UNSET, Body, Evaluate, Program, Run, Statement
from controllers.templating.gotemplate.scopes import Scope
from controllers.templating.gotemplate.stacks import FRESH, on_fresh_stack
from controllers.templating.gotemplate.values import Value

__all__ = ["build", "execute"]

_DEEPEST: Final = 100_000


def build(
    name: str, source: bytes, functions: Mapping[str, Callee], left: bytes, right: bytes, uses: Callable[[str], None]
) -> Program:
    """Parses and compiles a text.

    Args:
        uses: is told each function that the text calls.

    Raises:
        ParseError: it is no template.
    """
    trees = parse(name, source, functions, left, right)
    program = Program(name, source, {key: Body(text(key)) for key in trees})

    def callee(word: str) -> Callee:
        uses(word)
        return functions[word]

    for key, tree in trees.items():
        body = program.bodies[key]
        statements = _Statements(program, callee)
        body.statements = statements.all_of(tree.root)
        body.slots = statements.scope.slots
    program.bodies[name.encode("utf-8", "surrogateescape")].name = name
    return program


def execute(run: Run, program: Program) -> bytes:
    """Renders the main template of a program.

    Raises:
        ExecError: it fails.
    """
    body = program.bodies[program.name.encode("utf-8", "surrogateescape")]
    run.variables = [UNSET] * body.slots
    run.variables[0] = run.root
    root = run.root
    for statement in body.statements:
        statement(run, root)
    return b"".join(run.out)


class _Statements:
    """Compiles the statements of one template."""

    def __init__(self, program: Program, callees: Callable[[str], Callee]) -> None:
        self.scope = Scope()
        self._program = program
        self._expressions = Expressions(self.scope, callees)
        # Frames between the body of the template and the statement that is compiled.
        self._frames = 1

    def all_of(self, listing: Listing) -> tuple[Statement, ...]:
        """The statements of a list."""
        return tuple(self._statement(node) for node in listing.nodes)

    def _statement(self, node: Node) -> Statement:
        if isinstance(node, Text):
            return self._text(node)
        if isinstance(node, Action):
            return self._action(node)
        if isinstance(node, Branch):
            make = self._range if node.word == "range" else self._condition
            return self._deeper(lambda: make(node))
        if isinstance(node, TemplateCall):
            return self._template(node)
        if isinstance(node, Jump):
            word = node.word
            return lambda run, dot: word
        raise AssertionError(f"{type(node).__name__} is no statement")

    def _deeper(self, make: Callable[[], Statement]) -> Statement:
        self._frames += 1
        frames = self._frames
        made = self._expressions.deeper(make)
        self._frames = frames - 1
        return made

    @staticmethod
    def _text(node: Text) -> Statement:
        value = node.value
        size = len(value)

        def write(run: Run, dot: Value) -> None:
            run.out.append(value)
            run.size += size
            if run.size > run.limit:
                raise run.too_large(node)

        return write

    def _action(self, node: Action) -> Statement:
        pipe = self._expressions.pipe(node.pipe, unpack=False)
        if node.pipe.declares:

            def declare(run: Run, dot: Value) -> None:
                pipe(run, dot)
                meter = run.meter
                meter.steps += 1
                if meter.steps >= meter.next_look:
                    meter.look()

            return declare

        def show(run: Run, dot: Value) -> None:
            value = pipe(run, dot)
            if type(value) is not bytes:
                value = b"<no value>" if value is None or value is NIL else to_text(value)
            run.out.append(value)
            run.size += len(value)
            if run.size > run.limit:
                raise run.too_large(node)
            meter = run.meter
            meter.steps += 1
            if meter.steps >= meter.next_look:
                meter.look()

        return show

    def _condition(self, node: Branch) -> Statement:
        """`if` and `with`; a chain of `else if` becomes a list of arms."""
        arms: list[tuple[Evaluate, tuple[Statement, ...]]] = []
        otherwise: tuple[Statement, ...] = ()
        with self.scope.block():
            branch = node
            while True:
                pipe = self._expressions.pipe(branch.pipe, unpack=False)
                with self.scope.block():
                    if node.word == "with":
                        self.scope.dot_flag = None
                    arms.append((pipe, self.all_of(branch.body)))
                following = branch.otherwise
                if following is None:
                    break
                nodes = following.nodes
                if len(nodes) == 1 and isinstance(nodes[0], Branch) and nodes[0].word == node.word:
                    branch = nodes[0]
                    continue
                with self.scope.block():
                    otherwise = self.all_of(following)
                break
        sets_dot = node.word == "with"

        def choose(run: Run, dot: Value) -> str | None:
            for pipe, statements in arms:
                value = pipe(run, dot)
                if value:
                    inner = value if sets_dot else dot
                    for statement in statements:
                        jump = statement(run, inner)
                        if jump is not None:
                            return jump
                    return None
            for statement in otherwise:
                jump = statement(run, dot)
                if jump is not None:
                    return jump
            return None

        return choose

    def _range(self, node: Branch) -> Statement:
        scope, pipe = self.scope, node.pipe
        with scope.block():
            operand = self._expressions.pipe(pipe)
            flag = scope.slot()
            names = [variable.names[0] for variable in pipe.declares]
            flags = self._flags(names)
            slots = [] if pipe.assigns else [declared.slot for declared in scope.last(len(names))]
            setters = [self._expressions.assignment(name, by_range=True) for name in names if pipe.assigns]
            with scope.block():
                scope.dot_flag = flag
                body = self.all_of(node.body)
            with scope.block():
                otherwise = () if node.otherwise is None else self.all_of(node.otherwise)
        set_index = setters[0] if len(setters) == 2 else None
        set_element = setters[-1] if setters else None
        index_slot = slots[0] if len(slots) == 2 else 0
        element_slot = slots[-1] if slots else 0
        two = len(names) == 2

        def loop(run: Run, dot: Value) -> str | None:
            value = operand(run, dot)
            held = type(value) in HOLDS_ANYTHING
            run.variables[flag] = held
            variables = run.variables
            for variable in flags:
                variables[variable] = held
            meter = run.meter
            empty = True
            for index, element in _pairs(run, value, two):
                empty = False
                meter.steps += 1
                if meter.steps >= meter.next_look:
                    meter.look()
                if element is None and held:
                    element = NIL
                if element_slot:
                    variables[element_slot] = element
                    if index_slot:
                        variables[index_slot] = index
                elif set_element is not None:
                    set_element(run, element)
                    if set_index is not None:
                        set_index(run, index)
                jump = None
                for statement in body:
                    jump = statement(run, element)
                    if jump is not None:
                        break
                if jump == "break":
                    break
            if empty:
                for statement in otherwise:
                    jump = statement(run, dot)
                    if jump is not None:
                        return jump
            return None

        return loop

    def _flags(self, names: list[bytes]) -> list[int]:
        """The slots that say whether the variable of the element holds anything."""
        found = self.scope.find(names[-1]) if names else []
        if not found:
            return []
        if found[0].flag is None:
            found[0].flag = self.scope.slot()
        return [found[0].flag]

    def _template(self, node: TemplateCall) -> Statement:
        pipe = self._expressions.pipe(node.pipe) if node.pipe is not None else None
        body = self._program.bodies.get(node.name)
        if body is None:
            message = f"template {text(quote(node.name))} not defined"

            def undefined(run: Run, dot: Value) -> None:
                run.node = node
                raise run.fail(message)

            return undefined
        frames = self._frames

        def call(run: Run, dot: Value) -> None:
            run.node = node
            if run.depth == _DEEPEST:
                raise run.fail(f"exceeded maximum template depth ({_DEEPEST})")
            root = pipe(run, dot) if pipe is not None else None
            meter = run.meter
            meter.steps += 1
            if meter.steps >= meter.next_look:
                meter.look()
            variables, executing, used, room = run.variables, run.executing, run.used, run.room
            run.variables = [UNSET] * body.slots
            run.variables[0] = root
            run.executing = body.name
            run.depth += 1
            run.used += frames
            if run.used < room:
                for statement in body.statements:
                    statement(run, root)
            else:
                run.used, run.room = 0, FRESH
                on_fresh_stack(lambda: _all(body, run, root))
            run.variables, run.executing, run.used, run.room = variables, executing, used, room
            run.depth -= 1

        return call


def _all(body: Body, run: Run, root: Value) -> None:
    for statement in body.statements:
        statement(run, root)


def _pairs(run: Run, value: Value, two: bool) -> Iterable[tuple[Value, Value]]:
    """What a range goes through: index or key, and element.

    Raises:
        ExecError: one cannot range over the value.
    """
    if isinstance(value, list):
        return enumerate(value)
    if isinstance(value, dict):
        run.meter.spend(1 + len(value))
        return [(key, value[key]) for key in sorted(value)]
    if value is None:
        return ()
    if isinstance(value, int) and not isinstance(value, bool):
        if two:
            raise run.fail(f"can't use {text(to_text(value))} to iterate over more than one variable")
        return _counted(value)
    raise run.fail(f"range can't iterate over {text(to_text(value))}")


def _counted(value: int) -> Iterator[tuple[Value, Value]]:
    kind = type(value)
    if kind is int:
        yield from ((None, number) for number in range(value))
    else:
        yield from ((None, kind(number)) for number in range(value))
