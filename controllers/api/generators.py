"""The kinds of `generators.external-secrets.io`.

A generator that is built in, or that a plug-in brings, describes itself by its spec model. The schemas of all others of the original
come from a data file, so that their manifests are accepted; an object that uses one of them is told that it is not built in.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Annotated, Any, Final

import orjson
from pydantic import Field

from eso_core.meta import JsonObject
from eso_core.model import Model, PrinterColumn, Resource, Schema, crd_for, structural_schema
from generators.interface import GROUP, VERSION, Generator
from generators.registry import GeneratorRegistry
from providers.errors import ProviderError

__all__ = ["GeneratorState", "generator_crds", "undescribed_kinds"]

_CATEGORIES: Final = ("external-secrets", "external-secrets-generators")
_Free = Schema(replace=lambda: {"x-kubernetes-preserve-unknown-fields": True})
_TIME = Schema(extra={"format": "date-time"})


class StateCondition(Model):
    """One observed condition."""

    type: str = Field(description="What is observed.")
    status: str = Field(description="True, False or Unknown.")
    reason: str | None = Field(None, description="Why, in one word.")
    message: str | None = Field(None, description="Why, in a sentence.")
    last_transition_time: Annotated[str | None, _TIME] = Field(None, description="When the status changed last.")


class GeneratorStateSpec(Model):
    """What has to be cleaned up."""

    garbage_collection_deadline: Annotated[str | None, _TIME] = Field(
        None, description="After this instant what the state describes is taken back."
    )
    resource: Annotated[Any, _Free] = Field(description="The generator as it was.")
    state: Annotated[Any, _Free] = Field(description="What the generator needs to clean up.")


class GeneratorStateStatus(Model):
    """What happened last."""

    conditions: list[StateCondition] | None = Field(None, description="Ready: whether the state is looked after.")


class GeneratorState(
    Resource,
    group=GROUP,
    version=VERSION,
    short_names=("gs",),
    categories=_CATEGORIES,
    printer_columns=(
        PrinterColumn("GC Deadline", ".spec.garbageCollectionDeadline"),
        PrinterColumn("Age", ".metadata.creationTimestamp", type="date"),
    ),
):
    """Something that a generator created outside of the cluster, and that is taken back when nobody uses it any more."""

    spec: GeneratorStateSpec | None = Field(None, description="What has to be cleaned up.")
    status: GeneratorStateStatus | None = Field(None, description="What happened last.")


def _registry() -> GeneratorRegistry:
    return GeneratorRegistry()


@cache
def _described() -> JsonObject:
    data: JsonObject = orjson.loads(
        resources.files("controllers.api").joinpath("data", "generators-v1alpha1.json").read_bytes()
    )
    return data


def undescribed_kinds() -> list[str]:
    """Kinds of plug-ins, which the enums of the original do not have."""
    return [kind for kind in _registry().plugins if kind not in _described()]


def generator_crds(labels: JsonObject) -> list[JsonObject]:
    """The definitions of all generators, ClusterGenerator and GeneratorState."""
    registry = _registry()
    kinds: dict[str, tuple[str, str, JsonObject]] = {
        kind: (entry["plural"], entry["member"], entry["spec"]) for kind, entry in _described().items()
    }
    for kind in registry.kinds:
        try:
            generator = registry.get(kind)
        except ProviderError:
            continue  # the registry has logged why; the other definitions must not suffer
        kinds[kind] = (generator.plural, generator.member, _spec_schema(generator))
    made = [_crd(kind, plural, "Namespaced", spec, labels) for kind, (plural, _, spec) in kinds.items()]
    made.append(_crd("ClusterGenerator", "clustergenerators", "Cluster", _cluster_spec(kinds), labels))
    made.append(crd_for(GeneratorState, labels=labels))
    return made


def _spec_schema(generator: Generator) -> JsonObject:
    return structural_schema(generator.spec)


def _cluster_spec(kinds: dict[str, tuple[str, str, JsonObject]]) -> JsonObject:
    members = {member: spec for _, member, spec in kinds.values()}
    return {
        "type": "object",
        "required": ["generator", "kind"],
        "properties": {
            "generator": {
                "type": "object",
                "description": "The generator's spec, under the name of its kind.",
                "minProperties": 1,
                "maxProperties": 1,
                "properties": {name: members[name] for name in sorted(members)},
            },
            "kind": {"type": "string", "description": "Kind of the generator.", "enum": _ENUM + undescribed_kinds()},
        },
    }


# The order of the original, which is what `kubectl explain` shows.
_ENUM: Final = [
    "ACRAccessToken", "BeyondtrustWorkloadCredentialsDynamicSecret", "CloudsmithAccessToken", "ECRAuthorizationToken", "Fake",
    "GCRAccessToken", "GithubAccessToken", "GitlabDeployToken", "QuayAccessToken", "Password", "SSHKey", "STSSessionToken", "UUID",
    "VaultDynamicSecret", "Webhook", "Grafana", "MFA",
]  # fmt: skip


def _crd(kind: str, plural: str, scope: str, spec: JsonObject, labels: JsonObject) -> JsonObject:
    schema: JsonObject = {
        "type": "object",
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": spec,
        },
    }
    version: JsonObject = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": schema},
    }
    made: JsonObject = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}", "labels": dict(labels)},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
                "categories": list(_CATEGORIES),
            },
            "scope": scope,
            "versions": [version],
            "conversion": {"strategy": "None"},
        },
    }
    # Written and read back: YAML would show shared parts as aliases.
    unshared: JsonObject = orjson.loads(orjson.dumps(made))
    return unshared
