"""Lists of any type; the results are new lists of anything. Twins called `must...` fail with the same words."""

from __future__ import annotations

from typing import Final

from controllers.templating.budget import allocate, spend
from controllers.templating.functions.conversions import to_integer
from controllers.templating.functions.reflection import deep_equal
from controllers.templating.functions.registry import FunctionError, function
from controllers.templating.gotemplate.values import ListList, NilList, Value, kind_of, truth, type_name

__all__ = ["NIL_POINTER"]

GROUP = "Lists"
NIL_POINTER: Final = "runtime error: invalid memory address or nil pointer dereference"
_TOO_LONG: Final = "runtime error: makeslice: len out of range"


def _elements(value: Value, refusal: str) -> list[Value]:
    """The list itself.

    Raises:
        FunctionError: it is none: the refusal, in which %s is the kind of what it is.
    """
    if isinstance(value, list):
        spend(1 + (len(value) >> 8))
        return value
    raise FunctionError(NIL_POINTER if value is None else refusal % kind_of(value))


class _Seen:
    """Values met so far; those of simple types are found by hash."""

    __slots__ = ("others", "simple")

    def __init__(self) -> None:
        self.simple: set[tuple[str, Value]] = set()
        self.others: list[Value] = []

    def add(self, value: Value) -> None:
        if isinstance(value, bytes | int):
            self.simple.add((type_name(value), value))
        else:
            self.others.append(value)

    def __contains__(self, value: object) -> bool:
        if isinstance(value, bytes | int):
            return (type_name(value), value) in self.simple
        return any(deep_equal(other, value) for other in self.others)


@function(
    ["list", "tuple"],
    "...any",
    "A list of the values.",
    group=GROUP,
    example='{{ list 1 "a" true }}',
    result="[1 a true]",
)
def make_list(*values: Value) -> list[Value]:
    allocate(64 + 8 * len(values))
    return list(values)


@function(["first", "mustFirst"], "any", "The first element; nil for an empty list.", group=GROUP,
          example="{{ first (list 1 2 3) }}", result="1")  # fmt: skip
def first(values: Value) -> Value:
    elements = _elements(values, "Cannot find first on type %s")
    return elements[0] if elements else None


@function(["last", "mustLast"], "any", "The last element; nil for an empty list.", group=GROUP,
          example="{{ last (list 1 2 3) }}", result="3")  # fmt: skip
def last(values: Value) -> Value:
    elements = _elements(values, "Cannot find last on type %s")
    return elements[-1] if elements else None


@function(["rest", "mustRest"], "any", "All elements but the first.", group=GROUP,
          example="{{ rest (list 1 2 3) }}", result="[2 3]")  # fmt: skip
def rest(values: Value) -> list[Value]:
    elements = _elements(values, "Cannot find rest on type %s")
    return list(elements[1:]) if elements else NilList()


@function(["initial", "mustInitial"], "any", "All elements but the last.", group=GROUP,
          example="{{ initial (list 1 2 3) }}", result="[1 2]")  # fmt: skip
def initial(values: Value) -> list[Value]:
    elements = _elements(values, "Cannot find initial on type %s")
    return list(elements[:-1]) if elements else NilList()


@function(["append", "push", "mustAppend", "mustPush"], "any, any", "The list with one more element at its end.", group=GROUP,
          example="{{ append (list 1 2) 3 }}", result="[1 2 3]")  # fmt: skip
def append(values: Value, value: Value) -> list[Value]:
    elements = _elements(values, "Cannot push on type %s")
    allocate(8 * len(elements))
    return [*elements, value]


@function(["prepend", "mustPrepend"], "any, any", "The list with one more element at its beginning.", group=GROUP,
          example="{{ prepend (list 1 2) 0 }}", result="[0 1 2]")  # fmt: skip
def prepend(values: Value, value: Value) -> list[Value]:
    elements = _elements(values, "Cannot prepend on type %s")
    allocate(8 * len(elements))
    return [value, *elements]


@function("concat", "...any", "The elements of all lists in one.", group=GROUP,
          example="{{ concat (list 1) (list 2 3) }}", result="[1 2 3]")  # fmt: skip
def concat(*lists: Value) -> list[Value]:
    joined: list[Value] = []
    for values in lists:
        joined += _elements(values, "Cannot concat type %s as list")
        allocate(8 * len(joined))
    return joined or NilList()


@function(["reverse", "mustReverse"], "any", "The elements from the last to the first.", group=GROUP,
          example="{{ reverse (list 1 2 3) }}", result="[3 2 1]")  # fmt: skip
def reverse(values: Value) -> list[Value]:
    return list(_elements(values, "Cannot find reverse on type %s")[::-1])


@function(["uniq", "mustUniq"], "any", "The list without repetitions.", group=GROUP,
          example="{{ uniq (list 1 2 1 1.0) }}", result="[1 2 1]")  # fmt: skip
def uniq(values: Value) -> list[Value]:
    seen = _Seen()
    kept: list[Value] = []
    for value in _elements(values, "Cannot find uniq on type %s"):
        if value not in seen:
            seen.add(value)
            kept.append(value)
    return kept


@function(["without", "mustWithout"], "any, ...any", "The list without the given values.", group=GROUP,
          example="{{ without (list 1 2 3) 2 3 }}", result="[1]")  # fmt: skip
def without(values: Value, *unwanted: Value) -> list[Value]:
    seen = _Seen()
    for value in unwanted:
        seen.add(value)
    return [value for value in _elements(values, "Cannot find without on type %s") if value not in seen]


@function(["compact", "mustCompact"], "any", "The list without empty values.", group=GROUP,
          example='{{ compact (list 1 "" 0 "a") }}', result="[1 a]")  # fmt: skip
def compact(values: Value) -> list[Value]:
    return [value for value in _elements(values, "Cannot compact on type %s") if truth(value)]


@function(["has", "mustHas"], "any, any", "Whether the list, which comes second, holds the value.", group=GROUP,
          example="{{ has 2 (list 1 2) }}", result="true")  # fmt: skip
def has(value: Value, values: Value) -> bool:
    if values is None:
        return False
    return any(deep_equal(value, element) for element in _elements(values, "Cannot find has on type %s"))


@function(["slice", "mustSlice"], "any, ...any", "The elements from start to just before end; both may be left out.", group=GROUP,
          example="{{ slice (list 1 2 3 4) 1 3 }}", result="[2 3]")  # fmt: skip
def slice_of(values: Value, *bounds: Value) -> Value:
    elements = _elements(values, "list should be type of slice or array but %s")
    if not elements:
        return None
    start = to_integer(bounds[0]) if bounds else 0
    end = to_integer(bounds[1]) if len(bounds) > 1 else len(elements)
    if not 0 <= start <= end <= len(elements):
        raise FunctionError("reflect.Value.Slice: slice index out of bounds")
    return type(elements)(elements[start:end])


@function(["chunk", "mustChunk"], "int, any", "The list in lists of n elements.", group=GROUP,
          example="{{ chunk 2 (list 1 2 3) }}", result="[[1 2] [3]]")  # fmt: skip
def chunk(size: int, values: Value) -> ListList:
    elements = _elements(values, "Cannot chunk type %s")
    if size == 0:
        raise FunctionError(_TOO_LONG)
    if size < 0:
        # One piece of what is left of the division, if the count of pieces comes out as one.
        pieces, left = (len(elements) - 1) // size + 1, len(elements) % -size
        if pieces < 0 or (pieces and not left):
            raise FunctionError(_TOO_LONG)
        return ListList([list(elements[:left])] if pieces else [])
    return ListList(list(elements[at : at + size]) for at in range(0, len(elements), size))
