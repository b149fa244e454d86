"""Resources inside of resources (``x-kubernetes-embedded-resource``): their apiVersion, kind and metadata."""

from __future__ import annotations

from typing import Any

from eso_core.testing.apiserver.builtin.validation_names import dns_1035_label, path_segment_name
from eso_core.testing.apiserver.errors import FieldError
from eso_core.testing.apiserver.schema import causes
from eso_core.testing.apiserver.schema.gotext import shown
from eso_core.testing.apiserver.schema.metafields import CoerceError, prune_metadata
from eso_core.testing.apiserver.schema.node import Node


def problems(value: dict[str, Any], path: str) -> list[FieldError]:
    """Errors of one embedded resource."""
    # Metadata rules word their errors with this package, so they can only be imported once it is there.
    from eso_core.testing.apiserver.builtin.validation_meta import metadata_errors

    errors = [causes.required(causes.child(path, key)) for key in ("apiVersion", "kind") if not value.get(key)]
    version, kind, metadata = value.get("apiVersion"), value.get("kind"), value.get("metadata")
    if isinstance(version, str) and version.count("/") > 1:
        errors.append(
            causes.invalid(causes.child(path, "apiVersion"), version, f"unexpected GroupVersion string: {version}")
        )
    if isinstance(kind, str) and kind and (complaints := dns_1035_label(kind.lower())):
        detail = f"may have mixed case, but should otherwise match: {','.join(complaints)}"
        errors.append(causes.invalid(causes.child(path, "kind"), kind, detail))
    if isinstance(metadata, dict):
        checked = metadata if metadata.get("name") else {**metadata, "name": "fakename"}
        errors += metadata_errors(
            checked,
            namespaced=bool(metadata.get("namespace")),
            name_rule=path_segment_name,
            path=causes.child(path, "metadata"),
        )
    return errors


def find_problems(node: Node, value: Any, path: str) -> list[FieldError]:
    """Errors of all embedded resources in a value."""
    errors: list[FieldError] = []
    if isinstance(value, dict):
        if node.embedded:
            errors += problems(value, path)
        for key in sorted(value):
            known = node.properties.find(key)
            if known is not None:
                errors += find_problems(known, value[key], causes.child(path, key))
            elif node.additional is not None:
                errors += find_problems(node.additional, value[key], f"{path}[{key}]")
    elif isinstance(value, list) and node.items is not None:
        for index, item in enumerate(value):
            errors += find_problems(node.items, item, f"{path}[{index}]")
    return errors


def coerce(node: Node, value: Any, path: str, removed: list[str]) -> None:
    """Removes unknown metadata fields of embedded resources and checks the types of what makes them resources.

    Raises:
        CoerceError: apiVersion, kind or metadata of one has the wrong type.
    """
    if isinstance(value, dict):
        if node.embedded:
            for key in ("apiVersion", "kind"):
                if value.get(key) is not None and not isinstance(value[key], str):
                    where = causes.child(path, key)
                    raise CoerceError(f"{where}: Invalid value: {shown(value[key])}: must be a string")
            if "metadata" in value:
                where = causes.child(path, "metadata")
                try:
                    prune_metadata(value["metadata"], where, removed)
                except CoerceError as error:
                    raise CoerceError(f"{where}: Invalid value: {shown(value['metadata'])}: {error}") from error
        for key, item in value.items():
            if isinstance(item, dict | list):
                known = node.properties.find(key) or node.additional
                if known is not None:
                    coerce(known, item, causes.child(path, key), removed)
    elif isinstance(value, list) and node.items is not None:
        for index, item in enumerate(value):
            coerce(node.items, item, f"{path}[{index}]", removed)


def has_embedded(schema: Any) -> bool:
    """Whether a raw schema has an embedded resource anywhere; one look spares every write the walk."""
    if isinstance(schema, dict):
        return bool(schema.get("x-kubernetes-embedded-resource")) or any(map(has_embedded, schema.values()))
    return isinstance(schema, list) and any(map(has_embedded, schema))
