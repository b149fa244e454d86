"""One place in a structural schema, compiled on first use.

A schema of the product has thousands of places and an object visits a few dozen, so a `Node` holds the raw schema
and computes its children and its compiled functions when they are first asked for:

- ``prune(value)`` removes unknown fields and names them,
- ``fill(value)`` sets defaults,
- ``valid(value)`` says whether the value is free of errors, as fast as possible; what the errors are is worked out
  by `eso_core.testing.apiserver.schema.report` for the few values that fail.

The functions are plain closures in slots: after the first use a call costs one slot read and one call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Literal

from eso_core.testing.apiserver.schema.formats import recognized
from eso_core.testing.apiserver.schema.patterns import Pattern, compile_pattern

if TYPE_CHECKING:
    Prune = Callable[[Any], list[str] | None]
    Fill = Callable[[Any], None]
    Valid = Callable[[Any], bool]

JsonObject = dict[str, Any]

INT_OR_STRING_TYPES: Final = ("integer", "string")
META_FIELDS: Final = frozenset(("apiVersion", "kind", "metadata"))
ABSENT: Final[Any] = object()


class Children(dict[str, "Node"]):
    """The nodes of named properties, made when first looked up. Only iterate `raw`."""

    __slots__ = ("raw",)

    def __init__(self, raw: JsonObject) -> None:
        super().__init__()
        self.raw = raw

    def __missing__(self, name: str) -> Node:
        node = self[name] = Node(self.raw[name])
        return node

    def find(self, name: str) -> Node | None:
        """The node of the property, or None if the schema does not know it."""
        return self[name] if name in self.raw else None


class Node:
    """A place in the schema. ``root`` marks the resource itself, whose apiVersion, kind and metadata are implied."""

    __slots__ = (
        "additional",
        "closed",
        "default",
        "embedded",
        "fill",
        "format",
        "items",
        "list_keys",
        "list_type",
        "map_type",
        "nullable",
        "pattern",
        "preserve",
        "properties",
        "prune",
        "raw",
        "root",
        "types",
        "valid",
    )

    raw: JsonObject
    root: bool
    properties: Children
    additional: Node | None
    closed: bool
    items: Node | None
    types: tuple[str, ...]
    nullable: bool
    preserve: bool
    embedded: bool
    default: Any
    format: str
    list_type: Literal["", "atomic", "set", "map"]
    list_keys: tuple[str, ...]
    map_type: Literal["", "atomic", "granular"]
    pattern: Pattern | None
    prune: Prune
    fill: Fill
    valid: Valid

    def __init__(self, raw: JsonObject, *, root: bool = False) -> None:
        self.raw = raw
        self.root = root
        self.preserve = bool(raw.get("x-kubernetes-preserve-unknown-fields"))
        self.embedded = bool(raw.get("x-kubernetes-embedded-resource"))
        self.nullable = bool(raw.get("nullable"))
        self.default = raw.get("default", ABSENT)
        if self.default is None:
            self.default = ABSENT
        declared = raw.get("type")
        if raw.get("x-kubernetes-int-or-string"):
            self.types = INT_OR_STRING_TYPES
        elif isinstance(declared, list):
            self.types = tuple(declared)
        else:
            self.types = (declared,) if declared else ()

    def __getattr__(self, name: str) -> Any:
        """Computes a slot that has not been asked for yet."""
        try:
            make = _MAKERS[name]
        except KeyError:
            raise AttributeError(name) from None
        value = make(self)
        setattr(self, name, value)
        return value


def _additional(node: Node) -> Node | None:
    raw = node.raw.get("additionalProperties")
    if isinstance(raw, dict):
        return Node(raw)
    return Node({"x-kubernetes-preserve-unknown-fields": True}) if raw is True else None


def _items(node: Node) -> Node | None:
    raw = node.raw.get("items")
    return Node(raw) if isinstance(raw, dict) else None


def _prune(node: Node) -> Prune:
    from eso_core.testing.apiserver.schema.pruning import compile_prune

    return compile_prune(node)


def _fill(node: Node) -> Fill:
    from eso_core.testing.apiserver.schema.defaulting import compile_fill

    return compile_fill(node)


def _valid(node: Node) -> Valid:
    from eso_core.testing.apiserver.schema.accept import compile_valid

    return compile_valid(node)


def _pattern(node: Node) -> Pattern | None:
    pattern = node.raw.get("pattern")
    return compile_pattern(pattern) if pattern else None


def _format(node: Node) -> str:
    """The format, if it means anything for values of the type."""
    format_: str = node.raw.get("format") or ""
    return format_ if format_ and recognized(format_, node.types) else ""


_MAKERS: Final[dict[str, Callable[[Node], Any]]] = {
    "additional": _additional,
    "closed": lambda node: node.raw.get("additionalProperties") is False,
    "fill": _fill,
    "format": _format,
    "items": _items,
    "list_keys": lambda node: tuple(node.raw.get("x-kubernetes-list-map-keys") or ()),
    "list_type": lambda node: node.raw.get("x-kubernetes-list-type", ""),
    "map_type": lambda node: node.raw.get("x-kubernetes-map-type", ""),
    "pattern": _pattern,
    "properties": lambda node: Children(node.raw.get("properties") or {}),
    "prune": _prune,
    "valid": _valid,
}
