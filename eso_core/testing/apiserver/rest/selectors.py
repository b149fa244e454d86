"""Label and field selectors with the texts of the original's parser."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from eso_core.testing.apiserver.errors import StatusError, bad_request
from eso_core.testing.apiserver.schema.gotext import quote

_QUALIFIED: Final = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]\Z")
_VALUE: Final = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?\Z")
_SUBDOMAIN: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")
_INTEGER: Final = re.compile(r"[+-]?[0-9]+\Z")
_SPECIAL: Final = "=!(),<>"
_OPERATORS: Final = ("in", "notin")

_NAME_TEXT: Final = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_VALUE_TEXT: Final = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation "
    "is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_PREFIX_TEXT: Final = (
    "prefix part a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and "
    "must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)


@dataclass(frozen=True, slots=True)
class Requirement:
    """One term. ``operator`` is one of ``in``, ``notin``, ``exists``, ``!``, ``gt``, ``lt``."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        if self.operator == "in":
            return value in self.values
        if self.operator == "notin":
            return value is None or value not in self.values
        if self.operator == "exists":
            return value is not None
        if self.operator == "!":
            return value is None
        if value is None or not _INTEGER.match(value):
            return False
        limit = int(self.values[0])
        return int(value) > limit if self.operator == "gt" else int(value) < limit


@dataclass(frozen=True, slots=True)
class Labels:
    """All requirements must hold; none matches everything."""

    requirements: tuple[Requirement, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.requirements)

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(requirement.matches(labels) for requirement in self.requirements)


def _tokens(text: str) -> list[str]:
    found: list[str] = []
    position = 0
    while position < len(text):
        char = text[position]
        if char in " \t\r\n":
            position += 1
            continue
        if char in _SPECIAL:
            two = text[position : position + 2]
            if two in ("==", "!="):
                found.append(two)
                position += 2
            else:
                found.append(char)
                position += 1
            continue
        start = position
        while position < len(text) and text[position] not in _SPECIAL and text[position] not in " \t\r\n":
            position += 1
        found.append(text[start:position])
    return found


def _is_identifier(token: str) -> bool:
    return bool(token) and token[0] not in _SPECIAL


class _LabelParser:
    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._position = 0

    def _peek(self) -> str:
        return self._tokens[self._position] if self._position < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._peek()
        self._position += 1
        return token

    def parse(self) -> list[Requirement]:
        found: list[Requirement] = []
        if not self._tokens:
            return found
        while True:
            token = self._peek()
            if not (_is_identifier(token) or token == "!"):
                if token == "" and not found:
                    return found
                raise bad_request(f"found '{token}', expected: !, identifier, or 'end of string'")
            found.append(self._requirement())
            token = self._take()
            if token == "":
                return found
            if token != ",":
                raise bad_request(f"found '{token}', expected: ',' or 'end of string'")
            after = self._peek()
            if not (_is_identifier(after) or after == "!"):
                raise bad_request(f"found '{after}', expected: identifier after ','")

    def _requirement(self) -> Requirement:
        negated = self._peek() == "!"
        if negated:
            self._take()
        key = self._take()
        if not _is_identifier(key):
            raise _unparsable(f"found '{key}', expected: identifier")
        _check_key(key)
        token = self._peek()
        if negated:
            return Requirement(key, "!")
        if token in ("", ","):
            return Requirement(key, "exists")
        operator = self._take()
        if operator in _OPERATORS:
            values = self._set()
        elif operator in ("=", "==", "!=", "<", ">"):
            values = (self._exact(),)
        else:
            raise _unparsable(f"found '{operator}', expected: in, notin, =, ==, !=, gt, lt")
        if operator in ("<", ">") and not _INTEGER.match(values[0]):
            raise _unparsable(
                f"values[0]: Invalid value: {quote(values[0])}: for 'Gt', 'Lt' operators, the value must be an integer"
            )
        for index, value in enumerate(values):
            _check_value(key, index, value)
        names = {"=": "in", "==": "in", "!=": "notin", "<": "lt", ">": "gt"}
        return Requirement(key, names.get(operator, operator), values)

    def _set(self) -> tuple[str, ...]:
        token = self._take()
        if token != "(":
            raise _unparsable(f"found '{token}' expected: '('")
        values: set[str] = set()
        expect_value = True
        while True:
            token = self._take()
            if token == ")":
                if expect_value:
                    values.add("")
                return tuple(sorted(values))
            if token == ",":
                if expect_value:
                    values.add("")
                expect_value = True
            elif _is_identifier(token):
                if not expect_value:
                    raise _unparsable(f"found '{token}', expected: ',' or ')'")
                values.add(token)
                expect_value = False
            else:
                raise _unparsable(f"found '{token}', expected: ',', ')' or identifier")

    def _exact(self) -> str:
        token = self._peek()
        if token in ("", ","):
            return ""
        self._take()
        if not _is_identifier(token):
            raise _unparsable(f"found '{token}', expected: identifier")
        return token


