"""Request bodies: JSON, YAML or protobuf to objects, with what is odd about them."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
import yaml

from eso_core.testing.apiserver.errors import StatusError, bad_request, unsupported_media_type
from eso_core.testing.apiserver.http.gojson import json_problem
from eso_core.testing.apiserver.http.message import JSON, YAML

JsonObject = dict[str, Any]

PROTOBUF: Final = "application/vnd.kubernetes.protobuf"
_ACCEPTED: Final = f"{JSON}, {YAML}, {PROTOBUF}"
_TYPE_META: Final = (
    'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
)
# A number that Go would print otherwise than it was written: a fraction, an exponent, or beyond 64 bits.
_ODD_NUMBER: Final = re.compile(rb"[:\[,\s]-?(?:\d+\.\d|\d+[eE]|\d{19})")
_INT64_MAX: Final = (1 << 63) - 1
_INT64_MIN: Final = -(1 << 63)


class Unreadable(Exception):
    """The text is no JSON or YAML object; the text says why, in the original's words."""


@dataclass(slots=True)
class Body:
    """A decoded body. ``duplicates`` are complaints about keys given twice, in the order they were met."""

    value: Any
    duplicates: list[str] = field(default_factory=list)


def media_type(content_type: str) -> str:
    """The bare media type; JSON when none is given."""
    return content_type.partition(";")[0].strip().lower() or JSON


def check_media(content_type: str) -> str:
    """The media type of an object's body. Raises `StatusError` 415."""
    media = media_type(content_type)
    if media in (JSON, YAML, PROTOBUF):
        return media
    text = f"the body of the request was in an unknown format - accepted media types include: {_ACCEPTED}"
    raise unsupported_media_type(text)


