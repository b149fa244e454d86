"""Arguments of functions and methods: literals adapt to the type of the parameter, computed values must have it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from controllers.templating.gotemplate.nodes import Bool, Nil, Node, Number, String, source
from controllers.templating.gotemplate.run import NIL, Evaluate, Run
from controllers.templating.gotemplate.values import (
    Duration,
    Int64,
    Month,
    NilDict,
    NilList,
    Value,
    Weekday,
    type_name,
)

__all__ = ["ANY", "VALUE", "accept", "constant", "ideal", "literal", "validated"]

ANY: Final = "any"
VALUE: Final = "value"
"""A parameter of a built-in that also looks at the type of what holds the value."""

_INTEGERS: Final[dict[str, Callable[[int], int]]] = {
    "int": int,
    "int64": Int64,
    "time.Duration": Duration,
    "time.Month": Month,
    "time.Weekday": Weekday,
}
# What a parameter of a type accepts, and what nil becomes there.
_EXACT: Final[dict[str, type]] = {
    "string": bytes, "int": int, "int64": Int64, "float64": float, "bool": bool, "complex128": complex,
    "time.Duration": Duration, "time.Month": Month, "time.Weekday": Weekday,
}  # fmt: skip
_NILABLE: Final[dict[str, tuple[tuple[type, ...], Callable[[], Value]]]] = {
    "map[string]interface {}": ((dict, NilDict), NilDict),
    "[]interface {}": ((list, NilList), NilList),
}


def _fails(node: Node, message: str) -> Evaluate:
    def fail(run: Run, dot: Value) -> Value:
        run.node = node
        raise run.fail(message)

    return fail


def constant(node: Node, value: Value) -> Evaluate:
    """An evaluation that always gives the value."""

    def give(run: Run, dot: Value) -> Value:
        run.node = node
        return value

    return give


def ideal(number: Number) -> tuple[Value, str | None]:
    """The value of a number that may become any type; or why it has none."""
    source = number.source
    if number.as_complex is not None:
        return number.as_complex, None
    is_hex = len(source) > 2 and source[0] == "0" and source[1] in "xX" and not any(c in "pP" for c in source)
    if number.as_float is not None and not is_hex and source[0] != "'" and any(c in ".eEpP" for c in source):
        return number.as_float, None
    if number.as_int is not None:
        return number.as_int, None
    return None, f"{source} overflows int"


def _number(node: Number, param: str) -> Evaluate | None:
    """A number for a parameter with a number type; None if it does not fit."""
    if param in _INTEGERS:
        return None if node.as_int is None else constant(node, _INTEGERS[param](node.as_int))
    if param == "uint32":
        return None if node.as_uint is None else constant(node, node.as_uint & 0xFFFFFFFF)
    if param == "float64":
        return None if node.as_float is None else constant(node, node.as_float)
    return None


def _untyped(node: Node) -> Evaluate:
    if isinstance(node, Number):
        value, trouble = ideal(node)
        return constant(node, value) if trouble is None else _fails(node, trouble)
    if isinstance(node, Bool | String):
        return constant(node, node.value)
    raise AssertionError(f"{type(node).__name__} is no literal of a value")


def literal(node: Node, param: str) -> Evaluate:
    """A literal as the argument of a parameter of this type: an evaluation that gives it, or fails as it must."""
    form = source(node)
    if isinstance(node, Nil):
        if param in (ANY, VALUE) or param.startswith(("*", "[]", "map[")):
            return constant(node, _NILABLE[param][1]() if param in _NILABLE else None)
        return _fails(node, f"cannot assign nil to {param}")
    if param in (ANY, VALUE):
        return _untyped(node)
    if param == "string":
        return (
            constant(node, node.value) if isinstance(node, String) else _fails(node, f"expected string; found {form}")
        )
    if param == "bool":
        return constant(node, node.value) if isinstance(node, Bool) else _fails(node, f"expected bool; found {form}")
    if param in _INTEGERS or param in ("uint32", "float64"):
        fitting = _number(node, param) if isinstance(node, Number) else None
        kind = {"uint32": "unsigned integer", "float64": "float"}.get(param, "integer")
        return fitting or _fails(node, f"expected {kind}; found {form}")
    return _fails(node, f"can't handle {form} for arg of type {param}")


def accept(run: Run, value: Value, param: str) -> Value:
    """A computed value as an argument.

    Raises:
        ExecError: it has another type.
    """
    if param == VALUE:
        return value
    if param == ANY:
        return None if value is NIL else value
    exact = _EXACT.get(param)
    if exact is not None and type(value) is exact:
        return value
    nilable = _NILABLE.get(param)
    if nilable is not None and type(value) in nilable[0]:
        return value
    if value is None:
        if nilable is not None:
            return nilable[1]()
        if param.startswith(("*", "[]", "map[")):
            return None
        raise run.fail(f"invalid value; expected {param}")
    actual = "interface {}" if value is NIL else type_name(value)
    if actual == param:
        return value
    raise run.fail(f"wrong type for value; expected {param}; got {actual}")


def validated(raw: Evaluate, param: str, *, never_nil: bool) -> Evaluate:
    """An evaluation whose value is checked; `never_nil` ones give no `NIL`."""
    if param == VALUE or (param == ANY and never_nil):
        return raw
    if param == ANY:

        def unpack(run: Run, dot: Value) -> Value:
            value = raw(run, dot)
            return None if value is NIL else value

        return unpack
    exact: Any = _EXACT.get(param)

    def check(run: Run, dot: Value) -> Value:
        value = raw(run, dot)
        return value if type(value) is exact else accept(run, value, param)

    return check
