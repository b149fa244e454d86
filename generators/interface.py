"""What a generator is to the rest of the operator.

A ``Generator`` is stateless knowledge of one kind: it makes fresh values each time it is asked. One that creates something outside
(a token, a user) returns a state as well; the operator keeps it in a GeneratorState and hands it to ``cleanup`` when the values are
replaced, could not be used, or their owner is gone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final

from eso_core.aio import Clock
from providers.interface import NoCalls, ProviderCalls, ProviderOptions, Store, StoreContext
from providers.resolve import KubeReader, Resolver

if TYPE_CHECKING:
    from generators.spec import GeneratorSpec

__all__ = ["GROUP", "VERSION", "Generated", "Generator", "GeneratorContext"]

JsonObject = dict[str, Any]

GROUP: Final = "generators.external-secrets.io"
VERSION: Final = "v1alpha1"


@dataclass(frozen=True, slots=True)
class Generated:
    """What a generator made. repr shows nothing of it.

    Attributes:
        values: Output keys and values.
        state: What `cleanup` needs, None when there is nothing to clean up.
        lifetime: For how long the values are good, seconds from now; None where that is not known, or has no end. Who uses
            them has them made anew before that.
    """

    values: dict[str, bytes] = field(repr=False)
    state: JsonObject | None = field(default=None, repr=False)
    lifetime: float | None = None


@dataclass(frozen=True, slots=True)
class GeneratorContext:
    """All that a generator may use.

    Attributes:
        namespace: Of the object that wants the values. Whatever a generator refers to is there; a namespace in a selector
            does not count.
        kube: Reads of the cluster.
        clock: Time.
        calls: Counts requests to backends.
        options: Settings of the operator.
        name: Of the generator, for messages.
    """

    namespace: str
    kube: KubeReader
    clock: Clock
    calls: ProviderCalls = field(default_factory=NoCalls)
    options: ProviderOptions = field(default_factory=ProviderOptions)
    name: str = ""

    @property
    def resolver(self) -> Resolver:
        """Reads Secrets, CAs and ServiceAccount tokens."""
        return Resolver(self.kube, self._store(None), self.namespace)

    def store_context(self, retry_settings: JsonObject | None = None) -> StoreContext:
        """The context of a backend's client, for generators that speak to one."""
        store = self._store(retry_settings)
        return StoreContext(
            store, self.namespace, Resolver(self.kube, store, self.namespace), self.clock, self.calls, self.options
        )

    def _store(self, retry_settings: JsonObject | None) -> Store:
        spec: JsonObject = {"retrySettings": retry_settings} if retry_settings else {}
        return Store("SecretStore", self.name, self.namespace, spec=spec)


class Generator(ABC):
    """One kind of generator.

    Attributes:
        kind: Kind of its objects.
        plural: Of the kind, in lower case.
        spec: Model of `spec`.
        member: Its member below `spec.generator` of a ClusterGenerator.
    """

    kind: ClassVar[str]
    plural: ClassVar[str]
    spec: ClassVar[type[GeneratorSpec]]
    member: ClassVar[str]

    @abstractmethod
    async def generate(self, spec: GeneratorSpec, ctx: GeneratorContext) -> Generated:
        """Fresh values.

        Raises:
            ProviderError: They cannot be made.
            NoSecret: There is nothing to make them of, which obeys the `deletionPolicy` of who asked.
        """

    @property
    def cleans_up(self) -> bool:
        """Whether `cleanup` does anything: a state of a kind that creates nothing outside may go as it is."""
        return type(self).cleanup is not Generator.cleanup

    async def cleanup(self, spec: GeneratorSpec, state: JsonObject, ctx: GeneratorContext) -> None:
        """Take back what `generate` created outside; what is gone already is fine.

        Raises:
            ProviderError: It is still there.
        """
        return None  # a kind that creates nothing outside has nothing to take back
