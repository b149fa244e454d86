"""Names, metadata and small rules of Kubernetes objects; no I/O.

* ``GVK`` and ``GVR`` name a kind and its resource, ``ObjectKey`` an object, ``ResourceInfo`` says how a kind is served.
* ``ObjectMeta`` is the metadata of an object; ``Partial(kind)`` asks for nothing more, ``PartialObject`` is the answer.
* Objects themselves are ``JsonObject``: decoded JSON.
* Submodules: ``conditions``, ``durations``, ``errors``, ``finalizers``, ``jsonpatch``, ``mergepatch``, ``owners``,
  ``quantity``, ``selectors``, ``time``, ``wellknown``.
"""

from eso_core.meta.childnames import child_name
from eso_core.meta.conditions import find_condition, is_condition_true, remove_condition, set_condition
from eso_core.meta.durations import format_duration, parse_duration
from eso_core.meta.equality import semantic_equal
from eso_core.meta.gvk import GVK, GVR, JsonObject, ResourceInfo, gvk_of
from eso_core.meta.keys import ObjectKey
from eso_core.meta.object import ObjectMeta, OwnerReference, Partial, PartialObject, decode_partial
from eso_core.meta.quantity import Quantity
from eso_core.meta.selectors import FieldSelector, LabelSelector
from eso_core.meta.time import format_micro_time, format_time, parse_time

__all__ = [
    "GVK",
    "GVR",
    "FieldSelector",
    "JsonObject",
    "LabelSelector",
    "ObjectKey",
    "ObjectMeta",
    "OwnerReference",
    "Partial",
    "PartialObject",
    "Quantity",
    "ResourceInfo",
    "child_name",
    "decode_partial",
    "find_condition",
    "format_duration",
    "format_micro_time",
    "format_time",
    "gvk_of",
    "is_condition_true",
    "parse_duration",
    "parse_time",
    "remove_condition",
    "semantic_equal",
    "set_condition",
]
