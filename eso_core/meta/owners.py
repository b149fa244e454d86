"""Owner references between objects; matched by group, kind and name, whatever the version."""

from __future__ import annotations

from typing import ClassVar, Protocol

from eso_core.meta.errors import OwnerError
from eso_core.meta.gvk import GVK, JsonObject, gvk_of, split_api_version

__all__ = [
    "TypedOwner",
    "controller_of",
    "has_owner_reference",
    "owner_reference",
    "remove_owner_reference",
    "set_controller_reference",
    "set_owner_reference",
]


class TypedOwner(Protocol):
    """A typed resource, as far as a reference to it is concerned."""

    gvk: ClassVar[GVK]

    def encode(self) -> JsonObject: ...


def owner_reference(
    owner: JsonObject, gvk: GVK, *, controller: bool | None = None, block_owner_deletion: bool | None = None
) -> JsonObject:
    """The entry that names ``owner``. Its kind comes from the registry (``gvk``), not from the often empty object.

    Raises:
        OwnerError: The owner has no uid or no name.
    """
    metadata = owner.get("metadata") or {}
    name, uid = metadata.get("name"), metadata.get("uid")
    if not name or not uid:
        missing = "name" if not name else "uid"
        raise OwnerError(f"referring to a {gvk.kind} as owner: it has no {missing}: read it from the server first")
    ref: JsonObject = {"apiVersion": gvk.api_version, "kind": gvk.kind, "name": name, "uid": uid}
    if controller is not None:
        ref["controller"] = controller
    if block_owner_deletion is not None:
        ref["blockOwnerDeletion"] = block_owner_deletion
    return ref


def set_controller_reference(owner: JsonObject | TypedOwner, obj: JsonObject, gvk: GVK | None = None) -> bool:
    """Makes ``owner`` the controller of ``obj``, in place; whether that changed anything.

    Args:
        owner: A typed resource, or an object as JSON.
        obj: What is owned, as JSON.
        gvk: The owner's kind; by default that of its class, or the one that its JSON names.

    Raises:
        OwnerError: Another object controls it already, or the owner cannot own it.
        ValueError: The owner is JSON that does not name its kind.
    """
    if not isinstance(owner, dict):
        gvk = gvk or owner.gvk
        owner = owner.encode()
    gvk = gvk or gvk_of(owner)
    _check_scope(owner, obj, gvk)
    ref = owner_reference(owner, gvk, controller=True, block_owner_deletion=True)
    current = controller_of(obj)
    if current is not None and not _same(current, ref):
        metadata = obj.get("metadata") or {}
        raise OwnerError(
            f"making {gvk.kind} {ref['name']} the controller of {metadata.get('name')}: "
            f"it is already controlled by {current.get('kind')} {current.get('name')}"
        )
    return _upsert(obj, ref)


def set_owner_reference(
    owner: JsonObject, obj: JsonObject, gvk: GVK, *, block_owner_deletion: bool | None = None
) -> bool:
    """Makes ``owner`` one of the owners of ``obj``, in place; whether that changed anything.

    Raises:
        OwnerError: The owner cannot own it.
    """
    _check_scope(owner, obj, gvk)
    return _upsert(obj, owner_reference(owner, gvk, block_owner_deletion=block_owner_deletion))


def remove_owner_reference(owner: JsonObject, obj: JsonObject, gvk: GVK) -> bool:
    """Drops ``owner`` from the owners of ``obj``, in place; whether it was one."""
    metadata = obj.get("metadata") or {}
    refs = metadata.get("ownerReferences") or []
    wanted = {"apiVersion": gvk.api_version, "kind": gvk.kind, "name": (owner.get("metadata") or {}).get("name")}
    kept = [ref for ref in refs if not _same(ref, wanted)]
    if len(kept) == len(refs):
        return False
    if kept:
        metadata["ownerReferences"] = kept
    else:
        del metadata["ownerReferences"]
    return True


def has_owner_reference(owner: JsonObject, obj: JsonObject, gvk: GVK) -> bool:
    """Whether ``owner`` is one of the owners of ``obj``."""
    wanted = {"apiVersion": gvk.api_version, "kind": gvk.kind, "name": (owner.get("metadata") or {}).get("name")}
    return any(_same(ref, wanted) for ref in (obj.get("metadata") or {}).get("ownerReferences") or ())


def controller_of(obj: JsonObject) -> JsonObject | None:
    """The reference to the owner that controls ``obj``."""
    refs = (obj.get("metadata") or {}).get("ownerReferences") or ()
    return next((ref for ref in refs if ref.get("controller")), None)


def _same(a: JsonObject, b: JsonObject) -> bool:
    if a.get("kind") != b.get("kind") or a.get("name") != b.get("name"):
        return False
    try:
        return split_api_version(a.get("apiVersion") or "")[0] == split_api_version(b.get("apiVersion") or "")[0]
    except ValueError:
        return False


def _upsert(obj: JsonObject, ref: JsonObject) -> bool:
    metadata = obj.setdefault("metadata", {})
    refs: list[JsonObject] = metadata.get("ownerReferences") or []
    for index, current in enumerate(refs):
        if _same(current, ref):
            if current == ref:
                return False
            metadata["ownerReferences"] = [*refs[:index], ref, *refs[index + 1 :]]
            return True
    metadata["ownerReferences"] = [*refs, ref]
    return True


def _check_scope(owner: JsonObject, obj: JsonObject, gvk: GVK) -> None:
    owner_namespace = (owner.get("metadata") or {}).get("namespace") or ""
    metadata = obj.get("metadata") or {}
    namespace = metadata.get("namespace") or ""
    if not owner_namespace or owner_namespace == namespace:
        return
    what = f"{gvk.kind} {owner_namespace}/{(owner.get('metadata') or {}).get('name')}"
    if not namespace:
        raise OwnerError(
            f"making {what} an owner of {metadata.get('name')}: a namespaced object cannot own a cluster-scoped one"
        )
    raise OwnerError(
        f"making {what} an owner of {namespace}/{metadata.get('name')}: an owner must be in the namespace of what it owns"
    )
