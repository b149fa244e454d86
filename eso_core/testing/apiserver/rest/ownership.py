"""Field ownership on writes: who manages which field, kept in metadata.managedFields."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from eso_core.testing.apiserver import managedfields
from eso_core.testing.apiserver.managedfields.fieldset import EMPTY, Node
from eso_core.testing.apiserver.strategy import Call

JsonObject = dict[str, Any]


@lru_cache(maxsize=64)
def _fields(*paths: str) -> Node:
    return managedfields.field_set(*paths)


def _ignored(call: Call) -> Node:
    """The fields that the request cannot change and so comes not to own."""
    return _fields(*call.resource.strategy.reset_fields(call)) if call.version.status or call.subresource else EMPTY


def record_create(call: Call, obj: JsonObject) -> JsonObject:
    """A new object with its ownership entry."""
    return managedfields.record_update(
        None,
        obj,
        manager=call.manager,
        api_version=call.api_version,
        time=call.timestamp,
        schema=call.resource.strategy.schema(call.version),
        subresource=call.subresource,
        ignored=_ignored(call),
    )


def record_update(call: Call, obj: JsonObject, old: JsonObject) -> JsonObject:
    """A changed object with its ownership entries brought up to date."""
    return managedfields.record_update(
        old,
        obj,
        manager=call.manager,
        api_version=call.api_version,
        time=call.timestamp,
        schema=call.resource.strategy.schema(call.version),
        subresource=call.subresource,
        ignored=_ignored(call),
    )


def apply(call: Call, live: JsonObject | None, applied: JsonObject) -> JsonObject:
    """Server-side apply: the merged object. Raises `StatusError`."""
    return managedfields.apply(
        live,
        applied,
        manager=call.manager,
        api_version=call.api_version,
        kind=call.resource.kind,
        time=call.timestamp,
        schema=call.resource.strategy.schema(call.version),
        force=bool(call.options.force),
        subresource=call.subresource,
        ignored=_ignored(call),
    )
