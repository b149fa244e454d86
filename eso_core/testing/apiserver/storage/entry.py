"""One stored object."""

from __future__ import annotations

from sys import intern
from typing import Any

import orjson

JsonObject = dict[str, Any]

_NO_LABELS: dict[str, str] = {}


class Entry:
    """An object as it was written: its JSON bytes, and what reads need without decoding them.

    Immutable by convention; a write makes a new one. ``body`` starts with ``{"apiVersion":…,"kind":…,`` and carries
    ``metadata.resourceVersion``. ``tag`` names the schema the object was written under; a read under another schema
    prunes and defaults the object again. ``converted`` keeps other versions that a webhook has made of it; ``written`` is when it was written (monotonic seconds).
    """

    __slots__ = (
        "body",
        "converted",
        "key",
        "labels",
        "name",
        "namespace",
        "owners",
        "revision",
        "tag",
        "uid",
        "written",
    )

    def __init__(
        self,
        namespace: str,
        name: str,
        uid: str,
        revision: int,
        labels: dict[str, str],
        owners: tuple[str, ...],
        body: bytes,
        tag: str | None = None,
    ) -> None:
        self.key = f"{namespace}/{name}" if namespace else name
        self.namespace = namespace
        self.name = name
        self.uid = uid
        self.revision = revision
        self.labels = labels
        self.owners = owners
        self.body = body
        self.tag = tag
        self.converted: dict[str, bytes] | None = None
        self.written = 0.0

    def decode(self) -> JsonObject:
        """A fresh copy of the object."""
        obj: JsonObject = orjson.loads(self.body)
        return obj

    def __repr__(self) -> str:
        return f"Entry({self.key!r}, uid={self.uid!r}, revision={self.revision}, {len(self.body)} bytes)"


def make_entry(obj: JsonObject, revision: int, tag: str | None = None) -> Entry:
    """Stamp ``obj`` with the revision and freeze it.

    The argument is changed: its resourceVersion is set.
    """
    obj["metadata"]["resourceVersion"] = str(revision)
    ordered = {"apiVersion": obj["apiVersion"], "kind": obj["kind"], **obj}
    # The encoder leaves its buffer at up to three times the text's size; the copy is exact.
    body = bytes(memoryview(orjson.dumps(ordered)))
    return _entry(obj["metadata"], body, revision, tag)


def frozen_entry(body: bytes, revision: int, tag: str | None = None) -> Entry:
    """An entry from its own bytes."""
    return _entry(orjson.loads(body)["metadata"], body, revision, tag)


def _entry(meta: JsonObject, body: bytes, revision: int, tag: str | None) -> Entry:
    owners = meta.get("ownerReferences")
    labels = meta.get("labels")
    return Entry(
        # Namespaces and most values of labels are the same on thousands of objects.
        intern(meta.get("namespace", "")),
        meta["name"],
        meta["uid"],
        revision,
        _shared(labels) if labels else _NO_LABELS,
        tuple(owner["uid"] for owner in owners) if owners else (),
        body,
        tag,
    )


def _shared(labels: dict[str, Any]) -> dict[str, str]:
    return {key: intern(value) if type(value) is str else value for key, value in labels.items()}


def restamp(entry: Entry, revision: int) -> Entry:
    """The same object at another revision: what a DELETED event carries."""
    return make_entry(entry.decode(), revision, entry.tag)
