"""What a backend is to the rest of the operator.

A ``Provider`` is stateless knowledge of one backend; ``open`` gives a ``SecretsClient`` for one store, which the pool
keeps for as long as the store and its credentials stay the same. Clients are used by many reconciles at once and must
be safe for that.

A backend that fetches a document and picks a property from it implements ``DocumentClient``: ``read`` does the I/O,
``select`` and ``select_map`` are pure, so the pool fetches a document once whatever number of properties is asked for.
"""

from __future__ import annotations

import builtins
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar

from eso_core.aio import Clock
from providers.errors import NotSupported, ProviderError

if TYPE_CHECKING:
    from providers.resolve import Resolver
    from providers.spec import ProviderSpec

__all__ = [
    "Capabilities",
    "DocumentClient",
    "Find",
    "JsonObject",
    "Maintenance",
    "MetadataPolicy",
    "Provider",
    "ProviderCalls",
    "ProviderOptions",
    "PushData",
    "RemoteRef",
    "RetrySettings",
    "SecretsClient",
    "Store",
    "StoreContext",
    "StoreKey",
    "TextTemplates",
    "Validation",
    "ValidationState",
]

JsonObject = dict[str, Any]
D = TypeVar("D")

CLUSTER_STORE = "ClusterSecretStore"


class Capabilities(StrEnum):
    """What a backend can do; published in ``status.capabilities``, enforced nowhere."""

    READ_ONLY = "ReadOnly"
    WRITE_ONLY = "WriteOnly"
    READ_WRITE = "ReadWrite"


class Maintenance(StrEnum):
    """Whether somebody looks after a backend."""

    MAINTAINED = "Maintained"
    NOT_MAINTAINED = "NotMaintained"
    DEPRECATED = "Deprecated"


class MetadataPolicy(StrEnum):
    """Whether a read is about the secret's value or what is known about it."""

    NONE = "None"
    FETCH = "Fetch"


@dataclass(frozen=True, slots=True)
class RemoteRef:
    """Address of one value: empty ``property`` means all of it, empty ``version`` the current one.

    ``metadata`` is what the PushSecret that wrote the value gives for the backend, where that has a part in the address.
    """

    key: str
    property: str = ""
    version: str = ""
    metadata_policy: MetadataPolicy = MetadataPolicy.NONE
    metadata: JsonObject | None = field(default=None, compare=False, repr=False)

    @builtins.property  # the field above hides the decorator's name
    def document(self) -> RemoteRef:
        """The same without property: what has to be fetched."""
        return replace(self, property="") if self.property else self


@dataclass(frozen=True, slots=True)
class Find:
    """What ``dataFrom[].find`` looks for; None means "not given". Most backends take empty tags for that, too."""

    path: str | None = None
    name_regexp: str | None = None
    tags: Mapping[str, str] | None = None
    conversion_strategy: str = ""


@dataclass(frozen=True, slots=True)
class PushData:
    """Where one key of a Secret goes; an empty ``secret_key`` means all keys.

    Attributes:
        metadata: what the PushSecret gives for the backend, see each backend's page.
        secret_type: type of the Secret that is pushed, empty for values that come from a generator.
        labels: of that Secret, for backends that keep them.
        annotations: likewise.
        source_uid: uid of that Secret, for backends that may be asked to write into it; empty for values that no Secret holds.
    """

    remote_key: str
    secret_key: str = ""
    property: str = ""
    metadata: JsonObject | None = None
    secret_type: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    source_uid: str = ""


class ValidationState(StrEnum):
    """What the check of a store found out."""

    READY = "Ready"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Validation:
    """The answer of ``SecretsClient.validate`` when nothing is wrong.

    ``UNKNOWN`` without an error counts as ready (a store whose credentials come with its consumers cannot be checked);
    with an error it is shown as such, and consumers may go on.
    """

    state: ValidationState = ValidationState.READY
    error: ProviderError | None = None


