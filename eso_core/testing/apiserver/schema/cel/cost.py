"""What an expression may cost at worst, estimated from the sizes that a schema allows.

The unit is one step of the server's evaluator. Strings count a tenth per byte, loops multiply by the largest number of
items. Values without a limit in the schema are as large as a request can be.
"""

from __future__ import annotations

from math import ceil
from typing import Any, Final

from eso_core.testing.apiserver.schema.cel import ast
from eso_core.testing.apiserver.schema.cel.ast import Node
from eso_core.testing.apiserver.schema.cel.schema_types import escape, with_meta

JsonObject = dict[str, Any]

UNBOUNDED: Final = 2**64 - 1
REQUEST_SIZE: Final = 3 * 1024 * 1024
"""Bytes of the largest request."""

_STRING_FACTOR: Final = 0.1
_REGEX_FACTOR: Final = 0.25
_LIST_COST: Final = 10
_MAP_COST: Final = 30
_BIND_COST: Final = 10
_MIN_SIZES: Final = {"string": 2, "integer": 1, "number": 1, "boolean": 4, "array": 2, "object": 2}
_MIN_FORMAT_SIZES: Final = {"duration": 3, "date": 12, "date-time": 21}
_FORMAT_SIZES: Final = {"duration": 32, "date": 12, "date-time": 30}
# Keys of maps are not charged for their length.
_KEY: Final[JsonObject] = {"type": "string", "maxLength": 0}
_SCALARS: Final = frozenset(("bool", "int", "uint", "double", "null"))
_PER_ITEM: Final = frozenset(("isSorted", "sum", "max", "min", "indexOf", "lastIndexOf", "distinct", "sort", "reverse"))
_PER_CHARACTER: Final = frozenset(
    [
        "lowerAscii",
        "upperAscii",
        "trim",
        "substring",
        "charAt",
        "quote",
        "url",
        "isURL",
        "ip",
        "isIP",
        "cidr",
        "isCIDR",
        "quantity",
        "isQuantity",
        "semver",
        "isSemver",
        "validate",
        "base64.encode",
        "base64.decode",
        "int",
        "uint",
        "double",
        "bool",
        "string",
        "bytes",
        "duration",
        "timestamp",
    ]
)


def saturate(value: int) -> int:
    """The value, unless it is beyond what the server can count."""
    return min(value, UNBOUNDED)


def multiply(left: int, right: int) -> int:
    """A product, as far as the server can count."""
    return saturate(left * right)


def min_size(schema: JsonObject) -> int:
    """The fewest bytes a value of the schema takes in JSON."""
    if schema.get("x-kubernetes-int-or-string"):
        return 1
    kind = schema.get("type") or ""
    if kind == "string" and schema.get("format") in _MIN_FORMAT_SIZES:
        return _MIN_FORMAT_SIZES[schema["format"]]
    size = _MIN_SIZES.get(kind, 1)
    if kind == "object":
        properties = schema.get("properties") or {}
        for name in schema.get("required") or ():
            sub = properties.get(name)
            if sub is not None and sub.get("default") is None:
                size += len(name) + 4 + min_size(sub)
    return size


def max_cardinality(schema: JsonObject) -> int:
    """How many values of the schema fit into one request."""
    return REQUEST_SIZE // (min_size(schema) + 1)


def max_elements(schema: JsonObject) -> int:
    """The most items, entries or bytes a value of the schema can have; what has no size has 0."""
    if schema.get("x-kubernetes-int-or-string"):
        return REQUEST_SIZE - 2
    match schema.get("type"):
        case "array":
            limit = schema.get("maxItems")
            items = schema.get("items")
            fitting = (REQUEST_SIZE - 2) // (min_size(items if isinstance(items, dict) else {}) + 1)
            return fitting if limit is None else int(limit)
        case "object":
            additional = schema.get("additionalProperties")
            if not isinstance(additional, dict):
                return 0
            limit = schema.get("maxProperties")
            return (REQUEST_SIZE - 2) // (min_size(additional) + 6) if limit is None else int(limit)
        case "string":
            return _max_string(schema)
    return 0


