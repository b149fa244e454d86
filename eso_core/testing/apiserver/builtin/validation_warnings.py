"""What the server accepts with a word of warning, sent in ``Warning`` headers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from eso_core.testing.apiserver.builtin.validation_names import qualified_name
from eso_core.testing.apiserver.schema.formats import recognized
from eso_core.testing.apiserver.schema.gotext import quote

JsonObject = dict[str, Any]

_STANDARD_FINALIZERS: Final = frozenset(("orphan", "foregroundDeletion"))
_MOUNTABLE: Final = "kubernetes.io/enforce-mountable-secrets"


def builtin_warnings(kind: str, obj: JsonObject) -> list[str]:
    """Warnings about an object of a built-in kind."""
    check = _BY_KIND.get(kind)
    return check(obj) if check is not None else []


def finalizer_warnings(obj: JsonObject, old: JsonObject | None = None) -> list[str]:
    """Warnings about new finalizers of a custom object, which may have any name."""
    before = ((old or {}).get("metadata") or {}).get("finalizers") or ()
    added = sorted(set((obj.get("metadata") or {}).get("finalizers") or ()) - set(before))
    warnings: list[str] = []
    for name in added:
        intro = f"metadata.finalizers: {quote(name)}: "
        warnings += [intro + text for text in qualified_name(name)]
        if "/" not in name and name not in _STANDARD_FINALIZERS:
            warnings.append(
                f"{intro}prefer a domain-qualified finalizer name including a path (/) to avoid accidental conflicts "
                "with other finalizer writers"
            )
    return warnings


def crd_warnings(crd: JsonObject) -> list[str]:
    """Warnings about formats in schemas that mean nothing."""
    found: dict[str, None] = {}
    for version in (crd.get("spec") or {}).get("versions") or []:
        for format_ in _unknown_formats((version.get("schema") or {}).get("openAPIV3Schema")):
            found[f"unrecognized format {quote(format_)}"] = None
    return list(found)


def _unknown_formats(schema: Any) -> Iterator[str]:
    if not isinstance(schema, dict):
        return
    kind, format_ = schema.get("type"), schema.get("format")
    if format_ and not recognized(format_, (kind,) if isinstance(kind, str) else ()):
        yield format_
    for name in sorted(schema.get("properties") or ()):
        yield from _unknown_formats(schema["properties"][name])
    for key in ("items", "additionalProperties"):
        yield from _unknown_formats(schema.get(key))


def service_account_warnings(obj: JsonObject) -> list[str]:
    """Warnings about a deprecated annotation."""
    if _MOUNTABLE not in ((obj.get("metadata") or {}).get("annotations") or {}):
        return []
    return [
        f"metadata.annotations[{_MOUNTABLE}]: deprecated in v1.32+; prefer separate namespaces to isolate access to "
        "mounted secrets"
    ]


_BY_KIND: Final[dict[str, Callable[[JsonObject], list[str]]]] = {
    "ServiceAccount": service_account_warnings,
    "CustomResourceDefinition": crd_warnings,
}
