"""What differs between the kinds that put copies into namespaces."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from controllers.externalsecret.names import FINALIZER as CHILD_FINALIZER
from controllers.externalsecret.report import EXTERNAL_SECRET
from controllers.pushsecret.plan import PUSH_SECRET
from eso_core.meta import GVK, JsonObject

__all__ = ["CLUSTER_EXTERNAL_SECRETS", "CLUSTER_PUSH_SECRETS", "FanOut"]


class FanOut(Struct, frozen=True):
    """One kind.

    Attributes:
        name: Of its controller and metrics.
        kind: Its objects.
        child: Their copies.
        member: How its fields are called: `externalSecret` in `externalSecretSpec`.
        taken: What a namespace says where the name belongs to somebody else.
        failure: What it says where the server refuses the copy, before the server's words.
        finalizer: Its own, empty where copies go by garbage collection.
        namespace_finalizer: Prefix of what the original put on namespaces, removed wherever it is found.
        child_finalizer: What a new copy gets at once, so that its own controller need not add it.
        mirrored: Annotation that copies take over, besides those of the template.
        unlisted_reason: Reason of the condition where the selected namespaces cannot be told; empty lists them as one failed
            namespace called `unknown`.
        plain_conditions: The definition knows neither reasons nor times of conditions.
    """

    name: str
    kind: GVK
    child: GVK
    member: str
    taken: str
    failure: str
    finalizer: str = ""
    namespace_finalizer: str = ""
    child_finalizer: str = ""
    mirrored: str = ""
    unlisted_reason: str = ""
    plain_conditions: bool = False

    def child_name(self, obj: JsonObject) -> str:
        """Name of the copies."""
        name: str = (obj.get("spec") or {}).get(f"{self.member}Name") or obj["metadata"]["name"]
        return name


CLUSTER_EXTERNAL_SECRETS: Final = FanOut(
    name="clusterexternalsecret",
    kind=GVK("external-secrets.io", "v1", "ClusterExternalSecret"),
    child=EXTERNAL_SECRET,
    member="externalSecret",
    taken="external secret already exists in namespace",
    failure="could not create or update ExternalSecret",
    finalizer="externalsecrets.external-secrets.io/clusterexternalsecret-cleanup",
    namespace_finalizer="externalsecrets.external-secrets.io/ces-",
    child_finalizer=CHILD_FINALIZER,
    mirrored="external-secrets.io/force-sync",
    plain_conditions=True,
)

CLUSTER_PUSH_SECRETS: Final = FanOut(
    name="clusterpushsecret",
    kind=GVK("external-secrets.io", "v1alpha1", "ClusterPushSecret"),
    child=PUSH_SECRET,
    member="pushSecret",
    taken="push secret already exists in namespace",
    failure="could not create or update push secret",
    unlisted_reason="Errored",
)