class StoreKey(NamedTuple):
    """Which store: namespace is empty for a ClusterSecretStore."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        place = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.kind} {place}"


@dataclass(frozen=True, slots=True)
class RetrySettings:
    """``spec.retrySettings``; ``retry_interval`` is the text as written (parsed by the backends that honour it)."""

    max_retries: int | None = None
    retry_interval: str | None = None


@dataclass(frozen=True, slots=True)
class Store:
    """A SecretStore or ClusterSecretStore as providers see it. ``spec`` may hold values (fake), so repr leaves it out."""

    kind: str
    name: str
    namespace: str
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    spec: JsonObject = field(default_factory=dict, repr=False)
    annotations: Mapping[str, str] = field(default_factory=dict, repr=False)
    identity: StoreKey = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "identity", StoreKey(self.kind, "" if self.is_cluster else self.namespace, self.name))

    @classmethod
    def from_object(cls, obj: JsonObject) -> Store:
        """The store in a decoded Kubernetes object."""
        meta = obj.get("metadata") or {}
        return cls(
            kind=str(obj.get("kind") or ""),
            name=str(meta.get("name") or ""),
            namespace=str(meta.get("namespace") or ""),
            uid=str(meta.get("uid") or ""),
            generation=int(meta.get("generation") or 0),
            resource_version=str(meta.get("resourceVersion") or ""),
            spec=obj.get("spec") or {},
            annotations=meta.get("annotations") or {},
        )

    @property
    def is_cluster(self) -> bool:
        """Whether consumers of every namespace may use it."""
        return self.kind == CLUSTER_STORE

    @property
    def retry_settings(self) -> RetrySettings | None:
        settings = self.spec.get("retrySettings")
        if not isinstance(settings, dict):
            return None
        return RetrySettings(settings.get("maxRetries"), settings.get("retryInterval"))


class ProviderCalls(Protocol):
    """Counts requests to backends (``externalsecret_provider_api_calls_count``)."""

    def observe(self, provider: str, call: str, error: BaseException | None) -> None:
        """One request ended; ``error`` is None when it succeeded. Must not raise."""


class NoCalls:
    """Counts nothing."""

    def observe(self, provider: str, call: str, error: BaseException | None) -> None:
        return None


class TextTemplates(Protocol):
    """Renders the templates that stores hold: Go's text/template with the operator's functions."""

    async def render(self, template: str, data: Mapping[str, Mapping[str, str]], *, name: str) -> str:
        """The text. A key that is not there prints `<no value>`.

        Args:
            template: The text with actions.
            data: The root, two levels deep.
            name: What errors call the template.

        Raises:
            ValueError: It cannot be parsed or rendered; the text shows no values.
        """
        ...


@dataclass(frozen=True, slots=True)
class ProviderOptions:
    """Settings of the operator that concern backends.

    Tokens of Vault stores are shared and renewed anyway, so the two flags of the original's token cache change nothing;
    they are kept so that its command lines work.
    """

    vault_token_cache: bool = False
    vault_token_cache_size: int = 262144
    request_timeout: float = 60.0  # seconds for one request to a backend
    templates: TextTemplates | None = None  # for backends whose stores hold templates
    service_account_token_file: str = "/var/run/secrets/kubernetes.io/serviceaccount/token"


@dataclass(frozen=True, slots=True)
class StoreContext:
    """All that ``open`` may use. ``namespace`` is the consumer's; empty while a ClusterSecretStore is validated."""

    store: Store
    namespace: str
    resolver: Resolver
    clock: Clock
    calls: ProviderCalls = field(default_factory=NoCalls)
    options: ProviderOptions = field(default_factory=ProviderOptions)


class SecretsClient(ABC):
    """An open store. Methods raise ``ProviderError``; cancelling one leaves the client usable."""

    @abstractmethod
    async def get_secret(self, ref: RemoteRef) -> bytes:
        """One value. Raises ``NoSecret`` when the backend clearly says that there is none."""

    @abstractmethod
    async def get_secret_map(self, ref: RemoteRef) -> dict[str, bytes]:
        """The members of one secret by name."""

    @abstractmethod
    async def get_all_secrets(self, find: Find) -> dict[str, bytes]:
        """Whole secrets by the backend's names; nothing found is an empty mapping unless the backend's page says so."""

    async def push_secret(self, values: Mapping[str, bytes], data: PushData) -> None:
        """Writes one value of a Secret, or all of them, unless the backend holds the same already."""
        raise NotSupported("pushing secrets is not supported by this backend")

    async def delete_secret(self, ref: RemoteRef) -> None:
        """Deletes what was pushed; absent is success."""
        raise NotSupported("deleting secrets is not supported by this backend")

    async def secret_exists(self, ref: RemoteRef) -> bool:
        """Whether something is there, so that ``updatePolicy: IfNotExists`` keeps it."""
        raise NotSupported("asking whether a secret exists is not supported by this backend")

    async def is_object(self, ref: RemoteRef, uid: str) -> bool:
        """Whether the place is the Kubernetes object of this uid: a Secret that was pushed must not be selected and pushed on."""
        return False

    async def validate(self) -> Validation:
        """Checks that the store can be used. Raises ``ProviderError`` when it cannot."""
        return Validation()

    async def aclose(self) -> None:
        """Releases connections, revokes what ``open`` obtained. Not called while a request is under way."""
        return None


class DocumentClient(SecretsClient, Generic[D]):
    """A client whose reads are "fetch a document, then pick from it"."""

    @abstractmethod
    async def read(self, ref: RemoteRef) -> D:
        """Fetches ``ref``, whose property is empty."""

    @abstractmethod
    def select(self, document: D, ref: RemoteRef) -> bytes:
        """The value that ``ref.property`` addresses in the document."""

    @abstractmethod
    def select_map(self, document: D, ref: RemoteRef) -> dict[str, bytes]:
        """The members of what ``ref.property`` addresses in the document."""

    async def get_secret(self, ref: RemoteRef) -> bytes:
        return self.select(await self.read(ref.document), ref)

    async def get_secret_map(self, ref: RemoteRef) -> dict[str, bytes]:
        return self.select_map(await self.read(ref.document), ref)


class Provider(ABC):
    """One backend.

    ``name`` is its key below ``spec.provider``, ``spec`` the model of what stands there.
    """

    name: ClassVar[str]
    spec: ClassVar[type[ProviderSpec]]
    capabilities: ClassVar[Capabilities] = Capabilities.READ_ONLY
    maintenance: ClassVar[Maintenance] = Maintenance.MAINTAINED

    def validate_spec(self, spec: ProviderSpec, store: Store) -> list[str]:
        """Static check without I/O; returns warnings.

        Raises:
            InvalidSpec: The store cannot work as it is written.
        """
        return []

    def per_namespace(self, spec: ProviderSpec, store: Store) -> bool:
        """Whether consumers of different namespaces need clients of their own.

        True is always safe. A backend answers False for a ClusterSecretStore none of whose credentials come from the
        consumer's namespace; its consumers then share one client and one login.
        """
        return store.is_cluster

    @abstractmethod
    async def open(self, spec: ProviderSpec, ctx: StoreContext) -> SecretsClient:
        """A client for one store; may log in."""
