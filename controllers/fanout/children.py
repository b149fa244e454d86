"""What a copy should be, and what has to change for it. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from controllers.fanout.kinds import FanOut
from eso_core.meta import GVK, JsonObject

__all__ = ["by_parent", "changes", "new_child", "owned_by", "parent_key"]


def parent_key(kind: GVK, name: str) -> str:
    """Value of the index that finds the copies of an object."""
    return f"{kind.kind}/{name}"


def by_parent(meta: Any, obj: JsonObject) -> Iterable[str]:
    """Index function: copies by the object that controls them, by kind and name as the original has it."""
    for reference in meta.owner_references:
        group = reference.api_version.partition("/")[0]
        if reference.controller and group == "external-secrets.io" and reference.kind.startswith("Cluster"):
            yield f"{reference.kind}/{reference.name}"


def owned_by(child: JsonObject, fan: FanOut, name: str) -> bool:
    """Whether the copy is controlled by the object of this name."""
    for reference in child["metadata"].get("ownerReferences") or ():
        group = str(reference.get("apiVersion", "")).partition("/")[0]
        if reference.get("controller") and group == fan.kind.group and reference.get("kind") == fan.kind.kind:
            return bool(reference.get("name") == name)
    return False


def new_child(fan: FanOut, parent: JsonObject, namespace: str) -> JsonObject:
    """The copy for a namespace."""
    labels, annotations = _metadata(fan, parent)
    metadata: JsonObject = {"name": fan.child_name(parent), "namespace": namespace}
    if labels:
        metadata["labels"] = labels
    if annotations:
        metadata["annotations"] = annotations
    if fan.child_finalizer:
        metadata["finalizers"] = [fan.child_finalizer]
    metadata["ownerReferences"] = [_owner(fan, parent)]
    return {
        "apiVersion": fan.child.api_version,
        "kind": fan.child.kind,
        "metadata": metadata,
        "spec": _spec(fan, parent),
    }


def changes(fan: FanOut, parent: JsonObject, child: JsonObject) -> list[JsonObject]:
    """The operations of a JSON patch that make the copy what it should be; none when it is.

    Finalizers, and owners besides ours, stay.
    """
    labels, annotations = _metadata(fan, parent)
    metadata = child["metadata"]
    operations: list[JsonObject] = []
    if (metadata.get("labels") or {}) != labels:
        operations.append({"op": "add", "path": "/metadata/labels", "value": labels})
    if (metadata.get("annotations") or {}) != annotations:
        operations.append({"op": "add", "path": "/metadata/annotations", "value": annotations})
    owner = _owner(fan, parent)
    owners = metadata.get("ownerReferences") or []
    if owner not in owners:
        # A parent that was deleted and made anew takes its copies over.
        kept = [reference for reference in owners if not reference.get("controller")]
        operations.append({"op": "add", "path": "/metadata/ownerReferences", "value": [*kept, owner]})
    spec = _spec(fan, parent)
    if child.get("spec") != spec:
        operations.append({"op": "add", "path": "/spec", "value": spec})
    if operations:
        operations.insert(0, {"op": "test", "path": "/metadata/uid", "value": metadata["uid"]})
    return operations


def _spec(fan: FanOut, parent: JsonObject) -> JsonObject:
    spec: JsonObject = (parent.get("spec") or {}).get(f"{fan.member}Spec") or {}
    return spec


def _metadata(fan: FanOut, parent: JsonObject) -> tuple[dict[str, str], dict[str, str]]:
    template = (parent.get("spec") or {}).get(f"{fan.member}Metadata") or {}
    annotations = dict(template.get("annotations") or {})
    if fan.mirrored:
        # The parent's, or none: one of the template would stay when the parent's goes.
        annotations.pop(fan.mirrored, None)
        mirrored = (parent["metadata"].get("annotations") or {}).get(fan.mirrored)
        if mirrored is not None:
            annotations[fan.mirrored] = mirrored
    return dict(template.get("labels") or {}), annotations


def _owner(fan: FanOut, parent: JsonObject) -> JsonObject:
    return {
        "apiVersion": fan.kind.api_version,
        "kind": fan.kind.kind,
        "name": parent["metadata"]["name"],
        "uid": parent["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
