"""YAML documents as values, with the rules and the words of the library that the original reads them by."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any, Final

import yaml

from controllers.templating.budget import spend
from controllers.templating.gotemplate.floats import format_float
from controllers.templating.gotemplate.quoting import quote
from controllers.templating.gotemplate.yamlscalars import NOTHING, is_timestamp, resolve_plain, short_float

__all__ = ["YamlError", "load_yaml"]

_PREFIX: Final = "tag:yaml.org,2002:"
_RESOLVABLE: Final = frozenset({"", *(_PREFIX + t for t in ("str", "bool", "int", "float", "null", "timestamp"))})
_MAX_DEPTH: Final = 10_000


class YamlError(ValueError):
    """The text is no YAML, or not of the wanted shape; `str()` is the original's message."""


class _Open:
    """A collection that is not complete."""

    __slots__ = ("anchor", "key", "mapping", "merge", "size", "value")

    def __init__(self, mapping: bool, anchor: str | None) -> None:
        self.mapping = mapping
        self.anchor = anchor
        self.value: Any = {} if mapping else []
        self.key: Any = NOTHING
        self.merge = False
        self.size = 1


_UNFINISHED: Final = object()


def _go_type(value: object) -> str:
    if value is None:
        return "%!s(<nil>)"
    return (
        "uint64"
        if isinstance(value, int)
        else "[]interface {}"
        if isinstance(value, list)
        else "map[interface {}]interface {}"
    )


def _go_source(value: object) -> str:
    """A value as Go source, for messages."""
    if value is None:
        return "interface {}(nil)"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value:#x}" if value >= 1 << 63 else str(value)
    if isinstance(value, float):
        return format_float(value).decode()
    if isinstance(value, str):
        return quote(value.encode("utf-8", "surrogateescape")).decode()
    if isinstance(value, list):
        return "[]interface {}{" + ", ".join(map(_go_source, value)) + "}"
    assert isinstance(value, dict)
    pairs = ", ".join(f"{_go_source(k)}:{_go_source(v)}" for k, v in sorted(value.items()))
    return "map[interface {}]interface {}{" + pairs + "}"


def _key_text(key: object, value: object) -> str:
    """A key of a mapping as text."""
    if isinstance(key, str):
        return key
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, int) and key < 1 << 63:
        return str(key)
    if isinstance(key, float):
        text = short_float(key)
        return {"+Inf": ".inf", "-Inf": "-.inf", "NaN": ".nan"}.get(text, text)
    shown = "<nil>" if key is None else _go_source(key)
    value_shown = "<nil>" if value is None else _go_source(value)
    raise YamlError(f"unsupported map key of type: {_go_type(key)}, key: {shown}, value: {value_shown}")


def _tag_of(value: object, text: str) -> str:
    """The short tag of what plain text resolved to."""
    if value is NOTHING:
        return "!!timestamp" if is_timestamp(text) else "!!str"
    if value is None:
        return "!!null"
    return "!!bool" if isinstance(value, bool) else "!!int" if isinstance(value, int) else "!!float"


def _binary(text: str) -> str:
    try:
        content = text.replace("\n", "").replace("\r", "").encode()
        return base64.b64decode(content, validate=True).decode("utf-8", "surrogateescape")
    except (binascii.Error, UnicodeEncodeError):
        raise YamlError("yaml: !!binary value contains invalid base64 data") from None


def _scalar(event: Any) -> object:
    """A scalar by its tag, its style and its text."""
    tag: str = event.tag or ""
    text: str = event.value
    if not tag and not event.implicit[0]:
        return text
    if tag == _PREFIX + "binary":
        return _binary(text)
    if tag not in _RESOLVABLE or tag == _PREFIX + "str":
        return text
    value = resolve_plain(text, dates=tag in ("", _PREFIX + "timestamp"))
    if tag:
        wanted = "!!" + tag[len(_PREFIX) :]
        found = _tag_of(value, text) if wanted == "!!timestamp" or value is not NOTHING else "!!str"
        if wanted == "!!float" and found == "!!int":
            return float(value)  # type: ignore[arg-type]
        if found != wanted:
            raise YamlError(f"yaml: cannot decode {found} `{text}` as a {wanted}")
    return text if value is NOTHING else value


def _syntax_error(error: yaml.YAMLError) -> YamlError:
    """The parser's complaint with the line that Go's library counts."""
    if isinstance(error, yaml.reader.ReaderError):
        return YamlError(f"yaml: {error.reason}")
    line = 0
    for mark in (getattr(error, "problem_mark", None), getattr(error, "context_mark", None)):
        if mark is not None and mark.line:
            line = mark.line + (1 if isinstance(error, yaml.scanner.ScannerError) else 0)
            break
    where = f"line {line}: " if line else ""
    return YamlError(f"yaml: {where}{getattr(error, 'problem', None) or 'unknown problem parsing YAML content'}")


_ESCAPED_SLASH: Final = re.compile(r"(?:\\[^/]|[^\\])*?\\/", re.DOTALL)


