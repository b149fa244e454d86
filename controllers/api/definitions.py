"""The CustomResourceDefinitions that this release installs."""

from __future__ import annotations

from controllers.api.clusters import ClusterExternalSecret, ClusterExternalSecretV1Beta1, ClusterPushSecret
from controllers.api.externalsecret import ExternalSecret
from controllers.api.externalsecret_v1beta1 import ExternalSecretV1Beta1
from controllers.api.generators import generator_crds
from controllers.api.pushsecret import PushSecret
from controllers.api.secretstore import ClusterSecretStore, ClusterSecretStoreV1Beta1, SecretStore, SecretStoreV1Beta1
from eso_core.meta import JsonObject
from eso_core.model import Resource, crd_for

__all__ = ["all_crds"]

_LABELS = {"external-secrets.io/component": "controller"}

# The first version of each kind is the one that is stored.
_KINDS: tuple[tuple[type[Resource], ...], ...] = (
    (ClusterExternalSecret, ClusterExternalSecretV1Beta1),
    (ClusterPushSecret,),
    (ClusterSecretStore, ClusterSecretStoreV1Beta1),
    (ExternalSecret, ExternalSecretV1Beta1),
    (PushSecret,),
    (SecretStore, SecretStoreV1Beta1),
)


def all_crds() -> list[JsonObject]:
    """All definitions, sorted by name."""
    made = [crd_for(*versions, labels=_LABELS) for versions in _KINDS] + generator_crds(_LABELS)
    return sorted(made, key=lambda crd: str(crd["metadata"]["name"]))
