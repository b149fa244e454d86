"""Where generators plug in: `selector.generatorRef`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from eso_core.meta import JsonObject

__all__ = ["Generated", "Generators"]


class Generated(Protocol):
    """Fresh values, and what was made for them outside: kept when they have been pushed, taken back when not."""

    @property
    def values(self) -> Mapping[str, bytes]:
        """The values."""
        ...

    @property
    def lifetime(self) -> float | None:
        """For how long they last, seconds; None where that is not known."""
        ...

    async def commit(self) -> None:
        """The values are in the stores: remember how to clean them up, and let go of what they replace."""
        ...

    async def discard(self) -> None:
        """The values are in no store: take back what was made for them."""
        ...


class Generators(Protocol):
    """Makes values."""

    async def generate(self, owner: JsonObject, ref: JsonObject) -> Generated:
        """Fresh values of the generator that a PushSecret names.

        Raises:
            PushError: the generator is missing, or failed.
        """
        ...

    async def unused(self, owner: JsonObject) -> None:
        """A PushSecret is in step without any generator: let go of what was made for it when it had one."""
        ...
