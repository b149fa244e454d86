"""How stored objects look in answers: whole, as metadata, as rows of a table."""

from __future__ import annotations

from typing import Any, Final

import orjson
import yaml

from eso_core.testing.apiserver import errors
from eso_core.testing.apiserver.http.accept import PARTIAL, PARTIAL_LIST, PLAIN, TABLE, Representation
from eso_core.testing.apiserver.http.message import YAML
from eso_core.testing.apiserver.http.table import TableView
from eso_core.testing.apiserver.resources import ResourceType, Version
from eso_core.testing.apiserver.storage.entry import Entry

JsonObject = dict[str, Any]

_META: Final = "meta.k8s.io"


class View:
    """One resource version in one representation. ``include`` is the Table's includeObject parameter."""

    def __init__(
        self, resource: ResourceType, version: Version, representation: Representation, tables: TableView, include: str
    ) -> None:
        self._resource = resource
        self._version = version
        self.representation = representation
        self._tables = tables
        self._include = include or "Metadata"
        self._prefix = _prefix(resource.api_version(version.name), resource.kind)

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for views that encode alike."""
        form = self.representation
        return (self._resource.group, self._version.name, form.form, form.version, self._include)

    def read(self, entry: Entry) -> JsonObject:
        return self._resource.strategy.read(self._resource, self._version, entry)

    def one(self, entry: Entry) -> bytes:
        """A single stored object."""
        if self.representation.form == PLAIN:
            body = self._resource.strategy.body(self._resource, self._version, entry)
            if body is not None:
                return self._finish(body)
        return self.object(self.read(entry))

    def object(self, obj: JsonObject) -> bytes:
        """A single object, decoded."""
        form = self.representation.form
        if form == PLAIN:
            return self._finish_object(obj)
        if form == PARTIAL:
            return self._finish_object(self._partial(obj))
        if form == TABLE:
            return self._finish_object(self.table([obj], {"resourceVersion": _version_of(obj)}))
        kind = self._go_name(self._resource.kind)
        raise errors.not_acceptable(f"you requested {form}, but the requested object is not a list ({kind})")

    def many(self, entries: list[Entry], metadata: JsonObject) -> bytes:
        """A list of stored objects."""
        form = self.representation.form
        if form == PLAIN:
            return self._finish(self._plain_list(entries, metadata))
        if form == PARTIAL_LIST:
            items = [self._partial(self.read(entry)) for entry in entries]
            body = {"kind": PARTIAL_LIST, "apiVersion": self._meta_version(), "metadata": metadata, "items": items}
            return self._finish_object(body)
        if form == TABLE:
            return self._finish_object(self.table([self.read(entry) for entry in entries], metadata))
        kind = self._go_name(self._resource.list_kind)
        raise errors.not_acceptable(f"you requested {form}, but the requested object is a list ({kind})")

    def _go_name(self, kind: str) -> str:
        if self._resource.custom:
            return (
                "*unstructured.UnstructuredList" if kind == self._resource.list_kind else "*unstructured.Unstructured"
            )
        package = self._resource.group.split(".")[0] or "core"
        return f"*{package}.{kind}"

    def _plain_list(self, entries: list[Entry], metadata: JsonObject) -> bytes:
        resource, version, prefix = self._resource, self._version, self._prefix
        strategy = resource.strategy
        parts: list[bytes] = []
        for entry in entries:
            body = strategy.body(resource, version, entry)
            if body is None:
                body = encode_object(strategy.read(resource, version, entry))
            if not resource.custom and body.startswith(prefix):
                # Items of built-in lists do not repeat kind and version.
                body = b"{" + body[len(prefix) :]
            parts.append(body)
        if resource.custom and "continue" not in metadata:
            metadata = {"continue": "", **metadata}
        head = {"kind": resource.list_kind, "apiVersion": resource.api_version(version.name), "metadata": metadata}
        return b"".join((orjson.dumps(head)[:-1], b',"items":[', b",".join(parts), b"]}"))

    def table(self, objects: list[JsonObject], metadata: JsonObject, *, columns: bool = True) -> JsonObject:
        """Rows of a Table; ``columns`` False leaves the definitions out (later events of a watch)."""
        definitions = self._tables.definitions(self._resource, self._version)
        rows = [
            {"cells": self._tables.cells(self._resource, self._version, obj), "object": self._row_object(obj)}
            for obj in objects
        ]
        return {
            "kind": "Table",
            "apiVersion": self._meta_version(),
            "metadata": metadata,
            "columnDefinitions": definitions if columns else None,
            "rows": rows,
        }

    def _row_object(self, obj: JsonObject) -> JsonObject | None:
        if self._include == "None":
            return None
        if self._include == "Object":
            return obj
        return self._partial(obj)

    def _partial(self, obj: JsonObject) -> JsonObject:
        return {"kind": PARTIAL, "apiVersion": self._meta_version(), "metadata": obj["metadata"]}

    def partial(self, obj: JsonObject) -> JsonObject:
        """The object's metadata alone."""
        return self._partial(obj)

    def _meta_version(self) -> str:
        return f"{_META}/{self.representation.version}"

    def _finish_object(self, obj: JsonObject) -> bytes:
        return to_yaml(obj) if self.representation.media == YAML else encode_object(obj)

    def _finish(self, body: bytes) -> bytes:
        return to_yaml(orjson.loads(body)) if self.representation.media == YAML else body


def _prefix(api_version: str, kind: str) -> bytes:
    return orjson.dumps({"apiVersion": api_version, "kind": kind})[:-1] + b","


def _version_of(obj: JsonObject) -> str:
    text: str = obj["metadata"].get("resourceVersion", "")
    return text


def encode_object(obj: JsonObject) -> bytes:
    """Compact JSON."""
    return orjson.dumps(obj)


def to_yaml(obj: JsonObject) -> bytes:
    """YAML as the original prints it: sorted keys, block style."""
    text: str = yaml.dump(
        obj, Dumper=_Dumper, sort_keys=True, default_flow_style=False, allow_unicode=True, width=1 << 30
    )
    return text.encode()


class _Dumper(yaml.SafeDumper):
    """Block style with the quoting of the original."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    tag = "tag:yaml.org,2002:str"
    if "\n" in value:
        return dumper.represent_scalar(tag, value, style="|")
    if not value or dumper.resolve(yaml.ScalarNode, value, (True, False)) != tag:  # type: ignore[no-untyped-call]
        # Readers would take it for a time, a number or a boolean.
        return dumper.represent_scalar(tag, value, style='"')
    return dumper.represent_scalar(tag, value)


_Dumper.add_representer(str, _text)