def _unparsable(text: str) -> StatusError:
    return bad_request(f"unable to parse requirement: {text}")


def _check_key(key: str) -> None:
    prefix, slash, name = key.rpartition("/")
    problem = ""
    if slash and not prefix:
        problem = "prefix part must be non-empty"
    elif slash and (len(prefix) > 253 or not _SUBDOMAIN.match(prefix)):
        problem = _PREFIX_TEXT
    elif not name:
        problem = "name part must be non-empty"
    elif len(name) > 63:
        problem = "name part must be no more than 63 bytes"
    elif not _QUALIFIED.match(name):
        problem = _NAME_TEXT
    if problem:
        raise _unparsable(f"<nil>: Invalid value: {quote(key)}: {problem}")


def _check_value(key: str, index: int, value: str) -> None:
    if len(value) > 63:
        problem = "must be no more than 63 bytes"
    elif not _VALUE.match(value):
        problem = _VALUE_TEXT
    else:
        return
    raise _unparsable(f"values[{index}][{key}]: Invalid value: {quote(value)}: {problem}")


def parse_labels(text: str) -> Labels:
    """Read a label selector. Raises `StatusError` 400 with the original's text."""
    return Labels(tuple(_LabelParser(text).parse())) if text else Labels()


def labels_from_object(selector: Mapping[str, object] | None) -> Labels:
    """A ``LabelSelector`` object (matchLabels, matchExpressions); an absent or empty one matches everything."""
    if not selector:
        return Labels()
    found: list[Requirement] = []
    match_labels = selector.get("matchLabels")
    if isinstance(match_labels, Mapping):
        found.extend(Requirement(str(key), "in", (str(value),)) for key, value in match_labels.items())
    expressions = selector.get("matchExpressions")
    names = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}
    if isinstance(expressions, Sequence):
        for item in expressions:
            found.append(Requirement(item["key"], names.get(item["operator"], "in"), tuple(item.get("values") or ())))
    return Labels(tuple(found))


@dataclass(frozen=True, slots=True)
class FieldTerm:
    """``key`` equals ``value``, or differs from it."""

    key: str
    value: str
    equal: bool


@dataclass(frozen=True, slots=True)
class Fields:
    """All terms must hold; none matches everything."""

    terms: tuple[FieldTerm, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.terms)

    def exact(self, key: str) -> str | None:
        """The one value that ``key`` must have, if the selector fixes it."""
        for term in self.terms:
            if term.key == key and term.equal:
                return term.value
        return None

    def matches(self, value_of: Callable[[str], str]) -> bool:
        return all((value_of(term.key) == term.value) == term.equal for term in self.terms)


def _split_terms(text: str) -> list[str]:
    terms: list[str] = []
    start = 0
    escaped = False
    for index, char in enumerate(text):
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = True
        elif char == ",":
            terms.append(text[start:index])
            start = index + 1
    terms.append(text[start:])
    return terms


def _unescape(text: str) -> str:
    out: list[str] = []
    escaped = False
    for char in text:
        if escaped:
            if char not in "\\,=":
                raise bad_request(f"invalid field selector: invalid escape sequence: \\{char}")
            out.append(char)
            escaped = False
        elif char == "\\":
            escaped = True
        elif char in ",=":
            raise bad_request(f"invalid field selector: unescaped character in value: {char}")
        else:
            out.append(char)
    if escaped:
        raise bad_request("invalid field selector: \\ at the end of the value")
    return "".join(out)


def parse_fields(text: str) -> Fields:
    """Read a field selector. Raises `StatusError` 400 with the original's text."""
    if not text:
        return Fields()
    terms: list[FieldTerm] = []
    for part in _split_terms(text):
        if not part:
            continue
        for operator in ("!=", "==", "="):
            key, found, value = part.partition(operator)
            if found:
                break
        else:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{part}'")
        terms.append(FieldTerm(key, _unescape(value), operator != "!="))
    return Fields(tuple(terms))
