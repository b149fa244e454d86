"""Informers: the live state of kinds in memory.

A *reflector* lists and watches one kind and keeps a *store* equal to the server; its decisions are a pure step machine. An
*informer* is one or several reflectors with *handlers* that learn about changes and *indexes* for lookups. The *cache* is
all informers of a manager and the reads from them. A *view* names one of several informers of the same kind.
"""

from eso_core.cache.cache import Cache, LiveReader
from eso_core.cache.client import CachedClient
from eso_core.cache.driver import ReflectorDriver, Source
from eso_core.cache.expectations import Expectations
from eso_core.cache.frozen import FrozenDict
from eso_core.cache.informer import Informer, SourceFactory
from eso_core.cache.reflection import Settings
from eso_core.cache.registration import EventHandler, Registration
from eso_core.cache.scopes import OTHERS, CacheScopes, KindScopes, Scope
from eso_core.cache.source import ClientSource, ClientSources
from eso_core.cache.spec import InformerSpec, Kind, gvk_of_kind, is_namespaced, resource_name
from eso_core.cache.store import CachedObject, Change, ChangeType, IndexFunction, Store
from eso_core.cache.transforms import chain, drop_values, hash_values, keep_paths
from eso_core.cache.writes import PendingWrite, WriteTracker

__all__ = [
    "OTHERS",
    "Cache",
    "CacheScopes",
    "CachedClient",
    "CachedObject",
    "Change",
    "ChangeType",
    "ClientSource",
    "ClientSources",
    "EventHandler",
    "Expectations",
    "FrozenDict",
    "IndexFunction",
    "Informer",
    "InformerSpec",
    "Kind",
    "KindScopes",
    "LiveReader",
    "PendingWrite",
    "ReflectorDriver",
    "Registration",
    "Scope",
    "Settings",
    "Source",
    "SourceFactory",
    "Store",
    "WriteTracker",
    "chain",
    "drop_values",
    "gvk_of_kind",
    "hash_values",
    "is_namespaced",
    "keep_paths",
    "resource_name",
]
