"""One pass of an object that uses generators: values now, and later either their states or their cleanup."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

import structlog

from controllers.generating.references import CLUSTER_GENERATOR, GeneratorRef, Lookup, Resolved, Source, resolve
from controllers.generating.states import NewState, States
from controllers.secretstore.defects import describe_defect
from eso_core.aio import Clock
from eso_core.meta import JsonObject
from eso_core.meta.errors import EsoCoreError
from generators.errors import GeneratorFailed
from generators.interface import Generated, GeneratorContext
from generators.registry import GeneratorRegistry
from providers.errors import NoSecret, NotModified, ProviderError
from providers.interface import ProviderCalls, ProviderOptions
from providers.resolve import KubeReader

__all__ = ["GeneratorService", "Making"]

log: Any = structlog.get_logger("eso.generators")

_FAILED: Final = "error using generator: "


class GeneratorService:
    """Makes values of generators.

    Args:
        registry: Kinds.
        lookup: Reads generators.
        states: Keeps what has to be cleaned up.
        kube: What generators may read of the cluster.
        clock: Time.
        calls: Counts requests to backends.
        options: Settings of the operator.
        controller_class: Generators of another class are left to other operators.
    """

    def __init__(
        self,
        registry: GeneratorRegistry,
        lookup: Lookup,
        states: States,
        kube: KubeReader,
        clock: Clock,
        *,
        calls: ProviderCalls,
        options: ProviderOptions,
        controller_class: str = "default",
    ) -> None:
        self.registry = registry
        self.lookup = lookup
        self.states = states
        self.clock = clock
        self._kube = kube
        self._calls = calls
        self._options = options
        self._class = controller_class
        #: What is in use and could not be recorded, by the uid of its owner.
        self.unrecorded: dict[str, list[tuple[Resolved, NewState]]] = {}

    def begin(self, owner: JsonObject, *, with_states: bool = True) -> Making:
        """One pass of an owner.

        Args:
            owner: ExternalSecret or PushSecret.
            with_states: Whether GeneratorStates are kept for it.
        """
        return Making(self, owner, with_states=with_states)

    async def foreign(self, ref: GeneratorRef, namespace: str) -> bool:
        """Whether the generator is another operator's; one that cannot be read is nobody's, and fails later."""
        await self.registry.preload(ref.kind)
        if not self._may_be_foreign(ref.kind):
            return False
        try:
            resolved = await resolve(ref, namespace, self.lookup, self.registry)
        except ProviderError:
            return False
        return not resolved.belongs_to(self._class)

    def _may_be_foreign(self, kind: str) -> bool:
        """Most kinds have no class: an object that is not due is not worth a look at them."""
        if kind == CLUSTER_GENERATOR.kind:
            return True
        try:
            return "controller" in self.registry.get(kind).spec.model_fields
        except ProviderError:
            return False

    def context(self, namespace: str, name: str) -> GeneratorContext:
        """What a generator may use for an object in this namespace."""
        return GeneratorContext(namespace, self._kube, self.clock, self._calls, self._options, name)


class Making:
    """The generators of one pass. After the values are in place `commit`, otherwise `discard`."""

    def __init__(self, service: GeneratorService, owner: JsonObject, *, with_states: bool) -> None:
        self._service = service
        self._owner = owner
        self._with_states = with_states
        self._used: Counter[Source] = Counter()
        self._made: list[tuple[Resolved, NewState]] = []
        self._lifetimes: list[float] = []

    @property
    def pending(self) -> bool:
        """Whether anything was made that has neither been committed nor discarded."""
        return bool(self._made)

    @property
    def lifetime(self) -> float | None:
        """Of what was made, that which expires first: seconds; None where nothing is known to expire."""
        return min(self._lifetimes, default=None)

    async def generate(self, ref: GeneratorRef) -> dict[str, bytes]:
        """Fresh values.

        Raises:
            NoSecret: The generator has nothing to make them of.
            NotModified: It says that nothing changed.
            ProviderError: It is missing or failed.
        """
        service, namespace = self._service, self._owner["metadata"]["namespace"]
        resolved = await resolve(ref, namespace, service.lookup, service.registry)
        number = self._used[resolved.source]
        self._used[resolved.source] += 1
        try:
            generated: Generated = await resolved.generator.generate(
                resolved.spec, service.context(namespace, resolved.name)
            )
        except NotModified:
            raise
        except NoSecret as error:
            raise NoSecret(f"{_FAILED}{error}") from error
        except ProviderError as error:
            raise GeneratorFailed(f"{_FAILED}{error}", kind=error.kind, retryable=error.retryable) from error
        except EsoCoreError:
            raise
        except Exception as error:
            # A defect. Its text may hold anything, so only its type and place are shown, and no cause is kept.
            raise GeneratorFailed(f"{_FAILED}{describe_defect(error)}", retryable=True) from None
        if generated.lifetime is not None:
            self._lifetimes.append(generated.lifetime)
        if generated.state is not None and self._with_states:
            key = f"{ref.kind}/{ref.name}" + (f"#{number}" if number else "")
            self._made.append((resolved, NewState(key, resolved.manifest, generated.state)))
        return dict(generated.values)

    async def commit(self) -> None:
        """The values are in place.

        Raises:
            EsoCoreError: A state cannot be written. It is written at the next commit; if that fails too, what is older is taken
                back, since nobody uses it then: what is in place is newer.
        """
        if not self._with_states:
            return
        service, uid = self._service, self._owner["metadata"].get("uid") or ""
        older, newer = service.unrecorded.pop(uid, []), self._made
        self._made = []
        try:
            await service.states.release(self._owner, self._used, service.clock.now())
            for waiting in (older, newer):
                while waiting:
                    await service.states.store(self._owner, waiting[0][1])
                    del waiting[0]
        except EsoCoreError:
            if not newer:
                newer, older = older, []
            if newer:
                service.unrecorded[uid] = newer
            await self._take_back(older)
            raise

    async def discard(self) -> None:
        """The values are nowhere: take back what was made for them."""
        made, self._made = self._made, []
        await self._take_back(made)

    async def _take_back(self, made: list[tuple[Resolved, NewState]]) -> None:
        service = self._service
        for resolved, new in made:
            context = service.context(self._owner["metadata"]["namespace"], resolved.name)
            try:
                await resolved.generator.cleanup(resolved.spec, new.state, context)
            except Exception as error:
                log.warning(
                    "what a generator made could not be taken back", generator=resolved.name, error=type(error).__name__
                )
                try:
                    await service.states.keep_for_cleanup(self._owner, new, service.clock.now())
                except EsoCoreError as refused:
                    log.error("it is not recorded either", generator=resolved.name, error=str(refused))
