"""The kinds of `external-secrets.io`, as resource classes, and their CustomResourceDefinitions.

`v1` is served and stored. `v1beta1` is served as well, with the fields it had; both versions are stored alike, so no conversion
is needed.
"""

from controllers.api.definitions import all_crds
from controllers.api.externalsecret import ExternalSecret, ExternalSecretSpec
from controllers.api.externalsecret_v1beta1 import ExternalSecretV1Beta1
from controllers.api.pushsecret import PushSecret, PushSecretSpec
from controllers.api.secretstore import (
    ClusterSecretStore,
    ClusterSecretStoreV1Beta1,
    SecretStore,
    SecretStoreSpec,
    SecretStoreV1Beta1,
)

GROUP = "external-secrets.io"

__all__ = [
    "GROUP",
    "ClusterSecretStore",
    "ClusterSecretStoreV1Beta1",
    "ExternalSecret",
    "ExternalSecretSpec",
    "ExternalSecretV1Beta1",
    "PushSecret",
    "PushSecretSpec",
    "SecretStore",
    "SecretStoreSpec",
    "SecretStoreV1Beta1",
    "all_crds",
]