def parse_json(text: bytes) -> Body:
    """Read JSON. Raises `Unreadable`."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        problem = json_problem(text)
        if problem:
            raise Unreadable(problem) from None
        value = json.loads(text.decode("utf-8", "replace"))
    duplicates = _duplicates(text, value)
    if _ODD_NUMBER.search(text):
        value = _go_numbers(value)
    return Body(value, duplicates)


def _duplicates(text: bytes, value: Any) -> list[str]:
    if len(text) == len(orjson.dumps(value)):
        return []
    found: list[str] = []

    def pairs(items: list[tuple[str, Any]]) -> _Pairs:
        result = _Pairs(items)
        if len(result) != len(items):
            seen: set[str] = set()
            for key, _ in items:
                if key in seen:
                    result.twice.append(key)
                seen.add(key)
            found.append("")
        return result

    try:
        tree = json.loads(text, object_pairs_hook=pairs)
    except ValueError:
        return []
    if not found:
        return []
    complaints: list[str] = []
    _collect(tree, "", complaints)
    return list(dict.fromkeys(complaints))


class _Pairs(dict[str, Any]):
    """A JSON object that remembers its pairs and which keys came twice."""

    def __init__(self, items: list[tuple[str, Any]]) -> None:
        super().__init__(items)
        self.items_given = items
        self.twice: list[str] = []


def _collect(node: Any, path: str, complaints: list[str]) -> None:
    if isinstance(node, _Pairs):
        seen: set[str] = set()
        for key, item in node.items_given:
            inner = f"{path}.{key}" if path else key
            if key in seen:
                complaints.append(f'duplicate field "{inner}"')
            seen.add(key)
            _collect(item, inner, complaints)
    elif isinstance(node, list):
        for index, item in enumerate(node):
            _collect(item, f"{path}[{index}]", complaints)


def _go_numbers(value: Any) -> Any:
    """Numbers as they come back from Go: whole floats as integers, integers beyond 64 bits as floats."""
    if isinstance(value, dict):
        return {key: _go_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_go_numbers(item) for item in value]
    if isinstance(value, float):
        return _whole(value)
    if isinstance(value, int) and not isinstance(value, bool) and not _INT64_MIN <= value <= _INT64_MAX:
        return _whole(float(value))
    return value


def _whole(value: float) -> int | float:
    if value.is_integer() and abs(value) < _INT64_MAX:
        return WholeFloat(value)
    return value


class WholeFloat(int):
    """An integer that was written as a float: stored like an integer, still a number to a schema that asks."""


def parse_yaml(text: bytes) -> Body:
    """Read YAML (or JSON). Raises `Unreadable`."""
    if text[:1] == b"{":
        # What clients send as YAML is mostly JSON, which reads a hundred times faster as such. Its mistakes are told in YAML's words.
        with contextlib.suppress(Unreadable):
            body = parse_json(text)
            if not body.duplicates:
                return body
    duplicates: list[str] = []
    try:
        loader = _Loader(text.decode("utf-8", "replace"))
        loader.complaints = duplicates
        try:
            value = loader.get_single_data()
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise Unreadable(_yaml_text(error)) from error
    return Body(_plain(value), duplicates)


class _Loader(yaml.SafeLoader):
    complaints: list[str]

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key_node, _ in node.value:
            key = getattr(key_node, "value", None)
            if isinstance(key, str) and key in seen:
                line = key_node.start_mark.line + 1
                self.complaints.append(f'yaml: unmarshal errors:\n  line {line}: key "{key}" already set in map')
            if isinstance(key, str):
                seen.add(key)
        return super().construct_mapping(node, deep=deep)


# Times stay text, as in every reader of Kubernetes YAML.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {_key(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def _key(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    return "null" if key is None else str(key)


def _yaml_text(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "could not be read"
    line = f"line {mark.line + 1}: " if mark is not None else ""
    if problem.startswith("expected ',' or ']'"):
        problem = "did not find expected ',' or ']'"
    elif problem.startswith("expected ',' or '}'"):
        problem = "did not find expected ',' or '}'"
    elif "could not find expected ':'" in problem:
        problem = "could not find expected ':'"
    elif "mapping values are not allowed" in problem:
        problem = "mapping values are not allowed in this context"
    elif "found character" in problem and "cannot start any token" in problem:
        problem = "found character that cannot start any token"
    return f"yaml: {line}{problem}"


def read_object(text: bytes, media: str, kind: str) -> Body:
    """An object of ``kind`` from a create or update body. Raises `StatusError` 400."""
    try:
        body = parse_yaml(text) if media == YAML else parse_json(text)
    except Unreadable as error:
        raise _unrecognized(kind, text, str(error), media) from error
    if body.value is None:
        body.value = {}
    if not isinstance(body.value, dict):
        problem = f"json: cannot unmarshal {_json_name(body.value)} into Go value of type {_TYPE_META}"
        raise _unrecognized(kind, text, problem, JSON)
    problem = identity_problem(body.value)
    if problem:
        raise _unrecognized(kind, text, problem, JSON)
    return body


def identity_problem(obj: JsonObject) -> str:
    """What is wrong with the types of apiVersion and kind, in the words of Go's decoder; empty when nothing is."""
    for key in ("apiVersion", "kind"):
        value = obj.get(key)
        if value is not None and not isinstance(value, str):
            return f"json: cannot unmarshal {_json_name(value)} into Go struct field .{key} of type string"
    return ""


def _json_name(value: Any) -> str:
    match value:
        case bool():
            return "bool"
        case dict():
            return "object"
        case list():
            return "array"
        case str():
            return "string"
        case _:
            return "number"


def _unrecognized(kind: str, text: bytes, problem: str, media: str) -> StatusError:
    if media != YAML:
        problem = f"couldn't get version/kind; json parse error: {problem}"
    return bad_request(f"the object provided is unrecognized (must be of type {kind}): {problem} ({_shown(text)})")


def _shown(text: bytes) -> str:
    """The start of a body as error messages show it: text when it looks like JSON, else hexadecimal."""
    if not text:
        return "<empty>"
    if text[:1] == b"{":
        plain = text.decode("utf-8", "replace")
        return plain if len(text) < 32 else f"{plain[:30]} ..."
    hexed = text[:30].hex()
    return hexed if len(text) <= 30 else f"{hexed} ..."


def shown_body(text: bytes) -> str:
    """See `_shown`."""
    return _shown(text)
