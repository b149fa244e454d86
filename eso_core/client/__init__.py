"""The API server's client.

* ``load_config`` finds the server and the credentials; ``ClientConfig`` is what it found.
* ``Client`` has the verbs: get, list, create, update, patch, apply, delete, watch. ``list_raw`` and ``watch_raw`` give
  bytes, for caches.
* ``MergePatch``, ``JsonPatch``, ``StrategicMergePatch`` and ``ApplyPatch`` are the bodies of a patch; ``merge_from``
  computes the smallest merge patch.
* ``retry_on_conflict`` repeats a read and write; ``extract`` and ``csa_upgrade`` read and change field ownership.
* ``create_or_update`` and ``create_or_patch`` bring an object to a wanted state; ``finalize``, ``run_finalizers`` and
  ``ensure_finalizer`` clean up before a deletion.
* ``RESTMapper`` (``client.mapper``) knows how a kind is served.
"""

from eso_core.client.client import Client, Preconditions
from eso_core.client.config import ClientConfig, Impersonation, in_cluster_config, load_config
from eso_core.client.conflicts import retry_on_conflict
from eso_core.client.finalizing import Finalizer, ensure_finalizer, finalize, run_finalizers
from eso_core.client.kinds import Kind, ResourceLike
from eso_core.client.kubeconfig import config_from_kubeconfig
from eso_core.client.limiter import RateLimit
from eso_core.client.lists import ObjectList, RawPage
from eso_core.client.mapper import RESTMapper
from eso_core.client.ownership import csa_upgrade, extract
from eso_core.client.patch import ApplyPatch, JsonPatch, MergePatch, Patch, StrategicMergePatch, merge_from
from eso_core.client.request import ApiRequest, ApiResponse, Interceptor, Send
from eso_core.client.subresource import Subresource
from eso_core.client.transport import RetryPolicy
from eso_core.client.upsert import Outcome, create_or_patch, create_or_update
from eso_core.client.watch import RawEvent, RawWatch, Watch, WatchEvent

__all__ = [
    "ApiRequest",
    "ApiResponse",
    "ApplyPatch",
    "Client",
    "ClientConfig",
    "Finalizer",
    "Impersonation",
    "Interceptor",
    "JsonPatch",
    "Kind",
    "MergePatch",
    "ObjectList",
    "Outcome",
    "Patch",
    "Preconditions",
    "RESTMapper",
    "RateLimit",
    "RawEvent",
    "RawPage",
    "RawWatch",
    "ResourceLike",
    "RetryPolicy",
    "Send",
    "StrategicMergePatch",
    "Subresource",
    "Watch",
    "WatchEvent",
    "config_from_kubeconfig",
    "create_or_patch",
    "create_or_update",
    "csa_upgrade",
    "ensure_finalizer",
    "extract",
    "finalize",
    "in_cluster_config",
    "load_config",
    "merge_from",
    "retry_on_conflict",
    "run_finalizers",
]
