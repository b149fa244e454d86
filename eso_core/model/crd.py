"""CustomResourceDefinitions from resource classes."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from eso_core.meta import JsonObject
from eso_core.model.lossless import check_lossless
from eso_core.model.resource import Resource
from eso_core.model.schema import docstring_of, structural_schema

__all__ = ["crd_for"]

# What the server fills in by itself; a CRD must not constrain more of metadata than name and generateName.
_HEADER: JsonObject = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"}}


def crd_for(
    *versions: type[Resource],
    storage: type[Resource] | None = None,
    labels: Mapping[str, str] | None = None,
    unserved: tuple[type[Resource], ...] = (),
) -> JsonObject:
    """The CustomResourceDefinition that serves `versions` of one kind.

    Args:
        versions: One class for each version; names, scope and categories come from the first.
        storage: The version that is stored (default: the first).
        labels: Labels of the CRD.
        unserved: Versions that are described but not served.

    Raises:
        ValueError: no version, versions of different kinds, or a storage version that is not among them.
        SchemaError: a field has a type that no structural schema can describe.
        TypeError: a class would lose fields when an object is written back.
    """
    if not versions:
        raise ValueError("a CustomResourceDefinition needs at least one version")
    first = versions[0].definition
    stored = storage or versions[0]
    for version in versions:
        other = version.definition
        if (other.group, other.kind, other.plural, other.scope) != (first.group, first.kind, first.plural, first.scope):
            raise ValueError(f"{version.gvk} and {versions[0].gvk} are not versions of one kind")
    if stored not in versions:
        raise ValueError(f"the storage version {stored.gvk} is not among the versions")
    names: JsonObject = {
        "kind": first.kind,
        "listKind": first.list_kind,
        "plural": first.plural,
        "singular": first.singular,
    }
    if first.short_names:
        names["shortNames"] = list(first.short_names)
    if first.categories:
        names["categories"] = list(first.categories)
    metadata: JsonObject = {"name": f"{first.plural}.{first.group}"}
    if labels:
        metadata["labels"] = dict(labels)
    made: JsonObject = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": metadata,
        "spec": {
            "group": first.group,
            "names": names,
            "scope": first.scope,
            "versions": [_version(v, served=v not in unserved, stored=v is stored) for v in versions],
            "conversion": {"strategy": "None"},
        },
    }
    # Written and read back, so that no part is shared with another definition or occurs twice in this one (YAML would show aliases).
    unshared: JsonObject = orjson.loads(orjson.dumps(made))
    return unshared


def _version(resource: type[Resource], *, served: bool, stored: bool) -> JsonObject:
    definition = resource.definition
    check_lossless(resource)
    schema = structural_schema(resource)
    if description := docstring_of(resource):
        schema["description"] = description
    properties = {name: body for name, body in schema["properties"].items() if name not in _HEADER}
    schema["properties"] = {**_HEADER, **properties}
    made: JsonObject = {"name": definition.version, "served": served, "storage": stored}
    if definition.deprecated:
        made["deprecated"] = True
        if definition.deprecation_warning:
            made["deprecationWarning"] = definition.deprecation_warning
    if definition.printer_columns:
        made["additionalPrinterColumns"] = [column.to_json() for column in definition.printer_columns]
    if definition.status_subresource:
        made["subresources"] = {"status": {}}
    if definition.selectable_fields:
        made["selectableFields"] = [{"jsonPath": path} for path in definition.selectable_fields]
    made["schema"] = {"openAPIV3Schema": schema}
    return made
