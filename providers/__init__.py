"""Backends: where secret values come from.

``Registry`` knows them, ``ClientPool`` keeps their clients open, ``Provider`` and ``SecretsClient`` are what one
implements. The folder of a backend holds all there is of it.
"""

from providers.errors import (
    AccessDenied,
    BrokenReference,
    ErrorKind,
    InvalidData,
    InvalidEntry,
    InvalidSpec,
    NoSecret,
    NotModified,
    NotSupported,
    ProviderError,
    Throttled,
    Unavailable,
    UnknownProvider,
    find_cause,
    is_retryable,
)
from providers.interface import (
    Capabilities,
    DocumentClient,
    Find,
    Maintenance,
    MetadataPolicy,
    Provider,
    ProviderCalls,
    ProviderOptions,
    PushData,
    RemoteRef,
    SecretsClient,
    Store,
    StoreContext,
    StoreKey,
    Validation,
    ValidationState,
)
from providers.pool import ClientPool, PoolOptions, Session
from providers.registry import Registry
from providers.resolve import KubeReader, Resolver

__all__ = [
    "AccessDenied",
    "BrokenReference",
    "Capabilities",
    "ClientPool",
    "DocumentClient",
    "ErrorKind",
    "Find",
    "InvalidData",
    "InvalidEntry",
    "InvalidSpec",
    "KubeReader",
    "Maintenance",
    "MetadataPolicy",
    "NoSecret",
    "NotModified",
    "NotSupported",
    "PoolOptions",
    "Provider",
    "ProviderCalls",
    "ProviderError",
    "ProviderOptions",
    "PushData",
    "Registry",
    "RemoteRef",
    "Resolver",
    "SecretsClient",
    "Session",
    "Store",
    "StoreContext",
    "StoreKey",
    "Throttled",
    "Unavailable",
    "UnknownProvider",
    "Validation",
    "ValidationState",
    "find_cause",
    "is_retryable",
]
