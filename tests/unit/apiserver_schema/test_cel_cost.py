"""The worst cost of an expression, estimated from what its schema allows."""

from typing import Any

import pytest

from eso_core.testing.apiserver.schema.cel.backend import BACKEND
from eso_core.testing.apiserver.schema.cel.cost import REQUEST_SIZE, CostEstimator, max_cardinality, min_size
from eso_core.testing.apiserver.schema.cel.schema_types import schema_type

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "a": {"type": "integer"},
        "s": {"type": "string", "maxLength": 10},
        "long": {"type": "string"},
        "e": {"type": "string", "enum": ["one", "three"]},
        "l": {"type": "array", "maxItems": 5, "items": {"type": "string", "maxLength": 10}},
        "m": {"type": "object", "maxProperties": 4, "additionalProperties": {"type": "integer"}},
        "o": {"type": "object", "properties": {"x": {"type": "string"}}},
    },
}


@pytest.mark.parametrize(
    ("source", "cost"),
    [
        ("true", 0),
        ("self.a < 10", 2),
        ("has(self.a) && !has(self.s)", 3),
        ("self.s == 'x'", 3),
        ("self.s == self.s", 8),
        ("self.e == self.s", 5),
        ("self.o == self.o", 4),
        ("self.long.startsWith('abc')", 3),
        ("self.s.contains('abcdefghijk')", 10),
        ("self.s.matches('^a+$')", 7),
        ("self.s in ['a', 'b']", 14),
        ("self.l.all(x, x == 'a')", 28),
        ("self.l.exists(x, x == 'a')", 33),
        ("self.l.filter(x, x == 'a').size() > 0", 90),
        ("self.m.all(k, self.m[k] > 0)", 31),
        ("self.a > 0 ? self.a < 5 : self.s == 'x'", 5),
        ("self.l.isSorted()", 27),
    ],
)
def test_costs_follow_sizes(source: str, cost: int) -> None:
    """Fields cost a step, strings a tenth per byte, loops their body per item."""
    type_ = schema_type(SCHEMA)
    assert type_ is not None
    program = BACKEND.compile(source, type_)
    assert CostEstimator(SCHEMA, resource=False).cost(program.tree) == cost


def test_values_without_a_limit_are_as_large_as_a_request() -> None:
    """Three mebibytes, less the quotes."""
    type_ = schema_type(SCHEMA)
    assert type_ is not None
    program = BACKEND.compile("self.long == self.long", type_)
    assert CostEstimator(SCHEMA, resource=False).cost(program.tree) == 4 + (REQUEST_SIZE - 2 + 9) // 10


def test_the_smaller_a_value_can_be_the_more_of_them_fit() -> None:
    """Required fields make objects larger; those with defaults need not be sent."""
    assert min_size({"type": "object"}) == 2
    required = {"type": "object", "required": ["ab"], "properties": {"ab": {"type": "string"}}}
    assert min_size(required) == 2 + 2 + 4 + 2
    required["properties"] = {"ab": {"type": "string", "default": "x"}}
    assert min_size(required) == 2
    assert max_cardinality({"type": "string"}) == REQUEST_SIZE // 3
