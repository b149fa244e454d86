"""The schema of `spec.provider`: one member for each backend.

A backend that is built in, or that a plug-in brings, describes itself by its spec model. The schemas of all others come from a data
file, so that manifests of every backend of the original are accepted; a store that uses one of them says in its condition that it is
not built in.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

import orjson

from eso_core.meta import JsonObject
from eso_core.model import structural_schema
from providers.errors import ProviderError
from providers.registry import Registry

__all__ = ["described_backends", "provider_schema", "provider_schema_v1beta1"]


@cache
def described_backends(version: str) -> JsonObject:
    """The schemas in the data file of a version, by backend."""
    data: JsonObject = orjson.loads(
        resources.files("controllers.api").joinpath("data", f"backends-{version}.json").read_bytes()
    )
    return data


def provider_schema() -> JsonObject:
    """The schema of `spec.provider` in v1, plug-ins included."""
    registry = Registry()
    backends = dict(described_backends("v1"))
    for name in registry.names:
        try:
            backends[name] = structural_schema(registry.get(name).spec)
        except ProviderError:
            continue  # the registry has logged why; the schemas of the others must not suffer
    return _one_of(backends)


def provider_schema_v1beta1() -> JsonObject:
    """The schema of `spec.provider` in v1beta1, which is frozen."""
    return _one_of(described_backends("v1beta1"))


def _one_of(backends: JsonObject) -> JsonObject:
    return {
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "properties": {name: backends[name] for name in sorted(backends)},
    }
