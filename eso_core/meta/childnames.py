"""Names for objects that belong to another one."""

from __future__ import annotations

import hashlib

from eso_core.meta.keys import ObjectKey

__all__ = ["child_name"]

_HASH = 8


def child_name(prefix: str, key: ObjectKey | str, maximum: int = 253) -> str:
    """``<prefix>-<name>``, cut to ``maximum`` characters with a stable hash of the whole at the end.

    Args:
        key: The owner. A namespace becomes part of the name.
        maximum: 253 for most objects, 63 for what becomes a label value or a host name.

    Raises:
        ValueError: ``maximum`` leaves no room for the hash.
    """
    if maximum < _HASH + 2:
        raise ValueError(f"maximum must be at least {_HASH + 2}, not {maximum}")
    text = str(key).replace("/", "-")
    name = f"{prefix}-{text}" if prefix else text
    if len(name) <= maximum:
        return name
    # The hash covers the unjoined parts: ("a-b", "c") and ("a", "b-c") must not meet.
    digest = hashlib.sha256(f"{prefix}\0{key}".encode()).hexdigest()[:_HASH]
    return f"{name[: maximum - _HASH - 1].rstrip('-.')}-{digest}"
