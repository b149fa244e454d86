"""Get and list: present states, past states, pages of a consistent snapshot."""

from __future__ import annotations

import base64
import binascii
import posixpath
from dataclasses import dataclass
from typing import Any, Final

import orjson

from eso_core.testing.apiserver import errors
from eso_core.testing.apiserver.errors import StatusError, bad_request
from eso_core.testing.apiserver.http.gojson import json_problem
from eso_core.testing.apiserver.resources import ResourceType, Version
from eso_core.testing.apiserver.rest.options import ListOptions, check_list_options, parse_list_version
from eso_core.testing.apiserver.rest.selectors import Fields, Labels, parse_fields, parse_labels
from eso_core.testing.apiserver.storage.entry import Entry
from eso_core.testing.apiserver.storage.store import Store, TooOld

JsonObject = dict[str, Any]

_TOO_OLD_LIST: Final = "The resourceVersion for the provided list is too old."
_TOO_OLD_TOKEN: Final = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
    "deleted between the time the first chunk was returned and now may show up in the list."
)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which objects a list or watch covers."""

    resource: ResourceType
    version: Version
    namespace: str
    labels: Labels
    fields: Fields

    @property
    def prefix(self) -> str:
        return f"{self.namespace}/" if self.namespace else ""

    @property
    def everything(self) -> bool:
        return not self.labels and not self.fields

    def matches(self, entry: Entry) -> bool:
        """Whether an entry is selected (its namespace included)."""
        if self.namespace and entry.namespace != self.namespace:
            return False
        if self.labels and not self.labels.matches(entry.labels):
            return False
        return not self.fields or self._fields_match(entry)

    def _fields_match(self, entry: Entry) -> bool:
        decoded: JsonObject | None = None

        def value_of(key: str) -> str:
            nonlocal decoded
            if key == "metadata.name":
                return entry.name
            if key == "metadata.namespace":
                return entry.namespace
            if decoded is None:
                decoded = self.resource.strategy.read(self.resource, self.version, entry)
            return self.resource.strategy.field_value(decoded, key)

        return self.fields.matches(value_of)


def selection(resource: ResourceType, version: Version, namespace: str, options: ListOptions) -> Selection:
    """Parse and check the selectors. Raises `StatusError` 400."""
    labels = parse_labels(options.label_selector)
    fields = parse_fields(options.field_selector)
    known = resource.strategy.field_labels(version)
    for term in fields.terms:
        if term.key not in ("metadata.name", "metadata.namespace") and term.key not in known:
            raise resource.strategy.unknown_label(term.key)
    return Selection(resource, version, namespace, labels, fields)


@dataclass(slots=True)
class Page:
    """Entries of one list answer and the list's metadata."""

    entries: list[Entry]
    metadata: JsonObject


class Reader:
    """Reads objects of every kind."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, resource: ResourceType, namespace: str, name: str) -> Entry:
        """One object. Raises `StatusError` 404."""
        key = f"{namespace}/{name}" if resource.namespaced else name
        entry = self._store.table(resource.path).get(key)
        if entry is None:
            raise errors.not_found(resource.plural, resource.group, name)
        return entry

    def list(self, chosen: Selection, options: ListOptions) -> Page:
        """A page of objects, in key order. Raises `StatusError`."""
        check_list_options(options, watching=False)
        revision, start, limit = self._start(chosen, options)
        table = self._store.table(chosen.resource.path)
        try:
            snapshot = table.snapshot(revision, chosen.prefix, start)
        except TooOld:
            raise self._expired(options, start, chosen.prefix) from None
        name = chosen.fields.exact("metadata.name") if chosen.fields else None
        if (
            name is not None
            and revision == self._store.revision
            and (chosen.namespace or not chosen.resource.namespaced)
        ):
            entry = table.get(chosen.prefix + name)
            found = [entry] if entry is not None and chosen.matches(entry) else []
            return Page(found, {"resourceVersion": str(revision)})
        entries: list[Entry] = []
        everything = chosen.everything
        metadata: JsonObject = {"resourceVersion": str(revision)}
        for seen, entry in enumerate(snapshot):
            if limit and len(entries) == limit:
                metadata["continue"] = _encode_token(revision, entries[-1].key.removeprefix(chosen.prefix))
                if everything:
                    metadata["remainingItemCount"] = len(snapshot) - seen
                break
            if everything or chosen.matches(entry):
                entries.append(entry)
        return Page(entries, metadata)

    def _start(self, chosen: Selection, options: ListOptions) -> tuple[int, str, int]:
        current = self._store.revision
        if options.continue_token:
            token_revision, start = _decode_token(options.continue_token)
            if options.resource_version and options.resource_version != "0":
                raise bad_request("specifying resource version is not allowed when using continue")
            return (token_revision if token_revision > 0 else current), chosen.prefix + start, options.limit
        wanted = parse_list_version(options.resource_version)
        if wanted > current:
            raise errors.version_too_large(wanted, current)
        if options.resource_version_match == "Exact":
            return wanted, "", options.limit
        if options.resource_version and options.limit and wanted > 0 and not options.resource_version_match:
            # A limited list at a version and without a match rule is taken from that exact version.
            return wanted, "", options.limit
        limit = 0 if options.resource_version == "0" else options.limit
        return current, "", limit

    def _expired(self, options: ListOptions, start: str, prefix: str) -> StatusError:
        if not options.continue_token:
            return errors.gone(_TOO_OLD_LIST)
        token = _encode_token(-1, start.removeprefix(prefix).removesuffix("\0"))
        return errors.gone(_TOO_OLD_TOKEN, token)


def _encode_token(revision: int, last: str) -> str:
    text = orjson.dumps({"v": "meta.k8s.io/v1", "rv": revision, "start": last + "\0"})
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def _decode_token(token: str) -> tuple[int, str]:
    try:
        text = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise _bad_token("illegal base64 data at input byte 0") from error
    try:
        decoded = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise _bad_token(json_problem(text)) from error
    if not isinstance(decoded, dict):
        raise _bad_token("json: cannot unmarshal into a continue token")
    if decoded.get("v") != "meta.k8s.io/v1":
        raise _bad_token(f"server does not recognize this encoded version {decoded.get('v', '')}")
    revision, start = decoded.get("rv", 0), decoded.get("start", "")
    if not start or not isinstance(start, str):
        raise _bad_token("continue key start is required" if start == "" else "the start key is no text")
    if revision == 0 or not isinstance(revision, int):
        raise _bad_token("continue key revision is required")
    key = start if start.startswith("/") else f"/{start}"
    if posixpath.normpath(key) != key:
        raise _bad_token(start)
    return revision, key[1:]


def _bad_token(text: str) -> StatusError:
    return bad_request(f"invalid continue token: continue key is not valid: {text}")
