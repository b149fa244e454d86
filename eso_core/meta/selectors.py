"""Label and field selectors: read, checked, matched, and written in canonical form."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct, field

from eso_core.meta.errors import SelectorError

__all__ = ["FieldSelector", "LabelSelector", "Requirement"]

_TOKEN = re.compile(r"\s*(?:(==|!=|[=<>(),!])|([^\s=!<>(),]+))\s*")
_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?", re.ASCII)
_DOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", re.ASCII)
_OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}


class Requirement(Struct, frozen=True):
    """One condition on one label.

    ``operator`` is one of ``in``, ``notin``, ``=``, ``!=``, ``exists``, ``!``, ``>``, ``<``.
    """

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether labels satisfy it. ``notin`` and ``!=`` hold for an absent label."""
        match self.operator:
            case "exists":
                return self.key in labels
            case "!":
                return self.key not in labels
            case "in" | "=":
                return labels.get(self.key) in self.values
            case "notin" | "!=":
                return self.key not in labels or labels[self.key] not in self.values
            case _:
                value = labels.get(self.key)
                if value is None or re.fullmatch(r"[+-]?[0-9]+", value, re.ASCII) is None:
                    return False
                bound = int(self.values[0])
                return int(value) > bound if self.operator == ">" else int(value) < bound

    def __str__(self) -> str:
        match self.operator:
            case "exists":
                return self.key
            case "!":
                return f"!{self.key}"
            case "in" | "notin":
                return f"{self.key} {self.operator} ({','.join(sorted(self.values))})"
            case _:
                return f"{self.key}{self.operator}{self.values[0]}"


class LabelSelector(Struct, frozen=True):
    """A conjunction of requirements; an empty one matches everything, ``nothing`` matches nothing."""

    requirements: tuple[Requirement, ...] = ()
    nothing: bool = False

    @classmethod
    def parse(cls, text: str) -> LabelSelector:
        """Reads ``a=b,c!=d,e in (f,g),h notin (i),j,!k,l>1``.

        Raises:
            SelectorError: The text is no label selector.
        """
        return cls(tuple(_Parser(text).requirements()))

    @classmethod
    def from_object(cls, selector: Mapping[str, Any] | None) -> LabelSelector:
        """From a ``metav1.LabelSelector``: no selector matches nothing, an empty one everything.

        Raises:
            SelectorError: An operator is unknown, or a key or value is not valid.
        """
        if selector is None:
            return cls(nothing=True)
        found = [
            _checked(Requirement(key, "=", (value,)))
            for key, value in sorted((selector.get("matchLabels") or {}).items())
        ]
        for expression in selector.get("matchExpressions") or ():
            operator = _OPERATORS.get(expression.get("operator") or "")
            if operator is None:
                raise SelectorError(f'"{expression.get("operator")}" is not a valid label selector operator')
            values = tuple(expression.get("values") or ())
            found.append(_checked(Requirement(expression.get("key") or "", operator, values)))
        return cls(tuple(found))

    @classmethod
    def from_labels(cls, labels: Mapping[str, str]) -> LabelSelector:
        """Equality with every given label."""
        return cls.from_object({"matchLabels": dict(labels)})

    def matches(self, labels: Mapping[str, str] | None) -> bool:
        """Whether the labels satisfy every requirement."""
        if self.nothing:
            return False
        found = labels or {}
        return all(requirement.matches(found) for requirement in self.requirements)

    @property
    def everything(self) -> bool:
        """Whether it matches any labels."""
        return not self.nothing and not self.requirements

    def __str__(self) -> str:
        return ",".join(str(r) for r in sorted(self.requirements, key=lambda r: r.key))


class FieldSelector(Struct, frozen=True):
    """A conjunction of ``path=value`` and ``path!=value``."""

    terms: tuple[tuple[str, str, str], ...] = ()
    """Triples of path, operator (``=`` or ``!=``) and value."""

    @classmethod
    def parse(cls, text: str) -> FieldSelector:
        """Reads ``metadata.name=x,status.phase!=Running``; ``\\,`` ``\\=`` and ``\\\\`` escape in values.

        Raises:
            SelectorError: A term has no operator, or an escape is unknown.
        """
        found: list[tuple[str, str, str]] = []
        for term in _split_terms(text):
            if not term:
                continue
            # The first operator in the text splits the term: a value may hold further ones.
            match = re.match(r"((?:[^=!\\]|\\.)*)(!=|==|=)(.*)", term, re.DOTALL)
            if match is None:
                raise SelectorError(f"invalid selector: '{text}'; can't understand '{term}'")
            path, operator, value = match.groups()
            found.append((path, "!=" if operator == "!=" else "=", _unescape(value, text)))
        return cls(tuple(found))

    def matches(self, get: Callable[[str], str | None]) -> bool:
        """Whether the object satisfies every term; ``get`` gives the text at a path, absent is empty."""
        return all(((get(path) or "") == value) == (operator == "=") for path, operator, value in self.terms)

    def __str__(self) -> str:
        return ",".join(f"{path}{operator}{_escape(value)}" for path, operator, value in self.terms)


