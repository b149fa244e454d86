"""Schemas of custom resources: what they remove, fill in and refuse, in the words of the real server.

`compile` turns the OpenAPI schema of a version into a `StructuralSchema`; `validate_crd` says what is wrong with a
CustomResourceDefinition, `default_crd` fills in what it leaves out. CEL rules run in `eso_core.testing.apiserver.schema.cel`.
Everything here is synchronous and pure.
"""

from eso_core.testing.apiserver.schema.crd import default_crd, stored_versions, validate_crd
from eso_core.testing.apiserver.schema.metafields import CoerceError
from eso_core.testing.apiserver.schema.structural import StructuralSchema, compile

__all__ = ["CoerceError", "StructuralSchema", "compile", "default_crd", "stored_versions", "validate_crd"]
