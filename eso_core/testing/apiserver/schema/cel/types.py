"""Types of expressions, and how types fit each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Type:
    """A type by name, with parameters: ``list(int)``, ``map(string, dyn)``, ``optional_type(string)``.

    Names of one capital letter are type parameters, which stand for whatever type they meet.
    """

    name: str
    parameters: tuple[Type, ...] = ()

    def __str__(self) -> str:
        if not self.parameters:
            return self.name
        return f"{self.name}({', '.join(map(str, self.parameters))})"

    @property
    def is_parameter(self) -> bool:
        return len(self.name) == 1 and self.name.isupper()


@dataclass(frozen=True, slots=True)
class FieldDecl:
    """A field of an object type: its type, and the name it has in JSON (which may not be a CEL name)."""

    type: Type
    key: str


@dataclass(frozen=True, slots=True, eq=False)
class ObjectType(Type):
    """An object with known fields, made from a schema. Every one is a type of its own."""

    fields: Mapping[str, FieldDecl] = None  # type: ignore[assignment]  # dataclass inheritance needs a default

    def __hash__(self) -> int:
        return hash(self.name)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, ObjectType) and other.name == self.name)


@dataclass(frozen=True, slots=True, eq=False)
class SchemaListType(Type):
    """A list whose items have an identity: ``set``, or ``map`` with the names of the ``keys``."""

    list_type: str = ""
    keys: tuple[str, ...] = ()


DYN: Final = Type("dyn")
ERROR: Final = Type("!error!")
NULL: Final = Type("null")
BOOL: Final = Type("bool")
INT: Final = Type("int")
UINT: Final = Type("uint")
DOUBLE: Final = Type("double")
STRING: Final = Type("string")
BYTES: Final = Type("bytes")
TIMESTAMP: Final = Type("google.protobuf.Timestamp")
DURATION: Final = Type("google.protobuf.Duration")


def list_of(element: Type) -> Type:
    """The type of lists of ``element``."""
    return Type("list", (element,))


def map_of(key: Type, value: Type) -> Type:
    """The type of maps from ``key`` to ``value``."""
    return Type("map", (key, value))


def optional_of(value: Type) -> Type:
    """The type of values that may be missing."""
    return Type("optional_type", (value,))


def type_of(value: Type) -> Type:
    """The type of a type."""
    return Type("type", (value,))


def is_dynamic(type_: Type) -> bool:
    """Whether nothing is known about values of the type before they are seen."""
    return type_.name in ("dyn", "!error!")


Bindings = dict[str, Type]


def substitute(type_: Type, bindings: Bindings, *, free_as_dyn: bool = False) -> Type:
    """The type with bound parameters replaced, and unbound ones by ``dyn`` on request."""
    if type_.is_parameter:
        bound = bindings.get(type_.name)
        if bound is None or bound == type_:
            return DYN if free_as_dyn else type_
        return substitute(bound, bindings, free_as_dyn=free_as_dyn)
    if not type_.parameters:
        return type_
    parameters = tuple(substitute(item, bindings, free_as_dyn=free_as_dyn) for item in type_.parameters)
    return type_ if parameters == type_.parameters else Type(type_.name, parameters)


def assignable(wanted: Type, given: Type, bindings: Bindings) -> bool:
    """Whether a value of type ``given`` can stand where ``wanted`` is expected; binds type parameters as needed."""
    wanted, given = _resolved(wanted, bindings), _resolved(given, bindings)
    if wanted is given or is_dynamic(wanted) or is_dynamic(given):
        return True
    if wanted.is_parameter:
        if wanted != given and not _mentions(given, wanted.name, bindings):
            bindings[wanted.name] = given
        return True
    if given.is_parameter:
        if not _mentions(wanted, given.name, bindings):
            bindings[given.name] = wanted
        return True
    if isinstance(wanted, ObjectType) or isinstance(given, ObjectType):
        return wanted == given
    if wanted.name == "type" == given.name:
        return True  # what they are the types of does not matter
    if wanted.name == "null" or given.name == "null":
        return wanted.name == given.name or (given.name == "null" and _nullable(wanted))
    return (
        wanted.name == given.name
        and len(wanted.parameters) == len(given.parameters)
        and all(
            assignable(left, right, bindings) for left, right in zip(wanted.parameters, given.parameters, strict=True)
        )
    )


def _nullable(type_: Type) -> bool:
    """Types whose values may be null as far as the checker is concerned."""
    return type_.name in (TIMESTAMP.name, DURATION.name) or "." in type_.name


def _resolved(type_: Type, bindings: Bindings) -> Type:
    while type_.is_parameter and type_.name in bindings and bindings[type_.name] != type_:
        type_ = bindings[type_.name]
    return type_


def _mentions(type_: Type, name: str, bindings: Bindings) -> bool:
    type_ = _resolved(type_, bindings)
    return type_.name == name or any(_mentions(item, name, bindings) for item in type_.parameters)


def join(left: Type, right: Type) -> Type:
    """The type of a value that has one of two types: the common one, else ``dyn``."""
    bindings: Bindings = {}
    return left if assignable(left, right, bindings) else DYN


def parse_type(text: str) -> Type:
    """A type from its text: ``list(A)``, ``optional_type(string)``."""
    text = text.strip()
    name, paren, rest = text.partition("(")
    if not paren:
        return Type({"timestamp": TIMESTAMP.name, "duration": DURATION.name}.get(name, name))
    return Type(name, tuple(parse_type(part) for part in split_arguments(rest[:-1])))


def split_arguments(text: str) -> list[str]:
    """Split at commas that are not inside parentheses."""
    parts, depth, start = [], 0, 0
    for index, char in enumerate(text):
        if char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
        elif char == "," and depth == 0:
            parts.append(text[start:index])
            start = index + 1
    last = text[start:]
    return [*parts, last] if last.strip() else parts