class _Loader:
    """Builds the first document of a stream from the parser's events, without recursion."""

    def __init__(self, text: bytes) -> None:
        # Positions of the parser count characters.
        self.slashes = text.decode("utf-8", "replace") if b"\\/" in text else ""
        self.parser: Any = yaml.CBaseLoader(text)
        self.anchors: dict[str, tuple[object, int]] = {}
        self.decoded = 0
        self.aliased = 0
        # What is wrong with values counts only when the document is one: first their content, then keys without a text.
        self.refused: YamlError | None = None
        self.no_text: YamlError | None = None

    def check_escapes(self, event: Any) -> None:
        """Refuses an escaped slash, which newer YAML has and the original does not."""
        found = _ESCAPED_SLASH.match(self.slashes[event.start_mark.index + 1 : event.end_mark.index - 1])
        if found is not None:
            lines = event.start_mark.line + found.group().count("\n")
            raise YamlError(f"yaml: {f'line {lines + 1}: ' if lines else ''}found unknown escape character")

    def refuse(self, error: YamlError) -> None:
        """Keeps the first complaint about a value."""
        self.refused = self.refused or error

    def add(self, frame: _Open, value: object, *, size: int, plain_merge: bool, alias: bool) -> None:
        """Puts a finished value where it belongs."""
        frame.size += size
        if not frame.mapping:
            frame.value.append(value)
            return
        if frame.key is NOTHING:
            if isinstance(value, list | dict):
                self.refuse(YamlError(f"yaml: invalid map key: {_go_source(value)}"))
                value = ""
            frame.key, frame.merge = value, plain_merge
            return
        if frame.merge:
            self.merge(frame.value, value, alias)
        else:
            try:
                frame.value[_key_text(frame.key, value)] = value
            except YamlError as error:
                self.no_text = self.no_text or error
        frame.key, frame.merge = NOTHING, False

    def merge(self, into: dict[str, object], value: object, alias: bool) -> None:
        """Copies the members of the mapping, or of several of which the first wins."""
        sources = [value] if isinstance(value, dict) else value if isinstance(value, list) and not alias else None
        if sources is None or not all(isinstance(source, dict) for source in sources):
            self.refuse(YamlError("yaml: map merge requires map or sequence of maps as the value"))
            return
        for source in reversed(sources):
            into.update(source)

    def alias(self, name: str) -> tuple[object, int]:
        if name not in self.anchors:
            raise YamlError(f"yaml: unknown anchor '{name}' referenced")
        value, size = self.anchors[name]
        if value is _UNFINISHED:
            self.refuse(YamlError(f"yaml: anchor '{name}' value contains itself"))
            return None, 1
        self.aliased += size
        self.decoded += size
        share = 0.99 - 0.89 * min(max(self.decoded - 400_000, 0) / 3_600_000, 1)
        if self.aliased > 100 and self.decoded > 1000 and self.aliased / self.decoded > share:
            self.refuse(YamlError("yaml: document contains excessive aliasing"))
        return value, size

    def document(self) -> object:
        """The value of the first document; None for an empty stream."""
        stack: list[_Open] = []
        while True:
            event = self.parser.get_event()
            spend()
            size, plain_merge, alias = 1, False, False
            if isinstance(event, yaml.ScalarEvent):
                self.decoded += 1
                if self.slashes and event.style == '"':
                    self.check_escapes(event)
                try:
                    value = _scalar(event)
                except YamlError as error:
                    self.refuse(error)
                    value = ""
                plain_merge = event.value == "<<" and (event.implicit[0] or event.tag == _PREFIX + "merge")
                if event.anchor:
                    self.anchors[event.anchor] = (value, 1)
            elif isinstance(event, yaml.AliasEvent):
                value, size = self.alias(event.anchor or "")
                alias = True
            elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
                if len(stack) >= _MAX_DEPTH:
                    raise YamlError(f"yaml: exceeded max depth of {_MAX_DEPTH}")
                self.decoded += 1
                if event.anchor:
                    self.anchors[event.anchor] = (_UNFINISHED, 0)
                stack.append(_Open(isinstance(event, yaml.MappingStartEvent), event.anchor))
                continue
            elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
                frame = stack.pop()
                value, size = frame.value, frame.size
                if frame.anchor:
                    self.anchors[frame.anchor] = (value, size)
            elif isinstance(event, yaml.StreamEndEvent):
                return None
            else:
                continue
            if not stack:
                # What follows in the document is looked at before its value counts.
                self.parser.get_event()
                refused = self.refused or self.no_text
                if refused is not None:
                    raise refused
                return value
            self.add(stack[-1], value, size=size, plain_merge=plain_merge, alias=alias)


def load_yaml(text: bytes) -> object:
    """The first document: None, bool, int, float, str, list, or dict with keys made text.

    Text that is no UTF-8 (from `!!binary`) is surrogate-escaped.

    Raises:
        YamlError: the text is no YAML.
    """
    loader = _Loader(text)
    try:
        return loader.document()
    except yaml.YAMLError as error:
        raise _syntax_error(error) from None
    finally:
        loader.parser.dispose()
