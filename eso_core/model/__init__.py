"""Resources as pydantic classes, and the CustomResourceDefinitions made from them.

A `Resource` subclass is one version of one kind: its class keywords say how the API serves it, its annotations what it holds.
`Model` is the base of everything inside it. `Schema` adds to a field what Python's types cannot say. `crd_for` and
`structural_schema` turn classes into what the API server wants.
"""

from typing import TYPE_CHECKING

from eso_core.lazy import lazy_exports

if TYPE_CHECKING:
    from eso_core.model.crd import crd_for
    from eso_core.model.metadata import OwnerReference, ResourceMetadata
    from eso_core.model.model import Model
    from eso_core.model.resource import PrinterColumn, Resource
    from eso_core.model.schema import Rule, Schema, SchemaError, structural_schema

__all__ = [
    "Model",
    "OwnerReference",
    "PrinterColumn",
    "Resource",
    "ResourceMetadata",
    "Rule",
    "Schema",
    "SchemaError",
    "crd_for",
    "structural_schema",
]

_HOMES = {
    "Model": "model",
    "OwnerReference": "metadata",
    "PrinterColumn": "resource",
    "Resource": "resource",
    "ResourceMetadata": "metadata",
    "Rule": "schema",
    "Schema": "schema",
    "SchemaError": "schema",
    "crd_for": "crd",
    "structural_schema": "schema",
}


# Who needs a base class need not make the pydantic models of whole resources, which take longer to make than to use.
__getattr__ = lazy_exports(__name__, _HOMES)
