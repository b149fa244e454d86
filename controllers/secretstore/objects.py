"""The two store kinds; stores are read as plain objects, so one that is written badly does not hide the others."""

from __future__ import annotations

from typing import Final

from eso_core.meta import GVK

__all__ = ["CLUSTER_STORE", "CLUSTER_STORE_KIND", "STORE", "STORE_KIND"]

STORE_KIND: Final = "SecretStore"
CLUSTER_STORE_KIND: Final = "ClusterSecretStore"
STORE: Final = GVK("external-secrets.io", "v1", STORE_KIND)
CLUSTER_STORE: Final = GVK("external-secrets.io", "v1", CLUSTER_STORE_KIND)