class _Parser(Struct):
    text: str
    tokens: list[str] = field(default_factory=list)
    at: int = 0

    def __post_init__(self) -> None:
        position = 0
        stripped = self.text.strip()
        while position < len(stripped):
            match = _TOKEN.match(stripped, position)
            if match is None:
                raise SelectorError(f"unable to parse requirement: unexpected {stripped[position]!r} in {self.text!r}")
            self.tokens.append(match.group(1) or match.group(2))
            position = match.end()

    def requirements(self) -> list[Requirement]:
        found: list[Requirement] = []
        while self.at < len(self.tokens):
            found.append(_checked(self._requirement()))
            if self.at < len(self.tokens):
                token = self._next()
                if token != ",":
                    raise SelectorError(
                        f"unable to parse requirement: found '{token}', expected: ',' or 'end of string'"
                    )
                if self.at == len(self.tokens):
                    raise SelectorError("unable to parse requirement: found '', expected: identifier after ','")
        return found

    def _peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        self.at += 1
        return token

    def _requirement(self) -> Requirement:
        if self._peek() == "!":
            self._next()
            return Requirement(self._identifier(), "!")
        key = self._identifier()
        operator = self._peek()
        if operator in ("", ","):
            return Requirement(key, "exists")
        self._next()
        match operator:
            case "=" | "==":
                return Requirement(key, "=", (self._value(),))
            case "!=":
                return Requirement(key, "!=", (self._value(),))
            case ">" | "<":
                return Requirement(key, operator, (self._value(),))
            case "in" | "notin":
                return Requirement(key, operator, self._values())
        raise SelectorError(f"unable to parse requirement: found '{operator}', expected: in, notin, =, ==, !=, gt, lt")

    def _identifier(self) -> str:
        token = self._next()
        if token == "" or token in "=!<>(),==!=":
            raise SelectorError(f"unable to parse requirement: found '{token}', expected: identifier")
        return token

    def _value(self) -> str:
        # "a=" and "a=,b" ask for the empty value.
        if self._peek() in ("", ","):
            return ""
        return self._identifier()

    def _values(self) -> tuple[str, ...]:
        if self._next() != "(":
            raise SelectorError("unable to parse requirement: found no '(' after in or notin")
        values: list[str] = []
        expecting = True
        while True:
            token = self._next()
            if token == ")":
                if expecting:
                    values.append("")
                return tuple(dict.fromkeys(values))
            if token == ",":
                if expecting:
                    values.append("")
                expecting = True
            elif token == "" or not expecting or token in "=!<>(==!=":
                raise SelectorError(f"unable to parse requirement: found '{token}', expected: ',', ')' or identifier")
            else:
                values.append(token)
                expecting = False


def _checked(requirement: Requirement) -> Requirement:
    key, operator, values = requirement.key, requirement.operator, requirement.values
    prefix, slash, name = key.rpartition("/")
    if slash and (len(prefix) > 253 or _DOMAIN.fullmatch(prefix) is None):
        raise SelectorError(f'key: Invalid value: "{key}": prefix part must be a lowercase DNS domain')
    if len(name) > 63 or _NAME.fullmatch(name) is None:
        raise SelectorError(
            f'key: Invalid value: "{key}": name part must consist of alphanumeric characters, '
            "'-', '_' or '.', and must start and end with an alphanumeric character"
        )
    if operator in ("in", "notin") and not values:
        raise SelectorError("values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty")
    if operator in ("exists", "!") and values:
        raise SelectorError("values: Invalid value: values set must be empty for exists and does not exist")
    for value in values:
        if operator in (">", "<"):
            if re.fullmatch(r"[+-]?[0-9]+", value, re.ASCII) is None:
                raise SelectorError(
                    f"values[0]: Invalid value: \"{value}\": for 'Gt', 'Lt' operators, the value must be an integer"
                )
        elif value and (len(value) > 63 or _NAME.fullmatch(value) is None):
            raise SelectorError(
                f'values[0][{key}]: Invalid value: "{value}": a valid label must be an empty string or consist of '
                "alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
            )
    return requirement


def _split_terms(text: str) -> list[str]:
    terms, current, escaped = [], "", False
    for char in text:
        if char == "," and not escaped:
            terms.append(current)
            current = ""
            continue
        escaped = char == "\\" and not escaped
        current += char
    terms.append(current)
    return terms


def _unescape(value: str, text: str) -> str:
    out, index = "", 0
    while index < len(value):
        char = value[index]
        if char == "\\":
            following = value[index + 1 : index + 2]
            if following not in ("\\", ",", "="):
                raise SelectorError(f"invalid field selector: invalid escape sequence '\\{following}' in {text!r}")
            out += following
            index += 2
            continue
        if char in ",=":
            raise SelectorError(f"invalid field selector: unescaped '{char}' in value of {text!r}")
        out += char
        index += 1
    return out


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace(",", "\\,").replace("=", "\\=")
