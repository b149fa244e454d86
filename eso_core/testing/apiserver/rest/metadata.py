"""The server's part of object metadata: identity, times, generation, names, and what updates may not touch."""

from __future__ import annotations

import secrets
import uuid
from typing import Any, Final

from eso_core.testing.apiserver.managedfields.typed import strictly_same
from eso_core.testing.apiserver.strategy import Call

JsonObject = dict[str, Any]

_ALPHABET: Final = "bcdfghjklmnpqrstvwxz2456789"
_PREFIX_LIMIT: Final = 58


def generate_name(prefix: str) -> str:
    """A name from a generateName prefix: cut to leave room for five random characters."""
    return prefix[:_PREFIX_LIMIT] + "".join(secrets.choice(_ALPHABET) for _ in range(5))


def prepare_create(call: Call, obj: JsonObject) -> None:
    """Give a new object its identity and drop what clients cannot set."""
    meta = obj["metadata"]
    for key in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"):
        meta.pop(key, None)
    meta["uid"] = str(uuid.uuid4())
    meta["creationTimestamp"] = call.timestamp
    if not meta.get("name") and meta.get("generateName"):
        meta["name"] = generate_name(meta["generateName"])
    if call.resource.namespaced:
        meta["namespace"] = call.namespace
    else:
        meta.pop("namespace", None)
    if call.resource.generation:
        meta["generation"] = 1


def keep_server_fields(call: Call, obj: JsonObject, old: JsonObject) -> None:
    """Carry over what an update that leaves it out does not change."""
    meta, before = obj["metadata"], old["metadata"]
    for key in ("creationTimestamp", "uid", "deletionTimestamp", "deletionGracePeriodSeconds"):
        if key == "creationTimestamp" or not meta.get(key):
            if key in before:
                meta[key] = before[key]
            else:
                meta.pop(key, None)
    meta.pop("selfLink", None)
    if call.resource.namespaced:
        meta["namespace"] = before["namespace"]
    else:
        meta.pop("namespace", None)
    if call.resource.generation:
        meta["generation"] = before.get("generation", 1)


def bump_generation(call: Call, obj: JsonObject, old: JsonObject) -> None:
    """Count a change of anything but metadata (and status, where that is a subresource)."""
    ignored = {"metadata", "apiVersion", "kind"}
    if call.version.status:
        ignored.add("status")
    for key in obj.keys() | old.keys():
        if key not in ignored and not strictly_same(obj.get(key), old.get(key)):
            obj["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
            return


def same_content(new: JsonObject, old: JsonObject) -> bool:
    """Whether a write changes nothing (resourceVersion and times of field managers aside)."""
    for key in new.keys() | old.keys():
        if key != "metadata" and new.get(key) != old.get(key):
            return False
    if _comparable(new["metadata"]) != _comparable(old["metadata"]):
        return False
    # Python takes true for 1; what looks equal is compared again as JSON.
    return all(strictly_same(new.get(key), old.get(key)) for key in new if key != "metadata")


def _comparable(meta: JsonObject) -> JsonObject:
    rest = {key: value for key, value in meta.items() if key != "resourceVersion" and value not in ({}, [], "")}
    fields = rest.get("managedFields")
    if fields:
        rest["managedFields"] = [{key: entry[key] for key in entry if key != "time"} for entry in fields]
    return rest