def _max_string(schema: JsonObject) -> int:
    limit, format_ = schema.get("maxLength"), schema.get("format", "")
    if limit is not None:
        # Lengths are in characters, sizes in bytes.
        return max(0, int(limit)) * (1 if format_ == "byte" else 4)
    if schema.get("enum"):
        return max(len(str(item).encode()) for item in schema["enum"])
    return _FORMAT_SIZES.get(format_, REQUEST_SIZE - 2)


class CostEstimator:
    """Estimates the worst cost of an expression about values of a schema."""

    def __init__(self, schema: JsonObject, *, resource: bool) -> None:
        self._root = with_meta(schema) if resource else schema
        self._variables: dict[str, JsonObject | None] = {"self": self._root, "oldSelf": self._root}

    def cost(self, node: Node) -> int:
        """The most that one evaluation may cost."""
        return saturate(self._cost(node))

    def _cost(self, node: Node) -> int:
        match node:
            case ast.Constant():
                return 0
            case ast.Identifier():
                return 1
            case ast.Select():
                return self._cost(node.operand) + 1
            case ast.Presence():
                return self._cost(node.operand)
            case ast.Call():
                return self._call(node)
            case ast.ListLiteral():
                return _LIST_COST + sum(map(self._cost, node.elements))
            case ast.MapLiteral():
                return _MAP_COST + sum(self._cost(key) + self._cost(value) for key, value in node.entries)
            case ast.Macro():
                return self._macro(node)
            case ast.Bind():
                value = self._cost(node.value)
                return value + _BIND_COST + self._within({node.name: self._schema(node.value)}, node.body)
            case ast.OptionalMap():
                return self._cost(node.operand) + 2 + self._within({node.name: None}, node.body)
        return 1

    def _within(self, variables: dict[str, JsonObject | None], node: Node) -> int:
        before = self._variables
        self._variables = {**before, **variables}
        cost = self._cost(node)
        self._variables = before
        return cost

    def _macro(self, node: ast.Macro) -> int:
        variables = self._loop_variables(node)
        body = self._within(variables, node.body)
        if node.condition is not None:
            body += self._within(variables, node.condition)
        start, turn, end = {
            "all": (0, 2 + 1, 1),
            "exists": (0, 3 + 1, 1),
            "exists_one": (0, 2, 2),
            "filter": (_LIST_COST, 3 + _LIST_COST, 1),
        }.get(node.kind, (_LIST_COST, 2 + _LIST_COST, 1))
        turns = self.size(node.source)
        return saturate(self._cost(node.source) + start + multiply(turns, body + turn) + end)

    def _loop_variables(self, node: ast.Macro) -> dict[str, JsonObject | None]:
        schema = self._schema(node.source)
        key: JsonObject | None = _KEY
        item: JsonObject | None = None
        if schema is not None and schema.get("type") == "array":
            key, item = {"type": "integer"}, schema.get("items")
            return (
                {node.variables[0]: item}
                if len(node.variables) == 1
                else dict(zip(node.variables, (key, item), strict=True))
            )
        if schema is not None and isinstance(schema.get("additionalProperties"), dict):
            item = schema["additionalProperties"]
        elif schema is None:
            key = None
        return dict(zip(node.variables, (key, item), strict=False))

    def _call(self, node: ast.Call) -> int:
        operands = node.operands
        costs = [self._cost(operand) for operand in operands]
        total = sum(costs)
        match node.function:
            case "_&&_" | "_||_":
                return total
            case "_?_:_":
                return costs[0] + max(costs[1], costs[2])
            case "_==_" | "_!=_" | "_<_" | "_<=_" | "_>_" | "_>=_":
                smaller = min(self.size(operands[0]), self.size(operands[1]))
                return total + _characters(smaller)
            case "startsWith" | "endsWith":
                return total + _characters(self.size(operands[1]))
            case "contains":
                return total + multiply(_characters(self.size(operands[0])), _characters(self.size(operands[1])))
            case "matches" | "find" | "findAll":
                text = _characters(saturate(self.size(operands[0]) + 1))
                return total + multiply(text, ceil(self.size(operands[1]) * _REGEX_FACTOR))
            case "@in":
                turns = self.size(operands[1]) if operands[1].type.name == "list" else 1
                return total + multiply(turns, 1)
            case "_+_" if node.type.name in ("string", "bytes"):
                return total + _characters(saturate(sum(map(self.size, operands))))
            case "replace" | "split":
                return total + 2 * _characters(self.size(operands[0]))
            case "join" | "format":
                return total + _characters(saturate(sum(map(self.size, operands))))
            case "sets.contains" | "sets.equivalent" | "sets.intersects":
                return total + multiply(self.size(operands[0]), self.size(operands[1])) + 1
        if node.function in _PER_ITEM and operands[0].type.name == "list":
            return total + multiply(self.size(operands[0]), 1 + self._item_cost(operands[0]))
        if node.function in _PER_CHARACTER and operands and operands[0].type.name in ("string", "bytes"):
            return total + _characters(self.size(operands[0]))
        return total + 1

    def _item_cost(self, node: Node) -> int:
        """What looking at an item of a list costs beyond the step: strings are read."""
        element = node.type.parameters[0]
        if element.name not in ("string", "bytes"):
            return 0
        items = (self._schema(node) or {}).get("items")
        return _characters(max_elements(items) if isinstance(items, dict) else UNBOUNDED)

    # -- sizes

    def size(self, node: Node) -> int:
        """The most items or bytes a value can have; scalars count as one."""
        match node:
            case ast.Constant(value=str() | bytes()):
                value = node.value
                return len(value.encode() if isinstance(value, str) else value)
            case ast.ListLiteral():
                return len(node.elements)
            case ast.MapLiteral():
                return len(node.entries)
            case ast.Macro(kind="filter" | "map" | "transformList" | "transformMap"):
                return self.size(node.source)
            case ast.Call(function="_+_"):
                if node.type.name not in _SCALARS:
                    return saturate(sum(map(self.size, node.operands)))
            case ast.Call(function="_?_:_"):
                return max(self.size(node.arguments[1]), self.size(node.arguments[2]))
        schema = self._schema(node)
        if schema is not None:
            return max_elements(schema)
        return 1 if node.type.name in _SCALARS else UNBOUNDED

    def _schema(self, node: Node) -> JsonObject | None:
        """The schema of the values of a node, if it is a path into the object."""
        match node:
            case ast.Identifier():
                return self._variables.get(node.name.removeprefix("."))
            case ast.Select():
                return _field(self._schema(node.operand), node.field)
            case ast.Call(function="_[_]" | "_[?_]"):
                schema = self._schema(node.operands[0])
                inner = (schema or {}).get("items") or (schema or {}).get("additionalProperties")
                return inner if isinstance(inner, dict) else None
            case ast.Call(function="value" | "orValue"):
                return self._schema(node.operands[0])
            case ast.Macro(kind="filter"):
                return self._schema(node.source)
        return None


def _characters(count: int) -> int:
    return ceil(count * _STRING_FACTOR)


def _field(schema: JsonObject | None, name: str) -> JsonObject | None:
    if schema is None:
        return None
    if schema.get("x-kubernetes-embedded-resource"):
        schema = with_meta(schema)
    for key, sub in (schema.get("properties") or {}).items():
        if key == name or escape(key) == name:
            found: JsonObject = sub
            return found
    additional = schema.get("additionalProperties")
    return additional if isinstance(additional, dict) else None
