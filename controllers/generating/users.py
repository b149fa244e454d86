"""How ExternalSecrets and PushSecrets use generators."""

from __future__ import annotations

from collections.abc import Mapping

from controllers.generating.making import GeneratorService, Making
from controllers.generating.references import GeneratorRef
from controllers.pushsecret.errors import PushError
from eso_core.meta import JsonObject
from providers.errors import ProviderError

__all__ = ["ForExternalSecrets", "ForPushSecrets"]


class ForExternalSecrets:
    """`controllers.externalsecret.extensions.Generators`.

    Args:
        service: Makes values.
        with_states: `--enable-generator-state`.
    """

    def __init__(self, service: GeneratorService, *, with_states: bool) -> None:
        self._service = service
        self._with_states = with_states

    def begin(self, owner: JsonObject, *, uses: bool) -> Making | None:
        """One pass of an object; None where it neither uses generators nor did so before."""
        if not uses and not (self._with_states and self._service.states.any_of(owner)):
            return None
        return self._service.begin(owner, with_states=self._with_states)

    async def foreign(self, ref: GeneratorRef, namespace: str) -> bool:
        """Whether the generator is another operator's."""
        return await self._service.foreign(ref, namespace)


class ForPushSecrets:
    """`controllers.pushsecret.generated.Generators`.

    Args:
        service: Makes values.
    """

    def __init__(self, service: GeneratorService) -> None:
        self._service = service

    async def generate(self, owner: JsonObject, ref: JsonObject) -> _Made:
        """Fresh values.

        Raises:
            PushError: the generator is missing, or failed.
        """
        making = self._service.begin(owner)
        try:
            values = await making.generate(GeneratorRef.of(ref))
        except ProviderError as error:
            where = f"{ref.get('kind', '')} {ref.get('name', '')}"
            raise PushError(
                f"could not resolve secret from generator ref {where}: {error}", retryable=error.retryable
            ) from error
        return _Made(making, values)

    async def unused(self, owner: JsonObject) -> None:
        """A PushSecret is in step without any generator: let go of what was made for it when it had one."""
        if self._service.states.any_of(owner):
            await self._service.begin(owner).commit()


class _Made:
    """Values and what was made for them; repr shows nothing."""

    def __init__(self, making: Making, values: Mapping[str, bytes]) -> None:
        self._making = making
        self.values = values
        self.lifetime = making.lifetime

    async def commit(self) -> None:
        """The values are in the stores."""
        await self._making.commit()

    async def discard(self) -> None:
        """The values are in no store."""
        await self._making.discard()
