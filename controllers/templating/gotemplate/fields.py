"""Fields of maps and structs, and methods."""

from __future__ import annotations

from typing import Any, Final

from controllers.templating.gotemplate.arguments import accept, literal
from controllers.templating.gotemplate.errors import FunctionError, SignatureError
from controllers.templating.gotemplate.nodes import Node
from controllers.templating.gotemplate.quoting import quote, text
from controllers.templating.gotemplate.run import NIL, Evaluate, Run
from controllers.templating.gotemplate.values import GoObject, NilDict, NilList, Value, type_name

__all__ = ["ABSENT", "HOLDS_ANYTHING", "Argument", "field"]

ABSENT: Final = object()
"""No value is piped in."""

HOLDS_ANYTHING: Final = frozenset({dict, NilDict, list, NilList})
"""Types whose elements may be anything, so that errors about an element call it `interface {}`."""

Argument = tuple[Node, Evaluate | None]
"""An operand of a method: literals have no evaluation, as they adapt to the parameter."""


def field(
    run: Run,
    dot: Value,
    receiver: Value,
    name: bytes,
    *,
    held: bool,
    node: Node,
    arguments: tuple[Argument, ...] = (),
    final: Value = ABSENT,
) -> Value:
    """One field or method of a value.

    Args:
        held: the value came out of something that may hold anything; only error texts show it.
        node: the whole chain.
        arguments: operands that follow; only methods take any.
        final: the value that is piped in.

    Raises:
        ExecError: there is no such field.
    """
    kind = type(receiver)
    if isinstance(receiver, dict):
        if arguments or final is not ABSENT:
            raise run.fail(f"{text(name)} is not a method but has arguments")
        value = receiver.get(name, ABSENT)
        if value is ABSENT:
            if run.errors:
                raise run.missing(receiver, name)
            return None
        return NIL if value is None else value
    if receiver is None:
        if run.errors:
            raise run.fail(f"nil data; no entry for key {text(quote(name))}")
        return None
    if receiver is NIL:
        raise run.fail(f"nil pointer evaluating interface {{}}.{text(name)}")
    word = text(name)
    method = getattr(kind, "methods", {}).get(word)
    if method is not None:
        return _call(run, dot, receiver, word, method, node, arguments, final)
    if isinstance(receiver, GoObject) and word in receiver.fields:
        if arguments or final is not ABSENT:
            raise run.fail(f"{word} has arguments but cannot be invoked as function")
        return getattr(receiver, word)
    raise run.fail(f"can't evaluate field {word} in type {'interface {}' if held else type_name(receiver)}")


def _call(
    run: Run,
    dot: Value,
    receiver: Value,
    word: str,
    method: tuple[tuple[str, ...], Any],
    node: Node,
    arguments: tuple[Argument, ...],
    final: Value,
) -> Value:
    params, call = method
    piped = final is not ABSENT
    count = len(arguments) + piped
    if count != len(params):
        raise run.fail(f"wrong number of args for {word}: want {len(params)} got {count}")
    values: list[Value] = []
    for (operand, evaluate), param in zip(arguments, params, strict=False):
        run.node = operand
        given = literal(operand, param)(run, dot) if evaluate is None else accept(run, evaluate(run, dot), param)
        values.append(given)
    if piped:
        values.append(accept(run, final, params[-1]))
    try:
        return call(receiver, *values)
    except SignatureError as reason:
        raise run.fail(str(reason)) from reason
    except FunctionError as reason:
        raise run.refused(node, word, reason) from reason
