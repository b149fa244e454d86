"""Names that clusters already hold: labels, annotations, finalizers, field managers, and the two hashes.

Everything here is read back from objects that External Secrets Operator 2.9 wrote, so each text is part of the
contract: a changed byte means that every Secret of a cluster is rewritten after an upgrade.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

__all__ = [
    "CREATED_BY_LABEL",
    "DATA_HASH_ANNOTATION",
    "FINALIZER",
    "FOREIGN_METADATA",
    "GROUP",
    "MANAGED_LABEL",
    "MANAGED_VALUE",
    "OWNER_API_VERSION",
    "OWNER_KIND",
    "data_hash",
    "digest",
    "field_manager",
    "own_version",
    "owner_label_value",
    "sync_version",
    "text_form",
]

GROUP: Final = "external-secrets.io"
OWNER_API_VERSION: Final = "external-secrets.io/v1"
OWNER_KIND: Final = "ExternalSecret"

MANAGED_LABEL: Final = "reconcile.external-secrets.io/managed"
MANAGED_VALUE: Final = "true"
CREATED_BY_LABEL: Final = "reconcile.external-secrets.io/created-by"
DATA_HASH_ANNOTATION: Final = "reconcile.external-secrets.io/data-hash"
FINALIZER: Final = "externalsecrets.external-secrets.io/externalsecret-cleanup"

FOREIGN_METADATA: Final = (
    "kustomize.toolkit.fluxcd.io/",
    "helm.toolkit.fluxcd.io/",
    "argocd.argoproj.io/",
    "meta.helm.sh/",
    "helm.sh/chart",
    "app.kubernetes.io/managed-by",
    "app.kubernetes.io/version",
    "kubectl.kubernetes.io/last-applied-configuration",
)
"""Beginnings of labels and annotations in which tools of deployment keep notes of their own, new ones at every commit."""

_MANAGER_PREFIX: Final = "externalsecrets.external-secrets.io/"
_MANAGER_LIMIT: Final = 63
"""Longest plain manager name; the API allows 128, the original stops at a label value's length."""


def digest(value: object) -> str:
    """SHA3-224 of the text form of `value`, in lowercase hex."""
    return hashlib.sha3_224(text_form(value).encode("utf-8", "surrogatepass")).hexdigest()


def data_hash(data: Mapping[str, bytes]) -> str:
    """The hash that the data-hash annotation carries for these (decoded) values."""
    return digest(data)


@lru_cache(maxsize=1024)
def owner_label_value(namespace: str, name: str) -> str:
    """Value of the created-by label on what the ExternalSecret `namespace/name` owns."""
    return digest(f"{namespace}/{name}")


def field_manager(name: str) -> str:
    """Field manager of every write to the target of the ExternalSecret called `name`."""
    plain = _MANAGER_PREFIX + name
    return plain if len(plain) <= _MANAGER_LIMIT else f"{_MANAGER_PREFIX}sha3/{digest(name)}"


def sync_version(generation: int, labels: Mapping[str, str] | None, annotations: Mapping[str, str] | None) -> str:
    """What `status.syncedResourceVersion` holds after a sync of an object with this generation and metadata."""
    if not labels and not annotations:
        return f"{generation}-{_PLAIN}"
    meta = f"{{annotations:{text_form(annotations or {})} labels:{text_form(labels or {})}}}"
    return f"{generation}-{digest(meta)}"


def own_version(generation: int, labels: Mapping[str, str] | None, annotations: Mapping[str, str] | None) -> str:
    """As `sync_version`, without the metadata that tools write for themselves."""
    return sync_version(generation, _own(labels), _own(annotations))


def _own(metadata: Mapping[str, str] | None) -> dict[str, str]:
    return {key: value for key, value in (metadata or {}).items() if not key.startswith(FOREIGN_METADATA)}


def text_form(value: object) -> str:
    """The text that is hashed: Go's `%v` of the value.

    Raises:
        TypeError: the value is of a type that never occurs in a hashed object.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        # str() of the list and one replace stay in C: Secrets of a megabyte are hashed at every look at them.
        return str(list(value)).replace(",", "")
    if type(value) is dict:
        return _map_text(value)
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _float_text(value)
    if isinstance(value, Mapping):
        return _map_text(value)
    if isinstance(value, Sequence):
        return f"[{' '.join(text_form(item) for item in value)}]"
    raise TypeError(f"hashing an object: values of type {type(value).__name__} have no text form")


def _map_text(value: Mapping[Any, Any]) -> str:
    items = sorted(value.items(), key=_key_bytes) if len(value) > 1 else value.items()
    return f"map[{' '.join([f'{key}:{text_form(item)}' for key, item in items])}]"


def _key_bytes(item: tuple[Any, Any]) -> bytes:
    return str(item[0]).encode("utf-8", "surrogatepass")


def _float_text(value: float) -> str:
    """Shortest text that reads back, with an exponent only below 1e-4 and from 1e21 on."""
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    sign = "-" if str(value).startswith("-") else ""
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    if not digits.rstrip("0"):
        return sign + "0"
    point = int(exponent or 0) + len(whole)  # digits left of the decimal point, if every digit of the mantissa is kept
    point -= len(whole + fraction) - len(digits)
    digits = digits.rstrip("0")
    power = point - 1
    if power < -4 or power >= 21:
        tail = f".{digits[1:]}" if len(digits) > 1 else ""
        return f"{sign}{digits[0]}{tail}e{'-' if power < 0 else '+'}{abs(power):02d}"
    if point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    if point >= len(digits):
        return sign + digits + "0" * (point - len(digits))
    return f"{sign}{digits[:point]}.{digits[point:]}"


_PLAIN: Final = digest("{annotations:map[] labels:map[]}")
"""What `sync_version` makes of an object without labels and annotations, which most are."""
