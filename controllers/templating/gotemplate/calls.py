"""Calls of functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from controllers.templating.gotemplate.arguments import accept
from controllers.templating.gotemplate.errors import FunctionError
from controllers.templating.gotemplate.fields import ABSENT
from controllers.templating.gotemplate.nodes import Identifier, Node
from controllers.templating.gotemplate.run import NIL, UNSET, Evaluate, Run, Staged
from controllers.templating.gotemplate.values import Value

__all__ = ["Callee", "call_of", "short_circuit"]


class Callee(Protocol):
    """What can be called."""

    @property
    def params(self) -> tuple[str, ...]:
        """Types of the parameters."""
        ...

    @property
    def call(self) -> Callable[..., Any]:
        """The implementation."""
        ...

    @property
    def heavy(self) -> bool:
        """Whether it takes tens of milliseconds or more."""
        ...

    @property
    def pure(self) -> bool:
        """Whether its result depends on the arguments alone."""
        ...


# Values below this size are not counted one by one.
_SMALL = 256


def call_of(
    word: Identifier, command: Node, callee: Callee, arguments: tuple[Evaluate, ...], piped: str | None
) -> Staged:
    """Evaluates the arguments from left to right and calls.

    Args:
        piped: the type of the parameter that the value before the command goes to, if there is one.
    """
    name, call = word.name, callee.call
    heavy = callee.heavy
    gather = _gathered(word, arguments)
    if piped is None:

        def plain(run: Run, dot: Value) -> Value:
            values = gather(run, dot)
            meter = run.meter
            meter.steps += 1
            if heavy or meter.steps >= meter.next_look:
                meter.look()
            try:
                value = call(*values)
            except FunctionError as reason:
                raise run.refused(command, name, reason) from reason
            if type(value) is bytes and len(value) > _SMALL:
                meter.count(len(value))
            return value

        return plain  # type: ignore[return-value]

    unchecked = bytes if piped == "string" else None

    def staged(run: Run, dot: Value, final: Value) -> Value:
        values = gather(run, dot)
        if type(final) is not unchecked:
            final = accept(run, final, piped)
        meter = run.meter
        meter.steps += 1
        if heavy or meter.steps >= meter.next_look:
            meter.look()
        try:
            value = call(*values, final)
        except FunctionError as reason:
            raise run.refused(command, name, reason) from reason
        if type(value) is bytes and len(value) > _SMALL:
            meter.count(len(value))
        return value

    return staged


def _gathered(word: Identifier, arguments: tuple[Evaluate, ...]) -> Callable[[Run, Value], Sequence[Value]]:
    """The arguments as a tuple; small numbers of them without a loop."""
    if not arguments:

        def none(run: Run, dot: Value) -> Sequence[Value]:
            run.node = word
            return ()

        return none
    if len(arguments) == 1:
        (only,) = arguments

        def one(run: Run, dot: Value) -> Sequence[Value]:
            run.node = word
            return (only(run, dot),)

        return one
    if len(arguments) == 2:
        first, second = arguments

        def two(run: Run, dot: Value) -> Sequence[Value]:
            run.node = word
            return first(run, dot), second(run, dot)

        return two

    def many(run: Run, dot: Value) -> Sequence[Value]:
        run.node = word
        return [evaluate(run, dot) for evaluate in arguments]

    return many


def short_circuit(word: Identifier, arguments: list[Evaluate], stops_at: bool, declared: list[int]) -> Staged:
    """`and`, `or`: the first argument whose truth decides, or the last one.

    Args:
        declared: slots of variables that arguments declare, which do not exist until then.
    """

    def lazy(run: Run, dot: Value, final: Value = ABSENT) -> Value:
        run.node = word
        for slot in declared:
            run.variables[slot] = UNSET
        value: Value = None
        for evaluate in arguments:
            value = evaluate(run, dot)
            if bool(value) is stops_at:
                break
        else:
            if final is not ABSENT:
                value = final
        return None if value is NIL else value

    return lazy
